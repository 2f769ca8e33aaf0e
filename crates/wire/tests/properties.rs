//! Properties of the translations: what was written reads back the same, and nothing that comes in can make a
//! decoder panic.

use bytes::BytesMut;
use mainstay_domain::chat::{
    ChatEvent, ChatRequest, ChoiceDelta, Content, Delivery, Dialect, Extra, FinishReason, ImageSource,
    MaxTokens, Message, Part, ResponseFormat, Role, StreamStart, Tool, ToolCall, ToolCallDelta, ToolChoice,
};
use mainstay_wire::{StreamDecoder, StreamEncoder, anthropic, gemini, openai, sse};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::{option, sample};
use serde_json::{Map, Value, json};

/// Text with what needs escapes.
fn text() -> impl Strategy<Value = String> {
    "[a-z é𝄞\"\\\\\n\u{1}]{1,12}"
}

fn name() -> impl Strategy<Value = String> {
    "[a-z_]{1,8}"
}

fn schema() -> impl Strategy<Value = Value> {
    name().prop_map(|property| json!({"type": "object", "properties": {property: {"type": "string"}}}))
}

/// A field that has no meaning here.
fn extra() -> impl Strategy<Value = Extra> {
    option::weighted(0.3, text()).prop_map(|value| {
        value.into_iter().map(|value| ("x_unknown".to_owned(), Value::String(value))).collect()
    })
}

fn image_source() -> impl Strategy<Value = ImageSource> {
    prop_oneof![
        "https://example\\.com/[a-z]{1,5}\\.png".prop_map(ImageSource::Url),
        "[A-Za-z0-9+/]{4}".prop_map(|data| ImageSource::Base64 { media_type: "image/png".to_owned(), data }),
    ]
}

fn part(detail: bool) -> impl Strategy<Value = Part> {
    let detail = if detail { option::of(Just("low".to_owned())).boxed() } else { Just(None).boxed() };
    prop_oneof![
        3 => (text(), extra()).prop_map(|(text, extra)| Part::Text { text, extra }),
        1 => (image_source(), detail, extra()).prop_map(|(source, detail, extra)| Part::Image { source, detail, extra }),
        1 => text().prop_map(|text| Part::Opaque(json!({"type": "something_new", "x": text}))),
    ]
}

fn content(detail: bool) -> impl Strategy<Value = Content> {
    prop_oneof![text().prop_map(Content::Text), vec(part(detail), 1..4).prop_map(Content::Parts)]
}

fn arguments() -> impl Strategy<Value = String> {
    (name(), text()).prop_map(|(key, value)| json!({key: value}).to_string())
}

fn tool_call() -> impl Strategy<Value = ToolCall> {
    ("call_[a-z0-9]{4}", name(), arguments(), extra()).prop_map(|(id, name, arguments, extra)| ToolCall {
        id,
        name,
        arguments,
        extra,
    })
}

fn tool(described: bool) -> impl Strategy<Value = Tool> {
    let parameters = if described { schema().prop_map(Some).boxed() } else { option::of(schema()).boxed() };
    (name(), option::of(text()), parameters, option::of(any::<bool>()), extra()).prop_map(
        |(name, description, parameters, strict, extra)| Tool::Function {
            name,
            description,
            parameters,
            strict,
            extra,
        },
    )
}

/// A setting such as a temperature, in hundredths: more digits than people write would be rounded.
fn setting(least: i32, most: i32) -> impl Strategy<Value = Option<f64>> {
    option::of((least..=most).prop_map(|hundredths| f64::from(hundredths) / 100.0))
}

fn message(role: Role, content: Content, extra: Extra) -> Message {
    Message { content, extra, ..Message::text(role, "") }
}

fn tool_choice() -> impl Strategy<Value = ToolChoice> {
    prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Required),
        name().prop_map(ToolChoice::Function)
    ]
}

