//! What is on each dashboard.

use super::panel::Panel;
use crate::blueprint::{Blueprint, LatencyOf, Measure, Objective};
use crate::names::{self, Names};
use crate::prometheus::record::{PERIOD, selector};
use crate::prometheus::{rounded, sli};

/// Is it up, fast, and with room? For whoever is on call.
pub(super) fn operations(blueprint: &Blueprint, names: &Names) -> Vec<Panel> {
    let job = format!("{{job=\"{}\"}}", names.product);
    let mut panels: Vec<_> =
        blueprint.objectives.iter().filter_map(|objective| budget(blueprint, names, objective)).collect();
    panels.extend(latencies(blueprint, names));
    panels.extend([
        Panel::series("Turns by how they end", "reqps")
            .query(format!("sum by (outcome) (rate(mainstay_turns_total{job}[5m]))"), "{{outcome}}"),
        errors(blueprint, names),
        Panel::series("Calls of models that failed", "reqps")
            .query(format!("sum by (model, code) (rate(mainstay_failed_attempts_total{job}[5m]))"), "{{model}} {{code}}"),
        Panel::series("Circuit breakers", "none")
            .note("0 closed, 1 half open, 2 open")
            .query(format!("max by (upstream) (mainstay_breaker_state{job})"), "{{upstream}}")
            .bad_above(2.0),
        Panel::series("Places, answered and waiting requests", "none")
            .query(format!("sum(mainstay_places{job})"), "places")
            .query(format!("sum by (tier) (mainstay_admitted_requests{job})"), "answered {{tier}}")
            .query(format!("sum by (tier) (mainstay_waiting_requests{job})"), "waiting {{tier}}"),
        Panel::series("Pressure and level of service", "none")
            .note("Pressure: 0 normal to 3 critical. Service: 0 full, 1 reduced, 2 emergency")
            .query(format!("max(mainstay_backpressure_level{job})"), "pressure")
            .query(format!("max by (tier) (mainstay_service_level{job})"), "service {{tier}}")
            .bad_above(2.0),
        Panel::series("Requests that found no room", "reqps")
            .query(format!("sum by (tier, reason) (rate(mainstay_shed_requests_total{job}[5m]))"), "{{tier}} {{reason}}")
            .query(format!("sum by (whose) (rate(mainstay_rate_limited_total{job}[5m]))"), "limit of {{whose}}"),
        Panel::series("Responses by status", "reqps")
            .query(format!("sum by (status) (rate(mainstay_http_requests_total{job}[5m]))"), "{{status}}")
            .query(format!("sum(mainstay_in_flight_requests{job})"), "in flight"),
        Panel::series("Records that were lost", "none")
            .query(format!("sum(increase(mainstay_ledger_failures_total{job}[1h]))"), "ledger")
            .query(format!("sum(increase(mainstay_audit_failures_total{job}[1h]))"), "audit")
            .bad_above(1.0),
        Panel::series("Memory and CPU of the pods", "none")
            .note("From cAdvisor: working set in bytes, and seconds of CPU in a second")
            .query(format!("sum by (pod) (container_memory_working_set_bytes{{namespace=\"{}\",container!=\"\"}})", names.namespace), "memory {{pod}}")
            .query(format!("sum by (pod) (rate(container_cpu_usage_seconds_total{{namespace=\"{}\",container!=\"\"}}[5m]))", names.namespace), "CPU {{pod}}"),
    ]);
    panels.extend(models(blueprint, names));
    panels
}

