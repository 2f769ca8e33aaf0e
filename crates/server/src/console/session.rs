//! Signing in and out: a form takes the API key once, or an identity provider says who it is, and a cookie that no script can
//! read stands for that.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use mainstay_audit::{Category, Outcome};
use mainstay_domain::config::Secret;
use mainstay_domain::{Caller, RequestId};
use mainstay_security::logins::LOGIN_LIFETIME;
use mainstay_security::sessions::{self, Credential};
use mainstay_security::{IdentityError, LoginError};

use super::{layout, page, protect};
use crate::App;
use crate::context::{Peer, address_of, read_body_within};
use crate::error::HttpError;

/// The cookie.
pub(crate) const COOKIE: &str = "mainstay_session";

/// The cookie of a session. It goes only to the console, and never along with what another site has begun.
const SESSION: Cookie = Cookie { name: COOKIE, path: "/console", same_site: "Strict" };

/// What a browser keeps while it is at an identity provider. Not Strict: it comes back from another site.
const LOGIN: Cookie = Cookie { name: "mainstay_login", path: "/console/login", same_site: "Lax" };

/// Most bytes of the form: a key has about 90.
const LONGEST_FORM: usize = 4 << 10;

/// The page to come back to.
const HOME: &str = "/console/search";

/// `POST /console/session`: signs a browser in.
pub(crate) async fn sign_in(State(app): State<Arc<App>>, request: Request<Body>) -> Response {
    if !comes_from_here(request.headers()) {
        return refuse_foreign(&app);
    }
    let is_secure = arrived_encrypted(&request);
    let former = cookie_of(request.headers(), COOKIE).map(str::to_owned);
    let address = address_of(&app, &request);
    let body = match read_body_within(&app, request, LONGEST_FORM).await {
        Ok(body) => body,
        Err(error) => {
            return sign_in_page(&app, error.status(), Some("The form did not arrive. Try again."));
        }
    };
    let key = form_urlencoded::parse(&body).find(|(name, _)| name == "key").map(|(_, value)| value);
    let key = key.as_deref().unwrap_or_default().trim();
    let id = RequestId::generate(&app.clock);
    match app.access.identify(Some(key)).await {
        Ok(caller) => {
            let credential = Credential::Key(Secret::new(key));
            match begin(&app, &caller, &id, credential, former.as_deref()) {
                Ok(token) => {
                    let mut response = Redirect::to(HOME).into_response();
                    let lifetime = sessions::LIFETIME.as_secs();
                    SESSION.set(&mut response, token.expose(), lifetime, is_secure);
                    response
                }
                Err(error) => refused(&app, &error),
            }
        }
        Err(IdentityError::Missing) => {
            sign_in_page(&app, StatusCode::UNAUTHORIZED, Some("Enter an API key."))
        }
        Err(error) => {
            app.trail.refused_entry(address, &id, error.code(), "POST /console/session");
            refused(&app, &HttpError::Identity(error))
        }
    }
}

/// Begins a session of somebody who was let in, on record.
fn begin(
    app: &App,
    caller: &Caller,
    id: &RequestId,
    credential: Credential,
    former: Option<&str>,
) -> Result<Secret, HttpError> {
    let (category, action) = (Category::Authentication, "session.begin");
    let record = app.trail.record_of(caller, id, &caller.tenant, category, action, Outcome::Succeeded);
    app.trail.write(&record)?;
    // The browser forgets the token of the session that it had, so that nobody could end that any more.
    if let Some(former) = former {
        app.sessions.end(former);
    }
    Ok(app.sessions.begin(credential))
}

/// `GET /console/login`: sends a browser to an identity provider.
pub(crate) async fn log_in(State(app): State<Arc<App>>, request: Request<Body>) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let provider = value_of(query, "provider").unwrap_or_default();
    let is_secure = arrived_encrypted(&request);
    match app.logins.begin(&provider).await {
        Ok(begun) => {
            let mut response = Redirect::to(&begun.url).into_response();
            LOGIN.set(&mut response, begun.cookie.expose(), LOGIN_LIFETIME.as_secs(), is_secure);
            response
        }
        Err(error) => sign_in_page(&app, status_of(&error), Some(&error.to_string())),
    }
}

/// `GET /console/login/callback`: a browser comes back from an identity provider.
pub(crate) async fn logged_in(State(app): State<Arc<App>>, request: Request<Body>) -> Response {
    let is_secure = arrived_encrypted(&request);
    let address = address_of(&app, &request);
    let id = RequestId::generate(&app.clock);
    let (query, headers) = (request.uri().query().unwrap_or_default().to_owned(), request.headers().clone());
    // A body cannot be shared between threads.
    drop(request);
    let mut response = match person_of(&app, &query, &headers).await {
        Ok((caller, credential)) => {
            match begin(&app, &caller, &id, credential, cookie_of(&headers, COOKIE)) {
                Ok(token) => {
                    // A page and no redirect: what another site has begun, the chain of redirects included, does not get
                    // the cookie of the session, which is Strict.
                    let mut response = page(StatusCode::OK, layout::welcome(HOME));
                    response
                        .headers_mut()
                        .insert(header::REFRESH, HeaderValue::from_static("0; url=/console/search"));
                    SESSION.set(&mut response, token.expose(), sessions::LIFETIME.as_secs(), is_secure);
                    response
                }
                Err(error) => refused(&app, &error),
            }
        }
        Err(refusal) => {
            let (code, response) = match refusal {
                Refusal::Login(error) => {
                    (error.code(), sign_in_page(&app, status_of(&error), Some(&error.to_string())))
                }
                Refusal::Identity(error) => (error.code(), refused(&app, &HttpError::Identity(error))),
            };
            app.trail.refused_entry(address, &id, code, "GET /console/login/callback");
            response
        }
    };
    LOGIN.set(&mut response, "", 0, is_secure);
    response
}

