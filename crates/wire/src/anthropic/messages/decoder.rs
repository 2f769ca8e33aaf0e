//! Reads Anthropic's stream.

use std::borrow::Cow;

use mainstay_domain::chat::{ChatEvent, ChoiceDelta, Extra, StreamStart, ToolCallDelta};
use serde::de::MapAccess;
use serde_json::{Map, Value};

use super::finish_reason;
use super::response::{MessageFields, keep, own_extra};
use super::usage::UsageFields;
use crate::ANTHROPIC_EXTRA;
use crate::anthropic::error;
use crate::error::UpstreamError;
use crate::json::read::{self, Fields, Read};
use crate::repeat::RepeatedChunk;
use crate::sse::Event;
use crate::stream::StreamDecoder;

/// Reads Anthropic's events. Text, thinking and tool calls become deltas; what only a caller of the same dialect can
/// use (signatures, the blocks of a server's own tools, native citations) travels beside them, in their `extra`.
/// Unknown kinds of events are passed over, as Anthropic's rules for versions ask.
#[derive(Debug, Default)]
pub struct EventDecoder {
    started: bool,
    /// The open blocks; Anthropic has one at a time.
    blocks: Vec<OpenBlock>,
    /// The last block that was closed is text.
    after_text: bool,
    tool_calls: u32,
    usage: UsageFields,
    /// The reason to stop has come, and with it the final counts.
    stopped: bool,
    /// `message_stop` has come.
    finished: bool,
    /// The last piece of text of the open block.
    repeated: RepeatedChunk,
}

#[derive(Debug)]
struct OpenBlock {
    index: u64,
    kind: BlockKind,
}

#[derive(Clone, Copy, Debug)]
enum BlockKind {
    Text,
    Thinking,
    Tool {
        call: u32,
        has_arguments: bool,
    },
    /// Without a meaning here: passed on as it is.
    Opaque,
}

#[derive(Default)]
struct EventFields<'a> {
    kind: Cow<'a, str>,
    index: u64,
    message: Option<MessageFields>,
    block: Option<Map<String, Value>>,
    delta: DeltaFields<'a>,
    usage: Option<UsageFields>,
    error: Value,
}

impl<'de> Fields<'de> for EventFields<'de> {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "type" => self.kind = read::text(object)?.unwrap_or_default(),
            "index" => self.index = read::count(object)?.unwrap_or(0),
            "message" => self.message = read::object(object)?,
            "content_block" => self.block = object.next_value()?,
            "delta" => self.delta = read::object(object)?.unwrap_or_default(),
            "usage" => self.usage = read::object(object)?,
            "error" => self.error = object.next_value()?,
            _ => read::skip(object)?,
        }
        Ok(())
    }
}

#[derive(Default)]
struct DeltaFields<'a> {
    kind: Cow<'a, str>,
    text: Option<String>,
    partial_json: Option<String>,
    thinking: Option<String>,
    stop_reason: Option<Cow<'a, str>>,
    /// Everything else.
    extra: Extra,
}

impl<'de> Fields<'de> for DeltaFields<'de> {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "type" => self.kind = read::text(object)?.unwrap_or_default(),
            "text" => self.text = read::string(object)?,
            "partial_json" => self.partial_json = read::string(object)?,
            "thinking" => self.thinking = read::string(object)?,
            "stop_reason" => self.stop_reason = read::text(object)?,
            _ => read::keep(&mut self.extra, name, object)?,
        }
        Ok(())
    }
}

impl DeltaFields<'_> {
    /// The delta as it was sent.
    fn into_value(self) -> Value {
        let mut fields = Map::new();
        fields.insert("type".to_owned(), Value::String(self.kind.into_owned()));
        let texts = [("text", self.text), ("partial_json", self.partial_json), ("thinking", self.thinking)];
        for (name, text) in texts {
            if let Some(text) = text {
                fields.insert(name.to_owned(), Value::String(text));
            }
        }
        fields.extend(self.extra);
        Value::Object(fields)
    }
}

/// A delta that only a caller of the same dialect can use.
fn own_delta(name: &str, value: Value) -> ChatEvent {
    let mut extra = Extra::new();
    keep(&mut extra, ANTHROPIC_EXTRA, Map::from_iter([(name.to_owned(), value)]));
    ChatEvent::Delta(ChoiceDelta { extra, ..ChoiceDelta::default() })
}

