//! One call of a model at a provider, the same for every API: encode, send, look at the status, decode.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, StatusCode};
use mainstay_domain::chat::{ChatRequest, Delivery};
use mainstay_domain::port::{ChatModel, ChatStream, ModelCall};
use mainstay_domain::{Completion, Deadline, ModelError, ModelErrorKind};
use mainstay_wire::{StreamDecoder, Unsupported, UpstreamError};

use crate::http::{Answer, Endpoint, Expected, HttpClient, retry_after};
use crate::stream::EventStream;

/// What is a provider's own in a call: its URLs and its shapes.
pub(crate) trait Api: Send + Sync + 'static {
    /// Where a request for `model` goes.
    fn endpoint(&self, model: &str, expected: Expected) -> Result<Cow<'_, Endpoint>, UpstreamError>;

    /// Writes the request; `request.delivery` says whether a stream is wanted.
    fn encode(&self, model: &str, request: &ChatRequest) -> Result<Bytes, Unsupported>;

    /// Reads a whole answer.
    fn decode(&self, body: &[u8]) -> Result<Completion, UpstreamError>;

    /// What reads a streamed answer to the request.
    fn stream_decoder(&self, request: &ChatRequest) -> Box<dyn StreamDecoder>;

    /// Reads the body of an answer with an error's status.
    fn decode_error(&self, status: u16, body: &[u8]) -> UpstreamError;

    /// Whether the server refused something that is only a wish of ours, and the request will be encoded without it
    /// from now on.
    fn adapt(&self, _status: StatusCode, _body: &[u8]) -> bool {
        false
    }
}

/// The models of a provider.
pub(crate) struct RemoteModel<A> {
    api: A,
    exchange: Exchange,
}

/// The way to a provider, whatever is asked of it.
#[derive(Clone)]
pub(crate) struct Exchange {
    pub(crate) provider: Arc<str>,
    pub(crate) http: HttpClient,
    pub(crate) max_answer_bytes: usize,
}

/// An error's body is read up to here: enough for any message, and the message is cut shorter still.
const MAX_ERROR_BYTES: usize = 64 << 10;

impl<A: Api> RemoteModel<A> {
    pub(crate) fn new(api: A, exchange: Exchange) -> Self {
        Self { api, exchange }
    }

    /// Sends the request; returns when the provider has accepted it.
    async fn send(&self, call: &ModelCall, expected: Expected) -> Result<Answer, ModelError> {
        let mut adapted = false;
        loop {
            let answer = self.attempt(call, expected).await?;
            if answer.status.is_success() {
                return Ok(answer);
            }
            let refusal = self.exchange.read_refusal(answer).await;
            // Only once, so that a server that refuses whatever we do gets its words to the caller.
            if adapted || !self.api.adapt(refusal.status, &refusal.body) {
                return Err(self
                    .exchange
                    .refused(refusal, |status, body| self.api.decode_error(status, body)));
            }
            adapted = true;
        }
    }

    async fn attempt(&self, call: &ModelCall, expected: Expected) -> Result<Answer, ModelError> {
        let provider = &self.exchange.provider;
        let body =
            self.api.encode(&call.model, &call.request).map_err(|error| error.into_model_error(provider))?;
        let endpoint = self
            .api
            .endpoint(&call.model, expected)
            .map_err(|error| error.into_model_error(provider, None))?;
        self.exchange.post(&endpoint, body, expected, call.deadline).await
    }
}

#[async_trait]
impl<A: Api> ChatModel for RemoteModel<A> {
    async fn complete(&self, mut call: ModelCall) -> Result<Completion, ModelError> {
        call.request.delivery = Delivery::Whole;
        let answer = self.send(&call, Expected::Whole).await?;
        let status = answer.status.as_u16();
        let body = self.exchange.read_whole(answer).await?;
        self.api.decode(&body).map_err(|error| error.into_model_error(&self.exchange.provider, Some(status)))
    }

    async fn stream(&self, mut call: ModelCall) -> Result<ChatStream, ModelError> {
        // Whether the tokens are counted for the caller too is for whoever writes the caller's stream to know.
        call.request.delivery = Delivery::Streamed { include_usage: false };
        let answer = self.send(&call, Expected::Streamed).await?;
        match body_kind(&answer.headers) {
            BodyKind::Stream => {
                let Exchange { provider, http, .. } = &self.exchange;
                let decoder = self.api.stream_decoder(&call.request);
                Ok(Box::pin(EventStream::new(provider.clone(), http.timeouts(), answer, decoder)))
            }
            BodyKind::Html => Err(self.exchange.malformed(answer.status, HTML)),
            BodyKind::Json => {
                let status = answer.status;
                let body = self.exchange.read_whole(answer).await?;
                Err(match self.api.decode(&body) {
                    Ok(_) => self.exchange.malformed(status, NO_STREAM),
                    Err(error) => error.into_model_error(&self.exchange.provider, Some(status.as_u16())),
                })
            }
        }
    }
}

