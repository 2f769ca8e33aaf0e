//! The data keys of tenants: made on first use, unwrapped once, rotated, destroyed.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use mainstay_domain::{Clock, TenantId};
use zeroize::Zeroizing;

use crate::cipher::{Use, derive};
use crate::key_bytes::{KeyBytes, NoRandomness};
use crate::master::{MasterKeyError, MasterKeyId, MasterKeys};
use crate::sealer::Sealer;
use crate::store::{KeyStore, KeyStoreError, Shredded, WrappedKey};

/// The data keys of all tenants. Keys that were used stay unwrapped in memory until they are destroyed or the process
/// ends. One process at a time works with a key store.
#[derive(Clone)]
pub struct TenantKeys {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn KeyStore>,
    masters: MasterKeys,
    clock: Clock,
    tenants: Mutex<HashMap<TenantId, Arc<Tenant>>>,
}

/// What is in memory about a tenant.
pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    /// Held by whoever makes or destroys keys, across the calls of store and master key.
    gate: tokio::sync::Mutex<()>,
    /// Nothing before the keys were loaded.
    ring: RwLock<Option<Arc<KeyRing>>>,
}

/// The keys of a tenant at one moment.
#[derive(Clone, Default)]
pub(crate) struct KeyRing {
    pub(crate) shredded_through: u32,
    keys: BTreeMap<u32, Arc<KeyBytes>>,
}

impl fmt::Debug for TenantKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantKeys").field("masters", &self.inner.masters).finish_non_exhaustive()
    }
}

impl TenantKeys {
    /// Keys that are kept in the store. Reads nothing yet: [`TenantKeys::check`] says whether the master keys fit.
    pub fn new(store: Arc<dyn KeyStore>, masters: MasterKeys, clock: Clock) -> Self {
        Self { inner: Arc::new(Inner { store, masters, clock, tenants: Mutex::default() }) }
    }

    /// What seals and opens for the tenant. The first call for a tenant reads its keys and unwraps them, and makes the first
    /// one where there is none; later calls take no time. Dropping the future is safe.
    pub async fn sealer(&self, tenant: &TenantId) -> Result<Sealer, KeyError> {
        let tenant = self.tenant(tenant);
        if let Some(ring) = tenant.ring() {
            return sealer_of(tenant, &ring);
        }
        let _gate = tenant.gate.lock().await;
        // Somebody else may have been quicker.
        let ring = match tenant.ring() {
            Some(ring) => ring,
            None => {
                let mut ring = self.load(&tenant).await?;
                if ring.keys.is_empty() && ring.shredded_through == 0 {
                    self.add_key(&tenant.id, &mut ring).await?;
                }
                tenant.set_ring(ring)
            }
        };
        sealer_of(Arc::clone(&tenant), &ring)
    }

    /// Makes a new key for the tenant, with which everything is sealed from now on, and returns its version. The older ones
    /// stay for what they sealed; [`Sealer::is_outdated`] finds it. A tenant whose keys were destroyed gets none.
    pub async fn rotate(&self, tenant: &TenantId) -> Result<u32, KeyError> {
        let tenant = self.tenant(tenant);
        let _gate = tenant.gate.lock().await;
        let mut ring = self.load(&tenant).await?;
        if ring.is_shredded() {
            tenant.set_ring(ring);
            return Err(KeyError::Shredded { tenant: tenant.id.clone() });
        }
        let version = self.add_key(&tenant.id, &mut ring).await?;
        tenant.set_ring(ring);
        Ok(version)
    }

    /// Destroys all keys of the tenant: what is sealed with them is erased, wherever it lies. Sealers that exist stop at
    /// once. When it fails, or the future is dropped, call it again: doing it twice is no error.
    pub async fn destroy(&self, tenant: &TenantId) -> Result<Shredded, KeyError> {
        let tenant = self.tenant(tenant);
        let _gate = tenant.gate.lock().await;
        // The store comes first, so that nobody is told of an erasure that did not happen.
        let shredded = self.inner.store.shred(&tenant.id).await?;
        if shredded.through > 0 {
            tenant.set_ring(KeyRing { shredded_through: shredded.through, keys: BTreeMap::new() });
        }
        Ok(shredded)
    }

