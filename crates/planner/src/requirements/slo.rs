//! `[slo]`: the promises, each with the percentile or the period that makes it measurable.

use std::collections::BTreeMap;
use std::time::Duration;

use mainstay_domain::NanoUsd;
use mainstay_domain::config::{Dollars, Findings, HumanDuration, KeyPath, Ratio};
use schemars::JsonSchema;
use serde::Deserialize;

/// Objectives. Only those that are written are measured and alerted on.
#[derive(Clone, Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub struct RawSlo {
    /// Time to first token: from the receipt of the request to the first byte of the answer sent to the client.
    ttft: RawLatency,
    /// The whole request: from its receipt to the last byte of the answer.
    latency: RawLatency,
    /// Time per output token after the first, as the client sees it.
    time_per_output_token: RawLatency,
    /// Requests that fail by our fault.
    errors: RawErrors,
    /// Minutes in which the product answers.
    availability: RawAvailability,
    /// What a request costs us.
    cost: RawCost,
    /// Scores of the answers on the golden evaluation set.
    quality: RawQuality,
    /// How soon what was added can be found.
    freshness: RawFreshness,
    /// Objectives of a tier of customers that differ from those above.
    tiers: BTreeMap<String, RawTierSlo>,
}

/// A time by percentile of the requests.
#[derive(Clone, Copy, Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields, default)]
struct RawLatency {
    /// Half of the requests take at most this long.
    #[schemars(example = "200ms")]
    p50: Option<HumanDuration>,
    /// 90 of 100 requests take at most this long.
    #[schemars(example = "400ms")]
    p90: Option<HumanDuration>,
    /// 95 of 100 requests take at most this long.
    #[schemars(example = "500ms")]
    p95: Option<HumanDuration>,
    /// 99 of 100 requests take at most this long.
    #[schemars(example = "1500ms")]
    p99: Option<HumanDuration>,
}

/// Failing requests.
#[derive(Clone, Copy, Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields, default)]
struct RawErrors {
    /// At most this share of requests fails.
    #[schemars(example = "0.1%")]
    rate: Option<Ratio>,
}

/// Uptime.
#[derive(Clone, Copy, Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields, default)]
struct RawAvailability {
    /// At least this share of the minutes of 30 days is good.
    #[schemars(example = "99.9%")]
    monthly: Option<Ratio>,
}

/// Money.
#[derive(Clone, Copy, Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields, default)]
struct RawCost {
    /// A request costs at most this much on average.
    #[schemars(example = "$0.005")]
    per_request: Option<Dollars>,
}

/// Scores from 0 to 1.
#[derive(Clone, Copy, Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields, default)]
struct RawQuality {
    /// At least this share of an answer's statements is supported by its sources.
    #[schemars(example = 0.85)]
    faithfulness: Option<Ratio>,
    /// Of the golden set's relevant documents, at least this share is among the first five of a search.
    #[schemars(example = 0.8)]
    recall_at_5: Option<Ratio>,
    /// Of the golden set's relevant documents, at least this share is among the first ten of a search.
    #[schemars(example = 0.9)]
    recall_at_10: Option<Ratio>,
    /// The order of the first ten, against the best that is possible: normalised discounted cumulative gain.
    #[schemars(example = 0.7)]
    ndcg_at_10: Option<Ratio>,
    /// One over the rank of the first relevant document among ten, on average.
    #[schemars(example = 0.7)]
    mrr_at_10: Option<Ratio>,
}

/// Staleness.
#[derive(Clone, Copy, Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields, default)]
struct RawFreshness {
    /// A document that was accepted is found by everybody at most this much later.
    #[schemars(example = "60s")]
    staleness: Option<HumanDuration>,
}

/// Objectives of one tier.
#[derive(Clone, Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTierSlo {
    /// Time to first token of this tier.
    ttft: RawLatency,
    /// The whole request of this tier.
    latency: RawLatency,
    /// Failing requests of this tier.
    errors: RawErrors,
    /// Uptime for this tier.
    availability: RawAvailability,
}

