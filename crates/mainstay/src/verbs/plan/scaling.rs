//! How a fleet follows the load: the week of the plan, or a team's own trace.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use mainstay_traffic::autoscaling::{
    Fleet, Outcome, USUAL_BOOT, USUAL_LEAST, USUAL_LOSS, USUAL_PATIENCE, choose, usual_policies,
};
use mainstay_traffic::trace::read_trace;
use serde_json::json;

use super::planned;
use crate::config;
use crate::terminal::{self, BadInput};

/// Runs scaling policies against the planned week, or against a trace of real traffic.
#[derive(Args)]
#[command(after_help = "Example: mainstay plan autoscaling --trace trace.csv --capacity 12 --hourly 3.5\n\n\
    A trace is CSV: timestamp,requests for stretches of equal length, or a timestamp per request.")]
pub(crate) struct ScalingArgs {
    /// The trace; without it, the week of the plan.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Requests in a second that a replica serves; without it, what the plan found.
    #[arg(long, value_name = "RATE")]
    capacity: Option<f64>,
    /// US dollars for an hour of a replica; without it, what the plan found.
    #[arg(long, value_name = "DOLLARS")]
    hourly: Option<f64>,
    /// Seconds until a new replica serves; without it, what the plan says, else 240.
    #[arg(long, value_name = "SECONDS")]
    boot: Option<f64>,
    /// Seconds after which a request that waits is lost; without it, what the plan says, else 2.
    #[arg(long, value_name = "SECONDS")]
    patience: Option<f64>,
    /// Replicas that are always there; without it, what the plan says, else 2.
    #[arg(long, value_name = "COUNT")]
    least: Option<u32>,
    /// Replicas that can be had; without it, what the plan says, else 1000.
    #[arg(long, value_name = "COUNT")]
    most: Option<u32>,
    /// The share of requests that may be lost; without it, what the plan says, else 0.001.
    #[arg(long, value_name = "SHARE")]
    may_lose: Option<f64>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Replicas that can be had where nobody says how many.
const MOST: u32 = 1_000;

pub(super) fn autoscaling(args: &ScalingArgs, config_path: Option<&Path>) -> anyhow::Result<()> {
    let needs_plan = args.trace.is_none() || args.capacity.is_none() || args.hourly.is_none();
    let plan = if needs_plan { Some(planned(&config::load(config_path)?)?) } else { None };
    let scaling = plan.as_ref().and_then(|plan| plan.fleet.as_ref()?.scaling.as_ref());
    let of_plan = scaling.map(|scaling| scaling.fleet);
    let wanted = |given: Option<f64>, planned: fn(Fleet) -> f64, option: &str| {
        let value = given.or(of_plan.map(planned)).filter(|value| value.is_finite() && *value > 0.0);
        value.ok_or_else(|| {
            BadInput(format!("the plan has no fleet to take it from: say {option}, more than 0"))
        })
    };
    let usual = |given: Option<f64>, planned: fn(Fleet) -> f64, usual: f64| {
        given.or(of_plan.map(planned)).unwrap_or(usual).max(0.0)
    };
    let least = args.least.or(of_plan.map(|fleet| fleet.least)).unwrap_or(USUAL_LEAST).max(1);
    // A trace of one's own may have other peaks than the plan's week.
    let planned_most = of_plan.filter(|_| args.trace.is_none()).map(|fleet| fleet.most);
    let fleet = Fleet {
        capacity: wanted(args.capacity, |fleet| fleet.capacity, "--capacity")?,
        hourly: wanted(args.hourly, |fleet| fleet.hourly, "--hourly")?,
        boot: usual(args.boot, |fleet| fleet.boot, USUAL_BOOT),
        patience: usual(args.patience, |fleet| fleet.patience, USUAL_PATIENCE),
        least,
        most: args.most.or(planned_most).unwrap_or(MOST).max(least),
    };
    let may_lose = args.may_lose.or(scaling.map(|scaling| scaling.may_lose)).unwrap_or(USUAL_LOSS);
    let (rates, usual, warnings) = match &args.trace {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("{} cannot be read", path.display()))?;
            let trace =
                read_trace(&text).map_err(|error| BadInput(format!("{}: {error}", path.display())))?;
            (trace.rates.clone(), trace.rates, trace.warnings)
        }
        None => {
            let plan = plan.as_ref().expect("without a trace there is a plan");
            (plan.week.clone(), plan.usual_week.clone(), Vec::new())
        }
    };
    let (outcomes, chosen) = choose(&usual_policies(), &rates, &usual, &fleet, may_lose);
    if args.json {
        let answer = json!({
            "average_requests_per_second": rates.average(),
            "peak_requests_per_second": rates.peak(),
            "outcomes": outcomes,
            "chosen": outcomes[chosen].policy.name(),
            "warnings": warnings,
        });
        return Ok(terminal::say(format_args!("{answer:#}"))?);
    }
    for warning in &warnings {
        terminal::complain(format_args!("note: {warning}"));
    }
    terminal::say(format_args!(
        "{:.1} requests a second on average, {:.1} at the peak\n\n{}",
        rates.average(),
        rates.peak(),
        table(&outcomes, chosen)
    ))?;
    Ok(())
}

/// A line per policy, the chosen one marked.
pub(super) fn table(outcomes: &[Outcome], chosen: usize) -> String {
    let mut table = terminal::table(&[
        "policy",
        "replicas",
        "at most",
        "a month",
        "lost",
        "longest wait",
        "changes a week",
    ]);
    for (index, outcome) in outcomes.iter().enumerate() {
        let mark = if index == chosen { "▸ " } else { "" };
        table.add_row([
            format!("{mark}{}", outcome.policy.name()),
            format!("{:.1}", outcome.average_replicas),
            outcome.most_replicas.to_string(),
            mainstay_formula::Unit::Dollars.show(outcome.monthly_cost.round()),
            format!("{:.3} %", outcome.lost * 100.0),
            format!("{:.1} s", outcome.longest_wait),
            format!("{:.0}", outcome.changes_per_week),
        ]);
    }
    table.to_string()
}
