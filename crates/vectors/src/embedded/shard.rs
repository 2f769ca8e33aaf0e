//! One open qdrant shard: our points and queries in its terms, and its failures, panics included, as errors.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mainstay_domain::ChunkId;
use mainstay_domain::port::MultiVector;
use qdrant_edge as qdrant;
use qdrant_edge::external::ordered_float::OrderedFloat;

use super::EmbeddedOptions;
use super::codes;
use super::payload::{self, IndexedFields};
use crate::filter::Filter;
use crate::port::{Accuracy, Hit, IndexSettings, Point, Query, Search, move_towards};
use crate::sparse::SparseVector;

/// Qdrant's name of the dense vector.
const DENSE: &str = "dense";
/// Qdrant's name of the codes of the multi-vector.
const MULTI: &str = "multi";
/// Vectors of a multi-vector, about: to guess how much so many points take.
const MULTI_VECTORS: usize = 64;
/// Links per point of the graph, on every level but the lowest, which has twice as many.
const GRAPH_LINKS: usize = 16;
/// Candidates kept while a point is linked. More make a better graph and take longer to build.
const GRAPH_BUILD_CANDIDATES: usize = 128;
/// Candidates kept while the graph is searched. More find more of the true neighbours and take longer.
const GRAPH_SEARCH_CANDIDATES: usize = 256;
/// Parts that a shard is kept in: one that is written to and some in their final order. Fewer make searches faster,
/// more make it cheaper to put a small batch in order.
const SEGMENTS: usize = 3;
/// Share of deleted points from which on a part is rewritten.
const DELETED_SHARE: f64 = 0.1;
/// Points from which on a part is rewritten for its deleted points.
const MIN_REWRITTEN: usize = 100;
/// Bytes of one number of a dense vector.
const DENSE_BYTES: usize = 4;
/// Points per write: what a search may have to wait for.
const BATCH: usize = 256;
/// Bytes per file of the log.
const LOG_FILE: usize = 4 << 20;

/// How qdrant fails.
#[derive(Debug, thiserror::Error)]
pub(super) enum EngineError {
    /// It said that something went wrong.
    #[error("{0}")]
    Failed(String),
    /// It panicked. Outside of a flush that means that it did not find in its files what it had put there.
    #[error("the engine stopped: {0}")]
    Stopped(String),
}

/// An open shard.
pub(super) struct Shard {
    engine: Engine,
    settings: IndexSettings,
    /// The fields that points can be filtered by without looking at each of them.
    indexed: IndexedFields,
    /// Held while points are written, and by a flush. Qdrant panics when these meet, and when a flush meets an
    /// optimization, which the slot sees to.
    writes: Mutex<()>,
}

