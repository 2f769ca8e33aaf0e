//! A process that is killed at any moment loses nothing that it acknowledged, and leaves nothing half done.
//!
//! The test starts itself again as a child that works on a data folder and says what it does: a line before each deed,
//! and one when it has been acknowledged. The parent kills it with SIGKILL at a random moment, opens the folder, and
//! compares. The deed that was under way may have happened as a whole or not at all.
#![expect(clippy::unwrap_used, reason = "an unexpected failure is to be shown where it happens")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use mainstay_domain::ledger::Outcome;
use mainstay_domain::port::Ledger;
use mainstay_domain::usage::{Usage, UsageSource};
use mainstay_domain::{ByteRange, Clock, CorpusName, Metadata, NanoUsd, TenantId, Timestamp, TurnRecord};
use mainstay_store::documents::{
    AcceptedBatch, DocumentMaintenance, DocumentStore, Finding, Fingerprint, NewChunk, NewDocument, Revision,
    SqliteDocuments,
};
use mainstay_store::ledger::{HistoryFilter, HistoryScope, LedgerTroubles, TurnHistory};
use mainstay_store::{DataDir, DataDirError, EmbeddedStore};
use mainstay_vault::{MasterKey, MasterKeys};
use tokio_util::sync::CancellationToken;

const ROUNDS: u64 = 20;
const FOLDER: &str = "MAINSTAY_CRASH_TEST_FOLDER";
const ROUND: &str = "MAINSTAY_CRASH_TEST_ROUND";
/// The file of the master key, where content is to be sealed.
const KEY: &str = "MAINSTAY_CRASH_TEST_KEY";
/// Marks our lines among those of the test harness.
const MARK: &str = "@@ ";

#[test]
fn a_killed_process_loses_nothing_that_it_acknowledged() {
    kill_in_every_round(|_| None);
}

/// What the first rounds leave is plain, and the children seal it while they do everything else.
#[test]
fn a_killed_process_that_seals_loses_nothing_either() {
    let keys = tempfile::tempdir().unwrap();
    let key = keys.path().join("key");
    MasterKey::generate_file(&key).unwrap();
    kill_in_every_round(|round| (round >= PLAIN_ROUNDS).then_some(key.as_path()));
}

/// Rounds before content is sealed.
const PLAIN_ROUNDS: u64 = 6;

fn kill_in_every_round<'a>(key: impl Fn(u64) -> Option<&'a Path>) {
    // The child of one test would hold the lock of the other's folder from its fork to its exec.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);

    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime();
    let mut random = fastrand::Rng::with_seed(7);
    let mut model = Model::default();
    for round in 0..ROUNDS {
        let key = key(round);
        let deeds = run_and_kill(folder.path(), key, round, random.usize(1..60), random.u32(0..200_000));
        runtime.block_on(model.compare(folder.path(), key, deeds, round));
    }
    if let Some(key) = key(ROUNDS) {
        runtime.block_on(async {
            let store = open(folder.path(), Some(key)).await;
            assert!(store.seal_what_is_plain(&CancellationToken::new(), |_| {}).await.unwrap().finished);
            // Says so where anything is not sealed.
            assert_eq!(store.documents().check().await.unwrap(), Vec::<String>::new());
            assert_eq!(read_all(&store.documents()).await, model.documents);
        });
    }
    assert!(model.documents.len() > 20 && model.turns > 100, "the children did next to nothing");
}

/// What a child says it does.
#[derive(Clone, PartialEq, Debug)]
enum Deed {
    /// Documents by id and the number that their text is made from.
    Accept(Vec<(String, u64)>),
    Delete(String),
    Book(String),
}

impl Deed {
    fn line(&self) -> String {
        match self {
            Self::Accept(documents) => {
                let documents: Vec<String> =
                    documents.iter().map(|(id, number)| format!("{id}:{number}")).collect();
                format!("accept {}", documents.join(" "))
            }
            Self::Delete(doc_id) => format!("delete {doc_id}"),
            Self::Book(turn) => format!("book {turn}"),
        }
    }

