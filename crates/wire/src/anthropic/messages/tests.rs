//! Behaviour of requests and streams that no fixture shows well.

use bytes::BytesMut;
use mainstay_domain::chat::{
    ChatEvent, ChatRequest, ChoiceDelta, Content, FinishReason, Message, Part, ResponseFormat, Role,
    StreamStart, ToolCallDelta,
};
use mainstay_domain::{ModelErrorKind, Usage};
use serde_json::{Value, json};

use super::*;
use crate::error::UpstreamError;
use crate::sse::Event;
use crate::stream::{StreamDecoder, StreamEncoder};

fn decode(payloads: &[Value]) -> (Vec<ChatEvent>, Result<(), UpstreamError>) {
    let mut decoder = EventDecoder::new();
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

/// The `data` of the events that a caller gets for `events`, checked to be well-formed as a stream.
fn encode(events: &[ChatEvent]) -> Vec<Value> {
    let mut encoder =
        EventEncoder::new(EventOptions { id: "msg_1".to_owned(), model: None, input_tokens: 9 });
    let mut out = BytesMut::new();
    for event in events {
        encoder.encode(event, &mut out);
    }
    encoder.finish(&mut out);
    let text = String::from_utf8(out.to_vec()).unwrap();
    let frames: Vec<Value> = text
        .trim_end()
        .split("\n\n")
        .map(|frame| {
            let (name, data) = frame.split_once("\ndata: ").unwrap();
            let data: Value = serde_json::from_str(data).unwrap();
            assert_eq!(name.strip_prefix("event: "), data["type"].as_str());
            data
        })
        .collect();
    check_blocks(&frames);
    frames
}

/// Blocks are numbered in order, never overlap, and each is closed.
fn check_blocks(frames: &[Value]) {
    let mut open = None;
    let mut next = 0;
    for frame in frames {
        let index = frame["index"].as_u64();
        match frame["type"].as_str().unwrap() {
            "content_block_start" => {
                assert_eq!((open, index), (None, Some(next)), "{frames:#?}");
                open = index;
                next += 1;
            }
            "content_block_delta" => assert_eq!(open, index, "{frames:#?}"),
            "content_block_stop" => assert_eq!(open.take(), index, "{frames:#?}"),
            "message_delta" | "message_stop" => assert_eq!(open, None, "{frames:#?}"),
            _ => {}
        }
    }
}

fn start() -> ChatEvent {
    ChatEvent::Start(StreamStart {
        id: "x".to_owned(),
        model: "m".to_owned(),
        created: None,
        extra: Default::default(),
    })
}

fn fragment(index: u32, id: Option<&str>, arguments: &str) -> ChatEvent {
    ChatEvent::Delta(ChoiceDelta {
        tool_calls: vec![ToolCallDelta {
            index,
            id: id.map(str::to_owned),
            name: id.map(|id| format!("tool_{id}")),
            arguments: arguments.to_owned(),
            extra: Default::default(),
        }],
        ..ChoiceDelta::default()
    })
}

/// The blocks of a stream: kind or tool, and the joined text or input.
fn blocks(frames: &[Value]) -> Vec<(String, String)> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    for frame in frames {
        if let Some(block) = frame.get("content_block") {
            let name = block["name"].as_str().or(block["type"].as_str()).unwrap();
            blocks.push((name.to_owned(), String::new()));
        }
        for field in ["text", "partial_json", "thinking"] {
            if let Some(text) = frame["delta"][field].as_str() {
                blocks.last_mut().unwrap().1.push_str(text);
            }
        }
    }
    blocks
}

fn expect_blocks(frames: &[Value], expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect();
    assert_eq!(blocks(frames), expected);
}