impl EventDecoder {
    /// A decoder for one stream.
    pub fn new() -> Self {
        Self::default()
    }

    fn message_start(&mut self, message: MessageFields, events: &mut Vec<ChatEvent>) {
        if self.started {
            return;
        }
        self.started = true;
        let mut own = message.extra;
        if let Some(usage) = message.usage {
            let mut counts = Map::new();
            let first = usage.usage();
            for (name, count) in [
                (
                    "input_tokens",
                    first.prompt.saturating_sub(first.cache_read).saturating_sub(first.cache_write),
                ),
                ("cache_creation_input_tokens", first.cache_write),
                ("cache_read_input_tokens", first.cache_read),
                ("output_tokens", first.completion),
            ] {
                counts.insert(name.to_owned(), Value::from(count));
            }
            keep(&mut own, "usage", counts);
            self.usage.update(usage);
        }
        let mut extra = Extra::new();
        keep(&mut extra, ANTHROPIC_EXTRA, own);
        events.push(ChatEvent::Start(StreamStart {
            id: message.id,
            model: message.model,
            created: None,
            extra,
        }));
    }

    fn block_start(&mut self, index: u64, mut block: Map<String, Value>, events: &mut Vec<ChatEvent>) {
        let text = |name| block.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let after_text = std::mem::take(&mut self.after_text);
        let kind = match block.get("type").and_then(Value::as_str).unwrap_or_default() {
            "text" => {
                if after_text {
                    // Native citations belong to one block of text: keep it apart from the one before.
                    events.push(own_delta("stop", Value::Bool(true)));
                }
                if !text("text").is_empty() {
                    events.push(ChatEvent::Delta(ChoiceDelta::text(text("text"))));
                }
                BlockKind::Text
            }
            "thinking" => {
                let reasoning = Some(text("thinking")).filter(|text| !text.is_empty());
                if reasoning.is_some() {
                    events.push(ChatEvent::Delta(ChoiceDelta { reasoning, ..ChoiceDelta::default() }));
                }
                BlockKind::Thinking
            }
            "tool_use" => {
                let call = self.tool_calls;
                self.tool_calls += 1;
                let (id, name) = (text("id"), text("name"));
                let arguments = match block.get("input") {
                    Some(Value::Object(input)) if !input.is_empty() => {
                        Value::Object(input.clone()).to_string()
                    }
                    _ => String::new(),
                };
                let has_arguments = !arguments.is_empty();
                for known in ["type", "id", "name", "input"] {
                    block.shift_remove(known);
                }
                let mut extra = Extra::new();
                keep(&mut extra, ANTHROPIC_EXTRA, block);
                let fragment =
                    ToolCallDelta { index: call, id: Some(id), name: Some(name), arguments, extra };
                events.push(tool_delta(fragment));
                BlockKind::Tool { call, has_arguments }
            }
            _ => {
                events.push(own_delta("start", Value::Object(block)));
                BlockKind::Opaque
            }
        };
        self.blocks.push(OpenBlock { index, kind });
    }

    fn block_delta(&mut self, index: u64, delta: DeltaFields<'_>, data: &str, events: &mut Vec<ChatEvent>) {
        let Some(block) = self.blocks.iter_mut().find(|block| block.index == index) else {
            return;
        };
        match (&mut block.kind, &*delta.kind) {
            (BlockKind::Text, "text_delta") => {
                if let Some(text) = delta.text.filter(|text| !text.is_empty()) {
                    if delta.extra.is_empty() {
                        self.repeated.learn(data, "text", &text);
                    }
                    events.push(ChatEvent::Delta(ChoiceDelta { text: Some(text), ..ChoiceDelta::default() }));
                }
            }
            (BlockKind::Thinking, "thinking_delta") => {
                let reasoning = delta.thinking.filter(|text| !text.is_empty());
                if reasoning.is_some() {
                    events.push(ChatEvent::Delta(ChoiceDelta { reasoning, ..ChoiceDelta::default() }));
                }
            }
            (BlockKind::Tool { call, has_arguments }, "input_json_delta") => {
                if let Some(arguments) = delta.partial_json.filter(|json| !json.is_empty()) {
                    *has_arguments = true;
                    let fragment = ToolCallDelta { index: *call, arguments, ..ToolCallDelta::default() };
                    events.push(tool_delta(fragment));
                }
            }
            // Signatures, native citations, the input of a server's tool.
            _ => events.push(own_delta("delta", delta.into_value())),
        }
    }

