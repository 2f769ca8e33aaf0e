//! Errors in OpenAI's shape: `{"error": {"message", "type", "param", "code"}}`, and what compatible servers make of it.

use bytes::{Bytes, BytesMut};
use mainstay_domain::ModelErrorKind;
use serde_json::Value;

use crate::error::{CallerError, RequestError, UpstreamError};
use crate::json::write::Object;
use crate::status;

/// Reads the body of a failed call.
pub fn decode(status: u16, body: &[u8]) -> UpstreamError {
    let body = serde_json::from_slice(body).unwrap_or(Value::Null);
    read(&body, Some(status))
}

/// Reads an error object: an error body, or the chunk that reports a failure in mid-stream (which has no status).
pub(crate) fn read(body: &Value, status: Option<u16>) -> UpstreamError {
    let body = match body {
        // Gemini's compatible endpoint wraps its body in an array.
        Value::Array(items) => items.first().unwrap_or(&Value::Null),
        other => other,
    };
    let error = match body.get("error") {
        Some(error) if !error.is_null() => error,
        _ => body,
    };
    let status = status.or_else(|| error["code"].as_u64().and_then(|code| u16::try_from(code).ok()));
    let message = message(error);
    let code = error["code"].as_str().or_else(|| error["type"].as_str());
    // "server_error" says no more than the status does, and 503 says that waiting helps.
    let kind = kind_of_words(error)
        .filter(|kind| *kind != ModelErrorKind::Provider || status.is_none())
        .or_else(|| kind_of_message(message.unwrap_or_default(), status))
        .unwrap_or_else(|| status.map_or(ModelErrorKind::Provider, status::model_error_kind));
    UpstreamError {
        kind,
        message: status::bounded_message(message, status),
        code: code.map(str::to_owned),
        retry_after: None,
    }
}

/// What the server says in words: OpenAI's `message`, FastAPI's `detail`, a bare string.
fn message(error: &Value) -> Option<&str> {
    let detail = &error["detail"];
    [error, &error["message"], detail, &detail[0]["msg"], &detail["message"]]
        .into_iter()
        .find_map(Value::as_str)
}

/// The kind by the error's `code` or, where that says nothing, its `type`.
fn kind_of_words(error: &Value) -> Option<ModelErrorKind> {
    [&error["code"], &error["innererror"]["code"], &error["type"]].into_iter().find_map(|word| {
        Some(match word.as_str()? {
            "context_length_exceeded" | "exceed_context_size_error" => ModelErrorKind::ContextTooLong,
            "content_filter" | "content_policy_violation" | "ResponsibleAIPolicyViolation" => {
                ModelErrorKind::ContentFilter
            }
            "insufficient_quota"
            | "billing_hard_limit_reached"
            | "billing_not_active"
            | "insufficient_balance" => ModelErrorKind::QuotaExhausted,
            "invalid_api_key" | "authentication_error" | "permission_error" => ModelErrorKind::Authentication,
            "model_not_found" | "DeploymentNotFound" => ModelErrorKind::ModelNotFound,
            "rate_limit_exceeded" | "rate_limit_error" => ModelErrorKind::RateLimited,
            "overloaded_error" | "slow_down" | "engine_overloaded" => ModelErrorKind::Overloaded,
            "server_error" | "api_error" | "internal_server_error" => ModelErrorKind::Provider,
            _ => return None,
        })
    })
}

/// Servers without codes (vLLM, llama.cpp, TGI, …) say only in words that a prompt is too long, and no status tells it
/// from other bad requests.
fn kind_of_message(message: &str, status: Option<u16>) -> Option<ModelErrorKind> {
    const PHRASES: [&str; 5] =
        ["context length", "context window", "context size", "maximum model length", "prompt is too long"];
    if !matches!(status, None | Some(400 | 413 | 422)) {
        return None;
    }
    let message = message.to_ascii_lowercase();
    PHRASES.iter().any(|phrase| message.contains(phrase)).then_some(ModelErrorKind::ContextTooLong)
}

/// Writes an error body for a caller.
pub fn encode(error: &CallerError<'_>) -> Bytes {
    let mut out = BytesMut::with_capacity(error.message.len() + 128);
    write(error, &mut out);
    out.freeze()
}

/// Writes the body of the error response to a request that could not be understood.
pub fn encode_request_error(error: &RequestError, request_id: Option<&str>) -> Bytes {
    encode(&CallerError {
        status: 400,
        message: &error.message,
        param: error.param.as_deref(),
        code: Some(error.code),
        request_id,
    })
}

pub(crate) fn write(error: &CallerError<'_>, out: &mut BytesMut) {
    let mut body = Object::new(out);
    let mut inner = body.object("error");
    inner.text("message", error.message);
    inner.text("type", error_type(error.status));
    inner.nullable_text("param", error.param);
    inner.nullable_text("code", error.code);
}

/// OpenAI's type of error for a status.
fn error_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..500 => "invalid_request_error",
        _ => "server_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_of_openai_and_compatible_servers_are_classified() {
        use ModelErrorKind as Kind;
        for (status, body, kind) in [
            (
                400,
                r#"{"error":{"message":"m","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
                Kind::ContextTooLong,
            ),
            (
                429,
                r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
                Kind::QuotaExhausted,
            ),
            (
                429,
                r#"{"error":{"message":"slow","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
                Kind::RateLimited,
            ),
            (
                401,
                r#"{"error":{"message":"Incorrect API key","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
                Kind::Authentication,
            ),
            (
                404,
                r#"{"error":{"message":"no","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
                Kind::ModelNotFound,
            ),
            (404, r#"{"error":"model 'x' not found"}"#, Kind::ModelNotFound),
            (
                400,
                r#"{"error":{"message":"filtered","code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
                Kind::ContentFilter,
            ),
            (
                400,
                r#"{"object":"error","message":"This model's maximum context length is 4096 tokens.","type":"BadRequestError","param":null,"code":400}"#,
                Kind::ContextTooLong,
            ),
            (
                422,
                r#"{"detail":[{"loc":["body"],"msg":"field required","type":"missing"}]}"#,
                Kind::InvalidRequest,
            ),
            (
                402,
                r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}"#,
                Kind::QuotaExhausted,
            ),
            (500, "<html>oops</html>", Kind::Provider),
            (503, "", Kind::Overloaded),
            (400, "{}", Kind::InvalidRequest),
        ] {
            assert_eq!(decode(status, body.as_bytes()).kind, kind, "{status} {body}");
        }
    }

    #[test]
    fn a_body_without_words_gets_a_message_without_its_content() {
        assert_eq!(decode(502, b"<html>secret</html>").message, "the provider answered with status 502");
        assert_eq!(decode(422, br#"{"detail":[{"msg":"field required"}]}"#).message, "field required");
    }

    #[test]
    fn nulls_are_written_as_nulls() {
        let error =
            CallerError { status: 404, message: "no", param: None, code: None, request_id: Some("r") };
        assert_eq!(
            &encode(&error)[..],
            br#"{"error":{"message":"no","type":"invalid_request_error","param":null,"code":null}}"#
        );
    }
}
