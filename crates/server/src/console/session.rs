//! Signing in and out: a form takes the API key once, and a cookie that no script can read stands for it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use mainstay_audit::{Category, Outcome};
use mainstay_domain::RequestId;
use mainstay_security::{IdentityError, sessions};

use super::{layout, page, protect};
use crate::App;
use crate::context::{Peer, address_of, read_body_within};
use crate::error::HttpError;

/// The cookie.
pub(crate) const COOKIE: &str = "mainstay_session";

/// Most bytes of the form: a key has about 90.
const LONGEST_FORM: usize = 4 << 10;

/// The page to come back to.
const HOME: &str = "/console/search";

/// `POST /console/session`: signs a browser in.
pub(crate) async fn sign_in(State(app): State<Arc<App>>, request: Request<Body>) -> Response {
    if !comes_from_here(request.headers()) {
        return refuse_foreign();
    }
    let is_secure = arrived_encrypted(&request);
    let former = token_of(request.headers()).map(str::to_owned);
    let address = address_of(&app, &request);
    let body = match read_body_within(&app, request, LONGEST_FORM).await {
        Ok(body) => body,
        Err(error) => {
            return page(error.status(), layout::sign_in(Some("The form did not arrive. Try again.")));
        }
    };
    let key = form_urlencoded::parse(&body).find(|(name, _)| name == "key").map(|(_, value)| value);
    let key = key.as_deref().unwrap_or_default().trim();
    let id = RequestId::generate(&app.clock);
    match app.access.identify(Some(key)).await {
        Ok(caller) => {
            let record = app.trail.record_of(
                &caller,
                &id,
                &caller.tenant,
                Category::Authentication,
                "session.begin",
                Outcome::Succeeded,
            );
            if let Err(error) = app.trail.write(&record) {
                return refused(&error.into());
            }
            // The browser forgets the token of the session that it had, so that nobody could end that any more.
            if let Some(former) = former {
                app.sessions.end(&former);
            }
            let token = app.sessions.begin(key);
            let lifetime = sessions::LIFETIME.as_secs();
            let mut response = Redirect::to(HOME).into_response();
            set_cookie(&mut response, token.expose(), lifetime, is_secure);
            response
        }
        Err(IdentityError::Missing) => {
            page(StatusCode::UNAUTHORIZED, layout::sign_in(Some("Enter an API key.")))
        }
        Err(error) => {
            app.trail.refused_entry(address, &id, error.code(), "POST /console/session");
            refused(&HttpError::Identity(error))
        }
    }
}

/// `POST /console/session/end`: signs it out.
pub(crate) async fn sign_out(State(app): State<Arc<App>>, request: Request<Body>) -> Response {
    if !comes_from_here(request.headers()) {
        return refuse_foreign();
    }
    if let Some(token) = token_of(request.headers()) {
        app.sessions.end(token);
    }
    let mut response = Redirect::to(HOME).into_response();
    set_cookie(&mut response, "", 0, arrived_encrypted(&request));
    response
}

/// The key of the session that the browser has, if it has one.
pub(crate) fn session_key(app: &App, headers: &HeaderMap) -> Option<String> {
    let key = token_of(headers).and_then(|token| app.sessions.key(token))?;
    Some(key.expose().to_owned())
}

/// The page of who is not let in: the one to sign in, with the reason where a key was shown.
pub(crate) fn refused(error: &HttpError) -> Response {
    match error {
        HttpError::Identity(IdentityError::Missing) => page(StatusCode::UNAUTHORIZED, layout::sign_in(None)),
        other => page(other.status(), layout::sign_in(Some(&other.to_string()))),
    }
}

/// The token in the cookie.
fn token_of(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, token)| token)
}

/// Gives the browser a token for so many seconds; with none left, takes it away. It goes only to the console, and never
/// along with what another site has begun. `Secure` would lose it where Mainstay answers in plain HTTP on one machine, so it
/// is set where the browser came encrypted, to Mainstay or to the proxy before it.
fn set_cookie(response: &mut Response, token: &str, seconds: u64, is_secure: bool) {
    let secure = if is_secure { "; Secure" } else { "" };
    let cookie =
        format!("{COOKIE}={token}; Path=/console; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    protect(response.headers_mut());
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

fn refuse_foreign() -> Response {
    let message = "This form was sent by another site. Open the console itself and try again.";
    page(StatusCode::FORBIDDEN, layout::sign_in(Some(message)))
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
        assert_eq!(token_of(&headers(&[("cookie", "a=1; mainstay_session=77; b=2")])), Some("77"));
        assert_eq!(token_of(&headers(&[("cookie", "xmainstay_session=77")])), None);
        assert_eq!(token_of(&HeaderMap::new()), None);
    }
}
