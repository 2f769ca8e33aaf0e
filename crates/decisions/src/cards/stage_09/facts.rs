//! Facts that the cards of stage 9 alone ask about.

use crate::fact::Source::{Measured, Spec, Told};
use crate::fact::facts;
use crate::measured::{Reading, Series};

facts! {
    pub(super),
    QUALITY_SCORE = "quality_score", Score, "the weekly score of a hundred answers", [Told("a judged sample, held against people")];
    QUALITY_TARGETED = "quality_is_promised", YesNo, "quality is promised to somebody", [Told("true or false")];
    JOURNEYS = "journeys_measured", YesNo, "it is measured whether people finish what they came for", [Told("true or false")];
    SAMPLED = "answers_judged_per_day", Count, "answers that are judged in a day", [Told("how many")];
    SAFETY = "safety_critical", YesNo, "a degraded answer harms somebody", [Told("true or false")];
    SLOW_RECOVERY = "slow_recovery", YesNo, "the provider takes minutes to come back", [Told("from its status page")];
    FALSE_OPENS = "breaker_oscillations_week", Count, "breakers that opened again soon after they had closed", [Measured(Reading::Sum(Series::all("mainstay_breaker_oscillations_total")))];
    TIERS = "tiers", Count, "tiers of callers", [Spec("limits.tiers")];
    OWN_GPUS = "own_gpus", YesNo, "models run on GPUs of one's own", [Told("true or false")];
    WORKLOADS = "workload_kinds", Count, "kinds of work on the same machines: chat, batch, training", [Told("how many")];
    SHED_TOP = "shed_of_the_first_tier", Share, "the share of the first tier's requests that were turned away", [Told("mainstay_shed_requests_total{tier=…} over its requests")];
    SHED_ALL = "shed_share_all", Share, "the share of requests that were turned away", [Measured(Reading::Ratio { of: Series::all("mainstay_shed_requests_total"), among: Series::all("mainstay_turns_total"), scale: 1.0 })];
    ABANDONED = "abandoned_after_shed", Share, "sessions that end after a request was turned away", [Told("from the product's analytics")];
    DAYS_SINCE_CHAOS = "days_since_chaos", Days, "since the last experiment with faults", [Told("days")];
    ON_KUBERNETES = "on_kubernetes", YesNo, "it runs on Kubernetes", [Told("true or false")];
    HAS_STAGING = "has_staging", YesNo, "there is a staging system like production", [Told("true or false")];
    DETECT_MINUTES = "minutes_to_detect", Count, "minutes until an outage is noticed", [Told("of the last experiment")];
    BUDGET_LEFT = "error_budget_left", Share, "what is left of the month's error budget", [Told("mainstay plan files writes the recording rule")];
}
