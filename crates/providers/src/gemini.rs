//! Google's Gemini.

use std::borrow::Cow;

use bytes::Bytes;
use http::HeaderMap;
use mainstay_domain::chat::ChatRequest;
use mainstay_domain::{Completion, ModelErrorKind};
use mainstay_wire::gemini::{ChunkDecoder, decode_completion, encode_request, error};
use mainstay_wire::{StreamDecoder, Unsupported, UpstreamError};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::exchange::Api;
use crate::http::{Endpoint, Expected};
use crate::settings::ProviderSettings;

/// `POST {base_url}/v1beta/models/{model}:generateContent`: the model is part of the URL.
pub(crate) struct GenerateContent {
    urls: ModelUrls,
}

/// The URLs of models.
#[derive(Clone)]
pub(crate) struct ModelUrls {
    /// `{base_url}/v1beta/models/`
    base: String,
    headers: HeaderMap,
}

/// What may stand in a segment of a path as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl ModelUrls {
    pub(crate) fn new(settings: &ProviderSettings) -> Self {
        Self { base: settings.url("/v1beta", "/models/"), headers: settings.headers().clone() }
    }

    /// Where `verb` is asked of `model`.
    pub(crate) fn endpoint(&self, model: &str, verb: &str) -> Result<Endpoint, UpstreamError> {
        let url = format!("{}{}:{verb}", self.base, utf8_percent_encode(model, SEGMENT));
        match url.parse() {
            Ok(uri) => Ok(Endpoint { uri, headers: self.headers.clone() }),
            // The name comes from a caller.
            Err(_) => Err(UpstreamError::new(
                ModelErrorKind::ModelNotFound,
                "there is no such model: its name is longer than a URL can be",
            )),
        }
    }
}

impl GenerateContent {
    pub(crate) fn new(settings: &ProviderSettings) -> Self {
        Self { urls: ModelUrls::new(settings) }
    }
}

impl Api for GenerateContent {
    fn endpoint(&self, model: &str, expected: Expected) -> Result<Cow<'_, Endpoint>, UpstreamError> {
        let verb = match expected {
            Expected::Whole => "generateContent",
            Expected::Streamed => "streamGenerateContent?alt=sse",
        };
        self.urls.endpoint(model, verb).map(Cow::Owned)
    }

    fn encode(&self, _: &str, request: &ChatRequest) -> Result<Bytes, Unsupported> {
        encode_request(request)
    }

    fn decode(&self, body: &[u8]) -> Result<Completion, UpstreamError> {
        decode_completion(body)
    }

    fn stream_decoder(&self, request: &ChatRequest) -> Box<dyn StreamDecoder> {
        Box::new(ChunkDecoder::new(request.n.unwrap_or(1) as usize))
    }

    fn decode_error(&self, status: u16, body: &[u8]) -> UpstreamError {
        error::decode(status, body)
    }
}
