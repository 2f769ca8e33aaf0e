//! `[budgets.<name>]` and `[attribution]`: what may be spent, and whom it is charged to.

use mainstay_domain::NanoUsd;
use mainstay_domain::config::{Dollars, Findings, KeyPath, Ratio};
use mainstay_ops::budgets::{AtLimit, Attribute, BudgetSettings, Period};
use schemars::JsonSchema;
use serde::Deserialize;

use super::rules::check_name;

/// What may be spent.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawBudget {
    /// The most that is spent in a period.
    #[schemars(example = "$100")]
    limit: Option<Dollars>,
    /// How long a period is, in UTC.
    per: Option<RawPeriod>,
    /// Only requests of this tenant.
    #[schemars(example = &"acme", length(min = 1))]
    tenant: Option<String>,
    /// Only requests with this API key, by its id.
    #[schemars(example = "3f9a1c04be77d215", length(min = 1))]
    key: Option<String>,
    /// Only requests to this assistant.
    #[schemars(example = &"support", length(min = 1))]
    assistant: Option<String>,
    /// Only requests of this team, as the header x-mainstay-team names it.
    #[schemars(example = &"search", length(min = 1))]
    team: Option<String>,
    /// Only requests of this feature, as the header x-mainstay-feature names it.
    #[schemars(example = &"summaries", length(min = 1))]
    feature: Option<String>,
    /// Whether each of these has the whole limit for itself.
    for_each: Option<RawAttributeName>,
    /// The share of the limit from which on the log and the metrics say so.
    #[schemars(example = "80%")]
    alert_at: Option<Ratio>,
    /// What happens to a request that does not fit any more.
    at_limit: Option<RawAtLimit>,
}

/// How long a period is, in UTC.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum RawPeriod {
    /// A day.
    Day,
    /// A calendar month.
    Month,
    /// For good.
    Total,
}

/// What budgets tell requests apart by.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum RawAttributeName {
    /// The tenant.
    Tenant,
    /// The API key.
    Key,
    /// The assistant.
    Assistant,
    /// The team.
    Team,
    /// The feature.
    Feature,
}

/// What happens to a request that does not fit.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum RawAtLimit {
    /// It is refused.
    Refuse,
    /// A model that costs nothing answers, where there is one.
    Degrade,
}

/// Whom requests are charged to.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawAttribution {
    /// What every request must say: x-mainstay-team, x-mainstay-feature.
    #[schemars(example = ["team", "feature"], length(min = 1), extend("uniqueItems" = true))]
    require: Option<Vec<Required>>,
}

/// What every request must say.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Required {
    /// The team that it is for.
    Team,
    /// The feature that it is for.
    Feature,
}

impl RawBudget {
    /// The section, checked.
    pub(crate) fn check(self, at: &KeyPath, findings: &mut Findings) -> BudgetSettings {
        check_name(at, findings);
        let limit = self.limit.map(NanoUsd::from);
        match limit {
            None => {
                let hint = "say what may be spent. For example: limit = \"$100\"";
                findings.report(&at.key("limit"), "the limit is missing", hint);
            }
            Some(limit) if limit <= NanoUsd::ZERO => {
                let hint = "For example: limit = \"$100\"";
                findings.report(&at.key("limit"), "nothing could ever be asked", hint);
            }
            Some(_) => {}
        }
        if self.per.is_none() {
            let hint = "day, month or total. For example: per = \"month\"";
            findings.report(&at.key("per"), "the period is missing", hint);
        }
        let only: Vec<(&str, Attribute, String)> = [
            ("tenant", Attribute::Tenant, self.tenant),
            ("key", Attribute::Key, self.key),
            ("assistant", Attribute::Assistant, self.assistant),
            ("team", Attribute::Team, self.team),
            ("feature", Attribute::Feature, self.feature),
        ]
        .into_iter()
        .filter_map(|(name, attribute, value)| Some((name, attribute, value?)))
        .collect();
        if let [(first, ..), (second, ..), ..] = only.as_slice() {
            let hint =
                "keep one: a budget is for one of them, and a request falls under every budget that fits";
            findings.contradiction(&at.key(*second), &at.key(*first), "a budget is for one thing", hint);
        }
        if let (Some(_), Some((first, ..))) = (self.for_each, only.first()) {
            let hint = "keep one: `for_each` gives every one of them a budget, the other is for one alone";
            findings.contradiction(
                &at.key("for_each"),
                &at.key(*first),
                "a budget is for one or for each",
                hint,
            );
        }
        BudgetSettings {
            name: at.last_key().unwrap_or_default().to_owned(),
            limit: limit.unwrap_or(NanoUsd::ZERO),
            period: match self.per {
                Some(RawPeriod::Day) => Period::Day,
                Some(RawPeriod::Month) | None => Period::Month,
                Some(RawPeriod::Total) => Period::Total,
            },
            only: only.into_iter().map(|(_, attribute, value)| (attribute, value)).collect(),
            for_each: self.for_each.map(RawAttributeName::attribute),
            alert_at: self.alert_at.map_or(0.8, Ratio::as_f64),
            at_limit: match self.at_limit {
                Some(RawAtLimit::Degrade) => AtLimit::Degrade,
                Some(RawAtLimit::Refuse) | None => AtLimit::Refuse,
            },
        }
    }
}

impl RawAttributeName {
    const fn attribute(self) -> Attribute {
        match self {
            Self::Tenant => Attribute::Tenant,
            Self::Key => Attribute::Key,
            Self::Assistant => Attribute::Assistant,
            Self::Team => Attribute::Team,
            Self::Feature => Attribute::Feature,
        }
    }
}

impl RawAttribution {
    /// What every request must say.
    pub(crate) fn required(self) -> Vec<Attribute> {
        let attribute = |required| match required {
            Required::Team => Attribute::Team,
            Required::Feature => Attribute::Feature,
        };
        self.require.unwrap_or_default().into_iter().map(attribute).collect()
    }
}