fn openai_message() -> impl Strategy<Value = Message> {
    let speaker = sample::select(vec![Role::System, Role::Developer, Role::User]);
    let said = (speaker, content(true), option::of(name()), extra())
        .prop_map(|(role, content, name, extra)| Message { name, ..message(role, content, extra) });
    let answered = (content(true), vec(tool_call(), 0..3), any::<bool>(), extra()).prop_map(
        |(content, tool_calls, silent, extra)| {
            let content = if silent && !tool_calls.is_empty() { Content::Absent } else { content };
            Message { tool_calls, ..message(Role::Assistant, content, extra) }
        },
    );
    let result = (content(true), "call_[a-z0-9]{4}", extra()).prop_map(|(content, id, extra)| Message {
        tool_call_id: Some(id),
        ..message(Role::Tool, content, extra)
    });
    prop_oneof![said, answered, result]
}

prop_compose! {
    fn openai_request()(
        messages in vec(openai_message(), 1..5),
        max_tokens in option::of((1u64..9999, any::<bool>())),
        numbers in (setting(0, 200), setting(0, 100), setting(-200, 200), setting(-200, 200)),
        counts in (option::of(0u64..99), option::of(1u32..5), option::of(any::<i64>())),
        stop in vec(text(), 0..3),
        tools in vec(tool(false), 0..3),
        tool_choice in option::of(tool_choice()),
        parallel_tool_calls in option::of(any::<bool>()),
        response_format in option::of(prop_oneof![
            Just(ResponseFormat::Text),
            Just(ResponseFormat::JsonObject),
            (name(), option::of(text()), option::of(schema()), option::of(any::<bool>())).prop_map(
                |(name, description, schema, strict)| ResponseFormat::JsonSchema { name, description, schema, strict }),
            Just(ResponseFormat::Opaque(json!({"type": "grammar", "syntax": "lark"}))),
        ]),
        user in option::of(text()),
        delivery in sample::select(vec![Delivery::Whole, Delivery::Streamed { include_usage: false }, Delivery::Streamed { include_usage: true }]),
        extra in extra(),
    ) -> ChatRequest {
        ChatRequest {
            model: "handbook".to_owned(),
            messages,
            max_tokens: max_tokens.map(|(limit, as_completion)| MaxTokens { limit, as_completion }),
            temperature: numbers.0,
            top_p: numbers.1,
            presence_penalty: numbers.2,
            frequency_penalty: numbers.3,
            top_k: counts.0,
            n: counts.1,
            seed: counts.2,
            stop,
            tools,
            tool_choice,
            parallel_tool_calls,
            response_format,
            user,
            filter: None,
            delivery,
            dialect: Dialect::OpenAi,
            extra,
        }
    }
}

/// Turns of a user (perhaps with tool results first) and of an assistant, in alternation, as Anthropic has them.
fn anthropic_messages() -> impl Strategy<Value = Vec<Message>> {
    let result = (option::of(content(false)), "toolu_[a-z0-9]{4}", any::<bool>(), extra()).prop_map(
        |(content, id, tool_failed, extra)| Message {
            tool_call_id: Some(id),
            tool_failed,
            ..message(Role::Tool, content.unwrap_or(Content::Absent), extra)
        },
    );
    let user = (vec(result, 0..3), option::of(vec(part(false), 1..4)), text()).prop_map(
        |(mut turn, parts, text)| {
            match parts {
                Some(parts) => turn.push(message(Role::User, Content::Parts(parts), Extra::new())),
                None if turn.is_empty() => turn.push(Message::text(Role::User, text)),
                None => {}
            }
            turn
        },
    );
    let assistant = (option::of(vec(part(false), 1..4)), vec(tool_call(), 0..3), text()).prop_map(
        |(parts, tool_calls, text)| {
            let content = match parts {
                Some(parts) => Content::Parts(parts),
                None if tool_calls.is_empty() => Content::Text(text),
                None => Content::Absent,
            };
            vec![Message { tool_calls, ..message(Role::Assistant, content, Extra::new()) }]
        },
    );
    vec((user, assistant), 1..4).prop_map(|turns| {
        turns.into_iter().flat_map(|(user, assistant)| [user, assistant]).flatten().collect()
    })
}

