//! `/admin/audit`: reading, verifying and resolving what the audit trail holds.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use http::Request;
use mainstay_audit::{Anchor, AuditLog, Category, Filter, Hash, Pseudonym, Report, VerifyOptions};
use mainstay_domain::{TenantId, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::App;
use crate::context::read_body;
use crate::error::{Failure, HttpError, parse_json};
use crate::extract::{limit_of, query_of};
use crate::guard::Visit;
use crate::json::Json;

/// What the address says of a list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Seconds since 1970.
    from: Option<i64>,
    until: Option<i64>,
    category: Option<Category>,
    subject: Option<Pseudonym>,
    after: Option<u64>,
    limit: Option<usize>,
    /// Records of all tenants: for the operator.
    #[serde(default)]
    everyone: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct VerifyJson {
    /// Records that were remembered elsewhere.
    anchors: Vec<Anchor>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResolveJson {
    pseudonym: Pseudonym,
}

/// Most records of one page of a list.
const LONGEST_PAGE: usize = 10_000;

/// `GET /admin/audit`: records in their order, `limit` at a time, behind the number `after`, as they stand in the log.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    visit: Visit,
    request: Request<Body>,
) -> Result<Json<Value>, Failure> {
    let Visit { tenant, tag, .. } = &visit;
    let query: ListQuery = query_of(request.uri()).map_err(|error| tag.fail(error))?;
    let limit = limit_of(query.limit, 100, LONGEST_PAGE).map_err(|error| tag.fail(error))?;
    let filter = filter_of(&query, tenant).map_err(|error| tag.fail(error))?;
    let log = log_of(&app).map_err(|error| tag.fail(error))?;
    let reading = move || read(&log, filter, limit);
    let read = tokio::task::spawn_blocking(reading).await.expect("reading the log does not panic");
    let (data, has_more) = read.map_err(|error| tag.fail(error))?;
    let what = json!({ "records": data.len(), "everyone": query.everyone });
    visit.accessed(&app, "audit.read", "audit", what).map_err(|error| tag.fail(error))?;
    Ok(Json(json!({ "object": "list", "data": data, "has_more": has_more })))
}

fn filter_of(query: &ListQuery, tenant: &TenantId) -> Result<Filter, HttpError> {
    if query.everyone && !tenant.is_operator() {
        return Err(HttpError::Invalid {
            message: "everyone=true is for who operates this Mainstay; leave it out for your own records"
                .to_owned(),
            param: Some("everyone".to_owned()),
        });
    }
    let moment = |seconds: i64| Timestamp::from_micros(seconds.saturating_mul(1_000_000));
    Ok(Filter {
        from: query.from.map(moment),
        until: query.until.map(moment),
        after_seq: query.after,
        categories: query.category.into_iter().collect(),
        tenant: (!query.everyone).then(|| tenant.clone()),
        subject: query.subject.clone(),
    })
}

/// So many records, and whether there are more.
fn read(log: &AuditLog, filter: Filter, limit: usize) -> Result<(Vec<Box<RawValue>>, bool), HttpError> {
    let unreadable = |error: &dyn std::fmt::Display| HttpError::AuditLog(error.to_string());
    let mut records = Vec::new();
    for entry in log.entries(filter).map_err(|error| unreadable(&error))? {
        let entry = entry.map_err(|error| unreadable(&error))?;
        if records.len() == limit {
            return Ok((records, true));
        }
        records.push(RawValue::from_string(entry.json().to_owned()).map_err(|error| unreadable(&error))?);
    }
    Ok((records, false))
}

/// `GET /admin/audit/head`: where the chain stands, signed, to be kept somewhere else; and the key to verify it by.
pub(crate) async fn head(
    State(app): State<Arc<App>>,
    Visit { tag, .. }: Visit,
) -> Result<Json<Value>, Failure> {
    let log = log_of(&app).map_err(|error| tag.fail(error))?;
    let signing = move || log.checkpoint();
    let signed = tokio::task::spawn_blocking(signing).await.expect("signing does not panic");
    let head = signed.map_err(|error| tag.fail(HttpError::AuditLog(error.to_string())))?;
    Ok(Json(json!({ "object": "audit.head", "head": head })))
}

/// `POST /admin/audit/key`: makes a new signing key, which the old one vouches for in the chain itself.
pub(crate) async fn rotate_key(State(app): State<Arc<App>>, visit: Visit) -> Result<Json<Value>, Failure> {
    let tag = &visit.tag;
    let log = log_of(&app).map_err(|error| tag.fail(error))?;
    let old = log.public_key();
    let rotating = move || log.rotate_key();
    let rotated = tokio::task::spawn_blocking(rotating).await.expect("rotating does not panic");
    let key = rotated.map_err(|error| tag.fail(HttpError::AuditLog(error.to_string())))?;
    visit
        .changed(&app, "audit.rotate_key", ("key", "audit"), json!(old), json!(key))
        .await
        .map_err(|error| tag.fail(error))?;
    Ok(Json(json!({ "object": "audit.key", "key": key, "former_key": old })))
}

/// `POST /admin/audit/verify`: whether the chain is whole, and what is wrong with it if not.
pub(crate) async fn verify(
    State(app): State<Arc<App>>,
    visit: Visit,
    request: Request<Body>,
) -> Result<Json<Value>, Failure> {
    let tag = &visit.tag;
    let body = read_body(&app, request).await.map_err(|error| tag.fail(error))?;
    let wanted: VerifyJson = parse_json(&body).map_err(|error| tag.fail(error))?;
    let log = log_of(&app).map_err(|error| tag.fail(error))?;
    let kept = app.anchors.all().await.map_err(|error| tag.fail(HttpError::AuditLog(error.to_string())))?;
    let kept = kept.into_iter().map(|(seq, hash)| Anchor { seq, hash: Hash::from_bytes(hash) });
    let options = VerifyOptions { anchors: kept.chain(wanted.anchors).collect(), ..VerifyOptions::default() };
    let verifying = move || verify_now(&log, &options);
    let verified = tokio::task::spawn_blocking(verifying).await.expect("verifying does not panic");
    let report = verified.map_err(|error| tag.fail(error))?;
    let what = json!({ "sound": report.is_sound(), "faults": report.faults.len() });
    visit.accessed(&app, "audit.verify", "audit", what).map_err(|error| tag.fail(error))?;
    Ok(Json(json!({ "object": "audit.report", "sound": report.is_sound(), "report": report })))
}

fn verify_now(log: &AuditLog, options: &VerifyOptions) -> Result<Report, HttpError> {
    let key = log.public_key().ok_or_else(|| HttpError::AuditLog("it has no key".to_owned()))?;
    log.verify(&key, options).map_err(|error| HttpError::AuditLog(error.to_string()))
}

/// `POST /admin/audit/resolve`: whom a pseudonym stands for, as long as they were not erased.
pub(crate) async fn resolve(
    State(app): State<Arc<App>>,
    visit: Visit,
    request: Request<Body>,
) -> Result<Json<Value>, Failure> {
    let tag = &visit.tag;
    let body = read_body(&app, request).await.map_err(|error| tag.fail(error))?;
    let wanted: ResolveJson = parse_json(&body).map_err(|error| tag.fail(error))?;
    let pseudonyms = app.trail.pseudonyms().ok_or_else(|| tag.fail(off()))?.clone();
    let pseudonym = wanted.pseudonym.clone();
    let resolving = move || pseudonyms.resolve(&pseudonym);
    let resolved = tokio::task::spawn_blocking(resolving).await.expect("resolving does not panic");
    let person = resolved.map_err(|error| tag.fail(HttpError::AuditLog(error.to_string())))?;
    // Of another tenant's people only the operator learns, and who looked is on record before anything is told.
    let person = person.filter(|person| visit.tenant.is_operator() || person.tenant == visit.tenant);
    let what = json!({ "pseudonym": wanted.pseudonym, "known": person.is_some() });
    visit.accessed(&app, "audit.resolve", "person", what).map_err(|error| tag.fail(error))?;
    Ok(Json(match person {
        Some(person) => json!({
            "object": "audit.person",
            "tenant": person.tenant,
            "user": person.user,
            "since": person.since.as_seconds(),
        }),
        None => json!({ "object": "audit.person", "tenant": null, "user": null, "since": null }),
    }))
}

fn log_of(app: &App) -> Result<Arc<AuditLog>, HttpError> {
    app.trail.log().cloned().ok_or_else(off)
}

fn off() -> HttpError {
    HttpError::AuditLog("audit.enabled of mainstay.toml is false".to_owned())
}
