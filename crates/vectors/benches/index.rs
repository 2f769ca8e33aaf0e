//! What the index costs: `cargo bench -p mainstay-vectors --bench index -- [points,points,…] [folder]`.
//!
//! Builds an index of clustered random points (256 numbers, and about 60 of 50,000 words with the frequencies of a
//! natural language) for each number of points, and prints how fast it takes them in, how long searches take one at a time
//! and two at a time, with and without a filter, how many of the true neighbours it finds, how long it takes to open, and
//! how much memory and disk it needs. Not a criterion bench: one run of minutes is measured, not one function of
//! microseconds.

#![expect(clippy::print_stdout, reason = "prints its findings")]
#![expect(
    clippy::disallowed_methods,
    reason = "measures real time; its arguments are its only configuration"
)]
#![expect(clippy::unwrap_used, reason = "a failure here is a failed measurement")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mainstay_domain::ChunkId;
use mainstay_domain::port::MultiVector;
use mainstay_vectors::{
    Accuracy, Checkpoint, EmbeddedIndex, EmbeddedOptions, FieldValues, Fields, Filter, Hit, IndexSettings,
    Namespace, Point, Query, Search, SparseChannel, SparseVector, VectorIndex,
};

const DIMENSION: usize = 256;
const CLUSTERS: u64 = 200;
const WORDS: f64 = 50_000.0;
const WORDS_PER_POINT: usize = 60;
const QUESTIONS: u64 = 500;
const BATCH: u64 = 1_000;
/// So many are measured before they are put in order.
const AT_ONCE: u64 = 100_000;
const TOP: usize = 10;
const CANDIDATES: usize = 100;
/// Points that are compared with a question vector by vector, of so many at most; their vectors, and the question's.
const COMPARED: usize = 50;
const MOST_WITH_MULTI: u64 = 10_000;
const MULTI_DIMENSION: usize = 384;
const MULTI_VECTORS: usize = 64;
const MULTI_QUESTION: usize = 12;
/// One of so many points passes a filter: half, a twentieth, a two-hundredth, and one of 500 tenants that share an index.
const SHARES: [u64; 4] = [2, 20, 200, 500];

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let points = arguments.next().unwrap_or_else(|| "10000".to_owned());
    let folder = arguments.next().map(PathBuf::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for points in points.split(',') {
        let points = points.parse().expect("a number of points");
        let temporary = tempfile::tempdir().unwrap();
        let folder = folder.clone().unwrap_or_else(|| temporary.path().to_owned());
        runtime.block_on(measure(points, &folder.join(format!("{points}"))));
    }
}

async fn measure(points: u64, folder: &Path) {
    println!("== {points} points");
    let baseline = resident();
    let index = EmbeddedIndex::new(folder, EmbeddedOptions::default()).unwrap();
    index.open(&namespace(), &settings()).await.unwrap();
    ingest(&index, points).await;
    report_memory("after the ingest", baseline, &index).await;
    searches(&index, "before optimizing").await;

    let start = Instant::now();
    index.optimize(&namespace()).await.unwrap();
    println!("optimize                 {:>10.2} s", start.elapsed().as_secs_f64());
    report_memory("after optimizing", baseline, &index).await;
    searches(&index, "optimized").await;
    for share in SHARES {
        filtered(&index, share).await;
    }
    hop(&index).await;

    let start = Instant::now();
    index.optimize(&namespace()).await.unwrap();
    println!("optimize, nothing to do  {:>10.2} ms", milliseconds(start.elapsed()));
    index.close().await.unwrap();
    report_memory_of_process("closed", baseline);
    let start = Instant::now();
    index.open(&namespace(), &settings()).await.unwrap();
    println!("open                     {:>10.2} ms", milliseconds(start.elapsed()));
    report_memory_of_process("opened", baseline);
    let start = Instant::now();
    index.search(&namespace(), vec![dense(1, Accuracy::Indexed, TOP), words(1, TOP)]).await.unwrap();
    println!("first search             {:>10.2} ms", milliseconds(start.elapsed()));
    searches(&index, "reopened").await;
    report_memory("after searches", baseline, &index).await;

    replace_a_tenth(&index, points).await;
    comparisons(&index, points.min(MOST_WITH_MULTI)).await;
}

