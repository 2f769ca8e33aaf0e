//! `[models."provider/model"]`: what is known of a model.

use std::collections::BTreeMap;

use mainstay_domain::config::{ConfigValue, Findings, KeyPath};
use mainstay_models::{Abilities, Prefill};
use mainstay_reliability::BreakerSettings;
use schemars::JsonSchema;
use serde::Deserialize;

use super::assistants::check_fallback;
use super::model_name::{BUILTIN, ModelName};
use super::providers::{Provider, ProviderKind};
use super::reliability::RawBreaker;

/// What is known of a model.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawModel {
    /// Tokens of prompt and answer together; a longer prompt goes to the next model at once.
    #[schemars(example = 128_000, range(min = 1))]
    context_tokens: Option<u64>,
    /// Whether it calls tools.
    tools: Option<bool>,
    /// Whether it sees pictures.
    images: Option<bool>,
    /// Whether it keeps to a JSON schema.
    json_schema: Option<bool>,
    /// Whether and how it goes on with an answer that was begun, so that one that broke off can be continued.
    prefill: Option<RawPrefill>,
    /// The models that answer when it fails, in this order, where an assistant names none.
    #[schemars(example = ["anthropic/claude-haiku-4-5"], length(min = 1), extend("uniqueItems" = true))]
    fallback: Option<Vec<ModelName>>,
    /// When this model is not called any more; what is not said here is as in [reliability.breaker].
    breaker: RawBreaker,
}

/// Whether and how a model goes on with an answer that was begun.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RawPrefill {
    /// It does not.
    No,
    /// From the last message, where that is the assistant's: Anthropic's models before Opus 4.6.
    LastMessage,
    /// The same, and it is told so by `continue_final_message`: vLLM and SGLang.
    ContinueFinalMessage,
}

/// What is known of a model, checked.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Model {
    /// What it can do.
    pub(crate) abilities: Abilities,
    /// The models that answer when it fails.
    pub(crate) fallback: Vec<ModelName>,
    /// Its breaker, where that is set apart.
    pub(crate) breaker: Option<BreakerSettings>,
}

impl RawModel {
    /// The section, checked. `breaker`: that of all models.
    pub(crate) fn check(
        self,
        at: &KeyPath,
        providers: &BTreeMap<String, Provider>,
        breaker: BreakerSettings,
        findings: &mut Findings,
    ) -> Model {
        let name = check_name(at, findings);
        let unknown = name.as_ref().map_or_else(Abilities::default, |name| known_abilities(name, providers));
        Model {
            abilities: Abilities {
                context_tokens: self.context_tokens.or(unknown.context_tokens),
                tools: self.tools.unwrap_or(unknown.tools),
                images: self.images.unwrap_or(unknown.images),
                json_schema: self.json_schema.unwrap_or(unknown.json_schema),
                prefill: self.prefill.map_or(unknown.prefill, RawPrefill::prefill),
            },
            fallback: check_fallback(self.fallback, name.as_ref(), &at.key("fallback"), providers, findings),
            breaker: (!self.breaker.is_empty())
                .then(|| self.breaker.check(breaker, &at.key("breaker"), findings)),
        }
    }
}

impl RawPrefill {
    const fn prefill(self) -> Prefill {
        match self {
            Self::No => Prefill::No,
            Self::LastMessage => Prefill::LastMessage,
            Self::ContinueFinalMessage => Prefill::ContinueFinalMessage,
        }
    }
}

/// Anthropic's models that go on with an answer that was begun; those from Opus 4.6 on refuse it.
const PREFILLED: [&str; 8] = [
    "claude-3",
    "claude-opus-4-0",
    "claude-opus-4-1",
    "claude-opus-4-5",
    "claude-opus-4-2025",
    "claude-sonnet-4-0",
    "claude-sonnet-4-2025",
    "claude-sonnet-4-5",
];

/// What is known of a model by its name and its provider, where the file says nothing.
pub(crate) fn known_abilities(name: &ModelName, providers: &BTreeMap<String, Provider>) -> Abilities {
    if name.provider == BUILTIN {
        return Abilities { tools: false, images: false, json_schema: false, ..Abilities::default() };
    }
    let is_anthropic =
        providers.get(&name.provider).is_some_and(|provider| provider.kind == ProviderKind::Anthropic);
    let is_prefilled = is_anthropic
        && (name.model.starts_with("claude-haiku-4-5")
            || PREFILLED.iter().any(|known| name.model.starts_with(known)));
    let prefill = if is_prefilled { Prefill::LastMessage } else { Prefill::No };
    Abilities { prefill, ..Abilities::default() }
}

fn check_name(at: &KeyPath, findings: &mut Findings) -> Option<ModelName> {
    match ModelName::from_text(at.last_key().unwrap_or_default()) {
        Ok(model) => {
            let known = findings.names(&KeyPath::root().key("providers")).any(|name| name == model.provider);
            if !known && model.provider != BUILTIN {
                let provider = &model.provider;
                let hint = format!("add a table [providers.{provider}], or take this one out");
                findings.report_key(at, format!("there is no provider {provider:?}"), hint);
            }
            Some(model)
        }
        Err(error) => {
            findings.report_key(at, error.to_string(), "For example: [models.\"openai/gpt-4o-mini\"]");
            None
        }
    }
}
