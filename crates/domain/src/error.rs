//! How a model call fails: what kind of failure, whose fault, and whether waiting helps. Decided where it happens, so
//! that retries, breakers and status codes are look-ups and not guesses from text.

use std::time::Duration;

/// The failure of a call to a model.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{provider}: {message}")]
pub struct ModelError {
    /// What went wrong.
    pub kind: ModelErrorKind,
    /// The provider that was called, by its name in `mainstay.toml`.
    pub provider: String,
    /// The HTTP status that the provider answered, where it answered one.
    pub status: Option<u16>,
    /// For the caller: what happened. A provider's own words where it gave any. Never logged: it may quote the prompt.
    pub message: String,
    /// How long the provider asked us to wait.
    pub retry_after: Option<Duration>,
}

/// The kinds of failure of a model call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ModelErrorKind {
    /// The provider failed: status 5xx.
    Provider,
    /// No connection came about, or it broke before the answer began.
    Connect,
    /// The provider took longer than the limit of this phase.
    Timeout(TimeoutPhase),
    /// The provider limits our rate: status 429.
    RateLimited,
    /// The provider is out of capacity: status 503 or 529.
    Overloaded,
    /// The account has no credit left: retrying does not help.
    QuotaExhausted,
    /// The provider refused our credentials.
    Authentication,
    /// The provider does not have this model.
    ModelNotFound,
    /// The request does not fit into the model's context.
    ContextTooLong,
    /// The provider's safety filter refused.
    ContentFilter,
    /// The provider refused the request as malformed: the caller's error.
    InvalidRequest,
    /// The request needs something that this provider cannot do, so it was not sent.
    Unsupported,
    /// The provider's answer is not in its own format: HTML, truncated JSON, a malformed chunk.
    Malformed,
    /// The stream ended before the model said that it had finished.
    Truncated,
    /// It was not called: it has failed repeatedly, and its circuit breaker is open.
    Unavailable,
    /// It was not called: it is not where the caller's data has to stay.
    OutOfRegion,
}

/// The phase of a call in which time ran out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TimeoutPhase {
    /// Connecting.
    Connect,
    /// From the request's last byte to the response's headers.
    Headers,
    /// From the headers to the first token.
    FirstToken,
    /// Between two pieces of a stream.
    Idle,
    /// The whole call, or the request's deadline.
    Total,
}

impl TimeoutPhase {
    /// The phase as `mainstay.toml` calls its limit.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Headers => "headers",
            Self::FirstToken => "first_token",
            Self::Idle => "idle",
            Self::Total => "total",
        }
    }
}

impl ModelErrorKind {
    /// Whether the provider may charge for the prompt all the same: it had accepted the call when it failed.
    pub const fn may_be_billed(self) -> bool {
        matches!(
            self,
            Self::Timeout(
                TimeoutPhase::Headers | TimeoutPhase::FirstToken | TimeoutPhase::Idle | TimeoutPhase::Total
            ) | Self::Malformed
                | Self::Truncated
        )
    }

    /// Whether the same call may succeed when it is made again. An answer in another format than the provider's own is
    /// a wrong address or a server that speaks another API: it stays so.
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Provider
                | Self::Connect
                | Self::Timeout(_)
                | Self::RateLimited
                | Self::Overloaded
                | Self::Truncated
        )
    }

    /// The stable code that clients, metrics and the ledger see.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Provider => "provider_error",
            Self::Connect => "provider_unreachable",
            Self::Timeout(_) => "provider_timeout",
            Self::RateLimited => "provider_rate_limited",
            Self::Overloaded => "provider_overloaded",
            Self::QuotaExhausted => "provider_quota_exhausted",
            Self::Authentication => "provider_authentication_failed",
            Self::ModelNotFound => "model_not_found",
            Self::ContextTooLong => "context_length_exceeded",
            Self::ContentFilter => "content_filter",
            Self::InvalidRequest => "invalid_request",
            Self::Unsupported => "unsupported_by_provider",
            Self::Malformed => "provider_malformed_response",
            Self::Truncated => "provider_stream_truncated",
            Self::Unavailable => "provider_unavailable",
            Self::OutOfRegion => "model_out_of_region",
        }
    }
}