prop_compose! {
    fn anthropic_request()(
        mut messages in anthropic_messages(),
        system in option::of(prop_oneof![
            text().prop_map(Content::Text),
            vec((text(), extra()).prop_map(|(text, extra)| Part::Text { text, extra }), 1..3).prop_map(Content::Parts),
        ]),
        limit in 1u64..9999,
        numbers in (setting(0, 100), setting(0, 100), option::of(0u64..99)),
        stop in vec(text(), 0..3),
        tools in vec(tool(true), 0..3),
        tool_choice in option::of((tool_choice(), option::of(any::<bool>()))),
        schema in option::of(schema()),
        user in option::of(text()),
        streamed in any::<bool>(),
        extra in extra(),
    ) -> ChatRequest {
        if let Some(content) = system {
            messages.insert(0, message(Role::System, content, Extra::new()));
        }
        let (tool_choice, parallel) = tool_choice.map_or((None, None), |(choice, parallel)| (Some(choice), parallel));
        // The wish has a place only beside a choice of tools, and none where none may be called.
        let parallel = parallel.filter(|_| !tools.is_empty() && tool_choice != Some(ToolChoice::None));
        ChatRequest {
            model: "handbook".to_owned(),
            messages,
            max_tokens: Some(MaxTokens { limit, as_completion: false }),
            temperature: numbers.0,
            top_p: numbers.1,
            top_k: numbers.2,
            stop,
            tools,
            tool_choice,
            parallel_tool_calls: parallel,
            response_format: schema.map(|schema| ResponseFormat::JsonSchema {
                name: "output".to_owned(),
                description: None,
                schema: Some(schema),
                strict: Some(true),
            }),
            user,
            delivery: if streamed { Delivery::Streamed { include_usage: true } } else { Delivery::Whole },
            dialect: Dialect::Anthropic,
            extra,
            ..ChatRequest::default()
        }
    }
}

fn openai_options() -> openai::chat::RequestOptions<'static> {
    openai::chat::RequestOptions { model: "handbook", include_usage: false, max_completion_tokens: true }
}

fn anthropic_options() -> anthropic::messages::RequestOptions<'static> {
    anthropic::messages::RequestOptions { model: "handbook", default_max_tokens: 4096 }
}

/// What `request` is for every provider must be JSON, where it can be expressed at all.
fn encode_everywhere(request: &ChatRequest) {
    let bodies = [
        openai::chat::encode_request(request, &openai_options()),
        anthropic::messages::encode_request(request, &anthropic_options()),
        gemini::encode_request(request),
    ];
    for body in bodies.into_iter().flatten() {
        serde_json::from_slice::<Value>(&body).expect("what we write is JSON");
    }
}

/// JSON that looks like the real thing: the field names and tags of the dialects with any value behind them.
fn plausible_json() -> impl Strategy<Value = Value> {
    const NAMES: &[&str] = &[
        "type",
        "role",
        "content",
        "model",
        "messages",
        "choices",
        "delta",
        "message",
        "index",
        "tool_calls",
        "function",
        "arguments",
        "name",
        "id",
        "finish_reason",
        "usage",
        "error",
        "code",
        "text",
        "image_url",
        "url",
        "source",
        "data",
        "input",
        "tools",
        "tool_choice",
        "stop",
        "stream",
        "system",
        "max_tokens",
        "tool_use_id",
        "content_block",
        "partial_json",
        "thinking",
        "stop_reason",
        "candidates",
        "parts",
        "functionCall",
        "args",
        "finishReason",
        "usageMetadata",
        "promptTokenCount",
        "embedding",
        "embeddings",
        "values",
        "json_schema",
        "response_format",
        "output_config",
        "format",
        "schema",
        "metadata",
        "details",
    ];
    const TEXTS: &[&str] = &[
        "",
        "user",
        "assistant",
        "system",
        "tool",
        "function",
        "text",
        "image",
        "image_url",
        "tool_use",
        "tool_result",
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "text_delta",
        "input_json_delta",
        "signature_delta",
        "error",
        "stop",
        "STOP",
        "tool_calls",
        "{\"a\":1}",
        "data:image/png;base64,AAAA",
        "base64",
        "json_schema",
        "AAA=",
        "auto",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        sample::select(TEXTS).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 96, 6, |inner| {
        prop_oneof![
            1 => vec(inner.clone(), 0..4).prop_map(Value::Array),
            3 => vec((sample::select(NAMES), inner), 0..6).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
            }),
        ]
    })
}

