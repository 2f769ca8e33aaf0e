//! Requests over scripted upstreams under paused time: what the caller gets, and how often each upstream was called.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use mainstay_domain::chat::{
    AssistantMessage, ChatEvent, ChatRequest, Choice, ChoiceDelta, Completion, Extra, FinishReason,
    MaxTokens, Message, Role, StreamStart, Tool, ToolCall, ToolCallDelta,
};
use mainstay_domain::port::{ChatModel, ChatStream, ModelCall};
use mainstay_domain::usage::estimate_tokens;
use mainstay_domain::{
    Clock, Completion as Whole, Deadline, ModelError, ModelErrorKind, TimeoutPhase, Usage,
};
use mainstay_reliability::BreakerState;
use serde_json::json;

use super::*;

/// What an upstream does with one call. When its script is used up it says everything.
#[derive(Clone)]
enum Act {
    /// Says all of it.
    Say,
    /// Says something else.
    Differ(&'static str),
    /// Refuses.
    Refuse(ModelErrorKind, Option<u64>),
    /// Says so many characters, then this goes wrong.
    Break(usize, ModelErrorKind),
    /// Accepts and never says anything.
    Hang,
    /// Accepts after so many milliseconds and says all of it.
    Late(u64),
    /// Accepts at once, says nothing for so many milliseconds, then fails.
    FailLate(u64),
    /// Says these pieces and breaks off.
    BreakAfter(Vec<ChoiceDelta>),
    /// Says these pieces and nothing more.
    HangAfter(Vec<ChoiceDelta>),
    /// A whole answer that ends in the midst of a tool call, with what the provider reports of its tokens.
    CutTool(Option<Usage>),
}

const ANSWER: &str = "The ferry leaves at nine. It returns at noon.";

struct Scripted {
    name: &'static str,
    acts: Mutex<VecDeque<Act>>,
    seen: Mutex<Vec<ModelCall>>,
}

impl Scripted {
    fn new(name: &'static str, acts: impl IntoIterator<Item = Act>) -> Arc<Self> {
        Arc::new(Self { name, acts: Mutex::new(acts.into_iter().collect()), seen: Mutex::default() })
    }

    fn next(&self, call: ModelCall) -> Act {
        self.seen.lock().unwrap().push(call);
        self.acts.lock().unwrap().pop_front().unwrap_or(Act::Say)
    }