/// Comparisons of a question with some points vector by vector, in a namespace of its own.
async fn comparisons(index: &EmbeddedIndex, points: u64) {
    let namespace = Namespace::new("tenant", "multi");
    let settings =
        IndexSettings { multi_dimension: Some(MULTI_DIMENSION), channels: Vec::new(), ..settings() };
    index.open(&namespace, &settings).await.unwrap();
    for first in (0..points).step_by(BATCH as usize) {
        let with_multi = |chunk| Point {
            sparse: Vec::new(),
            multi: multi(&mut fastrand::Rng::with_seed(chunk), MULTI_VECTORS),
            ..point(chunk)
        };
        let batch = (first..points.min(first + BATCH)).map(with_multi).collect();
        index.upsert(&namespace, batch).await.unwrap();
    }
    index.optimize(&namespace).await.unwrap();
    let mut times = Vec::new();
    for question in 0..QUESTIONS {
        let mut random = fastrand::Rng::with_seed(question);
        let among = (0..COMPARED).map(|_| ChunkId(random.u64(0..points))).collect();
        let query = Query::Multi { vector: multi(&mut random, MULTI_QUESTION), among };
        let start = Instant::now();
        index.search(&namespace, vec![Search { query, limit: COMPARED, filter: None }]).await.unwrap();
        times.push(start.elapsed());
    }
    times.sort();
    let at = |share: f64| milliseconds(times[((times.len() - 1) as f64 * share) as usize]);
    println!("compare {COMPARED} of {points:<16} p50 {:>7.3} ms   p99 {:>7.3} ms", at(0.5), at(0.99));
    let stats = index.stats(&namespace).await.unwrap();
    println!("  {} points with multi-vectors, {} MiB on disk", stats.points, stats.bytes >> 20);
}

fn multi(random: &mut fastrand::Rng, vectors: usize) -> MultiVector {
    let values = (0..vectors * MULTI_DIMENSION).map(|_| random.f32() - 0.5).collect();
    MultiVector { dimension: MULTI_DIMENSION, values }
}

/// Takes the points in. More than [`AT_ONCE`] are put in order as they come, as a corpus does it: whenever a quarter of what
/// is there lies loose, because the time to insert one grows with the number of those.
async fn ingest(index: &EmbeddedIndex, points: u64) {
    let mut spent = Duration::ZERO;
    let (mut flushing, mut ordering) = (Duration::ZERO, Duration::ZERO);
    let mut settled = 0;
    for first in (0..points).step_by(BATCH as usize) {
        let batch: Vec<Point> = (first..points.min(first + BATCH)).map(point).collect();
        let start = Instant::now();
        index.upsert(&namespace(), batch).await.unwrap();
        let upserted = start.elapsed();
        index.flush(&namespace(), Checkpoint(first + 1)).await.unwrap();
        flushing += start.elapsed() - upserted;
        let loose = first + BATCH - settled;
        if points > AT_ONCE && loose >= (AT_ONCE / 50).max(settled / 4) {
            let start = Instant::now();
            index.optimize(&namespace()).await.unwrap();
            ordering += start.elapsed();
            settled = first + BATCH;
        }
        spent += start.elapsed();
    }
    println!(
        "ingest                   {:>10.0} points/s ({points} points in {:.2} s, of it {:.2} s flushing every {BATCH}, {:.2} s \
         putting in order)",
        points as f64 / spent.as_secs_f64(),
        spent.as_secs_f64(),
        flushing.as_secs_f64(),
        ordering.as_secs_f64()
    );
}