impl std::fmt::Debug for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shard").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Shard {
    /// Makes a shard in an empty folder.
    pub(super) fn create(
        folder: &Path,
        settings: IndexSettings,
        options: &EmbeddedOptions,
    ) -> Result<Self, EngineError> {
        let config = shard_config(&settings, options);
        Self::new(guarded(|| qdrant::EdgeShard::new(folder, config))?, settings)
    }

    /// Opens the shard of a folder.
    pub(super) fn load(folder: &Path, settings: IndexSettings) -> Result<Self, EngineError> {
        Self::new(guarded(|| qdrant::EdgeShard::load(folder, None))?, settings)
    }

    fn new(engine: qdrant::EdgeShard, settings: IndexSettings) -> Result<Self, EngineError> {
        let engine = Engine(Some(engine));
        let indexed = IndexedFields::of(&guarded(|| Ok(engine.get().info()))?);
        Ok(Self { engine, settings, indexed, writes: Mutex::default() })
    }

    pub(super) fn settings(&self) -> &IndexSettings {
        &self.settings
    }

    /// Writes everything to the disk and lets go of the files.
    pub(super) fn close(mut self) -> Result<(), EngineError> {
        self.engine.close()
    }

    /// Inserts or replaces points that fit the settings.
    pub(super) fn upsert(&self, points: Vec<Point>) -> Result<(), EngineError> {
        for create in self.indexed.missing(&points) {
            let name = create.field_name.first_key.clone();
            let operation = qdrant::FieldIndexOperations::CreateIndex(create);
            self.write(qdrant::UpdateOperation::FieldIndexOperation(operation))?;
            self.indexed.add(name);
        }
        let mut points = points.into_iter().map(|point| self.stored_point(point)).peekable();
        while points.peek().is_some() {
            let batch = qdrant::PointInsertOperations::PointsList(points.by_ref().take(BATCH).collect());
            self.write(qdrant::UpdateOperation::PointOperation(qdrant::PointOperations::UpsertPoints(
                batch,
            )))?;
        }
        Ok(())
    }

    /// Deletes points.
    pub(super) fn delete(&self, chunks: &[ChunkId]) -> Result<(), EngineError> {
        for batch in chunks.chunks(BATCH) {
            let ids = batch.iter().map(|chunk| qdrant::PointId::NumId(chunk.0)).collect();
            self.write(qdrant::UpdateOperation::PointOperation(qdrant::PointOperations::DeletePoints {
                ids,
            }))?;
        }
        Ok(())
    }

    fn write(&self, operation: qdrant::UpdateOperation) -> Result<(), EngineError> {
        let _writes = lock(&self.writes);
        guarded(|| self.engine.get().update(operation))
    }

    /// Runs a query that fits the settings.
    pub(super) fn search(&self, search: Search) -> Result<Vec<Hit>, EngineError> {
        let engine = self.engine.get();
        let limit = search.limit.min(guarded(|| Ok(engine.info().points_count))?);
        if limit == 0 || finds_nothing(&search.query) {
            return Ok(Vec::new());
        }
        let (vector, name, params) = match search.query {
            Query::Multi { vector, among } => {
                let mut hits = self.compare(&vector, &among, search.filter.as_deref())?;
                hits.truncate(search.limit);
                return Ok(hits);
            }
            Query::Dense { vector, accuracy } => dense_query(vector, accuracy),
            Query::Towards { vector, chunks, share } => {
                let known = self.vectors_of(DENSE, &chunks, None)?;
                let known: Vec<Vec<f32>> =
                    known.into_iter().filter_map(|(_, vector)| dense_of(vector)).collect();
                let moved = move_towards(&vector, known.iter().map(Vec::as_slice), share);
                dense_query(moved, Accuracy::Indexed)
            }
            Query::Sparse { channel, vector } => {
                (qdrant::VectorInternal::Sparse(engine_sparse(vector)), channel.as_str(), None)
            }
        };
        // Deleted points are holes as well, and are stepped over only where there is a filter.
        let filter = match &search.filter {
            Some(filter) => Some(payload::engine_filter(filter)),
            None if name == DENSE && self.has_graph() => Some(payload::everything()),
            None => None,
        };
        let nearest = qdrant::QueryEnum::Nearest(qdrant::NamedQuery::new(vector, name));
        let request = qdrant::QueryRequest {
            prefetches: Vec::new(),
            query: Some(qdrant::ScoringQuery::Vector(nearest)),
            filter,
            score_threshold: None,
            limit,
            offset: 0,
            params,
            with_vector: qdrant::WithVector::Bool(false),
            with_payload: qdrant::WithPayloadInterface::Bool(false),
        };
        let found = guarded(|| engine.query(request))?;
        Ok(Hit::best_first(found.into_iter().filter_map(hit).collect()))
    }

    /// Compares points with a question vector by vector. Qdrant keeps their codes; it knows nothing of what they mean.
    fn compare(
        &self,
        question: &MultiVector,
        among: &[ChunkId],
        filter: Option<&Filter>,
    ) -> Result<Vec<Hit>, EngineError> {
        let found = self.vectors_of(MULTI, among, filter)?;
        let codes = found.into_iter().filter_map(|(chunk, vector)| Some((chunk, codes_of(vector)?)));
        let (chunks, codes): (Vec<ChunkId>, Vec<Vec<u8>>) = codes.unzip();
        let scores = codes::closeness(question, &codes);
        let hits = chunks.into_iter().zip(scores).map(|(chunk, score)| Hit { chunk, score });
        Ok(Hit::best_first(hits.collect()))
    }

    /// The vectors of this name that chunks have, those of them that there are and that the filter passes, in any order.
    fn vectors_of(
        &self,
        name: &str,
        among: &[ChunkId],
        filter: Option<&Filter>,
    ) -> Result<Vec<(ChunkId, qdrant::VectorInternal)>, EngineError> {
        let request = qdrant::QueryRequest {
            prefetches: Vec::new(),
            query: None,
            filter: Some(payload::engine_filter_among(among.iter().copied(), filter)),
            score_threshold: None,
            limit: among.len(),
            offset: 0,
            params: None,
            with_vector: qdrant::WithVector::Selector(vec![name.to_owned()]),
            with_payload: qdrant::WithPayloadInterface::Bool(false),
        };
        let found = guarded(|| self.engine.get().query(request))?;
        let vector = |point: qdrant::ScoredPoint| {
            let qdrant::VectorStructInternal::Named(mut named) = point.vector? else { return None };
            Some((chunk_of(point.id)?, named.remove(name)?))
        };
        Ok(found.into_iter().filter_map(vector).collect())
    }

    /// Writes everything to the disk, then calls `then` before anything else can be written.
    pub(super) fn flush<T>(&self, then: impl FnOnce() -> T) -> Result<T, EngineError> {
        let _writes = lock(&self.writes);
        let flushed = guarded(|| {
            self.engine.get().flush();
            Ok(())
        });
        // Qdrant has no other way to say that the disk does not take it.
        flushed.map_err(|error| EngineError::Failed(error.to_string()))?;
        Ok(then())
    }

    /// Merges, reclaims and indexes; calls `before` first, while nothing else rearranges or flushes. Switches to searching by a graph once there are more points than are compared one
    /// by one, and stays there.
    pub(super) fn optimize<E: From<EngineError>>(
        &self,
        options: &EmbeddedOptions,
        before: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        before()?;
        let engine = self.engine.get();
        guarded(|| {
            if engine.info().points_count > options.exact_points {
                let graph = graph_config(&self.settings, options, GRAPH_LINKS);
                if self.graph() != Some(graph) {
                    engine.set_vector_hnsw_config(DENSE, graph)?;
                }
            }
            engine.optimize()?;
            Ok(())
        })?;
        Ok(())
    }

    /// How the graph is built.
    fn graph(&self) -> Option<qdrant::HnswIndexConfig> {
        self.engine.get().config().vectors.get(DENSE).and_then(|dense| dense.hnsw_config)
    }

    /// Whether searches go by a graph.
    fn has_graph(&self) -> bool {
        self.graph().is_some_and(|graph| graph.m > 0)
    }

    /// How many points can be found.
    pub(super) fn count(&self) -> Result<usize, EngineError> {
        guarded(|| self.engine.get().count(qdrant::CountRequest { filter: None, exact: true }))
    }

    /// How many parts there are.
    pub(super) fn segments(&self) -> Result<usize, EngineError> {
        guarded(|| Ok(self.engine.get().info().segments_count))
    }

    /// A point as qdrant stores it. All channels are written, missing ones empty: qdrant keeps what is not named.
    fn stored_point(&self, point: Point) -> qdrant::PointStructPersisted {
        let mut vectors: HashMap<String, qdrant::VectorPersisted> = HashMap::new();
        vectors.insert(DENSE.to_owned(), qdrant::VectorPersisted::Dense(point.dense));
        for channel in &self.settings.channels {
            vectors.insert(
                channel.as_str().to_owned(),
                qdrant::VectorPersisted::Sparse(qdrant::SparseVector::default()),
            );
        }
        for (channel, vector) in point.sparse {
            vectors
                .insert(channel.as_str().to_owned(), qdrant::VectorPersisted::Sparse(engine_sparse(vector)));
        }
        if let Some(dimension) = self.settings.multi_dimension {
            let codes = codes::encode(&point.multi).into_iter();
            let mut rows: Vec<Vec<f32>> =
                codes.map(|code| code.into_iter().map(f32::from).collect()).collect();
            if rows.is_empty() {
                rows.push(vec![0.0; codes::width(dimension)]);
            }
            vectors.insert(MULTI.to_owned(), qdrant::VectorPersisted::MultiDense(rows));
        }
        qdrant::PointStructPersisted {
            id: qdrant::PointId::NumId(point.chunk.0),
            vector: qdrant::VectorStructPersisted::Named(vectors),
            payload: Some(payload::stored_fields(&point.fields)),
        }
    }
}

