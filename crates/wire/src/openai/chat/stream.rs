//! Streamed answers: a provider's chunks are read, a caller's written.
//!
//! The hot path of the product: per chunk it is one pass over the JSON, one allocation for the text, and one copy into
//! the output.

use bytes::{BufMut, BytesMut};
use mainstay_domain::Usage;
use mainstay_domain::chat::{ChatEvent, ChoiceDelta, StreamStart, ToolCallDelta};
use serde_json::Value;

use super::answer::{AnswerFields, ChoiceFields, ToolCallFields};
use super::response::{generated_call_id, write_annotations};
use super::usage::encode_usage;
use super::{finish_reason, finish_reason_text};
use crate::ANTHROPIC_EXTRA;
use crate::error::{CallerError, UpstreamError};
use crate::json::read::Read;
use crate::json::write::{self, Object};
use crate::openai::error;
use crate::repeat::RepeatedChunk;
use crate::sse::{DONE, Event};
use crate::stream::{StreamDecoder, StreamEncoder};

/// Reads a provider's chunks.
///
/// Tolerates what compatible servers do: repeated ids and names, missing tool indices, finish reasons sent twice,
/// usage in every chunk or in none, chunks without choices. It does not tolerate an end without a `finish_reason` for
/// every choice and `[DONE]`.
#[derive(Debug, Default)]
pub struct ChunkDecoder {
    /// The answer's id, once known.
    id: Option<String>,
    choices: Vec<ChoiceProgress>,
    /// The last usage seen; some servers send a running one.
    usage: Option<Usage>,
    done: bool,
    /// The last chunk that had nothing but text for one choice, and which choice.
    repeated: RepeatedChunk,
    repeated_choice: u32,
    /// Whether that chunk had padding.
    repeated_padding: bool,
}

/// What has been seen of one choice.
#[derive(Debug)]
struct ChoiceProgress {
    index: u32,
    finished: bool,
    /// The calls, in the order in which they began; a call's place is its index for the caller.
    tool_calls: Vec<ToolCallProgress>,
}

#[derive(Debug)]
struct ToolCallProgress {
    /// The server's index of it.
    index: u64,
    id: String,
    named: bool,
}

impl ChunkDecoder {
    /// A decoder for one stream.
    pub fn new() -> Self {
        Self::default()
    }

    fn start(&mut self, answer: &mut AnswerFields<'_>, events: &mut Vec<ChatEvent>) {
        // Azure's first chunk has no id, no model and no choices.
        if self.id.is_some() || (answer.choices.is_empty() && answer.id.as_deref().is_none_or(str::is_empty))
        {
            return;
        }
        let id = answer.id.take().unwrap_or_default().into_owned();
        self.id = Some(id.clone());
        events.push(ChatEvent::Start(StreamStart {
            id,
            model: answer.model.take().unwrap_or_default().into_owned(),
            created: answer.created,
            extra: answer.take_extra(),
        }));
    }

    /// Remembers a chunk whose only event is a piece of text.
    fn learn(&mut self, data: &str, event: Option<&ChatEvent>) {
        if let Some(ChatEvent::Delta(delta)) = event
            && let Some(text) = only_text(delta)
        {
            let (unpadded, padding) = without_padding(data);
            self.repeated.learn(unpadded, "content", text);
            self.repeated_choice = delta.choice;
            self.repeated_padding = padding;
        }
    }

    fn choice(&mut self, choice: ChoiceFields<'_>, events: &mut Vec<ChatEvent>) -> Result<(), UpstreamError> {
        let index = u32::try_from(choice.index)
            .map_err(|_| UpstreamError::malformed("the `index` of a choice is out of range"))?;
        let id = self.id.as_deref().unwrap_or_default();
        let position = self.choices.iter().position(|known| known.index == index).unwrap_or_else(|| {
            self.choices.push(ChoiceProgress { index, finished: false, tool_calls: Vec::new() });
            self.choices.len() - 1
        });
        let progress = &mut self.choices[position];
        let message = choice.message;
        let finish = choice.finish_reason.filter(|_| !progress.finished).map(|reason| finish_reason(&reason));
        progress.finished |= finish.is_some();
        let delta = ChoiceDelta {
            choice: index,
            text: message.text.filter(|text| !text.is_empty()),
            refusal: message.refusal.filter(|text| !text.is_empty()),
            reasoning: message.reasoning.filter(|text| !text.is_empty()),
            tool_calls: message.tool_calls.into_iter().map(|call| progress.tool_call(call, id)).collect(),
            citations: Vec::new(),
            finish,
            logprobs: choice.logprobs,
            extra: message.extra,
        };
        if delta.has_content()
            || delta.finish.is_some()
            || delta.logprobs.is_some()
            || !delta.extra.is_empty()
        {
            events.push(ChatEvent::Delta(delta));
        }
        Ok(())
    }
}