/// What is in the documents, and how soon.
pub(super) fn data(blueprint: &Blueprint, names: &Names) -> Vec<Panel> {
    let job = format!("{{job=\"{}\"}}", names.product);
    let mut lag = Panel::series("How far the index is behind", "s")
        .query(format!("max(mainstay_index_lag_seconds{job})"), "lag")
        .query(format!("max(mainstay_index_staleness_target_seconds{job})"), "promised");
    let limit = strictest(blueprint, |measure| match measure {
        Measure::Freshness { seconds, .. } => Some(seconds),
        _ => None,
    });
    if let Some(limit) = limit {
        lag = lag.bad_above(rounded(limit));
    }
    vec![
        lag,
        Panel::series("Documents that wait", "none").query(format!("sum(mainstay_documents_waiting{job})"), "documents"),
        Panel::series("Documents that were sent in", "none")
            .query(format!("sum by (result) (increase(mainstay_documents_ingested_total{job}[1h]))"), "{{result}}"),
        Panel::series("Chunks in quarantine", "none")
            .query(format!("sum by (corpus, reason) (mainstay_quarantined_chunks{job})"), "{{corpus}} {{reason}}"),
        Panel::series("Searches without an embedder", "reqps")
            .note("Its provider is down, and the words of the question alone are searched for")
            .query(format!("sum by (corpus) (rate(mainstay_retrieval_words_alone_total{job}[5m]))"), "{{corpus}}"),
        Panel::series("Time of a search, 95th percentile", "s").query(
            format!("histogram_quantile(0.95, sum by (le, corpus) (rate(mainstay_retrieval_duration_seconds_bucket{job}[5m])))"),
            "{{corpus}}",
        ),
        Panel::series("Cache of answers", "percentunit")
            .query(
                format!("sum by (layer) (rate(mainstay_cache_hits_total{job}[15m])) / on() group_left() (sum(rate(mainstay_cache_lookups_total{job}[15m])) > 0)"),
                "{{layer}}",
            )
            .query(format!("max(mainstay_cache_error_bound_ratio{job})"), "wrong at most"),
        Panel::series("Reranking", "none")
            .query(format!("sum by (reason) (rate(mainstay_rerank_skipped_total{job}[5m]))"), "skipped {{reason}}")
            .query(format!("sum by (model, code) (rate(mainstay_rerank_failures_total{job}[5m]))"), "failed {{model}} {{code}}"),
    ]
}

/// Are the answers right? For the team, daily.
pub(super) fn quality(blueprint: &Blueprint, names: &Names) -> Vec<Panel> {
    let job = format!("{{job=\"{}\"", names.product);
    let share = |metric: &str, good: &str, all: &str| {
        format!(
            "sum by (model) (rate({metric}{job},result=\"{good}\"}}[6h])) / (sum by (model) (rate({metric}{job},result=~\"{all}\"}}[6h])) > 0)"
        )
    };
    let promised = strictest_target(blueprint);
    let with_target = |panel: Panel| match promised {
        Some(target) => panel.bad_below(target),
        None => panel,
    };
    let job_alone = format!("{job}}}");
    vec![
        with_target(
            Panel::series("Citations that their source supports", "percentunit")
                .query(share("mainstay_citations_total", "verified", "verified|removed"), "{{model}}"),
        ),
        with_target(
            Panel::series("Judged citations that hold", "percentunit")
                .query(share("mainstay_citations_judged_total", "supported", "supported|unsupported"), "{{model}}"),
        ),
        Panel::series("Judgements", "none")
            .query(format!("sum by (result) (increase(mainstay_citations_judged_total{job_alone}[1d]))"), "{{result}} in a day"),
        Panel::series("Answers that the documents do not contain one", "percentunit").query(
            format!("sum by (model) (rate(mainstay_not_in_documents_total{job_alone}[6h])) / (sum by (model) (rate(mainstay_turns_total{job},operation=\"chat\",outcome=\"completed\"}}[6h])) > 0)"),
            "{{model}}",
        ),
        Panel::series("Passages per turn", "none").query(
            format!("sum by (model) (rate(mainstay_passages_total{job_alone}[6h])) / (sum by (model) (rate(mainstay_turns_total{job},operation=\"chat\"}}[6h])) > 0)"),
            "{{model}}",
        ),
        Panel::series("Questions that are asked again", "none").query(
            format!("sum by (assistant, model) (increase(mainstay_cascade_asked_again_total{job_alone}[1d]))"),
            "{{assistant}} {{model}} in a day",
        ),
        Panel::series("Why a stronger model was asked", "reqps")
            .query(format!("sum by (assistant, model, result) (rate(mainstay_cascade_answers_total{job_alone}[1h]))"), "{{assistant}} {{model}} {{result}}"),
        Panel::series("Kept answers that were compared", "none")
            .query(format!("sum by (result) (increase(mainstay_cache_checks_total{job_alone}[1d]))"), "{{result}} in a day"),
        Panel::series("Second searches", "none")
            .query(format!("sum by (result) (increase(mainstay_second_searches_total{job_alone}[1d]))"), "{{result}} in a day"),
    ]
}

