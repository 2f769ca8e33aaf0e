//! The wrapped data keys of tenants in SQLite, in a file of their own: a copy of the documents without this file, or
//! without the master key, opens nothing.

use async_trait::async_trait;
use mainstay_domain::{Clock, TenantId, Timestamp};
use mainstay_vault::{KeyStore, KeyStoreError, MasterKeyId, Shredded, StoredKeys, WrappedKey};
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::data_dir::{DataDir, DataDirError, sync_folder};
use crate::error::{StorageError, StorageFault};
use crate::sqlite::{Database, Migration, column, number};

/// The file of the keys.
pub(crate) const KEYS_FILE: &str = "keys.db";

const MIGRATIONS: [Migration; 1] = [Migration { version: 1, sql: include_str!("sqlite/schema/keys_1.sql") }];

/// How often the write-ahead log is emptied before somebody has to try again. Each try waits for readers by itself.
const TRIES: usize = 3;

const COLUMNS: &str = "SELECT tenant, version, master, wrapped, created_at FROM tenant_keys";

/// The keys of a data folder.
#[derive(Clone, Debug)]
pub(crate) struct SqliteTenantKeys {
    database: Database,
    clock: Clock,
}

impl SqliteTenantKeys {
    /// Opens the file, and creates it when it does not exist.
    pub(crate) async fn open(folder: &DataDir, clock: Clock) -> Result<Self, DataDirError> {
        let database = Database::open(folder, KEYS_FILE, &MIGRATIONS).await?;
        // Before anything is sealed: a file of keys that a loss of power takes away takes the data with it.
        sync_folder(folder.path())
            .map_err(|error| DataDirError::Storage { path: folder.join(KEYS_FILE), source: error.into() })?;
        Ok(Self { database, clock })
    }

    /// Whether there is, or ever was, any key.
    pub(crate) async fn is_empty(&self) -> Result<bool, StorageError> {
        let sql =
            "SELECT NOT EXISTS (SELECT 1 FROM tenant_keys) AND NOT EXISTS (SELECT 1 FROM shredded_tenants)";
        Ok(sqlx::query_scalar(sql).fetch_one(&mut *self.database.read().await?).await?)
    }

    /// The master keys that wrapped the keys, by name.
    pub(crate) async fn masters(&self) -> Result<Vec<MasterKeyId>, StorageError> {
        let rows = sqlx::query("SELECT DISTINCT master FROM tenant_keys ORDER BY master")
            .fetch_all(&mut *self.database.read().await?)
            .await?;
        rows.iter().map(|row| Ok(MasterKeyId::new(column::<&str>(row, 0)?))).collect()
    }

    pub(crate) async fn close(&self) {
        self.database.close().await;
    }

    async fn keys_of(&self, tenant: &TenantId) -> Result<StoredKeys, StorageError> {
        let mut connection = self.database.read().await?;
        // One snapshot for both statements, or a destruction between them would look like a tenant that nobody knows.
        let mut snapshot = sqlx::Connection::begin(&mut *connection).await?;
        let shredded_through = shredded_through(&mut snapshot, tenant).await?;
        let sql = crate::sqlite::built_sql(format!("{COLUMNS} WHERE tenant = $1 ORDER BY version"));
        let rows = sqlx::query(sql).bind(tenant.as_str()).fetch_all(&mut *snapshot).await?;
        let keys = rows.iter().map(key_of).collect::<Result<_, _>>()?;
        Ok(StoredKeys { keys, shredded_through })
    }

    async fn all_keys(&self) -> Result<Vec<WrappedKey>, StorageError> {
        let sql = crate::sqlite::built_sql(format!("{COLUMNS} ORDER BY tenant, version"));
        let rows = sqlx::query(sql).fetch_all(&mut *self.database.read().await?).await?;
        rows.iter().map(key_of).collect()
    }

    /// `false` where there is, or was, a key of this version.
    async fn add(&self, key: &WrappedKey) -> Result<bool, StorageError> {
        let mut transaction = self.database.write().await?;
        if key.version <= shredded_through(&mut transaction, &key.tenant).await? {
            return Ok(false);
        }
        let added = sqlx::query(
            "INSERT INTO tenant_keys (tenant, version, master, wrapped, created_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (tenant, version) DO NOTHING",
        )
        .bind(key.tenant.as_str())
        .bind(i64::from(key.version))
        .bind(key.master.as_str())
        .bind(key.wrapped.as_slice())
        .bind(key.created_at.as_micros())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(added.rows_affected() > 0)
    }

    async fn replace(&self, key: &WrappedKey, from: &MasterKeyId) -> Result<bool, StorageError> {
        let mut transaction = self.database.write().await?;
        let changed = sqlx::query(
            "UPDATE tenant_keys SET master = $1, wrapped = $2 WHERE tenant = $3 AND version = $4 AND master = $5",
        )
        .bind(key.master.as_str())
        .bind(key.wrapped.as_slice())
        .bind(key.tenant.as_str())
        .bind(i64::from(key.version))
        .bind(from.as_str())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(changed.rows_affected() > 0)
    }

