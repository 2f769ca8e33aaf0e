//! Vectors that were paid for, kept by the hash of what they were made of, so that a text that did not change is not paid
//! for again. Derived data in a file of its own: it may be deleted while Mainstay does not run.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mainstay_domain::{Clock, TenantId};
use sha2::{Digest, Sha256};

use crate::data_dir::{DataDir, DataDirError};
use crate::error::StorageError;
use crate::sqlite::{Database, IdList, Migration, MultiRowInsert, column, number, sql_number};

const FILE: &str = "embeddings.db";

const MIGRATIONS: [Migration; 1] =
    [Migration { version: 1, sql: include_str!("sqlite/schema/embeddings_1.sql") }];

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

    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The vectors of a data folder.
#[derive(Clone, Debug)]
pub struct EmbeddingCache {
    database: Database,
    /// Bytes of all vectors together, at the most.
    limit: u64,
    /// Bytes that came since the limit was last looked at.
    since: Arc<AtomicU64>,
    clock: Clock,
}

static GET: IdList = IdList::new("SELECT key, vector FROM embeddings WHERE key IN", 0, "");
static USE: IdList = IdList::new("UPDATE embeddings SET used_on = ? WHERE used_on < ? AND key IN", 2, "");
static PUT: MultiRowInsert =
    MultiRowInsert::new("INSERT INTO embeddings (key, used_on, vector)", 3, "ON CONFLICT (key) DO NOTHING");

impl EmbeddingCache {
    /// Opens what the folder holds. Where there are more than `limit` bytes of vectors, those that were not used for the
    /// longest time go.
    pub async fn open(folder: &DataDir, limit: u64, clock: Clock) -> Result<Self, DataDirError> {
        let database = Database::open(folder, FILE, &MIGRATIONS).await?;
        let cache = Self { database, limit, since: Arc::default(), clock };
        let failed = |source| DataDirError::Storage { path: folder.join(FILE), source };
        cache.trim().await.map_err(failed)?;
        Ok(cache)
    }

    /// The vectors that are known. They count as used today.
    pub async fn get(&self, keys: &[EmbeddingKey]) -> Result<HashMap<EmbeddingKey, Vec<f32>>, StorageError> {
        let ids: Vec<&[u8]> = keys.iter().map(EmbeddingKey::bytes).collect();
        let mut found = HashMap::new();
        {
            let mut connection = self.database.read().await?;
            for (sql, arguments) in GET.statements(&ids, |_| {}) {
                for row in sqlx::query_with(sql, arguments).fetch_all(&mut *connection).await? {
                    let key: [u8; 32] = column::<&[u8]>(&row, 0)?
                        .try_into()
                        .map_err(|_| StorageError::damaged("the key of an embedding has not 32 bytes"))?;
                    found.insert(EmbeddingKey(key), vector_of(column(&row, 1)?)?);
                }
            }
        }
        let used: Vec<&[u8]> = found.keys().map(EmbeddingKey::bytes).collect();
        if !used.is_empty() {
            let today = self.today();
            let mut transaction = self.database.write().await?;
            USE.execute(&mut transaction, &used, |row| {
                row.add(today).add(today);
            })
            .await?;
            transaction.commit().await?;
        }
        Ok(found)
    }

    /// Keeps vectors.
    pub async fn put(&self, vectors: &[(EmbeddingKey, &[f32])]) -> Result<(), StorageError> {
        let today = self.today();
        let mut transaction = self.database.write().await?;
        PUT.run(&mut transaction, vectors, |(key, vector), row| {
            let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
            row.add(key.bytes()).add(today).add(bytes);
        })
        .await?;
        transaction.commit().await?;
        let bytes: usize = vectors.iter().map(|(_, vector)| size_of_val(*vector)).sum();
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
        EmbeddingCache::open(&DataDir::open(folder.path()).unwrap(), limit, clock).await.unwrap()
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
            cache.put(&put).await.unwrap();
            cache.put(&put[..3]).await.unwrap();
            cache.close().await;
        }
        let found = cache(&folder, 1 << 20).await.get(&keys).await.unwrap();
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
        cache.put(&put(&old)).await.unwrap();
        cache.put(&put(&used)).await.unwrap();
        assert_eq!(cache.get(&[old.clone(), used.clone()].concat()).await.unwrap().len(), 10);
        let day = Duration::from_secs(86_400).as_micros() as i64;
        let tomorrow = Clock::starting_at(Timestamp::from_micros(cache.clock.now().as_micros() + day));
        let cache = EmbeddingCache { clock: tomorrow, ..cache };
        cache.get(&used).await.unwrap();
        cache.put(&put(&new)).await.unwrap();
        assert_eq!(cache.get(&[used, new].concat()).await.unwrap().len(), 6);
        assert_eq!(cache.get(&old).await.unwrap().len(), 3);
    }
}
