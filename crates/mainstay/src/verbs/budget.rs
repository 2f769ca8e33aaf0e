//! `mainstay budget`: shows how the budgets stand.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use mainstay_domain::NanoUsd;
use serde_json::Value;

use crate::printable;
use crate::session::{self, Target};
use crate::terminal::{self, OutputError};

/// Shows how the budgets stand.
#[derive(Subcommand)]
pub(crate) enum BudgetVerb {
    /// What is spent and held of every budget in its present period.
    #[command(after_help = "Example: mainstay budget list")]
    List(ListArgs),
}

#[derive(Args)]
pub(crate) struct ListArgs {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(verb: BudgetVerb, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let BudgetVerb::List(args) = verb;
    session::with_client(&args.target, config, async |client| {
        let answer = client.get("/admin/budgets").await?;
        if args.json {
            terminal::say(answer)?;
        } else {
            print(&answer)?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn print(answer: &Value) -> Result<(), OutputError> {
    let budgets = answer["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    if budgets.is_empty() {
        return terminal::say("There is no budget. [budgets.NAME] in mainstay.toml sets one.");
    }
    let mut table = terminal::table(&["budget", "for", "limit", "spent", "held", "used"]);
    for budget in budgets {
        let text = |name: &str| printable::line(budget[name].as_str().unwrap_or_default()).into_owned();
        let nanos = |name: &str| budget[name].as_i64().unwrap_or(0);
        let amount = |name: &str| NanoUsd::new(nanos(name)).to_string();
        let used = 100.0 * nanos("spent_nano_usd") as f64 / (nanos("limit_nano_usd") as f64).max(1.0);
        table.add_row([
            text("name"),
            text("holder"),
            amount("limit_nano_usd"),
            amount("spent_nano_usd"),
            amount("reserved_nano_usd"),
            format!("{used:.1}%"),
        ]);
    }
    terminal::say(table)
}
