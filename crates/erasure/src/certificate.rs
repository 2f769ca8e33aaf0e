//! What proves that something was erased.

use mainstay_audit::{AuditLog, PublicKey, Signature};
use mainstay_domain::{TenantId, Timestamp};
use serde::{Deserialize, Serialize};

/// What one store did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StoreErased {
    /// The store.
    pub store: String,
    /// What was removed from it, in its own units.
    pub removed: u64,
    /// What that means.
    pub note: String,
}

/// What is stated.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Statement {
    /// The erasure.
    pub erasure: String,
    /// Whose data it was.
    pub tenant: TenantId,
    /// `user`, `document` or `tenant`.
    pub kind: String,
    /// SHA-256 of salt and subject; see [`crate::Subject::digest`].
    pub subject_digest: String,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it was done.
    pub finished_at: Timestamp,
    /// What each store did.
    pub stores: Vec<StoreErased>,
    /// Files that were searched afterwards.
    pub searched_files: u64,
    /// Bytes of them.
    pub searched_bytes: u64,
    /// Texts of the subject that were searched for, and found nowhere.
    pub markers: u64,
}

/// A statement with the signature of this Mainstay.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Certificate {
    /// What is stated.
    pub statement: Statement,
    /// The key that signed: the one of the audit log.
    pub key: Option<PublicKey>,
    /// Its signature of the statement as JSON.
    pub signature: Option<Signature>,
}

impl Certificate {
    /// Signs a statement with the key of the audit log; without a log it stays unsigned.
    pub(crate) fn sign(statement: Statement, log: Option<&AuditLog>) -> Self {
        let text = serde_json::to_vec(&statement).expect("a statement serialises to JSON");
        let signed = log.and_then(|log| log.sign_statement(&text));
        let (key, signature) = signed.unzip();
        Self { statement, key, signature }
    }

    /// Whether the key that it names has signed it. Whether that key may be trusted is another question: it is the one that
    /// signs the audit log.
    pub fn is_signed(&self) -> bool {
        let text = serde_json::to_vec(&self.statement).expect("a statement serialises to JSON");
        match (&self.key, &self.signature) {
            (Some(key), Some(signature)) => key.has_signed_statement(&text, signature),
            _ => false,
        }
    }
}
