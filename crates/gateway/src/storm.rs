//! The whole path over long stretches of virtual time: an hour of faults in which no request and no nano-dollar may get
//! lost, a flood that must not slow the others down, an outage that must not be answered by a stampede.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use fastrand::Rng;
use futures_util::{StreamExt as _, stream};
use mainstay_domain::chat::{
    AssistantMessage, ChatEvent, Choice, ChoiceDelta, Completion, Delivery, Extra, FinishReason, MaxTokens,
    StreamStart,
};
use mainstay_domain::ledger::Outcome;
use mainstay_domain::port::{ChatModel, ChatStream, ModelCall};
use mainstay_domain::{
    Caller, Clock, Deadline, KeyId, ModelError, ModelErrorKind, NanoUsd, TenantId, TierName, TimeoutPhase,
    Usage,
};
use mainstay_models::{Assistant, CallPolicy, Provider, Registry, Upstreams};
use mainstay_ops::Budgets;
use mainstay_ops::budgets::{AtLimit, BudgetSettings, Period};
use tokio_util::task::TaskTracker;

use crate::admission::{Admission, AdmissionSettings, TierSettings};
use crate::chat::{Answer, ChatCall};
use crate::tests::{Script, World, world};

/// What a provider does with a call.
#[derive(Clone, Copy, Debug)]
struct Weather {
    /// How often something goes wrong, 0 to 1.
    faults: f64,
    /// How long an answer takes.
    takes: Duration,
}

/// A provider that goes through weather, and remembers what it did.
struct Stormy {
    clock: Clock,
    begun: tokio::time::Instant,
    weather: fn(Duration) -> Weather,
    random: Mutex<Rng>,
    calls: AtomicU64,
    /// What it charges for the answers that were complete, at ten nano-dollars a token.
    charged: AtomicI64,
}

const USAGE: Usage = Usage { prompt: 30, cache_read: 0, cache_write: 0, completion: 12, reasoning: 0 };

impl Stormy {
    fn new(clock: Clock, seed: u64, weather: fn(Duration) -> Weather) -> Arc<Self> {
        Arc::new(Self {
            clock,
            begun: clock.instant(),
            weather,
            random: Mutex::new(Rng::with_seed(seed)),
            calls: AtomicU64::new(0),
            charged: AtomicI64::new(0),
        })
    }

    /// Whether this call goes wrong, how, and how long it takes.
    fn draw(&self) -> (Option<u8>, Duration) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let Weather { faults, takes } = (self.weather)(self.clock.instant().duration_since(self.begun));
        let mut random = self.random.lock().unwrap();
        let fault = (random.f64() < faults).then(|| random.u8(0..7));
        (fault, takes.mul_f64(0.5 + random.f64()))
    }

    fn charge(&self) {
        self.charged.fetch_add(10 * USAGE.total() as i64, Ordering::Relaxed);
    }
}

fn failure(kind: ModelErrorKind, retry_after: Option<Duration>) -> ModelError {
    ModelError {
        kind,
        provider: "stormy".to_owned(),
        status: None,
        message: "it failed".to_owned(),
        retry_after,
    }
}

/// The faults that come before an answer: the last ones break a stream, and a whole answer likewise.
fn refusal(fault: u8) -> ModelError {
    match fault {
        0 => failure(ModelErrorKind::Provider, None),
        1 => failure(ModelErrorKind::RateLimited, Some(Duration::from_secs(2))),
        2 => failure(ModelErrorKind::Overloaded, None),
        3 => failure(ModelErrorKind::Connect, None),
        4 => failure(ModelErrorKind::Malformed, None),
        5 => failure(ModelErrorKind::Timeout(TimeoutPhase::Idle), None),
        _ => failure(ModelErrorKind::Truncated, None),
    }
}

#[async_trait]
impl ChatModel for Stormy {
    async fn complete(&self, _: ModelCall) -> Result<Completion, ModelError> {
        let (fault, takes) = self.draw();
        self.clock.sleep(takes).await;
        if let Some(fault) = fault {
            return Err(refusal(fault));
        }
        self.charge();
        Ok(Completion {
            id: "c".to_owned(),
            model: "m".to_owned(),
            created: None,
            choices: vec![Choice {
                index: 0,
                message: AssistantMessage { text: Some(ANSWER.concat()), ..AssistantMessage::default() },
                finish: FinishReason::Stop,
                logprobs: None,
            }],
            usage: Some(USAGE),
            extra: Extra::new(),
        })
    }

