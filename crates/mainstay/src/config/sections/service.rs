//! `[service]`: how much is offered while something fails.

use mainstay_domain::config::{Findings, HumanDuration, KeyPath};
use mainstay_gateway::service::ServiceSettings;
use schemars::JsonSchema;
use serde::Deserialize;

/// How much is offered while something fails.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawService {
    /// Whether the service is reduced by itself while calls of models fail or this server is full, and restored when it is
    /// calm.
    automatic: Option<bool>,
    /// Whom callers may turn to when nothing can be answered.
    #[schemars(example = &"support@example.com", length(min = 1))]
    contact: Option<String>,
    /// How long it usually takes until it can again.
    #[schemars(example = "30m")]
    expected_recovery: Option<HumanDuration>,
}

impl RawService {
    /// The section, checked.
    pub(crate) fn check(self, at: &KeyPath, findings: &mut Findings) -> ServiceSettings {
        if self.expected_recovery.is_some_and(|HumanDuration(expected)| expected.is_zero()) {
            let hint = "leave it out where nobody knows. For example: expected_recovery = \"30m\"";
            findings.report(&at.key("expected_recovery"), "no time at all is too little", hint);
        }
        let defaults = ServiceSettings::default();
        ServiceSettings {
            is_automatic: self.automatic.unwrap_or(defaults.is_automatic),
            contact: self.contact,
            expected_recovery: self.expected_recovery.map(|HumanDuration(expected)| expected),
        }
    }
}
