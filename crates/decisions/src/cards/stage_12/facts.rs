//! Facts that the cards of stage 12 alone ask about.

use crate::fact::Source::{Plan, Spec, Told};
use crate::fact::facts;

facts! {
    pub(super),
    SCRAPED = "metrics_scraped", YesNo, "metrics are collected and alerts wake somebody", [Told("true or false")];
    GOLDEN_DAILY = "quality_checks_per_day", Count, "runs of the golden set in a day", [Told("how many")];
    BUSINESS = "product_measured", YesNo, "what people do with answers is measured", [Told("true or false")];
    REGENERATION = "regenerated_share", Share, "answers that people ask for again", [Told("from the product")];
    INCIDENTS = "incidents_per_month", Count, "incidents in a month", [Told("how many")];
    RUNBOOKS = "runbooks", Count, "runbooks that somebody has tried", [Told("how many")];
    KNOWN_MODES = "repeated_incidents", Count, "incidents of a kind that was understood before", [Told("in a quarter")];
    DETECT_HOURS = "hours_to_detect_quality", Count, "hours until worse answers are noticed", [Told("of the last one")];
    TAGGED = "attributed_share", Share, "requests that say their team and feature", [Told("mainstay budget list"), Spec("attribution.require")];
    MONTHS_OF_DATA = "months_of_cost", Count, "months of costs in the ledger", [Told("how many")];
    MONTHLY_GROWTH = "growth_per_month", Share, "growth from month to month", [Plan("traffic.growth_per_month")];
    FORECAST_MISS = "forecast_error", Share, "how far the last forecast was off", [Told("of the last month")];
    CONTEXT_SHARE = "context_share", Share, "the share of a prompt that is retrieved text", [Told("of the median request")];
    WAITS_NOT = "nobody_waits_share", Share, "requests that nobody waits for", [Told("batches and reports")];
    QUALITY_LOSS = "quality_loss", Score, "how much quality the last saving cost", [Told("on the golden set")];
}
