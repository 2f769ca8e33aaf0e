//! `mainstay up`: the whole product on this machine. Creates the data folder, adds the documents, serves API and console.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use mainstay_domain::CorpusName;
use serde_json::{Value, json};

use crate::compose::{self, Instance, Listen, StopSignals};
use crate::config::Checked;
use crate::sources::Refusal;
use crate::terminal::BadInput;
use crate::verbs::ingest::{self, Summary};
use crate::verbs::serve::Place;
use crate::{config, handbook, printable, terminal};

/// Starts the whole product.
#[derive(Args)]
#[command(after_help = "Example: mainstay up --docs ./my-documents")]
pub(crate) struct UpArgs {
    /// Documents to add first: files, folders, JSON Lines. Without any, those that mainstay.toml names for its corpora; where
    /// it names none and the data folder is empty, Mainstay's handbook.
    #[arg(long, value_name = "PATH")]
    docs: Vec<PathBuf>,
    /// Prints one line of JSON when ready (url, console, at the first start api_key, and counts of the documents) instead of
    /// text; refused documents are told on standard error.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(args: UpArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let checked = args.place.apply(config::load(config)?)?;
    let wanted = wanted_documents(&args, &checked)?;
    let has_place_for_handbook = checked.corpora.contains_key(&CorpusName::unnamed());
    compose::runtime()?.block_on(async {
        let mut signals = StopSignals::listen()?;
        let instance = Instance::start(checked, Listen::Configured).await?;
        let added = tokio::select! {
            added = add_documents(&instance, &wanted, has_place_for_handbook, !args.json) => added?,
            // What was accepted until now stays; the next start goes on from there.
            () = signals.wait() => {
                instance.stop().await;
                return Ok(ExitCode::FAILURE);
            }
        };
        // Only now that it is shown for sure: a key that nobody has seen would stay the first one for ever.
        let first_key = instance.first_key().await?;
        let first_key = first_key.as_deref();
        let told = if args.json {
            added.iter().for_each(complain_of_refusals);
            ready_line(&instance, first_key, &added).to_string()
        } else {
            added.iter().map(describe_added).collect::<String>() + &ready_text(&instance, first_key)
        };
        if let Err(error) = terminal::say(told) {
            instance.stop().await;
            return Err(error.into());
        }
        instance.until(signals).await;
        Ok(ExitCode::SUCCESS)
    })
}

/// Documents that are to be in a corpus.
struct Wanted {
    corpus: CorpusName,
    paths: Vec<PathBuf>,
}

/// What was added to a corpus.
struct Added {
    corpus: CorpusName,
    summary: Summary,
}

/// The documents of the command line, or else those of the configuration; all of them exist.
fn wanted_documents(args: &UpArgs, config: &Checked) -> Result<Vec<Wanted>, BadInput> {
    if !args.docs.is_empty() {
        ingest::check_paths(&args.docs)?;
        return Ok(vec![Wanted { corpus: config.default_corpus().clone(), paths: args.docs.clone() }]);
    }
    let corpora = config.corpora.iter().filter(|(_, corpus)| !corpus.documents.is_empty());
    let wanted = corpora.map(|(name, corpus)| match corpus.documents.iter().find(|path| !path.exists()) {
        None => Ok(Wanted { corpus: name.clone(), paths: corpus.documents.clone() }),
        Some(missing) => Err(BadInput(format!(
            "there is no file or folder {}, which corpora.{name}.documents of mainstay.toml names; correct it there, or \
             name other documents with --docs",
            missing.display()
        ))),
    });
    wanted.collect()
}

/// Adds what is wanted, or the handbook to an empty Mainstay whose configuration has a corpus for it.
async fn add_documents(
    instance: &Instance,
    wanted: &[Wanted],
    has_place_for_handbook: bool,
    visible: bool,
) -> anyhow::Result<Vec<Added>> {
    let client = instance.client();
    if wanted.is_empty() && has_place_for_handbook && instance.is_empty().await? {
        handbook::add(&client).await?;
    }
    let mut added = Vec::with_capacity(wanted.len());
    for Wanted { corpus, paths } in wanted {
        let summary = ingest::ingest(&client, paths, corpus.as_str(), visible).await?;
        added.push(Added { corpus: corpus.clone(), summary });
    }
    Ok(added)
}

/// What was added, for people.
fn describe_added(added: &Added) -> String {
    format!("Documents of the corpus {:?}:\n{}\n\n", added.corpus, added.summary.table())
}

/// What was refused, for people who watch a program read the line of JSON.
fn complain_of_refusals(added: &Added) {
    for Refusal { source, reason } in &added.summary.refused {
        let (source, reason) = (printable::line(source), printable::line(reason));
        terminal::complain(format_args!("refused for the corpus {:?}: {source}: {reason}", added.corpus));
    }
}

fn ready_line(instance: &Instance, first_key: Option<&str>, added: &[Added]) -> Value {
    let mut line = json!({ "url": instance.url(), "console": instance.console_url() });
    if let Some(key) = first_key {
        line["api_key"] = key.into();
    }
    if !added.is_empty() {
        line["documents"] = added.iter().map(counts).collect();
    }
    line
}

fn counts(Added { corpus, summary }: &Added) -> Value {
    json!({
        "corpus": corpus,
        "accepted": summary.accepted,
        "unchanged": summary.unchanged,
        "skipped": summary.skipped.len(),
        "refused": summary.refused.len(),
    })
}

fn ready_text(instance: &Instance, first_key: Option<&str>) -> String {
    let (url, console, model) = (instance.url(), instance.console_url(), instance.first_assistant());
    let ready = format!("Mainstay is ready at {url} (console: {console})\n");
    let ask = |key: &str| {
        format!(
            "Ask something:\n\n  \
             curl -N {url}/v1/chat/completions -H \"Authorization: Bearer {key}\" -H \"Content-Type: application/json\" \
             -d '{{\"model\":\"{model}\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"How do I add documents?\"}}]}}'\n\n\
             Stop with Ctrl-C."
        )
    };
    match first_key {
        Some(key) => format!("{ready}\nAPI key, shown only now:\n\n  {key}\n\n{}", ask(key)),
        None => format!(
            "{ready}Use the API key of the first start, or make another: \
             mainstay keys create --name NAME --role admin\n\n{}",
            ask("$MAINSTAY_API_KEY")
        ),
    }
}
