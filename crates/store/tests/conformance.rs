//! The embedded store keeps every promise of the conformance suite.

use std::sync::Arc;

use mainstay_domain::Clock;
use mainstay_store::conformance::{Backend, conformance};
use mainstay_store::documents::{DocumentMaintenance, DocumentStore, SqliteDocuments};
use mainstay_store::keys::KeyStore;
use mainstay_store::ledger::TurnHistory;
use mainstay_store::tenants::TenantStore;
use mainstay_store::{DataDir, EmbeddedStore, JournalLedger, SqliteKeys, SqliteTenants};

struct Embedded {
    documents: Arc<SqliteDocuments>,
    tenants: SqliteTenants,
    keys: SqliteKeys,
    ledger: Arc<JournalLedger>,
    _store: EmbeddedStore,
    _folder: tempfile::TempDir,
}

impl Backend for Embedded {
    fn documents(&self) -> &dyn DocumentStore {
        &*self.documents
    }

    fn maintenance(&self) -> &dyn DocumentMaintenance {
        &*self.documents
    }

    fn tenants(&self) -> &dyn TenantStore {
        &self.tenants
    }

    fn keys(&self) -> &dyn KeyStore {
        &self.keys
    }

    fn ledger(&self) -> &dyn TurnHistory {
        &*self.ledger
    }
}

#[tokio::test]
async fn the_embedded_store_conforms() {
    conformance(async || {
        let folder = tempfile::tempdir().unwrap();
        let store =
            EmbeddedStore::open(DataDir::open(folder.path()).unwrap(), Clock::system()).await.unwrap();
        Embedded {
            documents: store.documents(),
            tenants: store.tenants(),
            keys: store.keys(),
            ledger: store.ledger(),
            _store: store,
            _folder: folder,
        }
    })
    .await;
}
