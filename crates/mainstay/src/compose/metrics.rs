//! The metrics of this process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use mainstay_cache::AnswerCache;
use mainstay_gateway::{Admission, Service};
use mainstay_models::Upstreams;
use mainstay_ops::{Budgets, measure};
use mainstay_rag::{CorpusSize, Library};
use mainstay_reliability::{BreakerReport, BreakerState};
use mainstay_security::Access;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Starts the metrics of this process, once: a verb may start several Mainstays, one after the other.
pub(super) fn install_metrics() -> anyhow::Result<PrometheusHandle> {
    static INSTALLED: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*installed {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &measure::seconds_buckets())?
        .install_recorder()
        .context("the metrics cannot be started")?;
    measure::describe();
    Ok(installed.insert(handle).clone())
}

/// What is asked when the metrics are wanted.
pub(super) struct Watched {
    pub(super) library: Arc<Library>,
    pub(super) upstreams: Arc<Upstreams>,
    pub(super) admission: Arc<Admission>,
    pub(super) service: Arc<Service>,
    pub(super) budgets: Arc<Budgets>,
    pub(super) answers: Arc<AnswerCache>,
    pub(super) access: Arc<Access>,
}

/// What `/metrics` answers: how far the index is behind, what is in quarantine and how the upstreams fare is asked when it
/// is wanted.
pub(super) fn render_metrics(metrics: PrometheusHandle, watched: Watched) -> impl Fn() -> String {
    let Watched { library, upstreams, admission, service, budgets, answers, access } = watched;
    move || {
        let lag = library.lag();
        measure::index_lag(lag.oldest, lag.waiting);
        // Corpora of the same name of several tenants count together, and so do those that tenants name themselves.
        let mut quarantined: BTreeMap<(String, String), u64> = BTreeMap::new();
        for (corpus, reasons) in library.quarantined() {
            for (reason, chunks) in reasons {
                *quarantined.entry((measure::corpus_label(&corpus), reason)).or_default() += chunks;
            }
        }
        for ((corpus, reason), chunks) in quarantined {
            measure::quarantined_chunks(&corpus, &reason, chunks);
        }
        let mut sizes: BTreeMap<String, CorpusSize> = BTreeMap::new();
        for (corpus, size) in library.sizes() {
            let all = sizes.entry(measure::corpus_label(&corpus)).or_default();
            all.documents += size.documents;
            all.chunks += size.chunks;
            all.text_bytes += size.text_bytes;
            all.languages = all.languages.max(size.languages);
        }
        for (corpus, size) in sizes {
            measure::corpus_size(&corpus, size.documents, size.chunks, size.text_bytes, size.languages);
        }
        let reports = upstreams.reports();
        for report in reports.iter().filter(|report| measure::is_known_model(&report.model)) {
            let BreakerReport { state, opens, oscillations } = report.breaker;
            measure::breaker(&report.model, number_of(state), opens, oscillations);
        }
        for (issuer, report) in access.tokens.iter().flat_map(|tokens| tokens.verifier.breakers()) {
            measure::issuer_breaker(&issuer, number_of(report.state), report.opens, report.oscillations);
        }
        for (at, (tier, running, waiting)) in admission.load().into_iter().enumerate() {
            measure::tier_load(tier.as_str(), running, waiting);
            measure::service(tier.as_str(), service.level(at) as u8, service.oscillations());
        }
        let mut used: BTreeMap<String, f64> = BTreeMap::new();
        for standing in budgets.standings() {
            let share = standing.spent.as_dollars_lossy() / standing.limit.as_dollars_lossy();
            let highest = used.entry(standing.name).or_default();
            *highest = highest.max(share);
        }
        for (budget, share) in used {
            measure::budget_used(&budget, share);
        }
        let stats = answers.stats();
        let (checks, wrong) = stats.checks;
        measure::cache(&measure::CacheCounts {
            lookups: stats.lookups,
            hits: [stats.exact_hits, stats.semantic_hits],
            shared: stats.shared,
            saved: stats.saved,
            checks: [u64::from(checks - wrong), u64::from(wrong)],
            error_bound: mainstay_cache::error_bound(checks, wrong),
            questions: stats.questions,
        });
        measure::pressure(admission.capacity(), admission.level() as u8);
        metrics.render()
    }
}

/// The state as the gauges have it.
const fn number_of(state: BreakerState) -> u8 {
    match state {
        BreakerState::Closed => 0,
        BreakerState::HalfOpen => 1,
        BreakerState::Open => 2,
    }
}
