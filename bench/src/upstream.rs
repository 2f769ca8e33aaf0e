//! A model provider that answers at once: OpenAI's wire format, fixed answers, no work. What a measurement sees above it
//! is the network, the load generator, and Mainstay.

use std::time::Duration;

use anyhow::{Context, bail};
use memchr::memmem;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::http::{BodyEnd, read_head};
use crate::observe::unix_nanos;

/// Tokens of every stream.
pub(crate) const TOKENS: usize = 32;

/// The model whose streams come at once, in one piece.
pub(crate) const BURST_MODEL: &str = "burst";
/// The model whose streams come token by token, each with the time at which it was sent.
pub(crate) const PACED_MODEL: &str = "paced";
/// The pause between the tokens of [`PACED_MODEL`].
pub(crate) const PACE: Duration = Duration::from_millis(5);

/// What stands before the time in a token of [`PACED_MODEL`]: nanoseconds since 1970.
pub(crate) const SENT_AT: &str = "sent@";

/// Serves until it is killed. The first line it prints says where.
pub(crate) fn run() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen")?;
        println!("{}", json!({ "url": format!("http://{}", listener.local_addr()?) }));
        let answers = Answers::new();
        let answers: &'static Answers = Box::leak(Box::new(answers));
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.context("cannot accept a connection")?;
            stream.set_nodelay(true)?;
            // A connection ends when its client closes it; that is no failure of the upstream.
            connections.spawn(async move { drop(serve(stream, answers).await) });
            while connections.try_join_next().is_some() {}
        }
    })
}

/// The fixed answers, as bytes on the wire.
struct Answers {
    whole: Vec<u8>,
    burst: Vec<u8>,
    burst_with_usage: Vec<u8>,
}

impl Answers {
    fn new() -> Self {
        let text = "The warranty covers two years from the date of purchase, and three for batteries that were registered.";
        let body = json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "mock",
            "choices": [{
                "index": 0, "message": { "role": "assistant", "content": text, "refusal": null },
                "logprobs": null, "finish_reason": "stop",
            }],
            "usage": { "prompt_tokens": 20, "completion_tokens": 20, "total_tokens": 40 },
            "system_fingerprint": "fp_1",
        });
        let body = body.to_string();
        let whole = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        Self { whole: whole.into_bytes(), burst: burst(false), burst_with_usage: burst(true) }
    }
}

const STREAM_HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const STREAM_END: &[u8] = b"0\r\n\r\n";

/// A whole stream, each event a chunk of its own.
fn burst(with_usage: bool) -> Vec<u8> {
    let mut bytes = STREAM_HEAD.to_vec();
    bytes.extend(chunk(&first_event(with_usage)));
    for index in 0..TOKENS {
        bytes.extend(chunk(&token_event(&format!("word{index} "), with_usage)));
    }
    bytes.extend(last_chunks(with_usage));
    bytes
}

fn first_event(with_usage: bool) -> String {
    event(json!({ "role": "assistant", "content": "", "refusal": null }), json!(null), with_usage)
}

fn token_event(token: &str, with_usage: bool) -> String {
    event(json!({ "content": token }), json!(null), with_usage)
}

/// The last event with a choice, the usage if it was asked for, the end mark, and the end of the body.
fn last_chunks(with_usage: bool) -> Vec<u8> {
    let mut bytes = chunk(&event(json!({}), json!("stop"), with_usage));
    if with_usage {
        let usage = json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "mock",
            "choices": [], "usage": { "prompt_tokens": 20, "completion_tokens": TOKENS, "total_tokens": 20 + TOKENS },
        });
        bytes.extend(chunk(&format!("data: {usage}\n\n")));
    }
    bytes.extend(chunk("data: [DONE]\n\n"));
    bytes.extend_from_slice(STREAM_END);
    bytes
}

fn event(delta: serde_json::Value, finish_reason: serde_json::Value, with_usage: bool) -> String {
    let mut event = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "mock",
        "choices": [{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason }],
    });
    if with_usage {
        event["usage"] = json!(null);
    }
    format!("data: {event}\n\n")
}

fn chunk(content: &str) -> Vec<u8> {
    format!("{:x}\r\n{content}\r\n", content.len()).into_bytes()
}

async fn serve(mut stream: TcpStream, answers: &Answers) -> anyhow::Result<()> {
    let mut received = Vec::with_capacity(16 * 1024);
    loop {
        let Some(length) = read_request(&mut stream, &mut received).await? else { return Ok(()) };
        let request = &received[..length];
        let says = |text: &str| memmem::find(request, text.as_bytes()).is_some();
        let with_usage = says("\"include_usage\":true");
        if !says("\"stream\":true") {
            stream.write_all(&answers.whole).await?;
        } else if says(&format!("\"{PACED_MODEL}\"")) {
            stream_paced(&mut stream, with_usage).await?;
        } else {
            let burst = if with_usage { &answers.burst_with_usage } else { &answers.burst };
            stream.write_all(burst).await?;
        }
        received.drain(..length);
    }
}

/// Reads one request; answers its length, or `None` when the client closed the connection.
async fn read_request(stream: &mut TcpStream, received: &mut Vec<u8>) -> anyhow::Result<Option<usize>> {
    loop {
        if let Some(head) = read_head(received)? {
            let BodyEnd::Length(body) = head.body else {
                bail!("the upstream takes requests with a content-length only")
            };
            if received.len() >= head.length + body {
                return Ok(Some(head.length + body));
            }
        }
        if stream.read_buf(received).await? == 0 {
            return Ok(None);
        }
    }
}

async fn stream_paced(stream: &mut TcpStream, with_usage: bool) -> anyhow::Result<()> {
    let mut first = STREAM_HEAD.to_vec();
    first.extend(chunk(&first_event(with_usage)));
    stream.write_all(&first).await?;
    for _ in 0..TOKENS {
        tokio::time::sleep(PACE).await;
        let token = format!("{SENT_AT}{} ", unix_nanos());
        stream.write_all(&chunk(&token_event(&token, with_usage))).await?;
    }
    stream.write_all(&last_chunks(with_usage)).await?;
    Ok(())
}
