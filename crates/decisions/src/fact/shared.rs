//! Facts that cards of several stages ask about. A fact that one stage alone needs stands with its cards.

use super::Source::{Measured, Plan, Spec, SpecIs, Told};
use crate::measured::{Reading, Series};

/// Declares facts and lists them all, visible as its first word says.
macro_rules! facts {
    ($visible:vis, $($name:ident = $id:literal, $unit:ident, $what:literal, [$($from:expr),* $(,)?];)*) => {
        $(
            #[doc = $what]
            $visible const $name: &$crate::fact::Fact = &$crate::fact::Fact {
                id: $id,
                unit: $crate::fact::Unit::$unit,
                what: $what,
                from: &[$($from),*],
            };
        )*

        /// All of them, in the order in which they stand.
        $visible const ALL: &[&$crate::fact::Fact] = &[$($name),*];
    };
}

pub(crate) use facts;

const fn milliseconds(histogram: &'static str, q: f64) -> super::Source {
    Measured(Reading::Quantile { histogram, q, scale: 1000.0 })
}

const fn share(of: Series, among: Series) -> super::Source {
    Measured(Reading::Ratio { of, among, scale: 1.0 })
}

facts! {
    pub,
    AUDIENCE_CONSUMER = "audience_consumer", YesNo, "the public uses it", [SpecIs("product.audience", "consumer")];
    AUDIENCE_ENTERPRISE = "audience_enterprise", YesNo, "companies that must not see each other use it",
        [SpecIs("product.audience", "enterprise")];
    AUDIENCE_INTERNAL = "audience_internal", YesNo, "the own company uses it", [SpecIs("product.audience", "internal")];
    TTFT_P95_TARGET = "ttft_p95_target_ms", Milliseconds, "the target for the time to first token at p95",
        [Spec("slo.ttft.p95")];
    TTFT_P99_TARGET = "ttft_p99_target_ms", Milliseconds, "the target for the time to first token at p99",
        [Spec("slo.ttft.p99")];
    LATENCY_P95_TARGET = "latency_p95_target_ms", Milliseconds, "the target for the whole answer at p95",
        [Spec("slo.latency.p95")];
    ERROR_RATE_TARGET = "error_rate_target", Share, "the share of requests that may fail", [Spec("slo.errors.rate")];
    AVAILABILITY_TARGET = "availability_target", Share, "the promised availability", [Spec("slo.availability.monthly")];
    COST_PER_REQUEST_TARGET = "cost_per_request_target", Dollars, "the target for the cost of a request",
        [Spec("slo.cost.per_request")];
    FAITHFULNESS_TARGET = "faithfulness_target", Score, "the target for faithfulness", [Spec("slo.quality.faithfulness")];
    STALENESS_TARGET = "staleness_target_s", Seconds, "the time after which everybody must find a document",
        [Spec("slo.freshness.staleness")];
    MONTHLY_BUDGET = "monthly_budget", DollarsPerMonth, "the budget", [Spec("constraints.monthly_budget")];
    DATA_RESIDENCY = "data_residency", YesNo, "data must stay in named regions", [Spec("constraints.residency")];
    REGIONS = "regions", Count, "regions in which the product must be served",
        [Spec("constraints.residency"), Told("how many regions")];
    MONTHLY_ACTIVE_USERS = "monthly_active_users", Count, "people who use the product in a month",
        [Spec("traffic.monthly_active_users")];
    TENANTS = "tenants", Count, "tenants", [Told("customers with data of their own: mainstay tenants list")];

    REQUESTS_PER_SECOND = "requests_per_second", PerSecond, "requests on average",
        [Plan("capacity.average_requests_per_second")];
    PEAK_REQUESTS_PER_SECOND = "peak_requests_per_second", PerSecond, "requests at the peak",
        [Plan("capacity.peak_requests_per_second")];
    PEAK_FACTOR = "peak_factor", Times, "the peak over the average", [Plan("capacity.peak_factor")];
    TOKENS_PER_DAY = "tokens_per_day", TokensPerDay, "tokens of all requests", [Plan("capacity.tokens_per_day")];
    API_COST_PER_MONTH = "api_cost_per_month", DollarsPerMonth, "what providers would charge",
        [Plan("economics.api_per_month")];
    SELF_HOSTED_COST_PER_MONTH = "self_hosted_cost_per_month", DollarsPerMonth,
        "what self-hosting would cost, all in all", [Plan("economics.self_hosted_per_month")];
    BREAK_EVEN_TOKENS_PER_DAY = "break_even_tokens_per_day", TokensPerDay,
        "the traffic at which self-hosting costs what providers charge", [Plan("economics.break_even_tokens_per_day")];

    PROVIDERS = "providers", Count, "model providers that are configured", [Spec("providers")];
    CASCADE_MODELS = "cascade_models", Count, "models in the longest cascade", [Spec("assistants.*.cascade")];
    SEMANTIC_CACHE = "semantic_cache", YesNo, "like questions get the same answer from the cache", [SpecIs("assistants.*.cache.mode", "semantic")];
    AGENTS = "agents", YesNo, "the product acts through tools", [Told("true when answers call tools")];

    DOCUMENTS = "documents", Count, "documents in the largest corpus",
        [Measured(Reading::Largest(Series::all("mainstay_documents"))), Spec("planning.documents")];
    CHUNKS = "chunks", Count, "passages in the largest corpus", [Measured(Reading::Largest(Series::all("mainstay_chunks"))), Plan("index.passages")];
    TTFT_P95 = "ttft_p95_ms", Milliseconds, "the time to first token at p95",
        [milliseconds("mainstay_time_to_first_token_seconds", 0.95)];
    TTFT_P99 = "ttft_p99_ms", Milliseconds, "the time to first token at p99",
        [milliseconds("mainstay_time_to_first_token_seconds", 0.99)];
    TURN_P95 = "turn_p95_ms", Milliseconds, "the time of a whole answer at p95",
        [milliseconds("mainstay_turn_duration_seconds", 0.95)];
    RETRIEVAL_P99 = "retrieval_p99_ms", Milliseconds, "the time of a search at p99",
        [milliseconds("mainstay_retrieval_duration_seconds", 0.99)];
    RERANK_P95 = "rerank_p95_ms", Milliseconds, "the time of reranking at p95",
        [milliseconds("mainstay_rerank_duration_seconds", 0.95)];
    ERROR_RATE = "error_rate", Share, "the share of requests that failed",
        [share(Series::with("mainstay_turns_total", "outcome", "failed"), Series::all("mainstay_turns_total"))];
    COST_PER_REQUEST = "cost_per_request", Dollars, "the cost of a request", [Measured(Reading::Ratio {
        of: Series::all("mainstay_cost_nano_dollars_total"),
        among: Series::all("mainstay_turns_total"),
        scale: 1e-9,
    })];
    CACHE_HIT_RATE = "cache_hit_rate", Share, "the share of questions answered from the cache",
        [share(Series::all("mainstay_cache_hits_total"), Series::all("mainstay_cache_lookups_total"))];
    ESCALATED_SHARE = "escalated_share", Share, "the share of a cascade's answers that went on to a larger model",
        [Measured(Reading::Largest(Series::all("mainstay_cascade_escalated_ratio")))];
    INDEX_LAG = "index_lag_s", Seconds, "the age of the oldest document that is not yet searchable",
        [Measured(Reading::Largest(Series::all("mainstay_index_lag_seconds")))];
    BACKPRESSURE = "backpressure_level", Score, "the backpressure level (0 to 3)",
        [Measured(Reading::Largest(Series::all("mainstay_backpressure_level")))];
    BREAKER_OPENS = "breaker_opens", Count, "breakers that opened since the start",
        [Measured(Reading::Sum(Series::all("mainstay_breaker_opens_total")))];
    RECALL_AT_5 = "recall_at_5", Score, "recall@5 on the golden set",
        [Told("mainstay eval retrieval GOLDEN")];
    CONTEXT_PRECISION = "context_precision", Score, "the share of retrieved passages that help",
        [Told("mainstay eval retrieval GOLDEN: precision@5")];
    FAITHFULNESS = "faithfulness", Score, "faithfulness on the golden set", [Told("a judged evaluation run")];

    // Stages 1 and 2.
    DATA_STAYS_INSIDE = "data_stays_inside", YesNo, "data may not leave the own network", [Told("true where contracts or the law say so")];

    // Asked by several stages.
    SLA_TIERS = "contracts", Count, "tiers with a contract", [Spec("sla.tiers")];
    AUDIT_FAILURES = "audit_failures", Count, "audit records that could not be written", [Measured(Reading::Sum(Series::all("mainstay_audit_failures_total")))];
    ML_ENGINEERS = "ml_engineers", Count, "engineers who can run models", [Told("how many"), Spec("planning.engineers")];
    KV_CACHE_USAGE = "kv_cache_usage", Share, "the share of the memory for running answers that is used", [Measured(Reading::Largest(Series::all("vllm:kv_cache_usage_perc")))];
    SHED_SHARE = "shed_share", Share, "the share of requests that were turned away", [Measured(Reading::Ratio { of: Series::all("mainstay_shed_requests_total"), among: Series::all("mainstay_turns_total"), scale: 1.0 })];
    REQUESTS_WAITING = "requests_waiting", Count, "requests that wait", [Measured(Reading::Sum(Series::all("mainstay_waiting_requests")))];
    BREAKER_OSCILLATIONS = "breaker_oscillations", Count, "breakers that opened again soon after they had closed", [Measured(Reading::Sum(Series::all("mainstay_breaker_oscillations_total")))];
    TIERS = "tiers", Count, "tiers of callers", [Spec("limits.tiers")];
    HIGH_STAKES = "high_stakes", YesNo, "a wrong answer harms somebody", [Told("true for medicine, law, money")];
    JUDGE_AGREEMENT = "judge_agreement", Score, "how often the judge agrees with people", [Told("on a hundred labelled pairs")];
    LOAD_STEADY = "load_is_steady", YesNo, "the load hardly moves over the day", [Told("true where the peak is below twice the average")];
    REPEATED_QUESTIONS = "repeated_questions", Share, "the share of questions that mean the same as an earlier one", [Told("from a week of questions, by a person or a cluster analysis")];
    OWN_GPUS = "own_gpus", YesNo, "models run on GPUs of one's own", [Told("true or false")];
    AWAITED = "answers_awaited", YesNo, "somebody waits while an answer is made", [Told("false for reviews, reports and other work in the background")];
    STALE_READ_HURTS = "stale_read_hurts", YesNo, "a read that is a minute old would bill wrongly or let the wrong person in", [Told("true for bills, permissions, consent, experiment assignment")];
    TOOLS_WRITE = "tools_write", YesNo, "tools change something", [Told("true or false")];
    CITATIONS_REMOVED = "citations_removed", Share, "the share of citations that their source did not support", [Measured(Reading::Ratio { of: Series::with("mainstay_citations_total", "result", "removed"), among: Series::all("mainstay_citations_total"), scale: 1.0 })];
}
