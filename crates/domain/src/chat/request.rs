//! What is asked.

use serde_json::Value;

use super::Extra;
use crate::filter::Filter;

/// A conversation to be continued, with the wishes of the caller about how.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ChatRequest {
    /// An assistant's name or `provider/model`, as the caller wrote it.
    pub model: String,
    /// The conversation so far, oldest first.
    pub messages: Vec<Message>,
    /// Most tokens of the answer.
    pub max_tokens: Option<MaxTokens>,
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
    /// Sampling from the k likeliest tokens (Anthropic, Gemini).
    pub top_k: Option<u64>,
    /// Number of alternative answers.
    pub n: Option<u32>,
    /// Texts at which the answer stops.
    pub stop: Vec<String>,
    /// Penalty on tokens that have occurred.
    pub presence_penalty: Option<f64>,
    /// Penalty on tokens by how often they have occurred.
    pub frequency_penalty: Option<f64>,
    /// For repeatable sampling.
    pub seed: Option<i64>,
    /// Tools that the model may call.
    pub tools: Vec<Tool>,
    /// Whether and which tool the model must call.
    pub tool_choice: Option<ToolChoice>,
    /// Whether several tools may be called at once.
    pub parallel_tool_calls: Option<bool>,
    /// The format that the answer must have.
    pub response_format: Option<ResponseFormat>,
    /// The caller's own id of the end user.
    pub user: Option<String>,
    /// Which documents of the assistant's corpus may be answered from; without it, all. Never sent to a provider.
    pub filter: Option<Filter>,
    /// Whole or streamed.
    pub delivery: Delivery,
    /// The shape in which the request arrived: `extra` fields are passed on only to a provider that speaks it.
    pub dialect: Dialect,
    /// Fields without a meaning here.
    pub extra: Extra,
}

impl ChatRequest {
    /// The text of the last message of the user: the question that documents are searched for.
    pub fn last_user_text(&self) -> Option<String> {
        self.messages
            .iter()
            .rev()
            .find(|message| message.role == Role::User)
            .map(|message| message.content.text())
    }
}

/// A limit on the tokens of the answer, with the name under which an OpenAI client sent it: old servers know only
/// `max_tokens`, reasoning models only `max_completion_tokens`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MaxTokens {
    /// The limit.
    pub limit: u64,
    /// Whether it was sent as `max_completion_tokens`.
    pub as_completion: bool,
}

/// How the answer is to be delivered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Delivery {
    /// In one piece.
    #[default]
    Whole,
    /// In pieces.
    Streamed {
        /// Whether the caller asked for the token counts at the end of the stream.
        include_usage: bool,
    },
}

impl Delivery {
    /// Whether the answer is streamed.
    pub const fn is_streamed(self) -> bool {
        matches!(self, Self::Streamed { .. })
    }
}

/// A family of wire shapes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Dialect {
    /// OpenAI's chat completions and everything compatible.
    #[default]
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
    /// Google's Gemini.
    Gemini,
}

/// Who speaks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    /// The operator.
    System,
    /// The operator, as newer OpenAI models call it.
    Developer,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
}

/// One message of a conversation.
#[derive(Clone, PartialEq, Debug)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: Content,
    /// The speaker's name.
    pub name: Option<String>,
    /// Of an assistant: the tools it calls.
    pub tool_calls: Vec<ToolCall>,
    /// Of a tool: the call that this is the result of.
    pub tool_call_id: Option<String>,
    /// Of a tool: the call failed, and the content says how (Anthropic's `is_error`).
    pub tool_failed: bool,
    /// Fields without a meaning here.
    pub extra: Extra,
}

impl Message {
    /// A message that is only text.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self {
            role,
            content: Content::Text(text.into()),
            name: None,
            tool_calls: Vec::new(),
            tool_call_id: None,
            tool_failed: false,
            extra: Extra::new(),
        }
    }
}

/// The content of a message.
#[derive(Clone, PartialEq, Debug)]
pub enum Content {
    /// None, as in a message that only calls tools.
    Absent,
    /// A single text.
    Text(String),
    /// Several parts.
    Parts(Vec<Part>),
}

impl Content {
    /// All of its text; parts are separated by line ends.
    pub fn text(&self) -> String {
        match self {
            Self::Absent => String::new(),
            Self::Text(text) => text.clone(),
            Self::Parts(parts) => {
                let texts: Vec<&str> = parts
                    .iter()
                    .filter_map(|part| match part {
                        Part::Text { text, .. } => Some(text.as_str()),
                        _ => None,
                    })
                    .collect();
                texts.join("\n")
            }
        }
    }
}

impl Content {
    /// Bytes of all of its text, without copying it.
    pub fn text_len(&self) -> usize {
        match self {
            Self::Absent => 0,
            Self::Text(text) => text.len(),
            Self::Parts(parts) => parts
                .iter()
                .map(|part| match part {
                    Part::Text { text, .. } => text.len(),
                    _ => 0,
                })
                .sum(),
        }
    }
}

/// A part of a message.
#[derive(Clone, PartialEq, Debug)]
pub enum Part {
    /// Text.
    Text {
        /// The text.
        text: String,
        /// Fields without a meaning here, such as `cache_control`.
        extra: Extra,
    },
    /// A picture.
    Image {
        /// Where it comes from.
        source: ImageSource,
        /// How closely it is to be looked at (OpenAI's `detail`).
        detail: Option<String>,
        /// Fields without a meaning here.
        extra: Extra,
    },
    /// Anything else (audio, files, reasoning with its signature), as it was sent; only a provider of the same dialect
    /// understands it.
    Opaque(Value),
}

/// Where a picture comes from.
#[derive(Clone, PartialEq, Debug)]
pub enum ImageSource {
    /// The provider fetches it.
    Url(String),
    /// It is in the request.
    Base64 {
        /// Such as `image/png`.
        media_type: String,
        /// The bytes in Base64.
        data: String,
    },
}

/// A tool that the model may call.
#[derive(Clone, PartialEq, Debug)]
pub enum Tool {
    /// A function of the caller's.
    Function {
        /// Its name.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// JSON schema of its arguments.
        parameters: Option<Value>,
        /// Whether the arguments must follow the schema exactly.
        strict: Option<bool>,
        /// Fields without a meaning here.
        extra: Extra,
    },
    /// A tool of the provider's own (web search, …), as it was sent.
    Opaque(Value),
}

/// Whether and which tool is called.
#[derive(Clone, PartialEq, Debug)]
pub enum ToolChoice {
    /// The model decides.
    Auto,
    /// None.
    None,
    /// At least one.
    Required,
    /// This one.
    Function(String),
    /// Something of the provider's own, as it was sent.
    Opaque(Value),
}

/// A call of a tool by the model.
#[derive(Clone, PartialEq, Debug)]
pub struct ToolCall {
    /// The id that the result must name.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its arguments: JSON as text, exactly as the model wrote it, which may be malformed.
    pub arguments: String,
    /// Fields without a meaning here (such as Gemini's thought signature).
    pub extra: Extra,
}

/// The format that the answer must have.
#[derive(Clone, PartialEq, Debug)]
pub enum ResponseFormat {
    /// Free text.
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that follows a schema.
    JsonSchema {
        /// The schema's name.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// The schema.
        schema: Option<Value>,
        /// Whether it must be followed exactly.
        strict: Option<bool>,
    },
    /// Something else, as it was sent.
    Opaque(Value),
}
