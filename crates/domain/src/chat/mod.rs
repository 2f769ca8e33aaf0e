//! The canonical chat types: the one conversation format that the request path speaks. Callers speak the OpenAI or the
//! Anthropic shape, providers theirs; `mainstay-wire` translates both ways.

mod estimate;
mod request;
mod response;
mod stream;

pub use estimate::{StreamedTokens, tokens_of};
pub use request::{
    ChatRequest, Content, Delivery, Dialect, ImageSource, MaxTokens, Message, Part, ResponseFormat, Role,
    Tool, ToolCall, ToolChoice,
};
pub use response::{AssistantMessage, Choice, Completion, FinishReason};
pub use stream::{ChatEvent, ChoiceDelta, StreamStart, ToolCallDelta};

/// Fields of a wire object that Mainstay gives no meaning to. They are passed on to a provider of the same dialect.
pub type Extra = serde_json::Map<String, serde_json::Value>;
