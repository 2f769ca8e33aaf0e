//! Chunks that nobody can read, or that are far from the others: kept from searches with the rest of their document found,
//! the same after a restart and a rebuild, and found for good once they are released.
#![expect(clippy::unwrap_used, reason = "an unexpected failure is to be shown where it happens")]

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mainstay_documents::{ChunkOptions, Limits};
use mainstay_domain::port::{Embedder, EmbeddingPurpose, Embeddings, Errand, RetrievalQuery, Retriever};
use mainstay_domain::{ChunkId, Clock, CorpusName, Deadline, DocumentId, ModelError, ServiceTier, TenantId};
use mainstay_embed::StaticEmbedder;
use mainstay_rag::fusion::Fusion;
use mainstay_rag::quality::quarantine::QuarantinedInfo;
use mainstay_rag::quality::report::{CorpusReport, Golden};
use mainstay_rag::quality::{Consequence, Reason, Release, Released};
use mainstay_rag::{CorpusSettings, Library, LibraryError, LibrarySettings, QualitySettings};
use mainstay_rag::{UpgradeSettings, Upload};
use mainstay_store::{DataDir, EmbeddedStore};
use mainstay_vectors::{EmbeddedIndex, EmbeddedOptions};
use tokio_util::sync::CancellationToken;

/// A second embedder, for which all texts are the same.
struct Flat;

#[async_trait]
impl Embedder for Flat {
    fn model(&self) -> &str {
        "test/flat"
    }

    fn dimension(&self) -> usize {
        2
    }

    async fn embed(
        &self,
        texts: &[&str],
        _purpose: EmbeddingPurpose,
        _: Errand<'_>,
    ) -> Result<Embeddings, ModelError> {
        assert!(!texts.is_empty(), "nobody asks for the vectors of nothing");
        Ok(Embeddings { dimension: 2, values: [1.0, 0.0].repeat(texts.len()), tokens: 0 })
    }
}

struct Site {
    library: Arc<Library>,
    store: EmbeddedStore,
}

impl Site {
    async fn open(folder: &Path) -> Self {
        Self::open_with(folder, QualitySettings::default(), false).await
    }

    async fn open_with(folder: &Path, quality: QualitySettings, upgraded: bool) -> Self {
        let clock = Clock::system();
        let store = EmbeddedStore::open(DataDir::open(folder).unwrap(), clock).await.unwrap();
        let index = store.folder().subfolder("index").unwrap();
        let index = EmbeddedIndex::new(index, EmbeddedOptions::default()).unwrap();
        let upgrade = UpgradeSettings { embedder: Arc::new(Flat), weight: 0.5, most_for_other_scripts: 0.5 };
        let corpus = CorpusSettings {
            embedder: Arc::new(StaticEmbedder::builtin()),
            chunking: ChunkOptions::default(),
            fusion: Fusion::Convex,
            dense_weight: 0.2,
            document_share: 0.0,
            grams_weight: 0.0,
            upgrade: upgraded.then_some(upgrade),
            rerank: None,
            quality,
        };
        let settings = LibrarySettings {
            corpora: HashMap::from([(CorpusName::new("configured"), corpus.clone())]),
            unnamed: corpus,
            limits: Limits::default(),
            embedding_timeout: Duration::from_secs(60),
            staleness: None,
        };
        let library = Library::open(store.documents(), store.documents(), Arc::new(index), settings, clock);
        Self { library: Arc::new(library.await.unwrap()), store }
    }

    /// Adds documents, and tells how many chunks of each no search finds, by reason.
    async fn add(&self, documents: &[(&str, String)]) -> Vec<BTreeMap<String, u64>> {
        let uploads = documents.iter().map(|(id, text)| Upload {
            author: None,
            doc_id: Some(DocumentId::new(id)),
            title: None,
            language: Some("en".to_owned()),
            file_name: Some(format!("{id}.md")),
            media_type: None,
            metadata: serde_json::Map::new(),
            bytes: text.clone().into(),
        });
        let results = self.library.add(&tenant(), &corpus(), uploads.collect()).await;
        results.into_iter().map(|result| result.unwrap().quarantined).collect()
    }

