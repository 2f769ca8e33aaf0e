use std::time::Duration;

use mainstay_domain::NanoUsd;
use mainstay_domain::config::{KeyPath, Position, read};
use schemars::JsonSchema;
use serde::Deserialize;

use std::collections::BTreeMap;

use mainstay_domain::config::FactValue;

use super::*;

#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
struct RawRequirements {
    product: RawProduct,
    slo: RawSlo,
    sla: RawSla,
    traffic: RawTraffic,
    constraints: RawConstraints,
    consistency: BTreeMap<String, RawConsistency>,
    planning: RawPlanning,
    facts: BTreeMap<String, FactValue>,
    decisions: BTreeMap<String, RawPin>,
}

struct Requirements {
    product: Product,
    slo: Slo,
    traffic: Traffic,
    constraints: Constraints,
    sla: Sla,
    facts: Facts,
    pins: Vec<Option<Pin>>,
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
        sla: raw.sla.check(&root.key("sla"), &slo, findings),
        facts: check_facts(raw.facts, &root.key("facts"), findings),
        pins: raw
            .decisions
            .into_iter()
            .map(|(id, pin)| pin.check(&root.key("decisions").key(&id), findings))
            .collect(),
        slo,
    };
    for (name, raw) in raw.consistency {
        raw.check(&root.key("consistency").key(&name), findings);
    }
    raw.planning.check(&root.key("planning"), findings);
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

#[test]
fn a_contract_as_strict_as_its_objective_is_refused() {
    let objective = "[slo]\navailability.monthly = \"99.9%\"\nttft.p95 = \"500ms\"\nerrors.rate = \"0.1%\"\n";
    let sla = |promise: &str| check(&format!("{objective}[sla.tiers.pro]\n{promise}\n")).1;
    for promise in ["availability.monthly = \"99.9%\"", "ttft.p95 = \"400ms\"", "errors.rate = \"0.1%\""] {
        let problems = sla(promise);
        assert_eq!(problems.len(), 1, "{promise}");
        assert!(problems[0].contains("there is no buffer"), "{problems:?}");
    }
    let good = "availability.monthly = \"99.5%\"\nttft.p95 = \"800ms\"\nerrors.rate = \"0.5%\"";
    assert_eq!(sla(good), Vec::<String>::new());
    let (requirements, _) = check(&format!("{objective}[sla.tiers.pro]\n{good}\n"));
    assert_eq!(requirements.sla.tiers["pro"].ttft.at(Percentile::P95), Some(Duration::from_millis(800)));
}

#[test]
fn a_promise_without_an_objective_is_refused() {
    let (_, problems) = check("[sla.tiers.pro]\nlatency.p99 = \"10s\"\n");
    assert_eq!(
        problems,
        [
            "2 sla.tiers.pro.latency.p99: 10s is promised, but no objective is set for it: nothing would warn before it breaks"
        ]
    );
}

#[test]
fn the_objective_of_a_tier_is_what_its_contract_is_held_against() {
    let text =
        "[slo]\nttft.p95 = \"500ms\"\ntiers.free.ttft.p95 = \"2s\"\n[sla.tiers.free]\nttft.p95 = \"1s\"\n";
    assert!(check(text).1[0].contains("no buffer"));
}

#[test]
fn kinds_of_data_say_how_stale_they_may_be_and_why() {
    let entry = |lines: &str| check(&format!("[consistency.prices]\n{lines}\n")).1;
    let because = "because = \"a bill would be wrong\"";
    assert_eq!(entry(&format!("class = \"strong\"\n{because}")), Vec::<String>::new());
    for (lines, wanted) in [
        (because.to_owned(), "class is missing"),
        ("class = \"strong\"".to_owned(), "reason is missing"),
        (format!("class = \"eventual\"\n{because}"), "nothing can be measured"),
        (format!("class = \"strong\"\nstaleness = \"5s\"\n{because}"), "never stale"),
        (format!("class = \"eventual\"\nstaleness = \"0s\"\n{because}"), "that fresh"),
    ] {
        let problems = entry(&lines);
        assert!(problems.len() == 1 && problems[0].contains(wanted), "{lines}: {problems:?}");
    }
}

#[test]
fn facts_are_those_that_decisions_ask_about() {
    let (requirements, problems) = check("[facts]\ndocuments = 250_000\nhas_postgres = true\n");
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(requirements.facts.get("has_postgres"), Some(&1.0));
    for (fact, wanted) in [
        ("document = 1", "no decision asks"),
        ("documents = true", "is a number"),
        ("has_postgres = 1", "is a yes or no"),
        ("error_rate = 1.5", "from 0 to 1"),
        ("documents = -1", "at least 0"),
    ] {
        let (_, problems) = check(&format!("[facts]\n{fact}\n"));
        assert!(problems.len() == 1 && problems[0].contains(wanted), "{fact}: {problems:?}");
    }
}

#[test]
fn a_pinned_decision_names_an_option_and_its_reason() {
    let (requirements, problems) =
        check("[decisions.\"4.2\"]\nchoose = \"qdrant\"\nbecause = \"we run one\"\n");
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(requirements.pins, [Some(Pin { choose: "qdrant", because: "we run one".to_owned() })]);
    for (pin, wanted) in [
        ("[decisions.\"99.1\"]\nchoose = \"x\"", "no such card"),
        ("[decisions.\"04.2\"]\nchoose = \"oracle\"\nbecause = \"why not\"", "no option of card 04.2"),
        ("[decisions.\"04.2\"]\nbecause = \"why not\"", "what was chosen is missing"),
        ("[decisions.\"04.2\"]\nchoose = \"qdrant\"", "the reason is missing"),
    ] {
        let (_, problems) = check(&format!("{pin}\n"));
        assert!(problems.len() == 1 && problems[0].contains(wanted), "{pin}: {problems:?}");
    }
}

#[test]
fn models_and_gpus_are_those_of_the_catalogue_and_near_names_are_offered() {
    let planning = |lines: &str| check(&format!("[planning]\n{lines}\n")).1;
    assert_eq!(
        planning("self_hosted_model = \"llama-3.1-70b\"\ngpus = [\"h100_sxm\"]"),
        Vec::<String>::new()
    );
    let problems =
        planning("self_hosted_model = \"lama-3.1-70b\"\ngpus = [\"h100_smx\"]\ngpu_prices.b20 = \"$3\"");
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems[0].contains("Llama-3.1-70B"), "{problems:?}");
    assert!(problems[1].contains("H100"), "{problems:?}");
}
