//! Bringing the tables of a database up to date, one step after the other.

use sqlx::Connection;

use super::Database;
use crate::error::StorageError;

/// One step forward of a database's tables. Steps are never changed once they were released.
#[derive(Debug)]
pub(crate) struct Migration {
    /// The version that the database has after it; they ascend by one.
    pub(crate) version: u32,
    /// The statements.
    pub(crate) sql: &'static str,
}

impl Database {
    /// Applies the steps that are missing, each in a transaction of its own, so that an interrupted upgrade goes on
    /// where it stopped. Returns the version that the database has then; a higher one than the last step's means that
    /// a newer build wrote it, and that nothing was changed.
    pub(super) async fn migrate(&self, migrations: &[Migration]) -> Result<u32, StorageError> {
        let mut connection = self.writer.acquire().await?;
        sqlx::raw_sql("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY)")
            .execute(&mut *connection)
            .await?;
        let mut version: i64 = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM schema_version")
            .fetch_one(&mut *connection)
            .await?;
        for migration in migrations {
            if i64::from(migration.version) <= version {
                continue;
            }
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
            sqlx::raw_sql(migration.sql).execute(&mut *transaction).await?;
            sqlx::query("INSERT INTO schema_version (version) VALUES ($1)")
                .bind(i64::from(migration.version))
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            version = i64::from(migration.version);
        }
        u32::try_from(version).map_err(|_| StorageError::damaged("the version of the tables is no version"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_dir::{DataDir, DataDirError};

    const FIRST: Migration =
        Migration { version: 1, sql: "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (7);" };
    const SECOND: Migration = Migration { version: 2, sql: "ALTER TABLE a ADD COLUMN y INTEGER DEFAULT 3;" };
    const BROKEN: Migration = Migration { version: 2, sql: "DELETE FROM a; CREATE TABLE a (x INTEGER);" };

    async fn values(database: &Database, sql: &'static str) -> Vec<i64> {
        let mut connection = database.read().await.unwrap();
        sqlx::query_scalar(sql).fetch_all(&mut *connection).await.unwrap()
    }

    #[tokio::test]
    async fn steps_are_applied_once_each_and_keep_the_rows() {
        let folder = tempfile::tempdir().unwrap();
        let folder = DataDir::open(folder.path()).unwrap();
        Database::open(&folder, "t.db", &[FIRST]).await.unwrap().close().await;
        let database = Database::open(&folder, "t.db", &[FIRST, SECOND]).await.unwrap();
        assert_eq!(values(&database, "SELECT x + y FROM a").await, [10]);
    }

    #[tokio::test]
    async fn a_step_that_fails_leaves_everything_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let folder = DataDir::open(folder.path()).unwrap();
        Database::open(&folder, "t.db", &[FIRST]).await.unwrap().close().await;
        assert!(Database::open(&folder, "t.db", &[FIRST, BROKEN]).await.is_err());
        let database = Database::open(&folder, "t.db", &[FIRST]).await.unwrap();
        assert_eq!(values(&database, "SELECT x FROM a").await, [7]);
    }

    #[tokio::test]
    async fn a_database_from_a_newer_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let folder = DataDir::open(folder.path()).unwrap();
        Database::open(&folder, "t.db", &[FIRST, SECOND]).await.unwrap().close().await;
        let error = Database::open(&folder, "t.db", &[FIRST]).await.unwrap_err();
        assert!(matches!(error, DataDirError::NewerVersion { found: 2, known: 1, .. }), "{error}");
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_called_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let folder = DataDir::open(folder.path()).unwrap();
        std::fs::write(
            folder.join("t.db"),
            "not a database, and long enough for a header of one hundred bytes".repeat(9),
        )
        .unwrap();
        let error = Database::open(&folder, "t.db", &[FIRST]).await.unwrap_err();
        let DataDirError::Storage { source, .. } = error else { panic!("{error}") };
        assert_eq!(source.fault(), crate::error::StorageFault::Damaged);
    }
}
