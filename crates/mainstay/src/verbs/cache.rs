//! `mainstay cache`: answers that are given again.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use futures_util::{StreamExt as _, stream};
use mainstay_domain::NanoUsd;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::client::Client;
use crate::session::{self, Target};
use crate::terminal::{self, BadInput};

/// Answers that are given again.
#[derive(Subcommand)]
pub(crate) enum CacheVerb {
    /// Asks an assistant the questions of a file, so that their answers are there when somebody asks.
    Warm(WarmArgs),
}

/// Asks an assistant the questions of a file, so that their answers are there when somebody asks. Answers are kept in the
/// memory of the server, for as long as `cache.lifetime` says and the documents stay: after a start, and after documents
/// have changed, warm it again.
#[derive(Args)]
#[command(after_help = "Example: mainstay cache warm questions.txt --assistant support")]
pub(crate) struct WarmArgs {
    /// The questions: one a line, or .jsonl with the field text or query.
    #[arg(value_name = "FILE")]
    questions: PathBuf,
    /// The assistant, which must keep answers: `cache.mode`.
    #[arg(long, default_value = "assistant")]
    assistant: String,
    /// Questions that are asked at the same time.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    at_once: u16,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// A line of a file of JSON lines.
#[derive(Deserialize)]
struct Row {
    #[serde(alias = "query", alias = "question")]
    text: String,
}

/// What became of the questions.
#[derive(Serialize, Default)]
struct Warmed {
    questions: usize,
    /// Answered by a model, and kept where they may be.
    answered: usize,
    /// Known before.
    known: usize,
    failed: usize,
    cost_nano_usd: i64,
    /// Whether the first of them is answered from memory now.
    kept: bool,
}

pub(crate) fn run(verb: CacheVerb, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let CacheVerb::Warm(args) = verb;
    let questions = read(&args.questions)?;
    session::with_running(&args.target, config, async |client| {
        let warmed = warm(client, &args, &questions).await?;
        if args.json {
            terminal::say(serde_json::to_string(&warmed)?)?;
        } else {
            let cost = NanoUsd::new(warmed.cost_nano_usd);
            terminal::say(format_args!(
                "{} questions: {} answered for {cost}, {} known already, {} failed",
                warmed.questions, warmed.answered, warmed.known, warmed.failed
            ))?;
        }
        if !warmed.kept && warmed.failed < warmed.questions {
            terminal::complain(format_args!(
                "nothing was kept: set cache.mode = \"exact\" or \"semantic\" of [assistants.{}]; of answers that were cut off or \
                 refused, and those that other models gave, none is kept either",
                args.assistant
            ));
        }
        let is_good = warmed.kept && warmed.failed == 0;
        Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

/// The questions, each once, in their order.
fn read(path: &Path) -> Result<Vec<String>, BadInput> {
    let file = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|cause| BadInput(format!("{file} cannot be read as text: {cause}")))?;
    let is_json = path.extension().is_some_and(|found| found == "jsonl" || found == "ndjson");
    let mut questions: Vec<String> = Vec::new();
    let mut known = std::collections::HashSet::new();
    for (line, number) in text.trim_start_matches('\u{feff}').lines().zip(1..) {
        if line.trim().is_empty() {
            continue;
        }
        let question = if is_json {
            let row: Result<Row, _> = serde_json::from_str(line);
            row.map_err(|error| BadInput(format!("{file}:{number}: {error}")))?.text
        } else {
            line.to_owned()
        };
        let question = question.trim().to_owned();
        if !question.is_empty() && known.insert(question.clone()) {
            questions.push(question);
        }
    }
    if questions.is_empty() {
        return Err(BadInput(format!("{file}: there is no question in it: one a line")));
    }
    Ok(questions)
}

async fn warm(client: &Client, args: &WarmArgs, questions: &[String]) -> anyhow::Result<Warmed> {
    let bar = terminal::count_progress(questions.len() as u64, "questions", !args.json);
    let mut warmed = Warmed { questions: questions.len(), ..Warmed::default() };
    let asked = questions.iter().map(|question| async move { ask(client, &args.assistant, question).await });
    let mut answers = stream::iter(asked).buffer_unordered(usize::from(args.at_once));
    let mut reason = None;
    while let Some(answer) = answers.next().await {
        bar.inc(1);
        match answer {
            Ok(answer) if answer["mainstay"]["cache"].is_string() => warmed.known += 1,
            Ok(answer) => {
                warmed.answered += 1;
                warmed.cost_nano_usd += answer["mainstay"]["cost_nano_usd"].as_i64().unwrap_or(0);
            }
            Err(error) => {
                warmed.failed += 1;
                reason.get_or_insert(error);
            }
        }
    }
    bar.finish_and_clear();
    if let Some(error) = reason {
        if warmed.failed == questions.len() {
            return Err(error);
        }
        terminal::complain(format_args!("{} questions failed, the first because: {error:#}", warmed.failed));
    }
    let again = ask(client, &args.assistant, &questions[0]).await;
    warmed.kept = again.is_ok_and(|answer| answer["mainstay"]["cache"].is_string());
    Ok(warmed)
}

async fn ask(client: &Client, assistant: &str, question: &str) -> anyhow::Result<Value> {
    let body = json!({ "model": assistant, "messages": [{ "role": "user", "content": question }] });
    Ok(client.post("/v1/chat/completions", &body).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_come_one_a_line_each_once() {
        let folder = tempfile::tempdir().unwrap();
        let read_text = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            read(&path).map_err(|error| error.to_string())
        };
        assert_eq!(read_text("a.txt", "\u{feff}One?\n\n Two? \nOne?\n").unwrap(), ["One?", "Two?"]);
        assert_eq!(read_text("a.jsonl", "{\"query\": \"One?\", \"id\": 1}\n").unwrap(), ["One?"]);
        assert!(read_text("a.jsonl", "One?\n").unwrap_err().contains("a.jsonl:1"));
        assert!(read_text("a.txt", "\n \n").unwrap_err().contains("no question"));
    }
}