/// Qdrant's shard. It flushes when it is dropped, and panics when that fails.
struct Engine(Option<qdrant::EdgeShard>);

impl Engine {
    fn get(&self) -> &qdrant::EdgeShard {
        self.0.as_ref().expect("the engine is taken out only where the shard is consumed or dropped")
    }

    fn close(&mut self) -> Result<(), EngineError> {
        let engine = self.0.take();
        guarded(|| {
            drop(engine);
            Ok(())
        })
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "an index could not be written to the disk when it was closed");
        }
    }
}

/// Runs an operation of qdrant's and makes an error of its panics. It leaves its locks free when it unwinds; the caller
/// lets go of the shard after an error, so that nobody sees what an unfinished operation has left.
fn guarded<T>(operation: impl FnOnce() -> qdrant::OperationResult<T>) -> Result<T, EngineError> {
    match catch_unwind(AssertUnwindSafe(operation)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(EngineError::Failed(error.to_string())),
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("for a reason it did not name");
            Err(EngineError::Stopped(text.to_owned()))
        }
    }
}

fn lock(mutex: &Mutex<()>) -> MutexGuard<'_, ()> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn dense_query(
    vector: Vec<f32>,
    accuracy: Accuracy,
) -> (qdrant::VectorInternal, &'static str, Option<qdrant::SearchParams>) {
    let params = qdrant::SearchParams {
        hnsw_ef: Some(GRAPH_SEARCH_CANDIDATES),
        exact: accuracy == Accuracy::Exact,
        // Points that a filter does not pass are holes in the graph: they are stepped over, however few there are.
        acorn: Some(qdrant::AcornSearchParams { enable: true, max_selectivity: Some(OrderedFloat(1.0)) }),
        ..qdrant::SearchParams::default()
    };
    (qdrant::VectorInternal::Dense(vector), DENSE, Some(params))
}

