//! Random histories of accepting, publishing, deleting and purging, compared step by step with a model that is simple
//! enough to be right.

use std::collections::BTreeMap;

use mainstay_domain::{ChunkId, CorpusName, TenantId};

use super::Backend;
use super::sample::{corpus, document, text};
use crate::documents::{AcceptedBatch, NewDocument, Revision};

const HISTORIES: u64 = 12;
const STEPS: usize = 30;

pub(super) async fn conformance<B: Backend>(make: &impl AsyncFn() -> B) {
    for seed in 0..HISTORIES {
        let backend = make().await;
        let mut random = fastrand::Rng::with_seed(seed);
        // Two tenants with a corpus of the same name, and two corpora of one tenant.
        let mut places = Vec::new();
        for (tenant, name) in [("t", "c"), ("u", "c"), ("t", "d")] {
            places.push(Place::new(corpus(backend.documents(), tenant, name).await));
        }
        for step in 0..STEPS {
            let place = random.choice(&mut places).unwrap();
            let deed = place.act(&backend, &mut random).await;
            for place in &places {
                place.compare(&backend, &format!("history {seed}, step {step}: {deed}")).await;
            }
            compare_all(&backend, &places).await;
        }
    }
}

/// What a corpus should hold.
struct Place {
    tenant: TenantId,
    corpus: CorpusName,
    visible: BTreeMap<String, Stored>,
    pending: BTreeMap<String, Stored>,
    accepted: Vec<AcceptedBatch>,
}

#[derive(Clone)]
struct Stored {
    revision: Revision,
    new: NewDocument,
}

impl Place {
    fn new((tenant, corpus): (TenantId, CorpusName)) -> Self {
        Self { tenant, corpus, visible: BTreeMap::new(), pending: BTreeMap::new(), accepted: Vec::new() }
    }

    async fn act<B: Backend>(&mut self, backend: &B, random: &mut fastrand::Rng) -> &'static str {
        match random.u8(0..10) {
            0..4 => self.accept(backend, random).await,
            4..7 => self.publish(backend, random).await,
            7..9 => self.delete(backend, random).await,
            _ => {
                let retired = backend.maintenance().retired(1_000).await.unwrap();
                let revisions: Vec<Revision> = retired.iter().map(|retired| retired.revision).collect();
                backend.maintenance().purge(&revisions).await.unwrap();
                "purge"
            }
        }
    }

    async fn accept<B: Backend>(&mut self, backend: &B, random: &mut fastrand::Rng) -> &'static str {
        let documents: Vec<NewDocument> = (0..random.usize(1..5))
            .map(|_| {
                let bytes = random.usize(0..14_000);
                document(some_id(random), &text(random, bytes))
            })
            .collect();
        let batch = backend.documents().accept(&self.tenant, &self.corpus, documents.clone()).await.unwrap();
        for (new, accepted) in documents.into_iter().zip(&batch.documents) {
            self.pending.insert(new.doc_id.to_string(), Stored { revision: accepted.revision, new });
        }
        self.accepted.push(batch);
        "accept"
    }

    /// Publishes any batch so far, also one that was published or overtaken before.
    async fn publish<B: Backend>(&mut self, backend: &B, random: &mut fastrand::Rng) -> &'static str {
        let Some(batch) = random.choice(&self.accepted) else { return "nothing" };
        backend.documents().publish(batch).await.unwrap();
        for document in &batch.documents {
            let doc_id = document.doc_id.as_str();
            if self.pending.get(doc_id).is_some_and(|pending| pending.revision == document.revision) {
                self.visible.extend(self.pending.remove_entry(doc_id));
            }
        }
        "publish"
    }

    async fn delete<B: Backend>(&mut self, backend: &B, random: &mut fastrand::Rng) -> &'static str {
        let doc_id = some_id(random);
        let retired = backend.documents().delete(&self.tenant, &self.corpus, &doc_id.into()).await.unwrap();
        let existed = [self.visible.remove(doc_id), self.pending.remove(doc_id)].iter().flatten().count();
        assert_eq!(retired.map_or(0, |retired| retired.len()), existed);
        "delete"
    }

    async fn compare<B: Backend>(&self, backend: &B, when: &str) {
        let store = backend.documents();
        let listed = store.list(&self.tenant, &self.corpus, None, 1_000).await.unwrap();
        let listed: Vec<_> =
            listed.iter().map(|record| (record.doc_id.to_string(), record.revision)).collect();
        let wanted: Vec<_> = self.visible.iter().map(|(id, stored)| (id.clone(), stored.revision)).collect();
        assert_eq!(listed, wanted, "{when}");

        for (doc_id, stored) in &self.visible {
            let text = store.text(&self.tenant, &self.corpus, &doc_id.as_str().into()).await.unwrap();
            assert!(text.as_ref() == Some(&stored.new.text), "{when}: the text of {doc_id}");
        }
        // Every chunk there ever was, of any document: the visible ones come back, and nothing else.
        let ever: Vec<ChunkId> = self
            .accepted
            .iter()
            .flat_map(|batch| &batch.documents)
            .flat_map(|document| document.chunks.ids())
            .collect();
        let hydrated = store.hydrate(&self.tenant, &self.corpus, &ever).await.unwrap();
        let wanted: usize = self.visible.values().map(|stored| stored.new.chunks.len()).sum();
        assert_eq!(hydrated.len(), wanted, "{when}");
        for row in &hydrated {
            let stored = &self.visible[row.doc_id.as_str()];
            assert_eq!(row.revision, stored.revision, "{when}");
            assert!(row.text == stored.new.text[row.range.start..row.range.end], "{when}: {}", row.chunk);
            let parent = &stored.new.text[row.parent_range.start..row.parent_range.end];
            assert!(row.parent_text == parent, "{when}: {}", row.chunk);
        }
    }
}

async fn compare_all<B: Backend>(backend: &B, places: &[Place]) {
    let mut pending: Vec<Revision> =
        places.iter().flat_map(|place| place.pending.values()).map(|stored| stored.revision).collect();
    pending.sort();
    let found = backend.maintenance().pending(None, 1_000).await.unwrap();
    assert_eq!(found.iter().map(|document| document.revision).collect::<Vec<_>>(), pending);
    assert_eq!(backend.maintenance().check().await.unwrap(), Vec::<String>::new());
}

fn some_id(random: &mut fastrand::Rng) -> &'static str {
    ["a", "b", "c/d", "ü", "z z"][random.usize(0..5)]
}
