//! From requirements to plan: pure functions over the spec.
//!
//! [`requirements`] are what the product must hold, as written in `mainstay.toml`; [`plan`](plan()) says what they come to.

mod plan;
pub mod requirements;

pub use plan::{Contradiction, FASTEST_BURN, Kind, Plan, Spec, plan};
