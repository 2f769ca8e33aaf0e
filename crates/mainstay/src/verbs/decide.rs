//! `mainstay decide`: the decisions for this spec and this system, why, and which no longer hold.

mod page;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use mainstay_decisions::measured::Samples;
use mainstay_decisions::{Card, Decision, Fact, Situation, State, cards, decide};
use serde_json::{Value, json};

use crate::compose;
use crate::config::{self, Checked};
use crate::planning;
use crate::session::Target;
use crate::situation;
use crate::terminal::{self, BadInput};

/// Decides, and shows which decisions no longer hold.
#[derive(Args)]
#[command(after_help = "Example: mainstay decide --card 04.2\n\n\
    A Mainstay that runs on the data folder is asked for its metrics; --url asks another, --metrics reads what was saved.\n\
    Exit code 1: a premise is broken, or a pinned decision is not what is recommended any more.")]
pub(crate) struct DecideArgs {
    /// One decision alone, whole: options, reasons, what would change it, how it is applied.
    #[arg(long, value_name = "CARD")]
    card: Option<String>,
    /// Those alone that need another look: a broken premise, or pinned and no longer recommended.
    #[arg(long, conflicts_with = "card")]
    changed: bool,
    /// Lists the facts that decisions ask about, what is known of each, and where it comes from.
    #[arg(long, conflicts_with_all = ["card", "changed", "html"])]
    facts: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    /// Writes a page with every decision.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Metrics that were saved: the text of /metrics.
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    metrics: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

/// A decision with what the team says about it.
pub(super) struct Decided {
    pub(super) decision: Decision,
    /// What the team chose and why, where it is pinned.
    pub(super) pin: Option<(&'static str, String)>,
}

impl Decided {
    /// The option in force: the pinned one, else the recommended.
    pub(super) fn in_force(&self) -> &'static str {
        self.pin.as_ref().map_or(self.decision.choice.id, |(option, _)| option)
    }

    /// Whether it is pinned to something else than what is recommended.
    pub(super) fn departs(&self) -> bool {
        self.in_force() != self.decision.choice.id
    }