/// The objectives, checked: every target is possible and none contradicts another.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Slo {
    /// Time to first token.
    pub ttft: LatencyTargets,
    /// The whole request.
    pub latency: LatencyTargets,
    /// Time per output token after the first.
    pub time_per_output_token: LatencyTargets,
    /// Requests that fail by our fault.
    pub errors: ErrorTarget,
    /// Uptime.
    pub availability: AvailabilityTarget,
    /// What a request costs us.
    pub cost: CostTarget,
    /// Scores of the answers.
    pub quality: QualityTargets,
    /// How soon what was added can be found.
    pub freshness: FreshnessTarget,
    /// What differs by tier.
    pub tiers: BTreeMap<String, TierSlo>,
}

/// A percentile that targets are set at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Percentile {
    /// The median.
    P50,
    /// 90 of 100.
    P90,
    /// 95 of 100.
    P95,
    /// 99 of 100.
    P99,
}

impl Percentile {
    /// All of them, ascending.
    pub const ALL: [Self; 4] = [Self::P50, Self::P90, Self::P95, Self::P99];

    /// The percentile as `mainstay.toml` writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
        }
    }

    /// The share of requests at or below it.
    pub const fn quantile(self) -> f64 {
        match self {
            Self::P50 => 0.5,
            Self::P90 => 0.9,
            Self::P95 => 0.95,
            Self::P99 => 0.99,
        }
    }
}

/// Longest times by percentile. A higher percentile never has a shorter time.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LatencyTargets(BTreeMap<Percentile, Duration>);

impl LatencyTargets {
    /// The target at this percentile, where one is set.
    pub fn at(&self, percentile: Percentile) -> Option<Duration> {
        self.0.get(&percentile).copied()
    }

    /// The targets that are set, by ascending percentile.
    pub fn iter(&self) -> impl Iterator<Item = (Percentile, Duration)> {
        self.0.iter().map(|(percentile, duration)| (*percentile, *duration))
    }

    /// These targets where they are set, else the others.
    fn or(&self, others: &Self) -> Self {
        if self.0.is_empty() { others.clone() } else { self.clone() }
    }
}

/// The target for failing requests.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct ErrorTarget {
    /// The largest share of requests that may fail: above 0, below 1.
    pub rate: Option<Ratio>,
}

/// The target for uptime.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct AvailabilityTarget {
    /// The smallest share of good minutes in 30 days: above 0, below 1.
    pub monthly: Option<Ratio>,
}

/// The target for cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CostTarget {
    /// The most that a request may cost on average: above 0.
    pub per_request: Option<NanoUsd>,
}

/// The targets for quality, each above 0.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct QualityTargets {
    /// Share of an answer's statements that its sources support.
    pub faithfulness: Option<Ratio>,
    /// Share of the relevant documents among the first five of a search.
    pub recall_at_5: Option<Ratio>,
    /// Share of the relevant documents among the first ten of a search.
    pub recall_at_10: Option<Ratio>,
    /// Normalised discounted cumulative gain of the first ten.
    pub ndcg_at_10: Option<Ratio>,
    /// One over the rank of the first relevant document among ten.
    pub mrr_at_10: Option<Ratio>,
}

/// The target for staleness.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FreshnessTarget {
    /// The longest time from a document's acceptance until everybody finds it: above 0.
    pub staleness: Option<Duration>,
}

/// What differs for a tier of customers.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct TierSlo {
    /// Time to first token.
    pub ttft: LatencyTargets,
    /// The whole request.
    pub latency: LatencyTargets,
    /// Requests that fail by our fault.
    pub errors: ErrorTarget,
    /// Uptime.
    pub availability: AvailabilityTarget,
}

impl Slo {
    /// The objectives that hold where a tier sets none of its own.
    pub fn general(&self) -> TierSlo {
        TierSlo {
            ttft: self.ttft.clone(),
            latency: self.latency.clone(),
            errors: self.errors,
            availability: self.availability,
        }
    }

