//! API keys in memory: the look-up that every request makes.
//!
//! A key is `msk_<id>_<secret>`: the id is public, the secret is 256 random bits. Stored is only SHA-256 of the secret: a
//! slow password hash protects guessable words, and there is nothing to guess in 256 random bits. Revocation takes
//! effect when [`KeyTable::replace`] returns.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use mainstay_domain::identity::Via;
use mainstay_domain::{
    Allotment, Caller, KeyId, Permission, RoleName, TenantId, TierName, Timestamp, UserId,
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::residency::WrongRegion;
use crate::tokens::TokenError;

/// All keys, as the requests see them.
#[derive(Default, Debug)]
pub struct KeyTable {
    entries: RwLock<HashMap<KeyId, Arc<KeyEntry>>>,
}

/// What is known of a key.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyEntry {
    /// Its public id.
    pub id: KeyId,
    /// SHA-256 of its secret.
    pub secret_hash: [u8; 32],
    /// Whose data it opens.
    pub tenant: TenantId,
    /// What its holders are, as policies name it.
    pub role: RoleName,
    /// The permissions that it is narrowed to, whatever the role may.
    pub only: Option<Arc<[Permission]>>,
    /// Whose it is, where it belongs to somebody.
    pub owner: Option<UserId>,
    /// Whether a process gave it to itself.
    pub transient: bool,
    /// How its holders are served, where it says.
    pub tier: Option<TierName>,
    /// From when on it is worthless.
    pub expires_at: Option<Timestamp>,
    /// Whether it was made worthless.
    pub revoked: bool,
}

impl KeyEntry {
    /// Whether it is worth anything now.
    fn state(&self, now: Timestamp) -> Result<(), IdentityError> {
        if self.revoked {
            return Err(IdentityError::Revoked);
        }
        if self.expires_at.is_some_and(|expiry| expiry <= now) {
            return Err(IdentityError::Expired);
        }
        Ok(())
    }
}

/// Not even a hash goes into a log.
impl fmt::Debug for KeyEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyEntry").field("id", &self.id).field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

/// Why nobody could be identified. Says nothing that helps to guess.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IdentityError {
    /// No key was shown.
    #[error("no API key: send \"Authorization: Bearer msk_…\" or \"x-api-key: msk_…\"")]
    Missing,
    /// The key is not one of ours.
    #[error("the API key is not valid; `mainstay keys list` shows the keys that exist")]
    Invalid,
    /// The key was revoked.
    #[error("the API key was revoked; make another with `mainstay keys create`")]
    Revoked,
    /// The key has expired.
    #[error("the API key has expired; make another with `mainstay keys create`")]
    Expired,
    /// The tenant of the credential does not exist, or not any more.
    #[error("the tenant of this credential does not exist here; `mainstay tenants list` shows those that do")]
    UnknownTenant,
    /// The tenant of the credential is not served.
    #[error("the tenant of this credential is suspended; whoever operates this Mainstay can lift that")]
    SuspendedTenant,
    /// The token is not one of an identity provider of ours, or not good.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The data of the caller belongs to another region.
    #[error(transparent)]
    WrongRegion(Box<WrongRegion>),
}

impl IdentityError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "missing_api_key",
            Self::Invalid => "invalid_api_key",
            Self::Revoked => "revoked_api_key",
            Self::Expired => "expired_api_key",
            Self::UnknownTenant => "unknown_tenant",
            Self::SuspendedTenant => "suspended_tenant",
            Self::Token(error) => error.code(),
            Self::WrongRegion(_) => "wrong_region",
        }
    }
}

/// What stands before a key.
const PREFIX: &str = "msk_";

impl KeyTable {
    /// A table of these keys.
    pub fn new(entries: impl IntoIterator<Item = KeyEntry>) -> Self {
        let table = Self::default();
        table.replace(entries);
        table
    }

    /// From now on, these are the keys.
    pub fn replace(&self, entries: impl IntoIterator<Item = KeyEntry>) {
        let entries = entries.into_iter().map(|entry| (entry.id.clone(), Arc::new(entry))).collect();
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = entries;
    }

