//! `[content_log]`: what is said in some turns, kept for those who look into a failure.

use std::time::Duration;

use mainstay_domain::config::{Findings, HumanDuration, KeyPath};
use schemars::JsonSchema;
use serde::Deserialize;

use super::rules::positive;

/// What is said in some turns of tenants that agreed to it (`keep_content`): without what is personal in it, sealed, for a time.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawContentLog {
    /// The share of their turns; 0 keeps none.
    #[schemars(range(min = 0, max = 1), example = 0.01)]
    share: Option<f64>,
    /// How long it is kept.
    #[schemars(example = "30d")]
    keep: Option<HumanDuration>,
}

/// What is kept of what is said, checked.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct ContentLog {
    /// The share of the turns of tenants that agreed, from 0 to 1.
    pub(crate) share: f64,
    /// How long it is kept.
    pub(crate) keep: Duration,
}

impl Default for ContentLog {
    fn default() -> Self {
        Self { share: 0.0, keep: Duration::from_secs(30 * 24 * 60 * 60) }
    }
}

impl RawContentLog {
    /// The section, checked. `is_sealed`: whether there is a key to seal it with.
    pub(crate) fn check(self, at: &KeyPath, is_sealed: bool, findings: &mut Findings) -> ContentLog {
        let defaults = ContentLog::default();
        let share = self.share.unwrap_or(defaults.share);
        if !(0.0..=1.0).contains(&share) {
            findings.report(&at.key("share"), "a share is from 0 to 1", "For example: share = 0.01");
        } else if share > 0.0 && !is_sealed {
            findings.report(
                &at.key("share"),
                "what is said is kept sealed or not at all, and there is no key to seal it with",
                "add [storage.encryption] with key_file = \"master.key\" (`mainstay keys master` makes one), or set share = 0",
            );
        }
        ContentLog { share, keep: positive(self.keep, defaults.keep, &at.key("keep"), findings) }
    }
}
