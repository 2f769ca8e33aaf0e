//! A store whose content is sealed: nothing of it is in the files, and nobody is served with the wrong keys, half of
//! them, or none.
#![expect(clippy::unwrap_used, reason = "an unexpected failure is to be shown where it happens")]

use std::error::Error;
use std::path::Path;
use std::task::{Context, Poll, Waker};

use mainstay_domain::{ByteRange, Clock, CorpusName, Metadata, TenantId};
use mainstay_store::documents::{
    AcceptedBatch, DocumentMaintenance, DocumentStore, DocumentStoreError, EventSeq, Finding, Fingerprint,
    NewChunk, NewDocument, QuarantineQuery, Revision, SealingProgress,
};
use mainstay_store::{DataDir, DataDirError, EmbeddedStore, EmbeddingCache, EmbeddingKey, StorageFault};
use mainstay_vault::{MasterKey, MasterKeys};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio_util::sync::CancellationToken;

/// A data folder, and master keys that lie elsewhere.
struct Place {
    folder: tempfile::TempDir,
    keys: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), keys: tempfile::tempdir().unwrap() }
    }

    fn master(&self, name: &str) -> MasterKey {
        let path = self.keys.path().join(name);
        MasterKey::from_file(&path).or_else(|_| MasterKey::generate_file(&path)).unwrap()
    }

    fn data_dir(&self) -> DataDir {
        DataDir::open(self.folder.path()).unwrap()
    }

    async fn plain(&self) -> Result<EmbeddedStore, DataDirError> {
        EmbeddedStore::open(self.data_dir(), Clock::system()).await
    }

    async fn sealed_by(&self, masters: MasterKeys) -> Result<EmbeddedStore, DataDirError> {
        EmbeddedStore::open_sealed(self.data_dir(), Clock::system(), masters).await
    }

    async fn sealed(&self) -> EmbeddedStore {
        self.sealed_by(MasterKeys::new(self.master("first"))).await.unwrap()
    }

    /// In how many files the bytes are.
    fn files_with(&self, bytes: &[u8]) -> usize {
        let contains =
            |path: &Path| std::fs::read(path).unwrap().windows(bytes.len()).any(|piece| piece == bytes);
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|file| file.unwrap().path());
        files.filter(|path| path.is_file() && contains(path)).count()
    }
}

/// Chunks of a document at most: more than are sealed in one transaction.
const CHUNKS: usize = 2_500;

fn corpus() -> CorpusName {
    CorpusName::unnamed()
}

fn document(doc_id: &str, blocks: usize) -> NewDocument {
    let line = format!("markertext of {doc_id} ß\n");
    let text = line.repeat(1 + blocks * 4_000 / line.len());
    let range = |index: usize| ByteRange { start: index * line.len(), end: (index + 1) * line.len() };
    let chunk = |index: usize, finding| NewChunk {
        range: range(index),
        parent_range: range(index),
        headings: vec![format!("markerheading {index}")],
        language: None,
        finding,
    };
    let judged = Finding { reason: "odd".to_owned(), content: judged() };
    let mut chunks: Vec<NewChunk> =
        (0..text.len() / line.len()).take(CHUNKS).map(|index| chunk(index, None)).collect();
    chunks[0].finding = Some(judged);
    let metadata = [("shelf".to_owned(), serde_json::json!("markermetadata"))];
    NewDocument {
        author: None,
        doc_id: doc_id.into(),
        title: Some("markertitle".to_owned()),
        media_type: "text/plain".to_owned(),
        language: None,
        source_name: Some("markersource.txt".to_owned()),
        fingerprint: fingerprint(),
        source_bytes: 7,
        metadata: Metadata::new(metadata.into_iter().collect()).unwrap(),
        chunks,
        text,
    }
}

fn fingerprint() -> Fingerprint {
    Fingerprint::of([b"marker of a source".as_slice()])
}

fn judged() -> Fingerprint {
    Fingerprint::of([b"marker of a judged text".as_slice()])
}

fn released() -> Fingerprint {
    Fingerprint::of([b"marker of a released text".as_slice()])
}

fn markers() -> [Vec<u8>; 8] {
    [
        b"markertext".to_vec(),
        b"markertitle".to_vec(),
        b"markerheading".to_vec(),
        b"markersource".to_vec(),
        b"markermetadata".to_vec(),
        fingerprint().0.to_vec(),
        judged().0.to_vec(),
        released().0.to_vec(),
    ]
}

