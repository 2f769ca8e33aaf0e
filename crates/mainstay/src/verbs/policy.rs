//! `mainstay policy`: shows who may do what, explains a decision, checks a file, and approves what takes two people.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use mainstay_domain::Permission;
use mainstay_policy::{EXAMPLE, Policies, SCHEMA};
use serde_json::{Value, json};

use crate::printable;
use crate::session::{self, Target};
use crate::terminal::{self, BadInput};

/// Shows who may do what, explains a decision, checks a file, and approves what takes two people.
#[derive(Subcommand)]
pub(crate) enum PolicyVerb {
    /// Shows what each role may, or the policies themselves.
    #[command(after_help = "Example: mainstay policy show --text")]
    Show(ShowArgs),
    /// Explains whether somebody may do something, and which policies say so; 1 where they may not.
    #[command(after_help = "Example: mainstay policy test --role engineer --permission index.rebuild")]
    Test(TestArgs),
    /// Checks a file of policies before it is in force.
    #[command(after_help = "Example: mainstay policy check policies.cedar")]
    Check(CheckArgs),
    /// Prints a file of policies to begin with, or the schema that they are checked against.
    #[command(after_help = "Example: mainstay policy example > policies.cedar")]
    Example(ExampleArgs),
    /// Lists what waits for a second person.
    #[command(after_help = "Example: mainstay policy approvals")]
    Approvals(ListArgs),
    /// Agrees to what somebody else asked for.
    #[command(after_help = "Example: mainstay policy approve apr_0193…")]
    Approve(DecideArgs),
    /// Refuses what somebody else asked for.
    #[command(after_help = "Example: mainstay policy refuse apr_0193…")]
    Refuse(DecideArgs),
}

