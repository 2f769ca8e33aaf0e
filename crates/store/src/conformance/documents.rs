//! The promises of the document store, one by one.

use mainstay_domain::{ByteRange, ChunkId, CorpusName, DocumentId, NameFault, TenantId};
use serde_json::json;

use super::Backend;
use super::sample::{DIMENSION, EMBEDDER, corpus, document};
use crate::documents::{
    AcceptedBatch, DocumentFlaw, DocumentStatus, DocumentStore, DocumentStoreError, EventKind, EventSeq,
    Fingerprint, NewDocument, ParentId, Revision,
};

pub(super) async fn conformance<B: Backend>(make: &impl AsyncFn() -> B) {
    a_corpus_is_created_once_and_keeps_its_embedder(&make().await).await;
    nothing_is_found_where_nothing_is(&make().await).await;
    a_document_becomes_readable_when_it_is_published(&make().await).await;
    the_old_version_stays_until_the_new_one_is_published(&make().await).await;
    what_is_pending_can_be_replayed(&make().await).await;
    a_pending_version_that_is_replaced_never_becomes_visible(&make().await).await;
    a_document_twice_in_a_batch_ends_as_its_last(&make().await).await;
    a_deleted_document_is_gone_at_once_and_can_come_back(&make().await).await;
    deleting_while_a_version_is_pending_does_not_resurrect_it(&make().await).await;
    purging_removes_rows_of_retired_revisions_only(&make().await).await;
    no_tenant_and_no_corpus_sees_another(&make().await).await;
    hydration_keeps_the_order_and_drops_what_is_missing(&make().await).await;
    unchanged_documents_are_recognised(&make().await).await;
    lists_go_by_id_page_by_page(&make().await).await;
    counts_are_of_what_is_visible(&make().await).await;
    live_documents_come_in_the_order_of_their_chunks(&make().await).await;
    events_tell_the_history_in_order(&make().await).await;
    checkpoints_are_remembered(&make().await).await;
    a_bad_document_is_refused_and_takes_its_batch_with_it(&make().await).await;
    documents_without_text_or_chunks_are_documents(&make().await).await;
    many_documents_at_once_are_all_there(&make().await).await;
}

async fn add(
    store: &dyn DocumentStore,
    place: &(TenantId, CorpusName),
    documents: Vec<NewDocument>,
) -> AcceptedBatch {
    let batch = store.accept(&place.0, &place.1, documents).await.unwrap();
    store.publish(&batch).await.unwrap();
    batch
}

fn ids(batch: &AcceptedBatch) -> Vec<ChunkId> {
    batch.documents.iter().flat_map(|document| document.chunks.ids()).collect()
}

async fn text_of(store: &dyn DocumentStore, place: &(TenantId, CorpusName), doc_id: &str) -> Option<String> {
    store.text(&place.0, &place.1, &doc_id.into()).await.unwrap()
}

async fn a_corpus_is_created_once_and_keeps_its_embedder<B: Backend>(backend: &B) {
    let store = backend.documents();
    let (tenant, name) = (TenantId::new("t"), CorpusName::new("c"));
    assert_eq!(store.corpus(&tenant, &name).await.unwrap(), None);
    let settings = json!({"fusion": "convex", "k": [1, 2.5]});
    let created = store.create_corpus(&tenant, &name, EMBEDDER, DIMENSION, settings.clone()).await.unwrap();
    assert_eq!(created.settings, settings);
    let again = store.create_corpus(&tenant, &name, EMBEDDER, DIMENSION, json!({})).await.unwrap();
    assert_eq!(again, created);
    assert_eq!(store.corpus(&tenant, &name).await.unwrap(), Some(created.clone()));
    for (embedder, dimension) in [("other/model", DIMENSION), (EMBEDDER, DIMENSION + 1)] {
        let refused = store.create_corpus(&tenant, &name, embedder, dimension, json!({})).await;
        assert!(matches!(refused, Err(DocumentStoreError::EmbedderMismatch { .. })), "{refused:?}");
    }
    let changed = store.set_embedder(&tenant, &name, "other/model", 8, json!(null)).await.unwrap();
    assert_eq!((changed.embedder.as_str(), changed.dimension), ("other/model", 8));
    assert_eq!(store.corpora(&tenant).await.unwrap(), std::slice::from_ref(&changed));
    assert_eq!(store.corpora(&TenantId::new("u")).await.unwrap(), []);
    assert_eq!(backend.maintenance().all_corpora().await.unwrap(), [changed]);
    let unknown = store.set_embedder(&TenantId::new("u"), &name, "x/y", 1, json!({})).await;
    assert!(matches!(unknown, Err(DocumentStoreError::UnknownCorpus(_))), "{unknown:?}");
}

