//! How a fleet follows the load: the week of the plan, or a team's own trace.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use mainstay_traffic::autoscaling::{Fleet, Outcome, choose, usual_policies};
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
    /// Seconds until a new replica serves.
    #[arg(long, value_name = "SECONDS", default_value_t = 240.0)]
    boot: f64,
    /// Seconds after which a request that waits is lost.
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    patience: f64,
    /// Replicas that are always there.
    #[arg(long, value_name = "COUNT", default_value_t = 2)]
    least: u32,
    /// Replicas that can be had.
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    most: u32,
    /// The share of requests that may be lost.
    #[arg(long, value_name = "SHARE", default_value_t = 0.001)]
    may_lose: f64,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn autoscaling(args: &ScalingArgs, config_path: Option<&Path>) -> anyhow::Result<()> {
    let needs_plan = args.trace.is_none() || args.capacity.is_none() || args.hourly.is_none();
    let plan = if needs_plan { Some(planned(&config::load(config_path)?)?) } else { None };
    let found = |name: &str| plan.as_ref().and_then(|plan| plan.sheet.value(name));
    let each =
        found("sizing.gpu_price").zip(found("sizing.gpus_per_replica")).map(|(price, gpus)| price * gpus);
    let wanted = |given: Option<f64>, planned: Option<f64>, option: &str| {
        let value = given.or(planned).filter(|value| value.is_finite() && *value > 0.0);
        value.ok_or_else(|| {
            BadInput(format!("the plan has no fleet to take it from: say {option}, more than 0"))
        })
    };
    let fleet = Fleet {
        capacity: wanted(args.capacity, found("sizing.requests_per_replica"), "--capacity")?,
        hourly: wanted(args.hourly, each, "--hourly")?,
        boot: args.boot.max(0.0),
        patience: args.patience.max(0.0),
        least: args.least.max(1),
        most: args.most.max(args.least.max(1)),
    };
    let (rates, warnings) = match &args.trace {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("{} cannot be read", path.display()))?;
            let trace =
                read_trace(&text).map_err(|error| BadInput(format!("{}: {error}", path.display())))?;
            (trace.rates, trace.warnings)
        }
        None => (
            plan.as_ref().map(|plan| plan.week.clone()).expect("without a trace there is a plan"),
            Vec::new(),
        ),
    };
    let (outcomes, chosen) = choose(&usual_policies(), &rates, &fleet, args.may_lose);
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
