//! Vectors that were paid for, kept by the hash of what they were made of, so that a text that did not change is not paid
//! for again. Derived data in a file of its own: it may be deleted while Mainstay does not run.
//!
//! From a vector much of its text can be guessed, and from a hash whether it is of a text that one has. Where the documents are
//! sealed, so are the vectors, and they are found by tags that only their tenant's keys make.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mainstay_domain::{Clock, TenantId};
use mainstay_vault::{Context, Record, Sealer, TenantKeys};
use sha2::{Digest, Sha256};

use crate::data_dir::{DataDir, DataDirError};
use crate::error::StorageError;
use crate::sqlite::{Database, IdList, Migration, MultiRowInsert, column, number, sql_number};

const FILE: &str = "embeddings.db";

const MIGRATIONS: [Migration; 2] = [
    Migration { version: 1, sql: include_str!("sqlite/schema/embeddings_1.sql") },
    Migration { version: 2, sql: include_str!("sqlite/schema/embeddings_2.sql") },
];

/// What is sealed, and what its tags are for: part of both, and never to be changed.
const SEALED: &str = "embeddings.vector";
const TAG: &str = "embeddings.key";

/// The part of the limit that may come before it is looked at again, and that is made room for.
const SLACK: u64 = 10;

/// What a vector was made of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EmbeddingKey([u8; 32]);

impl EmbeddingKey {
    /// Of a text of `tenant` that `model` turns into `dimension` numbers. What one tenant has is not found for another: how
    /// soon a document is embedded would tell whether somebody else has it. The lengths are hashed too, so that no two of
    /// these are the same bytes.
    pub fn of(tenant: &TenantId, model: &str, dimension: usize, text: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [tenant.as_str(), model, text] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.update((dimension as u64).to_le_bytes());
        Self(hash.finalize().into())
    }
}

/// The vectors of a data folder.
#[derive(Clone, Debug)]
pub struct EmbeddingCache {
    database: Database,
    /// Bytes of all vectors together, at the most.
    limit: u64,
    /// By which vectors are sealed; `None` where they are kept as they are.
    keys: Option<TenantKeys>,
    /// Bytes that came since the limit was last looked at.
    since: Arc<AtomicU64>,
    clock: Clock,
}

static GET: IdList = IdList::new("SELECT key, vector FROM embeddings WHERE key IN", 0, "");
static USE: IdList = IdList::new("UPDATE embeddings SET used_on = ? WHERE used_on < ? AND key IN", 2, "");
static PUT: MultiRowInsert = MultiRowInsert::new(
    "INSERT INTO embeddings (key, used_on, vector, sealed)",
    4,
    "ON CONFLICT (key) DO UPDATE SET used_on = excluded.used_on, vector = excluded.vector",
);

/// How the vectors of one tenant are kept.
enum Form {
    Plain,
    Sealed(Sealer),
}

impl Form {
    /// By what a vector is found.
    fn stored_key(&self, key: &EmbeddingKey) -> Result<[u8; 32], StorageError> {
        match self {
            Self::Plain => Ok(key.0),
            Self::Sealed(sealer) => Ok(sealer.lookup_tag(TAG, &key.0)?),
        }
    }

    /// The vector as it is kept. Sealed for its key: no other is taken for it.
    fn stored(&self, stored_key: &[u8; 32], vector: &[f32]) -> Result<Vec<u8>, StorageError> {
        let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
        match self {
            Self::Plain => Ok(bytes),
            Self::Sealed(sealer) => Ok(sealer.seal(&Context::new(SEALED, Record::Name(stored_key)), &bytes)?),
        }
    }

    fn vector(&self, stored_key: &[u8; 32], stored: &[u8]) -> Result<Vec<f32>, StorageError> {
        match self {
            Self::Plain => vector_of(stored),
            Self::Sealed(sealer) => {
                vector_of(&sealer.open(&Context::new(SEALED, Record::Name(stored_key)), stored)?)
            }
        }
    }
}

impl EmbeddingCache {
    /// Opens what the folder holds. Where there are more than `limit` bytes of vectors, those that were not used for the
    /// longest time go. With `keys`, vectors are sealed; those that were kept otherwise go.
    pub async fn open(
        folder: &DataDir,
        limit: u64,
        keys: Option<TenantKeys>,
        clock: Clock,
    ) -> Result<Self, DataDirError> {
        let database = Database::open(folder, FILE, &MIGRATIONS).await?;
        let cache = Self { database, limit, keys, since: Arc::default(), clock };
        let failed = |source| DataDirError::Storage { path: folder.join(FILE), source };
        cache.remove_other_form().await.map_err(failed)?;
        cache.trim().await.map_err(failed)?;
        Ok(cache)
    }

