//! How fast text becomes searchable: `mainstay ingest` into an empty data folder, from its start to its end.

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::Common;
use crate::corpus::Author;
use crate::observe::median;
use crate::product::{Site, binary};
use crate::report::{Table, figure};

/// How to measure.
#[derive(Args)]
pub(crate) struct IngestArgs {
    #[command(flatten)]
    common: Common,
    /// About how many chunks; several sizes separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000])]
    chunks: Vec<usize>,
    /// Rounds of each size; the median counts.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
}

#[derive(Serialize)]
struct Ingested {
    documents: usize,
    chunks: u64,
    text_mb: f64,
    seconds: f64,
    cpu_seconds: f64,
    mb_per_second: f64,
    chunks_per_second: f64,
    peak_mb: f64,
    data_mb: f64,
}

/// Measures and prints.
pub(crate) fn run(args: &IngestArgs) -> anyhow::Result<()> {
    let binary = binary(&args.common)?;
    let mut results = Vec::new();
    for &chunks in &args.chunks {
        let mut rounds = Vec::new();
        for _ in 0..args.rounds.max(1) {
            eprintln!("{chunks} chunks …");
            rounds.push(measure(&Site::new(&binary, None)?, chunks)?);
        }
        let seconds = median(rounds.iter().map(|round| round.seconds));
        let middle = rounds.into_iter().min_by(|one, other| {
            f64::total_cmp(&(one.seconds - seconds).abs(), &(other.seconds - seconds).abs())
        });
        results.extend(middle);
    }
    if args.common.json {
        println!("{}", serde_json::to_string_pretty(&results)?);
        return Ok(());
    }
    let mut table = Table::new(&[
        "documents",
        "chunks",
        "MB of text",
        "seconds",
        "CPU s",
        "MB/s",
        "chunks/s",
        "most resident MB",
        "data folder MB",
    ]);
    for one in &results {
        table.row([
            figure(one.documents as f64),
            figure(one.chunks as f64),
            figure(one.text_mb),
            figure(one.seconds),
            figure(one.cpu_seconds),
            figure(one.mb_per_second),
            figure(one.chunks_per_second),
            figure(one.peak_mb),
            figure(one.data_mb),
        ]);
    }
    table.print();
    Ok(())
}

fn measure(site: &Site, chunks: usize) -> anyhow::Result<Ingested> {
    let corpus = site.path().join("corpus.jsonl");
    let written = Author::new(chunks as u64).write_corpus(&corpus, chunks, 0)?;
    let mut command = site.command("ingest")?;
    command.arg(&corpus);
    let watched = site.watch("ingest", command)?;
    let count = |key: &str| watched.summary.get(key).and_then(Value::as_u64).unwrap_or(0);
    anyhow::ensure!(
        count("accepted") == written.documents as u64,
        "{} documents were sent, and this came back: {}",
        written.documents,
        watched.summary
    );
    let text_mb = written.text_bytes as f64 / 1e6;
    Ok(Ingested {
        documents: written.documents,
        chunks: count("chunks"),
        text_mb,
        seconds: watched.seconds,
        cpu_seconds: watched.cpu_seconds,
        mb_per_second: text_mb / watched.seconds,
        chunks_per_second: count("chunks") as f64 / watched.seconds,
        peak_mb: watched.peak_mb,
        data_mb: folder_bytes(&site.data())? as f64 / 1e6,
    })
}

fn folder_bytes(folder: &std::path::Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { folder_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
