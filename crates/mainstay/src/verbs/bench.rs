//! `mainstay bench`: how fast the parts are on this machine, one after the other and per core, over Mainstay's own handbook.
//! The whole product is measured by the programs in `bench/`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use mainstay_documents::{ChunkOptions, Hint, Limits, chunk, parse};
use mainstay_domain::port::{Embedder as _, EmbeddingPurpose, Errand, Reranker as _};
use mainstay_domain::{ChunkId, Clock, Deadline, Passage};
use mainstay_embed::{StaticEmbedder, Transformer};
use mainstay_rag::BuiltinReranker;
use mainstay_text::{Analyzer, Language};
use serde_json::json;

use crate::{compose, handbook, terminal};

/// Measures the parts of Mainstay on this machine.
#[derive(Args)]
#[command(after_help = "Example: mainstay bench --seconds 2")]
pub(crate) struct BenchArgs {
    /// How long each part is measured.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// A part, and how much it did.
struct Measure {
    part: &'static str,
    /// Of text, per second and core.
    megabytes: f64,
    /// Chunks of about a hundred words, per second and core.
    chunks: f64,
    rounds: u64,
}

/// What a part works on in one round.
#[derive(Clone, Copy)]
struct Work {
    bytes: usize,
    chunks: usize,
    /// The cores that it takes.
    cores: usize,
}

/// Chunks that a transformer embeds in one round: a round of all would take seconds.
const TRANSFORMER_CHUNKS: usize = 32;

/// Passages that a reranker looks at.
const CANDIDATES: usize = 20;

const QUESTION: &str = "How do I keep documents that changed from being paid for again?";

pub(crate) fn run(args: BenchArgs) -> anyhow::Result<ExitCode> {
    let each = Duration::try_from_secs_f64(args.seconds)?;
    let measures = compose::runtime()?.block_on(measures(each))?;
    if args.json {
        let parts: Vec<_> = measures
            .iter()
            .map(|one| {
                json!({
                    "part": one.part, "mb_per_second": one.megabytes, "chunks_per_second": one.chunks, "rounds": one.rounds
                })
            })
            .collect();
        terminal::say(json!({ "parts": parts }))?;
    } else {
        let mut table = terminal::table(&["part, per core", "MB/s", "chunks/s", "rounds"]);
        for one in &measures {
            table.add_row([
                one.part.to_owned(),
                format!("{:.2}", one.megabytes),
                format!("{:.0}", one.chunks),
                one.rounds.to_string(),
            ]);
        }
        terminal::say(table)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn measures(each: Duration) -> anyhow::Result<Vec<Measure>> {
    let clock = Clock::system();
    let text = handbook::text();
    let parsed = parse(text.as_bytes(), Hint::file_name("handbook.md"), &Limits::default())?;
    let embedder = StaticEmbedder::builtin();
    let cut = || chunk(&parsed, &ChunkOptions::default(), &|text| embedder.embed_text(text));
    let chunks = cut();
    let pieces: Vec<&str> = chunks.iter().map(|one| &parsed.text[one.range.start..one.range.end]).collect();
    let analyzer = Analyzer::new(Language::ENGLISH);
    let transformer = Transformer::minilm(clock);
    let some = &pieces[..pieces.len().min(TRANSFORMER_CHUNKS)];
    let candidates: Vec<Passage> = pieces
        .iter()
        .take(CANDIDATES)
        .enumerate()
        .map(|(index, piece)| Passage {
            language: Some("en".to_owned()),
            ..Passage::whole(ChunkId(index as u64), "handbook.md", *piece)
        })
        .collect();

    let work = |pieces: &[&str]| Work {
        bytes: pieces.iter().map(|piece| piece.len()).sum(),
        chunks: pieces.len(),
        cores: 1,
    };
    let all = Work { bytes: text.len(), ..work(&pieces) };
    let on_every_core = |pieces: &[&str]| Work {
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        ..work(pieces)
    };
    let (some_work, read) = (on_every_core(some), on_every_core(&pieces[..candidates.len()]));
    let forever = Deadline::after(&clock, Duration::from_secs(3_600));
    Ok(vec![
        measure("parse Markdown", each, all, async || {
            drop(parse(text.as_bytes(), Hint::file_name("handbook.md"), &Limits::default()));
        })
        .await,
        measure("cut into chunks", each, all, async || drop(cut())).await,
        measure("analyse for keywords", each, all, async || {
            pieces.iter().for_each(|piece| drop(analyzer.analyze(piece)));
        })
        .await,
        measure("embed (builtin/static)", each, all, async || drop(embedder.embed_texts(&pieces))).await,
        measure("embed (builtin/minilm)", each, some_work, async || {
            drop(transformer.embed(some, EmbeddingPurpose::Passage, Errand::until(forever)).await);
        })
        .await,
        measure("rerank (builtin/linear)", each, read, async || {
            drop(BuiltinReranker.rerank(QUESTION, &candidates, Errand::until(forever)).await);
        })
        .await,
    ])
}

/// Repeats `round` for so long.
async fn measure(
    part: &'static str,
    duration: Duration,
    work: Work,
    mut round: impl AsyncFnMut(),
) -> Measure {
    let clock = Clock::system();
    round().await;
    let began = clock.instant();
    let mut rounds = 0;
    let elapsed = loop {
        round().await;
        rounds += 1;
        let elapsed = clock.instant().duration_since(began);
        if elapsed >= duration {
            break elapsed;
        }
    };
    let per_core =
        |amount: usize| rounds as f64 * amount as f64 / (elapsed.as_secs_f64() * work.cores as f64);
    Measure { part, megabytes: per_core(work.bytes) / 1e6, chunks: per_core(work.chunks), rounds }
}
