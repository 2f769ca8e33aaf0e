//! A server that speaks the APIs of OpenAI, Anthropic, Gemini and of rerankers as strictly as the real ones, answers the
//! same question always the same way, and fails in every way that is asked for: for the tests of those who build on such
//! an API, as for our own.
//!
//! | path | what |
//! |---|---|
//! | `/openai/v1/…` | OpenAI: chat completions, embeddings, models |
//! | `/compatible/v1/…` | the same, from a server that wants no key and takes any field; it also reranks, as vLLM does |
//! | `/anthropic/v1/…` | Anthropic: messages, count_tokens, models |
//! | `/gemini/v1beta/…` | Gemini: generateContent, streamGenerateContent, batchEmbedContents, models |
//! | `/cohere/v2/rerank`, `/jina/v1/rerank`, `/tei/rerank` | Cohere, Jina and text-embeddings-inference: reranking |
//! | `POST /control` | `{"faults": ["429:2", "cut"]}`: faults of the next requests, one each; further fields are at `control.rs` |
//! | `GET /control` | what is set |
//! | `DELETE /control` | as it was started |
//! | `GET /control/faults` | every fault, with what it does |
//! | `GET /control/requests` | what was received; `?cancelled=1` waits until one was cancelled, also with `count`, `finished`, `broken` |
//! | `DELETE /control/requests` | forgets what was received |
//!
//! A fault (see [`Fault`]) is also had by the header `x-fault: cut` or the model `fault-cut`; a model `slow-…` is ten times as
//! slow as the others. The key `wrong` is refused, any other taken. What is answered is described at the function `reply`.
//!
//! Nothing here uses `mainstay-wire`: the formats are written a second time, from the providers' own documentation, so
//! that a mistake in one is not hidden by the same mistake in the other.

mod answer;
mod anthropic;
mod api;
mod catalogue;
mod chance;
mod connection;
mod control;
mod embedding;
mod fault;
mod gemini;
mod network;
mod openai;
mod prompt;
mod record;
mod rerank;
mod respond;
mod retry_after;
mod script;
mod settings;
mod steps;
mod timing;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use mainstay_domain::Clock;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use connection::Connection;
use settings::Current;

pub use catalogue::{Applies, Description, FAULTS};
pub use embedding::embedding;
pub use fault::{Fault, UnknownFault};
pub use record::{Counts, Outcome, Record, Records};
pub use rerank::relevance;
pub use retry_after::RetryAfter;
pub use settings::Settings;
pub use timing::Timing;

/// A stand-in for model providers. Dropping it closes its connections.
pub struct StandIn {
    shared: Arc<Shared>,
    tasks: Mutex<JoinSet<()>>,
}

/// What all connections share.
struct Shared {
    records: Arc<Records>,
    /// As it was started.
    settings: Settings,
    current: Mutex<Current>,
    clock: Clock,
}

impl StandIn {
    /// A stand-in without faults that nobody can reach yet.
    pub fn new() -> Self {
        Self::with(Settings::default())
    }

    /// A stand-in with these settings that nobody can reach yet.
    pub fn with(settings: Settings) -> Self {
        let shared = Shared {
            records: Arc::new(Records::new()),
            current: Mutex::new(Current::new(&settings)),
            settings,
            clock: Clock::system(),
        };
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
        self.shared.current().next.extend(faults);
    }

    /// Waits so long before each piece of a stream.
    pub fn set_pause(&self, pause: Duration) {
        self.shared.current().pause = pause;
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for StandIn {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared {
    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let reset = Arc::new(AtomicBool::new(false));
                // A failure only costs time: 40 ms per small write.
                let _ = stream.set_nodelay(true);
                connections.spawn(serve(Connection { stream, reset: reset.clone() }, shared.clone(), reset));
            }
            // No file handles, say: the others are still served, and their end makes room.
            Err(_) => shared.clock.sleep(Duration::from_millis(20)).await,
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
