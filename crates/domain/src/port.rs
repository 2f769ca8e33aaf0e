//! The ports: what the request path needs from the world. Higher layers implement them; the composition root connects.

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_core::Stream;

use crate::chat::{ChatEvent, ChatRequest, Completion};
use crate::citation::Passage;
use crate::error::{ModelError, ModelErrorKind, TimeoutPhase};
use crate::filter::Filter;
use crate::id::{CorpusName, RegionName, TenantId};
use crate::identity::Caller;
use crate::ledger::TurnRecord;
use crate::money::NanoUsd;
use crate::rerank::{Reranking, ServiceTier};
use crate::time::Deadline;
use crate::usage::Usage;

/// One attempt at one model.
#[derive(Clone, Debug)]
pub struct ModelCall {
    /// The model by the provider's own name.
    pub model: String,
    /// The conversation as it is to be sent: retrieved text is already in it.
    pub request: ChatRequest,
    /// The passages in the prompt, for a model that reads them as data (the built-in extractive answerer).
    pub passages: Vec<Passage>,
    /// When the answer is no longer wanted.
    pub deadline: Deadline,
    /// The region that nothing of the conversation may leave, where there is one.
    pub region: Option<RegionName>,
}

/// The pieces of a streamed answer. It ends (`None`) only after the model said that it had finished; a cut is an
/// `Err`. Dropping it cancels the call.
pub type ChatStream = Pin<Box<dyn Stream<Item = Result<ChatEvent, ModelError>> + Send>>;

/// Something that answers a conversation.
#[async_trait]
pub trait ChatModel: Send + Sync {
    /// The whole answer at once. Dropping the future cancels the call.
    async fn complete(&self, call: ModelCall) -> Result<Completion, ModelError>;

    /// The answer in pieces. Returns when the provider has accepted the request (its status is known), which may be
    /// before the first piece.
    async fn stream(&self, call: ModelCall) -> Result<ChatStream, ModelError>;
}

/// On whose behalf a model works that nobody asked for by name, and until when.
#[derive(Clone, Copy, Debug)]
pub struct Errand<'a> {
    /// When the result is no longer wanted.
    pub deadline: Deadline,
    /// Who pays; without one, whoever runs this Mainstay.
    pub payer: Option<&'a Caller>,
    /// Where what providers bill for it is noted, where somebody wants to know.
    pub spent: Option<&'a Spent>,
}

impl<'a> Errand<'a> {
    /// Work that whoever runs this Mainstay pays for.
    pub const fn until(deadline: Deadline) -> Self {
        Self { deadline, payer: None, spent: None }
    }

    /// Work that this caller pays for.
    pub const fn paid_by(payer: &'a Caller, deadline: Deadline) -> Self {
        Self { deadline, payer: Some(payer), spent: None }
    }

    /// The same, wanted until then.
    #[must_use]
    pub const fn by(self, deadline: Deadline) -> Self {
        Self { deadline, ..self }
    }

    /// The same; what providers bill for it is noted there.
    #[must_use]
    pub const fn noted_in(self, spent: &'a Spent) -> Self {
        Self { spent: Some(spent), ..self }
    }
}

/// What providers bill for an errand that takes several calls. An errand that fails has cost what its other calls were
/// answered for, and one that succeeds may have cost calls that failed.
#[derive(Default, Debug)]
pub struct Spent(Mutex<Calls>);

#[derive(Clone, Default, Debug)]
struct Calls {
    /// Tokens of the calls that were answered.
    answered: u64,
    /// Those that failed and may be billed, with their tokens.
    failed: Vec<(ModelErrorKind, u64)>,
}

impl Spent {
    /// A call of about so many tokens begins.
    pub fn begin(&self, tokens: u64) -> SpentCall<'_> {
        SpentCall { spent: self, tokens }
    }

    /// The calls that failed and may be billed, with their tokens.
    pub fn failures(&self) -> Vec<(ModelErrorKind, u64)> {
        self.calls().failed.clone()
    }

    /// Tokens to be booked for an errand that has failed in this way and would have taken so many. Where no call was noted,
    /// whoever worked does not note them: then the failure says whether it may be billed.
    pub fn by_failed(&self, kind: ModelErrorKind, expected: u64) -> u64 {
        let calls = self.calls();
        let noted = calls.failed.iter().fold(calls.answered, |sum, (_, tokens)| sum.saturating_add(*tokens));
        if noted == 0 && kind.may_be_billed() { expected } else { noted }
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that is under way. One that is dropped before its end, because another of the same errand has failed, may be billed:
/// it counts as one whose time has run out.
#[derive(Debug)]
pub struct SpentCall<'a> {
    spent: &'a Spent,
    tokens: u64,
}

