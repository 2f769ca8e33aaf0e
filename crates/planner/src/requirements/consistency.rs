//! `[consistency]`: how fresh each kind of data must be when it is read (card 1.4).

use std::time::Duration;

use mainstay_domain::config::{Findings, HumanDuration, KeyPath};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What reads of a kind of data must see.
#[derive(Clone, Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub struct RawConsistency {
    /// What a read sees.
    #[schemars(example = &"eventual")]
    class: Option<ConsistencyClass>,
    /// How old what is read may be, where it is eventual.
    #[schemars(example = "60s")]
    staleness: Option<HumanDuration>,
    /// What goes wrong when a read is older.
    #[schemars(example = "the author looks for the upload at once", length(min = 1))]
    because: Option<String>,
}

/// What a read sees.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsistencyClass {
    /// Every write that was acknowledged, whoever made it.
    Strong,
    /// Everything that the reader wrote, and of others what is old enough.
    ReadYourWrites,
    /// What is old enough.
    Eventual,
}

/// What reads of a kind of data must see, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Consistency {
    /// What a read sees.
    pub class: ConsistencyClass,
    /// How old what is read may be; none where it is strong.
    pub staleness: Option<Duration>,
    /// Why.
    pub because: String,
}

impl RawConsistency {
    /// The entry, checked; none where it cannot be used.
    pub fn check(self, at: &KeyPath, findings: &mut Findings) -> Option<Consistency> {
        let staleness = self.staleness.map(|HumanDuration(duration)| duration);
        let Some(class) = self.class else {
            let hint = "say what a read sees: class = \"strong\", \"read_your_writes\" or \"eventual\"";
            findings.report(&at.key("class"), "the class is missing", hint);
            return None;
        };
        let Some(because) = self.because else {
            let hint = "say what goes wrong when a read is older: because = \"a bill would be wrong\"";
            findings.report(&at.key("because"), "the reason is missing", hint);
            return None;
        };
        match (class, staleness) {
            (ConsistencyClass::Strong, Some(_)) => findings.contradiction(
                &at.key("staleness"),
                &at.key("class"),
                "a strong read is never stale",
                "take staleness out, or make the class eventual",
            ),
            (ConsistencyClass::ReadYourWrites | ConsistencyClass::Eventual, None) => findings.report(
                &at.key("staleness"),
                "how old a read may be is missing: without it nothing can be measured",
                "For example: staleness = \"60s\"",
            ),
            (_, Some(Duration::ZERO)) => findings.report(
                &at.key("staleness"),
                "no copy is that fresh: what may never be stale is strong",
                "For example: staleness = \"60s\"",
            ),
            _ => {}
        }
        Some(Consistency { class, staleness, because })
    }
}
