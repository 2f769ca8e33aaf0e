//! What goes into the document store and what comes out of it.

use std::fmt;

use mainstay_domain::{ByteRange, ChunkId, CorpusName, DocumentId, Metadata, TenantId, Timestamp, UserId};

use super::quarantine::{Finding, Quarantined};

/// A version of a document. Numbers grow over all documents and are never reused: a later version of a document has
/// the larger one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The position of an event in the log. Numbers grow and are never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct EventSeq(pub u64);

/// The SHA-256 of what a document was made from: its source bytes, and whatever else should count as a change of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The SHA-256 of the parts one after the other; each is preceded by its length, so that moving bytes from one part
    /// to the next is a change.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        use sha2::{Digest, Sha256};
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A collection of documents that share one vector index.
#[derive(Clone, PartialEq, Debug)]
pub struct Corpus {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its name, unique for its tenant.
    pub name: CorpusName,
    /// The embedder, `provider/model`.
    pub embedder: String,
    /// Numbers per vector.
    pub dimension: usize,
    /// Settings of its index, in the words of the indexer.
    pub settings: serde_json::Value,
    /// When it was created.
    pub created_at: Timestamp,
}

/// How much a corpus holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CorpusCounts {
    /// Visible documents.
    pub documents: u64,
    /// Their chunks.
    pub chunks: u64,
    /// Bytes of their texts.
    pub text_bytes: u64,
    /// Bytes of what they were made from.
    pub source_bytes: u64,
    /// Those of the chunks that no search finds.
    pub quarantined: Quarantined,
    /// The same by language, most documents first.
    pub languages: Vec<LanguageCounts>,
}

impl CorpusCounts {
    /// The chunks that searches can find.
    pub fn searchable_chunks(&self) -> u64 {
        self.chunks.saturating_sub(self.quarantined.values().sum())
    }
}

/// How much a corpus holds in one language.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LanguageCounts {
    /// The language as documents name it; `None` for those without one.
    pub language: Option<String>,
    /// Visible documents.
    pub documents: u64,
    /// Their chunks.
    pub chunks: u64,
}

/// A document as it is to be stored.
#[derive(Clone, PartialEq, Debug)]
pub struct NewDocument {
    /// Its id in the corpus. An id that exists is replaced.
    pub doc_id: DocumentId,
    /// Its title.
    pub title: Option<String>,
    /// What it was made from: `text/markdown`.
    pub media_type: String,
    /// The language of most of it.
    pub language: Option<String>,
    /// The file or address that it was made from, for people.
    pub source_name: Option<String>,
    /// What tells whether it has changed.
    pub fingerprint: Fingerprint,
    /// Bytes of what it was made from.
    pub source_bytes: u64,
    /// The canonical text: byte ranges refer to it.
    pub text: String,
    /// Whatever else its owner says about it.
    pub metadata: Metadata,
    /// Who brought it, where that is known.
    pub author: Option<UserId>,
    /// The pieces to search, in the order of the text.
    pub chunks: Vec<NewChunk>,
}

/// A piece of a new document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewChunk {
    /// Where it is in the text.
    pub range: ByteRange,
    /// The larger piece that is read when it is found; contains `range`.
    pub parent_range: ByteRange,
    /// The headings above it, outermost first.
    pub headings: Vec<String>,
    /// Its language, where it is not the document's.
    pub language: Option<String>,
    /// Why no search is to find it, if so.
    pub finding: Option<Finding>,
}

/// The chunk ids of a revision: they follow each other without a gap, in the order of the text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ChunkSpan {
    /// The first id.
    pub first: ChunkId,
    /// How many there are.
    pub count: u64,
}

impl ChunkSpan {
    /// The ids.
    pub fn ids(self) -> impl Iterator<Item = ChunkId> + Clone {
        (self.first.0..self.first.0 + self.count).map(ChunkId)
    }

    /// Whether the id is one of them.
    pub const fn contains(self, chunk: ChunkId) -> bool {
        self.first.0 <= chunk.0 && chunk.0 < self.first.0 + self.count
    }
}

/// Documents that were accepted together: durable, and to be published when they are indexed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AcceptedBatch {
    /// Whose they are.
    pub tenant: TenantId,
    /// Their corpus.
    pub corpus: CorpusName,
    /// When they were accepted.
    pub accepted_at: Timestamp,
    /// The documents, in the order in which they were given.
    pub documents: Vec<AcceptedDocument>,
}

/// A document that was accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AcceptedDocument {
    /// Its id.
    pub doc_id: DocumentId,
    /// Its new version.
    pub revision: Revision,
    /// The ids of its chunks, in the order in which they were given.
    pub chunks: ChunkSpan,
}

/// What [`publish`](super::DocumentStore::publish) did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Published {
    /// The revisions that are visible now.
    pub visible: Vec<Revision>,
    /// Revisions whose chunks are to be removed from the vector index: those that were replaced, and those of the batch
    /// that were deleted or replaced before they could become visible.
    pub retired: Vec<RetiredRevision>,
}

/// A version of a document that can no longer be read, and whose chunks the vector index may still hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RetiredRevision {
    /// Whose document it was.
    pub tenant: TenantId,
    /// Its corpus.
    pub corpus: CorpusName,
    /// The version.
    pub revision: Revision,
    /// The ids of its chunks.
    pub chunks: ChunkSpan,
}

