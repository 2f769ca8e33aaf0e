//! Embedding that nobody asked for by name, and that costs all the same: of documents that are added, and of questions that
//! search them.

use std::sync::Arc;

use async_trait::async_trait;
use mainstay_domain::port::{Embedder, EmbeddingPurpose, Embeddings, Errand, Prices, Spent};
use mainstay_domain::usage::estimate_tokens;
use mainstay_domain::{Caller, Clock, ModelError};

use crate::account::{Account, Bill, Booking};
use crate::turn::TurnBook;

/// An embedder that books every call.
pub struct BookedEmbedder {
    embedder: Arc<dyn Embedder>,
    account: Account,
}

impl BookedEmbedder {
    /// Books the calls of `embedder` to whoever pays for them, and to `payer` where nobody is named.
    pub fn new(
        embedder: Arc<dyn Embedder>,
        turns: TurnBook,
        prices: Arc<dyn Prices>,
        payer: Caller,
        clock: Clock,
    ) -> Self {
        Self { embedder, account: Account { turns, prices, payer, clock } }
    }
}

#[async_trait]
impl Embedder for BookedEmbedder {
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
        let tokens = |tokens| Bill { tokens, ..Bill::default() };
        let spent = Spent::default();
        let booking = Booking {
            payer: errand.payer,
            operation: match purpose {
                EmbeddingPurpose::Passage => "embed_documents",
                EmbeddingPurpose::Query => "embed_question",
            },
            model: self.embedder.model(),
            expected: tokens(texts.iter().map(|text| estimate_tokens(text)).sum()),
            spent: Some(&spent),
        };
        let call = self.embedder.embed(texts, purpose, errand.noted_in(&spent));
        // Some servers do not count, and answer 0.
        let billed = |embedded: &Embeddings| (embedded.tokens > 0).then(|| tokens(embedded.tokens));
        self.account.book(booking, call, billed).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mainstay_domain::ledger::{Outcome, TurnRecord};
    use mainstay_domain::usage::UsageSource;
    use mainstay_domain::{
        Deadline, KeyId, ModelErrorKind, NanoUsd, TenantId, TimeoutPhase, Timestamp, Usage,
    };

    use super::*;
    use crate::testing::Booked;

    /// Ten nano-dollars a token.
    struct TenEach;

    impl Prices for TenEach {
        fn cost(&self, _: &str, usage: &Usage) -> Option<(NanoUsd, &str)> {
            Some((NanoUsd::new(10 * usage.prompt as i64), "2026-01-01"))
        }
    }

    /// Answers that it read so many tokens, or fails.
    struct Remote(Result<u64, ModelErrorKind>);

    #[async_trait]
    impl Embedder for Remote {
        fn model(&self) -> &str {
            "remote/small"
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
            match self.0 {
                Ok(tokens) => Ok(Embeddings { dimension: 1, values: vec![1.0; texts.len()], tokens }),
                Err(kind) => Err(ModelError {
                    kind,
                    provider: "remote".to_owned(),
                    status: None,
                    message: "no".to_owned(),
                    retry_after: None,
                }),
            }
        }
    }

    async fn booked(remote: impl Embedder + 'static, purpose: EmbeddingPurpose) -> TurnRecord {
        let ledger = Booked::new();
        let clock = Clock::starting_at(Timestamp::from_micros(0));
        let payer = Caller::of(TenantId::single(), KeyId::new("library"));
        let turns = TurnBook::new(ledger.clone(), clock);
        let embedder = BookedEmbedder::new(Arc::new(remote), turns, Arc::new(TenEach), payer, clock);
        let deadline = Deadline::after(&clock, Duration::from_secs(1));
        let _ = embedder.embed(&["a harbour", "a ferry"], purpose, Errand::until(deadline)).await;
        let mut records = ledger.records();
        assert_eq!(records.len(), 1);
        records.remove(0)
    }