#[test]
fn interleaved_tool_calls_become_blocks_one_after_the_other() {
    let frames = encode(&[
        start(),
        ChatEvent::Delta(ChoiceDelta::text("Let me see.")),
        fragment(0, Some("a"), ""),
        fragment(1, Some("b"), ""),
        fragment(0, None, r#"{"x":"}"#),
        fragment(1, None, r#"{"y":"#),
        ChatEvent::Delta(ChoiceDelta::text(" Still here.")),
        fragment(0, None, r#""}"#),
        fragment(1, None, "2}"),
        ChatEvent::Delta(ChoiceDelta::finish(FinishReason::ToolCalls)),
    ]);
    expect_blocks(
        &frames,
        &[
            ("text", "Let me see."),
            ("tool_a", r#"{"x":"}"}"#),
            ("tool_b", r#"{"y":2}"#),
            ("text", " Still here."),
        ],
    );
}

#[test]
fn tool_calls_in_sequence_are_not_held_back() {
    let mut encoder = EventEncoder::new(EventOptions { id: "i".to_owned(), model: None, input_tokens: 0 });
    let mut out = BytesMut::new();
    for event in [start(), fragment(0, Some("a"), r#"{"x":[{}]}"#), fragment(1, Some("b"), r#"{"y":"#)] {
        encoder.encode(&event, &mut out);
    }
    let sent = String::from_utf8(out.to_vec()).unwrap();
    assert!(sent.contains("tool_b") && sent.contains(r#"{\"y\":"#), "{sent}");
}

#[test]
fn a_call_that_never_completes_is_closed_at_the_end() {
    let frames = encode(&[start(), fragment(0, Some("a"), r#"{"x":"#), fragment(1, Some("b"), "")]);
    expect_blocks(&frames, &[("tool_a", r#"{"x":"#), ("tool_b", "")]);
}

#[test]
fn the_end_reports_cumulative_usage_without_the_cached_tokens() {
    let usage = Usage { prompt: 100, cache_read: 60, cache_write: 30, completion: 7, reasoning: 0 };
    let frames = encode(&[
        start(),
        ChatEvent::Usage(usage),
        ChatEvent::Delta(ChoiceDelta::finish(FinishReason::Length)),
    ]);
    assert_eq!(frames[0]["message"]["usage"]["input_tokens"], 9);
    let [.., delta, stop] = &frames[..] else { panic!() };
    assert_eq!(delta["delta"], json!({"stop_reason": "max_tokens", "stop_sequence": null}));
    assert_eq!(
        delta["usage"],
        json!({"input_tokens": 10, "cache_creation_input_tokens": 30, "cache_read_input_tokens": 60, "output_tokens": 7})
    );
    assert_eq!(stop["type"], "message_stop");
}

fn message_start() -> Value {
    json!({"type": "message_start", "message": {"id": "msg_x", "type": "message", "role": "assistant",
        "model": "claude", "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": 10, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 20, "output_tokens": 1}}})
}

#[test]
fn usage_of_message_delta_replaces_that_of_message_start() {
    let (events, end) = decode(&[
        message_start(),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
            "usage": {"output_tokens": 15}}),
        json!({"type": "message_stop"}),
    ]);
    assert_eq!(end, Ok(()));
    let usage = Usage { prompt: 35, cache_read: 20, cache_write: 5, completion: 15, reasoning: 0 };
    assert_eq!(events.last(), Some(&ChatEvent::Usage(usage)));
}

#[test]
fn a_call_without_arguments_gets_an_empty_object() {
    let (events, _) = decode(&[
        message_start(),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "a", "name": "now", "input": {}}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": ""}}),
        json!({"type": "content_block_stop", "index": 0}),
    ]);
    let arguments: String = events
        .iter()
        .filter_map(|event| match event {
            ChatEvent::Delta(delta) => Some(&delta.tool_calls),
            _ => None,
        })
        .flatten()
        .map(|call| call.arguments.as_str())
        .collect();
    assert_eq!(arguments, "{}");
}

#[test]
fn a_stream_without_message_stop_is_truncated() {
    let end =
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}});
    let stop = json!({"type": "message_stop"});
    for payloads in
        [&[][..], &[message_start()], &[message_start(), end.clone()], &[message_start(), stop.clone()]]
    {
        assert_eq!(decode(payloads).1.expect_err("a cut").kind, ModelErrorKind::Truncated);
    }
    assert_eq!(decode(&[message_start(), end, stop]).1, Ok(()));
}

#[test]
fn error_events_are_classified_and_unknown_events_passed_over() {
    let (events, end) = decode(&[
        message_start(),
        json!({"type": "ping"}),
        json!({"type": "content_block_thought", "index": 3}),
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    ]);
    assert_eq!(end.expect_err("an error event").kind, ModelErrorKind::Overloaded);
    assert_eq!(events[1..], [ChatEvent::Ping]);
}

#[test]
fn what_only_this_dialect_knows_passes_through_unchanged() {
    let stream = [
        message_start(),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm."}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c2ln"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1, "content_block": {"type": "redacted_thinking", "data": "ZGF0YQ"}}),
        json!({"type": "content_block_stop", "index": 1}),
        json!({"type": "content_block_start", "index": 2, "content_block": {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}}),
        json!({"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": "{}"}}),
        json!({"type": "content_block_stop", "index": 2}),
        json!({"type": "content_block_start", "index": 3, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 3, "delta": {"type": "text_delta", "text": "One."}}),
        json!({"type": "content_block_stop", "index": 3}),
        json!({"type": "content_block_start", "index": 4, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 4, "delta": {"type": "text_delta", "text": "Two."}}),
        json!({"type": "content_block_delta", "index": 4, "delta": {"type": "citations_delta", "citation": {"type": "char_location", "cited_text": "t"}}}),
        json!({"type": "content_block_stop", "index": 4}),
        json!({"type": "content_block_start", "index": 5, "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}, "caller": {"type": "direct"}}}),
        json!({"type": "content_block_delta", "index": 5, "delta": {"type": "input_json_delta", "partial_json": "{\"a\":1}"}}),
        json!({"type": "content_block_stop", "index": 5}),
        json!({"type": "message_delta", "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"},
            "usage": {"input_tokens": 10, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 20, "output_tokens": 9, "service_tier": "standard"}}),
        json!({"type": "message_stop"}),
    ];
    let (events, end) = decode(&stream);
    assert_eq!(end, Ok(()));
    let mut frames = encode(&events);
    frames[0]["message"]["id"] = json!("msg_x");
    assert_eq!(frames, stream);
}

#[test]
fn a_request_is_refused_with_the_path_of_the_field() {
    for (body, param) in [
        (json!({"messages": [], "model": "m", "max_tokens": 1}), "messages"),
        (json!({"messages": [{"role": "user", "content": "a"}], "model": "m"}), "max_tokens"),
        (json!({"messages": [{"role": "user", "content": "a"}], "max_tokens": 1}), "model"),
        (
            json!({"messages": [{"role": "system", "content": "a"}], "max_tokens": 1, "model": "m"}),
            "messages[0].role",
        ),
        (json!({"messages": [{"role": "user"}], "max_tokens": 1, "model": "m"}), "messages[0].content"),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text"}]}], "max_tokens": 1, "model": "m"}),
            "messages[0].content[0].text",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "tool_result"}]}], "max_tokens": 1, "model": "m"}),
            "messages[0].content[0].tool_use_id",
        ),
        (
            json!({"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "b", "input": []}]}], "max_tokens": 1, "model": "m"}),
            "messages[0].content[0].input",
        ),
        (
            json!({"messages": [{"role": "user", "content": "a"}], "max_tokens": 1, "model": "m", "tools": [{"name": "f"}]}),
            "tools[0].input_schema",
        ),
        (
            json!({"messages": [{"role": "user", "content": "a"}], "max_tokens": 1, "model": "m", "temperature": 1.5}),
            "temperature",
        ),
    ] {
        let error = decode_request(body.to_string().as_bytes()).expect_err("an invalid request");
        assert_eq!(error.param.as_deref(), Some(param), "{body}");
    }
}

