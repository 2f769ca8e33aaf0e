//! The API keys of this Mainstay: making, rotating and revoking them. Every change is stored first and then holds for
//! the next request.

use std::sync::Arc;
use std::time::Duration;

use mainstay_domain::config::Secret;
use mainstay_domain::{Clock, KeyId, Permission, RoleName, TenantId, TierName, Timestamp, UserId};
use mainstay_store::{KeyRecord, SqliteKeys, StorageError};
use tokio::sync::Mutex;

use crate::keys::{KeyEntry, KeyTable, hash, text_of};

/// The keys, in the store and in memory.
#[derive(Debug)]
pub struct KeyRing {
    store: SqliteKeys,
    table: Arc<KeyTable>,
    clock: Clock,
    /// Keys that live as long as the process, and are not stored.
    transient: Vec<KeyEntry>,
    /// One change at a time, so that the table never misses one.
    changing: Mutex<()>,
}

/// A key that is wanted.
#[derive(Clone, Debug)]
pub struct KeyOrder {
    /// Whose data it opens.
    pub tenant: TenantId,
    /// What it is for.
    pub name: String,
    /// What its holders are, as policies name it.
    pub role: RoleName,
    /// The permissions that it is narrowed to, whatever the role may.
    pub only: Option<Vec<Permission>>,
    /// Whose it is, where it belongs to somebody.
    pub owner: Option<UserId>,
    /// How its holders are served, where it says.
    pub tier: Option<TierName>,
    /// How long it is valid; without end where nothing is said.
    pub valid_for: Option<Duration>,
}

/// A key that was made. Its text exists only here.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Its public id.
    pub id: KeyId,
    /// What its holder shows.
    pub text: Secret,
}

/// A key without its secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeySummary {
    /// Its public id.
    pub id: KeyId,
    /// Whose data it opens.
    pub tenant: TenantId,
    /// What it is for.
    pub name: String,
    /// What its holders are, as policies name it.
    pub role: RoleName,
    /// The permissions that it is narrowed to, whatever the role may.
    pub only: Option<Vec<Permission>>,
    /// Whose it is, where it belongs to somebody.
    pub owner: Option<UserId>,
    /// How its holders are served, where it says.
    pub tier: Option<TierName>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is worthless.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl KeySummary {
    /// `active`, `expired` or `revoked`.
    pub fn state(&self, now: Timestamp) -> &'static str {
        match (self.revoked_at, self.expires_at) {
            (Some(_), _) => "revoked",
            (None, Some(at)) if at <= now => "expired",
            _ => "active",
        }
    }
}

/// Why keys could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// The tenant has no such key.
    #[error("there is no API key {0:?}; `mainstay keys list` shows those that exist")]
    Unknown(KeyId),
    /// The wish makes no sense.
    #[error("{0}")]
    Invalid(&'static str),
    /// The store failed.
    #[error("the API keys could not be stored: {0}")]
    Storage(#[from] StorageError),
}

impl KeyRingError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "api_key_not_found",
            Self::Invalid(_) => "invalid_request",
            Self::Storage(_) => "storage_failed",
        }
    }
}

impl KeyRing {
    /// Reads the keys of the store. `process_key` is added for as long as the process lives, for the verbs of this
    /// machine: the administrator's, of the only tenant.
    pub async fn open(store: SqliteKeys, clock: Clock) -> Result<(Self, NewKey), KeyRingError> {
        let (local, process_key) = make(
            KeyOrder {
                tenant: TenantId::single(),
                name: "this process".to_owned(),
                role: admin(),
                only: None,
                owner: None,
                tier: None,
                valid_for: None,
            },
            &clock,
        );
        let ring = Self {
            store,
            table: Arc::new(KeyTable::default()),
            clock,
            transient: vec![KeyEntry { transient: true, ..entry(&local) }],
            changing: Mutex::default(),
        };
        ring.reload().await?;
        Ok((ring, process_key))
    }

    /// The table that requests ask.
    pub fn table(&self) -> Arc<KeyTable> {
        self.table.clone()
    }

    /// The first key, where there has never been one: the administrator's.
    pub async fn first_key(&self) -> Result<Option<NewKey>, KeyRingError> {
        if !self.store.all().await?.is_empty() {
            return Ok(None);
        }
        let order = KeyOrder {
            tenant: TenantId::single(),
            name: "first key".to_owned(),
            role: admin(),
            only: None,
            owner: None,
            tier: None,
            valid_for: None,
        };
        self.create(order).await.map(Some)
    }

    /// Makes a key.
    pub async fn create(&self, order: KeyOrder) -> Result<NewKey, KeyRingError> {
        if order.name.trim().is_empty() {
            return Err(KeyRingError::Invalid("the key needs a name that says what it is for"));
        }
        if order.valid_for.is_some_and(|duration| duration.is_zero()) {
            return Err(KeyRingError::Invalid("the key would expire at once"));
        }
        let _one_at_a_time = self.changing.lock().await;
        let (record, key) = make(order, &self.clock);
        self.store.insert(&record).await?;
        self.table.put(entry(&record));
        Ok(key)
    }

