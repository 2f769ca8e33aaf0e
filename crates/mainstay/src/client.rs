//! The verbs' client of Mainstay's own HTTP API.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::rt::TokioExecutor;
use mainstay_providers::http::{Connector, connector};
use mainstay_wire::sse;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;

use crate::printable;

/// A client of one running Mainstay.
#[derive(Clone)]
pub(crate) struct Client {
    http: HyperClient<Connector, Full<Bytes>>,
    url: String,
    key: String,
    /// The approval that another person gave for what is done.
    approval: Option<String>,
    /// Whose things are meant, where they are not the key's own.
    tenant: Option<String>,
    body_limit: usize,
}

/// Who may vouch for a server, instead of Mozilla's roots.
#[derive(Clone)]
pub(crate) struct Authorities(Arc<RootCertStore>);

impl Authorities {
    /// The certificates of a PEM file; `None` where it has none that can be used.
    pub(crate) fn of_pem(pem: &[u8]) -> Option<Self> {
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
        let mut roots = RootCertStore::empty();
        let (added, unusable) = roots.add_parsable_certificates(certificates);
        (added > 0 && unusable == 0).then(|| Self(Arc::new(roots)))
    }
}

/// More than this is not read into memory, whatever the other side would take.
const LARGEST_BODY: usize = 1 << 30;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nothing answers.
    #[error("no Mainstay answers at {url}")]
    Unreachable {
        url: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It refused.
    #[error("{} (status {status}, code {code})", printable::lines(.message))]
    Refused { status: u16, code: String, message: String, retry_after: Option<Duration> },
    /// It broke off, or said what is no JSON.
    #[error("the answer of {url} cannot be read: {reason}")]
    Unreadable { url: String, reason: String },
}

impl ClientError {
    /// Whether what was asked is wrong, so that asking again does not help.
    pub(crate) fn is_bad_input(&self) -> bool {
        matches!(self, Self::Refused { status: 400 | 401 | 403 | 404 | 413 | 415 | 422, .. })
    }

