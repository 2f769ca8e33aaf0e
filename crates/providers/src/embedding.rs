//! Embeddings from a provider: batches of bounded size, a bounded number of them at a time, in the order of the texts.

use std::borrow::Cow;
use std::sync::OnceLock;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use mainstay_domain::port::{Embedder, EmbeddingPurpose, Embeddings, Errand};
use mainstay_domain::usage::estimate_tokens;
use mainstay_domain::{Deadline, ModelError, ModelErrorKind};
use mainstay_reliability::{Failure, Retries, RetryPolicy};
use mainstay_wire::{UpstreamError, gemini, openai};

use crate::exchange::Exchange;
use crate::gemini::ModelUrls;
use crate::http::Endpoint;
use crate::kind::ProviderKind;
use crate::settings::ProviderSettings;

/// An embedding model of a provider.
pub struct RemoteEmbedder {
    /// `provider/model`.
    name: String,
    /// The model by the provider's name.
    own_name: String,
    options: EmbeddingOptions,
    api: EmbeddingApi,
    exchange: Exchange,
    dimension: OnceLock<usize>,
}

/// How an embedding model is used.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EmbeddingOptions {
    /// Asks the provider for vectors of so many numbers, where the model can shorten them.
    pub dimensions: Option<usize>,
    /// What is put before a question: some models were trained with it (`query: `).
    pub query_prefix: String,
    /// What is put before a passage (`passage: `).
    pub passage_prefix: String,
}

/// The shapes of embeddings.
enum EmbeddingApi {
    /// `POST {base_url}/embeddings`.
    OpenAi(Endpoint),
    /// `POST {base_url}/v1beta/models/{model}:batchEmbedContents`.
    Gemini(ModelUrls),
}

/// Texts in one request. Gemini takes 100, OpenAI 2048; a smaller batch lets several be under way.
const BATCH_TEXTS: usize = 96;

/// Bytes of text in one request, unless a single text is larger: OpenAI takes 300,000 tokens.
const BATCH_BYTES: usize = 256 << 10;

/// Requests under way at a time.
const BATCHES_AT_ONCE: usize = 4;

/// What is embedded to learn the length of a model's vectors.
const PROBE: &str = "dimension";

impl RemoteEmbedder {
    /// `None` where the provider has no embeddings.
    pub(crate) fn new(
        settings: &ProviderSettings,
        exchange: Exchange,
        model: &str,
        options: EmbeddingOptions,
    ) -> Option<Self> {
        let api = match settings.kind() {
            ProviderKind::OpenAi | ProviderKind::OpenAiCompatible => EmbeddingApi::OpenAi(Endpoint {
                uri: settings.uri("", "/embeddings"),
                headers: settings.headers().clone(),
            }),
            ProviderKind::Gemini => EmbeddingApi::Gemini(ModelUrls::new(settings)),
            ProviderKind::Anthropic | ProviderKind::Cohere | ProviderKind::Jina | ProviderKind::Tei => {
                return None;
            }
        };
        let dimension = OnceLock::new();
        if let Some(known) = options
            .dimensions
            .filter(|dimension| *dimension > 0)
            .or_else(|| known_dimension(settings.kind(), model))
        {
            dimension.get_or_init(|| known);
        }
        let name = format!("{}/{model}", settings.name());
        Some(Self { name, own_name: model.to_owned(), options, api, exchange, dimension })
    }

    /// The length of the model's vectors; embeds a word to learn it where nobody knows it yet. To be called before
    /// [`Embedder::dimension`] is relied on.
    pub async fn learn_dimension(&self, deadline: Deadline) -> Result<usize, ModelError> {
        match self.dimension.get() {
            Some(known) => Ok(*known),
            None => self
                .embed_batch(vec![PROBE], EmbeddingPurpose::Passage, Errand::until(deadline))
                .await
                .map(|probe| probe.dimension),
        }
    }

