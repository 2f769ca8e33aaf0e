//! The events of a streamed answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use mainstay_domain::chat::ChatEvent;
use mainstay_domain::{ModelError, ModelErrorKind, TimeoutPhase};
use mainstay_wire::sse::Decoder;
use mainstay_wire::{StreamDecoder, UpstreamError};

use crate::http::{Answer, AnswerBody, Timeouts, TransportError};

/// Reads a provider's stream. It ends with `None` only after the provider said that it had finished; whatever goes wrong
/// is an `Err`, and the last item.
pub(crate) struct EventStream {
    provider: Arc<str>,
    idle: Duration,
    status: u16,
    /// Taken when nothing more is read.
    body: Option<AnswerBody>,
    sse: Decoder,
    decoder: Box<dyn StreamDecoder>,
    /// Events that have been decoded and not handed out, the next one last.
    ready: Vec<ChatEvent>,
    failure: Option<ModelError>,
    progress: Progress,
}

/// How far the answer has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Not a byte.
    Nothing,
    /// The provider has begun to speak, but there is no token.
    Begun,
    /// Tokens.
    Answering,
}

impl EventStream {
    pub(crate) fn new(
        provider: Arc<str>,
        timeouts: &Timeouts,
        answer: Answer,
        decoder: Box<dyn StreamDecoder>,
    ) -> Self {
        let mut body = answer.body;
        body.enter(TimeoutPhase::FirstToken, timeouts.first_token);
        Self {
            provider,
            idle: timeouts.idle,
            status: answer.status.as_u16(),
            body: Some(body),
            sse: Decoder::default(),
            decoder,
            ready: Vec::new(),
            failure: None,
            progress: Progress::Nothing,
        }
    }

    /// Takes what has arrived.
    fn read(&mut self, bytes: &Bytes) {
        self.sse.push(bytes);
        let decoded = decode_all(&mut self.sse, self.decoder.as_mut(), &mut self.ready);
        self.note_progress();
        match decoded {
            Err(error) => self.fail(error.into_model_error(&self.provider, Some(self.status))),
            Ok(()) if self.decoder.is_finished() => {
                if let Some(body) = self.body.take() {
                    body.discard_end();
                }
                self.finish();
            }
            Ok(()) => {}
        }
        self.ready.reverse();
    }

    /// The body has ended.
    fn end(&mut self) {
        self.body = None;
        match self.decode_rest() {
            Err(error) => self.fail(error.into_model_error(&self.provider, Some(self.status))),
            Ok(()) => self.finish(),
        }
        self.ready.reverse();
    }

    fn decode_rest(&mut self) -> Result<(), UpstreamError> {
        match self.sse.finish()? {
            Some(event) => self.decoder.decode(event, &mut self.ready),
            None => Ok(()),
        }
    }

    fn finish(&mut self) {
        if let Err(mut error) = self.decoder.finish(&mut self.ready) {
            if self.progress == Progress::Nothing && error.kind == ModelErrorKind::Truncated {
                error.message =
                    "the provider opened a stream and ended it without sending anything".to_owned();
            }
            self.failure = Some(error.into_model_error(&self.provider, Some(self.status)));
        }
    }

    /// The body breaks off. Where everything had been said, nothing is missing.
    fn break_off(&mut self, error: TransportError) {
        self.body = None;
        if self.decoder.finish(&mut self.ready).is_err() {
            let error = error.into_model_error(&self.provider);
            self.failure = Some(ModelError { status: Some(self.status), ..error });
        }
        self.ready.reverse();
    }

    /// Nothing more is read. What the provider counted until here is worth knowing, for the bill.
    fn fail(&mut self, error: ModelError) {
        self.body = None;
        let _ = self.decoder.finish(&mut self.ready);
        self.failure = Some(error);
    }

    /// Signs of life count only once there is a token: a provider that pings for ever must not keep a caller waiting.
    fn note_progress(&mut self) {
        let Some(body) = &mut self.body else { return };
        match self.progress {
            Progress::Answering => body.progress(),
            Progress::Nothing | Progress::Begun if self.ready.iter().any(is_token) => {
                self.progress = Progress::Answering;
                body.enter(TimeoutPhase::Idle, self.idle);
            }
            Progress::Nothing | Progress::Begun => self.progress = Progress::Begun,
        }
    }
}

fn is_token(event: &ChatEvent) -> bool {
    matches!(event, ChatEvent::Delta(delta) if delta.has_content() || delta.finish.is_some())
}

fn decode_all(
    sse: &mut Decoder,
    decoder: &mut dyn StreamDecoder,
    events: &mut Vec<ChatEvent>,
) -> Result<(), UpstreamError> {
    while let Some(event) = sse.next_event()? {
        decoder.decode(event, events)?;
    }
    Ok(())
}

impl Stream for EventStream {
    type Item = Result<ChatEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(event) = this.ready.pop() {
                return Poll::Ready(Some(Ok(event)));
            }
            if let Some(error) = this.failure.take() {
                return Poll::Ready(Some(Err(error)));
            }
            let Some(body) = &mut this.body else { return Poll::Ready(None) };
            match ready!(body.poll_bytes(cx)) {
                Some(Ok(bytes)) => this.read(&bytes),
                Some(Err(error)) => this.break_off(error),
                None => this.end(),
            }
        }
    }
}
