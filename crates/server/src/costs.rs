//! `/admin/costs`: what was spent, by whom or for what, day by day.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use http::Request;
use mainstay_domain::{NanoUsd, TenantId, Timestamp};
use mainstay_store::ledger::{DayTotals, Dimension, HistoryFilter, HistoryScope};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::App;
use crate::error::{Failure, HttpError};
use crate::extract::{number_of, query_of};
use crate::guard::Visit;
use crate::json::Json;

/// What the address says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    by: Option<Dimension>,
    days: Option<i64>,
}

const DAY_MICROS: i64 = 86_400_000_000;

/// Days that are shown where nobody says how many: two weeks for a trend, and two more.
const USUAL_DAYS: i64 = 28;

/// Most days of one answer.
const MOST_DAYS: i64 = 400;

/// `GET /admin/costs`: the costs of the last whole days and of today so far, in UTC: a tenant's own, the operator's of everybody.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    visit: Visit,
    request: Request<Body>,
) -> Result<Json<Value>, Failure> {
    let Visit { tenant, tag, .. } = &visit;
    let query: ListQuery = query_of(request.uri()).map_err(|error| tag.fail(error))?;
    let days = number_of("days", query.days, USUAL_DAYS, MOST_DAYS).map_err(|error| tag.fail(error))?;
    let by = query.by.unwrap_or(Dimension::Model);
    let today = app.clock.now().as_micros().div_euclid(DAY_MICROS) * DAY_MICROS;
    let from = Timestamp::from_micros(today - days * DAY_MICROS);
    let filter = HistoryFilter { from: Some(from), ..HistoryFilter::all(scope_of(tenant)) };
    let unread = |error: mainstay_store::StorageError| tag.fail(HttpError::Storage(error.to_string()));
    app.history.settle().await.map_err(unread)?;
    let totals = app.history.totals_by_day(&filter, by).await.map_err(unread)?;
    let what = json!({ "by": by, "days": days });
    visit.accessed(&app, "costs.read", "ledger", what).map_err(|error| tag.fail(error))?;
    Ok(Json(json!({
        "object": "list",
        "by": by,
        "from": from.as_seconds(),
        "today": Timestamp::from_micros(today).as_seconds(),
        "data": described(&totals),
    })))
}

/// Whose costs are meant.
fn scope_of(tenant: &TenantId) -> HistoryScope {
    if tenant.is_operator() { HistoryScope::Everyone } else { HistoryScope::Tenant(tenant.clone()) }
}

/// One entry per value, the dearest first, with the days that had any turn.
fn described(totals: &[DayTotals]) -> Vec<Value> {
    let mut entries: Vec<(NanoUsd, Value)> = totals
        .chunk_by(|one, next| one.value == next.value)
        .map(|days| {
            let sum = |of: fn(&DayTotals) -> u64| days.iter().map(of).sum::<u64>();
            let cost = days.iter().fold(NanoUsd::ZERO, |sum, day| sum + day.totals.cost);
            let entry = json!({
                "object": "costs",
                "value": days[0].value,
                "turns": sum(|day| day.totals.turns),
                "failed": sum(|day| day.totals.failed),
                "cancelled": sum(|day| day.totals.cancelled),
                "cost_nano_usd": cost.as_nanos(),
                "prompt_tokens": sum(|day| day.totals.prompt_tokens),
                "cache_read_tokens": sum(|day| day.totals.cache_read_tokens),
                "completion_tokens": sum(|day| day.totals.completion_tokens),
                "days": days.iter().map(day_of).collect::<Vec<_>>(),
            });
            (cost, entry)
        })
        .collect();
    entries.sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
    entries.into_iter().map(|(_, entry)| entry).collect()
}

fn day_of(day: &DayTotals) -> Value {
    json!({
        "starts_at": day.day.as_seconds(),
        "turns": day.totals.turns,
        "cost_nano_usd": day.totals.cost.as_nanos(),
    })
}
