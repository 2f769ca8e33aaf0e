//! Requests: those of callers are read and checked, those for Anthropic written.
//!
//! The two shapes differ in structure. Anthropic has only user and assistant messages made of blocks: the system
//! prompt stands beside them, tool results are blocks of a user message, tool calls blocks of an assistant's. Here a
//! user message with tool results becomes one `tool` message per result, and back.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use mainstay_domain::chat::{
    ChatRequest, Content, Delivery, Dialect, Extra, ImageSource, MaxTokens, Message, Part, ResponseFormat,
    Role, Tool, ToolCall, ToolChoice,
};
use serde_json::{Map, Value};

use crate::error::{RequestError, Unsupported};
use crate::filter::decode_extension;
use crate::foreign::refuse_foreign;
use crate::json::checked::{self, Path};
use crate::json::write::{Array, Object};
use crate::opaque::{OpaquePart, image_source};

/// How a request for Anthropic is written.
#[derive(Clone, Copy, Debug)]
pub struct RequestOptions<'a> {
    /// The model by Anthropic's name.
    pub model: &'a str,
    /// Most tokens of the answer where the caller gave no limit: Anthropic demands one.
    pub default_max_tokens: u64,
}

/// Anthropic's formats have no names, OpenAI's must have one.
const FORMAT_NAME: &str = "output";

/// Reads a caller's request.
pub fn decode_request(body: &[u8]) -> Result<ChatRequest, RequestError> {
    let request = decode(body)?;
    match request.max_tokens {
        Some(_) => Ok(request),
        None => Err(RequestError::missing(&Path::Root.field("max_tokens"))),
    }
}

/// Reads a caller's request to count the tokens of a prompt: a request without the wishes about the answer.
pub fn decode_count_request(body: &[u8]) -> Result<ChatRequest, RequestError> {
    decode(body)
}

fn decode(body: &[u8]) -> Result<ChatRequest, RequestError> {
    let root = Path::Root;
    let mut request = ChatRequest { dialect: Dialect::Anthropic, ..ChatRequest::default() };
    let mut system = Content::Absent;
    for (name, value) in checked::body(body)? {
        let path = root.field(&name);
        match name.as_str() {
            "model" => request.model = checked::nonempty_string(value, &path)?.unwrap_or_default(),
            "system" => system = decode_system(value, &path)?,
            "messages" => {
                let messages = checked::nonempty_array(value, &path)?.unwrap_or_default();
                for (index, message) in messages.into_iter().enumerate() {
                    decode_message(message, &path.index(index), &mut request.messages)?;
                }
            }
            "max_tokens" => {
                let limit = checked::whole_number(value, &path, 1..=u64::MAX)?;
                request.max_tokens = limit.map(|limit| MaxTokens { limit, as_completion: false });
            }
            "temperature" => request.temperature = checked::number(value, &path, 0.0..=1.0)?,
            "top_p" => request.top_p = checked::number(value, &path, 0.0..=1.0)?,
            "top_k" => request.top_k = checked::whole_number(value, &path, 0..=u64::MAX)?,
            "stop_sequences" => {
                for (index, text) in checked::array(value, &path)?.unwrap_or_default().into_iter().enumerate()
                {
                    let path = path.index(index);
                    request.stop.push(required_string(text, &path)?);
                }
            }
            "stream" => {
                if checked::boolean(value, &path)? == Some(true) {
                    // Anthropic's streams always report the tokens.
                    request.delivery = Delivery::Streamed { include_usage: true };
                }
            }
            "tools" => {
                for (index, tool) in checked::array(value, &path)?.unwrap_or_default().into_iter().enumerate()
                {
                    request.tools.push(decode_tool(tool, &path.index(index))?);
                }
            }
            "tool_choice" => decode_tool_choice(value, &path, &mut request)?,
            "mainstay" => request.filter = decode_extension(value, &path)?,
            "metadata" => decode_metadata(value, &path, &mut request)?,
            "output_config" => decode_output_config(value, &path, &mut request)?,
            // The name of the field while it was in beta.
            "output_format" => {
                if let Some(format) = checked::object(value, &path)? {
                    request.response_format = Some(decode_format(format, &path)?);
                }
            }
            _ => {
                request.extra.insert(name, value);
            }
        }
    }
    if request.model.is_empty() {
        return Err(RequestError::missing(&root.field("model")));
    }
    if request.messages.is_empty() {
        return Err(RequestError::missing(&root.field("messages")));
    }
    if system != Content::Absent {
        let mut message = Message::text(Role::System, "");
        message.content = system;
        request.messages.insert(0, message);
    }
    Ok(request)
}