/// What it is used for and what it costs. For the product, weekly.
pub(super) fn product(blueprint: &Blueprint, names: &Names) -> Vec<Panel> {
    let job = format!("{{job=\"{}\"", names.product);
    let alone = format!("{job}}}");
    let spent = |metric: &str| format!("(sum(rate({metric}{alone}[1d])) or vector(0))");
    let all_costs = format!(
        "({} + {} + {}) / 1e9",
        spent("mainstay_cost_nano_dollars_total"),
        spent("mainstay_failed_attempts_cost_nano_dollars_total"),
        spent("mainstay_cascade_escalated_cost_nano_dollars_total")
    );
    let completed = format!(
        "(sum(rate(mainstay_turns_total{job},operation=~\"chat|embeddings\",outcome=\"completed\"}}[1d])) > 0)"
    );
    let mut per_turn = Panel::series("Cost of a completed turn", "currencyUSD")
        .query(format!("{all_costs} / {completed}"), "average of a day");
    let most = strictest(blueprint, |measure| match measure {
        Measure::CostPerRequest { most_usd } => Some(most_usd),
        _ => None,
    });
    if let Some(most) = most {
        per_turn = per_turn.bad_above(rounded(most));
    }
    vec![
        Panel::series("Completed turns in a day", "none")
            .query(format!("sum by (operation) (increase(mainstay_turns_total{job},outcome=\"completed\"}}[1d]))"), "{{operation}}"),
        per_turn,
        Panel::series("Cost in a day", "currencyUSD")
            .query(format!("sum by (model) (increase(mainstay_cost_nano_dollars_total{alone}[1d])) / 1e9"), "{{model}}")
            .query(format!("sum(increase(mainstay_failed_attempts_cost_nano_dollars_total{alone}[1d])) / 1e9"), "failed attempts"),
        Panel::series("Saved by the cache in a day", "currencyUSD")
            .query(format!("sum(increase(mainstay_cache_saved_nano_dollars_total{alone}[1d])) / 1e9"), "saved"),
        Panel::series("Tokens in a day", "short")
            .query(format!("sum by (kind) (increase(mainstay_tokens_total{alone}[1d]))"), "{{kind}}"),
        Panel::series("Budgets", "percentunit")
            .query(format!("max by (budget) (mainstay_budget_used_ratio{alone})"), "{{budget}}")
            .bad_above(rounded(blueprint.alerting.budget_warning)),
        Panel::series("Turns that callers gave up", "percentunit").query(
            format!("sum(rate(mainstay_turns_total{job},outcome=\"cancelled\"}}[1d])) / (sum(rate(mainstay_turns_total{alone}[1d])) > 0)"),
            "share",
        ),
        Panel::series("Requests that a budget refused", "none")
            .query(format!("sum by (budget) (increase(mainstay_budget_refused_total{alone}[1d]))"), "{{budget}} in a day"),
    ]
}

fn budget(blueprint: &Blueprint, names: &Names, objective: &Objective) -> Option<Panel> {
    let indicator = sli::indicator(&names.product, objective.measure, blueprint.alerting);
    indicator.target?;
    let of = selector(names, &names::slo(&objective.name));
    let panel = Panel::number(format!("Budget left: {}", objective.name), "percentunit")
        .note(format!("Of {PERIOD}: {}", indicator.words))
        .query(format!("mainstay:slo_budget_remaining:ratio{of}"), "left")
        // Half is where a team begins to be careful.
        .bad_below(0.5);
    Some(panel)
}

