//! Identity: who calls, established from what they show and from nothing else.

pub mod keys;

pub use keys::{IdentityError, KeyTable};
