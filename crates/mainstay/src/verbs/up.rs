//! `mainstay up`: the whole product on this machine. Creates the data folder, adds the documents, serves API and console.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::compose::{self, Instance, Listen, StopSignals};
use crate::verbs::ingest::{self, Summary};
use crate::verbs::serve::Place;
use crate::{config, handbook, terminal};

/// Starts the whole product.
#[derive(Args)]
#[command(after_help = "Example: mainstay up --docs ./my-documents")]
pub(crate) struct UpArgs {
    /// Documents to add first: files, folders, JSON Lines. Without any, and with an empty data folder, Mainstay's handbook.
    #[arg(long, value_name = "PATH")]
    docs: Vec<PathBuf>,
    /// Prints one line of JSON when ready (url, console, and at the first start api_key) instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(args: UpArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    ingest::check_paths(&args.docs)?;
    let checked = args.place.apply(config::load(config)?)?;
    compose::runtime()?.block_on(async {
        let mut signals = StopSignals::listen()?;
        let instance = Instance::start(checked, Listen::Configured).await?;
        let summary = tokio::select! {
            summary = add_documents(&instance, &args) => summary?,
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
            ready_line(&instance, first_key).to_string()
        } else {
            summary.map_or_else(String::new, |summary| format!("{}\n", summary.table()))
                + &ready_text(&instance, first_key)
        };
        if let Err(error) = terminal::say(told) {
            instance.stop().await;
            return Err(error.into());
        }
        instance.until(signals).await;
        Ok(ExitCode::SUCCESS)
    })
}

/// Adds what was named, or the handbook to an empty Mainstay.
async fn add_documents(instance: &Instance, args: &UpArgs) -> anyhow::Result<Option<Summary>> {
    let client = instance.client();
    if args.docs.is_empty() {
        if instance.is_empty().await? {
            handbook::add(&client).await?;
        }
        return Ok(None);
    }
    ingest::ingest(&client, &args.docs, instance.default_corpus(), !args.json).await.map(Some)
}

fn ready_line(instance: &Instance, first_key: Option<&str>) -> serde_json::Value {
    let mut line = json!({ "url": instance.url(), "console": instance.console_url() });
    if let Some(key) = first_key {
        line["api_key"] = key.into();
    }
    line
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
             mainstay keys create --name NAME --scope admin\n\n{}",
            ask("$MAINSTAY_API_KEY")
        ),
    }
}
