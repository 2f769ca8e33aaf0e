//! Every metric that Mainstay exports: its name, type, unit and labels in one place, so that the documentation can be
//! checked against the code. Labels hold names from the configuration and codes of ours, never a caller's text.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mainstay_domain::ledger::Outcome;
use mainstay_domain::{NanoUsd, NotReranked, Reranked, Reranking, TurnRecord};
use metrics::{Histogram, Unit};

/// What a metric is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution over buckets.
    Histogram,
}

/// A metric's documentation.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name in `/metrics`.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its unit, where it has one.
    pub unit: Option<Unit>,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it measures.
    pub help: &'static str,
}

macro_rules! metric_table {
    ($($constant:ident = $name:literal, $kind:ident, $unit:expr, [$($label:literal),*], $help:literal;)*) => {
        $(#[doc = $help] pub const $constant: &str = $name;)*

        /// All metrics, in the order of the documentation.
        pub const METRICS: &[Metric] = &[$(Metric {
            name: $name,
            kind: Kind::$kind,
            unit: $unit,
            labels: &[$($label),*],
            help: $help,
        }),*];
    };
}

metric_table! {
    TURNS = "mainstay_turns_total", Counter, None, ["operation", "model", "outcome", "code"],
        "Turns by how they ended; `code` is the stable error code, empty when completed.";
    TURN_SECONDS = "mainstay_turn_duration_seconds", Histogram, Some(Unit::Seconds), ["operation", "model"],
        "From the opening of a turn to its last byte.";
    FIRST_TOKEN_SECONDS = "mainstay_time_to_first_token_seconds", Histogram, Some(Unit::Seconds), ["model"],
        "From the opening of a streamed turn to its first content.";
    CHUNK_GAP_SECONDS = "mainstay_chunk_gap_seconds", Histogram, Some(Unit::Seconds), ["model"],
        "Between two pieces of content of a stream.";
    TOKENS = "mainstay_tokens_total", Counter, None, ["model", "kind"],
        "Tokens by kind: prompt, cache_read, cache_write, completion, reasoning (parts are contained in their wholes).";
    COST = "mainstay_cost_nano_dollars_total", Counter, None, ["model"],
        "What providers charge, in 10⁻⁹ US dollars.";
    UNPRICED = "mainstay_unpriced_turns_total", Counter, None, ["model"],
        "Turns answered by a model whose price is not known.";
    PASSAGES = "mainstay_passages_total", Counter, None, ["model"],
        "Passages put into prompts.";
    CITATIONS = "mainstay_citations_total", Counter, None, ["model", "result"],
        "Citations in answers: `verified`, or `removed` because the source does not support them.";
    CITATIONS_JUDGED = "mainstay_citations_judged_total", Counter, None, ["model", "result"],
        "Citations that a model judged: `supported`, `unsupported`; `unclear` and `failed` left what the words say.";
    NOT_IN_DOCUMENTS = "mainstay_not_in_documents_total", Counter, None, ["model"],
        "Answers that the documents do not contain one.";
    SECOND_SEARCHES = "mainstay_second_searches_total", Counter, None, ["result"],
        "Questions that needed a second search: `merged`, or why not: `nothing_to_ask`, `no_time`, `failed`.";
    RETRIEVAL_SECONDS = "mainstay_retrieval_duration_seconds", Histogram, Some(Unit::Seconds), ["corpus"],
        "From the question to the passages.";
    WORDS_ALONE = "mainstay_retrieval_words_alone_total", Counter, None, ["corpus"],
        "Searches for the words of a question alone, because its embedder is down.";
    RERANK_SECONDS = "mainstay_rerank_duration_seconds", Histogram, Some(Unit::Seconds), ["model"],
        "What reranking took of a search that it ordered.";
    RERANK_SHIFTS = "mainstay_rerank_shifts_total", Counter, None, ["model"],
        "Passages that reranking moved up by more than five places, of those that were returned.";
    RERANK_SKIPPED = "mainstay_rerank_skipped_total", Counter, None, ["corpus", "reason"],
        "Searches of corpora with a reranker that did not ask it: `fast_tier`, `few_candidates`, `little_time`, `clear_lead`, `other_question`.";
    RERANK_FAILURES = "mainstay_rerank_failures_total", Counter, None, ["model", "code"],
        "Searches that a reranker failed, so that the order of the fusion stood.";
    FAILED_ATTEMPTS = "mainstay_failed_attempts_total", Counter, None, ["model", "code"],
        "Calls of models that failed on the way to an answer, whether another one answered or not; `hedged`: the slower of two that were made at once.";
    FAILED_COST = "mainstay_failed_attempts_cost_nano_dollars_total", Counter, None, ["model"],
        "What providers charge for such calls, in 10⁻⁹ US dollars; the cost of turns does not contain it.";
    BREAKER_STATE = "mainstay_breaker_state", Gauge, None, ["upstream"],
        "Circuit breaker of a model: 0 closed, 1 half open, 2 open.";
    BREAKER_OPENS = "mainstay_breaker_opens_total", Counter, None, ["upstream"],
        "How often a circuit breaker opened.";
    BREAKER_OSCILLATIONS = "mainstay_breaker_oscillations_total", Counter, None, ["upstream"],
        "How often it opened although it had closed within the last ten minutes, or a probe failed: unstable rather than down.";
    ISSUER_BREAKER_STATE = "mainstay_issuer_breaker_state", Gauge, None, ["issuer"],
        "Circuit breaker of an identity provider, whose keys are fetched: 0 closed, 1 half open, 2 open; keys that are known go on counting for a while.";
    ISSUER_BREAKER_OPENS = "mainstay_issuer_breaker_opens_total", Counter, None, ["issuer"],
        "How often it opened.";
    ISSUER_BREAKER_OSCILLATIONS = "mainstay_issuer_breaker_oscillations_total", Counter, None, ["issuer"],
        "How often it opened although it had closed within the last ten minutes, or a probe failed.";
    RATE_LIMITED = "mainstay_rate_limited_total", Counter, None, ["whose", "what"],
        "Requests beyond a limit, by whose it is (key, user, address, tier) and of what (requests, tokens, administration).";
    SHED = "mainstay_shed_requests_total", Counter, None, ["tier", "reason"],
        "Requests for which there was no room: `tenant_full`, `tier_full`, `queue_full`, `waited_too_long`, `pressure`.";
    RUNNING = "mainstay_admitted_requests", Gauge, None, ["tier"],
        "Requests that have a place among those that are answered.";
    WAITING = "mainstay_waiting_requests", Gauge, None, ["tier"],
        "Requests that wait for a place.";
    WAITED_SECONDS = "mainstay_wait_seconds", Histogram, Some(Unit::Seconds), ["tier"],
        "How long requests waited for a place that had to; those that had one at once are not in it.";
    PLACES = "mainstay_places", Gauge, None, [],
        "Requests that may be answered at once at this moment.";
    ENGINE_PRESSURE = "mainstay_engine_pressure", Gauge, None, ["provider"],
        "How busy the engine behind a provider is (`engine_metrics`): 1 where as many requests wait there as run.";
    PRESSURE = "mainstay_backpressure_level", Gauge, None, [],
        "How close the limits are: 0 normal, 1 elevated, 2 high, 3 critical.";
    SERVICE_LEVEL = "mainstay_service_level", Gauge, None, ["tier"],
        "How much of the service is offered: 0 full, 1 reduced, 2 emergency.";
    SERVICE_CHANGES = "mainstay_service_changes_total", Counter, None, [],
        "Changes of that level, for each tier.";
    SERVICE_OSCILLATIONS = "mainstay_service_oscillations_total", Counter, None, [],
        "How often it fell again within half an hour of a recovery.";
    CASCADE_STARTS = "mainstay_cascade_starts_total", Counter, None, ["assistant", "intent", "reason"],
        "Questions that entered a cascade, by their intent (empty where it is not known) and by what decided where they start: `first`, `rule`, `intent`, `unsure`, `asked_again`, `compared`, `guarded`.";
    CASCADE_ANSWERS = "mainstay_cascade_answers_total", Counter, None, ["assistant", "model", "result"],
        "Answers of the models of a cascade: `accepted` or asked as the `last`; or why a stronger one was asked: `failed`, `empty`, `refused`, `not_in_documents`, `ungrounded`, `malformed`, `poor`.";
    CASCADE_ESCALATED_COST = "mainstay_cascade_escalated_cost_nano_dollars_total", Counter, None, ["model"],
        "What answers cost that did not leave, in 10⁻⁹ US dollars; the cost of turns does not contain it.";
    CASCADE_ESCALATED_RATIO = "mainstay_cascade_escalated_ratio", Gauge, None, ["assistant", "model"],
        "The share of a model's last 50 answers for which a stronger model was asked.";
    CASCADE_ASKED_AGAIN = "mainstay_cascade_asked_again_total", Counter, None, ["assistant", "model", "compared"],
        "Questions that the same user asked again within ten minutes, by the model whose answer was not good enough; `compared` where that had been asked to compare.";
    CACHE_LOOKUPS = "mainstay_cache_lookups_total", Counter, None, [],
        "Questions that were looked up in the cache of answers.";
    CACHE_HITS = "mainstay_cache_hits_total", Counter, None, ["layer"],
        "Questions that the cache answered: `exact` knew the words, `semantic` the meaning.";
    CACHE_SHARED = "mainstay_cache_shared_total", Counter, None, [],
        "Questions that waited for the answer to the same one, asked at the same time.";
    CACHE_SAVED = "mainstay_cache_saved_nano_dollars_total", Counter, None, [],
        "What the cache's answers had cost, in 10⁻⁹ US dollars.";
    CACHE_CHECKS = "mainstay_cache_checks_total", Counter, None, ["result"],
        "Answers to like questions that were compared with a model's: `right`, `wrong`.";
    CACHE_ERROR_BOUND = "mainstay_cache_error_bound_ratio", Gauge, None, [],
        "Upper end of the 95 % interval of the share of like questions whose answers differ, over all tenants, assistants and similarities; 1 before any check.";
    CACHE_QUESTIONS = "mainstay_cache_questions", Gauge, None, [],
        "Questions that the semantic layer knows.";
    BUDGET_USED = "mainstay_budget_used_ratio", Gauge, None, ["budget"],
        "What is spent of a budget in its period; of one for each of many, the highest.";
    BUDGET_REFUSED = "mainstay_budget_refused_total", Counter, None, ["budget"],
        "Requests that did not fit into what a budget had left, whether they were refused or answered at no cost.";
    BUDGET_ALERTS = "mainstay_budget_alerts_total", Counter, None, ["budget"],
        "How often a budget was used up to its `alert_at`.";
    REJECTED = "mainstay_rejected_requests_total", Counter, None, ["code"],
        "Requests refused before a turn was opened for an identified caller.";
    LEDGER_FAILURES = "mainstay_ledger_failures_total", Counter, None, [],
        "Turns that could not be booked: each is a record lost, and the log names its turn.";
    AUDIT_FAILURES = "mainstay_audit_failures_total", Counter, None, [],
        "Things that could not be written into the audit log or forced to disk.";
    CONTENTS = "mainstay_content_turns_total", Counter, None, ["fate"],
        "Turns whose content was to be kept: `kept`, `dropped` because too many waited, or `failed` to be stored.";
    HTTP_REQUESTS = "mainstay_http_requests_total", Counter, None, ["route", "status"],
        "HTTP requests by route and status.";
    IN_FLIGHT = "mainstay_in_flight_requests", Gauge, None, [],
        "HTTP requests being answered, streams included.";
    DOCUMENTS_INGESTED = "mainstay_documents_ingested_total", Counter, None, ["result"],
        "Documents that were sent in, by result: accepted, unchanged, refused.";
    INDEX_LAG = "mainstay_index_lag_seconds", Gauge, Some(Unit::Seconds), [],
        "Age of the document that was accepted longest ago and cannot be found yet; 0 when there is none.";
    DOCUMENTS_WAITING = "mainstay_documents_waiting", Gauge, None, [],
        "Documents that were accepted and cannot be found yet.";
    STALENESS_TARGET = "mainstay_index_staleness_target_seconds", Gauge, Some(Unit::Seconds), [],
        "What `slo.freshness.staleness` promises the lag to stay below; absent without a promise.";
    DOCUMENTS = "mainstay_documents", Gauge, None, ["corpus"],
        "Documents that searches of a corpus look at; corpora of the same name of several tenants count together.";
    CHUNKS = "mainstay_chunks", Gauge, None, ["corpus"],
        "Their chunks.";
    DOCUMENT_BYTES = "mainstay_document_bytes", Gauge, Some(Unit::Bytes), ["corpus"],
        "Bytes of their texts.";
    LANGUAGES = "mainstay_document_languages", Gauge, None, ["corpus"],
        "Languages that they are in, as far as searches tell them apart; of several tenants' the most.";
    DATA_BYTES = "mainstay_data_folder_bytes", Gauge, Some(Unit::Bytes), [],
        "What the files of the data folder hold, looked at every ten minutes.";
    QUARANTINED_CHUNKS = "mainstay_quarantined_chunks", Gauge, None, ["corpus", "reason"],
        "Chunks that no search finds, by what is odd about them; `mainstay corpus quarantine` lists them.";
}

/// The buckets of the histograms of seconds: from 0.1 ms, doubling, to 105 s.
pub fn seconds_buckets() -> Vec<f64> {
    (0..21).map(|power| 0.0001 * f64::from(1u32 << power)).collect()
}

/// Tells the recorder what every metric is.
pub fn describe() {
    for metric in METRICS {
        match (metric.kind, metric.unit) {
            (Kind::Counter, Some(unit)) => metrics::describe_counter!(metric.name, unit, metric.help),
            (Kind::Counter, None) => metrics::describe_counter!(metric.name, metric.help),
            (Kind::Gauge, Some(unit)) => metrics::describe_gauge!(metric.name, unit, metric.help),
            (Kind::Gauge, None) => metrics::describe_gauge!(metric.name, metric.help),
            (Kind::Histogram, Some(unit)) => metrics::describe_histogram!(metric.name, unit, metric.help),
            (Kind::Histogram, None) => metrics::describe_histogram!(metric.name, metric.help),
        }
    }
}

/// The models whose names may be labels: a caller can write any name behind a provider's.
static MODELS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Models of callers' choice that are labels of their own once they have answered; later ones are `other`.
const MOST_MODELS: usize = 1_000;

/// The label of models that nobody configured and that have never answered, and of corpora that nobody configured.
const OTHER: &str = "other";

/// Models, `provider/model`, that the configuration names: each is a label of its own.
pub fn know_models(names: impl IntoIterator<Item = String>) {
    MODELS.lock().unwrap_or_else(PoisonError::into_inner).extend(names);
}

/// The corpora whose names are labels: a tenant names its own as it likes, and the metrics are for others to read.
static CORPORA: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Corpora that the configuration names: each is a label of its own.
pub fn know_corpora(names: impl IntoIterator<Item = String>) {
    CORPORA.lock().unwrap_or_else(PoisonError::into_inner).extend(names);
}

/// The label of a corpus: `other` where the configuration does not name it.
pub fn corpus_label(corpus: &str) -> String {
    let known = CORPORA.lock().unwrap_or_else(PoisonError::into_inner);
    if known.contains(corpus) { corpus.to_owned() } else { OTHER.to_owned() }
}

/// Whether a model's name is a label.
pub fn is_known_model(model: &str) -> bool {
    model_label(model, false) == model
}

/// The label of a model. `has_answered`: it exists.
fn model_label(model: &str, has_answered: bool) -> String {
    let mut known = MODELS.lock().unwrap_or_else(PoisonError::into_inner);
    if has_answered && known.len() < MOST_MODELS && !known.contains(model) {
        known.insert(model.to_owned());
    }
    if known.contains(model) || model.starts_with("builtin/") { model.to_owned() } else { OTHER.to_owned() }
}

/// The histogram of gaps between the chunks of one model's streams: looked up once per stream, recorded per chunk.
pub fn chunk_gap(model: &str) -> Histogram {
    metrics::histogram!(CHUNK_GAP_SECONDS, "model" => model_label(model, false))
}

/// Counts a document that was sent in; `result` is `accepted`, `unchanged` or `refused`.
pub fn document_ingested(result: &'static str) {
    metrics::counter!(DOCUMENTS_INGESTED, "result" => result).increment(1);
}

/// Counts a search of a corpus that exists, and what reranking did for it.
pub fn retrieved(corpus: &str, took: Duration, reranking: &Reranking, words_alone: bool) {
    let corpus = corpus_label(corpus);
    if words_alone {
        metrics::counter!(WORDS_ALONE, "corpus" => corpus.clone()).increment(1);
    }
    metrics::histogram!(RETRIEVAL_SECONDS, "corpus" => corpus.clone()).record(took);
    match reranking {
        Reranking::Done(Reranked { model, took, shifted }) => {
            metrics::histogram!(RERANK_SECONDS, "model" => model.clone()).record(*took);
            metrics::counter!(RERANK_SHIFTS, "model" => model.clone()).increment(*shifted as u64);
        }
        Reranking::Skipped(NotReranked::NoReranker) => {}
        Reranking::Skipped(reason) => {
            metrics::counter!(RERANK_SKIPPED, "corpus" => corpus, "reason" => reason.as_str()).increment(1);
        }
        Reranking::Failed { model, kind } => {
            metrics::counter!(RERANK_FAILURES, "model" => model.clone(), "code" => kind.code()).increment(1);
        }
    }
}

/// How far the index is behind: the age of the document that has waited longest, and how many wait.
pub fn index_lag(oldest: Duration, waiting: usize) {
    metrics::gauge!(INDEX_LAG).set(oldest.as_secs_f64());
    metrics::gauge!(DOCUMENTS_WAITING).set(waiting as f64);
}

/// How much is in the corpora of a label: documents, chunks, bytes of text, languages.
pub fn corpus_size(corpus: &str, documents: u64, chunks: u64, text_bytes: u64, languages: u64) {
    let show = |name: &'static str, value: u64| {
        metrics::gauge!(name, "corpus" => corpus.to_owned()).set(value as f64);
    };
    show(DOCUMENTS, documents);
    show(CHUNKS, chunks);
    show(DOCUMENT_BYTES, text_bytes);
    show(LANGUAGES, languages);
}

