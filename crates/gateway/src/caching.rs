//! Answers that were given before: what a question is looked up by, and how a stored answer becomes one that is sent.

use mainstay_cache::{
    AnswerCache, CacheSettings, CachedAnswer, Found, Inquiry, Layer, Partition, Surroundings, Wish,
    is_cacheable,
};
use mainstay_domain::chat::{
    AssistantMessage, ChatEvent, ChatRequest, Choice, ChoiceDelta, Completion, FinishReason, StreamStart,
    ToolCallDelta,
};
use mainstay_domain::usage::UsageSource;
use mainstay_domain::{Caller, Citation, Clock, ServiceTier, Usage};
use mainstay_models::Route;
use mainstay_ops::Turn;

use crate::chat::Context;
use crate::{Gateway, attempts};

/// The answers of assistants that may be given again.
pub struct Caching {
    /// The answers.
    pub answers: std::sync::Arc<AnswerCache>,
    /// How each assistant's are kept; those that are not named keep none.
    pub settings: std::collections::HashMap<String, CacheSettings>,
}

/// A question whose answer may be kept, and whose answer that has to be: a lesser model's is not for everybody.
pub(crate) struct Keeping {
    inquiry: Inquiry,
    /// Those whose answers are the assistant's own: its model, or those of its cascade.
    models: Vec<String>,
}

impl Gateway {
    /// Looks the question up, where its assistant keeps answers and the conversation ends with a question.
    pub(crate) async fn look_up(
        &self,
        caller: &Caller,
        context: &Context,
        tier: Option<ServiceTier>,
        route: &Route,
        (intent, is_asked_again): (Option<&str>, bool),
        request: &ChatRequest,
    ) -> Option<Result<(std::sync::Arc<CachedAnswer>, Layer), Keeping>> {
        let assistant = route.assistant.as_deref()?;
        let settings = self.caching.settings.get(assistant.name.as_str())?;
        let corpus = assistant.corpus.as_ref();
        let surroundings = Surroundings {
            tenant: &caller.tenant,
            assistant: assistant.name.as_str(),
            documents: corpus.map_or(0, |corpus| self.retriever.version(&caller.tenant, corpus)),
            tier,
            user: None,
            intent,
        };
        let (partition, question) = Partition::of(request, &surroundings)?;
        // Who asks the same again has seen what there is.
        let wish = Wish { reads: context.cache.reads && !is_asked_again, ..context.cache };
        let found = self.caching.answers.find(settings, partition, question, wish, context.deadline);
        Some(match found.await? {
            Found::Answer(answer, layer) => Ok((answer, layer)),
            Found::Nothing(inquiry) => {
                let models = std::iter::once(&assistant.model).chain(&assistant.stronger);
                Err(Keeping { inquiry: *inquiry, models: models.map(ToString::to_string).collect() })
            }
        })
    }

    /// Books an answer from the cache: it costs nothing.
    pub(crate) fn answered_from_cache(&self, turn: &mut Turn, answer: &CachedAnswer, layer: Layer) {
        turn.cached(layer.as_str());
        turn.answered_by(answer.model.clone());
        turn.grounded_in(answer.passages as usize);
        let citations =
            answer.completion.choices.iter().map(|choice| choice.message.citations.len()).sum::<usize>();
        turn.cited(u32::try_from(citations).unwrap_or(u32::MAX), 0);
        attempts::charge(turn, &*self.prices, &answer.model, Usage::default(), UsageSource::Estimated);
    }
}

impl Keeping {
    /// Only the answer of this model is kept.
    pub(crate) fn only(&mut self, model: &str) {
        self.models = vec![model.to_owned()];
    }

    /// What answers is not for everybody: those who wait for it ask for themselves, all at once.
    pub(crate) fn refused(self) {
        self.inquiry.answered(None);
    }

    /// The answer, as it goes to the caller. `not_in_documents`: whether it is that the documents do not contain one.
    pub(crate) fn answered(self, clock: Clock, turn: &Turn, completion: &Completion, not_in_documents: bool) {
        let record = turn.so_far();
        let model = record.answered_model.as_ref().filter(|model| self.models.contains(model));
        let answer = model.filter(|_| is_cacheable(completion)).map(|model| CachedAnswer {
            completion: completion.clone(),
            model: model.clone(),
            passages: record.passages,
            not_in_documents,
            cost: record.cost + record.escalated_cost,
            at: clock.now(),
        });
        self.inquiry.answered(answer);
    }
}

