//! From the name in a request to the upstream that answers it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use mainstay_domain::port::{ChatModel, Embedder};
use mainstay_domain::{ModelError, RegionName};

use crate::assistant::{Assistant, ModelName};
use crate::upstream::{Abilities, Candidate, Upstreams, out_of_region};

/// All assistants and providers of this Mainstay.
pub struct Registry {
    assistants: BTreeMap<String, AssistantRoute>,
    providers: BTreeMap<String, Provider>,
    models: HashMap<ModelName, ModelSettings>,
    upstreams: Arc<Upstreams>,
}

/// An assistant and who may answer for it.
struct AssistantRoute {
    assistant: Arc<Assistant>,
    candidates: Arc<[Candidate]>,
    /// The same with the second one first.
    warming: Arc<[Candidate]>,
    /// The models of a cascade.
    tiers: Arc<[Candidate]>,
}

/// What is known of a model.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ModelSettings {
    /// What it can do.
    pub abilities: Abilities,
    /// Those that answer when it fails, in this order, where the assistant that names it has none of its own.
    pub fallback: Vec<ModelName>,
}

/// Makes an embedder of the named model, with so many dimensions where the caller wants a number of them.
pub type EmbedderFactory = Arc<dyn Fn(&str, Option<usize>) -> Option<Arc<dyn Embedder>> + Send + Sync>;

/// A configured provider.
#[derive(Clone)]
pub struct Provider {
    /// Answers conversations.
    pub chat: Arc<dyn ChatModel>,
    /// Makes its embedders; `None` where it has none.
    pub embedders: Option<EmbedderFactory>,
    /// The models that are listed. Others are passed on too, unless `closed`.
    pub models: Vec<String>,
    /// Whether the provider has only the models that are listed.
    pub closed: bool,
    /// Where it is, where that is known.
    pub region: Option<RegionName>,
}

/// What a request's `model` stands for.
#[derive(Clone)]
pub struct Route {
    /// The assistant, where one was named.
    pub assistant: Option<Arc<Assistant>>,
    /// Who may answer, in this order; never empty. Of a cascade, all its models and what stands in for them.
    pub candidates: Arc<[Candidate]>,
    /// The models of a cascade, the cheapest first; empty where there is one model.
    pub tiers: Arc<[Candidate]>,
}

impl Route {
    /// The model that is asked first.
    pub fn first(&self) -> &Candidate {
        &self.candidates[0]
    }
}

/// A name that `GET /v1/models` shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// What a request's `model` says.
    pub id: String,
    /// `mainstay` for an assistant, else the provider.
    pub owner: String,
}

/// A name that stands for nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("there is no model {name:?}; {advice}")]
pub struct UnknownModel {
    /// The name.
    pub name: String,
    advice: String,
}

impl Registry {
    /// A registry of these. `models`: what is known of some models; of the others, nothing.
    pub fn new(
        assistants: impl IntoIterator<Item = Assistant>,
        providers: impl IntoIterator<Item = (String, Provider)>,
        models: impl IntoIterator<Item = (ModelName, ModelSettings)>,
        upstreams: Arc<Upstreams>,
    ) -> Self {
        let mut registry = Self {
            assistants: BTreeMap::new(),
            providers: providers.into_iter().collect(),
            models: models.into_iter().collect(),
            upstreams,
        };
        registry.assistants = assistants
            .into_iter()
            .map(|assistant| (assistant.name.as_str().to_owned(), registry.route_of(assistant)))
            .collect();
        registry
    }

    fn route_of(&self, assistant: Assistant) -> AssistantRoute {
        let fallback = if assistant.fallback.is_empty() {
            self.fallback_of(&assistant.model)
        } else {
            &assistant.fallback
        };
        let tiers = match &assistant.stronger[..] {
            [] => Vec::new(),
            stronger => self.candidates(&assistant.model, stronger),
        };
        let after: Vec<ModelName> = assistant.stronger.iter().chain(fallback).cloned().collect();
        let candidates = self.candidates(&assistant.model, &after);
        let mut warming = candidates.clone();
        if warming.len() > 1 {
            warming.swap(0, 1);
        }
        AssistantRoute {
            assistant: Arc::new(assistant),
            candidates: candidates.into(),
            warming: warming.into(),
            tiers: tiers.into(),
        }
    }

