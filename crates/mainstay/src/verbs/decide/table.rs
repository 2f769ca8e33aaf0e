//! Decisions on a terminal.

use std::fmt::Write as _;

use mainstay_decisions::{Situation, State};

use super::{Decided, state_word};
use crate::terminal;

/// A line per decision.
pub(super) fn overview(decided: &[&Decided], measured: bool, changed: bool) -> String {
    if decided.is_empty() {
        let known = if measured { "" } else { " as far as is known without a running system" };
        return format!("No decision needs another look{known}.");
    }
    let mut table = terminal::prose_table(&["card", "decision", "choice", "why", "premises"]);
    for decided in decided {
        let decision = &decided.decision;
        table.add_row([
            decision.card.id,
            decision.card.title,
            &choice(decided),
            &why(decided),
            &premises(decided),
        ]);
    }
    let broken = decided.iter().filter(|decided| decided.is_in_question()).count();
    let mut text = table.to_string();
    if !measured {
        text.push_str("\n\nNothing is running here, so no premise was measured: --url names a system, --metrics a file.");
    }
    if !changed && broken > 0 {
        let _ = write!(text, "\n\n{broken} need another look: mainstay decide --changed");
    }
    text
}

fn choice(decided: &Decided) -> String {
    let decision = &decided.decision;
    if !decided.departs() {
        return decision.choice.name.to_owned();
    }
    let pinned = decision.card.option(decided.in_force()).map_or("", |choice| choice.name);
    format!("{pinned} (pinned; recommended: {})", decision.choice.name)
}

fn why(decided: &Decided) -> String {
    let mut why = decided.decision.why.to_owned();
    for evidence in &decided.decision.evidence {
        let _ = write!(why, "\n{}: {} ({})", evidence.condition, evidence.value, evidence.origin.as_str());
    }
    why
}

fn premises(decided: &Decided) -> String {
    let standings = &decided.decision.premises;
    let broken: Vec<String> = decided
        .decision
        .broken()
        .map(|standing| {
            let value = standing.value.as_deref().unwrap_or("?");
            format!("BROKEN: {} (is {value}): {}", standing.premise.holds.words(), standing.premise.otherwise)
        })
        .collect();
    if !broken.is_empty() {
        return broken.join("\n");
    }
    let holding = standings.iter().filter(|standing| standing.state == State::Holds).count();
    match (holding, standings.len()) {
        (_, 0) => "none".to_owned(),
        (0, _) => "not measured".to_owned(),
        (holding, all) if holding == all => "hold".to_owned(),
        (holding, all) => format!("{holding} of {all} hold, the others are not measured"),
    }
}

/// One decision with everything that there is to say.
pub(super) fn whole(decided: &Decided, situation: &Situation) -> String {
    let decision = &decided.decision;
    let card = decision.card;
    let mut text = format!("{} {}\n{}\n\n", card.id, card.title, card.question);
    let _ = writeln!(text, "Recommended: {}\n  {}", decision.choice.name, decision.why);
    for evidence in &decision.evidence {
        let _ = writeln!(text, "  {}: {} ({})", evidence.condition, evidence.value, evidence.origin.as_str());
    }
    if let Some((option, because)) = &decided.pin {
        let name = card.option(option).map_or(*option, |choice| choice.name);
        let _ = writeln!(text, "\nIn force, pinned in [decisions]: {name}\n  {because}");
    }
    text.push_str("\nOptions\n");
    for choice in card.options {
        let mark = if choice.id == decided.in_force() { "▸" } else { " " };
        let _ = writeln!(text, "{mark} {} ({})", choice.name, choice.id);
        let _ = writeln!(
            text,
            "    best for: {}\n    gains: {}\n    costs: {}",
            choice.best_for, choice.gains, choice.costs
        );
    }
    write_changes(&mut text, decided);
    write_premises(&mut text, decided);
    write_application(&mut text, decided);
    if !card.corrections.is_empty() {
        text.push_str("\nUsual figures that are wrong\n");
        card.corrections.iter().for_each(|correction| {
            let _ = writeln!(text, "  {correction}");
        });
    }
    let _ = write!(
        text,
        "\nKnown: {} of {} facts that it asks about",
        known(decided, situation),
        card.facts().len()
    );
    text
}

fn known(decided: &Decided, situation: &Situation) -> usize {
    decided.decision.card.facts().iter().filter(|fact| situation.get(fact).is_some()).count()
}

fn write_changes(text: &mut String, decided: &Decided) {
    let decision = &decided.decision;
    if !decision.flips.is_empty() {
        text.push_str("\nWhat would change it\n");
    }
    for flip in &decision.flips {
        let name = decision.card.option(flip.to).map_or(flip.to, |choice| choice.name);
        let _ = writeln!(text, "  {name}, if {}", flip.when.join(" and "));
    }
    if !decision.unknown.is_empty() {
        text.push_str("\nNot known, and it could matter\n");
    }
    for fact in &decision.unknown {
        let sources: Vec<String> = fact.from.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "  {} ({}): {}", fact.id, fact.what, sources.join("; "));
    }
}

fn write_premises(text: &mut String, decided: &Decided) {
    if decided.decision.premises.is_empty() {
        return;
    }
    text.push_str("\nWhat must go on holding\n");
    for standing in &decided.decision.premises {
        let value = standing.value.as_deref().map_or(String::new(), |value| format!(", is {value}"));
        let _ = writeln!(text, "  {}: {}{value}", standing.premise.holds.words(), state_word(standing.state));
        let _ = writeln!(text, "    if not: {}", standing.premise.otherwise);
    }
}

fn write_application(text: &mut String, decided: &Decided) {
    let Some(choice) = decided.decision.card.option(decided.in_force()) else { return };
    text.push_str("\nHow it is applied\n");
    for line in choice.apply.config.lines() {
        let _ = writeln!(text, "    {line}");
    }
    for step in choice.apply.steps {
        let _ = writeln!(text, "  {step}");
    }
}
