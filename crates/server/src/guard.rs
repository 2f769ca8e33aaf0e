//! The guard before every route: who calls is established and whether they may, before the handler runs and before the
//! body is read. A handler finds who it is in its [`Visit`].

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, MatchedPath, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode};
use mainstay_audit::{Category, Outcome, Record};
use mainstay_domain::{Caller, Permission, RequestId, TenantId};
use mainstay_gateway::Context;
use mainstay_ops::{Unrecorded, measure, trail};
use mainstay_security::sessions::Credential;
use serde_json::Value;
use tokio_util::task::TaskTracker;

use crate::App;
use crate::approvals;
use crate::console;
use crate::context::{address_of, context_of, presented_key};
use crate::error::{HttpError, Shape, Tag};

/// What it takes to come to a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gate {
    /// Nothing: it tells nothing about anybody's data.
    Open,
    /// The permission to do this with what belongs to a tenant: the caller's own, or the one that an operator names.
    Allowed(Permission),
    /// The permission to do this with what belongs to whoever operates this Mainstay.
    OfOperator(Permission),
}

/// A request that was let in.
#[derive(Clone)]
pub(crate) struct Visit {
    /// Who calls, and what surrounds the request.
    pub(crate) context: Context,
    /// Whose things the request is about.
    pub(crate) tenant: TenantId,
    /// What ties errors to the request.
    pub(crate) tag: Tag,
}

impl Visit {
    /// A record of what was done, for the audit trail.
    pub(crate) fn record(&self, app: &App, category: Category, action: &'static str) -> Record {
        let Context { caller, request, .. } = &self.context;
        app.trail.record_of(caller, request, &self.tenant, category, action, Outcome::Succeeded)
    }

