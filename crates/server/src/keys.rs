//! `/admin/keys`: the API keys of a tenant.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use http::{Request, StatusCode};
use mainstay_domain::{KeyId, Permission, RoleName, TenantId, TierName, UserId};
use mainstay_security::ring::NewKey as NewKeyText;
use mainstay_security::{KeyOrder, KeyRingError, KeySummary};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::App;
use crate::context::read_body;
use crate::error::{Failure, HttpError, parse_json};
use crate::extract::{FoundPath, path_text};
use crate::guard::Visit;
use crate::json::Json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    name: String,
    role: RoleName,
    /// The permissions that it is narrowed to.
    only: Option<Vec<Permission>>,
    /// Whose it is.
    user: Option<UserId>,
    tier: Option<TierName>,
    expires_in_days: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotation {
    overlap_hours: Option<u32>,
}

/// Longest name of anything that somebody chooses here, in bytes.
const LONGEST_NAME: usize = 256;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// `POST /admin/keys`
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    visit: Visit,
    request: Request<Body>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let Visit { context, tenant, tag } = &visit;
    let body = read_body(&app, request).await.map_err(|error| tag.fail(error))?;
    let wanted: NewKey = parse_json(&body).map_err(|error| tag.fail(error))?;
    check_tier(&app, wanted.tier.as_ref()).map_err(|error| tag.fail(error))?;
    check_lengths(&wanted).map_err(|error| tag.fail(error))?;
    check_role(&app, &wanted.role).map_err(|error| tag.fail(error))?;
    if let Some(tier) = &wanted.tier
        && !context.caller.tenant.is_operator()
        && app.tenants.find(tenant).is_none_or(|tenant| tenant.settings.tier.as_ref() != Some(tier))
    {
        // How a tenant is served is what it has agreed on with the operator.
        let message =
            "the tier of a key is the tenant's; whoever operates this Mainstay can set another".to_owned();
        return Err(tag.fail(HttpError::Invalid { message, param: Some("tier".to_owned()) }));
    }
    app.tenants.expect(tenant).map_err(|error| tag.fail(error))?;
    // Nobody makes a key that opens more than what they may do themselves.
    app.access
        .may_grant(&context.caller, tenant, &wanted.role, wanted.only.as_deref())
        .map_err(|error| tag.fail(error))?;
    let granted = json!({
        "role": wanted.role, "only": wanted.only, "tier": wanted.tier, "expires_in_days": wanted.expires_in_days,
    });
    let order = KeyOrder {
        tenant: tenant.clone(),
        name: wanted.name,
        role: wanted.role,
        only: wanted.only,
        owner: wanted.user,
        tier: wanted.tier,
        valid_for: wanted.expires_in_days.map(|days| DAY * days),
    };
    let key = app.keys.create(order).await.map_err(|error| tag.fail(error))?;
    hand_out(&app, &visit, "keys.create", key, Value::Null, granted).await
}

/// Answers with a key that was made, once that is recorded. Nobody gets one of which there is no record.
pub(crate) async fn hand_out(
    app: &App,
    visit: &Visit,
    action: &'static str,
    key: NewKeyText,
    old: Value,
    new: Value,
) -> Result<(StatusCode, Json<Value>), Failure> {
    if let Err(error) = visit.changed(app, action, ("key", key.id.as_str()), old, new).await {
        app.keys.revoke(&visit.tenant, &key.id).await.map_err(|error| visit.tag.fail(error))?;
        return Err(visit.tag.fail(error));
    }
    Ok((
        StatusCode::CREATED,
        Json(json!({ "object": "api_key", "id": key.id, "api_key": key.text.expose() })),
    ))
}

/// `GET /admin/keys`
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Visit { tenant, tag, .. }: Visit,
) -> Result<Json<Value>, Failure> {
    let keys = app.keys.list(&tenant).await.map_err(|error| tag.fail(error))?;
    let now = app.clock.now();
    let data: Vec<Value> = keys.iter().map(|key| describe(key, key.state(now))).collect();
    Ok(Json(json!({ "object": "list", "data": data })))
}