/// Percentiles of each time, with the limit of its strictest promise.
fn latencies(blueprint: &Blueprint, names: &Names) -> Vec<Panel> {
    [
        (LatencyOf::FirstToken, "Time to first token"),
        (LatencyOf::Turn, "Time of a whole answer"),
        (LatencyOf::ChunkGap, "Gaps within streams"),
        (LatencyOf::Retrieval, "Time of a search"),
    ]
    .into_iter()
    .map(|(of, title)| {
        let (metric, labels) = sli::histogram(of);
        let selector = format!("{{job=\"{}\"{labels}}}", names.product);
        let mut panel = Panel::series(title, "s");
        for (percentile, name) in [("0.5", "p50"), ("0.95", "p95"), ("0.99", "p99")] {
            let query = format!(
                "histogram_quantile({percentile}, sum by (le) (rate({metric}_bucket{selector}[5m])))"
            );
            panel = panel.query(query, name);
        }
        let limit = strictest(blueprint, |measure| match measure {
            Measure::Latency { of: promised, seconds, .. } if promised == of => Some(seconds),
            _ => None,
        });
        match limit {
            Some(limit) => panel.bad_above(rounded(limit)),
            None => panel,
        }
    })
    .collect()
}

fn errors(blueprint: &Blueprint, names: &Names) -> Panel {
    let all = format!("mainstay_turns_total{{job=\"{}\",outcome!=\"cancelled\"}}", names.product);
    let failed = format!("mainstay_turns_total{{job=\"{}\",outcome=\"failed\"}}", names.product);
    let panel = Panel::series("Turns that fail, whoever is to blame", "percentunit").query(
        format!("sum by (code) (rate({failed}[5m])) / on() group_left() (sum(rate({all}[5m])) > 0)"),
        "{{code}}",
    );
    let most = strictest(blueprint, |measure| match measure {
        Measure::ErrorRate { most } => Some(most),
        _ => None,
    });
    match most {
        Some(most) => panel.bad_above(rounded(most)),
        None => panel,
    }
}

fn models(blueprint: &Blueprint, names: &Names) -> Vec<Panel> {
    if blueprint.serving.is_empty() {
        return Vec::new();
    }
    let jobs: Vec<_> = blueprint.serving.iter().map(|serving| names.serving(serving)).collect();
    let of = format!("{{job=~\"{}\"}}", jobs.join("|"));
    vec![
        Panel::series("vLLM: sequences", "none")
            .query(format!("sum by (job) (vllm:num_requests_running{of})"), "running {{job}}")
            .query(format!("sum by (job) (vllm:num_requests_waiting{of})"), "waiting {{job}}"),
        Panel::series("vLLM: KV cache", "percentunit")
            .query(format!("max by (job) (vllm:kv_cache_usage_perc{of})"), "{{job}}")
            .bad_above(0.95),
        Panel::series("vLLM: 95th percentiles", "s")
            .query(format!("histogram_quantile(0.95, sum by (le, job) (rate(vllm:time_to_first_token_seconds_bucket{of}[5m])))"), "first token {{job}}")
            .query(format!("histogram_quantile(0.95, sum by (le, job) (rate(vllm:inter_token_latency_seconds_bucket{of}[5m])))"), "between tokens {{job}}")
            .query(format!("histogram_quantile(0.95, sum by (le, job) (rate(vllm:request_queue_time_seconds_bucket{of}[5m])))"), "in the queue {{job}}"),
        Panel::series("vLLM: preemptions and prefix cache", "none")
            .query(format!("sum by (job) (rate(vllm:num_preemptions_total{of}[5m]))"), "preemptions {{job}}")
            .query(format!("sum by (job) (rate(vllm:prefix_cache_hits_total{of}[5m])) / (sum by (job) (rate(vllm:prefix_cache_queries_total{of}[5m])) > 0)"), "hits {{job}}"),
    ]
}

/// The lowest limit that any promise of a kind sets.
fn strictest(blueprint: &Blueprint, limit: impl Fn(Measure) -> Option<f64>) -> Option<f64> {
    blueprint.objectives.iter().filter_map(|objective| limit(objective.measure)).min_by(f64::total_cmp)
}

/// The highest promise of quality.
fn strictest_target(blueprint: &Blueprint) -> Option<f64> {
    let targets = blueprint.objectives.iter().filter_map(|objective| match objective.measure {
        Measure::Quality { least, .. } => Some(rounded(least)),
        _ => None,
    });
    targets.max_by(f64::total_cmp)
}
