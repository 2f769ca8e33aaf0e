//! What is recorded about each promise: bad and all events, the share of bad ones over each window, and what is left of the
//! budget.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::burn::{self, ROWS};
use super::sli::{self, Indicator, Sli};
use super::{number, rendered};
use crate::blueprint::{Blueprint, Objective};
use crate::names::{self, Names};
use crate::naming::dns_label;

/// The head of the file.
pub(super) const COMMENT: &str = "Promises: what is recorded about them, and alerts on how fast their error budgets burn.
Each has bad and all events over five minutes, recorded once a minute; longer windows are sums of these records, so that a
month is as cheap as an hour and busy minutes weigh more than quiet ones. Prometheus must keep 30 days for the budgets.
Without events there is no share, so nothing is NaN; a budget without events is whole, which is 1.
A counter begins with its first event: the first failure of a kind after a start is not counted, the second is.";

/// How long a budget lasts.
pub(crate) const PERIOD: &str = "30d";

/// Rules of a promise: one group that is evaluated every minute, and one for what takes the whole period.
pub(super) fn groups(blueprint: &Blueprint, names: &Names, objective: &Objective) -> Vec<Value> {
    let indicator = sli::indicator(&names.product, objective.measure, blueprint.alerting);
    let labels = labels(names, objective);
    let slo = names::slo(&objective.name);
    let mut rules = base(&indicator, &labels, names, &slo);
    let (alerts, left_out) = burn::alerts(blueprint, names, objective);
    rules.extend(rendered(&alerts, blueprint, names));
    let mut comment = format!("{}: {}.", objective.name, indicator.words);
    if let Some(caveat) = &indicator.caveat {
        comment += &format!("\n{}{}.", caveat[..1].to_uppercase(), &caveat[1..]);
    }
    if let Some(tier) = &objective.tier {
        comment += &format!(
            "\nPromised to the tier {tier:?}; the metrics do not tell tiers apart, so all requests are measured."
        );
    }
    for line in left_out {
        comment += &format!("\n{line}");
    }
    let mut groups = vec![json!({
        crate::yaml::COMMENT: comment,
        "name": format!("{}-slo-{slo}", names.product),
        "interval": "1m",
        "rules": rules,
    })];
    if let Some(target) = indicator.target {
        groups.push(json!({
            "name": format!("{}-slo-{slo}-budget", names.product),
            "interval": "5m",
            "rules": [budget(&labels, names, &slo, target)],
        }));
    }
    groups
}

/// The labels of what is recorded.
fn labels(names: &Names, objective: &Objective) -> Value {
    let mut labels = json!({ "product": names.product, "slo": names::slo(&objective.name) });
    if let Some(tier) = &objective.tier {
        labels["tier"] = dns_label(tier, 63).into();
    }
    labels
}

/// The selector of recorded series of a promise.
pub(crate) fn selector(names: &Names, slo: &str) -> String {
    format!("{{product=\"{}\",slo=\"{slo}\"}}", names.product)
}

fn base(indicator: &Indicator, labels: &Value, names: &Names, slo: &str) -> Vec<Value> {
    let of = selector(names, slo);
    let record =
        |name: &str, expression: String| json!({ "record": name, "expr": expression, "labels": labels });
    let mut rules = Vec::new();
    match &indicator.sli {
        Sli::Events { bad, total } => {
            rules.push(record("mainstay:slo_bad:rate5m", format!("{bad} or vector(0)")));
            rules.push(record("mainstay:slo_total:rate5m", format!("{total} or vector(0)")));
        }
        Sli::Minutes { good } => {
            rules.push(record("mainstay:slo_good_minute", good.clone()));
            let bad = format!("1 - avg_over_time(mainstay:slo_good_minute{of}[5m])");
            rules.push(record("mainstay:slo_bad:rate5m", bad));
            let total = format!("clamp_max(count_over_time(mainstay:slo_good_minute{of}[5m]), 1)");
            rules.push(record("mainstay:slo_total:rate5m", total));
        }
        Sli::Average { value, .. } => {
            for window in ["1h", "6h"] {
                let name = format!("mainstay:cost_per_request_usd:rate{window}");
                rules.push(record(&name, value.replace("$window", window)));
            }
            return rules;
        }
    }
    if let Some(target) = indicator.target {
        rules.push(record("mainstay:slo_target:ratio", format!("vector({})", number(target))));
    }
    for window in windows() {
        rules.push(record(&format!("mainstay:slo_error:ratio_rate{window}"), ratio(&of, window)));
    }
    rules
}

/// The windows of all rows, once each.
fn windows() -> BTreeSet<&'static str> {
    ROWS.iter().flat_map(|row| [row.long, row.short]).collect()
}

/// The share of bad events; nothing without events.
fn ratio(of: &str, window: &str) -> String {
    if window == "5m" {
        return format!("mainstay:slo_bad:rate5m{of} / (mainstay:slo_total:rate5m{of} > 0)");
    }
    format!(
        "sum_over_time(mainstay:slo_bad:rate5m{of}[{window}]) / (sum_over_time(mainstay:slo_total:rate5m{of}[{window}]) > 0)"
    )
}

/// What is left of the budget: 1 at first and without events, 0 when it is used up, below 0 when the promise is broken.
fn budget(labels: &Value, names: &Names, slo: &str, target: f64) -> Value {
    let of = selector(names, slo);
    let share = format!(
        "sum_over_time(mainstay:slo_bad:rate5m{of}[{PERIOD}]) / clamp_min(sum_over_time(mainstay:slo_total:rate5m{of}[{PERIOD}]), 1e-9)"
    );
    json!({
        "record": "mainstay:slo_budget_remaining:ratio",
        "expr": format!("1 - (\n  {share}\n) / {}", number(1.0 - target)),
        "labels": labels,
    })
}
