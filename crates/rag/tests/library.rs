//! The library on its real store and index: what is added is found, what is deleted or replaced is not, and a library
//! that was left without a word opens with everything that it had acknowledged.
#![expect(clippy::unwrap_used, reason = "an unexpected failure is to be shown where it happens")]

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mainstay_documents::{ChunkMode, ChunkOptions, Limits};
use mainstay_domain::port::{Embedder, RetrievalError, RetrievalQuery, Retriever};
use mainstay_domain::{Clock, CorpusName, Deadline, DocumentId, Passage, ServiceTier, TenantId};
use mainstay_embed::StaticEmbedder;
use mainstay_rag::fusion::Fusion;
use mainstay_rag::{CorpusSettings, Library, LibrarySettings, QualitySettings, Ranking, Upload};
use mainstay_store::{DataDir, EmbeddedStore};
use mainstay_vectors::{EmbeddedIndex, EmbeddedOptions};

const TENANT: &str = "t";
const CORPUS: &str = "c";

struct Site {
    library: Library,
    store: EmbeddedStore,
}

impl Site {
    async fn open(folder: &Path) -> Self {
        Self::open_with(folder, Fusion::Convex).await
    }

    async fn open_with(folder: &Path, fusion: Fusion) -> Self {
        Self::open_as(folder, fusion, ChunkMode::Structural).await
    }

    async fn open_as(folder: &Path, fusion: Fusion, mode: ChunkMode) -> Self {
        Self::open_by(folder, |corpus| CorpusSettings {
            fusion,
            chunking: ChunkOptions { mode, ..ChunkOptions::default() },
            ..corpus
        })
        .await
    }

    async fn open_by(folder: &Path, set: impl FnOnce(CorpusSettings) -> CorpusSettings) -> Self {
        let clock = Clock::system();
        let store = EmbeddedStore::open(DataDir::open(folder).unwrap(), clock).await.unwrap();
        let index =
            EmbeddedIndex::new(store.folder().subfolder("index").unwrap(), EmbeddedOptions::default())
                .unwrap();
        let corpus = set(CorpusSettings {
            embedder: Arc::new(StaticEmbedder::builtin()) as Arc<dyn Embedder>,
            chunking: ChunkOptions::default(),
            fusion: Fusion::Convex,
            dense_weight: 0.2,
            document_share: 0.0,
            grams_weight: 0.0,
            upgrade: None,
            rerank: None,
            quality: QualitySettings::default(),
        });
        let settings = LibrarySettings {
            corpora: HashMap::from([(CorpusName::new(CORPUS), corpus.clone())]),
            unnamed: corpus,
            limits: Limits::default(),
            embedding_timeout: Duration::from_secs(60),
            staleness: None,
        };
        let library = Library::open(store.documents(), store.documents(), Arc::new(index), settings, clock)
            .await
            .unwrap();
        Self { library, store }
    }

    async fn add(&self, documents: &[(&str, &str)]) {
        let uploads = documents.iter().map(|(id, text)| upload(id, text)).collect();
        for result in self.library.add(&TenantId::new(TENANT), &CorpusName::new(CORPUS), uploads).await {
            result.unwrap();
        }
    }

    async fn delete(&self, document: &str) -> bool {
        let (tenant, corpus) = (TenantId::new(TENANT), CorpusName::new(CORPUS));
        self.library.delete(&tenant, &corpus, &DocumentId::new(document)).await.unwrap()
    }

    async fn search_of(&self, tenant: &str, question: &str) -> Result<Vec<Passage>, RetrievalError> {
        let query = RetrievalQuery {
            tenant: TenantId::new(tenant),
            corpus: CorpusName::new(CORPUS),
            text: question.to_owned(),
            limit: 10,
            filter: None,
            tier: ServiceTier::default(),
            deadline: Deadline::after(&Clock::system(), Duration::from_secs(60)),
            payer: None,
        };
        self.library.retrieve(query).await.map(|retrieved| retrieved.passages)
    }

    async fn search(&self, question: &str) -> Vec<Passage> {
        self.search_of(TENANT, question).await.unwrap()
    }

    /// The documents of the passages that contain the word.
    async fn documents_with(&self, word: &str) -> Vec<String> {
        let passages = self.search(word).await;
        let with = passages.iter().filter(|passage| passage.text.contains(word));
        with.map(|passage| passage.document.to_string()).collect()
    }

