//! Chunks that are kept from searches, and why.

use std::collections::BTreeMap;

use mainstay_domain::{ByteRange, ChunkId, DocumentId};

use super::{Fingerprint, Revision};

/// How many chunks no search finds, by the reason.
pub type Quarantined = BTreeMap<String, u64>;

/// What was found about a chunk that no search is to find.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Why, in the words of the indexer.
    pub reason: String,
    /// The SHA-256 of what was judged: a chunk with the same content can be released once and for all.
    pub content: Fingerprint,
}

/// A chunk that no search finds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuarantinedChunk {
    /// The chunk.
    pub chunk: ChunkId,
    /// Its document.
    pub doc_id: DocumentId,
    /// Where it is in the document's text.
    pub range: ByteRange,
    /// Exactly the bytes of `range`.
    pub text: String,
    /// Why.
    pub finding: Finding,
}

/// What is to hold from now on for the chunks of a revision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judgement {
    /// The version of the document.
    pub revision: Revision,
    /// Its chunks that no search is to find; all others are found.
    pub findings: Vec<(ChunkId, Finding)>,
}

/// Which chunks are asked for.
#[derive(Clone, Copy, Default, Debug)]
pub struct QuarantineQuery<'a> {
    /// Of this document alone.
    pub document: Option<&'a DocumentId>,
    /// Those with larger ids alone.
    pub after: Option<ChunkId>,
    /// At most so many.
    pub limit: usize,
}
