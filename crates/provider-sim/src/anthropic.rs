//! Anthropic's messages, as <https://docs.anthropic.com/en/api/messages> has them.

use http::request::Parts;
use serde_json::{Map, Value, json};

use super::answer::{Call, Finish, Reply};
use super::api::{ApiError, Checked, Frame, Part, fragments, named, number_within, only_known};
use super::prompt::{Prompt, Speaker, Tool, Turn, text_of};

const KNOWN: &[&str] = &[
    "container",
    "context_management",
    "max_tokens",
    "mcp_servers",
    "messages",
    "metadata",
    "model",
    "output_config",
    "output_format",
    "service_tier",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];

pub(super) fn check(head: &Parts, body: &Map<String, Value>) -> Result<Checked, ApiError> {
    check_headers(head)?;
    let model = required_model(body)?;
    let max_tokens = body.get("max_tokens").filter(|limit| !limit.is_null());
    let max_tokens = max_tokens.ok_or_else(|| ApiError::bad("max_tokens: Field required"))?;
    let max_tokens = max_tokens
        .as_u64()
        .filter(|limit| *limit > 0)
        .ok_or_else(|| ApiError::bad("max_tokens: Input should be greater than or equal to 1"))?;
    only_known(body, KNOWN, |name| ApiError::bad(format!("{name}: Extra inputs are not permitted")))?;
    number_within(body, "temperature", 0.0..=1.0)?;
    number_within(body, "top_p", 0.0..=1.0)?;
    let choice = body.get("tool_choice").unwrap_or(&Value::Null);
    let choice_type = choice["type"].as_str();
    if !choice.is_null() && !matches!(choice_type, Some("auto" | "any" | "tool" | "none")) {
        return Err(ApiError::bad(
            "tool_choice: Input tag does not match any of the expected tags: 'auto', 'any', 'tool', 'none'",
        ));
    }
    let tools = tools(body)?;
    if matches!(choice_type, Some("any" | "tool")) && tools.is_empty() {
        return Err(ApiError::bad("tool_choice may only be specified while providing tools."));
    }
    let mut turns = system(body)?;
    turns.extend(self::turns(body)?);
    let prompt = Prompt {
        turns,
        tools: if choice_type == Some("none") { Vec::new() } else { tools },
        only_tool: choice["name"].as_str().map(str::to_owned),
        json: schema(body)?.map(Some),
        max_tokens: Some(max_tokens as usize),
        stop: stop_texts(body.get("stop_sequences"))?,
    };
    let streamed = body.get("stream").and_then(Value::as_bool).unwrap_or(false);
    Ok(Checked { model, streamed, include_usage: true, alternatives: 1, prompt })
}

/// The key and the version.
pub(super) fn check_headers(head: &Parts) -> Result<(), ApiError> {
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    match header("x-api-key").or_else(|| header("authorization")?.strip_prefix("Bearer ")) {
        None | Some("") => return Err(ApiError::new(401, "x-api-key header is required")),
        Some("wrong") => return Err(ApiError::new(401, "invalid x-api-key")),
        Some(_) => {}
    }
    match header("anthropic-version") {
        None => Err(ApiError::bad("anthropic-version: header is required")),
        Some("2023-06-01" | "2023-01-01") => Ok(()),
        Some(other) => Err(ApiError::bad(format!("anthropic-version: \"{other}\" is not a valid version"))),
    }
}

fn required_model(body: &Map<String, Value>) -> Result<String, ApiError> {
    let model = body.get("model").and_then(Value::as_str).filter(|model| !model.is_empty());
    Ok(model.ok_or_else(|| ApiError::bad("model: Field required"))?.to_owned())
}

fn system(body: &Map<String, Value>) -> Result<Vec<Turn>, ApiError> {
    match body.get("system") {
        None => Ok(Vec::new()),
        Some(content @ (Value::String(_) | Value::Array(_))) => {
            Ok(vec![Turn { speaker: Speaker::System, text: text_of(content) }])
        }
        Some(_) => Err(ApiError::bad("system: Input should be a valid string or list")),
    }
}