    async fn close(self) {
        self.library.close().await.unwrap();
        self.store.close().await;
    }

    /// Leaves as a killed process does: nothing is made durable that was not before, and only the lock is let go.
    async fn abandon(self) {
        drop(self.library);
        self.store.close().await;
    }
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

/// Prose that says nothing in particular, so that a document has several chunks.
fn filler(sentences: usize) -> String {
    let sentence = |n: usize| format!("The clerk wrote line {n} of the ledger before the lamp went out. ");
    (0..sentences).map(sentence).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_search_gives_the_order_of_every_ranking() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::open(folder.path()).await;
    let words = ["tide", "harbour", "lamp", "ledger", "bell", "clerk"];
    let texts: Vec<(String, String)> = (0..24)
        .map(|number: usize| {
            let word = |step: usize| words[(number * step + number / 6) % words.len()];
            (format!("d{number}"), format!("The {} near the {}. A {} at noon.", word(1), word(5), word(3)))
        })
        .collect();
    let documents: Vec<(&str, &str)> = texts.iter().map(|(id, text)| (id.as_str(), text.as_str())).collect();
    site.add(&documents).await;
    assert!(site.delete("d3").await);
    let query = RetrievalQuery {
        tenant: TenantId::new(TENANT),
        corpus: CorpusName::new(CORPUS),
        text: "Where is the tide of the harbour?".to_owned(),
        limit: 10,
        tier: ServiceTier::default(),
        filter: None,
        deadline: Deadline::after(&Clock::system(), Duration::from_secs(60)),
        payer: None,
    };
    let candidates = site.library.candidates(&query).await.unwrap();
    let configured = site.library.ranking_of(&CorpusName::new(CORPUS));
    let searched: Vec<DocumentId> =
        site.search(&query.text).await.into_iter().map(|passage| passage.document).collect();
    let ranked: Vec<DocumentId> = candidates.documents(configured).into_iter().cloned().collect();
    assert_eq!(ranked, searched);
    let meaning_alone = Ranking { dense_weight: 1.0, ..configured };
    assert_ne!(candidates.documents(meaning_alone), candidates.documents(configured));
    site.close().await;
}

#[tokio::test]
async fn a_passage_comes_with_its_exact_bytes_and_the_scores_of_every_channel() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::open(folder.path()).await;
    let text = format!("# Tides\n\n{}The harbour bar dries at low water.\n\n{}", filler(20), filler(20));
    site.add(&[("tides", &text), ("other", "Bananas ripen in paper bags.")]).await;
    let passages = site.search("When does the harbour bar dry?").await;
    let best = &passages[0];
    assert!(best.text.contains("The harbour bar dries"), "{best:?}");
    assert_eq!(best.text, text[best.range.start..best.range.end]);
    assert_eq!(best.parent_text, text[best.parent_range.start..best.parent_range.end]);
    assert_eq!(best.headings, ["Tides"]);
    assert!(best.score.sparse.is_some() && best.score.dense.is_some() && best.score.parent.is_some());
    let sibling =
        passages.iter().find(|one| one.parent_range == best.parent_range && one.chunk != best.chunk);
    assert_eq!(sibling.unwrap().score.parent, best.score.parent, "chunks of one parent share its score");
    site.close().await;
}

#[tokio::test]
async fn runs_of_characters_find_what_is_written_differently_once_the_corpus_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let documents = [
        ("rope", "Belaying pins of the windjammer are oiled before each passage."),
        ("lamp", "The lamp of the lighthouse is wound by hand."),
        ("bread", "Bread rises overnight in the cellar."),
    ];
    // Neither word is one of the first document's.
    let misspelt = "windjamer belayng";
    let grams_of = |passages: &[Passage]| {
        let rope = passages.iter().find(|passage| passage.document.as_str() == "rope");
        rope.and_then(|passage| passage.score.grams)
    };
    let site = Site::open(folder.path()).await;
    site.add(&documents).await;
    assert_eq!(grams_of(&site.search(misspelt).await), None);
    site.close().await;
    // Turned on, the index is built anew; turned off again, too.
    for (grams_weight, has) in [(0.5, true), (0.5, true), (0.0, false)] {
        let site = Site::open_by(folder.path(), |corpus| CorpusSettings { grams_weight, ..corpus }).await;
        let passages = site.search(misspelt).await;
        assert_eq!(grams_of(&passages).is_some(), has, "{grams_weight}");
        if has {
            assert_eq!(passages[0].document.as_str(), "rope");
            assert_eq!(passages[0].score.ranks.grams, Some(1));
            assert!(passages[0].score.sparse.is_none());
            site.add(&[("later", "The windjammers sail on Monday.")]).await;
            let found = site.search("windjamer").await;
            assert!(found.iter().any(|one| one.document.as_str() == "later" && one.score.grams.is_some()));
        }
        site.close().await;
    }
}

