//! `mainstay ask`: a question; the answer streams into the terminal, its sources follow as footnotes.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::client::Client;
use crate::filter::FilterArgs;
use crate::printable;
use crate::session::{self, Target};
use crate::terminal::{self, BadInput, OutputError};

/// Asks a question.
#[derive(Args)]
#[command(after_help = "Example: mainstay ask \"How do I add documents?\"")]
pub(crate) struct AskArgs {
    /// The question.
    question: String,
    /// The assistant, or a model as "provider/model".
    #[arg(long, default_value = "assistant")]
    model: String,
    #[command(flatten)]
    filter: FilterArgs,
    /// Prints the whole answer as the API's JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(args: AskArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    if args.question.trim().is_empty() {
        return Err(BadInput("the question is empty: say what you want to know".to_owned()).into());
    }
    session::with_models(&args.target, config, async |client| {
        let mut body = json!({
            "model": args.model,
            "messages": [{ "role": "user", "content": args.question }],
        });
        if let Some(filter) = args.filter.filter {
            body["mainstay"] = json!({ "filter": filter });
        }
        if args.json {
            terminal::say(client.post("/v1/chat/completions", &body).await?)?;
            return Ok(ExitCode::SUCCESS);
        }
        body["stream"] = Value::Bool(true);
        let citations = stream_answer(client, &body).await?;
        print_footnotes(&citations)?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Prints the answer as it comes; returns its citations.
async fn stream_answer(client: &Client, body: &Value) -> anyhow::Result<Vec<Value>> {
    let mut events = client.stream("/v1/chat/completions", body).await?;
    let mut citations = Vec::new();
    while let Some(event) = events.next().await? {
        if let Some(message) = event["error"]["message"].as_str() {
            terminal::say("")?;
            anyhow::bail!("the answer broke off: {}", printable::lines(message));
        }
        let delta = &event["choices"][0]["delta"];
        if let Some(text) = delta["content"].as_str() {
            terminal::say_piece(printable::lines(text))?;
        }
        if let Some(annotations) = delta["annotations"].as_array() {
            citations.extend(annotations.iter().cloned());
        }
    }
    terminal::say("")?;
    Ok(citations)
}

/// Each source once, with the section or clause, the bytes that were cited, and the quote.
fn print_footnotes(citations: &[Value]) -> Result<(), OutputError> {
    if citations.is_empty() {
        return Ok(());
    }
    terminal::say("")?;
    let mut printed: Vec<(&Value, &Value, &Value)> = Vec::new();
    for citation in citations {
        let place = (&citation["index"], &citation["doc_id"], &citation["start_byte"]);
        if printed.contains(&place) {
            continue;
        }
        printed.push(place);
        let document = citation["doc_id"].as_str().unwrap_or_default();
        let title = citation["title"].as_str().filter(|title| *title != document);
        let title = title.map_or(String::new(), |title| format!(" ({})", printable::line(title)));
        let document = printable::line(document);
        let section = citation["headings"].as_array().and_then(|headings| headings.last()?.as_str());
        let section = section.filter(|section| citation["title"].as_str() != Some(section));
        let section = section.map_or(String::new(), |section| format!(", {}", printable::line(section)));
        let bytes = format!("{}–{}", citation["start_byte"], citation["end_byte"]);
        terminal::say(format_args!("[{}] {document}{title}{section}, bytes {bytes}", citation["index"]))?;
        for line in citation["quote"].as_str().unwrap_or_default().lines() {
            terminal::say(format_args!("    {}", printable::line(line)))?;
        }
    }
    Ok(())
}