    /// The documents and texts of the passages that a search finds.
    async fn search(&self, text: &str) -> Vec<(String, String)> {
        let query = RetrievalQuery {
            tenant: tenant(),
            corpus: corpus(),
            text: text.to_owned(),
            limit: 50,
            filter: None,
            tier: ServiceTier::default(),
            deadline: Deadline::after(&Clock::system(), Duration::from_secs(60)),
            payer: None,
        };
        let passages = self.library.retrieve(query).await.unwrap().passages;
        passages.into_iter().map(|one| (one.document.to_string(), one.text)).collect()
    }

    /// Whether a search for anything finds a passage with this text.
    async fn finds(&self, part: &str) -> bool {
        let found = self.search(&format!("{part} clerk ledger lamp")).await;
        found.iter().any(|(_, text)| text.contains(part))
    }

    async fn quarantine(&self) -> Vec<QuarantinedInfo> {
        self.library.quarantine(&tenant(), &corpus(), None, None, 1_000).await.unwrap()
    }

    async fn release(&self, what: Release) -> Result<Released, LibraryError> {
        self.library.release(&tenant(), &corpus(), &what).await
    }

    async fn report(&self, golden: Option<&Golden>) -> CorpusReport {
        self.library.report(&tenant(), &corpus(), golden).await.unwrap()
    }

