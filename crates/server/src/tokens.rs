//! `/admin/tokens/revoke`: takes tokens of identity providers away.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use http::Request;
use mainstay_domain::UserId;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::App;
use crate::context::read_body;
use crate::error::{Failure, HttpError, parse_json};
use crate::guard::Visit;
use crate::json::Json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Whose tokens.
    user: Option<UserId>,
    /// Which token: its `jti`.
    token_id: Option<String>,
}

/// Longest text that names somebody or something in a token, in bytes.
const LONGEST_NAME: usize = 256;

/// `POST /admin/tokens/revoke`
pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    visit: Visit,
    request: Request<Body>,
) -> Result<Json<Value>, Failure> {
    let Visit { tenant, tag, .. } = &visit;
    let body = read_body(&app, request).await.map_err(|error| tag.fail(error))?;
    let wanted: Wanted = parse_json(&body).map_err(|error| tag.fail(error))?;
    let named = wanted.user.as_ref().map(UserId::as_str).xor(wanted.token_id.as_deref());
    if named.is_none_or(|name| name.is_empty() || name.len() > LONGEST_NAME) {
        let message = format!(
            "name one of `user`, whose tokens are refused from now on, and `token_id`, the `jti` of one; at most \
             {LONGEST_NAME} bytes"
        );
        return Err(tag.fail(HttpError::Invalid { message, param: Some("user".to_owned()) }));
    }
    let Some(tokens) = &app.access.tokens else {
        let message =
            "no identity provider is configured, so there are no tokens; [identity.issuers.<name>] of \
                       mainstay.toml names one, and `mainstay keys revoke` takes keys away"
                .to_owned();
        return Err(tag.fail(HttpError::Invalid { message, param: None }));
    };
    let pseudonym =
        |user| app.trail.pseudonym(tenant, user).map_or_else(String::new, |known| known.to_string());
    let (until, resource) = match (&wanted.user, &wanted.token_id) {
        // Who it was stands in the record by pseudonym, as everywhere.
        (Some(user), _) => (tokens.revocations.revoke_user(tenant, user).await, ("user", pseudonym(user))),
        (None, id) => {
            let id = id.as_deref().unwrap_or_default();
            (tokens.revocations.revoke_token(tenant, id).await, ("token", id.to_owned()))
        }
    };
    let until = until.map_err(|error| tag.fail(HttpError::Storage(error.to_string())))?;
    let (old, new) = (json!({ "revoked": false }), json!({ "revoked": true }));
    visit
        .changed(&app, "tokens.revoke", (resource.0, &resource.1), old, new)
        .await
        .map_err(|error| tag.fail(error))?;
    Ok(Json(json!({ "object": "tokens.revoked", "remembered_until": until.as_seconds() })))
}
