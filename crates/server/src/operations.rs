//! The routes that operate Mainstay, and what wraps every request.

use std::sync::Arc;

use crate::json::Json;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http::{StatusCode, header};
use mainstay_domain::RequestId;
use mainstay_ops::measure;
use serde_json::json;

use crate::App;
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
    Tag::of(&RequestId::generate(&app.clock)).fail(error)
}

/// The route exists, with other methods.
pub(crate) async fn method_not_allowed(State(app): State<Arc<App>>, request: Request) -> Failure {
    let error = HttpError::MethodNotAllowed { method: request.method().to_string() };
    Tag::of(&RequestId::generate(&app.clock)).fail(error)
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

#[cfg(test)]
mod tests {
    use mainstay_domain::CorpusName;
    use mainstay_rag::library::{CorpusInfo, LanguageShare, UpgradeInfo};
    use serde_json::Value;

    use crate::console::COOKIE;

    fn description() -> Value {
        serde_json::from_str(include_str!("../assets/openapi.json")).unwrap()
    }

    /// That every field of `value` is described.
    fn check(described: &Value, value: &Value) {
        for (name, value) in value.as_object().into_iter().flatten() {
            let property = &described["properties"][name];
            assert!(property.is_object(), "{name} is not described");
            check(property, value);
            if let Some(item) = value.as_array().and_then(|items| items.first()) {
                check(&property["items"], item);
            }
        }
    }

    #[test]
    fn all_of_a_corpus_is_described() {
        let info = CorpusInfo {
            object: "corpus",
            corpus: CorpusName::unnamed(),
            embedder: "builtin/static".to_owned(),
            upgrade: Some(UpgradeInfo { embedder: "builtin/minilm".to_owned(), chunks: 1, of: 2 }),
            documents: 1,
            chunks: 1,
            quarantined: Default::default(),
            bytes: 1,
            languages: vec![LanguageShare { language: Some("en".to_owned()), chunks: 1 }],
        };
        check(&description()["components"]["schemas"]["Corpus"], &serde_json::to_value(info).unwrap());
    }

    #[test]
    fn the_pages_of_the_console_say_how_to_come_in_and_what_can_go_wrong() {
        let description = description();
        let scheme = &description["components"]["securitySchemes"]["session"];
        assert_eq!((&scheme["in"], &scheme["name"]), (&"cookie".into(), &COOKIE.into()));
        for path in ["/console/search", "/console/search/document"] {
            let page = &description["paths"][path]["get"];
            assert!(page["security"][0]["session"].is_array(), "{path}");
            for status in ["200", "400", "401", "404"] {
                assert!(page["responses"][status].is_object(), "{path} {status}");
            }
        }
    }
}
