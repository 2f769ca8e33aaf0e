//! Whether the content of a data folder is sealed, and with which keys. A folder whose content is sealed opens only with
//! them, so that nobody goes on writing plain content into it, or reads sealed content as if it were damaged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mainstay_domain::Clock;
use mainstay_vault::{KeyError, MasterKeys, TenantKeys};
use sqlx::sqlite::SqliteConnection;

use crate::data_dir::{DataDir, DataDirError};
use crate::error::StorageError;
use crate::sqlite::{Database, column, number, sql_number};
use crate::tenant_keys::{KEYS_FILE, SqliteTenantKeys};

/// How the content of a data folder is sealed.
#[derive(Clone, Debug)]
pub(crate) struct Sealing {
    main: Database,
    file: SqliteTenantKeys,
    keys: TenantKeys,
    /// Whether everything is sealed. Until then, what is found plain was stored before; from then on, it was put there by
    /// somebody else.
    finished: Arc<AtomicBool>,
}

impl Sealing {
    /// Opens the keys, and remembers durably that content is sealed from now on.
    pub(crate) async fn open(
        folder: &DataDir,
        main: &Database,
        masters: MasterKeys,
        clock: Clock,
    ) -> Result<Self, DataDirError> {
        let failed = |source| DataDirError::Storage { path: folder.path().to_owned(), source };
        let mark = Mark::read(main).await.map_err(failed)?;
        if mark.is_some() && !folder.join(KEYS_FILE).exists() {
            return Err(DataDirError::KeysMissing { path: folder.join(KEYS_FILE) });
        }
        let file = SqliteTenantKeys::open(folder, clock).await?;
        let given = masters.to_string();
        let keys = TenantKeys::new(Arc::new(file.clone()), masters, clock);
        let checked = async {
            keys.check().await.map_err(|error| refusal(folder, given, error))?;
            // New keys would be made, and what is there would look damaged.
            if file.is_empty().await.map_err(failed)? && holds_sealed(main).await.map_err(failed)? {
                return Err(DataDirError::KeysMissing { path: folder.join(KEYS_FILE) });
            }
            match mark {
                Some(mark) => Ok(mark.finished),
                None => Mark::write(main, clock).await.map_err(failed),
            }
        };
        match checked.await {
            Ok(finished) => {
                let finished = Arc::new(AtomicBool::new(finished));
                Ok(Self { main: main.clone(), file, keys, finished })
            }
            Err(error) => {
                file.close().await;
                Err(error)
            }
        }
    }

    /// Refuses a folder whose content is sealed. Where sealing was begun and nothing was sealed since, it is taken back.
    pub(crate) async fn refuse(folder: &DataDir, main: &Database, clock: Clock) -> Result<(), DataDirError> {
        let failed = |source| DataDirError::Storage { path: folder.path().to_owned(), source };
        let marked = Mark::read(main).await.map_err(failed)?.is_some();
        if !folder.join(KEYS_FILE).exists() {
            return if marked {
                Err(DataDirError::KeysMissing { path: folder.join(KEYS_FILE) })
            } else {
                Ok(())
            };
        }
        let file = SqliteTenantKeys::open(folder, clock).await?;
        let masters = file.masters().await;
        let unused = file.is_empty().await;
        file.close().await;
        if !unused.map_err(failed)? || holds_sealed(main).await.map_err(failed)? {
            let path = folder.path().to_owned();
            return Err(DataDirError::Sealed { path, masters: masters.map_err(failed)? });
        }
        Mark::remove(main).await.map_err(failed)
    }

    /// The keys of the tenants.
    pub(crate) const fn keys(&self) -> &TenantKeys {
        &self.keys
    }

    /// Whether everything is sealed.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }

    /// How far what was stored before has come: every revision up to this one is sealed.
    pub(crate) async fn through(&self) -> Result<u64, StorageError> {
        Ok(Mark::read(&self.main).await?.map_or(0, |mark| mark.through))
    }

    /// Remembers, in the transaction that seals them, that every revision up to this one is sealed.
    pub(crate) async fn advance(
        &self,
        connection: &mut SqliteConnection,
        through: u64,
    ) -> Result<(), StorageError> {
        sqlx::query("UPDATE sealing SET through_revision = $1 WHERE only_row = 1")
            .bind(sql_number(through))
            .execute(connection)
            .await?;
        Ok(())
    }

    /// Remembers durably that everything is sealed.
    pub(crate) async fn finish(&self, at: i64) -> Result<(), StorageError> {
        let mut transaction = self.main.write().await?;
        sqlx::query("UPDATE sealing SET finished_at = $1 WHERE only_row = 1")
            .bind(at)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        self.finished.store(true, Ordering::Release);
        Ok(())
    }

    pub(crate) async fn close(&self) {
        self.file.close().await;
    }
}

/// What the main database says about its content.
struct Mark {
    through: u64,
    finished: bool,
}

impl Mark {
    async fn read(main: &Database) -> Result<Option<Self>, StorageError> {
        let row =
            sqlx::query("SELECT through_revision, finished_at IS NOT NULL FROM sealing WHERE only_row = 1")
                .fetch_optional(&mut *main.read().await?)
                .await?;
        row.map(|row| Ok(Self { through: number(&row, 0)?, finished: column(&row, 1)? })).transpose()
    }

    /// Writes that content is sealed from now on, and answers whether that is all there is: a folder without documents has
    /// nothing plain.
    async fn write(main: &Database, clock: Clock) -> Result<bool, StorageError> {
        let mut transaction = main.write().await?;
        let empty: bool = sqlx::query_scalar(
            "SELECT NOT EXISTS (SELECT 1 FROM revisions) AND NOT EXISTS (SELECT 1 FROM released)",
        )
        .fetch_one(&mut *transaction)
        .await?;
        let now = clock.now().as_micros();
        sqlx::query(
            "INSERT INTO sealing (only_row, began_at, through_revision, finished_at) VALUES (1, $1, 0, $2)",
        )
        .bind(now)
        .bind(empty.then_some(now))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(empty)
    }

    async fn remove(main: &Database) -> Result<(), StorageError> {
        let mut transaction = main.write().await?;
        sqlx::query("DELETE FROM sealing").execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }
}

/// Whether any revision is sealed: its fingerprint has 32 bytes where it is not. Walks all revisions where none is.
async fn holds_sealed(main: &Database) -> Result<bool, StorageError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM revisions WHERE length(source_sha256) <> 32)";
    Ok(sqlx::query_scalar(sql).fetch_one(&mut *main.read().await?).await?)
}

fn refusal(folder: &DataDir, given: String, error: KeyError) -> DataDirError {
    let path = folder.path().to_owned();
    match error {
        KeyError::UnknownMaster { master, .. } => {
            DataDirError::WrongMasterKey { path, needed: master, given }
        }
        error => DataDirError::Keys { path, source: error },
    }
}
