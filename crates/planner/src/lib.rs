//! From requirements to plan: pure functions over the spec.
//!
//! [`requirements`] are what the product must hold, as written in `mainstay.toml`; [`plan`](plan()) says what they come to.

mod plan;
pub mod requirements;

pub use mainstay_economics::ApiPrice;
pub use plan::{Contradiction, FASTEST_BURN, FleetPlan, Kind, Money, Plan, Scaling, Spec, USUAL_MODEL, plan};
