//! `/admin/content`: what was said in turns that were kept.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use http::Request;
use mainstay_domain::RequestId;
use mainstay_store::KeptContent;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::App;
use crate::error::{Failure, HttpError};
use crate::extract::{limit_of, query_of};
use crate::guard::Visit;
use crate::json::Json;

/// What the address says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    incident: Option<String>,
    request: Option<String>,
    before: Option<u64>,
    limit: Option<usize>,
}

/// Most turns of one page.
const LONGEST_PAGE: usize = 200;

/// Longest name of an incident, in bytes.
const LONGEST_INCIDENT: usize = 64;

/// `GET /admin/content`: a tenant's turns that were kept, newest first. Whoever reads them says for which incident, and that is
/// on record, on disk, before anything is shown.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    visit: Visit,
    request: Request<Body>,
) -> Result<Json<Value>, Failure> {
    let Visit { tenant, tag, .. } = &visit;
    let query: ListQuery = query_of(request.uri()).map_err(|error| tag.fail(error))?;
    let limit = limit_of(query.limit, 20, LONGEST_PAGE).map_err(|error| tag.fail(error))?;
    let incident = incident_of(query.incident).map_err(|error| tag.fail(error))?;
    let asked = query.request.as_deref().map(RequestId::new);
    let mut turns = match app.gateway.contents.stored() {
        Some(contents) => contents
            .list(tenant, asked.as_ref(), query.before, limit + 1)
            .await
            .map_err(|error| tag.fail(HttpError::Storage(error.to_string())))?,
        None => Vec::new(),
    };
    let has_more = turns.len() > limit;
    turns.truncate(limit);
    let last = turns.last().map(|turn| turn.number);
    let what = json!({ "incident": incident, "turns": turns.len() });
    visit.accessed_durably(&app, "content.read", "turns", what).await.map_err(|error| tag.fail(error))?;
    let data: Vec<Value> = turns.iter().map(describe).collect();
    Ok(Json(json!({ "object": "list", "data": data, "has_more": has_more, "last": last })))
}

/// Names and words of people have no place in the audit records, so an incident is named as trackers name theirs.
fn incident_of(incident: Option<String>) -> Result<String, HttpError> {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'#' | b'/');
    let incident = incident.unwrap_or_default();
    if !incident.is_empty() && incident.len() <= LONGEST_INCIDENT && incident.bytes().all(is_plain) {
        return Ok(incident);
    }
    let message = format!(
        "say for which incident this is read, as incident=INC-1234: up to {LONGEST_INCIDENT} letters, digits, \"-\", \"_\", \".\", \
         \"#\" and \"/\""
    );
    Err(HttpError::Invalid { message, param: Some("incident".to_owned()) })
}

fn describe(turn: &KeptContent) -> Value {
    // What was said is JSON of ours.
    let said: Value = serde_json::from_str(&turn.said).unwrap_or_default();
    json!({
        "object": "turn.content",
        "number": turn.number,
        "request": turn.request,
        "at": turn.at.as_seconds(),
        "assistant": turn.assistant,
        "model": turn.model,
        "outcome": said["outcome"],
        "messages": said["messages"],
        "answer": said["answer"],
    })
}
