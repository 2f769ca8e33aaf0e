//! `[assistants.<name>]`: a prompt, a corpus and a model under one name.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use mainstay_cache::CacheSettings;
use mainstay_domain::config::{Findings, KeyPath, Ratio, closest};
use mainstay_domain::{CorpusName, Filter, ServiceTier, When};
use mainstay_models::RetrievalSettings;
use mainstay_wire::filter::decode_filter;
use schemars::JsonSchema;
use serde::Deserialize;

use super::cache::RawAnswers;
use super::model_name::{BUILTIN, ModelName};
use super::onnx::ONNX;
use super::providers::Provider;
use super::routing::{RawRouting, Routing};
use super::rules::check_name;

/// The chat models that are built in; the first is the default.
const BUILTIN_MODELS: [&str; 1] = ["extractive"];

/// What clients name as `model`.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawAssistant {
    /// What it is for, for people who choose one.
    #[schemars(example = "Answers questions from the manuals", length(min = 1))]
    description: Option<String>,
    /// The corpus that it answers from; without one it only talks.
    #[schemars(example = &"handbook", length(min = 1))]
    corpus: Option<String>,
    /// The model that answers.
    #[schemars(example = "openai/gpt-4o-mini")]
    model: Option<ModelName>,
    /// Models instead of one, the cheapest first: each but the last is asked where its answer is likely good enough, and the
    /// next one where it was not.
    #[schemars(example = ["openai/gpt-4o-mini", "openai/gpt-4o"], length(min = 1), extend("uniqueItems" = true))]
    cascade: Option<Vec<ModelName>>,
    /// The models that answer when that one fails, in this order.
    #[schemars(example = ["anthropic/claude-haiku-4-5", "builtin/extractive"], length(min = 1), extend("uniqueItems" = true))]
    fallback: Option<Vec<ModelName>>,
    /// The model that answers while the service is reduced; others follow if it fails.
    #[schemars(example = "openai/gpt-4o-mini")]
    reduced_model: Option<ModelName>,
    /// What of the traffic goes to the first of those at once, so that it is warm when it is needed.
    #[schemars(example = "5%")]
    warm_share: Option<Ratio>,
    /// What the model is told before the conversation.
    #[schemars(example = "You help the customers of Acme. Be brief.", length(min = 1))]
    prompt: Option<String>,
    /// The same in a file of its own; a relative path starts at the folder of this file.
    #[schemars(example = "prompts/support.md", length(min = 1))]
    prompt_file: Option<String>,
    /// The most tokens of an answer where the caller sets no limit.
    #[schemars(example = 1024, range(min = 1))]
    max_tokens: Option<u64>,
    /// Sampling temperature where the caller sets none.
    #[schemars(example = 0.2, range(min = 0, max = 2))]
    temperature: Option<f64>,
    /// A model that judges whether the source of each citation supports its statement, besides the words that they share.
    /// A streamed answer waits for it at each citation.
    #[schemars(example = "openai/gpt-4o-mini")]
    citation_judge: Option<ModelName>,
    /// How passages are chosen.
    retrieval: RawRetrieval,
    /// Whether and how long its answers are given again.
    cache: RawAnswers,
    /// Which model of the cascade a question starts at, and which answers may leave.
    routing: RawRouting,
}

/// How passages are chosen.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
struct RawRetrieval {
    /// The most sources in the prompt.
    #[schemars(example = 5, range(min = 1, max = 100))]
    top_k: Option<u32>,
    /// The most tokens that the sources may take in the prompt.
    #[schemars(example = 4096, range(min = 100))]
    context_tokens: Option<u64>,
    /// How much work the order of the passages is worth where the caller does not say.
    tier: Option<ServiceTier>,
    /// Which documents of the corpus it answers from, as JSON in the form of a search's filter.
    #[schemars(example = &"{\"audience\": \"public\"}", length(min = 1))]
    filter: Option<String>,
    /// The most sources of one document.
    #[schemars(example = 2, range(min = 1))]
    per_document: Option<u32>,
    /// Whether only the sentences of a source that matter for the question are shown.
    compression: Option<bool>,
    /// Whether sources are chosen from different groups of passages: auto does for comparisons and overviews.
    diversity: Option<When>,
    /// Whether a second search looks for what the passages of the first name: auto does for questions in two
    /// steps, and for those with a name that the first has not found.
    multi_hop: Option<When>,
}

impl RawRetrieval {
    fn check(self) -> RetrievalSettings {
        let defaults = RetrievalSettings::default();
        RetrievalSettings {
            top_k: self.top_k.map_or(defaults.top_k, |top_k| top_k as usize),
            context_tokens: self.context_tokens.unwrap_or(defaults.context_tokens),
            tier: self.tier.unwrap_or(defaults.tier),
            per_document: self.per_document.map(|most| most as usize).or(defaults.per_document),
            compression: self.compression.unwrap_or(defaults.compression),
            diversity: self.diversity.unwrap_or(defaults.diversity),
            multi_hop: self.multi_hop.unwrap_or(defaults.multi_hop),
        }
    }
}