fn required_string(value: Value, path: &Path<'_>) -> Result<String, RequestError> {
    checked::string(value, path)?.ok_or_else(|| RequestError::missing(path))
}

/// The string field `name` of an object, which must be there; it is removed.
fn take_string(fields: &mut Map<String, Value>, name: &str, path: &Path<'_>) -> Result<String, RequestError> {
    required_string(fields.shift_remove(name).unwrap_or_default(), &path.field(name))
}

fn decode_system(value: Value, path: &Path<'_>) -> Result<Content, RequestError> {
    match decode_content(value, path)? {
        Content::Parts(parts) if parts.is_empty() => Ok(Content::Absent),
        content => Ok(content),
    }
}

fn decode_content(value: Value, path: &Path<'_>) -> Result<Content, RequestError> {
    match value {
        Value::Null => Ok(Content::Absent),
        Value::String(text) => Ok(Content::Text(text)),
        Value::Array(blocks) => blocks
            .into_iter()
            .enumerate()
            .map(|(index, block)| {
                let path = path.index(index);
                decode_part(checked::required_object(block, &path)?, &path)
            })
            .collect::<Result<_, _>>()
            .map(Content::Parts),
        other => Err(checked::wrong_type(&other, path, "a string or an array of blocks")),
    }
}

/// Appends the messages that one of Anthropic's becomes.
fn decode_message(message: Value, path: &Path<'_>, messages: &mut Vec<Message>) -> Result<(), RequestError> {
    let mut fields = checked::required_object(message, path)?;
    let role_path = path.field("role");
    let role = take_string(&mut fields, "role", path)?;
    let content_path = path.field("content");
    let content = fields.shift_remove("content").unwrap_or_default();
    match (role.as_str(), content) {
        ("user" | "assistant", Value::Null) => Err(RequestError::missing(&content_path)),
        ("user", Value::Array(blocks)) => decode_user_blocks(blocks, &content_path, fields, messages),
        ("assistant", Value::Array(blocks)) => {
            messages.push(decode_assistant_blocks(blocks, &content_path, fields)?);
            Ok(())
        }
        ("user" | "assistant", content) => {
            let role = if role == "user" { Role::User } else { Role::Assistant };
            let content = decode_content(content, &content_path)?;
            messages.push(Message { content, extra: fields, ..Message::text(role, "") });
            Ok(())
        }
        _ => Err(RequestError::invalid_value(
            &role_path,
            "must be `user` or `assistant`; a system prompt belongs into the field `system`",
        )),
    }
}

/// A user message may hold tool results, which are messages of their own here; the order is kept.
fn decode_user_blocks(
    blocks: Vec<Value>,
    path: &Path<'_>,
    mut extra: Extra,
    messages: &mut Vec<Message>,
) -> Result<(), RequestError> {
    if blocks.is_empty() {
        return Err(RequestError::empty_array(path));
    }
    let mut parts = Vec::new();
    let mut flush = |parts: &mut Vec<Part>, messages: &mut Vec<Message>| {
        if !parts.is_empty() {
            messages.push(Message {
                content: Content::Parts(std::mem::take(parts)),
                extra: std::mem::take(&mut extra),
                ..Message::text(Role::User, "")
            });
        }
    };
    for (index, block) in blocks.into_iter().enumerate() {
        let path = path.index(index);
        let fields = checked::required_object(block, &path)?;
        match checked::tag(&fields, &path)? {
            "tool_result" => {
                flush(&mut parts, messages);
                messages.push(decode_tool_result(fields, &path)?);
            }
            "tool_use" => {
                return Err(RequestError::invalid_value(
                    &path.field("type"),
                    "must not be `tool_use` in a message of the role `user`",
                ));
            }
            _ => parts.push(decode_part(fields, &path)?),
        }
    }
    flush(&mut parts, messages);
    Ok(())
}

