//! Facts that the cards of stage 9 alone ask about.

use crate::fact::Source::Told;
use crate::fact::facts;

facts! {
    pub(super),
    QUALITY_SCORE = "quality_score", Score, "the weekly score of a hundred answers", [Told("a judged sample, held against people")];
    QUALITY_TARGETED = "quality_is_promised", YesNo, "quality is promised to somebody", [Told("true or false")];
    JOURNEYS = "journeys_measured", YesNo, "it is measured whether people finish what they came for", [Told("true or false")];
    SAMPLED = "answers_judged_per_day", Count, "answers that are judged in a day", [Told("how many")];
    SAFETY = "safety_critical", YesNo, "a degraded answer harms somebody", [Told("true or false")];
    SLOW_RECOVERY = "slow_recovery", YesNo, "the provider takes minutes to come back", [Told("from its status page")];
    WORKLOADS = "workload_kinds", Count, "kinds of work on the same machines: chat, batch, training", [Told("how many")];
    SHED_TOP = "shed_of_the_first_tier", Share, "the share of the first tier's requests that were turned away", [Told("mainstay_shed_requests_total{tier=…} over its requests")];
    ABANDONED = "abandoned_after_shed", Share, "sessions that end after a request was turned away", [Told("from the product's analytics")];
    DAYS_SINCE_CHAOS = "days_since_chaos", Days, "since the last experiment with faults", [Told("days")];
    ON_KUBERNETES = "on_kubernetes", YesNo, "it runs on Kubernetes", [Told("true or false")];
    HAS_STAGING = "has_staging", YesNo, "there is a staging system like production", [Told("true or false")];
    DETECT_MINUTES = "minutes_to_detect", Count, "minutes until an outage is noticed", [Told("of the last experiment")];
    BUDGET_LEFT = "error_budget_left", Share, "what is left of the month's error budget", [Told("mainstay plan files writes the recording rule")];
}
