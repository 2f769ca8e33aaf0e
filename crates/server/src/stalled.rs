//! Readers that stop reading. A body is polled only while its reader has room; what it holds (a place among those that are
//! answered, a reservation, the question that others wait for) would be held as long as the connection lives. So a body that
//! nobody has polled for a while is dropped.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use mainstay_domain::Clock;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The streams that are being read.
pub struct Readers {
    patience: Duration,
    clock: Clock,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    bodies: HashMap<u64, Weak<Mutex<dyn Stalls>>>,
}

/// What can be dropped from outside when nobody polls it.
trait Stalls: Send {
    /// Drops what it holds if it was last polled before. Returns whether it did.
    fn drop_unless_polled_since(&mut self, moment: Instant) -> bool;
}

struct Polled<B> {
    /// Taken when nobody reads it.
    body: Option<B>,
    last: Instant,
}

impl<B: Send> Stalls for Polled<B> {
    fn drop_unless_polled_since(&mut self, moment: Instant) -> bool {
        self.last < moment && self.body.take().is_some()
    }
}

/// A body that is dropped when its reader stops. It ends in an error then, which breaks the connection: nothing that was
/// dropped looks finished.
pub(crate) struct Watched<B: Send + 'static> {
    id: u64,
    readers: Arc<Readers>,
    polled: Arc<Mutex<Polled<B>>>,
}

/// Why a body was dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the reader has stopped reading")]
pub(crate) struct Stalled;

/// Heartbeats that a reader may miss, and the shortest time that is waited.
const HEARTBEATS: u32 = 4;
const SHORTEST: Duration = Duration::from_secs(60);
/// How often is looked.
const EVERY: Duration = Duration::from_secs(10);

impl Readers {
    /// Readers of streams with such a heartbeat, which polls a body while nothing else does.
    pub fn new(heartbeat: Duration, clock: Clock) -> Arc<Self> {
        let patience = SHORTEST.max(heartbeat.saturating_mul(HEARTBEATS));
        Arc::new(Self { patience, clock, open: Mutex::default() })
    }

    /// Drops what nobody reads until it is told to stop.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        while stop.run_until_cancelled(self.clock.sleep(EVERY)).await.is_some() {
            let dropped = self.drop_stalled();
            if dropped > 0 {
                tracing::info!(streams = dropped, "streams were given up whose readers had stopped reading");
            }
        }
    }

    /// Drops what nobody has read for too long. Returns how many.
    fn drop_stalled(&self) -> usize {
        let Some(moment) = self.clock.instant().checked_sub(self.patience) else { return 0 };
        let bodies: Vec<_> = self.open().bodies.values().filter_map(Weak::upgrade).collect();
        // One that is being polled at this moment is read.
        let stalled = bodies
            .iter()
            .filter(|body| body.try_lock().is_ok_and(|mut body| body.drop_unless_polled_since(moment)));
        stalled.count()
    }

    /// Watches the reader of a body.
    pub(crate) fn watched<B: Send + 'static>(self: &Arc<Self>, body: B) -> Watched<B> {
        let polled = Arc::new(Mutex::new(Polled { body: Some(body), last: self.clock.instant() }));
        let weak: Weak<Mutex<dyn Stalls>> = Arc::downgrade(&polled) as Weak<Mutex<dyn Stalls>>;
        let mut open = self.open();
        let id = open.next;
        open.next += 1;
        open.bodies.insert(id, weak);
        drop(open);
        Watched { id, readers: self.clone(), polled }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B: Send + 'static> Drop for Watched<B> {
    fn drop(&mut self) {
        self.readers.open().bodies.remove(&self.id);
    }
}

impl<B> Body for Watched<B>
where
    B: Body<Data = Bytes, Error = std::convert::Infallible> + Send + Unpin + 'static,
{
    type Data = Bytes;
    type Error = Stalled;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut polled = self.polled.lock().unwrap_or_else(PoisonError::into_inner);
        polled.last = self.readers.clock.instant();
        match &mut polled.body {
            None => Poll::Ready(Some(Err(Stalled))),
            Some(body) => Pin::new(body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(|impossible| match impossible {}))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::poll_fn;

    use super::*;

    /// Ends at once, and holds something.
    struct Short(#[expect(dead_code, reason = "what is held is what is dropped")] Arc<()>, bool);

    impl Body for Short {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let is_first = std::mem::replace(&mut self.1, false);
            Poll::Ready(is_first.then(|| Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    async fn next(body: &mut Watched<Short>) -> Option<Result<Frame<Bytes>, Stalled>> {
        poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_reads_is_dropped_and_ends_in_an_error() {
        let clock = Clock::system();
        let readers = Readers::new(Duration::from_secs(15), clock);
        let held = Arc::new(());
        let mut body = readers.watched(Short(held.clone(), true));
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(readers.drop_stalled(), 0);
        assert!(matches!(next(&mut body).await, Some(Ok(_))), "reading is being read");
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!((readers.drop_stalled(), Arc::strong_count(&held)), (0, 2));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!((readers.drop_stalled(), Arc::strong_count(&held)), (1, 1));
        assert_eq!(readers.drop_stalled(), 0);
        assert!(matches!(next(&mut body).await, Some(Err(Stalled))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_has_gone_is_not_remembered() {
        let readers = Readers::new(Duration::from_secs(60), Clock::system());
        let mut body = readers.watched(Short(Arc::default(), true));
        while next(&mut body).await.is_some() {}
        drop(body);
        assert!(readers.open().bodies.is_empty());
    }
}
