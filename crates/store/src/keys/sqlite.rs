//! API keys in SQLite.

use async_trait::async_trait;
use mainstay_domain::{KeyId, Permission, RoleName, TenantId, TierName, Timestamp, UserId};
use sqlx::sqlite::SqliteRow;

use super::{KeyRecord, KeyStore};
use crate::error::StorageError;
use crate::sqlite::{Database, column, optional};

/// The API keys of a data folder.
#[derive(Clone, Debug)]
pub struct SqliteKeys {
    database: Database,
}

impl SqliteKeys {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }

    /// [`KeyStore::all`].
    pub async fn all(&self) -> Result<Vec<KeyRecord>, StorageError> {
        let rows = sqlx::query(
            "SELECT key_id, tenant, name, role, hash, created_at, expires_at, revoked_at, tier, only_permissions, owner \
             FROM api_keys \
             ORDER BY created_at, key_id",
        )
        .fetch_all(&mut *self.database.read().await?)
        .await?;
        rows.iter().map(record_of).collect()
    }

    /// [`KeyStore::insert`].
    pub async fn insert(&self, key: &KeyRecord) -> Result<(), StorageError> {
        let mut transaction = self.database.write().await?;
        sqlx::query(
            "INSERT INTO api_keys (key_id, tenant, name, role, hash, created_at, expires_at, revoked_at, \
             tier, only_permissions, owner) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(key.id.as_str())
        .bind(key.tenant.as_str())
        .bind(key.name.as_str())
        .bind(key.role.as_str())
        .bind(key.secret_hash.as_slice())
        .bind(key.created_at.as_micros())
        .bind(key.expires_at.map(Timestamp::as_micros))
        .bind(key.revoked_at.map(Timestamp::as_micros))
        .bind(key.tier.as_ref().map(TierName::as_str))
        .bind(key.only.as_deref().map(joined))
        .bind(key.owner.as_ref().map(UserId::as_str))
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// [`KeyStore::expire`].
    pub async fn expire(&self, tenant: &TenantId, id: &KeyId, at: Timestamp) -> Result<bool, StorageError> {
        let sql = "UPDATE api_keys SET expires_at = CASE WHEN expires_at < $1 THEN expires_at ELSE $1 END \
                   WHERE tenant = $2 AND key_id = $3";
        self.end(sql, at, tenant, id).await
    }

    /// [`KeyStore::revoke_all`].
    pub async fn revoke_all(
        &self,
        tenant: &TenantId,
        owner: Option<&UserId>,
        at: Timestamp,
    ) -> Result<u64, StorageError> {
        let mut transaction = self.database.write().await?;
        let changed = sqlx::query(
            "UPDATE api_keys SET revoked_at = coalesce(revoked_at, $1), owner = NULL, name = 'erased' \
             WHERE tenant = $2 AND ($3 IS NULL OR owner = $3)",
        )
        .bind(at.as_micros())
        .bind(tenant.as_str())
        .bind(owner.map(UserId::as_str))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(changed.rows_affected())
    }

    /// [`KeyStore::revoke`].
    pub async fn revoke(&self, tenant: &TenantId, id: &KeyId, at: Timestamp) -> Result<bool, StorageError> {
        let sql =
            "UPDATE api_keys SET revoked_at = coalesce(revoked_at, $1) WHERE tenant = $2 AND key_id = $3";
        self.end(sql, at, tenant, id).await
    }

    async fn end(
        &self,
        sql: &'static str,
        at: Timestamp,
        tenant: &TenantId,
        id: &KeyId,
    ) -> Result<bool, StorageError> {
        let mut transaction = self.database.write().await?;
        let changed = sqlx::query(sql)
            .bind(at.as_micros())
            .bind(tenant.as_str())
            .bind(id.as_str())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(changed.rows_affected() > 0)
    }
}

#[async_trait]
impl KeyStore for SqliteKeys {
    async fn all(&self) -> Result<Vec<KeyRecord>, StorageError> {
        self.all().await
    }

    async fn insert(&self, key: &KeyRecord) -> Result<(), StorageError> {
        self.insert(key).await
    }

    async fn expire(&self, tenant: &TenantId, id: &KeyId, at: Timestamp) -> Result<bool, StorageError> {
        self.expire(tenant, id, at).await
    }

    async fn revoke(&self, tenant: &TenantId, id: &KeyId, at: Timestamp) -> Result<bool, StorageError> {
        self.revoke(tenant, id, at).await
    }

    async fn revoke_all(
        &self,
        tenant: &TenantId,
        owner: Option<&UserId>,
        at: Timestamp,
    ) -> Result<u64, StorageError> {
        self.revoke_all(tenant, owner, at).await
    }

    async fn note_use(&self, uses: &[(KeyId, Timestamp)]) -> Result<(), StorageError> {
        let mut transaction = self.database.write().await?;
        for (id, at) in uses {
            sqlx::query(
                "UPDATE api_keys SET last_used_at = $1 \
                 WHERE key_id = $2 AND (last_used_at IS NULL OR last_used_at < $1)",
            )
            .bind(at.as_micros())
            .bind(id.as_str())
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn last_uses(&self, tenant: &TenantId) -> Result<Vec<(KeyId, Timestamp)>, StorageError> {
        let rows = sqlx::query(
            "SELECT key_id, last_used_at FROM api_keys \
             WHERE tenant = $1 AND last_used_at IS NOT NULL ORDER BY key_id",
        )
        .bind(tenant.as_str())
        .fetch_all(&mut *self.database.read().await?)
        .await?;
        let use_of = |row: &SqliteRow| {
            Ok((KeyId::new(column::<&str>(row, 0)?), Timestamp::from_micros(column(row, 1)?)))
        };
        rows.iter().map(use_of).collect()
    }
}

/// Permissions as they stand in a column.
fn joined(permissions: &[Permission]) -> String {
    permissions.iter().map(|permission| permission.as_str()).collect::<Vec<_>>().join(" ")
}

fn split(text: &str) -> Result<Vec<Permission>, StorageError> {
    let known = |name| {
        // A permission that is no more must not widen the key.
        Permission::from_name(name)
            .ok_or_else(|| StorageError::damaged("an API key has an unknown permission"))
    };
    text.split_whitespace().map(known).collect()
}

fn record_of(row: &SqliteRow) -> Result<KeyRecord, StorageError> {
    let moment =
        |index| Ok::<_, StorageError>(column::<Option<i64>>(row, index)?.map(Timestamp::from_micros));
    let hash: &[u8] = column(row, 4)?;
    Ok(KeyRecord {
        id: KeyId::new(column::<&str>(row, 0)?),
        tenant: TenantId::new(column::<&str>(row, 1)?),
        name: column(row, 2)?,
        role: RoleName::new(column::<&str>(row, 3)?),
        only: column::<Option<&str>>(row, 9)?.map(split).transpose()?,
        owner: optional(row, 10)?,
        secret_hash: hash
            .try_into()
            .map_err(|_| StorageError::damaged("the hash of an API key has not 32 bytes"))?,
        created_at: Timestamp::from_micros(column(row, 5)?),
        expires_at: moment(6)?,
        revoked_at: moment(7)?,
        tier: optional(row, 8)?,
    })
}