async fn nothing_is_found_where_nothing_is<B: Backend>(backend: &B) {
    let store = backend.documents();
    let (tenant, name, doc_id) = (TenantId::new("t"), CorpusName::new("c"), DocumentId::new("d"));
    assert_eq!(store.get(&tenant, &name, &doc_id).await.unwrap(), None);
    assert_eq!(store.text(&tenant, &name, &doc_id).await.unwrap(), None);
    assert_eq!(store.hydrate(&tenant, &name, &[ChunkId(1)]).await.unwrap(), []);
    assert_eq!(store.hydrate(&tenant, &name, &[]).await.unwrap(), []);
    assert_eq!(store.delete(&tenant, &name, &doc_id).await.unwrap(), None);
    assert_eq!(store.unchanged(&tenant, &name, &[(doc_id, Fingerprint([0; 32]))]).await.unwrap(), [false]);
    assert!(matches!(store.list(&tenant, &name, None, 10).await, Err(DocumentStoreError::UnknownCorpus(_))));
    assert!(matches!(store.counts(&tenant, &name).await, Err(DocumentStoreError::UnknownCorpus(_))));
    assert!(matches!(store.live(&tenant, &name, None, 10).await, Err(DocumentStoreError::UnknownCorpus(_))));
    let refused = store.accept(&tenant, &name, vec![document("d", "text")]).await;
    assert!(matches!(refused, Err(DocumentStoreError::UnknownCorpus(_))), "{refused:?}");
    assert_eq!(backend.maintenance().last_event().await.unwrap(), EventSeq(0));
}

async fn a_document_becomes_readable_when_it_is_published<B: Backend>(backend: &B) {
    let store = backend.documents();
    let place = corpus(store, "t", "c").await;
    let new = document("d", "eins\nzwei\ndrei ß語🦀\n");
    let batch = store.accept(&place.0, &place.1, vec![new.clone()]).await.unwrap();
    let accepted = &batch.documents[0];
    assert_eq!((accepted.doc_id.as_str(), accepted.chunks.count), ("d", 3));
    assert_eq!(store.get(&place.0, &place.1, &"d".into()).await.unwrap(), None);
    assert_eq!(store.hydrate(&place.0, &place.1, &ids(&batch)).await.unwrap(), []);

    let published = store.publish(&batch).await.unwrap();
    assert_eq!((published.visible, published.retired), (vec![accepted.revision], vec![]));
    let record = store.get(&place.0, &place.1, &"d".into()).await.unwrap().unwrap();
    assert_eq!(record.revision, accepted.revision);
    assert_eq!(record.title, new.title);
    assert_eq!(record.media_type, new.media_type);
    assert_eq!(record.language, new.language);
    assert_eq!(record.source_name, new.source_name);
    assert_eq!(record.fingerprint, new.fingerprint);
    assert_eq!((record.source_bytes, record.text_bytes), (new.source_bytes, new.text.len() as u64));
    assert_eq!(record.chunks, accepted.chunks);
    assert_eq!(record.metadata, new.metadata);
    assert_eq!(record.status, DocumentStatus::Searchable);
    assert_eq!(text_of(store, &place, "d").await, Some(new.text.clone()));

    let rows = store.hydrate(&place.0, &place.1, &ids(&batch)).await.unwrap();
    assert_eq!(rows.len(), 3);
    for (row, chunk) in rows.iter().zip(&new.chunks) {
        assert_eq!(row.text, new.text[chunk.range.start..chunk.range.end]);
        assert_eq!(row.parent_text, new.text[chunk.parent_range.start..chunk.parent_range.end]);
        assert_eq!((row.range, row.parent_range), (chunk.range, chunk.parent_range));
        assert_eq!(row.headings, chunk.headings);
        assert_eq!((row.doc_id.as_str(), row.title.as_deref()), ("d", new.title.as_deref()));
    }
    let languages: Vec<_> = rows.iter().map(|row| row.language.as_deref()).collect();
    assert_eq!(languages, [Some("en"), Some("en"), Some("de")]);
    let again = store.publish(&batch).await.unwrap();
    assert_eq!(
        (again.visible, again.retired),
        (vec![accepted.revision], vec![]),
        "publishing twice changes nothing"
    );
}

