//! Chat requests: those of callers are read and checked, those for providers written.

use bytes::{Bytes, BytesMut};
use mainstay_domain::chat::{
    ChatRequest, Content, Delivery, Dialect, Extra, ImageSource, MaxTokens, Message, Part, ResponseFormat,
    Role, Tool, ToolCall, ToolChoice,
};
use serde_json::{Map, Value};

use crate::ANTHROPIC_EXTRA;
use crate::error::{RequestError, Unsupported};
use crate::filter::decode_extension;
use crate::foreign::refuse_foreign;
use crate::json::checked::{self, Path};
use crate::json::write::{Array, Object};
use crate::opaque::{OpaquePart, image_source};

/// How a request for a provider is written.
#[derive(Clone, Copy, Debug)]
pub struct RequestOptions<'a> {
    /// The model by the provider's own name.
    pub model: &'a str,
    /// Whether to ask for the token counts at the end of a stream, whatever the caller asked; servers of before 2024
    /// refuse the field.
    pub include_usage: bool,
    /// Whether a limit that the caller sent in another dialect is called `max_completion_tokens`, as OpenAI's
    /// reasoning models demand, instead of `max_tokens`, which every compatible server knows. A caller of this
    /// dialect has chosen the name.
    pub max_completion_tokens: bool,
}

