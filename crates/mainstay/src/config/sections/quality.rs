//! `[corpora.<name>.quality]`: what becomes of chunks with which something is odd.

use mainstay_domain::config::{Findings, KeyPath};
use mainstay_rag::QualitySettings;
use mainstay_rag::quality::Consequence;
use schemars::JsonSchema;
use serde::Deserialize;

/// What becomes of chunks with which something is odd.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawQuality {
    /// What becomes of chunks that nobody can read: without a word, data in letters such as base64, one endless word, or
    /// characters of a wrong encoding.
    unreadable: Option<Treatment>,
    /// What becomes of chunks that are too short, too long, or far from the others of their language.
    outliers: Option<Treatment>,
    /// A chunk with fewer words is too short.
    #[schemars(example = 3, range(min = 0, max = 1000))]
    least_words: Option<u32>,
    /// A chunk with more words is too long.
    #[schemars(example = 400, range(min = 1, max = 100000))]
    most_words: Option<u32>,
    /// A chunk is far that is farther from the middle of its language than half of the chunks by more than this many times
    /// the median deviation; asked of languages with 100 chunks or more.
    #[schemars(example = 6.0, range(min = 1, max = 1000))]
    farthest: Option<f64>,
}

/// What becomes of a chunk.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Treatment {
    /// Nobody looks.
    Off,
    /// `mainstay corpus report` names it.
    Report,
    /// No search finds it either; `mainstay corpus quarantine` lists it.
    Quarantine,
}

impl Treatment {
    fn consequence(self) -> Consequence {
        match self {
            Self::Off => Consequence::Off,
            Self::Report => Consequence::Report,
            Self::Quarantine => Consequence::Quarantine,
        }
    }
}

impl RawQuality {
    /// The section, checked.
    pub(super) fn check(self, at: &KeyPath, findings: &mut Findings) -> QualitySettings {
        let defaults = QualitySettings::default();
        let quality = QualitySettings {
            unreadable: self.unreadable.map_or(defaults.unreadable, Treatment::consequence),
            outliers: self.outliers.map_or(defaults.outliers, Treatment::consequence),
            least_words: self.least_words.unwrap_or(defaults.least_words),
            most_words: self.most_words.unwrap_or(defaults.most_words),
            farthest: self.farthest.map_or(defaults.farthest, |farthest| farthest as f32),
        };
        if quality.most_words < quality.least_words {
            let (least, most) = (at.key("least_words"), at.key("most_words"));
            let (written, other) = if findings.is_present(&most) { (most, least) } else { (least, most) };
            findings.contradiction(
                &written,
                &other,
                format!(
                    "no chunk has at least {} words and at most {}",
                    quality.least_words, quality.most_words
                ),
                format!("For example: least_words = {}", defaults.least_words),
            );
        }
        quality
    }
}
