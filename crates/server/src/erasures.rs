//! `/admin/erasures` and `/admin/holds`: people, documents and tenants that are to be forgotten, and what must not be.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use http::{Request, StatusCode};
use mainstay_domain::id::ordered_id;
use mainstay_domain::{DocumentId, TenantId, UserId};
use mainstay_erasure::Subject;
use mainstay_store::{ErasureJob, LegalHold};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use crate::App;
use crate::context::read_body;
use crate::error::{Failure, HttpError, parse_json};
use crate::extract::{FoundPath, corpus_named, path_text};
use crate::guard::Visit;
use crate::json::Json;

/// What is meant: one of the three.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    user: Option<UserId>,
    document: Option<DocumentId>,
    corpus: Option<String>,
    /// The id of the tenant, written out: so that nobody erases one by mistake.
    tenant: Option<TenantId>,
    /// Of a hold: why.
    reason: Option<String>,
}

/// Erasures that a list shows.
const LISTED: u32 = 1_000;

/// `POST /admin/erasures`: takes an erasure, and answers before it is done.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    visit: Visit,
    request: Request<Body>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let Visit { context, tenant, tag } = &visit;
    let body = read_body(&app, request).await.map_err(|error| tag.fail(error))?;
    let wanted: Wanted = parse_json(&body).map_err(|error| tag.fail(error))?;
    let subject = subject_of(&wanted, tenant).map_err(|error| tag.fail(error))?;
    if matches!(subject, Subject::Tenant) && !context.caller.tenant.is_operator() {
        let message = "a tenant is erased by who operates this Mainstay; ask them".to_owned();
        return Err(tag.fail(HttpError::Invalid { message, param: Some("tenant".to_owned()) }));
    }
    let (job, salt) = app
        .eraser
        .request(&context.caller, &context.request, tenant, subject)
        .await
        .map_err(|error| tag.fail(error))?;
    let (eraser, id) = (app.eraser.clone(), job.id.clone());
    TaskTracker::new().spawn(async move {
        if let Err(error) = eraser.resume(Some(&id)).await {
            tracing::error!(%error, "an erasure is not finished");
        }
    });
    let mut described = describe(&app, &job);
    described["salt"] = json!(salt);
    Ok((StatusCode::ACCEPTED, Json(described)))
}

/// `GET /admin/erasures`
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Visit { tenant, tag, .. }: Visit,
) -> Result<Json<Value>, Failure> {
    let jobs = app.eraser.databases().of_tenant(&tenant, LISTED).await;
    let jobs = jobs.map_err(|error| tag.fail(HttpError::Storage(error.to_string())))?;
    let data: Vec<Value> = jobs.iter().map(|job| describe(&app, job)).collect();
    Ok(Json(json!({ "object": "list", "data": data })))
}

/// `POST /admin/holds`
pub(crate) async fn hold(
    State(app): State<Arc<App>>,
    visit: Visit,
    request: Request<Body>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let Visit { context, tenant, tag } = &visit;
    let body = read_body(&app, request).await.map_err(|error| tag.fail(error))?;
    let wanted: Wanted = parse_json(&body).map_err(|error| tag.fail(error))?;
    let subject = subject_of(&wanted, tenant).map_err(|error| tag.fail(error))?;
    let reason = wanted.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    let Some(reason) = reason else {
        let message = "a hold needs a reason: say {\"reason\": \"…\"}".to_owned();
        return Err(tag.fail(HttpError::Invalid { message, param: Some("reason".to_owned()) }));
    };
    let hold = LegalHold {
        id: ordered_id("hold_", &app.clock),
        tenant: tenant.clone(),
        subject: serde_json::to_value(&subject).expect("a subject serialises to JSON"),
        reason: reason.to_owned(),
        placed_by: format!("{}/{}", context.caller.tenant, context.caller.key),
        placed_at: app.clock.now(),
    };
    let placed = app.eraser.databases().hold(&hold).await;
    placed.map_err(|error| tag.fail(HttpError::Storage(error.to_string())))?;
    record(&app, &visit, "erasure.hold", &hold.id).await?;
    Ok((StatusCode::CREATED, Json(describe_hold(&hold))))
}

/// `GET /admin/holds`
pub(crate) async fn holds(
    State(app): State<Arc<App>>,
    Visit { tenant, tag, .. }: Visit,
) -> Result<Json<Value>, Failure> {
    let holds = app.eraser.databases().holds(&tenant).await;
    let holds = holds.map_err(|error| tag.fail(HttpError::Storage(error.to_string())))?;
    let data: Vec<Value> = holds.iter().map(describe_hold).collect();
    Ok(Json(json!({ "object": "list", "data": data })))
}

