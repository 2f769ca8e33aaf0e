//! Ten thousand updates, deletions and questions on the real store and index, held against a model in memory: nothing that
//! was deleted or replaced is found, nothing that is there is missing, and no question sees two versions of a document or
//! none.
#![expect(clippy::unwrap_used, reason = "an unexpected failure is to be shown where it happens")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::Future;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use mainstay_documents::{ChunkOptions, Limits};
use mainstay_domain::filter::Test;
use mainstay_domain::metadata::FieldValue;
use mainstay_domain::port::{RetrievalQuery, Retriever};
use mainstay_domain::{
    Clock, CorpusName, Deadline, DocumentId, Filter, Passage, ServiceTier, TenantId, Timestamp,
};
use mainstay_embed::StaticEmbedder;
use mainstay_rag::fusion::Fusion;
use mainstay_rag::{CorpusSettings, Lag, Library, LibrarySettings, QualitySettings, Upload};
use mainstay_store::{DataDir, EmbeddedStore};
use mainstay_vectors::{EmbeddedIndex, EmbeddedOptions};
use tokio_util::sync::CancellationToken;

/// Documents that are updated and deleted.
const DOCUMENTS: u64 = 60;

struct Site {
    library: Arc<Library>,
    tenant: TenantId,
    corpus: CorpusName,
}

impl Site {
    async fn open(folder: &Path) -> Self {
        Self::open_by(folder, Clock::system()).await
    }

    async fn open_by(folder: &Path, clock: Clock) -> Self {
        let store = EmbeddedStore::open(DataDir::open(folder).unwrap(), clock).await.unwrap();
        let index =
            EmbeddedIndex::new(store.folder().subfolder("index").unwrap(), EmbeddedOptions::default())
                .unwrap();
        let corpus = CorpusSettings {
            embedder: Arc::new(StaticEmbedder::builtin()),
            upgrade: None,
            rerank: None,
            quality: QualitySettings::default(),
            chunking: ChunkOptions::default(),
            fusion: Fusion::Convex,
            dense_weight: 0.2,
            document_share: 0.0,
            grams_weight: 0.0,
        };
        let settings = LibrarySettings {
            corpora: HashMap::new(),
            unnamed: corpus,
            limits: Limits::default(),
            embedding_timeout: Duration::from_secs(60),
            staleness: None,
        };
        let library = Library::open(store.documents(), store.documents(), Arc::new(index), settings, clock);
        Self {
            library: Arc::new(library.await.unwrap()),
            tenant: TenantId::single(),
            corpus: CorpusName::unnamed(),
        }
    }

    /// Puts new versions of documents in place of the old ones.
    async fn update(&self, documents: &[(u64, u64)]) {
        let uploads = documents.iter().map(|(document, version)| upload(*document, *version)).collect();
        for result in self.library.add(&self.tenant, &self.corpus, uploads).await {
            assert!(!result.unwrap().unchanged);
        }
    }

    async fn delete(&self, document: u64) -> bool {
        let id = DocumentId::new(name_of(document));
        self.library.delete(&self.tenant, &self.corpus, &id).await.unwrap()
    }

    async fn ask(&self, text: &str, filter: Option<Filter>) -> Vec<Passage> {
        let query = RetrievalQuery {
            tenant: self.tenant.clone(),
            corpus: self.corpus.clone(),
            text: text.to_owned(),
            limit: 10,
            filter,
            tier: ServiceTier::default(),
            deadline: Deadline::after(&Clock::system(), Duration::from_secs(60)),
            payer: None,
        };
        self.library.retrieve(query).await.unwrap().passages
    }

    /// The versions of a document that a question for it finds.
    async fn versions(&self, document: u64, filter: Option<Filter>) -> BTreeSet<u64> {
        let passages = self.ask(&word("kz", document), filter).await;
        let name = name_of(document);
        passages.iter().filter(|passage| passage.document.as_str() == name).map(version_of).collect()
    }
}

fn name_of(document: u64) -> String {
    format!("d{document:02}")
}

