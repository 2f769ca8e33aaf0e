//! `[constraints]`: what no design may break.

use mainstay_domain::NanoUsd;
use mainstay_domain::config::{Dollars, Findings, KeyPath};
use schemars::JsonSchema;
use serde::Deserialize;

/// Limits from outside.
#[derive(Clone, Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub struct RawConstraints {
    /// The cloud regions that data must not leave.
    #[schemars(example = ["eu-west-1"], extend("uniqueItems" = true), length(min = 1))]
    residency: Option<Vec<String>>,
    /// The most that a month may cost, all in all.
    #[schemars(example = "$50000")]
    monthly_budget: Option<Dollars>,
}

/// Limits from outside, checked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Constraints {
    /// The cloud regions that data must not leave; empty when it may be anywhere.
    pub residency: Vec<String>,
    /// The most that a month may cost; above 0.
    pub monthly_budget: Option<NanoUsd>,
}

impl RawConstraints {
    /// The section, checked. `per_request` is the cost target: one request must not cost more than a month.
    pub fn check(self, at: &KeyPath, per_request: Option<NanoUsd>, findings: &mut Findings) -> Constraints {
        let residency = self.residency.unwrap_or_default();
        for (index, region) in residency.iter().enumerate().filter(|(_, region)| !is_region(region)) {
            findings.report(
                &at.key("residency").item(index),
                format!("{region:?} is no cloud region"),
                "write regions as the cloud does, in small letters. For example: residency = [\"eu-west-1\"]",
            );
        }
        let monthly_budget = self.monthly_budget.map(|Dollars(amount)| amount);
        check_budget(monthly_budget, per_request, at, findings);
        Constraints { residency, monthly_budget }
    }
}

fn check_budget(
    budget: Option<NanoUsd>,
    per_request: Option<NanoUsd>,
    at: &KeyPath,
    findings: &mut Findings,
) {
    let key = at.key("monthly_budget");
    if budget == Some(NanoUsd::ZERO) {
        let hint = "leave the key out if there is no ceiling. For example: monthly_budget = \"$50000\"";
        findings.report(&key, "nothing runs on no money", hint);
    } else if let (Some(budget), Some(per_request)) = (budget, per_request)
        && budget < per_request
    {
        findings.contradiction(
            &key,
            &KeyPath::root().key("slo").key("cost").key("per_request"),
            format!("the budget of a month ({budget}) is less than the price of one request ({per_request})"),
            "raise the budget, or lower slo.cost.per_request",
        );
    }
}

/// Whether it looks as regions do: `eu-west-1`, `europe-west4`, `westeurope`, `eu`.
pub fn is_region(text: &str) -> bool {
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.len() <= 40 && text.split('-').all(is_part)
}