/// Refuses what would fill the disk or the audit trail: names are names, and there are so many permissions.
fn check_lengths(wanted: &NewKey) -> Result<(), HttpError> {
    let texts = [
        ("name", wanted.name.len()),
        ("role", wanted.role.as_str().len()),
        ("user", wanted.user.as_ref().map_or(0, |user| user.as_str().len())),
    ];
    let long = texts.into_iter().find(|(_, length)| *length > LONGEST_NAME).map(|(param, _)| param);
    let many = wanted.only.as_ref().is_some_and(|only| only.len() > Permission::ALL.len());
    let Some(param) = long.or(many.then_some("only")) else { return Ok(()) };
    let message = format!(
        "{param} is too long; names have at most {LONGEST_NAME} bytes, and each permission is named once"
    );
    Err(HttpError::Invalid { message, param: Some(param.to_owned()) })
}

/// A role that no policy names opens nothing, which nobody would notice.
pub(crate) fn check_role(app: &App, role: &RoleName) -> Result<(), HttpError> {
    let known = app.access.policies.roles();
    if known.contains(role) {
        return Ok(());
    }
    let known: Vec<&str> = known.iter().map(RoleName::as_str).collect();
    Err(HttpError::Invalid {
        message: format!("no policy names the role {role:?}; there are: {}", known.join(", ")),
        param: Some("role".to_owned()),
    })
}

/// A tier that the configuration does not have would be served as the last one, without anybody knowing.
pub(crate) fn check_tier(app: &App, tier: Option<&TierName>) -> Result<(), HttpError> {
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
        "role": key.role,
        "only": key.only,
        "user": key.owner,
        "tier": key.tier,
        "state": state,
        "created_at": key.created_at.as_seconds(),
        "expires_at": key.expires_at.map(|at| at.as_seconds()),
    })
}

/// `POST /admin/keys/{id}/rotate`
pub(crate) async fn rotate(
    State(app): State<Arc<App>>,
    visit: Visit,
    id: FoundPath,
    request: Request<Body>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let Visit { context, tenant, tag } = &visit;
    let id = KeyId::from(path_text(id).map_err(|error| tag.fail(error))?);
    let body = read_body(&app, request).await.map_err(|error| tag.fail(error))?;
    let wanted: Rotation = parse_json(&body).map_err(|error| tag.fail(error))?;
    let overlap = HOUR * wanted.overlap_hours.unwrap_or(24);
    let old = find(&app, tenant, &id).await.map_err(|error| tag.fail(error))?;
    // The successor opens what the old key does: whoever is handed it must be one who may make such a key.
    app.access
        .may_grant(&context.caller, tenant, &old.role, old.only.as_deref())
        .map_err(|error| tag.fail(error))?;
    let key = app.keys.rotate(tenant, &id, overlap).await.map_err(|error| tag.fail(error))?;
    let new = json!({ "id": key.id, "overlap_seconds": overlap.as_secs() });
    hand_out(&app, &visit, "keys.rotate", key, json!({ "id": id }), new).await
}

async fn find(app: &App, tenant: &TenantId, id: &KeyId) -> Result<KeySummary, KeyRingError> {
    let keys = app.keys.list(tenant).await?;
    keys.into_iter().find(|key| key.id == *id).ok_or_else(|| KeyRingError::Unknown(id.clone()))
}

/// `DELETE /admin/keys/{id}`
pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    visit: Visit,
    id: FoundPath,
) -> Result<Json<Value>, Failure> {
    let Visit { tenant, tag, .. } = &visit;
    let id = KeyId::from(path_text(id).map_err(|error| tag.fail(error))?);
    let found = app.keys.revoke(tenant, &id).await.map_err(|error| tag.fail(error))?;
    if !found {
        return Err(tag.fail(KeyRingError::Unknown(id)));
    }
    let (old, new) = (json!({ "revoked": false }), json!({ "revoked": true }));
    visit
        .changed(&app, "keys.revoke", ("key", id.as_str()), old, new)
        .await
        .map_err(|error| tag.fail(error))?;
    Ok(Json(json!({ "object": "api_key.revoked", "id": id })))
}
