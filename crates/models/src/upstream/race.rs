//! A streamed call that may be made a second time when its first content takes long: the one that begins first is the
//! answer, and the other is dropped.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use mainstay_domain::ModelError;
use mainstay_domain::chat::ChatEvent;
use mainstay_domain::port::ChatStream;

use super::attempts::Attempt;
use super::splice::is_seen;

/// A wait.
pub(super) type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;
/// A call until the provider has accepted it.
pub(super) type Open = Pin<Box<dyn Future<Output = Result<ChatStream, ModelError>> + Send>>;

/// A call, and the second one beside it.
pub(super) struct Race {
    lane: Lane,
    rival: Option<Rival>,
    /// Until the second call is due.
    due: Option<Wait>,
    /// What the rival had said when it won.
    queue: VecDeque<ChatEvent>,
    is_open: bool,
}

enum Lane {
    Opening(Open),
    Open(ChatStream),
}

struct Rival {
    lane: Lane,
    attempt: Attempt,
    /// What it has said; nothing of the answer is among it.
    events: VecDeque<ChatEvent>,
}

/// What comes of it.
pub(super) enum Raced {
    /// A provider has accepted the call. Once.
    Opened,
    /// A piece of the answer.
    Event(ChatEvent),
    /// The call takes long enough to make it a second time. Once.
    Due,
    /// The second call is the answer now. The first has failed, or was slower.
    Overtaken(Attempt, Option<ModelError>),
}

impl Race {
    /// A call that is never made a second time unless `due` ends before its first content comes.
    pub(super) fn new(open: Open, due: Option<Wait>) -> Self {
        Self { lane: Lane::Opening(open), rival: None, due, queue: VecDeque::new(), is_open: false }
    }

    /// Makes the call a second time.
    pub(super) fn hedge(&mut self, open: Open, attempt: Attempt) {
        self.rival = Some(Rival { lane: Lane::Opening(open), attempt, events: VecDeque::new() });
    }

    /// The next of what comes. `Ok(None)` when the answer has ended.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Raced>, ModelError>> {
        if !self.is_open && matches!(self.lane, Lane::Open(_)) {
            self.is_open = true;
            return Poll::Ready(Ok(Some(Raced::Opened)));
        }
        if let Some(event) = self.queue.pop_front() {
            return Poll::Ready(Ok(Some(Raced::Event(event))));
        }
        match self.lane.poll_next(cx) {
            Poll::Ready(Ok(Told::Opened)) => return self.poll_next(cx),
            Poll::Ready(Ok(Told::Event(event))) => {
                if decides(&event) {
                    (self.due, self.rival) = (None, None);
                }
                return Poll::Ready(Ok(Some(Raced::Event(event))));
            }
            Poll::Ready(Ok(Told::End)) => return Poll::Ready(Ok(None)),
            Poll::Ready(Err(error)) => {
                return Poll::Ready(match self.rival.take() {
                    Some(rival) => Ok(Some(self.overtaken(rival, Some(error)))),
                    None => Err(error),
                });
            }
            Poll::Pending => {}
        }
        if let Some(due) = &mut self.due
            && due.as_mut().poll(cx).is_ready()
        {
            self.due = None;
            return Poll::Ready(Ok(Some(Raced::Due)));
        }
        while let Some(mut rival) = self.rival.take() {
            match rival.lane.poll_next(cx) {
                Poll::Ready(Ok(Told::Opened)) => {}
                Poll::Ready(Ok(Told::Event(event))) => {
                    let wins = decides(&event);
                    rival.events.push_back(event);
                    if wins {
                        return Poll::Ready(Ok(Some(self.overtaken(rival, None))));
                    }
                }
                // It has nothing to say: whatever comes is the first one's.
                Poll::Ready(Ok(Told::End)) => break,
                Poll::Ready(Err(error)) => {
                    rival.attempt.failed(&error);
                    break;
                }
                Poll::Pending => {
                    self.rival = Some(rival);
                    break;
                }
            }
            self.rival = Some(rival);
        }
        Poll::Pending
    }

    /// The second call takes the place of the first, which is dropped.
    fn overtaken(&mut self, rival: Rival, failed: Option<ModelError>) -> Raced {
        self.lane = rival.lane;
        self.queue = rival.events;
        self.due = None;
        Raced::Overtaken(rival.attempt, failed)
    }
}

/// What one call has to tell.
#[expect(clippy::large_enum_variant, reason = "a piece of the answer is what nearly all of them are")]
enum Told {
    Opened,
    Event(ChatEvent),
    End,
}

impl Lane {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Told, ModelError>> {
        match self {
            Self::Opening(open) => open.as_mut().poll(cx).map(|opened| {
                *self = Self::Open(opened?);
                Ok(Told::Opened)
            }),
            Self::Open(stream) => stream.as_mut().poll_next(cx).map(|next| match next {
                Some(event) => event.map(Told::Event),
                None => Ok(Told::End),
            }),
        }
    }
}

/// Whether the answer has begun.
fn decides(event: &ChatEvent) -> bool {
    matches!(event, ChatEvent::Delta(delta) if is_seen(delta))
}
