//! What a call of a provider costs on this side of the network: encode, send, receive, decode. The server is a pipe that
//! answers with fixed bytes, and the runtime has one thread, so the time is the processor's.
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::StreamExt as _;
use hyper_util::rt::TokioIo;
use mainstay_domain::chat::{ChatRequest, Message, Role};
use mainstay_domain::config::Secret;
use mainstay_domain::port::{ChatModel, ModelCall};
use mainstay_domain::{Clock, Deadline};
use mainstay_providers::http::{Dial, Dialling, Link};
use mainstay_providers::{Provider, ProviderKind, ProviderOptions, ProviderSettings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_util::task::TaskTracker;

const TOKENS: usize = 32;

/// A network of pipes, at whose other end the same bytes answer every request.
struct Fixed {
    answer: Arc<Vec<u8>>,
    tasks: TaskTracker,
}

impl Dial for Fixed {
    fn dial(&self, _: http::Uri) -> Dialling {
        let (client, server) = tokio::io::duplex(64 << 10);
        self.tasks.spawn(serve(server, self.answer.clone()));
        Box::pin(async move { Ok(Link::http1(TokioIo::new(client))) })
    }
}

/// A request is over with its closing brace: none of ours spans two reads.
async fn serve(mut pipe: DuplexStream, answer: Arc<Vec<u8>>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
        if buffer[read - 1] == b'}' && pipe.write_all(&answer).await.is_err() {
            return;
        }
    }
}

fn whole() -> Vec<u8> {
    let body = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"mock","choices":[{"index":0,"message":{"role":"assistant","content":"The warranty covers two years from the date of purchase.","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":20,"total_tokens":40}}"#;
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn streamed() -> Vec<u8> {
    let mut answer =
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let mut push = |data: &str| {
        let event = format!("data: {data}\n\n");
        answer.extend_from_slice(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes());
    };
    let chunk = |delta: &str, finish: &str| {
        format!(
            r#"{{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"mock","choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}],"usage":null}}"#
        )
    };
    push(&chunk(r#"{"role":"assistant","content":""}"#, "null"));
    for _ in 0..TOKENS {
        push(&chunk(r#"{"content":" token"}"#, "null"));
    }
    push(&chunk("{}", r#""stop""#));
    push(
        r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"mock","choices":[],"usage":{"prompt_tokens":20,"completion_tokens":32,"total_tokens":52}}"#,
    );
    push("[DONE]");
    answer.extend_from_slice(b"0\r\n\r\n");
    answer
}

fn provider(answer: Vec<u8>) -> Arc<dyn ChatModel> {
    let settings = ProviderSettings::check(ProviderOptions {
        base_url: Some("http://fixed/v1".parse().expect("a URL")),
        api_key: Some(Secret::new("key")),
        ..ProviderOptions::new("fixed", ProviderKind::OpenAi)
    });
    let dial = Arc::new(Fixed { answer: Arc::new(answer), tasks: TaskTracker::new() });
    Provider::new(settings.expect("the settings are in order"), dial, Clock::system())
        .chat()
        .expect("the kind answers")
}

fn call() -> ModelCall {
    ModelCall {
        model: "mock".to_owned(),
        request: ChatRequest {
            messages: vec![Message::text(Role::User, "How long is the warranty?")],
            ..ChatRequest::default()
        },
        passages: Vec::new(),
        deadline: Deadline::after(&Clock::system(), Duration::from_secs(60)),
        region: None,
    }
}

fn calls(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let model = provider(whole());
    criterion.bench_function("whole answer", |bencher| {
        bencher.iter(|| runtime.block_on(async { model.complete(call()).await.expect("an answer") }));
    });
    let model = provider(streamed());
    criterion.bench_function("stream of 32 tokens", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let mut stream = model.stream(call()).await.expect("a stream");
                let mut events = 0;
                while let Some(event) = stream.next().await {
                    event.expect("an event");
                    events += 1;
                }
                assert_eq!(events, TOKENS + 3);
            });
        });
    });
}

criterion_group!(benches, calls);
criterion_main!(benches);
