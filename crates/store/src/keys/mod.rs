//! API keys as they are kept: without their secrets.
//!
//! Requests do not ask here: `mainstay-security` makes the keys, holds them in memory and writes every change through,
//! so that a request costs no statement.

mod sqlite;

use async_trait::async_trait;
use mainstay_domain::{KeyId, Permission, RoleName, TenantId, TierName, Timestamp, UserId};

pub use self::sqlite::SqliteKeys;
use crate::error::StorageError;

/// A key.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its public id.
    pub id: KeyId,
    /// Whose data it opens.
    pub tenant: TenantId,
    /// What it is for.
    pub name: String,
    /// What its holders are, as policies name it.
    pub role: RoleName,
    /// The permissions that it is narrowed to, whatever the role may.
    pub only: Option<Vec<Permission>>,
    /// Whose it is, where it belongs to somebody.
    pub owner: Option<UserId>,
    /// How its holders are served, where it says.
    pub tier: Option<TierName>,
    /// SHA-256 of its secret. The secret is 256 random bits, so nobody finds it by trying, however fast the hash is; a
    /// slow hash protects what people choose, and would cost every request milliseconds.
    pub secret_hash: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is worthless.
    pub expires_at: Option<Timestamp>,
    /// When it was made worthless.
    pub revoked_at: Option<Timestamp>,
}

/// Not even a hash goes into a log.
impl std::fmt::Debug for KeyRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRecord")
            .field("id", &self.id)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

/// The keys of all tenants.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// Every key of every tenant, also expired and revoked ones, oldest first: for the table in memory.
    async fn all(&self) -> Result<Vec<KeyRecord>, StorageError>;

    /// Adds a key. An id that exists is an error: ids are random.
    async fn insert(&self, key: &KeyRecord) -> Result<(), StorageError>;

    /// Lets a key of the tenant end at `at` at the latest: an earlier end stays. `false` when the tenant has no such
    /// key.
    async fn expire(&self, tenant: &TenantId, id: &KeyId, at: Timestamp) -> Result<bool, StorageError>;

    /// Makes every key of a tenant, or of one of its users, worthless and forgets whose they were. How many there were.
    async fn revoke_all(
        &self,
        tenant: &TenantId,
        owner: Option<&UserId>,
        at: Timestamp,
    ) -> Result<u64, StorageError>;

    /// Makes a key of the tenant worthless; one that is so already keeps its moment. `false` when the tenant has no
    /// such key.
    async fn revoke(&self, tenant: &TenantId, id: &KeyId, at: Timestamp) -> Result<bool, StorageError>;

    /// Notes when keys were last used. Meant for now and then, not for every request; a moment earlier than the one
    /// that is known, or a key that does not exist, changes nothing.
    async fn note_use(&self, uses: &[(KeyId, Timestamp)]) -> Result<(), StorageError>;

    /// When the tenant's keys were last used, as far as noted; keys that never were are left out.
    async fn last_uses(&self, tenant: &TenantId) -> Result<Vec<(KeyId, Timestamp)>, StorageError>;
}
