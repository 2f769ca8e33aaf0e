//! What Mainstay remembers: documents and their events, API keys, and the cost ledger, in SQLite inside one data folder.
//!
//! The ports are [`DocumentStore`](documents::DocumentStore), [`DocumentMaintenance`](documents::DocumentMaintenance),
//! [`KeyStore`](keys::KeyStore) and [`TurnHistory`](ledger::TurnHistory); whatever implements them passes the
//! conformance suite of the feature `testing`. [`EmbeddedStore`] opens the implementations of one data folder.

pub mod data_dir;
pub mod documents;
mod embedded;
mod embeddings;
mod error;
pub mod keys;
pub mod ledger;
mod sqlite;

#[cfg(feature = "testing")]
pub mod conformance;

pub use self::data_dir::{DataDir, DataDirError};
pub use self::embedded::EmbeddedStore;
pub use self::embeddings::{EmbeddingCache, EmbeddingKey};
pub use self::error::{StorageError, StorageFault};
pub use self::keys::{KeyRecord, SqliteKeys};
pub use self::ledger::{JournalLedger, LedgerDrain};
