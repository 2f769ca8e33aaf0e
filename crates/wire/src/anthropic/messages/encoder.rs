//! Writes a stream for callers of Anthropic's shape.
//!
//! Its blocks never overlap: one is open at a time, and each is closed before the next opens. Providers of the OpenAI
//! shape may interleave the fragments of parallel tool calls, so while the open block is a call whose arguments are not
//! complete, what belongs to other blocks waits.

use std::collections::VecDeque;

use bytes::{BufMut, BytesMut};
use mainstay_domain::chat::{ChatEvent, ChoiceDelta, Extra, FinishReason, StreamStart, ToolCallDelta};
use mainstay_domain::{Citation, Usage};
use serde_json::Value;

use super::decoder::own_part;
use super::response::{encode_call_extra, own_extra};
use super::stop_reason;
use super::usage::encode_usage;
use crate::anthropic::error;
use crate::citation::write_search_result_location;
use crate::error::CallerError;
use crate::json::write::Object;
use crate::stream::StreamEncoder;

/// How a stream for a caller is written.
#[derive(Clone, Debug)]
pub struct EventOptions {
    /// The answer's id, `msg_…`.
    pub id: String,
    /// The model that really answers, as the caller knows it; `None` for the provider's own name.
    pub model: Option<String>,
    /// Tokens of the prompt for `message_start`, as far as they are known before the answer; the true count follows in
    /// `message_delta`.
    pub input_tokens: u64,
}

/// Writes a caller's events.
#[derive(Debug)]
pub struct EventEncoder {
    options: EventOptions,
    started: bool,
    /// The index of the open block, or of the next one.
    index: u32,
    open: Open,
    /// What waits until the open call's arguments are complete.
    waiting: VecDeque<Waiting>,
    /// The calls whose blocks are closed: a fragment that still comes for one has no place.
    closed_calls: Vec<u32>,
    finish: Option<Finish>,
    refused: bool,
    usage: Usage,
    mainstay: Option<Value>,
}

#[derive(Debug, Default)]
enum Open {
    #[default]
    Nothing,
    Text,
    Thinking {
        signed: bool,
    },
    Tool {
        call: u32,
        arguments: JsonProgress,
    },
    /// A block passed on from Anthropic as it is.
    AsSent,
}

#[derive(Debug)]
enum Waiting {
    Text(String),
    Thinking(String),
    Tool(ToolCallDelta),
}

#[derive(Debug)]
struct Finish {
    reason: FinishReason,
    /// Anthropic's own fields of the end, where Anthropic answered.
    own: Extra,
}

impl EventEncoder {
    /// An encoder for one stream.
    pub fn new(options: EventOptions) -> Self {
        // What is known until the provider reports more.
        let usage = Usage { prompt: options.input_tokens, ..Usage::default() };
        Self {
            options,
            started: false,
            index: 0,
            open: Open::Nothing,
            waiting: VecDeque::new(),
            closed_calls: Vec::new(),
            finish: None,
            refused: false,
            usage,
            mainstay: None,
        }
    }