    async fn stream(&self, _: ModelCall) -> Result<ChatStream, ModelError> {
        let (fault, takes) = self.draw();
        self.clock.sleep(takes / 2).await;
        if let Some(fault) = fault.filter(|fault| *fault < 4) {
            return Err(refusal(fault));
        }
        if fault.is_none() {
            self.charge();
        }
        let start =
            StreamStart { id: "c".to_owned(), model: "m".to_owned(), created: None, extra: Extra::new() };
        let said = match fault {
            Some(_) => &ANSWER[..2],
            None => &ANSWER[..],
        };
        let mut events = vec![Ok(ChatEvent::Start(start))];
        events.extend(said.iter().map(|text| Ok(ChatEvent::Delta(ChoiceDelta::text(*text)))));
        match fault {
            Some(fault) => events.push(Err(refusal(fault))),
            None => {
                events.push(Ok(ChatEvent::Delta(ChoiceDelta::finish(FinishReason::Stop))));
                events.push(Ok(ChatEvent::Usage(USAGE)));
            }
        }
        let (clock, pause) = (self.clock, takes / 8);
        let paced = stream::iter(events).then(move |event| async move {
            clock.sleep(pause).await;
            event
        });
        Ok(Box::pin(paced))
    }
}

const ANSWER: [&str; 4] = ["The ", "weather ", "is ", "fine."];

/// A gateway in front of these providers: `p0/m`, then `p1/m` and so on where one fails. Its callers are of the tenants `t0`,
/// `t1` …, each with the tier that is given.
fn gateway(providers: &[Arc<Stormy>], tiers: &[&str], settings: AdmissionSettings) -> World {
    let mut world = world(Script::Hang);
    let name = |number: usize| format!("p{number}/m").parse().unwrap();
    let assistant = Assistant {
        model: name(0),
        fallback: (1..providers.len()).map(name).collect(),
        corpus: None,
        filter: None,
        ..(**world.gateway.registry.assistant("support").unwrap()).clone()
    };
    let listed = providers.iter().enumerate().map(|(number, chat)| {
        let chat: Arc<dyn ChatModel> = chat.clone();
        (
            format!("p{number}"),
            Provider { chat, embedders: None, models: Vec::new(), closed: false, region: None },
        )
    });
    let upstreams = Upstreams::new(CallPolicy::default(), [], world.clock);
    world.gateway.registry = Registry::new([assistant], listed.collect::<Vec<_>>(), [], upstreams);
    world.gateway.admission = Admission::new(settings, world.clock);
    let caller = |(number, tier): (usize, &&str)| Caller {
        tier: Some(TierName::new(tier)),
        ..Caller::of(TenantId::new(format!("t{number}")), KeyId::new(format!("k{number}")))
    };
    world.callers = tiers.iter().enumerate().map(caller).collect();
    world
}

/// A question of a tenant.
fn question(world: &World, tenant: usize, delivery: Delivery, within: Duration) -> ChatCall {
    let mut call = world.call_with("support", delivery, "How is the weather?");
    call.context.caller = world.callers[tenant].clone();
    call.request.max_tokens = Some(MaxTokens { limit: 50, as_completion: true });
    call.context.deadline = Deadline::after(&world.clock, within);
    call
}

/// What a caller saw of a request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Seen {
    Answered,
    Shed,
    Failed,
    Left,
}

/// Asks, and reads the answer, or goes away after a while.
async fn ask(world: &World, call: ChatCall, leaves_after: Option<Duration>) -> Seen {
    let reading = Box::pin(async {
        match world.gateway.chat(call).await {
            Ok(Answer::Whole { completion, .. }) => {
                assert_eq!(completion.choices[0].message.text.as_deref(), Some(ANSWER.concat().as_str()));
                Seen::Answered
            }
            Ok(Answer::Stream { mut stream, .. }) => {
                let mut text = String::new();
                while let Some(event) = stream.next().await {
                    match event {
                        Ok(ChatEvent::Delta(delta)) => text.push_str(&delta.text.unwrap_or_default()),
                        Ok(_) => {}
                        Err(_) => return Seen::Failed,
                    }
                }
                assert_eq!(text, ANSWER.concat(), "what ends well is whole");
                Seen::Answered
            }
            Err(crate::RequestError::Refused(_)) => Seen::Shed,
            Err(_) => Seen::Failed,
        }
    });
    match leaves_after {
        Some(after) => world.clock.timeout(after, reading).await.unwrap_or(Seen::Left),
        None => reading.await,
    }
}

/// Three minutes in four all is well; then one provider is down, or both fail often, or everything is slow.
fn first_provider(at: Duration) -> Weather {
    let takes = Duration::from_millis(400);
    match at.as_secs() / 60 % 12 {
        3 => Weather { faults: 1.0, takes },
        7 => Weather { faults: 0.5, takes },
        11 => Weather { faults: 0.1, takes: takes * 30 },
        _ => Weather { faults: 0.02, takes },
    }
}