    /// Removes, and overwrites, what is kept in another form than this store's.
    async fn remove_other_form(&self) -> Result<(), StorageError> {
        let mut transaction = self.database.write().await?;
        let sql = "DELETE FROM embeddings WHERE sealed = $1";
        let removed = sqlx::query(sql).bind(self.keys.is_none()).execute(&mut *transaction).await?;
        transaction.commit().await?;
        if removed.rows_affected() > 0 {
            self.database.empty_log().await?;
        }
        Ok(())
    }

    async fn form_of(&self, tenant: &TenantId) -> Result<Form, StorageError> {
        match &self.keys {
            None => Ok(Form::Plain),
            Some(keys) => Ok(Form::Sealed(keys.sealer(tenant).await?)),
        }
    }

    /// The vectors of a tenant that are known. They count as used today.
    pub async fn get(
        &self,
        tenant: &TenantId,
        keys: &[EmbeddingKey],
    ) -> Result<HashMap<EmbeddingKey, Vec<f32>>, StorageError> {
        let form = self.form_of(tenant).await?;
        let stored: HashMap<[u8; 32], EmbeddingKey> =
            keys.iter().map(|key| Ok((form.stored_key(key)?, *key))).collect::<Result<_, StorageError>>()?;
        let ids: Vec<&[u8]> = stored.keys().map(<[u8; 32]>::as_slice).collect();
        let mut found = HashMap::new();
        {
            let mut connection = self.database.read().await?;
            for (sql, arguments) in GET.statements(&ids, |_| {}) {
                for row in sqlx::query_with(sql, arguments).fetch_all(&mut *connection).await? {
                    let key: [u8; 32] = column::<&[u8]>(&row, 0)?
                        .try_into()
                        .map_err(|_| StorageError::damaged("the key of an embedding has not 32 bytes"))?;
                    // What cannot be opened, such as by keys that are gone, is made again and put in its place.
                    if let Ok(vector) = form.vector(&key, column(&row, 1)?) {
                        found.insert(key, vector);
                    }
                }
            }
        }
        let used: Vec<&[u8]> = found.keys().map(<[u8; 32]>::as_slice).collect();
        if !used.is_empty() {
            let today = self.today();
            let mut transaction = self.database.write().await?;
            USE.execute(&mut transaction, &used, |row| {
                row.add(today).add(today);
            })
            .await?;
            transaction.commit().await?;
        }
        Ok(found.into_iter().filter_map(|(key, vector)| Some((*stored.get(&key)?, vector))).collect())
    }

    /// Keeps vectors of a tenant.
    pub async fn put(
        &self,
        tenant: &TenantId,
        vectors: &[(EmbeddingKey, &[f32])],
    ) -> Result<(), StorageError> {
        let form = self.form_of(tenant).await?;
        let rows = vectors.iter().map(|(key, vector)| {
            let key = form.stored_key(key)?;
            Ok((key, form.stored(&key, vector)?))
        });
        let rows = rows.collect::<Result<Vec<_>, StorageError>>()?;
        let (today, sealed) = (self.today(), matches!(form, Form::Sealed(_)));
        let mut transaction = self.database.write().await?;
        PUT.run(&mut transaction, &rows, |(key, stored), row| {
            row.add(key.as_slice()).add(today).add(stored.as_slice()).add(sealed);
        })
        .await?;
        transaction.commit().await?;
        let bytes: usize = rows.iter().map(|(_, stored)| stored.len()).sum();
        let since = self.since.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if since > self.limit / SLACK {
            self.trim().await?;
        }
        Ok(())
    }