    #[tokio::test(start_paused = true)]
    async fn what_embedding_costs_is_booked_to_the_payer() {
        let record = booked(Remote(Ok(7)), EmbeddingPurpose::Passage).await;
        assert_eq!((record.outcome, record.operation.as_str()), (Outcome::Completed, "embed_documents"));
        assert_eq!((record.usage.prompt, record.cost), (7, NanoUsd::new(70)));
        assert_eq!(record.key, Some(KeyId::new("library")));
    }

    #[tokio::test(start_paused = true)]
    async fn who_an_errand_names_pays_for_it() {
        let (ledger, clock) = (Booked::new(), Clock::starting_at(Timestamp::from_micros(0)));
        let itself = Caller::of(TenantId::single(), KeyId::new("library"));
        let turns = TurnBook::new(ledger.clone(), clock);
        let embedder = BookedEmbedder::new(Arc::new(Remote(Ok(7))), turns, Arc::new(TenEach), itself, clock);
        let acme = Caller::of(TenantId::new("acme"), KeyId::new("key_acme"));
        let errand = Errand::paid_by(&acme, Deadline::after(&clock, Duration::from_secs(1)));
        embedder.embed(&["where?"], EmbeddingPurpose::Query, errand).await.expect("it answers");
        let record = ledger.records().remove(0);
        assert_eq!((record.tenant, record.key), (Some(acme.tenant), Some(acme.key)));
    }

    #[tokio::test(start_paused = true)]
    async fn where_the_provider_does_not_count_the_estimate_stands() {
        let record = booked(Remote(Ok(0)), EmbeddingPurpose::Passage).await;
        assert_eq!((record.outcome, record.usage_source), (Outcome::Completed, UsageSource::Estimated));
        assert!(record.usage.prompt > 0 && record.cost > NanoUsd::ZERO);
    }

    /// Three batches: one was answered, one timed out, and then one was refused.
    struct Batches(Result<(), ModelErrorKind>);

    #[async_trait]
    impl Embedder for Batches {
        fn model(&self) -> &str {
            "remote/small"
        }

        fn dimension(&self) -> usize {
            1
        }

        async fn embed(
            &self,
            texts: &[&str],
            purpose: EmbeddingPurpose,
            errand: Errand<'_>,
        ) -> Result<Embeddings, ModelError> {
            let spent = errand.spent.expect("what it costs is noted");
            spent.begin(30).answered(40);
            spent.begin(50).failed(ModelErrorKind::Timeout(TimeoutPhase::Headers));
            spent.begin(50).failed(ModelErrorKind::RateLimited);
            Remote(self.0.map(|()| 90)).embed(texts, purpose, errand).await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn batches_that_were_answered_cost_although_another_fails_and_tries_that_failed_although_it_succeeds()
     {
        let failed = booked(Batches(Err(ModelErrorKind::RateLimited)), EmbeddingPurpose::Passage).await;
        assert_eq!(
            (failed.outcome, failed.usage.prompt, failed.cost),
            (Outcome::Failed, 90, NanoUsd::new(900))
        );
        let succeeded = booked(Batches(Ok(())), EmbeddingPurpose::Passage).await;
        assert_eq!((succeeded.usage.prompt, succeeded.cost), (90, NanoUsd::new(900)));
        assert_eq!((succeeded.failed_attempts, succeeded.failed_cost), (1, NanoUsd::new(500)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_costs_nothing_and_a_timeout_may() {
        let refused = booked(Remote(Err(ModelErrorKind::RateLimited)), EmbeddingPurpose::Query).await;
        assert_eq!((refused.outcome, refused.operation.as_str()), (Outcome::Failed, "embed_question"));
        assert_eq!((refused.cost, refused.price_date.as_deref()), (NanoUsd::ZERO, Some("2026-01-01")));
        let cut = booked(Remote(Err(ModelErrorKind::Truncated)), EmbeddingPurpose::Query).await;
        assert!(cut.cost > NanoUsd::ZERO);
    }
}