    /// The models that exist, each once.
    fn candidates(&self, first: &ModelName, fallback: &[ModelName]) -> Vec<Candidate> {
        let mut candidates: Vec<Candidate> = Vec::with_capacity(1 + fallback.len());
        for name in std::iter::once(first).chain(fallback) {
            let is_new = candidates.iter().all(|known| known.name != *name);
            if let Some(provider) = self.provider_of(name).filter(|_| is_new) {
                candidates.push(Candidate {
                    name: name.clone(),
                    model: provider.chat.clone(),
                    abilities: self.models.get(name).map(|known| known.abilities).unwrap_or_default(),
                    region: provider.region.clone(),
                    health: self.upstreams.health(name),
                });
            }
        }
        candidates
    }

    fn fallback_of(&self, model: &ModelName) -> &[ModelName] {
        self.models.get(model).map_or(&[], |known| &known.fallback)
    }

    /// The route of a request that names `name`: an assistant, or `provider/model`.
    pub fn route(&self, name: &str) -> Result<Route, UnknownModel> {
        if let Some(route) = self.assistants.get(name) {
            let warms = route.assistant.warm_share > 0.0 && fastrand::f64() < route.assistant.warm_share;
            let candidates = if warms { &route.warming } else { &route.candidates };
            if candidates.is_empty() {
                return Err(self.unknown(name));
            }
            return Ok(Route {
                assistant: Some(route.assistant.clone()),
                candidates: candidates.clone(),
                tiers: route.tiers.clone(),
            });
        }
        let model: ModelName = name.parse().map_err(|_| self.unknown(name))?;
        self.provider_of(&model).ok_or_else(|| self.unknown(name))?;
        let candidates = self.candidates(&model, self.fallback_of(&model));
        Ok(Route { assistant: None, candidates: candidates.into(), tiers: Arc::new([]) })
    }

    /// Who answers for a model that Mainstay itself asks, besides the one that answers. `None` where its provider does not
    /// exist.
    pub fn candidates_of(&self, model: &ModelName) -> Option<Arc<[Candidate]>> {
        let candidates = self.candidates(model, self.fallback_of(model));
        (!candidates.is_empty()).then(|| candidates.into())
    }

    /// The way to the models.
    pub fn upstreams(&self) -> &Arc<Upstreams> {
        &self.upstreams
    }

    /// The embedder that `name`, `provider/model`, stands for.
    pub fn embedder(&self, name: &str, dimensions: Option<usize>) -> Result<Arc<dyn Embedder>, UnknownModel> {
        let model: ModelName = name.parse().map_err(|_| self.unknown(name))?;
        self.providers
            .get(&*model.provider)
            .and_then(|provider| provider.embedders.as_ref())
            .and_then(|make| make(&model.model, dimensions))
            .ok_or_else(|| self.unknown(name))
    }

    /// Refuses a model that is not where data has to stay.
    pub fn check_region(&self, name: &str, region: Option<&RegionName>) -> Result<(), ModelError> {
        let (Some(region), Ok(model)) = (region, name.parse::<ModelName>()) else { return Ok(()) };
        let there = self.providers.get(&*model.provider).and_then(|provider| provider.region.as_ref());
        if &*model.provider == "builtin" || there == Some(region) {
            Ok(())
        } else {
            Err(out_of_region(&model, region))
        }
    }

    /// Every name that can be asked for by itself: the assistants, then the listed models of the providers.
    pub fn list(&self) -> Vec<Listed> {
        let assistants =
            self.assistants.keys().map(|name| Listed { id: name.clone(), owner: "mainstay".to_owned() });
        let models = self.providers.iter().flat_map(|(provider, settings)| {
            let id = move |model: &String| format!("{provider}/{model}");
            settings.models.iter().map(move |model| Listed { id: id(model), owner: provider.clone() })
        });
        assistants.chain(models).collect()
    }

    /// Whether a request may name this: an assistant, or a model of a provider that is configured.
    pub fn is_known(&self, name: &str) -> bool {
        self.route(name).is_ok()
    }