    /// Embeds one batch, again where that may help: of a document that makes a hundred requests, one failure should not
    /// cost the others.
    async fn embed_batch(
        &self,
        texts: Vec<&str>,
        purpose: EmbeddingPurpose,
        errand: Errand<'_>,
    ) -> Result<Embeddings, ModelError> {
        let clock = self.exchange.http.clock();
        let deadline = errand.deadline;
        let estimate = texts.iter().map(|text| estimate_tokens(text)).sum();
        let mut retries = Retries::new(RetryPolicy::default());
        loop {
            let call = errand.spent.map(|spent| spent.begin(estimate));
            let attempted = self.attempt(&texts, purpose, deadline).await;
            match (&attempted, call) {
                (Ok(embeddings), Some(call)) => call.answered(embeddings.tokens),
                (Err(error), Some(call)) => call.failed(error.kind),
                (_, None) => {}
            }
            let error = match attempted {
                Ok(embeddings) => return Ok(embeddings),
                Err(error) => error,
            };
            let failure = Failure { is_transient: error.kind.is_transient(), retry_after: error.retry_after };
            let Some(wait) = retries.after(failure, deadline.remaining(clock)) else { return Err(error) };
            clock.sleep(wait).await;
        }
    }

    async fn attempt(
        &self,
        texts: &[&str],
        purpose: EmbeddingPurpose,
        deadline: Deadline,
    ) -> Result<Embeddings, ModelError> {
        let body = self.encode(texts, purpose);
        let endpoint = match &self.api {
            EmbeddingApi::OpenAi(endpoint) => Cow::Borrowed(endpoint),
            EmbeddingApi::Gemini(urls) => {
                let endpoint = urls.endpoint(&self.own_name, "batchEmbedContents");
                Cow::Owned(endpoint.map_err(|error| error.into_model_error(&self.exchange.provider, None))?)
            }
        };
        let decode = |body: &[u8]| self.decode(body, texts.len());
        let decode_error = |status, body: &[u8]| self.decode_error(status, body);
        let embeddings = self.exchange.whole(&endpoint, body, deadline, decode, decode_error).await?;
        self.check_dimension(embeddings.dimension)?;
        Ok(embeddings)
    }

    fn encode(&self, texts: &[&str], purpose: EmbeddingPurpose) -> Bytes {
        let prefix = match purpose {
            EmbeddingPurpose::Query => &self.options.query_prefix,
            EmbeddingPurpose::Passage => &self.options.passage_prefix,
        };
        let prefixed: Vec<String>;
        let with_prefix: Vec<&str>;
        let texts = if prefix.is_empty() {
            texts
        } else {
            prefixed = texts.iter().map(|text| format!("{prefix}{text}")).collect();
            with_prefix = prefixed.iter().map(String::as_str).collect();
            &with_prefix
        };
        let dimensions = self.options.dimensions;
        match &self.api {
            EmbeddingApi::OpenAi(_) => openai::embeddings::encode_request(&self.own_name, texts, dimensions),
            EmbeddingApi::Gemini(_) => {
                gemini::embeddings::encode_request(&self.own_name, texts, purpose, dimensions)
            }
        }
    }

    fn decode(&self, body: &[u8], texts: usize) -> Result<Embeddings, UpstreamError> {
        match &self.api {
            EmbeddingApi::OpenAi(_) => openai::embeddings::decode_response(body, texts),
            EmbeddingApi::Gemini(_) => gemini::embeddings::decode_response(body, texts),
        }
    }

    fn decode_error(&self, status: u16, body: &[u8]) -> UpstreamError {
        match &self.api {
            EmbeddingApi::OpenAi(_) => openai::error::decode(status, body),
            EmbeddingApi::Gemini(_) => gemini::error::decode(status, body),
        }
    }

    /// The first answer says how long the vectors are, where it was not known; all others must agree.
    fn check_dimension(&self, found: usize) -> Result<(), ModelError> {
        let expected = *self.dimension.get_or_init(|| found);
        if found == expected {
            return Ok(());
        }
        Err(ModelError {
            kind: ModelErrorKind::Malformed,
            provider: self.exchange.provider.to_string(),
            status: None,
            message: format!(
                "the vectors of {} have {found} numbers where {expected} are expected",
                self.name
            ),
            retry_after: None,
        })
    }
}

