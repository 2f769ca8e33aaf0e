//! From an HTTP request to what the gateway needs to know of it: ids, credentials, deadline, body.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, header};
use http_body_util::BodyExt;
use mainstay_cache::Wish;
use mainstay_domain::{Caller, Deadline, RequestId, ServiceTier};
use mainstay_gateway::Context;
use tokio::sync::watch;

use crate::App;
use crate::error::HttpError;

/// The context of a request with this id, by this caller.
pub(crate) fn context_of<B>(app: &App, request: &Request<B>, id: RequestId, caller: Caller) -> Context {
    let headers = request.headers();
    Context {
        request: id,
        caller,
        deadline: Deadline::after(&app.clock, deadline_of(app, headers)),
        client_retries: text(headers, "x-stainless-retry-count")
            .and_then(|count| count.parse().ok())
            .unwrap_or(0),
        address: address_of(app, request),
        place: watch::Sender::new(0),
        team: attribute(headers, "x-mainstay-team"),
        feature: attribute(headers, "x-mainstay-feature"),
        cache: wish_of(headers),
    }
}

/// What a caller says its request is for. It is kept with the cost of the request, so it has a bound.
fn attribute(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = text(headers, name)?.trim();
    (!value.is_empty()).then(|| value.chars().take(MOST_OF_ATTRIBUTE).collect())
}

/// Characters of such a name.
const MOST_OF_ATTRIBUTE: usize = 100;

/// What a caller wishes of the cache, by the words that HTTP has for it.
fn wish_of(headers: &HeaderMap) -> Wish {
    let control = text(headers, header::CACHE_CONTROL.as_str()).unwrap_or_default().to_ascii_lowercase();
    let says = |word: &str| control.split(',').any(|directive| directive.trim() == word);
    let least = text(headers, "x-mainstay-cache-similarity").and_then(|value| value.parse().ok());
    Wish {
        reads: !says("no-cache") && !says("no-store"),
        stores: !says("no-store"),
        // What is no number asks for what cannot be had: the same question.
        least_similarity: least.map_or(0.0, |least: f32| if least.is_finite() { least } else { 1.0 }),
    }
}

/// Where a connection comes from, as [`crate::serve`] notes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    /// Its address.
    pub(crate) address: IpAddr,
    /// Whether it came by TLS.
    pub(crate) encrypted: bool,
}

/// Where the request comes from. Behind a proxy that is what the proxy says, in the last entry of `X-Forwarded-For`: those
/// before it are whatever the client wrote.
pub(crate) fn address_of<B>(app: &App, request: &Request<B>) -> Option<IpAddr> {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.address);
    if !app.settings.behind_proxy {
        return peer;
    }
    let forwarded = request.headers().get_all("x-forwarded-for").iter().next_back();
    let last = forwarded.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    last.or(peer)
}

/// The key of `Authorization: Bearer …` as OpenAI's clients send it, or of `x-api-key` as Anthropic's do.
pub(crate) fn presented_key(headers: &HeaderMap) -> Option<String> {
    let bearer = text(headers, header::AUTHORIZATION.as_str()).and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    bearer.or_else(|| text(headers, "x-api-key")).map(str::to_owned)
}

/// The server's deadline, or the caller's own where that is sooner.
fn deadline_of(app: &App, headers: &HeaderMap) -> Duration {
    let own = text(headers, "x-request-deadline-ms")
        .and_then(|value| value.parse().ok())
        .map(Duration::from_millis);
    own.map_or(app.settings.deadline, |own| own.min(app.settings.deadline))
}

/// The header in which a caller of a chat route says how much work the order of the passages is worth. The bodies of those
/// routes have no field for it: OpenAI's `service_tier` is the provider's.
const TIER: &str = "x-mainstay-tier";

