//! What is particular to SQLite: query plans, and a disk that is full or read-only.

use std::task::{Context, Waker};

use mainstay_domain::{CorpusName, Metadata, TenantId};
use sqlx::Row;

use super::SqliteDocuments;
use crate::documents::{DocumentMaintenance, DocumentStore, DocumentStoreError, Fingerprint, NewDocument};
use crate::{DataDir, EmbeddedStore, StorageFault};

struct Fixture {
    store: EmbeddedStore,
    documents: std::sync::Arc<SqliteDocuments>,
    tenant: TenantId,
    corpus: CorpusName,
    _folder: tempfile::TempDir,
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let clock = mainstay_domain::Clock::system();
    let store = EmbeddedStore::open(DataDir::open(folder.path()).unwrap(), clock).await.unwrap();
    let (tenant, corpus) = (TenantId::single(), CorpusName::unnamed());
    let documents = store.documents();
    documents.create_corpus(&tenant, &corpus, "builtin/test", 4, serde_json::json!({})).await.unwrap();
    Fixture { store, documents, tenant, corpus, _folder: folder }
}

fn document(doc_id: &str, bytes: usize) -> NewDocument {
    NewDocument {
        author: None,
        doc_id: doc_id.into(),
        title: None,
        media_type: "text/plain".to_owned(),
        language: None,
        source_name: None,
        fingerprint: Fingerprint([0; 32]),
        source_bytes: bytes as u64,
        text: "x".repeat(bytes),
        metadata: Metadata::default(),
        chunks: Vec::new(),
    }
}

async fn plan(fixture: &Fixture, sql: sqlx::SqlStr, arguments: sqlx::sqlite::SqliteArguments) -> String {
    let explain = crate::sqlite::built_sql(format!("EXPLAIN QUERY PLAN {}", sql.as_str()));
    let mut connection = fixture.documents.database.read().await.unwrap();
    let rows = sqlx::query_with(explain, arguments).fetch_all(&mut *connection).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(3) + "\n").collect()
}

#[tokio::test]
async fn hydration_looks_up_rows_by_primary_key_and_scans_nothing() {
    let fixture = fixture().await;
    let ids: Vec<i64> = (1..=100).collect();
    for statement in [&super::hydrate::SELECT_CHUNKS, &super::hydrate::SELECT_PARENTS] {
        let mut statements = statement.statements(&ids, |row| {
            row.add("t").add("c");
        });
        let (sql, arguments) = statements.next().unwrap();
        let plan = plan(&fixture, sql, arguments).await;
        for step in ["SEARCH k USING INTEGER PRIMARY KEY", "SEARCH r USING INTEGER PRIMARY KEY"] {
            assert!(plan.contains(step), "{plan}");
        }
        assert!(!plan.contains("SCAN"), "{plan}");
    }
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_loses_nothing_that_was_acknowledged() {
    let fixture = fixture().await;
    let Fixture { documents, tenant, corpus, store, .. } = &fixture;
    let first = documents.accept(tenant, corpus, vec![document("first", 100)]).await.unwrap();
    let mut writer = documents.database.writer().await;
    // The database may grow by a hundred pages, and no more.
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *writer).await.unwrap();
    let limit = crate::sqlite::built_sql(format!("PRAGMA max_page_count = {}", pages + 100));
    sqlx::query(limit).fetch_one(&mut *writer).await.unwrap();
    drop(writer);

    let error = documents.accept(tenant, corpus, vec![document("large", 4_000_000)]).await.unwrap_err();
    let DocumentStoreError::Storage(error) = error else { panic!("{error}") };
    assert_eq!(error.fault(), StorageFault::Full);
    assert!(error.to_string().contains("free space"), "{error}");

    // The store goes on: small things still fit, and what was acknowledged is there.
    documents.accept(tenant, corpus, vec![document("small", 100)]).await.unwrap();
    documents.publish(&first).await.unwrap();
    assert_eq!(documents.text(tenant, corpus, &"first".into()).await.unwrap(), Some("x".repeat(100)));
    assert_eq!(documents.check().await.unwrap(), Vec::<String>::new());
    store.close().await;
}

#[tokio::test]
async fn a_read_only_database_and_a_closed_one_are_errors_that_say_so() {
    let fixture = fixture().await;
    let Fixture { documents, tenant, corpus, store, .. } = &fixture;
    let mut writer = documents.database.writer().await;
    sqlx::query("PRAGMA query_only = ON").execute(&mut *writer).await.unwrap();
    drop(writer);
    let fault = |error: DocumentStoreError| match error {
        DocumentStoreError::Storage(error) => error.fault(),
        other => panic!("{other}"),
    };
    let error = documents.accept(tenant, corpus, vec![document("d", 10)]).await.unwrap_err();
    assert_eq!(fault(error), StorageFault::ReadOnly);
    store.close().await;
    let error = documents.corpora(tenant).await.unwrap_err();
    assert_eq!(fault(error), StorageFault::Closed);
}

#[tokio::test]
async fn an_abandoned_write_leaves_nothing_and_does_not_block_the_next() {
    let fixture = fixture().await;
    let Fixture { documents, tenant, corpus, .. } = &fixture;
    for round in 1..40 {
        // Dropped after so many polls, as when the caller goes away: at the first, in the midst, when it is done.
        let mut accept = documents.accept(tenant, corpus, vec![document("dropped", 50_000)]);
        for _ in 0..round * 100 {
            if accept.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(accept);
        documents.accept(tenant, corpus, vec![document("kept", 50_000)]).await.unwrap();
        assert_eq!(documents.check().await.unwrap(), Vec::<String>::new());
    }
}
