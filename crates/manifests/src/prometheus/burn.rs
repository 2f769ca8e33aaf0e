//! Alerts on how fast an error budget burns, over two windows each (Site Reliability Workbook, chapter 5).
//!
//! The long window says that enough of the budget is gone, the short one that it still burns. A row that needs more than all
//! events to be bad could never fire and is left out.

use super::alert::{Alert, Runbook, Severity, plain};
use super::number;
use super::record::selector;
use super::sli::{self, Indicator, Sli};
use crate::blueprint::{Blueprint, Measure, Objective};
use crate::names::{self, Names};
use crate::naming::dns_label;

/// A row of the table: spending `share` of the budget of 30 days within the long window is a burn rate of `burn`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct BurnRow {
    pub(crate) severity: Severity,
    /// How many times as fast as allowed: share · 30 d / long.
    pub(crate) burn: f64,
    pub(crate) long: &'static str,
    /// A twelfth of the long window.
    pub(crate) short: &'static str,
    /// The share of the budget that is spent when it fires, in percent.
    pub(crate) percent: u32,
}

/// The four rows.
pub(crate) const ROWS: [BurnRow; 4] = [
    BurnRow { severity: Severity::Page, burn: 14.4, long: "1h", short: "5m", percent: 2 },
    BurnRow { severity: Severity::Page, burn: 6.0, long: "6h", short: "30m", percent: 5 },
    BurnRow { severity: Severity::Ticket, burn: 3.0, long: "1d", short: "2h", percent: 10 },
    BurnRow { severity: Severity::Ticket, burn: 1.0, long: "3d", short: "6h", percent: 10 },
];

/// Fewer bad minutes in the long window are a blink.
const LEAST_BAD_MINUTES: u32 = 3;

impl BurnRow {
    /// Whether it can fire at all: no more than all events are bad.
    pub(crate) fn is_reachable(self, target: f64) -> bool {
        self.burn * (1.0 - target) < 1.0
    }

    /// The long window in hours.
    fn hours(self) -> f64 {
        let count: f64 = self.long[..self.long.len() - 1].parse().unwrap_or(1.0);
        if self.long.ends_with('d') { count * 24.0 } else { count }
    }
}

/// The alerts of a promise, and in words which rows were left out and why.
pub(super) fn alerts(
    blueprint: &Blueprint,
    names: &Names,
    objective: &Objective,
) -> (Vec<Alert>, Vec<String>) {
    let indicator = sli::indicator(&names.product, objective.measure, blueprint.alerting);
    let Some(target) = indicator.target else {
        return (average_alert(blueprint, names, objective, &indicator).into_iter().collect(), Vec::new());
    };
    let mut alerts = Vec::new();
    let mut left_out = Vec::new();
    for row in ROWS {
        let burn = number(row.burn);
        if !row.is_reachable(target) {
            left_out.push(format!(
                "Left out: a burn rate of {burn} over {} would need {} % of events to be bad, so it could never fire.",
                row.long,
                number(row.burn * (1.0 - target) * 100.0),
            ));
        } else if row.severity == Severity::Page && !indicator.wakes {
            left_out.push(format!(
                "Left out: a burn rate of {burn} over {} would page, and nobody is woken for this.",
                row.long
            ));
        } else {
            alerts.push(burn_alert(blueprint, names, objective, &indicator, row, target));
        }
    }
    (alerts, left_out)
}

fn burn_alert(
    blueprint: &Blueprint,
    names: &Names,
    objective: &Objective,
    indicator: &Indicator,
    row: BurnRow,
    target: f64,
) -> Alert {
    let slo = names::slo(&objective.name);
    let of = selector(names, &slo);
    let BurnRow { long, short, percent, .. } = row;
    let (burn, budget) = (number(row.burn), number(1.0 - target));
    let ratio = |window: &str| format!("mainstay:slo_error:ratio_rate{window}{of} > {burn} * {budget}");
    let events = |kind: &str| format!("sum_over_time(mainstay:slo_{kind}:rate5m{of}[{long}])");
    // A record stands for a minute: 60 s of a rate in a second, or one minute.
    let floor = match indicator.sli {
        Sli::Minutes { .. } => format!("{} >= {LEAST_BAD_MINUTES}", events("bad")),
        _ => format!(
            "{} * 60 >= {}\nand\n{} * 60 >= {}",
            events("bad"),
            blueprint.alerting.least_bad,
            events("total"),
            number(blueprint.alerting.least_requests_per_hour * row.hours()),
        ),
    };
    Alert {
        name: names::alert(&objective.name),
        severity: row.severity,
        slo: Some(slo.clone()),
        tier: objective.tier.as_ref().map(|tier| dns_label(tier, 63)),
        window: Some(long),
        expression: format!("{}\nand\n{}\nand\n{floor}", ratio(long), ratio(short)),
        hold: "",
        summary: format!(
            "{}: {percent} % of the error budget of 30 days is gone within {long}, {burn} times as fast as allowed",
            plain(&objective.name)
        ),
        comment: format!(
            "{percent} % of the budget within {long}, and still burning. A few events at night are no share of anything."
        ),
        runbook: runbook(objective, indicator, &of, target),
    }
}