/// What the data folder holds.
pub fn data_folder(bytes: u64) {
    metrics::gauge!(DATA_BYTES).set(bytes as f64);
}

/// How many chunks of the corpora of a label no search finds for a reason.
pub fn quarantined_chunks(corpus: &str, reason: &str, chunks: u64) {
    metrics::gauge!(QUARANTINED_CHUNKS, "corpus" => corpus.to_owned(), "reason" => reason.to_owned())
        .set(chunks as f64);
}

/// What is promised of the lag.
pub fn staleness_target(target: Duration) {
    metrics::gauge!(STALENESS_TARGET).set(target.as_secs_f64());
}

/// Counts an answer of `model`, `provider/model`, that is not in the documents.
pub fn not_in_documents(model: &str) {
    metrics::counter!(NOT_IN_DOCUMENTS, "model" => model_label(model, true)).increment(1);
}

/// What became of a citation that a model was asked about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Judgement {
    /// The source supports the statement.
    Supported,
    /// It does not.
    Unsupported,
    /// The judge said neither yes nor no.
    Unclear,
    /// The judge did not answer.
    Failed,
}

/// Counts a citation that `model`, `provider/model`, was asked about.
pub fn judged(model: &str, judgement: Judgement) {
    let result = match judgement {
        Judgement::Supported => "supported",
        Judgement::Unsupported => "unsupported",
        Judgement::Unclear => "unclear",
        Judgement::Failed => "failed",
    };
    metrics::counter!(CITATIONS_JUDGED, "model" => model.to_owned(), "result" => result).increment(1);
}

