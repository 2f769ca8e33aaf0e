//! Where a caller stands with its limits, as headers: OpenAI's `x-ratelimit-*`, and how close this server is to its own.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use mainstay_gateway::admission::{Refusal, Standing};
use mainstay_reliability::{Allowance, Level};

/// Puts them on a response.
pub(crate) fn standing(headers: &mut HeaderMap, standing: &Standing) {
    if let Some(requests) = &standing.requests {
        allowance(headers, requests, REQUESTS);
    }
    if let Some(tokens) = &standing.tokens {
        allowance(headers, tokens, TOKENS);
    }
    level(headers, standing.level);
}

/// Puts them on the answer to a request that was refused.
pub(crate) fn refused(headers: &mut HeaderMap, refusal: &Refusal) {
    match refusal {
        Refusal::Limited { standing: found, .. } => standing(headers, found),
        Refusal::Shed { level: found, .. } => level(headers, *found),
    }
}

const REQUESTS: [&str; 3] =
    ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"];
const TOKENS: [&str; 3] =
    ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];

fn allowance(headers: &mut HeaderMap, allowance: &Allowance, [limit, remaining, reset]: [&'static str; 3]) {
    headers.insert(HeaderName::from_static(limit), HeaderValue::from(allowance.limit));
    headers.insert(HeaderName::from_static(remaining), HeaderValue::from(allowance.remaining));
    if let Ok(value) = HeaderValue::from_str(&duration(allowance.reset)) {
        headers.insert(HeaderName::from_static(reset), value);
    }
}

fn level(headers: &mut HeaderMap, level: Level) {
    headers.insert(HeaderName::from_static("x-backpressure-level"), HeaderValue::from_static(level.header()));
}

/// As OpenAI writes it: `120ms`, `1s`, `6m0s`.
fn duration(duration: Duration) -> String {
    // Longer than any limit takes to fill: one that never does.
    let duration = duration.min(Duration::from_secs(86_400 * 365));
    match (duration.as_secs(), duration.as_millis()) {
        (0, milliseconds) => format!("{milliseconds}ms"),
        (seconds @ 1..60, _) => format!("{seconds}s"),
        (seconds, _) => format!("{}m{}s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_openai_writes_them() {
        for (milliseconds, text) in
            [(0, "0ms"), (120, "120ms"), (1_900, "1s"), (60_000, "1m0s"), (366_000, "6m6s")]
        {
            assert_eq!(duration(Duration::from_millis(milliseconds)), text);
        }
        assert_eq!(duration(Duration::MAX), "525600m0s");
    }
}