impl SpentCall<'_> {
    /// It was answered. `tokens`: as the provider counts them; 0 where it does not.
    pub fn answered(mut self, tokens: u64) {
        let estimate = std::mem::take(&mut self.tokens);
        let mut calls = self.spent.calls();
        calls.answered = calls.answered.saturating_add(if tokens == 0 { estimate } else { tokens });
    }

    /// It has failed; where the provider may bill it, it counts.
    pub fn failed(mut self, kind: ModelErrorKind) {
        self.note(kind);
    }

    fn note(&mut self, kind: ModelErrorKind) {
        let tokens = std::mem::take(&mut self.tokens);
        if tokens > 0 && kind.may_be_billed() {
            self.spent.calls().failed.push((kind, tokens));
        }
    }
}

impl Drop for SpentCall<'_> {
    fn drop(&mut self) {
        self.note(ModelErrorKind::Timeout(TimeoutPhase::Total));
    }
}

/// What a text is embedded for; some models want it said.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EmbeddingPurpose {
    /// A question.
    Query,
    /// A passage that is to be found.
    Passage,
}

/// Vectors, one per text, in one buffer.
#[derive(Clone, PartialEq, Debug)]
pub struct Embeddings {
    /// Numbers per vector.
    pub dimension: usize,
    /// The vectors one after the other: `dimension` times the number of texts.
    pub values: Vec<f32>,
    /// Tokens that the embedder read, for billing.
    pub tokens: u64,
}

impl Embeddings {
    /// The vectors in the order of the texts.
    pub fn vectors(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.dimension)
    }
}

/// What a model makes of a text piece by piece, instead of one vector for all of it: vectors of length 1, each of a few
/// letters up to a few words in their place. A text of which the model knows nothing has none.
///
/// A question is compared with a passage by giving each of its vectors the passage's nearest (late interaction; Khattab and
/// Zaharia, arXiv 2004.12832): a single vector says what a passage is about, these say whether it has each thing asked for.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct MultiVector {
    /// Numbers per vector.
    pub dimension: usize,
    /// The vectors one after the other, in the order of the text.
    pub values: Vec<f32>,
}

impl MultiVector {
    /// The vectors in the order of the text.
    pub fn vectors(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.dimension.max(1))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// Something that turns texts into vectors.
#[async_trait]
pub trait Embedder: Send + Sync {
    /// Which model, `provider/model`: a corpus remembers it and refuses another.
    fn model(&self) -> &str;

    /// Numbers per vector.
    fn dimension(&self) -> usize;

    /// Embeds the texts, in order. Vectors have length 1, or 0 for a text in which the model knows nothing.
    async fn embed(
        &self,
        texts: &[&str],
        purpose: EmbeddingPurpose,
        errand: Errand<'_>,
    ) -> Result<Embeddings, ModelError>;

    /// Numbers per vector of its [`MultiVector`]s; `None` where it makes none.
    fn multi_dimension(&self) -> Option<usize> {
        None
    }

    /// The same as [`Self::embed`], with the multi-vector of each text that is made on the way; none where the embedder makes none.
    async fn embed_multi(
        &self,
        texts: &[&str],
        purpose: EmbeddingPurpose,
        errand: Errand<'_>,
    ) -> Result<(Embeddings, Vec<MultiVector>), ModelError> {
        Ok((self.embed(texts, purpose, errand).await?, Vec::new()))
    }
}

/// What is lent embeds as its owner does.
#[async_trait]
impl<T: Embedder + ?Sized> Embedder for &T {
    fn model(&self) -> &str {
        (**self).model()
    }

    fn dimension(&self) -> usize {
        (**self).dimension()
    }

    async fn embed(
        &self,
        texts: &[&str],
        purpose: EmbeddingPurpose,
        errand: Errand<'_>,
    ) -> Result<Embeddings, ModelError> {
        (**self).embed(texts, purpose, errand).await
    }

    fn multi_dimension(&self) -> Option<usize> {
        (**self).multi_dimension()
    }

    async fn embed_multi(
        &self,
        texts: &[&str],
        purpose: EmbeddingPurpose,
        errand: Errand<'_>,
    ) -> Result<(Embeddings, Vec<MultiVector>), ModelError> {
        (**self).embed_multi(texts, purpose, errand).await
    }
}

/// How well passages answer a question, and what it took to find out.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Relevance {
    /// One finite score per passage, in the order of the passages; larger is better; comparable only within one call.
    pub scores: Vec<f32>,
    /// Tokens that the reranker read, for billing; 0 where it bills something else, or nothing.
    pub tokens: u64,
    /// Searches that a provider bills instead of tokens; 0 where it bills none.
    pub searches: u64,
}

impl Relevance {
    /// The scores of a reranker that nobody bills.
    pub fn unbilled(scores: Vec<f32>) -> Self {
        Self { scores, tokens: 0, searches: 0 }
    }
}

