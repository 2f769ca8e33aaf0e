//! `mainstay ingest`: files, folders and JSON Lines into a corpus. It can be stopped at any moment and started again:
//! what was accepted stays, and unchanged documents are skipped by their hash.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use comfy_table::Table;
use futures_util::{StreamExt, stream};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::Value;

use crate::client::{Client, ClientError};
use crate::printable;
use crate::session::{self, Target};
use crate::sources::{self, Delivery};
use crate::terminal::{self, BadInput, grouped};

/// Adds documents.
#[derive(Args)]
#[command(
    after_help = "Example: mainstay ingest ./docs\n         mainstay ingest corpus.jsonl --corpus research"
)]
pub(crate) struct IngestArgs {
    /// Files, folders (read with all below them) and JSON Lines (doc_id, title, text, language).
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Into which corpus.
    #[arg(long, default_value = "default")]
    corpus: String,
    /// Prints the summary as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(args: IngestArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    check_paths(&args.paths)?;
    session::with_client(&args.target, config, async |client| {
        let summary = ingest(client, &args.paths, &args.corpus, !args.json).await?;
        if args.json {
            terminal::say(serde_json::to_string(&summary)?)?;
        } else {
            terminal::say(summary.table())?;
        }
        Ok(if summary.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    })
}

/// Refuses paths at which there is nothing, before anything is started.
pub(crate) fn check_paths(paths: &[PathBuf]) -> Result<(), BadInput> {
    match paths.iter().find(|path| !path.exists()) {
        Some(path) => Err(BadInput(format!("there is no file or folder {}", path.display()))),
        None => Ok(()),
    }
}

/// What became of the documents.
#[derive(Serialize, Default, Debug)]
pub(crate) struct Summary {
    /// New or changed documents that are searchable now.
    pub(crate) accepted: u64,
    /// Documents that were there already, unchanged.
    pub(crate) unchanged: u64,
    /// Chunks of the accepted documents.
    pub(crate) chunks: u64,
    /// Bytes that were read.
    pub(crate) bytes: u64,
    /// Documents that were refused, and why.
    pub(crate) refused: Vec<Refusal>,
    /// Files below the folders that are no documents: pictures, programs, hidden files.
    pub(crate) skipped: Vec<Refusal>,
}

/// A document that was not taken.
#[derive(Serialize, Debug)]
pub(crate) struct Refusal {
    /// Its path, or its line in a file of JSON Lines.
    pub(crate) source: String,
    /// Why.
    pub(crate) reason: String,
}

impl Summary {
    /// The summary for people.
    pub(crate) fn table(&self) -> Table {
        let mut table = terminal::table(&["", "documents", "detail"]);
        let detail = format!("{} chunks, {:.1} MB read", grouped(self.chunks), self.bytes as f64 / 1e6);
        table.add_row(["accepted".to_owned(), grouped(self.accepted), detail]);
        table.add_row(["unchanged".to_owned(), grouped(self.unchanged), String::new()]);
        for (name, list) in [("skipped", &self.skipped), ("refused", &self.refused)] {
            table.add_row([name.to_owned(), grouped(list.len() as u64), describe(list)]);
        }
        table
    }
}

/// The first few of a list; all of them are in `--json`.
fn describe(list: &[Refusal]) -> String {
    const SHOWN: usize = 12;
    let mut lines: Vec<String> = list
        .iter()
        .take(SHOWN)
        .map(|one| format!("{}: {}", printable::line(&one.source), printable::line(&one.reason)))
        .collect();
    if list.len() > SHOWN {
        lines.push(format!("… and {} more (--json shows all)", list.len() - SHOWN));
    }
    lines.join("\n")
}

/// Sends everything at `paths` to a Mainstay.
pub(crate) async fn ingest(
    client: &Client,
    paths: &[PathBuf],
    corpus: &str,
    visible: bool,
) -> anyhow::Result<Summary> {
    let mut plan = sources::plan(paths)?;
    let bar = terminal::byte_progress(plan.bytes, visible);
    let mut summary = Summary { skipped: std::mem::take(&mut plan.skipped), ..Summary::default() };
    // Two requests at a time keep both sides busy: one is parsed and embedded while the other is read.
    let mut results = stream::iter(plan.deliveries())
        .map(|delivery| async {
            let delivery = delivery?;
            let outcome = send(client, corpus, &delivery).await;
            anyhow::Ok((delivery, outcome))
        })
        .buffer_unordered(2);
    while let Some(result) = results.next().await {
        let (delivery, outcome) = result?;
        bar.set_message(printable::line(&delivery.label).into_owned());
        bar.inc(delivery.source_bytes);
        summary.bytes += delivery.source_bytes;
        summary.refused.extend(delivery.refused);
        match outcome {
            Ok(answers) => summary.count(&delivery.names, &answers),
            Err(error @ ClientError::Refused { status: 400..500, .. }) => {
                summary.refused.push(Refusal { source: delivery.label, reason: error.to_string() });
            }
            Err(error) => {
                bar.abandon();
                let done = summary.accepted + summary.unchanged;
                return Err(anyhow::Error::new(error).context(format!(
                    "stopped after {done} documents; run the same command again to go on"
                )));
            }
        }
    }
    bar.finish_and_clear();
    Ok(summary)
}

/// Sends one request's worth of documents; returns the answer for each.
async fn send(client: &Client, corpus: &str, delivery: &Delivery) -> Result<Vec<Value>, ClientError> {
    if delivery.names.is_empty() {
        return Ok(Vec::new());
    }
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let corpus = encode(corpus);
    if delivery.is_json_lines {
        let path = format!("/v1/documents?corpus={corpus}");
        let answer = client.post_bytes(&path, "application/x-ndjson", delivery.body.clone()).await?;
        return Ok(answer["data"].as_array().cloned().unwrap_or_default());
    }
    let name = encode(&delivery.names[0]);
    let path = format!("/v1/documents?corpus={corpus}&doc_id={name}&filename={name}");
    Ok(vec![client.post_bytes(&path, "application/octet-stream", delivery.body.clone()).await?])
}

impl Summary {
    fn count(&mut self, names: &[String], answers: &[Value]) {
        for (name, answer) in names.iter().zip(answers) {
            if let Some(message) = answer["error"]["message"].as_str() {
                self.refused.push(Refusal { source: name.clone(), reason: message.to_owned() });
            } else if answer["unchanged"].as_bool() == Some(true) {
                self.unchanged += 1;
            } else {
                self.accepted += 1;
                self.chunks += answer["chunks"].as_u64().unwrap_or(0);
            }
        }
    }
}