/// Counts a question that needed a second search; `result` is `merged`, `nothing_to_ask`, `no_time` or `failed`.
pub fn searched_again(result: &'static str) {
    metrics::counter!(SECOND_SEARCHES, "result" => result).increment(1);
}

/// Counts a change of the level of service.
pub fn service_changed() {
    metrics::counter!(SERVICE_CHANGES).increment(1);
}

/// Shows how much of the service a tier is offered, 0 to 2, and how often it fell again soon.
pub fn service(tier: &str, level: u8, oscillations: u64) {
    metrics::gauge!(SERVICE_LEVEL, "tier" => tier.to_owned()).set(f64::from(level));
    metrics::counter!(SERVICE_OSCILLATIONS).absolute(oscillations);
}

/// Counts a question that enters a cascade.
pub fn cascade_started(assistant: &str, intent: Option<&str>, reason: &'static str) {
    let intent = intent.unwrap_or_default().to_owned();
    metrics::counter!(CASCADE_STARTS, "assistant" => assistant.to_owned(), "intent" => intent, "reason" => reason)
        .increment(1);
}

/// Counts an answer of a model of a cascade, and what became of it.
pub fn cascade_answered(assistant: &str, model: &str, result: &'static str) {
    let (assistant, model) = (assistant.to_owned(), model.to_owned());
    metrics::counter!(CASCADE_ANSWERS, "assistant" => assistant, "model" => model, "result" => result)
        .increment(1);
}