/// What is known about a visible document.
#[derive(Clone, PartialEq, Debug)]
pub struct DocumentRecord {
    /// Its id.
    pub doc_id: DocumentId,
    /// The visible version.
    pub revision: Revision,
    /// Its title.
    pub title: Option<String>,
    /// What it was made from: `text/markdown`.
    pub media_type: String,
    /// The language of most of it.
    pub language: Option<String>,
    /// The file or address that it was made from.
    pub source_name: Option<String>,
    /// What tells whether it has changed.
    pub fingerprint: Fingerprint,
    /// Bytes of what it was made from.
    pub source_bytes: u64,
    /// Bytes of its text.
    pub text_bytes: u64,
    /// Its chunks.
    pub chunks: ChunkSpan,
    /// Those of them that no search finds.
    pub quarantined: Quarantined,
    /// When its id was first seen.
    pub created_at: Timestamp,
    /// When the visible version was accepted.
    pub updated_at: Timestamp,
    /// Whether a newer version is on its way.
    pub status: DocumentStatus,
    /// Whatever else its owner said about it.
    pub metadata: Metadata,
}

/// The state of a visible document.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DocumentStatus {
    /// It is searchable, and nothing newer was accepted.
    Searchable,
    /// It is searchable, and a newer version is being indexed.
    Updating,
}

impl DocumentStatus {
    /// The status's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Searchable => "searchable",
            Self::Updating => "updating",
        }
    }
}

/// A chunk with its texts, as a search result needs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChunkRow {
    /// The chunk.
    pub chunk: ChunkId,
    /// Its document.
    pub doc_id: DocumentId,
    /// The document's version.
    pub revision: Revision,
    /// The document's title.
    pub title: Option<String>,
    /// The headings above it, outermost first.
    pub headings: Vec<String>,
    /// Its language, or else the document's.
    pub language: Option<String>,
    /// Where it is in the document's text.
    pub range: ByteRange,
    /// Exactly the bytes of `range`.
    pub text: String,
    /// The larger piece that is read; contains `range`.
    pub parent_range: ByteRange,
    /// Exactly the bytes of `parent_range`.
    pub parent_text: String,
}

/// A stored document with all that its vectors are made from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IndexableDocument {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its corpus.
    pub corpus: CorpusName,
    /// Its id.
    pub doc_id: DocumentId,
    /// The version.
    pub revision: Revision,
    /// Its title.
    pub title: Option<String>,
    /// What it was made from: `text/markdown`.
    pub media_type: String,
    /// The language of most of it.
    pub language: Option<String>,
    /// Whatever else its owner said about it.
    pub metadata: Metadata,
    /// When this version was accepted.
    pub accepted_at: Timestamp,
    /// The canonical text.
    pub text: String,
    /// Its chunks, in the order of their ids.
    pub chunks: Vec<IndexableChunk>,
}

impl IndexableDocument {
    /// The text of one of its chunks.
    pub fn text_of(&self, chunk: &IndexableChunk) -> &str {
        self.text.get(chunk.range.start..chunk.range.end).unwrap_or_default()
    }

    /// Its chunks that no search finds.
    pub fn quarantined(&self) -> Vec<ChunkId> {
        self.chunks.iter().filter(|chunk| chunk.finding.is_some()).map(|chunk| chunk.chunk).collect()
    }

    /// What [`publish`](super::DocumentStore::publish) wants to know when its chunks are indexed.
    pub fn accepted(&self) -> AcceptedDocument {
        let first = self.chunks.first().map_or(ChunkId(0), |chunk| chunk.chunk);
        AcceptedDocument {
            doc_id: self.doc_id.clone(),
            revision: self.revision,
            chunks: ChunkSpan { first, count: self.chunks.len() as u64 },
        }
    }
}

/// A chunk of an [`IndexableDocument`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IndexableChunk {
    /// The chunk.
    pub chunk: ChunkId,
    /// Where it is in the text.
    pub range: ByteRange,
    /// The larger piece around it.
    pub parent_range: ByteRange,
    /// The headings above it, outermost first.
    pub headings: Vec<String>,
    /// Its language, where it is not the document's.
    pub language: Option<String>,
    /// Why no search finds it, if so.
    pub finding: Option<Finding>,
}

/// A larger piece of a document that several chunks may share.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ParentId {
    /// The version of the document.
    pub revision: Revision,
    /// Where the piece begins in its text.
    pub start: usize,
}

/// Something that happened to a document, in the order in which it was committed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Its position in the log.
    pub seq: EventSeq,
    /// What happened.
    pub kind: EventKind,
    /// Whose document.
    pub tenant: TenantId,
    /// Its corpus.
    pub corpus: CorpusName,
    /// The document.
    pub doc_id: DocumentId,
    /// The version that was accepted or published; for a deletion the last one there was.
    pub revision: Revision,
    /// When.
    pub at: Timestamp,
}

/// The kinds of event.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EventKind {
    /// A revision became durable.
    Accepted,
    /// A revision became visible, or other chunks of it did.
    Published,
    /// A document was deleted.
    Deleted,
}

impl EventKind {
    /// The kind's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Published => "published",
            Self::Deleted => "deleted",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Accepted, Self::Published, Self::Deleted].into_iter().find(|kind| kind.as_str() == name)
    }
}
