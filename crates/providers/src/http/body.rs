//! The bytes of a request and of an answer.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use mainstay_domain::{Clock, TimeoutPhase};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::error::TransportError;
use super::pool::Lease;
use super::timer::PhaseTimer;

/// The body of a request. It notes when its last byte was taken, because the wait for the headers begins there and not
/// at a connection that has yet to be made or a picture that has yet to be sent.
pub(super) struct Outgoing {
    rest: Bytes,
    clock: Clock,
    taken: Arc<OnceLock<Instant>>,
}

impl Outgoing {
    /// What is handed over at once: a slow upload is seen in pieces of this size.
    const PIECE: usize = 64 << 10;

    pub(super) fn new(bytes: Bytes, clock: Clock) -> (Self, Arc<OnceLock<Instant>>) {
        let taken = Arc::new(OnceLock::new());
        (Self { rest: bytes, clock, taken: taken.clone() }, taken)
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let piece = if self.rest.len() > Self::PIECE {
            self.rest.split_to(Self::PIECE)
        } else {
            self.taken.get_or_init(|| self.clock.instant());
            std::mem::take(&mut self.rest)
        };
        Poll::Ready((!piece.is_empty()).then(|| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.taken.get().is_some()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

/// The body of an answer, under the time limits of its call. Dropping it before its end closes the connection, or the
/// stream of an HTTP/2 connection, so that the provider stops working.
pub struct AnswerBody {
    incoming: Incoming,
    /// The HTTP/1.1 connection that it comes on, until its end.
    lease: Option<Lease>,
    timer: PhaseTimer,
    tasks: TaskTracker,
}

impl AnswerBody {
    /// How long a finished stream may take to end its HTTP body, so that its connection can be used again.
    const TAIL_TIME: Duration = Duration::from_secs(1);

    pub(super) fn new(
        incoming: Incoming,
        lease: Option<Lease>,
        timer: PhaseTimer,
        tasks: TaskTracker,
    ) -> Self {
        Self { incoming, lease, timer, tasks }
    }

    /// The next bytes; `None` at the end.
    pub fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, TransportError>>> {
        loop {
            let Poll::Ready(frame) = self.poll_frame(cx) else {
                let phase = ready!(self.timer.poll(cx));
                return Poll::Ready(Some(Err(TransportError::TimedOut(phase))));
            };
            match frame {
                None => {
                    self.end();
                    return Poll::Ready(None);
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data()
                        && !bytes.is_empty()
                    {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
            }
        }
    }

    /// The next frame: one that is there already, or that comes when the connection moves.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let incoming = Pin::new(&mut self.incoming);
        match (incoming.poll_frame(cx), &mut self.lease) {
            (Poll::Pending, Some(lease)) => {
                lease.drive(cx);
                Pin::new(&mut self.incoming).poll_frame(cx)
            }
            (frame, _) => frame,
        }
    }

    /// The connection is free again.
    fn end(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.end();
        }
    }

    /// Puts the wait for the next bytes under the limit of another phase.
    pub fn enter(&mut self, phase: TimeoutPhase, limit: Duration) {
        self.timer.enter(phase, limit);
    }

    /// Lets the limit of the phase start anew.
    pub fn progress(&mut self) {
        self.timer.progress();
    }

    /// Everything to the end, at most `limit` bytes, with at most `idle` between two pieces.
    pub async fn read_to_end(mut self, limit: usize, idle: Duration) -> Result<Bytes, TransportError> {
        self.enter(TimeoutPhase::Idle, idle);
        let Some(first) = self.next_bytes().await else { return Ok(Bytes::new()) };
        let first = first?;
        if first.len() > limit {
            return Err(TransportError::TooLarge(limit));
        }
        // Most answers arrive in one piece, which then need not be copied.
        if self.incoming.is_end_stream() {
            self.end();
            return Ok(first);
        }
        let expected = self.incoming.size_hint().lower().min(limit as u64) as usize;
        let mut all = BytesMut::with_capacity((first.len() + expected).min(limit));
        all.extend_from_slice(&first);
        while let Some(bytes) = self.next_bytes().await {
            let bytes = bytes?;
            if all.len() + bytes.len() > limit {
                return Err(TransportError::TooLarge(limit));
            }
            all.extend_from_slice(&bytes);
            self.progress();
        }
        Ok(all.freeze())
    }

    /// The first `limit` bytes at most, and what came of them where the connection breaks: for the text of an error,
    /// of which a part is better than nothing.
    pub async fn read_beginning(mut self, limit: usize, idle: Duration) -> Bytes {
        self.enter(TimeoutPhase::Idle, idle);
        let mut beginning = BytesMut::new();
        while beginning.len() < limit
            && let Some(Ok(bytes)) = self.next_bytes().await
        {
            let room = limit - beginning.len();
            beginning.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        beginning.freeze()
    }

    /// For an answer that is complete although its body has not ended: reads the end, without anybody waiting for it,
    /// because an HTTP/1.1 connection is used again only after it.
    pub fn discard_end(mut self) {
        if self.incoming.is_end_stream() {
            return self.end();
        }
        let mut once = Context::from_waker(std::task::Waker::noop());
        if let Poll::Ready(None) = self.poll_bytes(&mut once) {
            return;
        }
        self.timer.enter(TimeoutPhase::Idle, Self::TAIL_TIME);
        let tasks = self.tasks.clone();
        tasks.spawn(async move { while let Some(Ok(_)) = self.next_bytes().await {} });
    }

    async fn next_bytes(&mut self) -> Option<Result<Bytes, TransportError>> {
        std::future::poll_fn(|cx| self.poll_bytes(cx)).await
    }
}
