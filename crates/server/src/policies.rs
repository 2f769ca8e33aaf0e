//! `/admin/policies`: who may do what, and why.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use http::Request;
use mainstay_domain::{Caller, KeyId, Permission, RegionName, RoleName, TenantId, TierName};
use mainstay_policy::{Extent, Matrix};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::App;
use crate::context::read_body;
use crate::error::{Failure, parse_json};
use crate::guard::Visit;
use crate::json::Json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TestJson {
    roles: Vec<RoleName>,
    permission: Permission,
    /// Whose people they are.
    tenant: Option<TenantId>,
    /// Whose things it is about.
    resource_tenant: Option<TenantId>,
    tier: Option<TierName>,
    region: Option<RegionName>,
    #[serde(default)]
    approved: bool,
}

/// `GET /admin/policies`: the policies that are in force, and what each role may.
pub(crate) async fn show(State(app): State<Arc<App>>) -> Json<Value> {
    let policies = &app.access.policies;
    let rules: Vec<Value> = policies
        .rules()
        .iter()
        .map(|rule| json!({ "id": rule.id.as_str(), "reason": &*rule.reason, "file": &*rule.file, "line": rule.line, "text": &*rule.text }))
        .collect();
    let roles = describe(&policies.matrix());
    let doubts: Vec<String> = policies.warnings().iter().map(ToString::to_string).collect();
    Json(json!({ "object": "policies", "policies": rules, "roles": roles, "doubts": doubts }))
}

fn describe(matrix: &Matrix) -> Vec<Value> {
    let row = |row: &mainstay_policy::MatrixRow| {
        let mut cells = Map::new();
        for permission in Permission::ALL {
            let reach = row.of(permission);
            let [own, operator_own, operator_other] =
                [reach.own, reach.operator_own, reach.operator_other].map(word);
            cells.insert(
                permission.as_str().to_owned(),
                json!({ "own": own, "as_operator": operator_own, "of_others_as_operator": operator_other }),
            );
        }
        json!({ "role": row.role, "may": cells })
    };
    matrix.rows.iter().map(row).collect()
}

const fn word(extent: Extent) -> &'static str {
    match extent {
        Extent::Never => "never",
        Extent::Sometimes => "sometimes",
        Extent::Always => "always",
    }
}

/// `POST /admin/policies/test`: how a decision comes about.
pub(crate) async fn test(
    State(app): State<Arc<App>>,
    Visit { tag, tenant, .. }: Visit,
    request: Request<Body>,
) -> Result<Json<Value>, Failure> {
    let body = read_body(&app, request).await.map_err(|error| tag.fail(error))?;
    let wanted: TestJson = parse_json(&body).map_err(|error| tag.fail(error))?;
    let own = wanted.tenant.unwrap_or(tenant);
    let caller = Caller {
        roles: wanted.roles.into(),
        tier: wanted.tier,
        region: wanted.region,
        ..Caller::of(own.clone(), KeyId::new("test"))
    };
    let about = wanted.resource_tenant.unwrap_or(own);
    let explanation = app.access.explain(&caller, wanted.permission, &about, wanted.approved);
    Ok(Json(json!({
        "object": "decision",
        "allowed": explanation.decision.allowed,
        "explanation": explanation.to_string(),
    })))
}
