//! `mainstay spec`: checks `mainstay.toml` and prints its schema.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use mainstay_domain::config::{HumanDuration, SecretSource, schema_of};
use mainstay_planner::Contradiction;
use mainstay_planner::requirements::{LatencyTargets, Slo, TierSlo};
use serde_json::{Value, json};

use crate::config::DEFAULTS_FOR_PEOPLE;
use crate::config::{self, Checked, FILE_NAME, RawConfig, Surroundings};
use crate::planning;
use crate::terminal::{self, BadInput};
use crate::verbs::plan::summary;

/// What to do with the spec.
#[derive(Subcommand)]
pub(crate) enum SpecVerb {
    /// Checks mainstay.toml and shows every problem with its place, or the targets as they were understood.
    Check(CheckArgs),
    /// Prints the JSON schema of mainstay.toml, for editors.
    #[command(after_help = "Example: mainstay spec schema > mainstay.schema.json")]
    Schema,
    /// Prints every default, commented, as a file that could be mainstay.toml.
    #[command(after_help = "Example: mainstay spec defaults > mainstay.toml")]
    Defaults,
}

/// Checks mainstay.toml.
#[derive(Args)]
#[command(after_help = "Example: mainstay spec check mainstay.toml")]
pub(crate) struct CheckArgs {
    /// The file; without it, the one of --config, or ./mainstay.toml.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(verb: SpecVerb, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    match verb {
        SpecVerb::Check(args) => check(&args, config),
        SpecVerb::Defaults => {
            terminal::say(DEFAULTS_FOR_PEOPLE)?;
            Ok(ExitCode::SUCCESS)
        }
        SpecVerb::Schema => {
            terminal::say(format_args!("{:#}", schema_of::<RawConfig>()))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn check(args: &CheckArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let file = args.file.as_deref().or(config).unwrap_or(Path::new(FILE_NAME));
    if args.file.is_none() && config.is_none() && !file.exists() {
        return Err(BadInput(format!("there is no {FILE_NAME} here: `mainstay init` writes one")).into());
    }
    match config::load(Some(file)) {
        Ok(checked) => {
            let found = if args.json {
                format!("{:#}", good_json(file, &checked))
            } else {
                good_text(file, &checked)
            };
            terminal::say(found)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(diagnostics) => {
            if args.json {
                terminal::say(format_args!("{:#}", diagnostics.to_json()))?;
            } else {
                terminal::complain(diagnostics);
            }
            Ok(ExitCode::from(2))
        }
    }
}

fn good_text(file: &Path, checked: &Checked) -> String {
    let mut parts = vec![format!("{} is good: {}", file.display(), checked.product.name)];
    let targets = targets(checked);
    if targets.is_empty() {
        parts.push(
            "It sets no targets yet. Begin with slo.ttft.p95, slo.errors.rate and slo.cost.per_request."
                .into(),
        );
    } else {
        let mut table = terminal::table(&["target", "as understood"]);
        for target in &targets {
            table.add_row([&target.path, &target.meaning]);
        }
        parts.push(table.to_string());
    }
    let mut table = terminal::table(&["assistant", "model", "corpus"]);
    for (name, assistant) in &checked.assistants {
        let models: Vec<String> = assistant.models.iter().map(ToString::to_string).collect();
        let corpus = assistant.corpus.as_ref().map_or("none", |corpus| corpus.as_str());
        table.add_row([name.as_str(), &models.join(", "), corpus]);
    }
    parts.push(table.to_string());
    parts.extend(contradictions(checked).iter().map(summary::contradiction));
    let missing = missing_secrets(checked).into_iter();
    parts.extend(
        missing.map(|secret| format!("Not found here: {secret}. A start needs it; this check does not.")),
    );
    parts.join("\n\n")
}

fn good_json(file: &Path, checked: &Checked) -> Value {
    let targets: Vec<Value> = targets(checked)
        .iter()
        .map(|target| json!({ "path": target.path, "meaning": target.meaning }))
        .collect();
    json!({
        "ok": true,
        "file": file.display().to_string(),
        "product": { "name": checked.product.name, "audience": checked.product.audience },
        "targets": targets,
        "assistants": checked.assistants.keys().map(|name| name.as_str()).collect::<Vec<_>>(),
        "contradictions": contradictions(checked),
        "missing_secrets": missing_secrets(checked),
    })
}

/// What the plan's arithmetic says against the targets; nothing where there is nothing to plan.
fn contradictions(checked: &Checked) -> Vec<Contradiction> {
    planning::plan(checked).map_or_else(Vec::new, |plan| plan.contradictions)
}

/// A target in words, so that a reader sees whether it was meant so.
struct Target {
    path: String,
    meaning: String,
}

fn targets(checked: &Checked) -> Vec<Target> {
    let mut targets = Vec::new();
    let mut add = |path: &str, meaning: String| targets.push(Target { path: path.to_owned(), meaning });
    add_slo(&checked.slo, &mut add);
    let traffic = &checked.traffic;
    if let Some(users) = traffic.monthly_active_users {
        add("traffic.monthly_active_users", format!("{} people a month", terminal::grouped(users)));
    }
    if let Some(rate) = traffic.requests_per_second {
        add("traffic.requests_per_second", format!("{rate} requests a second for hours"));
    }
    if let Some(rate) = traffic.burst_requests_per_second {
        add("traffic.burst_requests_per_second", format!("{rate} requests a second for minutes"));
    }
    if !checked.constraints.residency.is_empty() {
        add("constraints.residency", format!("data stays in {}", checked.constraints.residency.join(", ")));
    }
    if let Some(budget) = checked.constraints.monthly_budget {
        add("constraints.monthly_budget", format!("at most {budget} a month"));
    }
    targets
}

fn add_slo(slo: &Slo, add: &mut impl FnMut(&str, String)) {
    add_tier("slo", &slo.general(), add);
    add_latency("slo.time_per_output_token", "token after token", &slo.time_per_output_token, add);
    if let Some(cost) = slo.cost.per_request {
        add("slo.cost.per_request", format!("at most {cost} a request on average"));
    }
    if let Some(score) = slo.quality.faithfulness {
        add(
            "slo.quality.faithfulness",
            format!("at least {score} of the statements supported by the sources"),
        );
    }
    for (key, score, count) in
        [("recall_at_5", slo.quality.recall_at_5, "five"), ("recall_at_10", slo.quality.recall_at_10, "ten")]
    {
        if let Some(score) = score {
            let meaning = format!("at least {score} of the relevant documents among the first {count}");
            add(&format!("slo.quality.{key}"), meaning);
        }
    }
    if let Some(score) = slo.quality.ndcg_at_10 {
        add(
            "slo.quality.ndcg_at_10",
            format!("the first ten in an order at least {score} as good as the best"),
        );
    }
    if let Some(score) = slo.quality.mrr_at_10 {
        add("slo.quality.mrr_at_10", format!("one over the rank of the first relevant, at least {score}"));
    }
    if let Some(staleness) = slo.freshness.staleness {
        let staleness = HumanDuration(staleness);
        add("slo.freshness.staleness", format!("everybody finds a document within {staleness}"));
    }
    for (name, tier) in &slo.tiers {
        add_tier(&format!("slo.tiers.{name}"), tier, add);
    }
}

fn add_tier(at: &str, tier: &TierSlo, add: &mut impl FnMut(&str, String)) {
    add_latency(&format!("{at}.ttft"), "the first token", &tier.ttft, add);
    add_latency(&format!("{at}.latency"), "the whole answer", &tier.latency, add);
    if let Some(rate) = tier.errors.rate {
        add(&format!("{at}.errors.rate"), format!("at most {rate} of the requests fail"));
    }
    if let Some(share) = tier.availability.monthly {
        let minutes = (1.0 - share.as_f64()) * 30.0 * 24.0 * 60.0;
        add(
            &format!("{at}.availability.monthly"),
            format!("{share} of 30 days, at most {minutes:.0} minutes down"),
        );
    }
}

fn add_latency(at: &str, what: &str, targets: &LatencyTargets, add: &mut impl FnMut(&str, String)) {
    for (percentile, duration) in targets.iter() {
        let share = percentile.quantile() * 100.0;
        let meaning = format!("{what} within {} for {share:.0} of 100 requests", HumanDuration(duration));
        add(&format!("{at}.{}", percentile.as_str()), meaning);
    }
}

/// The secrets that the file refers to and that are not to be found on this machine.
fn missing_secrets(checked: &Checked) -> Vec<String> {
    let surroundings = Surroundings::of(&checked.folder);
    let source: &dyn SecretSource = &surroundings;
    let secrets = checked.provider_secrets();
    secrets.filter(|secret| secret.resolve(source).is_err()).map(ToString::to_string).collect()
}
