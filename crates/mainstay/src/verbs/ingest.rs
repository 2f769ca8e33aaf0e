//! `mainstay ingest`: files, folders and JSON Lines into a corpus. It can be stopped at any moment and started again:
//! what was accepted stays, and unchanged documents are skipped by their hash.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use comfy_table::Table;
use indicatif::ProgressBar;
use mainstay_domain::CorpusName;
use serde::Serialize;
use serde_json::Value;

use crate::client::{Client, ClientError};
use crate::printable;
use crate::sending::{Arrival, Sending};
use crate::session::{self, Target};
use crate::sources::{self, Named, Refusal};
use crate::terminal::{self, BadInput, grouped, size};
use crate::verbs::corpus;

/// Adds documents.
#[derive(Args)]
#[command(
    after_help = "Example: mainstay ingest ./docs\n         mainstay ingest corpus.jsonl --corpus research"
)]
pub(crate) struct IngestArgs {
    /// Files, folders (read with all below them) and JSON Lines (doc_id, title, text, language, metadata).
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
    CorpusName::new(&args.corpus)
        .check()
        .map_err(|fault| BadInput(format!("the name of the corpus after --corpus {fault}")))?;
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
    /// Those of them that no search finds, by what is odd about them.
    pub(crate) quarantined: BTreeMap<String, u64>,
    /// Bytes that were read.
    pub(crate) bytes: u64,
    /// Documents that were refused, and why.
    pub(crate) refused: Vec<Refusal>,
    /// Files below the folders that are no documents: pictures, programs, hidden files.
    pub(crate) skipped: Vec<Refusal>,
}

impl Summary {
    /// The summary for people.
    pub(crate) fn table(&self) -> Table {
        let mut table = terminal::table(&["", "documents", "detail"]);
        let detail = format!("{} chunks, {} read", grouped(self.chunks), size(self.bytes));
        table.add_row(["accepted".to_owned(), grouped(self.accepted), detail]);
        if !self.quarantined.is_empty() {
            let detail = "kept from searches; `mainstay corpus quarantine` lists them";
            let chunks = format!("{} chunks", grouped(self.quarantined.values().sum()));
            let reasons = corpus::describe_reasons(&self.quarantined);
            table.add_row(["quarantined".to_owned(), chunks, format!("{reasons}\n{detail}")]);
        }
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
    let mut plan = sources::plan(paths);
    let summary = Summary {
        skipped: std::mem::take(&mut plan.skipped),
        refused: std::mem::take(&mut plan.refused),
        ..Summary::default()
    };
    let mut progress = Progress { bar: terminal::byte_progress(plan.bytes, visible), summary };
    let mut sending = Sending::new(client, corpus);
    let mut deliveries = plan.deliveries(client.body_limit());
    // A new corpus learns from what arrives first how long its texts are, and ranks by it: so that is always the same.
    if let Some(first) = deliveries.next() {
        sending.begin(first);
        if let Some(arrival) = sending.next().await {
            progress.account(arrival)?;
        }
    }
    for delivery in deliveries {
        while sending.must_wait_for_others(&delivery) {
            let Some(arrival) = sending.next().await else { break };
            progress.account(arrival)?;
        }
        sending.begin(delivery);
    }
    while let Some(arrival) = sending.next().await {
        progress.account(arrival)?;
    }
    progress.bar.finish_and_clear();
    Ok(progress.summary)
}

/// What became of the documents until now.
struct Progress {
    bar: ProgressBar,
    summary: Summary,
}

impl Progress {
    fn account(&mut self, Arrival { delivery, answers }: Arrival) -> anyhow::Result<()> {
        let summary = &mut self.summary;
        self.bar.set_message(printable::line(&delivery.label).into_owned());
        self.bar.inc(delivery.source_bytes);
        summary.bytes += delivery.source_bytes;
        summary.refused.extend(delivery.refused);
        match answers {
            Ok(answers) => summary.count(&delivery.documents, &answers),
            Err(error @ ClientError::Refused { status: 400..500, .. }) => {
                let reason = error.to_string();
                let refused = delivery.documents.into_iter();
                summary.refused.extend(
                    refused.map(|document| Refusal { source: document.place, reason: reason.clone() }),
                );
            }
            Err(error) => {
                self.bar.abandon();
                let done = summary.accepted + summary.unchanged;
                return Err(anyhow::Error::new(error).context(format!(
                    "stopped after {done} documents; run the same command again to go on"
                )));
            }
        }
        Ok(())
    }
}

impl Summary {
    fn count(&mut self, documents: &[Named], answers: &[Value]) {
        for (document, answer) in documents.iter().zip(answers) {
            if let Some(message) = answer["error"]["message"].as_str() {
                self.refused.push(Refusal { source: document.place.clone(), reason: message.to_owned() });
            } else if answer["unchanged"].as_bool() == Some(true) {
                self.unchanged += 1;
            } else {
                self.accepted += 1;
                self.chunks += answer["chunks"].as_u64().unwrap_or(0);
                for (reason, chunks) in answer["quarantined"].as_object().into_iter().flatten() {
                    *self.quarantined.entry(reason.clone()).or_default() += chunks.as_u64().unwrap_or(0);
                }
            }
        }
    }
}
