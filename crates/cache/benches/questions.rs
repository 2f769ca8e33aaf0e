//! What it costs to know a question again: `cargo bench --workspace --bench questions -- [questions,questions,…]`.
//!
//! Fills a cache with so many answered questions of one tenant, a thousand of each kind, which is as many as one look-up compares
//! with, and prints how long a question takes that was asked word for word, one that means the same, and one that is new, one at
//! a time; how long the slowest takes while the questions of a former version of the documents go; and how much memory a question
//! takes. Not a criterion bench: what is measured is a state of a million questions, not one function.

#![expect(clippy::print_stdout, reason = "prints its findings")]
#![expect(
    clippy::disallowed_methods,
    reason = "measures real time; its arguments are its only configuration"
)]
#![expect(clippy::unwrap_used, reason = "a failure here is a failed measurement")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use mainstay_cache::{
    AnswerCache, CacheSettings, CachedAnswer, Found, Layer, Mode, Partition, Surroundings, Wish,
};
use mainstay_domain::chat::{
    AssistantMessage, ChatRequest, Choice, Completion, Extra, FinishReason, Message, Role,
};
use mainstay_domain::{Clock, Deadline, NanoUsd, TenantId};

/// Questions of one kind: less than one look-up compares with at most.
const OF_A_KIND: usize = 1_000;
/// Questions that are asked a second time in other words, before anything is measured.
const ASKED_OTHERWISE: usize = 1_000;
/// Questions of each sort that are measured.
const MEASURED: usize = 1_000;
/// Fewer of a sort say nothing.
const LEAST: usize = 200;
/// Room for all of them, and for their answers.
const BYTES: u64 = 16 << 30;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let sizes = arguments.next().unwrap_or_else(|| "1000,10000,100000,1000000".to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!(
        "questions | exact p50/p99 µs | alike p50/p99 µs | new p50/p99 µs | slowest of a new version ms | bytes each"
    );
    for size in sizes.split(',') {
        runtime.block_on(measure(size.parse().expect("a number of questions")));
    }
}

async fn measure(questions: usize) {
    let before = resident();
    let clock = Clock::system();
    let day = Duration::from_secs(86_400);
    let settings = CacheSettings {
        mode: Mode::Semantic,
        lifetime: day,
        volatile_lifetime: day,
        checked_share: 0.0,
        ..CacheSettings::default()
    };
    let site = Site { cache: AnswerCache::new(BYTES, clock), settings, clock };
    // Enough of them are asked otherwise as well that what means the same is believed, and others are not.
    for number in 0..questions {
        site.ask(1, number, "does").await;
        if number < ASKED_OTHERWISE {
            site.ask(1, number, "will").await;
        }
    }
    let bytes = (resident() - before) / questions;
    let mut random = fastrand::Rng::with_seed(7);
    let mut timed = async |version, verb: &str, expected: Option<Layer>| {
        let mut times = Vec::with_capacity(MEASURED);
        for _ in 0..MEASURED {
            let number = random.usize(..questions);
            let began = Instant::now();
            let layer = site.ask(version, number, verb).await;
            let took = began.elapsed();
            if layer == expected {
                times.push(took);
            }
        }
        // Of those in other words, the ones that are too like other questions are asked; how many says the test of the pairs.
        assert!(times.len() >= LEAST, "{} of {MEASURED} of {expected:?}", times.len());
        times.sort_unstable();
        times
    };
    let exact = timed(1, "does", Some(Layer::Exact)).await;
    let alike = timed(1, "would", Some(Layer::Semantic)).await;
    let new = timed(1, "in which years of all may", None).await;
    let after = timed(2, "does", None).await;
    let micros = |times: &[Duration], share: f64| {
        times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6
    };
    let both = |times: &[Duration]| format!("{:.0} / {:.0}", micros(times, 0.5), micros(times, 0.99));
    println!(
        "{questions} | {} | {} | {} | {:.2} | {bytes}",
        both(&exact),
        both(&alike),
        both(&new),
        micros(&after, 1.0) / 1e3
    );
}

struct Site {
    cache: Arc<AnswerCache>,
    settings: CacheSettings,
    clock: Clock,
}

impl Site {
    /// Asks, and answers where nothing is known; which layer knew it.
    async fn ask(&self, documents: u64, number: usize, verb: &str) -> Option<Layer> {
        let question = &question(number, verb);
        let request = ChatRequest {
            model: "support".to_owned(),
            messages: vec![Message::text(Role::User, question)],
            ..ChatRequest::default()
        };
        let tenant = TenantId::new("t");
        let surroundings =
            Surroundings { tenant: &tenant, assistant: "a", documents, tier: None, user: None, intent: None };
        let (partition, _) = Partition::of(&request, &surroundings).unwrap();
        let deadline = Deadline::after(&self.clock, Duration::from_secs(5));
        match self.cache.find(&self.settings, partition, question, Wish::default(), deadline).await.unwrap() {
            Found::Answer(_, layer) => Some(layer),
            Found::Nothing(inquiry) => {
                inquiry.answered(Some(answer(number, self.clock)));
                None
            }
        }
    }
}

/// Questions of one kind differ in their words, those of two in a number.
fn question(number: usize, verb: &str) -> String {
    const THINGS: [&str; 10] = [
        "battery", "warranty", "lamp", "engine", "paint", "carpet", "filter", "garden", "contract", "voucher",
    ];
    const OWNERS: [&str; 10] = [
        "camera", "boat", "kitchen", "bicycle", "school", "hotel", "tractor", "museum", "printer", "theatre",
    ];
    const WHENS: [&str; 10] = [
        "in daily use",
        "at sea",
        "in the rain",
        "with care",
        "for a family",
        "on the road",
        "in storage",
        "in the sun",
        "at night",
        "with children",
    ];
    let (kind, of_kind) = (number / OF_A_KIND, number % OF_A_KIND);
    let thing = THINGS[of_kind % 10];
    let owner = OWNERS[of_kind / 10 % 10];
    let when = WHENS[of_kind / 100];
    format!("how long {verb} the {thing} of the {owner} of series {kind} last {when}?")
}

/// Another one to each question, however it is asked.
fn answer(number: usize, clock: Clock) -> CachedAnswer {
    let text = Some(format!("It lasts {number} days."));
    let message = AssistantMessage { text, ..AssistantMessage::default() };
    CachedAnswer {
        completion: Completion {
            id: "c".to_owned(),
            model: "m".to_owned(),
            created: None,
            choices: vec![Choice { index: 0, message, finish: FinishReason::Stop, logprobs: None }],
            usage: None,
            extra: Extra::new(),
        },
        model: "p/m".to_owned(),
        passages: 0,
        not_in_documents: false,
        cost: NanoUsd::new(100),
        at: clock.now(),
    }
}

/// Bytes of memory that the process has.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}
