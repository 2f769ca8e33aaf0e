//! Every route. Whoever may call it is decided in its handler by the scope that it asks the gateway for; the routes of
//! [`PUBLIC`] ask for none.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post};

use crate::{App, admin, anthropic, console, documents, openai, operations, quality, search, service};

/// Routes that need no key: they tell nothing about anybody's data. Those of a session are how a browser shows its key.
pub const PUBLIC: &[&str] = &[
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/console",
    "/console/style.css",
    "/console/session",
    "/console/session/end",
    "/",
];

/// All routes.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        // OpenAI
        .route("/v1/chat/completions", post(openai::chat_completions))
        .route("/v1/embeddings", post(openai::embeddings))
        .route("/v1/models", get(openai::models))
        .route("/v1/models/{*model}", get(openai::model))
        // Anthropic
        .route("/v1/messages", post(anthropic::messages))
        .route("/v1/messages/count_tokens", post(anthropic::count_tokens))
        // Knowledge
        .route("/v1/documents", post(documents::add).get(documents::list))
        .route("/v1/documents/{*doc_id}", get(documents::get).delete(documents::delete))
        .route("/v1/corpora", get(documents::corpora))
        .route("/v1/search", post(search::search))
        // Administration
        .route("/admin/keys", post(admin::create_key).get(admin::list_keys))
        .route("/admin/keys/{id}", delete(admin::revoke_key))
        .route("/admin/keys/{id}/rotate", post(admin::rotate_key))
        .route("/admin/budgets", get(admin::budgets))
        .route("/admin/service", get(service::levels).put(service::set).delete(service::clear))
        .route("/admin/index/rebuild", post(admin::rebuild_index))
        .route("/admin/quarantine", get(quality::list))
        .route("/admin/quarantine/release", post(quality::release))
        .route("/admin/corpora/report", post(quality::report))
        // Console
        .route("/console", get(console::ask))
        .route("/console/style.css", get(console::style))
        .route("/console/session", post(console::sign_in))
        .route("/console/session/end", post(console::sign_out))
        .route("/console/search", get(console::search))
        .route("/console/search/document", get(console::document))
        // Operations
        .route("/healthz", get(operations::healthz))
        .route("/readyz", get(operations::readyz))
        .route("/metrics", get(operations::metrics))
        .route("/openapi.json", get(operations::openapi))
        .route("/", get(operations::root))
        .fallback(operations::not_found)
        .method_not_allowed_fallback(operations::method_not_allowed)
        // axum's own limit, which would stop a form early; `context::read_body` holds the one of the configuration.
        .layer(DefaultBodyLimit::disable())
        .layer(axum::middleware::from_fn_with_state(app.clone(), operations::observe))
        .with_state(app)
}
