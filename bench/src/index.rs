//! The index alone, in process: how fast it takes in clustered random points (256 numbers, and about 60 of 50,000 words with
//! the frequencies of a natural language), how long searches take one at a time and two at a time, with and without a filter,
//! how many of the true neighbours they find, how long it takes to open, and how much memory and disk it needs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use mainstay_domain::ChunkId;
use mainstay_domain::port::MultiVector;
use mainstay_vectors::{
    Accuracy, Checkpoint, EmbeddedIndex, EmbeddedOptions, FieldValues, Fields, Filter, IndexSettings,
    Namespace, Point, Query, Search, SparseChannel, SparseVector, VectorIndex,
};

use crate::observe::{Memory, Percentiles, memory, now};

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

/// How to measure.
#[derive(Args)]
pub(crate) struct IndexArgs {
    /// How many points; several sizes separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000])]
    points: Vec<u64>,
    /// Where the index is made and left; without it, in a temporary folder.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Measures and prints.
pub(crate) fn run(args: &IndexArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    for &points in &args.points {
        let temporary = tempfile::tempdir()?;
        let folder = args.folder.as_deref().unwrap_or(temporary.path());
        runtime.block_on(measure(points, &folder.join(points.to_string())))?;
    }
    Ok(())
}

async fn measure(points: u64, folder: &Path) -> anyhow::Result<()> {
    println!("== {points} points");
    let baseline = memory(std::process::id())?;
    let index = EmbeddedIndex::new(folder, EmbeddedOptions::default())?;
    index.open(&namespace(), &settings()).await?;
    ingest(&index, points).await?;
    report_index("after the ingest", baseline, &index).await?;
    searches(&index, "before optimizing").await?;

    let start = now();
    index.optimize(&namespace()).await?;
    println!("optimize                 {:>10.2} s", start.elapsed().as_secs_f64());
    report_index("after optimizing", baseline, &index).await?;
    searches(&index, "optimized").await?;
    for share in SHARES {
        filtered(&index, share).await?;
    }
    hop(&index).await?;

    let start = now();
    index.optimize(&namespace()).await?;
    println!("optimize, nothing to do  {:>10.2} ms", milliseconds(start.elapsed()));
    index.close().await?;
    report_memory("closed", baseline)?;
    let start = now();
    index.open(&namespace(), &settings()).await?;
    println!("open                     {:>10.2} ms", milliseconds(start.elapsed()));
    report_memory("opened", baseline)?;
    let start = now();
    index.search(&namespace(), vec![dense(1, Accuracy::Indexed, TOP), words(1, TOP)]).await?;
    println!("first search             {:>10.2} ms", milliseconds(start.elapsed()));
    searches(&index, "reopened").await?;
    report_index("after searches", baseline, &index).await?;

    replace_a_tenth(&index, points).await?;
    comparisons(&index, points.min(MOST_WITH_MULTI)).await?;
    Ok(())
}

/// Comparisons of a question with some points vector by vector, in a namespace of its own.
async fn comparisons(index: &EmbeddedIndex, points: u64) -> anyhow::Result<()> {
    let namespace = Namespace::new("tenant", "multi");
    let settings =
        IndexSettings { multi_dimension: Some(MULTI_DIMENSION), channels: Vec::new(), ..settings() };
    index.open(&namespace, &settings).await?;
    for first in (0..points).step_by(BATCH as usize) {
        let with_multi = |chunk| Point {
            sparse: Vec::new(),
            multi: multi(&mut fastrand::Rng::with_seed(chunk), MULTI_VECTORS),
            ..point(chunk)
        };
        let batch = (first..points.min(first + BATCH)).map(with_multi).collect();
        index.upsert(&namespace, batch).await?;
    }
    index.optimize(&namespace).await?;
    let mut nanos = Vec::new();
    for question in 0..QUESTIONS {
        let mut random = fastrand::Rng::with_seed(question);
        let among = (0..COMPARED).map(|_| ChunkId(random.u64(0..points))).collect();
        let query = Query::Multi { vector: multi(&mut random, MULTI_QUESTION), among };
        let start = now();
        index.search(&namespace, vec![Search { query, limit: COMPARED, filter: None }]).await?;
        nanos.push(start.elapsed().as_nanos() as i64);
    }
    let Percentiles { p50, p99, .. } = Percentiles::of(nanos);
    println!("compare {COMPARED} of {points:<16} p50 {p50:>7.3} ms   p99 {p99:>7.3} ms");
    let stats = index.stats(&namespace).await?;
    println!("  {} points with multi-vectors, {} MiB on disk", stats.points, stats.bytes >> 20);
    Ok(())
}

fn multi(random: &mut fastrand::Rng, vectors: usize) -> MultiVector {
    let values = (0..vectors * MULTI_DIMENSION).map(|_| random.f32() - 0.5).collect();
    MultiVector { dimension: MULTI_DIMENSION, values }
}

/// Takes the points in. More than [`AT_ONCE`] are put in order as they come, as a corpus does it: whenever a quarter of what
/// is there lies loose, because the time to insert one grows with the number of those.
async fn ingest(index: &EmbeddedIndex, points: u64) -> anyhow::Result<()> {
    let mut spent = Duration::ZERO;
    let (mut flushing, mut ordering) = (Duration::ZERO, Duration::ZERO);
    let mut settled = 0;
    for first in (0..points).step_by(BATCH as usize) {
        let batch: Vec<Point> = (first..points.min(first + BATCH)).map(point).collect();
        let start = now();
        index.upsert(&namespace(), batch).await?;
        let upserted = start.elapsed();
        index.flush(&namespace(), Checkpoint(first + 1)).await?;
        flushing += start.elapsed() - upserted;
        let loose = first + BATCH - settled;
        if points > AT_ONCE && loose >= (AT_ONCE / 50).max(settled / 4) {
            let start = now();
            index.optimize(&namespace()).await?;
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
    Ok(())
}

/// Replaces a tenth of the points and puts the index in order again.
async fn replace_a_tenth(index: &EmbeddedIndex, points: u64) -> anyhow::Result<()> {
    let start = now();
    for first in (0..points / 10).step_by(BATCH as usize) {
        let batch = (first..(points / 10).min(first + BATCH)).map(point).collect();
        index.upsert(&namespace(), batch).await?;
    }
    println!("replace a tenth          {:>10.2} s", start.elapsed().as_secs_f64());
    searches(index, "a tenth replaced").await?;
    let start = now();
    index.optimize(&namespace()).await?;
    println!("optimize again           {:>10.2} s", start.elapsed().as_secs_f64());
    searches(index, "optimized again").await?;
    Ok(())
}

async fn searches(index: &EmbeddedIndex, state: &str) -> anyhow::Result<()> {
    let of = |question| vec![dense(question, Accuracy::Indexed, CANDIDATES)];
    one_at_a_time(index, state, "dense", of).await?;
    one_at_a_time(index, state, "dense, exact", |question| {
        vec![dense(question, Accuracy::Exact, CANDIDATES)]
    })
    .await?;
    one_at_a_time(index, state, "sparse", |question| vec![words(question, CANDIDATES)]).await?;
    let both = |question| vec![dense(question, Accuracy::Indexed, CANDIDATES), words(question, CANDIDATES)];
    one_at_a_time(index, state, "both", both).await?;
    two_at_a_time(index, state, both).await?;
    recall(index, state).await?;
    Ok(())
}

async fn one_at_a_time(
    index: &EmbeddedIndex,
    state: &str,
    kind: &str,
    of: impl Fn(u64) -> Vec<Search>,
) -> anyhow::Result<()> {
    let mut nanos = Vec::new();
    for question in 0..QUESTIONS {
        let searches = of(question);
        let start = now();
        index.search(&namespace(), searches).await?;
        nanos.push(start.elapsed().as_nanos() as i64);
    }
    let Percentiles { p50, p99, .. } = Percentiles::of(nanos);
    println!("{kind:<14}{state:<20} p50 {p50:>7.3} ms   p99 {p99:>7.3} ms");
    Ok(())
}

async fn two_at_a_time(
    index: &EmbeddedIndex,
    state: &str,
    of: impl Fn(u64) -> Vec<Search>,
) -> anyhow::Result<()> {
    let half = async |remainder: u64| {
        for question in (remainder..QUESTIONS).step_by(2) {
            index.search(&namespace(), of(question)).await?;
        }
        anyhow::Ok(())
    };
    let start = now();
    tokio::try_join!(half(0), half(1))?;
    println!(
        "{:<14}{state:<20} {:>7.0} searches/s",
        "both, two",
        QUESTIONS as f64 / start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Hybrid searches through a filter that one of so many points passes.
async fn filtered(index: &EmbeddedIndex, one_of: u64) -> anyhow::Result<()> {
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
    one_at_a_time(index, &state, "both", both).await?;
    recall_of(index, &state, |question, accuracy| through(dense(question, accuracy, TOP), question)).await?;
    Ok(())
}

async fn recall(index: &EmbeddedIndex, state: &str) -> anyhow::Result<()> {
    recall_of(index, state, |question, accuracy| dense(question, accuracy, TOP)).await?;
    Ok(())
}

async fn recall_of(
    index: &EmbeddedIndex,
    state: &str,
    of: impl Fn(u64, Accuracy) -> Search,
) -> anyhow::Result<()> {
    let (mut found, mut expected) = (0, 0);
    for question in 0..QUESTIONS {
        let searches = vec![of(question, Accuracy::Exact), of(question, Accuracy::Indexed)];
        let hits = index.search(&namespace(), searches).await?;
        let [exact, indexed] = hits.as_slice() else { bail!("two searches gave {} lists", hits.len()) };
        expected += exact.len();
        found += exact.iter().filter(|hit| indexed.iter().any(|other| other.chunk == hit.chunk)).count();
    }
    println!("{:<14}{state:<20} {:>7.4}", "recall@10", found as f64 / expected as f64);
    Ok(())
}

/// What it costs to do the work on a blocking thread: a search that finds nothing.
async fn hop(index: &EmbeddedIndex) -> anyhow::Result<()> {
    let mut nanos = Vec::new();
    for _ in 0..2_000 {
        let start = now();
        index.search(&namespace(), Vec::new()).await?;
        nanos.push(start.elapsed().as_nanos() as i64);
    }
    println!("hop to a blocking thread       p50 {:>7.1} us", Percentiles::of(nanos).p50 * 1e3);
    Ok(())
}

async fn report_index(moment: &str, baseline: Memory, index: &EmbeddedIndex) -> anyhow::Result<()> {
    report_memory(moment, baseline)?;
    let stats = index.stats(&namespace()).await?;
    println!("  {} points in {} segments, {} MiB on disk", stats.points, stats.segments, stats.bytes >> 20);
    Ok(())
}

fn report_memory(moment: &str, baseline: Memory) -> anyhow::Result<()> {
    let now = memory(std::process::id())?;
    println!(
        "memory {moment:<18} {:>7.0} MB more than at the start, {:.0} MB not backed by files",
        now.resident_mb - baseline.resident_mb,
        now.unbacked_mb
    );
    Ok(())
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
