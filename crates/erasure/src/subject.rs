//! What is to be erased.

use mainstay_domain::{CorpusName, DocumentId, UserId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What is to be erased, of one tenant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Subject {
    /// A person: what they brought, the keys that are theirs, and who they are in the audit trail.
    User {
        /// Their id.
        user: UserId,
    },
    /// A document, all its versions.
    Document {
        /// Its corpus.
        corpus: CorpusName,
        /// Its id.
        document: DocumentId,
    },
    /// Everything of the tenant, and the tenant.
    Tenant,
}

impl Subject {
    /// `user`, `document` or `tenant`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::Document { .. } => "document",
            Self::Tenant => "tenant",
        }
    }

    /// SHA-256 of the subject behind a random salt, as hexadecimal digits: whoever was given the salt can tell whom a
    /// certificate is about, and nobody else.
    pub fn digest(&self, salt: &str) -> String {
        let named = serde_json::to_vec(self).expect("a subject serialises to JSON");
        let hash =
            Sha256::new().chain_update(salt.as_bytes()).chain_update([0]).chain_update(named).finalize();
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether a hold on `held` keeps this from being erased.
    pub(crate) fn is_held_by(&self, held: &Self) -> bool {
        match (self, held) {
            (Self::Tenant, _) | (_, Self::Tenant) => true,
            (one, other) => one == other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_has_the_salt_can_tell_whom_a_digest_is_about() {
        let jane = Subject::User { user: "jane".into() };
        assert_eq!(jane.digest("s"), jane.digest("s"));
        assert_ne!(jane.digest("s"), jane.digest("t"));
        assert_ne!(jane.digest("s"), Subject::User { user: "john".into() }.digest("s"));
    }

    #[test]
    fn a_hold_on_anything_of_a_tenant_holds_the_tenant_and_one_on_the_tenant_everything() {
        let jane = Subject::User { user: "jane".into() };
        let john = Subject::User { user: "john".into() };
        assert!(jane.is_held_by(&jane) && !jane.is_held_by(&john));
        assert!(Subject::Tenant.is_held_by(&jane) && jane.is_held_by(&Subject::Tenant));
    }
}
