//! The audit trail of a data folder: opened, kept on disk, anchored and trimmed; and what it holds of the service's own doing.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use mainstay_audit::{AuditLog, PseudonymSettings, Pseudonyms, RetentionPolicy, Settings};
use mainstay_domain::{Clock, TierName, Timestamp};
use mainstay_gateway::Service;
use mainstay_models::Upstreams;
use mainstay_ops::Trail;
use mainstay_reliability::{BreakerState, ServiceLevel};
use mainstay_store::SqliteAnchors;
use tokio_util::sync::CancellationToken;

use crate::config::sections::audit::Audit;

/// The folder of the trail inside the data folder: the log, its key, and whom its pseudonyms stand for, apart from it.
const FOLDER: &str = "audit";

/// How often where the chain stands is written down elsewhere.
const ANCHORED_EVERY: Duration = Duration::from_secs(10 * 60);

/// How often what has been kept long enough is removed, in anchors.
const TRIMMED_EVERY: u32 = 6 * 24;

/// The folder of the audit log in a data folder.
pub(crate) fn log_folder(data_dir: &Path) -> std::path::PathBuf {
    data_dir.join(FOLDER).join("log")
}

/// Opens the trail.
pub(super) fn open_trail(data_dir: &Path, settings: &Audit, clock: Clock) -> anyhow::Result<Trail> {
    if !settings.enabled {
        return Ok(Trail::off(clock));
    }
    let folder = data_dir.join(FOLDER);
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    let log = AuditLog::open(&log_folder(data_dir), &folder.join("signing.key"), clock, Settings::default())
        .context("the audit log cannot be opened")?;
    let pseudonyms = Pseudonyms::open(&folder.join("people"), PseudonymSettings::default())
        .context("the audit log's table of people cannot be opened")?;
    Ok(Trail::new(Arc::new(log), Arc::new(pseudonyms), settings.required, clock))
}

/// How often it is looked whether something is in another state.
const LOOKED_EVERY: Duration = Duration::from_secs(1);

/// Records breakers and levels of service that are in another state than before, until it is told to stop. A breaker that opened and
/// closed between two looks is recorded too, by how often it opened.
pub(super) async fn record_shifts(
    trail: Trail,
    upstreams: Arc<Upstreams>,
    service: Arc<Service>,
    tiers: Vec<TierName>,
    clock: Clock,
    stop: CancellationToken,
) {
    let mut breakers: BTreeMap<String, (BreakerState, u64)> = BTreeMap::new();
    let mut levels = vec![ServiceLevel::default(); tiers.len()];
    while stop.run_until_cancelled(clock.sleep(LOOKED_EVERY)).await.is_some() {
        for report in upstreams.reports() {
            let (model, breaker) = (report.model, report.breaker);
            let (state, opens) = breakers.get(&model).copied().unwrap_or((BreakerState::Closed, 0));
            if breaker.opens > opens && breaker.state != BreakerState::Open {
                trail.shifted("breaker", &model, state.as_str(), BreakerState::Open.as_str());
                trail.shifted("breaker", &model, BreakerState::Open.as_str(), breaker.state.as_str());
            } else if breaker.state != state {
                trail.shifted("breaker", &model, state.as_str(), breaker.state.as_str());
            }
            breakers.insert(model, (breaker.state, breaker.opens));
        }
        for (at, tier) in tiers.iter().enumerate() {
            let (old, new) = (levels[at], service.level(at));
            if old != new {
                trail.shifted("service_level", tier.as_str(), old.as_str(), new.as_str());
                levels[at] = new;
            }
        }
    }
}

/// Writes down in the database where the chain stands, and removes what has been kept long enough, until it is told to stop.
pub(super) async fn maintain_trail(
    trail: Trail,
    anchors: SqliteAnchors,
    retention: RetentionPolicy,
    clock: Clock,
    stop: CancellationToken,
) {
    let Some(log) = trail.log().cloned() else { return };
    let mut turns = 0;
    loop {
        if let Some(head) = log.head()
            && let Err(error) = anchors.keep(head.seq, head.hash.as_bytes(), head.at).await
        {
            tracing::warn!(%error, "where the audit log stands could not be written down");
        }
        if turns % TRIMMED_EVERY == 0 {
            let (log, pseudonyms, retention) = (log.clone(), trail.pseudonyms().cloned(), retention.clone());
            let now = clock.now();
            let trimmed = tokio::task::spawn_blocking(move || {
                log.expire(&retention)?;
                if let Some(pseudonyms) = pseudonyms {
                    pseudonyms.expire(year_before(now))?;
                }
                anyhow::Ok(())
            });
            if let Ok(Err(error)) = trimmed.await {
                tracing::warn!(%error, "what has been kept long enough could not be removed from the audit log");
            }
        }
        turns += 1;
        if stop.run_until_cancelled(clock.sleep(ANCHORED_EVERY)).await.is_none() {
            return;
        }
    }
}

/// Whom a pseudonym stands for is not needed any longer than a record with it.
fn year_before(now: Timestamp) -> Timestamp {
    const YEAR_MICROS: i64 = 365 * 24 * 60 * 60 * 1_000_000;
    Timestamp::from_micros(now.as_micros() - YEAR_MICROS)
}
