//! The plan on a terminal.

use std::fmt::Write as _;

use mainstay_planner::{Contradiction, Kind, Plan};

use super::range;
use crate::config::Checked;
use crate::terminal;

/// What the summary shows, by subject. Rows that a plan does not have are left out.
pub(super) const SUBJECTS: &[(&str, &[&str])] = &[
    (
        "What there is to serve",
        &[
            "traffic.monthly_active_users",
            "capacity.daily_active_users",
            "capacity.requests_per_day",
            "capacity.average_requests_per_second",
            "capacity.peak_requests_per_second",
            "capacity.tokens_per_day",
            "streams.at_peak",
        ],
    ),
    (
        "What it takes",
        &[
            "network.peak_in",
            "network.peak_out",
            "storage.records_per_year",
            "index.passages",
            "index.memory",
            "storage.documents",
        ],
    ),
];

/// The plan in a screen or two.
pub(super) fn summary(checked: &Checked, plan: &Plan) -> String {
    let mut text = format!("The plan for {}\n", checked.product.name);
    for (subject, rows) in SUBJECTS {
        let rows: Vec<_> = rows.iter().filter_map(|name| plan.sheet.row(name)).collect();
        if rows.is_empty() {
            continue;
        }
        let mut table = terminal::table(&[subject, "most likely", "in nine of ten draws", "--explain"]);
        for row in rows {
            table.add_row([row.what.clone(), row.unit.show(row.value), range(plan, row), row.name.clone()]);
        }
        let _ = write!(text, "\n{table}\n");
    }
    for found in &plan.contradictions {
        let _ = write!(text, "\n{}\n", contradiction(found));
    }
    let assumed = plan.sheet.inputs().filter(|(_, input)| input.assumed).count();
    let _ = write!(
        text,
        "\n{assumed} of {} inputs are assumed: --html FILE lists them with their reasons.",
        plan.sheet.inputs().count()
    );
    text
}

/// A contradiction in two lines.
pub(in crate::verbs) fn contradiction(found: &Contradiction) -> String {
    let kind = match found.kind {
        Kind::Impossible => "CONTRADICTION",
        Kind::Doubtful => "DOUBTFUL",
    };
    format!("{kind} {}: {}\n  {}", found.keys.join(", "), found.message, found.hint)
}
