//! Connections that are used again, and what becomes of those that the server closes or that nobody uses.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{Bench, question};
use futures_util::StreamExt as _;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mainstay_domain::ModelErrorKind;
use mainstay_providers::http::{Dial, Dialling, Link};
use mainstay_providers::{Provider, ProviderKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_util::task::TaskTracker;

/// A network whose server closes each connection after so many answers, without saying so before.
struct ClosesAfter {
    answers: usize,
    dialled: AtomicUsize,
    tasks: TaskTracker,
}

impl Dial for ClosesAfter {
    fn dial(&self, _: http::Uri) -> Dialling {
        self.dialled.fetch_add(1, Ordering::Relaxed);
        let (client, server) = tokio::io::duplex(64 << 10);
        self.tasks.spawn(answer(server, self.answers));
        Box::pin(async move { Ok(Link::http1(TokioIo::new(client))) })
    }
}

const ANSWER: &str = r#"{"id":"a","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi."},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;

async fn answer(mut pipe: DuplexStream, times: usize) {
    let whole = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    let mut request = vec![0; 64 << 10];
    for _ in 0..times {
        // Each of our requests comes in one piece.
        let Ok(1..) = pipe.read(&mut request).await else { return };
        if pipe.write_all(whole.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// A network whose HTTP/2 server begins a stream that does not end, says that it takes no more requests on this connection,
/// and answers everything else.
struct GoesAway {
    dialled: AtomicUsize,
    tasks: TaskTracker,
}

impl Dial for GoesAway {
    fn dial(&self, _: http::Uri) -> Dialling {
        self.dialled.fetch_add(1, Ordering::Relaxed);
        let (client, server) = tokio::io::duplex(64 << 10);
        self.tasks.spawn(async move {
            let streaming = Arc::new(tokio::sync::Notify::new());
            let begun = streaming.clone();
            let service = hyper::service::service_fn(move |request: http::Request<Incoming>| {
                receive(request, begun.clone())
            });
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(server), service));
            tokio::select! {
                _ = &mut connection => return,
                () = streaming.notified() => {}
            }
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        });
        Box::pin(async move { Ok(Link::http2(TokioIo::new(client))) })
    }
}

#[expect(clippy::disallowed_methods, reason = "the body is limited")]
async fn receive(
    request: http::Request<Incoming>,
    begun: Arc<tokio::sync::Notify>,
) -> std::io::Result<http::Response<BoxBody<Bytes, std::convert::Infallible>>> {
    let body = Limited::new(request.into_body(), 64 << 10).collect().await.map_err(std::io::Error::other)?;
    let streamed = body.to_bytes().windows(13).any(|text| text == b"\"stream\":true");
    if streamed {
        begun.notify_one();
    }
    Ok(respond(streamed))
}

fn respond(streamed: bool) -> http::Response<BoxBody<Bytes, std::convert::Infallible>> {
    if !streamed {
        let body = Full::new(Bytes::from_static(ANSWER.as_bytes())).boxed();
        return http::Response::builder()
            .header("content-type", "application/json")
            .body(body)
            .expect("a response");
    }
    let chunk = r#"data: {"id":"a","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}"#;
    let first = futures_util::stream::iter([Ok(Frame::data(Bytes::from(format!("{chunk}\n\n"))))]);
    let body = BodyExt::boxed(StreamBody::new(first.chain(futures_util::stream::pending())));
    http::Response::builder().header("content-type", "text/event-stream").body(body).expect("a response")
}

fn bench(answers: usize) -> (Bench, Arc<ClosesAfter>) {
    let mut bench = Bench::new(ProviderKind::OpenAi);
    let network = Arc::new(ClosesAfter { answers, dialled: AtomicUsize::new(0), tasks: TaskTracker::new() });
    let settings = crate::support::settings(bench.kind, "http://server", |_| {});
    bench.provider = Provider::new(settings, network.clone(), bench.clock);
    bench.chat = bench.provider.chat().expect("the kind answers");
    (bench, network)
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_the_server_has_closed_costs_no_call() {
    let (bench, network) = bench(2);
    for _ in 0..6 {
        bench.chat.complete(bench.call(question("Hello"))).await.unwrap();
        // The server gets its turn, and closes after every second answer.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(network.dialled.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_nobody_has_used_for_long_is_not_used_again() {
    let (bench, network) = bench(100);
    for pause in [Duration::from_secs(59), Duration::from_secs(61), Duration::ZERO] {
        bench.chat.complete(bench.call(question("Hello"))).await.unwrap();
        tokio::time::sleep(pause).await;
    }
    assert_eq!(network.dialled.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_closes_at_once_is_not_asked_for_ever() {
    let (bench, network) = bench(0);
    let error = bench.chat.complete(bench.call(question("Hello"))).await.unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::Connect);
    assert_eq!(network.dialled.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn calls_at_the_same_time_have_connections_of_their_own() {
    let (bench, network) = bench(100);
    for _ in 0..3 {
        let calls = (0..4).map(|_| bench.chat.complete(bench.call(question("Hello"))));
        for answer in futures_util::future::join_all(calls).await {
            answer.unwrap();
        }
    }
    assert_eq!(network.dialled.load(Ordering::Relaxed), 4);
}

#[tokio::test(start_paused = true)]
async fn a_shared_connection_that_takes_no_more_is_left_to_its_streams() {
    let mut bench = Bench::new(ProviderKind::OpenAi);
    let network = Arc::new(GoesAway { dialled: AtomicUsize::new(0), tasks: TaskTracker::new() });
    let settings = crate::support::settings(bench.kind, "http://server", |_| {});
    bench.provider = Provider::new(settings, network.clone(), bench.clock);
    bench.chat = bench.provider.chat().expect("the kind answers");
    let mut stream = bench.chat.stream(bench.call(question("Hello"))).await.unwrap();
    stream.next().await.unwrap().unwrap();
    for _ in 0..3 {
        // The server's word arrives.
        tokio::time::sleep(Duration::from_millis(1)).await;
        bench.chat.complete(bench.call(question("Hello"))).await.unwrap();
    }
    assert_eq!(network.dialled.load(Ordering::Relaxed), 2);
}
