//! OpenAI's chat completions, as <https://platform.openai.com/docs/api-reference/chat> has them.

use http::request::Parts;
use serde_json::{Map, Value, json};

use super::answer::{Call, Finish, Reply};
use super::api::{Api, ApiError, Checked, Frame, Part, data, fragments, number_within, only_known};
use super::prompt::{Prompt, Speaker, Tool, Turn, text_of};

const KNOWN: &[&str] = &[
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "model",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];

pub(super) fn check(api: Api, head: &Parts, body: &Map<String, Value>) -> Result<Checked, ApiError> {
    if api == Api::OpenAi {
        check_key(head)?;
        only_known(body, KNOWN, |name| {
            ApiError::bad(format!("Unrecognized request argument supplied: {name}")).param(name)
        })?;
    }
    let model = body.get("model").and_then(Value::as_str).filter(|model| !model.is_empty());
    let model = model.ok_or_else(|| ApiError::bad("you must provide a model parameter"))?.to_owned();
    let streamed = body.get("stream").and_then(Value::as_bool).unwrap_or(false);
    let stream_options = body.get("stream_options").filter(|options| !options.is_null());
    if stream_options.is_some() && !streamed {
        return Err(ApiError::bad(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        )
        .param("stream_options"));
    }
    number_within(body, "temperature", 0.0..=2.0)?;
    number_within(body, "top_p", 0.0..=1.0)?;
    number_within(body, "n", 1.0..=128.0)?;
    let limits =
        ["max_tokens", "max_completion_tokens"].map(|name| body.get(name).filter(|value| !value.is_null()));
    if let [Some(_), Some(_)] = limits {
        return Err(ApiError::bad(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
        ));
    }
    let max_tokens = match limits.into_iter().flatten().next() {
        Some(limit) => Some(limit.as_u64().filter(|limit| *limit > 0).ok_or_else(|| {
            ApiError::bad("Invalid 'max_tokens': integer below minimum value. Expected a value >= 1.")
                .param("max_tokens")
        })? as usize),
        None => None,
    };
    let tools = tools(body)?;
    if body.get("tool_choice").is_some_and(|choice| !choice.is_null()) && tools.is_empty() {
        return Err(
            ApiError::bad("'tool_choice' is only allowed when 'tools' are specified.").param("tool_choice")
        );
    }
    let choice = body.get("tool_choice").unwrap_or(&Value::Null);
    let prompt = Prompt {
        turns: turns(body)?,
        tools: if choice.as_str() == Some("none") { Vec::new() } else { tools },
        only_tool: choice["function"]["name"].as_str().map(str::to_owned),
        json: json_wish(body)?,
        max_tokens,
        stop: stop_texts(body.get("stop"))?,
    };
    Ok(Checked {
        model,
        streamed,
        include_usage: stream_options.is_some_and(|options| options["include_usage"] == true),
        alternatives: body.get("n").and_then(Value::as_u64).unwrap_or(1) as usize,
        prompt,
    })
}

pub(super) fn check_key(head: &Parts) -> Result<(), ApiError> {
    let key =
        head.headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    match key {
        None | Some("") => Err(ApiError::new(
            401,
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth.",
        )),
        Some("wrong") => {
            Err(ApiError::new(401, "Incorrect API key provided: wrong.").code("invalid_api_key"))
        }
        Some(_) => Ok(()),
    }
}

fn turns(body: &Map<String, Value>) -> Result<Vec<Turn>, ApiError> {
    let messages = body
        .get("messages")
        .ok_or_else(|| ApiError::bad("Missing required parameter: 'messages'.").param("messages"))?;
    let messages = messages.as_array().ok_or_else(|| {
        ApiError::bad("Invalid type for 'messages': expected an array of objects.").param("messages")
    })?;
    if messages.is_empty() {
        return Err(ApiError::bad(
            "Invalid 'messages': empty array. Expected an array with minimum length 1.",
        )
        .param("messages"));
    }
    // The ids of calls that have no result yet.
    let mut open: Vec<&str> = Vec::new();
    let mut turns = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let at = |rest: &str| format!("messages.[{index}].{rest}");
        let speaker = match message["role"].as_str() {
            Some("system" | "developer") => Speaker::System,
            Some("user") => Speaker::User,
            Some("assistant") => Speaker::Model,
            Some("tool") => Speaker::Tool,
            _ => {
                return Err(ApiError::bad(format!(
                    "Invalid value: {}. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.",
                    message["role"]
                ))
                .param(at("role")));
            }
        };
        if speaker == Speaker::Tool {
            let id = message["tool_call_id"].as_str().unwrap_or_default();
            let position = open.iter().position(|known| *known == id).ok_or_else(|| {
                ApiError::bad(
                    "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
                )
                .param(at("role"))
            })?;
            open.remove(position);
        } else if !open.is_empty() {
            return Err(unanswered(&open));
        }
        let calls = message["tool_calls"].as_array().filter(|_| speaker == Speaker::Model);
        for call in calls.into_iter().flatten() {
            let id = call["id"]
                .as_str()
                .ok_or_else(|| ApiError::bad("Missing required parameter: 'id'.").param(at("tool_calls")))?;
            let known = call["type"] == "function"
                && call["function"]["name"].is_string()
                && call["function"]["arguments"].is_string();
            if !known {
                return Err(ApiError::bad("Invalid 'tool_calls': a call has a type 'function' and a function with name and arguments as text.").param(at("tool_calls")));
            }
            open.push(id);
        }
        check_content(&message["content"], speaker, calls.is_some(), &at("content"))?;
        turns.push(Turn { speaker, text: text_of(&message["content"]) });
    }
    if open.is_empty() { Ok(turns) } else { Err(unanswered(&open)) }
}

