//! How far erasures have come, and what must not be erased.

use mainstay_domain::{TenantId, Timestamp};
use serde_json::Value;
use sqlx::sqlite::SqliteRow;

use super::SqliteErasures;
use crate::error::StorageError;
use crate::sqlite::{column, json};

/// An erasure.
#[derive(Clone, PartialEq, Debug)]
pub struct ErasureJob {
    /// Its id.
    pub id: String,
    /// Of whose data.
    pub tenant: TenantId,
    /// What is to be erased, in the words of who erases; forgotten when it is done.
    pub subject: Option<Value>,
    /// The credential by which it was asked for.
    pub requested_by: String,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// What was done so far, in the words of who erases.
    pub steps: Value,
    /// When it was done.
    pub finished_at: Option<Timestamp>,
    /// What proves that it was done.
    pub certificate: Option<Value>,
}

/// Something that must not be erased.
#[derive(Clone, PartialEq, Debug)]
pub struct LegalHold {
    /// Its id.
    pub id: String,
    /// Of whose data.
    pub tenant: TenantId,
    /// What must not be erased, in the words of who erases.
    pub subject: Value,
    /// Why.
    pub reason: String,
    /// The credential by which it was placed.
    pub placed_by: String,
    /// When it was placed.
    pub placed_at: Timestamp,
}

const JOB_COLUMNS: &str = "SELECT erasure, tenant, subject, requested_by, requested_at, steps, finished_at, certificate FROM erasures ";

impl SqliteErasures {
    /// Writes an erasure, or how far it has come.
    pub async fn save(&self, job: &ErasureJob) -> Result<(), StorageError> {
        let mut transaction = self.database.write().await?;
        sqlx::query(
            "INSERT INTO erasures (erasure, tenant, subject, requested_by, requested_at, steps, finished_at, certificate) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (erasure) DO UPDATE SET subject = excluded.subject, \
             steps = excluded.steps, finished_at = excluded.finished_at, certificate = excluded.certificate",
        )
        .bind(job.id.as_str())
        .bind(job.tenant.as_str())
        .bind(job.subject.as_ref().map(Value::to_string))
        .bind(job.requested_by.as_str())
        .bind(job.requested_at.as_micros())
        .bind(job.steps.to_string())
        .bind(job.finished_at.map(Timestamp::as_micros))
        .bind(job.certificate.as_ref().map(Value::to_string))
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Erasures that are not done, oldest first.
    pub async fn unfinished(&self) -> Result<Vec<ErasureJob>, StorageError> {
        let sql = crate::sqlite::built_sql(format!(
            "{JOB_COLUMNS} WHERE finished_at IS NULL ORDER BY requested_at, erasure"
        ));
        let rows = sqlx::query(sql).fetch_all(&mut *self.database.read().await?).await?;
        rows.iter().map(job_of).collect()
    }

    /// The erasures of a tenant's data, newest first, at most `limit`.
    pub async fn of_tenant(&self, tenant: &TenantId, limit: u32) -> Result<Vec<ErasureJob>, StorageError> {
        let sql = crate::sqlite::built_sql(format!(
            "{JOB_COLUMNS} WHERE tenant = $1 ORDER BY requested_at DESC, erasure LIMIT $2"
        ));
        let rows = sqlx::query(sql)
            .bind(tenant.as_str())
            .bind(limit)
            .fetch_all(&mut *self.database.read().await?)
            .await?;
        rows.iter().map(job_of).collect()
    }

    /// Places a hold.
    pub async fn hold(&self, hold: &LegalHold) -> Result<(), StorageError> {
        let mut transaction = self.database.write().await?;
        sqlx::query(
            "INSERT INTO legal_holds (hold, tenant, subject, reason, placed_by, placed_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(hold.id.as_str())
        .bind(hold.tenant.as_str())
        .bind(hold.subject.to_string())
        .bind(hold.reason.as_str())
        .bind(hold.placed_by.as_str())
        .bind(hold.placed_at.as_micros())
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Lifts a hold. `false` where the tenant has none of that id.
    pub async fn lift(&self, tenant: &TenantId, hold: &str) -> Result<bool, StorageError> {
        let mut transaction = self.database.write().await?;
        let deleted = sqlx::query("DELETE FROM legal_holds WHERE tenant = $1 AND hold = $2")
            .bind(tenant.as_str())
            .bind(hold)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(deleted.rows_affected() > 0)
    }

    /// What must not be erased of a tenant's data.
    pub async fn holds(&self, tenant: &TenantId) -> Result<Vec<LegalHold>, StorageError> {
        let rows = sqlx::query(
            "SELECT hold, tenant, subject, reason, placed_by, placed_at FROM legal_holds WHERE tenant = $1 \
             ORDER BY placed_at, hold",
        )
        .bind(tenant.as_str())
        .fetch_all(&mut *self.database.read().await?)
        .await?;
        let hold_of = |row: &SqliteRow| {
            Ok(LegalHold {
                id: column(row, 0)?,
                tenant: TenantId::new(column::<&str>(row, 1)?),
                subject: json(row, 2)?,
                reason: column(row, 3)?,
                placed_by: column(row, 4)?,
                placed_at: Timestamp::from_micros(column(row, 5)?),
            })
        };
        rows.iter().map(hold_of).collect()
    }
}

fn job_of(row: &SqliteRow) -> Result<ErasureJob, StorageError> {
    let parsed = |text: Option<&str>| {
        let read =
            |text| serde_json::from_str(text).map_err(|_| StorageError::damaged("an erasure is no JSON"));
        text.map(read).transpose()
    };
    Ok(ErasureJob {
        id: column(row, 0)?,
        tenant: TenantId::new(column::<&str>(row, 1)?),
        subject: parsed(column(row, 2)?)?,
        requested_by: column(row, 3)?,
        requested_at: Timestamp::from_micros(column(row, 4)?),
        steps: json(row, 5)?,
        finished_at: column::<Option<i64>>(row, 6)?.map(Timestamp::from_micros),
        certificate: parsed(column(row, 7)?)?,
    })
}