/// Reads a caller's request.
pub fn decode_request(body: &[u8]) -> Result<ChatRequest, RequestError> {
    let root = Path::Root;
    let mut request = ChatRequest { dialect: Dialect::OpenAi, ..ChatRequest::default() };
    let mut stream = false;
    let mut stream_options = None;
    for (name, value) in checked::body(body)? {
        let path = root.field(&name);
        match name.as_str() {
            "model" => request.model = checked::nonempty_string(value, &path)?.unwrap_or_default(),
            "messages" => {
                let messages = checked::nonempty_array(value, &path)?.unwrap_or_default();
                request.messages = decode_messages(messages, &path)?;
            }
            "max_tokens" => {
                // The newer name wins where both are sent.
                if let (Some(limit), None) =
                    (checked::whole_number(value, &path, 1..=u64::MAX)?, request.max_tokens)
                {
                    request.max_tokens = Some(MaxTokens { limit, as_completion: false });
                }
            }
            "max_completion_tokens" => {
                if let Some(limit) = checked::whole_number(value, &path, 1..=u64::MAX)? {
                    request.max_tokens = Some(MaxTokens { limit, as_completion: true });
                }
            }
            "temperature" => request.temperature = checked::number(value, &path, 0.0..=2.0)?,
            "top_p" => request.top_p = checked::number(value, &path, 0.0..=1.0)?,
            "presence_penalty" => request.presence_penalty = checked::number(value, &path, -2.0..=2.0)?,
            "frequency_penalty" => request.frequency_penalty = checked::number(value, &path, -2.0..=2.0)?,
            // Not OpenAI's, but known to most compatible servers, some of which take -1 for "off".
            "top_k" if value.is_u64() => request.top_k = value.as_u64(),
            "n" => request.n = checked::whole_number(value, &path, 1..=128)?.map(|n| n as u32),
            "seed" => request.seed = checked::signed_number(value, &path)?,
            "stop" => request.stop = decode_stop(value, &path)?,
            "tools" => {
                for (index, tool) in
                    checked::nonempty_array(value, &path)?.unwrap_or_default().into_iter().enumerate()
                {
                    request.tools.push(decode_tool(tool, &path.index(index))?);
                }
            }
            "tool_choice" => request.tool_choice = decode_tool_choice(value, &path)?,
            "parallel_tool_calls" => request.parallel_tool_calls = checked::boolean(value, &path)?,
            "response_format" => request.response_format = decode_response_format(value, &path)?,
            "mainstay" => request.filter = decode_extension(value, &path)?,
            "user" => request.user = checked::string(value, &path)?,
            "stream" => stream = checked::boolean(value, &path)?.unwrap_or(false),
            "stream_options" => stream_options = checked::object(value, &path)?,
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
    request.delivery = decode_delivery(stream, stream_options, &mut request.extra)?;
    Ok(request)
}

fn decode_delivery(
    stream: bool,
    options: Option<Map<String, Value>>,
    extra: &mut Extra,
) -> Result<Delivery, RequestError> {
    let root = Path::Root;
    let path = root.field("stream_options");
    let Some(mut options) = options else {
        return Ok(if stream { Delivery::Streamed { include_usage: false } } else { Delivery::Whole });
    };
    if !stream {
        return Err(RequestError::invalid_value(&path, "is allowed only with `stream: true`"));
    }
    let include_usage = match options.shift_remove("include_usage") {
        Some(value) => checked::boolean(value, &path.field("include_usage"))?.unwrap_or(false),
        None => false,
    };
    if !options.is_empty() {
        extra.insert("stream_options".to_owned(), Value::Object(options));
    }
    Ok(Delivery::Streamed { include_usage })
}

fn decode_messages(messages: Vec<Value>, path: &Path<'_>) -> Result<Vec<Message>, RequestError> {
    messages
        .into_iter()
        .enumerate()
        .map(|(index, message)| decode_message(message, &path.index(index)))
        .collect()
}

fn decode_message(message: Value, path: &Path<'_>) -> Result<Message, RequestError> {
    let mut role = None;
    let mut message_read = Message::text(Role::User, "");
    message_read.content = Content::Absent;
    for (name, value) in checked::required_object(message, path)? {
        let path = path.field(&name);
        match name.as_str() {
            "role" => role = decode_role(value, &path)?,
            "content" => message_read.content = decode_content(value, &path)?,
            "name" => message_read.name = checked::string(value, &path)?,
            "tool_calls" => {
                for (index, call) in checked::array(value, &path)?.unwrap_or_default().into_iter().enumerate()
                {
                    message_read.tool_calls.push(decode_tool_call(call, &path.index(index))?);
                }
            }
            "tool_call_id" => message_read.tool_call_id = checked::string(value, &path)?,
            _ => {
                message_read.extra.insert(name, value);
            }
        }
    }
    message_read.role = role.ok_or_else(|| RequestError::missing(&path.field("role")))?;
    check_message(&message_read, path)?;
    Ok(message_read)
}

/// What each role needs.
fn check_message(message: &Message, path: &Path<'_>) -> Result<(), RequestError> {
    if message.role != Role::Assistant && !message.tool_calls.is_empty() {
        return Err(RequestError::invalid_value(
            &path.field("tool_calls"),
            "is allowed only in a message of the role `assistant`",
        ));
    }
    if message.role == Role::Tool && message.tool_call_id.is_none() {
        return Err(RequestError::missing(&path.field("tool_call_id")));
    }
    // What an assistant said may stand in fields of its own.
    let said_elsewhere = message.role == Role::Assistant
        && (!message.tool_calls.is_empty()
            || ["refusal", "audio", "function_call", "reasoning_content", "reasoning"]
                .iter()
                .any(|name| message.extra.get(*name).is_some_and(|value| !value.is_null())));
    if message.content == Content::Absent && !said_elsewhere {
        return Err(RequestError::missing(&path.field("content")));
    }
    Ok(())
}

fn decode_role(value: Value, path: &Path<'_>) -> Result<Option<Role>, RequestError> {
    let Some(role) = checked::string(value, path)? else { return Ok(None) };
    match role.as_str() {
        "system" => Ok(Some(Role::System)),
        "developer" => Ok(Some(Role::Developer)),
        "user" => Ok(Some(Role::User)),
        "assistant" => Ok(Some(Role::Assistant)),
        "tool" => Ok(Some(Role::Tool)),
        _ => Err(RequestError::invalid_value(
            path,
            "must be `system`, `developer`, `user`, `assistant` or `tool`",
        )),
    }
}

fn decode_content(value: Value, path: &Path<'_>) -> Result<Content, RequestError> {
    match value {
        Value::Null => Ok(Content::Absent),
        Value::String(text) => Ok(Content::Text(text)),
        Value::Array(parts) if parts.is_empty() => Err(RequestError::empty_array(path)),
        Value::Array(parts) => parts
            .into_iter()
            .enumerate()
            .map(|(index, part)| decode_part(part, &path.index(index)))
            .collect::<Result<_, _>>()
            .map(Content::Parts),
        other => Err(checked::wrong_type(&other, path, "a string or an array of parts")),
    }
}

fn decode_part(part: Value, path: &Path<'_>) -> Result<Part, RequestError> {
    let mut fields = checked::required_object(part, path)?;
    match checked::tag(&fields, path)? {
        "text" => {
            let text = fields.shift_remove("text").unwrap_or_default();
            let path = path.field("text");
            let text = checked::string(text, &path)?.ok_or_else(|| RequestError::missing(&path))?;
            fields.shift_remove("type");
            Ok(Part::Text { text, extra: fields })
        }
        "image_url" => {
            let image = fields.shift_remove("image_url").unwrap_or_default();
            let path = path.field("image_url");
            let mut image = checked::object(image, &path)?.ok_or_else(|| RequestError::missing(&path))?;
            let url = image.shift_remove("url").unwrap_or_default();
            let url_path = path.field("url");
            let url =
                checked::nonempty_string(url, &url_path)?.ok_or_else(|| RequestError::missing(&url_path))?;
            let detail = image.shift_remove("detail").unwrap_or_default();
            let detail = checked::string(detail, &path.field("detail"))?;
            fields.shift_remove("type");
            keep_nested(&mut fields, "image_url", image);
            Ok(Part::Image { source: image_source(url), detail, extra: fields })
        }
        _ => Ok(Part::Opaque(Value::Object(fields))),
    }
}

/// Keeps the fields of a nested object that have no meaning here, under the object's own name.
fn keep_nested(extra: &mut Extra, name: &str, rest: Map<String, Value>) {
    if !rest.is_empty() {
        extra.insert(name.to_owned(), Value::Object(rest));
    }
}

fn decode_tool_call(call: Value, path: &Path<'_>) -> Result<ToolCall, RequestError> {
    let mut fields = checked::required_object(call, path)?;
    let id = fields.shift_remove("id").unwrap_or_default();
    let id =
        checked::string(id, &path.field("id"))?.ok_or_else(|| RequestError::missing(&path.field("id")))?;
    // A custom tool's call stays marked as one by its `type`.
    let (body, arguments_name) = match fields.get("type").and_then(Value::as_str) {
        Some("custom") => ("custom", "input"),
        _ => {
            fields.shift_remove("type");
            ("function", "arguments")
        }
    };
    let path = path.field(body);
    let function = fields.shift_remove(body).unwrap_or_default();
    let mut function = checked::object(function, &path)?.ok_or_else(|| RequestError::missing(&path))?;
    let name = function.shift_remove("name").unwrap_or_default();
    let name = checked::nonempty_string(name, &path.field("name"))?
        .ok_or_else(|| RequestError::missing(&path.field("name")))?;
    let arguments = match function.shift_remove(arguments_name) {
        // Some clients send the object itself.
        Some(object @ Value::Object(_)) => object.to_string(),
        Some(value) => checked::string(value, &path.field(arguments_name))?.unwrap_or_default(),
        None => String::new(),
    };
    keep_nested(&mut fields, body, function);
    Ok(ToolCall { id, name, arguments, extra: fields })
}

fn decode_stop(value: Value, path: &Path<'_>) -> Result<Vec<String>, RequestError> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::String(text) => Ok(vec![text]),
        Value::Array(texts) => texts
            .into_iter()
            .enumerate()
            .map(|(index, text)| match text {
                Value::String(text) => Ok(text),
                other => Err(checked::wrong_type(&other, &path.index(index), "a string")),
            })
            .collect(),
        other => Err(checked::wrong_type(&other, path, "a string or an array of strings")),
    }
}

fn decode_tool(tool: Value, path: &Path<'_>) -> Result<Tool, RequestError> {
    let mut fields = checked::required_object(tool, path)?;
    if checked::tag(&fields, path)? != "function" {
        return Ok(Tool::Opaque(Value::Object(fields)));
    }
    fields.shift_remove("type");
    let path = path.field("function");
    let function = fields.shift_remove("function").unwrap_or_default();
    let function = checked::object(function, &path)?.ok_or_else(|| RequestError::missing(&path))?;
    let (mut name, mut description, mut parameters, mut strict) = (None, None, None, None);
    let mut rest = Map::new();
    for (key, value) in function {
        let path = path.field(&key);
        match key.as_str() {
            "name" => name = checked::nonempty_string(value, &path)?,
            "description" => description = checked::string(value, &path)?,
            "parameters" => parameters = checked::object(value, &path)?.map(Value::Object),
            "strict" => strict = checked::boolean(value, &path)?,
            _ => {
                rest.insert(key, value);
            }
        }
    }
    let name = name.ok_or_else(|| RequestError::missing(&path.field("name")))?;
    keep_nested(&mut fields, "function", rest);
    Ok(Tool::Function { name, description, parameters, strict, extra: fields })
}

fn decode_tool_choice(value: Value, path: &Path<'_>) -> Result<Option<ToolChoice>, RequestError> {
    match value {
        Value::Null => Ok(None),
        Value::String(choice) => match choice.as_str() {
            "auto" => Ok(Some(ToolChoice::Auto)),
            "none" => Ok(Some(ToolChoice::None)),
            "required" => Ok(Some(ToolChoice::Required)),
            _ => Err(RequestError::invalid_value(path, "must be `auto`, `none`, `required` or an object")),
        },
        Value::Object(fields) => {
            if checked::tag(&fields, path)? != "function" {
                return Ok(Some(ToolChoice::Opaque(Value::Object(fields))));
            }
            match fields.get("function").and_then(|function| function.get("name")) {
                Some(Value::String(name)) => Ok(Some(ToolChoice::Function(name.clone()))),
                _ => Err(RequestError::missing(&path.field("function").field("name"))),
            }
        }
        other => Err(checked::wrong_type(&other, path, "a string or an object")),
    }
}

fn decode_response_format(value: Value, path: &Path<'_>) -> Result<Option<ResponseFormat>, RequestError> {
    let Some(fields) = checked::object(value, path)? else { return Ok(None) };
    match checked::tag(&fields, path)? {
        "text" if fields.len() == 1 => Ok(Some(ResponseFormat::Text)),
        "json_object" if fields.len() == 1 => Ok(Some(ResponseFormat::JsonObject)),
        "json_schema" => decode_json_schema(fields, path).map(Some),
        _ => Ok(Some(ResponseFormat::Opaque(Value::Object(fields)))),
    }
}

fn decode_json_schema(fields: Map<String, Value>, path: &Path<'_>) -> Result<ResponseFormat, RequestError> {
    let path = path.field("json_schema");
    let format = match fields.get("json_schema") {
        Some(Value::Object(format)) => format,
        None | Some(Value::Null) => return Err(RequestError::missing(&path)),
        Some(other) => return Err(checked::wrong_type(other, &path, "an object")),
    };
    let (mut name, mut description, mut schema, mut strict) = (None, None, None, None);
    for (key, value) in format {
        let path = path.field(key);
        let value = value.clone();
        match key.as_str() {
            "name" => name = checked::nonempty_string(value, &path)?,
            "description" => description = checked::string(value, &path)?,
            "schema" => schema = checked::object(value, &path)?.map(Value::Object),
            "strict" => strict = checked::boolean(value, &path)?,
            // More than the canonical type can say: only a provider of this dialect understands it.
            _ => return Ok(ResponseFormat::Opaque(Value::Object(fields))),
        }
    }
    let name = name.ok_or_else(|| RequestError::missing(&path.field("name")))?;
    Ok(ResponseFormat::JsonSchema { name, description, schema, strict })
}

/// Writes a request for a provider.
pub fn encode_request(request: &ChatRequest, options: &RequestOptions<'_>) -> Result<Bytes, Unsupported> {
    refuse_foreign(request, Dialect::OpenAi, "OpenAI or a server compatible with it")?;
    let mut out =
        BytesMut::with_capacity(512 + request.messages.iter().map(|m| m.content.text_len()).sum::<usize>());
    {
        let mut body = Object::new(&mut out);
        body.text("model", options.model);
        {
            let mut messages = body.array("messages");
            for (index, message) in request.messages.iter().enumerate() {
                encode_message(message, index, request.dialect, messages.object())?;
            }
        }
        encode_settings(request, options, &mut body);
        encode_tools(request, &mut body)?;
        encode_response_format(request, &mut body)?;
        encode_delivery(request, options, &mut body);
        if request.dialect == Dialect::OpenAi {
            body.extra_except(&request.extra, &["stream_options"]);
        }
    }
    Ok(out.freeze())
}

fn encode_settings(request: &ChatRequest, options: &RequestOptions<'_>, body: &mut Object<'_>) {
    if let Some(MaxTokens { limit, as_completion }) = request.max_tokens {
        let as_completion = match request.dialect {
            Dialect::OpenAi => as_completion,
            _ => options.max_completion_tokens,
        };
        body.integer(if as_completion { "max_completion_tokens" } else { "max_tokens" }, limit);
    }
    body.optional_value("temperature", request.temperature.as_ref());
    body.optional_value("top_p", request.top_p.as_ref());
    // OpenAI itself refuses it with a clear error; the compatible servers that people run themselves know it.
    body.optional_value("top_k", request.top_k.as_ref());
    body.optional_value("n", request.n.as_ref());
    if !request.stop.is_empty() {
        body.value("stop", &request.stop);
    }
    body.optional_value("presence_penalty", request.presence_penalty.as_ref());
    body.optional_value("frequency_penalty", request.frequency_penalty.as_ref());
    body.optional_value("seed", request.seed.as_ref());
    body.optional_text("user", request.user.as_deref());
}

fn encode_delivery(request: &ChatRequest, options: &RequestOptions<'_>, body: &mut Object<'_>) {
    let Delivery::Streamed { include_usage } = request.delivery else { return };
    body.boolean("stream", true);
    let extra = match request.extra.get("stream_options") {
        Some(Value::Object(extra)) if request.dialect == Dialect::OpenAi => Some(extra),
        _ => None,
    };
    let include_usage = include_usage || options.include_usage;
    if include_usage || extra.is_some() {
        let mut stream_options = body.object("stream_options");
        if include_usage {
            stream_options.boolean("include_usage", true);
        }
        if let Some(extra) = extra {
            stream_options.extra(extra);
        }
    }
}

fn encode_message(
    message: &Message,
    index: usize,
    dialect: Dialect,
    mut out: Object<'_>,
) -> Result<(), Unsupported> {
    let role = match message.role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    out.text("role", role);
    match &message.content {
        Content::Absent if message.role == Role::Assistant => out.null("content"),
        Content::Absent => out.text("content", ""),
        Content::Text(text) => out.text("content", text),
        Content::Parts(parts) => encode_parts(parts, index, dialect, message.role, &mut out)?,
    }
    out.optional_text("name", message.name.as_deref());
    if !message.tool_calls.is_empty() {
        let mut calls = out.array("tool_calls");
        for call in &message.tool_calls {
            encode_tool_call(call, dialect, calls.object());
        }
    }
    out.optional_text("tool_call_id", message.tool_call_id.as_deref());
    if dialect == Dialect::OpenAi {
        out.extra(&message.extra);
    }
    Ok(())
}

fn encode_parts(
    parts: &[Part],
    message: usize,
    dialect: Dialect,
    role: Role,
    out: &mut Object<'_>,
) -> Result<(), Unsupported> {
    // A message that is only another provider's reasoning has nothing left for this one.
    let speaks = |part: &&Part| match part {
        Part::Opaque(value) => {
            dialect == Dialect::OpenAi || !matches!(OpaquePart::read(value, dialect), OpaquePart::Reasoning)
        }
        _ => true,
    };
    let mut spoken = parts.iter().filter(speaks);
    match (spoken.next(), spoken.next()) {
        (None, _) if role == Role::Assistant => {
            out.null("content");
            return Ok(());
        }
        (None, _) => {
            out.text("content", "");
            return Ok(());
        }
        // Other dialects write every text as an array; the chat templates of many open models know only the string.
        (Some(Part::Text { text, .. }), None) if dialect != Dialect::OpenAi => {
            out.text("content", text);
            return Ok(());
        }
        _ => {}
    }
    let mut array = out.array("content");
    for (index, part) in parts.iter().enumerate().filter(|(_, part)| speaks(part)) {
        match part {
            Part::Opaque(value) if dialect == Dialect::OpenAi => array.value(value),
            Part::Opaque(value) => {
                encode_foreign_part(value, dialect, &mut array, || {
                    format!("messages[{message}].content[{index}]")
                })?;
            }
            Part::Text { text, extra } => {
                let mut out = array.object();
                out.text("type", "text");
                out.text("text", text);
                if dialect == Dialect::OpenAi {
                    out.extra(extra);
                }
            }
            Part::Image { source, detail, extra } => {
                let nested = nested_extra(extra, "image_url", dialect);
                let mut out = array.object();
                out.text("type", "image_url");
                {
                    let mut image = out.object("image_url");
                    match source {
                        ImageSource::Url(url) => image.text("url", url),
                        ImageSource::Base64 { media_type, data } => {
                            image.text("url", &format!("data:{media_type};base64,{data}"));
                        }
                    }
                    image.optional_text("detail", detail.as_deref());
                    if let Some(nested) = nested {
                        image.extra(nested);
                    }
                }
                if dialect == Dialect::OpenAi {
                    out.extra_except(extra, &["image_url"]);
                }
            }
        }
    }
    Ok(())
}

/// Writes a part of another dialect that has a counterpart in this one.
fn encode_foreign_part(
    part: &Value,
    dialect: Dialect,
    array: &mut Array<'_>,
    path: impl FnOnce() -> String,
) -> Result<(), Unsupported> {
    match OpaquePart::read(part, dialect) {
        OpaquePart::Reasoning => Ok(()),
        OpaquePart::Text(text) => {
            let mut out = array.object();
            out.text("type", "text");
            out.text("text", text);
            Ok(())
        }
        OpaquePart::File { media_type, data, name } => {
            let mut out = array.object();
            out.text("type", "file");
            let mut file = out.object("file");
            file.text("filename", name.unwrap_or("file"));
            file.text("file_data", &format!("data:{media_type};base64,{data}"));
            Ok(())
        }
        OpaquePart::Audio { format, data } => {
            let mut out = array.object();
            out.text("type", "input_audio");
            let mut audio = out.object("input_audio");
            audio.text("data", data);
            audio.text("format", format);
            Ok(())
        }
        OpaquePart::Unknown(kind) => {
            let path = path();
            let message = format!("OpenAI's chat format has no counterpart of the `{kind}` in `{path}`");
            Err(Unsupported::new(path, message))
        }
    }
}

/// The unknown fields of a nested object, where the provider may have them.
fn nested_extra<'a>(extra: &'a Extra, name: &str, dialect: Dialect) -> Option<&'a Extra> {
    match dialect {
        Dialect::OpenAi => extra.get(name).and_then(Value::as_object),
        _ => None,
    }
}

