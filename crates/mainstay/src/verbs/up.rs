//! `mainstay up`: the whole product on this machine. Creates the data folder, adds the documents, serves API and console.
#![expect(clippy::print_stdout, reason = "what to do next is what the verb tells")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::compose::{self, Instance, Listen, StopSignals};
use crate::verbs::ingest::{self, Summary};
use crate::verbs::serve::Place;
use crate::{config, handbook};

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
        let mut instance = Instance::start(checked, Listen::Configured).await?;
        let summary = tokio::select! {
            summary = add_documents(&instance, &args) => summary?,
            // What was accepted until now stays; the next start goes on from there.
            () = signals.wait() => {
                instance.stop().await;
                return Ok(ExitCode::FAILURE);
            }
        };
        if args.json {
            println!("{}", ready_line(&mut instance));
        } else {
            if let Some(summary) = summary {
                println!("{}", summary.table());
            }
            print_ready(&mut instance);
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

fn ready_line(instance: &mut Instance) -> serde_json::Value {
    let mut line = json!({ "url": instance.url(), "console": instance.console_url() });
    if let Some(key) = instance.take_first_key() {
        line["api_key"] = key.into();
    }
    line
}

fn print_ready(instance: &mut Instance) {
    let url = instance.url().to_owned();
    println!("Mainstay is ready at {url} (console: {})", instance.console_url());
    let key = match instance.take_first_key() {
        Some(key) => {
            println!("\nAPI key, shown only now:\n\n  {key}\n");
            key
        }
        None => {
            println!(
                "Use the API key of the first start, or make another: mainstay keys create --name NAME --scope admin\n"
            );
            "$MAINSTAY_API_KEY".to_owned()
        }
    };
    println!("Ask something:\n");
    println!(
        "  curl -N {url}/v1/chat/completions -H \"Authorization: Bearer {key}\" -H \"Content-Type: application/json\" \
         -d '{{\"model\":\"{model}\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"How do I add documents?\"}}]}}'\n",
        model = instance.first_assistant(),
    );
    println!("Stop with Ctrl-C.");
}
