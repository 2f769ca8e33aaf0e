//! The HTTP client under every provider: pooled connections, time limits per phase, bounded bodies, no redirects, and
//! cancellation by dropping.

mod body;
mod connect;
mod error;
mod retry_after;
mod timer;

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioTimer;
use mainstay_domain::{Clock, Deadline, TimeoutPhase};
use tokio_util::task::TaskTracker;

use body::Outgoing;
use connect::TimedDial;
use timer::PhaseTimer;

pub use body::AnswerBody;
pub use connect::{Dial, Dialling, Link, Network};
pub use error::TransportError;
pub use retry_after::retry_after;
pub use timer::Timeouts;

/// A client with its own pool of connections; one per provider, so that one that is slow takes nothing from the others.
#[derive(Clone)]
pub struct HttpClient {
    client: Client<TimedDial, Outgoing>,
    timeouts: Timeouts,
    clock: Clock,
    /// The tasks that move the bytes of open connections. They hold no result: each ends with its connection, and the
    /// connections end with the client and the answers that are still being read.
    tasks: TaskTracker,
}

/// Where a request goes, with everything that is the same for each.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The absolute URL.
    pub uri: Uri,
    /// The headers, credentials included.
    pub headers: HeaderMap,
}

/// How an answer is delivered, which decides what the wait for its headers means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    /// In one piece: the headers come when it is finished.
    Whole,
    /// In pieces: the headers come first.
    Streamed,
}

/// An answer whose status is known.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The bytes.
    pub body: AnswerBody,
}

impl HttpClient {
    /// A connection that nobody uses is closed after this time.
    const POOL_IDLE: Duration = Duration::from_secs(60);
    /// Connections that are kept for the next request.
    const POOL_SIZE: usize = 256;
    /// An HTTP/2 connection on which nothing moves is asked whether it still lives, so often.
    const HTTP2_PING: Duration = Duration::from_secs(20);

    /// A client that opens its connections by `dial`.
    pub fn new(dial: Arc<dyn Dial>, timeouts: Timeouts, clock: Clock) -> Self {
        let tasks = TaskTracker::new();
        let client = Client::builder(Tracked(tasks.clone()))
            .pool_idle_timeout(Self::POOL_IDLE)
            .pool_max_idle_per_host(Self::POOL_SIZE)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .http2_keep_alive_interval(Self::HTTP2_PING)
            .build(TimedDial { dial, clock, limit: timeouts.connect });
        Self { client, timeouts, clock, tasks }
    }

    /// The limits.
    pub fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// The source of time.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Sends a POST and waits for the status. Dropping the future closes the connection.
    pub async fn post(
        &self,
        endpoint: &Endpoint,
        body: Bytes,
        expected: Expected,
        deadline: Deadline,
    ) -> Result<Answer, TransportError> {
        let (outgoing, taken) = Outgoing::new(body, self.clock);
        let mut request = Request::new(outgoing);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = endpoint.uri.clone();
        *request.headers_mut() = endpoint.headers.clone();

        let limit = match expected {
            Expected::Whole => None,
            Expected::Streamed => Some(self.timeouts.headers),
        };
        let deadline = deadline.within(&self.clock, self.timeouts.total);
        let mut timer = PhaseTimer::start(self.clock, deadline, TimeoutPhase::Headers, limit);
        let mut exchange = self.client.request(request);
        let response = std::future::poll_fn(|cx| {
            if let Poll::Ready(result) = Pin::new(&mut exchange).poll(cx) {
                return Poll::Ready(result.map_err(TransportError::of_exchange));
            }
            timer.poll_since(cx, || taken.get().copied()).map(|phase| Err(TransportError::TimedOut(phase)))
        })
        .await?;
        let (head, incoming) = response.into_parts();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: AnswerBody::new(incoming, timer, self.tasks.clone()),
        })
    }
}

/// Runs the client's tasks where they can be counted.
#[derive(Clone)]
struct Tracked(TaskTracker);

impl<F> hyper::rt::Executor<F> for Tracked
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}
