//! `mainstay index`: shows or rebuilds the search index, which is derived from the documents.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::printable;
use crate::session::{self, Target};
use crate::terminal::{self, OutputError, grouped, size};

/// Shows or rebuilds the search index.
#[derive(Subcommand)]
pub(crate) enum IndexVerb {
    /// Documents, chunks and embedder of every corpus.
    #[command(after_help = "Example: mainstay index status --json")]
    Status(StatusArgs),
    /// Builds the index of a corpus anew from its documents; searches are answered meanwhile. Documents stay cut as they
    /// are: after a change of `chunking`, `chunk_words` or `parent_words` run `mainstay ingest` with the same files first.
    #[command(after_help = "Example: mainstay index rebuild --corpus research")]
    Rebuild(RebuildArgs),
}

#[derive(Args)]
pub(crate) struct StatusArgs {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Args)]
pub(crate) struct RebuildArgs {
    /// The corpus.
    #[arg(long, default_value = "default")]
    corpus: String,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(verb: IndexVerb, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    match verb {
        IndexVerb::Status(args) => session::with_client(&args.target, config, async |client| {
            let answer = client.get("/v1/corpora").await?;
            if args.json {
                terminal::say(answer)?;
            } else {
                print_status(&answer)?;
            }
            Ok(ExitCode::SUCCESS)
        }),
        IndexVerb::Rebuild(args) => session::with_client(&args.target, config, async |client| {
            let answer = client.post("/admin/index/rebuild", &json!({ "corpus": args.corpus })).await?;
            if args.json {
                terminal::say(answer)?;
            } else {
                let chunks = grouped(answer["chunks"].as_u64().unwrap_or(0));
                terminal::say(format_args!("The index of \"{}\" is rebuilt: {chunks} chunks.", args.corpus))?;
            }
            Ok(ExitCode::SUCCESS)
        }),
    }
}

fn print_status(answer: &Value) -> Result<(), OutputError> {
    let corpora = answer["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut columns = vec!["corpus", "documents", "chunks", "text", "embedder"];
    let is_upgraded = corpora.iter().any(|corpus| corpus["upgrade"].is_object());
    if is_upgraded {
        columns.push("upgraded");
    }
    let mut table = terminal::table(&columns);
    for corpus in corpora {
        let number = |name: &str| grouped(corpus[name].as_u64().unwrap_or(0));
        let text = |name: &str| printable::line(corpus[name].as_str().unwrap_or_default()).into_owned();
        let bytes = size(corpus["bytes"].as_u64().unwrap_or(0));
        let mut row = vec![text("corpus"), number("documents"), number("chunks"), bytes, text("embedder")];
        if is_upgraded {
            row.push(progress(corpus));
        }
        table.add_row(row);
    }
    terminal::say(table)
}

/// How many chunks of a corpus have the second, better vectors.
fn progress(corpus: &Value) -> String {
    let (Some(done), Some(all)) = (corpus["upgrade"]["chunks"].as_u64(), corpus["upgrade"]["of"].as_u64())
    else {
        return "–".to_owned();
    };
    let embedder = printable::line(corpus["upgrade"]["embedder"].as_str().unwrap_or_default()).into_owned();
    let percent = (done.min(all) * 100).checked_div(all).unwrap_or(100);
    format!("{percent} % by {embedder}")
}
