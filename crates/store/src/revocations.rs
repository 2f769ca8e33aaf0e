//! Tokens of identity providers that are not accepted any more. Nobody is named: what is kept are digests of whose tokens, or
//! which one, it is.

use mainstay_domain::Timestamp;

use crate::error::StorageError;
use crate::sqlite::{Database, column};

/// Tokens that are refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revocation {
    /// SHA-256 of whose tokens, or which one.
    pub digest: [u8; 32],
    /// What was issued up to this moment is refused.
    pub at: Timestamp,
    /// From when on every such token has expired by itself, so that this need not be kept.
    pub until: Timestamp,
}

/// The revocations of a data folder.
#[derive(Clone, Debug)]
pub struct SqliteRevocations {
    database: Database,
}

impl SqliteRevocations {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }

    /// Adds one, or moves one that is there to a later moment.
    pub async fn add(&self, revocation: &Revocation) -> Result<(), StorageError> {
        let mut transaction = self.database.write().await?;
        sqlx::query(
            "INSERT INTO revocations (digest, at, until) VALUES ($1, $2, $3) ON CONFLICT (digest) DO UPDATE SET \
             at = max(at, excluded.at), until = max(until, excluded.until)",
        )
        .bind(revocation.digest.as_slice())
        .bind(revocation.at.as_micros())
        .bind(revocation.until.as_micros())
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Those that still mean something; the others are forgotten.
    pub async fn current(&self, now: Timestamp) -> Result<Vec<Revocation>, StorageError> {
        let mut transaction = self.database.write().await?;
        sqlx::query("DELETE FROM revocations WHERE until <= $1")
            .bind(now.as_micros())
            .execute(&mut *transaction)
            .await?;
        let rows =
            sqlx::query("SELECT digest, at, until FROM revocations").fetch_all(&mut *transaction).await?;
        transaction.commit().await?;
        let revocation = |row| {
            let digest: &[u8] = column(row, 0)?;
            Ok(Revocation {
                digest: digest.try_into().map_err(|_| StorageError::damaged("a digest has not 32 bytes"))?,
                at: Timestamp::from_micros(column(row, 1)?),
                until: Timestamp::from_micros(column(row, 2)?),
            })
        };
        rows.iter().map(revocation).collect()
    }
}