async fn add(store: &EmbeddedStore, tenant: &TenantId, ids: &[&str], blocks: usize) -> AcceptedBatch {
    let documents = store.documents();
    documents.create_corpus(tenant, &corpus(), "builtin/test", 4, serde_json::json!({})).await.unwrap();
    let new = ids.iter().map(|doc_id| document(doc_id, blocks)).collect();
    let batch = documents.accept(tenant, &corpus(), new).await.unwrap();
    documents.publish(&batch).await.unwrap();
    documents.release(tenant, &corpus(), &[released()]).await.unwrap();
    batch
}

/// Everything that a reader gets of a document, compared with what was written.
async fn assert_readable(store: &EmbeddedStore, tenant: &TenantId, doc_id: &str, blocks: usize) {
    let (documents, wanted) = (store.documents(), document(doc_id, blocks));
    let (doc_id, corpus) = (doc_id.into(), corpus());
    let text = documents.text(tenant, &corpus, &doc_id).await.unwrap();
    assert!(text.as_ref() == Some(&wanted.text), "the text of {doc_id}");
    let record = documents.get(tenant, &corpus, &doc_id).await.unwrap().unwrap();
    assert_eq!(
        (&record.title, &record.source_name, record.fingerprint, &record.metadata),
        (&wanted.title, &wanted.source_name, wanted.fingerprint, &wanted.metadata)
    );
    let ids: Vec<_> = record.chunks.ids().collect();
    let rows = documents.hydrate(tenant, &corpus, &ids).await.unwrap();
    assert_eq!(rows.len(), wanted.chunks.len() - 1, "all but the one in quarantine");
    assert!(rows.iter().zip(&wanted.chunks[1..]).all(|(row, chunk)| {
        row.headings == chunk.headings
            && row.text == wanted.text[chunk.range.start..chunk.range.end]
            && row.parent_text == row.text
            && row.title == wanted.title
    }));
    let query = QuarantineQuery { document: Some(&doc_id), after: None, limit: 9 };
    let quarantined = documents.quarantined(tenant, &corpus, query).await.unwrap();
    assert_eq!(quarantined.iter().map(|chunk| chunk.finding.content).collect::<Vec<_>>(), [judged()]);
    let found = documents.released(tenant, &corpus, &[released(), judged()]).await.unwrap();
    assert_eq!(found, [released()].into());
    let unchanged = documents.unchanged(tenant, &corpus, &[(doc_id, wanted.fingerprint)]).await.unwrap();
    assert_eq!(unchanged, [true]);
}

async fn seal_all(store: &EmbeddedStore) -> SealingProgress {
    store.seal_what_is_plain(&CancellationToken::new(), |_| {}).await.unwrap()
}

async fn assert_sound(store: &EmbeddedStore) {
    assert_eq!(store.documents().check().await.unwrap(), Vec::<String>::new());
}

