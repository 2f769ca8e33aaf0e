//! A decision as data: options, rules, premises.

use crate::fact::{Fact, Situation, Unit};

/// One decision.
#[derive(Debug)]
pub struct Card {
    /// Stage and number: `04.2`.
    pub id: &'static str,
    /// In a few words: `Vector store`.
    pub title: &'static str,
    /// What is decided.
    pub question: &'static str,
    /// What there is to choose from.
    pub options: &'static [Choice],
    /// Applied in this order: the first whose conditions are all met decides.
    pub rules: &'static [Rule],
    /// What is chosen where no rule applies.
    pub otherwise: Otherwise,
    /// What must go on holding for the choice to be right.
    pub premises: &'static [Premise],
    /// Where usual figures about this decision are wrong or contradict each other: what is right, with its arithmetic.
    pub corrections: &'static [&'static str],
}

/// An option of a decision.
#[derive(Debug)]
pub struct Choice {
    /// Its name in JSON and in pins: small letters, digits and underscores.
    pub id: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// When it fits.
    pub best_for: &'static str,
    /// What it brings.
    pub gains: &'static str,
    /// What it takes.
    pub costs: &'static str,
    /// How it is put into practice here.
    pub apply: Apply,
}

/// How an option is put into practice.
#[derive(Debug)]
pub struct Apply {
    /// The part of `mainstay.toml` that applies it; empty where no key does. It is checked like any other file.
    pub config: &'static str,
    /// What is done besides: a command, a change of the product, or a word on what Mainstay does not do.
    pub steps: &'static [&'static str],
}

/// When an option is chosen.
#[derive(Debug)]
pub struct Rule {
    /// The [`Choice::id`].
    pub choose: &'static str,
    /// All must be met.
    pub when: &'static [Condition],
    /// Why it is right then, in a sentence.
    pub why: &'static str,
}

/// What is chosen where no rule applies.
#[derive(Debug)]
pub struct Otherwise {
    /// The [`Choice::id`].
    pub choose: &'static str,
    /// Why, in a sentence.
    pub why: &'static str,
}

/// Something that must go on holding for some options to be right.
#[derive(Debug)]
pub struct Premise {
    /// The options that rest on it.
    pub of: &'static [&'static str],
    /// What must hold.
    pub holds: Condition,
    /// What follows when it does not: what to do, with the command where there is one.
    pub otherwise: &'static str,
}

/// A fact and what must be true of it.
#[derive(Clone, Copy, Debug)]
pub struct Condition {
    /// The fact.
    pub fact: &'static Fact,
    /// What must be true.
    pub test: Test,
}

/// What must be true of a value.
#[derive(Clone, Copy, Debug)]
pub enum Test {
    /// More than this.
    Above(f64),
    /// This or more.
    AtLeast(f64),
    /// Less than this.
    Below(f64),
    /// This or less.
    AtMost(f64),
    /// More than another fact times a factor.
    AboveFact(&'static Fact, f64),
    /// At most another fact times a factor.
    AtMostFact(&'static Fact, f64),
    /// Yes.
    Yes,
    /// No.
    No,
}

/// The fact is more than this.
pub const fn above(fact: &'static Fact, threshold: f64) -> Condition {
    Condition { fact, test: Test::Above(threshold) }
}

/// The fact is this or more.
pub const fn at_least(fact: &'static Fact, threshold: f64) -> Condition {
    Condition { fact, test: Test::AtLeast(threshold) }
}

/// The fact is less than this.
pub const fn below(fact: &'static Fact, threshold: f64) -> Condition {
    Condition { fact, test: Test::Below(threshold) }
}

/// The fact is this or less.
pub const fn at_most(fact: &'static Fact, threshold: f64) -> Condition {
    Condition { fact, test: Test::AtMost(threshold) }
}

/// The fact is a yes.
pub const fn yes(fact: &'static Fact) -> Condition {
    Condition { fact, test: Test::Yes }
}

/// The fact is a no.
pub const fn no(fact: &'static Fact) -> Condition {
    Condition { fact, test: Test::No }
}

impl Condition {
    /// The fact is more than another one times a factor.
    pub const fn above_fact(fact: &'static Fact, other: &'static Fact, factor: f64) -> Self {
        Self { fact, test: Test::AboveFact(other, factor) }
    }

    /// The fact is at most another one times a factor.
    pub const fn at_most_fact(fact: &'static Fact, other: &'static Fact, factor: f64) -> Self {
        Self { fact, test: Test::AtMostFact(other, factor) }
    }

    /// Whether it is met; `None` where a fact is unknown.
    pub fn is_met(&self, situation: &Situation) -> Option<bool> {
        let value = situation.value(self.fact)?;
        Some(match self.test {
            Test::Above(threshold) => value > threshold,
            Test::AtLeast(threshold) => value >= threshold,
            Test::Below(threshold) => value < threshold,
            Test::AtMost(threshold) => value <= threshold,
            Test::AboveFact(other, factor) => value > situation.value(other)? * factor,
            Test::AtMostFact(other, factor) => value <= situation.value(other)? * factor,
            Test::Yes => value != 0.0,
            Test::No => value == 0.0,
        })
    }

    /// The facts it asks about.
    pub fn facts(&self) -> impl Iterator<Item = &'static Fact> {
        let other = match self.test {
            Test::AboveFact(other, _) | Test::AtMostFact(other, _) => Some(other),
            _ => None,
        };
        std::iter::once(self.fact).chain(other)
    }

    /// What it asks, in words: `documents in the largest corpus > 500,000`.
    pub fn words(&self) -> String {
        let what = self.fact.what;
        let unit: Unit = self.fact.unit;
        let times = |other: &Fact, factor: f64| {
            if factor == 1.0 {
                other.what.to_owned()
            } else {
                format!("{} × {}", Unit::Count.show(factor), other.what)
            }
        };
        match self.test {
            Test::Above(threshold) => format!("{what} > {}", unit.show(threshold)),
            Test::AtLeast(threshold) => format!("{what} ≥ {}", unit.show(threshold)),
            Test::Below(threshold) => format!("{what} < {}", unit.show(threshold)),
            Test::AtMost(threshold) => format!("{what} ≤ {}", unit.show(threshold)),
            Test::AboveFact(other, factor) => format!("{what} > {}", times(other, factor)),
            Test::AtMostFact(other, factor) => format!("{what} ≤ {}", times(other, factor)),
            Test::Yes => format!("{what}: yes"),
            Test::No => format!("{what}: no"),
        }
    }
}

impl Card {
    /// The option of this name. Every rule names one that exists (tested over all cards).
    pub fn option(&self, id: &str) -> Option<&Choice> {
        self.options.iter().find(|choice| choice.id == id)
    }

    /// Every fact that its rules and premises ask about, each once, in order.
    pub fn facts(&self) -> Vec<&'static Fact> {
        let conditions = self.rules.iter().flat_map(|rule| rule.when);
        let mut facts: Vec<&'static Fact> = Vec::new();
        for fact in
            conditions.chain(self.premises.iter().map(|premise| &premise.holds)).flat_map(Condition::facts)
        {
            if !facts.contains(&fact) {
                facts.push(fact);
            }
        }
        facts
    }
}