#[derive(Args)]
pub(crate) struct ShowArgs {
    /// The policies as they are written, with their files.
    #[arg(long)]
    text: bool,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(crate) struct TestArgs {
    /// What they are; may be repeated.
    #[arg(long, value_name = "ROLE", required = true)]
    role: Vec<String>,
    /// What they want to do.
    #[arg(long, value_name = "PERMISSION")]
    permission: String,
    /// Whose people they are; without it, the operator's.
    #[arg(long, value_name = "TENANT")]
    of: Option<String>,
    /// Whose things it is about; without it, their own.
    #[arg(long, value_name = "TENANT")]
    about: Option<String>,
    /// How they are served.
    #[arg(long)]
    tier: Option<String>,
    /// Where their data has to stay.
    #[arg(long)]
    region: Option<String>,
    /// As if somebody else had agreed.
    #[arg(long)]
    approved: bool,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(crate) struct CheckArgs {
    /// The file.
    file: PathBuf,
    /// As policies in place of the built-in roles.
    #[arg(long)]
    replace_roles: bool,
}

#[derive(Args)]
pub(crate) struct ExampleArgs {
    /// The schema instead.
    #[arg(long)]
    schema: bool,
}

#[derive(Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(crate) struct DecideArgs {
    /// The id of the approval.
    id: String,
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

pub(crate) fn run(verb: PolicyVerb, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    match verb {
        PolicyVerb::Show(args) => session::with_client(&args.output.target, config, async |client| {
            let answer = client.get("/admin/policies").await?;
            if args.output.json {
                terminal::say(answer)?;
            } else if args.text {
                for policy in answer["policies"].as_array().into_iter().flatten() {
                    let text =
                        |name: &str| printable::lines(policy[name].as_str().unwrap_or_default()).into_owned();
                    terminal::say(format_args!(
                        "// {}, line {}\n{}\n",
                        text("file"),
                        policy["line"],
                        text("text")
                    ))?;
                }
            } else {
                print_roles(&answer)?;
            }
            Ok(ExitCode::SUCCESS)
        }),
        PolicyVerb::Test(args) => test(&args, config),
        PolicyVerb::Check(args) => check(&args),
        PolicyVerb::Example(args) => {
            terminal::say(if args.schema { SCHEMA } else { EXAMPLE })?;
            Ok(ExitCode::SUCCESS)
        }
        PolicyVerb::Approvals(args) => session::with_client(&args.output.target, config, async |client| {
            let answer = client.get("/admin/approvals").await?;
            if args.output.json {
                terminal::say(answer)?;
            } else {
                let columns = ["id", "permission", "summary", "state"];
                let mut table = terminal::table(&columns);
                for approval in answer["data"].as_array().into_iter().flatten() {
                    table.add_row(columns.map(|name| {
                        printable::line(approval[name].as_str().unwrap_or_default()).into_owned()
                    }));
                }
                terminal::say(table)?;
            }
            Ok(ExitCode::SUCCESS)
        }),
        PolicyVerb::Approve(args) => decide(&args, "approve", config),
        PolicyVerb::Refuse(args) => decide(&args, "refuse", config),
    }
}

fn test(args: &TestArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    if Permission::from_name(&args.permission).is_none() {
        let known = Permission::ALL.map(Permission::as_str).join(", ");
        return Err(BadInput(format!(
            "{:?} is no permission; the permissions are: {known}",
            args.permission
        ))
        .into());
    }
    let body = json!({
        "roles": args.role, "permission": args.permission, "tenant": args.of, "resource_tenant": args.about,
        "tier": args.tier, "region": args.region, "approved": args.approved,
    });
    session::with_client(&args.output.target, config, async |client| {
        let answer = client.post("/admin/policies/test", &body).await?;
        if args.output.json {
            terminal::say(&answer)?;
        } else {
            terminal::say(printable::lines(answer["explanation"].as_str().unwrap_or_default()))?;
        }
        Ok(if answer["allowed"] == true { ExitCode::SUCCESS } else { ExitCode::from(1) })
    })
}

fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let text = std::fs::read_to_string(&args.file)
        .with_context(|| format!("the policies {} cannot be read", args.file.display()))?;
    let name = args.file.display().to_string();
    let read =
        if args.replace_roles { Policies::replacing(&text, &name) } else { Policies::with(&text, &name) };
    let policies = read.map_err(|error| BadInput(error.to_string()))?;
    for doubt in policies.warnings() {
        terminal::say(doubt)?;
    }
    terminal::say(format_args!("{} policies are in order.", policies.rules().len()))?;
    Ok(ExitCode::SUCCESS)
}

fn decide(args: &DecideArgs, word: &str, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    session::with_client(&args.output.target, config, async |client| {
        let path = format!("/admin/approvals/{}/{word}", super::keys::in_path(&args.id));
        let answer = client.post(&path, &json!({})).await?;
        if args.output.json {
            terminal::say(answer)?;
        } else {
            terminal::say(format_args!(
                "{}: {}",
                args.id,
                printable::line(answer["state"].as_str().unwrap_or_default())
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Roles down, permissions across: what is "sometimes" depends on more, which `policy test` explains.
fn print_roles(answer: &Value) -> anyhow::Result<()> {
    let mut columns = vec!["permission"];
    let roles: Vec<&Value> = answer["roles"].as_array().into_iter().flatten().collect();
    columns.extend(roles.iter().map(|role| role["role"].as_str().unwrap_or_default()));
    let mut table = terminal::table(&columns);
    for permission in Permission::ALL {
        let mut row = vec![permission.as_str().to_owned()];
        for role in &roles {
            let reach = &role["may"][permission.as_str()];
            let word = |name: &str| reach[name].as_str().unwrap_or_default();
            let mark = match (word("own"), word("as_operator")) {
                ("always", _) => "yes",
                ("sometimes", _) => "sometimes",
                (_, "always") => "operator",
                (_, "sometimes") => "operator, sometimes",
                _ => "",
            };
            row.push(mark.to_owned());
        }
        table.add_row(row);
    }
    terminal::say(table)?;
    for doubt in answer["doubts"].as_array().into_iter().flatten() {
        terminal::say(printable::line(doubt.as_str().unwrap_or_default()))?;
    }
    Ok(())
}
