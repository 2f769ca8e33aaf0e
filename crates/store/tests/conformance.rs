//! The embedded store keeps every promise of the conformance suite.

use std::sync::Arc;

use mainstay_domain::Clock;
use mainstay_store::conformance::{Backend, conformance};
use mainstay_store::documents::{DocumentMaintenance, DocumentStore, SqliteDocuments};
use mainstay_store::keys::KeyStore;
use mainstay_store::ledger::TurnHistory;
use mainstay_store::tenants::TenantStore;
use mainstay_store::{DataDir, EmbeddedStore, JournalLedger, SqliteKeys, SqliteTenants};
use mainstay_vault::{MasterKey, MasterKeys};

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

impl Embedded {
    fn new(folder: tempfile::TempDir, store: EmbeddedStore) -> Self {
        Self {
            documents: store.documents(),
            tenants: store.tenants(),
            keys: store.keys(),
            ledger: store.ledger(),
            _store: store,
            _folder: folder,
        }
    }
}

#[tokio::test]
async fn the_embedded_store_conforms() {
    conformance(async || {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(folder.path()).unwrap();
        let store = EmbeddedStore::open(data_dir, Clock::system()).await.unwrap();
        Embedded::new(folder, store)
    })
    .await;
}

#[tokio::test]
async fn the_embedded_store_conforms_when_its_content_is_sealed() {
    let keys = tempfile::tempdir().unwrap();
    let masters = MasterKeys::new(MasterKey::generate_file(&keys.path().join("key")).unwrap());
    conformance(async || {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(folder.path()).unwrap();
        let store = EmbeddedStore::open_sealed(data_dir, Clock::system(), masters.clone()).await.unwrap();
        Embedded::new(folder, store)
    })
    .await;
}
