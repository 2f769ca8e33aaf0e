//! Cheap models first: which model of a cascade a question starts at, whether an answer may leave or a stronger model is
//! asked, and whether all of that saves anything.
//!
//! - [`intents`] tells what kind of question it is: a linear model that is trained on the team's own labels.
//! - [`Router`] decides where a question starts: by rules, by its intent, by how sure that is, and higher where the same
//!   person asks the same again.
//! - [`Gate`] looks at an answer before it leaves.
//! - [`Guard`] counts what was escalated and passes over a model whose answers nearly all are.
//!
//! Nothing here calls a model: who does tells what came of it.

pub mod intents;

mod gate;
mod guard;
mod repeats;
mod router;

pub use gate::{Answered, Gate, GateSettings, Groundedness, Shortfall};
pub use guard::{Guard, GuardSettings};
pub use intents::IntentModel;
pub use repeats::{Previous, Repeats};
pub use router::{IntentRoute, Router, RouterSettings, Rule, Start, Why};
