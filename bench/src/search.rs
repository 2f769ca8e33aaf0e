//! How fast a hybrid search answers over HTTP, embedding of the question included.

use clap::Args;
use serde::Serialize;
use serde_json::json;

use crate::Common;
use crate::corpus::Author;
use crate::http::Client;
use crate::observe::{Percentiles, cpu_seconds, memory, now};
use crate::product::{Site, binary};
use crate::report::{Table, figure};

/// How to measure.
#[derive(Args)]
pub(crate) struct SearchArgs {
    #[command(flatten)]
    common: Common,
    /// About how many chunks to search in; several sizes separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000])]
    chunks: Vec<usize>,
    /// How many searches, one after the other.
    #[arg(long, default_value_t = 2_000)]
    queries: usize,
    /// How many results each search asks for.
    #[arg(long, default_value_t = 10)]
    limit: usize,
}

#[derive(Serialize)]
struct Searched {
    documents: usize,
    /// Words alone, or a question in a sentence: that the built-in reranker has a look at.
    asked: &'static str,
    text_mb: f64,
    queries: usize,
    latency: Percentiles,
    cpu_seconds_per_1000: f64,
    resident_mb: f64,
    ready_seconds: f64,
}

/// Measures and prints.
pub(crate) fn run(args: &SearchArgs) -> anyhow::Result<()> {
    let binary = binary(&args.common)?;
    let mut results = Vec::new();
    for &chunks in &args.chunks {
        eprintln!("{chunks} chunks …");
        results.extend(measure(&Site::new(&binary, None)?, chunks, args)?);
    }
    if args.common.json {
        println!("{}", serde_json::to_string_pretty(&results)?);
        return Ok(());
    }
    let mut table = Table::new(&[
        "documents",
        "MB of text",
        "asked as",
        "searches",
        "p50 ms",
        "p99 ms",
        "CPU s per 1,000",
        "resident MB",
        "time to ready, s",
    ]);
    for one in &results {
        table.row([
            figure(one.documents as f64),
            figure(one.text_mb),
            one.asked.to_owned(),
            figure(one.queries as f64),
            figure(one.latency.p50),
            figure(one.latency.p99),
            figure(one.cpu_seconds_per_1000),
            figure(one.resident_mb),
            figure(one.ready_seconds),
        ]);
    }
    table.print();
    Ok(())
}

fn measure(site: &Site, chunks: usize, args: &SearchArgs) -> anyhow::Result<Vec<Searched>> {
    let corpus = site.path().join("corpus.jsonl");
    let written = Author::new(chunks as u64).write_corpus(&corpus, chunks, args.queries)?;
    let first = site.up(Some(&corpus))?;
    let key = first.key()?.to_owned();
    first.stop()?;
    // Started again, so that time to ready and memory are those of a server that finds its index on disk.
    let product = site.up(None)?;
    let mut client = Client::connect(&product.url, &key)?;
    let mut search = |query: &str| -> anyhow::Result<i64> {
        let started = now();
        let answer = client.post("/v1/search", &json!({ "query": query, "limit": args.limit }))?;
        let took = started.elapsed();
        let found = answer["results"].as_array().map_or(0, Vec::len);
        anyhow::ensure!(found > 0, "nothing was found for words of a document: {query:?}: {answer}");
        Ok(i64::try_from(took.as_nanos())?)
    };
    let mut measured = Vec::new();
    for (asked, before, behind) in KINDS {
        let queries: Vec<String> =
            written.queries.iter().map(|words| format!("{before}{words}{behind}")).collect();
        for query in queries.iter().take(50) {
            search(query)?;
        }
        let idle = cpu_seconds(product.id())?;
        let nanos = queries.iter().map(|query| search(query)).collect::<anyhow::Result<Vec<_>>>()?;
        let cpu = cpu_seconds(product.id())? - idle;
        measured.push(Searched {
            documents: written.documents,
            asked,
            text_mb: written.text_bytes as f64 / 1e6,
            queries: nanos.len(),
            cpu_seconds_per_1000: cpu / nanos.len() as f64 * 1000.0,
            latency: Percentiles::of(nanos),
            resident_mb: memory(product.id())?.resident_mb,
            ready_seconds: product.ready_seconds,
        });
    }
    product.stop()?;
    Ok(measured)
}

/// How stretches of the documents are asked for: the name of it, and what stands before and behind.
const KINDS: [(&str, &str, &str); 2] = [("words", "", ""), ("question", "What is said of ", "?")];
