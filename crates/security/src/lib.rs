//! Identity: who calls, established from what they show and from nothing else, and whether they may.

pub mod access;
pub mod keys;
pub mod residency;
pub mod ring;
pub mod sessions;
pub mod tenants;
pub mod tokens;

#[cfg(feature = "testing")]
pub mod testing;

pub use access::{Access, Denied};
pub use keys::{IdentityError, KeyTable};
pub use residency::{Residency, WrongRegion};
pub use ring::{KeyOrder, KeyRing, KeyRingError, KeySummary, NewKey};
pub use sessions::Sessions;
pub use tenants::{TenantChange, TenantOrder, Tenants, TenantsError};
pub use tokens::{TokenError, TokenIdentity, TokenVerifier};
