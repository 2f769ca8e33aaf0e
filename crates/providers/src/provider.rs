//! A provider, ready to be called.

use std::sync::Arc;

use mainstay_domain::Clock;
use mainstay_domain::port::ChatModel;

use crate::anthropic::Messages;
use crate::embedding::{EmbeddingOptions, RemoteEmbedder};
use crate::exchange::{Exchange, RemoteModel};
use crate::gemini::GenerateContent;
use crate::http::{Dial, HttpClient};
use crate::kind::ProviderKind;
use crate::openai::ChatCompletions;
use crate::rerank::RemoteReranker;
use crate::settings::ProviderSettings;

/// A provider with its connections.
#[derive(Clone)]
pub struct Provider {
    settings: Arc<ProviderSettings>,
    exchange: Exchange,
}

impl Provider {
    /// A provider that is reached by `dial`; [`crate::http::Network`] in production.
    pub fn new(settings: ProviderSettings, dial: Arc<dyn Dial>, clock: Clock) -> Self {
        let exchange = Exchange {
            provider: settings.name().clone(),
            http: HttpClient::new(dial, settings.timeouts(), clock),
            max_answer_bytes: settings.max_answer_bytes(),
        };
        Self { settings: Arc::new(settings), exchange }
    }

    /// How it is configured.
    pub fn settings(&self) -> &ProviderSettings {
        &self.settings
    }

    /// Its models; `None` where it answers no conversations.
    pub fn chat(&self) -> Option<Arc<dyn ChatModel>> {
        let exchange = self.exchange.clone();
        Some(match self.settings.kind() {
            ProviderKind::OpenAi | ProviderKind::OpenAiCompatible => {
                Arc::new(RemoteModel::new(ChatCompletions::new(&self.settings), exchange))
            }
            ProviderKind::Anthropic => Arc::new(RemoteModel::new(Messages::new(&self.settings), exchange)),
            ProviderKind::Gemini => {
                Arc::new(RemoteModel::new(GenerateContent::new(&self.settings), exchange))
            }
            ProviderKind::Cohere | ProviderKind::Jina | ProviderKind::Tei => return None,
        })
    }

    /// One of its embedding models, by its own name; `None` where it has none.
    pub fn embedder(&self, model: &str, options: EmbeddingOptions) -> Option<RemoteEmbedder> {
        RemoteEmbedder::new(&self.settings, self.exchange.clone(), model, options)
    }

    /// One of its rerankers, by its own name; `None` where it has none.
    pub fn reranker(&self, model: &str) -> Option<RemoteReranker> {
        RemoteReranker::new(&self.settings, self.exchange.clone(), model)
    }
}
