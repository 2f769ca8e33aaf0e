//! Heads of the audit chain, in another file than the chain: whoever cuts it back has to find these, too.

use mainstay_domain::Timestamp;

use crate::error::StorageError;
use crate::sqlite::{Database, column, number, sql_number};

/// The anchors of a data folder.
#[derive(Clone, Debug)]
pub struct SqliteAnchors {
    database: Database,
}

impl SqliteAnchors {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }

    /// Keeps a head of the chain.
    pub async fn keep(&self, seq: u64, hash: &[u8; 32], at: Timestamp) -> Result<(), StorageError> {
        let mut transaction = self.database.write().await?;
        sqlx::query(
            "INSERT INTO audit_anchors (seq, hash, at) VALUES ($1, $2, $3) ON CONFLICT (seq) DO NOTHING",
        )
        .bind(sql_number(seq))
        .bind(hash.as_slice())
        .bind(at.as_micros())
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// All of them, oldest first.
    pub async fn all(&self) -> Result<Vec<(u64, [u8; 32])>, StorageError> {
        let rows = sqlx::query("SELECT seq, hash FROM audit_anchors ORDER BY seq")
            .fetch_all(&mut *self.database.read().await?)
            .await?;
        let anchor = |row| {
            let hash: &[u8] = column(row, 1)?;
            let hash = hash.try_into().map_err(|_| StorageError::damaged("an anchor has not 32 bytes"))?;
            Ok((number(row, 0)?, hash))
        };
        rows.iter().map(anchor).collect()
    }
}
