//! The keys of `[corpora.<name>]` that say how its passages are reranked.

use std::collections::BTreeMap;
use std::time::Duration;

use mainstay_domain::config::{
    ConfigValue, Findings, HumanDuration, KeyPath, Ratio, ValueError, deserialize_value,
};
use mainstay_rag::RerankSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use super::model_name::ModelName;
use super::providers::Provider;
use super::rules::positive;

/// The rerankers that are built in; the first is the default.
const BUILTIN_RERANKERS: [&str; 1] = ["linear"];

/// The keys as the section has them.
pub(super) struct RawRerank {
    pub(super) reranker: Option<RerankerName>,
    pub(super) candidates: Option<u32>,
    pub(super) timeout: Option<HumanDuration>,
    pub(super) clear_lead: Option<Ratio>,
}

/// How the passages of a corpus are reranked, checked.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Rerank {
    /// By what; its provider exists and reranks.
    pub(crate) reranker: RerankerName,
    /// How many of the best passages it reads; at least two.
    pub(crate) candidates: usize,
    /// How long a search waits for it at most; not zero.
    pub(crate) timeout: Duration,
    /// The share by which the first passage must lead for the reranker not to be asked.
    pub(crate) clear_lead: Option<f32>,
}

/// What reranks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum RerankerName {
    /// Nothing.
    None,
    /// A model.
    Model(ModelName),
}

impl Default for Rerank {
    fn default() -> Self {
        Self {
            reranker: RerankerName::Model(ModelName::builtin(BUILTIN_RERANKERS[0])),
            candidates: RerankSettings::CANDIDATES,
            timeout: RerankSettings::TIMEOUT,
            clear_lead: None,
        }
    }
}

impl Rerank {
    /// The model, where there is one.
    pub(crate) fn model(&self) -> Option<&ModelName> {
        match &self.reranker {
            RerankerName::None => None,
            RerankerName::Model(model) => Some(model),
        }
    }
}

impl RawRerank {
    /// The keys, checked. `at` is the corpus, and `providers` are those of the file.
    pub(super) fn check(
        self,
        at: &KeyPath,
        providers: &BTreeMap<String, Provider>,
        findings: &mut Findings,
    ) -> Rerank {
        let defaults = Rerank::default();
        let reranker = self.reranker.unwrap_or(defaults.reranker);
        if let RerankerName::Model(model) = &reranker {
            check_model(model, &at.key("reranker"), providers, findings);
        }
        Rerank {
            reranker,
            candidates: self.candidates.map_or(defaults.candidates, |candidates| candidates as usize),
            timeout: positive(self.timeout, defaults.timeout, &at.key("rerank_timeout"), findings),
            clear_lead: self.clear_lead.map(|share| share.as_f64() as f32),
        }
    }
}

fn check_model(
    model: &ModelName,
    at: &KeyPath,
    providers: &BTreeMap<String, Provider>,
    findings: &mut Findings,
) {
    model.check_provider(at, &BUILTIN_RERANKERS, findings);
    if let Some(provider) = providers.get(&model.provider).filter(|provider| !provider.kind.reranks()) {
        let message = format!("a provider of the kind {:?} does not rerank", provider.kind.as_str());
        let hint = "providers of the kinds \"cohere\", \"jina\", \"tei\" and \"openai-compatible\" do";
        findings.report(at, message, hint);
    }
}

impl ConfigValue for RerankerName {
    const EXPECTED: &'static str =
        "\"none\", or a model such as \"cohere/rerank-v3.5\": provider, slash, model";

    fn from_text(text: &str) -> Result<Self, ValueError> {
        if text == "none" {
            return Ok(Self::None);
        }
        ModelName::from_text(text).map(Self::Model).map_err(|_| ValueError::Malformed {
            text: text.chars().take(60).collect(),
            expected: Self::EXPECTED,
        })
    }

    fn from_number(number: f64) -> Result<Self, ValueError> {
        Err(ValueError::Malformed { text: number.to_string(), expected: Self::EXPECTED })
    }
}

impl<'de> Deserialize<'de> for RerankerName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_value(deserializer)
    }
}

impl JsonSchema for RerankerName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RerankerName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(none|[^/\\s]+/\\S+)$",
            "x-value": "reranker",
            "examples": ["builtin/linear", "none", "cohere/rerank-v3.5"],
        })
    }
}