fn decode_tool_result(mut fields: Map<String, Value>, path: &Path<'_>) -> Result<Message, RequestError> {
    fields.shift_remove("type");
    let tool_call_id = take_string(&mut fields, "tool_use_id", path)?;
    let content = decode_content(fields.shift_remove("content").unwrap_or_default(), &path.field("content"))?;
    let failed = fields.shift_remove("is_error").unwrap_or_default();
    let tool_failed = checked::boolean(failed, &path.field("is_error"))?.unwrap_or(false);
    Ok(Message {
        content,
        tool_call_id: Some(tool_call_id),
        tool_failed,
        extra: fields,
        ..Message::text(Role::Tool, "")
    })
}

fn decode_assistant_blocks(
    blocks: Vec<Value>,
    path: &Path<'_>,
    extra: Extra,
) -> Result<Message, RequestError> {
    let mut parts = Vec::new();
    let mut tool_calls = Vec::new();
    for (index, block) in blocks.into_iter().enumerate() {
        let path = path.index(index);
        let fields = checked::required_object(block, &path)?;
        match checked::tag(&fields, &path)? {
            "tool_use" => tool_calls.push(decode_tool_use(fields, &path)?),
            "tool_result" => {
                return Err(RequestError::invalid_value(
                    &path.field("type"),
                    "must not be `tool_result` in a message of the role `assistant`",
                ));
            }
            _ => parts.push(decode_part(fields, &path)?),
        }
    }
    if parts.is_empty() && tool_calls.is_empty() {
        return Err(RequestError::empty_array(path));
    }
    let content = if parts.is_empty() { Content::Absent } else { Content::Parts(parts) };
    Ok(Message { content, tool_calls, extra, ..Message::text(Role::Assistant, "") })
}

fn decode_tool_use(mut fields: Map<String, Value>, path: &Path<'_>) -> Result<ToolCall, RequestError> {
    fields.shift_remove("type");
    let id = take_string(&mut fields, "id", path)?;
    let name = take_string(&mut fields, "name", path)?;
    let input = checked::object(fields.shift_remove("input").unwrap_or_default(), &path.field("input"))?;
    Ok(ToolCall { id, name, arguments: Value::Object(input.unwrap_or_default()).to_string(), extra: fields })
}

fn decode_part(mut fields: Map<String, Value>, path: &Path<'_>) -> Result<Part, RequestError> {
    match checked::tag(&fields, path)? {
        "text" => {
            fields.shift_remove("type");
            let text = take_string(&mut fields, "text", path)?;
            Ok(Part::Text { text, extra: fields })
        }
        "image" => {
            let path = path.field("source");
            let source = match fields.get("source") {
                Some(Value::Object(source)) => source,
                None | Some(Value::Null) => return Err(RequestError::missing(&path)),
                Some(other) => return Err(checked::wrong_type(other, &path, "an object")),
            };
            let text = |name| {
                let value = source.get(name).cloned().unwrap_or_default();
                required_string(value, &path.field(name))
            };
            let source = match checked::tag(source, &path)? {
                "base64" => ImageSource::Base64 { media_type: text("media_type")?, data: text("data")? },
                "url" => image_source(text("url")?),
                // A file of Anthropic's Files API.
                _ => return Ok(Part::Opaque(Value::Object(fields))),
            };
            fields.shift_remove("type");
            fields.shift_remove("source");
            Ok(Part::Image { source, detail: None, extra: fields })
        }
        _ => Ok(Part::Opaque(Value::Object(fields))),
    }
}

fn decode_tool(tool: Value, path: &Path<'_>) -> Result<Tool, RequestError> {
    let mut fields = checked::required_object(tool, path)?;
    match fields.get("type") {
        None | Some(Value::Null) => {}
        Some(Value::String(kind)) if kind == "custom" => {}
        Some(Value::String(_)) => return Ok(Tool::Opaque(Value::Object(fields))),
        Some(other) => return Err(checked::wrong_type(other, &path.field("type"), "a string")),
    }
    fields.shift_remove("type");
    let name = take_string(&mut fields, "name", path)?;
    let description = fields.shift_remove("description").unwrap_or_default();
    let description = checked::string(description, &path.field("description"))?;
    let schema_path = path.field("input_schema");
    let schema = checked::object(fields.shift_remove("input_schema").unwrap_or_default(), &schema_path)?
        .ok_or_else(|| RequestError::missing(&schema_path))?;
    let strict = checked::boolean(fields.shift_remove("strict").unwrap_or_default(), &path.field("strict"))?;
    Ok(Tool::Function { name, description, parameters: Some(Value::Object(schema)), strict, extra: fields })
}

