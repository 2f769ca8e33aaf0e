//! Keys for the tests of other crates.

use mainstay_domain::TenantId;

use crate::keys::{KeyEntry, hash, split};

/// The entry of a key that is given as its holder shows it; of the tenant `default`, never expiring.
///
/// # Panics
///
/// Where the text is no key.
pub fn entry(key: &str, role: &str) -> KeyEntry {
    let (id, secret) = split(key).expect("a key is written msk_<id>_<secret>");
    KeyEntry {
        id,
        secret_hash: hash(secret),
        tenant: TenantId::single(),
        role: role.into(),
        only: None,
        owner: None,
        transient: false,
        tier: None,
        expires_at: None,
        revoked: false,
    }
}
