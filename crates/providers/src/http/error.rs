//! How an exchange with a provider fails below the level of its API.

use std::error::Error;
use std::sync::Arc;

use mainstay_domain::{ModelError, ModelErrorKind, TimeoutPhase};

use super::connect::DialError;
use super::pool::ExchangeError;

/// Why there is no answer, or only a part of one.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TransportError {
    /// No connection came about.
    #[error("no connection could be made")]
    Connect(#[source] Arc<dyn Error + Send + Sync>),
    /// The connection broke before the answer began.
    #[error("the connection broke before the answer began")]
    Lost(#[source] Arc<dyn Error + Send + Sync>),
    /// The answer is not HTTP.
    #[error("the answer is not HTTP; is base_url right?")]
    NotHttp(#[source] Arc<dyn Error + Send + Sync>),
    /// The connection broke within the answer.
    #[error("the connection broke within the answer")]
    Broken(#[source] Arc<hyper::Error>),
    /// A phase took longer than its limit.
    #[error("{}", late(*.0))]
    TimedOut(TimeoutPhase),
    /// The answer is larger than what is accepted.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

impl TransportError {
    /// The failure as callers of a model see it. Causes are told (a refused connection, a certificate that has expired):
    /// they contain nothing of the conversation.
    pub fn into_model_error(self, provider: &str) -> ModelError {
        let kind = match &self {
            Self::Connect(_) | Self::Lost(_) => ModelErrorKind::Connect,
            Self::NotHttp(_) | Self::TooLarge(_) => ModelErrorKind::Malformed,
            Self::Broken(_) => ModelErrorKind::Truncated,
            Self::TimedOut(phase) => ModelErrorKind::Timeout(*phase),
        };
        ModelError {
            kind,
            provider: provider.to_owned(),
            status: None,
            message: chain(&self),
            retry_after: None,
        }
    }

    pub(super) fn of_exchange(error: ExchangeError) -> Self {
        match error {
            ExchangeError::Dial(DialError::TimedOut(_)) => Self::TimedOut(TimeoutPhase::Connect),
            ExchangeError::Dial(_) | ExchangeError::Handshake(_) => Self::Connect(Arc::new(error)),
            ExchangeError::Http(error) if error.is_parse() && !error.is_incomplete_message() => {
                Self::NotHttp(Arc::new(error))
            }
            ExchangeError::Http(error) => Self::Lost(Arc::new(error)),
        }
    }
}

impl From<hyper::Error> for TransportError {
    fn from(error: hyper::Error) -> Self {
        Self::Broken(Arc::new(error))
    }
}

fn late(phase: TimeoutPhase) -> &'static str {
    match phase {
        TimeoutPhase::Connect => "no connection within the time limit \"connect\"",
        TimeoutPhase::Headers => "no answer within the time limit \"headers\"",
        TimeoutPhase::FirstToken => "no token within the time limit \"first_token\"",
        TimeoutPhase::Idle => "the answer stalled for longer than the time limit \"idle\"",
        TimeoutPhase::Total => "no complete answer before the time limit \"total\" or the request's deadline",
    }
}

/// The error with its causes, each told once: layers below repeat each other.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    for cause in std::iter::successors(error.source(), |cause| (*cause).source()) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn causes_are_told_once() {
        let inner = io::Error::new(io::ErrorKind::ConnectionRefused, "connection refused");
        let outer = io::Error::other(inner);
        let error = TransportError::Connect(Arc::new(outer));
        let told = error.into_model_error("local");
        assert_eq!(told.message, "no connection could be made: connection refused");
        assert_eq!(told.kind, ModelErrorKind::Connect);
    }
}