fn decode_tool_choice(value: Value, path: &Path<'_>, request: &mut ChatRequest) -> Result<(), RequestError> {
    let Some(fields) = checked::object(value, path)? else { return Ok(()) };
    let serial = fields.get("disable_parallel_tool_use").cloned().unwrap_or_default();
    let serial = checked::boolean(serial, &path.field("disable_parallel_tool_use"))?;
    request.parallel_tool_calls = serial.map(|serial| !serial);
    request.tool_choice = Some(match checked::tag(&fields, path)? {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => {
            let name = fields.get("name").cloned().unwrap_or_default();
            ToolChoice::Function(required_string(name, &path.field("name"))?)
        }
        _ => {
            return Err(RequestError::invalid_value(
                &path.field("type"),
                "must be `auto`, `any`, `tool` or `none`",
            ));
        }
    });
    Ok(())
}

fn decode_metadata(value: Value, path: &Path<'_>, request: &mut ChatRequest) -> Result<(), RequestError> {
    let Some(mut fields) = checked::object(value, path)? else { return Ok(()) };
    let user = fields.shift_remove("user_id").unwrap_or_default();
    request.user = checked::string(user, &path.field("user_id"))?;
    if !fields.is_empty() {
        request.extra.insert("metadata".to_owned(), Value::Object(fields));
    }
    Ok(())
}

fn decode_output_config(
    value: Value,
    path: &Path<'_>,
    request: &mut ChatRequest,
) -> Result<(), RequestError> {
    let Some(mut fields) = checked::object(value, path)? else { return Ok(()) };
    let path = path.field("format");
    let format = fields.shift_remove("format").unwrap_or_default();
    if let Some(format) = checked::object(format, &path)? {
        request.response_format = Some(decode_format(format, &path)?);
    }
    if !fields.is_empty() {
        request.extra.insert("output_config".to_owned(), Value::Object(fields));
    }
    Ok(())
}

fn decode_format(mut format: Map<String, Value>, path: &Path<'_>) -> Result<ResponseFormat, RequestError> {
    if checked::tag(&format, path)? != "json_schema" || format.len() > 2 {
        return Ok(ResponseFormat::Opaque(Value::Object(format)));
    }
    let path = path.field("schema");
    let schema = checked::object(format.shift_remove("schema").unwrap_or_default(), &path)?
        .ok_or_else(|| RequestError::missing(&path))?;
    Ok(ResponseFormat::JsonSchema {
        name: FORMAT_NAME.to_owned(),
        description: None,
        schema: Some(Value::Object(schema)),
        // Anthropic knows no other way.
        strict: Some(true),
    })
}

/// Writes a request for Anthropic.
pub fn encode_request(request: &ChatRequest, options: &RequestOptions<'_>) -> Result<Bytes, Unsupported> {
    check_settings(request)?;
    refuse_foreign(request, Dialect::Anthropic, "Anthropic")?;
    let mut out = BytesMut::with_capacity(1024);
    {
        let mut body = Object::new(&mut out);
        body.text("model", options.model);
        let limit = request.max_tokens.map_or(options.default_max_tokens, |max_tokens| max_tokens.limit);
        body.integer("max_tokens", limit);
        encode_prompt(request, &mut body)?;
        body.optional_value("temperature", request.temperature.as_ref());
        body.optional_value("top_p", request.top_p.as_ref());
        body.optional_value("top_k", request.top_k.as_ref());
        if !request.stop.is_empty() {
            body.value("stop_sequences", &request.stop);
        }
        encode_metadata(request, &mut body);
        encode_output_config(request, &mut body)?;
        if request.delivery.is_streamed() {
            body.boolean("stream", true);
        }
        if request.dialect == Dialect::Anthropic {
            body.extra_except(&request.extra, &["metadata", "output_config"]);
        }
    }
    Ok(out.freeze())
}

