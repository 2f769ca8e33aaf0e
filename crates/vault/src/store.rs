//! Where wrapped keys are kept.

use std::error::Error;
use std::fmt;

use async_trait::async_trait;
use mainstay_domain::{TenantId, Timestamp};

use crate::master::MasterKeyId;

/// A data key of a tenant as it is stored: worthless without the master key that wrapped it.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// Whose data it opens.
    pub tenant: TenantId,
    /// Which of the tenant's keys it is, from 1 on.
    pub version: u32,
    /// The master key that wrapped it.
    pub master: MasterKeyId,
    /// What the master key made of it; at most [`MasterKey::MAX_WRAPPED_BYTES`](crate::MasterKey::MAX_WRAPPED_BYTES).
    pub wrapped: Vec<u8>,
    /// When the data key was made.
    pub created_at: Timestamp,
}

/// Not even a wrapped key goes into a log.
impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrappedKey")
            .field("tenant", &self.tenant)
            .field("version", &self.version)
            .field("master", &self.master)
            .finish_non_exhaustive()
    }
}

/// What is known of the keys of a tenant.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StoredKeys {
    /// The keys that there are, oldest version first.
    pub keys: Vec<WrappedKey>,
    /// The newest version that was destroyed; 0 when none ever was.
    pub shredded_through: u32,
}

/// What was destroyed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Shredded {
    /// How many keys were deleted now.
    pub keys: u64,
    /// The newest version that ever was destroyed; 0 when the tenant never had a key.
    pub through: u32,
}

/// The wrapped keys of all tenants. `testing::key_store_keeps_its_contract` (feature `testing`) checks an
/// implementation.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// The keys of a tenant. A tenant that nobody knows has none, which is no error.
    async fn of_tenant(&self, tenant: &TenantId) -> Result<StoredKeys, KeyStoreError>;

    /// Every key of every tenant, by tenant and version.
    async fn all(&self) -> Result<Vec<WrappedKey>, KeyStoreError>;

    /// Adds a key, durably: data is sealed with it right after. [`KeyStoreError::Exists`] when the tenant has, or had
    /// before it was destroyed, a key of this version: a version never means two keys.
    async fn insert(&self, key: &WrappedKey) -> Result<(), KeyStoreError>;

    /// Puts another wrapping of the same key in the place of the one that `from` made. `false`, and nothing changes, when
    /// there is none by that master key any more: somebody else was quicker, or the key was destroyed, and must not come
    /// back.
    async fn rewrap(&self, key: &WrappedKey, from: &MasterKeyId) -> Result<bool, KeyStoreError>;

    /// Deletes all keys of the tenant and remembers, in the same transaction, the newest version that there was. Doing it
    /// again is no error and deletes nothing.
    ///
    /// The bytes must be gone when it returns, not only unlinked: SQLite needs `PRAGMA secure_delete = ON` on the writing
    /// connection, and afterwards `PRAGMA wal_checkpoint(TRUNCATE)` until it is not busy.
    async fn shred(&self, tenant: &TenantId) -> Result<Shredded, KeyStoreError>;
}

/// Why the key store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// The tenant has or had a key of this version.
    #[error("tenant {tenant:?} has or had a key of version {version}: read its keys again")]
    Exists {
        /// The tenant.
        tenant: TenantId,
        /// The version.
        version: u32,
    },
    /// The storage under it failed.
    #[error("the key store failed")]
    Storage(#[source] Box<dyn Error + Send + Sync>),
}
