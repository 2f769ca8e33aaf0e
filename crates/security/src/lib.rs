//! Identity: who calls, established from what they show and from nothing else, and whether they may.

pub mod access;
pub mod keys;
pub mod logins;
pub mod residency;
pub mod revocations;
pub mod ring;
pub mod sessions;
pub mod tenants;
pub mod tokens;

#[cfg(feature = "testing")]
pub mod testing;

pub use access::{Access, Denied, Tokens};
pub use keys::{IdentityError, KeyTable};
pub use logins::{LoginError, LoginSettings, Logins};
pub use residency::{Residency, WrongRegion};
pub use revocations::Revocations;
pub use ring::{KeyOrder, KeyRing, KeyRingError, KeySummary, NewKey};
pub use sessions::Sessions;
pub use tenants::{TenantChange, TenantOrder, Tenants, TenantsError};
pub use tokens::{TokenError, TokenIdentity, TokenVerifier};
