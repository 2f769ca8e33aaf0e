//! The routes that operate Mainstay, and what wraps every request.

use std::sync::Arc;

use crate::json::Json;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http::{StatusCode, header};
use mainstay_ops::measure;
use serde_json::json;

use crate::App;
use crate::context::context_of;
use crate::error::{Failure, HttpError, Tag};

/// The process runs.
pub(crate) async fn healthz() -> impl IntoResponse {
    Json(json!({ "status": "ok" }))
}

/// Requests can be answered.
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Response {
    match app.readiness.obstacle() {
        None => Json(json!({ "status": "ready" })).into_response(),
        Some(obstacle) => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "not ready", "reason": obstacle })))
                .into_response()
        }
    }
}

/// The metrics in Prometheus' text format.
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (app.metrics)())
}

/// The description of this API.
pub(crate) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], include_str!("../assets/openapi.json"))
}

/// The first address that somebody types who was told where Mainstay is.
pub(crate) async fn root() -> Redirect {
    Redirect::temporary("/console")
}

/// No such route.
pub(crate) async fn not_found(State(app): State<Arc<App>>, request: Request) -> Failure {
    let error = HttpError::NoSuchRoute { path: request.uri().path().to_owned() };
    Tag::of(&context_of(&app, request.headers())).fail(error)
}

/// The route exists, with other methods.
pub(crate) async fn method_not_allowed(State(app): State<Arc<App>>, request: Request) -> Failure {
    let error = HttpError::MethodNotAllowed { method: request.method().to_string() };
    Tag::of(&context_of(&app, request.headers())).fail(error)
}

/// Counts requests by route and status, those in flight until the last byte of their body.
pub(crate) async fn observe(State(_app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let in_flight = InFlight::begin();
    let response = next.run(request).await;
    metrics::counter!(
        measure::HTTP_REQUESTS, "route" => route, "status" => response.status().as_str().to_owned()
    )
    .increment(1);
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, in_flight.until_the_end_of(body))
}

/// A request being answered.
struct InFlight;

impl InFlight {
    fn begin() -> Self {
        metrics::gauge!(measure::IN_FLIGHT).increment(1.0);
        Self
    }

    fn until_the_end_of(self, body: Body) -> Body {
        Body::new(Watched { body, _in_flight: self })
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        metrics::gauge!(measure::IN_FLIGHT).decrement(1.0);
    }
}

/// A body that ends a watch when it ends or is dropped.
struct Watched {
    body: Body,
    _in_flight: InFlight,
}

impl http_body::Body for Watched {
    type Data = bytes::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, axum::Error>>> {
        std::pin::Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
