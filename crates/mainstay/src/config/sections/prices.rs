//! `[prices."provider/model"]`: prices that differ from the built-in list.

use mainstay_domain::NanoUsd;
use mainstay_domain::config::{ConfigValue, Dollars, Findings, KeyPath};
use schemars::JsonSchema;
use serde::Deserialize;

use super::model_name::{BUILTIN, ModelName};

/// Dollars per million tokens, and per search of a reranker that bills searches.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawPrice {
    /// A million tokens of the prompt.
    #[schemars(example = "$0.15")]
    input: Option<Dollars>,
    /// A million tokens of the prompt that the provider had in its cache; without it, the price of input.
    #[schemars(example = "$0.075")]
    cached_input: Option<Dollars>,
    /// A million tokens that the provider puts into its cache; without it, the price of input.
    #[schemars(example = "$0.1875")]
    cache_write: Option<Dollars>,
    /// A million tokens of the answer.
    #[schemars(example = "$0.60")]
    output: Option<Dollars>,
    /// A search of a reranker that bills searches instead of tokens: a question with up to a hundred passages.
    #[schemars(example = "$0.002")]
    search: Option<Dollars>,
}

/// Prices per million tokens, and per search.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Price {
    /// Of the prompt.
    pub(crate) input: NanoUsd,
    /// Of the prompt from the provider's cache.
    pub(crate) cached_input: NanoUsd,
    /// Of what the provider puts into its cache.
    pub(crate) cache_write: NanoUsd,
    /// Of the answer.
    pub(crate) output: NanoUsd,
    /// Of a search of a reranker.
    pub(crate) search: Option<NanoUsd>,
}

impl RawPrice {
    /// The section, checked.
    pub(crate) fn check(self, at: &KeyPath, findings: &mut Findings) -> Price {
        check_model(at, findings);
        for (key, price, example) in [("input", self.input, "$0.15"), ("output", self.output, "$0.60")] {
            if price.is_none() && self.search.is_none() {
                let hint = format!("dollars per million tokens. For example: {key} = \"{example}\"");
                findings.report(&at.key(key), format!("the price of {key} is missing"), hint);
            }
        }
        let amount = |price: Option<Dollars>| price.map_or(NanoUsd::ZERO, NanoUsd::from);
        Price {
            input: amount(self.input),
            cached_input: amount(self.cached_input.or(self.input)),
            cache_write: amount(self.cache_write.or(self.input)),
            output: amount(self.output),
            search: self.search.map(NanoUsd::from),
        }
    }
}

fn check_model(at: &KeyPath, findings: &mut Findings) {
    let name = at.last_key().unwrap_or_default();
    match ModelName::from_text(name) {
        Ok(model) if model.provider == BUILTIN => {
            findings.report_key(at, "what is built in costs nothing", "take this table out");
        }
        Ok(model) => {
            let known = findings.names(&KeyPath::root().key("providers")).any(|name| name == model.provider);
            if !known {
                let provider = &model.provider;
                let hint = format!("add a table [providers.{provider}], or take this one out");
                findings.report_key(at, format!("there is no provider {provider:?}"), hint);
            }
        }
        Err(error) => {
            findings.report_key(at, error.to_string(), "For example: [prices.\"openai/gpt-4o-mini\"]");
        }
    }
}