#[test]
fn what_has_no_exact_translation_is_unsupported() {
    let options = RequestOptions { model: "claude", default_max_tokens: 100 };
    let base = || ChatRequest { messages: vec![Message::text(Role::User, "a")], ..ChatRequest::default() };
    let custom = {
        let mut message = Message::text(Role::User, "");
        message.content =
            Content::Parts(vec![Part::Opaque(json!({"type": "input_audio", "input_audio": {}}))]);
        message
    };
    for (request, param) in [
        (ChatRequest { n: Some(2), ..base() }, "n"),
        (ChatRequest { response_format: Some(ResponseFormat::JsonObject), ..base() }, "response_format"),
        (ChatRequest { presence_penalty: Some(0.5), ..base() }, "presence_penalty"),
        (ChatRequest { temperature: Some(1.5), ..base() }, "temperature"),
        (ChatRequest { messages: vec![custom], ..base() }, "messages[0].content[0]"),
        (ChatRequest { messages: vec![Message::text(Role::System, "a")], ..base() }, "messages"),
    ] {
        let error = encode_request(&request, &options).expect_err(param);
        assert_eq!(error.param.as_deref(), Some(param), "{error}");
    }
    let harmless = ChatRequest { n: Some(1), seed: Some(1), presence_penalty: Some(0.0), ..base() };
    assert!(encode_request(&harmless, &options).is_ok());
}

