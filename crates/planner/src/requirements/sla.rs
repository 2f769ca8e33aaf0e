//! `[sla]`: what contracts promise, in distinction to what is aimed at.
//!
//! An objective (`[slo]`) is stricter than its contract, so that there is a buffer in which a team can act before it pays
//! (card 1.1).

use std::collections::BTreeMap;

use mainstay_domain::config::{Findings, HumanDuration, KeyPath, Ratio};
use schemars::JsonSchema;
use serde::Deserialize;

use super::slo::{RawTierSlo, Slo, TierSlo};

/// What contracts promise. Every promise needs a stricter objective.
#[derive(Clone, Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub struct RawSla {
    /// What is promised to customers of a tier, by the tier's name.
    tiers: BTreeMap<String, RawTierSlo>,
}

/// What contracts promise, checked: by tier, each looser than the tier's objective.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Sla {
    /// By tier.
    pub tiers: BTreeMap<String, TierSlo>,
}

impl RawSla {
    /// The section, checked against the objectives.
    pub fn check(self, at: &KeyPath, slo: &Slo, findings: &mut Findings) -> Sla {
        let tiers = self.tiers.into_iter().map(|(name, raw)| {
            let at = at.key("tiers").key(&name);
            let promised = raw.check(&at, findings);
            check_buffer(&promised, &slo.of_tier(&name), &at, findings);
            (name, promised)
        });
        Sla { tiers: tiers.collect() }
    }
}

fn check_buffer(promised: &TierSlo, objective: &TierSlo, at: &KeyPath, findings: &mut Findings) {
    let latencies =
        [("ttft", &promised.ttft, &objective.ttft), ("latency", &promised.latency, &objective.latency)];
    for (name, promised, objective) in latencies {
        for (percentile, limit) in promised.iter() {
            let aim = objective.at(percentile).map(|aim| aim.as_secs_f64());
            let shown = HumanDuration(limit).to_string();
            let key = at.key(name).key(percentile.as_str());
            check_one(aim, limit.as_secs_f64(), &shown, &key, findings);
        }
    }
    let share = |ratio: Option<Ratio>| ratio.map(Ratio::as_f64);
    if let Some(rate) = promised.errors.rate {
        let key = at.key("errors").key("rate");
        check_one(share(objective.errors.rate), rate.as_f64(), &rate.to_string(), &key, findings);
    }
    if let Some(monthly) = promised.availability.monthly {
        // Unavailability, so that less is stricter here, too.
        let aim = share(objective.availability.monthly).map(|share| 1.0 - share);
        let key = at.key("availability").key("monthly");
        check_one(aim, 1.0 - monthly.as_f64(), &monthly.to_string(), &key, findings);
    }
}

/// `aim` and `limit` are such that less is stricter.
fn check_one(aim: Option<f64>, limit: f64, shown: &str, key: &KeyPath, findings: &mut Findings) {
    // What rounding makes of 1 − 99.9 % is no buffer.
    let has_buffer = |aim: f64| aim < limit * (1.0 - 1e-9);
    match aim {
        None => findings.report(
            key,
            format!(
                "{shown} is promised, but no objective is set for it: nothing would warn before it breaks"
            ),
            "set the same key under slo, stricter than the promise",
        ),
        Some(aim) if !has_buffer(aim) => findings.report(
            key,
            format!(
                "{shown} is promised, and the objective is not stricter: there is no buffer between them"
            ),
            "promise less than slo aims at. For example: slo 99.95%, sla 99.9%",
        ),
        Some(_) => {}
    }
}
