//! The body of an answer, as a list of what happens.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use tokio::time::Sleep;

use super::record::{OpenRecord, Outcome};

/// What happens next.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Bytes are sent.
    Send(Bytes),
    /// What was sent before leaves, and what comes after it leaves by itself.
    Flush,
    /// Time passes.
    Wait(Duration),
    /// The connection breaks off; `reset` says how.
    Break {
        /// By a reset instead of an end.
        reset: bool,
    },
    /// Nothing happens any more.
    Stall,
    /// These bytes are sent again and again.
    Repeat(Bytes, Duration),
}

/// A body that follows its script.
pub(super) struct Script {
    steps: VecDeque<Step>,
    pause: Option<Pin<Box<Sleep>>>,
    record: OpenRecord,
    reset: Arc<AtomicBool>,
}

impl Script {
    /// A body of these steps. `reset` makes the connection end with a reset.
    pub(super) fn new(
        steps: impl IntoIterator<Item = Step>,
        record: OpenRecord,
        reset: Arc<AtomicBool>,
    ) -> Self {
        Self { steps: steps.into_iter().collect(), pause: None, record, reset }
    }

    fn note_end(&mut self) {
        if self.steps.is_empty() {
            self.record.close(Outcome::Finished);
        }
    }
}

impl http_body::Body for Script {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match self.steps.pop_front() {
                None => {
                    self.note_end();
                    return Poll::Ready(None);
                }
                Some(Step::Send(bytes)) => {
                    self.note_end();
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Step::Flush) => {
                    // The connection writes out what it has whenever a body has nothing for it.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Step::Wait(time)) => self.pause = Some(Box::pin(tokio::time::sleep(time))),
                Some(Step::Break { reset }) => {
                    self.reset.store(reset, Ordering::Relaxed);
                    self.record.close(Outcome::Broken);
                    return Poll::Ready(Some(Err(io::Error::other("the script breaks off here"))));
                }
                Some(Step::Stall) => {
                    self.steps.push_front(Step::Stall);
                    return Poll::Pending;
                }
                Some(Step::Repeat(bytes, time)) => {
                    self.steps.push_front(Step::Repeat(bytes.clone(), time));
                    self.pause = Some(Box::pin(tokio::time::sleep(time)));
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.pause.is_none()
    }
}