impl ChoiceProgress {
    /// Brings a fragment into the canonical form: index by order, id and name in the first fragment only.
    fn tool_call(&mut self, call: ToolCallFields, answer: &str) -> ToolCallDelta {
        let known = match (call.index, &call.id) {
            (Some(index), id) => self
                .tool_calls
                .iter()
                .rposition(|known| known.index == index)
                // Old Ollama gives every call the index 0, and a new id.
                .filter(|at| id.as_ref().is_none_or(|id| *id == self.tool_calls[*at].id)),
            (None, Some(id)) => self.tool_calls.iter().position(|known| known.id == *id),
            (None, None) => self.tool_calls.len().checked_sub(1),
        };
        let (position, id) = match known {
            Some(position) => (position, None),
            None => {
                let position = self.tool_calls.len();
                let id = call.id.unwrap_or_else(|| generated_call_id(answer, position));
                let index = call.index.unwrap_or(position as u64);
                self.tool_calls.push(ToolCallProgress { index, id: id.clone(), named: false });
                (position, Some(id))
            }
        };
        let progress = &mut self.tool_calls[position];
        let name = call.function.name.filter(|_| !progress.named);
        progress.named |= name.is_some();
        ToolCallDelta {
            index: position as u32,
            id,
            name,
            arguments: call.function.arguments,
            extra: call.extra,
        }
    }
}

impl StreamDecoder for ChunkDecoder {
    fn decode(&mut self, event: Event<'_>, events: &mut Vec<ChatEvent>) -> Result<(), UpstreamError> {
        if self.done {
            return Ok(());
        }
        let data = event.data;
        let (unpadded, padding) = without_padding(data);
        if padding == self.repeated_padding
            && let Some(text) = self.repeated.text(unpadded)
        {
            if !text.is_empty() {
                let text = Some(text.into_owned());
                let delta = ChoiceDelta { choice: self.repeated_choice, text, ..ChoiceDelta::default() };
                events.push(ChatEvent::Delta(delta));
            }
            return Ok(());
        }
        if data.trim() == "[DONE]" {
            self.done = true;
            return Ok(());
        }
        let Read(mut answer) = serde_json::from_str::<Read<AnswerFields<'_>>>(data)
            .map_err(|error| UpstreamError::unreadable(data.as_bytes(), &error))?;
        if let Some(error) = answer.take_error() {
            return Err(error::read(&error, None));
        }
        self.start(&mut answer, events);
        let one_choice = answer.choices.len() == 1;
        for choice in answer.choices {
            self.choice(choice, events)?;
        }
        match answer.usage {
            Some(usage) => self.usage = Some(usage.usage()),
            None if one_choice => self.learn(data, events.last()),
            None => {}
        }
        Ok(())
    }

    fn is_finished(&self) -> bool {
        self.done
    }

    fn finish(&mut self, events: &mut Vec<ChatEvent>) -> Result<(), UpstreamError> {
        let answered = !self.choices.is_empty() && self.choices.iter().all(|choice| choice.finished);
        // Before the end a running count is not the final one.
        if let Some(usage) = self.usage.take().filter(|_| answered) {
            events.push(ChatEvent::Usage(usage));
        }
        if self.done && answered { Ok(()) } else { Err(UpstreamError::truncated()) }
    }
}

/// The text of a delta that has nothing else.
fn only_text(delta: &ChoiceDelta) -> Option<&str> {
    let ChoiceDelta { choice: _, text, refusal, reasoning, tool_calls, citations, finish, logprobs, extra } =
        delta;
    let alone = refusal.is_none()
        && reasoning.is_none()
        && tool_calls.is_empty()
        && citations.is_empty()
        && finish.is_none()
        && logprobs.is_none()
        && extra.is_empty();
    text.as_deref().filter(|_| alone)
}