/// Counts what an answer cost that did not leave.
pub fn cascade_escalated(model: &str, cost: NanoUsd) {
    metrics::counter!(CASCADE_ESCALATED_COST, "model" => model.to_owned())
        .increment(u64::try_from(cost.as_nanos()).unwrap_or(0));
}

/// Shows what share of a model's answers was not good enough.
pub fn cascade_share(assistant: &str, model: &str, share: f64) {
    let (assistant, model) = (assistant.to_owned(), model.to_owned());
    metrics::gauge!(CASCADE_ESCALATED_RATIO, "assistant" => assistant, "model" => model).set(share);
}

/// Counts a question that is asked again after this model answered it.
pub fn cascade_asked_again(assistant: &str, model: &str, was_comparison: bool) {
    let (assistant, model) = (assistant.to_owned(), model.to_owned());
    let compared = if was_comparison { "yes" } else { "no" };
    metrics::counter!(CASCADE_ASKED_AGAIN, "assistant" => assistant, "model" => model, "compared" => compared)
        .increment(1);
}

/// What the cache of answers has done since the process began.
#[derive(Clone, Copy, Debug)]
pub struct CacheCounts {
    /// Questions looked up.
    pub lookups: u64,
    /// Hits of the exact and of the semantic layer.
    pub hits: [u64; 2],
    /// Answers that were waited for.
    pub shared: u64,
    /// What hits had cost.
    pub saved: NanoUsd,
    /// Checks that showed a right and a wrong answer.
    pub checks: [u64; 2],
    /// Upper bound of the share that is wrong.
    pub error_bound: f64,
    /// Questions of the semantic layer.
    pub questions: usize,
}