fn second_provider(at: Duration) -> Weather {
    let takes = Duration::from_millis(600);
    match at.as_secs() / 60 % 12 {
        7 => Weather { faults: 0.7, takes },
        9 => Weather { faults: 1.0, takes },
        _ => Weather { faults: 0.05, takes },
    }
}

#[tokio::test(start_paused = true)]
async fn in_an_hour_of_mixed_faults_every_request_and_every_nano_dollar_is_accounted_for() {
    fastrand::seed(1);
    const TENANTS: usize = 5;
    let clock = Clock::system();
    let providers = [Stormy::new(clock, 1, first_provider), Stormy::new(clock, 2, second_provider)];
    let settings = AdmissionSettings {
        concurrency: 12,
        max_waiting: 20,
        longest_wait: Duration::from_secs(3),
        ..AdmissionSettings::default()
    };
    let mut world = gateway(&providers, &["standard"; TENANTS], settings);
    let budget = BudgetSettings {
        name: "all".to_owned(),
        limit: NanoUsd::new(i64::MAX / 4),
        period: Period::Total,
        only: Vec::new(),
        for_each: None,
        alert_at: 1.0,
        at_limit: AtLimit::Refuse,
    };
    let budgets = Budgets::new(vec![budget], clock);
    world.gateway.turns = world.gateway.turns.under(budgets.clone());
    let world = Arc::new(world);

    let mut random = Rng::with_seed(7);
    let seen: Arc<Mutex<BTreeMap<Seen, usize>>> = Arc::default();
    let asking = TaskTracker::new();
    let mut sent = 0;
    let begun = clock.instant();
    while clock.instant().duration_since(begun) < Duration::from_secs(3_600) {
        // Five a second on average, at random.
        clock.sleep(Duration::from_secs_f64(-(1.0 - random.f64()).ln() / 5.0)).await;
        sent += 1;
        let delivery =
            if random.bool() { Delivery::Whole } else { Delivery::Streamed { include_usage: false } };
        let call = question(&world, random.usize(..TENANTS), delivery, Duration::from_secs(20));
        let leaves_after = (random.f64() < 0.05).then(|| Duration::from_millis(random.u64(0..1_500)));
        let (world, seen) = (world.clone(), seen.clone());
        asking.spawn(async move {
            let saw = ask(&world, call, leaves_after).await;
            *seen.lock().unwrap().entry(saw).or_default() += 1;
        });
    }
    asking.close();
    asking.wait().await;

    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen.values().sum::<usize>(), sent, "{seen:?}");
    // All of it happened.
    assert!(
        [Seen::Answered, Seen::Shed, Seen::Failed, Seen::Left].iter().all(|one| seen.contains_key(one)),
        "{seen:?}"
    );
    let answered = seen[&Seen::Answered] as f64 / sent as f64;
    // Both providers fail often in one minute of twelve, and in another all is so slow that not all are answered.
    assert!(answered > 0.80, "{answered} of {sent}: {seen:?}");

    // One record for each, which says what the caller saw.
    let records = world.records();
    assert_eq!(records.len(), sent);
    let ended = |outcome| records.iter().filter(|record| record.outcome == outcome).count();
    assert_eq!(ended(Outcome::Completed), seen[&Seen::Answered]);
    assert_eq!(ended(Outcome::Failed), seen[&Seen::Failed] + seen[&Seen::Shed]);
    assert_eq!(ended(Outcome::Cancelled), seen[&Seen::Left]);

    // Every call that a provider saw is one that answered, failed, or was under way when its caller left.
    let calls: u64 = providers.iter().map(|provider| provider.calls.load(Ordering::Relaxed)).sum();
    let failed: u64 = records.iter().map(|record| u64::from(record.failed_attempts)).sum();
    let accounted = seen[&Seen::Answered] as u64 + failed;
    assert!(
        (accounted..=accounted + seen[&Seen::Left] as u64).contains(&calls),
        "{calls} calls, {accounted} known"
    );

    // What answers cost is what was charged for them; what callers left costs more than nothing, and no more than that.
    let of_answers: i64 = records
        .iter()
        .filter(|record| record.outcome == Outcome::Completed)
        .map(|record| record.cost.as_nanos())
        .sum();
    assert_eq!(of_answers, 10 * USAGE.total() as i64 * seen[&Seen::Answered] as i64);
    let charged: i64 = providers.iter().map(|provider| provider.charged.load(Ordering::Relaxed)).sum();
    let left = 10 * USAGE.total() as i64 * seen[&Seen::Left] as i64;
    assert!((of_answers..=of_answers + left).contains(&charged), "{charged} {of_answers}");

    // Budgets have counted just that, and nothing is held any more.
    let standing = &budgets.standings()[0];
    let spent: NanoUsd = records.iter().map(mainstay_domain::TurnRecord::total_cost).sum();
    assert_eq!((standing.spent, standing.reserved), (spent, NanoUsd::ZERO));
    assert_eq!(
        world.gateway.admission.load().iter().map(|(_, running, waiting)| running + waiting).sum::<usize>(),
        0
    );
}