/// A chunk without the random padding that OpenAI puts at its end, which would make every chunk another, and whether
/// there was any. What is left is not JSON, but says all that the chunk says: the field is passed over anyway.
fn without_padding(chunk: &str) -> (&str, bool) {
    const PADDING: &[u8] = b",\"obfuscation\":\"";
    /// Far more than what has been seen; every chunk is searched for it.
    const LONGEST: usize = 96;
    if !chunk.ends_with("\"}") {
        return (chunk, false);
    }
    let tail = chunk.len().saturating_sub(LONGEST);
    let Some(start) = memchr::memmem::rfind(&chunk.as_bytes()[tail..], PADDING) else {
        return (chunk, false);
    };
    match chunk.as_bytes().get(tail + start + PADDING.len()..chunk.len() - 2) {
        Some(padding) if padding.iter().all(u8::is_ascii_alphanumeric) => (&chunk[..tail + start], true),
        _ => (chunk, false),
    }
}

/// How a stream for a caller is written.
#[derive(Clone, Debug)]
pub struct ChunkOptions {
    /// The answer's id, `chatcmpl-…`.
    pub id: String,
    /// When it began, in seconds since 1970.
    pub created: i64,
    /// The model that really answers, as the caller knows it; `None` for the provider's own name.
    pub model: Option<String>,
    /// Whether the caller asked for the token counts: then every chunk has a `usage`, null in all but the last.
    pub include_usage: bool,
}

/// Writes a caller's chunks.
#[derive(Debug)]
pub struct ChunkEncoder {
    options: ChunkOptions,
    /// The start of every frame, up to and including `"choices":[`.
    head: Vec<u8>,
    /// The start of a frame that has only text for the first choice, up to the text, and its end.
    text_head: Vec<u8>,
    text_tail: &'static [u8],
    /// The choices that have spoken: the first delta of each carries the role.
    spoken: Vec<u32>,
    usage: Option<Usage>,
    mainstay: Option<Value>,
}

impl ChunkEncoder {
    /// An encoder for one stream.
    pub fn new(options: ChunkOptions) -> Self {
        let text_tail: &[u8] = match options.include_usage {
            true => b"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n",
            false => b"},\"logprobs\":null,\"finish_reason\":null}]}\n\n",
        };
        let mut encoder = Self {
            options,
            head: Vec::new(),
            text_head: Vec::new(),
            text_tail,
            spoken: Vec::new(),
            usage: None,
            mainstay: None,
        };
        encoder.write_head(&StreamStart {
            id: String::new(),
            model: String::new(),
            created: None,
            extra: mainstay_domain::chat::Extra::new(),
        });
        encoder
    }

    fn write_head(&mut self, start: &StreamStart) {
        let mut out = BytesMut::with_capacity(256);
        out.put_slice(b"data: ");
        // Left open: every chunk continues after the bracket.
        {
            let mut chunk = Object::new(&mut out);
            chunk.text("id", &self.options.id);
            chunk.text("object", "chat.completion.chunk");
            chunk.integer("created", self.options.created);
            chunk.text("model", self.options.model.as_deref().unwrap_or(&start.model));
            chunk.extra_except(&start.extra, &[ANTHROPIC_EXTRA]);
            chunk.key("choices").put_u8(b'[');
        }
        out.truncate(out.len() - 1);
        self.head = out.to_vec();
        out.put_slice(b"{\"index\":0,\"delta\":{\"content\":");
        self.text_head = out.to_vec();
    }

    fn delta(&mut self, delta: &ChoiceDelta, out: &mut BytesMut) {
        if is_foreign(delta) {
            return;
        }
        let first = !self.spoken.contains(&delta.choice);
        if first {
            self.spoken.push(delta.choice);
        } else if let (0, None, Some(text)) = (delta.choice, &self.mainstay, only_text(delta)) {
            out.reserve(self.text_head.len() + text.len() + self.text_tail.len() + 8);
            out.put_slice(&self.text_head);
            write::text(out, text);
            out.put_slice(self.text_tail);
            return;
        }
        out.reserve(self.head.len() + 128);
        out.put_slice(&self.head);
        {
            let mut choice = Object::new(out);
            choice.integer("index", delta.choice);
            write_delta(delta, first, choice.object("delta"));
            match &delta.logprobs {
                Some(logprobs) => choice.value("logprobs", logprobs),
                None => choice.null("logprobs"),
            }
            choice.nullable_text("finish_reason", delta.finish.as_ref().map(finish_reason_text));
        }
        out.put_u8(b']');
        if self.options.include_usage {
            out.put_slice(b",\"usage\":null");
        }
        self.end_frame(out);
    }