/// Shows what the cache of answers has done.
pub fn cache(counts: &CacheCounts) {
    metrics::counter!(CACHE_LOOKUPS).absolute(counts.lookups);
    for (layer, hits) in ["exact", "semantic"].into_iter().zip(counts.hits) {
        metrics::counter!(CACHE_HITS, "layer" => layer).absolute(hits);
    }
    metrics::counter!(CACHE_SHARED).absolute(counts.shared);
    metrics::counter!(CACHE_SAVED).absolute(u64::try_from(counts.saved.as_nanos()).unwrap_or(0));
    for (result, checks) in ["right", "wrong"].into_iter().zip(counts.checks) {
        metrics::counter!(CACHE_CHECKS, "result" => result).absolute(checks);
    }
    metrics::gauge!(CACHE_ERROR_BOUND).set(counts.error_bound);
    metrics::gauge!(CACHE_QUESTIONS).set(counts.questions as f64);
}

/// Counts a request that did not fit into a budget.
pub fn budget_refused(budget: &str) {
    metrics::counter!(BUDGET_REFUSED, "budget" => budget.to_owned()).increment(1);
}

/// Counts a budget that is nearly used up.
pub fn budget_alert(budget: &str) {
    metrics::counter!(BUDGET_ALERTS, "budget" => budget.to_owned()).increment(1);
}

