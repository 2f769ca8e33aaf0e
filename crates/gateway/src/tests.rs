//! The request path against scripted models: what is answered, and that exactly one record is booked however it ends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use mainstay_cache::{CacheSettings, Layer, Mode};
use mainstay_domain::chat::{
    AssistantMessage, ChatEvent, ChatRequest, Choice, ChoiceDelta, Completion, Content, Delivery, Extra,
    FinishReason, MaxTokens, Message, Role, StreamStart,
};
use mainstay_domain::filter::Test;
use mainstay_domain::ledger::{Outcome, TurnRecord};
use mainstay_domain::port::{
    ChatModel, ChatStream, Embedder, EmbeddingPurpose, Embeddings, Errand, Ledger, LedgerError, ModelCall,
    Prices, RetrievalError, RetrievalQuery, Retrieved, Retriever,
};
use mainstay_domain::usage::UsageSource;
use mainstay_domain::{
    AssistantName, Caller, ChunkId, Clock, CorpusName, Deadline, Filter, KeyId, ModelError, ModelErrorKind,
    NanoUsd, NotReranked, Passage, RequestId, Reranking, ServiceTier, TenantId, TimeoutPhase, Usage,
};
use mainstay_models::{Assistant, CallPolicy, Provider, Registry, RetrievalSettings, Upstreams};
use mainstay_ops::budgets::{AtLimit, Attribute, BudgetSettings, Period};
use mainstay_ops::{Budgets, TurnBook};

use crate::admission::{Admission, AdmissionSettings};
use crate::chat::{Answer, ChatCall, Context};
use crate::{Gateway, RequestError};

