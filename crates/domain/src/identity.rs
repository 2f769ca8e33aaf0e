//! Who calls, once it has been established.

use std::sync::Arc;

use crate::id::{KeyId, RegionName, RoleName, TenantId, TierName, UserId};
use crate::time::Timestamp;

/// An authenticated caller. Only `mainstay-security` makes one from credentials.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// Whose data the caller may see.
    pub tenant: TenantId,
    /// What was shown: the id of the API key, or `token:` and the name of the issuer. Safe to print.
    pub key: KeyId,
    /// Who it is, where the credential says.
    pub user: Option<UserId>,
    /// What the caller is, as policies name it.
    pub roles: Arc<[RoleName]>,
    /// The permissions that the credential is narrowed to, whatever its roles may.
    pub only: Option<Arc<[Permission]>>,
    /// How the caller is served, where the credential or its tenant says.
    pub tier: Option<TierName>,
    /// What the caller's tenant may take of what there is for its tier.
    pub allotment: Allotment,
    /// Where the caller's data has to stay, where the identity says.
    pub region: Option<RegionName>,
    /// The assistants and models that the caller may name; all where nothing is said.
    pub models: Option<Arc<[String]>>,
    /// Whether the caller's tenant agreed that what is said in some turns is kept, scrubbed and sealed, for a time.
    pub keeps_content: bool,
    /// How it was shown who calls.
    pub via: Via,
    /// From when on what was shown is worthless, where that is known and cannot change.
    pub expires_at: Option<Timestamp>,
    /// Which token was shown, where it was one.
    pub token: Option<Arc<TokenMark>>,
}

/// What tells a token from others of its holder, for who looks whether it was revoked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenMark {
    /// Its own id (`jti`), where it has one.
    pub id: Option<Arc<str>>,
    /// When it was issued, where it says so.
    pub issued_at: Option<Timestamp>,
}

impl Caller {
    /// A caller of a tenant of whom nothing else is known, and who may do nothing.
    pub fn of(tenant: TenantId, key: KeyId) -> Self {
        Self {
            tenant,
            key,
            user: None,
            roles: Arc::new([]),
            only: None,
            tier: None,
            allotment: Allotment::default(),
            region: None,
            models: None,
            keeps_content: false,
            via: Via::Key,
            expires_at: None,
            token: None,
        }
    }

    /// Whether the caller may name this assistant or model.
    pub fn may_name(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.iter().any(|allowed| allowed == model))
    }

    /// Whose limits per key the caller's requests take from: each holder of a token has its own.
    pub fn holder(&self) -> KeyId {
        match (self.via, &self.user) {
            (Via::Token, Some(user)) => KeyId::from(format!("{}/{user}", self.key)),
            _ => self.key.clone(),
        }
    }

    /// Whether the credential itself leaves room for something; what its roles may is for the policies to say.
    pub fn is_narrowed_from(&self, permission: Permission) -> bool {
        self.only.as_ref().is_some_and(|only| !only.contains(&permission))
    }
}

/// What a tenant may take of what there is for its tier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Allotment {
    /// Its part where not everybody can be served, relative to the other tenants of the tier.
    pub weight: u32,
    /// Requests a minute, where it is not what the tier allows each tenant.
    pub requests_per_minute: Option<u32>,
    /// Tokens a minute of prompts and answers, where it is not what the tier allows each tenant.
    pub tokens_per_minute: Option<u32>,
}

impl Default for Allotment {
    /// As every tenant of the tier.
    fn default() -> Self {
        Self { weight: 1, requests_per_minute: None, tokens_per_minute: None }
    }
}

/// How it was shown who calls.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Via {
    /// By an API key.
    Key,
    /// By a token of an identity provider.
    Token,
    /// By the key that a process gives itself, for the verbs of its machine.
    Process,
}

impl Via {
    /// Its name in policies and audit records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Token => "token",
            Self::Process => "process",
        }
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
    /// Read what was said in turns that were kept.
    #[serde(rename = "content.read")]
    ContentRead,
    /// Erase users and documents, and hold them from erasure.
    #[serde(rename = "erasure.manage")]
    ErasureManage,
}

impl Permission {
    /// All of them.
    pub const ALL: [Self; 16] = [
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
        Self::ContentRead,
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
            Self::ContentRead => "content.read",
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