async fn the_old_version_stays_until_the_new_one_is_published<B: Backend>(backend: &B) {
    let store = backend.documents();
    let place = corpus(store, "t", "c").await;
    let first = add(store, &place, vec![document("d", "alt\n")]).await;
    let created_at = store.get(&place.0, &place.1, &"d".into()).await.unwrap().unwrap().created_at;
    let second = store.accept(&place.0, &place.1, vec![document("d", "neu\nneuer\n")]).await.unwrap();
    assert!(second.documents[0].revision > first.documents[0].revision);
    assert_eq!(text_of(store, &place, "d").await.as_deref(), Some("alt\n"));
    let record = store.get(&place.0, &place.1, &"d".into()).await.unwrap().unwrap();
    assert_eq!((record.revision, record.status), (first.documents[0].revision, DocumentStatus::Updating));
    assert_eq!(store.hydrate(&place.0, &place.1, &ids(&first)).await.unwrap().len(), 1);
    assert_eq!(store.hydrate(&place.0, &place.1, &ids(&second)).await.unwrap(), []);

    let published = store.publish(&second).await.unwrap();
    assert_eq!(published.visible, [second.documents[0].revision]);
    let retired: Vec<_> =
        published.retired.iter().map(|retired| (retired.revision, retired.chunks)).collect();
    assert_eq!(retired, [(first.documents[0].revision, first.documents[0].chunks)]);
    assert_eq!(text_of(store, &place, "d").await.as_deref(), Some("neu\nneuer\n"));
    assert_eq!(store.hydrate(&place.0, &place.1, &ids(&first)).await.unwrap(), []);
    assert_eq!(store.hydrate(&place.0, &place.1, &ids(&second)).await.unwrap().len(), 2);
    let record = store.get(&place.0, &place.1, &"d".into()).await.unwrap().unwrap();
    assert_eq!(record.created_at, created_at, "a new version of a document is not a new document");
}

async fn what_is_pending_can_be_replayed<B: Backend>(backend: &B) {
    let (store, maintenance) = (backend.documents(), backend.maintenance());
    let place = corpus(store, "t", "c").await;
    add(store, &place, vec![document("done", "fertig\n")]).await;
    let texts = ["a\nb\n", "c\n", "d\ne\nf\n"];
    let new: Vec<NewDocument> =
        texts.iter().zip(["x", "y", "z"]).map(|(text, id)| document(id, text)).collect();
    let batch = store.accept(&place.0, &place.1, new.clone()).await.unwrap();

    let pending = maintenance.pending(None, 100).await.unwrap();
    assert_eq!(pending.len(), 3);
    for ((pending, accepted), new) in pending.iter().zip(&batch.documents).zip(&new) {
        assert_eq!((&pending.tenant, &pending.corpus), (&place.0, &place.1));
        assert_eq!(&pending.accepted(), accepted);
        assert_eq!((&pending.text, &pending.title), (&new.text, &new.title));
        for (chunk, new_chunk) in pending.chunks.iter().zip(&new.chunks) {
            assert_eq!((chunk.range, chunk.parent_range), (new_chunk.range, new_chunk.parent_range));
            assert_eq!((&chunk.headings, &chunk.language), (&new_chunk.headings, &new_chunk.language));
            assert_eq!(pending.text_of(chunk), &new.text[new_chunk.range.start..new_chunk.range.end]);
        }
    }
    let first = maintenance.pending(None, 1).await.unwrap();
    let rest = maintenance.pending(Some(first[0].revision), 100).await.unwrap();
    assert_eq!([first, rest].concat(), pending);

    store.publish(&batch).await.unwrap();
    assert_eq!(maintenance.pending(None, 100).await.unwrap(), []);
    let revisions: Vec<Revision> = pending.iter().map(|document| document.revision).collect();
    assert_eq!(maintenance.visible(&revisions).await.unwrap(), pending);
}

