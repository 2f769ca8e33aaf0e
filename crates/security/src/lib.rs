//! Identity: who calls, established from what they show and from nothing else.

pub mod keys;
pub mod ring;
pub mod sessions;

#[cfg(feature = "testing")]
pub mod testing;

pub use keys::{IdentityError, KeyTable};
pub use ring::{KeyOrder, KeyRing, KeyRingError, KeySummary, NewKey};
pub use sessions::Sessions;
