//! Every route, and what it takes to come to it: none can be added without saying so.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter};
use mainstay_domain::Permission::{
    self, AnswersAsk, ApprovalsDecide, AuditRead, ContentRead, CostsRead, DocumentsRead, DocumentsWrite,
    ErasureManage, IndexRebuild, KeysManage, PoliciesRead, QualityManage, ServiceManage, ServiceRead,
    TenantsManage, TenantsRead,
};

use crate::guard::{self, Gate, Post};
use crate::{
    App, admin, anthropic, approvals, audit, console, contents, costs, documents, erasures, keys, openai,
    operations, policies, quality, search, service, tenants, tokens,
};

/// A way to a handler.
struct Route {
    method: &'static str,
    path: &'static str,
    gate: Gate,
    /// Whether its requests ask something, and so take of what their caller may ask, and a place in the queue. All others are
    /// administration to the limits.
    asks: bool,
    handler: MethodRouter<Arc<App>>,
}

impl Route {
    /// The same, whose handler lets its requests in by itself.
    fn that_asks(self) -> Self {
        Self { asks: true, ..self }
    }
}

/// All of them.
fn routes() -> Vec<Route> {
    use Gate::{Allowed, OfOperator, Open};
    vec![
        // OpenAI
        post("/v1/chat/completions", Allowed(AnswersAsk), openai::chat_completions).that_asks(),
        post("/v1/embeddings", Allowed(AnswersAsk), openai::embeddings).that_asks(),
        get("/v1/models", Allowed(AnswersAsk), openai::models),
        get("/v1/models/{*model}", Allowed(AnswersAsk), openai::model),
        // Anthropic
        post("/v1/messages", Allowed(AnswersAsk), anthropic::messages).that_asks(),
        post("/v1/messages/count_tokens", Allowed(AnswersAsk), anthropic::count_tokens),
        // Knowledge
        post("/v1/documents", Allowed(DocumentsWrite), documents::add),
        get("/v1/documents", Allowed(DocumentsRead), documents::list),
        get("/v1/documents/{*doc_id}", Allowed(DocumentsRead), documents::get),
        delete("/v1/documents/{*doc_id}", Allowed(DocumentsWrite), documents::delete),
        get("/v1/corpora", Allowed(DocumentsRead), documents::corpora),
        post("/v1/search", Allowed(DocumentsRead), search::search).that_asks(),
        // Administration
        post("/admin/keys", Allowed(KeysManage), keys::create),
        get("/admin/keys", Allowed(KeysManage), keys::list),
        delete("/admin/keys/{id}", Allowed(KeysManage), keys::revoke),
        post("/admin/tokens/revoke", Allowed(KeysManage), tokens::revoke),
        post("/admin/keys/{id}/rotate", Allowed(KeysManage), keys::rotate),
        post("/admin/tenants", OfOperator(TenantsManage), tenants::create),
        get("/admin/tenants", OfOperator(TenantsRead), tenants::list),
        get("/admin/tenants/{id}", OfOperator(TenantsRead), tenants::get),
        patch("/admin/tenants/{id}", OfOperator(TenantsManage), tenants::change),
        get("/admin/budgets", OfOperator(CostsRead), admin::budgets),
        get("/admin/costs", Allowed(CostsRead), costs::list),
        get("/admin/service", OfOperator(ServiceRead), service::levels),
        put("/admin/service", OfOperator(ServiceManage), service::set),
        delete("/admin/service", OfOperator(ServiceManage), service::clear),
        post("/admin/index/rebuild", Allowed(IndexRebuild), admin::rebuild_index),
        get("/admin/quarantine", Allowed(QualityManage), quality::list),
        post("/admin/quarantine/release", Allowed(QualityManage), quality::release),
        post("/admin/corpora/report", Allowed(QualityManage), quality::report),
        post("/admin/tenants/{id}/keys", OfOperator(TenantsManage), tenants::make_key),
        get("/admin/policies", Allowed(PoliciesRead), policies::show),
        post("/admin/policies/test", Allowed(PoliciesRead), policies::test),
        get("/admin/approvals", Allowed(ApprovalsDecide), approvals::list),
        post("/admin/approvals/{id}/approve", Allowed(ApprovalsDecide), approvals::approve),
        post("/admin/approvals/{id}/refuse", Allowed(ApprovalsDecide), approvals::refuse),
        get("/admin/audit", Allowed(AuditRead), audit::list),
        get("/admin/audit/head", OfOperator(AuditRead), audit::head),
        post("/admin/audit/verify", OfOperator(AuditRead), audit::verify),
        post("/admin/audit/key", OfOperator(ServiceManage), audit::rotate_key),
        post("/admin/audit/resolve", Allowed(AuditRead), audit::resolve),
        get("/admin/content", Allowed(ContentRead), contents::list),
        post("/admin/erasures", Allowed(ErasureManage), erasures::create),
        get("/admin/erasures", Allowed(ErasureManage), erasures::list),
        post("/admin/holds", Allowed(ErasureManage), erasures::hold),
        get("/admin/holds", Allowed(ErasureManage), erasures::holds),
        delete("/admin/holds/{id}", Allowed(ErasureManage), erasures::lift),
        // Console. The routes of a session are how a browser shows its key.
        get("/console", Open, console::ask),
        get("/console/style.css", Open, console::style),
        post("/console/session", Open, console::sign_in),
        post("/console/session/end", Open, console::sign_out),
        get("/console/login", Open, console::log_in),
        get("/console/login/callback", Open, console::logged_in),
        get("/console/search", Allowed(DocumentsRead), console::search).that_asks(),
        get("/console/search/document", Allowed(DocumentsRead), console::document),
        // Operations
        get("/healthz", Open, operations::healthz),
        get("/readyz", Open, operations::readyz),
        get("/metrics", Open, operations::metrics),
        get("/openapi.json", Open, operations::openapi),
        get("/", Open, operations::root),
    ]
}

