//! Requests for Gemini.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use mainstay_domain::chat::{
    ChatRequest, Content, Dialect, ImageSource, Message, Part, ResponseFormat, Role, Tool, ToolCall,
    ToolChoice,
};
use serde_json::Value;

use super::signature;
use crate::error::Unsupported;
use crate::foreign::refuse_foreign;
use crate::json::write::{Array, Object};
use crate::opaque::OpaquePart;

/// Writes the body for `generateContent` or `streamGenerateContent`; the model and whether to stream stand in the
/// request's path. `seed` beyond 32 bits and `user` have no place and are left out.
pub fn encode_request(request: &ChatRequest) -> Result<Bytes, Unsupported> {
    refuse_foreign(request, Dialect::Gemini, "Gemini")?;
    let mut out = BytesMut::with_capacity(1024);
    {
        let mut body = Object::new(&mut out);
        encode_system(request, &mut body)?;
        encode_contents(request, &mut body)?;
        encode_tools(request, &mut body)?;
        encode_generation_config(request, &mut body)?;
    }
    Ok(out.freeze())
}

fn is_system(message: &Message) -> bool {
    matches!(message.role, Role::System | Role::Developer)
}

fn encode_system(request: &ChatRequest, body: &mut Object<'_>) -> Result<(), Unsupported> {
    let system = || request.messages.iter().enumerate().filter(|(_, message)| is_system(message));
    if system().all(|(_, message)| message.content.text_len() == 0) {
        return Ok(());
    }
    let mut instruction = body.object("systemInstruction");
    let mut parts = instruction.array("parts");
    for (index, message) in system() {
        encode_content(&message.content, index, request.dialect, &mut parts)?;
    }
    Ok(())
}

/// Messages of one role that follow each other become one content: the results of parallel calls belong together.
fn encode_contents(request: &ChatRequest, body: &mut Object<'_>) -> Result<(), Unsupported> {
    let spoken: Vec<(usize, &Message)> = request
        .messages
        .iter()
        .enumerate()
        .filter(|(_, message)| !is_system(message) && speaks(message))
        .collect();
    if spoken.is_empty() {
        return Err(Unsupported::new("messages", "Gemini needs at least one message of a user"));
    }
    let mut tools = HashMap::new();
    let mut contents = body.array("contents");
    for turn in spoken.chunk_by(|(_, before), (_, after)| role(before) == role(after)) {
        let mut content = contents.object();
        content.text("role", role(turn[0].1));
        let mut parts = content.array("parts");
        for (index, message) in turn {
            for call in &message.tool_calls {
                tools.insert(call.id.as_str(), call.name.as_str());
            }
            encode_message(message, *index, request.dialect, &tools, &mut parts)?;
        }
    }
    Ok(())
}

fn role(message: &Message) -> &'static str {
    if message.role == Role::Assistant { "model" } else { "user" }
}

/// Whether anything is left of the message for Gemini, which refuses empty contents.
fn speaks(message: &Message) -> bool {
    let said = match &message.content {
        Content::Absent => false,
        Content::Text(text) => !text.is_empty(),
        Content::Parts(parts) => parts.iter().any(|part| match part {
            Part::Text { text, .. } => !text.is_empty(),
            Part::Image { .. } => true,
            Part::Opaque(value) => !matches!(value["type"].as_str(), Some("thinking" | "redacted_thinking")),
        }),
    };
    said || refusal(message).is_some() || !message.tool_calls.is_empty() || message.role == Role::Tool
}

/// What an assistant refused, which OpenAI keeps beside the content.
fn refusal(message: &Message) -> Option<&str> {
    message.extra.get("refusal").and_then(Value::as_str).filter(|_| message.role == Role::Assistant)
}

fn encode_message(
    message: &Message,
    index: usize,
    dialect: Dialect,
    tools: &HashMap<&str, &str>,
    parts: &mut Array<'_>,
) -> Result<(), Unsupported> {
    if message.role == Role::Tool {
        return encode_tool_result(message, index, dialect, tools, parts);
    }
    encode_content(&message.content, index, dialect, parts)?;
    if let Some(text) = refusal(message) {
        encode_text(text, parts);
    }
    if let Some(signature) = signature(&message.extra) {
        let mut part = parts.object();
        part.text("text", "");
        part.text("thoughtSignature", signature);
    }
    for (position, call) in message.tool_calls.iter().enumerate() {
        encode_call(call, || format!("messages[{index}].tool_calls[{position}]"), parts.object())?;
    }
    Ok(())
}