    fn calls(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    fn error(&self, kind: ModelErrorKind, retry_after: Option<u64>) -> ModelError {
        ModelError {
            kind,
            provider: self.name.to_owned(),
            status: None,
            message: "it failed".to_owned(),
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    fn whole(&self, message: AssistantMessage, finish: FinishReason, usage: Option<Usage>) -> Whole {
        Completion {
            id: "c".to_owned(),
            model: self.name.to_owned(),
            created: None,
            choices: vec![Choice { index: 0, message, finish, logprobs: None }],
            usage,
            extra: Extra::new(),
        }
    }

    /// An answer word by word; one that was given its beginning says the rest.
    fn words(call: &ModelCall, text: &str) -> Vec<String> {
        let begun = call.request.messages.last().filter(|message| message.role == Role::Assistant);
        let begun = begun.map(|message| message.content.text()).unwrap_or_default();
        let rest = text.strip_prefix(&begun).unwrap_or(text);
        rest.split_inclusive(' ').map(str::to_owned).collect()
    }
}

#[async_trait]
impl ChatModel for Scripted {
    async fn complete(&self, call: ModelCall) -> Result<Whole, ModelError> {
        match self.next(call) {
            Act::Say => {
                let message =
                    AssistantMessage { text: Some(ANSWER.to_owned()), ..AssistantMessage::default() };
                let usage = Usage { prompt: 10, completion: 9, ..Usage::default() };
                Ok(self.whole(message, FinishReason::Stop, Some(usage)))
            }
            Act::Refuse(kind, retry_after) => Err(self.error(kind, retry_after)),
            Act::Hang => std::future::pending().await,
            Act::CutTool(usage) => {
                let call = ToolCall {
                    id: "t".to_owned(),
                    name: "book".to_owned(),
                    arguments: "{\"ferry\": \"at ni".to_owned(),
                    extra: Extra::new(),
                };
                let message = AssistantMessage {
                    text: Some("I shall book it.".to_owned()),
                    tool_calls: vec![call],
                    ..AssistantMessage::default()
                };
                Ok(self.whole(message, FinishReason::ToolCalls, usage))
            }
            _ => unreachable!("a whole answer comes or does not"),
        }
    }

    async fn stream(&self, call: ModelCall) -> Result<ChatStream, ModelError> {
        let act = self.next(call.clone());
        let start = ChatEvent::Start(StreamStart {
            id: "c".to_owned(),
            model: self.name.to_owned(),
            created: None,
            extra: Extra::new(),
        });
        let say = |text: &str| {
            Self::words(&call, text).into_iter().map(|word| Ok(ChatEvent::Delta(ChoiceDelta::text(word))))
        };
        let end = [
            Ok(ChatEvent::Delta(ChoiceDelta::finish(FinishReason::Stop))),
            Ok(ChatEvent::Usage(Usage { prompt: 10, completion: 9, ..Usage::default() })),
        ];
        let begin = std::iter::once(Ok(start));
        let piece = |piece| Ok(ChatEvent::Delta(piece));
        Ok(match act {
            Act::Say => Box::pin(stream::iter(begin.chain(say(ANSWER)).chain(end).collect::<Vec<_>>())),
            Act::Differ(text) => {
                Box::pin(stream::iter(begin.chain(say(text)).chain(end).collect::<Vec<_>>()))
            }
            Act::Refuse(kind, retry_after) => return Err(self.error(kind, retry_after)),
            Act::Break(after, kind) => {
                let broken = [Err(self.error(kind, None))];
                Box::pin(stream::iter(begin.chain(say(&ANSWER[..after])).chain(broken).collect::<Vec<_>>()))
            }
            Act::Hang => Box::pin(stream::iter(begin.collect::<Vec<_>>()).chain(stream::pending())),
            Act::Late(after) => {
                Clock::system().sleep(Duration::from_millis(after)).await;
                Box::pin(stream::iter(begin.chain(say(ANSWER)).chain(end).collect::<Vec<_>>()))
            }
            Act::FailLate(after) => {
                let broken = Err(self.error(ModelErrorKind::Provider, None));
                let late = stream::once(async move {
                    Clock::system().sleep(Duration::from_millis(after)).await;
                    broken
                });
                Box::pin(stream::iter(begin.collect::<Vec<_>>()).chain(Box::pin(late)))
            }
            Act::CutTool(_) => unreachable!("a whole answer is not streamed"),
            Act::HangAfter(pieces) => {
                let begun = begin.chain(pieces.into_iter().map(piece)).collect::<Vec<_>>();
                Box::pin(stream::iter(begun).chain(stream::pending()))
            }
            Act::BreakAfter(pieces) => {
                let pieces = pieces.into_iter().map(piece);
                let broken = [Err(self.error(ModelErrorKind::Truncated, None))];
                Box::pin(stream::iter(begin.chain(pieces).chain(broken).collect::<Vec<_>>()))
            }
        })
    }
}

/// Upstreams and the models behind them.
struct World {
    upstreams: Arc<Upstreams>,
    candidates: Vec<Candidate>,
    clock: Clock,
}

impl World {
    fn new(policy: CallPolicy, models: &[&Arc<Scripted>]) -> Self {
        let clock = Clock::system();
        let upstreams = Upstreams::new(policy, [], clock);
        let candidates = models
            .iter()
            .map(|model| {
                let name: ModelName = format!("{}/m", model.name).parse().unwrap();
                let health = upstreams.health(&name);
                Candidate {
                    name,
                    model: (*model).clone(),
                    abilities: Abilities::default(),
                    region: None,
                    health,
                }
            })
            .collect();
        Self { upstreams, candidates, clock }
    }

    fn with_abilities(mut self, at: usize, abilities: Abilities) -> Self {
        self.candidates[at].abilities = abilities;
        self
    }

    fn call(&self) -> ModelCall {
        ModelCall {
            model: String::new(),
            request: ChatRequest {
                messages: vec![Message::text(Role::User, "When does the ferry leave?")],
                ..ChatRequest::default()
            },
            passages: Vec::new(),
            deadline: Deadline::after(&self.clock, Duration::from_secs(60)),
            region: None,
        }
    }

    async fn complete(&self) -> Result<String, ModelErrorKind> {
        self.complete_call(self.call(), 0).await.0
    }

    async fn complete_call(
        &self,
        call: ModelCall,
        client_retries: u32,
    ) -> (Result<String, ModelErrorKind>, Vec<Note>) {
        let mut notes = Vec::new();
        let candidates: Arc<[Candidate]> = self.candidates.clone().into();
        let mut note = |one| notes.push(one);
        let answer = self.upstreams.complete(candidates, call, client_retries, &mut note).await;
        (answer.map(|answer| answer.model).map_err(|error| error.kind), notes)
    }

    /// The text that the caller gets, and how the stream ended.
    async fn stream(&self) -> (String, Result<(), ModelErrorKind>) {
        let (text, end, _) = self.stream_call(self.call()).await;
        (text, end)
    }

    async fn stream_call(&self, call: ModelCall) -> (String, Result<(), ModelErrorKind>, Vec<Step>) {
        let mut stream = self.upstreams.stream(self.candidates.clone().into(), call, 0);
        let (mut text, mut steps) = (String::new(), Vec::new());
        while let Some(step) = stream.next().await {
            match step {
                Ok(step) => {
                    if let Step::Event(ChatEvent::Delta(delta)) = &step {
                        text.push_str(delta.text.as_deref().unwrap_or_default());
                    }
                    steps.push(step);
                }
                Err(error) => {
                    assert!(stream.next().await.is_none(), "an error is the last item");
                    return (text, Err(error.kind), steps);
                }
            }
        }
        let finish =
            |step: &Step| matches!(step, Step::Event(ChatEvent::Delta(delta)) if delta.finish.is_some());
        assert_eq!(steps.iter().filter(|step| finish(step)).count(), 1, "a finished answer says so once");
        (text, Ok(()), steps)
    }
}

fn world(models: &[&Arc<Scripted>]) -> World {
    World::new(CallPolicy::default(), models)
}

const DOWN: Act = Act::Refuse(ModelErrorKind::Provider, None);

#[tokio::test(start_paused = true)]
async fn what_passes_is_tried_again_and_what_does_not_is_not() {
    let model = Scripted::new("a", [DOWN, Act::Refuse(ModelErrorKind::RateLimited, Some(7))]);
    let world_of_one = world(&[&model]);
    let began = world_of_one.clock.instant();
    assert_eq!(world_of_one.complete().await, Ok("a".to_owned()));
    assert_eq!(model.calls(), 3);
    assert!(world_of_one.clock.instant() - began >= Duration::from_secs(7), "Retry-After was not waited");
    for kind in
        [ModelErrorKind::InvalidRequest, ModelErrorKind::ContentFilter, ModelErrorKind::Authentication]
    {
        let model = Scripted::new("a", [Act::Refuse(kind, None)]);
        assert_eq!(world(&[&model]).complete().await, Err(kind));
        assert_eq!(model.calls(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_caller_own_mistakes_and_refusals_are_not_shopped_around() {
    for kind in [ModelErrorKind::InvalidRequest, ModelErrorKind::ContentFilter] {
        let (a, b) = (Scripted::new("a", [Act::Refuse(kind, None)]), Scripted::new("b", []));
        assert_eq!(world(&[&a, &b]).complete().await, Err(kind));
        assert_eq!(b.calls(), 0);
    }
    let policy = CallPolicy { refusals_fall_back: true, ..CallPolicy::default() };
    let refusal = Act::Refuse(ModelErrorKind::ContentFilter, None);
    let (a, b) = (Scripted::new("a", [refusal]), Scripted::new("b", []));
    assert_eq!(World::new(policy, &[&a, &b]).complete().await, Ok("b".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn one_call_is_kept_for_each_that_comes_after() {
    let (a, b) = (Scripted::new("a", vec![DOWN; 9]), Scripted::new("b", []));
    assert_eq!(world(&[&a, &b]).complete().await, Ok("b".to_owned()));
    assert_eq!((a.calls(), b.calls()), (2, 1));
    let (a, b, c) =
        (Scripted::new("a", vec![DOWN; 9]), Scripted::new("b", vec![DOWN; 9]), Scripted::new("c", []));
    assert_eq!(world(&[&a, &b, &c]).complete().await, Ok("c".to_owned()));
    assert_eq!((a.calls(), b.calls(), c.calls()), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_retries_of_the_clients_library_and_ours_do_not_multiply() {
    for (client_retries, calls) in [(0, 3), (1, 2), (2, 1), (9, 1)] {
        let model = Scripted::new("a", vec![DOWN; 9]);
        let world = world(&[&model]);
        assert_eq!(world.complete_call(world.call(), client_retries).await.0, Err(ModelErrorKind::Provider));
        assert_eq!(model.calls(), calls, "{client_retries}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_much_patience_is_passed_over_while_there_is_somebody_else() {
    let busy = Act::Refuse(ModelErrorKind::RateLimited, Some(30));
    let (a, b) = (Scripted::new("a", [busy]), Scripted::new("b", []));
    let world = world(&[&a, &b]);
    let began = world.clock.instant();
    assert_eq!(world.complete().await, Ok("b".to_owned()));
    assert_eq!(world.complete().await, Ok("b".to_owned()));
    assert_eq!((a.calls(), world.clock.instant() - began), (1, Duration::ZERO));
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(world.complete().await, Ok("a".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_the_deadline_is_not_begun() {
    let model = Scripted::new("a", [Act::Refuse(ModelErrorKind::RateLimited, Some(31_536_000))]);
    let world = world(&[&model]);
    let began = world.clock.instant();
    assert_eq!(world.complete().await, Err(ModelErrorKind::RateLimited));
    assert_eq!((model.calls(), world.clock.instant() - began), (1, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn an_outage_costs_one_call_a_request_and_none_once_the_breaker_is_open() {
    let model = Scripted::new("a", vec![DOWN; 1_000]);
    let world = world(&[&model]);
    let (mut open, mut requests) = (0, 0);
    for _ in 0..100 {
        let error = world.complete().await.unwrap_err();
        requests += 1;
        open += usize::from(error == ModelErrorKind::Unavailable);
    }
    assert_eq!((requests, open), (100, 99));
    assert_eq!(model.calls(), 3);
    assert_eq!(world.upstreams.reports()[0].breaker.state, BreakerState::Open);
    assert_eq!(world.upstreams.reports()[0].breaker.opens, 1);
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_costs_no_request_its_answer_where_there_is_another_model() {
    let (a, b) = (Scripted::new("a", vec![DOWN; 1_000]), Scripted::new("b", []));
    let world = world(&[&a, &b]);
    for _ in 0..50 {
        assert_eq!(world.complete().await, Ok("b".to_owned()));
    }
    assert!(a.calls() <= 4, "{}", a.calls());
    a.acts.lock().unwrap().clear();
    tokio::time::advance(Duration::from_secs(61)).await;
    for _ in 0..3 {
        assert_eq!(world.complete().await, Ok("a".to_owned()));
    }
    assert_eq!(world.upstreams.reports()[0].breaker.state, BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn limits_and_refusals_open_no_breaker() {
    for kind in [ModelErrorKind::RateLimited, ModelErrorKind::InvalidRequest, ModelErrorKind::Authentication]
    {
        let model = Scripted::new("a", vec![Act::Refuse(kind, None); 1_000]);
        let world = world(&[&model]);
        for _ in 0..30 {
            assert_eq!(world.complete().await, Err(kind));
        }
        assert_eq!(world.upstreams.reports()[0].breaker.state, BreakerState::Closed, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_takes_no_probe_with_it() {
    let model = Scripted::new("a", [DOWN, DOWN, DOWN, Act::Hang]);
    let world = world(&[&model]);
    assert!(world.complete().await.is_err());
    tokio::time::advance(Duration::from_secs(61)).await;
    assert!(world.clock.timeout(Duration::from_secs(1), world.complete()).await.is_none());
    assert_eq!(world.complete().await, Ok("a".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn who_hangs_is_left_in_time_for_the_next() {
    let (a, b) = (Scripted::new("a", [Act::Hang]), Scripted::new("b", []));
    let (text, end) = world(&[&a, &b]).stream().await;
    assert_eq!((text.as_str(), end), (ANSWER, Ok(())));
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_is_too_long_goes_to_a_larger_model_only() {
    let too_long = Act::Refuse(ModelErrorKind::ContextTooLong, None);
    let (a, b, c) = (Scripted::new("a", [too_long]), Scripted::new("b", []), Scripted::new("c", []));
    let size = |tokens| Abilities { context_tokens: Some(tokens), ..Abilities::default() };
    let world = world(&[&a, &b, &c])
        .with_abilities(0, size(8_000))
        .with_abilities(1, size(8_000))
        .with_abilities(2, size(128_000));
    assert_eq!(world.complete().await, Ok("c".to_owned()));
    assert_eq!(b.calls(), 0);
    // What cannot fit is not sent at all.
    let mut call = world.call();
    call.request.messages = vec![Message::text(Role::User, "x".repeat(60_000))];
    assert_eq!(world.complete_call(call, 0).await.0, Ok("c".to_owned()));
    assert_eq!(a.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_bounds_fits_into_no_context() {
    let (a, b) = (Scripted::new("a", []), Scripted::new("b", []));
    let world =
        world(&[&a, &b]).with_abilities(0, Abilities { context_tokens: Some(8_000), ..Abilities::default() });
    let mut call = world.call();
    call.request.max_tokens = Some(MaxTokens { limit: u64::MAX, as_completion: false });
    assert_eq!(world.complete_call(call, 0).await.0, Ok("b".to_owned()));
    assert_eq!(a.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_cannot_call_tools_is_not_asked_to() {
    let (a, b) = (Scripted::new("a", []), Scripted::new("b", []));
    let world = world(&[&a, &b]).with_abilities(0, Abilities { tools: false, ..Abilities::default() });
    let mut call = world.call();
    call.request.tools = vec![Tool::Opaque(serde_json::Value::Null)];
    assert_eq!(world.complete_call(call, 0).await.0, Ok("b".to_owned()));
    assert_eq!(a.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn every_call_is_announced_and_every_failure_says_what_may_be_billed() {
    let slow = Act::Refuse(ModelErrorKind::Timeout(TimeoutPhase::Headers), None);
    let (a, b) = (Scripted::new("a", [DOWN, slow]), Scripted::new("b", []));
    let world = world(&[&a, &b]);
    let (_, notes) = world.complete_call(world.call(), 0).await;
    let billed: Vec<Option<bool>> = notes
        .iter()
        .map(|note| match note {
            Note::Failed { may_be_billed, .. } => Some(*may_be_billed),
            _ => None,
        })
        .collect();
    assert_eq!(billed, [None, Some(false), None, Some(true), None]);
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_with_a_cut_call_is_booked_with_all_that_it_said() {
    let usage = Usage { prompt: 10, completion: 4_000, ..Usage::default() };
    let model = Scripted::new("a", [Act::CutTool(Some(usage)), Act::CutTool(None)]);
    let world = world(&[&model]);
    let (answer, notes) = world.complete_call(world.call(), 0).await;
    assert_eq!(answer, Ok("a".to_owned()));
    let failures: Vec<(ModelErrorKind, Option<Usage>, u64)> = notes
        .iter()
        .filter_map(|note| match note {
            Note::Failed { kind, reported, completion, .. } => Some((*kind, *reported, *completion)),
            _ => None,
        })
        .collect();
    let said: u64 =
        ["I shall book it.", "book", "{\"ferry\": \"at ni"].map(estimate_tokens).into_iter().sum();
    let truncated = ModelErrorKind::Truncated;
    assert_eq!(failures, [(truncated, Some(usage), said), (truncated, None, said)]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_before_its_first_content_begins_anew_unseen() {
    let breaks = [ModelErrorKind::Truncated, ModelErrorKind::Timeout(TimeoutPhase::FirstToken)];
    let model = Scripted::new("a", breaks.map(|kind| Act::Break(0, kind)));
    let world = world(&[&model]);
    let (text, end, steps) = world.stream_call(world.call()).await;
    assert_eq!((text.as_str(), end, model.calls()), (ANSWER, Ok(()), 3));
    assert_eq!(steps.iter().filter(|step| **step == Step::Accepted).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_off_goes_on_where_a_second_one_says_the_same() {
    for after in [1, 4, 11, 25, ANSWER.len()] {
        for kind in [
            ModelErrorKind::Truncated,
            ModelErrorKind::Malformed,
            ModelErrorKind::Provider,
            ModelErrorKind::Timeout(TimeoutPhase::Idle),
        ] {
            let model = Scripted::new("a", [Act::Break(after, kind)]);
            let world = world(&[&model]);
            let (text, end, steps) = world.stream_call(world.call()).await;
            assert_eq!((text.as_str(), end), (ANSWER, Ok(())), "{after} {kind:?}");
            assert!(steps.iter().any(|step| matches!(step, Step::Note(Note::Resumed { .. }))));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_go_on_exactly_ends_with_its_error() {
    let differs = Act::Differ("The ferry is late. Please wait for it.");
    let broken = Act::Break(20, ModelErrorKind::Truncated);
    let model = Scripted::new("a", [broken.clone(), differs]);
    let (text, end) = world(&[&model]).stream().await;
    assert_eq!((text.as_str(), end), (&ANSWER[..20], Err(ModelErrorKind::Truncated)));
    // One that ends before it has said what was said is another answer too.
    let (a, b) = (Scripted::new("a", [broken]), Scripted::new("b", [Act::Differ("The ferry")]));
    let (text, end) = World::new(
        CallPolicy {
            retries: RetryPolicy { attempts: 2, ..RetryPolicy::default() },
            ..CallPolicy::default()
        },
        &[&a, &b],
    )
    .stream()
    .await;
    assert_eq!((text.as_str(), end), (&ANSWER[..20], Err(ModelErrorKind::Truncated)));
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_tool_that_breaks_off_is_not_begun_again() {
    let call = ChoiceDelta { tool_calls: vec![ToolCallDelta::default()], ..ChoiceDelta::default() };
    let model = Scripted::new("a", [Act::BreakAfter(vec![call])]);
    let (_, end) = world(&[&model]).stream().await;
    assert_eq!((end, model.calls()), (Err(ModelErrorKind::Truncated), 1));
}

/// A piece with a field that has no meaning here.
fn with_extra(field: &str, value: serde_json::Value) -> ChoiceDelta {
    ChoiceDelta { extra: Extra::from_iter([(field.to_owned(), value)]), ..ChoiceDelta::default() }
}

/// The beginning of a block that only callers of Anthropic's dialect know.
fn opaque_block() -> ChoiceDelta {
    with_extra("anthropic", json!({"start": {"type": "redacted_thinking", "data": "x"}}))
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_off_after_a_block_without_a_meaning_here_is_not_begun_again() {
    let prefill = Abilities { prefill: Prefill::LastMessage, ..Abilities::default() };
    for pieces in [
        vec![opaque_block()],
        vec![ChoiceDelta::text("I shall search."), opaque_block()],
        vec![opaque_block(), ChoiceDelta::text("The ferry")],
        vec![with_extra("images", json!(["x"]))],
        vec![with_extra("thought_signature", json!("x"))],
    ] {
        let model = Scripted::new("a", [Act::BreakAfter(pieces.clone())]);
        let world = world(&[&model]).with_abilities(0, prefill);
        let (_, end, steps) = world.stream_call(world.call()).await;
        assert_eq!((end, model.calls()), (Err(ModelErrorKind::Truncated), 1), "{pieces:?}");
        let sent: Vec<ChoiceDelta> = steps
            .into_iter()
            .filter_map(|step| match step {
                Step::Event(ChatEvent::Delta(delta)) => Some(delta),
                _ => None,
            })
            .collect();
        assert_eq!(sent, pieces);
    }
}

#[tokio::test(start_paused = true)]
async fn fields_that_say_nothing_are_no_beginning_of_an_answer() {
    let pieces = [json!(null), json!(""), json!([]), json!({}), json!(false), json!(0)];
    let pieces = pieces.map(|value| with_extra("annotations", value)).to_vec();
    let model = Scripted::new("a", [Act::BreakAfter(pieces)]);
    assert_eq!(world(&[&model]).stream().await, (ANSWER.to_owned(), Ok(())));
    assert_eq!(model.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_has_finished_without_a_word_is_not_begun_again() {
    let model = Scripted::new("a", [Act::BreakAfter(vec![ChoiceDelta::finish(FinishReason::Stop)])]);
    assert_eq!(world(&[&model]).stream().await, (String::new(), Err(ModelErrorKind::Truncated)));
    assert_eq!(model.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_block_without_a_meaning_here_is_held_back_too() {
    let policy = CallPolicy { hold_back: Duration::from_millis(200), ..CallPolicy::default() };
    let model = Scripted::new("a", [Act::BreakAfter(vec![opaque_block()])]);
    let world = World::new(policy, &[&model]);
    let (text, end, steps) = world.stream_call(world.call()).await;
    assert_eq!((text.as_str(), end), (ANSWER, Ok(())));
    assert!(!steps.contains(&Step::Event(ChatEvent::Delta(opaque_block()))));
}

#[tokio::test(start_paused = true)]
async fn who_has_begun_with_a_block_without_a_meaning_here_is_not_left_for_the_next() {
    let (a, b) = (Scripted::new("a", [Act::HangAfter(vec![opaque_block()])]), Scripted::new("b", []));
    let world = world(&[&a, &b]);
    assert!(world.clock.timeout(Duration::from_secs(60), world.stream()).await.is_none());
    assert_eq!((a.calls(), b.calls()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_model_that_takes_a_beginning_goes_on_from_it() {
    let prefill = Abilities { prefill: Prefill::LastMessage, ..Abilities::default() };
    // Breaks off behind a blank, which the beginning is given without.
    let after = ANSWER.find("leaves").unwrap();
    let (a, b) = (Scripted::new("a", [Act::Break(after, ModelErrorKind::Truncated)]), Scripted::new("b", []));
    let world = world(&[&a, &b]).with_abilities(0, prefill).with_abilities(1, prefill);
    let (text, end) = world.stream().await;
    assert_eq!((text.as_str(), end), (ANSWER, Ok(())));
    let seen = a.seen.lock().unwrap();
    let last = seen[1].request.messages.last().unwrap();
    assert_eq!((last.role, last.content.text().as_str()), (Role::Assistant, "The ferry"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_goes_on_may_have_what_was_left_of_its_limit() {
    let after = ANSWER.find(" It returns").unwrap();
    let said = estimate_tokens(&ANSWER[..after]);
    for prefill in [Prefill::LastMessage, Prefill::ContinueFinalMessage, Prefill::No] {
        for (most, left) in [(1_000, 1_000 - said), (said, 1), (1, 1)] {
            let model = Scripted::new("a", [Act::Break(after, ModelErrorKind::Truncated)]);
            let world = world(&[&model]).with_abilities(0, Abilities { prefill, ..Abilities::default() });
            let mut call = world.call();
            call.request.max_tokens = Some(MaxTokens { limit: most, as_completion: true });
            let (text, end, _) = world.stream_call(call).await;
            assert_eq!((text.as_str(), end), (ANSWER, Ok(())));
            // One that is begun anew says all of it again.
            let left = if prefill == Prefill::No { most } else { left };
            let limits: Vec<Option<MaxTokens>> =
                model.seen.lock().unwrap().iter().map(|call| call.request.max_tokens).collect();
            let limit = |limit| Some(MaxTokens { limit, as_completion: true });
            assert_eq!(limits, [limit(most), limit(left)], "{prefill:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn reasoning_counts_towards_the_limit_of_an_answer_that_goes_on() {
    let (reasoning, text) = ("It is about the ferry.", "The ferry");
    let pieces = vec![
        ChoiceDelta { reasoning: Some(reasoning.to_owned()), ..ChoiceDelta::default() },
        ChoiceDelta::text(text),
    ];
    let model = Scripted::new("a", [Act::BreakAfter(pieces)]);
    let prefill = Abilities { prefill: Prefill::LastMessage, ..Abilities::default() };
    let world = world(&[&model]).with_abilities(0, prefill);
    let mut call = world.call();
    call.request.max_tokens = Some(MaxTokens { limit: 100, as_completion: false });
    assert_eq!(world.stream_call(call).await.1, Ok(()));
    let limit = model.seen.lock().unwrap()[1].request.max_tokens.map(|most| most.limit);
    assert_eq!(limit, Some(100 - estimate_tokens(reasoning) - estimate_tokens(text)));
}

#[tokio::test(start_paused = true)]
async fn what_is_held_back_when_an_answer_breaks_off_was_never_said() {
    let policy = CallPolicy { hold_back: Duration::from_millis(200), ..CallPolicy::default() };
    let broken = Act::Break(20, ModelErrorKind::Truncated);
    let model = Scripted::new("a", [broken, Act::Differ("At nine.")]);
    let (text, end) = World::new(policy, &[&model]).stream().await;
    assert_eq!((text.as_str(), end), ("At nine.", Ok(())));
}

#[tokio::test(start_paused = true)]
async fn a_breaker_counts_answers_that_break_off_one_after_the_other() {
    let model = Scripted::new("a", vec![Act::Break(20, ModelErrorKind::Truncated); 9]);
    let policy = CallPolicy {
        retries: RetryPolicy { attempts: 1, ..RetryPolicy::default() },
        ..CallPolicy::default()
    };
    let world = World::new(policy, &[&model]);
    for _ in 0..3 {
        assert_eq!(world.stream().await.1, Err(ModelErrorKind::Truncated));
    }
    assert_eq!(world.stream().await.1, Err(ModelErrorKind::Unavailable));
}

/// A model that has answered twenty streams within 100 ms each and then does this, asked so that a twentieth may be asked
/// for twice.
async fn usually_quick(then: &[Act]) -> (World, Arc<Scripted>) {
    let usual = vec![Act::Late(100); 20];
    let model = Scripted::new("a", usual.into_iter().chain(then.iter().cloned()));
    let policy = CallPolicy { hedge_share: 0.05, ..CallPolicy::default() };
    let world = World::new(policy, &[&model]);
    for _ in 0..20 {
        assert_eq!(world.stream().await.1, Ok(()));
    }
    assert_eq!(model.calls(), 20);
    (world, model)
}

fn hedged(steps: &[Step]) -> usize {
    steps.iter().filter(|step| **step == Step::Note(Note::Hedged)).count()
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_slow_to_begin_is_asked_for_twice_and_the_first_to_begin_is_the_answer() {
    let (world, model) = usually_quick(&[Act::Hang, Act::Late(50)]).await;
    let began = world.clock.instant();
    let (text, end, steps) = world.stream_call(world.call()).await;
    assert_eq!((text.as_str(), end), (ANSWER, Ok(())));
    assert_eq!((model.calls(), hedged(&steps)), (22, 1));
    assert_eq!(world.clock.instant() - began, Duration::from_millis(150), "the p95, then the second's time");
    let began = |step: &&Step| matches!(step, Step::Note(Note::Began(_)));
    assert_eq!(steps.iter().filter(began).count(), 1, "it is one announcement and one answer");
}

#[tokio::test(start_paused = true)]
async fn the_first_call_wins_where_it_begins_before_the_second() {
    for slow in [Act::Late(120), Act::Late(199)] {
        let (world, model) = usually_quick(&[slow, Act::Hang]).await;
        let (text, end, steps) = world.stream_call(world.call()).await;
        assert_eq!((text.as_str(), end), (ANSWER, Ok(())));
        assert_eq!((model.calls(), hedged(&steps)), (22, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn one_of_two_calls_that_fails_leaves_the_answer_to_the_other() {
    let cases =
        [[Act::FailLate(150), Act::Late(300)], [Act::Late(400), Act::FailLate(50)], [Act::Late(400), DOWN]];
    for acts in cases {
        let (world, model) = usually_quick(&acts).await;
        let (text, end, steps) = world.stream_call(world.call()).await;
        assert_eq!((text.as_str(), end), (ANSWER, Ok(())));
        assert_eq!((model.calls(), hedged(&steps)), (22, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn where_both_fail_there_is_another_attempt() {
    let (world, model) = usually_quick(&[Act::FailLate(150), Act::FailLate(150), Act::Say]).await;
    let (text, end, steps) = world.stream_call(world.call()).await;
    assert_eq!((text.as_str(), end), (ANSWER, Ok(())));
    let failed = |step: &&Step| matches!(step, Step::Note(Note::Failed { .. }));
    assert_eq!((model.calls(), hedged(&steps), steps.iter().filter(failed).count()), (23, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_second_call_is_one_of_the_calls_of_its_request_and_a_twentieth_of_all() {
    // Twenty calls have saved up one; the next twenty slow ones save up another.
    let slow = vec![Act::Late(150); 21];
    let (world, model) = usually_quick(&slow).await;
    let mut twice = 0;
    for _ in 0..20 {
        twice += hedged(&world.stream_call(world.call()).await.2);
    }
    assert_eq!((twice, model.calls()), (1, 41));

    // One call is all that this request may have.
    let policy = CallPolicy { hedge_share: 1.0, ..CallPolicy::default() };
    let policy = CallPolicy { retries: RetryPolicy { attempts: 1, ..policy.retries }, ..policy };
    let model = Scripted::new("a", vec![Act::Late(100); 20].into_iter().chain([Act::Late(900)]));
    let world = World::new(policy, &[&model]);
    for _ in 0..21 {
        assert_eq!(world.stream().await.1, Ok(()));
    }
    assert_eq!(model.calls(), 21);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_for_twice_unless_it_is_configured() {
    let model = Scripted::new("a", vec![Act::Late(10); 30].into_iter().chain([Act::Late(900)]));
    let world = world(&[&model]);
    for _ in 0..31 {
        assert_eq!(world.stream().await.1, Ok(()));
    }
    assert_eq!(model.calls(), 31);
}

#[tokio::test(start_paused = true)]
async fn what_has_to_stay_in_a_region_is_sent_to_no_model_elsewhere() {
    let (elsewhere, unknown, there) =
        (Scripted::new("a", []), Scripted::new("b", []), Scripted::new("c", []));
    let mut world = world(&[&elsewhere, &unknown, &there]);
    let region = RegionName::from("eu-west-1".to_owned());
    world.candidates[0].region = Some(RegionName::from("us-east-1".to_owned()));
    world.candidates[2].region = Some(region.clone());
    let bound = |world: &World| ModelCall { region: Some(region.clone()), ..world.call() };
    assert_eq!(world.complete_call(bound(&world), 0).await.0, Ok("c".to_owned()));
    assert_eq!(world.stream_call(bound(&world)).await.1, Ok(()));
    assert_eq!((elsewhere.calls(), unknown.calls(), there.calls()), (0, 0, 2));
    world.candidates.truncate(2);
    assert_eq!(world.complete_call(bound(&world), 0).await.0, Err(ModelErrorKind::OutOfRegion));
    assert_eq!(world.stream_call(bound(&world)).await.1, Err(ModelErrorKind::OutOfRegion));
    assert_eq!((elsewhere.calls(), unknown.calls()), (0, 0));
    // Of a tenant that is bound to no region it may be sent there.
    assert_eq!(world.complete().await, Ok("a".to_owned()));
}
