//! What goes wrong in translation, by whose fault: a caller's request that cannot be understood, a request that a
//! provider's format cannot express, and a provider that fails or answers nonsense.

use std::fmt::Display;
use std::time::Duration;

use mainstay_domain::{ModelError, ModelErrorKind};

use crate::json::checked::Path;

/// A caller's request that is not what its API prescribes. The message names the field and quotes no content.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct RequestError {
    /// What is wrong and what is wanted instead.
    pub message: String,
    /// The field, such as `messages[2].content`; `None` when it is the body as a whole.
    pub param: Option<String>,
    /// Stable, for programs: `invalid_json`, `missing_required_parameter`, `invalid_type`, `invalid_value`,
    /// `empty_array`.
    pub code: &'static str,
}

impl RequestError {
    pub(crate) fn invalid_json(message: String) -> Self {
        Self { message, param: None, code: "invalid_json" }
    }

    pub(crate) fn missing(path: &Path<'_>) -> Self {
        Self::at(path, "is required", "missing_required_parameter")
    }

    pub(crate) fn invalid_type(path: &Path<'_>, what: impl Display) -> Self {
        Self::at(path, what, "invalid_type")
    }

    pub(crate) fn invalid_value(path: &Path<'_>, what: impl Display) -> Self {
        Self::at(path, what, "invalid_value")
    }

    pub(crate) fn empty_array(path: &Path<'_>) -> Self {
        Self::at(path, "must not be an empty array", "empty_array")
    }

    fn at(path: &Path<'_>, what: impl Display, code: &'static str) -> Self {
        let param = path.to_string();
        Self { message: format!("`{param}` {what}"), param: Some(param), code }
    }
}

/// A request that a provider's format cannot express exactly, so that it must not be sent there.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Unsupported {
    /// What cannot be expressed, where, and what to do instead.
    pub message: String,
    /// The field of the caller's request, where one is to blame.
    pub param: Option<String>,
}

impl Unsupported {
    pub(crate) fn new(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self { message: message.into(), param: Some(param.into()) }
    }

    /// The error as a failed call of `provider`.
    pub fn into_model_error(self, provider: &str) -> ModelError {
        ModelError {
            kind: ModelErrorKind::Unsupported,
            provider: provider.to_owned(),
            status: None,
            message: self.message,
            retry_after: None,
        }
    }
}

/// A provider's failure: an error body, an error inside a stream, or an answer that is not in its format.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct UpstreamError {
    /// What went wrong.
    pub kind: ModelErrorKind,
    /// For the caller; the provider's own words where it gave any, which may quote the prompt.
    pub message: String,
    /// The provider's own code or type of the error.
    pub code: Option<String>,
    /// How long the body asks us to wait; headers are the HTTP client's to read.
    pub retry_after: Option<Duration>,
}

impl UpstreamError {
    /// An error of this kind.
    pub fn new(kind: ModelErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), code: None, retry_after: None }
    }

    /// The answer is not in the provider's own format.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(ModelErrorKind::Malformed, message)
    }

    /// The stream ended before the model said that it had finished.
    pub fn truncated() -> Self {
        Self::new(ModelErrorKind::Truncated, "the provider's stream ended before the answer was complete")
    }

    /// The error as a failed call of `provider`, which answered with `status`.
    pub fn into_model_error(self, provider: &str, status: Option<u16>) -> ModelError {
        ModelError {
            kind: self.kind,
            provider: provider.to_owned(),
            status,
            message: self.message,
            retry_after: self.retry_after,
        }
    }

    /// What is wrong with an answer that could not be read; without its content, which serde's own message may quote.
    pub(crate) fn unreadable(body: &[u8], error: &serde_json::Error) -> Self {
        let what = match (body.trim_ascii_start().first(), error.classify()) {
            (None, _) => "the provider's answer is empty".to_owned(),
            (Some(b'<'), _) => "the provider answered HTML or XML instead of JSON".to_owned(),
            (_, serde_json::error::Category::Eof) => "the provider's answer is cut off".to_owned(),
            (_, serde_json::error::Category::Data) => {
                format!("a field of the provider's answer has the wrong type (byte {})", error.column())
            }
            _ => format!(
                "the provider's answer is not JSON (line {}, column {})",
                error.line(),
                error.column()
            ),
        };
        Self::malformed(what)
    }
}

impl From<crate::sse::SseError> for UpstreamError {
    fn from(error: crate::sse::SseError) -> Self {
        Self::malformed(error.to_string())
    }
}

/// An error for a caller, before it has a shape: `openai::error` and `anthropic::error` write it in theirs.
#[derive(Clone, Copy, Debug)]
pub struct CallerError<'a> {
    /// The HTTP status, which decides the shape's `type`.
    pub status: u16,
    /// What happened and what to do.
    pub message: &'a str,
    /// The field of the request, where one is to blame.
    pub param: Option<&'a str>,
    /// Stable, for programs.
    pub code: Option<&'a str>,
    /// The request's id; Anthropic's body repeats it.
    pub request_id: Option<&'a str>,
}