/// `DELETE /admin/holds/{id}`
pub(crate) async fn lift(
    State(app): State<Arc<App>>,
    visit: Visit,
    id: FoundPath,
) -> Result<Json<Value>, Failure> {
    let Visit { tenant, tag, .. } = &visit;
    let id = path_text(id).map_err(|error| tag.fail(error))?;
    let holds = app.eraser.databases().holds(tenant).await;
    let holds = holds.map_err(|error| tag.fail(HttpError::Storage(error.to_string())))?;
    let operators = format!("{}/", TenantId::single());
    let is_operators = holds.iter().any(|hold| hold.id == id && hold.placed_by.starts_with(&operators));
    if is_operators && !visit.context.caller.tenant.is_operator() {
        let message = "this hold was placed by who operates this Mainstay, who alone can lift it".to_owned();
        return Err(tag.fail(HttpError::Invalid { message, param: None }));
    }
    let lifted = app.eraser.databases().lift(tenant, &id).await;
    if !lifted.map_err(|error| tag.fail(HttpError::Storage(error.to_string())))? {
        return Err(tag.fail(HttpError::NoSuchHold { id }));
    }
    record(&app, &visit, "erasure.lift", &id).await?;
    Ok(Json(json!({ "object": "hold.lifted", "id": id })))
}

async fn record(app: &App, visit: &Visit, action: &'static str, id: &str) -> Result<(), Failure> {
    let Visit { context, tenant, tag } = visit;
    let recorded = app.eraser.record(&context.caller, &context.request, tenant, action, id).await;
    recorded.map_err(|error| tag.fail(error))
}

fn subject_of(wanted: &Wanted, tenant: &TenantId) -> Result<Subject, HttpError> {
    let invalid = |message: &str, param: Option<&str>| HttpError::Invalid {
        message: message.to_owned(),
        param: param.map(str::to_owned),
    };
    match (&wanted.user, &wanted.document, &wanted.tenant) {
        (Some(user), None, None) if !user.as_str().is_empty() => Ok(Subject::User { user: user.clone() }),
        (None, Some(document), None) => {
            let corpus = corpus_named(wanted.corpus.clone())?;
            Ok(Subject::Document { corpus, document: document.clone() })
        }
        (None, None, Some(named)) if named == tenant => Ok(Subject::Tenant),
        (None, None, Some(_)) => Err(invalid(
            "the tenant that is named is not the one that the request is about; name it in the header x-mainstay-tenant, too",
            Some("tenant"),
        )),
        _ => Err(invalid(
            "say what is meant by one of {\"user\": …}, {\"document\": …, \"corpus\": …}, {\"tenant\": …}",
            None,
        )),
    }
}

fn describe(app: &App, job: &ErasureJob) -> Value {
    json!({
        "object": "erasure",
        "id": job.id,
        "tenant": job.tenant,
        "subject": job.subject,
        "state": if job.finished_at.is_some() { "finished" } else { "running" },
        "requested_at": job.requested_at.as_seconds(),
        "finished_at": job.finished_at.map(|at| at.as_seconds()),
        "failure": app.eraser.failure_of(&job.id),
        "stores": job.steps,
        "certificate": job.certificate,
    })
}

fn describe_hold(hold: &LegalHold) -> Value {
    json!({
        "object": "hold",
        "id": hold.id,
        "tenant": hold.tenant,
        "subject": hold.subject,
        "reason": hold.reason,
        "placed_at": hold.placed_at.as_seconds(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_is_said_in_one_way() {
        let acme = TenantId::new("acme");
        let subject = |body: Value| subject_of(&serde_json::from_value(body).unwrap(), &acme);
        assert_eq!(subject(json!({ "user": "jane" })).unwrap(), Subject::User { user: "jane".into() });
        let document = Subject::Document { corpus: "default".into(), document: "a".into() };
        assert_eq!(subject(json!({ "document": "a" })).unwrap(), document);
        assert_eq!(subject(json!({ "tenant": "acme" })).unwrap(), Subject::Tenant);
        for wrong in [
            json!({}),
            json!({ "user": "" }),
            json!({ "user": "a", "tenant": "acme" }),
            json!({ "tenant": "zoo" }),
        ] {
            assert!(subject(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