/// Feeds bytes to everything that reads bytes from outside.
fn decode_with_everything(body: &[u8]) {
    for request in [
        openai::chat::decode_request(body),
        anthropic::messages::decode_request(body),
        anthropic::messages::decode_count_request(body),
    ]
    .into_iter()
    .flatten()
    {
        encode_everywhere(&request);
    }
    let _ = openai::embeddings::decode_request(body);
    let _ = openai::embeddings::decode_response(body, 1);
    let _ = openai::models::decode_models(body);
    let _ = gemini::embeddings::decode_response(body, 1);
    let _ = anthropic::messages::decode_token_count(body);
    let _ = openai::error::decode(400, body);
    let _ = anthropic::error::decode(400, body);
    let _ = gemini::error::decode(400, body);
    for completion in [
        openai::chat::decode_completion(body),
        anthropic::messages::decode_completion(body),
        gemini::decode_completion(body),
    ]
    .into_iter()
    .flatten()
    {
        let openai = openai::chat::ResponseOptions { id: "i", created: 0, model: None, mainstay: None };
        let anthropic = anthropic::messages::ResponseOptions { id: "i", model: None, mainstay: None };
        for body in [
            openai::chat::encode_completion(&completion, &openai),
            anthropic::messages::encode_completion(&completion, &anthropic),
        ] {
            serde_json::from_slice::<Value>(&body).expect("what we write is JSON");
        }
    }
}

fn stream_decoders() -> [Box<dyn StreamDecoder>; 3] {
    [
        Box::new(openai::chat::ChunkDecoder::new()),
        Box::new(anthropic::messages::EventDecoder::new()),
        Box::new(gemini::ChunkDecoder::new(1)),
    ]
}

fn stream_encoders() -> [Box<dyn StreamEncoder>; 2] {
    [
        Box::new(openai::chat::ChunkEncoder::new(openai::chat::ChunkOptions {
            id: "i".to_owned(),
            created: 0,
            model: None,
            include_usage: true,
        })),
        Box::new(anthropic::messages::EventEncoder::new(anthropic::messages::EventOptions {
            id: "i".to_owned(),
            model: None,
            input_tokens: 0,
        })),
    ]
}

/// Writes `events` and reads them back.
fn relay(
    encoder: &mut dyn StreamEncoder,
    decoder: &mut dyn StreamDecoder,
    events: &[ChatEvent],
) -> Vec<ChatEvent> {
    let mut out = BytesMut::new();
    for event in events {
        encoder.encode(event, &mut out);
    }
    encoder.finish(&mut out);
    let mut frames = sse::Decoder::default();
    frames.push(&out);
    let mut read = Vec::new();
    while let Some(event) = frames.next_event().expect("what we write is well-formed") {
        decoder.decode(event, &mut read).expect("what we write can be read");
    }
    decoder.finish(&mut read).expect("the stream is complete");
    read
}

/// What a stream says in the end: the text, and every call's name and arguments.
fn said(events: &[ChatEvent]) -> (String, Vec<(String, String)>) {
    let mut text = String::new();
    let mut calls: Vec<(u32, String, String)> = Vec::new();
    for event in events {
        let ChatEvent::Delta(delta) = event else { continue };
        text.push_str(delta.text.as_deref().unwrap_or_default());
        for fragment in &delta.tool_calls {
            match calls.iter_mut().find(|call| call.0 == fragment.index) {
                Some(call) => call.2.push_str(&fragment.arguments),
                None => {
                    let id = fragment.id.clone().expect("the first fragment has the id");
                    calls.push((fragment.index, id, fragment.arguments.clone()));
                }
            }
        }
    }
    (text, calls.into_iter().map(|(_, id, arguments)| (id, arguments)).collect())
}

