//! The HTTP client under every provider: pooled connections, time limits per phase, bounded bodies, no redirects, and
//! cancellation by dropping.

mod body;
mod connect;
mod error;
mod outbound;
mod pool;
mod retry_after;
mod timer;

use std::future::Future as _;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use mainstay_domain::{Clock, Deadline, TimeoutPhase};
use tokio_util::task::TaskTracker;

use body::Outgoing;
use connect::TimedDial;
use pool::{Lease, Pool};
use timer::PhaseTimer;

pub use body::AnswerBody;
pub use connect::{Connector, Dial, Dialling, Link, Network, connector};
pub use error::TransportError;
pub use outbound::{NoHost, Outbound};
pub use retry_after::retry_after;
pub use timer::Timeouts;

/// A client with its own pool of connections; one per provider, so that one that is slow takes nothing from the others.
#[derive(Clone)]
pub struct HttpClient {
    pool: Arc<Pool>,
    timeouts: Timeouts,
    clock: Clock,
    /// Work that nobody waits for: the ends of answers, and HTTP/2 connections. None of it holds a result, and each ends
    /// with its connection.
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
    /// A client that opens its connections by `dial`.
    pub fn new(dial: Arc<dyn Dial>, timeouts: Timeouts, clock: Clock) -> Self {
        let tasks = TaskTracker::new();
        let dial = TimedDial { dial, clock, limit: timeouts.connect };
        let pool = Arc::new(Pool::new(dial, clock, tasks.clone()));
        Self { pool, timeouts, clock, tasks }
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
        self.send(Method::POST, endpoint, body, expected, deadline).await
    }

    /// Sends a GET and reads the whole answer, at most `limit` bytes of it. No redirect is followed.
    pub async fn get(
        &self,
        endpoint: &Endpoint,
        limit: usize,
        deadline: Deadline,
    ) -> Result<(StatusCode, Bytes), TransportError> {
        let answer = self.send(Method::GET, endpoint, Bytes::new(), Expected::Whole, deadline).await?;
        Ok((answer.status, answer.body.read_to_end(limit, self.timeouts.idle).await?))
    }

    async fn send(
        &self,
        method: Method,
        endpoint: &Endpoint,
        body: Bytes,
        expected: Expected,
        deadline: Deadline,
    ) -> Result<Answer, TransportError> {
        let (outgoing, taken) = Outgoing::new(body, self.clock);
        let mut request = Request::new(outgoing);
        *request.method_mut() = method;
        *request.uri_mut() = endpoint.uri.clone();
        *request.headers_mut() = endpoint.headers.clone();

        let limit = match expected {
            Expected::Whole => None,
            Expected::Streamed => Some(self.timeouts.headers),
        };
        let deadline = deadline.within(&self.clock, self.timeouts.total);
        let mut timer = PhaseTimer::start(self.clock, deadline, TimeoutPhase::Headers, limit);
        let mut exchange = std::pin::pin!(self.pool.exchange(request));
        let (response, lane) = std::future::poll_fn(|cx| {
            if let Poll::Ready(result) = exchange.as_mut().poll(cx) {
                return Poll::Ready(result.map_err(TransportError::of_exchange));
            }
            timer.poll_since(cx, || taken.get().copied()).map(|phase| Err(TransportError::TimedOut(phase)))
        })
        .await?;
        let (head, incoming) = response.into_parts();
        let lease = lane.map(|lane| Lease::new(self.pool.clone(), lane));
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: AnswerBody::new(incoming, lease, timer, self.tasks.clone()),
        })
    }
}
