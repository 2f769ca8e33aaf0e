//! How the document store fails.

use mainstay_domain::{CorpusName, DocumentId, NameFault};

use crate::error::StorageError;

/// The failure of an operation on documents. Nothing of the operation has happened.
#[derive(Debug, thiserror::Error)]
pub enum DocumentStoreError {
    /// There is no such corpus.
    #[error("there is no corpus {0:?}; `GET /v1/corpora` lists those that exist")]
    UnknownCorpus(CorpusName),
    /// The corpus was made with another embedder.
    #[error(
        "the corpus {corpus:?} is embedded with {has} ({has_dimension} dimensions), not with {wanted} \
         ({wanted_dimension}); rebuild it with `mainstay index rebuild`, or use another corpus"
    )]
    EmbedderMismatch {
        /// The corpus.
        corpus: CorpusName,
        /// The embedder of the corpus.
        has: String,
        /// Its dimension.
        has_dimension: usize,
        /// The embedder that was asked for.
        wanted: String,
        /// Its dimension.
        wanted_dimension: usize,
    },
    /// A document contradicts itself.
    #[error("the document {document:?} cannot be stored: {flaw}")]
    InvalidDocument {
        /// The document.
        document: DocumentId,
        /// What is wrong with it.
        flaw: DocumentFlaw,
    },
    /// The disk or the database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// What can be wrong with a document that is to be stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DocumentFlaw {
    /// Its id is none that a document may have.
    #[error("its id {0}")]
    Id(NameFault),
    /// A chunk is not a piece of the text.
    #[error("chunk {chunk} is not a range of characters of its text")]
    ChunkOutsideText {
        /// Which chunk, from 0.
        chunk: usize,
    },
    /// A chunk is not a piece of its parent, or the parent is not a piece of the text.
    #[error("the parent of chunk {chunk} is not a range of characters of the text that contains the chunk")]
    ParentOutsideText {
        /// Which chunk, from 0.
        chunk: usize,
    },
}

impl DocumentStoreError {
    /// Whether the same call may succeed a little later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Storage(error) if error.is_retryable())
    }
}

impl From<sqlx::Error> for DocumentStoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Storage(error.into())
    }
}
