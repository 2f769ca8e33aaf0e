//! The plan on a page.

use std::fmt::Write as _;

use mainstay_formula::Origin;
use mainstay_planner::{Kind, Plan};

use super::range;
use super::summary::SUBJECTS;
use crate::config::Checked;
use crate::page::{document, escaped};

/// A page with every number, its formula, and every assumption.
pub(super) fn page(checked: &Checked, plan: &Plan) -> String {
    let mut body = String::new();
    if let Some(description) = &checked.product.description {
        let _ = writeln!(body, "<p class=\"lead\">{}</p>", escaped(description));
    }
    contradictions(&mut body, plan);
    for (subject, rows) in SUBJECTS {
        subject_table(&mut body, plan, subject, rows);
    }
    assumptions(&mut body, plan);
    formulas(&mut body, plan);
    document(&format!("The plan for {}", checked.product.name), &body)
}

fn contradictions(html: &mut String, plan: &Plan) {
    if plan.contradictions.is_empty() {
        return;
    }
    html.push_str("<section>\n<h2>What does not fit together</h2>\n<ul class=\"gates\">\n");
    for found in &plan.contradictions {
        let class = if found.kind == Kind::Impossible { "missed" } else { "note" };
        let _ = writeln!(
            html,
            "<li class=\"{class}\"><code>{}</code>: {}<br><span class=\"note\">{}</span></li>",
            escaped(&found.keys.join(", ")),
            escaped(&found.message),
            escaped(&found.hint)
        );
    }
    html.push_str("</ul>\n</section>\n");
}

fn subject_table(html: &mut String, plan: &Plan, subject: &str, names: &[&str]) {
    let rows: Vec<_> = names.iter().filter_map(|name| plan.sheet.row(name)).collect();
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(
        html,
        "<section>\n<h2>{subject}</h2>\n<div class=\"wide\"><table>\n<thead><tr><th></th><th>Most likely</th>\
         <th>In nine of ten draws</th></tr></thead>\n<tbody>"
    );
    for row in rows {
        let _ = writeln!(
            html,
            "<tr><td><a href=\"#{}\">{}</a></td><td>{}</td><td>{}</td></tr>",
            row.name,
            escaped(&row.what),
            escaped(&row.unit.show(row.value)),
            escaped(&range(plan, row))
        );
    }
    html.push_str("</tbody>\n</table></div>\n</section>\n");
}

fn assumptions(html: &mut String, plan: &Plan) {
    html.push_str(
        "<section>\n<h2>What it rests on</h2>\n<div class=\"wide\"><table>\n<thead><tr><th>Input</th><th>Value</th>\
         <th>Range</th><th class=\"text\">Where it comes from</th></tr></thead>\n<tbody>\n",
    );
    for (row, input) in plan.sheet.inputs() {
        let kind = if input.assumed { "Assumed: " } else { "" };
        let range = input.range.map_or(String::new(), |range| {
            format!("{} to {}", row.unit.show(range.low), row.unit.show(range.high))
        });
        let _ = writeln!(
            html,
            "<tr id=\"{}\"><td>{}</td><td>{}</td><td>{}</td><td class=\"text\">{kind}{}</td></tr>",
            row.name,
            escaped(&row.what),
            escaped(&row.unit.show(row.value)),
            escaped(&range),
            escaped(&input.source)
        );
    }
    html.push_str("</tbody>\n</table></div>\n</section>\n");
}

fn formulas(html: &mut String, plan: &Plan) {
    html.push_str(
        "<section>\n<h2>How it is calculated</h2>\n<div class=\"wide\"><table>\n<thead><tr><th>Number</th>\
         <th>Value</th><th class=\"text\">Formula</th></tr></thead>\n<tbody>\n",
    );
    for row in plan.sheet.rows() {
        if let Origin::Formula(formula) = &row.origin {
            let _ = writeln!(
                html,
                "<tr id=\"{name}\"><td><code>{name}</code></td><td>{}</td><td class=\"text\"><code>{}</code></td></tr>",
                escaped(&row.unit.show(row.value)),
                escaped(&formula.to_string()),
                name = row.name
            );
        }
    }
    html.push_str("</tbody>\n</table></div>\n</section>\n");
}
