//! One SQLite database: a single writing connection and a few reading ones, on a write-ahead log that is synced at
//! every commit.

mod columns;
mod migrate;
mod rows;

use std::path::Path;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Sqlite, SqliteConnection, Transaction};

pub(crate) use self::columns::{column, json, number, optional, sql_number};
pub(crate) use self::migrate::Migration;
pub(crate) use self::rows::{IdList, MultiRowInsert, Row};
use crate::data_dir::{DataDir, DataDirError};
use crate::error::StorageError;

/// Reading connections. Each is a thread, and readers never wait for the writer; more than the cores of a small machine
/// only cost memory.
const READERS: u32 = 4;

/// Page cache of each connection, in kibibytes (negative is SQLite's way to say so).
const PAGE_CACHE: &str = "-16384";

/// An open database.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Database {
    /// Opens the database file in the data folder, creates it when it does not exist, and brings its tables up to date.
    pub(crate) async fn open(
        folder: &DataDir,
        file: &str,
        migrations: &[Migration],
    ) -> Result<Self, DataDirError> {
        let path = folder.join(file);
        let failed = |source: StorageError| DataDirError::Storage { path: path.clone(), source };
        let options = options(&path);
        // The first connection creates the file and its write-ahead log, so it comes before the readers.
        let writer = pool(1).connect_with(options.clone()).await.map_err(|error| failed(error.into()))?;
        let readers = pool(READERS)
            .connect_with(options.create_if_missing(false).pragma("query_only", "ON"))
            .await
            .map_err(|error| failed(error.into()))?;
        let database = Self { writer, readers };
        let found = database.migrate(migrations).await.map_err(failed)?;
        let known = migrations.last().map_or(0, |migration| migration.version);
        if found > known {
            database.close().await;
            let folder = folder.path().to_owned();
            return Err(DataDirError::NewerVersion { path: folder, what: file.to_owned(), found, known });
        }
        Ok(database)
    }

    /// A transaction that may write. It begins as a writer, so it can never fail half-way because another one wrote.
    /// Writers wait for each other in the order in which they came. Dropping it undoes it.
    pub(crate) async fn write(&self) -> Result<Transaction<'static, Sqlite>, StorageError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// A connection that may only read. Each statement sees everything that was committed before it began.
    pub(crate) async fn read(&self) -> Result<PoolConnection<Sqlite>, StorageError> {
        Ok(self.readers.acquire().await?)
    }

    /// Moves everything out of the write-ahead log into the file and empties the log, so that nothing that was deleted is left
    /// in it. `false` where readers are still on an older state; to be tried again then.
    pub(crate) async fn empty_log(&self) -> Result<bool, StorageError> {
        let mut writer = self.writer.acquire().await?;
        let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *writer).await?;
        Ok(column::<i64>(&row, 0)? == 0)
    }

    /// Writes the file anew without its free pages.
    pub(crate) async fn compact(&self) -> Result<(), StorageError> {
        let mut writer = self.writer.acquire().await?;
        sqlx::query("VACUUM").execute(&mut *writer).await?;
        Ok(())
    }

    /// Waits for running statements and closes the file.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// The writing connection outside any transaction, for settings that cannot change within one.
    #[cfg(test)]
    pub(crate) async fn writer(&self) -> PoolConnection<Sqlite> {
        self.writer.acquire().await.expect("the database is open")
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // The log is synced at every commit: what was acknowledged survives a loss of power.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10))
        .pragma("cache_size", PAGE_CACHE)
        // What is deleted is overwritten, so that an erasure is one.
        .pragma("secure_delete", "ON")
        // After a burst the log shrinks to this many bytes instead of keeping the size of the burst.
        .pragma("journal_size_limit", "67108864")
        .statement_cache_capacity(256)
        .row_buffer_size(256)
        .disable_statement_logging()
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(30))
        // A connection to a file does not go stale: no ping before each use, no retirement.
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
}

/// The text of a statement that is built at run time from parts that are all our own.
pub(crate) fn built_sql(sql: String) -> sqlx::SqlStr {
    sqlx::SqlSafeStr::into_sql_str(sqlx::AssertSqlSafe(sql))
}

/// Runs a statement without result.
pub(crate) async fn execute(
    connection: &mut SqliteConnection,
    sql: impl sqlx::SqlSafeStr,
    arguments: sqlx::sqlite::SqliteArguments,
) -> Result<u64, StorageError> {
    Ok(sqlx::query_with(sql, arguments).execute(connection).await?.rows_affected())
}
