//! `[traffic]`: how much the product must serve.

use mainstay_domain::config::{Findings, KeyPath};
use schemars::JsonSchema;
use serde::Deserialize;

/// Volume.
#[derive(Clone, Copy, Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub struct RawTraffic {
    /// People who use the product at least once in a month.
    #[schemars(example = 1_000_000, range(min = 1))]
    monthly_active_users: Option<u64>,
    /// Requests per second that must be served for hours.
    #[schemars(example = 100, extend("exclusiveMinimum" = 0))]
    requests_per_second: Option<f64>,
    /// Requests per second that must be served for minutes; three times the sustained rate is usual.
    #[schemars(example = 300, extend("exclusiveMinimum" = 0))]
    burst_requests_per_second: Option<f64>,
}

/// Volume, checked.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Traffic {
    /// People who use the product at least once in a month; at least 1.
    pub monthly_active_users: Option<u64>,
    /// Sustained requests per second; above 0.
    pub requests_per_second: Option<f64>,
    /// Requests per second in a burst; not below the sustained rate.
    pub burst_requests_per_second: Option<f64>,
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
        Traffic {
            monthly_active_users: self.monthly_active_users,
            requests_per_second: self.requests_per_second,
            burst_requests_per_second: self.burst_requests_per_second,
        }
    }
}
