//! `mainstay train`: models that learn from the team's own labels.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use mainstay_cascade::IntentModel;
use mainstay_cascade::intents::{Example, TrainError, Trained, TrainingReport, train};
use mainstay_domain::Clock;
use mainstay_evals::Estimate;
use serde::{Deserialize, Serialize};

use crate::files::replace_file;
use crate::terminal::{self, BadInput};
use crate::{printable, verbs::eval};

/// What is trained.
#[derive(Subcommand)]
pub(crate) enum TrainVerb {
    /// Learns to tell what kind of question it is, so that each kind goes to the model that it needs.
    Intent(IntentArgs),
}

/// Trains on labelled questions and says by cross-validation how far the labels can be told apart. `routing.intents_file` of
/// an assistant names the file that is written.
#[derive(Args)]
#[command(after_help = "Example: mainstay train intent labels.csv --out intents.json")]
pub(crate) struct IntentArgs {
    /// Labelled questions: .csv with the columns text and intent, or .jsonl with those fields.
    #[arg(value_name = "FILE")]
    labels: PathBuf,
    /// Where the model goes.
    #[arg(long, value_name = "FILE", default_value = "intents.json")]
    out: PathBuf,
    /// Labelled questions that are kept from training, to try the model on.
    #[arg(long, value_name = "FILE")]
    test: Option<PathBuf>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// A line of the file. Other fields are left alone: labels come from many tools.
#[derive(Deserialize)]
struct Row {
    text: String,
    intent: String,
}

/// A labelled question and the line that it begins on.
struct Labelled {
    example: Example,
    line: u64,
}

/// What was found.
#[derive(Serialize)]
struct Found {
    model: PathBuf,
    bytes: usize,
    accuracy: Estimate,
    #[serde(flatten)]
    report: TrainingReport,
    test: Option<Tried>,
}

/// How the model does on questions that were kept from it.
#[derive(Serialize)]
struct Tried {
    examples: usize,
    accuracy: Estimate,
    /// Questions a second, of one core.
    per_second: f64,
}

pub(crate) fn run(verb: TrainVerb) -> anyhow::Result<ExitCode> {
    match verb {
        TrainVerb::Intent(args) => intent(&args),
    }
}

fn intent(args: &IntentArgs) -> anyhow::Result<ExitCode> {
    let labelled = read(&args.labels)?;
    let kept_apart = args.test.as_deref().map(read).transpose()?;
    let examples: Vec<Example> = labelled.iter().map(|one| one.example.clone()).collect();
    let Trained { model, report } =
        train(&examples).map_err(|error| BadInput(explain(&error, &labelled, &args.labels)))?;
    let text = model.to_json();
    // The server that reads it may run as somebody else.
    replace_file(&args.out, &text, Permissions::from_mode(0o644))?;
    let found = Found {
        model: args.out.clone(),
        bytes: text.len(),
        accuracy: Estimate::of_share(report.correct, report.examples),
        report,
        test: kept_apart.map(|rows| try_on(&model, &rows)),
    };
    if args.json {
        terminal::say(serde_json::to_string(&found)?)?;
    } else {
        print(&found, &labelled)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> anyhow::Result<Vec<Labelled>> {
    let file = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|cause| BadInput(format!("{file} cannot be read as text: {cause}")))?;
    let text = text.trim_start_matches('\u{feff}');
    let is = |ending: &str| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending));
    let rows = if is("csv") {
        of_csv(text, path)
    } else if is("jsonl") || is("ndjson") {
        of_json_lines(text, path)
    } else {
        let message = "labels are in a .csv file with the columns text and intent, or in a .jsonl file with those fields";
        Err(BadInput(format!("{file}: {message}")))
    }?;
    Ok(rows)
}

fn of_csv(text: &str, path: &Path) -> Result<Vec<Labelled>, BadInput> {
    let file = path.display();
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| BadInput(format!("{file}: {error}")))?.clone();
    for column in ["text", "intent"] {
        if !headers.iter().any(|header| header == column) {
            let found =
                headers.iter().map(|name| printable::line(name).into_owned()).collect::<Vec<_>>().join(", ");
            return Err(BadInput(format!(
                "{file}:1: there is no column {column:?}: its first line names the columns, and has: {found}"
            )));
        }
    }
    let rows = reader.records().map(|record| {
        let record = record.map_err(|error| BadInput(format!("{file}: {error}")))?;
        let line = record.position().map_or(0, csv::Position::line);
        let row: Row = record
            .deserialize(Some(&headers))
            .map_err(|error| BadInput(format!("{file}:{line}: {error}")))?;
        Ok(Labelled { example: Example { text: row.text, intent: row.intent }, line })
    });
    rows.collect()
}

fn of_json_lines(text: &str, path: &Path) -> Result<Vec<Labelled>, BadInput> {
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    let rows = lines.map(|(text, line)| {
        let row: Row = serde_json::from_str(text)
            .map_err(|error| BadInput(format!("{}:{line}: {error}", path.display())))?;
        Ok(Labelled { example: Example { text: row.text, intent: row.intent }, line })
    });
    rows.collect()
}

