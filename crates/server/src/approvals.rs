//! `/admin/approvals`: changes that need a second person. Whoever asks for one is told its id; when somebody else has agreed,
//! the same request with that id in a header is done, once, and nothing else is.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use http::Request;
use mainstay_audit::{Category, Outcome};
use mainstay_domain::id::ordered_id;
use mainstay_domain::identity::Via;
use mainstay_domain::{Caller, Permission, Timestamp};
use mainstay_store::approvals::Decision;
use mainstay_store::{Approval, Asked};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::App;
use crate::context::read_body;
use crate::error::{Failure, HttpError};
use crate::extract::{FoundPath, path_text};
use crate::guard::Visit;
use crate::json::Json;

/// The header with the id of an approval.
const APPROVAL: &str = "x-mainstay-approval";

/// How long an approval may be used.
const GOOD_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Characters of a request's body that are shown.
const LONGEST_SHOWN: usize = 4_000;

/// Approvals that a list shows.
const LISTED: u32 = 1_000;

/// Uses an approval up, where the request names one that fits it; else takes down that somebody wants this, and refuses.
pub(crate) async fn spend(
    app: &App,
    visit: &Visit,
    permission: Permission,
    request: Request<Body>,
) -> Result<Request<Body>, HttpError> {
    let (parts, body) = request.into_parts();
    let named = parts.headers.get(APPROVAL).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let head = Request::from_parts(parts.clone(), body);
    let body = read_body(app, head).await?;
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let digest: [u8; 32] = Sha256::new()
        .chain_update(permission.as_str())
        .chain_update([0])
        .chain_update(visit.tenant.as_str())
        .chain_update([0])
        .chain_update(parts.method.as_str())
        .chain_update([0])
        .chain_update(target)
        .chain_update([0])
        .chain_update(&body)
        .finalize()
        .into();
    let now = app.clock.now();
    // Who people are is for the identity provider to say: a key may be made in anybody's name.
    if visit.context.caller.via != Via::Token {
        return Err(HttpError::ApprovalUnfit {
            id: named.unwrap_or_default(),
            reason: "what takes two people is asked for with a token of an identity provider, not with a key",
        });
    }
    let Some(id) = named else {
        let approval = Approval {
            id: ordered_id("apr_", &app.clock),
            tenant: visit.tenant.clone(),
            permission,
            digest,
            summary: summary_of(parts.method.as_str(), target, &body),
            asked_by: person(&visit.context.caller),
            asked_at: now,
            expires_at: later(now, GOOD_FOR),
            decision: None,
            used_at: None,
        };
        let asked = app.approvals.ask(&approval).await;
        return Err(match asked.map_err(|error| HttpError::Storage(error.to_string()))? {
            Asked::Waits(id) => HttpError::ApprovalRequired { id },
            Asked::TooMany => HttpError::TooManyApprovals,
        });
    };
    let found = app.approvals.find(&visit.tenant, &id).await;
    let approval = found
        .map_err(|error| HttpError::Storage(error.to_string()))?
        .ok_or_else(|| HttpError::NoSuchApproval { id: id.clone() })?;
    let unfit = |reason: &'static str| HttpError::ApprovalUnfit { id: id.clone(), reason };
    if approval.digest != digest {
        return Err(unfit("it is for another request; ask anew without the header"));
    }
    match &approval.decision {
        None => return Err(unfit("nobody else has decided on it yet")),
        Some(decision) if !decision.approved => return Err(unfit("it was refused")),
        Some(_) => {}
    }
    let spent = app.approvals.spend(&visit.tenant, &id, now).await;
    if !spent.map_err(|error| HttpError::Storage(error.to_string()))? {
        return Err(unfit("it has been used or is over; ask anew without the header"));
    }
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// Who somebody is, for telling two people apart: the person, where the credential says who that is.
fn person(caller: &Caller) -> String {
    match &caller.user {
        Some(user) => format!("user:{}/{user}", caller.tenant),
        None => format!("key:{}", caller.key),
    }
}

/// What is to be done, as whoever decides sees it.
fn summary_of(method: &str, target: &str, body: &[u8]) -> String {
    let body: String = String::from_utf8_lossy(body).chars().take(LONGEST_SHOWN).collect();
    format!("{method} {target} {body}").trim_end().to_owned()
}

fn later(moment: Timestamp, duration: Duration) -> Timestamp {
    let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(moment.as_micros().saturating_add(micros))
}

/// `GET /admin/approvals`
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Visit { tenant, tag, .. }: Visit,
) -> Result<Json<Value>, Failure> {
    let approvals = app.approvals.list(&tenant, LISTED).await;
    let approvals = approvals.map_err(|error| tag.fail(HttpError::Storage(error.to_string())))?;
    let now = app.clock.now();
    let data: Vec<Value> = approvals.iter().map(|approval| describe(approval, now)).collect();
    Ok(Json(json!({ "object": "list", "data": data })))
}

