//! `[cache]` and `[assistants.<name>.cache]`: answers that are given again.

use std::time::Duration;

use mainstay_cache::{CacheSettings, Mode};
use mainstay_domain::config::{ByteSize, Findings, HumanDuration, KeyPath, Ratio};
use schemars::JsonSchema;
use serde::Deserialize;

use super::rules::positive;

/// Answers that are given again.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawCache {
    /// The memory that answers, and the questions that are known by their meaning, may take, of all assistants together.
    #[schemars(example = "64MiB")]
    memory: Option<ByteSize>,
}

/// Answers that are given again, checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cache {
    /// The memory that answers and questions may take, in bytes.
    pub(crate) memory: u64,
}

impl RawCache {
    /// The section, checked.
    pub(crate) fn check(self) -> Cache {
        Cache { memory: self.memory.map_or(64 << 20, |ByteSize(bytes)| bytes) }
    }
}

/// Whether and how long answers of an assistant are given again.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawAnswers {
    /// Which questions are known again.
    mode: Option<RawMode>,
    /// How long an answer may be given again; it also ends when a document of the corpus changes.
    #[schemars(example = "1h")]
    lifetime: Option<HumanDuration>,
    /// The same of questions about what changes by the hour: "today", "latest", prices.
    #[schemars(example = "1m")]
    volatile_lifetime: Option<HumanDuration>,
    /// The share of answers to like questions that may be wrong, with a confidence of 95 %.
    #[schemars(example = "1%")]
    most_wrong: Option<Ratio>,
    /// How like questions must be at least, whatever was learned.
    #[schemars(example = 0.8)]
    least_similarity: Option<Ratio>,
    /// The share of answers to like questions that are compared with a model's all the same.
    #[schemars(example = "5%")]
    checked_share: Option<Ratio>,
}

/// Which questions are known again.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum RawMode {
    /// None.
    Off,
    /// The same, word for word.
    Exact,
    /// Those that mean the same as well, once enough checks have shown that they may.
    Semantic,
}

impl RawAnswers {
    /// The section, checked.
    pub(super) fn check(self, at: &KeyPath, findings: &mut Findings) -> CacheSettings {
        let defaults = CacheSettings::default();
        if self.most_wrong.is_some_and(|most| most.as_f64() == 0.0) {
            let hint = "no number of checks can show that. For example: most_wrong = \"1%\"";
            findings.report(&at.key("most_wrong"), "nothing would ever be given", hint);
        }
        let lifetime =
            |raw: Option<HumanDuration>, default: Duration, name: &str, findings: &mut Findings| {
                positive(raw, default, &at.key(name), findings)
            };
        CacheSettings {
            mode: match self.mode {
                None => defaults.mode,
                Some(RawMode::Off) => Mode::Off,
                Some(RawMode::Exact) => Mode::Exact,
                Some(RawMode::Semantic) => Mode::Semantic,
            },
            lifetime: lifetime(self.lifetime, defaults.lifetime, "lifetime", findings),
            volatile_lifetime: lifetime(
                self.volatile_lifetime,
                defaults.volatile_lifetime,
                "volatile_lifetime",
                findings,
            ),
            most_wrong: self.most_wrong.map_or(defaults.most_wrong, Ratio::as_f64),
            least_similarity: self
                .least_similarity
                .map_or(defaults.least_similarity, |least| least.as_f64() as f32),
            checked_share: self.checked_share.map_or(defaults.checked_share, Ratio::as_f64),
        }
    }
}