    fn parse(line: &str) -> Self {
        let (verb, rest) = line.split_once(' ').unwrap();
        match verb {
            "accept" => {
                let document = |text: &str| {
                    let (id, number) = text.split_once(':').unwrap();
                    (id.to_owned(), number.parse().unwrap())
                };
                Self::Accept(rest.split(' ').map(document).collect())
            }
            "delete" => Self::Delete(rest.to_owned()),
            "book" => Self::Book(rest.to_owned()),
            other => panic!("{other}"),
        }
    }
}

/// The acknowledged deeds of a child, and the one that it was about when it was killed.
struct Deeds {
    done: Vec<Deed>,
    under_way: Option<Deed>,
}

fn run_and_kill(folder: &Path, key: Option<&Path>, round: u64, acknowledged: usize, patience: u32) -> Deeds {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_child_that_is_killed", "--ignored", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .envs(key.map(|key| (KEY, key)))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut deeds = Deeds { done: Vec::new(), under_way: None };
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut killed = false;
    for line in lines {
        let line = line.unwrap();
        let Some((_, line)) = line.split_once(MARK) else { continue };
        match line {
            "done" => deeds.done.extend(deeds.under_way.take()),
            deed => deeds.under_way = Some(Deed::parse(deed)),
        }
        if !killed && deeds.done.len() >= acknowledged {
            // A moment that has nothing to do with what the child does.
            (0..patience).for_each(|_| std::hint::spin_loop());
            child.kill().unwrap();
            killed = true;
        }
    }
    let status = child.wait().unwrap();
    assert!(killed && !status.success(), "the child ended on its own: {status}");
    deeds
}

/// What must be there.
#[derive(Default)]
struct Model {
    documents: BTreeMap<String, u64>,
    turns: u64,
}

impl Model {
    async fn compare(&mut self, folder: &Path, key: Option<&Path>, deeds: Deeds, round: u64) {
        for deed in &deeds.done {
            apply(&mut self.documents, deed);
        }
        let mut otherwise = self.documents.clone();
        if let Some(deed) = &deeds.under_way {
            apply(&mut otherwise, deed);
        }

        let store = open(folder, key).await;
        let documents = store.documents();
        assert_eq!(documents.check().await.unwrap(), Vec::<String>::new(), "round {round}");
        publish_pending(&documents).await;
        let found = read_all(&documents).await;
        assert!(
            found == self.documents || found == otherwise,
            "round {round}, while {:?}:\nfound     {found:?}\nwanted    {:?}\nor        {otherwise:?}",
            deeds.under_way,
            self.documents
        );
        self.documents = found;
        assert_eq!(documents.check().await.unwrap(), Vec::<String>::new(), "round {round}");

        let booked = |deed: &Deed| matches!(deed, Deed::Book(_));
        self.turns += deeds.done.iter().filter(|deed| booked(deed)).count() as u64;
        let maybe = u64::from(deeds.under_way.as_ref().is_some_and(booked));
        let ledger = store.ledger();
        ledger.settle().await.unwrap();
        let totals = ledger.totals(&HistoryFilter::all(HistoryScope::Everyone)).await.unwrap();
        assert!(
            (self.turns..=self.turns + maybe).contains(&totals.turns),
            "{} turns of {}",
            totals.turns,
            self.turns
        );
        assert_eq!(totals.cost.as_nanos() as u64, totals.turns * 3);
        // A kill may cut the write short that was under way: nothing of it was acknowledged.
        let LedgerTroubles { refused, torn_segments, damaged_lines } = ledger.troubles();
        assert!(torn_segments <= maybe, "{torn_segments} torn while {:?}", deeds.under_way);
        assert_eq!((refused, damaged_lines), (0, 0));
        self.turns = totals.turns;
        store.close().await;
    }
}

