//! A server that speaks the APIs of OpenAI, Anthropic, Gemini and of rerankers as strictly as the real ones, answers the
//! same question always the same way, and fails in every way that is asked for.
//!
//! | path | what |
//! |---|---|
//! | `/openai/v1/…` | OpenAI: chat completions, embeddings, models |
//! | `/compatible/v1/…` | the same, from a server that wants no key and takes any field; it also reranks, as vLLM does |
//! | `/anthropic/v1/…` | Anthropic: messages, count_tokens, models |
//! | `/gemini/v1beta/…` | Gemini: generateContent, streamGenerateContent, batchEmbedContents, models |
//! | `/cohere/v2/rerank`, `/jina/v1/rerank`, `/tei/rerank` | Cohere, Jina and text-embeddings-inference: reranking |
//! | `POST /control` | `{"faults": ["429:2", "cut"], "pause_ms": 5}`: faults of the next requests, one each, and the pause between pieces from now on |
//! | `DELETE /control` | no faults, no pause |
//! | `GET /control/requests` | what was received; `?cancelled=1` waits until one was cancelled, also with `count`, `finished`, `broken` |
//! | `DELETE /control/requests` | forgets what was received |
//!
//! A fault (see [`Fault`]) is also had by the header `x-stand-in: cut` or the model `fault-cut`. The key `wrong` is
//! refused, any other taken. What is answered is described at the function `reply`.

mod answer;
mod anthropic;
mod api;
mod connection;
mod control;
mod embedding;
mod fault;
mod gemini;
mod openai;
mod prompt;
mod record;
mod rerank;
mod respond;
mod script;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use connection::Connection;

pub use embedding::embedding;
pub use fault::{Fault, UnknownFault};
pub use record::{Counts, Outcome, Record, Records};
pub use rerank::relevance;

/// A stand-in. Dropping it closes its connections.
pub struct StandIn {
    shared: Arc<Shared>,
    tasks: Mutex<JoinSet<()>>,
}

/// What all connections share.
struct Shared {
    records: Arc<Records>,
    script: Mutex<NextAnswers>,
}

/// What was asked for by `/control`.
#[derive(Debug, Default)]
struct NextAnswers {
    faults: VecDeque<Fault>,
    pause: Duration,
}

impl StandIn {
    /// A stand-in that nobody can reach yet.
    pub fn new() -> Self {
        let shared = Shared { records: Arc::new(Records::new()), script: Mutex::default() };
        Self { shared: Arc::new(shared), tasks: Mutex::default() }
    }

    /// Lets it be reached over TCP; returns the address, which is where `address` says unless its port is 0.
    pub async fn listen(&self, address: SocketAddr) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        self.tasks().spawn(accept(listener, self.shared.clone()));
        Ok(address)
    }

    /// Opens one connection within the process, for tests under paused time: returns the client's end.
    pub fn pipe(&self) -> DuplexStream {
        let (client, server) = tokio::io::duplex(64 << 10);
        let shared = self.shared.clone();
        self.tasks().spawn(serve(server, shared, Arc::new(AtomicBool::new(false))));
        client
    }

    /// What it was asked.
    pub fn records(&self) -> &Records {
        &self.shared.records
    }

    /// Lets the next requests fail, one each.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.script().faults.extend(faults);
    }

    /// Waits so long before each piece of a stream.
    pub fn set_pause(&self, pause: Duration) {
        self.shared.script().pause = pause;
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for StandIn {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared {
    fn script(&self) -> std::sync::MutexGuard<'_, NextAnswers> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    // A failure to accept (no file handles, say) concerns one client; the others are still served.
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let reset = Arc::new(AtomicBool::new(false));
            // A failure only costs time: 40 ms per small write.
            let _ = stream.set_nodelay(true);
            connections.spawn(serve(Connection { stream, reset: reset.clone() }, shared.clone(), reset));
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    shared: Arc<Shared>,
    reset: Arc<AtomicBool>,
) {
    let service = service_fn(move |request| respond::respond(shared.clone(), request, reset.clone()));
    let builder = Builder::new(TokioExecutor::new());
    // It ends with an error whenever a fault breaks it off or a client goes away; both are in the records.
    let _ = builder.serve_connection(TokioIo::new(io), service).await;
}
