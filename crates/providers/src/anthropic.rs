//! Anthropic's messages.

use std::borrow::Cow;

use bytes::Bytes;
use mainstay_domain::Completion;
use mainstay_domain::chat::ChatRequest;
use mainstay_wire::anthropic::error;
use mainstay_wire::anthropic::messages::{EventDecoder, RequestOptions, decode_completion, encode_request};
use mainstay_wire::{StreamDecoder, Unsupported, UpstreamError};

use crate::exchange::Api;
use crate::http::{Endpoint, Expected};
use crate::settings::ProviderSettings;

/// `POST {base_url}/v1/messages`.
pub(crate) struct Messages {
    endpoint: Endpoint,
}

impl Messages {
    /// Anthropic demands a limit on the answer. Where the caller sets none: the most that every Claude model can give.
    const DEFAULT_MAX_TOKENS: u64 = 4_096;

    pub(crate) fn new(settings: &ProviderSettings) -> Self {
        Self {
            endpoint: Endpoint { uri: settings.uri("/v1", "/messages"), headers: settings.headers().clone() },
        }
    }
}

impl Api for Messages {
    fn endpoint(&self, _: &str, _: Expected) -> Result<Cow<'_, Endpoint>, UpstreamError> {
        Ok(Cow::Borrowed(&self.endpoint))
    }

    fn encode(&self, model: &str, request: &ChatRequest) -> Result<Bytes, Unsupported> {
        encode_request(request, &RequestOptions { model, default_max_tokens: Self::DEFAULT_MAX_TOKENS })
    }

    fn decode(&self, body: &[u8]) -> Result<Completion, UpstreamError> {
        decode_completion(body)
    }

    fn stream_decoder(&self, _: &ChatRequest) -> Box<dyn StreamDecoder> {
        Box::new(EventDecoder::new())
    }

    fn decode_error(&self, status: u16, body: &[u8]) -> UpstreamError {
        error::decode(status, body)
    }
}