    /// The objectives that hold for customers of this tier: its own where it has some, else the general ones.
    pub fn of_tier(&self, tier: &str) -> TierSlo {
        let own = self.tiers.get(tier).cloned().unwrap_or_default();
        TierSlo {
            ttft: own.ttft.or(&self.ttft),
            latency: own.latency.or(&self.latency),
            errors: ErrorTarget { rate: own.errors.rate.or(self.errors.rate) },
            availability: AvailabilityTarget {
                monthly: own.availability.monthly.or(self.availability.monthly),
            },
        }
    }
}

impl RawSlo {
    /// The section, checked.
    pub fn check(self, at: &KeyPath, findings: &mut Findings) -> Slo {
        let general = RawTierSlo {
            ttft: self.ttft,
            latency: self.latency,
            errors: self.errors,
            availability: self.availability,
        }
        .check(at, findings);
        let tiers_at = at.key("tiers");
        let tiers = self.tiers.into_iter();
        Slo {
            ttft: general.ttft,
            latency: general.latency,
            time_per_output_token: self
                .time_per_output_token
                .check(&at.key("time_per_output_token"), findings),
            errors: general.errors,
            availability: general.availability,
            cost: self.cost.check(&at.key("cost"), findings),
            quality: self.quality.check(&at.key("quality"), findings),
            freshness: self.freshness.check(&at.key("freshness"), findings),
            tiers: tiers
                .map(|(name, tier)| {
                    let checked = tier.check(&tiers_at.key(&name), findings);
                    (name, checked)
                })
                .collect(),
        }
    }
}

impl RawTierSlo {
    pub(super) fn check(self, at: &KeyPath, findings: &mut Findings) -> TierSlo {
        let tier = TierSlo {
            ttft: self.ttft.check(&at.key("ttft"), findings),
            latency: self.latency.check(&at.key("latency"), findings),
            errors: self.errors.check(&at.key("errors"), findings),
            availability: self.availability.check(&at.key("availability"), findings),
        };
        check_first_token_comes_before_last(&tier, at, findings);
        tier
    }
}

impl RawLatency {
    fn check(self, at: &KeyPath, findings: &mut Findings) -> LatencyTargets {
        let written = [self.p50, self.p90, self.p95, self.p99];
        let mut targets = BTreeMap::new();
        for (percentile, duration) in Percentile::ALL.into_iter().zip(written) {
            let Some(HumanDuration(duration)) = duration else { continue };
            let key = at.key(percentile.as_str());
            if duration.is_zero() {
                findings.report(
                    &key,
                    "nothing takes no time at all",
                    example(percentile.as_str(), "\"500ms\""),
                );
                continue;
            }
            check_order(&targets, percentile, duration, at, findings);
            targets.insert(percentile, duration);
        }
        LatencyTargets(targets)
    }
}

/// A higher percentile holds more requests, so its time cannot be shorter.
fn check_order(
    lower: &BTreeMap<Percentile, Duration>,
    percentile: Percentile,
    duration: Duration,
    at: &KeyPath,
    findings: &mut Findings,
) {
    let Some((below, shorter)) = lower.iter().next_back().filter(|(_, shorter)| **shorter > duration) else {
        return;
    };
    let (name, below) = (percentile.as_str(), below.as_str());
    findings.contradiction(
        &at.key(name),
        &at.key(below),
        format!("{name} ({}) is shorter than {below} ({})", HumanDuration(duration), HumanDuration(*shorter)),
        format!("the requests within {below} are among those within {name}: make {name} at least as long as {below}"),
    );
}

