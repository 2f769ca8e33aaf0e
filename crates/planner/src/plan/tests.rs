use std::collections::BTreeMap;

use mainstay_domain::config::{FactValue, read};
use schemars::JsonSchema;
use serde::Deserialize;

use super::*;
use crate::requirements::{RawConstraints, RawPlanning, RawProduct, RawSlo, RawTraffic};

#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
struct RawSpec {
    product: RawProduct,
    slo: RawSlo,
    traffic: RawTraffic,
    constraints: RawConstraints,
    planning: RawPlanning,
    facts: BTreeMap<String, FactValue>,
}

/// The plan of a mainstay.toml whose assistants can be answered by so many providers.
fn planned(source: &str, providers: Option<u32>) -> Option<Plan> {
    let price = ApiPrice { model: "openai/gpt-4o".to_owned(), input: 2.5, cached_input: 1.25, output: 10.0 };
    let mut reading = read::<RawSpec>(source);
    let raw = reading.value.expect("TOML");
    let findings = &mut reading.findings;
    let root = mainstay_domain::config::KeyPath::root();
    let slo = raw.slo.check(&root.key("slo"), findings);
    let product = raw.product.check(&root.key("product"), findings);
    let traffic = raw.traffic.check(&root.key("traffic"), findings);
    let constraints = raw.constraints.check(&root.key("constraints"), slo.cost.per_request, findings);
    let planning = raw.planning.check(&root.key("planning"), findings);
    assert!(reading.findings.is_empty(), "{:?}", reading.findings.into_problems());
    plan(&Spec {
        audience: product.audience,
        slo: &slo,
        traffic: &traffic,
        constraints: &constraints,
        planning: &planning,
        with_passages: true,
        dimensions: 384,
        independent_providers: providers,
        price: Some(&price),
    })
}

fn value(plan: &Plan, name: &str) -> f64 {
    plan.sheet.value(name).unwrap_or_else(|| panic!("the plan has no {name}"))
}

#[test]
fn without_a_word_on_traffic_there_is_nothing_to_plan() {
    assert!(planned("", None).is_none());
    assert!(planned("[traffic]\ninput_tokens = 500\n", None).is_none());
}

/// Card 2.1's function: 1 M monthly users of whom 15 % come on a day, three sessions of two requests. That is .9 M requests a day and
/// 10.4 a second; the card's own drawing has 6 M and 70, because it takes every monthly user for a daily one.
#[test]
fn a_million_monthly_users_are_not_a_million_daily_ones() {
    let spec = "[traffic]\nmonthly_active_users = 1_000_000\ndaily_active_share = \"15%\"\nsessions_per_day = 3.0\n\
                requests_per_session = 2.0\ninput_tokens = 500\noutput_tokens = 300\n";
    let plan = planned(spec, None).expect("there is traffic");
    assert_eq!(value(&plan, "capacity.daily_active_users"), 150_000.0);
    assert_eq!(value(&plan, "capacity.requests_per_day"), 900_000.0);
    assert!((value(&plan, "capacity.average_requests_per_second") - 10.42).abs() < 0.01);
    assert_eq!(value(&plan, "capacity.tokens_per_day"), 900_000.0 * 800.0);
}

/// Card 2.1 takes .5 s, the time to the first token, for how long a request is in flight. An answer of 300 tokens at 25 ms takes
/// 8 s: sixteen times as many are in flight.
#[test]
fn answers_in_flight_follow_from_how_long_they_take() {
    let spec = "[slo]\nttft.p95 = \"500ms\"\ntime_per_output_token.p95 = \"25ms\"\n[traffic]\n\
                requests_per_second = 35\nburst_requests_per_second = 70\noutput_tokens = 300\n";
    let plan = planned(spec, None).expect("there is traffic");
    assert!((value(&plan, "capacity.peak_requests_per_second") - 70.0).abs() < 1e-9);
    assert!((value(&plan, "streams.at_peak") - 70.0 * 8.0).abs() < 1e-6);
}

#[test]
fn every_formula_leads_down_to_inputs_with_a_source() {
    let spec = "[traffic]\nmonthly_active_users = 10_000\n[planning]\ndocuments = 1_000\n";
    let plan = planned(spec, None).expect("there is traffic");
    for row in plan.sheet.rows() {
        let explanation = plan.sheet.explain(&row.name).expect("it is a row");
        let mut open = vec![&explanation];
        while let Some(next) = open.pop() {
            assert!(
                next.source.as_ref().is_some_and(|source| !source.is_empty()) || !next.inputs.is_empty(),
                "{}: {} comes from nowhere",
                row.name,
                next.name
            );
            open.extend(&next.inputs);
        }
        assert!(!row.value.is_nan(), "{}", row.name);
    }
}