/// A word for a number: of consonants, so that no stemmer brings two of them together.
fn word(prefix: &str, number: u64) -> String {
    const CONSONANTS: &[u8] = b"bcdfghklmn";
    let digits = number.to_string();
    let letters = digits.bytes().map(|digit| char::from(CONSONANTS[usize::from(digit - b'0')]));
    format!("{prefix}{}x", letters.collect::<String>())
}

/// A version of a document, of one to several chunks; every sentence says which version it is of.
fn upload(document: u64, version: u64) -> Upload {
    let sentence = format!("The {} ledger is in edition {version}. ", word("kz", document));
    let text = sentence.repeat(4 + 25 * (version % 3) as usize);
    let metadata = serde_json::json!({ "version": version, "even": version.is_multiple_of(2) });
    Upload {
        author: None,
        doc_id: Some(DocumentId::new(name_of(document))),
        title: None,
        language: Some("en".to_owned()),
        file_name: None,
        media_type: None,
        metadata: metadata.as_object().unwrap().clone(),
        bytes: text.into(),
    }
}

fn version_of(passage: &Passage) -> u64 {
    let (_, after) = passage.text.split_once("edition ").unwrap();
    after.split_once('.').unwrap().0.parse().unwrap()
}

fn is_version(version: u64) -> Filter {
    let test = Test::OneOf(vec![FieldValue::Number(version as f64)]);
    Filter::Field { name: "version".to_owned(), test }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_ten_thousand_random_steps_nothing_is_stale_missing_or_twice() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::open(folder.path()).await;
    let stop = CancellationToken::new();
    let steps = async {
        let mut random = fastrand::Rng::with_seed(7);
        let mut model: BTreeMap<u64, u64> = BTreeMap::new();
        let (mut version, mut done) = (0, 0);
        while done < 10_000 {
            match random.u8(0..10) {
                0..4 => {
                    let mut batch: BTreeMap<u64, u64> = BTreeMap::new();
                    for _ in 0..random.usize(1..12) {
                        version += 1;
                        batch.insert(random.u64(0..DOCUMENTS), version);
                    }
                    site.update(
                        &batch.iter().map(|(document, version)| (*document, *version)).collect::<Vec<_>>(),
                    )
                    .await;
                    done += batch.len();
                    model.extend(batch);
                }
                4 => {
                    let document = random.u64(0..DOCUMENTS);
                    assert_eq!(site.delete(document).await, model.remove(&document).is_some());
                    done += 1;
                }
                _ => {
                    question(&site, &model, &mut random).await;
                    done += 1;
                }
            }
        }
        // And all of it once more, at rest.
        for document in 0..DOCUMENTS {
            let expected: BTreeSet<u64> = model.get(&document).copied().into_iter().collect();
            assert_eq!(site.versions(document, None).await, expected, "document {document}");
        }
        stop.cancel();
    };
    tokio::join!(steps, site.library.clone().maintain(stop.clone()));
    assert_eq!(site.library.lag(), Lag::default());
    site.library.close().await.unwrap();
}

/// Asks for a document, with and without a filter, and holds what is found against the model.
async fn question(site: &Site, model: &BTreeMap<u64, u64>, random: &mut fastrand::Rng) {
    if model.is_empty() {
        return;
    }
    let document = random.u64(0..DOCUMENTS);
    for passage in site.ask(&word("kz", document), None).await {
        let id: u64 = passage.document.as_str()[1..].parse().unwrap();
        assert_eq!(model.get(&id), Some(&version_of(&passage)), "document {id}");
    }
    let current = model.get(&document).copied();
    assert_eq!(site.versions(document, None).await, current.into_iter().collect(), "document {document}");
    if let Some(current) = current {
        let through = site.versions(document, Some(is_version(current))).await;
        assert_eq!(through, BTreeSet::from([current]), "document {document}");
        let others = site.ask(&word("kz", document), Some(is_version(current + 1_000_000))).await;
        assert!(others.is_empty(), "{others:?}");
    }
}

