//! Chunks that no search finds.

use std::collections::{BTreeMap, HashSet};

use mainstay_domain::{ByteRange, ChunkId, CorpusName, TenantId};

use super::Backend;
use super::sample::{corpus, document};
use crate::documents::{
    ChunkRow, DocumentStore, DocumentStoreError, EventKind, EventSeq, Finding, Fingerprint, Judgement,
    NewDocument, QuarantineQuery,
};

pub(super) async fn conformance<B: Backend>(make: &impl AsyncFn() -> B) {
    a_chunk_in_quarantine_is_stored_and_listed_and_not_found(&make().await).await;
    a_parent_is_read_without_what_is_in_quarantine(&make().await).await;
    what_is_released_is_found_from_then_on(&make().await).await;
    a_judgement_replaces_the_one_before(&make().await).await;
    the_quarantine_goes_with_its_document(&make().await).await;
}

fn finding(reason: &str, content: &str) -> Finding {
    Finding { reason: reason.to_owned(), content: Fingerprint::of([content.as_bytes()]) }
}

/// A document of lines, of which some are not to be found.
fn with_findings(doc_id: &str, text: &str, hidden: &[(usize, &str)]) -> NewDocument {
    let mut document = document(doc_id, text);
    for (line, reason) in hidden {
        let range = document.chunks[*line].range;
        document.chunks[*line].finding = Some(finding(reason, &document.text[range.start..range.end]));
    }
    document
}

async fn add(
    store: &dyn DocumentStore,
    place: &(TenantId, CorpusName),
    document: NewDocument,
) -> Vec<ChunkId> {
    let batch = store.accept(&place.0, &place.1, vec![document]).await.unwrap();
    store.publish(&batch).await.unwrap();
    batch.documents[0].chunks.ids().collect()
}

async fn found(
    store: &dyn DocumentStore,
    place: &(TenantId, CorpusName),
    chunks: &[ChunkId],
) -> Vec<ChunkId> {
    store.hydrate(&place.0, &place.1, chunks).await.unwrap().iter().map(|row| row.chunk).collect()
}

async fn listed(store: &dyn DocumentStore, place: &(TenantId, CorpusName)) -> Vec<(String, String)> {
    let query = QuarantineQuery { limit: 100, ..QuarantineQuery::default() };
    let chunks = store.quarantined(&place.0, &place.1, query).await.unwrap();
    chunks.into_iter().map(|chunk| (chunk.text, chunk.finding.reason)).collect()
}

fn counts(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
    of.iter().map(|(reason, chunks)| ((*reason).to_owned(), *chunks)).collect()
}

async fn a_chunk_in_quarantine_is_stored_and_listed_and_not_found<B: Backend>(backend: &B) {
    let store = backend.documents();
    let (place, other) = (corpus(store, "t", "c").await, corpus(store, "t", "d").await);
    let hidden = with_findings("a", "one\n===\ntwo\n+++\n", &[(1, "no_words"), (3, "no_words")]);
    let ids = add(store, &place, hidden).await;
    add(store, &other, with_findings("a", "---\n", &[(0, "odd")])).await;
    assert_eq!(found(store, &place, &ids).await, [ids[0], ids[2]]);
    let no_words = |text: &str| (text.to_owned(), "no_words".to_owned());
    assert_eq!(listed(store, &place).await, [no_words("===\n"), no_words("+++\n")]);
    let record = store.get(&place.0, &place.1, &"a".into()).await.unwrap().unwrap();
    assert_eq!((record.chunks.count, record.quarantined), (4, counts(&[("no_words", 2)])));
    let list = store.list(&place.0, &place.1, None, 10).await.unwrap();
    assert_eq!(list[0].quarantined, counts(&[("no_words", 2)]));
    let all = store.counts(&place.0, &place.1).await.unwrap();
    assert_eq!((all.chunks, all.searchable_chunks()), (4, 2));
    assert_eq!(all.quarantined, counts(&[("no_words", 2)]));
    // The indexer reads back what it is not to index, and the text is whole.
    let live = store.live(&place.0, &place.1, None, 10).await.unwrap();
    assert_eq!(
        (live[0].text.as_str(), live[0].quarantined()),
        ("one\n===\ntwo\n+++\n", vec![ids[1], ids[3]])
    );

    let query = QuarantineQuery { limit: 1, ..QuarantineQuery::default() };
    let first = store.quarantined(&place.0, &place.1, query).await.unwrap();
    assert_eq!((first.len(), first[0].chunk), (1, ids[1]));
    let query = QuarantineQuery { document: Some(&"b".into()), after: None, limit: 9 };
    assert_eq!(store.quarantined(&place.0, &place.1, query).await.unwrap(), []);
    let query = QuarantineQuery { document: Some(&"a".into()), after: Some(ids[1]), limit: 9 };
    assert_eq!(store.quarantined(&place.0, &place.1, query).await.unwrap()[0].chunk, ids[3]);
    let unknown = store.quarantined(&TenantId::new("u"), &place.1, QuarantineQuery::default()).await;
    assert!(matches!(unknown, Err(DocumentStoreError::UnknownCorpus(_))), "{unknown:?}");
    assert_eq!(backend.maintenance().check().await.unwrap(), [""; 0]);
}

