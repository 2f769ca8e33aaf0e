//! The load generator: a number of connections, each sending its next request when its last was answered, or at a steady
//! rate. It prints what it saw as one line of JSON.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use memchr::memmem;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::http::{BodyEnd, ChunkDecoder, Head, host_of, read_head, request};
use crate::observe::{Percentiles, now, unix_nanos};
use crate::upstream::{SENT_AT, TOKENS};

/// What load to make.
#[derive(Args, Clone)]
pub(crate) struct LoadArgs {
    /// The server, as `http://host:port`.
    #[arg(long)]
    pub(crate) url: String,
    /// Its API key; or `@` and a file with several, one a line, which take turns.
    #[arg(long)]
    pub(crate) key: String,
    /// Asks something else each time, so that no answer can be given again.
    #[arg(long)]
    pub(crate) vary: bool,
    /// The model to ask.
    #[arg(long)]
    pub(crate) model: String,
    /// How many connections send at a time.
    #[arg(long)]
    pub(crate) connections: usize,
    /// For how long.
    #[arg(long)]
    pub(crate) seconds: f64,
    /// What to look at in the answers.
    #[arg(long, value_enum)]
    pub(crate) answers: Answers,
    /// Requests per second and connection; as many as are answered, when absent.
    #[arg(long)]
    pub(crate) rate: Option<f64>,
}

/// What kind of answer is asked for, and how closely it is looked at.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Answers {
    /// In one piece.
    Whole,
    /// Streams; only their first content and their end are looked at, so that the generator costs little.
    Streams,
    /// Streams, of which every token is looked at.
    Tokens,
}

impl Answers {
    fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Streams => "streams",
            Self::Tokens => "tokens",
        }
    }
}

/// What the generator saw. Times are in milliseconds.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) struct Seen {
    /// Requests that were answered well.
    pub(crate) requests: usize,
    /// How long it took, in seconds.
    pub(crate) seconds: f64,
    /// From sending to the end of the answer.
    pub(crate) latency: Percentiles,
    /// From sending to the first event of a stream.
    pub(crate) first_event: Percentiles,
    /// From sending to the first content of a stream.
    pub(crate) first_content: Percentiles,
    /// From when the upstream sent a token to when it arrived.
    pub(crate) token_delay: Percentiles,
    /// By how much the gap between two tokens differs from the gap with which they were sent.
    pub(crate) gap_change: Percentiles,
}

impl LoadArgs {
    /// The arguments as another process of this program takes them.
    pub(crate) fn to_command_line(&self) -> Vec<String> {
        let mut words = vec!["load".to_owned()];
        let mut option = |name: &str, value: String| words.extend([format!("--{name}"), value]);
        option("url", self.url.clone());
        option("key", self.key.clone());
        option("model", self.model.clone());
        option("connections", self.connections.to_string());
        option("seconds", self.seconds.to_string());
        option("answers", self.answers.name().to_owned());
        if let Some(rate) = self.rate {
            option("rate", rate.to_string());
        }
        if self.vary {
            words.push("--vary".to_owned());
        }
        words
    }

    /// The keys that take turns; never none.
    fn keys(&self) -> anyhow::Result<Vec<String>> {
        let keys: Vec<String> = match self.key.strip_prefix('@') {
            Some(file) => {
                let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
                text.lines().map(str::to_owned).collect()
            }
            None => vec![self.key.clone()],
        };
        if keys.is_empty() {
            bail!("there is no key in {}", self.key);
        }
        Ok(keys)
    }
}

/// Makes the load and prints what was seen. Any answer that is not as it should be ends the run: a figure over failures
/// means nothing.
pub(crate) fn run(args: &LoadArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let seen = runtime.block_on(async {
        let started = now();
        let mut connections = JoinSet::new();
        let keys = Arc::new(args.keys()?);
        for number in 0..args.connections {
            connections.spawn(Connection::work(number, args.clone(), keys.clone()));
        }
        let mut samples = Samples::default();
        while let Some(result) = connections.join_next().await {
            samples.append(result.context("a connection panicked")??);
        }
        anyhow::Ok(samples.summary(started.elapsed()))
    })?;
    println!("{}", serde_json::to_string(&seen)?);
    Ok(())
}

