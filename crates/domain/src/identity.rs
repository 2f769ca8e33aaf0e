//! Who calls, once it has been established.

use crate::id::{KeyId, TenantId, TierName};

/// An authenticated caller. Only `mainstay-security` makes one from credentials.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// Whose data the caller may see.
    pub tenant: TenantId,
    /// The key that was shown.
    pub key: KeyId,
    /// What the key may do.
    pub scope: Scope,
    /// How the caller is served, where the key says.
    pub tier: Option<TierName>,
}

/// What a key may do. Wider scopes contain the narrower ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Ask questions and search.
    Ask,
    /// Also add, change and delete documents.
    Write,
    /// Also administer.
    Admin,
}

impl Scope {
    /// The scope's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// The scope of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Ask, Self::Write, Self::Admin].into_iter().find(|scope| scope.as_str() == name)
    }
}
