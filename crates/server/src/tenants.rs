//! `/admin/tenants`: who owns data here.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use http::{Request, StatusCode};
use mainstay_domain::{RegionName, RoleName, TenantId, TierName};
use mainstay_security::tenants::{Audience, TenantRecord, TenantSettings, TenantState};
use mainstay_security::{KeyOrder, TenantChange, TenantOrder, TenantsError};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::App;
use crate::context::read_body;
use crate::error::{Failure, HttpError, parse_json};
use crate::extract::{FoundPath, path_text};
use crate::guard::Visit;
use crate::json::Json;
use crate::keys::{check_role, check_tier, hand_out};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTenant {
    id: TenantId,
    name: String,
    audience: Option<Audience>,
    tier: Option<TierName>,
    region: Option<RegionName>,
    models: Option<Vec<String>>,
    keep_documents_days: Option<u32>,
    keep_content: Option<bool>,
    weight: Option<u32>,
    requests_per_minute: Option<u32>,
    tokens_per_minute: Option<u32>,
}

/// What is to be different; what is absent stays, and `null` takes away.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    name: Option<String>,
    audience: Option<Audience>,
    state: Option<Wanted>,
    #[serde(default, deserialize_with = "said")]
    tier: Option<Option<TierName>>,
    #[serde(default, deserialize_with = "said")]
    region: Option<Option<RegionName>>,
    #[serde(default, deserialize_with = "said")]
    models: Option<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "said")]
    keep_documents_days: Option<Option<u32>>,
    #[serde(default, deserialize_with = "said")]
    keep_content: Option<Option<bool>>,
    #[serde(default, deserialize_with = "said")]
    weight: Option<Option<u32>>,
    #[serde(default, deserialize_with = "said")]
    requests_per_minute: Option<Option<u32>>,
    #[serde(default, deserialize_with = "said")]
    tokens_per_minute: Option<Option<u32>>,
}

/// The states that an administrator may wish for. Deleting is erasing, which has its own route.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wanted {
    Active,
    Suspended,
}

fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// `POST /admin/tenants`: the tenant, and the key with which its first administrator makes the others.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    visit: Visit,
    request: Request<Body>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let tag = &visit.tag;
    let body = read_body(&app, request).await.map_err(|error| tag.fail(error))?;
    let wanted: NewTenant = parse_json(&body).map_err(|error| tag.fail(error))?;
    let settings = TenantSettings {
        tier: wanted.tier,
        region: wanted.region,
        models: wanted.models,
        keep_documents_days: wanted.keep_documents_days,
        keep_content: wanted.keep_content,
        weight: wanted.weight,
        requests_per_minute: wanted.requests_per_minute,
        tokens_per_minute: wanted.tokens_per_minute,
    };
    check(&app, &wanted.id, &settings).map_err(|error| tag.fail(error))?;
    let audience = wanted.audience.unwrap_or(Audience::Enterprise);
    let order = TenantOrder { id: wanted.id, name: wanted.name, audience, settings };
    let tenant = app.tenants.create(order).await.map_err(|error| tag.fail(error))?;
    record(&app, &visit, "tenants.create", &tenant.id, Value::Null, known(&tenant)).await?;
    let first = KeyOrder {
        tenant: tenant.id.clone(),
        name: "first key".to_owned(),
        role: RoleName::new("customer_admin"),
        only: None,
        owner: None,
        tier: None,
        valid_for: None,
    };
    let key = app.keys.create(first).await.map_err(|error| tag.fail(error))?;
    let mut described = describe(&tenant);
    described["api_key"] = json!(key.text.expose());
    Ok((StatusCode::CREATED, Json(described)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    name: String,
    role: RoleName,
}

/// `POST /admin/tenants/{id}/keys`: a key of a tenant, made by the operator: for one that has lost its last, or that is to have
/// an auditor.
pub(crate) async fn make_key(
    State(app): State<Arc<App>>,
    visit: Visit,
    id: FoundPath,
    request: Request<Body>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let tag = &visit.tag;
    let id = TenantId::from(path_text(id).map_err(|error| tag.fail(error))?);
    let body = read_body(&app, request).await.map_err(|error| tag.fail(error))?;
    let wanted: NewKey = parse_json(&body).map_err(|error| tag.fail(error))?;
    check_role(&app, &wanted.role).map_err(|error| tag.fail(error))?;
    app.tenants.expect(&id).map_err(|error| tag.fail(error))?;
    // Not a way to what belongs to the tenant: one who administers it again, or one who audits it.
    if !matches!(wanted.role.as_str(), "customer_admin" | "auditor") {
        return Err(tag.fail(HttpError::Invalid {
            message: "the operator makes keys of customer_admin and auditor; the tenant's administrator makes the others".to_owned(),
            param: Some("role".to_owned()),
        }));
    }
    if id.is_operator() {
        // Its own keys are made where nobody gives away more than they have.
        return Err(tag.fail(HttpError::Invalid {
            message: "keys of the operator itself are made by POST /admin/keys".to_owned(),
            param: None,
        }));
    }
    let granted = json!({ "role": wanted.role });
    let order = KeyOrder {
        tenant: id.clone(),
        name: wanted.name,
        role: wanted.role,
        only: None,
        owner: None,
        tier: None,
        valid_for: None,
    };
    let key = app.keys.create(order).await.map_err(|error| tag.fail(error))?;
    let of_tenant = Visit { tenant: id, ..visit };
    hand_out(&app, &of_tenant, "keys.create", key, Value::Null, granted).await
}

/// `GET /admin/tenants`
pub(crate) async fn list(State(app): State<Arc<App>>) -> Json<Value> {
    let data: Vec<Value> = app.tenants.list().iter().map(|tenant| describe(tenant)).collect();
    Json(json!({ "object": "list", "data": data }))
}

/// `GET /admin/tenants/{id}`
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Visit { tag, .. }: Visit,
    id: FoundPath,
) -> Result<Json<Value>, Failure> {
    let id = TenantId::from(path_text(id).map_err(|error| tag.fail(error))?);
    let tenant = app.tenants.find(&id).ok_or_else(|| tag.fail(TenantsError::Unknown(id)))?;
    Ok(Json(describe(&tenant)))
}

