//! `mainstay eval`: how good the search is, and what the model makes of what is found, on questions whose answers are known.
//! A data set is ingested into a folder that is thrown away, as a user would, and every question goes the way of every
//! other.

pub(super) mod sets;
mod trial;

mod against;
mod gates;
mod html;
mod retrieval;
mod table;
pub(super) use table::interval;

mod tune;
mod write;

mod position;

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

/// What is measured.
#[derive(Subcommand)]
pub(crate) enum EvalVerb {
    /// Recall, precision, nDCG and MRR of the search, with confidence intervals, latency and the size of the index.
    Retrieval(retrieval::RetrievalArgs),
    /// Finds the ranking settings of a corpus that are best for your questions, and writes them into mainstay.toml.
    Tune(tune::TuneArgs),
    /// Whether a model reads the middle of its context worse than the edges.
    Position(position::PositionArgs),
}

pub(crate) fn run(verb: EvalVerb, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    match verb {
        EvalVerb::Retrieval(args) => retrieval::run(args, config),
        EvalVerb::Tune(args) => tune::run(args, config),
        EvalVerb::Position(args) => position::run(args, config),
    }
}