    async fn destroy(&self, tenant: &TenantId) -> Result<Shredded, StorageError> {
        let mut transaction = self.database.write().await?;
        let row =
            sqlx::query("SELECT count(*), coalesce(max(version), 0) FROM tenant_keys WHERE tenant = $1")
                .bind(tenant.as_str())
                .fetch_one(&mut *transaction)
                .await?;
        let keys = number(&row, 0)?;
        let through = version(&row, 1)?.max(shredded_through(&mut transaction, tenant).await?);
        if through > 0 {
            sqlx::query(
                "INSERT INTO shredded_tenants (tenant, through, at) VALUES ($1, $2, $3) \
                 ON CONFLICT (tenant) DO UPDATE SET through = excluded.through, at = excluded.at \
                 WHERE excluded.through > shredded_tenants.through",
            )
            .bind(tenant.as_str())
            .bind(i64::from(through))
            .bind(self.clock.now().as_micros())
            .execute(&mut *transaction)
            .await?;
            sqlx::query("DELETE FROM tenant_keys WHERE tenant = $1")
                .bind(tenant.as_str())
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            self.overwrite().await?;
        }
        Ok(Shredded { keys, through })
    }

    /// Takes every copy of what was deleted out of the files. The rows were overwritten when they were deleted; copies that
    /// earlier moves of rows from page to page may have left go with the rest of the old file. It is small.
    async fn overwrite(&self) -> Result<(), StorageError> {
        self.database.compact().await?;
        for _ in 0..TRIES {
            if self.database.empty_log().await? {
                return Ok(());
            }
        }
        Err(StorageError::new(StorageFault::Busy, "the write-ahead log of the keys could not be emptied"))
    }
}

async fn shredded_through(connection: &mut SqliteConnection, tenant: &TenantId) -> Result<u32, StorageError> {
    let row = sqlx::query("SELECT through FROM shredded_tenants WHERE tenant = $1")
        .bind(tenant.as_str())
        .fetch_optional(connection)
        .await?;
    row.map_or(Ok(0), |row| version(&row, 0))
}

fn version(row: &SqliteRow, index: usize) -> Result<u32, StorageError> {
    number(row, index)?.try_into().map_err(|_| StorageError::damaged("the version of a key is no version"))
}

fn key_of(row: &SqliteRow) -> Result<WrappedKey, StorageError> {
    Ok(WrappedKey {
        tenant: TenantId::new(column::<&str>(row, 0)?),
        version: version(row, 1)?,
        master: MasterKeyId::new(column::<&str>(row, 2)?),
        wrapped: column(row, 3)?,
        created_at: Timestamp::from_micros(column(row, 4)?),
    })
}

fn failed(error: StorageError) -> KeyStoreError {
    KeyStoreError::Storage(Box::new(error))
}

#[async_trait]
impl KeyStore for SqliteTenantKeys {
    async fn of_tenant(&self, tenant: &TenantId) -> Result<StoredKeys, KeyStoreError> {
        self.keys_of(tenant).await.map_err(failed)
    }

    async fn all(&self) -> Result<Vec<WrappedKey>, KeyStoreError> {
        self.all_keys().await.map_err(failed)
    }

    async fn insert(&self, key: &WrappedKey) -> Result<(), KeyStoreError> {
        if self.add(key).await.map_err(failed)? {
            return Ok(());
        }
        Err(KeyStoreError::Exists { tenant: key.tenant.clone(), version: key.version })
    }

    async fn rewrap(&self, key: &WrappedKey, from: &MasterKeyId) -> Result<bool, KeyStoreError> {
        self.replace(key, from).await.map_err(failed)
    }

    async fn shred(&self, tenant: &TenantId) -> Result<Shredded, KeyStoreError> {
        self.destroy(tenant).await.map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use mainstay_vault::testing::key_store_keeps_its_contract;

    use super::*;

    async fn open(folder: &tempfile::TempDir) -> SqliteTenantKeys {
        SqliteTenantKeys::open(&DataDir::open(folder.path()).unwrap(), Clock::system()).await.unwrap()
    }

    #[tokio::test]
    async fn the_key_store_in_a_folder_keeps_the_contract_of_key_stores() {
        let folder = tempfile::tempdir().unwrap();
        key_store_keeps_its_contract(&open(&folder).await).await;
    }

    #[tokio::test]
    async fn a_destroyed_key_is_in_no_file_of_the_folder_and_the_others_survive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let keys = open(&folder).await;
        let key = |tenant: &str, version| WrappedKey {
            tenant: tenant.into(),
            version,
            master: MasterKeyId::new("m"),
            wrapped: format!("marker-of-{tenant}-").repeat(9).into_bytes(),
            created_at: Timestamp::from_micros(1),
        };
        // Enough of them that rows move from page to page.
        for version in 1..=60 {
            keys.insert(&key("gone", version)).await.unwrap();
            keys.insert(&key("kept", version)).await.unwrap();
        }
        let found = |marker: &str| {
            let files = std::fs::read_dir(folder.path()).unwrap();
            let contains = |bytes: &[u8]| bytes.windows(marker.len()).any(|piece| piece == marker.as_bytes());
            files.filter(|file| contains(&std::fs::read(file.as_ref().unwrap().path()).unwrap())).count()
        };
        assert!(found("marker-of-gone") > 0 && found("marker-of-kept") > 0);
        assert_eq!(keys.shred(&"gone".into()).await.unwrap(), Shredded { keys: 60, through: 60 });
        assert_eq!(found("marker-of-gone"), 0);
        assert!(found("marker-of-kept") > 0);
        keys.close().await;
        drop(keys);
        let keys = open(&folder).await;
        assert_eq!(keys.of_tenant(&"gone".into()).await.unwrap().shredded_through, 60);
        assert_eq!(keys.all().await.unwrap().len(), 60);
    }
}
