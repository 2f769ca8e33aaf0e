//! Behaviour of requests and streams that no fixture shows well.

use mainstay_domain::chat::{
    ChatEvent, ChatRequest, ChoiceDelta, FinishReason, Message, Role, Tool, ToolCall,
};
use mainstay_domain::{ModelErrorKind, Usage};
use serde_json::{Value, json};

use super::*;
use crate::error::UpstreamError;
use crate::sse::Event;
use crate::stream::StreamDecoder;

fn decode(payloads: &[Value]) -> (Vec<ChatEvent>, Result<(), UpstreamError>) {
    let mut decoder = ChunkDecoder::new(1);
    let mut events = Vec::new();
    for payload in payloads {
        let data = payload.to_string();
        if let Err(error) = decoder.decode(Event { name: "", data: &data }, &mut events) {
            return (events, Err(error));
        }
    }
    let end = decoder.finish(&mut events);
    (events, end)
}

fn deltas(events: &[ChatEvent]) -> Vec<&ChoiceDelta> {
    events
        .iter()
        .filter_map(|event| match event {
            ChatEvent::Delta(delta) => Some(delta),
            _ => None,
        })
        .collect()
}

#[test]
fn a_stream_that_stops_without_a_reason_is_truncated() {
    let chunk = json!({"candidates": [{"content": {"parts": [{"text": "a"}]}}], "usageMetadata": {"promptTokenCount": 3}});
    let (events, end) = decode(&[chunk]);
    assert_eq!(end.expect_err("a cut").kind, ModelErrorKind::Truncated);
    assert!(!events.iter().any(|event| matches!(event, ChatEvent::Usage(_))), "a running count is not final");
}

#[test]
fn a_stream_is_over_when_all_that_was_asked_for_has_ended_and_is_counted() {
    let piece = |index: u32, finish: Option<&str>| json!({"content": {"parts": [{"text": "a"}]}, "index": index, "finishReason": finish});
    let counts = json!({"promptTokenCount": 3, "candidatesTokenCount": 1});
    let mut decoder = ChunkDecoder::new(2);
    let mut events = Vec::new();
    for (chunk, is_over) in [
        (json!({"candidates": [piece(0, None)], "usageMetadata": counts}), false),
        (json!({"candidates": [piece(0, Some("STOP"))], "usageMetadata": counts}), false),
        (json!({"candidates": [piece(1, Some("STOP"))]}), false),
        (json!({"candidates": [], "usageMetadata": counts}), true),
    ] {
        let data = chunk.to_string();
        decoder.decode(Event { name: "", data: &data }, &mut events).unwrap();
        assert_eq!(decoder.is_finished(), is_over, "{data}");
    }
}

#[test]
fn calls_of_several_chunks_are_numbered_and_end_as_tool_calls() {
    let call = |name: &str| json!({"candidates": [{"content": {"parts": [{"functionCall": {"name": name, "args": {"a": 1}}, "thoughtSignature": "sig"}]}}], "responseId": "r"});
    let end = json!({"candidates": [{"content": {"parts": [{"text": ""}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 10, "cachedContentTokenCount": 4, "candidatesTokenCount": 5, "thoughtsTokenCount": 7}});
    let (events, result) = decode(&[call("f"), call("g"), end]);
    assert_eq!(result, Ok(()));
    let deltas = deltas(&events);
    let calls: Vec<_> = deltas.iter().flat_map(|delta| &delta.tool_calls).collect();
    assert_eq!((calls[0].index, calls[0].id.as_deref()), (0, Some("call_r_0_0")));
    assert_eq!((calls[1].index, calls[1].id.as_deref()), (1, Some("call_r_0_1")));
    assert_eq!(signature(&calls[1].extra), Some("sig"));
    assert_eq!(deltas[2].finish, Some(FinishReason::ToolCalls));
    let usage = Usage { prompt: 10, cache_read: 4, cache_write: 0, completion: 12, reasoning: 7 };
    assert_eq!(events.last(), Some(&ChatEvent::Usage(usage)));
}

#[test]
fn a_blocked_prompt_is_a_content_filter_error() {
    let body = json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 3}});
    assert_eq!(decode(std::slice::from_ref(&body)).1.unwrap_err().kind, ModelErrorKind::ContentFilter);
    let error = decode_completion(body.to_string().as_bytes()).unwrap_err();
    assert_eq!(
        (error.kind, error.code.as_deref()),
        (ModelErrorKind::ContentFilter, Some("PROHIBITED_CONTENT"))
    );
}