fn encode_content(
    content: &Content,
    index: usize,
    dialect: Dialect,
    parts: &mut Array<'_>,
) -> Result<(), Unsupported> {
    match content {
        Content::Absent => {}
        Content::Text(text) => encode_text(text, parts),
        Content::Parts(content) => {
            for (position, part) in content.iter().enumerate() {
                match part {
                    Part::Text { text, .. } => encode_text(text, parts),
                    Part::Image { source, .. } => encode_image(source, parts.object()),
                    Part::Opaque(value) => {
                        encode_opaque(
                            value,
                            dialect,
                            || format!("messages[{index}].content[{position}]"),
                            parts,
                        )?;
                    }
                }
            }
        }
    }
    Ok(())
}

fn encode_text(text: &str, parts: &mut Array<'_>) {
    if !text.is_empty() {
        parts.object().text("text", text);
    }
}

fn encode_image(source: &ImageSource, mut part: Object<'_>) {
    match source {
        ImageSource::Base64 { media_type, data } => encode_inline(media_type, data, part),
        ImageSource::Url(url) => {
            let mut file = part.object("fileData");
            file.optional_text("mimeType", image_type(url));
            file.text("fileUri", url);
        }
    }
}

fn encode_inline(media_type: &str, data: &str, mut part: Object<'_>) {
    let mut inline = part.object("inlineData");
    inline.text("mimeType", media_type);
    inline.text("data", data);
}

/// The media type by the extension of the URL's path: Gemini asks for one where it can be known.
fn image_type(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next()?;
    let (_, extension) = path.rsplit_once('.')?;
    match extension.to_ascii_lowercase().as_str() {
        "png" => Some("image/png"),
        "jpg" | "jpeg" => Some("image/jpeg"),
        "webp" => Some("image/webp"),
        "heic" => Some("image/heic"),
        "heif" => Some("image/heif"),
        _ => None,
    }
}

fn encode_opaque(
    value: &Value,
    dialect: Dialect,
    path: impl FnOnce() -> String,
    parts: &mut Array<'_>,
) -> Result<(), Unsupported> {
    match OpaquePart::read(value, dialect) {
        OpaquePart::Reasoning => {}
        OpaquePart::Text(text) => encode_text(text, parts),
        OpaquePart::File { media_type, data, .. } => encode_inline(media_type, data, parts.object()),
        OpaquePart::Audio { format, data } => encode_inline(&format!("audio/{format}"), data, parts.object()),
        OpaquePart::Unknown(kind) => {
            let path = path();
            let message = format!("Gemini has no counterpart of the `{kind}` in `{path}`");
            return Err(Unsupported::new(path, message));
        }
    }
    Ok(())
}

fn encode_call(
    call: &ToolCall,
    path: impl FnOnce() -> String,
    mut part: Object<'_>,
) -> Result<(), Unsupported> {
    {
        let mut function_call = part.object("functionCall");
        function_call.text("id", &call.id);
        function_call.text("name", &call.name);
        let arguments = call.arguments.trim();
        if arguments.is_empty() {
            drop(function_call.object("args"));
        } else if arguments.starts_with('{')
            && serde_json::from_str::<serde::de::IgnoredAny>(arguments).is_ok()
        {
            function_call.key("args").extend_from_slice(arguments.as_bytes());
        } else {
            let path = path();
            let message = format!("Gemini takes only a JSON object as arguments, which `{path}` has not");
            return Err(Unsupported::new(path, message));
        }
    }
    part.optional_text("thoughtSignature", signature(&call.extra));
    Ok(())
}

/// A tool's result, which Gemini wants as an object: JSON objects as they are, else the text under `result`, or under
/// `error` where the tool failed, which are the names that Google's documentation gives them.
fn encode_tool_result(
    message: &Message,
    index: usize,
    dialect: Dialect,
    tools: &HashMap<&str, &str>,
    parts: &mut Array<'_>,
) -> Result<(), Unsupported> {
    let id = message.tool_call_id.as_deref().unwrap_or_default();
    let Some(name) = tools.get(id).copied().or(message.name.as_deref()) else {
        let path = format!("messages[{index}].tool_call_id");
        let message = format!(
            "`{path}` names no call of the conversation, so Gemini cannot be told whose result it is"
        );
        return Err(Unsupported::new(path, message));
    };
    let mut part = parts.object();
    let mut response = part.object("functionResponse");
    response.text("id", id);
    response.text("name", name);
    let text = message.content.text();
    let is_object = !message.tool_failed
        && text.trim_start().starts_with('{')
        && serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
    if is_object {
        response.key("response").extend_from_slice(text.as_bytes());
    } else {
        response.object("response").text(if message.tool_failed { "error" } else { "result" }, &text);
    }
    if let Content::Parts(content) = &message.content {
        encode_result_media(content, index, dialect, &mut response)?;
    }
    Ok(())
}