    /// Makes a key for a tenant whose keys were destroyed, and returns its version. What was erased stays erased. That it
    /// takes this call keeps a late write from beginning anew what was to end. Does nothing for a tenant that has a key.
    pub async fn readmit(&self, tenant: &TenantId) -> Result<u32, KeyError> {
        let tenant = self.tenant(tenant);
        let _gate = tenant.gate.lock().await;
        let mut ring = self.load(&tenant).await?;
        let version = match ring.newest() {
            Some((version, _)) => version,
            None => self.add_key(&tenant.id, &mut ring).await?,
        };
        tenant.set_ring(ring);
        Ok(version)
    }

    pub(crate) fn store(&self) -> &dyn KeyStore {
        &*self.inner.store
    }

    pub(crate) fn masters(&self) -> &MasterKeys {
        &self.inner.masters
    }

    fn tenant(&self, id: &TenantId) -> Arc<Tenant> {
        let mut tenants = self.inner.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let tenant = tenants.entry(id.clone()).or_insert_with(|| {
            let id = id.clone();
            Arc::new(Tenant { id, gate: tokio::sync::Mutex::default(), ring: RwLock::default() })
        });
        Arc::clone(tenant)
    }

    /// The keys as they are stored. Those that are in memory already are not unwrapped again.
    async fn load(&self, tenant: &Tenant) -> Result<KeyRing, KeyError> {
        let stored = self.inner.store.of_tenant(&tenant.id).await?;
        let known = tenant.ring().unwrap_or_default();
        let mut ring = KeyRing { shredded_through: stored.shredded_through, keys: BTreeMap::new() };
        for wrapped in &stored.keys {
            let key = match known.keys.get(&wrapped.version) {
                Some(key) => Arc::clone(key),
                None => Arc::new(unwrap(&self.inner.masters, wrapped).await?),
            };
            ring.keys.insert(wrapped.version, key);
        }
        Ok(ring)
    }

    async fn add_key(&self, tenant: &TenantId, ring: &mut KeyRing) -> Result<u32, KeyError> {
        let newest = ring.newest().map_or(ring.shredded_through, |(version, _)| version);
        let version =
            newest.checked_add(1).ok_or_else(|| KeyError::NoMoreVersions { tenant: tenant.clone() })?;
        let key = KeyBytes::generate()?;
        let master = self.inner.masters.current();
        let failed = |source| KeyError::Wrap { tenant: tenant.clone(), version, source };
        let wrapped = master.wrap(&payload(&key, tenant, version)).await.map_err(failed)?;
        let created_at = self.inner.clock.now();
        let record =
            WrappedKey { tenant: tenant.clone(), version, master: master.id().clone(), wrapped, created_at };
        self.inner.store.insert(&record).await?;
        ring.keys.insert(version, Arc::new(key));
        Ok(version)
    }
}

fn sealer_of(tenant: Arc<Tenant>, ring: &KeyRing) -> Result<Sealer, KeyError> {
    if ring.is_shredded() {
        return Err(KeyError::Shredded { tenant: tenant.id.clone() });
    }
    Ok(Sealer::new(tenant))
}

const CHECK_BYTES: usize = 16;

/// What is wrapped: the key, and what shows to whom it belongs. A master key behind a command wraps bytes without knowing
/// what they are for; with this, a wrapped key that was moved to another tenant or version is refused, and so is whatever
/// a wrong master key answers.
pub(crate) fn payload(key: &KeyBytes, tenant: &TenantId, version: u32) -> Zeroizing<Vec<u8>> {
    let mut payload = Zeroizing::new(Vec::with_capacity(KeyBytes::LENGTH + CHECK_BYTES));
    payload.extend_from_slice(key.expose());
    payload.extend_from_slice(&check_of(key, tenant, version));
    payload
}

fn check_of(key: &KeyBytes, tenant: &TenantId, version: u32) -> [u8; CHECK_BYTES] {
    let info = [version.to_be_bytes().as_slice(), tenant.as_str().as_bytes()].concat();
    let mut derived = [0; 32];
    derive(key, Use::KeyCheck, &info, &mut derived);
    *derived.first_chunk().expect("32 bytes hold 16")
}