    /// Records a change of the configuration, from `old` to `new`, and waits until it is on disk: before it is acknowledged.
    pub(crate) async fn changed(
        &self,
        app: &App,
        action: &'static str,
        (kind, id): (&'static str, &str),
        old: Value,
        new: Value,
    ) -> Result<(), Unrecorded> {
        let record = self.record(app, Category::ConfigurationChange, action).with_resource(kind, id);
        app.trail.write_durably(trail::changed(record, old, new)).await
    }

    /// Records that somebody's data was read or written: `what` says of which kind and how much, in numbers.
    pub(crate) fn accessed(
        &self,
        app: &App,
        action: &'static str,
        kind: &'static str,
        what: Value,
    ) -> Result<(), Unrecorded> {
        app.trail.write(&self.access(app, action, kind, what))
    }

    /// The same, on disk before it is answered: where content is shown that nobody reads without a reason.
    pub(crate) async fn accessed_durably(
        &self,
        app: &App,
        action: &'static str,
        kind: &'static str,
        what: Value,
    ) -> Result<(), Unrecorded> {
        app.trail.write_durably(self.access(app, action, kind, what)).await
    }

    fn access(&self, app: &App, action: &'static str, kind: &'static str, what: Value) -> Record {
        self.record(app, Category::DataAccess, action).with_resource(kind, "").with_detail("what", what)
    }
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = StatusCode;

    /// # Errors
    ///
    /// Only where a route has no guard, which [`crate::routes`] does not allow.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        parts.extensions.remove::<Self>().ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The header by which an operator says whose things are meant.
const TENANT: &str = "x-mainstay-tenant";

/// Longest id of a tenant, in bytes.
const LONGEST_TENANT: usize = 64;

/// Before a route: what the guard needs.
#[derive(Clone)]
pub(crate) struct Post {
    pub(crate) app: Arc<App>,
    pub(crate) permission: Permission,
    /// Whether the route is about the operator's things.
    pub(crate) of_operator: bool,
    /// Whether the route lets its requests in by itself, as questions that take a place in the queue.
    pub(crate) asks: bool,
}

/// Lets a request in, or answers it.
pub(crate) async fn pass(State(post): State<Post>, mut request: Request<Body>, next: Next) -> Response {
    let id = RequestId::generate(&post.app.clock);
    // A body cannot be shared between threads, so that nothing of the request is held while its caller is looked for.
    let shown = shown_by(&post.app, &request);
    let address = address_of(&post.app, &request);
    let caller = match shown {
        Shown::Text(text) => post.app.access.identify(text.as_deref()).await,
        Shown::Session(Credential::Key(key)) => post.app.access.identify(Some(key.expose())).await,
        Shown::Session(Credential::Person(person)) => post.app.access.admit_person((*person).clone()),
    };
    let caller = caller.inspect_err(|error| {
        let route = route_of(&request);
        post.app.trail.refused_entry(address, &id, error.code(), &route);
    });
    match caller.map_err(HttpError::from).and_then(|caller| admit(&post, &id, caller, &request)) {
        Ok((visit, Needs::Nothing)) => {
            request.extensions_mut().insert(visit);
            finish(&post, request, next).await
        }
        Ok((visit, Needs::SecondPerson)) => {
            let path = request.uri().path().to_owned();
            match approvals::spend(&post.app, &visit, post.permission, request).await {
                Ok(mut request) => {
                    request.extensions_mut().insert(visit);
                    finish(&post, request, next).await
                }
                Err(error) => refuse(&post.app, id, &path, error),
            }
        }
        Err(error) => {
            metrics::counter!(measure::REJECTED, "code" => error.code()).increment(1);
            refuse(&post.app, id, request.uri().path(), error)
        }
    }
}

/// Runs the handler. A change is made and recorded as a whole, also when its caller has gone: memory, store and audit trail
/// never say different things. What only reads or answers ends with its caller.
async fn finish(post: &Post, request: Request<Body>, next: Next) -> Response {
    let only_answers = matches!(post.permission, Permission::AnswersAsk | Permission::DocumentsRead);
    if request.method().is_safe() || only_answers {
        return next.run(request).await;
    }
    let change = TaskTracker::new().spawn(next.run(request));
    change.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// What else it takes to be let in.
enum Needs {
    Nothing,
    /// That somebody else has agreed to exactly this.
    SecondPerson,
}

fn admit(
    post: &Post,
    id: &RequestId,
    caller: Caller,
    request: &Request<Body>,
) -> Result<(Visit, Needs), HttpError> {
    let app = &post.app;
    let tenant =
        if post.of_operator { TenantId::single() } else { named_tenant(request.headers(), &caller)? };
    let is_change = !request.method().is_safe();
    let mut needs = Needs::Nothing;
    let mut decision = app.access.authorize(&caller, post.permission, &tenant, false);
    // What a policy permits with a second person's agreement, and what the configuration asks it for.
    if is_change && (decision.is_err() || app.two_person.contains(&post.permission)) {
        let agreed = app.access.authorize(&caller, post.permission, &tenant, true);
        if agreed.is_ok() {
            (needs, decision) = (Needs::SecondPerson, agreed);
        }
    }
    let outcome = match &decision {
        Ok(()) => Outcome::Granted,
        Err(_) => Outcome::Denied("permission_denied".into()),
    };
    let action = post.permission.as_str();
    let record = app
        .trail
        .record_of(&caller, id, &tenant, Category::Authorization, action, outcome)
        .with_resource("route", route_of(request));
    app.trail.write(&record)?;
    decision?;
    let context = context_of(app, request, id.clone(), caller);
    if !post.asks {
        app.gateway.admit_administration(&context)?;
    }
    let tag = Tag::of(id).shaped(shape_of(request.uri().path()));
    Ok((Visit { context, tenant, tag }, needs))
}

/// The route, as records name it: without what stands in its place for ids.
fn route_of(request: &Request<Body>) -> String {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    format!("{} {path}", request.method())
}

/// Whose things a request is about. Whether its caller may deal with them is for the policies to say.
fn named_tenant(headers: &HeaderMap, caller: &Caller) -> Result<TenantId, HttpError> {
    let mut named = headers.get_all(TENANT).iter();
    match (named.next(), named.next()) {
        (None, _) => Ok(caller.tenant.clone()),
        (Some(one), None) => match one.to_str() {
            Ok(name) if !name.is_empty() && name.len() <= LONGEST_TENANT => Ok(TenantId::new(name)),
            _ => Err(unreadable_tenant("is no name of one")),
        },
        (Some(_), Some(_)) => Err(unreadable_tenant("is there twice")),
    }
}

fn unreadable_tenant(what: &str) -> HttpError {
    HttpError::Invalid {
        message: format!("the header {TENANT} {what}; it names one tenant"),
        param: Some(TENANT.to_owned()),
    }
}

/// What the request shows of its caller.
enum Shown {
    /// A key, a token, or nothing.
    Text(Option<String>),
    /// The session of a browser.
    Session(Credential),
}

/// What the request shows: a key or a token; of a page of the console also the session of its browser.
fn shown_by(app: &App, request: &Request<Body>) -> Shown {
    let text = presented_key(request.headers());
    if text.is_some() || !is_page(request.uri().path()) {
        return Shown::Text(text);
    }
    console::session_of(app, request.headers()).map_or(Shown::Text(None), Shown::Session)
}

/// The answer to a request that is not let in, in the shape of its route.
fn refuse(app: &App, id: RequestId, path: &str, error: HttpError) -> Response {
    if is_page(path) {
        return console::refused(app, &error);
    }
    Tag::of(&id).shaped(shape_of(path)).fail(error).into_response()
}

fn shape_of(path: &str) -> Shape {
    if path.starts_with("/v1/messages") { Shape::Anthropic } else { Shape::OpenAi }
}

fn is_page(path: &str) -> bool {
    path.starts_with("/console/")
}

#[cfg(test)]
mod tests {
    use mainstay_domain::KeyId;

    use super::*;

    #[test]
    fn a_tenant_is_named_once_and_in_text() {
        let caller = Caller::of(TenantId::new("acme"), KeyId::new("k"));
        let named = |values: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(TENANT, http::HeaderValue::from_bytes(value).unwrap());
            }
            named_tenant(&headers, &caller).map_err(|error| error.to_string())
        };
        assert_eq!(named(&[]).unwrap().as_str(), "acme");
        assert_eq!(named(&[b"zoo"]).unwrap().as_str(), "zoo");
        for bad in [&[&b"zoo"[..], b"acme"][..], &[b""], &[b"\xff"]] {
            assert!(named(bad).unwrap_err().contains(TENANT));
        }
    }
}
