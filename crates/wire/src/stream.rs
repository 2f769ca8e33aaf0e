//! What the streams of all dialects have in common.

use bytes::BytesMut;
use mainstay_domain::chat::ChatEvent;
use serde_json::Value;

use crate::error::{CallerError, UpstreamError};
use crate::sse::Event;

/// Reads a provider's stream. One per stream.
pub trait StreamDecoder: Send {
    /// Appends what an SSE event says to `events`. After an error the stream is over.
    fn decode(&mut self, event: Event<'_>, events: &mut Vec<ChatEvent>) -> Result<(), UpstreamError>;

    /// Whether the provider has said that nothing more will come, so that reading can stop.
    fn is_finished(&self) -> bool;

    /// To be called when the body has ended (or [`StreamDecoder::is_finished`]): appends what was held back, such as
    /// the usage, and fails with [`mainstay_domain::ModelErrorKind::Truncated`] unless the model and the provider both
    /// said that they had finished.
    fn finish(&mut self, events: &mut Vec<ChatEvent>) -> Result<(), UpstreamError>;
}

/// Writes a caller's stream. One per stream.
pub trait StreamEncoder: Send {
    /// Appends the frames of an event to `out`; there may be none.
    fn encode(&mut self, event: &ChatEvent, out: &mut BytesMut);

    /// Mainstay's own object, for the next frame that has a place for it; a later one replaces it.
    fn attach(&mut self, mainstay: Value);

    /// Appends an error, after which the stream is over: [`StreamEncoder::finish`] must not follow, so that the stream
    /// does not look complete.
    fn fail(&mut self, error: &CallerError<'_>, out: &mut BytesMut);

    /// Appends the end of a complete stream.
    fn finish(&mut self, out: &mut BytesMut);
}