fn apply(documents: &mut BTreeMap<String, u64>, deed: &Deed) {
    match deed {
        Deed::Accept(accepted) => documents.extend(accepted.iter().cloned()),
        Deed::Delete(doc_id) => {
            documents.remove(doc_id);
        }
        Deed::Book(_) => {}
    }
}

/// The folder is free as soon as the process that held it is gone.
async fn open(folder: &Path, key: Option<&Path>) -> EmbeddedStore {
    let folder = DataDir::open(folder).unwrap();
    match key {
        Some(key) => {
            let masters = MasterKeys::new(MasterKey::from_file(key).unwrap());
            EmbeddedStore::open_sealed(folder, Clock::system(), masters).await.unwrap()
        }
        None => EmbeddedStore::open(folder, Clock::system()).await.unwrap(),
    }
}

/// What an indexer does at its start.
async fn publish_pending(store: &SqliteDocuments) {
    for document in store.pending(None, usize::MAX >> 1).await.unwrap() {
        let batch = AcceptedBatch {
            tenant: document.tenant.clone(),
            corpus: document.corpus.clone(),
            accepted_at: document.accepted_at,
            documents: vec![document.accepted()],
        };
        assert_eq!(store.publish(&batch).await.unwrap().visible, [document.revision]);
    }
    assert_eq!(store.pending(None, 1).await.unwrap(), []);
}

/// Each document that can be read and the number that its text is made from; each part of it is what it should be.
async fn read_all(store: &SqliteDocuments) -> BTreeMap<String, u64> {
    let (tenant, corpus) = place();
    let mut found = BTreeMap::new();
    let mut after = None;
    while let Ok(page) = store.live(&tenant, &corpus, after, 50).await {
        let Some(last) = page.last() else { break };
        after = Some(last.revision);
        for document in &page {
            let number = document.text.split_once(' ').unwrap().0.parse().unwrap();
            let wanted = new_document(document.doc_id.as_str(), number);
            assert!(document.text == wanted.text, "{}", document.doc_id);
            assert_eq!(document.chunks.len(), wanted.chunks.len());
            let findings = document.chunks.iter().map(|chunk| &chunk.finding);
            assert!(findings.eq(wanted.chunks.iter().map(|chunk| &chunk.finding)), "{}", document.doc_id);
            let ids: Vec<_> = document.chunks.iter().map(|chunk| chunk.chunk).collect();
            let hidden = document.quarantined().len();
            assert_eq!(store.hydrate(&tenant, &corpus, &ids).await.unwrap().len(), ids.len() - hidden);
            let earlier = found.insert(document.doc_id.to_string(), number);
            assert_eq!(earlier, None, "{} is there twice", document.doc_id);
        }
    }
    found
}

fn place() -> (TenantId, CorpusName) {
    (TenantId::single(), CorpusName::unnamed())
}

/// A document whose text begins with its number, and is of one to several blocks.
fn new_document(doc_id: &str, number: u64) -> NewDocument {
    let line = format!("{number} {doc_id} ß\n");
    let text = line.repeat(1 + (number * 37 % 900) as usize);
    let ranges = (0..text.len() / line.len())
        .map(|index| ByteRange { start: index * line.len(), end: (index + 1) * line.len() });
    let whole = ByteRange { start: 0, end: text.len() };
    NewDocument {
        author: None,
        doc_id: doc_id.into(),
        title: None,
        media_type: "text/plain".to_owned(),
        language: None,
        source_name: None,
        fingerprint: Fingerprint::of([text.as_bytes()]),
        source_bytes: text.len() as u64,
        metadata: Metadata::default(),
        chunks: ranges
            .step_by(7)
            .enumerate()
            .map(|(index, range)| NewChunk {
                range,
                parent_range: whole,
                headings: Vec::new(),
                language: None,
                finding: (index % 3 == 1).then(|| Finding {
                    reason: "odd".to_owned(),
                    content: Fingerprint::of([number.to_le_bytes().as_slice()]),
                }),
            })
            .collect(),
        text,
    }
}

