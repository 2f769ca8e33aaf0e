//! What Mainstay remembers: documents and their events, tenants, API keys, and the cost ledger, in SQLite inside one data folder.
//!
//! The ports are [`DocumentStore`](documents::DocumentStore), [`DocumentMaintenance`](documents::DocumentMaintenance),
//! [`KeyStore`](keys::KeyStore), [`TenantStore`](tenants::TenantStore) and [`TurnHistory`](ledger::TurnHistory); whatever
//! implements them passes the conformance suite of the feature `testing`. [`EmbeddedStore`] opens the implementations of one data folder.
//!
//! [`EmbeddedStore::open_sealed`] keeps the content of documents sealed with keys of their tenants. Sealed are texts, titles,
//! headings, metadata, names of sources, and fingerprints. Plain stay whatever is looked up, sorted or counted, by which
//! nobody reads a document: ids of documents, names of corpora and of fields, languages, media types, sizes, authors, and
//! the reasons of a quarantine. What was said in turns is kept sealed alone ([`SqliteContents`]). Keys, tenants, approvals, erasures and the ledger are not sealed.

mod anchors;
pub mod approvals;
mod contents;
pub mod data_dir;
pub mod documents;
mod embedded;
mod embeddings;
pub mod erasures;
mod error;
pub mod keys;
pub mod ledger;
mod revocations;
mod sealing;
mod sqlite;
mod tenant_keys;
pub mod tenants;

#[cfg(feature = "testing")]
pub mod conformance;

pub use self::anchors::SqliteAnchors;
pub use self::approvals::{Approval, Asked, SqliteApprovals};
pub use self::contents::{ContentEntry, ContentsOf, KeptContent, SqliteContents};
pub use self::data_dir::{DataDir, DataDirError};
pub use self::embedded::EmbeddedStore;
pub use self::embeddings::{EmbeddingCache, EmbeddingKey};
pub use self::erasures::{ErasureJob, LegalHold, SqliteErasures};
pub use self::error::{StorageError, StorageFault};
pub use self::keys::{KeyRecord, SqliteKeys};
pub use self::ledger::{JournalLedger, LedgerDrain};
pub use self::revocations::{Revocation, SqliteRevocations};
pub use self::tenants::{SqliteTenants, TenantRecord};
