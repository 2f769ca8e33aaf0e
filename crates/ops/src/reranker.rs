//! Reranking that nobody asked for by name, and that costs all the same.

use std::sync::Arc;

use async_trait::async_trait;
use mainstay_domain::port::{Errand, Prices, Relevance, Reranker};
use mainstay_domain::usage::estimate_tokens;
use mainstay_domain::{Caller, Clock, ModelError, Passage};

use crate::account::{Account, Bill, Booking};
use crate::turn::TurnBook;

/// A reranker that books every call.
pub struct BookedReranker {
    reranker: Arc<dyn Reranker>,
    account: Account,
}

/// Passages that are billed as one search.
const SEARCH_PASSAGES: usize = 100;

impl BookedReranker {
    /// Books the calls of `reranker` to `payer`.
    pub fn new(
        reranker: Arc<dyn Reranker>,
        turns: TurnBook,
        prices: Arc<dyn Prices>,
        payer: Caller,
        clock: Clock,
    ) -> Self {
        Self { reranker, account: Account { turns, prices, payer, clock } }
    }

    /// What the provider will bill, as far as it can be known before it says so: the question is read with each passage.
    fn expected(&self, question: &str, candidates: &[Passage]) -> Bill {
        let asked = estimate_tokens(question);
        let read = candidates.iter().map(|passage| asked + estimate_tokens(&passage.text_in_context()));
        let bills_searches = self.account.bills_searches(self.reranker.model());
        let searches = if bills_searches { candidates.len().div_ceil(SEARCH_PASSAGES) as u64 } else { 0 };
        Bill { tokens: read.sum(), searches }
    }
}

#[async_trait]
impl Reranker for BookedReranker {
    fn is_for(&self, question: &str) -> bool {
        self.reranker.is_for(question)
    }

    fn model(&self) -> &str {
        self.reranker.model()
    }

    async fn rerank(
        &self,
        question: &str,
        candidates: &[Passage],
        errand: Errand<'_>,
    ) -> Result<Relevance, ModelError> {
        let model = self.reranker.model();
        let expected = self.expected(question, candidates);
        let booking = Booking { payer: errand.payer, operation: "rerank", model, expected, spent: None };
        let call = self.reranker.rerank(question, candidates, errand);
        let billed = |relevance: &Relevance| {
            let bill = Bill { tokens: relevance.tokens, searches: relevance.searches };
            let says_it = bill.searches > 0 || bill.tokens > 0 && !self.account.bills_searches(model);
            says_it.then_some(bill)
        };
        self.account.book(booking, call, billed).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mainstay_domain::ledger::{Outcome, TurnRecord};
    use mainstay_domain::usage::UsageSource;
    use mainstay_domain::{ChunkId, Deadline, KeyId, ModelErrorKind, NanoUsd, TenantId, Timestamp, Usage};

    use super::*;
    use crate::testing::Booked;

    /// Ten nano-dollars a token, and perhaps a thousand a search.
    struct List {
        bills_searches: bool,
    }

    impl Prices for List {
        fn cost(&self, _: &str, usage: &Usage) -> Option<(NanoUsd, &str)> {
            Some((NanoUsd::new(10 * usage.prompt as i64), "2026-01-01"))
        }

        fn search_cost(&self, _: &str, searches: u64) -> Option<(NanoUsd, &str)> {
            self.bills_searches.then(|| (NanoUsd::new(1_000 * searches as i64), "2026-02-02"))
        }
    }

    struct Remote(Result<Relevance, ModelErrorKind>);

    #[async_trait]
    impl Reranker for Remote {
        fn model(&self) -> &str {
            "remote/reranker"
        }

        async fn rerank(&self, _: &str, _: &[Passage], _: Errand<'_>) -> Result<Relevance, ModelError> {
            self.0.clone().map_err(|kind| ModelError {
                kind,
                provider: "remote".to_owned(),
                status: None,
                message: "no".to_owned(),
                retry_after: None,
            })
        }
    }

    fn passage(text: &str) -> Passage {
        Passage::whole(ChunkId(1), "tides", text)
    }

    async fn booked(answer: Result<Relevance, ModelErrorKind>, bills_searches: bool) -> TurnRecord {
        let ledger = Booked::new();
        let clock = Clock::starting_at(Timestamp::from_micros(0));
        let payer = Caller::of(TenantId::single(), KeyId::new("library"));
        let turns = TurnBook::new(ledger.clone(), clock);
        let prices = Arc::new(List { bills_searches });
        let reranker = BookedReranker::new(Arc::new(Remote(answer)), turns, prices, payer, clock);
        let deadline = Deadline::after(&clock, Duration::from_secs(1));
        let candidates = [passage("a harbour"), passage("a ferry")];
        let _ = reranker.rerank("where", &candidates, Errand::until(deadline)).await;
        let mut records = ledger.records();
        assert_eq!(records.len(), 1);
        records.remove(0)
    }

    fn answer(tokens: u64, searches: u64) -> Result<Relevance, ModelErrorKind> {
        Ok(Relevance { scores: vec![0.1, 0.2], tokens, searches })
    }

    #[tokio::test(start_paused = true)]
    async fn what_reranking_costs_is_booked_by_what_the_provider_bills() {
        let tokens = booked(answer(7, 0), false).await;
        assert_eq!((tokens.outcome, tokens.operation.as_str()), (Outcome::Completed, "rerank"));
        assert_eq!((tokens.usage.prompt, tokens.cost), (7, NanoUsd::new(70)));
        assert_eq!(tokens.key, Some(KeyId::new("library")));
        let search = booked(answer(0, 1), true).await;
        assert_eq!((search.cost, search.price_date.as_deref()), (NanoUsd::new(1_000), Some("2026-02-02")));
    }

    #[tokio::test(start_paused = true)]
    async fn searches_without_a_price_are_not_free() {
        let record = booked(answer(0, 1), false).await;
        assert_eq!(record.price_date, None);
    }

    #[tokio::test(start_paused = true)]
    async fn where_the_provider_says_nothing_the_estimate_stands() {
        let record = booked(answer(0, 0), false).await;
        assert_eq!(record.usage_source, UsageSource::Estimated);
        assert!(record.usage.prompt >= 4 && record.cost > NanoUsd::ZERO);
        for answer in [answer(0, 0), answer(7, 0)] {
            assert_eq!(booked(answer, true).await.cost, NanoUsd::new(1_000));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_costs_nothing_and_a_timeout_may() {
        for bills_searches in [false, true] {
            let refused = booked(Err(ModelErrorKind::RateLimited), bills_searches).await;
            assert_eq!((refused.outcome, refused.cost), (Outcome::Failed, NanoUsd::ZERO));
            assert!(refused.price_date.is_some());
            let cut = booked(Err(ModelErrorKind::Truncated), bills_searches).await;
            assert!(cut.cost > NanoUsd::ZERO);
        }
    }
}
