//! Reranking by a provider: documents of bounded length in batches of bounded number, scored in the order of the
//! documents.

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use mainstay_domain::port::{Errand, Relevance, Reranker};
use mainstay_domain::usage::estimate_tokens;
use mainstay_domain::{Deadline, ModelError, Passage};
use mainstay_wire::openai;
use mainstay_wire::rerank::{self, RerankShape};

use crate::exchange::Exchange;
use crate::http::Endpoint;
use crate::kind::ProviderKind;
use crate::settings::ProviderSettings;

/// A reranking model of a provider.
pub struct RemoteReranker {
    /// `provider/model`.
    name: String,
    /// The model by the provider's name.
    own_name: String,
    shape: RerankShape,
    endpoint: Endpoint,
    /// Tokens of a document, by our estimate, that are sent at most.
    document_tokens: u64,
    exchange: Exchange,
}

/// Documents in one request: what Cohere bills as one search. text-embeddings-inference takes 32 unless told otherwise.
const BATCH_DOCUMENTS: usize = 100;
const TEI_BATCH_DOCUMENTS: usize = 32;

/// Requests under way at a time.
const BATCHES_AT_ONCE: usize = 4;

/// Tokens of a question that are sent: the rest of a model's context is the document's.
const QUESTION_TOKENS: u64 = 512;

/// What Cohere reads of a document unless told otherwise. Sending more costs time alone.
const COHERE_DOCUMENT_TOKENS: u64 = 4_096;

/// Most cross-encoders have a context of 1,024 tokens or more, and servers that do not shorten refuse what is longer.
const DOCUMENT_TOKENS: u64 = 768;

impl RemoteReranker {
    /// `None` where the provider does not rerank.
    pub(crate) fn new(settings: &ProviderSettings, exchange: Exchange, model: &str) -> Option<Self> {
        let kind = settings.kind();
        let shape = kind.capabilities().reranking?;
        let uri = match kind {
            ProviderKind::Cohere => settings.uri("/v2", "/rerank"),
            ProviderKind::Jina => settings.uri("/v1", "/rerank"),
            _ => settings.uri("", "/rerank"),
        };
        Some(Self {
            name: format!("{}/{model}", settings.name()),
            own_name: model.to_owned(),
            shape,
            endpoint: Endpoint { uri, headers: settings.headers().clone() },
            document_tokens: match shape {
                RerankShape::Cohere => COHERE_DOCUMENT_TOKENS,
                RerankShape::Jina | RerankShape::TextEmbeddingsInference => DOCUMENT_TOKENS,
            },
            exchange,
        })
    }

    fn batch_documents(&self) -> usize {
        match self.shape {
            RerankShape::TextEmbeddingsInference => TEI_BATCH_DOCUMENTS,
            RerankShape::Cohere | RerankShape::Jina => BATCH_DOCUMENTS,
        }
    }

    async fn rerank_batch(
        &self,
        question: &str,
        documents: Vec<&str>,
        deadline: Deadline,
    ) -> Result<Relevance, ModelError> {
        let body = rerank::encode_request(self.shape, &self.own_name, question, &documents);
        let decode = |body: &[u8]| rerank::decode_response(body, documents.len());
        self.exchange.whole(&self.endpoint, body, deadline, decode, openai::error::decode).await
    }
}

#[async_trait]
impl Reranker for RemoteReranker {
    fn model(&self) -> &str {
        &self.name
    }

    async fn rerank(
        &self,
        question: &str,
        candidates: &[Passage],
        errand: Errand<'_>,
    ) -> Result<Relevance, ModelError> {
        let question = beginning(question, QUESTION_TOKENS);
        let texts: Vec<String> = candidates.iter().map(Passage::text_in_context).collect();
        let mut requests = Vec::new();
        for batch in texts.chunks(self.batch_documents()) {
            let documents = batch.iter().map(|text| beginning(text, self.document_tokens)).collect();
            requests.push(self.rerank_batch(question, documents, errand.deadline));
        }
        let answers: Vec<Relevance> = stream::iter(requests).buffered(BATCHES_AT_ONCE).try_collect().await?;
        let mut whole = Relevance::default();
        for answer in answers {
            whole.scores.extend(answer.scores);
            whole.tokens += answer.tokens;
            whole.searches += answer.searches;
        }
        Ok(whole)
    }
}

/// The longest beginning of a text that has at most `limit` tokens by our estimate.
fn beginning(text: &str, limit: u64) -> &str {
    if estimate_tokens(text) <= limit {
        return text;
    }
    // The estimate grows with the text, so that the end can be searched for by halves.
    let ends: Vec<usize> = text.char_indices().map(|(end, _)| end).collect();
    let fitting = ends.partition_point(|&end| estimate_tokens(&text[..end]) <= limit);
    &text[..ends[fitting - 1]]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_is_shortened_to_what_is_allowed_and_no_further(text in "\\PC{0,200}", limit in 0u64..60) {
            let kept = beginning(&text, limit);
            prop_assert!(text.starts_with(kept) && estimate_tokens(kept) <= limit);
            if let Some(next) = text[kept.len()..].chars().next() {
                let longer = &text[..kept.len() + next.len_utf8()];
                prop_assert!(estimate_tokens(longer) > limit, "{longer:?} would fit, too");
            }
        }
    }
}