/// An average that is too high over an hour and over six: enough of it to be no single answer.
fn average_alert(
    blueprint: &Blueprint,
    names: &Names,
    objective: &Objective,
    indicator: &Indicator,
) -> Option<Alert> {
    let (Measure::CostPerRequest { most_usd }, Sli::Average { total, .. }) =
        (objective.measure, &indicator.sli)
    else {
        return None;
    };
    let slo = names::slo(&objective.name);
    let of = selector(names, &slo);
    let above =
        |window: &str| format!("mainstay:cost_per_request_usd:rate{window}{of} > {}", number(most_usd));
    let enough = format!(
        "on() {} * 3600 >= {}",
        total.replace("$window", "1h"),
        number(blueprint.alerting.least_requests_per_hour),
    );
    Some(Alert {
        name: names::alert(&objective.name),
        severity: Severity::Ticket,
        slo: Some(slo.clone()),
        tier: objective.tier.as_ref().map(|tier| dns_label(tier, 63)),
        window: None,
        expression: format!("{}\nand\n{}\nand {enough}", above("1h"), above("6h")),
        hold: "15m",
        summary: format!("{}: a turn costs ${{{{ $value }}}} on the average of an hour, more than ${}", plain(&objective.name), number(most_usd)),
        comment: "Both an hour and six are too dear: neither one long answer nor yesterday's.".to_owned(),
        runbook: Runbook {
            meaning: format!("Promised: {}. The average of the last hour and of the last six hours is above.", indicator.words),
            queries: vec![
                format!("mainstay:cost_per_request_usd:rate1h{of}"),
                format!("sum by (model) (rate(mainstay_cost_nano_dollars_total{{job=\"{}\"}}[1h])) / 1e9 * 3600", names.product),
                format!("sum by (model, kind) (rate(mainstay_tokens_total{{job=\"{}\"}}[1h]))", names.product),
                format!("mainstay_cascade_escalated_ratio{{job=\"{}\"}}", names.product),
            ],
            commands: vec!["mainstay budget list".to_owned()],
            steps: vec![
                "See which model the money goes to, and whether its tokens per turn grew: longer prompts, more sources, longer answers.".to_owned(),
                "If a cascade asks the stronger model more often than before, look at why the first one is not accepted (`mainstay_cascade_answers_total` by `result`).".to_owned(),
                "If the cache answers less than before, see whether its documents or its settings changed.".to_owned(),
                "Set a budget with `at_limit = \"degrade\"` if the money must not be spent while you look.".to_owned(),
            ],
            page: objective.runbook.clone(),
        },
    })
}

fn runbook(objective: &Objective, indicator: &Indicator, of: &str, target: f64) -> Runbook {
    let mut meaning = format!(
        "Promised over 30 days: {} % of {}. The budget for the rest burns faster than it lasts.",
        number(target * 100.0),
        indicator.words
    );
    if let Some(caveat) = &indicator.caveat {
        meaning += &format!(" Note: {caveat}.");
    }
    let mut queries = vec![
        format!("mainstay:slo_error:ratio_rate1h{of}"),
        format!("mainstay:slo_budget_remaining:ratio{of}"),
    ];
    let (more, commands, steps) = advice(objective.measure);
    queries.extend(more.iter().map(|query| (*query).to_owned()));
    Runbook {
        meaning,
        queries,
        commands: commands.iter().map(|command| (*command).to_owned()).collect(),
        steps: steps.iter().map(|step| (*step).to_owned()).collect(),
        page: objective.runbook.clone(),
    }
}

type Advice = (&'static [&'static str], &'static [&'static str], &'static [&'static str]);