/// Writes a request to count the tokens of a prompt.
pub fn encode_count_request(request: &ChatRequest, model: &str) -> Result<Bytes, Unsupported> {
    let mut out = BytesMut::with_capacity(1024);
    {
        let mut body = Object::new(&mut out);
        body.text("model", model);
        encode_prompt(request, &mut body)?;
        // Of the other fields only this one costs tokens of the prompt.
        if let (Dialect::Anthropic, Some(thinking)) = (request.dialect, request.extra.get("thinking")) {
            body.value("thinking", thinking);
        }
    }
    Ok(out.freeze())
}

/// What the model reads: instructions, messages, tools.
fn encode_prompt(request: &ChatRequest, body: &mut Object<'_>) -> Result<(), Unsupported> {
    encode_system(request, body)?;
    encode_messages(request, body)?;
    encode_tools(request, body)
}

/// Refuses wishes that Anthropic's format has no words for. `seed` is a hint even where it is known, and is left out.
fn check_settings(request: &ChatRequest) -> Result<(), Unsupported> {
    if request.n.is_some_and(|n| n > 1) {
        return Err(Unsupported::new("n", "Anthropic gives one answer per request: leave out `n`"));
    }
    if request.temperature.is_some_and(|temperature| temperature > 1.0) {
        return Err(Unsupported::new("temperature", "Anthropic's `temperature` ends at 1"));
    }
    for (name, penalty) in
        [("presence_penalty", request.presence_penalty), ("frequency_penalty", request.frequency_penalty)]
    {
        if penalty.is_some_and(|penalty| penalty != 0.0) {
            return Err(Unsupported::new(name, format!("Anthropic has no `{name}`: leave it out")));
        }
    }
    Ok(())
}

/// All instructions of the operator stand in one place, in their order.
fn encode_system(request: &ChatRequest, body: &mut Object<'_>) -> Result<(), Unsupported> {
    let mut blocks = Vec::new();
    let mut system = request.messages.iter().enumerate().filter(|(_, message)| is_system(message));
    if let (Some((_, message)), None) = (system.clone().next(), system.clone().nth(1))
        && let Content::Text(text) = &message.content
    {
        if !text.is_empty() {
            body.text("system", text);
        }
        return Ok(());
    }
    system.try_for_each(|(index, message)| content_blocks(message, index, request.dialect, &mut blocks))?;
    if !blocks.is_empty() {
        let mut array = body.array("system");
        for block in &blocks {
            encode_block(block, request.dialect, &mut array)?;
        }
    }
    Ok(())
}

fn is_system(message: &Message) -> bool {
    matches!(message.role, Role::System | Role::Developer)
}

/// A block that is to be written.
enum Block<'a> {
    Text { text: &'a str, extra: Option<&'a Extra> },
    Image { source: &'a ImageSource, extra: &'a Extra },
    Pdf { data: &'a str, title: Option<&'a str> },
    ToolUse { call: &'a ToolCall, path: (usize, usize) },
    ToolResult { message: &'a Message, blocks: Vec<Block<'a>> },
    AsSent(&'a Value),
}

/// Messages of one role that follow each other: Anthropic's roles take turns.
struct Turn<'a> {
    role: &'static str,
    blocks: Vec<Block<'a>>,
    /// The text of the only message, if it was sent as such.
    plain: Option<&'a str>,
    extra: Option<&'a Extra>,
}

fn encode_messages(request: &ChatRequest, body: &mut Object<'_>) -> Result<(), Unsupported> {
    let turns = turns(request)?;
    if turns.is_empty() {
        return Err(Unsupported::new("messages", "Anthropic needs at least one message of a user"));
    }
    let mut messages = body.array("messages");
    for turn in &turns {
        let mut message = messages.object();
        message.text("role", turn.role);
        match turn.plain {
            Some(text) => message.text("content", text),
            None => {
                let mut content = message.array("content");
                for block in &turn.blocks {
                    encode_block(block, request.dialect, &mut content)?;
                }
            }
        }
        if let (Dialect::Anthropic, Some(extra)) = (request.dialect, turn.extra) {
            message.extra(extra);
        }
    }
    Ok(())
}

