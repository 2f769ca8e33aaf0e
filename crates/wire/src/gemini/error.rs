//! Errors in Google's shape: `{"error": {"code", "message", "status", "details"}}`.

use std::time::Duration;

use mainstay_domain::ModelErrorKind;
use serde_json::Value;

use crate::error::UpstreamError;
use crate::status;

/// Reads the body of a failed call.
pub fn decode(status: u16, body: &[u8]) -> UpstreamError {
    let body = serde_json::from_slice(body).unwrap_or(Value::Null);
    // The streaming endpoint without `alt=sse` wraps its body in an array.
    let body = if body.is_array() { &body[0] } else { &body };
    read(&body["error"], Some(status))
}

/// Reads the inner error object, of a body or of a chunk in mid-stream.
pub(crate) fn read(error: &Value, status: Option<u16>) -> UpstreamError {
    let status = status.or_else(|| error["code"].as_u64().and_then(|code| u16::try_from(code).ok()));
    let message = error["message"].as_str();
    let kind = kind(error, message.unwrap_or_default())
        .unwrap_or_else(|| status.map_or(ModelErrorKind::Provider, status::model_error_kind));
    UpstreamError {
        kind,
        message: status::bounded_message(message, status),
        code: error["status"].as_str().map(str::to_owned),
        retry_after: details(error).find_map(|detail| seconds(detail["retryDelay"].as_str()?)),
    }
}

fn details(error: &Value) -> impl Iterator<Item = &Value> {
    error["details"].as_array().into_iter().flatten()
}

/// A protobuf duration: seconds with an optional fraction and an `s`.
fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.strip_suffix('s')?.parse().ok()?).ok()
}

fn kind(error: &Value, message: &str) -> Option<ModelErrorKind> {
    if details(error).any(|detail| detail["reason"] == "API_KEY_INVALID") {
        return Some(ModelErrorKind::Authentication);
    }
    Some(match error["status"].as_str()? {
        // One status for every bad request: only the words tell this one, which calls for other measures, apart.
        "INVALID_ARGUMENT" if message.contains("exceeds the maximum number of tokens") => {
            ModelErrorKind::ContextTooLong
        }
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" => ModelErrorKind::InvalidRequest,
        "UNAUTHENTICATED" | "PERMISSION_DENIED" => ModelErrorKind::Authentication,
        "NOT_FOUND" => ModelErrorKind::ModelNotFound,
        "RESOURCE_EXHAUSTED" => ModelErrorKind::RateLimited,
        "UNAVAILABLE" => ModelErrorKind::Overloaded,
        "INTERNAL" | "UNKNOWN" | "DEADLINE_EXCEEDED" => ModelErrorKind::Provider,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_classified() {
        use ModelErrorKind as Kind;
        for (status, body, kind) in [
            (
                400,
                r#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#,
                Kind::Authentication,
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#,
                Kind::ContextTooLong,
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}"#,
                Kind::InvalidRequest,
            ),
            (404, r#"[{"error":{"code":404,"message":"no","status":"NOT_FOUND"}}]"#, Kind::ModelNotFound),
            (
                503,
                r#"{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#,
                Kind::Overloaded,
            ),
            (500, "oops", Kind::Provider),
        ] {
            assert_eq!(decode(status, body.as_bytes()).kind, kind, "{body}");
        }
    }

    #[test]
    fn the_body_says_how_long_to_wait() {
        let error = decode(
            429,
            br#"{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[
                {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.5s"}]}}"#,
        );
        assert_eq!(error.kind, ModelErrorKind::RateLimited);
        assert_eq!(error.retry_after, Some(Duration::from_millis(34_500)));
        assert_eq!(seconds("-1s"), None);
        assert_eq!(seconds("1e999s"), None);
    }
}