/// The tier that a caller asks for, if it does.
pub(crate) fn tier_of(headers: &HeaderMap) -> Result<Option<ServiceTier>, HttpError> {
    let Some(value) = headers.get(TIER) else { return Ok(None) };
    let tier = value.to_str().unwrap_or_default().parse();
    tier.map(Some).map_err(|unknown| HttpError::Invalid {
        message: format!("the header {TIER} names no service tier: {unknown}"),
        param: Some(TIER.to_owned()),
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The media type of a request's body, lower case, without parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = text(headers, header::CONTENT_TYPE.as_str())?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// Reads a request's body, within the limits of size and time.
pub(crate) async fn read_body(app: &App, request: Request<Body>) -> Result<Bytes, HttpError> {
    read_body_within(app, request, app.settings.body_limit).await
}

/// The same with a limit of its own, in bytes.
pub(crate) async fn read_body_within(
    app: &App,
    request: Request<Body>,
    limit: usize,
) -> Result<Bytes, HttpError> {
    let waits = text(request.headers(), header::EXPECT.as_str()).is_some();
    check_encoding(request.headers())?;
    let mut body = request.into_body();
    let mut reading = Reading::default();
    let read = app.clock.timeout(app.settings.body_timeout, reading.read(&mut body, limit, waits)).await;
    match read {
        Some(Ok(())) => Ok(reading.whole()),
        Some(Err(error)) => Err(error),
        None if reading.is_too_large => Err(HttpError::BodyTooLarge { limit }),
        None => Err(HttpError::BodyTimeout { limit: app.settings.body_timeout }),
    }
}

/// Refuses a body that is compressed: what it unpacks to has no bound that was agreed on.
fn check_encoding(headers: &HeaderMap) -> Result<(), HttpError> {
    let encoding = text(headers, header::CONTENT_ENCODING.as_str()).unwrap_or("identity").trim();
    if encoding.is_empty() || encoding.eq_ignore_ascii_case("identity") {
        return Ok(());
    }
    let message =
        format!("the body has the content-encoding {encoding:?}; send it as it is, without content-encoding");
    Err(HttpError::UnsupportedMediaType { message })
}

/// A body on its way.
#[derive(Default)]
struct Reading {
    first: Bytes,
    rest: BytesMut,
    is_too_large: bool,
}

impl Reading {
    /// Reads until the end. What is more than the limit is read and thrown away: who still writes when the connection
    /// closes sees a broken pipe and never the answer. Who waits for a go-ahead (`waits`) has not begun to write.
    async fn read(&mut self, body: &mut Body, limit: usize, waits: bool) -> Result<(), HttpError> {
        self.is_too_large = http_body::Body::size_hint(body).lower() > limit as u64;
        if self.is_too_large && waits {
            return Err(HttpError::BodyTooLarge { limit });
        }
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| HttpError::BodyInterrupted)?.into_data() else { continue };
            self.is_too_large |= self.first.len() + self.rest.len() + data.len() > limit;
            if self.is_too_large {
                (self.first, self.rest) = (Bytes::new(), BytesMut::new());
            } else if self.first.is_empty() {
                // Most bodies come in one piece, which needs no copy.
                self.first = data;
            } else {
                self.rest.extend_from_slice(&data);
            }
        }
        if self.is_too_large { Err(HttpError::BodyTooLarge { limit }) } else { Ok(()) }
    }

    fn whole(self) -> Bytes {
        if self.rest.is_empty() {
            return self.first;
        }
        let mut whole = BytesMut::with_capacity(self.first.len() + self.rest.len());
        whole.extend_from_slice(&self.first);
        whole.extend_from_slice(&self.rest);
        whole.freeze()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    async fn read(pieces: &[&'static [u8]], limit: usize) -> Result<Bytes, HttpError> {
        let pieces: Vec<_> =
            pieces.iter().map(|piece| Ok::<_, std::io::Error>(Bytes::from_static(piece))).collect();
        let mut body = Body::from_stream(stream::iter(pieces));
        let mut reading = Reading::default();
        reading.read(&mut body, limit, false).await?;
        // Nothing is left that the sender would still have to write.
        assert!(body.frame().await.is_none());
        Ok(reading.whole())
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_the_limit_and_to_its_end_beyond_it() {
        assert_eq!(read(&[b"ab", b"cd", b"e"], 5).await.unwrap(), "abcde");
        let error = read(&[b"ab", b"cd", b"ef"], 5).await.unwrap_err();
        assert!(matches!(error, HttpError::BodyTooLarge { limit: 5 }));
    }

    #[tokio::test]
    async fn who_waits_for_a_go_ahead_is_refused_before_anything_is_sent() {
        let (mut reading, mut body) = (Reading::default(), Body::from("abcdef"));
        let refused = reading.read(&mut body, 5, true).await;
        assert!(matches!(refused, Err(HttpError::BodyTooLarge { .. })));
        assert!(body.frame().await.is_some(), "the body was read");
    }

    #[test]
    fn a_tier_is_asked_for_by_its_name_or_not_at_all() {
        let with = |tier: &'static [u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(TIER, http::HeaderValue::from_bytes(tier).unwrap());
            tier_of(&headers)
        };
        assert_eq!(tier_of(&HeaderMap::new()).unwrap(), None);
        assert_eq!(with(b"fast").unwrap(), Some(ServiceTier::Fast));
        for wrong in [&b"turbo"[..], b"", b"\xff"] {
            assert!(with(wrong).unwrap_err().to_string().contains("`fast` or `quality`"));
        }
    }

    #[test]
    fn a_compressed_body_is_refused_by_its_encoding() {
        let with = |encoding: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_ENCODING, encoding.parse().unwrap());
            check_encoding(&headers)
        };
        assert!(check_encoding(&HeaderMap::new()).is_ok() && with("Identity").is_ok());
        let message = with("gzip").unwrap_err().to_string();
        assert!(message.contains("content-encoding \"gzip\""), "{message}");
    }
}
