//! What happens to a question, top to bottom.
//!
//! [`Gateway::chat`] opens the turn and closes it; [`Gateway::answer`] is the path itself. Work that is done once per
//! request is here; work that is done once per attempt at an upstream is in the upstream.

use std::net::IpAddr;
use std::sync::Arc;

use mainstay_cache::{CachedAnswer, Layer, Wish};
use mainstay_domain::chat::{ChatRequest, MaxTokens, Message, tokens_of};
use mainstay_domain::port::{ModelCall, RetrievalQuery};
use mainstay_domain::usage::UsageSource;
use mainstay_domain::{
    Caller, Completion, Deadline, DocumentId, Filter, RequestId, ServiceTier, Usage, UserId,
};
use mainstay_models::{Assistant, AttemptedStream, ModelName, Note, Route};
use mainstay_ops::turn::Opening;
use mainstay_ops::{Recording, Turn, measure};
use mainstay_rag::assemble::{self, Grounding};
use mainstay_rag::citations::{CitationCounts, CitationFilters};
use mainstay_reliability::ServiceLevel;
use tokio::sync::watch;

use crate::admission::{Admitted, Applicant, Refusal, Standing};
use crate::attempts;
use crate::caching::{Keeping, replay};
use crate::cascading::{Asked, Cheaper, Started};
use crate::error::FilterOrigin;
use crate::judging::Judge;
use crate::sources::considered;
use crate::stream::AnswerStream;
use crate::{Gateway, RequestError, Service};

/// A question as it arrives.
#[derive(Clone, Debug)]
pub struct ChatCall {
    /// The conversation.
    pub request: ChatRequest,
    /// How much work the order of the passages is worth, where the caller says; else the assistant's settings do.
    pub tier: Option<ServiceTier>,
    /// Around it.
    pub context: Context,
}

/// What surrounds a request.
#[derive(Clone, Debug)]
pub struct Context {
    /// The HTTP request.
    pub request: RequestId,
    /// Who calls.
    pub caller: Caller,
    /// When the answer is no longer wanted.
    pub deadline: Deadline,
    /// How often the client's SDK has tried already.
    pub client_retries: u32,
    /// Where the request comes from, where that is known.
    pub address: Option<IpAddr>,
    /// Is told the place in the queue, from 1, while the request waits; 0 when it does not, or is not to be told.
    pub place: watch::Sender<usize>,
    /// The team that the caller says it works for.
    pub team: Option<String>,
    /// The feature that the caller says it is for.
    pub feature: Option<String>,
    /// What the caller wishes of the cache.
    pub cache: Wish,
}

/// The answer to a question.
pub enum Answer {
    /// In one piece; its turn is booked.
    Whole {
        /// What the model said, with verified citations.
        completion: Completion,
        /// What Mainstay did.
        summary: Summary,
    },
    /// In pieces; its turn is booked when the stream ends or is dropped.
    Stream {
        /// The pieces.
        stream: Box<AnswerStream>,
        /// What Mainstay did until now.
        summary: Summary,
    },
}

/// What Mainstay did for an answer: the `mainstay` object and headers.
#[derive(Clone, PartialEq, Debug)]
pub struct Summary {
    /// The assistant that was named.
    pub assistant: Option<String>,
    /// `provider/model` that answers.
    pub model: String,
    /// Sources in the prompt.
    pub passages: usize,
    /// Citations that failed verification; absent of a stream that has only begun.
    pub citations_removed: Option<u32>,
    /// Whether the answer is that the documents do not contain one; absent of a stream that has only begun.
    pub not_in_documents: Option<bool>,
    /// What the provider charges, in nano-dollars; absent when the price is not known, and of a stream that has only
    /// begun.
    pub cost_nano_usd: Option<i64>,
    /// Calls of models that failed before one answered; absent of a stream that has only begun.
    pub failed_attempts: Option<u32>,
    /// What kind of question it was taken for, where the assistant tells them apart and it was sure.
    pub intent: Option<String>,
    /// Answers of cheaper models that were not good enough to leave.
    pub escalations: u32,
    /// Where the caller stands with its limits.
    pub standing: Standing,
    /// Why a lesser model answers than the one that was asked for.
    pub degraded: Option<Degraded>,
    /// The layer of the cache that knew the answer; absent where a model answers.
    pub cache: Option<Layer>,
}

