//! Questions, tools, schemas and parameters through every kind of provider, whole and streamed.

use crate::support::{Bench, CHAT_KINDS, question, weather};
use mainstay_domain::Usage;
use mainstay_domain::chat::{
    ChatRequest, Content, Delivery, FinishReason, ImageSource, MaxTokens, Message, Part, ResponseFormat,
    Role, ToolCall, ToolChoice,
};
use mainstay_providers::ProviderKind;
use serde_json::{Value, json};

#[tokio::test]
async fn text_comes_back_whole_and_in_pieces_with_the_same_counts() {
    for kind in CHAT_KINDS {
        let bench = Bench::new(kind);
        let completion = bench.chat.complete(bench.call(question("Is it late?"))).await.unwrap();
        let collected = bench.stream(question("Is it late?")).await.unwrap();
        assert_eq!(completion.choices[0].message.text.as_deref(), Some("You said: Is it late?"), "{kind}");
        assert_eq!(collected.text, "You said: Is it late?", "{kind}");
        assert!(collected.pieces > 3, "{kind}: {collected:?}");
        assert_eq!(collected.starts, 1, "{kind}");
        assert_eq!((&*completion.model, &*collected.model), ("the-model", "the-model"), "{kind}");
        assert_eq!(collected.usages, [completion.usage.unwrap()], "{kind}");
        assert_eq!(collected.finishes, [FinishReason::Stop], "{kind}");
    }
}

#[tokio::test]
async fn the_model_of_the_call_is_asked_and_not_that_of_the_request() {
    for kind in CHAT_KINDS {
        let bench = Bench::new(kind);
        let request = ChatRequest { model: "support".to_owned(), ..question("Hello") };
        bench.chat.complete(bench.call(request)).await.unwrap();
        let record = bench.stand_in.records().last().pop().unwrap();
        let asked = match kind {
            ProviderKind::Gemini => record.path == "/gemini/v1beta/models/the-model:generateContent",
            _ => record.body["model"] == "the-model",
        };
        assert!(asked, "{kind}: {record:?}");
    }
}

#[tokio::test]
async fn token_counts_are_asked_for_whatever_the_caller_asked() {
    for include_usage in [false, true] {
        let bench = Bench::new(ProviderKind::OpenAi);
        let request = ChatRequest { delivery: Delivery::Streamed { include_usage }, ..question("Hello") };
        assert_eq!(bench.stream(request).await.unwrap().usages.len(), 1);
        assert_eq!(bench.last_body()["stream_options"], json!({ "include_usage": true }));
    }
}

#[tokio::test]
async fn cached_tokens_are_a_part_of_the_prompt_for_every_provider() {
    let mut found: Vec<Usage> = Vec::new();
    for kind in CHAT_KINDS {
        let bench = Bench::new(kind);
        let collected = bench.stream(question("is this cached or not, I wonder")).await.unwrap();
        let completion =
            bench.chat.complete(bench.call(question("is this cached or not, I wonder"))).await.unwrap();
        assert_eq!(collected.usages, [completion.usage.unwrap()], "{kind}");
        found.push(collected.usages[0]);
    }
    assert!(found[0].cache_read > 0 && found[0].cache_read < found[0].prompt, "{found:?}");
    assert!(found.iter().all(|usage| usage == &found[0]), "{found:?}");
}

