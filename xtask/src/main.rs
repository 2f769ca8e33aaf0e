//! The chores of this workspace, each one command: `cargo xtask check`, `cargo xtask test`, `cargo xtask tidy`.
//!
//! `.ci/run` calls the same commands as a developer does.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool: its output is its purpose"
)]

mod check;
mod clients;
mod debian;
mod failures;
mod fuzz;
mod manifests;
mod measure;
mod models;
mod process;
mod service;
mod test;
mod tidy;
mod usage;
mod workspace;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::workspace::Workspace;

/// The chores of the Mainstay workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_version_flag = true)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Formatting, clippy with warnings denied, tidy, and the documentation build.
    Check,
    /// The tests of the crates, then the official clients against the real binary.
    Test(test::TestArgs),
    /// Makes the built-in embedding table anew and compares it with the one that is compiled in.
    Distill(models::ModelArgs),
    /// Makes the built-in transformer anew and compares it with the one that is compiled in.
    Quantise(models::ModelArgs),
    /// Makes the lists of names anew that personal data is found by, and compares them with those that are compiled in.
    Names(models::ModelArgs),
    /// What becomes of every fault of a provider, into docs/failures.md, with the real binary.
    Failures(failures::FailuresArgs),
    /// A fuzzer looks for bytes that break what the parsers promise. It needs a C++ compiler.
    Fuzz(fuzz::FuzzArgs),
    /// Every figure of docs/benchmarks.md, from an optimised build. The machine should be quiet.
    Measure(measure::MeasureArgs),
    /// The rules that rustc and clippy cannot check: layers, manifests, licences, sources, documents.
    Tidy,
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let workspace = Workspace::load()?;
    match cli.chore {
        Chore::Check => check::run(&workspace, &chores()),
        Chore::Test(args) => test::run(&workspace, &args),
        Chore::Distill(args) => models::run(&workspace, &models::STATIC_TABLE, &args),
        Chore::Quantise(args) => models::run(&workspace, &models::TRANSFORMER, &args),
        Chore::Names(args) => models::run(&workspace, &models::NAMES, &args),
        Chore::Failures(args) => failures::run(&workspace, &args),
        Chore::Fuzz(args) => fuzz::run(&workspace, &args),
        Chore::Measure(args) => measure::run(&workspace, &args),
        Chore::Tidy => tidy::run(&workspace, &chores()),
    }
}

/// The names of all chores, for the check that the documents name only existing ones.
fn chores() -> Vec<String> {
    Cli::command().get_subcommands().map(|chore| chore.get_name().to_owned()).collect()
}
