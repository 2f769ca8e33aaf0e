//! How a request fails, in domain terms. `mainstay-server` maps it to a status in one place.

use std::time::Duration;

use mainstay_domain::port::RetrievalError;
use mainstay_domain::{AssistantName, Filter, ModelError, ModelErrorKind};
use mainstay_models::UnknownModel;
use mainstay_ops::budgets::BudgetExceeded;
use mainstay_ops::turn::ReserveError;

use crate::admission::Refusal;

/// Why a request was not answered.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RequestError {
    /// The caller's tenant may not use what the `model` stands for.
    #[error("this tenant may not use {model:?}; it may use: {}", .allowed.join(", "))]
    ModelNotAllowed {
        /// What was named.
        model: String,
        /// What may be named.
        allowed: Vec<String>,
    },
    /// It asks too much, or there is no room.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The `model` stands for nothing.
    #[error(transparent)]
    UnknownModel(#[from] UnknownModel),
    /// The request asks for something that makes no sense.
    #[error("{message}")]
    Invalid {
        /// What is wrong and what to do.
        message: String,
        /// The field, where it is one.
        param: Option<&'static str>,
    },
    /// A filter does not fit the fields of the corpus.
    #[error("{message}")]
    Filter {
        /// What is wrong and what to do.
        message: String,
        /// What of the request to change.
        param: &'static str,
    },
    /// No passages could be retrieved.
    #[error(transparent)]
    Retrieval(#[from] RetrievalError),
    /// The model failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A budget has not enough left for it.
    #[error(transparent)]
    Budget(Box<BudgetExceeded>),
    /// Nobody knows what it would cost, so that no budget could hold.
    #[error(
        "the price of {model} is not known, and the request falls under a budget: add [prices.\"{model}\"] to mainstay.toml"
    )]
    Unpriced {
        /// The model.
        model: String,
    },
    /// What it would cost could not be noted.
    #[error("the cost of the request could not be reserved: {0}")]
    NotBooked(String),
    /// No model can be asked, and nothing else answers.
    #[error("{}", describe_outage(.contact, .expected_recovery))]
    Outage {
        /// Whom callers may turn to.
        contact: Option<String>,
        /// How long it usually takes.
        expected_recovery: Option<Duration>,
        /// When a model may be asked again. Not the same for all, or they would come back at once.
        retry_after: Duration,
    },
    /// What the caller showed was revoked while it was answered.
    #[error("the credential, or its tenant, was revoked while the answer was under way")]
    AccessRevoked,
    /// Mainstay is stopping and the time for running requests is over.
    #[error("the server is shutting down; repeat the request")]
    ShuttingDown,
}

/// What callers are told when nothing can be answered.
fn describe_outage(contact: &Option<String>, expected: &Option<Duration>) -> String {
    let mut text = "answers are temporarily unavailable, and we are working on it".to_owned();
    if let Some(expected) = expected {
        text.push_str(&format!("; it usually takes about {} minutes", expected.as_secs().div_ceil(60)));
    }
    if let Some(contact) = contact {
        text.push_str(&format!("; until then: {contact}"));
    }
    text
}

/// Where the filter of a question comes from, which may be two places at once.
pub(crate) struct FilterOrigin<'a> {
    /// The caller's, if there is one.
    pub(crate) sent: Option<&'a Filter>,
    /// What the request calls it.
    pub(crate) sent_as: &'static str,
    /// The assistant that may have one of its own, and what the request calls the assistant.
    pub(crate) assistant: Option<(&'a AssistantName, &'static str)>,
}

impl FilterOrigin<'_> {
    /// Says of a filter that does not fit whose it is: nobody finds an assistant's own in the request.
    pub(crate) fn blame(&self, error: RetrievalError) -> RequestError {
        let RetrievalError::InvalidFilter { field, message } = error else { return error.into() };
        match self.assistant {
            Some((name, param)) if !self.sent.is_some_and(|sent| sent.names(&field)) => {
                RequestError::Filter {
                    message: format!(
                        "{message}. The filter is the assistant's own: see retrieval.filter of [assistants.{name}] in mainstay.toml"
                    ),
                    param,
                }
            }
            _ => RequestError::Filter { message, param: self.sent_as },
        }
    }
}

impl From<ReserveError> for RequestError {
    fn from(error: ReserveError) -> Self {
        match error {
            ReserveError::Exceeded(exceeded) => Self::Budget(Box::new(exceeded)),
            ReserveError::Ledger(error) => Self::NotBooked(error),
        }
    }
}

impl RequestError {
    /// When it may be worth asking again, where that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(refusal) => refusal.retry_after(),
            Self::Budget(exceeded) => exceeded.resets_in,
            Self::Retrieval(RetrievalError::Embedding(error)) | Self::Model(error) => error.retry_after,
            Self::Outage { retry_after, .. } => Some(*retry_after),
            Self::ShuttingDown => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    /// The stable code that clients, metrics and the ledger see.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ModelNotAllowed { .. } => "model_not_allowed",
            Self::Refused(refusal) => refusal.code(),
            Self::UnknownModel(_) => ModelErrorKind::ModelNotFound.code(),
            Self::Invalid { .. } => ModelErrorKind::InvalidRequest.code(),
            Self::Retrieval(RetrievalError::UnknownCorpus(_)) => "corpus_not_found",
            Self::Filter { .. } | Self::Retrieval(RetrievalError::InvalidFilter { .. }) => "invalid_filter",
            Self::Retrieval(RetrievalError::DeadlinePassed) => "deadline_exceeded",
            Self::Retrieval(RetrievalError::Embedding(error)) | Self::Model(error) => error.kind.code(),
            Self::Retrieval(RetrievalError::Storage(_)) => "retrieval_failed",
            Self::Budget(_) => "budget_exceeded",
            Self::Unpriced { .. } => "unpriced_model",
            Self::NotBooked(_) => "storage_failed",
            Self::Outage { .. } => "service_unavailable",
            Self::AccessRevoked => "access_revoked",
            Self::ShuttingDown => "shutting_down",
        }
    }
}

#[cfg(test)]
mod tests {
    use mainstay_domain::filter::Test;

    use super::*;

    #[test]
    fn of_two_filters_the_one_that_does_not_fit_is_named() {
        let name = AssistantName::new("support");
        let sent = Filter::Not(Box::new(Filter::Field { name: "crew".to_owned(), test: Test::Exists }));
        let origin =
            |sent| FilterOrigin { sent, sent_as: "mainstay.filter", assistant: Some((&name, "model")) };
        let unfit =
            |field: &str| RetrievalError::InvalidFilter { field: field.to_owned(), message: "no".to_owned() };
        let param = |error: &RequestError| match error {
            RequestError::Filter { param, .. } => *param,
            other => panic!("{other:?}"),
        };
        assert_eq!(param(&origin(Some(&sent)).blame(unfit("crew"))), "mainstay.filter");
        for sent in [None, Some(&sent)] {
            let error = origin(sent).blame(unfit("color"));
            assert_eq!((param(&error), error.code()), ("model", "invalid_filter"));
            assert!(error.to_string().contains("[assistants.support]"), "{error}");
        }
        let search = FilterOrigin { sent: Some(&sent), sent_as: "filter", assistant: None };
        assert_eq!(param(&search.blame(unfit("color"))), "filter");
    }
}
