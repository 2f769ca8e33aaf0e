//! What is measured for a promise: bad and all events, as queries over what Mainstay exports.

use super::{buckets, number};
use crate::blueprint::{Alerting, LatencyOf, Measure, QualityOf};

/// Codes of turns that failed because of what the caller asked for: they break no promise.
const FAULTS_OF_CALLERS: &[&str] = &[
    "access_revoked",
    "budget_exceeded",
    "content_filter",
    "context_length_exceeded",
    "corpus_not_found",
    "invalid_filter",
    "invalid_request",
    "model_not_allowed",
    "model_not_found",
    "model_out_of_region",
    "unpriced_model",
    "unsupported_by_provider",
];

/// What callers ask for: not the calls of judges, nor health checks.
const CALLERS_OPERATIONS: &str = r#"operation=~"chat|embeddings""#;

/// Routes of the API.
const API_ROUTES: &str = r#"route=~"/v1/.*""#;

/// How a promise is measured.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Sli {
    /// By events: queries of bad and of all events in a second over five minutes.
    Events {
        /// Bad events.
        bad: String,
        /// All events.
        total: String,
    },
    /// By minutes: a query that is 1 in a good minute, 0 in a bad one, and nothing where nothing is known.
    Minutes {
        /// The query.
        good: String,
    },
    /// By an average over a window, which has no budget: a query with `$window` for the window.
    Average {
        /// The query.
        value: String,
        /// How many events it is over, in a second.
        total: String,
    },
}

/// A measure, and what a reader has to know about it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Indicator {
    pub(crate) sli: Sli,
    /// The share of events or minutes that should be good; `None` for an average.
    pub(crate) target: Option<f64>,
    /// Whether somebody is woken for it. Quality, cost and freshness wait for the morning: they are mended at a desk.
    pub(crate) wakes: bool,
    /// What is measured, in words.
    pub(crate) words: String,
    /// Where the measure is not quite the promise.
    pub(crate) caveat: Option<String>,
}

/// The measure of a promise about the targets of `job`.
pub(crate) fn indicator(job: &str, measure: Measure, alerting: Alerting) -> Indicator {
    match measure {
        Measure::Latency { of, seconds, share } => latency(job, of, seconds, share),
        Measure::ErrorRate { most } => errors(job, most),
        Measure::Availability { least } => availability(job, least, alerting),
        Measure::CostPerRequest { most_usd } => cost(job, most_usd),
        Measure::Quality { of, least } => quality(job, of, least),
        Measure::Freshness { seconds, least } => Indicator {
            sli: Sli::Minutes {
                good: format!("max(mainstay_index_lag_seconds{{job=\"{job}\"}}) <= bool {}", number(seconds)),
            },
            target: Some(least),
            wakes: false,
            words: format!("minutes in which the index is at most {} s behind", number(seconds)),
            caveat: None,
        },
    }
}