#[tokio::test]
async fn tools_are_called_in_fragments_and_their_results_understood() {
    for kind in CHAT_KINDS {
        let bench = Bench::new(kind);
        let asked = ChatRequest { tools: vec![weather()], ..question("What is the weather in Paris?") };
        let collected = bench.stream(asked.clone()).await.unwrap();
        assert_eq!(collected.finishes, [FinishReason::ToolCalls], "{kind}");
        let [(id, name, arguments)] = &collected.calls[..] else { panic!("{kind}: {collected:?}") };
        assert_eq!((name.as_str(), arguments.as_str()), ("weather", r#"{"city":"Paris"}"#), "{kind}");
        assert!(!id.is_empty(), "{kind}");
        // Gemini has no fragments.
        assert!(collected.fragments > 1 || kind == ProviderKind::Gemini, "{kind}: {collected:?}");

        let completion = bench.chat.complete(bench.call(asked.clone())).await.unwrap();
        let call = completion.choices[0].message.tool_calls[0].clone();
        assert_eq!((&call.name, &call.arguments), (name, arguments), "{kind}");
        assert_eq!(completion.choices[0].finish, FinishReason::ToolCalls, "{kind}");

        let answered = bench.stream(with_results(asked, &[(call, "18 degrees")])).await.unwrap();
        assert_eq!(answered.text, "The tool said: 18 degrees", "{kind}");
    }
}

#[tokio::test]
async fn parallel_calls_keep_their_arguments_apart() {
    for kind in CHAT_KINDS {
        let bench = Bench::new(kind);
        let asked = ChatRequest { tools: vec![weather()], ..question("How is it in both Paris and London?") };
        let collected = bench.stream(asked.clone()).await.unwrap();
        let arguments: Vec<&str> = collected.calls.iter().map(|call| call.2.as_str()).collect();
        assert_eq!(arguments, [r#"{"city":"Paris"}"#, r#"{"city":"London"}"#], "{kind}");
        assert_ne!(collected.calls[0].0, collected.calls[1].0, "{kind}");

        let calls: Vec<(ToolCall, &str)> = collected
            .calls
            .into_iter()
            .zip(["18 degrees", "12 degrees"])
            .map(|((id, name, arguments), result)| {
                (ToolCall { id, name, arguments, extra: Default::default() }, result)
            })
            .collect();
        let answered = bench.stream(with_results(asked, &calls)).await.unwrap();
        // OpenAI's results are a message each, of which the stand-in repeats the last.
        assert!(
            answered.text.starts_with("The tool said: ") && answered.text.ends_with("12 degrees"),
            "{kind}"
        );
    }
}

fn with_results(mut request: ChatRequest, calls: &[(ToolCall, &str)]) -> ChatRequest {
    request.messages.push(Message {
        content: Content::Absent,
        tool_calls: calls.iter().map(|(call, _)| call.clone()).collect(),
        ..Message::text(Role::Assistant, "")
    });
    for (call, result) in calls {
        request
            .messages
            .push(Message { tool_call_id: Some(call.id.clone()), ..Message::text(Role::Tool, *result) });
    }
    request
}

#[tokio::test]
async fn a_choice_of_tool_is_passed_on() {
    for kind in CHAT_KINDS {
        let bench = Bench::new(kind);
        let ask = async |choice| {
            let request = ChatRequest {
                tools: vec![weather()],
                tool_choice: Some(choice),
                ..question("Is it nice in Rome?")
            };
            bench.stream(request).await.unwrap()
        };
        assert!(ask(ToolChoice::None).await.calls.is_empty(), "{kind}");
        assert_eq!(ask(ToolChoice::Required).await.calls.len(), 1, "{kind}");
        assert_eq!(ask(ToolChoice::Function("weather".to_owned())).await.calls.len(), 1, "{kind}");
    }
}

#[tokio::test]
async fn limits_and_stop_texts_end_an_answer() {
    for kind in CHAT_KINDS {
        let bench = Bench::new(kind);
        let max_tokens = Some(MaxTokens { limit: 3, as_completion: false });
        let cut = bench.stream(ChatRequest { max_tokens, ..question("count to 9") }).await.unwrap();
        assert_eq!((cut.text.as_str(), &cut.finishes[..]), ("1 2 3", &[FinishReason::Length][..]), "{kind}");
        let stop = vec![" 5".to_owned()];
        let stopped = bench.stream(ChatRequest { stop, ..question("count to 9") }).await.unwrap();
        assert_eq!(stopped.text, "1 2 3 4", "{kind}");
    }
}

#[tokio::test]
async fn a_schema_of_the_answer_is_passed_on() {
    for kind in CHAT_KINDS {
        let bench = Bench::new(kind);
        let schema = json!({
            "type": "object", "additionalProperties": false,
            "properties": { "city": { "type": "string" }, "rainy": { "type": "boolean" } },
            "required": ["city", "rainy"],
        });
        let format = ResponseFormat::JsonSchema {
            name: "weather".to_owned(),
            description: None,
            schema: Some(schema),
            strict: Some(true),
        };
        let request = ChatRequest { response_format: Some(format), ..question("Is it rainy in Oslo?") };
        let text = bench.stream(request).await.unwrap().text;
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value, json!({ "city": "Oslo", "rainy": true }), "{kind}");
    }
}

#[tokio::test]
async fn pictures_and_system_prompts_reach_every_provider() {
    for kind in CHAT_KINDS {
        let bench = Bench::new(kind);
        let image = Part::Image {
            source: ImageSource::Base64 { media_type: "image/png".to_owned(), data: "aGk=".to_owned() },
            detail: None,
            extra: Default::default(),
        };
        let text = Part::Text { text: "What is this?".to_owned(), extra: Default::default() };
        let mut request = question("");
        request.messages[0].content = Content::Parts(vec![text, image]);
        request.messages.insert(0, Message::text(Role::System, "Be brief."));
        assert_eq!(bench.stream(request).await.unwrap().text, "You said: What is this?", "{kind}");
        let body = bench.last_body().to_string();
        assert!(body.contains("aGk=") && body.contains("Be brief."), "{kind}: {body}");
    }
}

#[tokio::test]
async fn several_answers_come_from_the_providers_that_give_them() {
    for kind in CHAT_KINDS {
        let bench = Bench::new(kind);
        let result = bench.chat.complete(bench.call(ChatRequest { n: Some(2), ..question("Hello") })).await;
        if kind.capabilities().alternatives {
            assert_eq!(result.unwrap().choices.len(), 2, "{kind}");
        } else {
            let error = result.unwrap_err();
            assert_eq!(error.kind, mainstay_domain::ModelErrorKind::Unsupported, "{kind}: {error}");
            assert_eq!(bench.stand_in.records().counts().count, 0, "{kind}: it must not be sent");
        }
    }
}

#[tokio::test]
async fn connections_serve_one_call_after_the_other() {
    for kind in CHAT_KINDS {
        for http2 in [false, true] {
            let bench = Bench::with(kind, http2, |_| {});
            for _ in 0..10 {
                bench.stream(question("count to 30")).await.unwrap();
                bench.chat.complete(bench.call(question("Hello"))).await.unwrap();
                let refused = ChatRequest { temperature: Some(99.0), ..question("Hello") };
                bench.chat.complete(bench.call(refused)).await.unwrap_err();
            }
            // An HTTP/1.1 connection is free again shortly after the last event: the next call may come before.
            let dialled = bench.pipes.dialled.load(std::sync::atomic::Ordering::Relaxed);
            assert!(dialled <= if http2 { 1 } else { 2 }, "{kind}, HTTP/2: {http2}: {dialled}");
        }
    }
}

#[tokio::test]
async fn headers_of_the_configuration_are_sent_and_the_key_is_too() {
    for kind in CHAT_KINDS {
        let bench = Bench::with(kind, false, |options| {
            options.headers = vec![("X-Team".to_owned(), "blue".to_owned())];
        });
        bench.chat.complete(bench.call(question("Hello"))).await.unwrap();
        let headers = bench.stand_in.records().last().pop().unwrap().headers;
        assert_eq!(headers["x-team"], "blue", "{kind}");
        assert!(headers["user-agent"].as_str().unwrap().starts_with("mainstay/"), "{kind}");
        assert!(headers.values().any(|value| value == "key" || value == "Bearer key"), "{kind}: {headers:?}");
    }
}

#[tokio::test]
async fn a_name_of_a_model_that_no_url_can_hold_is_no_panic() {
    let bench = Bench::new(ProviderKind::Gemini);
    let mut call = bench.call(question("Hello"));
    call.model = "é/../x?".repeat(20_000);
    let error = bench.chat.complete(call).await.unwrap_err();
    assert_eq!(error.kind, mainstay_domain::ModelErrorKind::ModelNotFound);
    let mut call = bench.call(question("Hello"));
    call.model = "../secret?x#y".to_owned();
    bench.chat.complete(call).await.unwrap();
    let path = bench.stand_in.records().last().pop().unwrap().path;
    assert_eq!(path, "/gemini/v1beta/models/../secret?x#y:generateContent", "the name stays one segment");
}