fn finds_nothing(query: &Query) -> bool {
    match query {
        Query::Dense { vector, .. } | Query::Towards { vector, .. } => {
            vector.iter().all(|&number| number == 0.0)
        }
        Query::Sparse { vector, .. } => vector.is_empty(),
        Query::Multi { vector, among } => vector.is_empty() || among.is_empty(),
    }
}

/// A hit, unless it has nothing in common with the query.
fn hit(found: qdrant::ScoredPoint) -> Option<Hit> {
    let chunk = chunk_of(found.id)?;
    (found.score != 0.0).then_some(Hit { chunk, score: found.score })
}

fn chunk_of(id: qdrant::PointId) -> Option<ChunkId> {
    match id {
        qdrant::PointId::NumId(chunk) => Some(ChunkId(chunk)),
        qdrant::PointId::Uuid(_) => None,
    }
}

fn dense_of(vector: qdrant::VectorInternal) -> Option<Vec<f32>> {
    match vector {
        qdrant::VectorInternal::Dense(numbers) => Some(numbers),
        _ => None,
    }
}

/// The codes of a point, one after the other; `None` where it has none.
fn codes_of(vector: qdrant::VectorInternal) -> Option<Vec<u8>> {
    let qdrant::VectorInternal::MultiDense(rows) = vector else { return None };
    let bytes: Vec<u8> = rows.flattened_vectors.into_iter().map(|byte| byte as u8).collect();
    // What stands for none ends with 0.
    bytes.last().is_some_and(|&divisor| divisor > 0).then_some(bytes)
}

