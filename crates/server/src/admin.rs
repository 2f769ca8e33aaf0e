//! `/admin/budgets` and `/admin/index`.

use std::sync::Arc;

use crate::json::Json;
use axum::body::Body;
use axum::extract::State;
use http::Request;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::App;
use crate::context::read_body;
use crate::error::{Failure, parse_json};
use crate::extract::corpus_named;
use crate::guard::Visit;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rebuild {
    corpus: Option<String>,
}

/// `GET /admin/budgets`: how the budgets stand.
pub(crate) async fn budgets(State(app): State<Arc<App>>) -> Json<Value> {
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
    Json(json!({ "object": "list", "data": data }))
}

/// `POST /admin/index/rebuild`
pub(crate) async fn rebuild_index(
    State(app): State<Arc<App>>,
    visit: Visit,
    request: Request<Body>,
) -> Result<Json<Value>, Failure> {
    let Visit { tenant, tag, .. } = &visit;
    let body = read_body(&app, request).await.map_err(|error| tag.fail(error))?;
    let wanted: Rebuild = parse_json(&body).map_err(|error| tag.fail(error))?;
    let corpus = corpus_named(wanted.corpus).map_err(|error| tag.fail(error))?;
    let chunks = app.library.rebuild(tenant, &corpus).await.map_err(|error| tag.fail(error))?;
    let (old, new) = (Value::Null, json!({ "chunks": chunks }));
    let recorded = visit.changed(&app, "index.rebuild", ("corpus", corpus.as_str()), old, new).await;
    recorded.map_err(|error| tag.fail(error))?;
    Ok(Json(json!({ "object": "index.rebuilt", "corpus": corpus, "chunks": chunks })))
}
