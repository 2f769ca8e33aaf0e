//! `[traffic]`: how much the product must serve, and what a request is like.

use mainstay_domain::config::{Findings, KeyPath, Ratio};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Volume. What is not written is assumed by the plan, with a range and a reason.
#[derive(Clone, Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub struct RawTraffic {
    /// People who use the product at least once in a month.
    #[schemars(example = 1_000_000, range(min = 1))]
    monthly_active_users: Option<u64>,
    /// The share of them who use it on a day.
    #[schemars(example = "15%")]
    daily_active_share: Option<Ratio>,
    /// How often such a person comes on that day.
    #[schemars(example = 3.0, extend("exclusiveMinimum" = 0))]
    sessions_per_day: Option<f64>,
    /// Requests of a session.
    #[schemars(example = 2.0, extend("exclusiveMinimum" = 0))]
    requests_per_session: Option<f64>,
    /// Requests per second that must be served for hours.
    #[schemars(example = 100, extend("exclusiveMinimum" = 0))]
    requests_per_second: Option<f64>,
    /// Requests per second that must be served for minutes; three times the sustained rate is usual.
    #[schemars(example = 300, extend("exclusiveMinimum" = 0))]
    burst_requests_per_second: Option<f64>,
    /// Tokens of a prompt, with instructions, passages and history.
    #[schemars(example = 1500, range(min = 1))]
    input_tokens: Option<u64>,
    /// Tokens of an answer.
    #[schemars(example = 300, range(min = 1))]
    output_tokens: Option<u64>,
    /// The share of a prompt's tokens that the provider reads from its own cache.
    #[schemars(example = "20%")]
    cached_input: Option<Ratio>,
    /// How the load moves over a day.
    #[schemars(example = &"business_hours")]
    shape: Option<Shape>,
    /// How much more there is every month.
    #[schemars(example = "5%")]
    growth_per_month: Option<Ratio>,
}

/// How the load moves over a day and a week.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Weekdays from morning to evening, in one time zone.
    BusinessHours,
    /// Every day, most in the evening.
    ConsumerEvening,
    /// People everywhere: nearly level.
    GlobalFlat,
}

impl Shape {
    /// The shape as `mainstay.toml` writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BusinessHours => "business_hours",
            Self::ConsumerEvening => "consumer_evening",
            Self::GlobalFlat => "global_flat",
        }
    }
}

/// Volume, checked. What is `None` is for the plan to assume.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Traffic {
    /// People who use the product at least once in a month; at least 1.
    pub monthly_active_users: Option<u64>,
    /// The share of them who use it on a day; above 0.
    pub daily_active_share: Option<Ratio>,
    /// How often such a person comes on that day; above 0.
    pub sessions_per_day: Option<f64>,
    /// Requests of a session; above 0.
    pub requests_per_session: Option<f64>,
    /// Sustained requests per second; above 0.
    pub requests_per_second: Option<f64>,
    /// Requests per second in a burst; not below the sustained rate.
    pub burst_requests_per_second: Option<f64>,
    /// Tokens of a prompt; at least 1.
    pub input_tokens: Option<u64>,
    /// Tokens of an answer; at least 1.
    pub output_tokens: Option<u64>,
    /// The share of a prompt that the provider reads from its cache.
    pub cached_input: Option<Ratio>,
    /// How the load moves over a day.
    pub shape: Option<Shape>,
    /// Growth from month to month.
    pub growth_per_month: Option<Ratio>,
}

impl RawTraffic {
    /// The section, checked.
    pub fn check(self, at: &KeyPath, findings: &mut Findings) -> Traffic {
        if let (Some(sustained), Some(burst)) = (self.requests_per_second, self.burst_requests_per_second)
            && burst < sustained
        {
            findings.contradiction(
                &at.key("burst_requests_per_second"),
                &at.key("requests_per_second"),
                format!("the burst ({burst}/s) is less than the sustained rate ({sustained}/s)"),
                format!("For example: burst_requests_per_second = {}", sustained * 3.0),
            );
        }
        if self.daily_active_share.is_some_and(|share| share.as_f64() == 0.0) {
            let hint = "leave the key out if nobody knows. For example: daily_active_share = \"15%\"";
            findings.report(&at.key("daily_active_share"), "of users who never come nothing follows", hint);
        }
        Traffic {
            monthly_active_users: self.monthly_active_users,
            daily_active_share: self.daily_active_share,
            sessions_per_day: self.sessions_per_day,
            requests_per_session: self.requests_per_session,
            requests_per_second: self.requests_per_second,
            burst_requests_per_second: self.burst_requests_per_second,
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            cached_input: self.cached_input,
            shape: self.shape,
            growth_per_month: self.growth_per_month,
        }
    }
}
