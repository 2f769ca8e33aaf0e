//! What the store costs on the paths that are walked most: booking a turn, reading the chunks of a search, ingesting.
//!
//! `cargo bench -p mainstay-store`
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a measurement that fails is to stop; criterion's macros document nothing"
)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mainstay_domain::ledger::Outcome;
use mainstay_domain::port::Ledger;
use mainstay_domain::usage::{Usage, UsageSource};
use mainstay_domain::{
    ByteRange, ChunkId, Clock, CorpusName, Metadata, NanoUsd, TenantId, Timestamp, TurnRecord,
};
use mainstay_store::documents::{DocumentStore, Fingerprint, NewChunk, NewDocument};
use mainstay_store::{DataDir, EmbeddedStore};
use mainstay_vault::{MasterKey, MasterKeys};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Bytes of a chunk: about a hundred words.
const CHUNK: usize = 600;
/// Chunks that are read together.
const PARENT: usize = 4;
/// Chunks of a document.
const CHUNKS: usize = 40;

fn turn(number: u64) -> TurnRecord {
    TurnRecord {
        turn: format!("turn_{number:028x}").into(),
        request: "req_0195c3f2a7b10123456789abcdef".into(),
        started_at: Timestamp::from_micros(1_790_000_000_000_000),
        duration_micros: 1_234_567,
        first_token_micros: Some(345_678),
        tenant: Some(TenantId::single()),
        key: Some("k7q2m9x4w1z8".into()),
        operation: "chat".to_owned(),
        requested_model: "support".to_owned(),
        assistant: Some("support".into()),
        answered_model: Some("openai/gpt-4o-mini".to_owned()),
        streamed: true,
        outcome: Outcome::Completed,
        error_code: None,
        usage: Usage { prompt: 2_345, cache_read: 1_024, cache_write: 0, completion: 456, reasoning: 0 },
        usage_source: UsageSource::Reported,
        cost: NanoUsd::new(1_234_567),
        price_date: Some("2026-01-01".to_owned()),
        passages: 8,
        citations: 3,
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

fn document(number: usize) -> NewDocument {
    let parents = (0..CHUNKS / PARENT).map(|parent| {
        let start = parent * PARENT * CHUNK;
        ByteRange { start, end: start + PARENT * CHUNK }
    });
    let chunks = parents.flat_map(|parent_range| {
        (0..PARENT).map(move |chunk| {
            let start = parent_range.start + chunk * CHUNK;
            NewChunk {
                range: ByteRange { start, end: start + CHUNK },
                parent_range,
                headings: vec!["Getting started".to_owned(), format!("Section {chunk}")],
                language: None,
                finding: None,
            }
        })
    });
    NewDocument {
        author: None,
        doc_id: format!("handbook/{number}.md").into(),
        title: Some("Getting started".to_owned()),
        media_type: "text/markdown".to_owned(),
        language: Some("en".to_owned()),
        source_name: None,
        fingerprint: Fingerprint([0; 32]),
        source_bytes: (CHUNKS * CHUNK) as u64,
        text: "word ".repeat(CHUNKS * CHUNK / 5),
        metadata: Metadata::default(),
        chunks: chunks.collect(),
    }
}

struct Fixture {
    runtime: Runtime,
    store: EmbeddedStore,
    tenant: TenantId,
    corpus: CorpusName,
    _folder: TempDir,
}

/// How a store keeps its content.
#[derive(Clone, Copy)]
enum Kept {
    Plain,
    Sealed,
}

const BOTH: [(Kept, &str); 2] = [(Kept::Plain, "plain"), (Kept::Sealed, "sealed")];

fn fixture(kept: Kept) -> Fixture {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (tenant, corpus) = (TenantId::single(), CorpusName::unnamed());
    let store = runtime.block_on(async {
        let data_dir = DataDir::open(folder.path().join("data")).unwrap();
        let store = match kept {
            Kept::Plain => EmbeddedStore::open(data_dir, Clock::system()).await.unwrap(),
            Kept::Sealed => {
                let master = MasterKey::generate_file(&folder.path().join("key")).unwrap();
                EmbeddedStore::open_sealed(data_dir, Clock::system(), MasterKeys::new(master)).await.unwrap()
            }
        };
        let documents = store.documents();
        documents.create_corpus(&tenant, &corpus, "builtin/bench", 4, serde_json::json!({})).await.unwrap();
        store
    });
    Fixture { runtime, store, tenant, corpus, _folder: folder }
}

fn booking(criterion: &mut Criterion) {
    let fixture = fixture(Kept::Plain);
    let ledger = fixture.store.ledger();
    let mut number = 0;
    criterion.bench_function("book a turn", |bencher| {
        bencher.iter_batched(
            || {
                number += 1;
                turn(number)
            },
            |record| ledger.book(black_box(&record)).unwrap(),
            BatchSize::SmallInput,
        );
    });
}

fn searching(criterion: &mut Criterion) {
    for (kept, name) in BOTH {
        searching_in(criterion, kept, name);
    }
}

fn searching_in(criterion: &mut Criterion, kept: Kept, name: &str) {
    let fixture = fixture(kept);
    let documents = fixture.store.documents();
    let mut chunks: Vec<ChunkId> = Vec::new();
    fixture.runtime.block_on(async {
        for batch in 0..50 {
            let new = (0..10).map(|number| document(batch * 10 + number)).collect();
            let batch = documents.accept(&fixture.tenant, &fixture.corpus, new).await.unwrap();
            documents.publish(&batch).await.unwrap();
            chunks.extend(batch.documents.iter().flat_map(|document| document.chunks.ids()));
        }
    });
    let mut random = fastrand::Rng::with_seed(1);
    for wanted in [10, 50, 100] {
        criterion.bench_function(
            &format!("hydrate {wanted} of {} chunks, {name}", chunks.len()),
            |bencher| {
                bencher.iter_batched(
                    || random.choose_multiple(&chunks, wanted).into_iter().copied().collect::<Vec<_>>(),
                    |ids| {
                        let hydrate = documents.hydrate(&fixture.tenant, &fixture.corpus, &ids);
                        let rows = fixture.runtime.block_on(hydrate).unwrap();
                        assert_eq!(rows.len(), wanted);
                        rows
                    },
                    BatchSize::SmallInput,
                );
            },
        );
    }
}

fn ingesting(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ingest");
    for (kept, name) in BOTH {
        let fixture = fixture(kept);
        let documents = fixture.store.documents();
        let mut number = 0;
        group.sample_size(20).throughput(Throughput::Bytes((10 * CHUNKS * CHUNK) as u64));
        group.bench_function(format!("accept and publish 400 chunks, {name}"), |bencher| {
            bencher.iter_batched(
                || {
                    number += 10;
                    (number..number + 10).map(document).collect::<Vec<_>>()
                },
                |new| {
                    fixture.runtime.block_on(async {
                        let batch = documents.accept(&fixture.tenant, &fixture.corpus, new).await.unwrap();
                        documents.publish(&batch).await.unwrap()
                    })
                },
                BatchSize::SmallInput,
            );
        });
    }
}

/// A whole batch of documents in one transaction.
fn ingesting_a_thousand(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ingest");
    for (kept, name) in BOTH {
        let fixture = fixture(kept);
        let documents = fixture.store.documents();
        group.sample_size(10).throughput(Throughput::Bytes((1_000 * CHUNKS * CHUNK) as u64));
        group.bench_function(format!("accept 1,000 documents, {name}"), |bencher| {
            bencher.iter_batched(
                || (0..1_000).map(document).collect::<Vec<_>>(),
                |new| {
                    let accept = documents.accept(&fixture.tenant, &fixture.corpus, new);
                    fixture.runtime.block_on(accept).unwrap()
                },
                BatchSize::PerIteration,
            );
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(std::time::Duration::from_secs(1))
        .measurement_time(std::time::Duration::from_secs(3));
    targets = booking, searching, ingesting, ingesting_a_thousand
}
criterion_main!(benches);