/// Shows what is spent of a budget, as a share of its limit.
pub fn budget_used(budget: &str, share: f64) {
    metrics::gauge!(BUDGET_USED, "budget" => budget.to_owned()).set(share);
}

/// Counts a request beyond a limit.
pub fn limited(whose: &'static str, what: &'static str) {
    metrics::counter!(RATE_LIMITED, "whose" => whose, "what" => what).increment(1);
}

/// Counts a request for which there was no room.
pub fn shed(tier: &str, reason: &'static str) {
    metrics::counter!(SHED, "tier" => tier.to_owned(), "reason" => reason).increment(1);
}

/// Shows how many requests of a tier are answered and wait.
pub fn tier_load(tier: &str, running: usize, waiting: usize) {
    metrics::gauge!(RUNNING, "tier" => tier.to_owned()).set(running as f64);
    metrics::gauge!(WAITING, "tier" => tier.to_owned()).set(waiting as f64);
}

/// Shows how busy the engine behind a provider is, 0 to 1.
pub fn engine_pressure(provider: &str, busy: f64) {
    metrics::gauge!(ENGINE_PRESSURE, "provider" => provider.to_owned()).set(busy);
}

/// Notes how long a request of a tier waited for its place.
pub fn waited(tier: &str, waited: Duration) {
    metrics::histogram!(WAITED_SECONDS, "tier" => tier.to_owned()).record(waited.as_secs_f64());
}