fn engine_sparse(vector: SparseVector) -> qdrant::SparseVector {
    let (indices, values) = vector.into_parts();
    qdrant::SparseVector { indices, values }
}

fn shard_config(settings: &IndexSettings, options: &EmbeddedOptions) -> qdrant::EdgeConfig {
    let dense = qdrant::EdgeVectorParamsBuilder::new(settings.dimension, qdrant::Distance::Dot)
        .on_disk(true)
        .hnsw_config(graph_config(settings, options, 0))
        .build();
    let mut config = qdrant::EdgeConfigBuilder::new()
        .on_disk_payload(true)
        .vector(DENSE, dense)
        .optimizers(qdrant::EdgeOptimizersConfig {
            deleted_threshold: Some(DELETED_SHARE),
            vacuum_min_vector_number: Some(MIN_REWRITTEN),
            default_segment_number: Some(SEGMENTS),
            // No limit: what is written later is merged into what is there.
            max_segment_size: Some(usize::MAX / 1024),
            indexing_threshold: Some(loose_kilobytes(settings, options)),
            prevent_unoptimized: None,
        })
        .wal_options(qdrant::WalOptions { segment_capacity: LOG_FILE, ..qdrant::WalOptions::default() });
    if let Some(dimension) = settings.multi_dimension {
        let multi = qdrant::EdgeVectorParamsBuilder::new(codes::width(dimension), qdrant::Distance::Dot)
            .on_disk(true)
            .datatype(qdrant::VectorStorageDatatype::Uint8)
            .multivector_config(qdrant::MultiVectorConfig {
                comparator: qdrant::MultiVectorComparator::MaxSim,
            })
            .hnsw_config(graph_config(settings, options, 0))
            .build();
        config = config.vector(MULTI, multi);
    }
    for channel in &settings.channels {
        let params = qdrant::EdgeSparseVectorParamsBuilder::new()
            .on_disk(true)
            .modifier(qdrant::Modifier::Idf)
            .build();
        config = config.sparse_vector(channel.as_str(), params);
    }
    config.build()
}

/// The graph with so many links per point; with none it is not built, and every vector is compared.
fn graph_config(
    settings: &IndexSettings,
    options: &EmbeddedOptions,
    links: usize,
) -> qdrant::HnswIndexConfig {
    qdrant::HnswIndexConfig {
        m: links,
        ef_construct: GRAPH_BUILD_CANDIDATES,
        full_scan_threshold: kilobytes(settings, options.exact_points),
        max_indexing_threads: 0,
        on_disk: Some(true),
        // Links among the points that share a text of a field, where they are too many to be compared: a filter to them
        // would else find holes in the graph. See `payload::index_of`.
        payload_m: Some(links),
        inline_storage: None,
    }
}

/// The size in kilobytes from which on points that lie loose are put in order, counted in those of their vectors that take
/// the most.
fn loose_kilobytes(settings: &IndexSettings, options: &EmbeddedOptions) -> usize {
    let loose = options.loose_points.get();
    let multi = settings.multi_dimension.map_or(0, |dimension| codes::width(dimension) * MULTI_VECTORS);
    kilobytes(settings, loose).max(loose.saturating_mul(multi).div_ceil(1024))
}

/// The size of so many dense vectors in kilobytes, at least 1: qdrant takes 0 for no limit.
fn kilobytes(settings: &IndexSettings, points: usize) -> usize {
    points.saturating_mul(settings.dimension * DENSE_BYTES).div_ceil(1024).max(1)
}
