//! Cheap models first: a question starts at the model that its router says, and each answer but the last one's is looked at
//! before it leaves.
//!
//! What does not hold is never seen by the caller. So an answer of a cheaper model comes whole, also where a stream was
//! asked for, and leaves in pieces once it has passed; the strongest model's is streamed as it comes.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mainstay_cascade::{
    Answered, Gate, Groundedness, Guard, Previous, Repeats, Router, Shortfall, Start, Why,
};
use mainstay_domain::chat::{ChatRequest, Delivery, FinishReason};
use mainstay_domain::port::ModelCall;
use mainstay_domain::{Caller, Clock, Completion, ModelErrorKind, NanoUsd, Usage};
use mainstay_models::{Assistant, Candidate, ModelName, Note, Route};
use mainstay_ops::{Turn, measure};
use mainstay_rag::assemble::Grounding;
use mainstay_rag::citations::{CitationCounts, count_statements};
use tokio::time::Instant;

use crate::chat::Context;
use crate::judging::Judge;
use crate::{Gateway, RequestError};

/// The cascades of the assistants that have one, by their names.
pub type Cascades = HashMap<String, Cascade>;

/// The cascade of an assistant.
pub struct Cascade {
    router: Router,
    gate: Option<Gate>,
    grader: Option<Grader>,
    guard: Guard,
    repeats: Mutex<Repeats>,
    hasher: RandomState,
    clock: Clock,
    origin: Instant,
}

/// A model that grades answers before they leave.
#[derive(Clone, PartialEq, Debug)]
pub struct Grader {
    /// The model.
    pub model: ModelName,
    /// The grade that an answer needs, 0 to 1.
    pub least_quality: f64,
}

/// A question that has its place in a cascade.
pub(crate) struct Started<'a> {
    cascade: &'a Cascade,
    start: Start,
    /// Who asks what, where it is said for whom.
    digest: Option<u64>,
}

/// What is asked.
pub(crate) struct Asked<'a> {
    pub(crate) request: &'a ChatRequest,
    pub(crate) grounding: Option<&'a Grounding>,
    /// Judges citations.
    pub(crate) judge: Option<&'a Judge>,
    pub(crate) assistant: Option<&'a Assistant>,
    pub(crate) caller: &'a Caller,
    pub(crate) context: &'a Context,
    /// Tokens of the prompt, as an estimate.
    pub(crate) prompt: Usage,
}

/// What came of asking the cheaper models.
pub(crate) enum Cheaper {
    /// One has answered, well enough.
    Answered(Box<Completion>, CitationCounts),
    /// This tier is to be asked, and what stands in for it.
    Ask {
        /// The tier.
        tier: usize,
        /// Its model, and those that stand in.
        candidates: Arc<[Candidate]>,
        /// Calls that have failed.
        failed: u32,
    },
}

/// What of the time that is left a grader may take, and the longest that is: the answer waits for it.
const GRADER_SHARE: f64 = 1.0 / 3.0;
const LONGEST_GRADING: Duration = Duration::from_secs(20);

impl Cascade {
    /// A cascade of so decided parts.
    pub fn new(
        router: Router,
        gate: Option<Gate>,
        grader: Option<Grader>,
        guard: Guard,
        clock: Clock,
    ) -> Self {
        Self {
            router,
            gate,
            grader,
            guard,
            repeats: Mutex::default(),
            hasher: RandomState::new(),
            clock,
            origin: clock.instant(),
        }
    }

    /// Whoever asks for a user that it names, and what: nothing of it can be read from the number.
    fn digest(&self, caller: &Caller, request: &ChatRequest) -> Option<u64> {
        let user = request.user.as_deref()?;
        let mut hasher = self.hasher.build_hasher();
        (caller.tenant.as_str(), caller.key.as_str(), user).hash(&mut hasher);
        for message in &request.messages {
            format!("{:?} {:?} {:?}", message.role, message.content, message.tool_calls).hash(&mut hasher);
        }
        format!("{:?}", request.filter).hash(&mut hasher);
        Some(hasher.finish())
    }

    fn repeats(&self) -> MutexGuard<'_, Repeats> {
        self.repeats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.clock.instant().duration_since(self.origin)
    }
}

impl Started<'_> {
    /// What kind of question it is, where that is sure.
    pub(crate) fn intent(&self) -> Option<&str> {
        self.start.intent.as_deref()
    }

    /// Whether the same person has just asked the same: what answered then is not wanted again.
    pub(crate) fn is_asked_again(&self) -> bool {
        self.start.why == Why::AskedAgain
    }

    /// A tier has answered for good.
    pub(crate) fn answered(&self, tier: usize) {
        if let Some(digest) = self.digest {
            let previous = Previous { tier, is_comparison: self.start.why == Why::Compared };
            let now = self.cascade.now();
            self.cascade.repeats().answered(digest, previous, now);
        }
    }
}

