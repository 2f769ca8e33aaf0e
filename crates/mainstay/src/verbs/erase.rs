//! `mainstay erase`: forgets a person, a document or a tenant everywhere, and proves it.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use mainstay_domain::Clock;
use serde_json::{Map, Value, json};

use crate::printable;
use crate::session::{self, Target};
use crate::terminal;

/// Forgets a person, a document or a tenant everywhere, and proves it.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Example: mainstay erase --user jane
Example: mainstay erase --document cv-jane.pdf --corpus hr
Example: mainstay erase --whole-tenant acme --tenant acme
Example: mainstay erase hold --user jane --reason \"case 17\""
)]
pub(crate) struct EraseVerb {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    now: EraseArgs,
}

#[derive(Subcommand)]
enum Verb {
    /// Lists erasures with what each store did.
    #[command(after_help = "Example: mainstay erase list")]
    List(ListArgs),
    /// Keeps something from being erased, for a legal dispute.
    #[command(after_help = "Example: mainstay erase hold --user jane --reason \"case 17\"")]
    Hold(HoldArgs),
    /// Lists what is held.
    #[command(after_help = "Example: mainstay erase holds")]
    Holds(ListArgs),
    /// Lifts a hold.
    #[command(after_help = "Example: mainstay erase lift hold_0193…")]
    Lift(LiftArgs),
}

#[derive(Args)]
struct Subject {
    /// A person, by the id that their identity provider or their keys name.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// A document, by its id.
    #[arg(long, value_name = "DOC_ID")]
    document: Option<String>,
    /// The corpus of the document; without it, the default one.
    #[arg(long, value_name = "CORPUS")]
    corpus: Option<String>,
    /// Everything of a tenant, and the tenant: its id, which --tenant has to name, too.
    #[arg(long, value_name = "TENANT")]
    whole_tenant: Option<String>,
}

#[derive(Args)]
struct EraseArgs {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
struct HoldArgs {
    #[command(flatten)]
    subject: Subject,
    /// Why.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
struct LiftArgs {
    /// The hold's id.
    id: String,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
struct ListArgs {
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
struct Output {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

impl Subject {
    fn said(&self) -> Map<String, Value> {
        let fields = [
            ("user", &self.user),
            ("document", &self.document),
            ("corpus", &self.corpus),
            ("tenant", &self.whole_tenant),
        ];
        fields
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?))))
            .collect()
    }
}

/// How often it is asked whether an erasure is done.
const ASKED_EVERY: Duration = Duration::from_millis(200);

pub(crate) fn run(verb: EraseVerb, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    match verb.verb {
        None => erase(&verb.now, config),
        Some(Verb::List(args)) => session::with_client(&args.output.target, config, async |client| {
            let answer = client.get("/admin/erasures").await?;
            if args.output.json {
                terminal::say(answer)?;
            } else {
                let mut table = terminal::table(&["id", "kind", "state", "stores"]);
                for erasure in answer["data"].as_array().into_iter().flatten() {
                    let stores = erasure["stores"].as_array().map_or(0, Vec::len).to_string();
                    let text =
                        |value: &Value| printable::line(value.as_str().unwrap_or_default()).into_owned();
                    table.add_row([
                        text(&erasure["id"]),
                        text(&erasure["subject"]["kind"]),
                        text(&erasure["state"]),
                        stores,
                    ]);
                }
                terminal::say(table)?;
            }
            Ok(ExitCode::SUCCESS)
        }),
        Some(Verb::Hold(args)) => session::with_client(&args.output.target, config, async |client| {
            let mut body = args.subject.said();
            body.insert("reason".to_owned(), json!(args.reason));
            let answer = client.post("/admin/holds", &Value::Object(body)).await?;
            if args.output.json {
                terminal::say(answer)?;
            } else {
                terminal::say(format_args!(
                    "Held: {}",
                    printable::line(answer["id"].as_str().unwrap_or_default())
                ))?;
            }
            Ok(ExitCode::SUCCESS)
        }),
        Some(Verb::Holds(args)) => session::with_client(&args.output.target, config, async |client| {
            let answer = client.get("/admin/holds").await?;
            if args.output.json {
                terminal::say(answer)?;
            } else {
                let mut table = terminal::table(&["id", "what", "reason"]);
                for hold in answer["data"].as_array().into_iter().flatten() {
                    let text =
                        |value: &Value| printable::line(value.as_str().unwrap_or_default()).into_owned();
                    let what = printable::line(&hold["subject"].to_string()).into_owned();
                    table.add_row([text(&hold["id"]), what, text(&hold["reason"])]);
                }
                terminal::say(table)?;
            }
            Ok(ExitCode::SUCCESS)
        }),
        Some(Verb::Lift(args)) => session::with_client(&args.output.target, config, async |client| {
            let answer = client.delete(&format!("/admin/holds/{}", super::keys::in_path(&args.id))).await?;
            if args.output.json {
                terminal::say(answer)?;
            } else {
                terminal::say(format_args!("The hold {} is lifted.", args.id))?;
            }
            Ok(ExitCode::SUCCESS)
        }),
    }
}

/// Asks for an erasure and waits until it is done.
fn erase(args: &EraseArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    session::with_client(&args.output.target, config, async |client| {
        let taken = client.post("/admin/erasures", &Value::Object(args.subject.said())).await?;
        let id = taken["id"].as_str().unwrap_or_default().to_owned();
        let clock = Clock::system();
        let mut finished = loop {
            clock.sleep(ASKED_EVERY).await;
            let all = client.get("/admin/erasures").await?;
            let found =
                all["data"].as_array().into_iter().flatten().find(|erasure| erasure["id"] == id.as_str());
            match found {
                Some(erasure) if erasure["state"] == "finished" => break erasure.clone(),
                Some(erasure) if erasure["failure"].is_string() => {
                    let reason =
                        printable::line(erasure["failure"].as_str().unwrap_or_default()).into_owned();
                    anyhow::bail!("{reason}");
                }
                _ => {}
            }
        };
        finished["salt"] = taken["salt"].clone();
        if args.output.json {
            terminal::say(finished)?;
        } else {
            print(&finished)?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn print(erasure: &Value) -> anyhow::Result<()> {
    let statement = &erasure["certificate"]["statement"];
    let mut table = terminal::table(&["store", "removed", "what"]);
    for store in statement["stores"].as_array().into_iter().flatten() {
        let text = |name: &str| printable::line(store[name].as_str().unwrap_or_default()).into_owned();
        table.add_row([text("store"), store["removed"].to_string(), text("note")]);
    }
    terminal::say(table)?;
    if statement["markers"] == 0 {
        terminal::say(
            "Erased. Nothing of it was long enough to be searched for by its bytes: a short word may be anywhere.",
        )?;
    } else {
        terminal::say(format_args!(
            "Erased. {} files were searched afterwards for {} texts of it.",
            statement["searched_files"], statement["markers"]
        ))?;
    }
    terminal::say(
        "The signed certificate: `mainstay erase list --json`. Who has this salt can tell whom it is about:",
    )?;
    terminal::say(erasure["salt"].as_str().unwrap_or_default())?;
    Ok(())
}