    /// Every assistant, in the order of their names.
    pub fn assistants(&self) -> impl Iterator<Item = &Arc<Assistant>> {
        self.assistants.values().map(|route| &route.assistant)
    }

    /// The assistant of that name.
    pub fn assistant(&self, name: &str) -> Option<&Arc<Assistant>> {
        self.assistants.get(name).map(|route| &route.assistant)
    }

    fn provider_of(&self, model: &ModelName) -> Option<&Provider> {
        self.providers.get(&*model.provider).filter(|provider| {
            !provider.closed || provider.models.iter().any(|known| **known == *model.model)
        })
    }

    /// The refusal of a name that stands for nothing, with what exists.
    pub fn unknown(&self, name: &str) -> UnknownModel {
        let assistants: Vec<&str> = self.assistants.keys().map(String::as_str).collect();
        let providers: Vec<&str> = self.providers.keys().map(String::as_str).collect();
        let advice = format!(
            "name an assistant ({}) or a model of a configured provider as \"provider/model\" (providers: {}); \
             GET /v1/models lists them",
            assistants.join(", "),
            providers.join(", "),
        );
        UnknownModel { name: name.to_owned(), advice }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use mainstay_domain::port::{ChatStream, ModelCall};
    use mainstay_domain::{AssistantName, Clock, Completion, ModelError};

    use super::*;
    use crate::assistant::RetrievalSettings;
    use crate::upstream::CallPolicy;

    struct Silent;

    #[async_trait]
    impl ChatModel for Silent {
        async fn complete(&self, _: ModelCall) -> Result<Completion, ModelError> {
            unreachable!("routing calls no model")
        }

        async fn stream(&self, _: ModelCall) -> Result<ChatStream, ModelError> {
            unreachable!("routing calls no model")
        }
    }

    fn registry() -> Registry {
        let provider = |models: &[&str], closed| Provider {
            chat: Arc::new(Silent),
            embedders: None,
            models: models.iter().map(|model| (*model).to_owned()).collect(),
            closed,
            region: None,
        };
        let support = Assistant {
            name: AssistantName::new("support"),
            description: None,
            prompt: None,
            corpus: None,
            model: "openai/gpt-4o-mini".parse().unwrap(),
            stronger: Vec::new(),
            fallback: vec!["nobody/x".parse().unwrap(), "builtin/extractive".parse().unwrap()],
            reduced_model: None,
            warm_share: 0.0,
            max_tokens: None,
            temperature: None,
            retrieval: RetrievalSettings::default(),
            filter: None,
            citation_judge: None,
        };
        Registry::new(
            [support],
            [
                ("openai".to_owned(), provider(&["gpt-4o-mini"], false)),
                ("builtin".to_owned(), provider(&["extractive"], true)),
            ],
            [],
            Upstreams::new(CallPolicy::default(), [], Clock::system()),
        )
    }

    #[test]
    fn a_name_is_an_assistant_or_a_model_of_a_provider() {
        let registry = registry();
        assert!(registry.route("support").unwrap().assistant.is_some());
        let raw = registry.route("openai/ft:gpt-4o/team").unwrap();
        let first = raw.first().name.to_string();
        assert_eq!((first.as_str(), raw.assistant.is_none()), ("openai/ft:gpt-4o/team", true));
        assert!(registry.route("builtin/extractive").is_ok());
    }

    #[test]
    fn those_that_exist_may_answer_in_their_order() {
        let route = registry().route("support").unwrap();
        let names: Vec<String> = route.candidates.iter().map(|one| one.name.to_string()).collect();
        assert_eq!(names, ["openai/gpt-4o-mini", "builtin/extractive"]);
    }

    #[test]
    fn what_does_not_exist_is_refused_with_what_does() {
        let registry = registry();
        for name in ["", "gpt-4o", "mistral/large", "builtin/oracle", "/x", "openai/"] {
            let Err(error) = registry.route(name) else { panic!("{name} was routed") };
            assert!(error.to_string().contains("support"), "{error}");
        }
    }

    #[test]
    fn assistants_and_models_are_listed() {
        let ids: Vec<String> = registry().list().into_iter().map(|listed| listed.id).collect();
        assert_eq!(ids, ["support", "builtin/extractive", "openai/gpt-4o-mini"]);
    }
}
