//! A streamed answer as a response body: pieces leave as they come, comments keep the connection alive while nothing
//! comes, and a failure is an error event after which the stream ends without looking finished.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http::{HeaderMap, HeaderValue, header};
use http_body::Frame;
use mainstay_domain::{Caller, Clock};
use mainstay_gateway::chat::Answer;
use mainstay_gateway::{AnswerStream, RequestError};
use mainstay_security::Access;
use mainstay_wire::sse::HEARTBEAT;
use mainstay_wire::stream::StreamEncoder;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::App;
use crate::error::{Failure, Tag};
use crate::limits;
use crate::openai::describe;

/// Pieces that are ready together leave together, up to so many bytes.
const LARGEST_FRAME: usize = 16 << 10;

/// Starts the stream of an answer that may not have begun: `answering` is waited for as long as a heartbeat, so that an
/// error before the first byte keeps its status; after that the response begins and an error becomes an event. Whoever has
/// a `place` in the queue is told so at once.
pub(crate) async fn respond<F>(
    app: &App,
    tag: Tag,
    caller: Caller,
    mut place: watch::Receiver<usize>,
    answering: F,
    begin: impl FnOnce(&Answer) -> Box<dyn StreamEncoder> + Send + 'static,
) -> Result<Response, Failure>
where
    F: Future<Output = Result<Answer, RequestError>> + Send + 'static,
{
    let mut answering = Box::pin(answering);
    let begun = {
        let queued = async {
            // The sender goes only with the answer, which comes first then.
            if place.wait_for(|place| *place > 0).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        app.clock
            .timeout(app.settings.heartbeat, async {
                tokio::select! {
                    biased;
                    answered = answering.as_mut() => Some(answered),
                    () = queued => None,
                }
            })
            .await
            .flatten()
    };
    let standing = match &begun {
        Some(Ok(Answer::Stream { summary, .. } | Answer::Whole { summary, .. })) => Some(summary.standing),
        _ => None,
    };
    let queued = *place.borrow();
    let source = match begun {
        Some(Ok(answer)) => Source::flowing(answer, begin),
        Some(Err(error)) => return Err(tag.fail(error)),
        None => Source::Awaited { answering, begin: Some(Box::new(begin)), moved: moved(place) },
    };
    let mut buffer = BytesMut::new();
    write_place(queued, &mut buffer);
    let body = EventBody {
        source,
        tag,
        clock: app.clock,
        heartbeat: app.settings.heartbeat,
        last_sent: app.clock.instant(),
        alarm: Box::pin(tokio::time::sleep(app.settings.heartbeat)),
        abort: Box::pin(app.abort.clone().cancelled_owned()),
        revoked: revoked(app.access.clone(), caller),
        token: app.abort.clone(),
        buffer,
    };
    let mut response = Body::new(app.readers.watched(body)).into_response();
    headers(response.headers_mut());
    if let Some(standing) = standing {
        limits::standing(response.headers_mut(), &standing);
    }
    if queued > 0 {
        response.headers_mut().insert("x-mainstay-queue-position", HeaderValue::from(queued));
    }
    Ok(response)
}

fn headers(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    // nginx would collect the pieces otherwise.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
}

/// Ends when the caller's credential or tenant is not valid any more.
fn revoked(access: Arc<Access>, caller: Caller) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move { access.until_revoked(&caller).await })
}

type Answering = Pin<Box<dyn Future<Output = Result<Answer, RequestError>> + Send>>;
/// The next place in the queue.
type Moved = Pin<Box<dyn Future<Output = (watch::Receiver<usize>, usize)> + Send>>;

fn moved(mut place: watch::Receiver<usize>) -> Moved {
    Box::pin(async move {
        if place.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        let now = *place.borrow_and_update();
        (place, now)
    })
}

/// A comment with the place in the queue, where there is one.
fn write_place(place: usize, out: &mut BytesMut) {
    if place > 0 {
        out.extend_from_slice(format!(": queued {place}\n\n").as_bytes());
    }
}

type Begin = Box<dyn FnOnce(&Answer) -> Box<dyn StreamEncoder> + Send>;

/// Where the pieces come from.
enum Source {
    /// The provider has not accepted yet.
    Awaited { answering: Answering, begin: Option<Begin>, moved: Moved },
    /// The pieces come.
    Flowing { stream: Box<AnswerStream>, encoder: Box<dyn StreamEncoder> },
    /// Nothing more comes.
    Ended,
}

