//! The connections of a provider. An exchange takes one that is free, or opens one.
//!
//! An HTTP/1.1 connection belongs to one exchange at a time, and whoever waits for the answer moves the connection's
//! bytes. A task per connection would cost two changes of task, and often of thread, for every piece of an answer. An
//! HTTP/2 connection is shared by many exchanges and has a task.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::header::HOST;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::TokioTimer;
use mainstay_domain::Clock;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::body::Outgoing;
use super::connect::{DialError, Link, TimedDial};

/// The connections of a provider.
pub(super) struct Pool {
    dial: TimedDial,
    clock: Clock,
    /// The tasks of HTTP/2 connections. They hold no result: each ends with its connection, and that with the pool and
    /// the answers that are still being read.
    tasks: TaskTracker,
    free: Mutex<Free>,
}

/// Connections that can be taken.
#[derive(Default)]
struct Free {
    /// HTTP/1.1, the one that was used last at the end.
    idle: Vec<Idle>,
    /// HTTP/2, one for each server: these stay here while they are used.
    shared: Vec<Shared>,
    /// How many of those were opened.
    opened: u64,
}

struct Idle {
    lane: Lane,
    since: Instant,
}

#[derive(Clone)]
struct Shared {
    /// Tells it from others to the same server.
    id: u64,
    origin: Origin,
    sender: http2::SendRequest<Outgoing>,
}

/// Whom a connection leads to. Credentials go with a request, so none may take the connection to another server.
#[derive(Clone, PartialEq, Eq)]
struct Origin {
    scheme: Option<Scheme>,
    authority: Option<Authority>,
}

/// An HTTP/1.1 connection, moved by whoever has it. Dropping it closes it.
pub(super) struct Lane {
    origin: Origin,
    sender: http1::SendRequest<Outgoing>,
    connection: Box<http1::Connection<Link, Outgoing>>,
    /// Whether the connection has ended; it must not be polled then.
    ended: bool,
}

/// Why an exchange brought no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeError {
    /// There is no connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The two sides did not agree on HTTP/2.
    #[error("the server does not speak HTTP/2 as it said")]
    Handshake(#[source] hyper::Error),
    /// The connection broke, or brought something else than HTTP.
    #[error(transparent)]
    Http(hyper::Error),
}

impl Pool {
    /// A connection that nobody uses is not used again after this time: servers and the boxes between close them.
    const LONGEST_IDLE: Duration = Duration::from_secs(60);
    /// HTTP/1.1 connections that are kept for the next request.
    const MOST_IDLE: usize = 256;
    /// An HTTP/2 connection on which nothing moves is asked whether it still lives, so often.
    const HTTP2_PING: Duration = Duration::from_secs(20);

    pub(super) fn new(dial: TimedDial, clock: Clock, tasks: TaskTracker) -> Self {
        Self { dial, clock, tasks, free: Mutex::default() }
    }

    /// Sends a request and waits for the head of the answer. An HTTP/1.1 connection comes with it, to be moved until the
    /// body has ended. Dropping the future cancels the exchange.
    pub(super) async fn exchange(
        &self,
        mut request: Request<Outgoing>,
    ) -> Result<(Response<Incoming>, Option<Lane>), ExchangeError> {
        let target = request.uri().clone();
        let origin = Origin::of(&target);
        loop {
            // A connection that was used before may be closed by the server at any moment. What could not be sent on it
            // comes back, and goes to the next.
            let (mut failed, reused) = if let Some(mut lane) = self.take_idle(&origin) {
                match lane.exchange(request, &target).await {
                    Ok(response) => return Ok((response, Some(lane))),
                    Err(failed) => (failed, true),
                }
            } else if let Some(mut shared) = self.shared(&origin) {
                match shared.sender.try_send_request(for_http2(request, &target)).await {
                    Ok(response) => return Ok((response, None)),
                    Err(failed) => {
                        // The server may have said that it takes no more on this one, and answers the rest first.
                        self.free().shared.retain(|one| one.id != shared.id);
                        (failed, true)
                    }
                }
            } else {
                let link = self.dial.dial(target.clone()).await?;
                if link.is_http2() {
                    let mut sender = self.open_shared(link, &origin).await?;
                    match sender.try_send_request(for_http2(request, &target)).await {
                        Ok(response) => return Ok((response, None)),
                        Err(failed) => (failed, false),
                    }
                } else {
                    let mut lane = Lane::open(link, origin.clone()).await?;
                    match lane.exchange(request, &target).await {
                        Ok(response) => return Ok((response, Some(lane))),
                        Err(failed) => (failed, false),
                    }
                }
            };
            match failed.take_message() {
                Some(unsent) if reused => request = unsent,
                _ => return Err(ExchangeError::Http(failed.into_error())),
            }
        }
    }

    /// Keeps a connection whose answer was read to its end for the next request.
    pub(super) fn give_back(&self, mut lane: Lane) {
        if !lane.is_free() {
            return;
        }
        let since = self.clock.instant();
        let mut free = self.free();
        free.forget_old(since);
        if free.idle.len() < Self::MOST_IDLE {
            free.idle.push(Idle { lane, since });
        }
    }

