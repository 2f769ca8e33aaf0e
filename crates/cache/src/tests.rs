//! The cache as its users see it, under paused time.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use mainstay_domain::chat::{
    AssistantMessage, ChatRequest, Choice, Completion, Extra, FinishReason, Message, Role, Tool,
};
use mainstay_domain::{Clock, Deadline, NanoUsd, ServiceTier, TenantId, Timestamp};
use mainstay_embed::StaticEmbedder;
use serde::Deserialize;
use tokio_util::task::TaskTracker;

use super::*;

pub(crate) fn request(question: &str) -> ChatRequest {
    ChatRequest {
        model: "support".to_owned(),
        messages: vec![Message::text(Role::System, "Be brief."), Message::text(Role::User, question)],
        ..ChatRequest::default()
    }
}

pub(crate) fn tenant(name: &str) -> TenantId {
    TenantId::new(name)
}

pub(crate) fn partition_of(request: &ChatRequest, tenant: &TenantId) -> Partition {
    let surroundings =
        Surroundings { tenant, assistant: "a", documents: 1, tier: None, user: None, intent: None };
    Partition::of(request, &surroundings).unwrap().0
}

pub(crate) fn answer(text: &str) -> CachedAnswer {
    CachedAnswer {
        completion: Completion {
            id: "c".to_owned(),
            model: "m".to_owned(),
            created: None,
            choices: vec![Choice {
                index: 0,
                message: AssistantMessage { text: Some(text.to_owned()), ..AssistantMessage::default() },
                finish: FinishReason::Stop,
                logprobs: None,
            }],
            usage: None,
            extra: Extra::new(),
        },
        model: "p/m".to_owned(),
        passages: 0,
        not_in_documents: false,
        cost: NanoUsd::new(100),
        at: Timestamp::default(),
    }
}

struct Site {
    cache: Arc<AnswerCache>,
    settings: CacheSettings,
    clock: Clock,
}

impl Site {
    fn new(mode: Mode) -> Self {
        Self::of_memory(1 << 20, mode)
    }

    fn of_memory(bytes: u64, mode: Mode) -> Self {
        let clock = Clock::starting_at(Timestamp::default());
        let settings = CacheSettings { mode, checked_share: 0.0, ..CacheSettings::default() };
        Self { cache: AnswerCache::new(bytes, clock), settings, clock }
    }

    async fn find_as(&self, wish: Wish, tenant_name: &str, question: &str) -> Option<Found> {
        let partition = partition_of(&request(question), &tenant(tenant_name));
        self.find_in(partition, wish, question).await
    }

    async fn find_in(&self, partition: Partition, wish: Wish, question: &str) -> Option<Found> {
        let deadline = Deadline::after(&self.clock, Duration::from_secs(5));
        self.cache.find(&self.settings, partition, question, wish, deadline).await
    }

    async fn find(&self, question: &str) -> Found {
        self.find_as(Wish::default(), "t", question).await.unwrap()
    }

    /// Asks and answers; whether it was a hit, and of which layer.
    async fn ask(&self, question: &str, text: &str) -> Option<Layer> {
        let partition = partition_of(&request(question), &tenant("t"));
        self.ask_in(partition, question, answer(text)).await
    }

