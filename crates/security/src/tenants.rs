//! The tenants of this Mainstay: creating, changing, suspending and deleting them. Every change is stored first and then
//! holds for the next request.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use mainstay_domain::{Clock, RegionName, TenantId, TierName};
use mainstay_store::tenants::TenantStore;
pub use mainstay_store::tenants::{Audience, TenantRecord, TenantSettings, TenantState};
use mainstay_store::{SqliteTenants, StorageError};
use tokio::sync::Mutex;

/// The tenants, in the store and in memory.
#[derive(Debug)]
pub struct Tenants {
    store: SqliteTenants,
    clock: Clock,
    known: RwLock<HashMap<TenantId, Arc<TenantRecord>>>,
    /// One change at a time, so that none is lost.
    changing: Mutex<()>,
}

/// A tenant that is wanted.
#[derive(Clone, Debug)]
pub struct TenantOrder {
    /// Its id.
    pub id: TenantId,
    /// Its name, for people.
    pub name: String,
    /// Who its people are.
    pub audience: Audience,
    /// What holds for it.
    pub settings: TenantSettings,
}

/// What is to be different about a tenant; what is absent stays.
#[derive(Clone, Default, Debug)]
pub struct TenantChange {
    /// Its name.
    pub name: Option<String>,
    /// Who its people are.
    pub audience: Option<Audience>,
    /// Whether it is served.
    pub state: Option<TenantState>,
    /// How it is served; `Some(None)` takes it away, as with those below.
    pub tier: Option<Option<TierName>>,
    /// Where its data has to stay.
    pub region: Option<Option<RegionName>>,
    /// What its callers may name.
    pub models: Option<Option<Vec<String>>>,
    /// For how many days its documents are kept.
    pub keep_documents_days: Option<Option<u32>>,
    /// Whether what is said in some of its turns is kept.
    pub keep_content: Option<Option<bool>>,
    /// Its part of what its tier is served.
    pub weight: Option<Option<u32>>,
    /// Requests a minute of all its callers together.
    pub requests_per_minute: Option<Option<u32>>,
    /// Tokens a minute of their prompts and answers.
    pub tokens_per_minute: Option<Option<u32>>,
}

/// Why tenants could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TenantsError {
    /// There is no such tenant.
    #[error("there is no tenant {0:?}; `mainstay tenants list` shows those that exist")]
    Unknown(TenantId),
    /// The id was given before.
    #[error(
        "there is or was a tenant {0:?}: an id is given once, so that nobody ever sees what was another's"
    )]
    Taken(TenantId),
    /// The wish makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The store failed.
    #[error("the tenants could not be stored: {0}")]
    Storage(#[from] StorageError),
}

impl TenantsError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "tenant_not_found",
            Self::Taken(_) => "tenant_exists",
            Self::Invalid(_) => "invalid_request",
            Self::Storage(_) => "storage_failed",
        }
    }
}

/// Longest id of a tenant, in bytes: it becomes a part of file names.
const LONGEST_ID: usize = 64;

impl Tenants {
    /// Reads the tenants of the store. The one that operates this Mainstay is always there.
    pub async fn open(store: SqliteTenants, clock: Clock) -> Result<Self, TenantsError> {
        let now = clock.now();
        let operator = TenantRecord {
            id: TenantId::single(),
            name: "the operator of this Mainstay".to_owned(),
            audience: Audience::Internal,
            state: TenantState::Active,
            settings: TenantSettings::default(),
            created_at: now,
            changed_at: now,
        };
        store.insert(&operator).await?;
        let known = store.all().await?.into_iter().map(|tenant| (tenant.id.clone(), Arc::new(tenant)));
        let known = RwLock::new(known.collect());
        Ok(Self { store, clock, known, changing: Mutex::default() })
    }

    /// The tenant of that id, also a deleted one.
    pub fn find(&self, id: &TenantId) -> Option<Arc<TenantRecord>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Refuses a tenant that does not exist, or not any more.
    pub fn expect(&self, id: &TenantId) -> Result<Arc<TenantRecord>, TenantsError> {
        let tenant = self.find(id).filter(|tenant| tenant.state != TenantState::Deleted);
        tenant.ok_or_else(|| TenantsError::Unknown(id.clone()))
    }

    /// Whether the tenant is served.
    pub fn is_active(&self, id: &TenantId) -> bool {
        self.find(id).is_some_and(|tenant| tenant.state == TenantState::Active)
    }

