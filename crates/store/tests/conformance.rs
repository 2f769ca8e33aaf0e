//! The embedded store keeps every promise of the conformance suite.

use std::sync::Arc;

use mainstay_domain::Clock;
use mainstay_store::conformance::{Backend, conformance};
use mainstay_store::documents::{DocumentMaintenance, DocumentStore, SqliteDocuments};
use mainstay_store::{DataDir, EmbeddedStore};

struct Embedded {
    documents: Arc<SqliteDocuments>,
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
}

#[tokio::test]
async fn the_embedded_store_conforms() {
    conformance(async || {
        let folder = tempfile::tempdir().unwrap();
        let store =
            EmbeddedStore::open(DataDir::open(folder.path()).unwrap(), Clock::system()).await.unwrap();
        Embedded { documents: store.documents(), _store: store, _folder: folder }
    })
    .await;
}
