//! Gemini's `generateContent`, as <https://ai.google.dev/api/generate-content> has it.

use http::request::Parts;
use serde_json::{Map, Value, json};

use super::answer::{Finish, Reply};
use super::api::{ApiError, Checked, Frame, Part, Target, data, number_within};
use super::prompt::{Prompt, Speaker, Tool, Turn, text_of};
use super::retry_after::RetryAfter;

const KNOWN: &[&str] = &[
    "cachedContent",
    "contents",
    "generationConfig",
    "labels",
    "model",
    "safetySettings",
    "systemInstruction",
    "toolConfig",
    "tools",
];

const KNOWN_GENERATION: &[&str] = &[
    "candidateCount",
    "enableEnhancedCivicAnswers",
    "frequencyPenalty",
    "imageConfig",
    "logprobs",
    "maxOutputTokens",
    "mediaResolution",
    "presencePenalty",
    "responseJsonSchema",
    "responseLogprobs",
    "responseMimeType",
    "responseModalities",
    "responseSchema",
    "seed",
    "speechConfig",
    "stopSequences",
    "temperature",
    "thinkingConfig",
    "topK",
    "topP",
];

pub(super) fn check(head: &Parts, target: Target, body: &Map<String, Value>) -> Result<Checked, ApiError> {
    check_key(head)?;
    let body = camel_case(body);
    unknown(&body, KNOWN, "")?;
    let empty = Map::new();
    let generation = body.get("generationConfig").and_then(Value::as_object).map(camel_case);
    let generation = generation.as_ref().unwrap_or(&empty);
    unknown(generation, KNOWN_GENERATION, "generation_config.")?;
    number_within(generation, "temperature", 0.0..=2.0)?;
    number_within(generation, "topP", 0.0..=1.0)?;
    number_within(generation, "candidateCount", 1.0..=8.0)?;
    let mut turns: Vec<Turn> = body
        .get("systemInstruction")
        .map(|content| Turn { speaker: Speaker::System, text: text_of(&content["parts"]) })
        .into_iter()
        .collect();
    turns.extend(self::turns(&body)?);
    let calling = body.get("toolConfig").map_or(&Value::Null, |config| &config["functionCallingConfig"]);
    let tools = if calling["mode"] == "NONE" { Vec::new() } else { tools(&body)? };
    let json = (generation.get("responseMimeType").and_then(Value::as_str) == Some("application/json"))
        .then(|| generation.get("responseJsonSchema").or_else(|| generation.get("responseSchema")).cloned());
    let stop = generation.get("stopSequences").and_then(Value::as_array).into_iter().flatten();
    let prompt = Prompt {
        turns,
        tools,
        only_tool: calling["allowedFunctionNames"][0].as_str().map(str::to_owned),
        json,
        max_tokens: generation.get("maxOutputTokens").and_then(Value::as_u64).map(|limit| limit as usize),
        stop: stop.filter_map(Value::as_str).map(str::to_owned).collect(),
    };
    Ok(Checked {
        model: target.model.unwrap_or_default(),
        streamed: target.streamed,
        include_usage: true,
        alternatives: generation.get("candidateCount").and_then(Value::as_u64).unwrap_or(1) as usize,
        prompt,
    })
}

pub(super) fn check_key(head: &Parts) -> Result<(), ApiError> {
    let in_query = || head.uri.query()?.split('&').find_map(|pair| pair.strip_prefix("key="));
    let key = head.headers.get("x-goog-api-key").and_then(|value| value.to_str().ok()).or_else(in_query);
    match key {
        None | Some("") => Err(ApiError::new(
            403,
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
        )),
        Some("wrong") => {
            Err(ApiError::bad("API key not valid. Please pass a valid API key.").code("API_KEY_INVALID"))
        }
        Some(_) => Ok(()),
    }
}

/// Protobuf's JSON takes `snake_case` as well.
fn camel_case(body: &Map<String, Value>) -> Map<String, Value> {
    let camel = |name: &str| {
        let mut parts = name.split('_');
        let mut camel = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let mut characters = part.chars();
            camel.extend(characters.next().map(|first| first.to_ascii_uppercase()));
            camel.push_str(characters.as_str());
        }
        camel
    };
    body.iter().map(|(name, value)| (camel(name), value.clone())).collect()
}