async fn a_pending_version_that_is_replaced_never_becomes_visible<B: Backend>(backend: &B) {
    let (store, maintenance) = (backend.documents(), backend.maintenance());
    let place = corpus(store, "t", "c").await;
    let first = store.accept(&place.0, &place.1, vec![document("d", "erste\n")]).await.unwrap();
    let second = store.accept(&place.0, &place.1, vec![document("d", "zweite\n")]).await.unwrap();
    let pending = maintenance.pending(None, 9).await.unwrap();
    assert_eq!(pending.len(), 1);
    assert_eq!(pending[0].revision, second.documents[0].revision);

    store.publish(&second).await.unwrap();
    let late = store.publish(&first).await.unwrap();
    assert_eq!(late.visible, []);
    assert_eq!(late.retired.len(), 1, "its vectors must go again");
    assert_eq!(late.retired[0].chunks, first.documents[0].chunks);
    assert_eq!(text_of(store, &place, "d").await.as_deref(), Some("zweite\n"));
}

async fn a_document_twice_in_a_batch_ends_as_its_last<B: Backend>(backend: &B) {
    let (store, maintenance) = (backend.documents(), backend.maintenance());
    let place = corpus(store, "t", "c").await;
    let documents = vec![document("d", "eins\n"), document("e", "andere\n"), document("d", "zwei\n")];
    let batch = store.accept(&place.0, &place.1, documents).await.unwrap();
    assert_eq!(maintenance.pending(None, 9).await.unwrap().len(), 2);
    let published = store.publish(&batch).await.unwrap();
    assert_eq!(published.visible, [batch.documents[1].revision, batch.documents[2].revision]);
    assert_eq!(published.retired.len(), 1);
    assert_eq!(text_of(store, &place, "d").await.as_deref(), Some("zwei\n"));
    assert_eq!(store.list(&place.0, &place.1, None, 9).await.unwrap().len(), 2);
    assert_eq!(maintenance.check().await.unwrap(), Vec::<String>::new());
}

async fn a_deleted_document_is_gone_at_once_and_can_come_back<B: Backend>(backend: &B) {
    let (store, maintenance) = (backend.documents(), backend.maintenance());
    let place = corpus(store, "t", "c").await;
    let batch = add(store, &place, vec![document("d", "weg\n"), document("e", "bleibt\n")]).await;
    let retired = store.delete(&place.0, &place.1, &"d".into()).await.unwrap().unwrap();
    assert_eq!(retired.len(), 1);
    assert_eq!(retired[0].chunks, batch.documents[0].chunks);
    assert_eq!(store.get(&place.0, &place.1, &"d".into()).await.unwrap(), None);
    assert_eq!(text_of(store, &place, "d").await, None);
    assert_eq!(store.hydrate(&place.0, &place.1, &ids(&batch)).await.unwrap().len(), 1);
    assert_eq!(store.list(&place.0, &place.1, None, 9).await.unwrap().len(), 1);
    assert_eq!(store.live(&place.0, &place.1, None, 9).await.unwrap().len(), 1);
    assert_eq!(store.counts(&place.0, &place.1).await.unwrap().documents, 1);
    assert_eq!(maintenance.visible(&[batch.documents[0].revision]).await.unwrap(), []);
    assert_eq!(store.delete(&place.0, &place.1, &"d".into()).await.unwrap(), None, "it is deleted already");
    let replayed = store.publish(&batch).await.unwrap();
    assert_eq!(replayed.visible, [batch.documents[1].revision]);
    assert_eq!(text_of(store, &place, "d").await, None);

    let again = add(store, &place, vec![document("d", "wieder\n")]).await;
    assert!(again.documents[0].chunks.first > batch.documents[1].chunks.first, "ids are not reused");
    assert_eq!(text_of(store, &place, "d").await.as_deref(), Some("wieder\n"));
    assert_eq!(store.hydrate(&place.0, &place.1, &ids(&again)).await.unwrap().len(), 1);
}

async fn deleting_while_a_version_is_pending_does_not_resurrect_it<B: Backend>(backend: &B) {
    let (store, maintenance) = (backend.documents(), backend.maintenance());
    let place = corpus(store, "t", "c").await;
    let first = add(store, &place, vec![document("d", "alt\n")]).await;
    let second = store.accept(&place.0, &place.1, vec![document("d", "neu\n")]).await.unwrap();
    let retired = store.delete(&place.0, &place.1, &"d".into()).await.unwrap().unwrap();
    let revisions: Vec<Revision> = retired.iter().map(|retired| retired.revision).collect();
    assert_eq!(revisions, [first.documents[0].revision, second.documents[0].revision]);
    assert_eq!(maintenance.pending(None, 9).await.unwrap(), []);
    let late = store.publish(&second).await.unwrap();
    assert_eq!((late.visible.len(), late.retired.len()), (0, 1));
    assert_eq!(text_of(store, &place, "d").await, None);

    // The same after clean-up, when nothing of the revision is left.
    maintenance.purge(&revisions).await.unwrap();
    let later = store.publish(&second).await.unwrap();
    assert_eq!((later.visible.len(), later.retired.len()), (0, 1));
    assert_eq!(text_of(store, &place, "d").await, None);

    // A document that was never visible can be deleted, too.
    store.accept(&place.0, &place.1, vec![document("f", "nie gesehen\n")]).await.unwrap();
    assert_eq!(store.delete(&place.0, &place.1, &"f".into()).await.unwrap().unwrap().len(), 1);
    assert_eq!(maintenance.pending(None, 9).await.unwrap(), []);
}

