//! `mainstay plan`: what the requirements come to, number by number.

mod explain;
mod files;
mod page;
mod scaling;
mod sizing;
pub(super) mod summary;
mod vllm;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use mainstay_formula::{Origin, Row};
use mainstay_planner::{Kind, Plan};
use serde_json::{Value, json};

use crate::config::{self, Checked};
use crate::planning;
use crate::terminal::{self, BadInput};

/// Plans what the requirements come to.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Example: mainstay plan --html plan.html\n\n\
    Exit code 1: requirements contradict each other.")]
pub(crate) struct PlanArgs {
    #[command(subcommand)]
    verb: Option<PlanVerb>,
    /// Shows one number down to its inputs, its range, and what moves it most.
    #[arg(long, value_name = "NUMBER")]
    explain: Option<String>,
    /// Prints JSON: every number with its formula and its range.
    #[arg(long)]
    json: bool,
    /// Writes a page with charts and every assumption.
    #[arg(long, value_name = "FILE", conflicts_with = "explain")]
    html: Option<PathBuf>,
}

/// Parts of a plan.
#[derive(Subcommand)]
enum PlanVerb {
    /// Writes the files that run and watch the planned system.
    Files(files::FilesArgs),
    /// Runs scaling policies against the planned week or a trace.
    Autoscaling(scaling::ScalingArgs),
    /// Predicts times of deployments, a row each.
    Estimate(sizing::EstimateArgs),
    /// Fits the service-time model to own measurements.
    Calibrate(sizing::CalibrateArgs),
    /// Lists the models and GPUs that are known.
    Catalogue(sizing::CatalogueArgs),
}

pub(crate) fn run(args: PlanArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    if let Some(verb) = args.verb {
        match verb {
            PlanVerb::Files(args) => files::files(args, config)?,
            PlanVerb::Autoscaling(args) => scaling::autoscaling(&args, config)?,
            PlanVerb::Estimate(args) => sizing::estimate(&args)?,
            PlanVerb::Calibrate(args) => sizing::calibrate(&args)?,
            PlanVerb::Catalogue(args) => sizing::catalogue(&args)?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let checked = config::load(config)?;
    let plan = planned(&checked)?;
    if let Some(name) = &args.explain {
        explain::explain(&plan, name, args.json)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(path) = &args.html {
        std::fs::write(path, page::page(&checked, &plan))
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if args.json {
        terminal::say(format_args!("{:#}", to_json(&checked, &plan)))?;
    } else {
        terminal::say(summary::summary(&checked, &plan))?;
    }
    let impossible = plan.contradictions.iter().any(|found| found.kind == Kind::Impossible);
    Ok(if impossible { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// The plan of a configuration that says how much there is to serve.
fn planned(checked: &Checked) -> anyhow::Result<Plan> {
    planning::plan(checked).ok_or_else(|| {
        let message = "mainstay.toml does not say how much there is to serve: set traffic.monthly_active_users or \
                       traffic.requests_per_second";
        BadInput(message.to_owned()).into()
    })
}

fn to_json(checked: &Checked, plan: &Plan) -> Value {
    let numbers: Vec<Value> = plan.sheet.rows().iter().map(|row| row_json(plan, row)).collect();
    json!({
        "product": checked.product.name,
        "numbers": numbers,
        "contradictions": plan.contradictions,
        "fleet": plan.fleet,
        "money": plan.money,
    })
}

fn row_json(plan: &Plan, row: &Row) -> Value {
    let (low, high) = bounds(plan, row);
    let (formula, source, assumed) = match &row.origin {
        Origin::Input(input) => (None, Some(input.source.as_str()), input.assumed),
        Origin::Formula(formula) => (Some(formula.to_string()), None, false),
    };
    json!({
        "name": row.name,
        "what": row.what,
        "value": row.value,
        "unit": row.unit,
        "low": low,
        "high": high,
        "formula": formula,
        "source": source,
        "assumed": assumed,
    })
}

/// Where a number lies in nine of ten draws.
pub(super) fn bounds(plan: &Plan, row: &Row) -> (f64, f64) {
    let at = |q: f64| plan.sheet.quantile(&plan.simulation, &row.name, q).unwrap_or(row.value);
    (at(0.05), at(0.95))
}

/// The bounds as people read them; empty where the number is certain.
pub(super) fn range(plan: &Plan, row: &Row) -> String {
    let (low, high) = bounds(plan, row);
    if low == high || high - low <= 1e-9 * row.value.abs() {
        return String::new();
    }
    format!("{} to {}", row.unit.show(low), row.unit.show(high))
}
