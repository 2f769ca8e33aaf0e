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

/// What a route does, as policies name it: the unit of authorization. Every route has exactly one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub enum Permission {
    /// Ask questions: chat, messages, embeddings, and which models there are.
    #[serde(rename = "answers.ask")]
    AnswersAsk,
    /// Search, and read documents and corpora.
    #[serde(rename = "documents.read")]
    DocumentsRead,
    /// Add, replace and delete documents.
    #[serde(rename = "documents.write")]
    DocumentsWrite,
    /// See what is kept from searches and why, let it out again, and report on a corpus.
    #[serde(rename = "quality.manage")]
    QualityManage,
    /// Build an index anew from the stored documents.
    #[serde(rename = "index.rebuild")]
    IndexRebuild,
    /// See budgets and what was spent.
    #[serde(rename = "costs.read")]
    CostsRead,
    /// See how much of the service is offered.
    #[serde(rename = "service.read")]
    ServiceRead,
    /// Set how much of the service is offered.
    #[serde(rename = "service.manage")]
    ServiceManage,
    /// See, make, rotate and revoke API keys.
    #[serde(rename = "keys.manage")]
    KeysManage,
    /// See tenants.
    #[serde(rename = "tenants.read")]
    TenantsRead,
    /// Create, change, suspend and delete tenants.
    #[serde(rename = "tenants.manage")]
    TenantsManage,
    /// See the policies, and have a decision explained.
    #[serde(rename = "policies.read")]
    PoliciesRead,
    /// Approve or refuse what somebody else wants to change in production.
    #[serde(rename = "approvals.decide")]
    ApprovalsDecide,
    /// Read, verify and export the audit records.
    #[serde(rename = "audit.read")]
    AuditRead,
    /// Erase users and documents, and hold them from erasure.
    #[serde(rename = "erasure.manage")]
    ErasureManage,
}

impl Permission {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::AnswersAsk,
        Self::DocumentsRead,
        Self::DocumentsWrite,
        Self::QualityManage,
        Self::IndexRebuild,
        Self::CostsRead,
        Self::ServiceRead,
        Self::ServiceManage,
        Self::KeysManage,
        Self::TenantsRead,
        Self::TenantsManage,
        Self::PoliciesRead,
        Self::ApprovalsDecide,
        Self::AuditRead,
        Self::ErasureManage,
    ];

    /// Its name in policies, keys and errors.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AnswersAsk => "answers.ask",
            Self::DocumentsRead => "documents.read",
            Self::DocumentsWrite => "documents.write",
            Self::QualityManage => "quality.manage",
            Self::IndexRebuild => "index.rebuild",
            Self::CostsRead => "costs.read",
            Self::ServiceRead => "service.read",
            Self::ServiceManage => "service.manage",
            Self::KeysManage => "keys.manage",
            Self::TenantsRead => "tenants.read",
            Self::TenantsManage => "tenants.manage",
            Self::PoliciesRead => "policies.read",
            Self::ApprovalsDecide => "approvals.decide",
            Self::AuditRead => "audit.read",
            Self::ErasureManage => "erasure.manage",
        }
    }

    /// The permission of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_is_found_by_the_name_that_it_is_written_by() {
        for permission in Permission::ALL {
            assert_eq!(Permission::from_name(permission.as_str()), Some(permission));
            let written = serde_json::to_value(permission).unwrap();
            assert_eq!(written, permission.as_str());
        }
        assert_eq!(Permission::from_name("answers"), None);
    }
}