/// Shows how many may be answered at once, and how close the limits are: 0 to 3.
pub fn pressure(places: usize, level: u8) {
    metrics::gauge!(PLACES).set(places as f64);
    metrics::gauge!(PRESSURE).set(f64::from(level));
}

/// Counts a call of a model that failed on the way to an answer, and what it costs all the same.
pub fn attempt_failed(model: &str, code: &'static str, cost: NanoUsd) {
    let model = model_label(model, false);
    metrics::counter!(FAILED_ATTEMPTS, "model" => model.clone(), "code" => code).increment(1);
    let nanos = u64::try_from(cost.as_nanos()).unwrap_or(0);
    if nanos > 0 {
        metrics::counter!(FAILED_COST, "model" => model).increment(nanos);
    }
}

/// Shows how the breaker of an upstream is: `state` as the gauge has it, and its counts.
pub fn breaker(upstream: &str, state: u8, opens: u64, oscillations: u64) {
    metrics::gauge!(BREAKER_STATE, "upstream" => upstream.to_owned()).set(f64::from(state));
    metrics::counter!(BREAKER_OPENS, "upstream" => upstream.to_owned()).absolute(opens);
    metrics::counter!(BREAKER_OSCILLATIONS, "upstream" => upstream.to_owned()).absolute(oscillations);
}

/// The same of an identity provider.
pub fn issuer_breaker(issuer: &str, state: u8, opens: u64, oscillations: u64) {
    metrics::gauge!(ISSUER_BREAKER_STATE, "issuer" => issuer.to_owned()).set(f64::from(state));
    metrics::counter!(ISSUER_BREAKER_OPENS, "issuer" => issuer.to_owned()).absolute(opens);
    metrics::counter!(ISSUER_BREAKER_OSCILLATIONS, "issuer" => issuer.to_owned()).absolute(oscillations);
}