fn turns(body: &Map<String, Value>) -> Result<Vec<Turn>, ApiError> {
    let messages = body.get("messages").ok_or_else(|| ApiError::bad("messages: Field required"))?;
    let messages =
        messages.as_array().ok_or_else(|| ApiError::bad("messages: Input should be a valid list"))?;
    if messages.is_empty() {
        return Err(ApiError::bad("messages: at least one message is required"));
    }
    let mut turns = Vec::new();
    // The ids of the calls of the message before.
    let mut called: Vec<String> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        if let Some(name) =
            message.as_object().and_then(|m| m.keys().find(|k| *k != "role" && *k != "content"))
        {
            return Err(ApiError::bad(format!("messages.{index}.{name}: Extra inputs are not permitted")));
        }
        let speaker = match message["role"].as_str() {
            Some("user") => Speaker::User,
            Some("assistant") => Speaker::Model,
            _ => {
                return Err(ApiError::bad(format!(
                    "messages: Unexpected role {}. Allowed roles are \"user\" or \"assistant\".",
                    message["role"]
                )));
            }
        };
        if index == 0 && speaker != Speaker::User {
            return Err(ApiError::bad("messages: first message must use the \"user\" role"));
        }
        let blocks = blocks(&message["content"], speaker, index)?;
        let ids = |kind: &str, key: &str| -> Vec<String> {
            blocks
                .iter()
                .filter(|block| block["type"] == kind)
                .filter_map(|block| block[key].as_str())
                .map(str::to_owned)
                .collect()
        };
        let results = ids("tool_result", "tool_use_id");
        if let Some(missing) = called.iter().find(|id| !results.contains(id)) {
            return Err(ApiError::bad(format!(
                "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: {missing}. Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
                index - 1
            )));
        }
        if let Some(unexpected) = results.iter().find(|id| !called.contains(id)) {
            return Err(ApiError::bad(format!(
                "messages.{index}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: {unexpected}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            )));
        }
        called = ids("tool_use", "id");
        let text = text_of(&message["content"]);
        let answered: Vec<String> = blocks
            .iter()
            .filter(|block| block["type"] == "tool_result")
            .map(|block| text_of(&block["content"]))
            .collect();
        if answered.is_empty() {
            turns.push(Turn { speaker, text });
        } else {
            turns.push(Turn { speaker: Speaker::Tool, text: answered.join("\n") });
            if !text.is_empty() {
                turns.push(Turn { speaker, text });
            }
        }
    }
    if !called.is_empty() {
        return Err(ApiError::bad(format!(
            "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: {}.",
            messages.len() - 1,
            called.join(", ")
        )));
    }
    Ok(turns)
}

/// The blocks of a message's content, each of which is in order.
fn blocks(content: &Value, speaker: Speaker, message: usize) -> Result<Vec<Value>, ApiError> {
    let blocks = match content {
        Value::String(text) if text.is_empty() => {
            return Err(ApiError::bad(format!(
                "messages.{message}: user messages must have non-empty content"
            )));
        }
        Value::String(text) => return Ok(vec![json!({ "type": "text", "text": text })]),
        Value::Array(blocks) if !blocks.is_empty() => blocks,
        _ => {
            return Err(ApiError::bad(format!(
                "messages.{message}.content: Input should be a valid string or a non-empty list"
            )));
        }
    };
    for (index, block) in blocks.iter().enumerate() {
        let at = format!("messages.{message}.content.{index}");
        let refuse = |what: &str| Err(ApiError::bad(format!("{at}{what}")));
        match (block["type"].as_str(), speaker) {
            (Some("text"), _) => match block["text"].as_str() {
                None => return refuse(".text.text: Field required"),
                Some("") => return Err(ApiError::bad("messages: text content blocks must be non-empty")),
                Some(_) => {}
            },
            (Some("image"), Speaker::User) => {
                let source = &block["source"];
                let well_formed = match source["type"].as_str() {
                    Some("base64") => source["media_type"].is_string() && source["data"].is_string(),
                    Some("url") => source["url"].is_string(),
                    Some("file") => source["file_id"].is_string(),
                    _ => false,
                };
                if !well_formed {
                    return refuse(".image.source: Field required");
                }
            }
            (Some("document" | "search_result"), Speaker::User) => {}
            (Some("tool_use"), Speaker::Model) => {
                let well_formed =
                    block["id"].is_string() && block["name"].is_string() && block["input"].is_object();
                if !well_formed {
                    return refuse(".tool_use: id, name and input (a dictionary) are required");
                }
            }
            (Some("tool_result"), Speaker::User) if block["tool_use_id"].is_string() => {}
            (
                Some("thinking" | "redacted_thinking" | "server_tool_use" | "web_search_tool_result"),
                Speaker::Model,
            ) => {}
            _ => {
                return refuse(
                    ": Input tag found using 'type' does not match any of the expected tags for this role",
                );
            }
        }
    }
    Ok(blocks.clone())
}

fn tools(body: &Map<String, Value>) -> Result<Vec<Tool>, ApiError> {
    let mut checked = Vec::new();
    for (index, tool) in body.get("tools").and_then(Value::as_array).into_iter().flatten().enumerate() {
        // The provider's own tools have a type with a date.
        if tool["type"].as_str().is_some_and(|kind| kind != "custom") {
            continue;
        }
        let name = tool["name"]
            .as_str()
            .ok_or_else(|| ApiError::bad(format!("tools.{index}.custom.name: Field required")))?;
        let schema = tool
            .get("input_schema")
            .ok_or_else(|| ApiError::bad(format!("tools.{index}.custom.input_schema: Field required")))?;
        if schema["type"] != "object" {
            return Err(ApiError::bad(format!(
                "tools.{index}.custom.input_schema.type: Input should be 'object'"
            )));
        }
        checked.push(Tool { name: name.to_owned(), schema: schema.clone() });
    }
    Ok(checked)
}

fn schema(body: &Map<String, Value>) -> Result<Option<Value>, ApiError> {
    let format = body.get("output_config").map_or(&Value::Null, |config| &config["format"]);
    let format = if format.is_null() { body.get("output_format").unwrap_or(&Value::Null) } else { format };
    match format["type"].as_str() {
        None if format.is_null() => Ok(None),
        Some("json_schema") if format["schema"].is_object() => Ok(Some(format["schema"].clone())),
        _ => Err(ApiError::bad(
            "output_config.format: Input should be of the type 'json_schema' with a schema",
        )),
    }
}

fn stop_texts(stop: Option<&Value>) -> Result<Vec<String>, ApiError> {
    match stop {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(texts))
            if texts.iter().all(|text| text.as_str().is_some_and(|text| !text.trim().is_empty())) =>
        {
            Ok(texts.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        }
        Some(_) => Err(ApiError::bad("stop_sequences: each stop sequence must contain non-whitespace")),
    }
}

pub(super) fn whole(checked: &Checked, reply: &Reply, usage: bool) -> Value {
    let mut content: Vec<Value> = Vec::new();
    if !reply.pieces.is_empty() {
        content.push(json!({ "type": "text", "text": reply.text() }));
    }
    content.extend(reply.calls.iter().map(|call| {
        json!({
            "type": "tool_use", "id": call_id(call), "name": call.name, "input": call.arguments,
        })
    }));
    let mut message = start(checked, reply);
    message["content"] = content.into();
    message["stop_reason"] = stop_reason(reply.finish).into();
    if usage {
        message["usage"] = input_usage(reply, reply.tokens.completion);
    }
    message
}

fn start(checked: &Checked, reply: &Reply) -> Value {
    json!({
        "id": format!("msg_{}", reply.fingerprint), "type": "message", "role": "assistant", "model": checked.model,
        "content": [], "stop_reason": null, "stop_sequence": null,
    })
}

pub(super) fn frames(checked: &Checked, reply: &Reply, usage: bool) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut push = |part: Part, value: Value| {
        let name = value["type"].as_str().unwrap_or_default().to_owned();
        frames.push(Frame { part, bytes: named(&name, &value) });
    };
    let mut message = start(checked, reply);
    if usage {
        message["usage"] = input_usage(reply, 1);
    }
    push(Part::Start, json!({ "type": "message_start", "message": message }));
    let mut index = 0;
    if !reply.pieces.is_empty() {
        let block = json!({ "type": "text", "text": "" });
        push(Part::Start, json!({ "type": "content_block_start", "index": index, "content_block": block }));
        push(Part::Start, json!({ "type": "ping" }));
        for piece in &reply.pieces {
            let delta = json!({ "type": "text_delta", "text": piece });
            push(Part::Content, json!({ "type": "content_block_delta", "index": index, "delta": delta }));
        }
        push(Part::Content, json!({ "type": "content_block_stop", "index": index }));
        index += 1;
    }
    for call in &reply.calls {
        let block = json!({ "type": "tool_use", "id": call_id(call), "name": call.name, "input": {} });
        push(Part::Content, json!({ "type": "content_block_start", "index": index, "content_block": block }));
        for fragment in std::iter::once(String::new()).chain(fragments(call)) {
            let delta = json!({ "type": "input_json_delta", "partial_json": fragment });
            push(Part::Content, json!({ "type": "content_block_delta", "index": index, "delta": delta }));
        }
        push(Part::Content, json!({ "type": "content_block_stop", "index": index }));
        index += 1;
    }
    let mut last = json!({
        "type": "message_delta",
        "delta": { "stop_reason": stop_reason(reply.finish), "stop_sequence": null },
    });
    if usage {
        last["usage"] = json!({ "output_tokens": reply.tokens.completion });
    }
    push(Part::Finish, last);
    push(Part::End, json!({ "type": "message_stop" }));
    frames
}

fn call_id(call: &Call) -> String {
    format!("toolu_{}", call.fingerprint)
}

fn stop_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::ContentFilter => "refusal",
    }
}

/// `input_tokens` is without what the cache had.
fn input_usage(reply: &Reply, output: usize) -> Value {
    json!({
        "input_tokens": reply.tokens.prompt - reply.tokens.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": reply.tokens.cached,
        "output_tokens": output,
        "service_tier": "standard",
    })
}

pub(super) fn error(error: &ApiError) -> Value {
    let kind = error.code.unwrap_or(match error.status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        400..500 => "invalid_request_error",
        504 => "timeout_error",
        _ => "api_error",
    });
    json!({ "type": "error", "error": { "type": kind, "message": error.message }, "request_id": "req_stand_in" })
}

/// The answer of `count_tokens`.
pub(super) fn token_count(reply: &Reply) -> Value {
    json!({ "input_tokens": reply.tokens.prompt })
}

/// The list of models.
pub(super) fn models(names: &[&str]) -> Value {
    let data: Vec<Value> = names
        .iter()
        .map(|name| json!({ "type": "model", "id": name, "display_name": name, "created_at": "2023-11-14T00:00:00Z" }))
        .collect();
    json!({ "data": data, "has_more": false, "first_id": names.first(), "last_id": names.last() })
}
