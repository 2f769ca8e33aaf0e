//! Google's Gemini API (`v1beta`), as a provider only: nobody calls us in this shape.
//!
//! `generateContent` and `streamGenerateContent?alt=sse` have the same bodies; a stream's chunks are whole answers with
//! a piece of the content. Embeddings go through `batchEmbedContents` and not through Google's OpenAI-compatible
//! endpoint, because only the former takes the purpose (`taskType`).

pub mod embeddings;
pub mod error;

mod answer;
mod request;
mod response;
mod stream;

#[cfg(test)]
mod tests;

pub use request::encode_request;
pub use response::decode_completion;
pub use stream::ChunkDecoder;

use mainstay_domain::chat::{Extra, FinishReason};
use serde_json::{Value, json};

/// The reason behind Gemini's name; `called_tools` because Gemini says `STOP` for those too.
pub(crate) fn finish_reason(text: &str, called_tools: bool) -> FinishReason {
    match text {
        "STOP" if called_tools => FinishReason::ToolCalls,
        "STOP" => FinishReason::Stop,
        "MAX_TOKENS" => FinishReason::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => FinishReason::ContentFilter,
        other => FinishReason::Other(other.to_ascii_lowercase()),
    }
}

/// Where Gemini's signature of a thought travels through the hands of a caller, who must send it back with the
/// conversation: the field that Google's own OpenAI-compatible endpoint uses.
const SIGNATURE_FIELD: &str = "extra_content";

/// Puts a thought's signature into the extras of a tool call or a message.
pub(crate) fn keep_signature(extra: &mut Extra, signature: String) {
    extra.insert(SIGNATURE_FIELD.to_owned(), json!({"google": {"thought_signature": signature}}));
}

/// The thought's signature among the extras of a tool call or a message.
pub(crate) fn signature(extra: &Extra) -> Option<&str> {
    extra.get(SIGNATURE_FIELD)?.get("google")?.get("thought_signature").and_then(Value::as_str)
}
