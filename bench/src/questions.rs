//! What it costs to know a question again. A cache is filled with so many answered questions of one tenant, a thousand of each
//! kind, which is as many as one look-up compares with; then questions are asked one at a time: word for word, in other words,
//! and new ones.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use mainstay_cache::{
    AnswerCache, CacheSettings, CachedAnswer, Found, Layer, Mode, Partition, Surroundings, Wish,
};
use mainstay_domain::chat::{
    AssistantMessage, ChatRequest, Choice, Completion, Extra, FinishReason, Message, Role,
};
use mainstay_domain::{Clock, Deadline, NanoUsd, TenantId};

use crate::observe::{Percentiles, memory, now};
use crate::report::Table;

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

/// How to measure.
#[derive(Args)]
pub(crate) struct QuestionsArgs {
    /// How many questions are known; several sizes separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000, 1_000_000])]
    known: Vec<usize>,
}

/// Measures and prints.
pub(crate) fn run(args: &QuestionsArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut table = Table::new(&[
        "questions",
        "word for word, p50 / p99 µs",
        "in other words, p50 / p99 µs",
        "new, p50 / p99 µs",
        "slowest while those of a former version go, ms",
        "bytes each",
    ]);
    for &known in &args.known {
        eprintln!("{known} questions …");
        table.row(runtime.block_on(measure(known))?);
    }
    table.print();
    Ok(())
}

/// A row of the table.
async fn measure(questions: usize) -> anyhow::Result<[String; 6]> {
    let before = memory(std::process::id())?.resident_mb;
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
        site.ask(1, number, "does").await?;
        if number < ASKED_OTHERWISE {
            site.ask(1, number, "will").await?;
        }
    }
    let bytes = (memory(std::process::id())?.resident_mb - before) * 1e6 / questions as f64;
    let mut random = fastrand::Rng::with_seed(7);
    let mut timed = async |version, verb: &str, expected: Option<Layer>| {
        let mut nanos = Vec::with_capacity(MEASURED);
        for _ in 0..MEASURED {
            let number = random.usize(..questions);
            let began = now();
            let layer = site.ask(version, number, verb).await?;
            let took = began.elapsed();
            if layer == expected {
                nanos.push(took.as_nanos() as i64);
            }
        }
        // Of those in other words, the ones that are too like other questions are asked; how many says the test of the pairs.
        ensure!(nanos.len() >= LEAST, "{} of {MEASURED} of {expected:?}", nanos.len());
        Ok(nanos)
    };
    let exact = timed(1, "does", Some(Layer::Exact)).await?;
    let alike = timed(1, "would", Some(Layer::Semantic)).await?;
    let new = timed(1, "in which years of all may", None).await?;
    let after = timed(2, "does", None).await?;
    let slowest = after.iter().max().copied().unwrap_or_default() as f64 / 1e6;
    let both = |nanos| {
        let Percentiles { p50, p99, .. } = Percentiles::of(nanos);
        format!("{:.0} / {:.0}", p50 * 1e3, p99 * 1e3)
    };
    Ok([
        questions.to_string(),
        both(exact),
        both(alike),
        both(new),
        format!("{slowest:.2}"),
        format!("{bytes:.0}"),
    ])
}

struct Site {
    cache: Arc<AnswerCache>,
    settings: CacheSettings,
    clock: Clock,
}

impl Site {
    /// Asks, and answers where nothing is known; which layer knew it.
    async fn ask(&self, documents: u64, number: usize, verb: &str) -> anyhow::Result<Option<Layer>> {
        let question = &question(number, verb);
        let request = ChatRequest {
            model: "support".to_owned(),
            messages: vec![Message::text(Role::User, question)],
            ..ChatRequest::default()
        };
        let tenant = TenantId::new("t");
        let surroundings =
            Surroundings { tenant: &tenant, assistant: "a", documents, tier: None, user: None, intent: None };
        let (partition, _) =
            Partition::of(&request, &surroundings).context("the question has no partition")?;
        let deadline = Deadline::after(&self.clock, Duration::from_secs(5));
        let found = self.cache.find(&self.settings, partition, question, Wish::default(), deadline).await;
        Ok(match found.context("the cache did not look")? {
            Found::Answer(_, layer) => Some(layer),
            Found::Nothing(inquiry) => {
                inquiry.answered(Some(answer(number, self.clock)));
                None
            }
        })
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
