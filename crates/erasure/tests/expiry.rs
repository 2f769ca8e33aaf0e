//! What is kept for a time only, on the real stores.
#![expect(clippy::unwrap_used, reason = "an unexpected failure is to be shown where it happens")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mainstay_cache::AnswerCache;
use mainstay_documents::{ChunkOptions, Limits};
use mainstay_domain::port::Embedder;
use mainstay_domain::{Clock, CorpusName, DocumentId, RequestId, TenantId, Timestamp};
use mainstay_embed::StaticEmbedder;
use mainstay_erasure::{Eraser, Stores, Subject};
use mainstay_ops::{ContentLog, Trail};
use mainstay_rag::fusion::Fusion;
use mainstay_rag::{CorpusSettings, Library, LibrarySettings, QualitySettings, Upload};
use mainstay_security::tenants::{Audience, TenantSettings};
use mainstay_security::{KeyRing, TenantOrder, Tenants};
use mainstay_store::{ContentEntry, DataDir, EmbeddedStore, LegalHold, SqliteContents};
use mainstay_vault::{MasterKey, MasterKeys};
use mainstay_vectors::{EmbeddedIndex, EmbeddedOptions};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn stores(folder: &std::path::Path, clock: Clock) -> (EmbeddedStore, Stores) {
    let key = folder.join("master.key");
    let master = MasterKey::from_file(&key).or_else(|_| MasterKey::generate_file(&key)).unwrap();
    let store = EmbeddedStore::open_sealed(DataDir::open(folder).unwrap(), clock, MasterKeys::new(master));
    let store = store.await.unwrap();
    let contents = SqliteContents::open(store.folder(), store.tenant_keys().unwrap()).await.unwrap();
    let index =
        EmbeddedIndex::new(store.folder().subfolder("index").unwrap(), EmbeddedOptions::default()).unwrap();
    let corpus = CorpusSettings {
        embedder: Arc::new(StaticEmbedder::builtin()) as Arc<dyn Embedder>,
        chunking: ChunkOptions::default(),
        fusion: Fusion::Convex,
        dense_weight: 0.2,
        document_share: 0.0,
        grams_weight: 0.0,
        upgrade: None,
        rerank: None,
        quality: QualitySettings::default(),
    };
    let settings = LibrarySettings {
        corpora: HashMap::new(),
        unnamed: corpus,
        limits: Limits::default(),
        embedding_timeout: DAY,
        staleness: None,
    };
    let library =
        Library::open(store.documents(), store.documents(), Arc::new(index), settings, clock).await.unwrap();
    let (keys, _) = KeyRing::open(store.keys(), clock).await.unwrap();
    let stores = Stores {
        databases: store.erasures(),
        library: Arc::new(library),
        answers: AnswerCache::new(1 << 20, clock),
        ledger: store.ledger(),
        keys: Arc::new(keys),
        revocations: None,
        tenants: Arc::new(Tenants::open(store.tenants(), clock).await.unwrap()),
        trail: Trail::off(clock),
        embeddings: None,
        contents: ContentLog::new(0.0, contents, clock).0,
        keep_content: 30 * DAY,
        tenant_keys: store.tenant_keys(),
        data_dir: folder.to_owned(),
    };
    (store, stores)
}

fn upload(id: &str, text: &str) -> Upload {
    Upload {
        author: None,
        doc_id: Some(DocumentId::new(id)),
        title: None,
        language: Some("en".to_owned()),
        file_name: Some(format!("{id}.md")),
        media_type: None,
        metadata: serde_json::Map::new(),
        bytes: text.to_owned().into(),
    }
}

/// The stores as they are on this day, and what erases from them.
struct Site {
    store: EmbeddedStore,
    library: Arc<Library>,
    tenants: Arc<Tenants>,
    contents: SqliteContents,
    eraser: Eraser,
}

impl Site {
    /// A database cannot wait in time that is paused, so that each day is a start of its own.
    async fn on_day(folder: &std::path::Path, day: u32) -> Self {
        let micros = 1_000_000 + i64::try_from((DAY * day).as_micros()).unwrap();
        let clock = Clock::starting_at(Timestamp::from_micros(micros));
        let (store, stores) = stores(folder, clock).await;
        let (library, tenants) = (stores.library.clone(), stores.tenants.clone());
        let contents = stores.contents.stored().unwrap().clone();
        Self { store, library, tenants, contents, eraser: Eraser::new(stores, clock) }
    }

    async fn add(&self, tenant: &str, documents: Vec<Upload>) {
        for added in self.library.add(&TenantId::new(tenant), &CorpusName::new(CORPUS), documents).await {
            added.unwrap();
        }
    }

