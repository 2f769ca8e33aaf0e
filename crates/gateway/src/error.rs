//! How a request fails, in domain terms. `mainstay-server` maps it to a status in one place.

use mainstay_domain::identity::Scope;
use mainstay_domain::port::RetrievalError;
use mainstay_domain::{ModelError, ModelErrorKind};
use mainstay_models::UnknownModel;
use mainstay_security::IdentityError;

/// Why a request was not answered.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RequestError {
    /// It is not known who calls.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The key may not do this.
    #[error("this key has the scope \"{}\"; the call needs \"{}\"", .has.as_str(), .needs.as_str())]
    Forbidden {
        /// The key's scope.
        has: Scope,
        /// The scope that is needed.
        needs: Scope,
    },
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
    /// No passages could be retrieved.
    #[error(transparent)]
    Retrieval(#[from] RetrievalError),
    /// The model failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Mainstay is stopping and the time for running requests is over.
    #[error("the server is shutting down; repeat the request")]
    ShuttingDown,
}

impl RequestError {
    /// The stable code that clients, metrics and the ledger see.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Identity(error) => error.code(),
            Self::Forbidden { .. } => "insufficient_scope",
            Self::UnknownModel(_) => ModelErrorKind::ModelNotFound.code(),
            Self::Invalid { .. } => ModelErrorKind::InvalidRequest.code(),
            Self::Retrieval(RetrievalError::UnknownCorpus(_)) => "corpus_not_found",
            Self::Retrieval(RetrievalError::InvalidFilter(_)) => "invalid_filter",
            Self::Retrieval(RetrievalError::DeadlinePassed) => "deadline_exceeded",
            Self::Retrieval(RetrievalError::Embedding(error)) | Self::Model(error) => error.kind.code(),
            Self::Retrieval(RetrievalError::Storage(_)) => "retrieval_failed",
            Self::ShuttingDown => "shutting_down",
        }
    }
}
