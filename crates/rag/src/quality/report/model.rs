//! What a report says.

use std::collections::BTreeMap;

use mainstay_domain::{ChunkId, CorpusName, DocumentId};
use mainstay_store::documents::Quarantined;
use serde::{Deserialize, Serialize};

use crate::quality::Reason;

/// The state of a corpus.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CorpusReport {
    /// `corpus.report`.
    pub object: String,
    /// Its name.
    pub corpus: CorpusName,
    /// Documents.
    pub documents: u64,
    /// Chunks.
    pub chunks: u64,
    /// Words of the chunks.
    pub words: u64,
    /// Bytes of text.
    pub bytes: u64,
    /// Bytes of what the documents were made from.
    pub source_bytes: u64,
    /// Chunks that no search finds, by reason.
    pub quarantined: Quarantined,
    /// Documents and chunks by language, most documents first.
    pub languages: Vec<LanguageSize>,
    /// Documents by what they were made from.
    pub media_types: BTreeMap<String, u64>,
    /// How many chunks have how many words.
    pub chunk_words: Vec<WordsBucket>,
    /// The words of the chunk in the middle.
    pub median_chunk_words: u32,
    /// What says the same twice.
    pub duplicates: Duplicates,
    /// Chunks with which something is odd, by what.
    pub outliers: Vec<Outliers>,
    /// The largest documents, the largest first.
    pub largest: Vec<DocumentSize>,
    /// The smallest documents, the smallest first.
    pub smallest: Vec<DocumentSize>,
    /// Documents of which no search finds anything.
    pub unreachable: Unreachable,
    /// What the documents are about; empty for a corpus of a few documents.
    pub topics: Vec<Topic>,
    /// How much of the corpus a set of questions asks about, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
}

/// How much of a corpus is in one language.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LanguageSize {
    /// ISO 639-1; absent for documents whose language is not known.
    pub language: Option<String>,
    /// Documents.
    pub documents: u64,
    /// Their chunks.
    pub chunks: u64,
}

/// How many chunks have so many words.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct WordsBucket {
    /// From so many.
    pub from: u32,
    /// To so many; absent where there is no end.
    pub to: Option<u32>,
    /// Chunks.
    pub chunks: u64,
}

/// What a corpus says more than once.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Duplicates {
    /// Documents whose text another has as well, the first of each group not counted.
    pub exact_documents: u64,
    /// Documents that nearly say what another says, the first of each group not counted, nor exact duplicates.
    pub near_documents: u64,
    /// Chunks whose text another has as well, the first of each group not counted.
    pub chunks: u64,
    /// The largest groups of the former.
    pub exact: Vec<DuplicateGroup>,
    /// The largest groups of the latter.
    pub near: Vec<DuplicateGroup>,
}

/// Documents that say the same.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DuplicateGroup {
    /// How many.
    pub documents: u64,
    /// The first of them.
    pub doc_ids: Vec<DocumentId>,
}

/// Chunks that are odd in one way.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Outliers {
    /// What is odd.
    pub reason: Reason,
    /// How many there are.
    pub chunks: u64,
    /// Those of them that no search finds.
    pub quarantined: u64,
    /// The first of them.
    pub examples: Vec<OddChunk>,
}

/// A chunk with which something is odd.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct OddChunk {
    /// The chunk.
    pub chunk_id: ChunkId,
    /// Its document.
    pub doc_id: DocumentId,
    /// Where it begins in the document's text.
    pub start_byte: usize,
    /// Where it ends.
    pub end_byte: usize,
    /// Its words.
    pub words: u32,
}

/// How large a document is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct DocumentSize {
    /// Bytes of its text.
    pub bytes: u64,
    /// Its chunks.
    pub chunks: u64,
    /// Its id.
    pub doc_id: DocumentId,
}

/// Documents of which no search finds anything.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Unreachable {
    /// How many.
    pub documents: u64,
    /// The first of them.
    pub doc_ids: Vec<DocumentId>,
}

/// What a part of the documents is about.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Topic {
    /// Words that its documents have and others have not.
    pub words: Vec<String>,
    /// Documents.
    pub documents: u64,
    /// Those of them that a question asks about, where there are questions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covered: Option<u64>,
}

/// How much of a corpus a set of questions asks about.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Coverage {
    /// Questions.
    pub questions: u64,
    /// Those of which no relevant document is in the corpus.
    pub unanswerable_questions: u64,
    /// Documents that are relevant for a question.
    pub relevant_documents: u64,
    /// Those of them that are in the corpus.
    pub relevant_in_corpus: u64,
    /// The first of the others.
    pub missing: Vec<DocumentId>,
    /// Documents of the corpus that no question asks about.
    pub uncovered_documents: u64,
    /// Topics of the corpus that no question asks about.
    pub uncovered_topics: u64,
}
