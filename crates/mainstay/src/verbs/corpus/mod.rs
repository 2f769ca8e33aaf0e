//! `mainstay corpus`: what a corpus consists of, what is odd about it, and the way out of its quarantine.

mod page;
mod quarantine;
mod report;
mod table;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use mainstay_domain::CorpusName;

use crate::terminal::{BadInput, grouped};

/// Reports on a corpus, and shows or releases what is kept from its searches.
#[derive(Subcommand)]
pub(crate) enum CorpusVerb {
    /// Sizes, languages, duplicates, odd chunks and topics of a corpus, and how much of it a set of questions asks about.
    #[command(after_help = "Example: mainstay corpus report research --golden ./golden --html report.html\n\
                      \x20        mainstay corpus report --json")]
    Report(report::ReportArgs),
    /// Lists the chunks that no search finds, and why.
    #[command(after_help = "Example: mainstay corpus quarantine research --show")]
    Quarantine(quarantine::QuarantineArgs),
    /// Lets searches find such chunks, for good: also when the same text is added again.
    #[command(after_help = "Example: mainstay corpus release research --document manual.pdf")]
    Release(quarantine::ReleaseArgs),
}

pub(crate) fn run(verb: CorpusVerb, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    match verb {
        CorpusVerb::Report(args) => report::run(args, config),
        CorpusVerb::Quarantine(args) => quarantine::list(&args, config),
        CorpusVerb::Release(args) => quarantine::release(&args, config),
    }
}

/// Refuses a name that no corpus can have, before anything is started.
fn check_name(corpus: &str) -> Result<(), BadInput> {
    CorpusName::new(corpus).check().map_err(|fault| BadInput(format!("the name of the corpus {fault}")))
}

/// `encoded 3, no_words 1`
pub(super) fn describe_reasons(reasons: &BTreeMap<String, u64>) -> String {
    let each: Vec<String> =
        reasons.iter().map(|(reason, chunks)| format!("{reason} {}", grouped(*chunks))).collect();
    each.join(", ")
}
