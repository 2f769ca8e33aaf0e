//! What a request may cost: who it is charged to, and that its budgets have room for it.

use std::sync::Arc;

use mainstay_domain::chat::{ChatRequest, Content, Extra, MaxTokens, Part};
use mainstay_domain::port::Prices;
use mainstay_domain::{NanoUsd, Usage};
use mainstay_models::{Candidate, Route};
use mainstay_ops::Turn;
use mainstay_ops::budgets::{AtLimit, Attribute};
use mainstay_ops::turn::ReserveError;

use crate::chat::{Degraded, USUAL_ANSWER};
use crate::{Gateway, RequestError};

/// Tokens that the answer to a request may have that falls under a budget and sets no limit of its own: without one there
/// is nothing that could be reserved.
const MOST_BUDGETED: u64 = 4_096;

/// Tokens beside the text of a message: who speaks, and how the provider frames it.
const PER_MESSAGE: u64 = 16;

/// Tokens of the question how good an answer is, beside what is graded, and of its answer.
const GRADING: u64 = 1_500;

/// Tokens that no picture exceeds at the providers that say how they count.
const PER_IMAGE: u64 = 4_096;

impl Gateway {
    /// Refuses a request that does not say whom it is charged to, where that has to be said.
    pub(crate) fn require_attribution(&self, turn: &Turn) -> Result<(), RequestError> {
        for attribute in &self.required_attribution {
            if attribute.of(turn.so_far()).is_none_or(str::is_empty) {
                let (what, header) = match attribute {
                    Attribute::Feature => ("feature", "x-mainstay-feature"),
                    _ => ("team", "x-mainstay-team"),
                };
                return Err(RequestError::Invalid {
                    message: format!("say which {what} this is for: send the header {header}"),
                    param: Some(header),
                });
            }
        }
        Ok(())
    }

    /// Holds the most that a request can cost, and says who may answer: where its budget is used up and says so, those that
    /// cost nothing.
    pub(crate) fn reserve(
        &self,
        turn: &mut Turn,
        route: &Route,
        candidates: Arc<[Candidate]>,
        request: &mut ChatRequest,
    ) -> Result<(Arc<[Candidate]>, Option<Degraded>), RequestError> {
        if !turn.is_budgeted() {
            return Ok((candidates, None));
        }
        if request.max_tokens.is_none() {
            request.max_tokens = Some(MaxTokens { limit: MOST_BUDGETED, as_completion: true });
        }
        let usage = most(request);
        let most = self.most_of(&candidates, route, &usage)?;
        let exceeded = match turn.reserve(most) {
            Ok(()) => return Ok((candidates, None)),
            Err(ReserveError::Exceeded(exceeded)) => exceeded,
            Err(error) => return Err(error.into()),
        };
        if exceeded.at_limit == AtLimit::Degrade {
            let is_free = |one: &&Candidate| self.cost_of(one, &usage) == Some(NanoUsd::ZERO);
            let free: Vec<Candidate> = candidates.iter().filter(is_free).cloned().collect();
            let free = if free.is_empty() { self.extractive(route) } else { Some(free.into()) };
            if let Some(free) = free {
                return Ok((free, Some(Degraded::Budget)));
            }
        }
        Err(RequestError::Budget(Box::new(exceeded)))
    }

    /// Holds the most that embedding texts can cost.
    pub(crate) fn reserve_for_embedding(
        &self,
        turn: &mut Turn,
        model: &str,
        most: &Usage,
    ) -> Result<(), RequestError> {
        if !turn.is_budgeted() {
            return Ok(());
        }
        let unpriced = || RequestError::Unpriced { model: model.to_owned() };
        let (cost, _) = self.prices.cost(model, most).ok_or_else(unpriced)?;
        // A text may be sent as often as its provider fails.
        let calls = i64::from(self.registry.upstreams().most_attempts());
        let cost = NanoUsd::new(cost.as_nanos().saturating_mul(calls));
        Ok(turn.reserve(cost)?)
    }

    /// The built-in model that answers with sentences of the documents, where there are any.
    pub(crate) fn extractive(&self, route: &Route) -> Option<Arc<[Candidate]>> {
        route.assistant.as_ref()?.corpus.as_ref()?;
        self.registry.candidates_of(&"builtin/extractive".parse().ok()?)
    }

    /// The most that a request can cost: each of its calls may fail after it was paid for, and the answer of each cheaper
    /// model of a cascade may not be good enough.
    fn most_of(
        &self,
        candidates: &[Candidate],
        route: &Route,
        usage: &Usage,
    ) -> Result<NanoUsd, RequestError> {
        let mut most = NanoUsd::ZERO;
        for candidate in candidates {
            let cost = self
                .cost_of(candidate, usage)
                .ok_or_else(|| RequestError::Unpriced { model: candidate.name.to_string() })?;
            most = most.max(cost);
        }
        let calls = i64::from(self.registry.upstreams().most_attempts());
        let cheaper = route.tiers.split_last().map_or(&[][..], |(_, cheaper)| cheaper);
        let answers = cheaper.iter().filter_map(|one| self.cost_of(one, usage)).map(NanoUsd::as_nanos);
        let answers = answers.fold(0_i64, i64::saturating_add);
        // Each of those answers may be graded, as often as the grader fails.
        let mut grading = 0_i64;
        if let Some(graders) = self.grader_of(route) {
            let prompt = usage.prompt.saturating_add(usage.completion).saturating_add(GRADING);
            let graded = Usage { prompt, completion: GRADING, ..Usage::default() };
            for grader in graders.iter() {
                let unpriced = || RequestError::Unpriced { model: grader.name.to_string() };
                grading = grading.max(self.cost_of(grader, &graded).ok_or_else(unpriced)?.as_nanos());
            }
            let times = calls.saturating_mul(i64::try_from(cheaper.len()).unwrap_or(i64::MAX));
            grading = grading.saturating_mul(times);
        }
        let most = most.as_nanos().saturating_mul(calls).saturating_add(answers);
        Ok(NanoUsd::new(most.saturating_add(grading)))
    }