    /// Whether it needs another look.
    pub(super) fn is_in_question(&self) -> bool {
        self.departs() || self.decision.broken().next().is_some()
    }
}

pub(crate) fn run(args: DecideArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let checked = config::load(config)?;
    let samples = samples(&args, &checked)?;
    let plan = planning::plan(&checked);
    let situation =
        situation::situation(&checked, &situation::written(config), plan.as_ref(), samples.as_ref());
    if args.facts {
        return show_facts(&situation, args.json);
    }
    let decided: Vec<Decided> =
        wanted(&args)?.into_iter().map(|card| decided(card, &situation, &checked)).collect();
    if let Some(path) = &args.html {
        std::fs::write(path, page::page(&checked.product.name, &decided, samples.is_some()))
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let shown: Vec<&Decided> =
        decided.iter().filter(|decided| !args.changed || decided.is_in_question()).collect();
    if args.json {
        let decisions: Vec<Value> = shown.iter().map(|decided| to_json(decided)).collect();
        terminal::say(format_args!(
            "{:#}",
            json!({ "measured": samples.is_some(), "decisions": decisions })
        ))?;
    } else if args.card.is_some() {
        shown.iter().try_for_each(|decided| terminal::say(table::whole(decided, &situation)))?;
    } else {
        terminal::say(table::overview(&shown, samples.is_some(), args.changed))?;
    }
    let in_question = decided.iter().any(Decided::is_in_question);
    Ok(if in_question { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn wanted(args: &DecideArgs) -> anyhow::Result<Vec<&'static Card>> {
    let Some(id) = &args.card else { return Ok(cards::all().collect()) };
    let Some(card) = cards::find(id) else {
        let known: Vec<&str> = cards::all().map(|card| card.id).collect();
        return Err(BadInput(format!("there is no card {id:?}: there are {}", known.join(", "))).into());
    };
    Ok(vec![card])
}

fn decided(card: &'static Card, situation: &Situation, checked: &Checked) -> Decided {
    let pin =
        checked.decisions.iter().find(|(id, _)| cards::find(id).is_some_and(|found| found.id == card.id));
    let pin = pin.map(|(_, pin)| (pin.choose, pin.because.clone()));
    // The premises that matter are those of what is in force.
    let mut decision = decide(card, situation);
    if let Some((option, _)) = &pin {
        decision.premises = mainstay_decisions::standings(card, option, situation);
    }
    Decided { decision, pin }
}

/// The metrics of the system that is meant; none where nothing runs. One that was named and does not answer is an error.
fn samples(args: &DecideArgs, checked: &Checked) -> anyhow::Result<Option<Samples>> {
    let text = if let Some(path) = &args.metrics {
        std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?
    } else if let Some(client) = args.target.running(checked)? {
        compose::runtime()?.block_on(client.get_text("/metrics"))?
    } else {
        return Ok(None);
    };
    let samples = Samples::parse(&text);
    if !samples.has("mainstay_http_requests_total") && !samples.has("mainstay_in_flight_requests") {
        let message = "what was read are no metrics of Mainstay: name a Mainstay's address, or a file with the text of its /metrics";
        return Err(BadInput(message.to_owned()).into());
    }
    Ok(Some(samples))
}

fn show_facts(situation: &Situation, as_json: bool) -> anyhow::Result<ExitCode> {
    if as_json {
        let facts: Vec<Value> = cards::facts().map(|fact| fact_json(fact, situation)).collect();
        terminal::say(format_args!("{:#}", json!({ "facts": facts })))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = terminal::prose_table(&["fact", "what it is", "known", "where it comes from"]);
    for fact in cards::facts() {
        let known = situation.get(fact).map_or_else(
            || "–".to_owned(),
            |known| format!("{} ({})", fact.unit.show(known.value), known.origin.as_str()),
        );
        let sources: Vec<String> = fact.from.iter().map(ToString::to_string).collect();
        table.add_row([fact.id, fact.what, &known, &sources.join("\n")]);
    }
    terminal::say(table)?;
    Ok(ExitCode::SUCCESS)
}

fn fact_json(fact: &Fact, situation: &Situation) -> Value {
    let known = situation.get(fact);
    json!({
        "fact": fact.id,
        "what": fact.what,
        "value": known.map(|known| known.value),
        "origin": known.map(|known| known.origin),
        "sources": fact.from.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn to_json(decided: &Decided) -> Value {
    let Decided { decision, pin } = decided;
    let premises: Vec<Value> = decision
        .premises
        .iter()
        .map(|standing| {
            json!({
                "premise": standing.premise.holds.words(),
                "state": standing.state,
                "value": standing.value,
                "otherwise": standing.premise.otherwise,
            })
        })
        .collect();
    let options: Vec<Value> = decision
        .card
        .options
        .iter()
        .map(|choice| {
            json!({
                "id": choice.id,
                "name": choice.name,
                "best_for": choice.best_for,
                "gains": choice.gains,
                "costs": choice.costs,
                "config": choice.apply.config,
                "steps": choice.apply.steps,
            })
        })
        .collect();
    json!({
        "card": decision.card.id,
        "title": decision.card.title,
        "question": decision.card.question,
        "recommended": decision.choice.id,
        "in_force": decided.in_force(),
        "pinned": pin.as_ref().map(|(choose, because)| json!({ "choose": choose, "because": because })),
        "why": decision.why,
        "evidence": decision.evidence,
        "would_change": decision.flips,
        "not_known": decision.unknown.iter().map(|fact| fact.id).collect::<Vec<_>>(),
        "premises": premises,
        "options": options,
        "corrections": decision.card.corrections,
    })
}

/// How a premise stands, in a word.
pub(super) fn state_word(state: State) -> &'static str {
    match state {
        State::Holds => "holds",
        State::Broken => "broken",
        State::Unknown => "not measured",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::check_text;

    #[test]
    fn what_applies_an_option_is_a_good_mainstay_toml() {
        let mut bad = Vec::new();
        for card in cards::all() {
            for choice in card.options.iter().filter(|choice| !choice.apply.config.is_empty()) {
                if let Err(problems) = check_text(choice.apply.config, Path::new("mainstay.toml")) {
                    bad.push(format!("card {}, {}: {problems}", card.id, choice.id));
                }
            }
        }
        assert!(bad.is_empty(), "{}", bad.join("\n"));
    }
}