impl Gateway {
    /// The place of a question in the cascade of its assistant, where that has one.
    pub(crate) fn start_in_cascade(
        &self,
        turn: &mut Turn,
        route: &Route,
        caller: &Caller,
        request: &ChatRequest,
    ) -> Option<Started<'_>> {
        let name = route.assistant.as_deref().filter(|_| route.tiers.len() > 1)?.name.as_str();
        let cascade = self.cascades.get(name)?;
        // Where a model of it cannot be called, its tiers are not those that the settings speak of.
        if cascade.router.settings().tiers != route.tiers.len() {
            return None;
        }
        let digest = cascade.digest(caller, request);
        let previous = digest.and_then(|digest| cascade.repeats().previous(digest, cascade.now()));
        if let Some(Previous { tier, is_comparison }) = previous {
            let model = route.tiers.get(tier).map(|one| one.name.to_string()).unwrap_or_default();
            measure::cascade_asked_again(name, &model, is_comparison);
        }
        let question = request.last_user_text().unwrap_or_default();
        let start = cascade.router.start(&question, previous, fastrand::f64());
        if let Some(intent) = &start.intent {
            turn.meant(intent);
        }
        Some(Started { cascade, start, digest })
    }

    /// Asks the cheaper models of a cascade, one after the other, until the answer of one may leave.
    pub(crate) async fn ask_cheaper(
        &self,
        turn: &mut Turn,
        started: &Started<'_>,
        route: &Route,
        asked: &Asked<'_>,
    ) -> Result<Cheaper, RequestError> {
        let Started { cascade, start, .. } = started;
        let assistant = route.assistant.as_deref().map_or("", |assistant| assistant.name.as_str());
        let (begin, last) = self.within_ceiling(start, route, asked);
        let mut tier = cascade.guard.begin(begin).min(last);
        let why = if tier > begin { Why::Guarded } else { start.why };
        measure::cascade_started(assistant, start.intent.as_deref(), why.as_str());
        let mut failed = Vec::new();
        while tier < last {
            let candidate = &route.tiers[tier];
            let model = candidate.name.to_string();
            let shortfall = match self.ask_one(turn, candidate, asked).await {
                Ok((mut completion, counts, cited)) => {
                    let shortfall = self.shortfall(cascade, asked, &completion, counts, cited).await;
                    if shortfall.is_none() {
                        cascade.guard.answered(tier, false);
                        measure::cascade_answered(assistant, &model, "accepted");
                        self.show_share(assistant, cascade, tier, &model);
                        started.answered(tier);
                        completion.usage = Some(turn.so_far().usage);
                        return Ok(Cheaper::Answered(Box::new(completion), counts));
                    }
                    measure::cascade_escalated(&model, turn.so_far().cost);
                    turn.escalated();
                    shortfall
                }
                Err(error) if self.is_final(error.kind) => return Err(error.into()),
                Err(_) => {
                    failed.push(tier);
                    Some(Shortfall::Failed)
                }
            };
            measure::cascade_answered(assistant, &model, shortfall.map_or("", Shortfall::as_str));
            // What failed says nothing of how good its answers are.
            if !failed.contains(&tier) && cascade.guard.answered(tier, true) {
                tracing::warn!(
                    assistant,
                    model,
                    "most answers of this model are asked again of a stronger one: it is passed over, but for a few"
                );
            }
            self.show_share(assistant, cascade, tier, &model);
            tier += 1;
        }
        measure::cascade_answered(assistant, &route.tiers[tier].name.to_string(), "last");
        let candidates = self.standing_in(route, tier, last, &failed, start.most_cost, asked);
        Ok(Cheaper::Ask { tier, candidates, failed: u32::try_from(failed.len()).unwrap_or(u32::MAX) })
    }

    /// The tiers at which a question begins and ends: those that cost more than its intent is worth are not asked. Where
    /// all do, the cheapest answers.
    fn within_ceiling(&self, start: &Start, route: &Route, asked: &Asked<'_>) -> (usize, usize) {
        let last = route.tiers.len() - 1;
        let Some(most) = start.most_cost else { return (start.tier, last) };
        let usual = self.usual(asked.request);
        let is_within =
            |tier: usize| self.cost_of(&route.tiers[tier], &usual).is_some_and(|cost| cost <= most);
        let last = (0..=last).rev().find(|&tier| is_within(tier)).unwrap_or(0);
        (start.tier.min(last), last)
    }

    /// Asks one model, once, and books it.
    async fn ask_one(
        &self,
        turn: &mut Turn,
        candidate: &Candidate,
        asked: &Asked<'_>,
    ) -> Result<(Completion, CitationCounts, Vec<usize>), mainstay_domain::ModelError> {
        let upstreams = self.registry.upstreams();
        let call = ModelCall {
            model: candidate.name.model.to_string(),
            passages: asked.grounding.map(Grounding::passages).unwrap_or_default(),
            deadline: asked.context.deadline,
            region: asked.caller.region.clone(),
            request: ChatRequest { delivery: Delivery::Whole, ..asked.request.clone() },
        };
        let mut enter = |note: Note| self.enter(turn, asked.prompt, &note);
        let mut completion = upstreams.complete_before_others(candidate.clone(), call, &mut enter).await?;
        self.service.called(None);
        self.settle(turn, &mut completion);
        let (counts, cited) = self.filter(turn, &mut completion, asked.grounding.cloned(), asked.judge).await;
        Ok((completion, counts, cited))
    }

    /// What an answer lacks.
    async fn shortfall(
        &self,
        cascade: &Cascade,
        asked: &Asked<'_>,
        completion: &Completion,
        counts: CitationCounts,
        cited: Vec<usize>,
    ) -> Option<Shortfall> {
        let format = asked.request.response_format.as_ref();
        // Of several choices each has to hold.
        let texts =
            completion.choices.iter().map(|choice| choice.message.text.as_deref().unwrap_or_default());
        let mut grounded = texts.zip(cited).map(|(text, cited)| Groundedness {
            statements: count_statements(text),
            cited,
            not_in_documents: counts.is_not_found(),
        });
        let first = grounded.next();
        for grounded in std::iter::once(first).chain(grounded.map(Some)) {
            let answered = Answered { completion, format, grounded };
            if let Some(shortfall) = cascade.gate.as_ref().and_then(|gate| gate.shortfall(&answered)) {
                return Some(shortfall);
            }
        }
        // What a safety filter stopped is not shopped around, and who calls a tool has not answered yet.
        let is_no_answer = completion.choices.iter().any(|choice| {
            choice.finish == FinishReason::ContentFilter || !choice.message.tool_calls.is_empty()
        });
        let grader = cascade.grader.as_ref().filter(|_| !is_no_answer)?;
        let text = completion.choices.first()?.message.text.as_deref()?;
        let judge = self.judge_by(&grader.model, asked.assistant, asked.caller, asked.context)?;
        let question = asked.request.last_user_text().unwrap_or_default();
        let passages = asked.grounding.map(Grounding::passages).unwrap_or_default();
        let sources: Vec<&str> = passages.iter().map(|passage| passage.text.as_str()).collect();
        // A grader that is down, or takes its time, costs nobody an answer.
        let left = asked.context.deadline.remaining(&self.clock);
        let patience = left.mul_f64(GRADER_SHARE).min(LONGEST_GRADING);
        let grade = self.clock.timeout(patience, judge.grade(&question, &sources, text)).await??;
        (grade < grader.least_quality).then_some(Shortfall::Poor)
    }

    /// Whether a failure is the end for every model.
    fn is_final(&self, kind: ModelErrorKind) -> bool {
        match kind {
            ModelErrorKind::InvalidRequest => true,
            ModelErrorKind::ContentFilter => !self.registry.upstreams().refusals_fall_back(),
            _ => false,
        }
    }

    /// Who answers at a tier: its model, then what stands in when it fails, the other models of the cascade among them but
    /// those that have failed just now. None costs more than it may.
    fn standing_in(
        &self,
        route: &Route,
        tier: usize,
        last: usize,
        failed: &[usize],
        most_cost: Option<NanoUsd>,
        asked: &Asked<'_>,
    ) -> Arc<[Candidate]> {
        let usual = self.usual(asked.request);
        let is_within = |one: &Candidate| {
            most_cost.is_none_or(|most| self.cost_of(one, &usual).is_some_and(|cost| cost <= most))
        };
        let tier_of = |one: &Candidate| route.tiers.iter().position(|tier| tier.name == one.name);
        let may_stand_in = |one: &&Candidate| match tier_of(one) {
            Some(at) => at != tier && at <= last && !failed.contains(&at),
            None => is_within(one),
        };
        let others = route.candidates.iter().filter(may_stand_in);
        // What stands in for the whole cascade first, then its own, the strongest first.
        let (mut of_cascade, beside): (Vec<_>, Vec<_>) = others.partition(|one| tier_of(one).is_some());
        of_cascade.reverse();
        std::iter::once(&route.tiers[tier]).chain(beside).chain(of_cascade).cloned().collect()
    }

    /// The model that grades the answers of a route.
    pub(crate) fn grader_of(&self, route: &Route) -> Option<Arc<[Candidate]>> {
        let name = route.assistant.as_deref().filter(|_| route.tiers.len() > 1)?.name.as_str();
        self.registry.candidates_of(&self.cascades.get(name)?.grader.as_ref()?.model)
    }

    fn show_share(&self, assistant: &str, cascade: &Cascade, tier: usize, model: &str) {
        if let Some(share) = cascade.guard.escalated_share(tier) {
            measure::cascade_share(assistant, model, share);
        }
    }
}

#[cfg(test)]
mod tests;