fn always_well(_: Duration) -> Weather {
    Weather { faults: 0.0, takes: Duration::from_secs(1) }
}

/// The 99th percentile of the time that an enterprise tenant waits for its answers, at two requests a second, while `flood`
/// requests a second of a free tenant come.
async fn enterprise_p99(flood: f64) -> Duration {
    let clock = Clock::system();
    let tier = |name, max_running| TierSettings { max_running, ..TierSettings::named(TierName::new(name)) };
    let settings = AdmissionSettings {
        concurrency: 10,
        longest_wait: Duration::from_secs(5),
        // Some places are never the free tier's.
        tiers: vec![tier("enterprise", None), tier("free", Some(5))],
        ..AdmissionSettings::default()
    };
    let world = Arc::new(gateway(&[Stormy::new(clock, 3, always_well)], &["enterprise", "free"], settings));
    let took: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let asking = TaskTracker::new();
    let begun = clock.instant();
    let arrive = |tenant: usize, per_second: f64, seed: u64| {
        let (world, took, asking) = (world.clone(), took.clone(), asking.clone());
        async move {
            let mut random = Rng::with_seed(seed);
            while per_second > 0.0 && clock.instant().duration_since(begun) < Duration::from_secs(300) {
                clock.sleep(Duration::from_secs_f64(-(1.0 - random.f64()).ln() / per_second)).await;
                let (world, took) = (world.clone(), took.clone());
                asking.spawn(async move {
                    let call = question(&world, tenant, Delivery::Whole, Duration::from_secs(60));
                    let asked = clock.instant();
                    let saw = ask(&world, call, None).await;
                    if tenant == 0 {
                        assert_eq!(saw, Seen::Answered, "the higher tier is never shed for the lower one");
                        took.lock().unwrap().push(clock.instant().duration_since(asked));
                    }
                });
            }
        }
    };
    tokio::join!(arrive(0, 2.0, 11), arrive(1, flood, 12));
    asking.close();
    asking.wait().await;
    let mut took = took.lock().unwrap().clone();
    took.sort_unstable();
    took[took.len() * 99 / 100]
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_ten_times_what_fits_does_not_slow_a_higher_tier() {
    // Ten places of a second each: a hundred a second is ten times what fits.
    let (alone, flooded) = (enterprise_p99(0.0).await, enterprise_p99(100.0).await);
    let ratio = flooded.as_secs_f64() / alone.as_secs_f64();
    assert!(ratio <= 1.10, "p99 {alone:?} alone, {flooded:?} in the flood");
}

fn always_down(_: Duration) -> Weather {
    Weather { faults: 1.0, takes: Duration::from_millis(50) }
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_neither_hammered_nor_met_again_by_everybody_at_once() {
    fastrand::seed(1);
    const CLIENTS: usize = 100;
    let clock = Clock::system();
    let provider = Stormy::new(clock, 5, always_down);
    let world = Arc::new(gateway(
        std::slice::from_ref(&provider),
        &["standard"; CLIENTS],
        AdmissionSettings::default(),
    ));
    let begun = clock.instant();
    // When each request came, by the second.
    let seconds: Arc<Mutex<Vec<usize>>> = Arc::new(Mutex::new(vec![0; 700]));
    let clients = TaskTracker::new();
    for client in 0..CLIENTS {
        let (world, seconds) = (world.clone(), seconds.clone());
        clients.spawn(async move {
            while clock.instant().duration_since(begun) < Duration::from_secs(600) {
                let second = clock.instant().duration_since(begun).as_secs() as usize;
                seconds.lock().unwrap()[second] += 1;
                let call = question(&world, client, Delivery::Whole, Duration::from_secs(60));
                let error = world.gateway.chat(call).await.err().expect("nobody can answer");
                // As the official SDKs do: what the server says, rounded up to seconds, or else a second.
                let told = error.retry_after().unwrap_or(Duration::from_secs(1));
                clock.sleep(Duration::from_secs(told.as_secs_f64().ceil() as u64)).await;
            }
        });
    }
    clients.close();
    clients.wait().await;
    let seconds = seconds.lock().unwrap();
    let requests: usize = seconds.iter().sum();
    let calls = provider.calls.load(Ordering::Relaxed) as f64;
    assert!(calls / requests as f64 <= 1.2, "{calls} calls for {requests} requests");
    // Once they have been told when to come back, no second sees most of them.
    let busiest = seconds[30..600].iter().max().copied().unwrap_or_default();
    assert!(busiest <= CLIENTS / 4, "{busiest} of {CLIENTS} came in one second");
}
