//! An embedder that is not asked while it keeps failing. A question waits for no vector that will not come: whoever searches
//! goes on with its words.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mainstay_domain::port::{Embedder, EmbeddingPurpose, Embeddings, Errand};
use mainstay_domain::{Clock, ModelError, ModelErrorKind};
use mainstay_reliability::CallResult;

use crate::assistant::ModelName;
use crate::upstream::{Health, Upstreams, result_of, unavailable};

/// An embedder with a breaker. Documents are embedded in the background, by who has time to wait: they are never refused,
/// and show how it fares.
pub struct GuardedEmbedder {
    embedder: Arc<dyn Embedder>,
    name: ModelName,
    health: Arc<Health>,
    upstreams: Arc<Upstreams>,
    clock: Clock,
}

/// What of the time that is left a question may wait for its vector: the search has to have some too.
const SHARE: f64 = 2.0 / 3.0;

/// The longest that a question waits for its vector.
const LONGEST: Duration = Duration::from_secs(10);

impl GuardedEmbedder {
    /// Guards the embedder, which is `provider/model` to the upstreams.
    pub fn new(
        embedder: Arc<dyn Embedder>,
        name: ModelName,
        upstreams: Arc<Upstreams>,
        clock: Clock,
    ) -> Self {
        Self { embedder, health: upstreams.health(&name), name, upstreams, clock }
    }
}

#[async_trait]
impl Embedder for GuardedEmbedder {
    fn model(&self) -> &str {
        self.embedder.model()
    }

    fn dimension(&self) -> usize {
        self.embedder.dimension()
    }

    async fn embed(
        &self,
        texts: &[&str],
        purpose: EmbeddingPurpose,
        errand: Errand<'_>,
    ) -> Result<Embeddings, ModelError> {
        if purpose == EmbeddingPurpose::Passage {
            return self.embedder.embed(texts, purpose, errand).await;
        }
        let permit = match self.health.admit(self.upstreams.now(), true) {
            Ok(permit) => permit,
            Err(wait) => return Err(unavailable(&self.name, wait)),
        };
        // Given back whatever happens: a probe whose caller goes away must not be the last.
        let mut permit = Given { health: &self.health, upstreams: &self.upstreams, permit: Some(permit) };
        let deadline = errand.deadline;
        let patience = deadline.remaining(&self.clock).mul_f64(SHARE).min(LONGEST);
        let embedded =
            self.embedder.embed(texts, purpose, errand.by(deadline.within(&self.clock, patience))).await;
        permit.back(match &embedded {
            Ok(_) => CallResult::Succeeded,
            // The time that we gave is over, not the caller's: the embedder is too slow.
            Err(error)
                if matches!(error.kind, ModelErrorKind::Timeout(_)) && !deadline.has_passed(&self.clock) =>
            {
                CallResult::Failed
            }
            Err(error) => result_of(error.kind),
        });
        embedded
    }
}

/// A permit that is given back.
struct Given<'a> {
    health: &'a Health,
    upstreams: &'a Upstreams,
    permit: Option<mainstay_reliability::Permit>,
}

impl Given<'_> {
    fn back(&mut self, result: CallResult) {
        if let Some(permit) = self.permit.take() {
            self.health.record(self.upstreams.now(), permit, result);
        }
    }
}

impl Drop for Given<'_> {
    fn drop(&mut self) {
        self.back(CallResult::Unknown);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use mainstay_domain::Deadline;

    use super::*;
    use crate::upstream::CallPolicy;

    /// Fails so often, then embeds.
    struct Failing(AtomicUsize, usize);

    #[async_trait]
    impl Embedder for Failing {
        fn model(&self) -> &str {
            "p/e"
        }

        fn dimension(&self) -> usize {
            1
        }

        async fn embed(
            &self,
            texts: &[&str],
            _: EmbeddingPurpose,
            _: Errand<'_>,
        ) -> Result<Embeddings, ModelError> {
            if self.0.fetch_add(1, Ordering::Relaxed) < self.1 {
                return Err(ModelError {
                    kind: ModelErrorKind::Provider,
                    provider: "p".to_owned(),
                    status: Some(500),
                    message: "no".to_owned(),
                    retry_after: None,
                });
            }
            Ok(Embeddings { dimension: 1, values: vec![1.0; texts.len()], tokens: 1 })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn questions_do_not_wait_for_an_embedder_that_is_down_and_documents_do() {
        let clock = Clock::system();
        let upstreams = Upstreams::new(CallPolicy::default(), [], clock);
        let failing = Arc::new(Failing(AtomicUsize::new(0), 3));
        let guarded = GuardedEmbedder::new(failing.clone(), "p/e".parse().unwrap(), upstreams.clone(), clock);
        let embed = async |purpose| {
            let deadline = Deadline::after(&clock, Duration::from_secs(9));
            guarded
                .embed(&["a"], purpose, Errand::until(deadline))
                .await
                .map(|_| ())
                .map_err(|error| error.kind)
        };
        for _ in 0..3 {
            assert_eq!(embed(EmbeddingPurpose::Query).await, Err(ModelErrorKind::Provider));
        }
        assert_eq!(embed(EmbeddingPurpose::Query).await, Err(ModelErrorKind::Unavailable));
        assert_eq!(failing.0.load(Ordering::Relaxed), 3, "it is left alone");
        assert_eq!(embed(EmbeddingPurpose::Passage).await, Ok(()));
        assert_eq!(upstreams.reports()[0].model, "p/e");
        tokio::time::advance(Duration::from_secs(61)).await;
        for _ in 0..3 {
            assert_eq!(embed(EmbeddingPurpose::Query).await, Ok(()));
        }
    }
}