/// Writes a tool call, in a request or in an answer.
pub(crate) fn encode_tool_call(call: &ToolCall, dialect: Dialect, mut out: Object<'_>) {
    out.text("id", &call.id);
    let (body, arguments) = match call.extra.get("type").and_then(Value::as_str) {
        Some("custom") => ("custom", "input"),
        _ => ("function", "arguments"),
    };
    out.text("type", body);
    {
        let mut function = out.object(body);
        function.text("name", &call.name);
        function.text(arguments, &call.arguments);
        if let Some(nested) = nested_extra(&call.extra, body, dialect) {
            function.extra(nested);
        }
    }
    if dialect == Dialect::OpenAi {
        out.extra_except(&call.extra, &["type", body, ANTHROPIC_EXTRA]);
    }
}

fn encode_tools(request: &ChatRequest, body: &mut Object<'_>) -> Result<(), Unsupported> {
    if !request.tools.is_empty() {
        let mut tools = body.array("tools");
        for (index, tool) in request.tools.iter().enumerate() {
            encode_tool(tool, index, request.dialect, &mut tools)?;
        }
    }
    match &request.tool_choice {
        None => {}
        Some(ToolChoice::Auto) => body.text("tool_choice", "auto"),
        Some(ToolChoice::None) => body.text("tool_choice", "none"),
        Some(ToolChoice::Required) => body.text("tool_choice", "required"),
        Some(ToolChoice::Function(name)) => {
            let mut choice = body.object("tool_choice");
            choice.text("type", "function");
            choice.object("function").text("name", name);
        }
        Some(ToolChoice::Opaque(value)) if request.dialect == Dialect::OpenAi => {
            body.value("tool_choice", value)
        }
        Some(ToolChoice::Opaque(_)) => {
            return Err(Unsupported::new(
                "tool_choice",
                "OpenAI's chat format has no counterpart of this `tool_choice`",
            ));
        }
    }
    body.optional_value("parallel_tool_calls", request.parallel_tool_calls.as_ref());
    Ok(())
}

