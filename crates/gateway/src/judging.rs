//! A second opinion on citations: a model is asked about each that holds by its words.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use mainstay_domain::chat::ChatRequest;
use mainstay_domain::port::{ModelCall, Prices};
use mainstay_domain::usage::{UsageSource, estimate_tokens};
use mainstay_domain::{
    AssistantName, Caller, Citation, Clock, Completion, Deadline, NanoUsd, RequestId, Usage,
};
use mainstay_models::{Candidate, ModelName, Note, Upstreams};
use mainstay_ops::measure::{self, Judgement};
use mainstay_ops::turn::Opening;
use mainstay_ops::{Turn, TurnBook};
use mainstay_rag::judge;

use crate::{RequestError, attempts, spending};

/// Questions to the judge under way at a time, of one answer.
const AT_ONCE: usize = 4;

/// The judge of one answer.
#[derive(Clone)]
pub(crate) struct Judge {
    pub(crate) model: ModelName,
    pub(crate) candidates: Arc<[Candidate]>,
    pub(crate) upstreams: Arc<Upstreams>,
    /// The assistant whose answer it judges.
    pub(crate) assistant: Option<AssistantName>,
    /// Whom its calls are booked to.
    pub(crate) caller: Caller,
    pub(crate) team: Option<String>,
    pub(crate) feature: Option<String>,
    pub(crate) turns: TurnBook,
    pub(crate) prices: Arc<dyn Prices>,
    pub(crate) deadline: Deadline,
    pub(crate) clock: Clock,
}

impl Judge {
    /// Whether each citation supports the statement before it. Where the judge fails or says neither yes nor no, what the
    /// words say stays: a judge that is down costs no answer its sources.
    pub(crate) async fn verdicts(&self, statements: Vec<String>, citations: &[Citation]) -> Vec<bool> {
        let quotes: Vec<String> = citations.iter().map(|citation| citation.quote.clone()).collect();
        let asked = statements.into_iter().zip(quotes).map(|(statement, quote)| self.ask(statement, quote));
        stream::iter(asked).buffered(AT_ONCE).collect().await
    }

    /// How good an answer is, 0 to 1; `None` where the judge fails or gives no number.
    pub(crate) async fn grade(&self, question: &str, sources: &[&str], answer: &str) -> Option<f64> {
        let request = judge::grade_request(&self.model.to_string(), question, sources, answer);
        // What it may cost is held with the answer.
        match self.call(request, |_, _| Ok(())).await {
            Ok(completion) => judge::grade(&completion),
            Err(code) => {
                tracing::warn!(code, "an answer was not graded");
                None
            }
        }
    }

    async fn ask(&self, statement: String, quote: String) -> bool {
        let request = judge::request(&self.model.to_string(), &statement, &quote);
        let call = self.call(request, |turn, request| self.hold(turn, request));
        let judgement = match call.await.map(|completion| judge::verdict(&completion)) {
            Ok(Some(true)) => Judgement::Supported,
            Ok(Some(false)) => Judgement::Unsupported,
            Ok(None) => Judgement::Unclear,
            Err(code) => {
                tracing::warn!(code, "a citation was not judged");
                Judgement::Failed
            }
        };
        let model = self.model.to_string();
        measure::judged(&model, judgement);
        judgement != Judgement::Unsupported
    }

    /// Holds what a question can cost: how many there will be nobody knows before the answer is there. A budget without room
    /// for it leaves the citation to what its words say.
    fn hold(&self, turn: &mut Turn, request: &ChatRequest) -> Result<(), &'static str> {
        if !turn.is_budgeted() {
            return Ok(());
        }
        let usage = spending::most(request);
        let mut cost = NanoUsd::ZERO;
        for candidate in self.candidates.iter() {
            let of_one = spending::most_cost(&*self.prices, candidate, &usage);
            cost = cost.max(of_one.ok_or("unpriced_model")?);
        }
        let calls = i64::from(self.upstreams.most_attempts());
        let held = turn.reserve(NanoUsd::new(cost.as_nanos().saturating_mul(calls)));
        held.map_err(|error| RequestError::from(error).code())
    }

    /// Asks and books the call, once `hold` agrees; else, and where it fails, says with which stable code.
    async fn call(
        &self,
        request: ChatRequest,
        hold: impl FnOnce(&mut Turn, &ChatRequest) -> Result<(), &'static str>,
    ) -> Result<Completion, &'static str> {
        let model = self.model.to_string();
        let mut turn = self.turns.open(Opening {
            request: RequestId::generate(&self.clock),
            operation: "judge",
            requested_model: model.clone(),
            streamed: false,
            client_retries: 0,
            team: self.team.clone(),
            feature: self.feature.clone(),
        });
        turn.identified(&self.caller);
        if let Some(assistant) = &self.assistant {
            turn.assisted_by(assistant);
        }
        if let Err(code) = hold(&mut turn, &request) {
            turn.fail(code);
            return Err(code);
        }
        let prompt = request.messages.iter().map(|message| estimate_tokens(&message.content.text())).sum();
        let sent = Usage { prompt, ..Usage::default() };
        let call = ModelCall {
            model: self.model.model.to_string(),
            request,
            passages: Vec::new(),
            deadline: self.deadline,
            region: self.caller.region.clone(),
        };
        let mut enter = |note: Note| attempts::enter(&mut turn, &*self.prices, sent, &note);
        match self.upstreams.complete(self.candidates.clone(), call, 0, &mut enter).await {
            Ok(completion) => {
                if let Some(usage) = completion.usage {
                    let model = turn.so_far().answered_model.clone().unwrap_or_default();
                    attempts::charge(&mut turn, &*self.prices, &model, usage, UsageSource::Reported);
                }
                turn.complete();
                Ok(completion)
            }
            Err(error) => {
                let code = error.kind.code();
                turn.fail(code);
                Err(code)
            }
        }
    }
}
