//! What every backend of the store must do, as tests that run on any of them.
//!
//! A backend's own tests call [`conformance`] with a function that makes an empty store; a broken promise is a panic.
#![expect(
    clippy::unwrap_used,
    reason = "these are tests: an unexpected failure is to be shown where it happens"
)]

mod documents;
mod fields;
mod histories;
mod keys;
mod ledger;
mod quarantine;
mod sample;
mod tenants;

use crate::documents::{DocumentMaintenance, DocumentStore};
use crate::keys::KeyStore;
use crate::ledger::TurnHistory;
use crate::tenants::TenantStore;

/// A store under test.
pub trait Backend: Send + Sync {
    /// Its documents.
    fn documents(&self) -> &dyn DocumentStore;
    /// The same documents, for the indexer and the operator.
    fn maintenance(&self) -> &dyn DocumentMaintenance;
    /// Its API keys.
    fn keys(&self) -> &dyn KeyStore;
    /// Its tenants.
    fn tenants(&self) -> &dyn TenantStore;
    /// Its ledger.
    fn ledger(&self) -> &dyn TurnHistory;
}

/// Runs every test on stores that `make` makes: each is new and empty.
pub async fn conformance<B: Backend>(make: impl AsyncFn() -> B) {
    documents::conformance(&make).await;
    fields::conformance(&make).await;
    histories::conformance(&make).await;
    keys::conformance(&make).await;
    ledger::conformance(&make).await;
    quarantine::conformance(&make).await;
    tenants::conformance(&make).await;
}