impl Gateway {
    /// Answers a question. However it ends, exactly one ledger record is written for an identified caller: here, or
    /// when the stream that is returned ends or is dropped, or when this future is dropped.
    pub async fn chat(&self, call: ChatCall) -> Result<Answer, RequestError> {
        let mut turn = self.turns.open(Opening {
            request: call.context.request.clone(),
            operation: "chat",
            requested_model: call.request.model.clone(),
            streamed: call.request.delivery.is_streamed(),
            client_retries: call.context.client_retries,
            team: call.context.team.clone(),
            feature: call.context.feature.clone(),
        });
        let streamed = call.request.delivery.is_streamed();
        let Context { caller, request: id, .. } = &call.context;
        let mut recording = self.contents.begin(caller, id, &call.request);
        match self.answer(&mut turn, call, &mut recording).await {
            Ok(Reply::Whole(completion, counts, terms)) if streamed => {
                keep(recording, &turn, &completion);
                let summary = summarise(&turn, counts, terms);
                let stream = AnswerStream::replayed(replay(&completion), turn, summary.clone(), self);
                Ok(Answer::Stream { stream: Box::new(stream), summary })
            }
            Ok(Reply::Whole(completion, counts, terms)) => {
                keep(recording, &turn, &completion);
                let summary = conclude(turn, counts, terms);
                Ok(Answer::Whole { completion, summary })
            }
            Ok(Reply::Cached(answer, terms)) => {
                keep(recording, &turn, &answer.completion);
                let mut summary = Summary::at_end(&turn, CitationCounts::default(), terms);
                summary.not_in_documents = Some(answer.not_in_documents);
                if streamed {
                    let stream =
                        AnswerStream::replayed(replay(&answer.completion), turn, summary.clone(), self);
                    return Ok(Answer::Stream { stream: Box::new(stream), summary });
                }
                turn.complete();
                Ok(Answer::Whole { completion: answer.completion.clone(), summary })
            }
            Ok(Reply::Stream(opened)) => {
                let summary = Summary::at_start(&turn, opened.terms());
                let stream = Box::new(AnswerStream::new(*opened, turn, self.prices.clone(), self.clock));
                Ok(Answer::Stream { stream, summary })
            }
            Err(error) => {
                if let Some(recording) = recording {
                    recording.failed(error.code(), turn.so_far().answered_model.as_deref(), "");
                }
                turn.fail(error.code());
                Err(error)
            }
        }
    }

