//! How far the index is behind: the documents that were accepted and are not visible yet.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mainstay_domain::{CorpusName, DocumentId, TenantId, Timestamp};
use mainstay_store::documents::{AcceptedBatch, Revision};

/// How far the index is behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lag {
    /// The age of the document that has waited longest; zero when none waits.
    pub oldest: Duration,
    /// Documents that wait.
    pub waiting: usize,
}

/// Notices when the index is further behind than was promised, and when no longer.
pub(crate) struct StalenessWatch {
    promised: Option<Duration>,
    is_broken: bool,
}

impl StalenessWatch {
    /// Nothing was seen yet.
    pub(crate) fn new(promised: Option<Duration>) -> Self {
        Self { promised, is_broken: false }
    }

    /// Looks at the lag, and logs when the promise is broken or holds again.
    pub(crate) fn look(&mut self, lag: Lag) {
        if let Some(is_broken) = self.turn(lag) {
            let (seconds, waiting) = (lag.oldest.as_secs(), lag.waiting);
            let promised = self.promised.unwrap_or_default().as_secs();
            if is_broken {
                tracing::warn!(
                    seconds,
                    promised,
                    waiting,
                    "the index is further behind than slo.freshness promises"
                );
            } else {
                tracing::info!("the index is as fresh again as slo.freshness promises");
            }
        }
    }

    /// Whether the promise is broken now, where that has changed.
    fn turn(&mut self, lag: Lag) -> Option<bool> {
        let is_broken = self.promised.is_some_and(|promised| lag.oldest > promised);
        (std::mem::replace(&mut self.is_broken, is_broken) != is_broken).then_some(is_broken)
    }
}

/// The documents that wait, in this process. Those that a crash left waiting enter when they are read back.
#[derive(Default)]
pub(crate) struct Backlog(Mutex<HashMap<(TenantId, CorpusName, DocumentId), Waiting>>);

#[derive(Clone, Copy)]
struct Waiting {
    revision: Revision,
    /// Since the document's first version that nobody sees: a newer one does not make the wait shorter.
    since: Timestamp,
}

impl Backlog {
    /// These were accepted.
    pub(crate) fn enter(&self, batch: &AcceptedBatch) {
        let mut waiting = self.lock();
        for document in &batch.documents {
            let key = (batch.tenant.clone(), batch.corpus.clone(), document.doc_id.clone());
            let entry = waiting
                .entry(key)
                .or_insert(Waiting { revision: document.revision, since: batch.accepted_at });
            entry.revision = entry.revision.max(document.revision);
        }
    }

    /// These are visible, or replaced by versions that are, or deleted.
    pub(crate) fn leave(&self, batch: &AcceptedBatch) {
        let mut waiting = self.lock();
        for document in &batch.documents {
            let key = (batch.tenant.clone(), batch.corpus.clone(), document.doc_id.clone());
            if waiting.get(&key).is_some_and(|entry| entry.revision <= document.revision) {
                waiting.remove(&key);
            }
        }
    }

    /// This one was deleted.
    pub(crate) fn forget(&self, tenant: &TenantId, corpus: &CorpusName, document: &DocumentId) {
        self.lock().remove(&(tenant.clone(), corpus.clone(), document.clone()));
    }

    /// How long they have waited.
    pub(crate) fn lag(&self, now: Timestamp) -> Lag {
        let waiting = self.lock();
        let oldest = waiting.values().map(|entry| entry.since).min().unwrap_or(now);
        let micros = now.as_micros().saturating_sub(oldest.as_micros());
        Lag { oldest: Duration::from_micros(u64::try_from(micros).unwrap_or(0)), waiting: waiting.len() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(TenantId, CorpusName, DocumentId), Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use mainstay_domain::ChunkId;
    use mainstay_store::documents::{AcceptedDocument, ChunkSpan};

    use super::*;

    fn batch(second: i64, documents: &[(&str, u64)]) -> AcceptedBatch {
        let documents = documents.iter().map(|(id, revision)| AcceptedDocument {
            doc_id: DocumentId::new(id),
            revision: Revision(*revision),
            chunks: ChunkSpan { first: ChunkId(*revision), count: 1 },
        });
        AcceptedBatch {
            tenant: TenantId::single(),
            corpus: CorpusName::unnamed(),
            accepted_at: at(second),
            documents: documents.collect(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    fn lag(seconds: u64, waiting: usize) -> Lag {
        Lag { oldest: Duration::from_secs(seconds), waiting }
    }

    #[test]
    fn the_lag_is_the_age_of_what_has_waited_longest() {
        let backlog = Backlog::default();
        assert_eq!(backlog.lag(at(9)), lag(0, 0));
        backlog.enter(&batch(10, &[("a", 1), ("b", 2)]));
        backlog.enter(&batch(14, &[("c", 3)]));
        assert_eq!(backlog.lag(at(20)), lag(10, 3));
        assert_eq!(backlog.lag(at(5)), lag(0, 3), "the wall clock may jump back");
        backlog.leave(&batch(10, &[("a", 1)]));
        backlog.forget(&TenantId::single(), &CorpusName::unnamed(), &DocumentId::new("b"));
        assert_eq!(backlog.lag(at(20)), lag(6, 1));
        backlog.leave(&batch(14, &[("c", 3)]));
        assert_eq!(backlog.lag(at(20)), lag(0, 0));
    }

    #[test]
    fn a_broken_promise_is_noticed_once_and_so_is_its_end() {
        let mut watch = StalenessWatch::new(Some(Duration::from_secs(60)));
        let turns = [60, 61, 90, 3, 0, 61].map(|seconds| watch.turn(lag(seconds, 1)));
        assert_eq!(turns, [None, Some(true), None, Some(false), None, Some(true)]);
        assert_eq!(StalenessWatch::new(None).turn(lag(9_999, 1)), None);
    }

    #[test]
    fn a_newer_version_does_not_make_the_wait_of_a_document_shorter() {
        let backlog = Backlog::default();
        backlog.enter(&batch(10, &[("a", 1)]));
        backlog.enter(&batch(15, &[("a", 2)]));
        backlog.leave(&batch(10, &[("a", 1)]));
        assert_eq!(backlog.lag(at(20)), lag(10, 1), "the newer version is still to come");
        backlog.leave(&batch(15, &[("a", 2)]));
        assert_eq!(backlog.lag(at(20)), lag(0, 0));
    }
}
