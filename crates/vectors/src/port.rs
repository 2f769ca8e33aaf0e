//! The port: what the knowledge side needs of an index of vectors.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use mainstay_domain::port::MultiVector;
use mainstay_domain::{ChunkId, CorpusName, TenantId};
use serde::{Deserialize, Serialize};

use crate::error::IndexError;
use crate::filter::{Fields, Filter};
use crate::sparse::SparseVector;

/// An index of vectors, divided into namespaces that see nothing of each other.
///
/// **Writes.** [`upsert`](Self::upsert) and [`delete`](Self::delete) are visible to every search that starts after they
/// have returned, and a deleted chunk is never found again. They are idempotent, so that events may be sent twice.
/// They survive a kill of the process only from the next [`flush`](Self::flush) on.
///
/// **Failures.** After [`IndexError::Storage`] or [`IndexError::Damaged`], and after a kill, writes since the last flush
/// may be lost. The index then answers [`IndexError::Suspended`] until it is [opened](Self::open) again, which says from
/// where to resend. Other errors change nothing. No input, and no state of the storage, makes a method panic.
///
/// **Cancellation.** Dropping a future may leave its work to finish in the background. A search changes nothing; a
/// write has then happened wholly, partly or not at all, and is to be sent again.
#[async_trait]
pub trait VectorIndex: Send + Sync {
    /// Opens a namespace, or creates it where there is none, and returns the checkpoint of its last flush: the events
    /// after it are to be sent again. A namespace that was just created returns [`Checkpoint::START`].
    ///
    /// # Errors
    ///
    /// [`IndexError::OtherSettings`] where the namespace was built with other settings: its vectors cannot be compared
    /// with new ones. [`IndexError::Damaged`] where it cannot be read. Both are mended by
    /// [`drop_namespace`](Self::drop_namespace), `open` and sending everything again.
    async fn open(&self, namespace: &Namespace, settings: &IndexSettings) -> Result<Checkpoint, IndexError>;

    /// Inserts points, or replaces those whose ids are there already. Of two points with one id the later wins.
    ///
    /// # Errors
    ///
    /// [`IndexError::InvalidPoint`] where a vector does not fit the settings or holds a number that is not finite; then
    /// nothing of the batch was written.
    async fn upsert(&self, namespace: &Namespace, points: Vec<Point>) -> Result<(), IndexError>;

    /// Deletes points. An id that is not there is not an error.
    async fn delete(&self, namespace: &Namespace, chunks: Vec<ChunkId>) -> Result<(), IndexError>;

    /// Runs searches over one namespace and returns their hits in the same order, each list best first.
    ///
    /// # Errors
    ///
    /// [`IndexError::InvalidQuery`] where a query does not fit the settings of the namespace.
    async fn search(&self, namespace: &Namespace, searches: Vec<Search>)
    -> Result<Vec<Vec<Hit>>, IndexError>;

    /// Makes everything written so far durable, then remembers `checkpoint` with it.
    ///
    /// `checkpoint` must name an event whose write had returned before the call, as must those of all events before it.
    async fn flush(&self, namespace: &Namespace, checkpoint: Checkpoint) -> Result<(), IndexError>;

    /// Puts the index in order: merges what was written piece by piece, reclaims what was deleted, builds the graph
    /// that large namespaces are searched by. To be called after a larger batch of writes; cheap when there is nothing
    /// to do. Searches and writes go on meanwhile, a flush waits.
    async fn optimize(&self, namespace: &Namespace) -> Result<(), IndexError>;

    /// How many points there are, and what they cost.
    async fn stats(&self, namespace: &Namespace) -> Result<IndexStats, IndexError>;

    /// The namespaces that exist, readable or damaged, in order.
    async fn namespaces(&self) -> Result<Vec<Namespace>, IndexError>;

    /// Deletes a namespace and all that is in it. One that is not there is not an error.
    async fn drop_namespace(&self, namespace: &Namespace) -> Result<(), IndexError>;

    /// Makes everything durable and lets go of files and memory, for an orderly end. A later call opens again what it
    /// needs.
    async fn close(&self) -> Result<(), IndexError>;
}

/// One tenant's one corpus.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Namespace {
    /// Whose corpus.
    pub tenant: TenantId,
    /// Which corpus.
    pub corpus: CorpusName,
}

impl Namespace {
    /// The namespace of a tenant's corpus.
    pub fn new(tenant: impl Into<TenantId>, corpus: impl Into<CorpusName>) -> Self {
        Self { tenant: tenant.into(), corpus: corpus.into() }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of tenant {:?}", self.corpus.as_str(), self.tenant.as_str())
    }
}

/// What a namespace is built with. Vectors of other models cannot be compared, so it never changes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IndexSettings {
    /// The model that makes the dense vectors, as [`mainstay_domain::port::Embedder::model`] names it.
    pub embedder: String,
    /// Numbers per dense vector, 1 to 65,536.
    pub dimension: usize,
    /// The kinds of sparse vector that points carry beside the dense one.
    pub channels: Vec<SparseChannel>,
    /// Numbers per vector of the multi-vectors that points carry beside the dense one, 1 to 65,536; `None` where they carry
    /// none.
    #[serde(default)]
    pub multi_dimension: Option<usize>,
}