async fn purging_removes_rows_of_retired_revisions_only<B: Backend>(backend: &B) {
    let (store, maintenance) = (backend.documents(), backend.maintenance());
    let place = corpus(store, "t", "c").await;
    let old = add(store, &place, vec![document("d", "alt\n"), document("gone", "weg\n")]).await;
    let new = add(store, &place, vec![document("d", "neu\n")]).await;
    let pending = store.accept(&place.0, &place.1, vec![document("p", "wartet\n")]).await.unwrap();
    store.delete(&place.0, &place.1, &"gone".into()).await.unwrap();
    let retired = maintenance.retired(100).await.unwrap();
    let revisions: Vec<Revision> = retired.iter().map(|retired| retired.revision).collect();
    assert_eq!(revisions, [old.documents[0].revision, old.documents[1].revision]);
    assert_eq!(maintenance.retired(1).await.unwrap(), retired[..1]);

    let all: Vec<Revision> = [&old, &new, &pending]
        .into_iter()
        .flat_map(|batch| batch.documents.iter().map(|document| document.revision))
        .collect();
    maintenance.purge(&all).await.unwrap();
    assert_eq!(maintenance.retired(100).await.unwrap(), []);
    assert_eq!(text_of(store, &place, "d").await.as_deref(), Some("neu\n"));
    assert_eq!(maintenance.pending(None, 9).await.unwrap().len(), 1);
    assert_eq!(maintenance.check().await.unwrap(), Vec::<String>::new());
    maintenance.purge(&all).await.unwrap();
}

async fn no_tenant_and_no_corpus_sees_another<B: Backend>(backend: &B) {
    let store = backend.documents();
    let mine = corpus(store, "mine", "c").await;
    let theirs = corpus(store, "theirs", "c").await;
    let other = corpus(store, "mine", "other").await;
    let batch = add(store, &mine, vec![document("d", "geheim\n")]).await;
    for stranger in [&theirs, &other] {
        let (tenant, name) = (&stranger.0, &stranger.1);
        assert_eq!(store.hydrate(tenant, name, &ids(&batch)).await.unwrap(), []);
        assert!(store.parents(tenant, name, &ids(&batch)).await.unwrap().is_empty());
        assert_eq!(store.get(tenant, name, &"d".into()).await.unwrap(), None);
        assert_eq!(store.text(tenant, name, &"d".into()).await.unwrap(), None);
        assert_eq!(store.list(tenant, name, None, 9).await.unwrap(), []);
        assert_eq!(store.live(tenant, name, None, 9).await.unwrap(), []);
        assert_eq!(store.counts(tenant, name).await.unwrap().documents, 0);
        assert_eq!(store.delete(tenant, name, &"d".into()).await.unwrap(), None);
        let fingerprint = Fingerprint::of([b"geheim\n".as_slice()]);
        assert_eq!(store.unchanged(tenant, name, &[("d".into(), fingerprint)]).await.unwrap(), [false]);
        let pending = store.accept(&mine.0, &mine.1, vec![document("p", "neu\n")]).await.unwrap();
        let forged = AcceptedBatch { tenant: tenant.clone(), corpus: name.clone(), ..pending };
        assert_eq!(
            store.publish(&forged).await.unwrap().visible,
            [],
            "a batch of another one is not published"
        );
        assert_eq!(store.text(&mine.0, &mine.1, &"p".into()).await.unwrap(), None);
        // The same id of another one is another document.
        add(store, stranger, vec![document("d", "eigenes\n")]).await;
        store.delete(tenant, name, &"d".into()).await.unwrap().unwrap();
    }
    assert_eq!(text_of(store, &mine, "d").await.as_deref(), Some("geheim\n"));
}

