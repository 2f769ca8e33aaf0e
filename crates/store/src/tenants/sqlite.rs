//! Tenants in SQLite.

use async_trait::async_trait;
use mainstay_domain::{TenantId, Timestamp};
use sqlx::sqlite::SqliteRow;

use super::{Audience, TenantRecord, TenantState, TenantStore};
use crate::error::StorageError;
use crate::sqlite::{Database, column};

/// The tenants of a data folder.
#[derive(Clone, Debug)]
pub struct SqliteTenants {
    database: Database,
}

impl SqliteTenants {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl TenantStore for SqliteTenants {
    async fn all(&self) -> Result<Vec<TenantRecord>, StorageError> {
        let rows = sqlx::query(
            "SELECT tenant, name, audience, state, settings, created_at, changed_at FROM tenants ORDER BY tenant",
        )
        .fetch_all(&mut *self.database.read().await?)
        .await?;
        rows.iter().map(record_of).collect()
    }

    async fn insert(&self, tenant: &TenantRecord) -> Result<bool, StorageError> {
        let sql = "INSERT INTO tenants (tenant, name, audience, state, settings, created_at, changed_at) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant) DO NOTHING";
        self.write(sql, tenant).await
    }

    async fn replace(&self, tenant: &TenantRecord) -> Result<bool, StorageError> {
        let sql = "UPDATE tenants SET name = $2, audience = $3, state = $4, settings = $5, changed_at = $7 \
                   WHERE tenant = $1 AND $6 IS NOT NULL";
        self.write(sql, tenant).await
    }
}

impl SqliteTenants {
    async fn write(&self, sql: &'static str, tenant: &TenantRecord) -> Result<bool, StorageError> {
        let settings = serde_json::to_string(&tenant.settings)
            .map_err(|_| StorageError::damaged("the settings of a tenant cannot be written"))?;
        let mut transaction = self.database.write().await?;
        let changed = sqlx::query(sql)
            .bind(tenant.id.as_str())
            .bind(tenant.name.as_str())
            .bind(tenant.audience.as_str())
            .bind(tenant.state.as_str())
            .bind(settings)
            .bind(tenant.created_at.as_micros())
            .bind(tenant.changed_at.as_micros())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(changed.rows_affected() > 0)
    }
}

fn record_of(row: &SqliteRow) -> Result<TenantRecord, StorageError> {
    let damaged = StorageError::damaged;
    Ok(TenantRecord {
        id: TenantId::new(column::<&str>(row, 0)?),
        name: column(row, 1)?,
        audience: Audience::from_name(column(row, 2)?)
            .ok_or_else(|| damaged("a tenant has no known audience"))?,
        state: TenantState::from_name(column(row, 3)?)
            .ok_or_else(|| damaged("a tenant has no known state"))?,
        settings: serde_json::from_str(column(row, 4)?)
            .map_err(|_| damaged("the settings of a tenant cannot be read"))?,
        created_at: Timestamp::from_micros(column(row, 5)?),
        changed_at: Timestamp::from_micros(column(row, 6)?),
    })
}