/// What is known of a document while others change it.
#[derive(Clone, Copy, Default)]
struct Known {
    /// The newest version that was acknowledged.
    acknowledged: u64,
    /// Whether the newest thing that was acknowledged is its deletion.
    gone: bool,
    /// The newest version that was begun.
    begun: u64,
    /// Whether a deletion is under way or was the last thing that was begun.
    going: bool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_documents_change_no_question_sees_two_versions_or_none() {
    const BATCHES: usize = 250;
    let folder = tempfile::tempdir().unwrap();
    let site = Site::open(folder.path()).await;
    let known: Mutex<HashMap<u64, Known>> = Mutex::default();
    let done = AtomicBool::new(false);
    let look = |document: u64| known.lock().unwrap().get(&document).copied();
    // Few documents, so that questions meet their changes.
    site.update(&(0..8).map(|document| (document, 1)).collect::<Vec<_>>()).await;
    let first = Known { acknowledged: 1, begun: 1, ..Known::default() };
    known.lock().unwrap().extend((0..8).map(|document| (document, first)));

    let write = async {
        let mut random = fastrand::Rng::with_seed(11);
        for version in 2..BATCHES as u64 {
            // Documents 6 and 7 are deleted and come back; the others are always there.
            let document = random.u64(0..8);
            let change =
                |change: &dyn Fn(&mut Known)| change(known.lock().unwrap().get_mut(&document).unwrap());
            if document >= 6 && random.bool() {
                change(&|known| known.going = true);
                site.delete(document).await;
                change(&|known| known.gone = true);
            } else {
                change(&|known| known.begun = version);
                site.update(&[(document, version)]).await;
                change(&|known| {
                    *known = Known { acknowledged: version, begun: version, ..Known::default() };
                });
            }
        }
        done.store(true, Ordering::SeqCst);
    };
    let search = async |seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        while !done.load(Ordering::SeqCst) {
            let document = random.u64(0..8);
            let before = look(document).unwrap();
            let versions = site.versions(document, None).await;
            let after = look(document).unwrap();
            let context = || format!("document {document}: {versions:?}");
            assert!(versions.len() <= 1, "two versions of {}", context());
            if let Some(&version) = versions.first() {
                assert!((before.acknowledged..=after.begun).contains(&version), "stale: {}", context());
                let came_back = after.begun > before.begun || before.begun > before.acknowledged;
                assert!(!before.gone || came_back, "deleted: {}", context());
            }
            let may_be_gone = before.gone || before.going || after.gone || after.going || document >= 6;
            assert!(may_be_gone || !versions.is_empty(), "missing: {}", context());
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(write, search(1), search(2), search(3));
    site.library.close().await.unwrap();
}

#[tokio::test]
async fn a_document_that_a_caller_left_half_way_becomes_visible_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::open_by(folder.path(), Clock::starting_at(Timestamp::from_micros(0))).await;
    site.update(&[(1, 1)]).await;
    // Whoever goes away drops the future: here as soon as the document is accepted.
    let mut update = Box::pin(site.update(&[(1, 2)]));
    while site.library.lag().waiting == 0 {
        let mut context = Context::from_waker(Waker::noop());
        assert!(update.as_mut().poll(&mut context).is_pending(), "it was never seen to wait");
        tokio::task::yield_now().await;
    }
    drop(update);
    assert_eq!(site.versions(1, None).await, BTreeSet::from([1]));

    let stop = CancellationToken::new();
    let time_passes = async {
        for _ in 0..2 {
            // All at once, between two steps of everything else.
            tokio::time::pause();
            tokio::time::advance(Duration::from_secs(6)).await;
            tokio::time::resume();
            tokio::task::yield_now().await;
        }
        while site.library.lag().waiting > 0 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    tokio::join!(time_passes, site.library.clone().maintain(stop.clone()));
    assert_eq!(site.versions(1, None).await, BTreeSet::from([2]));
    site.library.close().await.unwrap();
}

#[tokio::test]
async fn an_author_finds_an_upload_at_once_and_nobody_a_deleted_document() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::open(folder.path()).await;
    for version in 1..40 {
        site.update(&[(3, version)]).await;
        assert_eq!(site.versions(3, None).await, BTreeSet::from([version]));
        if version % 5 == 0 {
            assert!(site.delete(3).await);
            assert_eq!(site.versions(3, None).await, BTreeSet::new());
        }
    }
    site.library.close().await.unwrap();
}