async fn hydration_keeps_the_order_and_drops_what_is_missing<B: Backend>(backend: &B) {
    let store = backend.documents();
    let place = corpus(store, "t", "c").await;
    let text: String = (0..1_200).map(|line| format!("Zeile {line} ß\n")).collect();
    let batch = add(store, &place, vec![document("d", &text)]).await;
    let mut wanted = ids(&batch);
    wanted.reverse();
    wanted.rotate_left(100);
    let rows = store.hydrate(&place.0, &place.1, &wanted).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.chunk).collect::<Vec<_>>(), wanted);
    for row in &rows {
        assert_eq!(row.text, text[row.range.start..row.range.end]);
        assert_eq!(row.parent_text, text[row.parent_range.start..row.parent_range.end]);
    }
    let parents = store.parents(&place.0, &place.1, &wanted).await.unwrap();
    for row in &rows {
        let parent = ParentId { revision: row.revision, start: row.parent_range.start };
        assert_eq!(parents.get(&row.chunk), Some(&parent));
    }
    let some = [wanted[3], ChunkId(u64::MAX), ChunkId(0), wanted[1], ChunkId(987_654_321), wanted[2]];
    let rows = store.hydrate(&place.0, &place.1, &some).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.chunk).collect::<Vec<_>>(), [wanted[3], wanted[1], wanted[2]]);
}

async fn unchanged_documents_are_recognised<B: Backend>(backend: &B) {
    let store = backend.documents();
    let place = corpus(store, "t", "c").await;
    let fingerprint = |text: &str| Fingerprint::of([text.as_bytes()]);
    add(store, &place, vec![document("same", "a\n"), document("edited", "b\n"), document("deleted", "c\n")])
        .await;
    store.delete(&place.0, &place.1, &"deleted".into()).await.unwrap();
    store
        .accept(&place.0, &place.1, vec![document("edited", "b2\n"), document("pending", "p\n")])
        .await
        .unwrap();
    let asked = [
        ("deleted".into(), fingerprint("c\n")),
        ("same".into(), fingerprint("a\n")),
        ("new".into(), fingerprint("n\n")),
        ("edited".into(), fingerprint("b\n")),
        ("edited".into(), fingerprint("b2\n")),
        ("pending".into(), fingerprint("p\n")),
    ];
    let unchanged = store.unchanged(&place.0, &place.1, &asked).await.unwrap();
    assert_eq!(unchanged, [false, true, false, false, true, true]);
}

async fn lists_go_by_id_page_by_page<B: Backend>(backend: &B) {
    let store = backend.documents();
    let place = corpus(store, "t", "c").await;
    let mut wanted: Vec<String> = (0..25).map(|number| format!("ordner/ü{number}.md")).collect();
    add(store, &place, wanted.iter().rev().map(|id| document(id, "x\n")).collect()).await;
    wanted.sort();
    let mut listed: Vec<String> = Vec::new();
    loop {
        let after = listed.last().map(DocumentId::new);
        let page = store.list(&place.0, &place.1, after.as_ref(), 10).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 10);
        listed.extend(page.iter().map(|record| record.doc_id.to_string()));
    }
    assert_eq!(listed, wanted);
}

async fn counts_are_of_what_is_visible<B: Backend>(backend: &B) {
    let store = backend.documents();
    let place = corpus(store, "t", "c").await;
    let in_language = |id: &str, text: &str, language: Option<&str>| NewDocument {
        language: language.map(str::to_owned),
        ..document(id, text)
    };
    add(
        store,
        &place,
        vec![
            in_language("a", "1\n2\n", Some("de")),
            in_language("b", "3\n", Some("en")),
            in_language("c", "4\n5\n6\n", Some("de")),
            in_language("d", "7\n", None),
        ],
    )
    .await;
    add(store, &place, vec![in_language("a", "eins\n", Some("de"))]).await;
    store.accept(&place.0, &place.1, vec![document("pending", "x\n")]).await.unwrap();
    let counts = store.counts(&place.0, &place.1).await.unwrap();
    assert_eq!((counts.documents, counts.chunks), (4, 6));
    assert_eq!((counts.text_bytes, counts.source_bytes), (15, 15));
    let mut languages: Vec<_> =
        counts.languages.iter().map(|l| (l.language.as_deref(), l.documents, l.chunks)).collect();
    assert_eq!(languages[0], (Some("de"), 2, 4), "most documents first");
    languages.sort();
    assert_eq!(languages, [(None, 1, 1), (Some("de"), 2, 4), (Some("en"), 1, 1)]);
}

