//! The pages of the console, made on the server: they need no JavaScript, load nothing from elsewhere, and show documents
//! as the text that they are.

mod document_page;
mod layout;
mod search_page;
mod session;

pub(crate) use document_page::document;
pub(crate) use search_page::search;
#[cfg(test)]
pub(crate) use session::COOKIE;
pub(crate) use session::{log_in, logged_in, refused, session_of, sign_in, sign_out};

use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use maud::Markup;

/// What every page may do: show itself, with the style sheet of the console, and send forms to where it came from. Beside it
/// [`style`] is the only thing that it loads.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A page to ask questions from a browser.
pub(crate) async fn ask() -> impl IntoResponse {
    // The page loads nothing from anywhere and may talk only to where it came from.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                  base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(include_str!("../../assets/console.html")))
}

/// The style sheet of the pages.
pub(crate) async fn style() -> impl IntoResponse {
    let headers =
        [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (headers, include_str!("../../assets/console.css"))
}

/// A page, with what keeps it from being kept, framed, or told about.
fn page(status: StatusCode, markup: Markup) -> Response {
    let mut response = (status, Html(markup.into_string())).into_response();
    protect(response.headers_mut());
    response
}

/// The headers of a page with somebody's documents on it. The address of a page has the question in it: only pages of the
/// console learn it.
fn protect(headers: &mut HeaderMap) {
    let fixed: [(HeaderName, &str); 4] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