    /// The path of a question. `recording`: where what is said in it is kept.
    async fn answer(
        &self,
        turn: &mut Turn,
        call: ChatCall,
        recording: &mut Option<Box<Recording>>,
    ) -> Result<Reply, RequestError> {
        let ChatCall { mut request, tier, context } = call;

        // Who calls was established before this (`mainstay_security::Access`): from here on the turn is theirs.
        let caller = context.caller.clone();
        turn.identified(&caller);

        self.require_attribution(turn)?;
        may_name(&caller, &request.model)?;

        // Admit: the limits of the caller and a place among those that are answered, before any work is done for it. The
        // place is held until the answer has ended.
        let mut admitted = self.admit(&context, request.user.as_deref(), expected(&request)).await?;
        // Inspect: injection and personal data come here, before the text reaches a cache, an index or a model.

        // Route: what the name stands for decides whether documents are needed at all.
        let route = self.registry.route(&request.model)?;
        if let Some(assistant) = route.assistant.as_deref() {
            turn.assisted_by(&assistant.name);
            if let Some(recording) = recording {
                recording.assisted_by(&assistant.name);
            }
            apply_defaults(&mut request, assistant);
        }

        // Cascade: which of several models it starts at.
        let started = self.start_in_cascade(turn, &route, &caller, &request);
        let intent = started.as_ref().and_then(Started::intent);
        let is_asked_again = started.as_ref().is_some_and(Started::is_asked_again);

        // Cache: inside everything that the answer depends on, before the work that it saves.
        let keeping = match self
            .look_up(&caller, &context, tier, &route, (intent, is_asked_again), &request)
            .await
        {
            Some(Ok((answer, layer))) => {
                admitted.used(0);
                self.answered_from_cache(turn, &answer, layer);
                let choices = answer.completion.choices.iter();
                let cited = choices.flat_map(|choice| &choice.message.citations);
                made_from(recording, &route, cited.map(|citation| &citation.document));
                return Ok(Reply::Cached(answer, Terms { cache: Some(layer), ..Terms::of(&admitted, None) }));
            }
            Some(Err(keeping)) => Some(keeping),
            None => None,
        };

        // Retrieve, then assemble: the prompt that the model sees is complete before it is called.
        let grounded = self.ground(&caller, &context, tier, &route, &mut request).await?;
        let words_alone = grounded.as_ref().is_some_and(|grounded| grounded.words_alone);
        let grounding = grounded.map(|grounded| grounded.grounding);
        let sources = grounding.as_ref().map(Grounding::sources).unwrap_or_default();
        turn.grounded_in(sources.len());
        made_from(recording, &route, sources.iter().map(|source| &source.passage.document));

        // Degrade: while something fails, those answer who can.
        let level = self.level_for(&caller, &route);
        let candidates = self.offered(level, &route, route.candidates.clone());

        // Reserve: the most that the call can cost is held before it is made, so that no budget is ever overspent.
        let (candidates, unpaid) = self.reserve(turn, &route, candidates, &mut request)?;
        let degraded = unpaid.or_else(|| Degraded::by(level));
        let keeping = match (keeping, degraded) {
            // What a lesser model says, or from less than could be found, is not for everybody.
            (Some(keeping), degraded) if degraded.is_some() || words_alone => {
                keeping.refused();
                None
            }
            (keeping, _) => keeping,
        };

        // Who has nothing left pays for no second opinion either.
        let judge = self.judge(&route, &caller, &context).filter(|_| degraded != Some(Degraded::Budget));

        // Cheaper models first: the answer of one leaves where it is good enough.
        admitted.begins();
        let prompt = sent(&request);
        let started = started.filter(|_| degraded.is_none());
        let mut last_tier = None;
        let mut keeping = keeping;
        let (candidates, retries) = match &started {
            None => (candidates, context.client_retries),
            Some(started) => {
                let asked = Asked {
                    request: &request,
                    grounding: grounding.as_ref(),
                    judge: judge.as_ref(),
                    assistant: route.assistant.as_deref(),
                    caller: &caller,
                    context: &context,
                    prompt,
                };
                // Boxed: most requests have no cascade, and should not be as large as those that do.
                let cheaper = Box::pin(self.ask_cheaper(turn, started, &route, &asked)).await;
                match cheaper.inspect_err(|_| admitted.used(0))? {
                    Cheaper::Answered(completion, counts) => {
                        admitted.used(turn.so_far().usage.total());
                        if let Some(keeping) = keeping {
                            keeping.answered(self.clock, turn, &completion, counts.is_not_found());
                        }
                        return Ok(Reply::Whole(*completion, counts, Terms::of(&admitted, None)));
                    }
                    Cheaper::Ask { tier, candidates, failed } => {
                        last_tier = Some((started, tier));
                        // What stands in may have been found not good enough: that is for nobody else.
                        if let Some(keeping) = &mut keeping {
                            keeping.only(&candidates[0].name.to_string());
                        }
                        (candidates, context.client_retries.saturating_add(failed))
                    }
                }
            }
        };

        // Call: attempt by attempt, at one upstream and the next (see `mainstay_models::upstream`). Each is entered before
        // it is made.
        let streamed = request.delivery.is_streamed();
        let model_call = ModelCall {
            model: route.first().name.model.to_string(),
            passages: grounding.as_ref().map(Grounding::passages).unwrap_or_default(),
            deadline: context.deadline,
            region: caller.region.clone(),
            request,
        };
        let upstreams = self.registry.upstreams();
        let mut enter = |note: Note| self.enter(turn, prompt, &note);
        if streamed {
            let mut upstream = upstreams.stream(candidates, model_call, retries);
            let accepted = upstream.accepted(&mut enter).await.inspect_err(|_| admitted.used(0));
            accepted.map_err(|error| self.service.explain(level, error))?;
            self.service.called(None);
            if let Some((started, tier)) = last_tier {
                started.answered(tier);
            }
            // Filter and settle happen piece by piece: see `stream`.
            let service = self.service.clone();
            let recording = recording.take();
            let opened = Opened {
                upstream,
                grounding,
                judge,
                prompt,
                admitted,
                degraded,
                keeping,
                recording,
                service,
            };
            return Ok(Reply::Stream(Box::new(opened)));
        }
        let completion = upstreams.complete(candidates, model_call, retries, &mut enter).await;
        // What was not answered takes nothing of its caller's limits.
        let completion = completion.inspect_err(|_| admitted.used(0));
        let mut completion = completion.map_err(|error| self.service.explain(level, error))?;
        self.service.called(None);
        if let Some((started, tier)) = last_tier {
            started.answered(tier);
        }

        // Settle: the truth replaces the estimate, before anything else is waited for.
        self.settle(turn, &mut completion);
        admitted.used(turn.so_far().usage.total());

        // Filter: what leaves carries only citations that their source supports.
        let (counts, _) = self.filter(turn, &mut completion, grounding, judge.as_ref()).await;
        if let Some(keeping) = keeping {
            keeping.answered(self.clock, turn, &completion, counts.is_not_found());
        }
        Ok(Reply::Whole(completion, counts, Terms::of(&admitted, degraded)))
    }

