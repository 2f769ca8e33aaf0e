//! Behaviour of requests and streams that no fixture shows well.

use bytes::BytesMut;
use mainstay_domain::ModelErrorKind;
use mainstay_domain::chat::{ChatEvent, ChoiceDelta, Completion, FinishReason, StreamStart, ToolCallDelta};

use super::*;
use crate::error::{CallerError, UpstreamError};
use crate::sse::Event;
use crate::stream::{StreamDecoder, StreamEncoder};

/// Decodes a stream given as its `data` payloads.
fn decode(payloads: &[&str]) -> (Vec<ChatEvent>, Result<(), UpstreamError>) {
    let mut decoder = ChunkDecoder::new();
    let mut events = Vec::new();
    for data in payloads {
        if let Err(error) = decoder.decode(Event { name: "", data }, &mut events) {
            return (events, Err(error));
        }
    }
    let end = decoder.finish(&mut events);
    (events, end)
}

fn encode(events: &[ChatEvent], include_usage: bool) -> String {
    let mut encoder = ChunkEncoder::new(ChunkOptions {
        id: "chatcmpl-1".to_owned(),
        created: 7,
        model: None,
        include_usage,
    });
    let mut out = BytesMut::new();
    for event in events {
        encoder.encode(event, &mut out);
    }
    encoder.finish(&mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

fn deltas(events: &[ChatEvent]) -> Vec<ChoiceDelta> {
    events
        .iter()
        .filter_map(|event| match event {
            ChatEvent::Delta(delta) => Some(delta.clone()),
            _ => None,
        })
        .collect()
}

fn start() -> ChatEvent {
    ChatEvent::Start(StreamStart {
        id: "x".to_owned(),
        model: "m".to_owned(),
        created: None,
        extra: Default::default(),
    })
}

/// `body` must be refused, with this field and this message.
fn refused(body: &str, param: Option<&str>, message: &str) {
    let error = decode_request(body.as_bytes()).expect_err(body);
    assert_eq!((error.param.as_deref(), error.message.as_str()), (param, message), "{body}");
}

#[test]
fn a_request_that_is_not_an_object_is_refused() {
    refused("", None, "the body is empty: send a JSON object");
    refused(
        "{\"model\": ",
        None,
        "the body is not valid JSON: EOF while parsing a value at line 1 column 10",
    );
    refused("[]", None, "the body must be a JSON object, not an array");
    assert!(decode_request(b"{\"model\":\"\xFF\"}").is_err());
    assert!(decode_request("[".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn an_error_names_the_field_by_its_path() {
    refused(r#"{"messages":[{"role":"user","content":"a"}]}"#, Some("model"), "`model` is required");
    refused(r#"{"model":"m"}"#, Some("messages"), "`messages` is required");
    refused(r#"{"model":"m","messages":[]}"#, Some("messages"), "`messages` must not be an empty array");
    refused(
        r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"user","content":5}]}"#,
        Some("messages[1].content"),
        "`messages[1].content` must be a string or an array of parts, not a number",
    );
    refused(
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]}"#,
        Some("messages[0].content[0].image_url.url"),
        "`messages[0].content[0].image_url.url` is required",
    );
    refused(
        r#"{"model":"m","messages":[{"role":"wizard","content":"a"}]}"#,
        Some("messages[0].role"),
        "`messages[0].role` must be `system`, `developer`, `user`, `assistant` or `tool`",
    );
    refused(
        r#"{"model":"m","messages":[{"role":"tool","content":"a"}]}"#,
        Some("messages[0].tool_call_id"),
        "`messages[0].tool_call_id` is required",
    );
    refused(
        r#"{"model":"m","messages":[{"role":"user"}]}"#,
        Some("messages[0].content"),
        "`messages[0].content` is required",
    );
}

#[test]
fn settings_out_of_range_are_refused() {
    for (setting, param, message) in [
        (r#""n":0"#, "n", "`n` must be a whole number from 1 to 128"),
        (r#""temperature":2.1"#, "temperature", "`temperature` must be between 0 and 2"),
        (r#""top_p":-1"#, "top_p", "`top_p` must be between 0 and 1"),
        (r#""max_tokens":0"#, "max_tokens", "`max_tokens` must be a whole number of at least 1"),
        (r#""max_tokens":"9""#, "max_tokens", "`max_tokens` must be a whole number, not a string"),
        (r#""tools":[]"#, "tools", "`tools` must not be an empty array"),
        (r#""tools":[{"type":"function"}]"#, "tools[0].function", "`tools[0].function` is required"),
        (
            r#""tool_choice":"any""#,
            "tool_choice",
            "`tool_choice` must be `auto`, `none`, `required` or an object",
        ),
        (
            r#""tool_choice":{"type":"function"}"#,
            "tool_choice.function.name",
            "`tool_choice.function.name` is required",
        ),
        (r#""stop":[1]"#, "stop[0]", "`stop[0]` must be a string, not a number"),
        (r#""stream_options":{}"#, "stream_options", "`stream_options` is allowed only with `stream: true`"),
        (r#""seed":1.5"#, "seed", "`seed` must be a whole number of 64 bits"),
        (
            r#""response_format":{"type":"json_schema","json_schema":{}}"#,
            "response_format.json_schema.name",
            "`response_format.json_schema.name` is required",
        ),
    ] {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"a"}}],{setting}}}"#);
        refused(&body, Some(param), message);
    }
}

#[test]
fn nulls_are_the_same_as_absence() {
    let request = decode_request(
        br#"{"model":"m","messages":[{"role":"assistant","content":null,"name":null,"tool_calls":[
            {"id":"1","type":"function","function":{"name":"f","arguments":null}}]},
            {"role":"user","content":"a","tool_calls":null,"tool_call_id":null}],
            "n":null,"stop":null,"tools":null,"tool_choice":null,"stream":null,"stream_options":null,
            "temperature":null,"max_tokens":null,"response_format":null,"seed":null,"user":null}"#,
    )
    .unwrap();
    assert_eq!(request.n, None);
    assert!(request.tools.is_empty() && request.extra.is_empty());
    assert_eq!(request.messages[0].tool_calls[0].arguments, "");
}

#[test]
fn fragments_of_interleaved_tool_calls_stay_apart() {
    let (events, end) = decode(&[
        r#"{"id":"x","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":""}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"p\":"}},{"index":1,"function":{"arguments":"{}"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
        "[DONE]",
    ]);
    assert_eq!(end, Ok(()));
    let fragments: Vec<_> = deltas(&events)
        .into_iter()
        .flat_map(|delta| delta.tool_calls)
        .map(|call| (call.index, call.id, call.name, call.arguments))
        .collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        fragments,
        [
            (0, text("a"), text("f"), String::new()),
            (1, text("b"), text("g"), String::new()),
            (0, None, None, "{\"p\":".to_owned()),
            (1, None, None, "{}".to_owned()),
            (0, None, None, "1}".to_owned()),
        ]
    );
}

#[test]
fn sloppy_tool_calls_are_brought_into_order() {
    // Every call with index 0, id and name repeated, arguments as an object, no ids at all.
    let (events, end) = decode(&[
        r#"{"id":"x","choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}}]}"#,
        r#"{"id":"x","choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"}"}}]}}]}"#,
        r#"{"id":"x","choices":[{"delta":{"tool_calls":[{"index":0,"id":"b","function":{"name":"g","arguments":{"k":1}}}]}}]}"#,
        r#"{"id":"x","choices":[{"delta":{"tool_calls":[{"index":5,"id":"","function":{"name":"h","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#,
        "[DONE]",
    ]);
    assert_eq!(end, Ok(()));
    let calls: Vec<ToolCallDelta> = deltas(&events).into_iter().flat_map(|delta| delta.tool_calls).collect();
    let seen: Vec<_> =
        calls.iter().map(|call| (call.index, call.id.as_deref(), call.name.as_deref())).collect();
    assert_eq!(
        seen,
        [
            (0, Some("a"), Some("f")),
            (0, None, None),
            (1, Some("b"), Some("g")),
            (2, Some("call_x_2"), Some("h")),
        ]
    );
    assert_eq!(calls[2].arguments, r#"{"k":1}"#);
}

#[test]
fn a_stream_without_finish_reason_or_done_is_truncated() {
    let text = r#"{"id":"x","choices":[{"index":0,"delta":{"content":"a"}}]}"#;
    let finish = r#"{"id":"x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    for payloads in [&[text, "[DONE]"][..], &[text, finish], &[text], &["[DONE]"], &[]] {
        let (_, end) = decode(payloads);
        assert_eq!(end.expect_err("no complete answer").kind, ModelErrorKind::Truncated, "{payloads:?}");
    }
    assert_eq!(decode(&[text, finish, "[DONE]"]).1, Ok(()));
}

#[test]
fn every_choice_must_finish() {
    let (_, end) = decode(&[
        r#"{"id":"x","choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}]}"#,
        r#"{"id":"x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        "[DONE]",
    ]);
    assert_eq!(end.expect_err("choice 1 is open").kind, ModelErrorKind::Truncated);
}

#[test]
fn running_usage_is_reported_once_and_last() {
    let (events, end) = decode(&[
        r#"{"id":"","model":"","choices":[],"prompt_filter_results":[]}"#,
        r#"{"id":"x","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}],"usage":{"prompt_tokens":5,"completion_tokens":0,"total_tokens":5}}"#,
        r#"{"id":"x","choices":[{"index":0,"delta":{"content":"a"}}],"usage":null}"#,
        r#"{"id":"x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        r#"{"id":"x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}}"#,
        "[DONE]",
        r#"{"id":"x","choices":[{"index":0,"delta":{"content":"after the end"}}]}"#,
    ]);
    assert_eq!(end, Ok(()));
    assert!(matches!(&events[0], ChatEvent::Start(start) if start.id == "x"));
    let [delta, finish] = &deltas(&events)[..] else { panic!("{events:?}") };
    assert_eq!((delta.text.as_deref(), &finish.finish), (Some("a"), &Some(FinishReason::Stop)));
    assert!(matches!(events.last(), Some(ChatEvent::Usage(usage)) if usage.completion == 1));
    assert_eq!(events.len(), 4);
}

#[test]
fn an_error_in_mid_stream_is_classified() {
    for (payload, kind) in [
        (r#"{"error":{"message":"m","type":"server_error","code":null}}"#, ModelErrorKind::Provider),
        (r#"{"id":"x","error":{"code":429,"message":"m"},"choices":[]}"#, ModelErrorKind::RateLimited),
        (
            r#"{"object":"error","message":"maximum context length","code":400}"#,
            ModelErrorKind::ContextTooLong,
        ),
        (r#"{"id":"x","choices":[{"ind"#, ModelErrorKind::Malformed),
        ("<html>", ModelErrorKind::Malformed),
        (r#"{"id":"x","choices":[{"index":"secret"}]}"#, ModelErrorKind::Malformed),
    ] {
        let error = decode(&[payload]).1.expect_err(payload);
        assert_eq!(error.kind, kind, "{payload}");
        assert!(!error.message.contains("secret"), "{error}");
    }
}

#[test]
fn usage_goes_only_to_a_caller_who_asked() {
    let events = [
        start(),
        ChatEvent::Delta(ChoiceDelta::text("a")),
        ChatEvent::Usage(mainstay_domain::Usage { prompt: 1, completion: 2, ..Default::default() }),
        ChatEvent::Delta(ChoiceDelta::finish(FinishReason::Stop)),
    ];
    assert!(!encode(&events, false).contains("usage"));
    let asked = encode(&events, true);
    let frames: Vec<&str> = asked.trim_end().split("\n\n").collect();
    let [chunks @ .., usage, done] = &frames[..] else { panic!("{asked}") };
    assert_eq!(chunks.len(), 3, "{asked}");
    assert!(chunks.iter().all(|chunk| chunk.ends_with(r#""usage":null}"#)), "{asked}");
    assert!(usage.contains(r#""choices":[],"usage":{"prompt_tokens":1,"#), "{asked}");
    assert_eq!(*done, "data: [DONE]");
}

#[test]
fn the_role_leaves_at_once_and_the_first_delta_of_another_choice_carries_its_own() {
    assert_eq!(encode(&[start()], false).matches("\n\n").count(), 2, "the role and the end");
    let second = ChoiceDelta { choice: 1, ..ChoiceDelta::text("b") };
    let stream = encode(
        &[
            start(),
            ChatEvent::Delta(ChoiceDelta::text("a")),
            ChatEvent::Delta(second),
            ChatEvent::Delta(ChoiceDelta::text("c")),
        ],
        false,
    );
    let roles: Vec<bool> =
        stream.split("\n\n").map(|frame| frame.contains(r#""role":"assistant""#)).collect();
    assert_eq!(roles, [true, false, true, false, false, false], "{stream}");
}

#[test]
fn a_failed_stream_has_an_error_and_no_done() {
    let mut encoder =
        ChunkEncoder::new(ChunkOptions { id: "i".to_owned(), created: 0, model: None, include_usage: false });
    let mut out = BytesMut::new();
    encoder.encode(&start(), &mut out);
    out.clear();
    encoder.fail(
        &CallerError { status: 502, message: "cut", param: None, code: Some("c"), request_id: None },
        &mut out,
    );
    assert_eq!(
        &out[..],
        b"data: {\"error\":{\"message\":\"cut\",\"type\":\"server_error\",\"param\":null,\"code\":\"c\"}}\n\n"
    );
}

#[test]
fn an_answer_that_is_none_is_malformed() {
    for (body, message) in [
        ("", "the provider's answer is empty"),
        ("<!doctype html>", "the provider answered HTML or XML instead of JSON"),
        (r#"{"id":"x","choices":[{"message":{"content":"se"#, "the provider's answer is cut off"),
        (r#"{"id":"x","choices":[]}"#, "the provider's answer has no `choices`"),
        (r#"{"choices":"secret"}"#, "a field of the provider's answer has the wrong type (byte 19)"),
    ] {
        let error = decode_completion(body.as_bytes()).expect_err(body);
        assert_eq!((error.kind, error.message.as_str()), (ModelErrorKind::Malformed, message));
    }
}

#[test]
fn an_answer_full_of_nulls_is_read() {
    let Completion { choices, usage, .. } = decode_completion(
        br#"{"id":null,"model":null,"created":null,"choices":[{"index":null,"message":{"role":null,
            "content":null,"tool_calls":null,"refusal":null,"function_call":null},"logprobs":null,
            "finish_reason":null}],"usage":null,"error":null}"#,
    )
    .unwrap();
    assert_eq!(choices[0].finish, FinishReason::Stop);
    assert!(choices[0].message.extra.is_empty() && usage.is_none());
}

#[test]
fn reasoning_counted_beside_the_completion_is_added_to_it() {
    for (usage, completion) in [
        (
            r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":35,"completion_tokens_details":{"reasoning_tokens":20}}"#,
            25,
        ),
        (
            r#"{"prompt_tokens":10,"completion_tokens":25,"total_tokens":35,"completion_tokens_details":{"reasoning_tokens":20}}"#,
            25,
        ),
    ] {
        let body = format!(r#"{{"choices":[{{"message":{{"content":"a"}}}}],"usage":{usage}}}"#);
        let usage = decode_completion(body.as_bytes()).unwrap().usage.unwrap();
        assert_eq!((usage.completion, usage.reasoning, usage.prompt), (completion, 20, 10));
    }
}

#[test]
fn repeated_chunks_say_the_same_as_parsed_ones() {
    let chunk = |delta: &str, rest: &str| {
        format!(
            r#"{{"id":"x","object":"chat.completion.chunk","choices":[{{"index":0,"delta":{delta}}}]{rest}}}"#
        )
    };
    let payloads = [
        chunk(r#"{"role":"assistant","content":""}"#, r#","obfuscation":"aBc""#),
        chunk(r#"{"content":"a"}"#, r#","obfuscation":"d""#),
        chunk(r#"{"content":"b\n"}"#, r#","obfuscation":"""#),
        chunk(r#"{"content":""}"#, r#","obfuscation":"eF""#),
        chunk(r#"{"content":"c"}"#, ""),
        chunk(r#"{"content":"d"}"#, r#","usage":{"prompt_tokens":1,"completion_tokens":2}"#),
        chunk(r#"{"content":"e"}"#, ""),
        chunk(r#"{"content":"f","tool_calls":[{"index":0,"id":"t","function":{"name":"g"}}]}"#, ""),
        chunk(r#"{"content":"h"},"finish_reason":"stop""#, ""),
        "[DONE]".to_owned(),
    ];
    let payloads: Vec<&str> = payloads.iter().map(String::as_str).collect();
    let (events, end) = decode(&payloads);
    assert_eq!(end, Ok(()));
    let texts: Vec<_> = deltas(&events).into_iter().map(|delta| delta.text.unwrap_or_default()).collect();
    assert_eq!(texts, ["a", "b\n", "c", "d", "e", "f", "h"]);
    assert!(matches!(events.last(), Some(ChatEvent::Usage(usage)) if usage.completion == 2));
    // Cut off where padding would begin: not JSON, however well its start is known.
    let known = chunk(r#"{"content":"a"}"#, r#","obfuscation":"d""#);
    let cut = known.split(",\"obfuscation\"").next().unwrap();
    for cut in [cut, r#"{"id":"x","obfuscation":"}"#] {
        let (_, end) = decode(&[&known, cut]);
        assert_eq!(end.expect_err("cut off").kind, ModelErrorKind::Malformed);
    }
}