fn unknown(object: &Map<String, Value>, known: &[&str], at: &str) -> Result<(), ApiError> {
    super::api::only_known(object, known, |name| {
        ApiError::bad(format!(
            "Invalid JSON payload received. Unknown name \"{name}\" at '{at}{name}': Cannot find field."
        ))
    })
}

fn turns(body: &Map<String, Value>) -> Result<Vec<Turn>, ApiError> {
    let contents = body.get("contents").and_then(Value::as_array).filter(|contents| !contents.is_empty());
    let contents = contents
        .ok_or_else(|| ApiError::bad("* GenerateContentRequest.contents: contents is not specified"))?;
    let mut turns = Vec::new();
    let mut called = 0;
    for content in contents {
        let model = match content["role"].as_str() {
            None | Some("user" | "function") => false,
            Some("model") => true,
            Some(_) => return Err(ApiError::bad("Please use a valid role: user, model.")),
        };
        let parts = content["parts"].as_array().filter(|parts| !parts.is_empty()).ok_or_else(|| {
            ApiError::bad("* GenerateContentRequest.contents.parts: contents.parts must not be empty.")
        })?;
        for part in parts {
            check_part(part)?;
        }
        let count = |key: &str| parts.iter().filter(|part| part.get(key).is_some()).count();
        let answered = count("functionResponse");
        if answered != called {
            return Err(ApiError::bad(
                "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.",
            ));
        }
        called = count("functionCall");
        if answered > 0 {
            let results: Vec<String> = parts
                .iter()
                .filter_map(|part| part.get("functionResponse"))
                .map(|result| plain(&result["response"]))
                .collect();
            turns.push(Turn { speaker: Speaker::Tool, text: results.join("\n") });
        } else {
            let speaker = if model { Speaker::Model } else { Speaker::User };
            turns.push(Turn { speaker, text: text_of(&content["parts"]) });
        }
    }
    if called > 0 {
        return Err(ApiError::bad(
            "Please ensure that function call turn is immediately followed by a function response turn.",
        ));
    }
    Ok(turns)
}

fn check_part(part: &Value) -> Result<(), ApiError> {
    let kinds = [
        "text",
        "inlineData",
        "fileData",
        "functionCall",
        "functionResponse",
        "executableCode",
        "codeExecutionResult",
    ];
    let present: Vec<&str> = kinds.into_iter().filter(|kind| part.get(kind).is_some()).collect();
    let well_formed = match present.as_slice() {
        ["text"] => part["text"].is_string(),
        ["inlineData"] => {
            part["inlineData"]["mimeType"].is_string() && part["inlineData"]["data"].is_string()
        }
        ["fileData"] => part["fileData"]["fileUri"].is_string(),
        ["functionCall"] => part["functionCall"]["name"].is_string(),
        ["functionResponse"] => {
            part["functionResponse"]["name"].is_string() && part["functionResponse"]["response"].is_object()
        }
        [_] => true,
        _ => false,
    };
    if well_formed {
        Ok(())
    } else {
        Err(ApiError::bad(
            "* GenerateContentRequest.contents.parts.data: required oneof field 'data' must have one initialized field",
        ))
    }
}

/// A result as text: the one text in it, or the JSON.
fn plain(response: &Value) -> String {
    let mut texts = response.as_object().into_iter().flat_map(|fields| fields.values());
    match (texts.next(), texts.next()) {
        (Some(Value::String(text)), None) => text.clone(),
        _ => response.to_string(),
    }
}

