use std::time::Duration;

use mainstay_domain::NanoUsd;
use mainstay_domain::config::{KeyPath, Position, read};
use schemars::JsonSchema;
use serde::Deserialize;

use super::*;

#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
struct RawRequirements {
    product: RawProduct,
    slo: RawSlo,
    traffic: RawTraffic,
    constraints: RawConstraints,
}

struct Requirements {
    product: Product,
    slo: Slo,
    traffic: Traffic,
    constraints: Constraints,
}

/// The checked sections and a line per problem.
fn check(source: &str) -> (Requirements, Vec<String>) {
    let mut reading = read::<RawRequirements>(source);
    let raw = reading.value.expect("TOML");
    let findings = &mut reading.findings;
    let root = KeyPath::root();
    let slo = raw.slo.check(&root.key("slo"), findings);
    let requirements = Requirements {
        product: raw.product.check(&root.key("product"), findings),
        traffic: raw.traffic.check(&root.key("traffic"), findings),
        constraints: raw.constraints.check(&root.key("constraints"), slo.cost.per_request, findings),
        slo,
    };
    let problems = reading.findings.into_problems();
    assert!(problems.iter().all(|problem| !problem.hint.is_empty()), "{problems:?}");
    let line = |p: mainstay_domain::config::Problem| {
        let line = Position::of(source, p.span.start).line;
        format!("{line} {}: {}", p.path, p.message)
    };
    (requirements, problems.into_iter().map(line).collect())
}

#[test]
fn the_example_of_the_seed_is_understood() {
    let (requirements, problems) = check(
        r#"
        [product]
        name = "Acme support"
        audience = "enterprise"
        [slo]
        ttft.p95 = "500ms"
        errors.rate = "0.1%"
        availability.monthly = "99.9%"
        cost.per_request = "$0.005"
        quality.faithfulness = 0.85
        [slo.tiers.free]
        ttft.p90 = "2s"
        errors.rate = "1%"
        [traffic]
        monthly_active_users = 1_000_000
        requests_per_second = 100
        burst_requests_per_second = 300
        [constraints]
        residency = ["eu-west-1"]
        monthly_budget = "$50000"
        "#,
    );
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(requirements.product.audience, Audience::Enterprise);
    assert_eq!(requirements.slo.ttft.at(Percentile::P95), Some(Duration::from_millis(500)));
    assert_eq!(requirements.slo.cost.per_request, Some(NanoUsd::new(5_000_000)));
    assert_eq!(requirements.traffic.burst_requests_per_second, Some(300.0));
    assert_eq!(requirements.constraints.monthly_budget, Some(NanoUsd::new(50_000_000_000_000)));
    let free = requirements.slo.of_tier("free");
    assert_eq!(free.ttft.iter().collect::<Vec<_>>(), [(Percentile::P90, Duration::from_secs(2))]);
    assert_eq!(free.availability.monthly, requirements.slo.availability.monthly);
}

#[test]
fn percentiles_out_of_order_contradict_each_other() {
    let (_, problems) = check("[slo.ttft]\np50 = \"2s\"\np95 = \"1s\"\np99 = \"500ms\"\n");
    assert_eq!(
        problems,
        [
            "3 slo.ttft.p95: p95 (1s) is shorter than p50 (2s)",
            "4 slo.ttft.p99: p99 (500ms) is shorter than p95 (1s)"
        ]
    );
}

#[test]
fn the_first_token_cannot_take_longer_than_the_whole_request_in_any_tier() {
    let (_, problems) = check(
        "[slo]\nttft.p95 = \"3s\"\nlatency.p95 = \"2s\"\n\
         [slo.tiers.pro]\nttft.p50 = \"2s\"\nlatency.p50 = \"1s\"\n",
    );
    assert_eq!(
        problems,
        [
            "3 slo.latency.p95: the whole request (2s) is shorter than its first token (3s)",
            "6 slo.tiers.pro.latency.p50: the whole request (1s) is shorter than its first token (2s)",
        ]
    );
}

#[test]
fn impossible_targets_are_refused() {
    let (_, problems) = check(
        r#"
[slo]
latency.p50 = "0s"
errors.rate = "0%"
availability.monthly = "100%"
cost.per_request = "$0"
quality.faithfulness = 0
[traffic]
monthly_active_users = 0
requests_per_second = 100
burst_requests_per_second = 50
[constraints]
residency = ["eu-west-1", "Europe!"]
monthly_budget = "$0"
"#,
    );
    assert_eq!(
        problems,
        [
            "3 slo.latency.p50: nothing takes no time at all",
            "4 slo.errors.rate: no product fails never",
            "5 slo.availability.monthly: 100% leaves no error budget, so every failure breaks it",
            "6 slo.cost.per_request: a request never costs nothing",
            "7 slo.quality.faithfulness: a score of 0 promises nothing",
            "9 traffic.monthly_active_users: 0 is less than 1",
            "11 traffic.burst_requests_per_second: the burst (50/s) is less than the sustained rate (100/s)",
            "13 constraints.residency[1]: \"Europe!\" is no cloud region",
            "14 constraints.monthly_budget: nothing runs on no money",
        ]
    );
}

#[test]
fn a_month_cannot_cost_less_than_a_request() {
    let (_, problems) = check("slo.cost.per_request = \"$5\"\nconstraints.monthly_budget = \"$2\"");
    assert_eq!(
        problems,
        [
            "2 constraints.monthly_budget: the budget of a month ($2) is less than the price of one request ($5)"
        ]
    );
}