    fn end_frame(&mut self, out: &mut BytesMut) {
        if let Some(mainstay) = self.mainstay.take() {
            out.put_slice(b",\"mainstay\":");
            write::serialize(out, &mainstay);
        }
        out.put_slice(b"}\n\n");
    }
}

/// Whether the delta carries only what callers of another dialect can use.
fn is_foreign(delta: &ChoiceDelta) -> bool {
    !delta.has_content()
        && delta.text.is_none()
        && delta.finish.is_none()
        && delta.logprobs.is_none()
        && delta.citations.is_empty()
        && !delta.extra.is_empty()
        && delta.extra.keys().all(|name| name == ANTHROPIC_EXTRA)
}

fn write_delta(delta: &ChoiceDelta, first: bool, mut out: Object<'_>) {
    if first {
        out.text("role", "assistant");
    }
    match &delta.text {
        Some(text) => out.text("content", text),
        None if first && !delta.tool_calls.is_empty() => out.null("content"),
        None if first => out.text("content", ""),
        None => {}
    }
    out.optional_text("refusal", delta.refusal.as_deref());
    out.optional_text("reasoning_content", delta.reasoning.as_deref());
    if !delta.tool_calls.is_empty() {
        let mut calls = out.array("tool_calls");
        for call in &delta.tool_calls {
            write_tool_call(call, calls.object());
        }
    }
    let annotations = delta.extra.get("annotations");
    if annotations.is_some() || !delta.citations.is_empty() {
        write_annotations(annotations, &delta.citations, out.array("annotations"));
    }
    if !delta.extra.is_empty() {
        out.extra_except(&delta.extra, &[ANTHROPIC_EXTRA, "annotations"]);
    }
}

fn write_tool_call(call: &ToolCallDelta, mut out: Object<'_>) {
    out.integer("index", call.index);
    let custom = call.extra.get("type").and_then(Value::as_str) == Some("custom");
    let (body, arguments) = if custom { ("custom", "input") } else { ("function", "arguments") };
    if let Some(id) = &call.id {
        out.text("id", id);
        out.text("type", body);
    }
    {
        let mut function = out.object(body);
        function.optional_text("name", call.name.as_deref());
        function.text(arguments, &call.arguments);
    }
    out.extra_except(&call.extra, &["type", ANTHROPIC_EXTRA]);
}

impl StreamEncoder for ChunkEncoder {
    fn encode(&mut self, event: &ChatEvent, out: &mut BytesMut) {
        match event {
            ChatEvent::Start(start) => {
                self.write_head(start);
                // The caller learns at once that the model has begun: the first token may take a while.
                if self.spoken.is_empty() {
                    self.delta(&ChoiceDelta::default(), out);
                }
            }
            ChatEvent::Delta(delta) => self.delta(delta, out),
            // Written last, after whatever is still to come.
            ChatEvent::Usage(usage) => self.usage = Some(*usage),
            // OpenAI's streams have no pings; a comment keeps the connection open as well.
            ChatEvent::Ping => out.put_slice(crate::sse::HEARTBEAT),
        }
    }

    fn attach(&mut self, mainstay: Value) {
        self.mainstay = Some(mainstay);
    }

    fn fail(&mut self, error: &CallerError<'_>, out: &mut BytesMut) {
        out.put_slice(b"data: ");
        error::write(error, out);
        out.put_slice(b"\n\n");
    }

    fn finish(&mut self, out: &mut BytesMut) {
        if let (true, Some(usage)) = (self.options.include_usage, self.usage) {
            out.put_slice(&self.head);
            out.put_slice(b"],\"usage\":");
            encode_usage(&usage, Object::new(out));
            self.end_frame(out);
        }
        out.put_slice(DONE);
    }
}
