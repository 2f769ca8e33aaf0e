//! Who may do what, as policies in Cedar: shipped readable, changed by the team, and checked against a schema before they
//! are in force.
//!
//! - [`Policies`] are read from texts and answer a [`Question`] with a [`Decision`].
//! - [`BOUNDARIES`] keep tenants apart whatever a team writes; [`ROLES`] are there from the start; [`SCHEMA`] says what
//!   policies can speak of, and [`EXAMPLE`] is a team's file to begin from.
//! - [`PolicyError`] says where a text is wrong and what to do, and [`Warning`] what is doubtful about one that is in force.
//! - [`Policies::explain`] and [`Policies::matrix`] are for people.
//!
//! Nothing is allowed that no policy permits, a policy that forbids wins over all that permit, and a policy that cannot be
//! evaluated denies.

mod ask;
mod decision;
mod error;
mod explanation;
mod matrix;
mod policies;
mod question;
mod read;
mod reads;
mod scan;
mod situation;
mod warning;

#[cfg(test)]
mod tests;

pub use self::decision::{Cause, Decision, Effect, PolicyId};
pub use self::error::{Fault, PolicyError};
pub use self::explanation::Explanation;
pub use self::matrix::{Extent, Matrix, MatrixRow, Reach};
pub use self::policies::{BOUNDARIES, BUILTIN_ROLES, EXAMPLE, Policies, ROLES, SCHEMA};
pub use self::question::{Context, Environment, Principal, Question, Resource, ResourceKind, Via};
pub use self::read::Rule;
pub use self::warning::{Doubt, Warning};