    /// Enters what happened on the way to an answer.
    pub(crate) fn enter(&self, turn: &mut Turn, prompt: Usage, note: &Note) {
        if let Note::Failed { kind, .. } = note {
            self.service.called(Some(*kind));
        }
        attempts::enter(turn, &*self.prices, prompt, note);
    }

    /// Enters what a whole answer has used, as its provider reports it or, where it does not, as an estimate.
    pub(crate) fn settle(&self, turn: &mut Turn, completion: &mut Completion) {
        let reported = completion.usage;
        let usage = reported.unwrap_or_else(|| Usage {
            completion: completion.choices.iter().map(|choice| tokens_of(&choice.message)).sum(),
            ..turn.so_far().usage
        });
        let source = if reported.is_some() { UsageSource::Reported } else { UsageSource::Estimated };
        completion.usage = Some(usage);
        let model = turn.so_far().answered_model.clone().unwrap_or_default();
        attempts::charge(turn, &*self.prices, &model, usage, source);
    }

    /// Takes out of a whole answer what its sources do not support. Returns what became of its citations, and of each
    /// choice how many of its statements have one that holds; nothing of an answer without sources.
    pub(crate) async fn filter(
        &self,
        turn: &mut Turn,
        completion: &mut Completion,
        grounding: Option<Grounding>,
        judge: Option<&Judge>,
    ) -> (CitationCounts, Vec<usize>) {
        let Some(grounding) = grounding else { return Default::default() };
        let mut filters = CitationFilters::new(grounding);
        let mut cited = Vec::with_capacity(completion.choices.len());
        for choice in &mut completion.choices {
            let message = &mut choice.message;
            let statements = filters.filter_message(choice.index, message);
            let holds = match judge {
                Some(judge) => judge.verdicts(statements.clone(), &message.citations).await,
                None => vec![true; statements.len()],
            };
            filters.withdraw(choice.index, &mut message.text, &mut message.citations, &holds);
            let supported: std::collections::HashSet<String> = statements
                .into_iter()
                .zip(holds)
                .filter_map(|(statement, holds)| holds.then_some(statement))
                .collect();
            cited.push(supported.len());
        }
        let counts = filters.counts();
        turn.cited(counts.verified, counts.removed);
        (counts, cited)
    }

