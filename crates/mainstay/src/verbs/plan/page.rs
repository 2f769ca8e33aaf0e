//! The plan on a page.

use std::fmt::Write as _;

use mainstay_economics::forecast::Month;
use mainstay_formula::{Origin, Unit};
use mainstay_planner::{Kind, Plan};

use super::range;
use super::summary::{self, SUBJECTS};
use crate::config::Checked;
use crate::page::{Line, Lines, Swings, Tone, document, drawing, escaped};

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
    for sentence in summary::fleet(plan) {
        let _ = writeln!(body, "<p>{}</p>", escaped(&sentence));
    }
    charts(&mut body, plan);
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

/// What moves the numbers that matter, the week, and the months to come.
fn charts(html: &mut String, plan: &Plan) {
    html.push_str("<section>\n<h2>What matters and what lies ahead</h2>\n<div class=\"pair\">\n");
    for (title, name) in [
        ("What moves the peak", "capacity.peak_requests_per_second"),
        ("What moves the cost of the cheapest way", "economics.cheapest_per_month"),
    ] {
        let mut swings = plan.sheet.tornado(name);
        swings.truncate(8);
        if let Some(row) = plan.sheet.row(name).filter(|_| !swings.is_empty()) {
            let swings = Swings { base: row.value, unit: row.unit, swings: &swings };
            drawing(html, title, |title| swings.svg(title));
        }
    }
    let week = Line {
        label: "requests".to_owned(),
        points: plan
            .week
            .per_minute
            .iter()
            .step_by(60)
            .enumerate()
            .map(|(hour, rate)| (hour as f64, *rate))
            .collect(),
        band: Vec::new(),
        tone: Tone::Main,
    };
    let week = Lines { along: "hours of the week, from Monday", unit: Unit::PerSecond, lines: vec![week] };
    drawing(html, "The load of a week", |title| week.svg(title));
    if let Some(scaling) = plan.fleet.as_ref().and_then(|fleet| fleet.scaling.as_ref()) {
        let chosen = &scaling.outcomes[scaling.chosen];
        let replicas = Line {
            label: format!("replicas, {}", chosen.policy.name()),
            points: chosen
                .hourly_replicas
                .iter()
                .enumerate()
                .map(|(hour, count)| (hour as f64, *count))
                .collect(),
            band: Vec::new(),
            tone: Tone::Good,
        };
        let fleet =
            Lines { along: "hours of the week, from Monday", unit: Unit::Count, lines: vec![replicas] };
        drawing(html, "How the fleet follows it", |title| fleet.svg(title));
    }
    ahead(html, plan);
    html.push_str("</div>\n</section>\n");
}

/// Providers with and without what makes them cheaper, between half and twice the growth; own GPUs beside them.
fn ahead(html: &mut String, plan: &Plan) {
    let [bear, base, bull] = plan.money.forecasts.as_slice() else { return };
    let of = |value: fn(&Month) -> f64| -> Vec<(f64, f64)> {
        base.months.iter().map(|month| (f64::from(month.month), value(month))).collect()
    };
    let band =
        bear.months.iter().zip(&bull.months).map(|(low, high)| (low.api_with_steps, high.api_with_steps));
    let mut lines = vec![
        Line {
            label: "providers".to_owned(),
            points: of(|month| month.api),
            band: Vec::new(),
            tone: Tone::Soft,
        },
        Line {
            label: "with savings".to_owned(),
            points: of(|month| month.api_with_steps),
            band: band.collect(),
            tone: Tone::Main,
        },
    ];
    if base.months.iter().all(|month| month.own.is_some()) {
        let points = of(|month| month.own.unwrap_or(0.0));
        lines.push(Line { label: "own GPUs".to_owned(), points, band: Vec::new(), tone: Tone::Good });
    }
    let lines = Lines {
        along: "months from now; the band is half and twice the growth",
        unit: Unit::DollarsPerMonth,
        lines,
    };
    drawing(html, "What a month costs", |title| lines.svg(title));
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