    /// Removes what was not used for the longest time, until there is room for a while, where there is more than the
    /// limit.
    async fn trim(&self) -> Result<(), StorageError> {
        self.since.store(0, Ordering::Relaxed);
        let mut transaction = self.database.write().await?;
        let row = sqlx::query("SELECT coalesce(sum(length(vector)), 0), count(*) FROM embeddings")
            .fetch_one(&mut *transaction)
            .await?;
        let (bytes, count) = (number(&row, 0)?, number(&row, 1)?);
        if bytes <= self.limit {
            return Ok(());
        }
        let kept = self.limit - self.limit / SLACK;
        let share = (bytes - kept) as f64 / bytes as f64;
        let removed = (count as f64 * share).ceil() as u64;
        let sql =
            "DELETE FROM embeddings WHERE rowid IN (SELECT rowid FROM embeddings ORDER BY used_on LIMIT $1)";
        sqlx::query(sql).bind(sql_number(removed)).execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// Forgets every vector, and overwrites them.
    pub async fn clear(&self) -> Result<(), StorageError> {
        let mut transaction = self.database.write().await?;
        sqlx::query("DELETE FROM embeddings").execute(&mut *transaction).await?;
        transaction.commit().await?;
        self.database.empty_log().await?;
        Ok(())
    }

    /// Waits for running statements and closes the file.
    pub async fn close(&self) {
        self.database.close().await;
    }

    fn today(&self) -> i64 {
        self.clock.now().as_seconds().div_euclid(86_400)
    }
}

fn vector_of(bytes: &[u8]) -> Result<Vec<f32>, StorageError> {
    let (numbers, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(StorageError::damaged("the vector of an embedding is cut"));
    }
    Ok(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mainstay_domain::Timestamp;

    use super::*;

    async fn cache(folder: &tempfile::TempDir, limit: u64) -> EmbeddingCache {
        let clock = Clock::starting_at(Timestamp::from_micros(1_764_000_000_000_000));
        EmbeddingCache::open(&DataDir::open(folder.path()).unwrap(), limit, None, clock).await.unwrap()
    }

    fn acme() -> TenantId {
        TenantId::new("acme")
    }

    fn keys(texts: impl IntoIterator<Item = u32>) -> Vec<EmbeddingKey> {
        texts.into_iter().map(|text| EmbeddingKey::of(&acme(), "p/m", 2, &text.to_string())).collect()
    }

    #[tokio::test]
    async fn vectors_come_back_as_they_were_after_a_restart_too() {
        let folder = tempfile::tempdir().unwrap();
        let keys = keys(0..1_000);
        {
            let cache = cache(&folder, 1 << 20).await;
            let vectors: Vec<[f32; 2]> = (0..1_000).map(|n| [n as f32 / 7.0, f32::MIN_POSITIVE]).collect();
            let put: Vec<_> = keys.iter().zip(&vectors).map(|(key, vector)| (*key, &vector[..])).collect();
            cache.put(&acme(), &put).await.unwrap();
            cache.put(&acme(), &put[..3]).await.unwrap();
            cache.close().await;
        }
        let found = cache(&folder, 1 << 20).await.get(&acme(), &keys).await.unwrap();
        assert_eq!(found.len(), 1_000);
        assert_eq!(found[&keys[7]], [1.0, f32::MIN_POSITIVE]);
    }

    #[test]
    fn model_dimension_and_text_all_count() {
        let key = EmbeddingKey::of(&acme(), "p/m", 2, "text");
        for other in [
            EmbeddingKey::of(&acme(), "p/n", 2, "text"),
            EmbeddingKey::of(&acme(), "p/m", 3, "text"),
            EmbeddingKey::of(&acme(), "p/m", 2, "texts"),
            EmbeddingKey::of(&acme(), "p/mt", 2, "ext"),
            EmbeddingKey::of(&TenantId::new("zoo"), "p/m", 2, "text"),
            EmbeddingKey::of(&TenantId::new("acmep"), "/m", 2, "text"),
        ] {
            assert_ne!(key, other);
        }
    }

    #[tokio::test]
    async fn what_was_not_used_for_the_longest_time_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder, 80).await;
        let (old, used, new) = (keys(0..8), keys(8..10), keys(10..14));
        let put = |keys: &[EmbeddingKey]| {
            let keys = keys.to_vec();
            keys.into_iter().map(|key| (key, &[1.0f32, 2.0][..])).collect::<Vec<_>>()
        };
        cache.put(&acme(), &put(&old)).await.unwrap();
        cache.put(&acme(), &put(&used)).await.unwrap();
        assert_eq!(cache.get(&acme(), &[old.clone(), used.clone()].concat()).await.unwrap().len(), 10);
        let day = Duration::from_secs(86_400).as_micros() as i64;
        let tomorrow = Clock::starting_at(Timestamp::from_micros(cache.clock.now().as_micros() + day));
        let cache = EmbeddingCache { clock: tomorrow, ..cache };
        cache.get(&acme(), &used).await.unwrap();
        cache.put(&acme(), &put(&new)).await.unwrap();
        assert_eq!(cache.get(&acme(), &[used, new].concat()).await.unwrap().len(), 6);
        assert_eq!(cache.get(&acme(), &old).await.unwrap().len(), 3);
    }
}