/// Times in nanoseconds.
#[derive(Default)]
struct Samples {
    latency: Vec<i64>,
    first_event: Vec<i64>,
    first_content: Vec<i64>,
    token_delay: Vec<i64>,
    gap_change: Vec<i64>,
}

impl Samples {
    fn append(&mut self, mut other: Self) {
        self.latency.append(&mut other.latency);
        self.first_event.append(&mut other.first_event);
        self.first_content.append(&mut other.first_content);
        self.token_delay.append(&mut other.token_delay);
        self.gap_change.append(&mut other.gap_change);
    }

    fn summary(self, took: Duration) -> Seen {
        Seen {
            requests: self.latency.len(),
            seconds: took.as_secs_f64(),
            latency: Percentiles::of(self.latency),
            first_event: Percentiles::of(self.first_event),
            first_content: Percentiles::of(self.first_content),
            token_delay: Percentiles::of(self.token_delay),
            gap_change: Percentiles::of(self.gap_change),
        }
    }
}

struct Connection {
    stream: TcpStream,
    answers: Answers,
    received: Vec<u8>,
    samples: Samples,
}

impl Connection {
    /// `number`: which of the connections it is, from 0.
    async fn work(number: usize, args: LoadArgs, keys: Arc<Vec<String>>) -> anyhow::Result<Samples> {
        let host = host_of(&args.url)?;
        let stream = TcpStream::connect(host).await.with_context(|| format!("cannot connect to {host}"))?;
        stream.set_nodelay(true)?;
        // No other run of the generator asks the same.
        let run = unix_nanos();
        let ask = |key: &str, machine: &str| {
            let body = json!({
                "model": args.model,
                "messages": [
                    { "role": "system", "content": "You answer questions about appliances, shortly." },
                    { "role": "user", "content": format!("How long does the warranty of the {machine} last, and does it cover the battery?") },
                ],
                "stream": args.answers != Answers::Whole,
            });
            request("/v1/chat/completions", host, key, &body.to_string())
        };
        // Written once, so that the generator costs little.
        let same: Vec<Vec<u8>> =
            keys.iter().filter(|_| !args.vary).map(|key| ask(key, "washing machine")).collect();
        let mut connection = Self {
            stream,
            answers: args.answers,
            received: Vec::with_capacity(64 * 1024),
            samples: Samples::default(),
        };
        let started = now();
        let length = Duration::from_secs_f64(args.seconds);
        let mut next = Duration::ZERO;
        // Connections begin at different keys, so that all of them are used.
        let mut turn = number * keys.len() / args.connections.max(1);
        while started.elapsed() < length {
            let at = turn % keys.len();
            if args.vary {
                let machine = format!("washing machine {run}-{number}-{turn}");
                connection.ask(&ask(&keys[at], &machine)).await?;
            } else {
                connection.ask(&same[at]).await?;
            }
            turn += 1;
            if let Some(rate) = args.rate {
                next += Duration::from_secs_f64(1.0 / rate);
                tokio::time::sleep(next.saturating_sub(started.elapsed())).await;
            }
        }
        Ok(connection.samples)
    }

