//! `/control`: what a test in another process or language asks a stand-in to do, and what it was asked.

use std::time::Duration;

use http::{Method, StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Counts, Fault, NextAnswers, Shared};

/// The body of `POST /control`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    faults: Vec<Fault>,
    #[serde(default)]
    pause_ms: Option<u64>,
}

/// How long `GET /control/requests?…` waits for what it is asked to wait for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers a request to `/control…`; `rest` is the path after it.
pub(super) async fn control(
    shared: &Shared,
    method: &Method,
    rest: &[&str],
    uri: &Uri,
    body: &[u8],
) -> (StatusCode, Value) {
    match (method, rest) {
        (&Method::POST, []) => match serde_json::from_slice::<Wanted>(body) {
            Ok(wanted) => {
                let mut script = shared.script();
                script.faults.extend(wanted.faults);
                if let Some(pause) = wanted.pause_ms {
                    script.pause = Duration::from_millis(pause);
                }
                (StatusCode::OK, json!({ "faults": script.faults.len() }))
            }
            Err(error) => (StatusCode::BAD_REQUEST, json!({ "error": error.to_string() })),
        },
        (&Method::DELETE, []) => {
            *shared.script() = NextAnswers::default();
            (StatusCode::OK, json!({}))
        }
        (&Method::GET, ["requests"]) => {
            let reached = wait(shared, uri).await;
            let status = if reached { StatusCode::OK } else { StatusCode::REQUEST_TIMEOUT };
            let mut body = json!(shared.records.counts());
            body["requests"] = json!(shared.records.last());
            (status, body)
        }
        (&Method::DELETE, ["requests"]) => {
            shared.records.clear();
            (StatusCode::OK, json!({}))
        }
        _ => (StatusCode::NOT_FOUND, json!({ "error": "there is no such control" })),
    }
}

/// Waits until every count of the query is reached; whether it was.
async fn wait(shared: &Shared, uri: &Uri) -> bool {
    let wanted: Vec<(&str, u64)> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter_map(|(name, least)| Some((name, least.parse().ok()?)))
        .collect();
    let reached = |counts: &Counts| {
        wanted.iter().all(|(name, least)| {
            let count = match *name {
                "count" => counts.count,
                "finished" => counts.finished,
                "broken" => counts.broken,
                "cancelled" => counts.cancelled,
                _ => u64::MAX,
            };
            count >= *least
        })
    };
    tokio::time::timeout(PATIENCE, shared.records.wait_for(reached)).await.is_ok()
}
