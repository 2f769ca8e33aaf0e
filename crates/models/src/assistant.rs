//! An assistant: a prompt, a corpus and a model under one name.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use mainstay_domain::{AssistantName, CorpusName, Filter, ServiceTier, When};

/// An assistant of `mainstay.toml`.
#[derive(Clone, PartialEq, Debug)]
pub struct Assistant {
    /// The name that a request's `model` says.
    pub name: AssistantName,
    /// What it is for, for people who choose one.
    pub description: Option<String>,
    /// What the model is told before the conversation.
    pub prompt: Option<String>,
    /// The documents that it answers from; none for an assistant that only talks.
    pub corpus: Option<CorpusName>,
    /// The model that answers; the cheapest of a cascade.
    pub model: ModelName,
    /// Models that are asked where the one before them was not good enough, the strongest last.
    pub stronger: Vec<ModelName>,
    /// Those that answer when it fails, in this order.
    pub fallback: Vec<ModelName>,
    /// The model that answers while the service is reduced; without it, the same as ever.
    pub reduced_model: Option<ModelName>,
    /// What of the traffic goes to the first of those at once, so that it is warm when it is needed, 0 to 1.
    pub warm_share: f64,
    /// Most tokens of an answer where the caller sets no limit.
    pub max_tokens: Option<u64>,
    /// Sampling temperature where the caller sets none.
    pub temperature: Option<f64>,
    /// How passages are chosen.
    pub retrieval: RetrievalSettings,
    /// Which documents of the corpus it answers from; without it, all.
    pub filter: Option<Filter>,
    /// The model that judges whether each citation's source supports its statement; without it, overlap of words does.
    pub citation_judge: Option<ModelName>,
}

/// How the sources of an answer are found and chosen.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RetrievalSettings {
    /// Sources in the prompt, at most.
    pub top_k: usize,
    /// Tokens that the sources may take in the prompt.
    pub context_tokens: u64,
    /// How much work the order of the passages is worth where the caller does not say.
    pub tier: ServiceTier,
    /// Sources of one document, at most; `None` where one document may give all.
    pub per_document: Option<usize>,
    /// Whether only the sentences that matter for the question are shown of a source.
    pub compression: bool,
    /// Whether the sources are chosen from different groups of passages; by itself for comparisons and overviews.
    pub diversity: When,
    /// Whether a second search looks for what the first one's passages name; by itself for questions in two steps and those
    /// with a name that the first has not found.
    pub multi_hop: When,
}

impl Default for RetrievalSettings {
    /// Five sources: beyond that the gain diminishes and models lose what stands in the middle. 4,096 tokens hold five
    /// parents of 400 words.
    fn default() -> Self {
        Self {
            top_k: 5,
            context_tokens: 4_096,
            tier: ServiceTier::Quality,
            per_document: None,
            compression: false,
            diversity: When::Auto,
            multi_hop: When::Auto,
        }
    }
}

/// `provider/model`: a provider of `mainstay.toml` and a model by that provider's own name, which may contain slashes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ModelName {
    /// The provider.
    pub provider: Arc<str>,
    /// The provider's name of the model.
    pub model: Arc<str>,
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}

/// Why a text names no model.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a model is written \"provider/model\", such as \"openai/gpt-4o-mini\"")]
pub struct MalformedModelName;

impl FromStr for ModelName {
    type Err = MalformedModelName;

    fn from_str(text: &str) -> Result<Self, MalformedModelName> {
        match text.split_once('/') {
            Some((provider, model)) if !provider.is_empty() && !model.is_empty() => {
                Ok(Self { provider: Arc::from(provider), model: Arc::from(model) })
            }
            _ => Err(MalformedModelName),
        }
    }
}
