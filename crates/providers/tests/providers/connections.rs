//! Connections that are used again, and what becomes of those that the server closes or that nobody uses.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{Bench, question};
use hyper_util::rt::TokioIo;
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

async fn answer(mut pipe: DuplexStream, times: usize) {
    let body = r#"{"id":"a","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi."},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
    let whole = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
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

fn bench(answers: usize) -> (Bench, Arc<ClosesAfter>) {
    let mut bench = Bench::new(ProviderKind::OpenAi);
    let network = Arc::new(ClosesAfter { answers, dialled: AtomicUsize::new(0), tasks: TaskTracker::new() });
    let settings = crate::support::settings(bench.kind, "http://server", |_| {});
    bench.provider = Provider::new(settings, network.clone(), bench.clock);
    bench.chat = bench.provider.chat();
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