fn turns(request: &ChatRequest) -> Result<Vec<Turn<'_>>, Unsupported> {
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for (index, message) in request.messages.iter().enumerate().filter(|(_, message)| !is_system(message)) {
        let mut blocks = Vec::new();
        message_blocks(message, index, request.dialect, &mut blocks)?;
        if blocks.is_empty() {
            continue;
        }
        let role = if message.role == Role::Assistant { "assistant" } else { "user" };
        let extra = (message.role != Role::Tool).then_some(&message.extra);
        match turns.last_mut().filter(|turn| turn.role == role) {
            Some(turn) => {
                turn.blocks.append(&mut blocks);
                turn.plain = None;
                // The decoder gives a message's fields to what follows its tool results, which have none.
                turn.extra = turn.extra.filter(|extra| !extra.is_empty()).or(extra);
            }
            None => {
                let plain = match &message.content {
                    Content::Text(text) if message.role != Role::Tool && message.tool_calls.is_empty() => {
                        Some(text)
                    }
                    _ => None,
                };
                turns.push(Turn { role, blocks, plain: plain.map(String::as_str), extra });
            }
        }
    }
    Ok(turns)
}

fn message_blocks<'a>(
    message: &'a Message,
    index: usize,
    dialect: Dialect,
    blocks: &mut Vec<Block<'a>>,
) -> Result<(), Unsupported> {
    if message.role == Role::Tool {
        let mut inner = Vec::new();
        content_blocks(message, index, dialect, &mut inner)?;
        blocks.push(Block::ToolResult { message, blocks: inner });
        return Ok(());
    }
    content_blocks(message, index, dialect, blocks)?;
    // OpenAI keeps what an assistant refused beside the content.
    if let (Dialect::OpenAi, Some(text)) = (dialect, message.extra.get("refusal").and_then(Value::as_str)) {
        blocks.push(Block::Text { text, extra: None });
    }
    for (position, call) in message.tool_calls.iter().enumerate() {
        blocks.push(Block::ToolUse { call, path: (index, position) });
    }
    Ok(())
}

/// The blocks of a message's content. Anthropic refuses empty texts, which say nothing anyway.
fn content_blocks<'a>(
    message: &'a Message,
    index: usize,
    dialect: Dialect,
    blocks: &mut Vec<Block<'a>>,
) -> Result<(), Unsupported> {
    let parts = match &message.content {
        Content::Absent => return Ok(()),
        Content::Text(text) => {
            if !text.is_empty() {
                blocks.push(Block::Text { text, extra: None });
            }
            return Ok(());
        }
        Content::Parts(parts) => parts,
    };
    for (position, part) in parts.iter().enumerate() {
        match part {
            Part::Text { text, .. } if text.is_empty() => {}
            Part::Text { text, extra } => blocks.push(Block::Text { text, extra: Some(extra) }),
            Part::Image { source, extra, .. } => blocks.push(Block::Image { source, extra }),
            Part::Opaque(value) if dialect == Dialect::Anthropic => {
                if !is_foreign_thinking(value) {
                    blocks.push(Block::AsSent(value));
                }
            }
            Part::Opaque(value) => match OpaquePart::read(value, dialect) {
                OpaquePart::Reasoning => {}
                OpaquePart::Text(text) => blocks.push(Block::Text { text, extra: None }),
                OpaquePart::File { media_type: "application/pdf", data, name } => {
                    blocks.push(Block::Pdf { data, title: name });
                }
                OpaquePart::File { .. } | OpaquePart::Audio { .. } | OpaquePart::Unknown(_) => {
                    let path = format!("messages[{index}].content[{position}]");
                    let kind = value["type"].as_str().unwrap_or_default();
                    let message = format!("Anthropic has no counterpart of the `{kind}` in `{path}`");
                    return Err(Unsupported::new(path, message));
                }
            },
        }
    }
    Ok(())
}

/// Thinking that we wrote for another provider's reasoning has no signature, without which Anthropic refuses it.
fn is_foreign_thinking(block: &Value) -> bool {
    block["type"] == "thinking" && block["signature"].as_str().is_none_or(str::is_empty)
}