async fn a_parent_is_read_without_what_is_in_quarantine<B: Backend>(backend: &B) {
    let store = backend.documents();
    let place = corpus(store, "t", "c").await;
    let mut hidden = with_findings("a", "one\n===\ntwo\nsix\n+++\nten\n", &[(1, "x"), (4, "x")]);
    let whole = ByteRange { start: 0, end: hidden.text.len() };
    hidden.chunks.iter_mut().for_each(|chunk| chunk.parent_range = whole);
    // Where chunks overlap, what is in a chunk that is found stays in it.
    hidden.chunks[4].range.start -= 2;
    let ids = add(store, &place, hidden).await;
    add(store, &place, with_findings("b", "===\n", &[(0, "x")])).await;
    let parents = async || {
        let rows = store.hydrate(&place.0, &place.1, &ids).await.unwrap();
        let read = |row: &ChunkRow| (row.text.clone(), row.parent_text.clone(), row.parent_range);
        rows.iter().map(read).collect::<Vec<_>>()
    };
    let of = |text: &str, parent: &str, start: usize| {
        (text.to_owned(), parent.to_owned(), ByteRange { start, end: start + parent.len() })
    };
    let apart = [
        of("one\n", "one\n", 0),
        of("two\n", "two\nsi", 8),
        of("six\n", "two\nsix\n", 8),
        of("ten\n", "ten\n", 20),
    ];
    assert_eq!(parents().await, apart);
    store.release(&place.0, &place.1, &[Fingerprint::of([b"===\n".as_slice()])]).await.unwrap();
    assert_eq!(parents().await[0].1, "one\n===\ntwo\nsi");
}

async fn what_is_released_is_found_from_then_on<B: Backend>(backend: &B) {
    let store = backend.documents();
    let (place, other) = (corpus(store, "t", "c").await, corpus(store, "t", "d").await);
    let first = add(store, &place, with_findings("a", "one\n===\n+++\n", &[(1, "x"), (2, "x")])).await;
    let second = add(store, &place, with_findings("b", "two\n===\n", &[(1, "x")])).await;
    let elsewhere = add(store, &other, with_findings("a", "===\n", &[(0, "x")])).await;
    let before = backend.maintenance().last_event().await.unwrap();
    let content = Fingerprint::of([b"===\n".as_slice()]);
    let revisions = store.release(&place.0, &place.1, &[content]).await.unwrap();
    assert_eq!(revisions.len(), 2);
    assert_eq!(found(store, &place, &first).await, first[..2]);
    assert_eq!(found(store, &place, &second).await, second);
    assert_eq!(found(store, &other, &elsewhere).await, []);
    let events = backend.maintenance().events_after(before, 10).await.unwrap();
    let told: Vec<_> = events.iter().map(|event| (event.kind, event.revision)).collect();
    assert_eq!(told, revisions.iter().map(|one| (EventKind::Published, *one)).collect::<Vec<_>>());

    let unknown = Fingerprint::of([b"other".as_slice()]);
    let released = store.released(&place.0, &place.1, &[content, unknown]).await.unwrap();
    assert_eq!(released, HashSet::from([content]));
    assert_eq!(store.released(&other.0, &other.1, &[content]).await.unwrap(), HashSet::new());
    // Again is no error, and changes nothing.
    assert_eq!(store.release(&place.0, &place.1, &[content, unknown]).await.unwrap(), []);
    assert_eq!(backend.maintenance().check().await.unwrap(), [""; 0]);
}

async fn a_judgement_replaces_the_one_before<B: Backend>(backend: &B) {
    let (store, maintenance) = (backend.documents(), backend.maintenance());
    let place = corpus(store, "t", "c").await;
    let ids = add(store, &place, with_findings("a", "one\n===\n+++\n", &[(1, "x")])).await;
    let live = store.live(&place.0, &place.1, None, 10).await.unwrap();
    let revision = live[0].revision;
    let judgement = Judgement { revision, findings: vec![(ids[2], finding("y", "+++\n"))] };
    maintenance.judge(&place.0, &place.1, &[judgement]).await.unwrap();
    assert_eq!(listed(store, &place).await, [("+++\n".to_owned(), "y".to_owned())]);
    assert_eq!(found(store, &place, &ids).await, ids[..2]);
    let events = maintenance.events_after(EventSeq(0), 10).await.unwrap();
    assert_eq!(
        events.last().map(|event| (event.kind, event.revision)),
        Some((EventKind::Published, revision))
    );

    // What is not visible any more, and what is not a chunk of it, is left alone.
    let foreign = Judgement { revision, findings: vec![(ChunkId(ids[2].0 + 1), finding("z", "?"))] };
    maintenance.judge(&place.0, &place.1, std::slice::from_ref(&foreign)).await.unwrap();
    assert_eq!(listed(store, &place).await, []);
    store.delete(&place.0, &place.1, &"a".into()).await.unwrap();
    maintenance.judge(&place.0, &place.1, &[foreign]).await.unwrap();
    assert_eq!(maintenance.check().await.unwrap(), [""; 0]);
}

async fn the_quarantine_goes_with_its_document<B: Backend>(backend: &B) {
    let (store, maintenance) = (backend.documents(), backend.maintenance());
    let place = corpus(store, "t", "c").await;
    add(store, &place, with_findings("a", "===\n", &[(0, "x")])).await;
    add(store, &place, with_findings("a", "+++\none\n", &[(0, "y")])).await;
    assert_eq!(store.counts(&place.0, &place.1).await.unwrap().quarantined, counts(&[("y", 1)]));
    assert_eq!(listed(store, &place).await, [("+++\n".to_owned(), "y".to_owned())]);
    store.delete(&place.0, &place.1, &"a".into()).await.unwrap();
    assert_eq!(store.counts(&place.0, &place.1).await.unwrap().quarantined, counts(&[]));
    let retired = maintenance.retired(10).await.unwrap();
    let retired: Vec<_> = retired.iter().map(|one| one.revision).collect();
    maintenance.purge(&retired).await.unwrap();
    assert_eq!(maintenance.check().await.unwrap(), [""; 0]);
}
