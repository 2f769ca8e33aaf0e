//! `POST /v1/messages` and `POST /v1/messages/count_tokens`.

mod decoder;
mod encoder;
mod request;
mod response;
mod usage;

#[cfg(test)]
mod tests;

pub use decoder::EventDecoder;
pub use encoder::{EventEncoder, EventOptions};
pub use request::{
    RequestOptions, decode_count_request, decode_request, encode_count_request, encode_request,
};
pub use response::{
    ResponseOptions, decode_completion, decode_token_count, encode_completion, encode_token_count,
};

use mainstay_domain::chat::FinishReason;

/// The reason behind Anthropic's name.
pub(crate) fn finish_reason(text: &str) -> FinishReason {
    match text {
        "end_turn" | "stop_sequence" | "pause_turn" => FinishReason::Stop,
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "refusal" => FinishReason::ContentFilter,
        other => FinishReason::Other(other.to_owned()),
    }
}

/// Anthropic's name of a reason to finish. Several names mean the same here: the provider's own, where it was
/// Anthropic that answered, is given back.
pub(crate) fn stop_reason<'a>(
    reason: &'a FinishReason,
    provided: Option<&'a str>,
    called_tools: bool,
) -> &'a str {
    if let Some(provided) = provided.filter(|provided| finish_reason(provided) == *reason) {
        return provided;
    }
    match reason {
        // Some OpenAI-compatible servers say "stop" also of answers that call tools.
        FinishReason::Stop if called_tools => "tool_use",
        FinishReason::Stop => "end_turn",
        FinishReason::Length => "max_tokens",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::ContentFilter => "refusal",
        FinishReason::Other(reason) => reason,
    }
}
