//! What the APIs have in common: a request that was checked, frames of a stream, and errors.

use bytes::Bytes;
use http::request::Parts;
use serde_json::{Map, Value};

use super::answer::{Call, Reply};
use super::prompt::Prompt;
use super::rerank::{self, Shape};
use super::retry_after::RetryAfter;
use super::{anthropic, gemini, openai};

/// The APIs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Api {
    /// OpenAI itself, which wants a key and refuses fields that it does not know.
    OpenAi,
    /// A server with OpenAI's API, which wants no key and takes any field.
    Compatible,
    Anthropic,
    Gemini,
    /// A server that only reranks, and answers no conversation.
    Reranker(Shape),
}

/// A request that is in order.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    pub(super) model: String,
    pub(super) streamed: bool,
    /// Whether the token counts were asked for.
    pub(super) include_usage: bool,
    /// How many answers.
    pub(super) alternatives: usize,
    pub(super) prompt: Prompt,
}

/// A piece of a stream.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) part: Part,
    pub(super) bytes: Bytes,
}

/// Which piece it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Start,
    Content,
    Finish,
    Usage,
    End,
}

/// A refusal or a failure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ApiError {
    pub(super) status: u16,
    pub(super) message: String,
    /// The API's own word for it, where the status alone does not decide.
    pub(super) code: Option<&'static str>,
    /// The field.
    pub(super) param: Option<String>,
    pub(super) retry_after: Option<RetryAfter>,
}

impl ApiError {
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), code: None, param: None, retry_after: None }
    }

    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    pub(super) fn code(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    pub(super) fn param(self, param: impl Into<String>) -> Self {
        Self { param: Some(param.into()), ..self }
    }
}

impl Api {
    /// Checks a request for an answer. `model` and `streamed` where the URL says them.
    pub(super) fn check(self, head: &Parts, target: Target, body: &Value) -> Result<Checked, ApiError> {
        let body = body.as_object().ok_or_else(|| ApiError::bad("the body is not a JSON object"))?;
        match self {
            Self::OpenAi | Self::Compatible => openai::check(self, head, body),
            Self::Anthropic => anthropic::check(head, body),
            Self::Gemini => gemini::check(head, target, body),
            Self::Reranker(_) => Err(ApiError::new(404, "Not Found")),
        }
    }

    /// A whole answer.
    pub(super) fn whole(self, checked: &Checked, reply: &Reply, usage: bool) -> Value {
        match self {
            Self::OpenAi | Self::Compatible | Self::Reranker(_) => openai::whole(checked, reply, usage),
            Self::Anthropic => anthropic::whole(checked, reply, usage),
            Self::Gemini => gemini::whole(checked, reply, usage),
        }
    }

    /// An answer in pieces.
    pub(super) fn frames(self, checked: &Checked, reply: &Reply, usage: bool) -> Vec<Frame> {
        match self {
            Self::OpenAi | Self::Compatible | Self::Reranker(_) => openai::frames(checked, reply, usage),
            Self::Anthropic => anthropic::frames(checked, reply, usage),
            Self::Gemini => gemini::frames(checked, reply, usage),
        }
    }

    /// The body of an error.
    pub(super) fn error(self, error: &ApiError) -> Value {
        match self {
            Self::OpenAi | Self::Compatible => openai::error(error),
            Self::Anthropic => anthropic::error(error),
            Self::Gemini => gemini::error(error),
            Self::Reranker(shape) => rerank::error(shape, error),
        }
    }

    /// An error within a stream.
    pub(super) fn error_frame(self, error: &ApiError) -> Bytes {
        match self {
            Self::OpenAi | Self::Compatible | Self::Gemini | Self::Reranker(_) => data(&self.error(error)),
            Self::Anthropic => named("error", &self.error(error)),
        }
    }

    /// How it says that a prompt is too long.
    pub(super) fn context_too_long(self) -> ApiError {
        match self {
            Self::OpenAi => ApiError::bad(
                "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 \
                 tokens. Please reduce the length of the messages.",
            )
            .code("context_length_exceeded")
            .param("messages"),
            // vLLM's words.
            Self::Compatible | Self::Reranker(_) => ApiError::bad(
                "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens in the \
                 messages. Please reduce the length of the messages.",
            ),
            Self::Anthropic => ApiError::bad("prompt is too long: 205000 tokens > 200000 maximum"),
            Self::Gemini => ApiError::bad(
                "The input token count (1100000) exceeds the maximum number of tokens allowed (1048576).",
            ),
        }
    }

    /// How it says that there is no credit left.
    pub(super) fn quota(self) -> ApiError {
        match self {
            Self::OpenAi | Self::Compatible | Self::Reranker(_) => ApiError::new(
                429,
                "You exceeded your current quota, please check your plan and billing details.",
            )
            .code("insufficient_quota"),
            Self::Anthropic => ApiError::bad(
                "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade \
                 or purchase credits.",
            ),
            Self::Gemini => ApiError::new(
                429,
                "You exceeded your current quota, please check your plan and billing details.",
            ),
        }
    }
}

/// What the URL says of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Target {
    pub(super) model: Option<String>,
    pub(super) streamed: bool,
}

/// An event without a name.
pub(super) fn data(value: &Value) -> Bytes {
    Bytes::from(format!("data: {value}\n\n"))
}

/// An event with a name.
pub(super) fn named(name: &str, value: &Value) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {value}\n\n"))
}

/// The arguments of a call as fragments, cut where no tokeniser would cut them.
pub(super) fn fragments(call: &Call) -> Vec<String> {
    let characters: Vec<char> = call.arguments_text().chars().collect();
    characters.chunks(5).map(|chunk| chunk.iter().collect()).collect()
}

/// Refuses a field that is not in `known`.
pub(super) fn only_known(
    body: &Map<String, Value>,
    known: &[&str],
    refuse: impl Fn(&str) -> ApiError,
) -> Result<(), ApiError> {
    match body.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(refuse(name)),
        None => Ok(()),
    }
}

/// A number within bounds, if there is one.
pub(super) fn number_within(
    body: &Map<String, Value>,
    name: &str,
    bounds: std::ops::RangeInclusive<f64>,
) -> Result<(), ApiError> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(()),
        Some(value) if value.as_f64().is_some_and(|number| bounds.contains(&number)) => Ok(()),
        Some(_) => Err(ApiError::bad(format!(
            "Invalid '{name}': expected a number from {} to {}.",
            bounds.start(),
            bounds.end()
        ))
        .param(name)),
    }
}
