//! OpenAI's chat completions, and every server that is compatible with them.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::StatusCode;
use mainstay_domain::Completion;
use mainstay_domain::chat::ChatRequest;
use mainstay_wire::openai::chat::{ChunkDecoder, RequestOptions, decode_completion, encode_request};
use mainstay_wire::openai::error;
use mainstay_wire::{StreamDecoder, Unsupported, UpstreamError};

use crate::exchange::Api;
use crate::http::{Endpoint, Expected};
use crate::kind::ProviderKind;
use crate::settings::ProviderSettings;

/// `POST {base_url}/chat/completions`.
pub(crate) struct ChatCompletions {
    endpoint: Endpoint,
    kind: ProviderKind,
    /// Set once a server has refused `stream_options`.
    no_stream_options: AtomicBool,
}

impl ChatCompletions {
    pub(crate) fn new(settings: &ProviderSettings) -> Self {
        Self {
            endpoint: Endpoint {
                uri: settings.uri("", "/chat/completions"),
                headers: settings.headers().clone(),
            },
            kind: settings.kind(),
            no_stream_options: AtomicBool::new(false),
        }
    }
}

impl Api for ChatCompletions {
    fn endpoint(&self, _: &str, _: Expected) -> Result<Cow<'_, Endpoint>, UpstreamError> {
        Ok(Cow::Borrowed(&self.endpoint))
    }

    fn encode(&self, model: &str, request: &ChatRequest) -> Result<Bytes, Unsupported> {
        let options = RequestOptions {
            model,
            include_usage: !self.no_stream_options.load(Ordering::Relaxed),
            max_completion_tokens: self.kind == ProviderKind::OpenAi,
        };
        encode_request(request, &options)
    }

    fn decode(&self, body: &[u8]) -> Result<Completion, UpstreamError> {
        decode_completion(body)
    }

    fn stream_decoder(&self, _: &ChatRequest) -> Box<dyn StreamDecoder> {
        Box::new(ChunkDecoder::new())
    }

    fn decode_error(&self, status: u16, body: &[u8]) -> UpstreamError {
        error::decode(status, body)
    }

    /// Servers of before 2024 refuse `stream_options`. The token counts are worth asking for, not worth failing for.
    fn adapt(&self, status: StatusCode, body: &[u8]) -> bool {
        let refused = matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY);
        let words: [&[u8]; 2] = [b"stream_options", b"include_usage"];
        let named = || words.iter().any(|word| body.windows(word.len()).any(|window| window == *word));
        let adapts = self.kind == ProviderKind::OpenAiCompatible && refused && named();
        if adapts {
            self.no_stream_options.store(true, Ordering::Relaxed);
        }
        adapts
    }
}