#[tokio::test]
async fn what_stands_beside_a_chunk_helps_to_find_it() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::open(folder.path()).await;
    // Both documents say how to replace a filter, in the same words; only the neighbourhood says of what.
    let manual = |machine: &str| {
        let about = format!("The {machine} stands in the cellar and hums. ").repeat(25);
        format!("{about}\n\n{}\n\nReplace the filter every spring and rinse the housing.", filler(2))
    };
    let (boiler, press) = (manual("boiler"), manual("letterpress"));
    let options = ["boiler", "press"];
    site.add(&[(options[0], &boiler), (options[1], &press)]).await;
    for (word, document) in [("boiler", "boiler"), ("letterpress", "press")] {
        let passages = site.search(&format!("how often to replace the filter of the {word}?")).await;
        let first = passages.iter().find(|passage| passage.text.contains("Replace the filter")).unwrap();
        assert_eq!(first.document.to_string(), document);
    }
    site.close().await;
}

#[tokio::test]
async fn a_replaced_document_is_found_by_its_new_text_alone_and_a_deleted_one_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::open(folder.path()).await;
    site.add(&[("a", "The password of the week is quagmire."), ("b", "Nothing else is here.")]).await;
    assert_eq!(site.documents_with("quagmire").await, ["a"]);
    site.add(&[("a", "The password of the week is turpentine.")]).await;
    assert!(site.documents_with("quagmire").await.is_empty());
    assert_eq!(site.documents_with("turpentine").await, ["a"]);
    assert!(site.delete("a").await);
    assert!(site.documents_with("turpentine").await.is_empty());
    assert!(!site.delete("a").await, "it is gone already");
    site.close().await;
}

#[tokio::test]
async fn documents_in_other_languages_do_not_hide_the_words_of_a_document() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::open(folder.path()).await;
    let romanian = |n: usize| Upload {
        language: Some("ro".to_owned()),
        ..upload(&format!("ro{n}"), "Termenul de garanție este de doi ani.")
    };
    let (tenant, corpus) = (TenantId::new(TENANT), CorpusName::new(CORPUS));
    for result in site.library.add(&tenant, &corpus, (0..3).map(romanian).collect()).await {
        result.unwrap();
    }
    let short = Upload { language: None, ..upload("short", "Octopus file.") };
    for result in site.library.add(&tenant, &corpus, vec![short]).await {
        result.unwrap();
    }
    site.add(&[("en", "An octopus has camera eyes.")]).await;
    for (question, document) in
        [("camera eyes", "en"), ("octopus files", "short"), ("termene de garanții", "ro0")]
    {
        let passages = site.search(question).await;
        let found = passages.iter().find(|passage| passage.document.as_str() == document).unwrap();
        assert!(found.score.sparse.is_some_and(|score| score > 0.0), "{question}: {found:?}");
    }
    site.close().await;
}

#[tokio::test]
async fn another_tenant_finds_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::open(folder.path()).await;
    site.add(&[("a", "The password of the week is quagmire.")]).await;
    assert_eq!(site.search_of("stranger", "quagmire").await.unwrap(), []);
    site.close().await;
}

#[tokio::test]
async fn a_library_that_was_left_without_a_word_opens_with_all_that_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected: BTreeMap<String, String> = BTreeMap::new();
    for round in 0..6 {
        let site = Site::open(folder.path()).await;
        for (document, word) in &expected {
            assert_eq!(site.documents_with(word).await, std::slice::from_ref(document), "in round {round}");
        }
        for number in 0..4 {
            // Some are new, some replace what an earlier round has left.
            let document = format!("d{}", (round * 3 + number) % 11);
            let word = format!("word{round}x{number}");
            let text = format!("{}The word is {word}. {}", filler(12), filler(12));
            site.add(&[(&document, &text)]).await;
            expected.insert(document, word);
        }
        if let Some(document) = expected.keys().nth(round % 3).cloned() {
            assert!(site.delete(&document).await);
            expected.remove(&document);
        }
        site.abandon().await;
    }
}