    /// The keys of a tenant, oldest first.
    pub async fn list(&self, tenant: &TenantId) -> Result<Vec<KeySummary>, KeyRingError> {
        let keys = self.store.all().await?;
        Ok(keys.into_iter().filter(|key| key.tenant == *tenant).map(summary).collect())
    }

    /// Makes a successor of a key with the same name and role; the old one works on for `overlap`.
    pub async fn rotate(
        &self,
        tenant: &TenantId,
        id: &KeyId,
        overlap: Duration,
    ) -> Result<NewKey, KeyRingError> {
        let _one_at_a_time = self.changing.lock().await;
        let now = self.clock.now();
        let old = self.store.all().await?.into_iter().find(|key| key.tenant == *tenant && key.id == *id);
        let old = old.ok_or_else(|| KeyRingError::Unknown(id.clone()))?;
        if summary(old.clone()).state(now) != "active" {
            return Err(KeyRingError::Invalid("the key is not active any more; make a new one instead"));
        }
        let KeyRecord { tenant: holder, name, role, only, owner, tier, expires_at, .. } = old;
        // A successor is good for as long as the key would have been, not for ever.
        let left =
            |end: Timestamp| Duration::from_micros((end.as_micros() - now.as_micros()).max(1).unsigned_abs());
        let order =
            KeyOrder { tenant: holder, name, role, only, owner, tier, valid_for: expires_at.map(left) };
        let (record, key) = make(order, &self.clock);
        self.store.insert(&record).await?;
        let end = later(now, overlap);
        self.store.expire(tenant, id, end).await?;
        self.table.put(entry(&record));
        self.table.change(id, |old| old.expires_at = Some(old.expires_at.map_or(end, |at| at.min(end))));
        Ok(key)
    }

    /// Makes a key worthless, from the next request on. `false` where the tenant has no such key.
    pub async fn revoke(&self, tenant: &TenantId, id: &KeyId) -> Result<bool, KeyRingError> {
        let _one_at_a_time = self.changing.lock().await;
        let found = self.store.revoke(tenant, id, self.clock.now()).await?;
        if found {
            self.table.change(id, |key| key.revoked = true);
        }
        Ok(found)
    }

    /// Makes every key of a tenant, or of one of its users, worthless and forgets whose they were. How many there were.
    pub async fn revoke_all(&self, tenant: &TenantId, owner: Option<&UserId>) -> Result<u64, KeyRingError> {
        let _one_at_a_time = self.changing.lock().await;
        let revoked = self.store.revoke_all(tenant, owner, self.clock.now()).await?;
        if revoked > 0 {
            self.reload().await?;
        }
        Ok(revoked)
    }

    async fn reload(&self) -> Result<(), KeyRingError> {
        let stored = self.store.all().await?;
        self.table.replace(stored.iter().map(entry).chain(self.transient.iter().cloned()));
        Ok(())
    }
}

/// The built-in role of who administers.
fn admin() -> RoleName {
    RoleName::new("admin")
}

fn make(order: KeyOrder, clock: &Clock) -> (KeyRecord, NewKey) {
    let id = KeyId::from(random_text(8));
    let secret = random_text(32);
    let now = clock.now();
    let record = KeyRecord {
        id: id.clone(),
        tenant: order.tenant,
        name: order.name,
        role: order.role,
        only: order.only,
        owner: order.owner,
        tier: order.tier,
        secret_hash: hash(&secret),
        created_at: now,
        expires_at: order.valid_for.map(|duration| later(now, duration)),
        revoked_at: None,
    };
    let text = Secret::new(&text_of(&id, &secret));
    (record, NewKey { id, text })
}

/// So many random bytes in hexadecimal digits.
pub(crate) fn random_text(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    getrandom::fill(&mut buffer).expect("the operating system has randomness once it has started");
    buffer.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The moment so long after another.
pub(crate) fn later(moment: Timestamp, duration: Duration) -> Timestamp {
    let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(moment.as_micros().saturating_add(micros))
}

fn entry(key: &KeyRecord) -> KeyEntry {
    KeyEntry {
        id: key.id.clone(),
        secret_hash: key.secret_hash,
        tenant: key.tenant.clone(),
        role: key.role.clone(),
        only: key.only.as_deref().map(Arc::from),
        owner: key.owner.clone(),
        transient: false,
        tier: key.tier.clone(),
        expires_at: key.expires_at,
        revoked: key.revoked_at.is_some(),
    }
}

fn summary(key: KeyRecord) -> KeySummary {
    KeySummary {
        id: key.id,
        tenant: key.tenant,
        name: key.name,
        role: key.role,
        only: key.only,
        owner: key.owner,
        tier: key.tier,
        created_at: key.created_at,
        expires_at: key.expires_at,
        revoked_at: key.revoked_at,
    }
}