#[test]
fn the_same_spec_has_the_same_plan() {
    let spec = "[traffic]\nmonthly_active_users = 10_000\n";
    let [first, second] = [0, 1].map(|_| planned(spec, None).expect("there is traffic"));
    for row in first.sheet.rows() {
        let at = |plan: &Plan| plan.sheet.quantile(&plan.simulation, &row.name, 0.95);
        assert_eq!(at(&first), at(&second), "{}", row.name);
    }
}

fn contradictions(spec: &str, providers: Option<u32>) -> Vec<(Kind, String)> {
    let spec = format!("[traffic]\nmonthly_active_users = 1_000\noutput_tokens = 300\n{spec}");
    let plan = planned(&spec, providers).expect("there is traffic");
    plan.contradictions.into_iter().map(|found| (found.kind, found.keys[0].clone())).collect()
}

/// 14.4 times the budget is more than everything from 1 / 14.4 = 6.94 % on.
#[test]
fn an_alert_that_can_never_fire_is_found_on_this_side_of_its_threshold_alone() {
    assert_eq!(contradictions("[slo]\nerrors.rate = \"6.9%\"\n", None), []);
    let found = contradictions("[slo]\nerrors.rate = \"7%\"\navailability.monthly = \"93%\"\n", None);
    let expected = ["slo.errors.rate", "slo.availability.monthly"];
    assert_eq!(found, expected.map(|key| (Kind::Impossible, key.to_owned())));
}

#[test]
fn one_provider_cannot_be_more_available_than_it_is_and_two_can() {
    let spec = "[slo]\navailability.monthly = \"99.95%\"\n[planning]\nprovider_availability = \"99.9%\"\n";
    let expected = (Kind::Impossible, "slo.availability.monthly".to_owned());
    assert_eq!(contradictions(spec, Some(1)), [expected]);
    assert_eq!(contradictions(spec, Some(2)), [], "1 − .001² is 99.9999 %");
    assert_eq!(contradictions(spec, None), [], "nothing is said of a product that calls no provider");
}

#[test]
fn an_answer_cannot_be_faster_than_its_tokens() {
    let slow = "[slo]\nttft.p95 = \"500ms\"\ntime_per_output_token.p95 = \"50ms\"\nlatency.p95 = \"15s\"\n";
    assert_eq!(contradictions(slow, None), [(Kind::Doubtful, "slo.latency.p95".to_owned())]);
    assert_eq!(contradictions(&slow.replace("15s", "16s"), None), []);
}

#[test]
fn a_budget_below_the_cheapest_way_is_found_with_how_sure_that_is() {
    let spec = |budget: &str| {
        format!(
            "[traffic]\nrequests_per_second = 10\nburst_requests_per_second = 30\ninput_tokens = 1000\noutput_tokens = 300\ncached_input = \"0%\"\n[constraints]\nmonthly_budget = \"{budget}\"\n"
        )
    };
    let found = |budget: &str| planned(&spec(budget), None).expect("there is traffic").contradictions;
    let cost = value(&planned(&spec("$1000"), None).expect("traffic"), "economics.cheapest_per_month");
    assert_eq!(found(&format!("${:.0}", cost * 3.0)), []);
    let dear = found(&format!("${:.0}", cost / 10.0));
    assert_eq!((dear[0].kind, dear[0].keys[0].as_str()), (Kind::Impossible, "constraints.monthly_budget"));
    let close = found(&format!("${:.0}", cost));
    assert_eq!(close[0].kind, Kind::Doubtful);
}

#[test]
fn what_lies_ahead_begins_with_today_and_grows() {
    let spec = "[traffic]\nmonthly_active_users = 100_000\ngrowth_per_month = \"10%\"\n[planning]\nhorizon_months = 12\n";
    let plan = planned(spec, None).expect("there is traffic");
    let [bear, base, bull] = [0, 1, 2].map(|index| &plan.money.forecasts[index].months);
    assert_eq!(base.len(), 12);
    assert_eq!(base[0].api, value(&plan, "economics.api_per_month"));
    assert!(bear[11].api < base[11].api && base[11].api < bull[11].api);
}