/// Counts a turn that has ended.
pub fn turn_ended(record: &TurnRecord) {
    let has_answered = record.outcome == Outcome::Completed;
    let label = |model: &String| model_label(model, has_answered);
    let model = record.answered_model.as_ref().map_or_else(|| "none".to_owned(), label);
    let code = record.error_code.clone().unwrap_or_default();
    let operation = record.operation.clone();
    metrics::counter!(
        TURNS,
        "operation" => operation.clone(), "model" => model.clone(), "outcome" => record.outcome.as_str(), "code" => code
    )
    .increment(1);
    metrics::histogram!(TURN_SECONDS, "operation" => operation, "model" => model.clone())
        .record(Duration::from_micros(record.duration_micros));
    if let Some(micros) = record.first_token_micros {
        metrics::histogram!(FIRST_TOKEN_SECONDS, "model" => model.clone())
            .record(Duration::from_micros(micros));
    }
    let usage = &record.usage;
    for (kind, tokens) in [
        ("prompt", usage.prompt),
        ("cache_read", usage.cache_read),
        ("cache_write", usage.cache_write),
        ("completion", usage.completion),
        ("reasoning", usage.reasoning),
    ] {
        if tokens > 0 {
            metrics::counter!(TOKENS, "model" => model.clone(), "kind" => kind).increment(tokens);
        }
    }
    if record.price_date.is_some() {
        let nanos = u64::try_from(record.cost.as_nanos()).unwrap_or(0);
        metrics::counter!(COST, "model" => model.clone()).increment(nanos);
    } else if record.answered_model.is_some() {
        metrics::counter!(UNPRICED, "model" => model.clone()).increment(1);
    }
    if record.passages > 0 {
        metrics::counter!(PASSAGES, "model" => model.clone()).increment(record.passages.into());
    }
    for (result, count) in [("verified", record.citations), ("removed", record.citations_removed)] {
        if count > 0 {
            metrics::counter!(CITATIONS, "model" => model.clone(), "result" => result)
                .increment(count.into());
        }
    }
}

/// What became of a turn whose content was to be kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContentFate {
    /// It is stored.
    Kept,
    /// Too many waited to be stored.
    Dropped,
    /// It could not be scrubbed or stored.
    Failed,
}

/// A turn whose content was to be kept.
pub fn content(fate: ContentFate) {
    let fate = match fate {
        ContentFate::Kept => "kept",
        ContentFate::Dropped => "dropped",
        ContentFate::Failed => "failed",
    };
    metrics::counter!(CONTENTS, "fate" => fate).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_callers_making_is_no_label_until_it_has_answered() {
        know_models(["p/configured".to_owned()]);
        assert_eq!(model_label("p/configured", false), "p/configured");
        assert_eq!(
            (model_label("p/invented", false), is_known_model("p/invented")),
            ("other".to_owned(), false)
        );
        assert_eq!(model_label("p/real", true), "p/real");
        assert_eq!(model_label("p/real", false), "p/real");
        (0..2 * MOST_MODELS).for_each(|number| {
            model_label(&format!("p/{number}"), true);
        });
        assert_eq!(MODELS.lock().unwrap().len(), MOST_MODELS);
    }

    #[test]
    fn a_corpus_of_a_tenants_making_is_no_label() {
        know_corpora(["handbook".to_owned()]);
        assert_eq!(corpus_label("handbook"), "handbook");
        assert_eq!(corpus_label("merger with acme"), "other");
    }

    #[test]
    fn every_metric_is_documented_as_it_is() {
        let documented = include_str!("../../../docs/metrics.md");
        for metric in METRICS {
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
            let kind = format!("{:?}", metric.kind).to_lowercase();
            let row = format!("| `{}` | {kind} | {labels} | {} |", metric.name, metric.help);
            assert!(documented.contains(&row), "docs/metrics.md lacks the row:\n{row}");
        }
        let rows = documented.lines().filter(|line| line.starts_with("| `mainstay_")).count();
        assert_eq!(rows, METRICS.len(), "docs/metrics.md documents a metric that is not exported");
    }

    #[test]
    fn every_metric_has_a_distinct_name_of_ours() {
        let mut names: Vec<_> = METRICS.iter().map(|metric| metric.name).collect();
        assert!(names.iter().all(|name| name.starts_with("mainstay_")));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), METRICS.len());
    }
}