const HTML: &str = "the provider answered HTML instead of its own format; is base_url right?";
const NO_STREAM: &str = "the provider answered in one piece although a stream was asked for";

/// An answer that says no, with the beginning of its body.
pub(crate) struct Refusal {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Exchange {
    /// Sends a request; returns when the status is known.
    pub(crate) async fn post(
        &self,
        endpoint: &Endpoint,
        body: Bytes,
        expected: Expected,
        deadline: Deadline,
    ) -> Result<Answer, ModelError> {
        let answer = self.http.post(endpoint, body, expected, deadline).await;
        answer.map_err(|error| error.into_model_error(&self.provider))
    }

    /// Sends a request and reads its answer, which is not streamed.
    pub(crate) async fn whole<T>(
        &self,
        endpoint: &Endpoint,
        body: Bytes,
        deadline: Deadline,
        decode: impl FnOnce(&[u8]) -> Result<T, UpstreamError>,
        decode_error: impl FnOnce(u16, &[u8]) -> UpstreamError,
    ) -> Result<T, ModelError> {
        let answer = self.post(endpoint, body, Expected::Whole, deadline).await?;
        if !answer.status.is_success() {
            let refusal = self.read_refusal(answer).await;
            return Err(self.refused(refusal, decode_error));
        }
        let status = answer.status.as_u16();
        let body = self.read_whole(answer).await?;
        decode(&body).map_err(|error| error.into_model_error(&self.provider, Some(status)))
    }

    /// Reads an answer that is not streamed.
    pub(crate) async fn read_whole(&self, answer: Answer) -> Result<Bytes, ModelError> {
        let status = answer.status.as_u16();
        let idle = self.http.timeouts().idle;
        answer
            .body
            .read_to_end(self.max_answer_bytes, idle)
            .await
            .map_err(|error| ModelError { status: Some(status), ..error.into_model_error(&self.provider) })
    }

    /// Reads what an answer with an error's status says.
    pub(crate) async fn read_refusal(&self, answer: Answer) -> Refusal {
        let Answer { status, headers, body } = answer;
        let body = body.read_beginning(MAX_ERROR_BYTES, self.http.timeouts().idle).await;
        Refusal { status, headers, body }
    }

    /// The error of an answer with an error's status.
    pub(crate) fn refused(
        &self,
        refusal: Refusal,
        decode: impl FnOnce(u16, &[u8]) -> UpstreamError,
    ) -> ModelError {
        let Refusal { status, headers, body } = refusal;
        if status.is_redirection() {
            return self.malformed(status, &redirected(&headers));
        }
        let mut error = decode(status.as_u16(), &body);
        if status == StatusCode::NOT_FOUND && body.trim_ascii_start().first() != Some(&b'{') {
            error.message = format!("{}, without its own words: is base_url right?", error.message);
        }
        error.kind = with_status(error.kind, status);
        let asked = retry_after(&headers, self.http.clock().now());
        let mut error = error.into_model_error(&self.provider, Some(status.as_u16()));
        error.retry_after = asked.or(error.retry_after);
        error
    }

    fn malformed(&self, status: StatusCode, message: &str) -> ModelError {
        ModelError {
            kind: ModelErrorKind::Malformed,
            provider: self.provider.to_string(),
            status: Some(status.as_u16()),
            message: message.to_owned(),
            retry_after: None,
        }
    }
}

/// What a status says more exactly than the words of a body do: OpenAI calls an overload a "server_error" like any other,
/// and a timeout or a conflict on the provider's side is no fault of the request, whatever its type is called.
fn with_status(kind: ModelErrorKind, status: StatusCode) -> ModelErrorKind {
    match (kind, status.as_u16()) {
        (ModelErrorKind::Provider, 503 | 529) => ModelErrorKind::Overloaded,
        (ModelErrorKind::InvalidRequest, 408 | 409) => ModelErrorKind::Provider,
        (kind, _) => kind,
    }
}

/// Redirects are not followed: a key would go where nobody meant it to go.
fn redirected(headers: &HeaderMap) -> String {
    let target = headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or("another place");
    let target = target.split(['?', '#']).next().unwrap_or(target);
    let shown: String = target.chars().take(200).collect();
    format!("the provider redirects to {shown}, which is not followed; set base_url to where it really is")
}

/// What the body of a successful answer is, by its media type.
enum BodyKind {
    /// A stream of events, or something that does not say what it is: compatible servers are careless.
    Stream,
    Json,
    Html,
}

fn body_kind(headers: &HeaderMap) -> BodyKind {
    let value = headers.get(CONTENT_TYPE).map(|value| value.as_bytes()).unwrap_or_default();
    let media_type = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    match media_type {
        json if json.eq_ignore_ascii_case(b"application/json") => BodyKind::Json,
        html if html.eq_ignore_ascii_case(b"text/html") => BodyKind::Html,
        _ => BodyKind::Stream,
    }
}
