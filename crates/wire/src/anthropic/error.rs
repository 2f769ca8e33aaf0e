//! Errors in Anthropic's shape: `{"type": "error", "error": {"type", "message"}, "request_id"}`.

use bytes::{Bytes, BytesMut};
use mainstay_domain::ModelErrorKind;
use serde_json::Value;

use crate::error::{CallerError, RequestError, UpstreamError};
use crate::json::write::Object;
use crate::status;

/// Reads the body of a failed call.
pub fn decode(status: u16, body: &[u8]) -> UpstreamError {
    let body = serde_json::from_slice(body).unwrap_or(Value::Null);
    read(&body["error"], Some(status))
}

/// Reads the inner error object, of a body or of an `error` event (which has no status).
pub(crate) fn read(error: &Value, status: Option<u16>) -> UpstreamError {
    let message = error["message"].as_str();
    let error_type = error["type"].as_str();
    let kind = kind_of_type(error_type.unwrap_or_default(), message.unwrap_or_default())
        .unwrap_or_else(|| status.map_or(ModelErrorKind::Provider, status::model_error_kind));
    UpstreamError {
        kind,
        message: status::bounded_message(message, status),
        code: error_type.map(str::to_owned),
        retry_after: None,
    }
}

fn kind_of_type(error_type: &str, message: &str) -> Option<ModelErrorKind> {
    Some(match error_type {
        // One type for every bad request: only the words tell these two, which call for other measures, apart.
        "invalid_request_error" if message.contains("prompt is too long") => ModelErrorKind::ContextTooLong,
        "invalid_request_error" if message.contains("exceed context limit") => ModelErrorKind::ContextTooLong,
        "invalid_request_error" if message.contains("credit balance is too low") => {
            ModelErrorKind::QuotaExhausted
        }
        "invalid_request_error" | "request_too_large" => ModelErrorKind::InvalidRequest,
        "authentication_error" | "permission_error" => ModelErrorKind::Authentication,
        "billing_error" => ModelErrorKind::QuotaExhausted,
        "not_found_error" => ModelErrorKind::ModelNotFound,
        "rate_limit_error" => ModelErrorKind::RateLimited,
        "overloaded_error" => ModelErrorKind::Overloaded,
        "api_error" | "timeout_error" => ModelErrorKind::Provider,
        _ => return None,
    })
}

/// Writes an error body for a caller.
pub fn encode(error: &CallerError<'_>) -> Bytes {
    let mut out = BytesMut::with_capacity(error.message.len() + 128);
    write(error, &mut out);
    out.freeze()
}

/// Writes the body of the error response to a request that could not be understood. The message names the field.
pub fn encode_request_error(error: &RequestError, request_id: Option<&str>) -> Bytes {
    encode(&CallerError { status: 400, message: &error.message, param: None, code: None, request_id })
}

pub(crate) fn write(error: &CallerError<'_>, out: &mut BytesMut) {
    let mut body = Object::new(out);
    body.text("type", "error");
    {
        let mut inner = body.object("error");
        inner.text("type", error_type(error.status));
        inner.text("message", error.message);
        // Not Anthropic's: the stable code that Mainstay's own documentation explains.
        inner.optional_text("code", error.code);
    }
    body.nullable_text("request_id", error.request_id);
}

/// Anthropic's type of error for a status.
fn error_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        400..500 => "invalid_request_error",
        503 | 529 => "overloaded_error",
        504 => "timeout_error",
        _ => "api_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_classified() {
        use ModelErrorKind as Kind;
        for (status, error_type, message, kind) in [
            (
                400,
                "invalid_request_error",
                "prompt is too long: 209345 tokens > 200000 maximum",
                Kind::ContextTooLong,
            ),
            (
                400,
                "invalid_request_error",
                "Your credit balance is too low to access the API",
                Kind::QuotaExhausted,
            ),
            (400, "invalid_request_error", "messages.0: bad", Kind::InvalidRequest),
            (401, "authentication_error", "invalid x-api-key", Kind::Authentication),
            (404, "not_found_error", "model: claude-x", Kind::ModelNotFound),
            (429, "rate_limit_error", "slow", Kind::RateLimited),
            (500, "api_error", "oops", Kind::Provider),
            (529, "overloaded_error", "Overloaded", Kind::Overloaded),
            (529, "a_new_error", "Overloaded", Kind::Overloaded),
        ] {
            let body = format!(
                r#"{{"type":"error","error":{{"type":"{error_type}","message":"{message}"}},"request_id":"r"}}"#
            );
            let error = decode(status, body.as_bytes());
            assert_eq!((error.kind, error.message.as_str()), (kind, message), "{status} {error_type}");
        }
        assert_eq!(decode(503, b"<html>").message, "the provider answered with status 503");
    }

    #[test]
    fn the_body_repeats_the_request_id() {
        let error =
            CallerError { status: 429, message: "m", param: None, code: None, request_id: Some("req_1") };
        assert_eq!(
            &encode(&error)[..],
            br#"{"type":"error","error":{"type":"rate_limit_error","message":"m"},"request_id":"req_1"}"#
        );
    }
}
