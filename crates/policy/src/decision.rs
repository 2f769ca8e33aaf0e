//! What policies answer, and why.

use std::fmt;
use std::sync::Arc;

/// The name of a policy: its `@id`, or where it stands if it has none (`team.cedar:12`).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyId(Arc<str>);

impl PolicyId {
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        Self(Arc::from(text.as_ref()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// What a policy does where it applies.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Effect {
    /// It lets the caller, unless another policy forbids it.
    Permit,
    /// It refuses, whatever others permit.
    Forbid,
}

/// A policy that applied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cause {
    /// Which policy.
    pub policy: PolicyId,
    /// What it does.
    pub effect: Effect,
    /// Its `@reason`, in the words of who wrote it; empty where it has none.
    pub reason: Arc<str>,
}

/// The answer to a question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// Whether the caller may.
    pub allowed: bool,
    /// The policies that decided it, in the order in which they stand: those that permit it where it is allowed, those
    /// that forbid it where it is not. Empty where nothing permits it.
    pub because: Vec<Cause>,
    /// Policies that could not be evaluated, such as an addition that overflows. One is enough to deny: it could have
    /// been the one that forbids.
    pub errors: Vec<String>,
}
