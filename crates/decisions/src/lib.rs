//! The 48 architectural decisions of an AI product: what there is to choose from, which choice fits this spec and this
//! system's measurements, what would change it, and what would show that it no longer holds.
//!
//! A [`Card`] is data: options, rules over [`Fact`]s, premises. [`decide()`] applies one to a [`Situation`], which holds what is
//! known. Because rules are data, the reasons of a decision, what would change it and its thresholds' tests follow from
//! them and cannot say anything else than what was computed.
//!
//! Pure: reading the spec, the plan and a running system's metrics is the caller's part. [`measured`] understands the text of
//! a metrics endpoint.

mod card;
pub mod cards;
mod decide;
pub mod fact;
pub mod measured;

pub use card::{
    Apply, Card, Choice, Condition, Otherwise, Premise, Rule, Test, above, at_least, at_most, below, no, yes,
};
pub use decide::{Decision, Evidence, Flip, Standing, State, decide, standings};
pub use fact::{Fact, Known, Origin, Situation, Source, Unit};

#[cfg(test)]
mod tests;