/// `POST /admin/approvals/{id}/approve`
pub(crate) async fn approve(
    State(app): State<Arc<App>>,
    visit: Visit,
    id: FoundPath,
) -> Result<Json<Value>, Failure> {
    decide(&app, &visit, id, true).await
}

/// `POST /admin/approvals/{id}/refuse`
pub(crate) async fn refuse(
    State(app): State<Arc<App>>,
    visit: Visit,
    id: FoundPath,
) -> Result<Json<Value>, Failure> {
    decide(&app, &visit, id, false).await
}

async fn decide(app: &App, visit: &Visit, id: FoundPath, approved: bool) -> Result<Json<Value>, Failure> {
    let Visit { context, tenant, tag } = visit;
    let storage = |error: mainstay_store::StorageError| tag.fail(HttpError::Storage(error.to_string()));
    let id = path_text(id).map_err(|error| tag.fail(error))?;
    let unfit = |reason: &'static str| tag.fail(HttpError::ApprovalUnfit { id: id.clone(), reason });
    let missing = || tag.fail(HttpError::NoSuchApproval { id: id.clone() });
    let approval = app.approvals.find(tenant, &id).await.map_err(storage)?.ok_or_else(missing)?;
    // One person with a token and a key is one person: who decides has to be known by the identity provider, and to be somebody
    // else.
    if context.caller.via != Via::Token {
        return Err(unfit("whoever decides shows a token of an identity provider, not a key"));
    }
    let by = person(&context.caller);
    if by == approval.asked_by {
        return Err(unfit("whoever asked for a change cannot approve it themselves"));
    }
    let decision = Decision { by, at: app.clock.now(), approved };
    if !app.approvals.decide(tenant, &id, &decision).await.map_err(storage)? {
        return Err(unfit("somebody has decided on it already"));
    }
    let action = if approved { "approvals.approve" } else { "approvals.refuse" };
    let mut record =
        visit.record(app, Category::ConfigurationChange, action).with_resource("approval", id.as_str());
    record.outcome = Outcome::Succeeded;
    let record = record.with_detail("permission", approval.permission.as_str());
    app.trail.write_durably(record).await.map_err(|error| tag.fail(error))?;
    Ok(Json(describe(&Approval { decision: Some(decision), ..approval }, app.clock.now())))
}

/// An approval without who took part in it: the audit trail says that, by pseudonym.
fn describe(approval: &Approval, now: Timestamp) -> Value {
    let state = match (&approval.decision, approval.used_at) {
        (_, Some(_)) => "used",
        (Some(decision), None) if !decision.approved => "refused",
        (_, None) if approval.expires_at <= now => "over",
        (Some(_), None) => "approved",
        (None, None) => "waiting",
    };
    json!({
        "object": "approval",
        "id": approval.id,
        "permission": approval.permission,
        "summary": approval.summary,
        "state": state,
        "asked_at": approval.asked_at.as_seconds(),
        "expires_at": approval.expires_at.as_seconds(),
    })
}