fn advice(measure: Measure) -> Advice {
    match measure {
        Measure::Latency { .. } => (
            &[
                "histogram_quantile(0.95, sum by (le, model) (rate(mainstay_time_to_first_token_seconds_bucket[5m])))",
                "histogram_quantile(0.95, sum by (le, corpus) (rate(mainstay_retrieval_duration_seconds_bucket[5m])))",
                "mainstay_backpressure_level",
                "sum by (tier) (mainstay_waiting_requests)",
            ],
            &["mainstay search \"a question that callers ask\"", "mainstay index status"],
            &[
                "One model alone is slow: its provider is. See its failed attempts, and put another model first until it is well.",
                "All models are slow: if requests wait, add places or replicas; if none wait, look at the retrieval and at the CPU of the pods.",
                "Retrieval alone is slow: an index is being rebuilt, or a reranker is. `rerank_timeout` holds the reranker to a limit.",
                "Models on GPUs of your own: see `vllm:num_requests_waiting` and `vllm:kv_cache_usage_perc`; more replicas, or shorter prompts.",
                "Stop deploys that are not about this while the budget is used up.",
            ],
        ),
        Measure::ErrorRate { .. } => (
            &[
                "sum by (model, code) (rate(mainstay_turns_total{outcome=\"failed\"}[5m]))",
                "sum by (model, code) (rate(mainstay_failed_attempts_total[5m]))",
                "max by (upstream) (mainstay_breaker_state)",
            ],
            &["mainstay ask \"A question that callers ask\""],
            &[
                "The codes say whose fault it is: `provider_…` is the provider's, `storage_failed` and `retrieval_failed` are ours.",
                "One model fails: give the assistant a `fallback`, or put another model first. A provider's key or credit may have run out (`provider_authentication_failed`, `provider_quota_exhausted`).",
                "It began with a deploy: roll back. `kubectl rollout undo` takes the workload back, an older mainstay.toml the configuration.",
                "Storage fails: see whether the volume is full, and the log of the pod.",
                "Stop deploys that are not about this while the budget is used up.",
            ],
        ),
        Measure::Availability { .. } => (
            &[
                "up",
                "sum by (route, status) (rate(mainstay_http_requests_total{status=~\"5..\"}[5m]))",
                "max by (tier) (mainstay_service_level)",
            ],
            &["mainstay ask \"A question that callers ask\""],
            &[
                "No replica is up: `kubectl describe pod` says why. A configuration that is refused is in the log, with its line.",
                "Replicas are up and answer with 503: no provider answers, or they are shutting down. `mainstay_service_level` 2 is an emergency, and breakers say which providers.",
                "Replicas restart: see their memory against the limit.",
                "It began with a deploy: roll back.",
            ],
        ),
        Measure::Quality { .. } => (
            &[
                "sum by (model, result) (rate(mainstay_citations_total[1h]))",
                "sum by (model, result) (rate(mainstay_citations_judged_total[1h]))",
                "sum by (model) (rate(mainstay_not_in_documents_total[1h]))",
                "sum by (corpus, reason) (mainstay_quarantined_chunks)",
            ],
            &["mainstay corpus report", "mainstay eval retrieval ./golden"],
            &[
                "Find what changed: the prompt, the model (also at the provider, under the same name), the documents, the index.",
                "The golden set got worse too: it is the retrieval or the model. If it did not, callers ask something new: add their questions to it.",
                "Documents changed: see the report of the corpus for what is quarantined and what is new.",
                "Undo that one change, or route to the model from before, and compare on the golden set.",
            ],
        ),
        Measure::Freshness { .. } => (
            &[
                "mainstay_index_lag_seconds",
                "mainstay_documents_waiting",
                "max by (upstream) (mainstay_breaker_state)",
            ],
            &["mainstay index status"],
            &[
                "An embedder at a provider is down: its breaker is open, and documents wait for it. They are finished by themselves.",
                "Many documents came at once: the lag falls as they are worked off. See whether it does.",
                "Neither: the log names what fails. An index that is damaged is built anew by `mainstay index rebuild`.",
            ],
        ),
        // An average has its own runbook.
        Measure::CostPerRequest { .. } => (&[], &[], &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_agree_with_the_share_of_the_budget_that_they_name() {
        for row in ROWS {
            let spent = row.burn * row.hours() / (30.0 * 24.0);
            assert!((spent - f64::from(row.percent) / 100.0).abs() < 1e-12, "{row:?} spends {spent}");
        }
    }

    #[test]
    fn the_fastest_row_is_out_of_reach_below_93_percent() {
        assert!(ROWS[0].is_reachable(0.9306));
        assert!(!ROWS[0].is_reachable(0.9305));
        assert!(ROWS[3].is_reachable(0.01));
    }
}