fn encode_block(block: &Block<'_>, dialect: Dialect, array: &mut Array<'_>) -> Result<(), Unsupported> {
    match block {
        Block::AsSent(value) => array.value(value),
        Block::Text { text, extra } => {
            let mut out = array.object();
            out.text("type", "text");
            out.text("text", text);
            if let Some(extra) = extra {
                encode_extra(extra, dialect, &mut out);
            }
        }
        Block::Image { source, extra } => {
            let mut out = array.object();
            out.text("type", "image");
            {
                let mut inner = out.object("source");
                match source {
                    ImageSource::Base64 { media_type, data } => {
                        inner.text("type", "base64");
                        inner.text("media_type", media_type);
                        inner.text("data", data);
                    }
                    ImageSource::Url(url) => {
                        inner.text("type", "url");
                        inner.text("url", url);
                    }
                }
            }
            encode_extra(extra, dialect, &mut out);
        }
        Block::Pdf { data, title } => {
            let mut out = array.object();
            out.text("type", "document");
            {
                let mut source = out.object("source");
                source.text("type", "base64");
                source.text("media_type", "application/pdf");
                source.text("data", data);
            }
            out.optional_text("title", *title);
        }
        Block::ToolUse { call, path } => encode_tool_use(call, *path, dialect, array.object())?,
        Block::ToolResult { message, blocks } => {
            let mut out = array.object();
            out.text("type", "tool_result");
            out.text("tool_use_id", &call_id(message.tool_call_id.as_deref().unwrap_or_default()));
            match &message.content {
                Content::Absent => {}
                Content::Text(text) => out.text("content", text),
                Content::Parts(_) => {
                    let mut content = out.array("content");
                    for block in blocks {
                        encode_block(block, dialect, &mut content)?;
                    }
                }
            }
            if message.tool_failed {
                out.boolean("is_error", true);
            }
            encode_extra(&message.extra, dialect, &mut out);
        }
    }
    Ok(())
}

/// Writes the fields without a meaning here that Anthropic may have: all of its own, and of others `cache_control`,
/// which people also send in OpenAI's shape because it means only one thing.
fn encode_extra(extra: &Extra, dialect: Dialect, out: &mut Object<'_>) {
    match dialect {
        Dialect::Anthropic => out.extra_except(extra, &["extra_content"]),
        _ => {
            if let Some(cache_control) = extra.get("cache_control") {
                out.value("cache_control", cache_control);
            }
        }
    }
}

fn encode_tool_use(
    call: &ToolCall,
    (message, position): (usize, usize),
    dialect: Dialect,
    mut out: Object<'_>,
) -> Result<(), Unsupported> {
    let path = || format!("messages[{message}].tool_calls[{position}]");
    if call.extra.get("type").is_some_and(|kind| kind == "custom") {
        let message = format!("Anthropic has no counterpart of the custom tool call in `{}`", path());
        return Err(Unsupported::new(path(), message));
    }
    out.text("type", "tool_use");
    out.text("id", &call_id(&call.id));
    out.text("name", &call.name);
    if !write_input(&call.arguments, &mut out) {
        let path = path();
        let message = format!("Anthropic takes only a JSON object as arguments, which `{path}` has not");
        return Err(Unsupported::new(path, message));
    }
    encode_extra(&call.extra, dialect, &mut out);
    Ok(())
}

/// A call's id in the characters that Anthropic takes. Some servers' ids have others (`functions.weather:0`); call and
/// result are changed alike.
fn call_id(id: &str) -> Cow<'_, str> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    if id.chars().all(allowed) {
        return Cow::Borrowed(id);
    }
    Cow::Owned(id.chars().map(|character| if allowed(character) { character } else { '_' }).collect())
}

/// Writes a call's arguments as `input`, in the model's own spelling; false if they are not a JSON object.
pub(crate) fn write_input(arguments: &str, out: &mut Object<'_>) -> bool {
    if arguments.trim().is_empty() {
        drop(out.object("input"));
        return true;
    }
    let is_object = arguments.trim_start().starts_with('{')
        && serde_json::from_str::<serde::de::IgnoredAny>(arguments).is_ok();
    if is_object {
        out.key("input").extend_from_slice(arguments.as_bytes());
    }
    is_object
}