/// Why the labels teach nothing, with the lines that say so.
fn explain(error: &TrainError, labelled: &[Labelled], path: &Path) -> String {
    let file = path.display();
    let line = |example: usize| labelled.get(example - 1).map_or(0, |one| one.line);
    match error {
        TrainError::Contradiction { first, second, intent, other } => {
            let (first, second) = (line(*first), line(*second));
            format!(
                "{file}:{second}: the text of line {first}, labelled {other:?} here and {intent:?} there: keep one"
            )
        }
        TrainError::Empty(example) => format!("{file}:{}: the text or the intent is empty", line(*example)),
        TrainError::TooFewIntents(_) | TrainError::TooFewExamples { .. } => format!("{file}: {error}"),
    }
}

fn try_on(model: &IntentModel, rows: &[Labelled]) -> Tried {
    let clock = Clock::system();
    let begun = clock.instant();
    let is_right = |one: &&Labelled| model.classify(&one.example.text).intent == one.example.intent.trim();
    let right = rows.iter().filter(is_right).count();
    let per_second =
        rows.len() as f64 / clock.instant().duration_since(begun).as_secs_f64().max(f64::MIN_POSITIVE);
    Tried { examples: rows.len(), accuracy: Estimate::of_share(right, rows.len()), per_second }
}

fn print(found: &Found, labelled: &[Labelled]) -> anyhow::Result<()> {
    let report = &found.report;
    let mut table = terminal::table(&["intent", "examples", "precision", "recall"]);
    for one in &report.intents {
        let (precision, recall) = (format!("{:.3}", one.precision), format!("{:.3}", one.recall));
        table.add_row([
            printable::line(&one.intent).into_owned(),
            one.examples.to_string(),
            precision,
            recall,
        ]);
    }
    terminal::say(table)?;
    terminal::say(format_args!(
        "Right on {} of {} questions that the model had not seen: {}; always the most frequent intent: {:.3}. Mean F1 {:.3}, \
         calibration error {:.3}.",
        report.correct,
        report.examples,
        eval::interval(&found.accuracy),
        report.most_frequent as f64 / report.examples.max(1) as f64,
        report.macro_f1,
        report.calibration_error,
    ))?;
    let mut table =
        terminal::table(&["routing.least_confidence", "questions that are as sure", "right of them"]);
    for one in report.thresholds.iter().filter(|one| one.share > 0.0) {
        let percent = |share: f64| format!("{:.0}%", 100.0 * share);
        table.add_row([
            percent(one.least_confidence),
            percent(one.share),
            format!("{:.1}%", 100.0 * one.accuracy),
        ]);
    }
    terminal::say(format_args!("\n{table}"))?;
    for one in &report.confusions {
        let (intent, taken_for) = (printable::line(&one.intent), printable::line(&one.taken_for));
        terminal::say(format_args!("{intent} was taken for {taken_for} {} times", one.count))?;
    }
    for one in report.doubtful.iter().filter(|one| one.confidence > 0.8) {
        let (intent, taken_for) = (printable::line(&one.intent), printable::line(&one.taken_for));
        let line = labelled.get(one.example).map_or(0, |labelled| labelled.line);
        terminal::say(format_args!(
            "line {line} is labelled {intent} and looks like {taken_for} ({:.0} %): is the label right?",
            100.0 * one.confidence
        ))?;
    }
    if let Some(test) = &found.test {
        terminal::say(format_args!(
            "On {} questions that were kept from it: {}, {:.0} questions a second.",
            test.examples,
            eval::interval(&test.accuracy),
            test.per_second
        ))?;
    }
    terminal::say(format_args!(
        "\n{} ({}) written. In mainstay.toml, for an assistant with a cascade: routing.intents_file = {:?}",
        found.model.display(),
        terminal::size(found.bytes as u64),
        found.model.display().to_string(),
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(name: &str, text: &str) -> Result<Vec<(String, u64)>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let rows = read(&path).map_err(|error| error.to_string())?;
        Ok(rows
            .into_iter()
            .map(|one| (format!("{}={}", one.example.text, one.example.intent), one.line))
            .collect())
    }

    #[test]
    fn labels_come_from_both_forms_with_their_lines() {
        let csv = "\u{feff}id, text ,intent\n1,\"When,\nopen?\",hours\n2,Where?,place\n";
        let found = read_text("a.csv", csv).unwrap();
        assert_eq!(found, [("When,\nopen?=hours".to_owned(), 2), ("Where?=place".to_owned(), 4)]);
        let json =
            "{\"text\": \"a\", \"intent\": \"b\", \"more\": 1}\n\n{\"text\": \"c\", \"intent\": \"d\"}\n";
        let found = read_text("a.JSONL", json).unwrap();
        assert_eq!(found, [("a=b".to_owned(), 1), ("c=d".to_owned(), 3)]);
    }

    #[test]
    fn bad_labels_say_where_and_why() {
        for (name, text, why) in [
            ("a.csv", "text,label\na,b\n", "a.csv:1: there is no column \"intent\""),
            ("a.csv", "text,intent\na,b\nc\n", "line: 3"),
            ("a.jsonl", "{\"text\": \"a\"}\n", "a.jsonl:1: missing field `intent`"),
            ("a.jsonl", "{}x", "a.jsonl:1"),
            ("a.xlsx", "", ".csv file"),
            ("a.csv", "", "there is no column"),
        ] {
            let error = read_text(name, text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
