//! Facts: what rules ask about, where each comes from, and what is known of them here.

mod shared;

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::measured::Reading;

pub use mainstay_formula::Unit;
pub use shared::*;

/// Something that rules ask about: a number or a yes.
#[derive(Debug)]
pub struct Fact {
    /// Its name in `[facts]` of `mainstay.toml`, in reports and JSON. Small letters, digits and underscores.
    pub id: &'static str,
    /// What the number counts.
    pub unit: Unit,
    /// What it is, as the end of "how much is …" or "whether …": for reports and for those who are asked.
    pub what: &'static str,
    /// Where it comes from, the best source first. Whatever a team writes in `[facts]` beats them all but a measurement.
    pub from: &'static [Source],
}

impl PartialEq for Fact {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Fact {}

/// Where a fact can come from.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Source {
    /// A running system's metrics endpoint.
    Measured(Reading),
    /// A key of `mainstay.toml`, or what follows from it at once.
    Spec(&'static str),
    /// Whether a key of `mainstay.toml` has this word.
    SpecIs(&'static str, &'static str),
    /// A number of the plan, by its name in `mainstay plan --explain`.
    Plan(&'static str),
    /// The team alone knows it, or measures it with what is named here.
    Told(&'static str),
}

/// Where a known value came from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// From a running system.
    Measured,
    /// From `[facts]`.
    Told,
    /// From `mainstay.toml`.
    Spec,
    /// From the plan.
    Plan,
}

/// A value and where it came from.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Known {
    /// The value in the fact's unit.
    pub value: f64,
    /// Where it came from.
    pub origin: Origin,
}

/// What is known about a product and its system. A fact that is not in it is unknown: no condition on it is met.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Situation {
    known: BTreeMap<&'static str, Known>,
}

impl Situation {
    /// Nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Learns a value, unless a better origin has said another: measured beats told beats spec beats plan. What is no finite
    /// number is nothing that anybody knows.
    pub fn learn(&mut self, fact: &Fact, value: f64, origin: Origin) {
        if value.is_finite() && self.known.get(fact.id).is_none_or(|known| origin <= known.origin) {
            self.known.insert(fact.id, Known { value, origin });
        }
    }

    /// Learns a yes or a no.
    pub fn learn_whether(&mut self, fact: &Fact, yes: bool, origin: Origin) {
        self.learn(fact, f64::from(u8::from(yes)), origin);
    }

    /// What is known of a fact.
    pub fn get(&self, fact: &Fact) -> Option<Known> {
        self.known.get(fact.id).copied()
    }

    /// The value of a fact, where it is known.
    pub fn value(&self, fact: &Fact) -> Option<f64> {
        self.get(fact).map(|known| known.value)
    }
}

impl Origin {
    /// In a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Told => "told",
            Self::Spec => "spec",
            Self::Plan => "plan",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Measured(reading) => write!(f, "measured: {reading}"),
            Self::Spec(key) => write!(f, "mainstay.toml: {key}"),
            Self::SpecIs(key, word) => write!(f, "mainstay.toml: {key} = {word:?}"),
            Self::Plan(number) => write!(f, "the plan: {number}"),
            Self::Told(how) => write!(f, "told in [facts]: {how}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_better_origin_is_not_overwritten_by_a_worse() {
        let mut situation = Situation::new();
        situation.learn(DOCUMENTS, 10.0, Origin::Told);
        situation.learn(DOCUMENTS, 20.0, Origin::Plan);
        assert_eq!(situation.value(DOCUMENTS), Some(10.0));
        situation.learn(DOCUMENTS, 30.0, Origin::Measured);
        situation.learn(DOCUMENTS, f64::NAN, Origin::Measured);
        assert_eq!(situation.get(DOCUMENTS), Some(Known { value: 30.0, origin: Origin::Measured }));
    }
}