    async fn ask_in(&self, partition: Partition, question: &str, answer: CachedAnswer) -> Option<Layer> {
        match self.find_in(partition, Wish::default(), question).await.unwrap() {
            Found::Answer(_, layer) => Some(layer),
            Found::Nothing(inquiry) => {
                inquiry.answered(Some(CachedAnswer { at: self.clock.now(), ..answer }));
                None
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_question_is_answered_again_until_its_time_is_over() {
    let site = Site::new(Mode::Exact);
    assert_eq!(site.ask("How long is the  warranty?", "Two years.").await, None);
    assert_eq!(site.ask(" How long is the warranty?\n", "x").await, Some(Layer::Exact));
    assert_eq!(site.ask("how long is the warranty?", "x").await, None, "another case may be another thing");
    tokio::time::advance(Duration::from_secs(3_600)).await;
    assert_eq!(site.ask("How long is the warranty?", "x").await, None);
    assert_eq!(site.ask("What is the price today?", "x").await, None);
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(site.ask("What is the price today?", "x").await, None);
    let stats = site.cache.stats();
    assert_eq!((stats.lookups, stats.exact_hits, stats.saved), (6, 1, NanoUsd::new(100)));
}

#[tokio::test(start_paused = true)]
async fn nothing_crosses_between_tenants() {
    let site = Site::new(Mode::Exact);
    site.ask("How long is the warranty?", "Two years.").await;
    let other = site.find_as(Wish::default(), "other", "How long is the warranty?").await;
    assert!(matches!(other, Some(Found::Nothing(_))));
}

#[test]
fn whatever_an_answer_depends_on_is_another_partition() {
    let base = request("q");
    let changed: Vec<ChatRequest> = vec![
        ChatRequest { model: "other".to_owned(), ..base.clone() },
        ChatRequest { temperature: Some(0.5), ..base.clone() },
        ChatRequest { top_p: Some(0.5), ..base.clone() },
        ChatRequest { n: Some(2), ..base.clone() },
        ChatRequest { seed: Some(1), ..base.clone() },
        ChatRequest { stop: vec!["x".to_owned()], ..base.clone() },
        ChatRequest { tools: vec![Tool::Opaque(serde_json::json!({}))], ..base.clone() },
        ChatRequest {
            response_format: Some(mainstay_domain::chat::ResponseFormat::JsonObject),
            ..base.clone()
        },
        ChatRequest {
            messages: vec![Message::text(Role::System, "Be long."), Message::text(Role::User, "q")],
            ..base.clone()
        },
        ChatRequest { messages: vec![Message::text(Role::User, "q")], ..base.clone() },
        ChatRequest { extra: serde_json::Map::from_iter([("x".to_owned(), 1.into())]), ..base.clone() },
    ];
    let (t, u) = (tenant("t"), tenant("u"));
    let mut partitions: Vec<Partition> = changed.iter().map(|request| partition_of(request, &t)).collect();
    let surroundings =
        Surroundings { tenant: &t, assistant: "a", documents: 1, tier: None, user: None, intent: None };
    for other in [
        surroundings.clone(),
        Surroundings { tenant: &u, ..surroundings.clone() },
        Surroundings { assistant: "b", ..surroundings.clone() },
        Surroundings { documents: 2, ..surroundings.clone() },
        Surroundings { tier: Some(ServiceTier::Fast), ..surroundings.clone() },
        Surroundings { user: Some("x"), ..surroundings.clone() },
    ] {
        partitions.push(Partition::of(&base, &other).unwrap().0);
    }
    let distinct: HashSet<Partition> = partitions.iter().copied().collect();
    assert_eq!(distinct.len(), partitions.len());
}

#[test]
fn the_order_of_unknown_fields_and_the_end_user_change_nothing() {
    let fields = |order: [&str; 2]| order.iter().map(|name| ((*name).to_owned(), 1.into())).collect();
    let with =
        |order, user: &str| ChatRequest { extra: fields(order), user: Some(user.to_owned()), ..request("q") };
    let t = tenant("t");
    assert_eq!(partition_of(&with(["a", "b"], "x"), &t), partition_of(&with(["b", "a"], "y"), &t));
}

#[tokio::test(start_paused = true)]
async fn a_caller_may_refuse_what_is_stored_and_that_it_is() {
    let site = Site::new(Mode::Exact);
    let question = "How long is the warranty?";
    let no_store = Wish { stores: false, ..Wish::default() };
    assert!(site.find_as(no_store, "t", question).await.is_none());
    site.ask(question, "Two years.").await;
    let no_cache = Wish { reads: false, ..Wish::default() };
    let Some(Found::Nothing(inquiry)) = site.find_as(no_cache, "t", question).await else {
        panic!("it was read")
    };
    inquiry.answered(Some(CachedAnswer { at: site.clock.now(), ..answer("Three years.") }));
    let Found::Answer(answer, _) = site.find(question).await else { panic!("it was not kept") };
    assert_eq!(answer.text(), "Three years.");
}

#[test]
fn only_whole_texts_are_kept() {
    let good = answer("Two years.").completion;
    assert!(is_cacheable(&good));
    let with = |change: &dyn Fn(&mut Choice)| {
        let mut completion = good.clone();
        change(&mut completion.choices[0]);
        completion
    };
    for bad in [
        with(&|choice| choice.finish = FinishReason::Length),
        with(&|choice| choice.finish = FinishReason::ContentFilter),
        with(&|choice| choice.finish = FinishReason::ToolCalls),
        with(&|choice| choice.message.text = None),
        with(&|choice| choice.message.text = Some(" ".to_owned())),
        with(&|choice| choice.message.refusal = Some("no".to_owned())),
        Completion { choices: Vec::new(), ..good.clone() },
        Completion { choices: vec![good.choices[0].clone(), good.choices[0].clone()], ..good.clone() },
    ] {
        assert!(!is_cacheable(&bad), "{bad:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn identical_questions_at_once_are_asked_once() {
    let site = Arc::new(Site::new(Mode::Exact));
    let Found::Nothing(leader) = site.find("How long?").await else { panic!("an empty cache knew it") };
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let site = site.clone();
            TaskTracker::new()
                .spawn(async move { matches!(site.find("How long?").await, Found::Answer(_, Layer::Exact)) })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    leader.answered(Some(CachedAnswer { at: site.clock.now(), ..answer("Two years.") }));
    for waiting in waiting {
        assert!(waiting.await.unwrap());
    }
    assert_eq!(site.cache.stats().shared, 50);
}

#[tokio::test(start_paused = true)]
async fn where_the_first_fails_the_next_one_asks_and_nobody_hangs() {
    let site = Arc::new(Site::new(Mode::Exact));
    let Found::Nothing(leader) = site.find("How long?").await else { panic!("an empty cache knew it") };
    let next = {
        let site = site.clone();
        TaskTracker::new().spawn(async move { site.find("How long?").await })
    };
    tokio::task::yield_now().await;
    drop(leader);
    let Found::Nothing(leader) = next.await.unwrap() else { panic!("there was no answer to be had") };
    // One that has waited for half of its time asks by itself, while there is time to.
    let request = request("How long?");
    let partition = partition_of(&request, &tenant("t"));
    let deadline = Deadline::after(&site.clock, Duration::from_secs(1));
    let late = site.cache.find(&site.settings, partition, "How long?", Wish::default(), deadline).await;
    assert!(matches!(late, Some(Found::Nothing(_))));
    assert_eq!(deadline.remaining(&site.clock), Duration::from_millis(500));
    // An answer that is nobody else's lets the others ask for themselves.
    let other = {
        let site = site.clone();
        TaskTracker::new().spawn(async move { matches!(site.find("How long?").await, Found::Nothing(_)) })
    };
    tokio::task::yield_now().await;
    leader.answered(None);
    assert!(other.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn like_questions_are_answered_once_checks_have_shown_that_they_may() {
    let site = Site::new(Mode::Semantic);
    let subjects = ["warranty", "battery", "charger", "keyboard", "screen", "camera", "printer", "router"];
    let mut hits = 0;
    for round in 0..100 {
        for subject in subjects {
            let number = round + 100;
            let first = format!("How long does the {subject} of model {number} last?");
            let second = format!("How long will the {subject} of model {number} last?");
            let text = format!("The {subject} lasts {number} months.");
            // Near it are questions about other things, with other answers: none of those is ever given.
            assert_eq!(site.ask(&first, &text).await, None, "{first}");
            hits += usize::from(site.ask(&second, &text).await == Some(Layer::Semantic));
        }
    }
    let (checks, wrong) = site.cache.stats().checks;
    assert!(wrong > 0 && checks >= 299, "{wrong} of {checks}");
    assert!(hits > 300, "{hits}");
}

/// Distinct questions that the semantic layer puts in buckets of their own.
fn question(number: usize) -> String {
    format!("How long does the battery of model {number} last?")
}

#[tokio::test(start_paused = true)]
async fn known_questions_take_no_more_than_their_share_of_the_memory() {
    let site = Site::of_memory(256 << 10, Mode::Semantic);
    for number in 0..500 {
        site.ask(&question(number), "Two years.").await;
    }
    let questions = site.cache.stats().questions;
    // A vector alone is a kilobyte.
    assert!((20..64).contains(&questions), "{questions}");
}

#[tokio::test(start_paused = true)]
async fn a_question_goes_with_its_answer() {
    let site = Site::new(Mode::Semantic);
    site.ask(&question(1), "Two years.").await;
    tokio::time::advance(Duration::from_secs(3_600)).await;
    let Found::Nothing(inquiry) = site.find(&question(1)).await else { panic!("its time is over") };
    assert_eq!(site.cache.stats().questions, 0);
    inquiry.answered(Some(CachedAnswer { at: site.clock.now(), ..answer("Two years.") }));
    assert_eq!(site.cache.stats().questions, 1);
    for number in 2..100 {
        site.ask(&question(number), &"Two years. ".repeat(10_000)).await;
    }
    let questions = site.cache.stats().questions;
    assert!((1..10).contains(&questions), "{questions} questions for a megabyte of answers of 110 KB");
}

#[tokio::test(start_paused = true)]
async fn a_question_goes_with_the_version_of_the_documents_that_it_was_answered_from() {
    let site = Site::new(Mode::Semantic);
    let of = |documents| {
        let tenant = tenant("t");
        let surroundings =
            Surroundings { tenant: &tenant, assistant: "a", documents, tier: None, user: None, intent: None };
        Partition::of(&request("q"), &surroundings).unwrap().0
    };
    for number in 0..10 {
        site.ask_in(of(1), &question(number), answer("Two years.")).await;
    }
    let late = site.find_in(of(1), Wish::default(), &question(10)).await;
    assert_eq!(site.cache.stats().questions, 10);
    site.ask_in(of(2), &question(0), answer("Three years.")).await;
    assert_eq!(site.cache.stats().questions, 1);
    let Some(Found::Nothing(late)) = late else { panic!("it was not known") };
    late.answered(Some(answer("Two years.")));
    assert_eq!(site.cache.stats().questions, 1, "an answer that comes late");
}

#[tokio::test(start_paused = true)]
async fn checks_of_one_tenant_and_assistant_let_no_other_be_answered_unchecked() {
    let mut site = Site::new(Mode::Semantic);
    // One check without an error bounds the share below 95 %.
    site.settings.most_wrong = 0.96;
    let questions = [
        "How long does the warranty last?",
        "How long will the warranty last?",
        "How long would the warranty last?",
    ];
    for (tenant_name, assistant) in [("t", "a"), ("u", "a"), ("t", "b")] {
        let mut layers = Vec::new();
        for question in questions {
            let tenant = tenant(tenant_name);
            let surroundings = Surroundings {
                tenant: &tenant,
                assistant,
                documents: 1,
                tier: None,
                user: None,
                intent: None,
            };
            let (partition, _) = Partition::of(&request("q"), &surroundings).unwrap();
            layers.push(site.ask_in(partition, question, answer("Two years.")).await);
        }
        assert_eq!(layers, [None, None, Some(Layer::Semantic)], "{tenant_name} {assistant}");
    }
    assert_eq!(site.cache.stats().checks, (3, 0));
}

#[derive(Deserialize)]
struct Pair {
    kind: String,
    one: String,
    other: String,
}

fn pairs(text: &str) -> Vec<Pair> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Questions that are nearly the same and want another answer are never given the other's; most that mean the same are.
#[test]
fn opposites_figures_names_directions_and_times_keep_questions_apart() {
    let is_hit = |pair: &Pair| {
        let cosine: f32 = StaticEmbedder::builtin()
            .embed_text(&pair.one)
            .iter()
            .zip(StaticEmbedder::builtin().embed_text(&pair.other))
            .map(|(a, b)| a * b)
            .sum();
        (Gate::of(&pair.one) == Gate::of(&pair.other)) && cosine >= CacheSettings::default().least_similarity
    };
    let false_hits: Vec<String> = pairs(include_str!("../data/false-hits.jsonl"))
        .iter()
        .filter(|pair| is_hit(pair))
        .map(|pair| format!("{}: {} / {}", pair.kind, pair.one, pair.other))
        .collect();
    assert_eq!(false_hits, Vec::<String>::new());
    let paraphrases = pairs(include_str!("../data/paraphrases.jsonl"));
    let hits = paraphrases.iter().filter(|pair| is_hit(pair)).count();
    assert!(2 * hits >= paraphrases.len(), "{hits} of {}", paraphrases.len());
}
