//! Measures of Mainstay. Each compares two things in the same run, on the same machine, in alternating rounds: the upstream
//! called directly with the upstream called through Mainstay. How good retrieval is, `mainstay eval retrieval` measures.
//!
//! The load generator and the upstream are separate processes (this program again), so that the CPU time of the Mainstay
//! process is its own.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool: its output is its purpose"
)]

mod gateway;
mod protection;
mod streaming;

mod ingest;
mod search;

mod index;
mod questions;

mod tagger;
mod train;

mod corpus;
mod http;
mod load;
mod observe;
mod product;
mod report;
mod upstream;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Measures of Mainstay, side by side with what it is compared to.
#[derive(Parser)]
#[command(name = "mainstay-bench", disable_version_flag = true)]
struct Cli {
    #[command(subcommand)]
    measure: Measure,
}

#[derive(Subcommand)]
enum Measure {
    /// CPU per request, added latency, throughput, memory and time to ready, of chat without streaming.
    Gateway(gateway::GatewayArgs),
    /// What limits, queues, breakers, budgets, hedging and a cache that misses cost, by the number of tenants.
    Protection(protection::ProtectionArgs),
    /// Added time to first token, added gap between chunks, CPU per stream and streams per second.
    Streaming(streaming::StreamingArgs),
    /// How fast text becomes searchable.
    Ingest(ingest::IngestArgs),
    /// How fast a hybrid search answers.
    Search(search::SearchArgs),
    /// How many of the true neighbours the index alone finds, and how long it takes, with and without filters.
    Index(index::IndexArgs),
    /// What it takes to know a question again.
    Questions(questions::QuestionsArgs),
    /// How much of what is personal in texts is found.
    Personal(tagger::PersonalArgs),
    /// Trains the built-in tagger of names.
    TrainTagger(tagger::TaggerArgs),
    /// Trains the built-in reranker.
    TrainReranker(train::TrainArgs),
    /// The upstream of the gateway measures.
    #[command(hide = true)]
    Upstream,
    /// The load generator of the gateway measures.
    #[command(hide = true)]
    Load(load::LoadArgs),
}

/// What every measure takes.
#[derive(Args)]
struct Common {
    /// The `mainstay` program; without it, the one that was built beside this one.
    #[arg(long, value_name = "FILE")]
    mainstay: Option<PathBuf>,
    /// Prints JSON instead of tables.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let result = match Cli::parse().measure {
        Measure::Gateway(args) => gateway::run(&args),
        Measure::Protection(args) => protection::run(&args),
        Measure::Streaming(args) => streaming::run(&args),
        Measure::Ingest(args) => ingest::run(&args),
        Measure::Search(args) => search::run(&args),
        Measure::Index(args) => index::run(&args),
        Measure::Questions(args) => questions::run(&args),
        Measure::Personal(args) => tagger::measure(&args),
        Measure::TrainTagger(args) => tagger::train(&args),
        Measure::TrainReranker(args) => train::run(&args),
        Measure::Upstream => upstream::run(),
        Measure::Load(args) => load::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
