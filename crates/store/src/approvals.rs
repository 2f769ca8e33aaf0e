//! Changes that need a second person: who asked for what, and whether somebody else agreed.

use mainstay_domain::{Permission, TenantId, Timestamp};
use sqlx::sqlite::SqliteRow;

use crate::error::StorageError;
use crate::sqlite::{Database, column};

/// A change that waits for a second person, or that one has decided on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Approval {
    /// Its id.
    pub id: String,
    /// Whose things would change.
    pub tenant: TenantId,
    /// What was asked for.
    pub permission: Permission,
    /// SHA-256 of what exactly is to be done: an approval is good for nothing else.
    pub digest: [u8; 32],
    /// What is to be done, for who decides.
    pub summary: String,
    /// Who asked.
    pub asked_by: String,
    /// When.
    pub asked_at: Timestamp,
    /// From when on it is good for nothing.
    pub expires_at: Timestamp,
    /// Who decided, when, and whether they agreed.
    pub decision: Option<Decision>,
    /// When the change was made.
    pub used_at: Option<Timestamp>,
}

/// A second person's decision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// Who decided.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Whether they agreed.
    pub approved: bool,
}

/// The approvals of a data folder.
#[derive(Clone, Debug)]
pub struct SqliteApprovals {
    database: Database,
}

const COLUMNS: &str = "SELECT approval, tenant, permission, digest, summary, asked_by, asked_at, expires_at, decided_by, \
                       decided_at, approved, used_at FROM approvals ";

impl SqliteApprovals {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }

    /// Adds a change that waits.
    pub async fn ask(&self, approval: &Approval) -> Result<(), StorageError> {
        let mut transaction = self.database.write().await?;
        sqlx::query(
            "INSERT INTO approvals (approval, tenant, permission, digest, summary, asked_by, asked_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(approval.id.as_str())
        .bind(approval.tenant.as_str())
        .bind(approval.permission.as_str())
        .bind(approval.digest.as_slice())
        .bind(approval.summary.as_str())
        .bind(approval.asked_by.as_str())
        .bind(approval.asked_at.as_micros())
        .bind(approval.expires_at.as_micros())
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// The change of that id.
    pub async fn find(&self, tenant: &TenantId, id: &str) -> Result<Option<Approval>, StorageError> {
        let sql = crate::sqlite::built_sql(format!("{COLUMNS} WHERE tenant = $1 AND approval = $2"));
        let row = sqlx::query(sql)
            .bind(tenant.as_str())
            .bind(id)
            .fetch_optional(&mut *self.database.read().await?)
            .await?;
        row.as_ref().map(approval_of).transpose()
    }

    /// The changes of a tenant, newest first, at most `limit`.
    pub async fn list(&self, tenant: &TenantId, limit: u32) -> Result<Vec<Approval>, StorageError> {
        let sql = crate::sqlite::built_sql(format!(
            "{COLUMNS} WHERE tenant = $1 ORDER BY asked_at DESC, approval LIMIT $2"
        ));
        let rows = sqlx::query(sql)
            .bind(tenant.as_str())
            .bind(limit)
            .fetch_all(&mut *self.database.read().await?)
            .await?;
        rows.iter().map(approval_of).collect()
    }

    /// Decides on a change that nobody has decided on. `false` where somebody has.
    pub async fn decide(
        &self,
        tenant: &TenantId,
        id: &str,
        decision: &Decision,
    ) -> Result<bool, StorageError> {
        let mut transaction = self.database.write().await?;
        let changed = sqlx::query(
            "UPDATE approvals SET decided_by = $3, decided_at = $4, approved = $5 \
             WHERE tenant = $1 AND approval = $2 AND decided_at IS NULL",
        )
        .bind(tenant.as_str())
        .bind(id)
        .bind(decision.by.as_str())
        .bind(decision.at.as_micros())
        .bind(decision.approved)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(changed.rows_affected() > 0)
    }

    /// Uses an approval up: of several that try at once, one succeeds.
    pub async fn spend(&self, tenant: &TenantId, id: &str, at: Timestamp) -> Result<bool, StorageError> {
        let mut transaction = self.database.write().await?;
        let changed = sqlx::query(
            "UPDATE approvals SET used_at = $3 \
             WHERE tenant = $1 AND approval = $2 AND approved = 1 AND used_at IS NULL AND expires_at > $3",
        )
        .bind(tenant.as_str())
        .bind(id)
        .bind(at.as_micros())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(changed.rows_affected() > 0)
    }
}

fn approval_of(row: &SqliteRow) -> Result<Approval, StorageError> {
    let digest: &[u8] = column(row, 3)?;
    let decision = match (column::<Option<String>>(row, 8)?, column(row, 9)?, column(row, 10)?) {
        (Some(by), Some(at), Some(approved)) => {
            Some(Decision { by, at: Timestamp::from_micros(at), approved })
        }
        _ => None,
    };
    Ok(Approval {
        id: column(row, 0)?,
        tenant: TenantId::new(column::<&str>(row, 1)?),
        permission: Permission::from_name(column(row, 2)?)
            .ok_or_else(|| StorageError::damaged("an approval is of no known permission"))?,
        digest: digest.try_into().map_err(|_| StorageError::damaged("a digest has not 32 bytes"))?,
        summary: column(row, 4)?,
        asked_by: column(row, 5)?,
        asked_at: Timestamp::from_micros(column(row, 6)?),
        expires_at: Timestamp::from_micros(column(row, 7)?),
        decision,
        used_at: column::<Option<i64>>(row, 11)?.map(Timestamp::from_micros),
    })
}
