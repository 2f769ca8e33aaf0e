//! Whole answers: Anthropic's are read, those for callers written.

use bytes::{Bytes, BytesMut};
use mainstay_domain::chat::{AssistantMessage, Choice, Completion, Extra, FinishReason, ToolCall};
use serde::de::MapAccess;
use serde_json::{Map, Value};

use super::request::write_input;
use super::usage::{UsageFields, encode_usage};
use super::{finish_reason, stop_reason};
use crate::ANTHROPIC_EXTRA;
use crate::anthropic::error;
use crate::citation::write_search_result_location;
use crate::error::UpstreamError;
use crate::json::read::{self, Fields, Read};
use crate::json::write::{Array, Object};

/// How an answer for a caller is written.
#[derive(Clone, Copy, Debug)]
pub struct ResponseOptions<'a> {
    /// The answer's id, `msg_…`.
    pub id: &'a str,
    /// The model that really answered, as the caller knows it; `None` for the provider's own name.
    pub model: Option<&'a str>,
    /// Mainstay's own top-level object, where there is something to say.
    pub mainstay: Option<&'a Value>,
}

/// An answer as Anthropic sends it, also as the start of a stream.
#[derive(Default)]
pub(super) struct MessageFields {
    pub(super) id: String,
    pub(super) model: String,
    content: Vec<Value>,
    stop_reason: Option<String>,
    pub(super) usage: Option<UsageFields>,
    error: Option<Value>,
    is_message: bool,
    pub(super) extra: Extra,
}

impl<'de> Fields<'de> for MessageFields {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "type" => self.is_message = read::text(object)?.as_deref() == Some("message"),
            "role" => read::skip(object)?,
            "id" => self.id = read::string(object)?.unwrap_or_default(),
            "model" => self.model = read::string(object)?.unwrap_or_default(),
            "content" => self.content = object.next_value::<Option<_>>()?.unwrap_or_default(),
            "stop_reason" => self.stop_reason = read::string(object)?,
            "usage" => self.usage = read::object(object)?,
            "error" => self.error = object.next_value()?,
            _ => read::keep(&mut self.extra, name, object)?,
        }
        Ok(())
    }
}

/// Reads Anthropic's answer.
pub fn decode_completion(body: &[u8]) -> Result<Completion, UpstreamError> {
    let Read(mut message) = serde_json::from_slice::<Read<MessageFields>>(body)
        .map_err(|error| UpstreamError::unreadable(body, &error))?;
    if let Some(error) = message.error.filter(|error| !error.is_null()) {
        return Err(error::read(&error, None));
    }
    if !message.is_message {
        return Err(UpstreamError::malformed("the provider's answer is not a `message`"));
    }
    let mut extra = std::mem::take(&mut message.extra);
    let finish = message.stop_reason.as_deref().map_or(FinishReason::Stop, finish_reason);
    if let Some(reason) = message.stop_reason {
        extra.insert("stop_reason".to_owned(), Value::String(reason));
    }
    let usage = message.usage.map(|usage| {
        keep(&mut extra, "usage", usage.extra.clone());
        usage.usage()
    });
    let mut completion_extra = Extra::new();
    keep(&mut completion_extra, ANTHROPIC_EXTRA, extra);
    Ok(Completion {
        id: message.id,
        model: message.model,
        created: None,
        choices: vec![Choice { index: 0, message: decode_content(message.content), finish, logprobs: None }],
        usage,
        extra: completion_extra,
    })
}

/// Keeps `fields` under `name` if there are any.
pub(super) fn keep(extra: &mut Extra, name: &str, fields: Map<String, Value>) {
    if !fields.is_empty() {
        extra.insert(name.to_owned(), Value::Object(fields));
    }
}

fn decode_content(blocks: Vec<Value>) -> AssistantMessage {
    let mut message = AssistantMessage::default();
    let mut exact = true;
    for block in &blocks {
        match block["type"].as_str().unwrap_or_default() {
            "text" => {
                message.text.get_or_insert_default().push_str(block["text"].as_str().unwrap_or_default());
                exact &= block["citations"].is_null();
            }
            "tool_use" => message.tool_calls.push(decode_tool_use(block)),
            "thinking" => {
                let thinking = block["thinking"].as_str().unwrap_or_default();
                message.reasoning.get_or_insert_default().push_str(thinking);
                exact = false;
            }
            _ => exact = false,
        }
    }
    message.reasoning = message.reasoning.filter(|text| !text.is_empty());
    if !exact {
        // Signatures, the order of blocks, a server's own tools: a caller of this dialect gets the blocks as they are.
        let content = Map::from_iter([("content".to_owned(), Value::Array(blocks))]);
        keep(&mut message.extra, ANTHROPIC_EXTRA, content);
    }
    message
}

fn decode_tool_use(block: &Value) -> ToolCall {
    let mut extra = Extra::new();
    let known = ["type", "id", "name", "input"];
    let rest = block.as_object().into_iter().flatten().filter(|(name, _)| !known.contains(&name.as_str()));
    keep(&mut extra, ANTHROPIC_EXTRA, rest.map(|(name, value)| (name.clone(), value.clone())).collect());
    ToolCall {
        id: block["id"].as_str().unwrap_or_default().to_owned(),
        name: block["name"].as_str().unwrap_or_default().to_owned(),
        arguments: match &block["input"] {
            Value::Null => "{}".to_owned(),
            input => input.to_string(),
        },
        extra,
    }
}

