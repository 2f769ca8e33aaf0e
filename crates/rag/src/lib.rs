//! Answers from documents: ingest, hybrid search, the prompt, citations, and the extractive answerer.
//!
//! A document's way in: [`library`] (and [`corpus`]), over [`prepare`] and [`quality`]. A question's way: [`search`], [`fusion`], [`rerank`],
//! perhaps a second search ([`hops`]), [`selection`], [`assemble`], and on the way back [`citations`].

mod cached;
pub mod corpus;
mod fields;
pub mod freshness;
pub mod library;
mod points;
pub mod prepare;
pub mod quality;
pub mod upgrade;

pub mod candidates;
pub mod fusion;
pub mod rerank;
pub mod search;
mod surroundings;

pub mod hops;

pub mod compression;
pub mod diversity;
pub mod selection;
mod shingles;

pub mod assemble;
pub mod citations;
mod erasing;
mod evidence;
mod markers;
mod sentences;

pub mod extractive;
pub mod judge;
mod limits;

pub mod highlight;

#[cfg(test)]
mod testing;

pub use cached::CachedEmbedder;
pub use candidates::{Candidates, Ranking};
pub use corpus::{CorpusSettings, CorpusSize};
pub use extractive::Extractive;
pub use freshness::Lag;
pub use library::{Library, LibraryError, LibrarySettings};
pub use prepare::Upload;
pub use quality::QualitySettings;
pub use rerank::{BuiltinReranker, RerankSettings, TimedReranker};
pub use upgrade::UpgradeSettings;