async fn live_documents_come_in_the_order_of_their_chunks<B: Backend>(backend: &B) {
    let store = backend.documents();
    let place = corpus(store, "t", "c").await;
    let elsewhere = corpus(store, "t", "elsewhere").await;
    for round in 0..6 {
        let documents = (0..5).map(|number| document(&format!("{round}-{number}"), "a\nb\n")).collect();
        add(store, &place, documents).await;
        add(store, &elsewhere, vec![document(&format!("{round}"), "fremd\n")]).await;
    }
    add(store, &place, vec![document("2-2", "neu\n")]).await;
    store.delete(&place.0, &place.1, &"3-3".into()).await.unwrap();
    store.accept(&place.0, &place.1, vec![document("pending", "x\n")]).await.unwrap();

    let mut live = Vec::new();
    let mut after = None;
    loop {
        let page = store.live(&place.0, &place.1, after, 4).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.revision);
        live.extend(page);
    }
    assert_eq!(live.len(), 29);
    assert_eq!(live.last().map(|document| document.doc_id.as_str()), Some("2-2"));
    let chunks: Vec<ChunkId> =
        live.iter().flat_map(|document| document.chunks.iter().map(|c| c.chunk)).collect();
    assert!(chunks.is_sorted());
    assert_eq!(chunks.len() as u64, store.counts(&place.0, &place.1).await.unwrap().chunks);
    assert!(live.iter().all(|document| document.corpus == place.1));
    let hydrated = store.hydrate(&place.0, &place.1, &chunks).await.unwrap();
    let texts: Vec<&str> = live
        .iter()
        .flat_map(|document| document.chunks.iter().map(|chunk| document.text_of(chunk)))
        .collect();
    assert_eq!(hydrated.iter().map(|row| row.text.as_str()).collect::<Vec<_>>(), texts);
}