#[test]
fn every_safety_reason_is_the_content_filter() {
    for reason in ["SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY"] {
        assert_eq!(finish_reason(reason, false), FinishReason::ContentFilter, "{reason}");
    }
    assert_eq!(
        finish_reason("MALFORMED_FUNCTION_CALL", true),
        FinishReason::Other("malformed_function_call".to_owned())
    );
}

#[test]
fn ids_of_calls_are_the_same_at_every_reading() {
    let body = json!({"candidates": [{"content": {"parts": [
        {"functionCall": {"name": "f", "args": {"a": 1}}},
        {"functionCall": {"name": "f", "args": {"a": 1}}}]}, "finishReason": "STOP"}]})
    .to_string();
    let ids = || {
        let completion = decode_completion(body.as_bytes()).unwrap();
        completion.choices[0].message.tool_calls.iter().map(|call| call.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(), ids());
    assert_ne!(ids()[0], ids()[1]);
}

#[test]
fn a_signature_survives_the_way_through_the_caller() {
    let body = json!({"candidates": [{"content": {"parts": [
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"}]}, "finishReason": "STOP"}], "responseId": "r"});
    let completion = decode_completion(body.to_string().as_bytes()).unwrap();
    let calls: Vec<ToolCall> = completion.choices[0].message.tool_calls.clone();
    let mut assistant = Message::text(Role::Assistant, "");
    assistant.tool_calls = calls;
    let result = Message { tool_call_id: Some("call_r_0_0".to_owned()), ..Message::text(Role::Tool, "[1]") };
    let request = ChatRequest {
        messages: vec![Message::text(Role::User, "q"), assistant, result],
        ..ChatRequest::default()
    };
    let body: Value = serde_json::from_slice(&encode_request(&request).unwrap()).unwrap();
    assert_eq!(
        body["contents"],
        json!([
            {"role": "user", "parts": [{"text": "q"}]},
            {"role": "model", "parts": [{"functionCall": {"id": "call_r_0_0", "name": "f", "args": {}}, "thoughtSignature": "c2ln"}]},
            {"role": "user", "parts": [{"functionResponse": {"id": "call_r_0_0", "name": "f", "response": {"result": "[1]"}}}]},
        ])
    );
}

#[test]
fn what_has_no_exact_translation_is_unsupported() {
    let tool = Tool::Function {
        name: "f".to_owned(),
        description: None,
        parameters: None,
        strict: None,
        extra: Default::default(),
    };
    let user = || vec![Message::text(Role::User, "a")];
    let orphan = Message { tool_call_id: Some("x".to_owned()), ..Message::text(Role::Tool, "1") };
    for (request, param) in [
        (
            ChatRequest {
                messages: user(),
                tools: vec![tool],
                parallel_tool_calls: Some(false),
                ..Default::default()
            },
            "parallel_tool_calls",
        ),
        (
            ChatRequest {
                messages: user(),
                tools: vec![Tool::Opaque(json!({"type": "web_search"}))],
                ..Default::default()
            },
            "tools[0]",
        ),
        (ChatRequest { messages: vec![orphan], ..Default::default() }, "messages[0].tool_call_id"),
        (ChatRequest::default(), "messages"),
    ] {
        assert_eq!(encode_request(&request).unwrap_err().param.as_deref(), Some(param));
    }
}
