//! What tests need and the product does not: stand-ins for model providers that speak the real wire formats.
//!
//! Nothing here uses `mainstay-wire`: the formats are written a second time, from the providers' own documentation, so
//! that a mistake in one is not hidden by the same mistake in the other.

pub mod stand_in;

pub use stand_in::{Fault, StandIn};
