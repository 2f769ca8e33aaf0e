//! Tenants as they are kept: who owns data, and what holds for them and nobody else.
//!
//! Requests do not ask here: `mainstay-security` holds the tenants in memory and writes every change through.

mod sqlite;

use async_trait::async_trait;
use mainstay_domain::{RegionName, TenantId, TierName, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::sqlite::SqliteTenants;
use crate::error::StorageError;

/// A tenant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TenantRecord {
    /// Its id.
    pub id: TenantId,
    /// Its name, for people.
    pub name: String,
    /// Who its people are.
    pub audience: Audience,
    /// Whether it is served.
    pub state: TenantState,
    /// What holds for it.
    pub settings: TenantSettings,
    /// When it was created.
    pub created_at: Timestamp,
    /// When anything of it was changed.
    pub changed_at: Timestamp,
}

/// Who the people of a tenant are (stage 1.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// People who signed up by themselves.
    Consumer,
    /// A customer with a contract.
    Enterprise,
    /// The people who operate the product.
    Internal,
}

impl Audience {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Enterprise => "enterprise",
            Self::Internal => "internal",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Consumer, Self::Enterprise, Self::Internal]
            .into_iter()
            .find(|audience| audience.as_str() == name)
    }
}

/// Whether a tenant is served.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TenantState {
    /// It is.
    Active,
    /// It is not, and all of its data is kept.
    Suspended,
    /// It is not, and its data goes or has gone. The id is never given again.
    Deleted,
}

impl TenantState {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Suspended, Self::Deleted].into_iter().find(|state| state.as_str() == name)
    }
}

/// What holds for a tenant and no other.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TenantSettings {
    /// How its callers are served, where their credentials do not say.
    pub tier: Option<TierName>,
    /// Where its data has to stay.
    pub region: Option<RegionName>,
    /// The assistants and models that its callers may name; all where nothing is said.
    pub models: Option<Vec<String>>,
    /// For how many days after its last change a document is kept; for ever where nothing is said.
    pub keep_documents_days: Option<u32>,
    /// Whether it agreed that what is said in some of its turns is kept, scrubbed and sealed, for a time; it did not where
    /// nothing is said.
    pub keep_content: Option<bool>,
    /// Its part of what its tier is served, relative to the other tenants of it, where they have to wait for each other: 1 where
    /// nothing is said.
    pub weight: Option<u32>,
    /// Requests a minute of all its callers together, where it is not what its tier allows each tenant.
    pub requests_per_minute: Option<u32>,
    /// Tokens a minute of their prompts and answers, likewise.
    pub tokens_per_minute: Option<u32>,
}

/// All tenants.
#[async_trait]
pub trait TenantStore: Send + Sync {
    /// Every tenant, deleted ones too, by id.
    async fn all(&self) -> Result<Vec<TenantRecord>, StorageError>;

    /// Adds a tenant. `false`, and nothing is changed, where the id was ever given.
    async fn insert(&self, tenant: &TenantRecord) -> Result<bool, StorageError>;

    /// Replaces what is known of a tenant but its id and when it was created. `false` where there is none of that id.
    async fn replace(&self, tenant: &TenantRecord) -> Result<bool, StorageError>;
}