/// A stream with text and parallel calls, whose fragments are interleaved in any way.
fn stream() -> impl Strategy<Value = Vec<ChatEvent>> {
    let calls = vec(arguments(), 0..4);
    (vec(text(), 0..5), calls, vec((any::<sample::Index>(), 1usize..6), 0..40)).prop_map(
        |(texts, calls, order)| {
            let mut texts = texts.into_iter();
            let mut rest: Vec<Vec<char>> = calls.iter().map(|call| call.chars().collect()).collect();
            let mut begun = vec![false; calls.len()];
            let mut begin_next = 0;
            let mut events = vec![ChatEvent::Start(StreamStart {
                id: "x".to_owned(),
                model: "m".to_owned(),
                created: None,
                extra: Extra::new(),
            })];
            let mut piece = |which: usize, length: usize, events: &mut Vec<ChatEvent>| {
                // Calls begin in the order of their indices.
                let call = if which < begin_next { which } else { begin_next };
                begin_next = begin_next.max(call + 1);
                let length = length.min(rest[call].len());
                let first = !std::mem::replace(&mut begun[call], true);
                events.push(ChatEvent::Delta(ChoiceDelta {
                    tool_calls: vec![ToolCallDelta {
                        index: call as u32,
                        id: first.then(|| format!("call_{call}")),
                        name: first.then(|| "f".to_owned()),
                        arguments: rest[call].drain(..length).collect(),
                        extra: Extra::new(),
                    }],
                    ..ChoiceDelta::default()
                }));
            };
            for (which, length) in order {
                match which.index(calls.len() + 1) {
                    call if call < calls.len() => piece(call, length, &mut events),
                    _ => events.extend(texts.next().map(|text| ChatEvent::Delta(ChoiceDelta::text(text)))),
                }
            }
            for call in 0..calls.len() {
                piece(call, usize::MAX, &mut events);
            }
            events.push(ChatEvent::Delta(ChoiceDelta::finish(FinishReason::ToolCalls)));
            events
        },
    )
}

proptest! {
    #[test]
    fn an_openai_request_reads_back_as_it_was_written(request in openai_request()) {
        let body = openai::chat::encode_request(&request, &openai_options()).unwrap();
        prop_assert_eq!(openai::chat::decode_request(&body).unwrap(), request);
    }

    #[test]
    fn an_anthropic_request_reads_back_as_it_was_written(request in anthropic_request()) {
        let body = anthropic::messages::encode_request(&request, &anthropic_options()).unwrap();
        prop_assert_eq!(anthropic::messages::decode_request(&body).unwrap(), request);
    }

    #[test]
    fn every_request_is_json_for_every_provider(openai in openai_request(), anthropic in anthropic_request()) {
        encode_everywhere(&openai);
        encode_everywhere(&anthropic);
    }

    #[test]
    fn nothing_is_lost_of_a_stream_on_its_way_through_a_dialect(events in stream()) {
        let expected = said(&events);
        let [mut openai, mut anthropic] = stream_encoders();
        let [mut openai_decoder, mut anthropic_decoder, _] = stream_decoders();
        prop_assert_eq!(said(&relay(&mut *openai, &mut *openai_decoder, &events)), expected.clone());
        prop_assert_eq!(said(&relay(&mut *anthropic, &mut *anthropic_decoder, &events)), expected);
    }

    #[test]
    fn arbitrary_bytes_never_panic(body in vec(any::<u8>(), 0..64)) {
        decode_with_everything(&body);
    }

    #[test]
    fn arbitrary_json_never_panics(body in plausible_json()) {
        decode_with_everything(body.to_string().as_bytes());
    }

    #[test]
    fn requests_with_arbitrary_fields_never_panic(mut fields in plausible_json(), messages in plausible_json()) {
        if let Value::Object(fields) = &mut fields {
            fields.insert("model".to_owned(), json!("m"));
            fields.insert("max_tokens".to_owned(), json!(1));
            fields.insert("messages".to_owned(), json!([{"role": "user", "content": "a"}, messages]));
        }
        decode_with_everything(fields.to_string().as_bytes());
    }

    #[test]
    fn streams_of_arbitrary_json_never_panic(payloads in vec(plausible_json(), 0..6)) {
        for mut decoder in stream_decoders() {
            let mut events = Vec::new();
            for payload in &payloads {
                let data = payload.to_string();
                let _ = decoder.decode(sse::Event { name: "", data: &data }, &mut events);
            }
            let _ = decoder.finish(&mut events);
            for mut encoder in stream_encoders() {
                let mut out = BytesMut::new();
                for event in &events {
                    encoder.encode(event, &mut out);
                }
                encoder.finish(&mut out);
                let mut frames = sse::Decoder::default();
                frames.push(&out);
                while let Some(event) = frames.next_event().expect("what we write is well-formed") {
                    if event.data != "[DONE]" {
                        serde_json::from_str::<Value>(event.data).expect("what we write is JSON");
                    }
                }
            }
        }
    }
}