fn encode_tool(
    tool: &Tool,
    index: usize,
    dialect: Dialect,
    tools: &mut Array<'_>,
) -> Result<(), Unsupported> {
    match tool {
        Tool::Opaque(value) if dialect == Dialect::OpenAi => tools.value(value),
        Tool::Opaque(value) => {
            let kind = value["type"].as_str().unwrap_or_default();
            return Err(Unsupported::new(
                format!("tools[{index}]"),
                format!("OpenAI's chat format has no counterpart of the tool `{kind}` in `tools[{index}]`"),
            ));
        }
        Tool::Function { name, description, parameters, strict, extra } => {
            let mut out = tools.object();
            out.text("type", "function");
            {
                let mut function = out.object("function");
                function.text("name", name);
                function.optional_text("description", description.as_deref());
                function.optional_value("parameters", parameters.as_ref());
                function.optional_value("strict", strict.as_ref());
                if let Some(nested) = nested_extra(extra, "function", dialect) {
                    function.extra(nested);
                }
            }
            if dialect == Dialect::OpenAi {
                out.extra_except(extra, &["function"]);
            }
        }
    }
    Ok(())
}

fn encode_response_format(request: &ChatRequest, body: &mut Object<'_>) -> Result<(), Unsupported> {
    match &request.response_format {
        None => {}
        Some(ResponseFormat::Text) => body.object("response_format").text("type", "text"),
        Some(ResponseFormat::JsonObject) => body.object("response_format").text("type", "json_object"),
        Some(ResponseFormat::JsonSchema { name, description, schema, strict }) => {
            let mut format = body.object("response_format");
            format.text("type", "json_schema");
            let mut json_schema = format.object("json_schema");
            json_schema.text("name", name);
            json_schema.optional_text("description", description.as_deref());
            json_schema.optional_value("schema", schema.as_ref());
            json_schema.optional_value("strict", strict.as_ref());
        }
        Some(ResponseFormat::Opaque(value)) if request.dialect == Dialect::OpenAi => {
            body.value("response_format", value);
        }
        Some(ResponseFormat::Opaque(_)) => {
            return Err(Unsupported::new(
                "response_format",
                "OpenAI's chat format has no counterpart of this response format",
            ));
        }
    }
    Ok(())
}
