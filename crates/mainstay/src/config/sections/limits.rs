//! `[limits]`: how many requests are answered, and whose.

use std::collections::BTreeMap;

use mainstay_domain::TierName;
use mainstay_domain::config::{Findings, HumanDuration, KeyPath};
use mainstay_gateway::admission::{AdmissionSettings, Limits, TierSettings};
use mainstay_reliability::Rate;
use schemars::JsonSchema;
use serde::Deserialize;

use super::rules::{check_name, positive};

/// How many requests are answered, and whose.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawLimits {
    /// Requests that are answered at once; others wait.
    #[schemars(example = 1000, range(min = 1, max = 1_000_000))]
    concurrency: Option<u32>,
    /// Whether that number follows the time to first token, and the one above is the most.
    adaptive: Option<bool>,
    /// Requests that wait, of all tiers together; more are turned away.
    #[schemars(example = 1000, range(min = 0, max = 1_000_000))]
    max_waiting: Option<u32>,
    /// The longest that a request waits for its turn.
    #[schemars(example = "30s")]
    longest_wait: Option<HumanDuration>,
    /// How long a search should take. From 1.7 times that on the lowest tier is turned away, from 1.9 times all but the first.
    #[schemars(example = "2s")]
    search_target: Option<HumanDuration>,
    /// What each API key may ask.
    per_key: RawRates,
    /// What each end user may ask: the `user` of a request.
    per_user: RawRates,
    /// What each address may ask.
    per_address: RawRates,
    /// What each API key may do beside asking: requests to documents and to the administration.
    administration: RawRequests,
    /// Groups of callers that are served alike, by the name that keys have.
    tiers: BTreeMap<String, RawTier>,
}

/// How much may be asked.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
struct RawRates {
    /// Requests in a minute.
    #[schemars(example = 60, range(min = 1))]
    requests_per_minute: Option<u64>,
    /// Requests at once, after a while without any.
    #[schemars(example = 120, range(min = 1))]
    burst_requests: Option<u64>,
    /// Tokens of prompts and answers in a minute.
    #[schemars(example = 100_000, range(min = 1))]
    tokens_per_minute: Option<u64>,
    /// Tokens at once, after a while without any.
    #[schemars(example = 200_000, range(min = 1))]
    burst_tokens: Option<u64>,
}

/// How many requests may come.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
struct RawRequests {
    /// Requests in a minute.
    #[schemars(example = 600, range(min = 1))]
    requests_per_minute: Option<u64>,
    /// Requests at once, after a while without any.
    #[schemars(example = 1200, range(min = 1))]
    burst_requests: Option<u64>,
}

/// A group of callers that is served alike.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
struct RawTier {
    /// The tier with the lowest number is answered first and turned away last; keys without a tier are in the highest.
    #[schemars(example = 1)]
    priority: Option<u32>,
    /// Requests of this tier that wait.
    #[schemars(example = 500, range(min = 0, max = 1_000_000))]
    max_waiting: Option<u32>,
    /// Requests of this tier that are answered at once.
    #[schemars(example = 200, range(min = 1, max = 1_000_000))]
    max_running: Option<u32>,
    /// Whether who waits is told the place in the queue: a stream begins at once, with comments.
    announces_place: Option<bool>,
    /// Where whoever is turned away can get more.
    #[schemars(example = "https://example.com/pricing", length(min = 1))]
    upgrade_url: Option<String>,
    /// What each tenant of this tier may ask.
    per_tenant: RawRates,
}

impl RawLimits {
    /// The section, checked.
    pub(crate) fn check(self, at: &KeyPath, findings: &mut Findings) -> AdmissionSettings {
        let defaults = AdmissionSettings::default();
        let tiers = check_tiers(self.tiers, &at.key("tiers"), findings);
        let number = |value: Option<u32>, default| value.map_or(default, |value| value as usize);
        AdmissionSettings {
            concurrency: number(self.concurrency, defaults.concurrency),
            adaptive: self.adaptive.unwrap_or(defaults.adaptive),
            max_waiting: number(self.max_waiting, defaults.max_waiting),
            longest_wait: positive(
                self.longest_wait,
                defaults.longest_wait,
                &at.key("longest_wait"),
                findings,
            ),
            search_target: positive(
                self.search_target,
                defaults.search_target,
                &at.key("search_target"),
                findings,
            ),
            per_key: self.per_key.check(&at.key("per_key"), findings),
            per_user: self.per_user.check(&at.key("per_user"), findings),
            per_address: self.per_address.check(&at.key("per_address"), findings),
            administration: self.administration.check(&at.key("administration"), findings),
            tiers: if tiers.is_empty() { defaults.tiers } else { tiers },
        }
    }
}

fn check_tiers(tiers: BTreeMap<String, RawTier>, at: &KeyPath, findings: &mut Findings) -> Vec<TierSettings> {
    let mut checked: Vec<(u32, TierSettings)> = Vec::new();
    for (name, raw) in tiers {
        let at = at.key(&name);
        check_name(&at, findings);
        let priority = raw.priority.unwrap_or_else(|| {
            let hint = "say when it is answered. For example: priority = 1, for the tier that comes first";
            findings.report(&at.key("priority"), "the priority is missing", hint);
            u32::MAX
        });
        if let Some((_, other)) = checked.iter().find(|(taken, _)| *taken == priority && priority != u32::MAX)
        {
            let message = format!("the tier {:?} has the same priority", other.name.as_str());
            findings.report(&at.key("priority"), message, "give each tier a priority of its own");
        }
        let tier = TierSettings::named(TierName::from(name));
        let tier = TierSettings {
            limits: raw.per_tenant.check(&at.key("per_tenant"), findings),
            max_waiting: raw.max_waiting.map_or(tier.max_waiting, |most| most as usize),
            max_running: raw.max_running.map(|most| most as usize),
            announces_place: raw.announces_place.unwrap_or(tier.announces_place),
            upgrade_url: raw.upgrade_url,
            ..tier
        };
        checked.push((priority, tier));
    }
    checked.sort_by_key(|(priority, _)| *priority);
    checked.into_iter().map(|(_, tier)| tier).collect()
}

impl RawRates {
    fn check(self, at: &KeyPath, findings: &mut Findings) -> Limits {
        Limits {
            requests: rate("requests", self.requests_per_minute, self.burst_requests, at, findings),
            tokens: rate("tokens", self.tokens_per_minute, self.burst_tokens, at, findings),
        }
    }
}

impl RawRequests {
    fn check(self, at: &KeyPath, findings: &mut Findings) -> Option<Rate> {
        rate("requests", self.requests_per_minute, self.burst_requests, at, findings)
    }
}

fn rate(
    name: &str,
    per_minute: Option<u64>,
    burst: Option<u64>,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<Rate> {
    match (per_minute, burst) {
        (Some(per_minute), burst) => Some(Rate { per_minute, burst: burst.unwrap_or(per_minute) }),
        (None, Some(_)) => {
            let hint = format!("say how many come back in a minute: {name}_per_minute");
            let key = at.key(format!("burst_{name}"));
            findings.report(&key, "a burst needs a limit that it goes beyond", hint);
            None
        }
        (None, None) => None,
    }
}