async fn events_tell_the_history_in_order<B: Backend>(backend: &B) {
    let (store, maintenance) = (backend.documents(), backend.maintenance());
    let place = corpus(store, "t", "c").await;
    let first = add(store, &place, vec![document("d", "a\n"), document("e", "b\n")]).await;
    let second = store.accept(&place.0, &place.1, vec![document("d", "c\n")]).await.unwrap();
    store.delete(&place.0, &place.1, &"d".into()).await.unwrap();
    store.publish(&second).await.unwrap();
    let (d, e) = (first.documents[0].revision, first.documents[1].revision);
    let new = second.documents[0].revision;

    let events = maintenance.events_after(EventSeq(0), 100).await.unwrap();
    let history: Vec<_> =
        events.iter().map(|event| (event.kind, event.doc_id.as_str(), event.revision)).collect();
    assert_eq!(
        history,
        [
            (EventKind::Accepted, "d", d),
            (EventKind::Accepted, "e", e),
            (EventKind::Published, "d", d),
            (EventKind::Published, "e", e),
            (EventKind::Accepted, "d", new),
            (EventKind::Deleted, "d", new),
        ]
    );
    assert!(events.iter().all(|event| (&event.tenant, &event.corpus) == (&place.0, &place.1)));
    assert!(events.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    assert_eq!(maintenance.last_event().await.unwrap(), events[5].seq);
    assert_eq!(maintenance.events_after(events[1].seq, 2).await.unwrap(), events[2..4]);

    maintenance.forget_events(events[3].seq).await.unwrap();
    assert_eq!(maintenance.events_after(EventSeq(0), 100).await.unwrap(), events[4..]);
    maintenance.forget_events(events[5].seq).await.unwrap();
    assert_eq!(
        maintenance.last_event().await.unwrap(),
        events[5].seq,
        "forgetting does not turn back the count"
    );
}

async fn checkpoints_are_remembered<B: Backend>(backend: &B) {
    let maintenance = backend.maintenance();
    assert_eq!(maintenance.checkpoint("index").await.unwrap(), EventSeq(0));
    for seq in [7, 9, 8] {
        maintenance.set_checkpoint("index", EventSeq(seq)).await.unwrap();
        assert_eq!(maintenance.checkpoint("index").await.unwrap(), EventSeq(seq));
    }
    assert_eq!(maintenance.checkpoint("other").await.unwrap(), EventSeq(0));
}

async fn a_bad_document_is_refused_and_takes_its_batch_with_it<B: Backend>(backend: &B) {
    let (store, maintenance) = (backend.documents(), backend.maintenance());
    let place = corpus(store, "t", "c").await;
    let with_chunk = |range: (usize, usize), parent: (usize, usize)| {
        let mut bad = document("bad", "aß\nb\n");
        bad.chunks[0].range = ByteRange { start: range.0, end: range.1 };
        bad.chunks[0].parent_range = ByteRange { start: parent.0, end: parent.1 };
        bad
    };
    let outside = DocumentFlaw::ChunkOutsideText { chunk: 0 };
    let orphan = DocumentFlaw::ParentOutsideText { chunk: 0 };
    for (bad, expected) in [
        (document("", "x\n"), DocumentFlaw::Id(NameFault::Empty)),
        (
            document(&"i".repeat(1_025), "x\n"),
            DocumentFlaw::Id(NameFault::TooLong { bytes: 1_025, limit: 1_024 }),
        ),
        (with_chunk((0, 99), (0, 99)), outside),
        (with_chunk((0, 2), (0, 4)), outside),
        (with_chunk((3, 1), (0, 4)), outside),
        (with_chunk((0, 4), (0, 2)), orphan),
        (with_chunk((0, 4), (1, 4)), orphan),
        (with_chunk((0, 1), (0, 99)), orphan),
    ] {
        let error = store.accept(&place.0, &place.1, vec![document("good", "x\n"), bad]).await.unwrap_err();
        assert!(
            matches!(&error, DocumentStoreError::InvalidDocument { flaw, .. } if *flaw == expected),
            "{error}"
        );
        assert!(!error.is_retryable());
    }
    assert_eq!(maintenance.pending(None, 9).await.unwrap(), []);
    assert_eq!(maintenance.events_after(EventSeq(0), 9).await.unwrap(), []);
}

async fn documents_without_text_or_chunks_are_documents<B: Backend>(backend: &B) {
    let (store, maintenance) = (backend.documents(), backend.maintenance());
    let place = corpus(store, "t", "c").await;
    let unsearchable = NewDocument { chunks: Vec::new(), ..document("unsearchable", "text\n") };
    let bare = NewDocument { title: None, language: None, source_name: None, ..document("bare", "\0\n") };
    let batch =
        store.accept(&place.0, &place.1, vec![document("empty", ""), unsearchable, bare]).await.unwrap();
    assert_eq!(maintenance.pending(None, 9).await.unwrap().len(), 3);
    store.publish(&batch).await.unwrap();
    assert_eq!(text_of(store, &place, "empty").await.as_deref(), Some(""));
    assert_eq!(text_of(store, &place, "unsearchable").await.as_deref(), Some("text\n"));
    assert_eq!(text_of(store, &place, "bare").await.as_deref(), Some("\0\n"));
    assert_eq!(store.live(&place.0, &place.1, None, 9).await.unwrap().len(), 3);
    let nothing = store.accept(&place.0, &place.1, Vec::new()).await.unwrap();
    assert_eq!(store.publish(&nothing).await.unwrap().visible, []);
    assert_eq!(maintenance.check().await.unwrap(), Vec::<String>::new());
}

async fn many_documents_at_once_are_all_there<B: Backend>(backend: &B) {
    let (store, maintenance) = (backend.documents(), backend.maintenance());
    let place = corpus(store, "t", "c").await;
    let documents = |version: usize| {
        (0..1_500)
            .map(|number| document(&number.to_string(), &format!("{number} {version}\n")))
            .collect::<Vec<_>>()
    };
    add(store, &place, documents(1)).await;
    let second = store.accept(&place.0, &place.1, documents(2)).await.unwrap();
    let published = store.publish(&second).await.unwrap();
    assert_eq!((published.visible.len(), published.retired.len()), (1_500, 1_500));
    let rows = store.hydrate(&place.0, &place.1, &ids(&second)).await.unwrap();
    assert!(rows.iter().enumerate().all(|(number, row)| row.text == format!("{number} 2\n")));
    assert_eq!(rows.len(), 1_500);
    let fingerprints: Vec<_> = documents(2).into_iter().map(|new| (new.doc_id, new.fingerprint)).collect();
    assert!(store.unchanged(&place.0, &place.1, &fingerprints).await.unwrap().into_iter().all(|same| same));
    let retired: Vec<Revision> = published.retired.iter().map(|retired| retired.revision).collect();
    maintenance.purge(&retired).await.unwrap();
    assert_eq!(maintenance.check().await.unwrap(), Vec::<String>::new());
}
