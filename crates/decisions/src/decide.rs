//! Applies a card to a situation.

use serde::Serialize;

use crate::card::{Card, Choice, Condition, Premise};
use crate::fact::{Fact, Origin, Situation};

/// A decision and everything that there is to say for it.
#[derive(Debug)]
pub struct Decision {
    /// The card.
    pub card: &'static Card,
    /// What is recommended.
    pub choice: &'static Choice,
    /// The rule that decided, by its place in [`Card::rules`]; none where no rule applied.
    pub rule: Option<usize>,
    /// Why, in a sentence.
    pub why: &'static str,
    /// The facts that decided.
    pub evidence: Vec<Evidence>,
    /// What would change it.
    pub flips: Vec<Flip>,
    /// Facts that could change it and are not known.
    pub unknown: Vec<&'static Fact>,
    /// Whether its premises hold now.
    pub premises: Vec<Standing>,
}

/// A fact that decided.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Evidence {
    /// The fact's name.
    pub fact: &'static str,
    /// What was asked: `documents in the largest corpus > 500,000`.
    pub condition: String,
    /// The value as people read it.
    pub value: String,
    /// Where the value came from.
    pub origin: Origin,
}

/// Something that would change a decision.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Flip {
    /// The option that would be chosen.
    pub to: &'static str,
    /// What would have to be the case, all of it, each with what is now.
    pub when: Vec<String>,
}

/// Whether a premise holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It holds.
    Holds,
    /// It does not: the decision needs another look.
    Broken,
    /// Nobody has measured it.
    Unknown,
}

/// A premise and whether it holds.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The premise.
    pub premise: &'static Premise,
    /// Whether it holds.
    pub state: State,
    /// The value as people read it, where it is known.
    pub value: Option<String>,
}

impl Decision {
    /// The premises that do not hold: why the decision needs another look.
    pub fn broken(&self) -> impl Iterator<Item = &Standing> {
        self.premises.iter().filter(|standing| standing.state == State::Broken)
    }
}

/// What a card recommends in this situation.
///
/// A card whose rules name an option that it does not have recommends its first option; a test over all cards keeps that
/// from happening.
pub fn decide(card: &'static Card, situation: &Situation) -> Decision {
    let rule = first_applying(card, situation, None);
    let (chosen, why) = match rule {
        Some(index) => (card.rules[index].choose, card.rules[index].why),
        None => (card.otherwise.choose, card.otherwise.why),
    };
    let choice = card.option(chosen).unwrap_or(&card.options[0]);
    let conditions = rule.map_or(&[][..], |index| card.rules[index].when);
    Decision {
        card,
        choice,
        rule,
        why,
        evidence: conditions.iter().filter_map(|condition| evidence(condition, situation)).collect(),
        flips: flips(card, rule, choice.id, situation),
        unknown: unknown(card, rule, choice.id, situation),
        premises: standings(card, choice.id, situation),
    }
}

/// The first rule whose conditions are all met, leaving one out.
fn first_applying(card: &Card, situation: &Situation, except: Option<usize>) -> Option<usize> {
    let applies = |when: &[Condition]| when.iter().all(|condition| condition.is_met(situation) == Some(true));
    let mut rules = card.rules.iter().enumerate();
    rules.find(|(index, rule)| Some(*index) != except && applies(rule.when)).map(|(index, _)| index)
}

fn evidence(condition: &Condition, situation: &Situation) -> Option<Evidence> {
    let known = situation.get(condition.fact)?;
    Some(Evidence {
        fact: condition.fact.id,
        condition: condition.words(),
        value: condition.fact.unit.show(known.value),
        origin: known.origin,
    })
}

/// Earlier rules that would win if what they still lack became true, then what would be left if the rule that decided no longer
/// applied. Where nothing decided, every rule is one that would win.
fn flips(card: &Card, rule: Option<usize>, chosen: &str, situation: &Situation) -> Vec<Flip> {
    let before = &card.rules[..rule.unwrap_or(card.rules.len())];
    let mut flips: Vec<Flip> = before
        .iter()
        .filter(|earlier| earlier.choose != chosen)
        .map(|earlier| Flip {
            to: earlier.choose,
            when: missing(earlier.when, situation).map(|condition| with_now(condition, situation)).collect(),
        })
        .collect();
    if let Some(index) = rule {
        let next = first_applying(card, situation, Some(index));
        let to = next.map_or(card.otherwise.choose, |next| card.rules[next].choose);
        if to != chosen {
            let when = card.rules[index].when.iter();
            flips.extend(when.map(|condition| Flip { to, when: vec![no_longer(condition, situation)] }));
        }
    }
    flips
}

fn missing<'a>(when: &'a [Condition], situation: &'a Situation) -> impl Iterator<Item = &'a Condition> {
    when.iter().filter(|condition| condition.is_met(situation) != Some(true))
}

fn with_now(condition: &Condition, situation: &Situation) -> String {
    format!("{} ({})", condition.words(), now(condition, situation))
}

fn no_longer(condition: &Condition, situation: &Situation) -> String {
    format!("no longer: {} ({})", condition.words(), now(condition, situation))
}

fn now(condition: &Condition, situation: &Situation) -> String {
    let values: Vec<String> = condition
        .facts()
        .map(|fact| {
            situation.value(fact).map_or_else(|| "not known".to_owned(), |value| fact.unit.show(value))
        })
        .collect();
    format!("now {}", values.join(" against "))
}

/// Facts that are not known and stand in a rule that would choose something else.
fn unknown(card: &Card, rule: Option<usize>, chosen: &str, situation: &Situation) -> Vec<&'static Fact> {
    let before = &card.rules[..rule.unwrap_or(card.rules.len())];
    let mut unknown: Vec<&'static Fact> = Vec::new();
    for other in before.iter().filter(|other| other.choose != chosen) {
        let refuted = other.when.iter().any(|condition| condition.is_met(situation) == Some(false));
        let facts = other.when.iter().flat_map(Condition::facts);
        for fact in facts.filter(|fact| !refuted && situation.get(fact).is_none()) {
            if !unknown.contains(&fact) {
                unknown.push(fact);
            }
        }
    }
    unknown
}

/// How the premises of an option stand: of the one that is recommended, or of the one that a team has chosen instead.
pub fn standings(card: &'static Card, chosen: &str, situation: &Situation) -> Vec<Standing> {
    let of_choice = card.premises.iter().filter(|premise| premise.of.contains(&chosen));
    let standing = |premise: &'static Premise| Standing {
        premise,
        state: match premise.holds.is_met(situation) {
            Some(true) => State::Holds,
            Some(false) => State::Broken,
            None => State::Unknown,
        },
        value: situation.value(premise.holds.fact).map(|value| premise.holds.fact.unit.show(value)),
    };
    of_choice.map(standing).collect()
}