    fn take_idle(&self, origin: &Origin) -> Option<Lane> {
        let now = self.clock.instant();
        loop {
            let mut idle = {
                let mut free = self.free();
                free.forget_old(now);
                let position = free.idle.iter().rposition(|idle| idle.lane.origin == *origin)?;
                free.idle.remove(position)
            };
            if idle.lane.is_free() {
                return Some(idle.lane);
            }
        }
    }

    fn shared(&self, origin: &Origin) -> Option<Shared> {
        let mut free = self.free();
        free.shared.retain(|shared| !shared.sender.is_closed());
        free.shared.iter().find(|shared| shared.origin == *origin).cloned()
    }

    async fn open_shared(
        &self,
        link: Link,
        origin: &Origin,
    ) -> Result<http2::SendRequest<Outgoing>, ExchangeError> {
        let (sender, connection) = http2::Builder::new(Tracked(self.tasks.clone()))
            .timer(TokioTimer::new())
            .keep_alive_interval(Self::HTTP2_PING)
            .handshake(link)
            .await
            .map_err(ExchangeError::Handshake)?;
        self.tasks.spawn(async move {
            // Those who wait for answers on it are told.
            drop(connection.await);
        });
        let mut free = self.free();
        free.opened += 1;
        // Of several that were opened at once the first is kept; the others close with their exchange.
        if !free.shared.iter().any(|shared| shared.origin == *origin) {
            let id = free.opened;
            free.shared.push(Shared { id, origin: origin.clone(), sender: sender.clone() });
        }
        Ok(sender)
    }

    fn free(&self) -> MutexGuard<'_, Free> {
        // Lists that are changed in one step each: a panic elsewhere leaves them whole.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Free {
    /// Closes what nobody has used for long. The oldest stand at the beginning.
    fn forget_old(&mut self, now: Instant) {
        let old = self.idle.partition_point(|idle| now.duration_since(idle.since) > Pool::LONGEST_IDLE);
        self.idle.drain(..old);
    }
}

impl Lane {
    async fn open(link: Link, origin: Origin) -> Result<Self, ExchangeError> {
        let (sender, connection) = http1::handshake(link).await.map_err(ExchangeError::Http)?;
        Ok(Self { origin, sender, connection: Box::new(connection), ended: false })
    }

    /// Sends a request and waits for the head of the answer.
    async fn exchange(
        &mut self,
        request: Request<Outgoing>,
        target: &Uri,
    ) -> Result<Response<Incoming>, TrySendError<Request<Outgoing>>> {
        let mut response = std::pin::pin!(self.sender.try_send_request(for_http1(request, target)));
        let (connection, ended) = (&mut self.connection, &mut self.ended);
        std::future::poll_fn(|cx| {
            if let Poll::Ready(response) = response.as_mut().poll(cx) {
                return Poll::Ready(response);
            }
            drive(connection, ended, cx);
            response.as_mut().poll(cx)
        })
        .await
    }

    /// Moves bytes. What they bring is for the body of the answer to show.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        drive(&mut self.connection, &mut self.ended, cx);
    }

    /// Whether the next request can be sent: the last answer has been read, and the server has not closed.
    fn is_free(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        !self.ended && self.sender.is_ready()
    }
}

fn drive(connection: &mut http1::Connection<Link, Outgoing>, ended: &mut bool, cx: &mut Context<'_>) {
    // An error is told to whoever waits for the answer, or for the rest of its body.
    if !*ended && Pin::new(connection).poll(cx).is_ready() {
        *ended = true;
    }
}

impl Origin {
    fn of(uri: &Uri) -> Self {
        Self { scheme: uri.scheme().cloned(), authority: uri.authority().cloned() }
    }
}

/// The path alone in the first line, and the host as a header.
fn for_http1(mut request: Request<Outgoing>, target: &Uri) -> Request<Outgoing> {
    let path = target.path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
    if let Some(host) = host_of(target) {
        request.headers_mut().insert(HOST, host);
    }
    request
}

/// The whole URL, and no host header.
fn for_http2(mut request: Request<Outgoing>, target: &Uri) -> Request<Outgoing> {
    request.uri_mut().clone_from(target);
    request.headers_mut().remove(HOST);
    request
}

/// The host, with its port unless it is the usual one of the scheme.
fn host_of(target: &Uri) -> Option<HeaderValue> {
    let host = target.host()?;
    let usual = if target.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    match target.port_u16().filter(|port| *port != usual) {
        Some(port) => HeaderValue::from_str(&format!("{host}:{port}")).ok(),
        None => HeaderValue::from_str(host).ok(),
    }
}

/// Runs hyper's tasks where they can be counted.
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

/// An HTTP/1.1 connection that is lent to an answer, and goes back to its pool when the answer was read to its end.
pub(super) struct Lease {
    pool: Arc<Pool>,
    lane: Lane,
}

impl Lease {
    pub(super) fn new(pool: Arc<Pool>, lane: Lane) -> Self {
        Self { pool, lane }
    }

    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        self.lane.drive(cx);
    }

    /// The answer was read to its end.
    pub(super) fn end(self) {
        self.pool.give_back(self.lane);
    }
}