/// An assistant, checked.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Assistant {
    /// What it is for.
    pub(crate) description: Option<String>,
    /// The corpus that it answers from; it exists.
    pub(crate) corpus: Option<CorpusName>,
    /// The models, the cheapest first; never empty.
    pub(crate) models: Vec<ModelName>,
    /// The models that answer when that one fails.
    pub(crate) fallback: Vec<ModelName>,
    /// The model that answers while the service is reduced.
    pub(crate) reduced_model: Option<ModelName>,
    /// What of the traffic goes to the first of those at once, 0 to 1.
    pub(crate) warm_share: f64,
    /// What the model is told before the conversation.
    pub(crate) prompt: Option<String>,
    /// The most tokens of an answer where the caller sets no limit.
    pub(crate) max_tokens: Option<u64>,
    /// Sampling temperature where the caller sets none.
    pub(crate) temperature: Option<f64>,
    /// How passages are chosen.
    pub(crate) retrieval: RetrievalSettings,
    /// Which documents of the corpus it answers from.
    pub(crate) filter: Option<Filter>,
    /// The model that judges citations.
    pub(crate) citation_judge: Option<ModelName>,
    /// Whether and how long its answers are given again.
    pub(crate) cache: CacheSettings,
    /// Which model of a cascade a question starts at; `None` where there is one model.
    pub(crate) routing: Option<Routing>,
}

/// Reads a file that the configuration names, by the path written there.
pub(crate) type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

impl Assistant {
    /// The assistant that needs no provider: it answers with sentences of the corpus.
    pub(crate) fn extractive(corpus: CorpusName) -> Self {
        Self {
            description: None,
            corpus: Some(corpus),
            models: vec![ModelName::builtin(BUILTIN_MODELS[0])],
            fallback: Vec::new(),
            reduced_model: None,
            warm_share: 0.0,
            prompt: None,
            max_tokens: None,
            temperature: None,
            retrieval: RetrievalSettings::default(),
            filter: None,
            citation_judge: None,
            cache: CacheSettings::default(),
            routing: None,
        }
    }
}

impl RawAssistant {
    /// The section, checked. `providers` are those of the file; `read_file` reads the prompt where it has a file of its
    /// own.
    pub(crate) fn check(
        mut self,
        at: &KeyPath,
        providers: &BTreeMap<String, Provider>,
        read_file: ReadFile<'_>,
        findings: &mut Findings,
    ) -> Assistant {
        check_name(at, findings);
        if let Some(corpus) = &self.corpus {
            check_corpus(corpus, &at.key("corpus"), findings);
        }
        let models = check_models(self.model, self.cascade, at, providers, findings);
        let fallback =
            check_fallback(self.fallback, models.first(), &at.key("fallback"), providers, findings);
        if self.warm_share.is_some() && !findings.is_present(&at.key("fallback")) {
            let hint = "name one. For example: fallback = [\"anthropic/claude-haiku-4-5\"]";
            findings.report(&at.key("warm_share"), "there is no other model to keep warm", hint);
        }
        if self.warm_share.is_some() && models.len() > 1 {
            let hint = "leave the share out: questions that need it keep the stronger model warm";
            findings.contradiction(
                &at.key("warm_share"),
                &at.key("cascade"),
                "a cascade decides for itself which model a question starts at",
                hint,
            );
        }
        let routing = self.routing.check(&models, &at.key("routing"), providers, read_file, findings);
        if let Some(model) = &self.reduced_model {
            check_model(model, &at.key("reduced_model"), providers, findings);
        }
        Assistant {
            models,
            fallback,
            reduced_model: self.reduced_model,
            warm_share: self.warm_share.map_or(0.0, Ratio::as_f64),
            prompt: check_prompt(self.prompt, self.prompt_file, at, read_file, findings),
            description: self.description,
            corpus: self.corpus.map(CorpusName::from),
            max_tokens: self.max_tokens,
            temperature: self.temperature,
            citation_judge: check_judge(self.citation_judge, at, providers, findings),
            filter: check_filter(self.retrieval.filter.take(), &at.key("retrieval").key("filter"), findings),
            retrieval: self.retrieval.check(),
            cache: self.cache.check(&at.key("cache"), findings),
            routing,
        }
    }
}

