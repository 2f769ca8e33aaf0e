//! For tests: a key store in memory, and the contract that every key store keeps.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use mainstay_domain::{TenantId, Timestamp};

use crate::master::MasterKeyId;
use crate::store::{KeyStore, KeyStoreError, Shredded, StoredKeys, WrappedKey};

/// A key store that forgets everything when it is dropped.
#[derive(Debug, Default)]
pub struct MemoryKeyStore(Mutex<BTreeMap<TenantId, StoredKeys>>);

impl MemoryKeyStore {
    fn with<T>(&self, run: impl FnOnce(&mut BTreeMap<TenantId, StoredKeys>) -> T) -> T {
        run(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl KeyStore for MemoryKeyStore {
    async fn of_tenant(&self, tenant: &TenantId) -> Result<StoredKeys, KeyStoreError> {
        Ok(self.with(|tenants| tenants.get(tenant).cloned().unwrap_or_default()))
    }

    async fn all(&self) -> Result<Vec<WrappedKey>, KeyStoreError> {
        Ok(self.with(|tenants| tenants.values().flat_map(|stored| stored.keys.clone()).collect()))
    }

    async fn insert(&self, key: &WrappedKey) -> Result<(), KeyStoreError> {
        self.with(|tenants| {
            let stored = tenants.entry(key.tenant.clone()).or_default();
            match stored.keys.binary_search_by_key(&key.version, |stored| stored.version) {
                Err(place) if key.version > stored.shredded_through => {
                    stored.keys.insert(place, key.clone());
                    Ok(())
                }
                _ => Err(KeyStoreError::Exists { tenant: key.tenant.clone(), version: key.version }),
            }
        })
    }

    async fn rewrap(&self, key: &WrappedKey, from: &MasterKeyId) -> Result<bool, KeyStoreError> {
        Ok(self.with(|tenants| {
            let keys = tenants.get_mut(&key.tenant).map(|stored| stored.keys.iter_mut());
            let old = keys
                .into_iter()
                .flatten()
                .find(|stored| stored.version == key.version && stored.master == *from);
            old.map(|old| key.clone_into(old)).is_some()
        }))
    }

    async fn shred(&self, tenant: &TenantId) -> Result<Shredded, KeyStoreError> {
        Ok(self.with(|tenants| {
            let Some(stored) = tenants.get_mut(tenant) else { return Shredded::default() };
            let keys = stored.keys.len() as u64;
            let newest = stored.keys.last().map_or(0, |key| key.version);
            stored.shredded_through = stored.shredded_through.max(newest);
            stored.keys.clear();
            Shredded { keys, through: stored.shredded_through }
        }))
    }
}

/// Panics where an empty key store does not keep its contract.
pub async fn key_store_keeps_its_contract(store: &dyn KeyStore) {
    let [one, two] = ["one", "two"].map(TenantId::from);
    let key = |tenant: &TenantId, version, byte| WrappedKey {
        tenant: tenant.clone(),
        version,
        master: MasterKeyId::new("first"),
        wrapped: vec![byte; 90],
        created_at: Timestamp::from_micros(1_700_000_000_000_000 + i64::from(version)),
    };
    let of_tenant = async |tenant: &TenantId| store.of_tenant(tenant).await.expect("reads");
    assert_eq!(of_tenant(&one).await, StoredKeys::default(), "a tenant that nobody knows has no keys");
    assert_eq!(store.shred(&one).await.expect("shreds"), Shredded::default());

    // What was inserted is there, in order, whatever the order in which it came.
    for new in [key(&two, 1, 21), key(&one, 2, 12), key(&one, 1, 11)] {
        store.insert(&new).await.expect("inserts");
    }
    assert_eq!(of_tenant(&one).await.keys, [key(&one, 1, 11), key(&one, 2, 12)]);
    assert_eq!(store.all().await.expect("reads"), [key(&one, 1, 11), key(&one, 2, 12), key(&two, 1, 21)]);

    // A version never means two keys.
    let again = store.insert(&key(&one, 2, 99)).await;
    assert!(matches!(again, Err(KeyStoreError::Exists { version: 2, .. })), "{again:?}");
    assert_eq!(of_tenant(&one).await.keys[1], key(&one, 2, 12));

    // Another wrapping takes the place of the one that it was made from, once.
    let first = MasterKeyId::new("first");
    let moved = WrappedKey { master: MasterKeyId::new("second"), wrapped: vec![7; 40], ..key(&one, 2, 0) };
    assert!(store.rewrap(&moved, &first).await.expect("rewraps"));
    assert!(!store.rewrap(&key(&one, 2, 99), &first).await.expect("rewraps"), "it is by the second one now");
    assert!(
        !store.rewrap(&key(&one, 9, 99), &first).await.expect("rewraps"),
        "there is none of this version"
    );
    assert_eq!(of_tenant(&one).await.keys, [key(&one, 1, 11), moved]);

    // What was destroyed is gone and does not come back.
    assert_eq!(store.shred(&one).await.expect("shreds"), Shredded { keys: 2, through: 2 });
    assert_eq!(store.shred(&one).await.expect("shreds"), Shredded { keys: 0, through: 2 }, "again");
    assert_eq!(of_tenant(&one).await, StoredKeys { keys: Vec::new(), shredded_through: 2 });
    assert_eq!(store.all().await.expect("reads"), [key(&two, 1, 21)], "other tenants keep theirs");
    assert!(!store.rewrap(&key(&one, 1, 99), &first).await.expect("rewraps"));
    for version in [1, 2] {
        let late = store.insert(&key(&one, version, 99)).await;
        assert!(matches!(late, Err(KeyStoreError::Exists { .. })), "{late:?}");
    }

    // A later version begins anew, and destroying it remembers it.
    store.insert(&key(&one, 3, 13)).await.expect("inserts");
    let stored = StoredKeys { keys: vec![key(&one, 3, 13)], shredded_through: 2 };
    assert_eq!(of_tenant(&one).await, stored);
    assert_eq!(store.shred(&one).await.expect("shreds"), Shredded { keys: 1, through: 3 });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_key_store_in_memory_keeps_the_contract() {
        key_store_keeps_its_contract(&MemoryKeyStore::default()).await;
    }

    #[test]
    fn wrapped_keys_do_not_show_in_debug_output() {
        let store = MemoryKeyStore::default();
        store.with(|tenants| {
            let key = WrappedKey {
                tenant: "t".into(),
                version: 1,
                master: MasterKeyId::new("m"),
                wrapped: vec![201; 9],
                created_at: Timestamp::default(),
            };
            tenants.insert("t".into(), StoredKeys { keys: vec![key], shredded_through: 0 });
        });
        assert!(!format!("{store:?}").contains("201"), "{store:?}");
    }
}