/// Writes an answer for a caller. Anthropic's shape has one alternative: the first is written.
pub fn encode_completion(completion: &Completion, options: &ResponseOptions<'_>) -> Bytes {
    let mut out = BytesMut::with_capacity(1024);
    {
        let own = own_extra(&completion.extra);
        let own_text = |name| own.and_then(|own| own.get(name)).and_then(Value::as_str);
        let mut body = Object::new(&mut out);
        body.text("id", options.id);
        body.text("type", "message");
        body.text("role", "assistant");
        body.text("model", options.model.unwrap_or(&completion.model));
        let choice = completion.choices.first();
        {
            let mut content = body.array("content");
            if let Some(choice) = choice {
                encode_content(&choice.message, &mut content);
            }
        }
        match choice {
            Some(Choice { message, .. }) if message.refusal.is_some() => body.text("stop_reason", "refusal"),
            Some(Choice { message, finish, .. }) => {
                let reason = stop_reason(finish, own_text("stop_reason"), !message.tool_calls.is_empty());
                body.text("stop_reason", reason);
            }
            None => body.null("stop_reason"),
        }
        body.nullable_text("stop_sequence", own_text("stop_sequence"));
        let usage_extra = own.and_then(|own| own.get("usage")).and_then(Value::as_object);
        encode_usage(&completion.usage.unwrap_or_default(), usage_extra, body.object("usage"));
        if let Some(own) = own {
            body.extra_except(own, &["stop_reason", "stop_sequence", "usage"]);
        }
        body.optional_value("mainstay", options.mainstay);
    }
    out.freeze()
}

/// Anthropic's own fields among the extras of an answer.
pub(super) fn own_extra(extra: &Extra) -> Option<&Extra> {
    extra.get(ANTHROPIC_EXTRA).and_then(Value::as_object)
}

fn encode_content(message: &AssistantMessage, content: &mut Array<'_>) {
    let blocks = own_extra(&message.extra).and_then(|own| own.get("content")).and_then(Value::as_array);
    match blocks {
        Some(blocks) if message.citations.is_empty() && says_the_same(blocks, message) => {
            blocks.iter().for_each(|block| content.value(block));
            return;
        }
        // The text was changed on the way, or has citations of ours: what is neither text nor a call stays as it was.
        Some(blocks) => {
            let other = |block: &&Value| !matches!(block["type"].as_str(), Some("text" | "tool_use"));
            blocks.iter().filter(other).for_each(|block| content.value(block));
        }
        None => {
            if let Some(reasoning) = &message.reasoning {
                let mut thinking = content.object();
                thinking.text("type", "thinking");
                thinking.text("thinking", reasoning);
                // The official clients require one; another provider's reasoning has none.
                thinking.text("signature", "");
            }
        }
    }
    encode_text(message, content);
    for call in &message.tool_calls {
        let mut block = content.object();
        block.text("type", "tool_use");
        block.text("id", &call.id);
        block.text("name", &call.name);
        if !write_input(&call.arguments, &mut block) {
            // A model can write arguments that are not JSON; the shape has no place for them but this one.
            block.object("input").text("malformed_arguments", &call.arguments);
        }
        encode_call_extra(&call.extra, &mut block);
    }
}

/// The extras of a tool call that a caller of this dialect gets: Anthropic's own, and Gemini's thought signature, which
/// the caller is to send back.
pub(super) fn encode_call_extra(extra: &Extra, block: &mut Object<'_>) {
    if let Some(content) = extra.get("extra_content") {
        block.value("extra_content", content);
    }
    if let Some(own) = own_extra(extra) {
        block.extra_except(own, &["extra_content"]);
    }
}

fn encode_text(message: &AssistantMessage, content: &mut Array<'_>) {
    let texts = [message.text.as_deref(), message.refusal.as_deref()];
    for text in texts.into_iter().flatten().filter(|text| !text.is_empty()) {
        let mut block = content.object();
        block.text("type", "text");
        block.text("text", text);
        if message.citations.is_empty() {
            block.null("citations");
        } else {
            let mut citations = block.array("citations");
            for citation in &message.citations {
                write_search_result_location(citations.object(), citation);
            }
        }
    }
}

/// Whether Anthropic's blocks still say what the message says.
fn says_the_same(blocks: &[Value], message: &AssistantMessage) -> bool {
    let of_kind = |kind: &'static str| blocks.iter().filter(move |block| block["type"] == kind);
    let text: String = of_kind("text").filter_map(|block| block["text"].as_str()).collect();
    text == message.text.as_deref().unwrap_or_default()
        && message.refusal.is_none()
        && of_kind("tool_use").count() == message.tool_calls.len()
        && of_kind("tool_use").zip(&message.tool_calls).all(|(block, call)| is_call(block, call))
}

fn is_call(block: &Value, call: &ToolCall) -> bool {
    let input = block["input"].to_string();
    block["id"] == call.id.as_str() && block["name"] == call.name.as_str() && input == call.arguments
}

/// Reads the answer to a request to count tokens.
pub fn decode_token_count(body: &[u8]) -> Result<u64, UpstreamError> {
    let Read(UsageCount(count)) = serde_json::from_slice::<Read<UsageCount>>(body)
        .map_err(|error| UpstreamError::unreadable(body, &error))?;
    count.ok_or_else(|| UpstreamError::malformed("the provider's answer has no `input_tokens`"))
}

#[derive(Default)]
struct UsageCount(Option<u64>);

impl<'de> Fields<'de> for UsageCount {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "input_tokens" => self.0 = read::count(object)?,
            _ => read::skip(object)?,
        }
        Ok(())
    }
}

/// Writes the answer to a request to count tokens.
pub fn encode_token_count(input_tokens: u64) -> Bytes {
    let mut out = BytesMut::new();
    Object::new(&mut out).integer("input_tokens", input_tokens);
    out.freeze()
}
