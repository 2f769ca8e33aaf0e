//! The parts together: keys, sealers, and what happens to them over time.

mod life;
mod sealing;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use mainstay_domain::{Clock, TenantId};

use crate::key_bytes::KeyBytes;
use crate::testing::MemoryKeyStore;
use crate::{
    KeyStore, KeyStoreError, MasterKey, MasterKeyId, MasterKeys, Sealer, Shredded, StoredKeys, TenantKeys,
    WrappedKey,
};

pub(crate) fn master(byte: u8) -> MasterKey {
    MasterKey::local(KeyBytes::copy_of(&[byte; 32]).expect("32 bytes"))
}

/// Keys over a store, as a process has them after its start.
fn start(store: &Arc<TestStore>, masters: MasterKeys) -> TenantKeys {
    TenantKeys::new(Arc::clone(store) as Arc<dyn KeyStore>, masters, Clock::system())
}

pub(crate) fn keys() -> TenantKeys {
    start(&Arc::default(), MasterKeys::new(master(1)))
}

pub(crate) async fn sealer(keys: &TenantKeys, tenant: &str) -> Sealer {
    keys.sealer(&TenantId::from(tenant)).await.expect("a key")
}

/// A store that counts what it inserts, gives way at every call, and fails after so many writes when told to.
struct TestStore {
    inner: MemoryKeyStore,
    inserts: AtomicU32,
    writes_left: AtomicU32,
}

impl Default for TestStore {
    fn default() -> Self {
        Self { inner: MemoryKeyStore::default(), inserts: AtomicU32::new(0), writes_left: u32::MAX.into() }
    }
}

impl TestStore {
    fn allow_writes(&self, count: u32) {
        self.writes_left.store(count, Ordering::Relaxed);
    }

    fn write(&self) -> Result<(), KeyStoreError> {
        let left = self.writes_left.load(Ordering::Relaxed);
        self.writes_left.store(left.saturating_sub(1), Ordering::Relaxed);
        if left == 0 { Err(KeyStoreError::Storage("the disk is full".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl KeyStore for TestStore {
    async fn of_tenant(&self, tenant: &TenantId) -> Result<StoredKeys, KeyStoreError> {
        let stored = self.inner.of_tenant(tenant).await;
        // What was read may be old when it arrives.
        tokio::task::yield_now().await;
        stored
    }

    async fn all(&self) -> Result<Vec<WrappedKey>, KeyStoreError> {
        self.inner.all().await
    }

    async fn insert(&self, key: &WrappedKey) -> Result<(), KeyStoreError> {
        self.write()?;
        self.inserts.fetch_add(1, Ordering::Relaxed);
        self.inner.insert(key).await?;
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn rewrap(&self, key: &WrappedKey, from: &MasterKeyId) -> Result<bool, KeyStoreError> {
        self.write()?;
        self.inner.rewrap(key, from).await
    }

    async fn shred(&self, tenant: &TenantId) -> Result<Shredded, KeyStoreError> {
        self.write()?;
        self.inner.shred(tenant).await
    }
}