/// Replaces a tenth of the points and puts the index in order again.
async fn replace_a_tenth(index: &EmbeddedIndex, points: u64) {
    let start = Instant::now();
    for first in (0..points / 10).step_by(BATCH as usize) {
        let batch = (first..(points / 10).min(first + BATCH)).map(point).collect();
        index.upsert(&namespace(), batch).await.unwrap();
    }
    println!("replace a tenth          {:>10.2} s", start.elapsed().as_secs_f64());
    searches(index, "a tenth replaced").await;
    let start = Instant::now();
    index.optimize(&namespace()).await.unwrap();
    println!("optimize again           {:>10.2} s", start.elapsed().as_secs_f64());
    searches(index, "optimized again").await;
}

async fn searches(index: &EmbeddedIndex, state: &str) {
    let of = |question| vec![dense(question, Accuracy::Indexed, CANDIDATES)];
    one_at_a_time(index, state, "dense", of).await;
    one_at_a_time(index, state, "dense, exact", |question| {
        vec![dense(question, Accuracy::Exact, CANDIDATES)]
    })
    .await;
    one_at_a_time(index, state, "sparse", |question| vec![words(question, CANDIDATES)]).await;
    let both = |question| vec![dense(question, Accuracy::Indexed, CANDIDATES), words(question, CANDIDATES)];
    one_at_a_time(index, state, "both", both).await;
    two_at_a_time(index, state, both).await;
    recall(index, state).await;
}

async fn one_at_a_time(index: &EmbeddedIndex, state: &str, kind: &str, of: impl Fn(u64) -> Vec<Search>) {
    let mut times = Vec::new();
    for question in 0..QUESTIONS {
        let searches = of(question);
        let start = Instant::now();
        index.search(&namespace(), searches).await.unwrap();
        times.push(start.elapsed());
    }
    times.sort();
    let at = |share: f64| milliseconds(times[((times.len() - 1) as f64 * share) as usize]);
    println!("{kind:<14}{state:<20} p50 {:>7.3} ms   p99 {:>7.3} ms", at(0.5), at(0.99));
}

async fn two_at_a_time(index: &EmbeddedIndex, state: &str, of: impl Fn(u64) -> Vec<Search>) {
    let half = async |remainder: u64| {
        for question in (remainder..QUESTIONS).step_by(2) {
            index.search(&namespace(), of(question)).await.unwrap();
        }
    };
    let start = Instant::now();
    tokio::join!(half(0), half(1));
    println!(
        "{:<14}{state:<20} {:>7.0} searches/s",
        "both, two",
        QUESTIONS as f64 / start.elapsed().as_secs_f64()
    );
}

/// Hybrid searches through a filter that one of so many points passes.
async fn filtered(index: &EmbeddedIndex, one_of: u64) {
    let state = format!("filtered to 1/{one_of}");
    let through = |search: Search, question: u64| Search {
        filter: Some(Arc::new(Filter::OneOf {
            field: format!("of_{one_of}"),
            texts: vec![(question % one_of).to_string()],
        })),
        ..search
    };
    let both = |question| {
        [dense(question, Accuracy::Indexed, CANDIDATES), words(question, CANDIDATES)]
            .map(|search| through(search, question))
            .to_vec()
    };
    one_at_a_time(index, &state, "both", both).await;
    recall_of(index, &state, |question, accuracy| through(dense(question, accuracy, TOP), question)).await;
}

async fn recall(index: &EmbeddedIndex, state: &str) {
    recall_of(index, state, |question, accuracy| dense(question, accuracy, TOP)).await;
}

async fn recall_of(index: &EmbeddedIndex, state: &str, of: impl Fn(u64, Accuracy) -> Search) {
    let (mut found, mut expected) = (0, 0);
    for question in 0..QUESTIONS {
        let searches = vec![of(question, Accuracy::Exact), of(question, Accuracy::Indexed)];
        let [exact, indexed] =
            <[Vec<Hit>; 2]>::try_from(index.search(&namespace(), searches).await.unwrap()).unwrap();
        expected += exact.len();
        found += exact.iter().filter(|hit| indexed.iter().any(|other| other.chunk == hit.chunk)).count();
    }
    println!("{:<14}{state:<20} {:>7.4}", "recall@10", found as f64 / expected as f64);
}

