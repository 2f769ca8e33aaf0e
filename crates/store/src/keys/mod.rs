//! API keys as they are kept: without their secrets.
//!
//! Requests do not ask here: `mainstay-security` holds the keys in memory and writes every change through.

use mainstay_domain::identity::Scope;
use mainstay_domain::{KeyId, TenantId, Timestamp};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::error::StorageError;
use crate::sqlite::Database;

/// A key.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its public id.
    pub id: KeyId,
    /// Whose data it opens.
    pub tenant: TenantId,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// SHA-256 of its secret.
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

/// The keys of a data folder.
#[derive(Clone, Debug)]
pub struct SqliteKeys {
    database: Database,
}

impl SqliteKeys {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Every key of every tenant, for the table in memory.
    pub async fn all(&self) -> Result<Vec<KeyRecord>, StorageError> {
        let mut connection = self.database.read().await?;
        let rows = sqlx::query("SELECT * FROM api_keys ORDER BY created_at, key_id")
            .fetch_all(&mut *connection)
            .await?;
        rows.iter().map(record).collect()
    }

    /// Adds a key. An id that exists is an error: ids are random.
    pub async fn insert(&self, key: &KeyRecord) -> Result<(), StorageError> {
        let mut transaction = self.database.write().await?;
        let sql =
            "INSERT INTO api_keys (key_id, tenant, name, scope, hash, created_at, expires_at, revoked_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        sqlx::query(sql)
            .bind(key.id.as_str())
            .bind(key.tenant.as_str())
            .bind(key.name.as_str())
            .bind(key.scope.as_str())
            .bind(&key.secret_hash[..])
            .bind(key.created_at.as_micros())
            .bind(key.expires_at.map(Timestamp::as_micros))
            .bind(key.revoked_at.map(Timestamp::as_micros))
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Lets a key of the tenant end at `at` at the latest. `false` when the tenant has no such key.
    pub async fn expire(&self, tenant: &TenantId, id: &KeyId, at: Timestamp) -> Result<bool, StorageError> {
        let sql = "UPDATE api_keys SET expires_at = MIN(COALESCE(expires_at, $1), $1) WHERE tenant = $2 AND key_id = $3";
        self.change(sql, at, tenant, id).await
    }

    /// Makes a key of the tenant worthless. `false` when the tenant has no such key.
    pub async fn revoke(&self, tenant: &TenantId, id: &KeyId, at: Timestamp) -> Result<bool, StorageError> {
        let sql =
            "UPDATE api_keys SET revoked_at = COALESCE(revoked_at, $1) WHERE tenant = $2 AND key_id = $3";
        self.change(sql, at, tenant, id).await
    }

    async fn change(
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

fn record(row: &SqliteRow) -> Result<KeyRecord, StorageError> {
    let time = |column: &str| row.get::<Option<i64>, _>(column).map(Timestamp::from_micros);
    let hash: &[u8] = row.get("hash");
    Ok(KeyRecord {
        id: KeyId::new(row.get::<&str, _>("key_id")),
        tenant: TenantId::new(row.get::<&str, _>("tenant")),
        name: row.get("name"),
        scope: Scope::from_name(row.get("scope"))
            .ok_or_else(|| StorageError::damaged("the scope of an API key"))?,
        secret_hash: hash.try_into().map_err(|_| StorageError::damaged("the hash of an API key"))?,
        created_at: Timestamp::from_micros(row.get("created_at")),
        expires_at: time("expires_at"),
        revoked_at: time("revoked_at"),
    })
}