    /// Lets a request in. `named`: the end user that the request names, which counts where the caller is not known to be
    /// one. `tokens`: of its prompt and its answer, as an estimate.
    pub(crate) async fn admit(
        &self,
        context: &Context,
        named: Option<&str>,
        tokens: u64,
    ) -> Result<Admitted, RequestError> {
        let Context { caller, deadline, address, place, .. } = context;
        let user = caller.user.as_ref().map(UserId::as_str).or(named);
        let applicant = Applicant { caller, user, address: *address, tokens, deadline: *deadline, place };
        self.admission.admit(applicant).await.map_err(|refusal| self.refused(context, refusal))
    }

    /// Lets a request in that asks nothing: one to documents or to the administration.
    ///
    /// # Errors
    /// [`RequestError::Refused`] beyond the limit of such requests.
    pub fn admit_administration(&self, context: &Context) -> Result<(), RequestError> {
        self.admission.admit_administration(&context.caller).map_err(|refusal| self.refused(context, refusal))
    }

    fn refused(&self, Context { caller, request, .. }: &Context, refusal: Refusal) -> RequestError {
        self.turns.trail().threat(caller, request, "limits.hit", refusal.code());
        RequestError::Refused(Box::new(refusal))
    }

    /// Retrieves for an assistant with a corpus and puts the passages into the prompt. `None` where there is no corpus.
    async fn ground(
        &self,
        caller: &Caller,
        context: &Context,
        tier: Option<ServiceTier>,
        route: &Route,
        request: &mut ChatRequest,
    ) -> Result<Option<Grounded>, RequestError> {
        let Some((assistant, corpus)) =
            route.assistant.as_deref().and_then(|assistant| Some((assistant, assistant.corpus.as_ref()?)))
        else {
            return match request.filter {
                None => Ok(None),
                Some(_) => Err(RequestError::Invalid {
                    message: format!(
                        "a filter is for an assistant that answers from documents, and \"{}\" does not: leave it out, or \
                         name another `model`",
                        request.model
                    ),
                    param: Some(SENT_FILTER),
                }),
            };
        };
        let question = request.last_user_text().unwrap_or_default();
        if question.trim().is_empty() {
            return Err(RequestError::Invalid {
                message: format!(
                    "the assistant \"{}\" answers from documents and needs a question: the last message of the \
                     role \"user\" has no text",
                    assistant.name
                ),
                param: Some("messages"),
            });
        }
        let sent = request.filter.take();
        let query = RetrievalQuery {
            tenant: caller.tenant.clone(),
            corpus: corpus.clone(),
            limit: considered(&assistant.retrieval, &question),
            text: question,
            // The caller can narrow what the assistant may read, and never widen it.
            filter: Filter::both(assistant.filter.clone(), sent.clone()),
            tier: tier.unwrap_or(assistant.retrieval.tier),
            deadline: context.deadline,
            payer: Some(caller.clone()),
        };
        let origin = FilterOrigin {
            sent: sent.as_ref(),
            sent_as: SENT_FILTER,
            assistant: Some((&assistant.name, "model")),
        };
        let found = self.find_sources(query, &assistant.retrieval).await;
        let found = found.map_err(|error| origin.blame(error))?;
        let grounding = Grounding::new(found.selection.sources);
        assemble::insert(request, assistant.prompt.as_deref(), &grounding);
        Ok(Some(Grounded { grounding, words_alone: found.words_alone }))
    }

    /// What judges the citations of an answer, where the assistant has such a model.
    fn judge(&self, route: &Route, caller: &Caller, context: &Context) -> Option<Judge> {
        let assistant = route.assistant.as_deref()?;
        self.judge_by(assistant.citation_judge.as_ref()?, Some(assistant), caller, context)
    }