/// The first token is a part of the whole request, so at the same percentile it cannot take longer.
fn check_first_token_comes_before_last(tier: &TierSlo, at: &KeyPath, findings: &mut Findings) {
    for (percentile, first_token) in tier.ttft.iter() {
        let Some(whole) = tier.latency.at(percentile).filter(|whole| *whole < first_token) else { continue };
        let name = percentile.as_str();
        findings.contradiction(
            &at.key("latency").key(name),
            &at.key("ttft").key(name),
            format!(
                "the whole request ({}) is shorter than its first token ({})",
                HumanDuration(whole),
                HumanDuration(first_token)
            ),
            "the time to the first token is a part of the whole: allow the whole request more",
        );
    }
}

impl RawErrors {
    fn check(self, at: &KeyPath, findings: &mut Findings) -> ErrorTarget {
        let key = at.key("rate");
        ErrorTarget {
            rate: open_share(
                self.rate,
                &key,
                findings,
                [
                    "no product fails never",
                    "at 100% everything fails, so nothing is promised",
                    "allow a small share, which is the error budget. For example: rate = \"0.1%\"",
                ],
            ),
        }
    }
}

impl RawAvailability {
    fn check(self, at: &KeyPath, findings: &mut Findings) -> AvailabilityTarget {
        let key = at.key("monthly");
        AvailabilityTarget {
            monthly: open_share(
                self.monthly,
                &key,
                findings,
                [
                    "at 0% nothing is promised",
                    "100% leaves no error budget, so every failure breaks it",
                    "promise less than 100%. For example: monthly = \"99.9%\", 43 minutes in 30 days",
                ],
            ),
        }
    }
}

impl RawCost {
    fn check(self, at: &KeyPath, findings: &mut Findings) -> CostTarget {
        let per_request = self.per_request.map(|Dollars(amount)| amount);
        if per_request == Some(NanoUsd::ZERO) {
            let hint = format!(
                "leave the key out if cost does not matter. {}",
                example("per_request", "\"$0.005\"")
            );
            findings.report(&at.key("per_request"), "a request never costs nothing", hint);
        }
        CostTarget { per_request }
    }
}

impl RawQuality {
    fn check(self, at: &KeyPath, findings: &mut Findings) -> QualityTargets {
        for (key, score) in [
            ("faithfulness", self.faithfulness),
            ("recall_at_5", self.recall_at_5),
            ("recall_at_10", self.recall_at_10),
            ("ndcg_at_10", self.ndcg_at_10),
            ("mrr_at_10", self.mrr_at_10),
        ] {
            if score.is_some_and(|score| score.as_f64() == 0.0) {
                let hint = format!("set a score that can be missed. {}", example(key, "0.85"));
                findings.report(&at.key(key), "a score of 0 promises nothing", hint);
            }
        }
        QualityTargets {
            faithfulness: self.faithfulness,
            recall_at_5: self.recall_at_5,
            recall_at_10: self.recall_at_10,
            ndcg_at_10: self.ndcg_at_10,
            mrr_at_10: self.mrr_at_10,
        }
    }
}

impl RawFreshness {
    fn check(self, at: &KeyPath, findings: &mut Findings) -> FreshnessTarget {
        let staleness = self.staleness.map(|HumanDuration(duration)| duration);
        if staleness.is_some_and(|staleness| staleness.is_zero()) {
            let hint = example("staleness", "\"60s\"");
            findings.report(&at.key("staleness"), "nothing is found in no time at all", hint);
        }
        FreshnessTarget { staleness }
    }
}

/// A share strictly between 0 and 1; `words` say what is wrong with 0, what with 1, and what to write.
fn open_share(
    share: Option<Ratio>,
    key: &KeyPath,
    findings: &mut Findings,
    [at_zero, at_one, hint]: [&str; 3],
) -> Option<Ratio> {
    let wrong = share.and_then(|share| match share.as_f64() {
        0.0 => Some(at_zero),
        1.0 => Some(at_one),
        _ => None,
    });
    if let Some(message) = wrong {
        findings.report(key, message, hint);
    }
    share
}

fn example(key: &str, value: &str) -> String {
    format!("For example: {key} = {value}")
}
