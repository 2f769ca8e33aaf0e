//! The fields of documents.

use mainstay_domain::TenantId;
use serde_json::json;

use super::Backend;
use super::sample::{corpus, document, metadata};
use crate::documents::{DocumentStoreError, NewDocument};

pub(super) async fn conformance<B: Backend>(make: &impl AsyncFn() -> B) {
    fields_are_those_of_the_corpus_with_all_their_kinds(&make().await).await;
}

async fn fields_are_those_of_the_corpus_with_all_their_kinds<B: Backend>(backend: &B) {
    let store = backend.documents();
    let (place, other) = (corpus(store, "t", "c").await, corpus(store, "u", "c").await);
    let with = |id: &str, fields: &[(&str, serde_json::Value)]| NewDocument {
        metadata: metadata(fields),
        ..document(id, "text\n")
    };
    assert_eq!(store.fields(&place.0, &place.1).await.unwrap(), []);
    let tags = json!(["red", "2024-03-01"]);
    let first = with("a", &[("year", json!(2024)), ("tags", tags.clone())]);
    let second = with("b", &[("year", json!("unknown")), ("draft", json!(true))]);
    for (place, documents) in
        [(&place, vec![first.clone(), second]), (&other, vec![with("a", &[("x", json!(1))])])]
    {
        let batch = store.accept(&place.0, &place.1, documents).await.unwrap();
        store.publish(&batch).await.unwrap();
    }
    // A deleted document may come back: what its fields mean stays.
    store.delete(&place.0, &place.1, &"b".into()).await.unwrap();
    let fields = store.fields(&place.0, &place.1).await.unwrap();
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, kind)| (name.as_str(), kind.as_str())).collect();
    assert_eq!(
        fields,
        [("draft", "boolean"), ("tags", "date"), ("tags", "string"), ("year", "number"), ("year", "string")]
    );
    let unknown = store.fields(&TenantId::new("v"), &place.1).await;
    assert!(matches!(unknown, Err(DocumentStoreError::UnknownCorpus(_))), "{unknown:?}");

    // The indexer reads back what it needs to make the fields of points anew.
    let live = store.live(&place.0, &place.1, None, 10).await.unwrap();
    let record = store.get(&place.0, &place.1, &"a".into()).await.unwrap().unwrap();
    assert_eq!((&live[0].metadata, live[0].accepted_at), (&first.metadata, record.updated_at));
}