/// Pictures in a tool's result stand beside the object.
fn encode_result_media(
    content: &[Part],
    index: usize,
    dialect: Dialect,
    response: &mut Object<'_>,
) -> Result<(), Unsupported> {
    if content.iter().all(|part| matches!(part, Part::Text { .. })) {
        return Ok(());
    }
    let mut parts = response.array("parts");
    for (position, part) in content.iter().enumerate() {
        match part {
            Part::Text { .. } => {}
            Part::Image { source, .. } => encode_image(source, parts.object()),
            Part::Opaque(value) => {
                encode_opaque(
                    value,
                    dialect,
                    || format!("messages[{index}].content[{position}]"),
                    &mut parts,
                )?;
            }
        }
    }
    Ok(())
}

fn encode_tools(request: &ChatRequest, body: &mut Object<'_>) -> Result<(), Unsupported> {
    if !request.tools.is_empty() {
        if request.parallel_tool_calls == Some(false) {
            return Err(Unsupported::new(
                "parallel_tool_calls",
                "Gemini cannot be kept from calling several tools at once: leave out `parallel_tool_calls`",
            ));
        }
        let mut tools = body.array("tools");
        let mut tool = tools.object();
        let mut declarations = tool.array("functionDeclarations");
        for (index, tool) in request.tools.iter().enumerate() {
            encode_tool(tool, index, &mut declarations)?;
        }
    }
    let strict = request.tools.iter().any(|tool| matches!(tool, Tool::Function { strict: Some(true), .. }));
    let (mode, name) = match &request.tool_choice {
        // As `AUTO`, but arguments follow their schemas.
        None | Some(ToolChoice::Auto) if strict => ("VALIDATED", None),
        None => return Ok(()),
        Some(ToolChoice::Auto) => ("AUTO", None),
        Some(ToolChoice::None) => ("NONE", None),
        Some(ToolChoice::Required) => ("ANY", None),
        Some(ToolChoice::Function(name)) => ("ANY", Some(name)),
        Some(ToolChoice::Opaque(_)) => {
            return Err(Unsupported::new("tool_choice", "Gemini has no counterpart of this `tool_choice`"));
        }
    };
    let mut tool_config = body.object("toolConfig");
    let mut calling = tool_config.object("functionCallingConfig");
    calling.text("mode", mode);
    if let Some(name) = name {
        calling.array("allowedFunctionNames").text(name);
    }
    Ok(())
}

fn encode_tool(tool: &Tool, index: usize, declarations: &mut Array<'_>) -> Result<(), Unsupported> {
    match tool {
        Tool::Function { name, description, parameters, .. } => {
            let mut declaration = declarations.object();
            declaration.text("name", name);
            declaration.optional_text("description", description.as_deref());
            declaration.optional_value("parametersJsonSchema", parameters.as_ref());
            Ok(())
        }
        Tool::Opaque(value) => {
            let kind = value["type"].as_str().unwrap_or_default();
            Err(Unsupported::new(
                format!("tools[{index}]"),
                format!("Gemini has no counterpart of the tool `{kind}` in `tools[{index}]`"),
            ))
        }
    }
}

fn encode_generation_config(request: &ChatRequest, body: &mut Object<'_>) -> Result<(), Unsupported> {
    let mut config = body.object("generationConfig");
    config.optional_value("temperature", request.temperature.as_ref());
    config.optional_value("topP", request.top_p.as_ref());
    config.optional_value("topK", request.top_k.as_ref());
    config.optional_value("candidateCount", request.n.as_ref());
    config.optional_value("maxOutputTokens", request.max_tokens.map(|max_tokens| max_tokens.limit).as_ref());
    if !request.stop.is_empty() {
        config.value("stopSequences", &request.stop);
    }
    config.optional_value("presencePenalty", request.presence_penalty.as_ref());
    config.optional_value("frequencyPenalty", request.frequency_penalty.as_ref());
    config.optional_value("seed", request.seed.and_then(|seed| i32::try_from(seed).ok()).as_ref());
    match &request.response_format {
        None | Some(ResponseFormat::Text) => {}
        Some(ResponseFormat::JsonObject) => config.text("responseMimeType", "application/json"),
        Some(ResponseFormat::JsonSchema { schema, .. }) => {
            config.text("responseMimeType", "application/json");
            config.optional_value("responseJsonSchema", schema.as_ref());
        }
        Some(ResponseFormat::Opaque(_)) => {
            return Err(Unsupported::new(
                "response_format",
                "Gemini has no counterpart of this response format",
            ));
        }
    }
    Ok(())
}