/// A kind of sparse vector.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SparseChannel {
    /// Words, weighted as BM25 does.
    Bm25,
    /// The words of the larger piece that the chunk is the first of, weighted as BM25 does: finds what no single chunk
    /// says, but several together.
    Parent,
    /// Runs of characters, weighted as BM25 does: finds words in spellings that the analyzer does not bring together.
    Grams,
}

impl SparseChannel {
    /// The channel's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bm25 => "bm25",
            Self::Parent => "parent",
            Self::Grams => "grams",
        }
    }
}

/// A chunk as the index holds it.
#[derive(Clone, PartialEq, Debug)]
pub struct Point {
    /// Which chunk.
    pub chunk: ChunkId,
    /// The dense vector, [`IndexSettings::dimension`] numbers. Of length 1, or 0 where the model knows nothing of the
    /// text: then no dense search finds it.
    pub dense: Vec<f32>,
    /// The sparse vectors. A channel that is missing here, or empty, is not searched for this chunk.
    pub sparse: Vec<(SparseChannel, SparseVector)>,
    /// The multi-vector, whose vectors have [`IndexSettings::multi_dimension`] numbers. Empty where there is none.
    pub multi: MultiVector,
    /// What searches can be narrowed by; the chunks of a document share it.
    pub fields: Arc<Fields>,
}

/// One search.
#[derive(Clone, PartialEq, Debug)]
pub struct Search {
    /// What to look for.
    pub query: Query,
    /// How many hits at most.
    pub limit: usize,
    /// Which points may be found; without it, all. How rare a term is counts over all of them either way.
    pub filter: Option<Arc<Filter>>,
}

/// What to look for.
#[derive(Clone, PartialEq, Debug)]
pub enum Query {
    /// The chunks whose dense vectors have the greatest dot product with this one: for vectors of length 1 their
    /// cosine. A vector of length 0 finds nothing.
    Dense {
        /// The question's vector.
        vector: Vec<f32>,
        /// How sure to be that nothing better was missed.
        accuracy: Accuracy,
    },
    /// The same as [`Query::Dense`] after the question was moved towards chunks: by the dot product with
    /// `(q + share · mean of the chunks' vectors) / length` (Rocchio's relevance feedback). Chunks that the index does not have
    /// count for nothing.
    Towards {
        /// The question's vector q, of length 1.
        vector: Vec<f32>,
        /// The chunks.
        chunks: Vec<ChunkId>,
        /// How much their mean counts beside the question.
        share: f32,
    },
    /// The chunks that share terms with this vector, by `Σ idf(term) · query weight · chunk weight`, where
    /// `idf = ln(1 + (N - n + 0.5) / (n + 0.5))` for a term that n of the N chunks contain: BM25's. Chunks deleted since
    /// the last [`VectorIndex::optimize`] may still be counted in n and N; they are never found.
    Sparse {
        /// The kind of term.
        channel: SparseChannel,
        /// The question's terms with their weights.
        vector: SparseVector,
    },
    /// Those of some chunks that have a multi-vector, by `mean over q of max over d of q · d` with the question's vectors q
    /// and the chunk's vectors d: MaxSim, from −1 to 1. An index may keep a chunk's vectors less exactly than it was given
    /// them.
    Multi {
        /// The question's vectors.
        vector: MultiVector,
        /// The chunks that are compared.
        among: Vec<ChunkId>,
    },
}

/// Where [`Query::Towards`] searches from, of length 1: the question, and by `share` the mean of these vectors.
pub(crate) fn move_towards<'v>(
    question: &[f32],
    vectors: impl Iterator<Item = &'v [f32]>,
    share: f32,
) -> Vec<f32> {
    let (mut sum, mut count) = (vec![0.0; question.len()], 0.0f32);
    for vector in vectors {
        count += 1.0;
        sum.iter_mut().zip(vector).for_each(|(sum, number)| *sum += number);
    }
    let of_sum = share / count.max(1.0);
    let moved = question.iter().zip(sum).map(|(number, sum)| number + of_sum * sum);
    let moved: Vec<f32> = moved.collect();
    let length = moved.iter().map(|number| number * number).sum::<f32>().sqrt();
    if length > 0.0 { moved.into_iter().map(|number| number / length).collect() } else { moved }
}

/// How a dense search trades time for certainty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accuracy {
    /// By the graph where there is one: of the true ten best at least 98 in 100 are found.
    Indexed,
    /// Every vector is compared: what [`Accuracy::Indexed`] is measured against.
    Exact,
}

/// A chunk that was found.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Hit {
    /// Which chunk.
    pub chunk: ChunkId,
    /// How well it fits; comparable only within one list.
    pub score: f32,
}

impl Hit {
    /// The hits in the order of their scores, equals in the order of their ids, so that the order is the same every time.
    pub fn best_first(mut hits: Vec<Self>) -> Vec<Self> {
        hits.sort_by(|one, other| other.score.total_cmp(&one.score).then(one.chunk.cmp(&other.chunk)));
        hits
    }
}

/// The number of the last event of the relational store whose effect a flushed index contains.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Checkpoint(pub u64);

impl Checkpoint {
    /// Before the first event: the index contains nothing that could be relied on.
    pub const START: Self = Self(0);
}

/// The size of a namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexStats {
    /// Points that can be found.
    pub points: usize,
    /// Parts that a search visits one after the other.
    pub segments: usize,
    /// Bytes on disk.
    pub bytes: u64,
}
