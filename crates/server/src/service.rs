//! `/admin/service`: how much of the service is offered, and setting it by hand.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use http::Request;
use mainstay_reliability::ServiceLevel;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::App;
use crate::context::read_body;
use crate::error::{Failure, parse_json};
use crate::guard::Visit;
use crate::json::Json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    level: Level,
    for_seconds: Option<u32>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Full,
    Reduced,
    Emergency,
}

/// `GET /admin/service`
pub(crate) async fn levels(State(app): State<Arc<App>>) -> Json<Value> {
    Json(describe(&app))
}

/// `PUT /admin/service`
pub(crate) async fn set(
    State(app): State<Arc<App>>,
    visit: Visit,
    request: Request<Body>,
) -> Result<Json<Value>, Failure> {
    let tag = &visit.tag;
    let body = read_body(&app, request).await.map_err(|error| tag.fail(error))?;
    let wanted: Wanted = parse_json(&body).map_err(|error| tag.fail(error))?;
    let level = match wanted.level {
        Level::Full => ServiceLevel::Full,
        Level::Reduced => ServiceLevel::Reduced,
        Level::Emergency => ServiceLevel::Emergency,
    };
    let lasts = wanted.for_seconds.map(|seconds| Duration::from_secs(seconds.into()));
    let before = describe(&app);
    app.gateway.service.set(level, lasts);
    record(&app, &visit, "service.set", before).await?;
    Ok(Json(describe(&app)))
}

/// `DELETE /admin/service`: the signs are followed again.
pub(crate) async fn clear(State(app): State<Arc<App>>, visit: Visit) -> Result<Json<Value>, Failure> {
    let before = describe(&app);
    app.gateway.service.clear();
    record(&app, &visit, "service.clear", before).await?;
    Ok(Json(describe(&app)))
}

async fn record(app: &App, visit: &Visit, action: &'static str, before: Value) -> Result<(), Failure> {
    let after = describe(app)["data"].take();
    let mut before = before;
    let recorded = visit.changed(app, action, ("service", "level"), before["data"].take(), after).await;
    recorded.map_err(|error| visit.tag.fail(error))
}

fn describe(app: &App) -> Value {
    let level = |at: usize| app.gateway.service.level(at).as_str();
    let tiers = app.gateway.admission.tiers().enumerate();
    let data: Vec<Value> = tiers.map(|(at, tier)| json!({ "tier": tier, "level": level(at) })).collect();
    json!({ "object": "list", "data": data })
}
