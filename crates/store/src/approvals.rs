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

/// What became of a change that somebody asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Asked {
    /// It waits for a second person under this id: its own, or that of the same one, which waited already.
    Waits(String),
    /// Too much waits already that the same person asked for.
    TooMany,
}

/// Changes that wait of one person's; a summary of each is kept.
pub const MOST_WAITING: u32 = 100;

const COLUMNS: &str = "SELECT approval, tenant, permission, digest, summary, asked_by, asked_at, expires_at, decided_by, \
                       decided_at, approved, used_at FROM approvals ";

impl SqliteApprovals {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }

    /// Adds a change that waits, unless the same person waits for the same one, or for [`MOST_WAITING`] others.
    pub async fn ask(&self, approval: &Approval) -> Result<Asked, StorageError> {
        let mut transaction = self.database.write().await?;
        let waiting = sqlx::query(
            "SELECT approval, digest FROM approvals \
             WHERE tenant = $1 AND asked_by = $2 AND decided_at IS NULL AND expires_at > $3",
        )
        .bind(approval.tenant.as_str())
        .bind(approval.asked_by.as_str())
        .bind(approval.asked_at.as_micros())
        .fetch_all(&mut *transaction)
        .await?;
        for row in &waiting {
            if column::<&[u8]>(row, 1)? == approval.digest {
                return Ok(Asked::Waits(column(row, 0)?));
            }
        }
        if waiting.len() >= MOST_WAITING as usize {
            return Ok(Asked::TooMany);
        }
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
        transaction.commit().await?;
        Ok(Asked::Waits(approval.id.clone()))
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

#[cfg(test)]
mod tests {
    use mainstay_domain::Clock;

    use super::*;
    use crate::{DataDir, EmbeddedStore};

    /// A change that `who` asks for at `second`, told apart by `number`.
    fn change(who: &str, number: u8, second: i64) -> Approval {
        Approval {
            id: format!("apr_{who}_{number}_{second}"),
            tenant: TenantId::new("acme"),
            permission: Permission::IndexRebuild,
            digest: [number; 32],
            summary: "POST /admin/index/rebuild".to_owned(),
            asked_by: who.to_owned(),
            asked_at: Timestamp::from_micros(second * 1_000_000),
            expires_at: Timestamp::from_micros((second + 60) * 1_000_000),
            decision: None,
            used_at: None,
        }
    }

    #[tokio::test]
    async fn who_asks_again_waits_for_the_same_and_nobody_fills_the_database() {
        let folder = tempfile::tempdir().unwrap();
        let folder = DataDir::open(folder.path().join("data")).unwrap();
        let store = EmbeddedStore::open(folder, Clock::system()).await.unwrap();
        let approvals = store.approvals();
        let ask = |who: &'static str, number: u8, second| {
            let (approvals, change) = (approvals.clone(), change(who, number, second));
            async move { approvals.ask(&change).await.unwrap() }
        };
        let id = |who: &str, number: u8, second: i64| Asked::Waits(change(who, number, second).id);
        for number in 0..MOST_WAITING as u8 {
            assert_eq!(ask("jane", number, 0).await, id("jane", number, 0));
        }
        assert_eq!(ask("jane", 7, 1).await, id("jane", 7, 0), "it waits already");
        assert_eq!(ask("jane", 200, 1).await, Asked::TooMany);
        assert_eq!(ask("joe", 7, 1).await, id("joe", 7, 1), "another person waits alone");
        // A place comes free when somebody decides, and all of them when the day is over.
        let decision =
            Decision { by: "joe".to_owned(), at: Timestamp::from_micros(2_000_000), approved: false };
        assert!(approvals.decide(&TenantId::new("acme"), &change("jane", 7, 0).id, &decision).await.unwrap());
        assert_eq!(ask("jane", 7, 3).await, id("jane", 7, 3), "what was refused can be asked for again");
        assert_eq!(ask("jane", 200, 3).await, Asked::TooMany);
        assert_eq!(ask("jane", 201, 60).await, id("jane", 201, 60));
    }
}
