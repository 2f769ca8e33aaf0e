//! `mainstay corpus quarantine` and `mainstay corpus release`.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::check_name;
use crate::client::{Client, ClientError};
use crate::printable;
use crate::session::{self, Target};
use crate::terminal::{self, OutputError, grouped};

#[derive(Args)]
pub(crate) struct QuarantineArgs {
    /// The corpus.
    #[arg(value_name = "CORPUS", default_value = "default")]
    corpus: String,
    /// Only those of this document.
    #[arg(long, value_name = "ID")]
    document: Option<String>,
    /// Shows the text of each chunk, too.
    #[arg(long)]
    show: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Args)]
pub(crate) struct ReleaseArgs {
    /// The corpus.
    #[arg(value_name = "CORPUS")]
    corpus: String,
    #[command(flatten)]
    what: What,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct What {
    /// All chunks of this document.
    #[arg(long, value_name = "ID")]
    document: Option<String>,
    /// This chunk, by the number that `mainstay corpus quarantine` shows.
    #[arg(long, value_name = "ID")]
    chunk: Option<u64>,
    /// All chunks of the corpus.
    #[arg(long)]
    all: bool,
}

/// Chunks that are asked for at once.
const PAGE: usize = 1_000;

pub(super) fn list(args: &QuarantineArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    check_name(&args.corpus)?;
    session::with_client(&args.target, config, async |client| {
        let chunks = all_chunks(client, args).await?;
        if args.json {
            terminal::say(json!({ "object": "list", "data": chunks }))?;
        } else if chunks.is_empty() {
            terminal::say(format_args!("Nothing of the corpus {:?} is in quarantine.", args.corpus))?;
        } else {
            print(&args.corpus, &chunks, args.show)?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn all_chunks(client: &Client, args: &QuarantineArgs) -> Result<Vec<Value>, ClientError> {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut path = format!("/admin/quarantine?corpus={}&limit={PAGE}", encoded(&args.corpus));
    if let Some(document) = &args.document {
        path += &format!("&doc_id={}", encoded(document));
    }
    if args.show {
        path += "&include=text";
    }
    let mut chunks = Vec::new();
    let mut after = String::new();
    loop {
        let page = client.get(&format!("{path}{after}")).await?;
        chunks.extend(page["data"].as_array().cloned().unwrap_or_default());
        match (page["has_more"].as_bool(), page["last_id"].as_u64()) {
            (Some(true), Some(last)) => after = format!("&after={last}"),
            _ => return Ok(chunks),
        }
    }
}

fn print(corpus: &str, chunks: &[Value], show: bool) -> Result<(), OutputError> {
    let mut table = terminal::table(&["chunk", "document", "bytes", "words", "reason"]);
    let document = |chunk: &Value| printable::line(chunk["doc_id"].as_str().unwrap_or_default()).into_owned();
    let reason = |chunk: &Value| chunk["reason"].as_str().unwrap_or_default().to_owned();
    let range = |chunk: &Value| format!("{}–{}", chunk["start_byte"], chunk["end_byte"]);
    if show {
        for chunk in chunks {
            terminal::say(format_args!(
                "── chunk {} · {} · bytes {} · {}\n{}\n",
                chunk["chunk_id"],
                document(chunk),
                range(chunk),
                reason(chunk),
                printable::lines(chunk["text"].as_str().unwrap_or_default())
            ))?;
        }
    } else {
        for chunk in chunks {
            let (id, words) = (chunk["chunk_id"].to_string(), chunk["words"].to_string());
            table.add_row([id, document(chunk), range(chunk), words, reason(chunk)]);
        }
        terminal::say(table)?;
    }
    terminal::say(format_args!(
        "{} chunks are found by no search. `mainstay corpus release {corpus} --chunk ID`, `--document ID` or `--all` lets \
         searches find them.",
        grouped(chunks.len() as u64)
    ))
}

pub(super) fn release(args: &ReleaseArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    check_name(&args.corpus)?;
    let body = match (&args.what.document, args.what.chunk) {
        (Some(document), _) => json!({ "corpus": args.corpus, "doc_id": document }),
        (None, Some(chunk)) => json!({ "corpus": args.corpus, "chunk_id": chunk }),
        (None, None) => json!({ "corpus": args.corpus, "all": true }),
    };
    session::with_client(&args.target, config, async |client| {
        let answer = client.post("/admin/quarantine/release", &body).await?;
        if args.json {
            terminal::say(answer)?;
            return Ok(ExitCode::SUCCESS);
        }
        let number = |name: &str| answer[name].as_u64().unwrap_or(0);
        match number("chunks") {
            0 => terminal::say("Nothing of it was in quarantine.")?,
            chunks => terminal::say(format_args!(
                "{} chunks of {} documents are found by searches from now on, also when the same text is added again.",
                grouped(chunks),
                grouped(number("documents"))
            ))?,
        }
        Ok(ExitCode::SUCCESS)
    })
}