    /// After how long the same may be asked again, where too much was asked.
    pub(crate) fn asked_too_much(&self) -> Option<Duration> {
        match self {
            Self::Refused { status: 429, retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl Client {
    /// A client of the Mainstay at `url` with this API key. Certificates are Mozilla's roots' or those of `ca`.
    pub(crate) fn new(url: &str, key: &str, ca: Option<&Authorities>) -> Self {
        let connector = connector(ca.map(|Authorities(roots)| Arc::clone(roots)));
        let http = HyperClient::builder(TokioExecutor::new()).build(connector);
        Self {
            http,
            url: url.trim_end_matches('/').to_owned(),
            key: key.to_owned(),
            approval: None,
            tenant: None,
            body_limit: LARGEST_BODY,
        }
    }

    /// The same, for a change that another person has agreed to.
    pub(crate) fn with_approval(self, approval: Option<String>) -> Self {
        Self { approval, ..self }
    }

    /// The same, for what belongs to this tenant.
    pub(crate) fn of_tenant(self, tenant: Option<String>) -> Self {
        Self { tenant, ..self }
    }

    /// The same, where it is known how much one request may carry.
    pub(crate) fn with_body_limit(self, body_limit: usize) -> Self {
        Self { body_limit: body_limit.min(LARGEST_BODY), ..self }
    }

    /// The most bytes that one request may carry, as far as it is known.
    pub(crate) fn body_limit(&self) -> usize {
        self.body_limit
    }

    /// `GET`
    pub(crate) async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.call(Method::GET, path, None, Bytes::new()).await
    }

    /// `GET` of what is text, such as metrics.
    pub(crate) async fn get_text(&self, path: &str) -> Result<String, ClientError> {
        let unreadable = |reason: String| ClientError::Unreadable { url: self.url.clone(), reason };
        let response = self.send(Method::GET, path, None, Bytes::new()).await?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        let bytes = collect(response.into_body()).await.map_err(|error| unreadable(error.to_string()))?;
        String::from_utf8(bytes.to_vec()).map_err(|error| unreadable(error.to_string()))
    }

    /// `POST` with a JSON body.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.call(Method::POST, path, Some("application/json"), Bytes::from(body.to_string())).await
    }

    /// `POST` with a body of any media type.
    pub(crate) async fn post_bytes(
        &self,
        path: &str,
        media_type: &str,
        body: Bytes,
    ) -> Result<Value, ClientError> {
        self.call(Method::POST, path, Some(media_type), body).await
    }

    /// `PATCH` with a JSON body.
    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.call(Method::PATCH, path, Some("application/json"), Bytes::from(body.to_string())).await
    }

    /// `DELETE`
    pub(crate) async fn delete(&self, path: &str) -> Result<Value, ClientError> {
        self.call(Method::DELETE, path, None, Bytes::new()).await
    }

    /// `POST` whose answer streams.
    pub(crate) async fn stream(&self, path: &str, body: &Value) -> Result<Events, ClientError> {
        let response =
            self.send(Method::POST, path, Some("application/json"), Bytes::from(body.to_string())).await?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        Ok(Events { url: self.url.clone(), body: response.into_body(), decoder: sse::Decoder::default() })
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        media_type: Option<&str>,
        body: Bytes,
    ) -> Result<Value, ClientError> {
        let response = self.send(method, path, media_type, body).await?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        self.read_json(response).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        media_type: Option<&str>,
        body: Bytes,
    ) -> Result<Response<Incoming>, ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key));
        if let Some(media_type) = media_type {
            request = request.header(header::CONTENT_TYPE, media_type);
        }
        if let Some(tenant) = &self.tenant {
            request = request.header("x-mainstay-tenant", tenant);
        }
        if let Some(approval) = &self.approval {
            request = request.header("x-mainstay-approval", approval);
        }
        let unreachable = |source: Box<dyn std::error::Error + Send + Sync>| ClientError::Unreachable {
            url: self.url.clone(),
            source,
        };
        let request = request.body(Full::new(body)).map_err(|error| unreachable(error.into()))?;
        self.http.request(request).await.map_err(|error| unreachable(error.into()))
    }

    async fn read_json(&self, response: Response<Incoming>) -> Result<Value, ClientError> {
        let unreadable = |reason: String| ClientError::Unreadable { url: self.url.clone(), reason };
        let bytes = collect(response.into_body()).await.map_err(|error| unreadable(error.to_string()))?;
        serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))
    }

    async fn refusal(&self, response: Response<Incoming>) -> ClientError {
        let status: StatusCode = response.status();
        let retry_after = response.headers().get("retry-after-ms");
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
        match self.read_json(response).await {
            Ok(body) => {
                let field = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
                ClientError::Refused {
                    status: status.as_u16(),
                    code: field("code"),
                    message: field("message"),
                    retry_after: retry_after.map(Duration::from_millis),
                }
            }
            Err(error) => error,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the answers of our own server, which the user asked for")]
async fn collect(body: Incoming) -> Result<Bytes, hyper::Error> {
    Ok(body.collect().await?.to_bytes())
}

/// The events of a streamed answer.
pub(crate) struct Events {
    url: String,
    body: Incoming,
    decoder: sse::Decoder,
}

impl Events {
    /// The next event; `None` after `[DONE]`. A stream that ends without it is an error.
    pub(crate) async fn next(&mut self) -> Result<Option<Value>, ClientError> {
        let unreadable = |reason: String| ClientError::Unreadable { url: self.url.clone(), reason };
        loop {
            let event = self.decoder.next_event().map_err(|error| unreadable(error.to_string()))?;
            if let Some(event) = event {
                if event.data == "[DONE]" {
                    return Ok(None);
                }
                return serde_json::from_str(event.data)
                    .map(Some)
                    .map_err(|error| unreadable(error.to_string()));
            }
            let frame = self.body.frame().await.ok_or_else(|| unreadable("it broke off".to_owned()))?;
            let frame = frame.map_err(|error| unreadable(error.to_string()))?;
            if let Some(data) = frame.data_ref() {
                self.decoder.push(data);
            }
        }
    }
}
