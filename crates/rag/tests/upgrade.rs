//! The upgrade of a corpus: second vectors come in the background, are found by, go with their documents, and are not made
//! twice.
#![expect(clippy::unwrap_used, reason = "an unexpected failure is to be shown where it happens")]

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use mainstay_documents::{ChunkOptions, Limits};
use mainstay_domain::port::{
    Embedder, EmbeddingPurpose, Embeddings, Errand, MultiVector, RetrievalQuery, Retriever,
};
use mainstay_domain::{
    ChunkId, Clock, CorpusName, Deadline, DocumentId, ModelError, Passage, ServiceTier, TenantId,
};
use mainstay_embed::StaticEmbedder;
use mainstay_rag::fusion::Fusion;
use mainstay_rag::{CorpusSettings, Library, LibrarySettings, QualitySettings, UpgradeSettings, Upload};
use mainstay_store::{DataDir, EmbeddedStore};
use mainstay_vectors::{
    Checkpoint, EmbeddedIndex, EmbeddedOptions, Hit, IndexError, IndexSettings, IndexStats, Namespace, Point,
    Search, VectorIndex,
};
use tokio_util::sync::CancellationToken;

/// Knows two subjects by any of their words, which no other channel can.
#[derive(Default)]
struct Wise {
    passages: AtomicUsize,
}

