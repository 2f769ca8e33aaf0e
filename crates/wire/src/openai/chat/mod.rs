//! `POST /v1/chat/completions`.

mod answer;
mod request;
mod response;
mod stream;
mod usage;

pub use request::{RequestOptions, decode_request, encode_request};
pub use response::{ResponseOptions, decode_completion, encode_completion};
pub use stream::{ChunkDecoder, ChunkEncoder, ChunkOptions};

use mainstay_domain::chat::FinishReason;

/// OpenAI's name of a reason to finish.
pub(crate) fn finish_reason_text(reason: &FinishReason) -> &str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
        FinishReason::Other(reason) => reason,
    }
}

/// The reason behind OpenAI's name.
pub(crate) fn finish_reason(text: &str) -> FinishReason {
    match text {
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "tool_calls" => FinishReason::ToolCalls,
        "content_filter" => FinishReason::ContentFilter,
        other => FinishReason::Other(other.to_owned()),
    }
}

#[cfg(test)]
mod tests;
