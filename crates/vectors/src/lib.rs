//! The index in which chunks are found: by the meaning of their text (dense vectors) and by their words (sparse
//! vectors), one index per tenant and corpus.
//!
//! [`VectorIndex`] is the port. [`EmbeddedIndex`] implements it in this process on `qdrant-edge`: nothing to install,
//! one folder per corpus. The index is derived: the relational store is the truth, and whatever an index has lost is
//! sent again from the [`Checkpoint`] that [`VectorIndex::open`] returns.
//!
//! Nothing here knows texts, documents or models. Texts become vectors elsewhere, and hits become passages elsewhere.

mod filter;
mod port;
mod sparse;

mod check;
mod error;

mod embedded;
mod folder;

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
#[cfg(any(test, feature = "testing"))]
mod exact;

pub use embedded::{EmbeddedIndex, EmbeddedOptions};
pub use error::IndexError;
#[cfg(any(test, feature = "testing"))]
pub use exact::ExactIndex;
pub use filter::{FieldValues, Fields, Filter};
pub use folder::folder_name;
pub use port::{
    Accuracy, Checkpoint, Hit, IndexSettings, IndexStats, Namespace, Point, Query, Search, SparseChannel,
    VectorIndex,
};
pub use sparse::SparseVector;