/// What a scripted model does.
#[derive(Clone)]
pub(crate) enum Script {
    /// Says this and reports its usage.
    Say(&'static str),
    /// Says this and then nothing more.
    Stall(&'static str),
    /// Says this and breaks off.
    Break(&'static str),
    /// Refuses.
    Refuse(ModelErrorKind),
    /// Accepts, and does not answer within the time of the call.
    Hang,
}

struct Scripted {
    script: Script,
    seen: Arc<Mutex<Vec<ChatRequest>>>,
}

const USAGE: Usage = Usage { prompt: 20, cache_read: 0, cache_write: 0, completion: 7, reasoning: 0 };

fn failure(kind: ModelErrorKind) -> ModelError {
    ModelError {
        kind,
        provider: "scripted".to_owned(),
        status: None,
        message: "it failed".to_owned(),
        retry_after: None,
    }
}

fn delta(text: &str) -> Result<ChatEvent, ModelError> {
    Ok(ChatEvent::Delta(ChoiceDelta::text(text)))
}

#[async_trait]
impl ChatModel for Scripted {
    async fn complete(&self, call: ModelCall) -> Result<Completion, ModelError> {
        self.seen.lock().unwrap().push(call.request);
        match self.script {
            Script::Say(text) | Script::Stall(text) | Script::Break(text) => Ok(Completion {
                id: "c1".to_owned(),
                model: "scripted-1".to_owned(),
                created: None,
                choices: vec![Choice {
                    index: 0,
                    message: AssistantMessage { text: Some(text.to_owned()), ..AssistantMessage::default() },
                    finish: FinishReason::Stop,
                    logprobs: None,
                }],
                usage: Some(USAGE),
                extra: Extra::new(),
            }),
            Script::Refuse(kind) => Err(failure(kind)),
            // As a provider's connection does, which knows when its time is over.
            Script::Hang => {
                let clock = Clock::system();
                clock.sleep(call.deadline.remaining(&clock)).await;
                Err(failure(ModelErrorKind::Timeout(TimeoutPhase::Total)))
            }
        }
    }

    async fn stream(&self, call: ModelCall) -> Result<ChatStream, ModelError> {
        self.seen.lock().unwrap().push(call.request);
        let start = StreamStart {
            id: "c1".to_owned(),
            model: "scripted-1".to_owned(),
            created: None,
            extra: Extra::new(),
        };
        let head = vec![Ok(ChatEvent::Start(start))];
        Ok(match self.script {
            Script::Say(text) => {
                let tail = [
                    delta(text),
                    Ok(ChatEvent::Delta(ChoiceDelta::finish(FinishReason::Stop))),
                    Ok(ChatEvent::Usage(USAGE)),
                ];
                Box::pin(stream::iter(head.into_iter().chain(tail)))
            }
            Script::Break(text) => Box::pin(stream::iter(
                head.into_iter().chain([delta(text), Err(failure(ModelErrorKind::Truncated))]),
            )),
            Script::Stall(text) => {
                Box::pin(stream::iter(head.into_iter().chain([delta(text)])).chain(stream::pending()))
            }
            Script::Refuse(kind) => return Err(failure(kind)),
            Script::Hang => std::future::pending().await,
        })
    }
}

/// Finds the same passage for every question, and remembers what was asked.
#[derive(Default)]
struct OnePassage {
    asked: Mutex<Vec<RetrievalQuery>>,
    version: std::sync::atomic::AtomicU64,
}

const SOURCE: &str = "The warranty lasts two years from the day of purchase.";

#[async_trait]
impl Retriever for OnePassage {
    async fn retrieve(&self, query: RetrievalQuery) -> Result<Retrieved, RetrievalError> {
        self.asked.lock().unwrap().push(query);
        let passage = Passage::whole(ChunkId(1), "policy.md", SOURCE);
        let reranking = Reranking::Skipped(NotReranked::NoReranker);
        Ok(Retrieved { passages: vec![passage], reranking, words_alone: false })
    }

    fn version(&self, _: &TenantId, _: &CorpusName) -> u64 {
        self.version.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// Ten nano-dollars a token.
struct PerToken;

impl Prices for PerToken {
    fn cost(&self, _: &str, usage: &Usage) -> Option<(NanoUsd, &str)> {
        Some((NanoUsd::new(10 * usage.total() as i64), "2026-01-01"))
    }
}

#[derive(Default)]
struct Booked(Mutex<Vec<TurnRecord>>);

impl Ledger for Booked {
    fn book(&self, record: &TurnRecord) -> Result<(), LedgerError> {
        self.0.lock().unwrap().push(record.clone());
        Ok(())
    }
}

pub(crate) struct World {
    pub(crate) gateway: Gateway,
    booked: Arc<Booked>,
    seen: Arc<Mutex<Vec<ChatRequest>>>,
    retriever: Arc<OnePassage>,
    pub(crate) clock: Clock,
    /// Who calls, for tests with several.
    pub(crate) callers: Vec<Caller>,
}

pub(crate) fn world(script: Script) -> World {
    judged_world(script, None)
}

/// With a budget in nano-dollars.
fn budgeted_world(script: Script, limit: i64, at_limit: AtLimit) -> World {
    under_budget(world(script), limit, at_limit)
}

/// The same with a budget in nano-dollars.
fn under_budget(mut world: World, limit: i64, at_limit: AtLimit) -> World {
    let budget = BudgetSettings {
        name: "b".to_owned(),
        limit: NanoUsd::new(limit),
        period: Period::Total,
        only: Vec::new(),
        for_each: None,
        alert_at: 0.8,
        at_limit,
    };
    world.gateway.turns = world.gateway.turns.under(Budgets::new(vec![budget], world.clock));
    world
}

/// With a model that judges the citations of the answers.
fn judged_world(script: Script, judge: Option<Script>) -> World {
    let clock = Clock::system();
    let booked = Arc::new(Booked::default());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let chat = Arc::new(Scripted { script, seen: seen.clone() });
    let provider =
        Provider { chat, embedders: None, models: vec!["m".to_owned()], closed: false, region: None };
    let assistant = Assistant {
        name: AssistantName::new("support"),
        description: None,
        prompt: Some("Be brief.".to_owned()),
        corpus: Some(CorpusName::unnamed()),
        model: "scripted/m".parse().unwrap(),
        stronger: Vec::new(),
        fallback: Vec::new(),
        reduced_model: None,
        warm_share: 0.0,
        max_tokens: None,
        temperature: None,
        retrieval: RetrievalSettings::default(),
        filter: Some(of_field("audience")),
        citation_judge: judge.is_some().then(|| "judge/j".parse().unwrap()),
    };
    let judge = judge.map(|script| {
        let chat = Arc::new(Scripted { script, seen: seen.clone() });
        (
            "judge".to_owned(),
            Provider { chat, embedders: None, models: Vec::new(), closed: false, region: None },
        )
    });
    let retriever = Arc::new(OnePassage::default());
    let gateway = Gateway {
        admission: Admission::new(AdmissionSettings::default(), clock),
        registry: Registry::new(
            [assistant],
            [("scripted".to_owned(), provider)].into_iter().chain(judge),
            [],
            Upstreams::new(CallPolicy::default(), [], clock),
        ),
        retriever: retriever.clone(),
        turns: TurnBook::new(booked.clone(), clock),
        contents: mainstay_ops::ContentLog::default(),
        service: crate::Service::new(Default::default(), 1, clock),
        caching: crate::Caching {
            answers: mainstay_cache::AnswerCache::new(1 << 20, clock),
            settings: Default::default(),
        },
        cascades: crate::Cascades::new(),
        required_attribution: Vec::new(),
        prices: Arc::new(PerToken),
        clock,
    };
    World { gateway, booked, seen, retriever, clock, callers: Vec::new() }
}

/// With models that do this: `t0/m`, `t1/m` and so on. The first so many are the cascade of `support`, the cheapest first.
pub(crate) fn cascade_world(scripts: &[Script], tiers: usize) -> World {
    let mut world = world(Script::Hang);
    let name = |number: usize| format!("t{number}/m").parse().unwrap();
    let assistant = Assistant {
        model: name(0),
        stronger: (1..tiers).map(name).collect(),
        ..(**world.gateway.registry.assistant("support").unwrap()).clone()
    };
    let providers = scripts.iter().enumerate().map(|(number, script)| {
        let chat = Arc::new(Scripted { script: script.clone(), seen: world.seen.clone() });
        (
            format!("t{number}"),
            Provider { chat, embedders: None, models: Vec::new(), closed: false, region: None },
        )
    });
    let upstreams = Upstreams::new(CallPolicy::default(), [], world.clock);
    world.gateway.registry = Registry::new([assistant], providers.collect::<Vec<_>>(), [], upstreams);
    world
}

/// A filter to documents with the field.
fn of_field(name: &str) -> Filter {
    Filter::Field { name: name.to_owned(), test: Test::Exists }
}

impl World {
    pub(crate) fn call(&self, model: &str, delivery: Delivery) -> ChatCall {
        self.call_with(model, delivery, "How long is the warranty?")
    }

    pub(crate) fn call_with(&self, model: &str, delivery: Delivery, question: &str) -> ChatCall {
        ChatCall {
            request: ChatRequest {
                model: model.to_owned(),
                messages: vec![Message::text(Role::User, question)],
                delivery,
                ..ChatRequest::default()
            },
            tier: None,
            context: Context {
                request: RequestId::new("req_1"),
                caller: Caller::of(TenantId::single(), KeyId::new("k")),
                deadline: Deadline::after(&self.clock, Duration::from_secs(60)),
                client_retries: 0,
                address: None,
                place: tokio::sync::watch::Sender::new(0),
                team: None,
                feature: None,
                cache: mainstay_cache::Wish::default(),
            },
        }
    }

    /// What has been booked.
    pub(crate) fn records(&self) -> Vec<TurnRecord> {
        self.booked.0.lock().unwrap().clone()
    }

    /// How many calls of models there were.
    pub(crate) fn seen(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    fn only_record(&self) -> TurnRecord {
        let booked = self.booked.0.lock().unwrap();
        assert_eq!(booked.len(), 1, "{booked:?}");
        booked[0].clone()
    }
}

const STREAMED: Delivery = Delivery::Streamed { include_usage: false };

async fn open(world: &World, model: &str) -> Box<crate::AnswerStream> {
    match world.gateway.chat(world.call(model, STREAMED)).await.unwrap() {
        Answer::Stream { stream, .. } => stream,
        Answer::Whole { .. } => panic!("a streamed request was answered whole"),
    }
}

#[tokio::test]
async fn the_tier_of_a_call_comes_before_the_one_of_its_assistant() {
    let world = world(Script::Say("Two years."));
    for tier in [None, Some(ServiceTier::Fast)] {
        let call = ChatCall { tier, ..world.call("support", Delivery::Whole) };
        world.gateway.chat(call).await.unwrap();
    }
    let asked = world.retriever.asked.lock().unwrap();
    let tiers: Vec<ServiceTier> = asked.iter().map(|query| query.tier).collect();
    assert_eq!(tiers, [ServiceTier::Quality, ServiceTier::Fast]);
}

#[tokio::test]
async fn a_grounded_answer_carries_verified_citations_and_one_record() {
    let world = world(Script::Say("The warranty lasts two years [1]. Bananas are blue [4]."));
    let Answer::Whole { completion, summary } =
        world.gateway.chat(world.call("support", Delivery::Whole)).await.unwrap()
    else {
        panic!("a whole request was streamed");
    };
    let message = &completion.choices[0].message;
    assert_eq!(message.text.as_deref(), Some("The warranty lasts two years [1]. Bananas are blue."));
    assert_eq!(message.citations[0].quote, SOURCE);
    assert_eq!((summary.passages, summary.citations_removed), (1, Some(1)));
    assert_eq!(summary.cost_nano_usd, Some(270));
    let record = world.only_record();
    assert_eq!(record.outcome, Outcome::Completed);
    assert_eq!((record.usage, record.usage_source), (USAGE, UsageSource::Reported));
    assert_eq!((record.cost, record.price_date.as_deref()), (NanoUsd::new(270), Some("2026-01-01")));
    assert_eq!((record.passages, record.citations, record.citations_removed), (1, 1, 1));
    assert_eq!(record.answered_model.as_deref(), Some("scripted/m"));
    let seen = world.seen.lock().unwrap();
    let roles: Vec<Role> = seen[0].messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::System, Role::User, Role::User]);
    assert!(seen[0].messages[1].content.text().contains(SOURCE));
}

#[tokio::test(start_paused = true)]
async fn a_judge_takes_citations_out_that_hold_by_their_words_alone() {
    const ANSWER: &str = "The warranty lasts not two years [1]. So it is.";
    for (judge, kept) in [
        (Script::Say("no"), false),
        (Script::Say("yes"), true),
        (Script::Say("perhaps"), true),
        (Script::Refuse(ModelErrorKind::Provider), true),
    ] {
        let shown = if kept { ANSWER } else { "The warranty lasts not two years. So it is." };
        let world = judged_world(Script::Say(ANSWER), Some(judge.clone()));
        let whole = world.gateway.chat(world.call("support", Delivery::Whole)).await.unwrap();
        let Answer::Whole { completion, summary } = whole else { panic!("a whole request was streamed") };
        let message = &completion.choices[0].message;
        assert_eq!((message.text.as_deref(), message.citations.len()), (Some(shown), usize::from(kept)));
        assert_eq!(summary.citations_removed, Some(u32::from(!kept)));

        let mut stream = open(&world, "support").await;
        let (mut text, mut citations) = (String::new(), 0);
        while let Some(event) = stream.next().await {
            if let ChatEvent::Delta(delta) = event.unwrap() {
                text.push_str(&delta.text.unwrap_or_default());
                citations += delta.citations.len();
            }
        }
        assert_eq!((text.as_str(), citations), (shown, usize::from(kept)));
        assert_eq!(stream.summary().unwrap().citations_removed, Some(u32::from(!kept)));

        // Each answer and each question to the judge is booked, to the same caller.
        let booked = world.booked.0.lock().unwrap();
        let operations: Vec<&str> = booked.iter().map(|record| record.operation.as_str()).collect();
        assert_eq!(operations, ["judge", "chat", "judge", "chat"]);
        assert!(booked.iter().all(|record| record.key.is_some() && record.key == booked[1].key));
        assert_eq!(booked[0].answered_model.as_deref(), Some("judge/j"));
        let seen = world.seen.lock().unwrap();
        let asked = seen[1].messages[1].content.text();
        assert!(asked.contains("The warranty lasts not two years") && asked.contains(SOURCE), "{asked}");
    }
}

#[tokio::test]
async fn no_citation_is_judged_that_no_budget_has_room_for() {
    for (limit, kept) in [(60_000, 1), (900_000, 0)] {
        let judged = judged_world(Script::Say("The warranty lasts two years [1]."), Some(Script::Say("no")));
        let world = under_budget(judged, limit, AtLimit::Refuse);
        let mut call = world.call("support", Delivery::Whole);
        call.request.max_tokens = Some(MaxTokens { limit: 50, as_completion: true });
        let Answer::Whole { completion, .. } = world.gateway.chat(call).await.unwrap() else {
            panic!("a whole request was streamed")
        };
        assert_eq!(completion.choices[0].message.citations.len(), kept, "{limit}");
        let asked = world.seen.lock().unwrap().len();
        assert_eq!(asked, 2 - kept, "{limit}");
        let booked = world.booked.0.lock().unwrap();
        assert_eq!(booked[0].error_code.as_deref(), (kept == 1).then_some("budget_exceeded"));
    }
}

#[tokio::test]
async fn who_goes_away_while_a_citation_is_judged_pays_for_both() {
    let world = judged_world(Script::Say("The warranty lasts two years [1]."), Some(Script::Hang));
    let mut stream = open(&world, "support").await;
    while let Ok(Some(_)) = tokio::time::timeout(Duration::from_millis(1), stream.next()).await {}
    drop(stream);
    let booked = world.booked.0.lock().unwrap();
    assert_eq!(booked.len(), 2);
    assert!(booked.iter().all(|record| record.cost > NanoUsd::ZERO));
}

#[tokio::test]
async fn an_answer_that_is_not_in_the_documents_is_told_from_others() {
    let world_says = |text| world(Script::Say(text));
    for (text, shown, expected) in [
        ("The documents do not contain it [0].", "The documents do not contain it.", true),
        ("The warranty lasts two years [1].", "The warranty lasts two years [1].", false),
    ] {
        let world = world_says(text);
        let whole = world.gateway.chat(world.call("support", Delivery::Whole)).await.unwrap();
        let Answer::Whole { completion, summary } = whole else { panic!("a whole request was streamed") };
        assert_eq!(completion.choices[0].message.text.as_deref(), Some(shown));
        assert_eq!((summary.not_in_documents, summary.citations_removed), (Some(expected), Some(0)));

        let world = world_says(text);
        let mut stream = open(&world, "support").await;
        while let Some(event) = stream.next().await {
            event.unwrap();
        }
        assert_eq!(stream.summary().unwrap().not_in_documents, Some(expected));
    }
}

#[tokio::test]
async fn a_raw_model_gets_the_conversation_as_it_is() {
    let world = world(Script::Say("Hello [1]."));
    let answer = world.gateway.chat(world.call("scripted/anything", Delivery::Whole)).await.unwrap();
    let Answer::Whole { completion, .. } = answer else { panic!("a whole request was streamed") };
    assert_eq!(completion.choices[0].message.text.as_deref(), Some("Hello [1]."));
    let content = world.seen.lock().unwrap()[0].messages[0].content.clone();
    assert_eq!(content, Content::Text("How long is the warranty?".to_owned()));
}

#[tokio::test]
async fn a_stream_is_booked_before_the_caller_knows_that_it_is_complete() {
    let world = world(Script::Say("The warranty lasts two years [1]."));
    let mut stream = open(&world, "support").await;
    let mut citations = Vec::new();
    while let Some(event) = stream.next().await {
        if let ChatEvent::Delta(delta) = event.unwrap() {
            citations.extend(delta.citations);
        }
    }
    let record = world.only_record();
    let told = stream.summary().expect("a stream that has ended well has a summary");
    assert_eq!((told.cost_nano_usd, told.citations_removed), (Some(record.cost.as_nanos()), Some(0)));
    assert_eq!((record.outcome, record.usage), (Outcome::Completed, USAGE));
    assert!(record.first_token_micros.is_some());
    assert_eq!(citations.len(), 1);
}

#[tokio::test]
async fn a_caller_who_leaves_a_stream_is_booked_with_the_tokens_until_then() {
    let world = world(Script::Stall("one two three"));
    let mut stream = open(&world, "scripted/m").await;
    for _ in 0..2 {
        stream.next().await.unwrap().unwrap();
    }
    drop(stream);
    let record = world.only_record();
    assert_eq!((record.outcome, record.usage_source), (Outcome::Cancelled, UsageSource::Estimated));
    assert!(record.usage.prompt > 0 && record.usage.completion >= 3, "{:?}", record.usage);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_leaves_before_the_first_byte_is_booked_with_the_prompt() {
    for delivery in [Delivery::Whole, STREAMED] {
        let world = world(Script::Hang);
        let asked =
            tokio::time::timeout(Duration::from_secs(1), world.gateway.chat(world.call("support", delivery)));
        assert!(asked.await.is_err(), "a model that hangs was answered for");
        let record = world.only_record();
        assert_eq!(record.outcome, Outcome::Cancelled);
        assert!(record.usage.prompt > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_ends_with_the_error_and_nothing_after_it() {
    // Its second answer says the same, and breaks off again.
    let world = world(Script::Break("The warr"));
    let mut stream = open(&world, "support").await;
    let mut last = None;
    while let Some(event) = stream.next().await {
        assert!(last.is_none(), "something came after the error");
        last = event.err();
    }
    assert_eq!(last.unwrap().code(), "provider_stream_truncated");
    let record = world.only_record();
    assert_eq!(
        (record.outcome, record.error_code.as_deref()),
        (Outcome::Failed, Some("provider_stream_truncated"))
    );
    // Each call had been accepted, so each is billed: apart from the answer that never came.
    assert_eq!((record.failed_attempts, record.cost), (3, NanoUsd::ZERO));
    assert!(record.failed_cost > NanoUsd::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_provider_is_booked_without_cost() {
    let world = world(Script::Refuse(ModelErrorKind::RateLimited));
    let error = world.gateway.chat(world.call("scripted/m", Delivery::Whole)).await.err().unwrap();
    assert_eq!(error.code(), "provider_rate_limited");
    let record = world.only_record();
    assert_eq!((record.outcome, record.usage), (Outcome::Failed, Usage::default()));
    assert_eq!((record.failed_attempts, record.failed_cost), (3, NanoUsd::ZERO));
    let cost = (record.cost, record.price_date.as_deref());
    assert_eq!(cost, (NanoUsd::ZERO, Some("2026-01-01")), "the model has a price, and nothing was charged");
}

#[tokio::test]
async fn a_model_that_the_tenant_may_not_use_is_refused_and_not_called() {
    let world = world(Script::Say("secret"));
    for (models, allowed) in [(&["support", "scripted/m"][..], true), (&["scripted/m"], false), (&[], false)]
    {
        let mut call = world.call("support", Delivery::Whole);
        call.context.caller.models = Some(models.iter().map(|model| (*model).to_owned()).collect());
        let before = world.seen();
        match world.gateway.chat(call).await {
            Ok(_) => assert!(allowed, "{models:?}"),
            Err(error) => {
                assert_eq!((error.code(), allowed), ("model_not_allowed", false), "{models:?}");
                assert_eq!(world.seen(), before, "the model was called all the same");
            }
        }
    }
}

#[tokio::test]
async fn an_unknown_model_and_an_empty_question_are_refused_before_the_model_is_called() {
    let world = world(Script::Say("never"));
    let unknown = world.gateway.chat(world.call("gpt-4o", Delivery::Whole)).await;
    assert!(matches!(unknown, Err(RequestError::UnknownModel(_))));
    let empty = world.gateway.chat(world.call_with("support", Delivery::Whole, "  \n")).await;
    assert!(matches!(empty, Err(RequestError::Invalid { param: Some("messages"), .. })));
    assert!(world.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_caller_can_narrow_what_an_assistant_may_read_and_not_widen_it() {
    let world = world(Script::Say("Two years [1]."));
    for filter in [None, Some(of_field("year")), Some(Filter::All(Vec::new()))] {
        let mut call = world.call("support", Delivery::Whole);
        call.request.filter = filter;
        assert!(world.gateway.chat(call).await.is_ok());
    }
    let asked: Vec<Filter> =
        world.retriever.asked.lock().unwrap().iter().map(|query| query.filter.clone().unwrap()).collect();
    let own = of_field("audience");
    assert_eq!(
        asked,
        [
            own.clone(),
            Filter::All(vec![own.clone(), of_field("year")]),
            Filter::All(vec![own, Filter::All(Vec::new())]),
        ]
    );
}

#[tokio::test]
async fn a_filter_where_nothing_is_searched_is_refused() {
    let world = world(Script::Say("never"));
    let mut call = world.call("scripted/m", Delivery::Whole);
    call.request.filter = Some(of_field("year"));
    let refused = world.gateway.chat(call).await;
    assert!(matches!(refused, Err(RequestError::Invalid { param: Some("mainstay.filter"), .. })));
    assert!(world.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_a_request_may_cost_is_held_before_the_model_is_called_and_put_right_after() {
    // At most 4,096 tokens of answer at 10 a token, three times, and less than 100 tokens of prompt.
    let world = budgeted_world(Script::Say("hm"), 130_000, AtLimit::Refuse);
    for _ in 0..3 {
        world.gateway.chat(world.call("scripted/m", Delivery::Whole)).await.unwrap();
    }
    let seen = world.seen.lock().unwrap().len();
    assert_eq!(seen, 3, "270 were spent of each 123,000 that were held");
    let small = budgeted_world(Script::Say("hm"), 120_000, AtLimit::Refuse);
    let refused = small.gateway.chat(small.call("scripted/m", Delivery::Whole)).await.err().unwrap();
    assert_eq!(refused.code(), "budget_exceeded");
    assert!(small.seen.lock().unwrap().is_empty(), "the model was called without its cost being held");
    let mut call = small.call("scripted/m", Delivery::Whole);
    call.request.max_tokens = Some(MaxTokens { limit: 100, as_completion: true });
    assert!(small.gateway.chat(call).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_thousand_at_once_overspend_nothing() {
    let world = Arc::new(budgeted_world(Script::Say("hm"), 100_000, AtLimit::Refuse));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..1_000 {
        let world = world.clone();
        tasks.spawn(async move {
            let delivery = if number % 2 == 0 { Delivery::Whole } else { STREAMED };
            let mut call = world.call("scripted/m", delivery);
            call.request.max_tokens = Some(MaxTokens { limit: 50, as_completion: true });
            match world.gateway.chat(call).await {
                Ok(Answer::Whole { .. }) => true,
                Ok(Answer::Stream { mut stream, .. }) => {
                    while let Some(event) = stream.next().await {
                        event.unwrap();
                    }
                    true
                }
                Err(error) => {
                    assert_eq!(error.code(), "budget_exceeded");
                    false
                }
            }
        });
    }
    let answered = tasks.join_all().await.into_iter().filter(|answered| *answered).count();
    let spent: NanoUsd =
        world.booked.0.lock().unwrap().iter().map(|record| record.cost + record.failed_cost).sum();
    assert_eq!(spent, NanoUsd::new(270 * answered as i64));
    assert!(spent <= NanoUsd::new(100_000) && answered > 300, "{spent} for {answered}");
}

#[tokio::test]
async fn where_a_budget_says_so_a_model_that_costs_nothing_answers_and_the_caller_is_told() {
    let world = budgeted_world(Script::Say("never"), 1, AtLimit::Degrade);
    // There is none that costs nothing in this world.
    let refused = world.gateway.chat(world.call("support", Delivery::Whole)).await.err().unwrap();
    assert_eq!(refused.code(), "budget_exceeded");
}

#[tokio::test]
async fn a_request_that_does_not_say_whom_it_is_charged_to_is_refused_where_it_must() {
    let mut world = world(Script::Say("Two years."));
    world.gateway.required_attribution = vec![Attribute::Team, Attribute::Feature];
    let mut call = world.call("scripted/m", Delivery::Whole);
    call.context.team = Some("search".to_owned());
    let refused = world.gateway.chat(call.clone()).await.err().unwrap();
    assert!(refused.to_string().contains("x-mainstay-feature"), "{refused}");
    call.context.feature = Some("summaries".to_owned());
    assert!(world.gateway.chat(call).await.is_ok());
    let booked = world.booked.0.lock().unwrap();
    assert_eq!(
        (booked[1].team.as_deref(), booked[1].feature.as_deref()),
        (Some("search"), Some("summaries"))
    );
}

/// With an assistant whose answers are kept.
fn keeping_world(script: Script) -> World {
    let mut world = world(script);
    let settings = CacheSettings { mode: Mode::Exact, ..CacheSettings::default() };
    world.gateway.caching.settings.insert("support".to_owned(), settings);
    world
}

/// The text and the citations of an answer, however it is delivered.
async fn answer_of(world: &World, delivery: Delivery) -> (String, usize, crate::chat::Summary) {
    match world.gateway.chat(world.call("support", delivery)).await.unwrap() {
        Answer::Whole { completion, summary } => {
            let message = &completion.choices[0].message;
            (message.text.clone().unwrap(), message.citations.len(), summary)
        }
        Answer::Stream { mut stream, .. } => {
            let (mut text, mut citations, mut finished) = (String::new(), 0, false);
            while let Some(event) = stream.next().await {
                if let ChatEvent::Delta(delta) = event.unwrap() {
                    text.push_str(&delta.text.unwrap_or_default());
                    citations += delta.citations.len();
                    finished |= delta.finish.is_some();
                }
            }
            assert!(finished);
            (text, citations, stream.summary().unwrap().clone())
        }
    }
}

#[tokio::test]
async fn an_answer_is_given_again_whole_or_in_pieces_and_costs_nothing() {
    for first in [Delivery::Whole, STREAMED] {
        for second in [Delivery::Whole, STREAMED] {
            let world = keeping_world(Script::Say("The warranty lasts two years [1]. Bananas are blue [4]."));
            let (text, citations, summary) = answer_of(&world, first).await;
            assert_eq!((citations, summary.cache), (1, None));
            let (again, cited_again, summary) = answer_of(&world, second).await;
            assert_eq!((again, cited_again), (text, citations));
            assert_eq!((summary.cache, summary.cost_nano_usd), (Some(Layer::Exact), Some(0)));
            assert_eq!((summary.model.as_str(), summary.passages), ("scripted/m", 1));
            assert_eq!(world.seen.lock().unwrap().len(), 1, "the model was asked again");
            let booked = world.booked.0.lock().unwrap();
            assert_eq!((booked[1].cost, booked[1].outcome), (NanoUsd::ZERO, Outcome::Completed));
            assert_eq!((booked[1].cache.as_deref(), booked[1].usage), (Some("exact"), Usage::default()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_broke_off_is_not_given_again() {
    let world = keeping_world(Script::Break("The warr"));
    let mut stream = open(&world, "support").await;
    let mut last = None;
    while let Some(event) = stream.next().await {
        last = Some(event);
    }
    assert!(last.unwrap().is_err());
    // By now its breaker is open, so that only the cache could answer.
    let again = world.gateway.chat(world.call("support", STREAMED)).await;
    assert!(again.is_err(), "half an answer was given again");
}

#[tokio::test]
async fn another_version_of_the_documents_and_a_caller_who_wants_none_are_answered_anew() {
    let world = keeping_world(Script::Say("Two years [1]."));
    answer_of(&world, Delivery::Whole).await;
    world.retriever.version.store(7, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(answer_of(&world, Delivery::Whole).await.2.cache, None);
    let mut call = world.call("support", Delivery::Whole);
    call.context.cache.reads = false;
    let Answer::Whole { summary, .. } = world.gateway.chat(call).await.unwrap() else { panic!("streamed") };
    assert_eq!(summary.cache, None);
    assert_eq!(answer_of(&world, Delivery::Whole).await.2.cache, Some(Layer::Exact));
}

#[tokio::test]
async fn identical_questions_at_once_ask_the_model_once() {
    let world = Arc::new(keeping_world(Script::Say("Two years [1].")));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..100 {
        let world = world.clone();
        let delivery = if number % 2 == 0 { Delivery::Whole } else { STREAMED };
        tasks.spawn(async move { answer_of(&world, delivery).await.0 });
    }
    assert!(tasks.join_all().await.iter().all(|text| text == "Two years [1]."));
    assert_eq!(world.seen.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn while_no_provider_answers_the_documents_do_or_the_caller_is_told_whom_to_ask() {
    use mainstay_reliability::ServiceLevel;
    let settings = crate::service::ServiceSettings {
        contact: Some("help@acme.example".to_owned()),
        expected_recovery: Some(Duration::from_secs(1_800)),
        ..Default::default()
    };
    let mut world = world(Script::Refuse(ModelErrorKind::Provider));
    world.gateway.service = crate::Service::new(settings, 1, world.clock);
    let look = |world: &World| {
        world.gateway.service.observe(&world.gateway.admission, world.gateway.registry.upstreams());
        world.gateway.service.level(0)
    };
    assert_eq!(look(&world), ServiceLevel::Full);
    let first = world.gateway.chat(world.call("scripted/m", Delivery::Whole)).await.err().unwrap();
    assert_eq!(first.code(), "provider_error");
    // Three failures have opened the only breaker.
    assert_eq!(look(&world), ServiceLevel::Emergency);
    let told = world.gateway.chat(world.call("scripted/m", Delivery::Whole)).await.err().unwrap();
    assert_eq!(told.code(), "service_unavailable");
    assert!(
        told.to_string().contains("30 minutes") && told.to_string().contains("help@acme.example"),
        "{told}"
    );
    // Set by hand, it stays so until it is cleared.
    world.gateway.service.set(ServiceLevel::Full, None);
    assert_eq!(look(&world), ServiceLevel::Full);
    world.gateway.service.clear();
    assert_eq!(look(&world), ServiceLevel::Emergency);
}

#[tokio::test]
async fn a_reduced_service_says_so_and_its_answers_are_not_kept() {
    use mainstay_reliability::ServiceLevel;
    let world = keeping_world(Script::Say("Two years [1]."));
    world.gateway.service.set(ServiceLevel::Reduced, None);
    for _ in 0..2 {
        let (_, _, summary) = answer_of(&world, Delivery::Whole).await;
        assert_eq!((summary.degraded, summary.cache), (Some(crate::chat::Degraded::Reduced), None));
    }
}

#[tokio::test(start_paused = true)]
async fn what_judging_costs_counts_for_the_assistant() {
    let world = judged_world(Script::Say("The warranty lasts two years [1]."), Some(Script::Say("yes")));
    world.gateway.chat(world.call("support", Delivery::Whole)).await.unwrap();
    let judged: Vec<TurnRecord> =
        world.records().into_iter().filter(|record| record.operation == "judge").collect();
    // Budgets of an assistant count what judging its answers costs.
    assert_eq!(judged[0].assistant, Some(AssistantName::new("support")));
}

#[tokio::test(start_paused = true)]
async fn a_route_whose_models_are_all_down_is_answered_from_the_documents_whatever_others_can_do() {
    let mut world = world(Script::Refuse(ModelErrorKind::Provider));
    let scripted = |script| Provider {
        chat: Arc::new(Scripted { script, seen: world.seen.clone() }),
        embedders: None,
        models: Vec::new(),
        closed: false,
        region: None,
    };
    let providers = [
        ("scripted".to_owned(), scripted(Script::Refuse(ModelErrorKind::Provider))),
        ("builtin".to_owned(), scripted(Script::Say("Two years [1]."))),
        ("rare".to_owned(), scripted(Script::Say("Hello."))),
    ];
    let assistant = (**world.gateway.registry.assistant("support").unwrap()).clone();
    let rare =
        Assistant { name: AssistantName::new("rare"), model: "rare/m".parse().unwrap(), ..assistant.clone() };
    let upstreams = Upstreams::new(CallPolicy::default(), [], world.clock);
    world.gateway.registry = Registry::new([assistant, rare], providers, [], upstreams);
    // Three failures open the breaker; nobody has ever called the other provider, which is well as far as is known.
    assert!(world.gateway.chat(world.call("support", Delivery::Whole)).await.is_err());
    let answer = world.gateway.chat(world.call("support", Delivery::Whole)).await.unwrap();
    let Answer::Whole { summary, .. } = answer else { panic!("a whole request was streamed") };
    assert_eq!(
        (summary.model.as_str(), summary.degraded),
        ("builtin/extractive", Some(crate::chat::Degraded::Emergency))
    );
    let answer = world.gateway.chat(world.call("rare", Delivery::Whole)).await.unwrap();
    let Answer::Whole { summary, .. } = answer else { panic!("a whole request was streamed") };
    assert_eq!(summary.degraded, None);
}

/// Embeds anything, and counts as many tokens.
struct Counting(u64);

/// Was answered for forty tokens, timed out with fifty more, and then fails or not.
struct InParts(Option<ModelErrorKind>);

#[async_trait]
impl Embedder for InParts {
    fn model(&self) -> &str {
        "scripted/e"
    }

    fn dimension(&self) -> usize {
        1
    }

    async fn embed(
        &self,
        texts: &[&str],
        _: EmbeddingPurpose,
        errand: Errand<'_>,
    ) -> Result<Embeddings, ModelError> {
        let spent = errand.spent.expect("what it costs is noted");
        spent.begin(30).answered(40);
        spent.begin(50).failed(ModelErrorKind::Timeout(TimeoutPhase::Headers));
        match self.0 {
            None => Ok(Embeddings { dimension: 1, values: vec![1.0; texts.len()], tokens: 40 }),
            Some(kind) => Err(failure(kind)),
        }
    }
}

#[async_trait]
impl Embedder for Counting {
    fn model(&self) -> &str {
        "scripted/e"
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
        Ok(Embeddings { dimension: 1, values: vec![1.0; texts.len()], tokens: self.0 })
    }
}

/// A world in which this embeds.
fn embedding_world(embedder: impl Embedder + 'static) -> World {
    let mut world = world(Script::Hang);
    let embedder: Arc<dyn Embedder> = Arc::new(embedder);
    let make: mainstay_models::registry::EmbedderFactory = Arc::new(move |_, _| Some(embedder.clone()));
    let provider = Provider {
        chat: Arc::new(Scripted { script: Script::Hang, seen: world.seen.clone() }),
        embedders: Some(make),
        models: Vec::new(),
        closed: false,
        region: None,
    };
    let upstreams = Upstreams::new(CallPolicy::default(), [], world.clock);
    world.gateway.registry = Registry::new([], [("scripted".to_owned(), provider)], [], upstreams);
    world
}

fn embedding_call(world: &World, team: Option<&str>) -> crate::embeddings::EmbeddingCall {
    crate::embeddings::EmbeddingCall {
        model: "scripted/e".to_owned(),
        texts: vec!["a text of some words".to_owned()],
        dimensions: None,
        context: Context {
            team: team.map(str::to_owned),
            ..world.call("scripted/e", Delivery::Whole).context
        },
    }
}

#[tokio::test]
async fn a_text_that_has_to_stay_in_a_region_is_embedded_nowhere_else() {
    let world = embedding_world(Counting(40));
    let mut call = embedding_call(&world, None);
    call.context.caller.region = Some(mainstay_domain::RegionName::from("eu-west-1".to_owned()));
    let error = world.gateway.embeddings(call).await.err().unwrap();
    let is_refused =
        matches!(&error, RequestError::Model(error) if error.kind == ModelErrorKind::OutOfRegion);
    assert!(is_refused, "{error}");
    assert!(world.gateway.embeddings(embedding_call(&world, None)).await.is_ok());
}

#[tokio::test]
async fn embedding_in_parts_costs_what_was_answered_and_what_failed_is_booked_apart() {
    let failed = embedding_world(InParts(Some(ModelErrorKind::RateLimited)));
    assert!(failed.gateway.embeddings(embedding_call(&failed, None)).await.is_err());
    let record = failed.records().pop().unwrap();
    assert_eq!((record.usage.prompt, record.cost), (90, NanoUsd::new(900)));
    let succeeded = embedding_world(InParts(None));
    assert!(succeeded.gateway.embeddings(embedding_call(&succeeded, None)).await.is_ok());
    let record = succeeded.records().pop().unwrap();
    assert_eq!((record.usage.prompt, record.cost), (40, NanoUsd::new(400)));
    assert_eq!((record.failed_attempts, record.failed_cost), (1, NanoUsd::new(500)));
}

#[tokio::test]
async fn embedding_is_charged_as_reported_or_as_estimated_and_says_whom_it_is_for() {
    for (reported, source) in [(40, UsageSource::Reported), (0, UsageSource::Estimated)] {
        let mut world = embedding_world(Counting(reported));
        world.gateway.embeddings(embedding_call(&world, None)).await.unwrap();
        let record = world.records().pop().unwrap();
        assert_eq!(record.usage_source, source);
        assert!(
            record.cost > NanoUsd::ZERO && (reported == 0 || record.usage.prompt == reported),
            "{record:?}"
        );
        let (asked, anonymous) = (embedding_call(&world, Some("search")), embedding_call(&world, None));
        world.gateway.required_attribution = vec![Attribute::Team];
        assert!(world.gateway.embeddings(asked).await.is_ok());
        assert_eq!(world.gateway.embeddings(anonymous).await.err().unwrap().code(), "invalid_request");
    }
}
