//! `mainstay bench`: how fast the parts are on this machine, one after the other on one core, over Mainstay's own handbook.
//! The whole product is measured by the programs in `bench/`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use mainstay_documents::{ChunkOptions, Hint, Limits, chunk, parse};
use mainstay_domain::Clock;
use mainstay_embed::StaticEmbedder;
use mainstay_text::{Analyzer, Language};
use serde_json::json;

use crate::{handbook, terminal};

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
    megabytes_per_second: f64,
    rounds: u64,
}

pub(crate) fn run(args: BenchArgs) -> anyhow::Result<ExitCode> {
    let each = Duration::try_from_secs_f64(args.seconds)?;
    let text = handbook::text();
    let parsed = parse(text.as_bytes(), Hint::file_name("handbook.md"), &Limits::default())?;
    let embedder = StaticEmbedder::builtin();
    let cut = || chunk(&parsed, &ChunkOptions::default(), &|text| embedder.embed_text(text));
    let chunks = cut();
    let pieces: Vec<&str> = chunks.iter().map(|one| &parsed.text[one.range.start..one.range.end]).collect();
    let analyzer = Analyzer::new(Language::ENGLISH);
    let measures = [
        measure("parse Markdown", each, text.len(), || {
            drop(parse(text.as_bytes(), Hint::file_name("handbook.md"), &Limits::default()));
        }),
        measure("cut into chunks", each, text.len(), || drop(cut())),
        measure("analyse for keywords", each, text.len(), || {
            pieces.iter().for_each(|piece| drop(analyzer.analyze(piece)));
        }),
        measure("embed (builtin/static)", each, text.len(), || drop(embedder.embed_texts(&pieces))),
    ];
    if args.json {
        let parts: Vec<_> = measures
            .iter()
            .map(|one| json!({ "part": one.part, "mb_per_second": one.megabytes_per_second, "rounds": one.rounds }))
            .collect();
        terminal::say(json!({ "parts": parts }))?;
    } else {
        let mut table = terminal::table(&["part", "MB/s", "rounds"]);
        for one in &measures {
            table.add_row([
                one.part.to_owned(),
                format!("{:.1}", one.megabytes_per_second),
                one.rounds.to_string(),
            ]);
        }
        terminal::say(table)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Repeats `work` over `bytes` for so long.
fn measure(part: &'static str, duration: Duration, bytes: usize, mut work: impl FnMut()) -> Measure {
    let clock = Clock::system();
    work();
    let began = clock.instant();
    let mut rounds = 0;
    let elapsed = loop {
        work();
        rounds += 1;
        let elapsed = clock.instant().duration_since(began);
        if elapsed >= duration {
            break elapsed;
        }
    };
    let megabytes = rounds as f64 * bytes as f64 / 1e6;
    Measure { part, megabytes_per_second: megabytes / elapsed.as_secs_f64(), rounds }
}
