//! From an HTTP request to what the gateway needs to know of it: ids, credentials, deadline, body.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, header};
use http_body_util::BodyExt;
use mainstay_domain::{Deadline, RequestId};
use mainstay_gateway::Context;

use crate::App;
use crate::error::HttpError;

/// The context of a request.
pub(crate) fn context_of(app: &App, headers: &HeaderMap) -> Context {
    Context {
        request: RequestId::generate(&app.clock),
        key: presented_key(headers),
        deadline: Deadline::after(&app.clock, deadline_of(app, headers)),
        client_retries: text(headers, "x-stainless-retry-count")
            .and_then(|count| count.parse().ok())
            .unwrap_or(0),
    }
}

/// The key of `Authorization: Bearer …` as OpenAI's clients send it, or of `x-api-key` as Anthropic's do.
fn presented_key(headers: &HeaderMap) -> Option<String> {
    let bearer = text(headers, header::AUTHORIZATION.as_str()).and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    bearer.or_else(|| text(headers, "x-api-key")).map(str::to_owned)
}

/// The server's deadline, or the caller's own where that is sooner.
fn deadline_of(app: &App, headers: &HeaderMap) -> Duration {
    let own = text(headers, "x-request-deadline-ms")
        .and_then(|value| value.parse().ok())
        .map(Duration::from_millis);
    own.map_or(app.settings.deadline, |own| own.min(app.settings.deadline))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The media type of a request's body, lower case, without parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = text(headers, header::CONTENT_TYPE.as_str())?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// Reads a request's body, within the limits of size and time.
pub(crate) async fn read_body(app: &App, request: Request<Body>) -> Result<Bytes, HttpError> {
    let reading = collect(request.into_body(), app.settings.body_limit);
    match app.clock.timeout(app.settings.body_timeout, reading).await {
        Some(body) => body,
        None => Err(HttpError::BodyTimeout { limit: app.settings.body_timeout }),
    }
}

async fn collect(mut body: Body, limit: usize) -> Result<Bytes, HttpError> {
    let announced = http_body::Body::size_hint(&body).lower();
    if announced > limit as u64 {
        return Err(HttpError::BodyTooLarge { limit });
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| HttpError::BodyInterrupted)?.into_data() else { continue };
        if first.len() + rest.len() + data.len() > limit {
            return Err(HttpError::BodyTooLarge { limit });
        }
        if first.is_empty() {
            // Most bodies come in one piece, which needs no copy.
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
    }
    if rest.is_empty() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok(whole.freeze())
}