/// Unwraps a key with the master key that wrapped it.
pub(crate) async fn unwrap(masters: &MasterKeys, wrapped: &WrappedKey) -> Result<KeyBytes, KeyError> {
    let WrappedKey { tenant, version, master: id, .. } = wrapped;
    let Some(master) = masters.find(id) else {
        return Err(KeyError::UnknownMaster {
            tenant: tenant.clone(),
            version: *version,
            master: id.clone(),
            known: masters.to_string(),
        });
    };
    let failed = |source| KeyError::Unwrap { tenant: tenant.clone(), version: *version, source };
    let payload = master.unwrap(&wrapped.wrapped).await.map_err(failed)?;
    let key = payload.get(..KeyBytes::LENGTH).and_then(KeyBytes::copy_of);
    // The check is no secret from whoever wrapped the key, so it needs no comparison in constant time.
    key.filter(|key| payload[KeyBytes::LENGTH..] == check_of(key, tenant, *version))
        .ok_or_else(|| KeyError::WrongKey { tenant: tenant.clone(), version: *version, master: id.clone() })
}

impl Tenant {
    pub(crate) fn ring(&self) -> Option<Arc<KeyRing>> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_ring(&self, ring: KeyRing) -> Arc<KeyRing> {
        let ring = Arc::new(ring);
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&ring));
        ring
    }
}

impl KeyRing {
    /// The key that seals.
    pub(crate) fn newest(&self) -> Option<(u32, &KeyBytes)> {
        self.keys.last_key_value().map(|(version, key)| (*version, &**key))
    }

    /// The key of the lookup tags, which must stay the same when keys are rotated.
    pub(crate) fn oldest(&self) -> Option<(u32, &KeyBytes)> {
        self.keys.first_key_value().map(|(version, key)| (*version, &**key))
    }

    pub(crate) fn version(&self, version: u32) -> Option<&KeyBytes> {
        self.keys.get(&version).map(|key| &**key)
    }

    fn is_shredded(&self) -> bool {
        self.keys.is_empty() && self.shredded_through > 0
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The tenant's keys were destroyed.
    #[error(
        "the keys of tenant {tenant:?} were destroyed and its data erased; readmit the tenant to begin anew"
    )]
    Shredded {
        /// The tenant.
        tenant: TenantId,
    },
    /// The master key that wrapped the key is none of those that were given.
    #[error(
        "key {version} of tenant {tenant:?} was wrapped by the master key {master}, and those at hand are {known}: name \
         that one as a previous master key"
    )]
    UnknownMaster {
        /// The tenant.
        tenant: TenantId,
        /// The version of its key.
        version: u32,
        /// The master key that wrapped it.
        master: MasterKeyId,
        /// The ids of the master keys that were given.
        known: String,
    },
    /// What was unwrapped is not the tenant's key.
    #[error(
        "what the master key {master} unwraps is not key {version} of tenant {tenant:?}: its row was changed, or the master \
         key is another one of the same name; restore the key store from a backup, or name the right master key"
    )]
    WrongKey {
        /// The tenant.
        tenant: TenantId,
        /// The version of its key.
        version: u32,
        /// The master key.
        master: MasterKeyId,
    },
    /// The master key could not wrap.
    #[error("key {version} of tenant {tenant:?} could not be wrapped")]
    Wrap {
        /// The tenant.
        tenant: TenantId,
        /// The version of its key.
        version: u32,
        /// Why not.
        #[source]
        source: MasterKeyError,
    },
    /// The master key could not unwrap.
    #[error("key {version} of tenant {tenant:?} could not be unwrapped")]
    Unwrap {
        /// The tenant.
        tenant: TenantId,
        /// The version of its key.
        version: u32,
        /// Why not.
        #[source]
        source: MasterKeyError,
    },
    /// The key store failed.
    #[error("the keys of the tenants could not be read or written")]
    Store(#[from] KeyStoreError),
    /// The operating system gave no randomness.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// Four billion rotations.
    #[error("tenant {tenant:?} has used up all versions of its key")]
    NoMoreVersions {
        /// The tenant.
        tenant: TenantId,
    },
}
