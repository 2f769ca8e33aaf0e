//! From requirements to plan: pure functions over the spec.
//!
//! [`requirements`] are what the product must hold, as written in `mainstay.toml`.

pub mod requirements;
