//! `[audit]`: the record of who did what.

use std::time::Duration;

use mainstay_audit::{Category, RetentionPolicy};
use mainstay_domain::config::{Findings, HumanDuration, KeyPath};
use schemars::JsonSchema;
use serde::Deserialize;

use super::rules::positive;

/// The record of who did what.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawAudit {
    /// Whether there is one.
    enabled: Option<bool>,
    /// Whether what cannot be recorded, because the disk is full, is not done either.
    required: Option<bool>,
    /// How long what a record says is kept; that there was one is kept for ever.
    keep: RawKeep,
}

/// How long what a record says is kept, by category.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
struct RawKeep {
    /// Who came in, or tried to.
    #[schemars(example = "365d")]
    authentication: Option<HumanDuration>,
    /// What was allowed and what was not.
    #[schemars(example = "365d")]
    authorization: Option<HumanDuration>,
    /// Who read or wrote whose data.
    #[schemars(example = "365d")]
    data_access: Option<HumanDuration>,
    /// What was changed, with its value before and after.
    #[schemars(example = "365d")]
    configuration_change: Option<HumanDuration>,
    /// Limits hit, breakers opened.
    #[schemars(example = "365d")]
    security_event: Option<HumanDuration>,
    /// That a model was asked: tokens, cost, model.
    #[schemars(example = "365d")]
    inference: Option<HumanDuration>,
}

/// The record of who did what, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Audit {
    /// Whether there is one.
    pub(crate) enabled: bool,
    /// Whether what cannot be recorded is not done either.
    pub(crate) required: bool,
    /// How long bodies are kept.
    pub(crate) retention: RetentionPolicy,
}

impl Default for Audit {
    fn default() -> Self {
        Self { enabled: true, required: false, retention: RetentionPolicy::default() }
    }
}

/// A year: what SOC 2 asks for.
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl RawAudit {
    /// The section, checked.
    pub(crate) fn check(self, at: &KeyPath, findings: &mut Findings) -> Audit {
        let defaults = Audit::default();
        let enabled = self.enabled.unwrap_or(defaults.enabled);
        let required = self.required.unwrap_or(defaults.required);
        if required && !enabled {
            findings.contradiction(
                &at.key("required"),
                &at.key("enabled"),
                "nothing would ever be done: records are required, and none are kept",
                "set enabled = true, or leave required out",
            );
        }
        let at = at.key("keep");
        let kept = [
            (Category::Authentication, self.keep.authentication),
            (Category::Authorization, self.keep.authorization),
            (Category::DataAccess, self.keep.data_access),
            (Category::ConfigurationChange, self.keep.configuration_change),
            (Category::SecurityEvent, self.keep.security_event),
            (Category::Inference, self.keep.inference),
        ];
        let retention = kept.into_iter().fold(RetentionPolicy::forever(), |policy, (category, keep)| {
            policy.keep(category, positive(keep, YEAR, &at.key(category.as_str()), findings))
        });
        Audit { enabled, required, retention }
    }
}