impl Source {
    fn flowing(answer: Answer, begin: impl FnOnce(&Answer) -> Box<dyn StreamEncoder>) -> Self {
        let encoder = begin(&answer);
        match answer {
            Answer::Stream { stream, .. } => Self::Flowing { stream, encoder },
            Answer::Whole { .. } => unreachable!("the gateway answers a streamed request with a stream"),
        }
    }
}

struct EventBody {
    source: Source,
    tag: Tag,
    clock: Clock,
    heartbeat: Duration,
    last_sent: Instant,
    /// Set once per heartbeat, not once per piece: moving a timer costs more than sending a piece.
    alarm: Pin<Box<Sleep>>,
    abort: Pin<Box<WaitForCancellationFutureOwned>>,
    token: CancellationToken,
    /// Ends when the caller may not go on.
    revoked: Pin<Box<dyn Future<Output = ()> + Send>>,
    buffer: BytesMut,
}

impl EventBody {
    /// Writes what is ready into the buffer; `Pending` when nothing more is.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.buffer.len() < LARGEST_FRAME {
            match &mut self.source {
                Source::Ended => return Poll::Ready(()),
                Source::Awaited { answering, begin, moved: next } => {
                    let Poll::Ready(answered) = answering.as_mut().poll(cx) else {
                        let (place, now) = std::task::ready!(next.as_mut().poll(cx));
                        write_place(now, &mut self.buffer);
                        *next = moved(place);
                        continue;
                    };
                    match answered {
                        Ok(answer) => {
                            let begin = begin.take().expect("a source is awaited once");
                            self.source = Source::flowing(answer, begin);
                        }
                        Err(error) => {
                            // No encoder has begun: the event is written in the shape of the request.
                            self.tag.fail(error).write_event(&mut self.buffer);
                            self.source = Source::Ended;
                        }
                    }
                }
                Source::Flowing { stream, encoder } => {
                    match std::task::ready!(Pin::new(stream.as_mut()).poll_next(cx)) {
                        Some(Ok(event)) => {
                            if let Some(summary) = stream.news() {
                                encoder.attach(describe(&summary));
                            }
                            encoder.encode(&event, &mut self.buffer);
                        }
                        Some(Err(error)) => {
                            self.tag.fail(error).write_event(&mut self.buffer);
                            self.source = Source::Ended;
                        }
                        None => {
                            if let Some(summary) = stream.summary() {
                                encoder.attach(describe(summary));
                            }
                            encoder.finish(&mut self.buffer);
                            self.source = Source::Ended;
                        }
                    }
                }
            }
        }
        Poll::Ready(())
    }

    /// Ends a stream that is still running, for this reason.
    fn break_off(&mut self, reason: RequestError) {
        if let Source::Flowing { stream, .. } = &mut self.source {
            stream.abort(&reason);
        }
        self.tag.fail(reason).write_event(&mut self.buffer);
        self.source = Source::Ended;
    }

    /// A comment, when nothing was sent for the length of a heartbeat.
    fn beat(&mut self, cx: &mut Context<'_>) {
        while self.alarm.as_mut().poll(cx).is_ready() {
            let due = self.last_sent + self.heartbeat;
            if due <= self.clock.instant() {
                self.buffer.extend_from_slice(HEARTBEAT);
                self.last_sent = self.clock.instant();
            }
            self.alarm.as_mut().reset(self.last_sent + self.heartbeat);
        }
    }
}

impl http_body::Body for EventBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if this.fill(cx).is_pending() && this.buffer.is_empty() {
            if this.token.is_cancelled() || this.abort.as_mut().poll(cx).is_ready() {
                this.break_off(RequestError::ShuttingDown);
            } else if this.revoked.as_mut().poll(cx).is_ready() {
                this.break_off(RequestError::AccessRevoked);
            } else {
                this.beat(cx);
            }
        }
        if !this.buffer.is_empty() {
            this.last_sent = this.clock.instant();
            return Poll::Ready(Some(Ok(Frame::data(this.buffer.split().freeze()))));
        }
        match this.source {
            Source::Ended => Poll::Ready(None),
            _ => Poll::Pending,
        }
    }
}
