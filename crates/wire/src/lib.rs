//! OpenAI, Anthropic and Gemini wire shapes to and from the canonical chat types of `mainstay-domain`, in both
//! directions: the server speaks to callers and the providers speak to models through the same code. Embeddings and
//! reranking are beside them.
//!
//! Pure functions and small state machines over bytes: no I/O, no time, no async. What holds everywhere:
//!
//! - **Fields without a meaning here** are kept in the `extra` of the canonical type. A request's extras travel only to
//!   a provider of the caller's own dialect; another one refuses those that ask for more than a hint. Of an answer, OpenAI-shaped extras lie flat in `extra`, and those of
//!   Anthropic under one key (`"anthropic"`), which only the Anthropic encoders open.
//! - **Nothing is silently bent.** What a provider's format cannot express is [`Unsupported`], except hints that do not
//!   change what was asked (`seed`, `name`, cache hints), which are left out where there is no place for them.
//! - **A cut is never a success.** A stream decoder's `finish` fails unless the provider said that it was done.
//! - Error texts quote no prompt, answer or document of ours; a provider's own words are passed to the caller.

pub mod anthropic;
pub mod error;
pub mod filter;
pub mod gemini;
pub mod openai;
pub mod rerank;
pub mod sse;
pub mod stream;

mod citation;
mod foreign;
mod json;
mod opaque;
mod repeat;
mod status;

pub use error::{CallerError, RequestError, Unsupported, UpstreamError};
pub use stream::{StreamDecoder, StreamEncoder};

/// The key in an answer's `extra` under which the fields of Anthropic's answers lie that have no meaning here.
pub(crate) const ANTHROPIC_EXTRA: &str = "anthropic";
