//! The plan on a terminal.

use std::fmt::Write as _;

use mainstay_formula::Unit;
use mainstay_planner::{Contradiction, Kind, Plan};

use super::range;
use super::scaling::table;
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
    (
        "GPUs of one's own",
        &[
            "sizing.memory_gb",
            "sizing.gpus_per_replica",
            "sizing.concurrency",
            "sizing.time_to_first_token",
            "sizing.time_per_output_token",
            "sizing.requests_per_replica",
            "sizing.replicas",
            "sizing.gpus",
        ],
    ),
    (
        "What it costs",
        &[
            "economics.api_per_request",
            "economics.api_per_month",
            "economics.gpus_per_month",
            "economics.self_hosted_per_month",
            "economics.self_hosted_over_gpus",
            "economics.hybrid_per_month",
            "economics.cheapest_per_request",
            "economics.break_even_tokens_per_day",
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
    write_fleet(&mut text, plan);
    write_money(&mut text, plan);
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

fn write_fleet(text: &mut String, plan: &Plan) {
    for sentence in fleet(plan) {
        let _ = write!(text, "\n{sentence}\n");
    }
    if let Some(scaling) = plan.fleet.as_ref().and_then(|fleet| fleet.scaling.as_ref()) {
        let _ = write!(text, "\n{}\n", table(&scaling.outcomes, scaling.chosen));
    }
}

/// Which fleet was chosen, and what callers would see of it at the peak.
pub(super) fn fleet(plan: &Plan) -> Vec<String> {
    let Some(fleet) = &plan.fleet else { return Vec::new() };
    let named = if fleet.named { "" } else { " (planning.self_hosted_model names another)" };
    let Some(option) = &fleet.cheapest else {
        return vec![format!("{}{named}: no GPU that can be had meets the targets", fleet.model)];
    };
    let chosen = format!(
        "{}{named}: {} on {}× {} with {}, {} others are as good in some way",
        fleet.model,
        option.precision.name(),
        option.gpus_per_replica,
        option.gpu,
        option.engine.name(),
        fleet.frontier.len().saturating_sub(1)
    );
    let seen = fleet.at_peak.map(|seen| {
        format!(
            "Simulated at the peak: the first token after {:.2} s (p50), {:.2} s (p95), {:.2} s (p99), a whole answer within \
             {:.1} s (p95); {:.0} answers under way on a replica.",
            seen.first_token_p50, seen.first_token_p95, seen.first_token_p99, seen.answer_p95, seen.running
        )
    });
    std::iter::once(chosen).chain(seen).collect()
}

/// Whether providers, own GPUs or both are the cheapest, how sure that is, and what lies ahead.
fn write_money(text: &mut String, plan: &Plan) {
    let ways = [
        ("providers", "economics.api_is_cheapest"),
        ("own GPUs", "economics.self_hosting_is_cheapest"),
        ("both together", "economics.hybrid_is_cheapest"),
    ];
    let shares: Vec<String> = ways
        .iter()
        .filter_map(|(way, row)| {
            let no = plan.sheet.share_at_most(&plan.simulation, row, 0.5)?;
            Some(format!("{way} in {:.0} of 100 draws", (1.0 - no) * 100.0))
        })
        .collect();
    if !shares.is_empty() {
        let _ = write!(text, "\nThe cheapest: {}\n", shares.join(", "));
    }
    for forecast in &plan.money.forecasts {
        let (Some(first), Some(last)) = (forecast.months.first(), forecast.months.last()) else { continue };
        let over =
            forecast.over_budget.map_or(String::new(), |month| format!(", over the budget in month {month}"));
        let paid = forecast
            .paid_back
            .map_or(String::new(), |month| format!(", own GPUs have paid back in month {month}"));
        let _ = writeln!(
            text,
            "{}: providers {} now, {} in month {} with everything done that makes it cheaper{over}{paid}",
            forecast.scenario.as_str(),
            Unit::DollarsPerMonth.show(first.api_with_steps),
            Unit::DollarsPerMonth.show(last.api_with_steps),
            last.month
        );
    }
}

/// A contradiction in two lines.
pub(in crate::verbs) fn contradiction(found: &Contradiction) -> String {
    let kind = match found.kind {
        Kind::Impossible => "CONTRADICTION",
        Kind::Doubtful => "DOUBTFUL",
    };
    format!("{kind} {}: {}\n  {}", found.keys.join(", "), found.message, found.hint)
}