/// Why somebody was not signed in.
enum Refusal {
    Login(LoginError),
    Identity(IdentityError),
}

/// Who comes back from an identity provider.
async fn person_of(app: &App, query: &str, headers: &HeaderMap) -> Result<(Caller, Credential), Refusal> {
    let value = |name| value_of(query, name).unwrap_or_default();
    if let Some(error) = value_of(query, "error") {
        // Anybody can write such an address: what is shown of it is a code of RFC 6749 and nothing else.
        let is_code =
            error.len() <= 64 && error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let code = if is_code { error } else { "an error without a code".to_owned() };
        return Err(Refusal::Login(LoginError::Refused(code)));
    }
    let cookie = cookie_of(headers, LOGIN.name).unwrap_or_default();
    let token = app.logins.finish(cookie, &value("state"), &value("code")).await.map_err(Refusal::Login)?;
    let (caller, identity) = app.access.sign_in(&token).await.map_err(Refusal::Identity)?;
    Ok((caller, Credential::Person(Arc::new(identity))))
}

fn status_of(error: &LoginError) -> StatusCode {
    match error {
        LoginError::NoProvider => StatusCode::NOT_FOUND,
        LoginError::NotBegun => StatusCode::BAD_REQUEST,
        LoginError::Refused(_) => StatusCode::UNAUTHORIZED,
        LoginError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// A value of a query.
fn value_of(query: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// `POST /console/session/end`: signs it out.
pub(crate) async fn sign_out(State(app): State<Arc<App>>, request: Request<Body>) -> Response {
    if !comes_from_here(request.headers()) {
        return refuse_foreign(&app);
    }
    if let Some(token) = cookie_of(request.headers(), COOKIE) {
        app.sessions.end(token);
    }
    let mut response = Redirect::to(HOME).into_response();
    SESSION.set(&mut response, "", 0, arrived_encrypted(&request));
    response
}

/// By what the browser has signed in, if it has.
pub(crate) fn session_of(app: &App, headers: &HeaderMap) -> Option<Credential> {
    cookie_of(headers, COOKIE).and_then(|token| app.sessions.find(token))
}

/// The page of who is not let in: the one to sign in, with the reason where something was shown.
pub(crate) fn refused(app: &App, error: &HttpError) -> Response {
    match error {
        HttpError::Identity(IdentityError::Missing) => sign_in_page(app, StatusCode::UNAUTHORIZED, None),
        other => sign_in_page(app, other.status(), Some(&other.to_string())),
    }
}

fn sign_in_page(app: &App, status: StatusCode, problem: Option<&str>) -> Response {
    page(status, layout::sign_in(problem, app.logins.providers()))
}

/// What is in a cookie.
fn cookie_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// A cookie that no script can read.
struct Cookie {
    name: &'static str,
    path: &'static str,
    same_site: &'static str,
}

impl Cookie {
    /// Gives it to the browser for so many seconds; with none left, takes it away. `Secure` would lose it where Mainstay answers in plain HTTP on one machine, so it is set where the browser came
    /// encrypted, to Mainstay or to the proxy before it.
    fn set(&self, response: &mut Response, value: &str, seconds: u64, is_secure: bool) {
        let Self { name, path, same_site } = self;
        let secure = if is_secure { "; Secure" } else { "" };
        let cookie =
            format!("{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}");
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
        protect(response.headers_mut());
    }
}

fn arrived_encrypted<B>(request: &Request<B>) -> bool {
    let forwarded = request.headers().get("x-forwarded-proto");
    request.extensions().get::<Peer>().is_some_and(|peer| peer.encrypted)
        || forwarded.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"https"))
}

/// Whether a form was sent by a page of ours: browsers say where a request comes from, and another site must neither sign
/// anybody in nor out. What says nothing is no browser of today.
fn comes_from_here(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text("origin") else { return true };
    let host = origin.split_once("://").map(|(_, host)| host);
    host.is_some() && host == text("host")
}

fn refuse_foreign(app: &App) -> Response {
    let message = "This form was sent by another site. Open the console itself and try again.";
    sign_in_page(app, StatusCode::FORBIDDEN, Some(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_form_of_another_site_is_told_apart() {
        for (pairs, expected) in [
            (&[("sec-fetch-site", "same-origin"), ("origin", "null")][..], true),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("origin", "http://a.example:8088"), ("host", "a.example:8088")], true),
            (&[("origin", "http://b.example"), ("host", "a.example")], false),
            (&[("origin", "null"), ("host", "a.example")], false),
            (&[("host", "a.example")], true),
        ] {
            assert_eq!(comes_from_here(&headers(pairs)), expected, "{pairs:?}");
        }
    }

    #[test]
    fn the_token_is_found_among_other_cookies() {
        assert_eq!(cookie_of(&headers(&[("cookie", "a=1; mainstay_session=77; b=2")]), COOKIE), Some("77"));
        assert_eq!(cookie_of(&headers(&[("cookie", "xmainstay_session=77")]), COOKIE), None);
        assert_eq!(cookie_of(&HeaderMap::new(), COOKIE), None);
    }
}
