//! The one place where an error becomes a status and a body. Two shapes: OpenAI's, which everything of ours uses too, and
//! Anthropic's for its routes. Causes are many; statuses are few.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, StatusCode, header};
use mainstay_domain::port::RetrievalError;
use mainstay_domain::{ModelError, ModelErrorKind, RequestId};
use mainstay_erasure::ErasureError;
use mainstay_gateway::RequestError;
use mainstay_ops::Unrecorded;
use mainstay_rag::LibraryError;
use mainstay_security::{Denied, IdentityError, KeyRingError, TenantsError};
use mainstay_store::approvals::MOST_WAITING;
use mainstay_wire::error::CallerError;
use mainstay_wire::{anthropic, openai, sse};
use serde::de::DeserializeOwned;

use crate::limits;

/// Why a request failed, at the edge.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// It is not known who calls.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// It is known, and they may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The request path failed it.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The documents did.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// Something was not erased.
    #[error(transparent)]
    Erasure(#[from] ErasureError),
    /// The audit log cannot be read or signed.
    #[error("the audit log cannot be used: {0}")]
    AuditLog(String),
    /// The database failed.
    #[error("{0}")]
    Storage(String),
    /// It takes a second person.
    #[error(
        "this takes a second person: ask somebody to approve {id} (`mainstay policy approve {id}`), then repeat the request \
         with the header x-mainstay-approval: {id}"
    )]
    ApprovalRequired {
        /// The approval that waits.
        id: String,
    },
    /// The approval is good for nothing here.
    #[error("the approval {id:?} cannot be used: {reason}")]
    ApprovalUnfit {
        /// Its id.
        id: String,
        /// Why.
        reason: &'static str,
    },
    /// No approval of that id.
    #[error("there is no approval {id:?}; `mainstay policy approvals` lists those that there are")]
    NoSuchApproval {
        /// The id.
        id: String,
    },
    /// Somebody asked for too many changes that still wait.
    #[error(
        "{MOST_WAITING} changes that you asked for wait for a second person: have some approved or refused \
         (`mainstay policy approvals` lists them)"
    )]
    TooManyApprovals,
    /// No hold of that id.
    #[error("there is no hold {id:?}; `mainstay erase holds` lists those that there are")]
    NoSuchHold {
        /// The id.
        id: String,
    },
    /// It cannot be recorded, and must not be done unrecorded.
    #[error(transparent)]
    Unrecorded(#[from] Unrecorded),
    /// The API keys did.
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    /// The tenants did.
    #[error(transparent)]
    Tenants(#[from] TenantsError),
    /// The body does not say what it must.
    #[error("{message}")]
    Invalid {
        /// What is wrong and what to do.
        message: String,
        /// The field.
        param: Option<String>,
    },
    /// The body is no request of the API that was called.
    #[error(transparent)]
    Malformed(#[from] mainstay_wire::error::RequestError),
    /// The body is longer than the limit.
    #[error("the body is larger than {limit} bytes; the limit is server.body_limit in mainstay.toml")]
    BodyTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body took too long.
    #[error("the body did not arrive within {} s", .limit.as_secs())]
    BodyTimeout {
        /// The limit.
        limit: Duration,
    },
    /// The connection broke within the body.
    #[error("the body was cut off")]
    BodyInterrupted,
    /// The media type is none that the route takes.
    #[error("{message}")]
    UnsupportedMediaType {
        /// What was sent and what is taken.
        message: String,
    },
    /// No document of that id.
    #[error("there is no document {doc_id:?} in the corpus {corpus:?}")]
    NoSuchDocument {
        /// The id.
        doc_id: String,
        /// Where it was looked for.
        corpus: String,
    },
    /// No such route.
    #[error("there is no route {path}; GET /openapi.json describes those that exist")]
    NoSuchRoute {
        /// The path.
        path: String,
    },
    /// The route exists, with other methods.
    #[error("the method {method} is not allowed here; GET /openapi.json describes the routes")]
    MethodNotAllowed {
        /// The method.
        method: String,
    },
}

/// How an error looks from outside.
struct Appearance {
    status: StatusCode,
    code: &'static str,
    param: Option<String>,
    retry_after: Option<Duration>,
}

impl HttpError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.appearance().code
    }

    /// The status of a page that says it.
    pub(crate) fn status(&self) -> StatusCode {
        self.appearance().status
    }

    fn appearance(&self) -> Appearance {
        let plain = |status, code| Appearance { status, code, param: None, retry_after: None };
        match self {
            Self::Identity(error) => identity_appearance(error),
            Self::Denied(_) => plain(StatusCode::FORBIDDEN, "permission_denied"),
            Self::Request(error) => request_appearance(error),
            Self::Library(error) => library_appearance(error),
            Self::Erasure(error) => erasure_appearance(error),
            Self::AuditLog(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "audit_log_failed"),
            Self::Storage(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "storage_failed"),
            Self::ApprovalRequired { .. } => plain(StatusCode::CONFLICT, "approval_required"),
            Self::ApprovalUnfit { .. } => plain(StatusCode::CONFLICT, "approval_unfit"),
            Self::NoSuchApproval { .. } => plain(StatusCode::NOT_FOUND, "approval_not_found"),
            Self::TooManyApprovals => plain(StatusCode::CONFLICT, "too_many_approvals"),
            Self::NoSuchHold { .. } => plain(StatusCode::NOT_FOUND, "hold_not_found"),
            Self::Unrecorded(_) => Appearance {
                retry_after: Some(Duration::from_secs(5)),
                ..plain(StatusCode::SERVICE_UNAVAILABLE, "audit_unavailable")
            },
            Self::Keys(error) => keys_appearance(error),
            Self::Tenants(error) => tenants_appearance(error),
            Self::Invalid { param, .. } => {
                Appearance { param: param.clone(), ..plain(StatusCode::BAD_REQUEST, "invalid_request") }
            }
            Self::Malformed(error) => {
                Appearance { param: error.param.clone(), ..plain(StatusCode::BAD_REQUEST, error.code) }
            }
            Self::BodyTooLarge { .. } => plain(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::BodyTimeout { .. } => plain(StatusCode::REQUEST_TIMEOUT, "body_timeout"),
            Self::BodyInterrupted => plain(StatusCode::BAD_REQUEST, "body_interrupted"),
            Self::UnsupportedMediaType { .. } => {
                plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
            }
            Self::NoSuchDocument { .. } => plain(StatusCode::NOT_FOUND, "document_not_found"),
            Self::NoSuchRoute { .. } => plain(StatusCode::NOT_FOUND, "route_not_found"),
            Self::MethodNotAllowed { .. } => plain(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
        }
    }
}

fn identity_appearance(error: &IdentityError) -> Appearance {
    let status = match error {
        // Whose it is was shown; what is wrong is with the tenant, and another credential would not help.
        IdentityError::SuspendedTenant => StatusCode::FORBIDDEN,
        IdentityError::WrongRegion(_) => StatusCode::MISDIRECTED_REQUEST,
        IdentityError::Token(error) if error.is_unavailable() => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNAUTHORIZED,
    };
    let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(Duration::from_secs(5));
    Appearance { status, code: error.code(), param: None, retry_after }
}

fn erasure_appearance(error: &ErasureError) -> Appearance {
    let status = match error {
        ErasureError::Held { .. } => StatusCode::CONFLICT,
        ErasureError::Invalid(_) => StatusCode::BAD_REQUEST,
        ErasureError::Unrecorded(_) => StatusCode::SERVICE_UNAVAILABLE,
        ErasureError::Left { .. } | ErasureError::Interrupted(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Appearance { status, code: error.code(), param: None, retry_after: None }
}

fn tenants_appearance(error: &TenantsError) -> Appearance {
    let status = match error {
        TenantsError::Unknown(_) => StatusCode::NOT_FOUND,
        TenantsError::Taken(_) => StatusCode::CONFLICT,
        TenantsError::Invalid(_) => StatusCode::BAD_REQUEST,
        TenantsError::Storage(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Appearance { status, code: error.code(), param: None, retry_after: None }
}

fn request_appearance(error: &RequestError) -> Appearance {
    let code = error.code();
    let own = |status| (status, error.retry_after());
    let (status, retry_after) = match error {
        RequestError::Retrieval(RetrievalError::Embedding(error)) | RequestError::Model(error) => {
            model_appearance(error)
        }
        RequestError::ModelNotAllowed { .. } | RequestError::AccessRevoked => own(StatusCode::FORBIDDEN),
        RequestError::Budget(_) | RequestError::Refused(_) => own(StatusCode::TOO_MANY_REQUESTS),
        RequestError::NotBooked(_) | RequestError::Retrieval(RetrievalError::Storage(_)) => {
            own(StatusCode::INTERNAL_SERVER_ERROR)
        }
        RequestError::UnknownModel(_) | RequestError::Retrieval(RetrievalError::UnknownCorpus(_)) => {
            own(StatusCode::NOT_FOUND)
        }
        RequestError::Unpriced { .. }
        | RequestError::Invalid { .. }
        | RequestError::Filter { .. }
        | RequestError::Retrieval(RetrievalError::InvalidFilter { .. }) => own(StatusCode::BAD_REQUEST),
        RequestError::Retrieval(RetrievalError::DeadlinePassed) => own(StatusCode::GATEWAY_TIMEOUT),
        RequestError::Outage { .. } | RequestError::ShuttingDown => own(StatusCode::SERVICE_UNAVAILABLE),
    };
    let param = match error {
        RequestError::UnknownModel(_) | RequestError::ModelNotAllowed { .. } => Some("model".to_owned()),
        RequestError::Filter { param, .. } => Some((*param).to_owned()),
        RequestError::Invalid { param, .. } => param.map(str::to_owned),
        _ => None,
    };
    Appearance { status, code, param, retry_after }
}

fn model_appearance(error: &ModelError) -> (StatusCode, Option<Duration>) {
    // Waiting helps here, so the caller is told how long even where the provider did not say.
    let wait = Some(error.retry_after.unwrap_or(Duration::from_secs(1)));
    match error.kind {
        ModelErrorKind::InvalidRequest | ModelErrorKind::ContextTooLong | ModelErrorKind::Unsupported => {
            (StatusCode::BAD_REQUEST, None)
        }
        ModelErrorKind::ContentFilter => (StatusCode::BAD_REQUEST, None),
        ModelErrorKind::OutOfRegion => (StatusCode::FORBIDDEN, None),
        ModelErrorKind::ModelNotFound => (StatusCode::NOT_FOUND, None),
        ModelErrorKind::RateLimited => (StatusCode::TOO_MANY_REQUESTS, wait),
        ModelErrorKind::QuotaExhausted => (StatusCode::TOO_MANY_REQUESTS, None),
        ModelErrorKind::Overloaded | ModelErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, wait),
        ModelErrorKind::Timeout(_) => (StatusCode::GATEWAY_TIMEOUT, None),
        // The operator's credentials failed, not the caller's: to the caller it is a bad gateway.
        ModelErrorKind::Authentication
        | ModelErrorKind::Provider
        | ModelErrorKind::Connect
        | ModelErrorKind::Malformed
        | ModelErrorKind::Truncated => (StatusCode::BAD_GATEWAY, None),
    }
}

fn library_appearance(error: &LibraryError) -> Appearance {
    let (status, retry_after) = match error {
        LibraryError::Refused { .. } => (StatusCode::UNPROCESSABLE_ENTITY, None),
        LibraryError::UnknownCorpus(_) => (StatusCode::NOT_FOUND, None),
        LibraryError::Incompatible(_) => (StatusCode::CONFLICT, None),
        LibraryError::Embedding(error) => model_appearance(error),
        LibraryError::StorageFull => (StatusCode::INSUFFICIENT_STORAGE, None),
        LibraryError::Storage(_) => (StatusCode::INTERNAL_SERVER_ERROR, None),
    };
    Appearance { status, code: error.code(), param: None, retry_after }
}

fn keys_appearance(error: &KeyRingError) -> Appearance {
    let status = match error {
        KeyRingError::Unknown(_) => StatusCode::NOT_FOUND,
        KeyRingError::Invalid(_) => StatusCode::BAD_REQUEST,
        KeyRingError::Storage(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Appearance { status, code: error.code(), param: None, retry_after: None }
}

/// The shape of an error body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// OpenAI's and ours.
    OpenAi,
    /// Anthropic's.
    Anthropic,
}

/// What ties an error to its request.
#[derive(Clone, Debug)]
pub struct Tag {
    request: RequestId,
    shape: Shape,
}

impl Tag {
    /// Errors of this request, in OpenAI's shape.
    pub fn of(request: &RequestId) -> Self {
        Self { request: request.clone(), shape: Shape::OpenAi }
    }

    /// The same in another shape.
    pub fn shaped(self, shape: Shape) -> Self {
        Self { shape, ..self }
    }

    /// The failure of this request.
    pub fn fail(&self, error: impl Into<HttpError>) -> Failure {
        Failure { tag: self.clone(), error: error.into() }
    }
}

/// An error of a request, ready to be sent.
#[derive(Debug)]
pub struct Failure {
    tag: Tag,
    error: HttpError,
}

impl Failure {
    /// The status of the response.
    fn status(&self, look: &Appearance) -> StatusCode {
        match self.tag.shape {
            // Anthropic's clients know 529 as "overloaded".
            Shape::Anthropic if look.code == ModelErrorKind::Overloaded.code() => {
                StatusCode::from_u16(529).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
            }
            _ => look.status,
        }
    }

    /// The body of the response, or the data of an error event.
    pub(crate) fn body(&self) -> Bytes {
        let look = self.error.appearance();
        let message = self.error.to_string();
        let error = CallerError {
            status: self.status(&look).as_u16(),
            message: &message,
            param: look.param.as_deref(),
            code: Some(look.code),
            request_id: Some(self.tag.request.as_str()),
        };
        match self.tag.shape {
            Shape::OpenAi => openai::error::encode(&error),
            Shape::Anthropic => anthropic::error::encode(&error),
        }
    }

    /// Appends the failure as the last event of a stream.
    pub(crate) fn write_event(&self, out: &mut BytesMut) {
        let body = self.body();
        match self.tag.shape {
            Shape::OpenAi => {
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(&body);
                out.extend_from_slice(b"\n\n");
            }
            Shape::Anthropic => sse::write_event(out, "error", &String::from_utf8_lossy(&body)),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let look = self.error.appearance();
        if look.status.is_server_error() {
            // The message may quote a provider, which may quote the prompt: the code is all that is logged.
            tracing::warn!(request = %self.tag.request, code = look.code, status = look.status.as_u16(), "request failed");
        }
        let status = self.status(&look);
        let mut response =
            (status, [(header::CONTENT_TYPE, "application/json")], self.body()).into_response();
        let headers = response.headers_mut();
        identify(headers, &self.tag.request);
        if let Some(wait) = look.retry_after {
            let milliseconds = wait.as_millis().min(u128::from(u32::MAX)) as u64;
            headers.insert(header::RETRY_AFTER, HeaderValue::from(milliseconds.div_ceil(1_000)));
            headers.insert(HeaderName::from_static("retry-after-ms"), HeaderValue::from(milliseconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let HttpError::Identity(IdentityError::WrongRegion(wrong)) = &self.error
            && let Some(url) = wrong.url.as_deref().and_then(|url| HeaderValue::from_str(url).ok())
        {
            headers.insert(HeaderName::from_static("x-mainstay-region-url"), url);
        }
        if let HttpError::Request(RequestError::Refused(refusal)) = &self.error {
            limits::refused(headers, refusal);
        }
        // What the provider will refuse again, the SDKs must not repeat.
        if matches!(
            look.code,
            "provider_quota_exhausted"
                | "provider_authentication_failed"
                | "request_exceeds_limit"
                | "budget_exceeded"
        ) {
            headers.insert(HeaderName::from_static("x-should-retry"), HeaderValue::from_static("false"));
        }
        response
    }
}

/// Puts the request's id on a response, under the names that both SDKs look for.
pub(crate) fn identify(headers: &mut http::HeaderMap, request: &RequestId) {
    if let Ok(value) = HeaderValue::from_str(request.as_str()) {
        headers.insert(HeaderName::from_static("request-id"), value.clone());
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
}

/// Reads a JSON body; the error says where it is wrong.
pub(crate) fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, HttpError> {
    serde_json::from_slice(body).map_err(|error| HttpError::Invalid {
        message: format!("the body is not the JSON that is expected: {error}"),
        param: None,
    })
}
