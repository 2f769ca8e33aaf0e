//! The kinds of provider, and what each can do.

use std::fmt;
use std::str::FromStr;

use mainstay_domain::chat::Dialect;
use mainstay_wire::rerank::RerankShape;

/// A kind of provider. The set is closed: adding one makes the compiler point at every table that must know it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ProviderKind {
    /// OpenAI itself.
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// Google's Gemini.
    Gemini,
    /// Any server with OpenAI's API: vLLM, Ollama, llama.cpp, a gateway, …
    OpenAiCompatible,
    /// Cohere's reranking, and servers with the same.
    Cohere,
    /// Jina's reranking, and servers with the same.
    Jina,
    /// A reranker served by Hugging Face's text-embeddings-inference.
    Tei,
}

/// What a kind of provider can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capabilities {
    /// The family of wire shapes in which it answers conversations; `None` where it answers none.
    pub dialect: Option<Dialect>,
    /// Where it is, unless configured; `None` where it must be configured.
    pub base_url: Option<&'static str>,
    /// Whether it answers nobody without a key.
    pub needs_key: bool,
    /// Whether it has embeddings.
    pub embeddings: bool,
    /// In whose shape it reranks; `None` where it does not.
    pub reranking: Option<RerankShape>,
    /// Whether it gives several alternative answers to one request (`n`).
    pub alternatives: bool,
    /// Whether a request can make it answer JSON of a given schema.
    pub json_schema: bool,
    /// Whether it refuses a request without a limit on the answer's tokens.
    pub needs_max_tokens: bool,
}

impl ProviderKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::OpenAi,
        Self::Anthropic,
        Self::Gemini,
        Self::OpenAiCompatible,
        Self::Cohere,
        Self::Jina,
        Self::Tei,
    ];

    /// The kind as `mainstay.toml` writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::OpenAiCompatible => "openai-compatible",
            Self::Cohere => "cohere",
            Self::Jina => "jina",
            Self::Tei => "tei",
        }
    }

    /// What the kind can do.
    pub const fn capabilities(self) -> Capabilities {
        match self {
            Self::OpenAi => Capabilities {
                dialect: Some(Dialect::OpenAi),
                base_url: Some("https://api.openai.com/v1"),
                needs_key: true,
                embeddings: true,
                reranking: None,
                alternatives: true,
                json_schema: true,
                needs_max_tokens: false,
            },
            Self::Anthropic => Capabilities {
                dialect: Some(Dialect::Anthropic),
                base_url: Some("https://api.anthropic.com"),
                needs_key: true,
                embeddings: false,
                reranking: None,
                alternatives: false,
                json_schema: true,
                needs_max_tokens: true,
            },
            Self::Gemini => Capabilities {
                dialect: Some(Dialect::Gemini),
                base_url: Some("https://generativelanguage.googleapis.com"),
                needs_key: true,
                embeddings: true,
                reranking: None,
                alternatives: true,
                json_schema: true,
                needs_max_tokens: false,
            },
            Self::OpenAiCompatible => Capabilities {
                dialect: Some(Dialect::OpenAi),
                base_url: None,
                needs_key: false,
                embeddings: true,
                reranking: Some(RerankShape::Jina),
                alternatives: true,
                json_schema: true,
                needs_max_tokens: false,
            },
            Self::Cohere => reranker(RerankShape::Cohere, Some("https://api.cohere.com")),
            Self::Jina => reranker(RerankShape::Jina, Some("https://api.jina.ai")),
            Self::Tei => reranker(RerankShape::TextEmbeddingsInference, None),
        }
    }
}

/// What a kind can do that only reranks. Who is somewhere on the internet wants a key.
const fn reranker(shape: RerankShape, base_url: Option<&'static str>) -> Capabilities {
    Capabilities {
        dialect: None,
        base_url,
        needs_key: base_url.is_some(),
        embeddings: false,
        reranking: Some(shape),
        alternatives: false,
        json_schema: false,
        needs_max_tokens: false,
    }
}

impl fmt::Display for ProviderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no kind of provider.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{0:?} is no kind of provider: \"openai\", \"anthropic\", \"gemini\", \"openai-compatible\", \"cohere\", \"jina\" and \
     \"tei\" are"
)]
pub struct UnknownKind(pub String);

impl FromStr for ProviderKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_by_its_name() {
        for kind in ProviderKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert!("azure".parse::<ProviderKind>().unwrap_err().to_string().contains("\"openai-compatible\""));
    }
}