fn turn(id: &str) -> TurnRecord {
    TurnRecord {
        turn: id.into(),
        request: id.into(),
        started_at: Timestamp::from_micros(1),
        duration_micros: 1,
        first_token_micros: None,
        tenant: None,
        key: None,
        operation: "chat".to_owned(),
        requested_model: "m".to_owned(),
        assistant: None,
        answered_model: None,
        streamed: false,
        outcome: Outcome::Completed,
        error_code: None,
        usage: Usage::default(),
        usage_source: UsageSource::Reported,
        cost: NanoUsd::new(3),
        price_date: None,
        passages: 0,
        citations: 0,
        citations_removed: 0,
        client_retries: 0,
        failed_attempts: 0,
        failed_cost: NanoUsd::ZERO,
        intent: None,
        escalations: 0,
        escalated_cost: NanoUsd::ZERO,
        team: None,
        feature: None,
        cache: None,
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
#[ignore = "the child of another test, which kills it"]
fn the_child_that_is_killed() {
    let Some((folder, key, round)) = orders() else { return };
    runtime().block_on(work(Path::new(&folder), key.as_deref().map(Path::new), round));
}

#[expect(clippy::disallowed_methods, reason = "how the parent tells its child what to do")]
fn orders() -> Option<(String, Option<String>, u64)> {
    Some((std::env::var(FOLDER).ok()?, std::env::var(KEY).ok(), std::env::var(ROUND).ok()?.parse().ok()?))
}

/// Works until it is killed.
async fn work(folder: &Path, key: Option<&Path>, round: u64) {
    let store = open(folder, key).await;
    let second = DataDir::open(folder);
    assert!(
        matches!(second, Err(DataDirError::InUse { holder: Some(pid), .. }) if pid == std::process::id())
    );
    let (tenant, corpus) = place();
    let documents = store.documents();
    documents.create_corpus(&tenant, &corpus, "builtin/test", 4, serde_json::json!({})).await.unwrap();
    let ledger = store.ledger();
    let mut random = fastrand::Rng::with_seed(round);
    let mut unpublished: Vec<AcceptedBatch> = Vec::new();
    for step in 0.. {
        let number = round * 1_000_000 + step;
        match random.u8(0..12) {
            0..4 => {
                let ids: std::collections::BTreeSet<u64> =
                    (0..random.u64(1..5)).map(|_| random.u64(0..80)).collect();
                let ids: Vec<(String, u64)> =
                    ids.into_iter().map(|id| (format!("doc-{id}"), number)).collect();
                say(&Deed::Accept(ids.clone()).line());
                let new = ids.iter().map(|(id, number)| new_document(id, *number)).collect();
                unpublished.push(documents.accept(&tenant, &corpus, new).await.unwrap());
                say("done");
            }
            4..7 => {
                if let Some(batch) = unpublished.pop() {
                    documents.publish(&batch).await.unwrap();
                }
            }
            7 => {
                let doc_id = format!("doc-{}", random.u64(0..80));
                say(&Deed::Delete(doc_id.clone()).line());
                documents.delete(&tenant, &corpus, &doc_id.as_str().into()).await.unwrap();
                say("done");
            }
            8 => {
                let retired: Vec<Revision> =
                    documents.retired(20).await.unwrap().iter().map(|retired| retired.revision).collect();
                documents.purge(&retired).await.unwrap();
            }
            9 if key.is_some() && step > 20 => {
                // One step of it, so that it lasts for several rounds.
                let stop = CancellationToken::new();
                store.seal_what_is_plain(&stop, |_| stop.cancel()).await.unwrap();
            }
            9 => ledger.settle().await.unwrap(),
            _ => {
                for part in 0..5 {
                    let id = format!("turn-{number}-{part}");
                    say(&Deed::Book(id.clone()).line());
                    ledger.book(&turn(&id)).unwrap();
                    say("done");
                }
            }
        }
    }
}

/// A line in one write.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{MARK}{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}
