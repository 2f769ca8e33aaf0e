//! `[product]`: what it is and for whom.

use mainstay_domain::config::{Findings, KeyPath};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The product and its audience.
#[derive(Clone, Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub struct RawProduct {
    /// The product's name, for reports and pages.
    #[schemars(example = "Acme support", length(min = 1))]
    name: Option<String>,
    /// Who uses it: decides isolation between tenants and the rate limits that fit.
    #[schemars(example = &"enterprise")]
    audience: Option<Audience>,
    /// What it does, in a sentence, for reports.
    #[schemars(example = "Answers customers' questions from the manuals", length(min = 1))]
    description: Option<String>,
}

/// Who uses the product (the seed's card 1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Many people who share one space.
    Consumer,
    /// Companies that must not see each other.
    Enterprise,
    /// The own company.
    #[default]
    Internal,
}

impl Audience {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Consumer, Self::Enterprise, Self::Internal];

    /// The audience as `mainstay.toml` writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Enterprise => "enterprise",
            Self::Internal => "internal",
        }
    }
}

/// The product and its audience, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Product {
    /// The product's name.
    pub name: String,
    /// Who uses it.
    pub audience: Audience,
    /// What it does.
    pub description: Option<String>,
}

impl Default for Product {
    fn default() -> Self {
        Self { name: "Mainstay".to_owned(), audience: Audience::default(), description: None }
    }
}

impl RawProduct {
    /// The section, checked.
    pub fn check(self, _at: &KeyPath, _findings: &mut Findings) -> Product {
        let defaults = Product::default();
        Product {
            name: self.name.unwrap_or(defaults.name),
            audience: self.audience.unwrap_or(defaults.audience),
            description: self.description,
        }
    }
}