/// The metric of a time, without `_bucket` and `_count`, and its further labels.
pub(crate) fn histogram(of: LatencyOf) -> (&'static str, &'static str) {
    match of {
        LatencyOf::FirstToken => ("mainstay_time_to_first_token_seconds", ""),
        LatencyOf::Turn => ("mainstay_turn_duration_seconds", r#",operation="chat""#),
        LatencyOf::ChunkGap => ("mainstay_chunk_gap_seconds", ""),
        LatencyOf::Retrieval => ("mainstay_retrieval_duration_seconds", ""),
    }
}

fn latency(job: &str, of: LatencyOf, seconds: f64, share: f64) -> Indicator {
    let (metric, labels) = histogram(of);
    // Blueprints with a lower limit were refused.
    let boundary = buckets::at_most(seconds).unwrap_or(0.0001);
    let le = buckets::label(boundary);
    let total = format!("sum(rate({metric}_count{{job=\"{job}\"{labels}}}[5m]))");
    let caveat = (boundary < seconds).then(|| {
        let next = buckets::boundaries().find(|next| *next > seconds).map_or_else(
            || "there is no higher boundary".to_owned(),
            |next| format!("the next one is {} s", buckets::label(next)),
        );
        format!(
            "{} s is no boundary of the exported histogram ({next}): {le} s is measured, which is stricter than promised",
            number(seconds)
        )
    });
    let what = match of {
        LatencyOf::FirstToken => "streamed answers that begin",
        LatencyOf::Turn => "answers that are complete",
        LatencyOf::ChunkGap => "pieces of streams that follow the one before",
        LatencyOf::Retrieval => "searches that end",
    };
    Indicator {
        sli: Sli::Events {
            bad: format!(
                "clamp_min({total} - sum(rate({metric}_bucket{{job=\"{job}\"{labels},le=\"{le}\"}}[5m])), 0)"
            ),
            total,
        },
        target: Some(share),
        wakes: true,
        words: format!("{what} within {le} s"),
        caveat,
    }
}

fn errors(job: &str, most: f64) -> Indicator {
    let faults = FAULTS_OF_CALLERS.join("|");
    let ours = format!("job=\"{job}\",{CALLERS_OPERATIONS},code!~\"{faults}\"");
    Indicator {
        sli: Sli::Events {
            bad: format!("sum(rate(mainstay_turns_total{{{ours},outcome=\"failed\"}}[5m]))"),
            total: format!("sum(rate(mainstay_turns_total{{{ours},outcome!=\"cancelled\"}}[5m]))"),
        },
        target: Some(1.0 - most),
        wakes: true,
        words: "turns that did not fail by our fault".to_owned(),
        caveat: Some(
            "turns that callers gave up, and failures that are the caller's doing, are in neither number"
                .to_owned(),
        ),
    }
}

fn availability(job: &str, least: f64, alerting: Alerting) -> Indicator {
    let requests = format!("mainstay_http_requests_total{{job=\"{job}\",{API_ROUTES}");
    let failed = format!("(sum(rate({requests},status=~\"5..\"}}[5m])) or vector(0))");
    let all = format!("(sum(rate({requests}}}[5m])) or vector(0))");
    let good = format!(
        "(max(up{{job=\"{job}\"}}) == bool 1)\n* (1 -\n  ({failed} * 300 >= bool {})\n  * ({failed} >= bool {} * {all})\n)",
        alerting.least_bad.max(1),
        number(Measure::BAD_MINUTE),
    );
    Indicator {
        sli: Sli::Minutes { good },
        target: Some(least),
        wakes: true,
        words: format!(
            "minutes in which a replica is up and fewer than {} % of requests had a status of 500 or above",
            number(Measure::BAD_MINUTE * 100.0)
        ),
        caveat: Some(
            "what lies between a caller and Mainstay is not seen from here: a probe from outside sees that"
                .to_owned(),
        ),
    }
}

fn cost(job: &str, most_usd: f64) -> Indicator {
    let spent = |metric: &str| format!("(sum(rate({metric}{{job=\"{job}\"}}[$window])) or vector(0))");
    let total = format!(
        "sum(rate(mainstay_turns_total{{job=\"{job}\",{CALLERS_OPERATIONS},outcome=\"completed\"}}[$window]))"
    );
    let value = format!(
        "(\n  {}\n  + {}\n  + {}\n) / 1e9 / ({total} > 0)",
        spent("mainstay_cost_nano_dollars_total"),
        spent("mainstay_failed_attempts_cost_nano_dollars_total"),
        spent("mainstay_cascade_escalated_cost_nano_dollars_total"),
    );
    Indicator {
        sli: Sli::Average { value, total },
        target: None,
        wakes: false,
        words: format!("the average cost of a completed turn is at most ${}", number(most_usd)),
        caveat: Some("GPUs of one's own are not in it: Mainstay counts what providers charge".to_owned()),
    }
}

fn quality(job: &str, of: QualityOf, least: f64) -> Indicator {
    let (metric, bad, all, words) = match of {
        QualityOf::CitationsVerified => (
            "mainstay_citations_total",
            r#"result="removed""#,
            r#"result=~"verified|removed""#,
            "citations that their source supports, by Mainstay's check of words",
        ),
        QualityOf::CitationsSupported => (
            "mainstay_citations_judged_total",
            r#"result="unsupported""#,
            r#"result=~"supported|unsupported""#,
            "judged citations that their source supports",
        ),
    };
    Indicator {
        sli: Sli::Events {
            bad: format!("sum(rate({metric}{{job=\"{job}\",{bad}}}[5m]))"),
            total: format!("sum(rate({metric}{{job=\"{job}\",{all}}}[5m]))"),
        },
        target: Some(least),
        wakes: false,
        words: words.to_owned(),
        caveat: Some(
            "removed citations are those that no caller saw; scores of golden sets are no metric".to_owned(),
        )
        .filter(|_| of == QualityOf::CitationsVerified),
    }
}
