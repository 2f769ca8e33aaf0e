//! Rules about promises.

use proptest::prelude::*;
use serde_json::Value;

use super::{files_of, rules};
use crate::*;

fn alerts_of(blueprint: &Blueprint, name: &str) -> Vec<Value> {
    rules(blueprint).into_iter().filter(|rule| rule["alert"] == name).collect()
}

/// The rules about all promises.
fn promises(blueprint: &Blueprint) -> String {
    let files = files_of(blueprint);
    files
        .iter()
        .filter(|(path, _)| path.starts_with("prometheus/rules/slo-"))
        .map(|(_, text)| text.as_str())
        .collect()
}

fn promising(measure: Measure) -> Blueprint {
    let objective = Objective { name: "x".to_owned(), tier: None, measure, runbook: None };
    Blueprint { objectives: vec![objective], ..examples::small() }
}

#[test]
fn a_promise_of_three_nines_has_two_pages_and_two_tickets() {
    let alerts = alerts_of(&examples::small(), "SloErrors");
    let severities: Vec<_> =
        alerts.iter().map(|alert| alert["labels"]["severity"].as_str().unwrap()).collect();
    assert_eq!(severities, ["page", "page", "ticket", "ticket"]);
    let first = alerts[0]["expr"].as_str().unwrap();
    for part in ["ratio_rate1h", "ratio_rate5m", "> 14.4 * 0.001", "[1h]) * 60 >= 5"] {
        assert!(first.contains(part), "{part}: {first}");
    }
}

#[test]
fn a_rate_that_can_never_burn_is_left_out_and_said_so() {
    let blueprint = promising(Measure::ErrorRate { most: 0.1 });
    let alerts = alerts_of(&blueprint, "SloX");
    assert_eq!(alerts.len(), 3);
    assert!(!alerts.iter().any(|alert| alert["expr"].as_str().unwrap().contains("14.4")));
    let text = &promises(&blueprint);
    assert!(
        text.contains("# Left out: a burn rate of 14.4 over 1h would need 144 % of events to be bad"),
        "{text}"
    );
}

#[test]
fn a_limit_between_two_boundaries_is_measured_at_the_lower_one_and_said_so() {
    let text = &promises(&examples::small());
    assert!(text.contains("le=\"0.4096\""));
    assert!(!text.contains("le=\"0.8192\""));
    assert!(text.contains(
        "0.5 s is no boundary of the exported histogram (the next one is 0.8192 s): 0.4096 s is measured"
    ));
    let exact = promising(Measure::Latency { of: LatencyOf::FirstToken, seconds: 0.4096, share: 0.95 });
    assert!(!promises(&exact).contains("no boundary"));
}

#[test]
fn nobody_is_woken_for_quality_cost_or_freshness() {
    let blueprint = examples::small();
    for name in ["SloFaithfulness", "SloCost", "SloFreshness"] {
        let alerts = alerts_of(&blueprint, name);
        assert!(!alerts.is_empty(), "{name}");
        assert!(alerts.iter().all(|alert| alert["labels"]["severity"] == "ticket"), "{name}");
    }
}

#[test]
fn a_tier_decides_who_is_told_and_the_rule_admits_that_it_is_not_measured() {
    let blueprint = examples::fleet();
    let alerts = alerts_of(&blueprint, "SloErrorsEnterprise");
    assert!(!alerts.is_empty() && alerts.iter().all(|alert| alert["labels"]["tier"] == "enterprise"));
    let text = &promises(&blueprint);
    assert!(text.contains("Promised to the tier \"enterprise\"; the metrics do not tell tiers apart"));
}

#[test]
fn failures_that_callers_cause_are_named_by_codes_that_exist() {
    let domain = include_str!("../../../domain/src/error.rs");
    let gateway = include_str!("../../../gateway/src/error.rs");
    let text = &promises(&examples::small());
    let codes = text.split("code!~\"").nth(1).and_then(|rest| rest.split_once('"')).unwrap().0;
    for code in codes.split('|') {
        let quoted = format!("\"{code}\"");
        assert!(domain.contains(&quoted) || gateway.contains(&quoted), "{code} is no code");
    }
}

#[test]
fn templates_in_names_stay_texts() {
    let text = &promises(&examples::awkward());
    assert!(text.contains("速さ {{ \"{{\" }} p95 }}"), "{text}");
}

proptest! {
    #[test]
    fn every_alert_that_is_written_can_fire(least in 0.01f64..0.9999) {
        let blueprint = promising(Measure::Availability { least });
        let alerts = alerts_of(&blueprint, "SloX");
        // A burn rate of 1 is always in reach.
        prop_assert!(!alerts.is_empty());
        for alert in alerts {
            let expression = alert["expr"].as_str().unwrap();
            let (_, rest) = expression.split_once("> ").unwrap();
            let threshold: f64 = rest.lines().next().unwrap().split(" * ").map(|part| part.parse::<f64>().unwrap()).product();
            prop_assert!(threshold < 1.0, "{}", expression);
        }
    }
}