fn encode_tools(request: &ChatRequest, body: &mut Object<'_>) -> Result<(), Unsupported> {
    if !request.tools.is_empty() {
        let mut tools = body.array("tools");
        for (index, tool) in request.tools.iter().enumerate() {
            encode_tool(tool, index, request.dialect, &mut tools)?;
        }
    }
    let serial = match request.parallel_tool_calls {
        Some(parallel) if !request.tools.is_empty() => Some(!parallel),
        _ => None,
    };
    let (kind, name) = match &request.tool_choice {
        Some(ToolChoice::Auto) => ("auto", None),
        Some(ToolChoice::Required) => ("any", None),
        Some(ToolChoice::Function(name)) => ("tool", Some(name.as_str())),
        Some(ToolChoice::None) => ("none", None),
        Some(ToolChoice::Opaque(_)) => {
            return Err(Unsupported::new(
                "tool_choice",
                "Anthropic has no counterpart of this `tool_choice`",
            ));
        }
        // The wish about parallel calls has no other place.
        None if serial.is_some() => ("auto", None),
        None => return Ok(()),
    };
    let mut choice = body.object("tool_choice");
    choice.text("type", kind);
    choice.optional_text("name", name);
    if let (Some(serial), true) = (serial, kind != "none") {
        choice.boolean("disable_parallel_tool_use", serial);
    }
    Ok(())
}

fn encode_tool(
    tool: &Tool,
    index: usize,
    dialect: Dialect,
    tools: &mut Array<'_>,
) -> Result<(), Unsupported> {
    match tool {
        Tool::Opaque(value) if dialect == Dialect::Anthropic => tools.value(value),
        Tool::Opaque(value) => {
            let kind = value["type"].as_str().unwrap_or_default();
            return Err(Unsupported::new(
                format!("tools[{index}]"),
                format!("Anthropic has no counterpart of the tool `{kind}` in `tools[{index}]`"),
            ));
        }
        Tool::Function { name, description, parameters, strict, extra } => {
            let mut out = tools.object();
            out.text("name", name);
            out.optional_text("description", description.as_deref());
            match parameters {
                Some(schema) => out.value("input_schema", schema),
                // A tool without arguments: Anthropic demands a schema.
                None => out.object("input_schema").text("type", "object"),
            }
            out.optional_value("strict", strict.as_ref());
            encode_extra(extra, dialect, &mut out);
        }
    }
    Ok(())
}

fn encode_metadata(request: &ChatRequest, body: &mut Object<'_>) {
    let rest = own_object(request, "metadata");
    if request.user.is_none() && rest.is_none() {
        return;
    }
    let mut metadata = body.object("metadata");
    metadata.optional_text("user_id", request.user.as_deref());
    if let Some(rest) = rest {
        metadata.extra(rest);
    }
}

fn encode_output_config(request: &ChatRequest, body: &mut Object<'_>) -> Result<(), Unsupported> {
    let rest = own_object(request, "output_config");
    let schema = match &request.response_format {
        None | Some(ResponseFormat::Text) => None,
        Some(ResponseFormat::JsonSchema { schema: Some(schema), .. }) => Some(schema),
        Some(ResponseFormat::Opaque(value)) if request.dialect == Dialect::Anthropic => {
            let mut config = body.object("output_config");
            config.value("format", value);
            if let Some(rest) = rest {
                config.extra(rest);
            }
            return Ok(());
        }
        Some(_) => {
            return Err(Unsupported::new(
                "response_format",
                "Anthropic's answers follow a JSON schema or none: send `json_schema` with a `schema`",
            ));
        }
    };
    if schema.is_none() && rest.is_none() {
        return Ok(());
    }
    let mut config = body.object("output_config");
    if let Some(schema) = schema {
        let mut format = config.object("format");
        format.text("type", "json_schema");
        format.value("schema", schema);
    }
    if let Some(rest) = rest {
        config.extra(rest);
    }
    Ok(())
}

/// What is left of an object of the caller's after the known fields were taken out, if it is Anthropic's.
fn own_object<'a>(request: &'a ChatRequest, name: &str) -> Option<&'a Extra> {
    match request.dialect {
        Dialect::Anthropic => request.extra.get(name).and_then(Value::as_object),
        _ => None,
    }
}