fn check_models(
    model: Option<ModelName>,
    cascade: Option<Vec<ModelName>>,
    at: &KeyPath,
    providers: &BTreeMap<String, Provider>,
    findings: &mut Findings,
) -> Vec<ModelName> {
    let (model_at, cascade_at) = (at.key("model"), at.key("cascade"));
    match (model, cascade) {
        (Some(model), None) => {
            check_model(&model, &model_at, providers, findings);
            vec![model]
        }
        (None, Some(models)) => {
            for (index, model) in models.iter().enumerate() {
                check_model(model, &cascade_at.item(index), providers, findings);
            }
            models
        }
        (Some(model), Some(_)) => {
            let hint = "keep one: `model` for one model, `cascade` for several";
            findings.contradiction(&cascade_at, &model_at, "both a model and a cascade are given", hint);
            vec![model]
        }
        (None, None) => {
            if !findings.is_present(&cascade_at) {
                let hint = "say which answers. For example: model = \"builtin/extractive\"";
                findings.report(&model_at, "the model is missing", hint);
            }
            Vec::new()
        }
    }
}

pub(super) fn check_model(
    model: &ModelName,
    at: &KeyPath,
    providers: &BTreeMap<String, Provider>,
    findings: &mut Findings,
) {
    model.check_provider(at, &BUILTIN_MODELS, findings);
    if let Some(provider) = providers.get(&model.provider).filter(|provider| provider.kind.only_reranks()) {
        let message = format!("a provider of the kind {:?} answers no questions", provider.kind.as_str());
        findings.report(
            at,
            message,
            "name it as the reranker of a corpus, and another provider's model here",
        );
    }
}

/// Models that answer when `first` fails.
pub(super) fn check_fallback(
    fallback: Option<Vec<ModelName>>,
    first: Option<&ModelName>,
    at: &KeyPath,
    providers: &BTreeMap<String, Provider>,
    findings: &mut Findings,
) -> Vec<ModelName> {
    let fallback = fallback.unwrap_or_default();
    for (index, model) in fallback.iter().enumerate() {
        let item = at.item(index);
        if Some(model) == first {
            let hint = "it is tried again anyway: name another one, or take it out";
            findings.report(&item, format!("{model} cannot stand in for itself"), hint);
        }
        check_model(model, &item, providers, findings);
    }
    fallback
}

/// A model that judges the citations of an assistant that has documents.
fn check_judge(
    judge: Option<ModelName>,
    at: &KeyPath,
    providers: &BTreeMap<String, Provider>,
    findings: &mut Findings,
) -> Option<ModelName> {
    let model = judge?;
    let key = at.key("citation_judge");
    if [BUILTIN, ONNX].contains(&model.provider.as_str()) {
        let hint = "name a model of a provider. For example: citation_judge = \"openai/gpt-4o-mini\"";
        findings.report(&key, format!("{model} cannot judge citations"), hint);
        return None;
    }
    check_model(&model, &key, providers, findings);
    if !findings.is_present(&at.key("corpus")) {
        let hint = "without a corpus nothing is cited: name one, or leave the judge out";
        findings.report(&key, "there are no citations to judge", hint);
    }
    Some(model)
}

fn check_prompt(
    text: Option<String>,
    file: Option<String>,
    at: &KeyPath,
    read_file: ReadFile<'_>,
    findings: &mut Findings,
) -> Option<String> {
    let Some(file) = file else { return text };
    let key = at.key("prompt_file");
    if text.is_some() {
        let hint = "keep one: the text here, or the file";
        findings.contradiction(&key, &at.key("prompt"), "both a prompt and a file with one are given", hint);
        return text;
    }
    match read_file(Path::new(&file)) {
        Ok(text) => Some(text),
        Err(cause) => {
            let hint = "a relative path starts at the folder of this file; `prompt` takes the text itself";
            findings.report(&key, format!("the file cannot be read: {cause}"), hint);
            None
        }
    }
}

fn check_filter(text: Option<String>, at: &KeyPath, findings: &mut Findings) -> Option<Filter> {
    let hint = "write it as POST /v1/search takes it. For example: filter = '{\"year\": {\"$gte\": 2020}}'";
    match serde_json::from_str(&text?) {
        Ok(value) => decode_filter(value, "filter").unwrap_or_else(|error| {
            findings.report(at, error.message, hint);
            None
        }),
        Err(error) => {
            findings.report(at, format!("the filter is not valid JSON: {error}"), hint);
            None
        }
    }
}

fn check_corpus(corpus: &str, at: &KeyPath, findings: &mut Findings) {
    let mut known: Vec<String> = findings.names(&KeyPath::root().key("corpora")).map(str::to_owned).collect();
    if known.is_empty() {
        known.push(CorpusName::unnamed().as_str().to_owned());
    }
    if known.iter().any(|name| name == corpus) {
        return;
    }
    let hint = match closest(corpus, known.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None => format!("add a table [corpora.{corpus}]; there is: {}", known.join(", ")),
    };
    findings.report(at, format!("there is no corpus {corpus:?}"), hint);
}