/// Something that reads a question and a passage together and says how well the one answers the other.
#[async_trait]
pub trait Reranker: Send + Sync {
    /// Which model, `provider/model`: for metrics, the ledger and the results.
    fn model(&self) -> &str;

    /// Whether it has something to say about such a question. One to which it has not is not asked.
    fn is_for(&self, _question: &str) -> bool {
        true
    }

    /// Scores the candidates of one search. They come best first as the search has them, with what each of its channels
    /// said, so that a reranker may weigh them against each other; one that only reads takes their texts. An empty list
    /// gets an empty one. What computes for longer than a moment does so away from the runtime's threads. Dropping the
    /// future cancels the call.
    async fn rerank(
        &self,
        question: &str,
        candidates: &[Passage],
        errand: Errand<'_>,
    ) -> Result<Relevance, ModelError>;
}

/// A question to a corpus.
#[derive(Clone, Debug)]
pub struct RetrievalQuery {
    /// Whose corpus.
    pub tenant: TenantId,
    /// Which corpus.
    pub corpus: CorpusName,
    /// The question.
    pub text: String,
    /// How many passages at most.
    pub limit: usize,
    /// Which documents are searched; without it, all of the corpus.
    pub filter: Option<Filter>,
    /// How much work their order is worth.
    pub tier: ServiceTier,
    /// When the passages are no longer wanted.
    pub deadline: Deadline,
    /// Who pays for the models that the search asks; without one, whoever runs this Mainstay.
    pub payer: Option<Caller>,
}

impl RetrievalQuery {
    /// What its models are asked for.
    pub fn errand(&self) -> Errand<'_> {
        Errand { deadline: self.deadline, payer: self.payer.as_ref(), spent: None }
    }
}

/// What a search has found.
#[derive(Clone, PartialEq, Debug)]
pub struct Retrieved {
    /// The passages, best first.
    pub passages: Vec<Passage>,
    /// Whose order that is.
    pub reranking: Reranking,
    /// Whether only the words of the question were searched for, because its embedder is down.
    pub words_alone: bool,
}

/// Something that finds passages.
#[async_trait]
pub trait Retriever: Send + Sync {
    /// The best passages, best first. A deleted document is never among them. A reranker that fails or has no time
    /// fails no search: the order is then that of the fusion, and the result says so.
    async fn retrieve(&self, query: RetrievalQuery) -> Result<Retrieved, RetrievalError>;

    /// A number that is another one whenever a document of the corpus has come, changed or gone since the process began. What
    /// was found under one number holds for as long as it stays.
    fn version(&self, _tenant: &TenantId, _corpus: &CorpusName) -> u64 {
        0
    }
}

/// Why nothing could be retrieved.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RetrievalError {
    /// There is no such corpus.
    #[error("there is no corpus {0:?}; `GET /v1/corpora` lists those that exist")]
    UnknownCorpus(CorpusName),
    /// The filter does not fit the fields of the corpus.
    #[error("{message}")]
    InvalidFilter {
        /// The field of which it asks what cannot be.
        field: String,
        /// What is wrong, and what there is.
        message: String,
    },
    /// The question could not be embedded.
    #[error("the question could not be embedded")]
    Embedding(#[source] ModelError),
    /// Time ran out.
    #[error("retrieval took longer than the request's deadline")]
    DeadlinePassed,
    /// The store or the index failed.
    #[error("the document index failed: {0}")]
    Storage(String),
}

/// What models cost.
pub trait Prices: Send + Sync {
    /// What a call of `model`, `provider/model`, costs, and the effective date of the price. `None` where no price is
    /// known, which is not the same as nothing.
    fn cost(&self, model: &str, usage: &Usage) -> Option<(NanoUsd, &str)>;

    /// The same of a reranker whose provider bills so many searches instead of tokens. `None` where no price per search
    /// is known.
    fn search_cost(&self, _model: &str, _searches: u64) -> Option<(NanoUsd, &str)> {
        None
    }
}

/// The book in which every turn is recorded.
pub trait Ledger: Send + Sync {
    /// Books a turn. When it returns, the record survives a kill of the process. Booking the same turn twice books it
    /// once. Synchronous, so that a guard can call it when it is dropped; takes microseconds.
    fn book(&self, record: &TurnRecord) -> Result<(), LedgerError>;

    /// Notes what a turn that is under way will cost at most: `record` is how it is to be booked if the process ends before
    /// it is. When it returns, that survives a kill too. Nothing is noted by a ledger that forgets anyway.
    fn reserve(&self, _record: &TurnRecord) -> Result<(), LedgerError> {
        Ok(())
    }
}

/// Why a turn could not be booked.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the turn could not be booked: {0}")]
pub struct LedgerError(pub String);