    fn start(&mut self, start: Option<&StreamStart>, out: &mut BytesMut) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let own = start.and_then(|start| own_extra(&start.extra));
        frame(out, "message_start", |event| {
            let mut message = event.object("message");
            message.text("id", &self.options.id);
            message.text("type", "message");
            message.text("role", "assistant");
            let provided = start.map_or("", |start| &start.model);
            message.text("model", self.options.model.as_deref().unwrap_or(provided));
            drop(message.array("content"));
            message.null("stop_reason");
            message.null("stop_sequence");
            match own.and_then(|own| own.get("usage")) {
                Some(usage) => message.value("usage", usage),
                None => encode_usage(&self.usage, None, message.object("usage")),
            }
            if let Some(own) = own {
                message.extra_except(own, &["usage", "stop_sequence"]);
            }
        });
    }

    fn delta(&mut self, delta: &ChoiceDelta, out: &mut BytesMut) {
        // The shape has one alternative.
        if delta.choice != 0 {
            return;
        }
        self.start(None, out);
        if let Some(reasoning) = &delta.reasoning {
            self.thinking(reasoning, out);
        }
        if let Some(block) = own_part(delta, "start") {
            self.open_as_sent(block, out);
        }
        if let Some(piece) = own_part(delta, "delta") {
            self.delta_as_sent(piece, out);
        }
        if own_part(delta, "stop").is_some() {
            self.close(out);
        }
        if let Some(text) = &delta.text {
            self.text(text, out);
        }
        if let Some(refusal) = &delta.refusal {
            self.refused = true;
            self.text(refusal, out);
        }
        for citation in &delta.citations {
            self.citation(citation, out);
        }
        for fragment in &delta.tool_calls {
            self.tool(fragment, out);
        }
        if let (Some(reason), None) = (&delta.finish, &self.finish) {
            let own = own_extra(&delta.extra).cloned().unwrap_or_default();
            self.finish = Some(Finish { reason: reason.clone(), own });
        }
    }

    /// Whether the open block is a call that may still get arguments.
    fn must_wait(&self) -> bool {
        matches!(&self.open, Open::Tool { arguments, .. } if !arguments.is_complete())
    }

    fn text(&mut self, text: &str, out: &mut BytesMut) {
        if self.must_wait() {
            match self.waiting.back_mut() {
                Some(Waiting::Text(waiting)) => waiting.push_str(text),
                _ => self.waiting.push_back(Waiting::Text(text.to_owned())),
            }
            return;
        }
        self.open_text(out);
        block_delta(out, self.index, |delta| {
            delta.text("type", "text_delta");
            delta.text("text", text);
        });
    }

    fn open_text(&mut self, out: &mut BytesMut) {
        if matches!(self.open, Open::Text) {
            return;
        }
        self.close(out);
        self.open = Open::Text;
        block_start(out, self.index, |block| {
            block.text("type", "text");
            block.text("text", "");
        });
    }

    fn thinking(&mut self, thinking: &str, out: &mut BytesMut) {
        if self.must_wait() {
            match self.waiting.back_mut() {
                Some(Waiting::Thinking(waiting)) => waiting.push_str(thinking),
                _ => self.waiting.push_back(Waiting::Thinking(thinking.to_owned())),
            }
            return;
        }
        // A signature ends a block of thinking; more of it is the next block.
        if !matches!(self.open, Open::Thinking { signed: false }) {
            self.close(out);
            self.open_thinking(out);
        }
        block_delta(out, self.index, |delta| {
            delta.text("type", "thinking_delta");
            delta.text("thinking", thinking);
        });
    }

    fn open_thinking(&mut self, out: &mut BytesMut) {
        self.open = Open::Thinking { signed: false };
        block_start(out, self.index, |block| {
            block.text("type", "thinking");
            block.text("thinking", "");
            block.text("signature", "");
        });
    }

    fn citation(&mut self, citation: &Citation, out: &mut BytesMut) {
        if self.must_wait() {
            self.flush(out);
        }
        self.open_text(out);
        block_delta(out, self.index, |delta| {
            delta.text("type", "citations_delta");
            write_search_result_location(delta.object("citation"), citation);
        });
    }

    fn open_as_sent(&mut self, block: &Value, out: &mut BytesMut) {
        self.flush(out);
        self.open = Open::AsSent;
        frame(out, "content_block_start", |event| {
            event.integer("index", self.index);
            event.value("content_block", block);
        });
    }

    fn delta_as_sent(&mut self, delta: &Value, out: &mut BytesMut) {
        match (&mut self.open, delta["type"].as_str()) {
            (Open::Thinking { signed }, Some("signature_delta")) => *signed = true,
            // Thinking whose text the provider keeps to itself begins with its signature.
            (_, Some("signature_delta")) => {
                self.flush(out);
                self.open_thinking(out);
                self.open = Open::Thinking { signed: true };
            }
            (_, Some("citations_delta")) => self.open_text(out),
            (Open::AsSent, _) => {}
            _ => return,
        }
        frame(out, "content_block_delta", |event| {
            event.integer("index", self.index);
            event.value("delta", delta);
        });
    }

    fn tool(&mut self, fragment: &ToolCallDelta, out: &mut BytesMut) {
        if self.closed_calls.contains(&fragment.index) {
            return;
        }
        if let Open::Tool { call, arguments } = &mut self.open
            && *call == fragment.index
        {
            arguments.push(&fragment.arguments);
            write_arguments(out, self.index, &fragment.arguments);
            if arguments.is_complete() && !self.waiting.is_empty() {
                self.advance(out);
            }
        } else if self.must_wait() {
            self.wait(fragment);
        } else {
            self.open_tool(fragment, out);
        }
    }

    /// Keeps a fragment for later, joined to what its call already has.
    fn wait(&mut self, fragment: &ToolCallDelta) {
        let known = self.waiting.iter_mut().find_map(|waiting| match waiting {
            Waiting::Tool(call) if call.index == fragment.index => Some(call),
            _ => None,
        });
        match known {
            Some(call) => {
                call.arguments.push_str(&fragment.arguments);
                call.name = call.name.take().or_else(|| fragment.name.clone());
            }
            None => self.waiting.push_back(Waiting::Tool(fragment.clone())),
        }
    }

    fn open_tool(&mut self, fragment: &ToolCallDelta, out: &mut BytesMut) {
        self.close(out);
        block_start(out, self.index, |block| {
            block.text("type", "tool_use");
            block.text("id", fragment.id.as_deref().unwrap_or_default());
            block.text("name", fragment.name.as_deref().unwrap_or_default());
            drop(block.object("input"));
            encode_call_extra(&fragment.extra, block);
        });
        write_arguments(out, self.index, &fragment.arguments);
        let mut arguments = JsonProgress::default();
        arguments.push(&fragment.arguments);
        self.open = Open::Tool { call: fragment.index, arguments };
    }

    /// Closes the open block and writes what waits, up to a call that is not complete.
    fn advance(&mut self, out: &mut BytesMut) {
        self.close(out);
        while !self.must_wait()
            && let Some(waiting) = self.waiting.pop_front()
        {
            match waiting {
                Waiting::Text(text) => self.text(&text, out),
                Waiting::Thinking(thinking) => self.thinking(&thinking, out),
                Waiting::Tool(call) => self.open_tool(&call, out),
            }
        }
    }

    /// Writes everything that waits and closes every block, complete or not: nothing more will come for them.
    fn flush(&mut self, out: &mut BytesMut) {
        while !self.waiting.is_empty() {
            self.advance(out);
        }
        self.close(out);
    }

    fn close(&mut self, out: &mut BytesMut) {
        match std::mem::take(&mut self.open) {
            Open::Nothing => return,
            Open::Tool { call, .. } => self.closed_calls.push(call),
            Open::Text | Open::Thinking { .. } | Open::AsSent => {}
        }
        frame(out, "content_block_stop", |event| event.integer("index", self.index));
        self.index += 1;
    }
}