/// `PATCH /admin/tenants/{id}`: holds for the next request, and for running streams within a second.
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    visit: Visit,
    id: FoundPath,
    request: Request<Body>,
) -> Result<Json<Value>, Failure> {
    let tag = &visit.tag;
    let id = TenantId::from(path_text(id).map_err(|error| tag.fail(error))?);
    let body = read_body(&app, request).await.map_err(|error| tag.fail(error))?;
    let wanted: Change = parse_json(&body).map_err(|error| tag.fail(error))?;
    // What is not said stays, whoever else changes something at the same time.
    let said = TenantSettings {
        tier: wanted.tier.clone().flatten(),
        region: wanted.region.clone().flatten(),
        models: wanted.models.clone().flatten(),
        keep_documents_days: wanted.keep_documents_days.flatten(),
        keep_content: wanted.keep_content.flatten(),
        weight: wanted.weight.flatten(),
        requests_per_minute: wanted.requests_per_minute.flatten(),
        tokens_per_minute: wanted.tokens_per_minute.flatten(),
    };
    check(&app, &id, &said).map_err(|error| tag.fail(error))?;
    let state = wanted.state.map(|state| match state {
        Wanted::Active => TenantState::Active,
        Wanted::Suspended => TenantState::Suspended,
    });
    let change = TenantChange {
        name: wanted.name,
        audience: wanted.audience,
        state,
        tier: wanted.tier,
        region: wanted.region,
        models: wanted.models,
        keep_documents_days: wanted.keep_documents_days,
        keep_content: wanted.keep_content,
        weight: wanted.weight,
        requests_per_minute: wanted.requests_per_minute,
        tokens_per_minute: wanted.tokens_per_minute,
    };
    let (before, after) = app.tenants.change(&id, change).await.map_err(|error| tag.fail(error))?;
    record(&app, &visit, "tenants.change", &id, known(&before), known(&after)).await?;
    Ok(Json(describe(&after)))
}