    /// A model that judges for a caller, who pays for it.
    pub(crate) fn judge_by(
        &self,
        model: &ModelName,
        assistant: Option<&Assistant>,
        caller: &Caller,
        context: &Context,
    ) -> Option<Judge> {
        Some(Judge {
            assistant: assistant.map(|assistant| assistant.name.clone()),
            candidates: self.registry.candidates_of(model)?,
            upstreams: self.registry.upstreams().clone(),
            model: model.clone(),
            caller: caller.clone(),
            team: context.team.clone(),
            feature: context.feature.clone(),
            turns: self.turns.clone(),
            prices: self.prices.clone(),
            deadline: context.deadline,
            clock: self.clock,
        })
    }
}

/// The sources of an answer.
struct Grounded {
    grounding: Grounding,
    /// Whether only the words of the question were searched for.
    words_alone: bool,
}

/// What a request calls the filter that it brings.
const SENT_FILTER: &str = "mainstay.filter";

/// A reply before its turn is closed.
#[expect(clippy::large_enum_variant, reason = "there is one per request, and it is moved twice")]
enum Reply {
    /// With what became of its citations. Where a stream was asked for, it leaves in pieces.
    Whole(Completion, CitationCounts, Terms),
    /// It was given before.
    Cached(Arc<CachedAnswer>, Terms),
    Stream(Box<Opened>),
}

/// A stream that the upstream has opened.
pub(crate) struct Opened {
    pub(crate) upstream: AttemptedStream,
    pub(crate) grounding: Option<Grounding>,
    pub(crate) judge: Option<Judge>,
    /// Tokens of the prompt, as an estimate.
    pub(crate) prompt: Usage,
    /// The place among those that are answered.
    pub(crate) admitted: Admitted,
    /// Why a lesser model answers.
    pub(crate) degraded: Option<Degraded>,
    /// Where the answer may be kept.
    pub(crate) keeping: Option<Keeping>,
    /// Where what is said is kept.
    pub(crate) recording: Option<Box<Recording>>,
    /// Is told of failures on the way.
    pub(crate) service: Arc<Service>,
}

impl Opened {
    /// On what terms it is answered.
    pub(crate) fn terms(&self) -> Terms {
        Terms::of(&self.admitted, self.degraded)
    }
}

/// On what terms a request is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Terms {
    /// Where the caller stands with its limits.
    pub(crate) standing: Standing,
    /// Why a lesser model answers.
    pub(crate) degraded: Option<Degraded>,
    /// The layer of the cache that answers.
    pub(crate) cache: Option<Layer>,
}

impl Terms {
    /// Of a request that a model answers.
    pub(crate) fn of(admitted: &Admitted, degraded: Option<Degraded>) -> Self {
        Self { standing: admitted.standing(), degraded, cache: None }
    }
}

/// Why a lesser model answers than the one that was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Degraded {
    /// A budget is used up: a model answers that costs nothing.
    Budget,
    /// Something fails, or there is too much to do: a lesser model may answer.
    Reduced,
    /// No provider answers: what answers needs none.
    Emergency,
}

impl Degraded {
    /// What a level of service means for an answer.
    const fn by(level: ServiceLevel) -> Option<Self> {
        match level {
            ServiceLevel::Full => None,
            ServiceLevel::Reduced => Some(Self::Reduced),
            ServiceLevel::Emergency => Some(Self::Emergency),
        }
    }

    /// What the caller is told.
    pub const fn notice(self) -> &'static str {
        match self {
            Self::Budget => "The budget for this is used up: a simpler model answers.",
            Self::Reduced => "High demand or a disturbance: answers may come from a faster, simpler model.",
            Self::Emergency => {
                "Our models cannot be reached: this answer may be put together from the documents alone."
            }
        }
    }
}

impl Summary {
    /// Of a stream that begins: what it will cost and which citations will hold is not known.
    pub(crate) fn at_start(turn: &Turn, terms: Terms) -> Self {
        let record = turn.so_far();
        Self {
            assistant: record.assistant.as_ref().map(ToString::to_string),
            model: record.answered_model.clone().unwrap_or_default(),
            passages: record.passages as usize,
            citations_removed: None,
            not_in_documents: None,
            cost_nano_usd: None,
            failed_attempts: None,
            intent: record.intent.clone(),
            escalations: record.escalations,
            standing: terms.standing,
            degraded: terms.degraded,
            cache: terms.cache,
        }
    }