fn tools(body: &Map<String, Value>) -> Result<Vec<Tool>, ApiError> {
    let mut checked = Vec::new();
    for tool in body.get("tools").and_then(Value::as_array).into_iter().flatten() {
        for function in tool["functionDeclarations"].as_array().into_iter().flatten() {
            let name = function["name"].as_str().ok_or_else(|| {
                ApiError::bad("* GenerateContentRequest.tools[0].function_declarations[0].name: Invalid function name. Must start with a letter or an underscore.")
            })?;
            let schema = ["parametersJsonSchema", "parameters"].into_iter().find_map(|key| function.get(key));
            let schema = schema.cloned().unwrap_or_else(|| json!({ "type": "OBJECT" }));
            checked.push(Tool { name: name.to_owned(), schema });
        }
    }
    Ok(checked)
}

pub(super) fn whole(checked: &Checked, reply: &Reply, usage: bool) -> Value {
    let mut parts: Vec<Value> = Vec::new();
    if !reply.pieces.is_empty() {
        parts.push(json!({ "text": reply.text() }));
    }
    parts.extend(calls(reply));
    let candidates = (0..checked.alternatives).map(|index| candidate(index, &parts, Some(reply.finish)));
    body(checked, reply, candidates.collect(), usage.then_some(reply.tokens.completion))
}

pub(super) fn frames(checked: &Checked, reply: &Reply, usage: bool) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut push = |part: Part, parts: Vec<Value>, finish: Option<Finish>, completion: usize| {
        for index in 0..checked.alternatives {
            let candidates = vec![candidate(index, &parts, finish)];
            let value = body(checked, reply, candidates, usage.then_some(completion));
            frames.push(Frame { part, bytes: data(&value) });
        }
    };
    for (sent, piece) in reply.pieces.iter().enumerate() {
        push(Part::Content, vec![json!({ "text": piece })], None, sent + 1);
    }
    if !reply.calls.is_empty() {
        push(Part::Content, calls(reply), None, reply.tokens.completion);
    }
    push(Part::Finish, vec![json!({ "text": "" })], Some(reply.finish), reply.tokens.completion);
    frames
}

/// Calls come whole, and without ids.
fn calls(reply: &Reply) -> Vec<Value> {
    reply
        .calls
        .iter()
        .map(|call| json!({ "functionCall": { "name": call.name, "args": call.arguments } }))
        .collect()
}

fn candidate(index: usize, parts: &[Value], finish: Option<Finish>) -> Value {
    let mut candidate = json!({ "content": { "parts": parts, "role": "model" }, "index": index });
    if let Some(finish) = finish {
        candidate["finishReason"] = match finish {
            Finish::Stop | Finish::ToolCalls => "STOP",
            Finish::Length => "MAX_TOKENS",
            Finish::ContentFilter => "SAFETY",
        }
        .into();
    }
    candidate
}

fn body(checked: &Checked, reply: &Reply, candidates: Vec<Value>, completion: Option<usize>) -> Value {
    let mut body = json!({ "candidates": candidates });
    if let Some(completion) = completion {
        body["usageMetadata"] = json!({
            "promptTokenCount": reply.tokens.prompt,
            "candidatesTokenCount": completion,
            "totalTokenCount": reply.tokens.prompt + completion,
        });
        if reply.tokens.cached > 0 {
            body["usageMetadata"]["cachedContentTokenCount"] = reply.tokens.cached.into();
        }
    }
    body["modelVersion"] = checked.model.clone().into();
    body["responseId"] = reply.fingerprint.clone().into();
    body
}

pub(super) fn error(error: &ApiError) -> Value {
    let status = match error.status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        other if other < 500 => "INVALID_ARGUMENT",
        _ => "INTERNAL",
    };
    let mut details: Vec<Value> = Vec::new();
    if let Some(reason) = error.code {
        details.push(json!({ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com" }));
    }
    if let Some(wait) = error.retry_after.and_then(RetryAfter::duration) {
        details.push(json!({ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{}s", wait.as_secs_f64()) }));
    }
    json!({ "error": { "code": error.status, "message": error.message, "status": status, "details": details } })
}

/// The list of models.
pub(super) fn models(names: &[&str]) -> Value {
    let models: Vec<Value> = names
        .iter()
        .map(|name| {
            json!({
                "name": format!("models/{name}"), "displayName": name,
                "supportedGenerationMethods": ["generateContent", "countTokens"],
            })
        })
        .collect();
    json!({ "models": models })
}
