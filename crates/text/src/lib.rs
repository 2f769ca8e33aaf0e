//! Language and tokenisation: the analysis that keyword search rests on.
//!
//! A text becomes a bag of [`Terms`] by the [`Analyzer`] of its [`Language`]; [`Bm25`] turns the bag into the sparse
//! vector that the index keeps. Nothing here does I/O, and the same text gives the same vector on every machine and
//! in every version that has the same [`ANALYSIS_VERSION`].

pub mod language;

pub mod detect;

pub mod analyzer;
mod fold;
mod function_words;
mod script;
mod segment;
mod stem;

pub mod bm25;
pub mod grams;
pub mod numbers;
pub mod question;
pub mod question_kind;
pub mod terms;

pub use analyzer::{ANALYSIS_VERSION, Analyzer, TermKind};
pub use bm25::{Bm25, SparseVector};
pub use detect::{Detection, detect, detect_reliably};
pub use grams::character_grams;
pub use language::{Language, LanguageError};
pub use numbers::numbers;
pub use question::question_terms;
pub use question_kind::{QuestionKind, is_asked};
pub use terms::{TermId, Terms};
