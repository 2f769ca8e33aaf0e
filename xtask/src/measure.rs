//! `cargo xtask measure`: every figure of `docs/benchmarks.md`, in one run of an optimised build.

use std::path::PathBuf;
use std::process::Command;

use clap::Args;

use crate::process::{Steps, run as run_program};
use crate::workspace::Workspace;

/// What is measured.
#[derive(Args)]
pub(crate) struct MeasureArgs {
    /// Folders with questions whose answers are known, in the form that `mainstay eval retrieval` reads.
    #[arg(value_name = "DIR")]
    sets: Vec<PathBuf>,
    /// Sizes of the corpora and indexes, in chunks.
    #[arg(long, value_name = "NUMBERS", default_value = "1000,10000,100000")]
    chunks: String,
    /// Only the parts of this kind: speed or quality.
    #[arg(long)]
    only: Option<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Speed,
    Quality,
}

/// The product and what measures it, in one build: the product is the one that `cargo run --release` makes.
const BUILD: [&str; 6] = ["build", "--release", "-p", "mainstay", "-p", "mainstay-bench"];

/// Measures, one after the other, and prints what each finds.
pub(crate) fn run(workspace: &Workspace, args: &MeasureArgs) -> anyhow::Result<()> {
    let mut steps = Steps::default();
    let built = steps.run("build", || run_program(workspace.cargo().args(BUILD)));
    if !built {
        return steps.finish();
    }
    let program = |name: &str| Command::new(workspace.target.join("release").join(name));
    if args.only != Some(Part::Quality) {
        for measure in ["gateway", "streaming", "protection"] {
            steps.run(measure, || run_program(program("mainstay-bench").arg(measure)));
        }
        for measure in ["ingest", "search"] {
            let sizes = ["--chunks", &args.chunks];
            steps.run(measure, || run_program(program("mainstay-bench").arg(measure).args(sizes)));
        }
        steps.run("parts", || run_program(program("mainstay").args(["bench", "--seconds", "5"])));
        let points = ["--points", &args.chunks];
        steps.run("index", || run_program(program("mainstay-bench").arg("index").args(points)));
        steps.run("questions", || run_program(program("mainstay-bench").arg("questions")));
    }
    if args.only != Some(Part::Speed) && !args.sets.is_empty() {
        let embedders = ["--embedder", "static", "--against-embedder", "minilm"];
        steps.run("retrieval", || {
            run_program(program("mainstay").args(["eval", "retrieval"]).args(&args.sets).args(embedders))
        });
    }
    steps.finish()
}