    /// Of a whole answer: what is booked, and what became of its citations.
    fn at_end(turn: &Turn, citations: CitationCounts, terms: Terms) -> Self {
        let record = turn.so_far();
        Self {
            citations_removed: Some(citations.removed),
            not_in_documents: Some(citations.is_not_found()),
            cost_nano_usd: record.price_date.is_some().then(|| record.cost.as_nanos()),
            failed_attempts: Some(record.failed_attempts),
            ..Self::at_start(turn, terms)
        }
    }
}

/// Closes the turn of an answer that is complete.
pub(crate) fn conclude(turn: Turn, citations: CitationCounts, terms: Terms) -> Summary {
    let summary = summarise(&turn, citations, terms);
    turn.complete();
    summary
}

/// What was done for an answer that is complete; it is counted where it is that the documents do not contain one.
fn summarise(turn: &Turn, citations: CitationCounts, terms: Terms) -> Summary {
    let summary = Summary::at_end(turn, citations, terms);
    if summary.not_in_documents == Some(true) {
        measure::not_in_documents(&summary.model);
    }
    summary
}

/// Keeps a whole answer with its question, where that turn is kept.
fn keep(recording: Option<Box<Recording>>, turn: &Turn, completion: &Completion) {
    if let Some(recording) = recording {
        recording.answered(turn.so_far().answered_model.as_deref(), completion);
    }
}

/// The documents of the assistant's corpus that an answer is made from.
fn made_from<'d>(
    recording: &mut Option<Box<Recording>>,
    route: &Route,
    documents: impl Iterator<Item = &'d DocumentId>,
) {
    let corpus = route.assistant.as_deref().and_then(|assistant| assistant.corpus.as_ref());
    if let (Some(recording), Some(corpus)) = (recording, corpus) {
        recording.made_from(corpus, documents);
    }
}

/// Refuses an assistant or a model that the caller's tenant may not use.
pub(crate) fn may_name(caller: &Caller, model: &str) -> Result<(), RequestError> {
    if caller.may_name(model) {
        return Ok(());
    }
    let allowed = caller.models.as_deref().unwrap_or_default().to_vec();
    Err(RequestError::ModelNotAllowed { model: model.to_owned(), allowed })
}

/// An assistant's settings hold where the caller says nothing.
fn apply_defaults(request: &mut ChatRequest, assistant: &Assistant) {
    request.temperature = request.temperature.or(assistant.temperature);
    if request.max_tokens.is_none() {
        request.max_tokens = assistant.max_tokens.map(|limit| MaxTokens { limit, as_completion: true });
    }
    if let (None, Some(prompt)) = (&assistant.corpus, &assistant.prompt) {
        assemble::insert_prompt(request, prompt);
    }
}

/// The usage of a prompt whose tokens nobody has counted yet: about four bytes a token.
fn sent(request: &ChatRequest) -> Usage {
    let of_message = |message: &Message| {
        let calls = message.tool_calls.iter().map(|call| call.name.len() + call.arguments.len());
        message.content.text_len() + calls.sum::<usize>()
    };
    let of_messages: usize = request.messages.iter().map(of_message).sum();
    let of_tools: usize = request.tools.iter().map(|tool| format!("{tool:?}").len()).sum();
    Usage { prompt: (of_messages + of_tools).div_ceil(4) as u64, ..Usage::default() }
}

/// Tokens that a request will take of its caller's limits: its prompt, and what its answer may have.
fn expected(request: &ChatRequest) -> u64 {
    sent(request).prompt.saturating_add(request.max_tokens.map_or(USUAL_ANSWER, |most| most.limit))
}

/// Tokens of an answer whose length nobody limits, until it is known.
pub(crate) const USUAL_ANSWER: u64 = 256;
