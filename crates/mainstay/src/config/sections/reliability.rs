//! `[reliability]`: what happens when a provider fails.

use mainstay_domain::config::{Findings, HumanDuration, KeyPath, Ratio};
use mainstay_models::CallPolicy;
use mainstay_reliability::{BreakerSettings, RetryPolicy};
use schemars::JsonSchema;
use serde::Deserialize;

use super::rules::positive;

/// What happens when a provider fails.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawReliability {
    /// Calls of models for one request, the first and those of other models included.
    #[schemars(example = 3, range(min = 1, max = 10))]
    attempts: Option<u32>,
    /// The longest wait before a call is made again; it doubles with every further one, and any wait up to it is as likely.
    #[schemars(example = "500ms")]
    backoff: Option<HumanDuration>,
    /// What that wait grows to at most.
    #[schemars(example = "30s")]
    longest_backoff: Option<HumanDuration>,
    /// What of the calls of a model may be repetitions.
    #[schemars(example = "20%")]
    retry_share: Option<Ratio>,
    /// What of the streams of a model may be asked for a second time because their first content takes longer than that of
    /// 95 of 100; the one that begins first is the answer.
    #[schemars(example = "5%")]
    hedge_share: Option<Ratio>,
    /// How long the first content of a stream is held back, so that an answer that breaks off at once begins anew unseen.
    #[schemars(example = "200ms")]
    hold_back: Option<HumanDuration>,
    /// Whether the next model is asked where the safety filter of one refuses.
    refusals_fall_back: Option<bool>,
    /// When a model that fails is not called any more.
    breaker: RawBreaker,
}

/// When a model that fails is not called any more.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawBreaker {
    /// Failures one after the other that open the breaker.
    #[schemars(example = 3, range(min = 1, max = 1000))]
    failures: Option<u32>,
    /// The share of failures above which it opens, once that is not by chance.
    #[schemars(example = "10%")]
    error_rate: Option<Ratio>,
    /// Over how long that share is taken.
    #[schemars(example = "10s")]
    window: Option<HumanDuration>,
    /// Calls in that time below which the share says nothing.
    #[schemars(example = 20, range(min = 1))]
    min_calls: Option<u32>,
    /// How long it stays open before a call is let through to see.
    #[schemars(example = "60s")]
    recovery: Option<HumanDuration>,
    /// What that grows to where the model fails again and again.
    #[schemars(example = "5m")]
    longest_recovery: Option<HumanDuration>,
    /// Calls that must succeed before it closes.
    #[schemars(example = 3, range(min = 1, max = 100))]
    probes: Option<u32>,
}

impl RawReliability {
    /// The section, checked.
    pub(crate) fn check(self, at: &KeyPath, findings: &mut Findings) -> CallPolicy {
        let defaults = CallPolicy::default();
        let (backoff, longest) = (at.key("backoff"), at.key("longest_backoff"));
        let retries = RetryPolicy {
            attempts: self.attempts.unwrap_or(defaults.retries.attempts),
            base: positive(self.backoff, defaults.retries.base, &backoff, findings),
            longest: positive(self.longest_backoff, defaults.retries.longest, &longest, findings),
        };
        if retries.longest < retries.base {
            let hint = "make the longest wait the longer one";
            findings.contradiction(&longest, &backoff, "the waits would shrink", hint);
        }
        CallPolicy {
            retries,
            retry_share: self.retry_share.map_or(defaults.retry_share, Ratio::as_f64),
            hedge_share: self.hedge_share.map_or(defaults.hedge_share, Ratio::as_f64),
            breaker: self.breaker.check(defaults.breaker, &at.key("breaker"), findings),
            hold_back: self.hold_back.map_or(defaults.hold_back, |HumanDuration(time)| time),
            refusals_fall_back: self.refusals_fall_back.unwrap_or(defaults.refusals_fall_back),
        }
    }
}

impl RawBreaker {
    /// Whether nothing is said.
    pub(super) fn is_empty(&self) -> bool {
        let Self { failures, error_rate, window, min_calls, recovery, longest_recovery, probes } = self;
        failures.is_none()
            && error_rate.is_none()
            && window.is_none()
            && min_calls.is_none()
            && recovery.is_none()
            && longest_recovery.is_none()
            && probes.is_none()
    }

    /// The section, checked; where it says nothing, `defaults` hold.
    pub(super) fn check(
        self,
        defaults: BreakerSettings,
        at: &KeyPath,
        findings: &mut Findings,
    ) -> BreakerSettings {
        if self.error_rate.is_some_and(|rate| rate.as_f64() == 0.0) {
            let hint = "For example: error_rate = \"10%\"; a rate of nothing opens it without a failure";
            findings.report(&at.key("error_rate"), "the breaker would never close", hint);
        }
        let recovery = positive(self.recovery, defaults.recovery, &at.key("recovery"), findings);
        let longest = at.key("longest_recovery");
        let default_longest = defaults.longest_recovery.max(recovery);
        let longest_recovery = positive(self.longest_recovery, default_longest, &longest, findings);
        if longest_recovery < recovery {
            let hint = "make the longest recovery the longer one";
            findings.contradiction(&longest, &at.key("recovery"), "the recovery would shrink", hint);
        }
        BreakerSettings {
            failures: self.failures.unwrap_or(defaults.failures),
            error_rate: self.error_rate.map_or(defaults.error_rate, Ratio::as_f64),
            window: positive(self.window, defaults.window, &at.key("window"), findings),
            min_calls: self.min_calls.unwrap_or(defaults.min_calls),
            recovery,
            longest_recovery,
            probes: self.probes.unwrap_or(defaults.probes),
        }
    }
}