#[test]
fn messages_of_one_role_are_merged_and_the_default_limit_is_used() {
    let mut assistant = Message::text(Role::Assistant, "");
    assistant.tool_calls = vec![mainstay_domain::chat::ToolCall {
        id: "functions.f:0".to_owned(),
        name: "f".to_owned(),
        arguments: String::new(),
        extra: Default::default(),
    }];
    let result = Message {
        tool_call_id: Some("functions.f:0".to_owned()),
        tool_failed: true,
        ..Message::text(Role::Tool, "no such file")
    };
    let request = ChatRequest {
        messages: vec![
            Message::text(Role::User, "a"),
            Message::text(Role::User, "b"),
            Message::text(Role::Developer, "late"),
            assistant,
            result,
            Message::text(Role::User, "c"),
        ],
        ..ChatRequest::default()
    };
    let body = encode_request(&request, &RequestOptions { model: "claude", default_max_tokens: 77 }).unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&body).unwrap(),
        json!({"model": "claude", "max_tokens": 77, "system": "late", "messages": [
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "functions_f_0", "name": "f", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "functions_f_0", "content": "no such file", "is_error": true},
                {"type": "text", "text": "c"},
            ]},
        ]})
    );
}

#[test]
fn tokens_are_counted_both_ways() {
    assert_eq!(decode_token_count(br#"{"input_tokens":14}"#).unwrap(), 14);
    assert_eq!(&encode_token_count(14)[..], br#"{"input_tokens":14}"#);
    assert_eq!(decode_token_count(b"{}").unwrap_err().kind, ModelErrorKind::Malformed);
    let request =
        decode_count_request(br#"{"model":"m","messages":[{"role":"user","content":"a"}]}"#).unwrap();
    assert_eq!(
        &encode_count_request(&request, "claude").unwrap()[..],
        br#"{"model":"claude","messages":[{"role":"user","content":"a"}]}"#
    );
}

#[test]
fn fields_of_a_message_survive_beside_tool_results() {
    let body = json!({
        "model": "m", "max_tokens": 1,
        "messages": [
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
            {"role": "user", "x_unknown": 1, "content": [
                {"type": "tool_result", "tool_use_id": "t", "content": "3"},
                {"type": "text", "text": "Go on."},
            ]},
        ],
    });
    let request = decode_request(body.to_string().as_bytes()).unwrap();
    let options = RequestOptions { model: "m", default_max_tokens: 1 };
    let written: Value = serde_json::from_slice(&encode_request(&request, &options).unwrap()).unwrap();
    assert_eq!(written["messages"], body["messages"]);
}