fn fault<T: std::fmt::Debug>(result: Result<T, DocumentStoreError>) -> StorageFault {
    match result.unwrap_err() {
        DocumentStoreError::Storage(error) => error.fault(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn content_is_in_the_files_when_it_is_plain_and_not_when_it_is_sealed() {
    let tenant = TenantId::single();
    for sealed in [false, true] {
        let place = Place::new();
        let store = if sealed { place.sealed().await } else { place.plain().await.unwrap() };
        add(&store, &tenant, &["a", "b"], 3).await;
        // While it is open it is in the write-ahead log, afterwards in the file.
        for closed in [false, true] {
            if closed {
                store.close().await;
            }
            for marker in markers() {
                let marked = String::from_utf8_lossy(&marker).into_owned();
                assert_eq!(
                    place.files_with(&marker) > 0,
                    !sealed,
                    "{marked}, sealed {sealed}, closed {closed}"
                );
            }
        }
    }
}

#[tokio::test]
async fn what_was_stored_before_is_sealed_and_leaves_no_trace() {
    let (place, tenant) = (Place::new(), TenantId::single());
    let store = place.plain().await.unwrap();
    let many: Vec<String> = (0..150).map(|number| format!("small-{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    add(&store, &tenant, &many, 0).await;
    add(&store, &tenant, &["large"], 600).await;
    // An old version, of which traces must go as well.
    add(&store, &tenant, &["small-3"], 2).await;
    store.close().await;
    drop(store);
    // And what a Mainstay that did not overwrite yet has deleted.
    let options = SqliteConnectOptions::new().filename(place.folder.path().join("mainstay.db"));
    let mut connection = options.pragma("secure_delete", "OFF").connect().await.unwrap();
    for sql in [
        "CREATE TABLE deleted (text TEXT)",
        // More than sealing needs pages for.
        "INSERT INTO deleted SELECT printf('markertext that was deleted%.*c', 3900, 'x') \
         FROM revisions, (VALUES (1), (2), (3), (4))",
        "DROP TABLE deleted",
    ] {
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    assert!(place.files_with(b"markertext that was deleted") > 0);

    let store = place.sealed().await;
    assert_readable(&store, &tenant, "small-7", 0).await;
    let mut steps: Vec<SealingProgress> = Vec::new();
    let end = store.seal_what_is_plain(&CancellationToken::new(), |step| steps.push(step)).await.unwrap();
    assert_eq!(end, SealingProgress { done: 152, ahead: 0, finished: true });
    assert!(steps.len() > 3 && steps.windows(2).all(|two| two[0].done <= two[1].done), "{steps:?}");
    for marker in markers() {
        assert_eq!(place.files_with(&marker), 0, "{}", String::from_utf8_lossy(&marker));
    }
    assert_sound(&store).await;
    for (doc_id, blocks) in [("small-3", 2), ("small-149", 0), ("large", 600)] {
        assert_readable(&store, &tenant, doc_id, blocks).await;
    }
    assert_eq!(
        seal_all(&store).await,
        SealingProgress { done: 0, ahead: 0, finished: true },
        "nothing to do"
    );
}

#[tokio::test]
async fn a_folder_whose_content_is_sealed_opens_with_its_master_key_alone() {
    let (place, tenant) = (Place::new(), TenantId::single());
    let store = place.sealed().await;
    add(&store, &tenant, &["a"], 1).await;
    store.close().await;
    drop(store);
    let first = place.master("first");

    let without = place.plain().await.unwrap_err();
    assert!(matches!(without, DataDirError::Sealed { .. }), "{without}");
    let message = without.to_string();
    assert!(message.contains("storage.encryption") && message.contains(first.id().as_str()), "{message}");

    let second = MasterKeys::new(place.master("second"));
    let wrong = place.sealed_by(second.clone()).await.unwrap_err();
    assert!(matches!(&wrong, DataDirError::WrongMasterKey { needed, .. } if needed == first.id()), "{wrong}");
    let message = wrong.to_string();
    assert!(message.contains("storage.encryption") && message.contains(first.id().as_str()), "{message}");
    assert!(message.contains(place.master("second").id().as_str()), "{message}");

    let keys = place.folder.path().join("keys.db");
    let elsewhere = place.keys.path().join("keys.db");
    std::fs::rename(&keys, &elsewhere).unwrap();
    for missing in [place.plain().await, place.sealed_by(MasterKeys::new(first.clone())).await] {
        let missing = missing.unwrap_err();
        assert!(
            matches!(&missing, DataDirError::KeysMissing { path } if path.ends_with("keys.db")),
            "{missing}"
        );
    }
    assert!(!keys.exists(), "no new keys are made");
    // Nor are they where somebody else made an empty file.
    let other = Place::new();
    other.sealed().await.close().await;
    std::fs::copy(other.folder.path().join("keys.db"), &keys).unwrap();
    let empty = place.sealed_by(MasterKeys::new(first.clone())).await.unwrap_err();
    assert!(matches!(empty, DataDirError::KeysMissing { .. }), "{empty}");
    for file in ["keys.db", "keys.db-wal", "keys.db-shm"] {
        std::fs::remove_file(place.folder.path().join(file))
            .or_else(|error| match error.kind() {
                std::io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            })
            .unwrap();
    }
    std::fs::rename(&elsewhere, &keys).unwrap();

    // Nothing was lost by any of it. A new master key takes over where the old one is named as well.
    let both = MasterKeys::new(place.master("second")).and_previous(first);
    let store = place.sealed_by(both).await.unwrap();
    assert_readable(&store, &tenant, "a", 1).await;
    assert_eq!(store.tenant_keys().unwrap().rewrap().await.unwrap().moved, 1);
    store.close().await;
    drop(store);
    assert!(place.sealed_by(MasterKeys::new(place.master("first"))).await.is_err());
    let store = place.sealed_by(second).await.unwrap();
    assert_readable(&store, &tenant, "a", 1).await;
    assert_sound(&store).await;
}

#[tokio::test]
async fn a_folder_that_was_to_be_sealed_and_is_not_yet_opens_without_keys() {
    let (place, tenant) = (Place::new(), TenantId::single());
    let store = place.plain().await.unwrap();
    add(&store, &tenant, &["a"], 1).await;
    store.close().await;
    drop(store);
    place.sealed().await.close().await;
    let store = place.plain().await.unwrap();
    assert_readable(&store, &tenant, "a", 1).await;
    add(&store, &tenant, &["b"], 1).await;
    store.close().await;
    drop(store);
    // Sealing begins anew, with what came meanwhile.
    let store = place.sealed().await;
    assert_eq!(seal_all(&store).await.done, 2);
    assert_sound(&store).await;
    assert_eq!(place.files_with(b"markertext"), 0);
}

#[tokio::test]
async fn sealing_that_is_interrupted_goes_on_where_it_was_and_readers_notice_nothing() {
    let (place, tenant) = (Place::new(), TenantId::single());
    let store = place.plain().await.unwrap();
    add(&store, &tenant, &["one"], 1).await;
    add(&store, &tenant, &["large"], 600).await;
    add(&store, &tenant, &["two"], 1).await;
    store.close().await;
    drop(store);

    let mut done = 0;
    for round in 0.. {
        let store = place.sealed().await;
        for (doc_id, blocks) in [("one", 1), ("large", 600), ("two", 1)] {
            assert_readable(&store, &tenant, doc_id, blocks).await;
        }
        if round > 0 {
            assert!(matches!(place.plain_again(&store), Err(DataDirError::InUse { .. })));
        }
        let stop = CancellationToken::new();
        let progress = match round {
            // Between two steps,
            0 => store.seal_what_is_plain(&stop, |_| stop.cancel()).await.unwrap(),
            // and anywhere, when the caller goes away.
            1..40 => {
                let mut sealing = Box::pin(store.seal_what_is_plain(&stop, |_| {}));
                let mut polled = Poll::Pending;
                for _ in 0..round * 20 {
                    polled = sealing.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                    if polled.is_ready() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
                match polled {
                    Poll::Ready(progress) => progress.unwrap(),
                    Poll::Pending => SealingProgress::default(),
                }
            }
            _ => seal_all(&store).await,
        };
        assert!(round > 0 || !progress.finished, "{progress:?}");
        done += progress.done;
        assert_sound(&store).await;
        store.close().await;
        if progress.finished {
            break;
        }
        // New content is sealed, whatever else is not.
        drop(store);
        let store = place.sealed().await;
        add(&store, &tenant, &["new"], 1).await;
        assert_readable(&store, &tenant, "new", 1).await;
        store.close().await;
    }
    assert!(done > 0);
    assert_eq!(place.files_with(b"markertext"), 0);
    let store = place.sealed().await;
    for (doc_id, blocks) in [("one", 1), ("large", 600), ("two", 1), ("new", 1)] {
        assert_readable(&store, &tenant, doc_id, blocks).await;
    }
}

impl Place {
    /// Tries to open the folder that a store has open.
    fn plain_again(&self, _open: &EmbeddedStore) -> Result<DataDir, DataDirError> {
        DataDir::open(self.folder.path())
    }
}

#[tokio::test]
async fn a_folder_that_is_half_sealed_refuses_to_open_without_keys() {
    let (place, tenant) = (Place::new(), TenantId::single());
    let store = place.plain().await.unwrap();
    add(&store, &tenant, &["small"], 1).await;
    add(&store, &tenant, &["large"], 600).await;
    store.close().await;
    drop(store);
    let store = place.sealed().await;
    let stop = CancellationToken::new();
    let progress = store.seal_what_is_plain(&stop, |_| stop.cancel()).await.unwrap();
    assert_eq!(progress, SealingProgress { done: 1, ahead: 1, finished: false });
    store.close().await;
    drop(store);
    let refused = place.plain().await.unwrap_err();
    assert!(matches!(refused, DataDirError::Sealed { .. }), "{refused}");
    let store = place.sealed().await;
    assert!(seal_all(&store).await.finished);
    assert_readable(&store, &tenant, "large", 600).await;
}

#[tokio::test]
async fn a_tenant_whose_keys_were_destroyed_is_passed_over_and_the_others_go_on() {
    let place = Place::new();
    let [gone, kept] = ["gone", "kept"].map(TenantId::from);
    let store = place.sealed().await;
    let mut revisions: Vec<Revision> = Vec::new();
    for (number, tenant) in [&gone, &kept, &gone].into_iter().enumerate() {
        let batch = add(&store, tenant, &[format!("visible-{number}").as_str()], 1).await;
        revisions.extend(batch.documents.iter().map(|document| document.revision));
    }
    for (number, tenant) in [&gone, &gone, &kept].into_iter().enumerate() {
        let new = vec![document(&format!("pending-{number}"), 1)];
        store.documents().accept(tenant, &corpus(), new).await.unwrap();
    }
    assert_eq!(store.tenant_keys().unwrap().destroy(&gone).await.unwrap().keys, 1);

    // Also after a restart, when no key is in memory.
    for restarted in [false, true] {
        let store = if restarted {
            store.close().await;
            place.sealed_after(&store).await
        } else {
            store.clone()
        };
        let documents = store.documents();
        // One at a time: a page of erased documents is no end of the list.
        let pending = documents.pending(None, 1).await.unwrap();
        let ids: Vec<&str> = pending.iter().map(|document| document.doc_id.as_str()).collect();
        assert_eq!(ids, ["pending-2"]);
        assert_eq!(documents.pending(Some(pending[0].revision), 1).await.unwrap(), []);
        let visible = documents.visible(&revisions).await.unwrap();
        assert_eq!(visible.iter().map(|document| &document.tenant).collect::<Vec<_>>(), [&kept]);
        assert!(documents.events_after(EventSeq(0), 99).await.unwrap().len() >= 9);
        assert_sound(&store).await;
        assert_readable(&store, &kept, "visible-1", 1).await;

        let doc_id = "visible-0".into();
        assert_eq!(fault(documents.text(&gone, &corpus(), &doc_id).await), StorageFault::Erased);
        assert_eq!(fault(documents.get(&gone, &corpus(), &doc_id).await), StorageFault::Erased);
        assert_eq!(fault(documents.live(&gone, &corpus(), None, 9).await), StorageFault::Erased);
        let new = vec![document("late", 1)];
        assert_eq!(fault(documents.accept(&gone, &corpus(), new).await), StorageFault::Erased);
        if restarted {
            // What is left of it can be removed without its keys.
            assert_eq!(documents.delete(&gone, &corpus(), &doc_id).await.unwrap().unwrap().len(), 1);
            let retired = documents.retired(99).await.unwrap();
            let retired: Vec<Revision> = retired.iter().map(|retired| retired.revision).collect();
            documents.purge(&retired).await.unwrap();
            assert_sound(&store).await;

            // A tenant that begins anew gets nothing back.
            store.tenant_keys().unwrap().readmit(&gone).await.unwrap();
            add(&store, &gone, &["anew"], 1).await;
            assert_readable(&store, &gone, "anew", 1).await;
            assert_eq!(documents.get(&gone, &corpus(), &"visible-2".into()).await.unwrap(), None);
            assert_eq!(documents.text(&gone, &corpus(), &"visible-2".into()).await.unwrap(), None);
            let list = documents.list(&gone, &corpus(), None, 1).await.unwrap();
            assert_eq!(list.iter().map(|record| record.doc_id.as_str()).collect::<Vec<_>>(), ["anew"]);
            assert_eq!(documents.list(&gone, &corpus(), Some(&"anew".into()), 1).await.unwrap(), []);
            let live = documents.live(&gone, &corpus(), None, 1).await.unwrap();
            assert_eq!(live.iter().map(|document| document.doc_id.as_str()).collect::<Vec<_>>(), ["anew"]);
            let unchanged = [("visible-2".into(), fingerprint())];
            assert_eq!(documents.unchanged(&gone, &corpus(), &unchanged).await.unwrap(), [false]);
        }
    }
}

impl Place {
    /// Opens the folder again; the lock goes with the last clone of what had it open.
    async fn sealed_after(&self, closed: &EmbeddedStore) -> EmbeddedStore {
        EmbeddedStore::open_sealed(
            closed.folder().clone(),
            Clock::system(),
            MasterKeys::new(self.master("first")),
        )
        .await
        .unwrap()
    }
}

#[tokio::test]
async fn what_is_still_plain_of_a_tenant_whose_keys_were_destroyed_is_taken_away() {
    let (place, tenant) = (Place::new(), TenantId::single());
    let store = place.plain().await.unwrap();
    add(&store, &tenant, &["a"], 3).await;
    store.close().await;
    drop(store);
    let store = place.sealed().await;
    let keys = store.tenant_keys().unwrap();
    keys.sealer(&tenant).await.unwrap();
    keys.destroy(&tenant).await.unwrap();
    assert!(place.files_with(b"markertext") > 0);
    assert!(seal_all(&store).await.finished);
    for marker in markers() {
        assert_eq!(place.files_with(&marker), 0, "{}", String::from_utf8_lossy(&marker));
    }
    assert_sound(&store).await;
    keys.readmit(&tenant).await.unwrap();
    assert_eq!(store.documents().text(&tenant, &corpus(), &"a".into()).await.unwrap(), None);
}

#[tokio::test]
async fn rotated_keys_read_what_the_older_ones_sealed() {
    let (place, tenant) = (Place::new(), TenantId::single());
    let store = place.sealed().await;
    add(&store, &tenant, &["before"], 1).await;
    assert_eq!(store.tenant_keys().unwrap().rotate(&tenant).await.unwrap(), 2);
    add(&store, &tenant, &["after"], 1).await;
    for doc_id in ["before", "after"] {
        assert_readable(&store, &tenant, doc_id, 1).await;
    }
    // Both are found by the tag of the same content.
    let shown = store.documents().release(&tenant, &corpus(), &[judged()]).await.unwrap();
    assert_eq!(shown.len(), 2);
}

#[tokio::test]
async fn content_that_somebody_puts_in_the_place_of_sealed_content_is_refused() {
    let (place, tenant) = (Place::new(), TenantId::single());
    let store = place.plain().await.unwrap();
    add(&store, &tenant, &["a"], 1).await;
    store.close().await;
    drop(store);
    let store = place.sealed().await;
    add(&store, &tenant, &["b"], 1).await;
    let tampers = [
        "UPDATE text_blocks SET bytes = x'41' WHERE block = 1",
        "UPDATE revisions SET title = 'forged' WHERE revision = 1",
        "UPDATE revisions SET title = (SELECT title FROM revisions WHERE revision = 2) WHERE revision = 1",
    ];
    seal_all(&store).await;
    store.close().await;
    drop(store);
    let file = place.folder.path().join("mainstay.db");
    let copy = std::fs::read(&file).unwrap();
    for sql in tampers {
        let mut connection = SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
        sqlx::query(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let store = place.sealed().await;
        let documents = store.documents();
        let (record, text) = (
            documents.get(&tenant, &corpus(), &"a".into()).await,
            documents.text(&tenant, &corpus(), &"a".into()).await,
        );
        let error = record.err().or(text.err()).unwrap();
        let DocumentStoreError::Storage(error) = error else { panic!("{sql}: {error}") };
        assert_eq!(error.fault(), StorageFault::Damaged, "{sql}");
        assert!(error.source().is_some_and(|cause| cause.to_string().contains("sealed")), "{error:?}");
        assert_readable(&store, &tenant, "b", 1).await;
        store.close().await;
        drop((documents, store));
        std::fs::write(&file, &copy).unwrap();
    }
}

/// Much of a text can be guessed from its vector.
#[tokio::test]
async fn kept_vectors_are_sealed_where_documents_are() {
    let place = Place::new();
    let (acme, vector) = (TenantId::new("acme"), [1.234_567_8_f32, -7.654_321_f32]);
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    let key = EmbeddingKey::of(&acme, "p/m", 2, "a text");
    let open = async |store: &EmbeddedStore| {
        EmbeddingCache::open(store.folder(), 1 << 20, store.tenant_keys(), Clock::system()).await.unwrap()
    };
    {
        let store = place.plain().await.unwrap();
        let cache = open(&store).await;
        cache.put(&acme, &[(key, &vector)]).await.unwrap();
        cache.close().await;
        store.close().await;
    }
    assert_ne!(place.files_with(&bytes), 0, "the search itself is at fault");
    for round in 0..2 {
        let store = place.sealed().await;
        let cache = open(&store).await;
        let found = cache.get(&acme, &[key]).await.unwrap();
        assert_eq!(found.get(&key).map(Vec::as_slice), (round == 1).then_some(&vector[..]));
        assert_eq!(cache.get(&TenantId::new("zoo"), &[key]).await.unwrap().len(), 0);
        cache.put(&acme, &[(key, &vector)]).await.unwrap();
        cache.close().await;
        store.close().await;
        assert_eq!(place.files_with(&bytes), 0);
    }
    let store = place.sealed().await;
    let cache = open(&store).await;
    store.tenant_keys().unwrap().destroy(&acme).await.unwrap();
    let gone = cache.get(&acme, &[key]).await.unwrap_err();
    assert_eq!(gone.fault(), StorageFault::Erased);
    cache.close().await;
    store.close().await;
}