fn unanswered(open: &[&str]) -> ApiError {
    ApiError::bad(format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: {}",
        open.join(", ")
    ))
}

fn check_content(content: &Value, speaker: Speaker, calls: bool, at: &str) -> Result<(), ApiError> {
    let refuse = |what: &str| Err(ApiError::bad(format!("Invalid value for 'content': {what}.")).param(at));
    match content {
        Value::String(_) => Ok(()),
        Value::Null if speaker == Speaker::Model && calls => Ok(()),
        Value::Null => refuse("expected a string, got null"),
        Value::Array(parts) if !parts.is_empty() => {
            for part in parts {
                let well_formed = match part["type"].as_str() {
                    Some("text") => part["text"].is_string(),
                    Some("image_url") => part["image_url"]["url"].is_string() && speaker == Speaker::User,
                    Some("input_audio") => part["input_audio"].is_object(),
                    Some("file") => part["file"].is_object(),
                    Some("refusal") => part["refusal"].is_string() && speaker == Speaker::Model,
                    _ => false,
                };
                if !well_formed {
                    return refuse("a part is not one that this role may have");
                }
            }
            Ok(())
        }
        _ => refuse("expected a string or an array of parts"),
    }
}

fn tools(body: &Map<String, Value>) -> Result<Vec<Tool>, ApiError> {
    let Some(tools) = body.get("tools").filter(|tools| !tools.is_null()) else { return Ok(Vec::new()) };
    let refuse = |what: &str| ApiError::bad(format!("Invalid 'tools': {what}.")).param("tools");
    let tools = tools
        .as_array()
        .filter(|tools| !tools.is_empty())
        .ok_or_else(|| refuse("expected an array with minimum length 1"))?;
    let mut checked = Vec::new();
    for tool in tools {
        let function = &tool["function"];
        let name = function["name"].as_str().unwrap_or_default();
        let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if tool["type"] != "function" || name.is_empty() || name.len() > 64 || !name.bytes().all(is_name_byte)
        {
            return Err(refuse("a tool has the type 'function' and a name that matches '^[a-zA-Z0-9_-]+$'"));
        }
        let schema = function
            .get("parameters")
            .cloned()
            .unwrap_or_else(|| json!({"type": "object", "properties": {}}));
        if schema["type"] != "object" {
            return Err(refuse("the schema of the parameters must be of the type \"object\""));
        }
        checked.push(Tool { name: name.to_owned(), schema });
    }
    Ok(checked)
}

fn json_wish(body: &Map<String, Value>) -> Result<Option<Option<Value>>, ApiError> {
    let format = body.get("response_format").unwrap_or(&Value::Null);
    match format["type"].as_str() {
        None if format.is_null() => Ok(None),
        Some("text") => Ok(None),
        Some("json_object") => Ok(Some(None)),
        Some("json_schema") if format["json_schema"]["name"].is_string() => {
            Ok(Some(Some(format["json_schema"]["schema"].clone())))
        }
        Some("json_schema") => {
            Err(ApiError::bad("Missing required parameter: 'response_format.json_schema.name'.")
                .param("response_format.json_schema.name"))
        }
        _ => Err(ApiError::bad(
            "Invalid value: supported values are: 'json_object', 'json_schema', and 'text'.",
        )
        .param("response_format.type")),
    }
}

fn stop_texts(stop: Option<&Value>) -> Result<Vec<String>, ApiError> {
    match stop {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text.clone()]),
        Some(Value::Array(texts)) if texts.len() <= 4 && texts.iter().all(Value::is_string) => {
            Ok(texts.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        }
        Some(_) => Err(ApiError::bad("Invalid 'stop': expected a string or an array of at most 4 strings.")
            .param("stop")),
    }
}

const CREATED: i64 = 1_700_000_000;

