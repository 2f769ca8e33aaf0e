//! Rules that several sections share.

use std::time::Duration;

use mainstay_domain::config::{Findings, HumanDuration, KeyPath};

/// A duration that must not be zero, or its default.
pub(super) fn positive(
    duration: Option<HumanDuration>,
    default: Duration,
    at: &KeyPath,
    findings: &mut Findings,
) -> Duration {
    if duration.is_some_and(|HumanDuration(duration)| duration.is_zero()) {
        let key = at.last_key().unwrap_or_default();
        let hint = format!("For example: {key} = \"{}\", the default", HumanDuration(default));
        findings.report(at, "no time at all is too little", hint);
    }
    duration.map_or(default, Duration::from)
}

/// Reports a name that could not be used in a URL or as `model`.
pub(super) fn check_name(at: &KeyPath, findings: &mut Findings) {
    let name = at.last_key().unwrap_or_default();
    let is_good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(is_good) {
        let message = format!("{:?} cannot be a name", name.chars().take(70).collect::<String>());
        findings.report_key(at, message, "a name is 1 to 64 letters, digits, dots, dashes and underscores");
    }
}