    /// The usage that a request usually comes to.
    pub(crate) fn usual(&self, request: &ChatRequest) -> Usage {
        let prompt: usize = request.messages.iter().map(|message| message.content.text_len()).sum();
        let completion = request.max_tokens.map_or(USUAL_ANSWER, |most| most.limit.min(USUAL_ANSWER));
        Usage { prompt: prompt.div_ceil(4) as u64, completion, ..Usage::default() }
    }

    /// The most that a call of a model costs that uses so much; `None` where its price is not known.
    pub(crate) fn cost_of(&self, candidate: &Candidate, usage: &Usage) -> Option<NanoUsd> {
        most_cost(&*self.prices, candidate, usage)
    }
}

/// The most that a call of a model costs that uses so much; `None` where its price is not known.
pub(crate) fn most_cost(prices: &dyn Prices, candidate: &Candidate, usage: &Usage) -> Option<NanoUsd> {
    let name = candidate.name.to_string();
    let cost = |usage: &Usage| prices.cost(&name, usage).map(|(cost, _)| cost);
    // A provider may put the whole prompt into its cache, which may cost more than reading it.
    let cached = Usage { cache_write: usage.prompt, ..*usage };
    Some(cost(usage)?.max(cost(&cached)?))
}

/// The most tokens that a request can have: no token of what is sent is shorter than a byte.
pub(crate) fn most(request: &ChatRequest) -> Usage {
    let of_messages = request.messages.iter().map(|message| {
        let calls = message.tool_calls.iter().map(|call| {
            (call.id.len() + call.name.len() + call.arguments.len()) as u64 + of_extra(&call.extra)
        });
        let names =
            [&message.name, &message.tool_call_id].into_iter().flatten().map(|name| name.len() as u64);
        calls.chain(names).sum::<u64>()
            + of_content(&message.content)
            + of_extra(&message.extra)
            + PER_MESSAGE
    });
    let of_tools = request.tools.iter().map(|tool| format!("{tool:?}").len() as u64);
    let format = format!("{:?}", request.response_format).len() as u64;
    let choices = u64::from(request.n.unwrap_or(1).max(1));
    Usage {
        prompt: of_messages.chain(of_tools).sum::<u64>() + format + of_extra(&request.extra),
        completion: request.max_tokens.map_or(MOST_BUDGETED, |most| most.limit).saturating_mul(choices),
        ..Usage::default()
    }
}

fn of_content(content: &Content) -> u64 {
    match content {
        Content::Absent => 0,
        Content::Text(text) => text.len() as u64,
        Content::Parts(parts) => parts.iter().map(of_part).sum(),
    }
}

/// What nobody here can read (audio, files) may be a text of as many bytes, or pages that count like pictures.
fn of_part(part: &Part) -> u64 {
    match part {
        Part::Text { text, extra } => text.len() as u64 + of_extra(extra),
        Part::Image { extra, .. } => PER_IMAGE + of_extra(extra),
        Part::Opaque(value) => PER_IMAGE.max(value.to_string().len() as u64),
    }
}

/// Fields that are passed on as they are.
fn of_extra(extra: &Extra) -> u64 {
    extra.iter().map(|(name, value)| (name.len() + value.to_string().len()) as u64).sum()
}

#[cfg(test)]
mod tests {
    use mainstay_domain::chat::{Message, Role};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn whatever_is_passed_on_may_be_billed() {
        let long = "x".repeat(100_000);
        let plain = ChatRequest { messages: vec![Message::text(Role::User, "hi")], ..ChatRequest::default() };
        let least = most(&plain).prompt;
        let with = |change: &dyn Fn(&mut ChatRequest)| {
            let mut request = plain.clone();
            change(&mut request);
            most(&request).prompt - least
        };
        let extra = |value: Value| Extra::from_iter([("functions".to_owned(), value)]);
        assert!(with(&|request| request.extra = extra(json!([{ "description": &long }]))) >= 100_000);
        assert!(with(&|request| request.messages[0].extra = extra(json!(&long))) >= 100_000);
        assert!(with(&|request| request.messages[0].name = Some(long.clone())) >= 100_000);
        let parts = |value: Value| Content::Parts(vec![Part::Opaque(value)]);
        assert!(with(&|request| request.messages[0].content = parts(json!({ "file": &long }))) >= 100_000);
        assert!(
            with(&|request| request.messages[0].content = parts(json!({ "file_id": "f" }))) >= PER_IMAGE - 2
        );
    }
}