async fn record(
    app: &App,
    visit: &Visit,
    action: &'static str,
    tenant: &TenantId,
    old: Value,
    new: Value,
) -> Result<(), Failure> {
    let recorded = visit.changed(app, action, ("tenant", tenant.as_str()), old, new).await;
    recorded.map_err(|error| visit.tag.fail(error))
}

/// What of a tenant is recorded: all but its name, which may be a person's.
fn known(tenant: &TenantRecord) -> Value {
    json!({ "audience": tenant.audience, "state": tenant.state, "settings": tenant.settings })
}

/// Most models of a tenant's list.
const MOST_MODELS: usize = 200;

/// The most that one tenant weighs beside another: a turn of one of them grants so many times the largest request.
const MOST_WEIGHT: u32 = 100;

/// A region in which nobody serves would lock the tenant out, and the operator for good.
fn check_region(app: &App, id: &TenantId, region: Option<&RegionName>) -> Result<(), HttpError> {
    let Some(region) = region else { return Ok(()) };
    let residency = &app.access.residency;
    let is_here = residency.here.as_ref() == Some(region);
    if is_here || (!id.is_operator() && residency.elsewhere.contains_key(region)) {
        return Ok(());
    }
    let here = residency.here.as_ref().map_or("not said", RegionName::as_str);
    let message = format!(
        "nobody serves the region {region:?} as far as [residency] of mainstay.toml says (this Mainstay's is {here})"
    );
    Err(HttpError::Invalid { message, param: Some("region".to_owned()) })
}

/// Settings that name what is not there would hold nothing, and nobody would notice.
fn check(app: &App, id: &TenantId, settings: &TenantSettings) -> Result<(), HttpError> {
    check_tier(app, settings.tier.as_ref())?;
    check_region(app, id, settings.region.as_ref())?;
    if settings.keep_documents_days == Some(0) {
        let message = "documents that are kept for 0 days could not be searched; leave keep_documents_days out to keep \
                       them for ever"
            .to_owned();
        return Err(HttpError::Invalid { message, param: Some("keep_documents_days".to_owned()) });
    }
    if settings.weight.is_some_and(|weight| !(1..=MOST_WEIGHT).contains(&weight)) {
        let message =
            format!("weight is 1 to {MOST_WEIGHT}: how much a tenant is served beside one of weight 1");
        return Err(HttpError::Invalid { message, param: Some("weight".to_owned()) });
    }
    for (name, limit) in [
        ("requests_per_minute", settings.requests_per_minute),
        ("tokens_per_minute", settings.tokens_per_minute),
    ] {
        if limit == Some(0) {
            let message =
                format!("a tenant with {name} of 0 could ask nothing; suspend it, or leave {name} out");
            return Err(HttpError::Invalid { message, param: Some(name.to_owned()) });
        }
    }
    if settings.models.as_ref().is_some_and(|models| models.len() > MOST_MODELS) {
        let message = format!("models names more than {MOST_MODELS}");
        return Err(HttpError::Invalid { message, param: Some("models".to_owned()) });
    }
    let listed = app.gateway.registry.list();
    let unknown = settings.models.iter().flatten().find(|model| !app.gateway.registry.is_known(model));
    let Some(unknown) = unknown else { return Ok(()) };
    let known: Vec<&str> = listed.iter().map(|listed| listed.id.as_str()).take(20).collect();
    Err(HttpError::Invalid {
        message: format!(
            "models names {unknown:?}, which nothing here is called; there are: {}",
            known.join(", ")
        ),
        param: Some("models".to_owned()),
    })
}

fn describe(tenant: &TenantRecord) -> Value {
    json!({
        "object": "tenant",
        "id": tenant.id,
        "name": tenant.name,
        "audience": tenant.audience,
        "state": tenant.state,
        "tier": tenant.settings.tier,
        "region": tenant.settings.region,
        "models": tenant.settings.models,
        "keep_documents_days": tenant.settings.keep_documents_days,
        "keep_content": tenant.settings.keep_content.unwrap_or(false),
        "weight": tenant.settings.weight,
        "requests_per_minute": tenant.settings.requests_per_minute,
        "tokens_per_minute": tenant.settings.tokens_per_minute,
        "created_at": tenant.created_at.as_seconds(),
        "changed_at": tenant.changed_at.as_seconds(),
    })
}