    /// From now on, this key is among them.
    pub fn put(&self, entry: KeyEntry) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.insert(entry.id.clone(), Arc::new(entry));
    }

    /// From now on, the key is as `change` leaves it, if it is one of them.
    pub fn change(&self, id: &KeyId, change: impl FnOnce(&mut KeyEntry)) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(id) {
            change(Arc::make_mut(entry));
        }
    }

    /// Whether the key is valid now.
    pub fn is_valid(&self, id: &KeyId, now: Timestamp) -> bool {
        self.find(id).is_some_and(|entry| entry.state(now).is_ok())
    }

    fn find(&self, id: &KeyId) -> Option<Arc<KeyEntry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Who shows this key. Whether a key was revoked or has expired is told only to who has its secret.
    pub fn identify(&self, presented: Option<&str>, now: Timestamp) -> Result<Caller, IdentityError> {
        let presented = presented.filter(|key| !key.is_empty()).ok_or(IdentityError::Missing)?;
        let (id, secret) = split(presented).ok_or(IdentityError::Invalid)?;
        let entry = self.find(&id).ok_or(IdentityError::Invalid)?;
        if !bool::from(hash(secret).ct_eq(&entry.secret_hash)) {
            return Err(IdentityError::Invalid);
        }
        entry.state(now)?;
        Ok(Caller {
            tenant: entry.tenant.clone(),
            key: entry.id.clone(),
            user: entry.owner.clone(),
            roles: Arc::new([entry.role.clone()]),
            only: entry.only.clone(),
            tier: entry.tier.clone(),
            allotment: Allotment::default(),
            region: None,
            models: None,
            keeps_content: false,
            via: if entry.transient { Via::Process } else { Via::Key },
            expires_at: None,
            token: None,
        })
    }
}

/// The id and the secret of a key.
pub(crate) fn split(key: &str) -> Option<(KeyId, &str)> {
    let (id, secret) = key.strip_prefix(PREFIX)?.split_once('_')?;
    Some((KeyId::new(id), secret))
}

/// A key as its holder shows it.
pub(crate) fn text_of(id: &KeyId, secret: &str) -> String {
    format!("{PREFIX}{id}_{secret}")
}

pub(crate) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(expires_at: Option<Timestamp>, revoked: bool) -> KeyTable {
        KeyTable::new([KeyEntry {
            id: KeyId::new("abc"),
            secret_hash: hash("s3cret"),
            tenant: TenantId::new("acme"),
            role: "ingester".into(),
            only: None,
            owner: None,
            transient: false,
            tier: None,
            expires_at,
            revoked,
        }])
    }

    #[test]
    fn the_holder_of_the_secret_is_identified() {
        let caller = table(None, false).identify(Some("msk_abc_s3cret"), Timestamp::default()).unwrap();
        assert_eq!(
            (caller.tenant, &*caller.roles),
            (TenantId::new("acme"), &[RoleName::new("ingester")][..])
        );
    }

    #[test]
    fn everything_else_is_refused_for_its_reason() {
        let now = Timestamp::from_micros(10);
        let table_of = |expires, revoked| table(expires, revoked);
        for (table, key, error) in [
            (table_of(None, false), None, IdentityError::Missing),
            (table_of(None, false), Some(""), IdentityError::Missing),
            (table_of(None, false), Some("abc_s3cret"), IdentityError::Invalid),
            (table_of(None, false), Some("msk_abc"), IdentityError::Invalid),
            (table_of(None, false), Some("msk_abc_"), IdentityError::Invalid),
            (table_of(None, false), Some("msk_abc_s3cre"), IdentityError::Invalid),
            (table_of(None, false), Some("msk_abd_s3cret"), IdentityError::Invalid),
            (table_of(Some(now), false), Some("msk_abc_s3cret"), IdentityError::Expired),
            (table_of(None, true), Some("msk_abc_s3cret"), IdentityError::Revoked),
            (table_of(None, true), Some("msk_abc_wrong"), IdentityError::Invalid),
        ] {
            assert_eq!(table.identify(key, now), Err(error), "{key:?}");
        }
    }

    #[test]
    fn a_replaced_table_counts_at_once() {
        let table = table(None, false);
        table.replace([]);
        assert_eq!(table.identify(Some("msk_abc_s3cret"), Timestamp::default()), Err(IdentityError::Invalid));
    }
}
