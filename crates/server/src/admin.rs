//! `/admin`: API keys and the index.

use std::sync::Arc;
use std::time::Duration;

use crate::json::Json;
use axum::body::Body;
use axum::extract::State;
use http::{Request, StatusCode};
use mainstay_domain::identity::Scope;
use mainstay_domain::{Caller, KeyId, TierName};
use mainstay_security::{KeyOrder, KeyRingError, KeySummary};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::App;
use crate::context::{context_of, read_body};
use crate::error::{Failure, HttpError, Tag, parse_json};
use crate::extract::{FoundPath, corpus_named, path_text};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    name: String,
    scope: Scope,
    tier: Option<TierName>,
    expires_in_days: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotation {
    overlap_hours: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rebuild {
    corpus: Option<String>,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// `POST /admin/keys`
pub(crate) async fn create_key(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let (caller, tag) = administrator(&app, &request)?;
    let body = read_body(&app, request).await.map_err(|error| tag.fail(error))?;
    let wanted: NewKey = parse_json(&body).map_err(|error| tag.fail(error))?;
    check_tier(&app, wanted.tier.as_ref()).map_err(|error| tag.fail(error))?;
    let order = KeyOrder {
        tenant: caller.tenant,
        name: wanted.name,
        scope: wanted.scope,
        tier: wanted.tier,
        valid_for: wanted.expires_in_days.map(|days| DAY * days),
    };
    let key = app.keys.create(order).await.map_err(|error| tag.fail(error))?;
    Ok((
        StatusCode::CREATED,
        Json(json!({ "object": "api_key", "id": key.id, "api_key": key.text.expose() })),
    ))
}

/// `GET /admin/keys`
pub(crate) async fn list_keys(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Json<Value>, Failure> {
    let (caller, tag) = administrator(&app, &request)?;
    let keys = app.keys.list(&caller.tenant).await.map_err(|error| tag.fail(error))?;
    let now = app.clock.now();
    let data: Vec<Value> = keys.iter().map(|key| describe(key, key.state(now))).collect();
    Ok(Json(json!({ "object": "list", "data": data })))
}

/// A tier that the configuration does not have would be served as the last one, without anybody knowing.
fn check_tier(app: &App, tier: Option<&TierName>) -> Result<(), HttpError> {
    let Some(tier) = tier else { return Ok(()) };
    let known: Vec<&str> = app.gateway.admission.tiers().map(TierName::as_str).collect();
    if known.contains(&tier.as_str()) {
        return Ok(());
    }
    Err(HttpError::Invalid {
        message: format!(
            "there is no tier {tier:?}; [limits.tiers] of mainstay.toml has: {}",
            known.join(", ")
        ),
        param: Some("tier".to_owned()),
    })
}

fn describe(key: &KeySummary, state: &str) -> Value {
    json!({
        "object": "api_key",
        "id": key.id,
        "name": key.name,
        "tenant": key.tenant,
        "scope": key.scope,
        "tier": key.tier,
        "state": state,
        "created_at": key.created_at.as_seconds(),
        "expires_at": key.expires_at.map(|at| at.as_seconds()),
    })
}

/// `POST /admin/keys/{id}/rotate`
pub(crate) async fn rotate_key(
    State(app): State<Arc<App>>,
    id: FoundPath,
    request: Request<Body>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let (caller, tag) = administrator(&app, &request)?;
    let id = KeyId::from(path_text(id).map_err(|error| tag.fail(error))?);
    let body = read_body(&app, request).await.map_err(|error| tag.fail(error))?;
    let wanted: Rotation = parse_json(&body).map_err(|error| tag.fail(error))?;
    let overlap = HOUR * wanted.overlap_hours.unwrap_or(24);
    let key = app.keys.rotate(&caller.tenant, &id, overlap).await.map_err(|error| tag.fail(error))?;
    Ok((
        StatusCode::CREATED,
        Json(json!({ "object": "api_key", "id": key.id, "api_key": key.text.expose() })),
    ))
}

/// `DELETE /admin/keys/{id}`
pub(crate) async fn revoke_key(
    State(app): State<Arc<App>>,
    id: FoundPath,
    request: Request<Body>,
) -> Result<Json<Value>, Failure> {
    let (caller, tag) = administrator(&app, &request)?;
    let id = KeyId::from(path_text(id).map_err(|error| tag.fail(error))?);
    let found = app.keys.revoke(&caller.tenant, &id).await.map_err(|error| tag.fail(error))?;
    if !found {
        return Err(tag.fail(KeyRingError::Unknown(id)));
    }
    Ok(Json(json!({ "object": "api_key.revoked", "id": id })))
}

/// `GET /admin/budgets`: how the budgets stand.
pub(crate) async fn budgets(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Json<Value>, Failure> {
    administrator(&app, &request)?;
    let describe = |budget: mainstay_ops::budgets::BudgetStanding| {
        json!({
            "object": "budget",
            "name": budget.name,
            "holder": budget.holder,
            "limit_nano_usd": budget.limit.as_nanos(),
            "spent_nano_usd": budget.spent.as_nanos(),
            "reserved_nano_usd": budget.reserved.as_nanos(),
        })
    };
    let data: Vec<Value> = app.budgets.standings().into_iter().map(describe).collect();
    Ok(Json(json!({ "object": "list", "data": data })))
}

/// `POST /admin/index/rebuild`
pub(crate) async fn rebuild_index(
    State(app): State<Arc<App>>,
    request: Request<Body>,
) -> Result<Json<Value>, Failure> {
    let (caller, tag) = administrator(&app, &request)?;
    let body = read_body(&app, request).await.map_err(|error| tag.fail(error))?;
    let wanted: Rebuild = parse_json(&body).map_err(|error| tag.fail(error))?;
    let corpus = corpus_named(wanted.corpus).map_err(|error| tag.fail(error))?;
    let chunks = app.library.rebuild(&caller.tenant, &corpus).await.map_err(|error| tag.fail(error))?;
    Ok(Json(json!({ "object": "index.rebuilt", "corpus": corpus, "chunks": chunks })))
}

/// Who administers, and how its errors are tagged.
pub(crate) fn administrator(app: &App, request: &Request<Body>) -> Result<(Caller, Tag), Failure> {
    let context = context_of(app, request);
    let tag = Tag::of(&context);
    let caller = app.gateway.caller(&context, Scope::Admin).map_err(|error| tag.fail(error))?;
    Ok((caller, tag))
}
