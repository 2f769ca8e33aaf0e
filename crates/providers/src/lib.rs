//! Model providers over HTTP: OpenAI, Anthropic, Gemini, and every server with OpenAI's API; and for reranking Cohere, Jina
//! and servers with their APIs.
//!
//! [`Provider`] is the entry: from checked [`ProviderSettings`] it makes the [`ChatModel`](mainstay_domain::port::ChatModel),
//! the [`Embedder`](mainstay_domain::port::Embedder)s and the [`Reranker`](mainstay_domain::port::Reranker)s that the
//! request path calls. Wire formats are `mainstay-wire`'s;
//! here are connections, time limits, and what a call costs.
//!
//! What holds for every provider:
//! - Dropping a future or a stream cancels the call: the connection to the provider is closed.
//! - A stream ends without an error only after the provider said that it had finished.
//! - There is one attempt per call. Retries and fallbacks are decided above, by [`ModelErrorKind`](mainstay_domain::ModelErrorKind).
//! - An error's message is for the caller alone; it may quote the provider, and nothing here logs.

pub mod http;
pub mod kind;
pub mod prices;
pub mod settings;

mod anthropic;
mod embedding;
mod exchange;
mod gemini;
mod openai;
mod provider;
mod rerank;
mod stream;

pub use embedding::{EmbeddingOptions, RemoteEmbedder};
pub use kind::{Capabilities, ProviderKind};
pub use prices::{Billing, Price, PriceTable, Rates};
pub use provider::Provider;
pub use rerank::RemoteReranker;
pub use settings::{ProviderOptions, ProviderSettings, SettingsError};
