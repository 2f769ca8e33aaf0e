//! What is odd about the chunks of a corpus, and what becomes of those that are.
//!
//! A chunk that nobody can read, or that has little to do with the others, costs searches and answers. What is found about
//! one depends on its text, on the settings of its corpus and, for how far it is from the others, on a measurement that is
//! stored ([`middles`]); it is written with the version of the document in one transaction. So a rebuild or a restart finds
//! the same. Chunks in quarantine stay in the store, where they can be looked at and released ([`quarantine`]).

mod judge;
mod judging;
mod middles;
pub mod quarantine;
pub mod report;
mod unreadable;

use serde::{Deserialize, Serialize};

pub(crate) use judge::Judge;
pub(crate) use judging::{Standing, with_judged};
pub use quarantine::{Release, Released};

/// What is configured about the quality of a corpus.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct QualitySettings {
    /// What becomes of chunks that nobody can read.
    pub unreadable: Consequence,
    /// What becomes of chunks that are too short, too long, or far from the others.
    pub outliers: Consequence,
    /// A chunk with fewer words is too short.
    pub least_words: u32,
    /// A chunk with more words is too long.
    pub most_words: u32,
    /// A chunk is far from the others whose distance from the middle of its language is above the median by more than this
    /// many times the median deviation from it.
    pub farthest: f32,
}

impl Default for QualitySettings {
    /// Only what is certainly of no use to a reader is kept from searches. The bounds mark a few chunks in a thousand of
    /// ordinary corpora (docs/decisions).
    fn default() -> Self {
        Self {
            unreadable: Consequence::Quarantine,
            outliers: Consequence::Report,
            least_words: 3,
            most_words: 400,
            farthest: 6.0,
        }
    }
}

/// What becomes of chunks with which something is odd.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Consequence {
    /// Nobody looks.
    Off,
    /// The report of the corpus names them.
    Report,
    /// No search finds them either.
    Quarantine,
}

/// What is odd about a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It has no word: punctuation and lines alone.
    NoWords,
    /// It is data in letters, such as base64 or hexadecimal.
    Encoded,
    /// It is one endless word.
    EndlessWord,
    /// At least half of it are characters that stand for none: those of a wrong encoding or of a missing font.
    Garbled,
    /// It has too few words.
    TooShort,
    /// It has too many words.
    TooLong,
    /// It is far from the other chunks of its language.
    Far,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::NoWords,
        Self::Encoded,
        Self::EndlessWord,
        Self::Garbled,
        Self::TooShort,
        Self::TooLong,
        Self::Far,
    ];

    /// Its name, for programs and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoWords => "no_words",
            Self::Encoded => "encoded",
            Self::EndlessWord => "endless_word",
            Self::Garbled => "garbled",
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::Far => "far",
        }
    }

    /// Whether nobody can read such a chunk.
    pub const fn is_unreadable(self) -> bool {
        matches!(self, Self::NoWords | Self::Encoded | Self::EndlessWord | Self::Garbled)
    }
}