/// Method, path and gate of every route.
pub fn list() -> impl Iterator<Item = (&'static str, &'static str, Gate)> {
    routes().into_iter().map(|route| (route.method, route.path, route.gate))
}

/// All routes, each behind its gate.
pub fn router(app: Arc<App>) -> Router {
    let behind = |permission: Permission, of_operator: bool, asks: bool, handler: MethodRouter<Arc<App>>| {
        let post = Post { app: app.clone(), permission, of_operator, asks };
        handler.route_layer(axum::middleware::from_fn_with_state(post, guard::pass))
    };
    let mut router = Router::new();
    for Route { path, gate, asks, handler, .. } in routes() {
        let handler = match gate {
            Gate::Open => handler,
            Gate::Allowed(permission) => behind(permission, false, asks, handler),
            Gate::OfOperator(permission) => behind(permission, true, asks, handler),
        };
        router = router.route(path, handler);
    }
    router
        .fallback(operations::not_found)
        .method_not_allowed_fallback(operations::method_not_allowed)
        // axum's own limit, which would stop a form early; `context::read_body` holds the one of the configuration.
        .layer(DefaultBodyLimit::disable())
        .layer(axum::middleware::from_fn_with_state(app.clone(), operations::observe))
        .with_state(app)
}

/// Declares a function that makes a route of one method.
macro_rules! method {
    ($name:ident, $filter:ident) => {
        fn $name<H, T>(path: &'static str, gate: Gate, handler: H) -> Route
        where
            H: Handler<T, Arc<App>>,
            T: 'static,
        {
            let handler = MethodRouter::new().on(MethodFilter::$filter, handler);
            Route { method: stringify!($filter), path, gate, asks: false, handler }
        }
    };
}

method!(get, GET);
method!(post, POST);
method!(put, PUT);
method!(patch, PATCH);
method!(delete, DELETE);

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_route_is_described_and_every_description_is_of_a_route() {
        let description: Value = serde_json::from_str(include_str!("../assets/openapi.json")).unwrap();
        let mut described: Vec<String> = Vec::new();
        for (path, methods) in description["paths"].as_object().unwrap() {
            let methods = methods.as_object().unwrap().keys().filter(|key| *key != "parameters");
            described.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
        }
        let mut routes: Vec<String> =
            list().map(|(method, path, _)| format!("{method} {}", path.replace("{*", "{"))).collect();
        described.sort();
        routes.sort();
        assert_eq!(described, routes);
    }

    #[test]
    fn what_is_open_to_everybody_is_little_and_known() {
        let open = list().filter(|(_, _, gate)| *gate == Gate::Open).map(|(_, path, _)| path);
        let expected = [
            "/console",
            "/console/style.css",
            "/console/session",
            "/console/session/end",
            "/console/login",
            "/console/login/callback",
            "/healthz",
            "/readyz",
            "/metrics",
            "/openapi.json",
            "/",
        ];
        assert_eq!(open.collect::<Vec<_>>(), expected);
    }
}