/// The length of the vectors of well-known models.
fn known_dimension(kind: ProviderKind, model: &str) -> Option<usize> {
    match (kind, model) {
        (ProviderKind::OpenAi, "text-embedding-3-small" | "text-embedding-ada-002") => Some(1536),
        (ProviderKind::OpenAi, "text-embedding-3-large") | (ProviderKind::Gemini, "gemini-embedding-001") => {
            Some(3072)
        }
        _ => None,
    }
}

#[async_trait]
impl Embedder for RemoteEmbedder {
    fn model(&self) -> &str {
        &self.name
    }

    /// 0 until it is known: see [`RemoteEmbedder::learn_dimension`].
    fn dimension(&self) -> usize {
        self.dimension.get().copied().unwrap_or(0)
    }

    async fn embed(
        &self,
        texts: &[&str],
        purpose: EmbeddingPurpose,
        errand: Errand<'_>,
    ) -> Result<Embeddings, ModelError> {
        // Providers refuse texts without content, which therefore get the vector of length 0 here.
        let sent: Vec<&str> = texts.iter().copied().filter(|text| has_content(text)).collect();
        let mut requests = Vec::new();
        for batch in batches(&sent) {
            requests.push(self.embed_batch(batch, purpose, errand));
        }
        let answers: Vec<Embeddings> = stream::iter(requests).buffered(BATCHES_AT_ONCE).try_collect().await?;
        let dimension = self.learn_dimension(errand.deadline).await?;
        let tokens = answers.iter().map(|answer| answer.tokens).sum();
        let mut vectors = answers.iter().flat_map(|answer| answer.values.chunks_exact(dimension));
        let mut values = Vec::with_capacity(texts.len() * dimension);
        for text in texts {
            let vector = if has_content(text) { vectors.next() } else { None };
            match vector {
                Some(vector) => push_normalised(&mut values, vector),
                None => values.resize(values.len() + dimension, 0.0),
            }
        }
        Ok(Embeddings { dimension, values, tokens })
    }
}

fn has_content(text: &str) -> bool {
    !text.trim().is_empty()
}

/// Appends the vector at length 1; providers shorten vectors without doing so.
fn push_normalised(values: &mut Vec<f32>, vector: &[f32]) {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    let scale = if length > 0.0 { length.recip() } else { 0.0 };
    values.extend(vector.iter().map(|x| x * scale));
}

/// The texts in batches of bounded number and size.
fn batches<'t>(texts: &[&'t str]) -> Vec<Vec<&'t str>> {
    let mut batches: Vec<Vec<&str>> = Vec::new();
    let mut bytes = 0;
    for text in texts {
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH_TEXTS && bytes + text.len() <= BATCH_BYTES => batch.push(text),
            _ => {
                batches.push(vec![text]);
                bytes = 0;
            }
        }
        bytes += text.len();
    }
    batches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn batches_are_the_texts_in_order_and_bounded(sizes in proptest::collection::vec(0usize..120_000, 0..300)) {
            let blank = "x".repeat(120_000);
            let texts: Vec<&str> = sizes.iter().map(|size| &blank[..*size]).collect();
            let batches = batches(&texts);
            prop_assert_eq!(batches.concat(), texts);
            for batch in &batches {
                let bytes: usize = batch.iter().map(|text| text.len()).sum();
                prop_assert!(batch.len() <= BATCH_TEXTS && !batch.is_empty());
                prop_assert!(bytes <= BATCH_BYTES || batch.len() == 1);
            }
        }
    }

    #[test]
    fn vectors_get_length_one_and_zeros_stay() {
        let mut values = Vec::new();
        push_normalised(&mut values, &[3.0, 4.0]);
        push_normalised(&mut values, &[0.0, 0.0]);
        assert_eq!(values, [0.6, 0.8, 0.0, 0.0]);
    }
}