#[tokio::test]
async fn one_document_with_an_impossible_id_is_refused_alone() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::open(folder.path()).await;
    let (tenant, corpus) = (TenantId::new(TENANT), CorpusName::new(CORPUS));
    let uploads = vec![upload("a", "The quay is closed."), upload("", "x"), upload("b", "The quay is open.")];
    let results = site.library.add(&tenant, &corpus, uploads).await;
    assert!(results[0].is_ok() && results[2].is_ok(), "{results:?}");
    assert_eq!(results[1].as_ref().unwrap_err().to_string(), "the document's id is empty");
    assert_eq!(site.library.list(&tenant, &corpus, None, 10).await.unwrap().len(), 2);
    site.close().await;
}

#[tokio::test]
async fn of_a_document_that_comes_twice_at_once_the_last_one_holds_even_if_it_is_the_stored_one() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::open(folder.path()).await;
    let (old, new) = (("a", "The bridge opens at noon."), ("a", "The bridge opens at dusk."));
    site.add(&[old]).await;
    site.add(&[new, old]).await;
    assert_eq!(site.documents_with("noon").await, ["a"]);
    assert_eq!(site.documents_with("dusk").await, [""; 0]);
    site.close().await;
}

#[tokio::test]
async fn a_rebuilt_index_answers_as_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::open_with(folder.path(), Fusion::ReciprocalRank).await;
    let texts: Vec<String> =
        (0..12).map(|n| format!("# Part {n}\n\n{}Bolt {n} is tightened last.", filler(n))).collect();
    let documents: Vec<(String, &str)> =
        texts.iter().enumerate().map(|(n, text)| (format!("d{n:02}"), text.as_str())).collect();
    site.add(&documents.iter().map(|(id, text)| (id.as_str(), *text)).collect::<Vec<_>>()).await;
    let found = async || -> Vec<String> {
        let passages = site.search("Which bolt is tightened last in part 7?").await;
        passages.iter().map(|passage| format!("{} {:?}", passage.document, passage.range)).collect()
    };
    let before = found().await;
    let chunks = site.library.rebuild(&TenantId::new(TENANT), &CorpusName::new(CORPUS)).await.unwrap();
    assert!(chunks >= 12);
    assert_eq!(found().await, before);
    site.close().await;
}

#[tokio::test]
async fn a_passage_of_a_contract_is_a_clause_and_knows_its_number_and_title() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::open_as(folder.path(), Fusion::Convex, ChunkMode::Clauses).await;
    let contract = "# Lease\n\n## Article 5: Termination\n\n5.1 Notice. The tenant gives notice in writing.\n\n\
                    5.2 Keys. The keys are returned to the porter.\n\n## Article 6: Deposit\n\nIt is three rents.";
    site.add(&[("lease", contract)]).await;
    let passages = site.search("To whom are the keys returned?").await;
    let best = &passages[0];
    assert_eq!(best.text, "5.2 Keys. The keys are returned to the porter.");
    assert_eq!(best.headings, ["Lease", "Article 5 — Termination", "5.2 — Keys"]);
    assert_eq!((&best.parent_text, &best.parent_headings), (&best.text, &best.headings));
    site.close().await;
}

#[tokio::test]
async fn an_unchanged_document_is_cut_anew_when_the_corpus_is_cut_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let text = filler(60);
    let (tenant, corpus) = (TenantId::new(TENANT), CorpusName::new(CORPUS));
    let mut cut = Vec::new();
    for mode in [ChunkMode::Structural, ChunkMode::Structural, ChunkMode::Fixed { overlap_words: 50 }] {
        let site = Site::open_as(folder.path(), Fusion::Convex, mode).await;
        let results = site.library.add(&tenant, &corpus, vec![upload("ledger", &text)]).await;
        let receipt = results.into_iter().next().unwrap().unwrap();
        cut.push((receipt.unchanged, receipt.chunks));
        assert_eq!(site.library.list(&tenant, &corpus, None, 10).await.unwrap().len(), 1);
        site.close().await;
    }
    let [(false, before), (true, same), (false, after)] = cut[..] else { panic!("{cut:?}") };
    assert!(same == before && after > before, "{cut:?}");
}