pub(super) fn whole(checked: &Checked, reply: &Reply, usage: bool) -> Value {
    let calls: Vec<Value> = reply
        .calls
        .iter()
        .map(|call| {
            json!({
                "id": call_id(call), "type": "function",
                "function": { "name": call.name, "arguments": call.arguments_text() },
            })
        })
        .collect();
    let mut message = json!({
        "role": "assistant",
        "content": if calls.is_empty() { reply.text().into() } else { Value::Null },
        "refusal": null, "annotations": [],
    });
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    let choices: Vec<Value> = (0..checked.alternatives).map(|index| json!({
        "index": index, "message": message, "logprobs": null, "finish_reason": finish_reason(reply.finish),
    })).collect();
    let mut body = json!({
        "id": format!("chatcmpl-{}", reply.fingerprint), "object": "chat.completion", "created": CREATED,
        "model": checked.model, "choices": choices,
    });
    if usage {
        body["usage"] = usage_of(checked, reply);
    }
    body["service_tier"] = "default".into();
    body["system_fingerprint"] = "fp_stand_in".into();
    body
}

pub(super) fn frames(checked: &Checked, reply: &Reply, usage: bool) -> Vec<Frame> {
    let usage = usage && checked.include_usage;
    let chunk = |choices: Value| {
        let mut chunk = json!({
            "id": format!("chatcmpl-{}", reply.fingerprint), "object": "chat.completion.chunk", "created": CREATED,
            "model": checked.model, "service_tier": "default", "system_fingerprint": "fp_stand_in", "choices": choices,
        });
        if usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    };
    let delta = |index: usize, delta: Value, finish: Value| {
        chunk(json!([{ "index": index, "delta": delta, "logprobs": null, "finish_reason": finish }]))
    };
    let mut frames = Vec::new();
    let mut push = |part: Part, value: Value| frames.push(Frame { part, bytes: data(&value) });
    let content = if reply.calls.is_empty() { json!("") } else { Value::Null };
    for index in 0..checked.alternatives {
        let start = json!({ "role": "assistant", "content": content, "refusal": null });
        push(Part::Start, delta(index, start, Value::Null));
    }
    for piece in &reply.pieces {
        for index in 0..checked.alternatives {
            push(Part::Content, delta(index, json!({ "content": piece }), Value::Null));
        }
    }
    for calls in call_deltas(&reply.calls) {
        for index in 0..checked.alternatives {
            push(Part::Content, delta(index, json!({ "tool_calls": [calls] }), Value::Null));
        }
    }
    for index in 0..checked.alternatives {
        push(Part::Finish, delta(index, json!({}), finish_reason(reply.finish).into()));
    }
    if usage {
        let mut last = chunk(json!([]));
        last["usage"] = usage_of(checked, reply);
        push(Part::Usage, last);
    }
    frames.push(Frame { part: Part::End, bytes: bytes::Bytes::from_static(b"data: [DONE]\n\n") });
    frames
}

/// The fragments of the calls: each begins, then their arguments come in turns, as parallel calls do.
fn call_deltas(calls: &[Call]) -> Vec<Value> {
    let mut deltas: Vec<Value> = calls
        .iter()
        .enumerate()
        .map(|(index, call)| {
            json!({
                "index": index, "id": call_id(call), "type": "function",
                "function": { "name": call.name, "arguments": "" },
            })
        })
        .collect();
    let arguments: Vec<Vec<String>> = calls.iter().map(fragments).collect();
    let longest = arguments.iter().map(Vec::len).max().unwrap_or(0);
    for step in 0..longest {
        for (index, fragments) in arguments.iter().enumerate() {
            if let Some(fragment) = fragments.get(step) {
                deltas.push(json!({ "index": index, "function": { "arguments": fragment } }));
            }
        }
    }
    deltas
}

fn call_id(call: &Call) -> String {
    format!("call_{}", call.fingerprint)
}

fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter => "content_filter",
    }
}

fn usage_of(checked: &Checked, reply: &Reply) -> Value {
    let completion = reply.tokens.completion * checked.alternatives;
    json!({
        "prompt_tokens": reply.tokens.prompt,
        "completion_tokens": completion,
        "total_tokens": reply.tokens.prompt + completion,
        "prompt_tokens_details": { "cached_tokens": reply.tokens.cached, "audio_tokens": 0 },
        "completion_tokens_details": {
            "reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        },
    })
}

pub(super) fn error(error: &ApiError) -> Value {
    let (kind, code) = match error.status {
        401 => ("invalid_request_error", error.code.or(Some("invalid_api_key"))),
        403 => ("invalid_request_error", error.code.or(Some("unsupported_country_region_territory"))),
        404 => ("invalid_request_error", error.code.or(Some("model_not_found"))),
        429 if error.code == Some("insufficient_quota") => ("insufficient_quota", error.code),
        429 => ("requests", error.code.or(Some("rate_limit_exceeded"))),
        400..500 => ("invalid_request_error", error.code),
        _ => ("server_error", error.code),
    };
    json!({ "error": { "message": error.message, "type": kind, "param": error.param, "code": code } })
}

/// The list of models.
pub(super) fn models(names: &[&str]) -> Value {
    let data: Vec<Value> = names
        .iter()
        .map(|name| json!({ "id": name, "object": "model", "created": CREATED, "owned_by": "stand-in" }))
        .collect();
    json!({ "object": "list", "data": data })
}