impl StreamEncoder for EventEncoder {
    fn encode(&mut self, event: &ChatEvent, out: &mut BytesMut) {
        match event {
            ChatEvent::Start(start) => self.start(Some(start), out),
            ChatEvent::Delta(delta) => self.delta(delta, out),
            ChatEvent::Usage(usage) => self.usage = *usage,
            ChatEvent::Ping => frame(out, "ping", |_| {}),
        }
    }

    /// Written into the last `message_delta`.
    fn attach(&mut self, mainstay: Value) {
        self.mainstay = Some(mainstay);
    }

    fn fail(&mut self, error: &CallerError<'_>, out: &mut BytesMut) {
        out.put_slice(b"event: error\ndata: ");
        error::write(error, out);
        out.put_slice(b"\n\n");
    }

    fn finish(&mut self, out: &mut BytesMut) {
        self.start(None, out);
        self.flush(out);
        let finish = self.finish.take().unwrap_or(Finish { reason: FinishReason::Stop, own: Extra::new() });
        let own_text = |name| finish.own.get(name).and_then(Value::as_str);
        frame(out, "message_delta", |event| {
            {
                let called_tools = !self.closed_calls.is_empty();
                let reason = match self.refused {
                    true => "refusal",
                    false => stop_reason(&finish.reason, own_text("stop_reason"), called_tools),
                };
                let mut delta = event.object("delta");
                delta.text("stop_reason", reason);
                delta.nullable_text("stop_sequence", own_text("stop_sequence"));
                delta.extra_except(&finish.own, &["stop_reason", "stop_sequence", "usage"]);
            }
            let usage_extra = finish.own.get("usage").and_then(Value::as_object);
            encode_usage(&self.usage, usage_extra, event.object("usage"));
            event.optional_value("mainstay", self.mainstay.as_ref());
        });
        frame(out, "message_stop", |_| {});
    }
}

/// Writes one event: its `event` line, and its `data` with the `type` in it.
fn frame(out: &mut BytesMut, kind: &'static str, fields: impl FnOnce(&mut Object<'_>)) {
    out.reserve(160);
    out.put_slice(b"event: ");
    out.put_slice(kind.as_bytes());
    out.put_slice(b"\ndata: ");
    {
        let mut event = Object::new(out);
        event.text("type", kind);
        fields(&mut event);
    }
    out.put_slice(b"\n\n");
}

fn block_start(out: &mut BytesMut, index: u32, fields: impl FnOnce(&mut Object<'_>)) {
    frame(out, "content_block_start", |event| {
        event.integer("index", index);
        fields(&mut event.object("content_block"));
    });
}

fn block_delta(out: &mut BytesMut, index: u32, fields: impl FnOnce(&mut Object<'_>)) {
    frame(out, "content_block_delta", |event| {
        event.integer("index", index);
        fields(&mut event.object("delta"));
    });
}

fn write_arguments(out: &mut BytesMut, index: u32, arguments: &str) {
    if arguments.is_empty() {
        return;
    }
    block_delta(out, index, |delta| {
        delta.text("type", "input_json_delta");
        delta.text("partial_json", arguments);
    });
}

/// Follows a JSON object that comes in pieces, to know when it is complete.
#[derive(Debug, Default)]
struct JsonProgress {
    depth: u32,
    in_text: bool,
    escaped: bool,
    complete: bool,
}

impl JsonProgress {
    fn push(&mut self, piece: &str) {
        for byte in piece.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_text => self.escaped = true,
                b'"' => self.in_text = !self.in_text,
                _ if self.in_text => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.complete |= self.depth == 0;
                }
                _ => {}
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.complete
    }
}
