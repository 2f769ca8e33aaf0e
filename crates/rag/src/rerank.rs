//! The second look: the best candidates of a search, in the order in which they answer the question.
//!
//! A search never fails by it and loses no passage by it. What a reranker did not read stays behind what it read, and
//! where it cannot or need not be asked, the order of the fusion stands and the result says why.

mod builtin;
pub mod features;
mod pace;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mainstay_domain::port::{Errand, Relevance, Reranker, RetrievalQuery, Retrieved};
use mainstay_domain::{
    Clock, ModelErrorKind, NotReranked, Passage, Reranked, Reranking, ServiceTier, TimeoutPhase,
};
use tokio::time::Instant;

pub use crate::rerank::builtin::BuiltinReranker;
use crate::rerank::pace::Pace;

/// How the passages of a corpus are reranked.
#[derive(Clone)]
pub struct RerankSettings {
    /// By what.
    pub reranker: Arc<TimedReranker>,
    /// How many of the best passages it reads.
    pub candidates: usize,
    /// How long a search waits for it at most.
    pub timeout: Duration,
    /// The share of its score by which the first passage must be ahead of the second for the reranker not to be asked;
    /// `None` to ask it whatever the lead is. A clear first says nothing of the others, so it is for those who use one
    /// passage, and have measured.
    pub clear_lead: Option<f32>,
}

impl RerankSettings {
    /// Twenty candidates: fewer lose passages that the fusion has misjudged, more take time for little.
    pub const CANDIDATES: usize = 20;

    /// A local cross-encoder takes some 40 to 80 ms for twenty passages, and a remote one about as long: what takes this
    /// long is out of order.
    pub const TIMEOUT: Duration = Duration::from_secs(2);
}

/// A reranker and what is known of the time that it takes. Corpora that use the same reranker share one.
pub struct TimedReranker {
    reranker: Arc<dyn Reranker>,
    pace: Mutex<Pace>,
}

/// A passage that moved up by more places than this was shifted, and not only nudged.
const SHIFT: usize = 5;

/// The second look at the passages of one search.
pub(crate) struct Stage<'a> {
    query: &'a RetrievalQuery,
    settings: Option<&'a RerankSettings>,
    clock: &'a Clock,
}

impl<'a> Stage<'a> {
    pub(crate) fn new(
        query: &'a RetrievalQuery,
        settings: Option<&'a RerankSettings>,
        clock: &'a Clock,
    ) -> Self {
        Self { query, settings, clock }
    }

    /// How many passages the search must find, so that there is something to choose from.
    pub(crate) fn depth(&self) -> usize {
        match (self.settings, self.query.tier) {
            (Some(settings), ServiceTier::Quality) => settings.candidates.max(self.query.limit),
            _ => self.query.limit,
        }
    }

    /// The best of the passages, which are in the order of the fusion.
    pub(crate) async fn order(&self, mut passages: Vec<Passage>) -> Retrieved {
        let reranking = match self.attempt(&passages) {
            Err(reason) => Reranking::Skipped(reason),
            Ok(attempt) => attempt.run(&mut passages).await,
        };
        passages.truncate(self.query.limit);
        Retrieved { reranking: with_shifts(reranking, &passages), passages, words_alone: false }
    }

    /// What is to be asked, unless there is a reason not to.
    fn attempt(&self, passages: &[Passage]) -> Result<Attempt<'a>, NotReranked> {
        let settings = self.settings.ok_or(NotReranked::NoReranker)?;
        if self.query.tier == ServiceTier::Fast {
            return Err(NotReranked::FastTier);
        }
        if !settings.reranker.reranker.is_for(&self.query.text) {
            return Err(NotReranked::OtherQuestion);
        }
        let [first, second, ..] = passages else { return Err(NotReranked::FewCandidates) };
        let lead = first.score.fused - second.score.fused;
        if settings.clear_lead.is_some_and(|share| lead > 0.0 && lead >= share * first.score.fused) {
            return Err(NotReranked::ClearLead);
        }
        // What comes after the search, an answer perhaps, is worth at least as much time as the order of its passages.
        let allowed = settings.timeout.min(self.query.deadline.remaining(self.clock) / 2);
        if !settings.reranker.fits_into(allowed, self.clock.instant()) {
            return Err(NotReranked::LittleTime);
        }
        let question = &self.query.text;
        let deadline = self.query.deadline.within(self.clock, allowed);
        Ok(Attempt {
            question,
            settings,
            allowed,
            errand: self.query.errand().by(deadline),
            clock: self.clock,
        })
    }
}

/// One call of the reranker.
struct Attempt<'a> {
    question: &'a str,
    settings: &'a RerankSettings,
    allowed: Duration,
    errand: Errand<'a>,
    clock: &'a Clock,
}

impl Attempt<'_> {
    /// Asks, and puts the passages in the order of the answer.
    async fn run(self, passages: &mut [Passage]) -> Reranking {
        let TimedReranker { reranker, .. } = &*self.settings.reranker;
        let candidates = &passages[..self.settings.candidates.min(passages.len())];
        let began = self.clock.instant();
        let asked = reranker.rerank(self.question, candidates, self.errand);
        let answer = self.clock.timeout(self.allowed, asked).await;
        let now = self.clock.instant();
        let took = now.duration_since(began);
        let model = reranker.model().to_owned();
        let kind = match answer {
            Some(Ok(relevance)) if fits(&relevance, candidates.len()) => {
                self.settings.reranker.took(took, now);
                reorder(passages, &relevance.scores);
                return Reranking::Done(Reranked { model, took, shifted: 0 });
            }
            Some(Ok(_)) => ModelErrorKind::Malformed,
            Some(Err(error)) => error.kind,
            None => ModelErrorKind::Timeout(TimeoutPhase::Total),
        };
        if matches!(kind, ModelErrorKind::Timeout(_)) {
            // It would have taken longer still; that it takes so long is what the next search has to know.
            self.settings.reranker.took(took, now);
        }
        tracing::warn!(reranker = model, code = kind.code(), "a search was not reranked");
        Reranking::Failed { model, kind }
    }
}

impl TimedReranker {
    /// A reranker of whose time nothing is known yet.
    pub fn new(reranker: Arc<dyn Reranker>) -> Self {
        Self { reranker, pace: Mutex::default() }
    }

    fn fits_into(&self, allowed: Duration, now: Instant) -> bool {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner).fits_into(allowed, now)
    }

    fn took(&self, duration: Duration, now: Instant) {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner).measured(duration, now);
    }
}

/// Whether there is a score for each candidate that can be compared.
fn fits(relevance: &Relevance, candidates: usize) -> bool {
    relevance.scores.len() == candidates && relevance.scores.iter().all(|score| score.is_finite())
}

/// Puts the passages with a score first, best first. Equals stay in the order that they had.
fn reorder(passages: &mut [Passage], scores: &[f32]) {
    for (passage, score) in passages.iter_mut().zip(scores) {
        passage.score.rerank = Some(*score);
    }
    let score = |passage: &Passage| passage.score.rerank.unwrap_or(f32::NEG_INFINITY);
    passages.sort_by(|a, b| score(b).total_cmp(&score(a)));
}

/// The same with the shifts among the passages that are returned.
fn with_shifts(reranking: Reranking, returned: &[Passage]) -> Reranking {
    let Reranking::Done(reranked) = reranking else { return reranking };
    let ranked = returned.iter().enumerate();
    let shifted =
        ranked.filter(|(position, passage)| passage.score.fused_rank > position + 1 + SHIFT).count();
    Reranking::Done(Reranked { shifted, ..reranked })
}

#[cfg(test)]
mod tests;
