//! `/control`: what a test in another process or language asks a stand-in to do, and what it was asked.

use std::time::Duration;

use http::{Method, StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};

use super::settings::Current;
use super::{Counts, FAULTS, Fault, Shared, Timing};

/// The body of `POST /control`. What it does not name stays as it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Faults of the next requests, one each, after those that wait already.
    #[serde(default)]
    faults: Vec<Fault>,
    /// Faults of all requests from now on, in turn.
    #[serde(default)]
    always: Option<Vec<Fault>>,
    /// How likely a request has a fault from now on: 0 to 1.
    #[serde(default)]
    share: Option<f64>,
    /// The pause before every piece of a stream from now on.
    #[serde(default)]
    pause_ms: Option<u64>,
    /// How fast tokens come from now on.
    #[serde(default)]
    timing: Option<Timing>,
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
        (&Method::POST, []) => {
            let wanted = serde_json::from_slice::<Wanted>(body).map_err(|error| error.to_string());
            let mut current = shared.current();
            match wanted.and_then(|wanted| wanted.apply(&mut current)) {
                Ok(()) => (StatusCode::OK, described(&current)),
                Err(problem) => (StatusCode::BAD_REQUEST, json!({ "error": problem })),
            }
        }
        (&Method::GET, []) => (StatusCode::OK, described(&shared.current())),
        (&Method::DELETE, []) => {
            *shared.current() = Current::new(&shared.settings);
            (StatusCode::OK, json!({}))
        }
        (&Method::GET, ["faults"]) => (StatusCode::OK, json!({ "faults": FAULTS })),
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

impl Wanted {
    /// Changes what holds, all of it or nothing.
    fn apply(self, current: &mut Current) -> Result<(), String> {
        if self.share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            return Err("share must be from 0 to 1".to_owned());
        }
        if self.timing.is_some_and(|timing| !timing.is_possible()) {
            let problem = "timing: ttft_ms is at most an hour, jitters are from 0 to 3, tokens_per_second is 0 or from 0.01 to \
                           1000000";
            return Err(problem.to_owned());
        }
        current.next.extend(self.faults);
        if let Some(always) = self.always {
            (current.always, current.turn) = (always, 0);
        }
        current.share = self.share.or(current.share);
        current.pause = self.pause_ms.map_or(current.pause, Duration::from_millis);
        current.timing = self.timing.unwrap_or(current.timing);
        Ok(())
    }
}

/// What holds, in the words of [`Wanted`].
fn described(current: &Current) -> Value {
    json!({
        "faults": current.next,
        "always": current.always,
        "share": current.share,
        "pause_ms": u64::try_from(current.pause.as_millis()).unwrap_or(u64::MAX),
        "timing": current.timing,
    })
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