    fn block_stop(&mut self, index: u64, events: &mut Vec<ChatEvent>) {
        let Some(position) = self.blocks.iter().position(|block| block.index == index) else {
            return;
        };
        self.repeated.forget();
        match self.blocks.remove(position).kind {
            // A call without arguments: other dialects parse them as JSON, so they must be an object.
            BlockKind::Tool { call, has_arguments: false } => {
                let arguments = "{}".to_owned();
                events.push(tool_delta(ToolCallDelta { index: call, arguments, ..ToolCallDelta::default() }));
            }
            BlockKind::Opaque => events.push(own_delta("stop", Value::Bool(true))),
            BlockKind::Text => self.after_text = true,
            BlockKind::Thinking | BlockKind::Tool { .. } => {}
        }
    }

    fn message_delta(
        &mut self,
        mut delta: DeltaFields<'_>,
        usage: Option<UsageFields>,
        events: &mut Vec<ChatEvent>,
    ) {
        if let Some(usage) = usage {
            self.usage.update(usage);
        }
        let Some(reason) = delta.stop_reason.filter(|_| !self.stopped) else { return };
        self.stopped = true;
        let mut own = std::mem::take(&mut delta.extra);
        keep(&mut own, "usage", std::mem::take(&mut self.usage.extra));
        let finish = finish_reason(&reason);
        own.insert("stop_reason".to_owned(), Value::String(reason.into_owned()));
        let mut extra = Extra::new();
        keep(&mut extra, ANTHROPIC_EXTRA, own);
        events.push(ChatEvent::Delta(ChoiceDelta { extra, ..ChoiceDelta::finish(finish) }));
    }
}

fn tool_delta(fragment: ToolCallDelta) -> ChatEvent {
    ChatEvent::Delta(ChoiceDelta { tool_calls: vec![fragment], ..ChoiceDelta::default() })
}

impl StreamDecoder for EventDecoder {
    fn decode(&mut self, event: Event<'_>, events: &mut Vec<ChatEvent>) -> Result<(), UpstreamError> {
        if self.finished {
            return Ok(());
        }
        let data = event.data;
        if let Some(text) = self.repeated.text(data) {
            if !text.is_empty() {
                events.push(ChatEvent::Delta(ChoiceDelta::text(text)));
            }
            return Ok(());
        }
        let Read(fields) = serde_json::from_str::<Read<EventFields<'_>>>(data)
            .map_err(|error| UpstreamError::unreadable(data.as_bytes(), &error))?;
        match &*fields.kind {
            "error" => return Err(error::read(&fields.error, None)),
            "ping" => events.push(ChatEvent::Ping),
            "message_start" => self.message_start(fields.message.unwrap_or_default(), events),
            "content_block_start" => self.block_start(fields.index, fields.block.unwrap_or_default(), events),
            "content_block_delta" => self.block_delta(fields.index, fields.delta, data, events),
            "content_block_stop" => self.block_stop(fields.index, events),
            "message_delta" => self.message_delta(fields.delta, fields.usage, events),
            "message_stop" => self.finished = true,
            _ => {}
        }
        Ok(())
    }

    fn is_finished(&self) -> bool {
        self.finished
    }

    fn finish(&mut self, events: &mut Vec<ChatEvent>) -> Result<(), UpstreamError> {
        // Before the reason to stop the counts are those of the start. Without any the tokens are not known, which is
        // not the same as none.
        if self.stopped && self.usage.is_known() {
            events.push(ChatEvent::Usage(self.usage.usage()));
        }
        if self.stopped && self.finished { Ok(()) } else { Err(UpstreamError::truncated()) }
    }
}

/// What a delta carries for callers of the same dialect.
pub(super) fn own_part<'a>(delta: &'a ChoiceDelta, name: &str) -> Option<&'a Value> {
    if delta.extra.is_empty() {
        return None;
    }
    own_extra(&delta.extra)?.get(name)
}