    /// Makes the second vectors of all that searches find.
    async fn upgrade(&self) {
        let stop = CancellationToken::new();
        let watch = async {
            loop {
                let infos = self.library.corpora(&tenant()).await.unwrap();
                let info = infos.iter().find(|info| info.corpus == corpus()).unwrap();
                let upgrade = info.upgrade.as_ref().unwrap();
                assert_eq!(upgrade.of, info.chunks - info.quarantined.values().sum::<u64>());
                if upgrade.chunks == upgrade.of {
                    break stop.cancel();
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::join!(self.library.clone().upgrade(stop.clone()), watch);
    }

    async fn close(self) {
        self.library.close().await.unwrap();
        self.store.close().await;
    }

    /// Leaves as a killed process does.
    async fn abandon(self) {
        drop(self.library);
        self.store.close().await;
    }
}

fn tenant() -> TenantId {
    TenantId::new("t")
}

fn corpus() -> CorpusName {
    CorpusName::new("c")
}

fn prose(sentences: usize) -> String {
    (0..sentences)
        .map(|n| format!("The clerk wrote line {n} of the ledger before the lamp went out. "))
        .collect()
}

/// Data in letters that begins with a word of its own.
fn blob(seed: u64) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut random = fastrand::Rng::with_seed(seed);
    (0..2_000).map(|_| char::from(LETTERS[random.usize(..64)])).collect()
}

/// A document with data between prose.
fn mixed(seed: u64) -> String {
    format!(
        "# Ledger\n\n{}\n\n# Data\n\n{}\n\n# Bells\n\nThe brass bell rings at noon. {}",
        prose(9),
        blob(seed),
        prose(9)
    )
}

fn encoded(chunks: u64) -> BTreeMap<String, u64> {
    BTreeMap::from([("encoded".to_owned(), chunks)])
}

#[tokio::test(flavor = "multi_thread")]
async fn data_in_letters_is_kept_from_searches_and_the_rest_of_its_document_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::open(folder.path()).await;
    let (text, data) = (mixed(1), blob(1));
    let reasons = site.add(&[("mixed", text.clone()), ("plain", prose(20))]).await;
    let hidden = reasons[0]["encoded"];
    assert!(hidden > 0 && reasons[1].is_empty(), "{reasons:?}");
    assert!(!site.finds(&data[100..140]).await);
    assert!(site.finds("The brass bell").await);

    // Nothing is lost: what is kept is listed with its place, and the text is what it was.
    let stored = site.library.text(&tenant(), &corpus(), &"mixed".into()).await.unwrap().unwrap();
    assert_eq!(stored, text);
    let mut rejoined = String::new();
    for chunk in site.quarantine().await {
        assert_eq!(stored[chunk.range.start..chunk.range.end], chunk.text);
        assert_eq!((chunk.doc_id.as_str(), chunk.reason.as_str()), ("mixed", "encoded"));
        assert!(chunk.words > 10, "{chunk:?}");
        rejoined += chunk.text.trim_start_matches("# Data").trim();
    }
    assert_eq!(rejoined, data);
    let info = site.library.get(&tenant(), &corpus(), &"mixed".into()).await.unwrap().unwrap();
    assert_eq!(info.quarantined, encoded(hidden));
    assert_eq!(site.library.quarantined(), [("c".to_owned(), encoded(hidden))]);
    assert_eq!(site.add(&[("mixed", text)]).await, [encoded(hidden)], "an unchanged document says the same");

    site.library.delete(&tenant(), &corpus(), &"mixed".into()).await.unwrap();
    assert_eq!(site.library.quarantined(), [("c".to_owned(), encoded(0))]);
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_a_kill_and_a_rebuild_find_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::open(folder.path()).await;
    site.add(&[("mixed", mixed(1)), ("plain", prose(20))]).await;
    let before = (site.quarantine().await, site.search("clerk").await);
    assert!(before.1.len() > 3);
    site.close().await;
    let site = Site::open(folder.path()).await;
    assert_eq!((site.quarantine().await, site.search("clerk").await), before);
    site.library.rebuild(&tenant(), &corpus()).await.unwrap();
    assert_eq!(site.quarantine().await, before.0);
    assert!(!site.finds(&blob(1)[100..140]).await);
    site.add(&[("late", mixed(2))]).await;
    let before = (site.quarantine().await, site.search("clerk").await.len());
    site.abandon().await;
    let site = Site::open(folder.path()).await;
    assert_eq!((site.quarantine().await, site.search("clerk").await.len()), before);
    assert!(!site.finds(&blob(2)[100..140]).await);
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_released_is_found_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::open(folder.path()).await;
    site.add(&[("one", mixed(1)), ("two", mixed(2)), ("three", mixed(3))]).await;
    let (one, two, three) = (blob(1), blob(2), blob(3));
    let of_document = site.release(Release::Document("one".into())).await.unwrap();
    assert!(of_document.chunks > 0 && of_document.documents == 1);
    assert!(site.finds(&one[100..140]).await);
    assert!(!site.finds(&two[100..140]).await);
    let first_of_two =
        site.quarantine().await.into_iter().find(|chunk| chunk.doc_id.as_str() == "two").unwrap();
    let of_chunk = site.release(Release::Chunk(first_of_two.chunk)).await.unwrap();
    assert_eq!((of_chunk.chunks, of_chunk.documents), (1, 1));
    assert!(site.finds(first_of_two.text.lines().last().unwrap()).await);

    // Again by the same number, by one that never was, and for a document that has nothing in quarantine.
    for chunk in [first_of_two.chunk, ChunkId(999_999)] {
        let error = site.release(Release::Chunk(chunk)).await.unwrap_err();
        assert_eq!(error.code(), "chunk_not_quarantined");
        assert!(error.to_string().contains("mainstay corpus quarantine"), "{error}");
    }
    assert_eq!(site.release(Release::Document("one".into())).await.unwrap(), Released::default());

    // The same text comes again, in a new version and in another document; other data are still kept.
    site.add(&[
        ("one", mixed(1) + "\n\nA new end."),
        ("copy", mixed(1)),
        ("three", mixed(3) + "\n\nA new end."),
    ])
    .await;
    assert!(site.search(&one[100..140]).await.len() >= 2);
    assert!(!site.quarantine().await.iter().any(|chunk| ["one", "copy"].contains(&chunk.doc_id.as_str())));
    assert!(!site.finds(&three[100..140]).await);
    site.close().await;
    let site = Site::open(folder.path()).await;
    assert!(site.finds(&one[100..140]).await && !site.finds(&three[100..140]).await);
    site.release(Release::All).await.unwrap();
    assert_eq!(site.quarantine().await, []);
    assert!(site.finds(&three[100..140]).await);
    site.library.rebuild(&tenant(), &corpus()).await.unwrap();
    assert!(site.finds(&three[100..140]).await);
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_a_kill_interrupts_is_completed_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::open(folder.path()).await;
    site.add(&[("one", mixed(1))]).await;
    site.close().await;
    let site = Site::open(folder.path()).await;
    site.release(Release::All).await.unwrap();
    // Nothing of the index was made durable since.
    site.abandon().await;
    let site = Site::open(folder.path()).await;
    assert!(site.finds(&blob(1)[100..140]).await);
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_index_keeps_and_releases_the_same_chunks() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::open_with(folder.path(), QualitySettings::default(), true).await;
    site.add(&[("mixed", mixed(1)), ("plain", prose(20))]).await;
    site.upgrade().await;
    assert!(!site.finds(&blob(1)[100..140]).await);
    site.release(Release::All).await.unwrap();
    site.upgrade().await;
    let infos = site.library.corpora(&tenant()).await.unwrap();
    let info = infos.iter().find(|info| info.corpus == corpus()).unwrap();
    assert_eq!(info.upgrade.as_ref().unwrap().chunks, info.chunks);
    assert!(site.finds(&blob(1)[100..140]).await);
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_settings_hold_for_what_is_there_already() {
    let folder = tempfile::tempdir().unwrap();
    let off = QualitySettings { unreadable: Consequence::Off, ..QualitySettings::default() };
    let site = Site::open_with(folder.path(), off, true).await;
    assert_eq!(
        site.add(&[("mixed", mixed(1)), ("plain", prose(20))]).await,
        [encoded(0), encoded(0)].map(|mut none| {
            none.clear();
            none
        })
    );
    assert!(site.finds(&blob(1)[100..140]).await);
    site.upgrade().await;
    site.close().await;
    let site = Site::open_with(folder.path(), QualitySettings::default(), true).await;
    assert!(!site.quarantine().await.is_empty());
    assert!(!site.finds(&blob(1)[100..140]).await);
    site.upgrade().await;
    site.close().await;
    let site = Site::open_with(folder.path(), off, true).await;
    assert_eq!(site.quarantine().await, []);
    assert!(site.finds(&blob(1)[100..140]).await);
    site.close().await;
}

/// Sentences about ferries, and one about something else.
fn ferries(count: usize) -> Vec<(String, String)> {
    let (places, verbs) = (["harbour", "pier", "island", "strait"], ["leaves", "reaches", "passes"]);
    (0..count)
        .map(|n| {
            let (verb, place) = (verbs[n % 3], places[n % 4]);
            (format!("ferry {n}"), format!("Ferry number {n} {verb} the {place} at {} o'clock.", n % 12 + 1))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_far_from_the_others_is_kept_where_that_is_wanted() {
    const STRANGE: &str = "Add the flour to the melted butter and stir until the sauce is smooth.";
    let folder = tempfile::tempdir().unwrap();
    let quality =
        QualitySettings { outliers: Consequence::Quarantine, farthest: 6.0, ..QualitySettings::default() };
    let site = Site::open_with(folder.path(), quality, false).await;
    let few = ferries(40);
    let few: Vec<(&str, String)> = few.iter().map(|(id, text)| (id.as_str(), text.clone())).collect();
    site.add(&few).await;
    site.add(&[("sauce", STRANGE.to_owned())]).await;
    assert!(site.finds("melted butter").await, "too few chunks say nothing about what is usual");
    site.close().await;

    let site = Site::open_with(folder.path(), quality, false).await;
    let many = ferries(150);
    let many: Vec<(&str, String)> = many.iter().map(|(id, text)| (id.as_str(), text.clone())).collect();
    site.add(&many).await;
    // Closing looks at the corpus, which has grown.
    site.close().await;
    let site = Site::open_with(folder.path(), quality, false).await;
    let kept = site.quarantine().await;
    assert_eq!(
        kept.iter().map(|one| (one.doc_id.as_str(), one.reason.as_str())).collect::<Vec<_>>(),
        [("sauce", "far")]
    );
    assert!(!site.finds("melted butter").await && site.finds("Ferry number 7").await);
    // New documents are judged by what is usual, and a rebuild changes nothing.
    let reasons = site.add(&[("more sauce", format!("{STRANGE} Serve it warm."))]).await;
    assert_eq!(reasons, [BTreeMap::from([("far".to_owned(), 1)])]);
    site.library.rebuild(&tenant(), &corpus()).await.unwrap();
    site.close().await;
    let site = Site::open_with(folder.path(), quality, false).await;
    assert_eq!(site.quarantine().await.len(), 2);
    site.release(Release::Document("sauce".into())).await.unwrap();
    assert!(site.finds("melted butter").await);
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_counts_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::open(folder.path()).await;
    let ferries = ferries(130);
    let mut documents: Vec<(&str, String)> =
        ferries.iter().map(|(id, text)| (id.as_str(), text.clone())).collect();
    documents.push(("copy", ferries[3].1.clone()));
    documents.push(("long", prose(60)));
    documents.push(("nearly long", prose(60) + "And that was all."));
    documents.push(("only data", blob(5)));
    documents
        .push(("sauce", "Add the flour to the melted butter and stir until the sauce is smooth.".to_owned()));
    documents.push(("short", "Yes.".to_owned()));
    site.add(&documents).await;
    let golden = Golden {
        questions: vec![vec!["ferry 1".into(), "gone".into()], vec!["lost".into()], vec!["sauce".into()]],
    };
    let report = site.report(Some(&golden)).await;
    assert_eq!(report.documents, documents.len() as u64);
    assert_eq!(report.chunk_words.iter().map(|bucket| bucket.chunks).sum::<u64>(), report.chunks);
    assert_eq!(report.bytes, documents.iter().map(|(_, text)| text.len() as u64).sum::<u64>());
    assert_eq!((report.languages.len(), report.languages[0].documents), (1, report.documents));
    assert_eq!((report.duplicates.exact_documents, report.duplicates.near_documents), (1, 1));
    assert_eq!(report.duplicates.exact[0].doc_ids, ["ferry 3".into(), "copy".into()]);
    assert_eq!(report.duplicates.near[0].doc_ids, ["long".into(), "nearly long".into()]);
    assert_eq!(
        (report.unreachable.documents, &report.unreachable.doc_ids[..]),
        (1, &["only data".into()][..])
    );
    let odd: BTreeMap<Reason, u64> = report.outliers.iter().map(|one| (one.reason, one.chunks)).collect();
    assert_eq!(odd[&Reason::TooShort], 1);
    assert_eq!(odd[&Reason::Encoded], report.quarantined["encoded"]);
    let far = report.outliers.iter().find(|one| one.reason == Reason::Far).unwrap();
    assert!(far.examples.iter().any(|one| one.doc_id.as_str() == "sauce"), "{far:?}");
    assert_eq!(report.largest[0].doc_id.as_str(), "nearly long");
    assert_eq!(report.smallest[0].doc_id.as_str(), "short");
    assert!(report.topics.iter().map(|topic| topic.documents).sum::<u64>() > 100);
    let coverage = report.coverage.unwrap();
    assert_eq!((coverage.questions, coverage.unanswerable_questions), (3, 1));
    assert_eq!((coverage.relevant_documents, coverage.relevant_in_corpus), (4, 2));
    assert_eq!(coverage.missing, ["gone".into(), "lost".into()]);
    assert_eq!(coverage.uncovered_documents, documents.len() as u64 - 2);
    assert!(report.topics.iter().any(|topic| topic.covered.unwrap() > 0));

    // Of a corpus that is empty, and of one that is not there.
    let empty = site.library.report(&tenant(), &CorpusName::new("configured"), None).await.unwrap();
    assert_eq!((empty.documents, empty.chunks, empty.median_chunk_words), (0, 0, 0));
    let unknown = site.library.report(&tenant(), &CorpusName::new("nowhere"), None).await;
    assert!(matches!(unknown, Err(LibraryError::UnknownCorpus(_))));
    site.close().await;
}