    async fn left(&self, tenant: &str) -> Vec<String> {
        let documents = self.library.list(&TenantId::new(tenant), &CorpusName::new(CORPUS), None, 10).await;
        documents.unwrap().into_iter().map(|document| document.doc_id.to_string()).collect()
    }

    async fn close(self) {
        drop(self.eraser);
        self.contents.close().await;
        self.library.close().await.unwrap();
        self.store.close().await;
    }
}

const CORPUS: &str = "handbook";

#[tokio::test]
async fn what_is_older_than_its_tenant_keeps_it_goes_unless_it_is_held() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::on_day(folder.path(), 0).await;
    for (id, keep_documents_days) in [("acme", Some(30)), ("zoo", None)] {
        let order = TenantOrder {
            id: TenantId::new(id),
            name: id.to_owned(),
            audience: Audience::Enterprise,
            settings: TenantSettings { keep_documents_days, ..TenantSettings::default() },
        };
        site.tenants.create(order).await.unwrap();
        let text = |name| format!("The {name} lighthouse stands on a cliff above the harbour.");
        let documents = ["old", "held", "renewed"].map(|name| upload(name, &text(name)));
        site.add(id, documents.into()).await;
    }
    let held = Subject::Document { corpus: CorpusName::new(CORPUS), document: DocumentId::new("held") };
    let hold = LegalHold {
        id: "h1".to_owned(),
        tenant: TenantId::new("acme"),
        subject: serde_json::to_value(held).unwrap(),
        reason: "a lawsuit".to_owned(),
        placed_by: "somebody".to_owned(),
        placed_at: Timestamp::default(),
    };
    site.eraser.databases().hold(&hold).await.unwrap();
    assert_eq!(site.eraser.expire().await.unwrap(), 0);
    site.close().await;

    let site = Site::on_day(folder.path(), 20).await;
    site.add("acme", vec![upload("renewed", "The renewed lighthouse has had a new lamp since last week.")])
        .await;
    assert_eq!(site.eraser.expire().await.unwrap(), 0);
    site.close().await;

    let site = Site::on_day(folder.path(), 31).await;
    assert_eq!(site.eraser.expire().await.unwrap(), 1);
    assert_eq!(site.left("acme").await, ["held", "renewed"]);
    assert_eq!(site.left("zoo").await, ["held", "old", "renewed"], "nothing was said of this tenant");
    site.close().await;

    let site = Site::on_day(folder.path(), 51).await;
    assert_eq!(site.eraser.expire().await.unwrap(), 1);
    assert_eq!(site.left("acme").await, ["held"]);
    assert_eq!(site.eraser.expire().await.unwrap(), 0);
    site.close().await;
}

#[tokio::test]
async fn what_was_said_goes_after_its_time_unless_it_is_held() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::on_day(folder.path(), 0).await;
    let entry = |request: &str, person: &str, day: u32| ContentEntry {
        tenant: TenantId::new("acme"),
        request: RequestId::new(request),
        at: Timestamp::from_micros(i64::try_from((DAY * day).as_micros()).unwrap()),
        assistant: None,
        model: None,
        person: Some(person.into()),
        documents: Vec::new(),
        said: "{}".to_owned(),
    };
    for (request, person, day) in [("old", "john", 0), ("held", "jane", 0), ("new", "john", 9)] {
        site.contents.put(&entry(request, person, day)).await.unwrap();
    }
    let hold = LegalHold {
        id: "h".to_owned(),
        tenant: TenantId::new("acme"),
        subject: serde_json::to_value(Subject::User { user: "jane".into() }).unwrap(),
        reason: "case 17".to_owned(),
        placed_by: "k".to_owned(),
        placed_at: Timestamp::from_micros(0),
    };
    site.eraser.databases().hold(&hold).await.unwrap();
    assert_eq!(site.eraser.expire_contents().await.unwrap(), 0);
    site.close().await;

    let site = Site::on_day(folder.path(), 31).await;
    assert_eq!(site.eraser.expire_contents().await.unwrap(), 1);
    let left = site.contents.list(&TenantId::new("acme"), None, None, 10).await.unwrap();
    assert_eq!(left.iter().map(|kept| kept.request.as_str()).collect::<Vec<_>>(), ["new", "held"]);
    assert!(site.eraser.databases().lift(&hold.tenant, "h").await.unwrap());
    assert_eq!(site.eraser.expire_contents().await.unwrap(), 1);
    site.close().await;
}
