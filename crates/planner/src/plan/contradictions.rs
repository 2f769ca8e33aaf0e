//! Requirements that cannot hold together, found by arithmetic (stage 1).
//!
//! What contradicts itself inside one section is refused when the file is read. Here are those that need the plan's numbers.

use mainstay_domain::config::HumanDuration;
use mainstay_formula::{Sheet, Simulation, Unit};
use serde::Serialize;

use super::{FleetPlan, Spec};
use crate::requirements::Percentile;

/// Requirements that do not fit together.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Contradiction {
    /// The keys that are at odds, the one to change first.
    pub keys: Vec<String>,
    /// How sure it is.
    pub kind: Kind,
    /// What is wrong, with the numbers.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// How sure a contradiction is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It cannot hold.
    Impossible,
    /// It holds only if assumptions turn out well.
    Doubtful,
}

/// The fastest burn rate that pages: it spends 2 % of a 30-day budget in an hour.
pub const FASTEST_BURN: f64 = 14.4;

/// All that are found. `sheet` holds the plan's numbers; rows that are not there are not judged.
pub(crate) fn find(
    spec: &Spec<'_>,
    sheet: &Sheet,
    simulation: &Simulation,
    fleet: Option<&FleetPlan>,
) -> Vec<Contradiction> {
    let mut found = Vec::new();
    find_silent_alerts(spec, &mut found);
    find_unavailable_providers(spec, &mut found);
    find_slow_answers(spec, sheet, &mut found);
    find_impossible_fleet(fleet, &mut found);
    find_missing_money(spec, sheet, simulation, &mut found);
    found
}

/// A burn rate of 14.4 means failing at 14.4 times the budgeted rate; more than everything cannot fail.
fn find_silent_alerts(spec: &Spec<'_>, found: &mut Vec<Contradiction>) {
    let budgets = [
        ("slo.errors.rate", spec.slo.errors.rate.map(|rate| rate.as_f64())),
        ("slo.availability.monthly", spec.slo.availability.monthly.map(|share| 1.0 - share.as_f64())),
    ];
    for (key, budget) in budgets {
        let Some(budget) = budget.filter(|budget| budget * FASTEST_BURN > 1.0) else { continue };
        found.push(Contradiction {
            keys: vec![key.to_owned()],
            kind: Kind::Impossible,
            message: format!(
                "the alert that pages first can never fire: {FASTEST_BURN} times a budget of {} is more than everything",
                Unit::Share.show(budget)
            ),
            hint: format!(
                "allow at most {} to fail, or live with the slower alerts alone",
                Unit::Share.show(1.0 / FASTEST_BURN)
            ),
        });
    }
}

/// Requests are answered while at least one of the providers answers, if they fail independently.
fn find_unavailable_providers(spec: &Spec<'_>, found: &mut Vec<Contradiction>) {
    let Some(target) = spec.slo.availability.monthly else { return };
    let Some(providers) = spec.independent_providers.filter(|providers| *providers > 0) else { return };
    let each = spec.planning.provider_availability.map_or(0.999, |share| share.as_f64());
    let together = 1.0 - (1.0 - each).powi(i32::try_from(providers).unwrap_or(i32::MAX));
    if together >= target.as_f64() {
        return;
    }
    let needed = ((1.0 - target.as_f64()).ln() / (1.0 - each).ln()).ceil();
    found.push(Contradiction {
        keys: vec!["slo.availability.monthly".to_owned(), "assistants.*.fallback".to_owned()],
        kind: Kind::Impossible,
        message: format!(
            "{} are aimed at, and {providers} provider{} with {} each can give {} at most",
            Unit::Share.show(target.as_f64()),
            if providers == 1 { "" } else { "s" },
            Unit::Share.show(each),
            Unit::Share.show(together)
        ),
        hint: format!(
            "let assistants fall back to other providers: {needed} that fail independently are needed"
        ),
    });
}

/// An answer takes its first token and then each of the others.
fn find_slow_answers(spec: &Spec<'_>, sheet: &Sheet, found: &mut Vec<Contradiction>) {
    let Some(tokens) = sheet.value("traffic.output_tokens") else { return };
    for percentile in Percentile::ALL {
        let (Some(whole), Some(each)) =
            (spec.slo.latency.at(percentile), spec.slo.time_per_output_token.at(percentile))
        else {
            continue;
        };
        let first = spec.slo.ttft.at(percentile).unwrap_or_default();
        let needed = first.as_secs_f64() + each.as_secs_f64() * (tokens - 1.0).max(0.0);
        if needed <= whole.as_secs_f64() {
            continue;
        }
        let name = percentile.as_str();
        found.push(Contradiction {
            keys: vec![format!("slo.latency.{name}"), format!("slo.time_per_output_token.{name}")],
            kind: Kind::Doubtful,
            message: format!(
                "an answer of {} with {} for each takes {}, and the whole may take {}",
                Unit::Tokens.show(tokens),
                HumanDuration(each),
                Unit::Seconds.show(needed),
                HumanDuration(whole)
            ),
            hint: format!(
                "allow the whole more, or aim at {} a token",
                Unit::Milliseconds.show((whole.as_secs_f64() - first.as_secs_f64()) / tokens * 1000.0)
            ),
        });
    }
}

/// The model that is to be self-hosted must be fast enough on some GPU.
fn find_impossible_fleet(fleet: Option<&FleetPlan>, found: &mut Vec<Contradiction>) {
    let Some(fleet) = fleet.filter(|fleet| fleet.named && fleet.cheapest.is_none()) else { return };
    let reasons: Vec<String> =
        fleet.rejected.iter().map(|(gpu, reason)| format!("{gpu}: {reason}")).collect();
    found.push(Contradiction {
        keys: vec!["slo.ttft".to_owned(), "planning.self_hosted_model".to_owned()],
        kind: Kind::Impossible,
        message: format!("no GPU that can be had serves {} within the targets", fleet.model),
        hint: reasons.join("; "),
    });
}

/// The cheapest way must fit into the budget, and a request into its price.
fn find_missing_money(
    spec: &Spec<'_>,
    sheet: &Sheet,
    simulation: &Simulation,
    found: &mut Vec<Contradiction>,
) {
    let limits = [
        (
            "constraints.monthly_budget",
            "economics.cheapest_per_month",
            Unit::DollarsPerMonth,
            spec.constraints.monthly_budget,
        ),
        ("slo.cost.per_request", "economics.cheapest_per_request", Unit::Dollars, spec.slo.cost.per_request),
    ];
    for (key, row, unit, limit) in limits {
        let Some(limit) = limit.map(|limit| limit.as_dollars_lossy()) else { continue };
        let (Some(expected), Some(floor), Some(within)) = (
            sheet.value(row),
            sheet.quantile(simulation, row, 0.05),
            sheet.share_at_most(simulation, row, limit),
        ) else {
            continue;
        };
        if expected <= limit && within >= 0.8 {
            continue;
        }
        let kind = if floor > limit { Kind::Impossible } else { Kind::Doubtful };
        found.push(Contradiction {
            keys: vec![key.to_owned(), "traffic".to_owned()],
            kind,
            message: format!(
                "{} are allowed, and the cheapest way costs {} (hardly less than {}); {} of the draws stay within",
                unit.show(limit),
                unit.show(expected),
                unit.show(floor),
                Unit::Share.show((within * 100.0).round() / 100.0)
            ),
            hint: format!("`mainstay plan --explain {row}` shows what it is made of and what moves it most"),
        });
    }
}