    async fn ask(&mut self, request: &[u8]) -> anyhow::Result<()> {
        let sent = now();
        self.stream.write_all(request).await?;
        self.received.clear();
        let head = loop {
            self.read().await?;
            if let Some(head) = read_head(&self.received)? {
                break head;
            }
        };
        if head.status != 200 {
            self.read_to_the_end(head).await?;
            bail!("status {}: {}", head.status, String::from_utf8_lossy(&self.received));
        }
        match self.answers {
            Answers::Whole => {
                self.read_to_the_end(head).await?;
                if memmem::find(&self.received[head.length..], b"\"finish_reason\":\"stop\"").is_none() {
                    bail!("an answer without an end: {}", String::from_utf8_lossy(&self.received));
                }
            }
            Answers::Streams => self.skim(head, sent).await?,
            Answers::Tokens => self.read_tokens(head, sent).await?,
        }
        self.samples.latency.push(nanos_since(sent));
        Ok(())
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.received).await? == 0 {
            bail!("the server closed the connection: {}", String::from_utf8_lossy(&self.received));
        }
        Ok(())
    }

    async fn read_to_the_end(&mut self, head: Head) -> anyhow::Result<()> {
        let ended = |received: &[u8]| match head.body {
            BodyEnd::Length(length) => received.len() >= head.length + length,
            BodyEnd::Chunked => received.ends_with(b"0\r\n\r\n"),
        };
        while !ended(&self.received) {
            self.read().await?;
        }
        Ok(())
    }

    /// Waits for the first content and the end of a stream, and looks at nothing else.
    async fn skim(&mut self, head: Head, sent: std::time::Instant) -> anyhow::Result<()> {
        let mut has_content = false;
        loop {
            if !has_content && memmem::find(&self.received[head.length..], b"\"content\":\"word0").is_some() {
                has_content = true;
                self.samples.first_content.push(nanos_since(sent));
            }
            if self.received.ends_with(b"0\r\n\r\n") {
                break;
            }
            self.read().await?;
        }
        let last_token = format!("\"content\":\"word{} ", TOKENS - 1);
        let is_whole = has_content
            && memmem::find(&self.received, last_token.as_bytes()).is_some()
            && memmem::find(&self.received, b"data: [DONE]").is_some();
        if !is_whole {
            bail!("a stream that is not whole: {}", String::from_utf8_lossy(&self.received));
        }
        Ok(())
    }

    /// Reads a stream token by token. Every token of the upstream says when it was sent.
    async fn read_tokens(&mut self, head: Head, sent: std::time::Instant) -> anyhow::Result<()> {
        let mut chunks = ChunkDecoder::default();
        let mut content = Vec::new();
        let mut fresh = self.received.split_off(head.length);
        let (mut tokens, mut has_event, mut searched) = (0, false, 0);
        let mut previous: Option<(i64, i64)> = None;
        loop {
            let arrived = unix_nanos();
            let ended = chunks.decode(&fresh, &mut content)?;
            if !has_event && memmem::find(&content, b"data: {").is_some() {
                has_event = true;
                self.samples.first_event.push(nanos_since(sent));
            }
            while let Some((sent_at, end)) = next_token(&content, searched)? {
                searched = end;
                if tokens == 0 {
                    self.samples.first_content.push(nanos_since(sent));
                }
                tokens += 1;
                self.samples.token_delay.push(arrived - sent_at);
                if let Some((previous_sent, previous_arrived)) = previous {
                    self.samples
                        .gap_change
                        .push(((arrived - previous_arrived) - (sent_at - previous_sent)).abs());
                }
                previous = Some((sent_at, arrived));
            }
            if ended {
                break;
            }
            self.received.clear();
            self.read().await?;
            fresh = std::mem::take(&mut self.received);
        }
        if tokens != TOKENS || memmem::find(&content, b"data: [DONE]").is_none() {
            bail!("a stream of {tokens} tokens that is not whole: {}", String::from_utf8_lossy(&content));
        }
        Ok(())
    }
}

/// The next token after position `from`: when it was sent, and where it ends.
fn next_token(content: &[u8], from: usize) -> anyhow::Result<Option<(i64, usize)>> {
    let Some(start) = memmem::find(&content[from..], SENT_AT.as_bytes()) else { return Ok(None) };
    let start = from + start + SENT_AT.len();
    let Some(length) = content[start..].iter().position(|byte| !byte.is_ascii_digit()) else {
        return Ok(None);
    };
    let digits = std::str::from_utf8(&content[start..start + length]).context("a time that is not text")?;
    Ok(Some((digits.parse().context("a time that is no number")?, start + length)))
}

fn nanos_since(start: std::time::Instant) -> i64 {
    i64::try_from(start.elapsed().as_nanos()).unwrap_or(i64::MAX)
}