    /// All tenants by id, deleted ones too.
    pub fn list(&self) -> Vec<Arc<TenantRecord>> {
        let mut all: Vec<_> =
            self.known.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        all.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        all
    }

    /// Creates a tenant.
    pub async fn create(&self, order: TenantOrder) -> Result<Arc<TenantRecord>, TenantsError> {
        check_id(&order.id)?;
        let name = checked_name(&order.name)?;
        let _one_at_a_time = self.changing.lock().await;
        let now = self.clock.now();
        let tenant = TenantRecord {
            id: order.id,
            name,
            audience: order.audience,
            state: TenantState::Active,
            settings: order.settings,
            created_at: now,
            changed_at: now,
        };
        if !self.store.insert(&tenant).await? {
            return Err(TenantsError::Taken(tenant.id));
        }
        Ok(self.keep(tenant))
    }

    /// Changes a tenant; answers how it was and how it is. A deleted one stays so, and the operator is never suspended or
    /// deleted: nobody could undo it.
    pub async fn change(
        &self,
        id: &TenantId,
        change: TenantChange,
    ) -> Result<(Arc<TenantRecord>, Arc<TenantRecord>), TenantsError> {
        let _one_at_a_time = self.changing.lock().await;
        let before = self.find(id).ok_or_else(|| TenantsError::Unknown(id.clone()))?;
        let state = change.state.unwrap_or(before.state);
        if before.state == TenantState::Deleted && state != TenantState::Deleted {
            let message = "the tenant was deleted, and its data with it; create another one".to_owned();
            return Err(TenantsError::Invalid(message));
        }
        if id.is_operator() && state != TenantState::Active {
            let message = "this tenant operates Mainstay: without it nobody could administer".to_owned();
            return Err(TenantsError::Invalid(message));
        }
        let name = change.name.as_deref().map(checked_name).transpose()?;
        let after = TenantRecord {
            id: id.clone(),
            name: name.unwrap_or_else(|| before.name.clone()),
            audience: change.audience.unwrap_or(before.audience),
            state,
            settings: TenantSettings {
                tier: change.tier.unwrap_or_else(|| before.settings.tier.clone()),
                region: change.region.unwrap_or_else(|| before.settings.region.clone()),
                models: change.models.unwrap_or_else(|| before.settings.models.clone()),
                keep_documents_days: change
                    .keep_documents_days
                    .unwrap_or(before.settings.keep_documents_days),
                keep_content: change.keep_content.unwrap_or(before.settings.keep_content),
                weight: change.weight.unwrap_or(before.settings.weight),
                requests_per_minute: change
                    .requests_per_minute
                    .unwrap_or(before.settings.requests_per_minute),
                tokens_per_minute: change.tokens_per_minute.unwrap_or(before.settings.tokens_per_minute),
            },
            created_at: before.created_at,
            changed_at: self.clock.now(),
        };
        if !self.store.replace(&after).await? {
            return Err(TenantsError::Unknown(after.id));
        }
        Ok((before, self.keep(after)))
    }

    fn keep(&self, tenant: TenantRecord) -> Arc<TenantRecord> {
        let tenant = Arc::new(tenant);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(tenant.id.clone(), tenant.clone());
        tenant
    }
}

/// An id that can be typed, and be a part of a path on any system.
fn check_id(id: &TenantId) -> Result<(), TenantsError> {
    let text = id.as_str();
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.');
    let begins_well = text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    if begins_well && text.len() <= LONGEST_ID && text.bytes().all(is_plain) {
        return Ok(());
    }
    Err(TenantsError::Invalid(format!(
        "the id of a tenant is 1 to {LONGEST_ID} of a-z, 0-9, \"-\", \"_\" and \".\", and begins with a letter or digit"
    )))
}

fn checked_name(name: &str) -> Result<String, TenantsError> {
    let name = name.trim();
    if name.is_empty() || name.len() > 200 || name.chars().any(char::is_control) {
        return Err(TenantsError::Invalid(
            "the name of a tenant has 1 to 200 bytes without control characters".to_owned(),
        ));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_that_can_be_a_part_of_a_path_anywhere() {
        for good in ["acme", "a", "0-9_x.y", &"a".repeat(64)] {
            assert!(check_id(&TenantId::new(good)).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "-a", "A", "a/b", "a b", "a\0", "ä", &"a".repeat(65)] {
            assert!(check_id(&TenantId::new(bad)).is_err(), "{bad}");
        }
    }
}