impl Wise {
    fn embedded(&self) -> usize {
        self.passages.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Embedder for Wise {
    fn model(&self) -> &str {
        "test/wise"
    }

    fn dimension(&self) -> usize {
        2
    }

    async fn embed(
        &self,
        texts: &[&str],
        purpose: EmbeddingPurpose,
        _: Errand<'_>,
    ) -> Result<Embeddings, ModelError> {
        if purpose == EmbeddingPurpose::Passage {
            self.passages.fetch_add(texts.len(), Ordering::Relaxed);
        }
        let is_about_ships =
            |text: &str| ["vessel", "brig", "schooner"].iter().any(|word| text.contains(word));
        let values = texts.iter().flat_map(|text| if is_about_ships(text) { [1.0, 0.0] } else { [0.0, 1.0] });
        Ok(Embeddings { dimension: 2, values: values.collect(), tokens: 0 })
    }
}

/// Sees no difference between texts as a whole, and knows of single words which mean the same.
struct WordByWord;

impl WordByWord {
    const DIMENSION: usize = 64;

    fn multi(text: &str) -> MultiVector {
        let words = text.split(|character: char| !character.is_alphabetic()).filter(|word| !word.is_empty());
        let values = words.flat_map(|word| {
            let meaning = match word {
                "sailors" | "crew" => "people of a ship",
                "ropes" | "rigging" => "lines of a ship",
                other => other,
            };
            let mut hash = std::hash::DefaultHasher::new();
            meaning.hash(&mut hash);
            let bits = hash.finish();
            (0..Self::DIMENSION).map(move |at| if bits >> at & 1 == 1 { 0.125 } else { -0.125 })
        });
        MultiVector { dimension: Self::DIMENSION, values: values.collect() }
    }
}

#[async_trait]
impl Embedder for WordByWord {
    fn model(&self) -> &str {
        "test/word-by-word"
    }

    fn dimension(&self) -> usize {
        2
    }

    async fn embed(
        &self,
        texts: &[&str],
        _: EmbeddingPurpose,
        _: Errand<'_>,
    ) -> Result<Embeddings, ModelError> {
        Ok(Embeddings { dimension: 2, values: [0.0, 1.0].repeat(texts.len()), tokens: 0 })
    }

    fn multi_dimension(&self) -> Option<usize> {
        Some(Self::DIMENSION)
    }

    async fn embed_multi(
        &self,
        texts: &[&str],
        purpose: EmbeddingPurpose,
        errand: Errand<'_>,
    ) -> Result<(Embeddings, Vec<MultiVector>), ModelError> {
        let multi = texts.iter().map(|text| Self::multi(text)).collect();
        Ok((self.embed(texts, purpose, errand).await?, multi))
    }
}

/// Sees that texts about the harbour are like questions about it, and that of two others one is as like a question and the other like
/// what is said about the harbour.
struct Related;

#[async_trait]
impl Embedder for Related {
    fn model(&self) -> &str {
        "test/related"
    }

    fn dimension(&self) -> usize {
        3
    }

    async fn embed(
        &self,
        texts: &[&str],
        purpose: EmbeddingPurpose,
        _: Errand<'_>,
    ) -> Result<Embeddings, ModelError> {
        let values = texts.iter().flat_map(|text| match purpose {
            EmbeddingPurpose::Query => [1.0, 0.0, 0.0],
            EmbeddingPurpose::Passage if text.contains("harbour") => [0.8, 0.6, 0.0],
            EmbeddingPurpose::Passage if text.contains("quay") => [0.6, 0.8, 0.0],
            EmbeddingPurpose::Passage if text.contains("desk") => [0.64, 0.0, 0.768],
            EmbeddingPurpose::Passage => [0.0, 0.0, 1.0],
        });
        Ok(Embeddings { dimension: 3, values: values.collect(), tokens: 0 })
    }
}

/// An index that is watched.
struct Watched {
    index: EmbeddedIndex,
    /// How often it counted its points, which walks its files.
    counted: AtomicUsize,
    /// Whether the second index has failed, and takes nothing until it is opened again.
    suspended: AtomicBool,
}

impl Watched {
    fn is_second(namespace: &Namespace) -> bool {
        namespace.corpus.as_str().ends_with("#upgrade")
    }

    fn take_nothing_when_suspended(&self, namespace: &Namespace) -> Result<(), IndexError> {
        if Self::is_second(namespace) && self.suspended.load(Ordering::Relaxed) {
            return Err(IndexError::Suspended(namespace.clone()));
        }
        Ok(())
    }
}

#[async_trait]
impl VectorIndex for Watched {
    async fn open(&self, namespace: &Namespace, settings: &IndexSettings) -> Result<Checkpoint, IndexError> {
        if Self::is_second(namespace) {
            self.suspended.store(false, Ordering::Relaxed);
        }
        self.index.open(namespace, settings).await
    }

    async fn upsert(&self, namespace: &Namespace, points: Vec<Point>) -> Result<(), IndexError> {
        self.take_nothing_when_suspended(namespace)?;
        self.index.upsert(namespace, points).await
    }

    async fn delete(&self, namespace: &Namespace, chunks: Vec<ChunkId>) -> Result<(), IndexError> {
        self.take_nothing_when_suspended(namespace)?;
        self.index.delete(namespace, chunks).await
    }

    async fn search(
        &self,
        namespace: &Namespace,
        searches: Vec<Search>,
    ) -> Result<Vec<Vec<Hit>>, IndexError> {
        self.index.search(namespace, searches).await
    }

    async fn flush(&self, namespace: &Namespace, checkpoint: Checkpoint) -> Result<(), IndexError> {
        self.take_nothing_when_suspended(namespace)?;
        self.index.flush(namespace, checkpoint).await
    }

    async fn optimize(&self, namespace: &Namespace) -> Result<(), IndexError> {
        self.index.optimize(namespace).await
    }

    async fn stats(&self, namespace: &Namespace) -> Result<IndexStats, IndexError> {
        self.counted.fetch_add(1, Ordering::Relaxed);
        self.index.stats(namespace).await
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>, IndexError> {
        self.index.namespaces().await
    }

    async fn drop_namespace(&self, namespace: &Namespace) -> Result<(), IndexError> {
        self.index.drop_namespace(namespace).await
    }

    async fn close(&self) -> Result<(), IndexError> {
        self.index.close().await
    }
}

struct Site {
    library: Arc<Library>,
    store: EmbeddedStore,
    index: Arc<Watched>,
}

impl Site {
    async fn open(folder: &Path, wise: Option<&Arc<Wise>>) -> Self {
        Self::open_with(folder, wise.map(|wise| wise.clone() as Arc<dyn Embedder>)).await
    }

    async fn open_with(folder: &Path, embedder: Option<Arc<dyn Embedder>>) -> Self {
        let clock = Clock::system();
        let store = EmbeddedStore::open(DataDir::open(folder).unwrap(), clock).await.unwrap();
        let index = store.folder().subfolder("index").unwrap();
        let index = EmbeddedIndex::new(index, EmbeddedOptions::default()).unwrap();
        let index =
            Arc::new(Watched { index, counted: AtomicUsize::new(0), suspended: AtomicBool::new(false) });
        let corpus = CorpusSettings {
            embedder: Arc::new(StaticEmbedder::builtin()) as Arc<dyn Embedder>,
            chunking: ChunkOptions::default(),
            fusion: Fusion::Convex,
            dense_weight: 0.2,
            document_share: 0.0,
            grams_weight: 0.0,
            rerank: None,
            quality: QualitySettings::default(),
            upgrade: embedder.map(|embedder| UpgradeSettings {
                embedder,
                weight: 0.5,
                most_for_other_scripts: 0.5,
            }),
        };
        let settings = LibrarySettings {
            corpora: HashMap::new(),
            unnamed: corpus,
            limits: Limits::default(),
            embedding_timeout: Duration::from_secs(60),
            staleness: None,
        };
        let library = Library::open(store.documents(), store.documents(), index.clone(), settings, clock);
        Self { library: Arc::new(library.await.unwrap()), store, index }
    }

    async fn add(&self, documents: &[(String, String)]) {
        let uploads = documents.iter().map(|(id, text)| Upload {
            author: None,
            doc_id: Some(DocumentId::new(id.as_str())),
            title: None,
            language: Some("en".to_owned()),
            file_name: None,
            media_type: None,
            metadata: serde_json::Map::new(),
            bytes: text.clone().into(),
        });
        for result in self.library.add(&tenant(), &CorpusName::unnamed(), uploads.collect()).await {
            result.unwrap();
        }
    }

    fn query(question: &str) -> RetrievalQuery {
        RetrievalQuery {
            tenant: tenant(),
            corpus: CorpusName::unnamed(),
            text: question.to_owned(),
            limit: 10,
            filter: None,
            tier: ServiceTier::default(),
            deadline: Deadline::after(&Clock::system(), Duration::from_secs(60)),
            payer: None,
        }
    }

    async fn search(&self, question: &str) -> Vec<Passage> {
        self.library.retrieve(Self::query(question)).await.unwrap().passages
    }

    async fn best(&self, question: &str) -> String {
        self.search(question).await.first().map(|passage| passage.document.to_string()).unwrap_or_default()
    }

    /// Chunks that have a second vector, and all.
    async fn progress(&self) -> (u64, u64) {
        let corpora = self.library.corpora(&tenant()).await.unwrap();
        corpora.first().map_or((0, 0), |corpus| {
            (corpus.upgrade.as_ref().map_or(0, |upgrade| upgrade.chunks), corpus.chunks)
        })
    }

    /// Upgrades until every chunk has its second vector, then until `also` holds.
    async fn upgrade_until(&self, also: impl Fn() -> bool) {
        let stop = CancellationToken::new();
        let watch = async {
            loop {
                let (done, all) = self.progress().await;
                if done == all && also() {
                    break stop.cancel();
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::join!(self.library.clone().upgrade(stop.clone()), watch);
    }

    async fn upgrade(&self) {
        self.upgrade_until(|| true).await;
    }

    async fn close(self) {
        self.library.close().await.unwrap();
        self.store.close().await;
    }
}

fn tenant() -> TenantId {
    TenantId::new("t")
}

fn documents(range: std::ops::Range<usize>) -> Vec<(String, String)> {
    let text = |n: usize| match n {
        3 => "The brig left the harbour of Leith with coal.".to_owned(),
        _ => format!("The clerk wrote line {n} of the ledger before the lamp went out."),
    };
    range.map(|n| (format!("d{n}"), text(n))).collect()
}

#[tokio::test]
async fn a_corpus_answers_before_and_better_after_its_upgrade() {
    let folder = tempfile::tempdir().unwrap();
    let wise = Arc::new(Wise::default());
    let site = Site::open(folder.path(), Some(&wise)).await;
    site.add(&documents(0..40)).await;
    assert_eq!(site.progress().await, (0, 40));
    assert_eq!(site.best("line 17 of the ledger").await, "d17");
    assert!(site.search("which schooner").await.iter().all(|passage| passage.score.upgraded.is_none()));
    site.upgrade().await;
    assert_eq!(site.best("which schooner").await, "d3");
    // Nearly 1: the question was moved a little towards two others.
    assert!(site.search("which schooner").await[0].score.upgraded > Some(0.9));
    assert_eq!(site.best("line 17 of the ledger").await, "d17");
    site.close().await;
}

#[tokio::test]
async fn documents_that_come_one_by_one_are_not_counted_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let wise = Arc::new(Wise::default());
    let site = Site::open(folder.path(), Some(&wise)).await;
    site.add(&documents(0..1)).await;
    site.upgrade().await;
    let before = site.index.counted.load(Ordering::Relaxed);
    for n in 1..6 {
        site.add(&documents(n..n + 1)).await;
    }
    assert_eq!(site.index.counted.load(Ordering::Relaxed), before);
    // How much the second vectors count follows all the same: one chunk of six has one.
    assert!(site.search("which schooner").await.iter().all(|passage| passage.score.upgraded != Some(1.0)));
    site.upgrade().await;
    assert_eq!(site.best("which schooner").await, "d3");
    site.close().await;
}

#[tokio::test]
async fn a_document_that_waits_for_its_second_vectors_is_ranked_by_its_first() {
    let folder = tempfile::tempdir().unwrap();
    let wise = Arc::new(Wise::default());
    let site = Site::open(folder.path(), Some(&wise)).await;
    site.add(&documents(0..40)).await;
    site.upgrade().await;
    let text = "Sugar, tea and rice were weighed in the market hall.";
    site.add(&[("new".to_owned(), text.to_owned())]).await;
    // All that came before it is as good as anything can be for the second vectors.
    let found = site.search("tea and sugar in the market").await;
    assert_eq!(found[0].document.as_str(), "new");
    assert_eq!(found[0].score.upgraded, None);
    // What counts is as much as for one that has them: all of 0.5, and all of the words and the first vectors.
    assert!(found[0].score.fused > 0.95, "{}", found[0].score.fused);
    site.close().await;
}

#[tokio::test]
async fn the_best_passages_are_compared_word_by_word() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::open_with(folder.path(), Some(Arc::new(WordByWord))).await;
    let two =
        [("people", "The sailors of the brig slept below."), ("lines", "The rigging of the brig was new.")];
    let two = two.map(|(id, text)| (id.to_owned(), text.to_owned()));
    site.add(&[two.as_slice(), &documents(4..40)].concat()).await;
    site.upgrade().await;
    for (question, document) in [("brig ropes", "lines"), ("brig crew", "people")] {
        let found = site.search(question).await;
        assert_eq!(found[0].document.as_str(), document);
        let (first, second) = (found[0].score, found[1].score);
        assert!(first.multi_vector > Some(0.95) && second.multi_vector < Some(0.9), "{first:?} {second:?}");
        assert_eq!((first.ranks.multi_vector, second.ranks.multi_vector), (Some(1), Some(2)));
        assert!(first.fused <= 1.0);
        // Whoever tries rankings on what was found sees the same order.
        let candidates = site.library.candidates(&Site::query(question)).await.unwrap();
        let ranked = candidates.documents(site.library.ranking_of(&CorpusName::unnamed()));
        assert!(ranked.iter().copied().eq(found.iter().map(|passage| &passage.document)), "{ranked:?}");
    }
    // One that waits for its vectors stands where its words put it.
    site.add(&[("new".to_owned(), "A crew of nine sailed the cutter.".to_owned())]).await;
    let found = site.search("the crew of the cutter").await;
    assert_eq!((found[0].document.as_str(), found[0].score.multi_vector), ("new", None));
    site.close().await;
}

#[tokio::test]
async fn what_is_near_the_best_passages_comes_before_what_is_a_little_nearer_to_the_question() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::open_with(folder.path(), Some(Arc::new(Related))).await;
    let texts = [
        ("one", "The harbour of Leith has a light."),
        ("two", "The harbour of Wick has a light."),
        ("three", "The harbour of Oban has a light."),
        ("near", "Ropes lie on the quay."),
        ("apart", "Papers lie on the desk."),
    ];
    let texts = texts.map(|(id, text)| (id.to_owned(), text.to_owned()));
    site.add(&[texts.as_slice(), &documents(4..40)].concat()).await;
    site.upgrade().await;
    let found = site.search("harbour").await;
    let place = |id: &str| found.iter().position(|passage| passage.document.as_str() == id).unwrap();
    assert!(place("one").max(place("two")).max(place("three")) < place("near"), "{found:?}");
    assert!(place("near") < place("apart"), "{found:?}");
    site.close().await;
}

#[tokio::test]
async fn after_a_failure_the_second_index_is_opened_again_and_made_complete() {
    let folder = tempfile::tempdir().unwrap();
    let wise = Arc::new(Wise::default());
    let site = Site::open(folder.path(), Some(&wise)).await;
    site.add(&documents(4..10)).await;
    site.upgrade().await;
    site.index.suspended.store(true, Ordering::Relaxed);
    site.add(&documents(0..4)).await;
    tokio::time::timeout(Duration::from_secs(20), site.upgrade()).await.unwrap();
    assert_eq!(site.best("which schooner").await, "d3");
    site.close().await;
}

#[tokio::test]
async fn second_vectors_go_with_their_documents() {
    let folder = tempfile::tempdir().unwrap();
    let wise = Arc::new(Wise::default());
    let site = Site::open(folder.path(), Some(&wise)).await;
    site.add(&documents(0..10)).await;
    site.upgrade().await;
    let unnamed = CorpusName::unnamed();
    assert!(site.library.delete(&tenant(), &unnamed, &DocumentId::new("d3")).await.unwrap());
    assert_eq!(site.progress().await, (9, 9));
    assert!(site.search("which schooner").await.iter().all(|passage| passage.document.as_str() != "d3"));
    // A new version has the second vectors of the new text.
    site.add(&[("d4".to_owned(), "A vessel was seen at dawn.".to_owned())]).await;
    site.upgrade().await;
    assert_eq!(site.best("which schooner").await, "d4");
    site.close().await;
}

#[tokio::test]
async fn what_was_made_before_a_stop_is_not_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let wise = Arc::new(Wise::default());
    let site = Site::open(folder.path(), Some(&wise)).await;
    site.add(&documents(0..30)).await;
    site.upgrade().await;
    assert_eq!(wise.embedded(), 30);
    site.close().await;
    let site = Site::open(folder.path(), Some(&wise)).await;
    assert_eq!(site.progress().await, (30, 30));
    site.add(&documents(30..35)).await;
    site.upgrade().await;
    // Those since the last look at the events are made again.
    assert!(wise.embedded() < 30 + 30, "{}", wise.embedded());
    assert_eq!(site.best("which schooner").await, "d3");
    site.close().await;
}

#[tokio::test]
async fn another_embedder_makes_all_of_them_again_and_none_removes_them() {
    let folder = tempfile::tempdir().unwrap();
    let wise = Arc::new(Wise::default());
    let site = Site::open(folder.path(), Some(&wise)).await;
    site.add(&documents(0..5)).await;
    site.upgrade().await;
    site.close().await;
    let site = Site::open(folder.path(), None).await;
    assert_eq!(site.progress().await, (0, 5));
    assert!(site.search("which schooner").await.iter().all(|passage| passage.score.upgraded.is_none()));
    site.close().await;
    let site = Site::open(folder.path(), Some(&wise)).await;
    site.upgrade_until(|| wise.embedded() == 10).await;
    assert_eq!(site.best("which schooner").await, "d3");
    site.close().await;
}