/// What it costs to do the work on a blocking thread: a search that finds nothing.
async fn hop(index: &EmbeddedIndex) {
    let mut times = Vec::new();
    for _ in 0..2_000 {
        let start = Instant::now();
        index.search(&namespace(), Vec::new()).await.unwrap();
        times.push(start.elapsed());
    }
    times.sort();
    println!("hop to a blocking thread       p50 {:>7.1} us", times[times.len() / 2].as_secs_f64() * 1e6);
}

async fn report_memory(moment: &str, baseline: u64, index: &EmbeddedIndex) {
    report_memory_of_process(moment, baseline);
    let stats = index.stats(&namespace()).await.unwrap();
    println!("  {} points in {} segments, {} MiB on disk", stats.points, stats.segments, stats.bytes >> 20);
}

fn report_memory_of_process(moment: &str, baseline: u64) {
    let (all, own) = (resident(), own_memory());
    println!(
        "memory {moment:<18} {:>7} MiB more than at the start, of it {} MiB not backed by files",
        all.saturating_sub(baseline) >> 20,
        own >> 20
    );
}

fn namespace() -> Namespace {
    Namespace::new("tenant", "corpus")
}

fn settings() -> IndexSettings {
    IndexSettings {
        embedder: "bench/random".to_owned(),
        dimension: DIMENSION,
        channels: vec![SparseChannel::Bm25],
        multi_dimension: None,
    }
}

fn point(chunk: u64) -> Point {
    let mut random = fastrand::Rng::with_seed(chunk);
    let bm25 = (0..WORDS_PER_POINT).map(|_| (word(&mut random), 0.5 + random.f32())).collect();
    Point {
        chunk: ChunkId(chunk),
        dense: clustered(&mut random),
        sparse: vec![(SparseChannel::Bm25, bm25)],
        multi: MultiVector::default(),
        fields: Arc::new(fields(chunk)),
    }
}

/// What points are filtered by; independent of their vectors and words.
fn fields(chunk: u64) -> Fields {
    let mut random = fastrand::Rng::with_seed(1 << 43 | chunk);
    let value = |of: u64| FieldValues::Texts(vec![random.u64(0..of).to_string()]);
    SHARES.map(|of| format!("of_{of}")).into_iter().zip(SHARES.map(value)).collect()
}

fn dense(question: u64, accuracy: Accuracy, limit: usize) -> Search {
    let mut random = fastrand::Rng::with_seed(1 << 40 | question);
    Search { query: Query::Dense { vector: clustered(&mut random), accuracy }, limit, filter: None }
}

/// A question of eight words.
fn words(question: u64, limit: usize) -> Search {
    let mut random = fastrand::Rng::with_seed(1 << 41 | question);
    let vector: SparseVector = (0..8).map(|_| (word(&mut random), 1.0)).collect();
    Search { query: Query::Sparse { channel: SparseChannel::Bm25, vector }, limit, filter: None }
}

/// A vector of length 1 around the centre of one of the clusters. Clusters differ in size and in width.
fn clustered(random: &mut fastrand::Rng) -> Vec<f32> {
    let cluster = (random.f64().powi(2) * CLUSTERS as f64) as u64;
    let mut centre = fastrand::Rng::with_seed(1 << 42 | cluster);
    let width = 0.6 + centre.f32();
    let vector: Vec<f32> = (0..DIMENSION).map(|_| bell(&mut centre) + width * bell(random)).collect();
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    vector.into_iter().map(|number| number / length).collect()
}

/// A number that is about normally distributed.
fn bell(random: &mut fastrand::Rng) -> f32 {
    (0..4).map(|_| random.f32()).sum::<f32>() - 2.0
}

/// A word as often as its rank has it: the n-th in about one of n places. Its id is hashed, as those of words are.
fn word(random: &mut fastrand::Rng) -> u32 {
    let rank = WORDS.powf(random.f64()) as u32;
    rank.wrapping_mul(0x9E37_79B1)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Resident memory of this process in bytes, where the system tells it.
fn resident() -> u64 {
    status("VmRSS:")
}

fn own_memory() -> u64 {
    status("RssAnon:")
}

fn status(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) << 10
}
