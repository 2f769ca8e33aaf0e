//! Tests of the rules about promises, for `promtool test rules`: traffic on both sides of the slowest burn that is a ticket, and of the
//! slowest that is a page.

use serde_json::{Value, json};

use super::alert::Severity;
use super::burn::ROWS;
use super::sli::{self, Indicator};
use super::{buckets, number, rounded};
use crate::blueprint::{Blueprint, Measure, Objective, QualityOf};
use crate::names::{self, Names};
use crate::{GeneratedFile, yaml};

/// Events of every kind in a minute: far above what alerts ask for at least.
const EVENTS: f64 = 60_000.0;

/// How long the made-up traffic goes on: windows that are longer have this much to look at, and longer tests take their time. The
/// longest hold of an alert about a promise is 15 minutes.
const MINUTES: u32 = 24;

/// On either side of a limit.
const SIDES: [f64; 2] = [0.9, 1.1];

/// The tests of the rules in `rules/{rules}.yaml`, which are about one promise.
pub(super) fn file(
    blueprint: &Blueprint,
    names: &Names,
    objective: &Objective,
    rules: &str,
) -> GeneratedFile {
    GeneratedFile {
        path: format!("prometheus/tests/{rules}.yaml"),
        text: yaml::documents(
            &format!(
                "Traffic on both sides of every limit of rules/{rules}.yaml: promtool test rules tests/{rules}.yaml"
            ),
            &[json!({
                "rule_files": [format!("../rules/{rules}.yaml")],
                "evaluation_interval": "1m",
                "tests": tests(blueprint, names, objective),
            })],
        ),
    }
}

fn tests(blueprint: &Blueprint, names: &Names, objective: &Objective) -> Vec<Value> {
    let indicator = sli::indicator(&names.product, objective.measure, blueprint.alerting);
    let test = |share: f64, fires: &[Severity]| {
        let of = format!("product=\"{}\",slo=\"{}\"", names.product, names::slo(&objective.name));
        let samples: Vec<_> = fires
            .iter()
            .map(
                |severity| json!({ "labels": format!("{{severity=\"{}\"}}", severity.as_str()), "value": 1 }),
            )
            .collect();
        json!({
            "name": format!("{}: {} % of what it counts is bad", objective.name, number(share * 100.0)),
            "interval": "1m",
            "input_series": series(&names.product, objective.measure, share),
            "promql_expr_test": [{
                "expr": format!("group by (severity) (ALERTS{{alertstate=\"firing\",{of}}})"),
                "eval_time": format!("{}m", MINUTES - 2),
                "exp_samples": samples,
            }],
        })
    };
    match indicator.target {
        // A share of a price: 0.9 of what a turn may cost, and 1.1 times as much.
        None => vec![test(SIDES[0], &[]), test(SIDES[1], &[Severity::Ticket])],
        Some(_) if counts_minutes(objective.measure) => {
            vec![test(0.0, &[]), test(1.0, &firing(&indicator, 1.0))]
        }
        Some(target) => [Severity::Ticket, Severity::Page]
            .into_iter()
            .filter_map(|severity| slowest(severity, target))
            .flat_map(|burn| SIDES.map(|side| burn * (1.0 - target) * side))
            .filter(|share| *share <= 1.0)
            .map(|share| test(rounded(share), &firing(&indicator, share)))
            .collect(),
    }
}

/// The slowest burn that somebody is told by: what changes on the two sides of it.
fn slowest(severity: Severity, target: f64) -> Option<f64> {
    let rows = ROWS.into_iter().filter(|row| row.severity == severity && row.is_reachable(target));
    rows.map(|row| row.burn).reduce(f64::min)
}

/// Which severities such a share of bad events is told by, the mildest last.
fn firing(indicator: &Indicator, share: f64) -> Vec<Severity> {
    let burns = |severity: Severity| {
        ROWS.into_iter().any(|row| {
            indicator.target.is_some_and(|target| {
                row.severity == severity && row.is_reachable(target) && share > row.burn * (1.0 - target)
            })
        })
    };
    let all = [Severity::Page, Severity::Ticket].into_iter();
    all.filter(|severity| burns(*severity) && (indicator.wakes || *severity == Severity::Ticket)).collect()
}

/// Whether bad minutes are counted, and not events.
fn counts_minutes(measure: Measure) -> bool {
    matches!(measure, Measure::Availability { .. } | Measure::Freshness { .. })
}

/// What Mainstay would export if this share of what is measured were bad; of an average: if it were this share of its limit.
fn series(job: &str, measure: Measure, share: f64) -> Vec<Value> {
    let counter = |series: String, each_minute: f64| json!({ "series": series, "values": format!("0+{}x{MINUTES}", number(each_minute)) });
    let gauge = |series: String, value: f64| json!({ "series": series, "values": format!("{}x{MINUTES}", number(value)) });
    let (bad, good) = (EVENTS * share, EVENTS * (1.0 - share));
    match measure {
        Measure::Latency { of, seconds, .. } => {
            let (metric, labels) = sli::histogram(of);
            let boundary = buckets::label(buckets::at_most(seconds).unwrap_or_default());
            vec![
                counter(format!("{metric}_count{{job=\"{job}\"{labels}}}"), EVENTS),
                counter(format!("{metric}_bucket{{job=\"{job}\"{labels},le=\"{boundary}\"}}"), good),
            ]
        }
        Measure::ErrorRate { .. } => {
            let turns = |outcome: &str, code: &str| {
                format!(
                    "mainstay_turns_total{{job=\"{job}\",operation=\"chat\",outcome=\"{outcome}\",code=\"{code}\"}}"
                )
            };
            vec![
                counter(turns("failed", "provider_unavailable"), bad),
                counter(turns("completed", ""), good),
                // Neither what callers gave up nor what they asked wrongly counts.
                counter(turns("cancelled", ""), EVENTS),
                counter(turns("failed", "invalid_request"), EVENTS),
            ]
        }
        Measure::Availability { .. } => {
            let requests = |status: &str| {
                format!(
                    "mainstay_http_requests_total{{job=\"{job}\",route=\"/v1/chat/completions\",status=\"{status}\"}}"
                )
            };
            vec![
                gauge(format!("up{{job=\"{job}\"}}"), 1.0),
                counter(requests("503"), bad),
                counter(requests("200"), good),
            ]
        }
        Measure::CostPerRequest { most_usd } => vec![
            counter(
                format!("mainstay_cost_nano_dollars_total{{job=\"{job}\"}}"),
                EVENTS * share * most_usd * 1e9,
            ),
            counter(
                format!("mainstay_turns_total{{job=\"{job}\",operation=\"chat\",outcome=\"completed\"}}"),
                EVENTS,
            ),
        ],
        Measure::Quality { of, .. } => {
            let (metric, wrong, right) = match of {
                QualityOf::CitationsVerified => ("mainstay_citations_total", "removed", "verified"),
                QualityOf::CitationsSupported => {
                    ("mainstay_citations_judged_total", "unsupported", "supported")
                }
            };
            let citations = |result: &str| format!("{metric}{{job=\"{job}\",result=\"{result}\"}}");
            vec![counter(citations(wrong), bad), counter(citations(right), good)]
        }
        Measure::Freshness { seconds, .. } => {
            vec![gauge(format!("mainstay_index_lag_seconds{{job=\"{job}\"}}"), seconds + share)]
        }
    }
}