/// Characters of a piece of a stored answer that is streamed.
const PIECE: usize = 32;

/// A whole answer in pieces.
pub(crate) fn replay(completion: &Completion) -> Vec<ChatEvent> {
    let start = StreamStart {
        id: completion.id.clone(),
        model: completion.model.clone(),
        created: completion.created,
        extra: completion.extra.clone(),
    };
    let mut events = vec![ChatEvent::Start(start)];
    for choice in &completion.choices {
        let message = &choice.message;
        let mut pieces: Vec<ChoiceDelta> = Vec::new();
        let is_more = message.reasoning.is_some() || message.refusal.is_some() || !message.extra.is_empty();
        if is_more || choice.logprobs.is_some() {
            pieces.push(ChoiceDelta {
                choice: choice.index,
                reasoning: message.reasoning.clone(),
                refusal: message.refusal.clone(),
                logprobs: choice.logprobs.clone(),
                extra: message.extra.clone(),
                ..ChoiceDelta::default()
            });
        }
        for word in message.text.as_deref().unwrap_or_default().split_inclusive(char::is_whitespace) {
            match pieces.last_mut().and_then(|piece| piece.text.as_mut()) {
                Some(piece) if piece.len() + word.len() <= PIECE => piece.push_str(word),
                _ => pieces.push(ChoiceDelta { choice: choice.index, ..ChoiceDelta::text(word) }),
            }
        }
        // A citation refers to text that has been sent.
        if let Some(last) = pieces.last_mut() {
            last.citations.clone_from(&message.citations);
        }
        let calls = message.tool_calls.iter().zip(0..).map(|(call, index)| ToolCallDelta {
            index,
            id: Some(call.id.clone()),
            name: Some(call.name.clone()),
            arguments: call.arguments.clone(),
            extra: call.extra.clone(),
        });
        pieces.extend(calls.map(|call| ChoiceDelta {
            choice: choice.index,
            tool_calls: vec![call],
            ..ChoiceDelta::default()
        }));
        events.extend(pieces.into_iter().map(ChatEvent::Delta));
        events.push(ChatEvent::Delta(ChoiceDelta {
            choice: choice.index,
            ..ChoiceDelta::finish(choice.finish.clone())
        }));
    }
    events.extend(completion.usage.map(ChatEvent::Usage));
    events
}

/// A streamed answer put together again, as it went to the caller.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    start: Option<StreamStart>,
    text: String,
    citations: Vec<Citation>,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
    /// Whether there was more than the text of one choice.
    is_more_than_text: bool,
}

impl Collected {
    /// A piece goes to the caller.
    pub(crate) fn take(&mut self, event: &ChatEvent) {
        match event {
            ChatEvent::Start(start) => self.start = Some(start.clone()),
            ChatEvent::Usage(usage) => self.usage = Some(*usage),
            ChatEvent::Ping => {}
            ChatEvent::Delta(delta) => {
                self.is_more_than_text |= delta.choice != 0
                    || delta.refusal.is_some()
                    || delta.reasoning.is_some()
                    || !delta.tool_calls.is_empty()
                    || delta.logprobs.is_some();
                self.text.push_str(delta.text.as_deref().unwrap_or_default());
                self.citations.extend_from_slice(&delta.citations);
                if delta.finish.is_some() {
                    self.finish.clone_from(&delta.finish);
                }
            }
        }
    }

    /// The text that has gone.
    pub(crate) fn sent(&self) -> &str {
        &self.text
    }

    /// The whole, where it was one text.
    pub(crate) fn whole(self) -> Option<Completion> {
        let (start, finish) = (self.start?, self.finish?);
        (!self.is_more_than_text).then(|| Completion {
            id: start.id,
            model: start.model,
            created: start.created,
            choices: vec![Choice {
                index: 0,
                message: AssistantMessage {
                    text: Some(self.text),
                    citations: self.citations,
                    ..AssistantMessage::default()
                },
                finish,
                logprobs: None,
            }],
            usage: self.usage,
            extra: start.extra,
        })
    }
}
