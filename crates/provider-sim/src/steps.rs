//! An answer as a list of what happens, with the fault that it has.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderName, HeaderValue, LOCATION};
use mainstay_domain::Timestamp;
use serde_json::Value;

use super::api::{Api, ApiError, Frame, Part};
use super::fault::Fault;
use super::script::Step;
use super::timing::Pace;

/// An answer that is to be sent.
pub(super) struct Outgoing {
    pub(super) status: StatusCode,
    pub(super) media_type: &'static str,
    /// A header besides the usual ones.
    pub(super) header: Option<(HeaderName, HeaderValue)>,
    pub(super) steps: Vec<Step>,
    /// The length that is announced.
    pub(super) length: Option<usize>,
}

impl Outgoing {
    fn ok(media_type: &'static str, steps: Vec<Step>) -> Self {
        Self { status: StatusCode::OK, media_type, header: None, steps, length: None }
    }
}

/// Bytes that are written right before a connection breaks off would be thrown away with it.
pub(super) const LET_IT_ARRIVE: Step = Step::Wait(Duration::from_millis(1));

const JSON: &str = "application/json";
const PAGE: &[u8] = b"<!DOCTYPE html><html><body><h1>Hello from a proxy</h1></body></html>";

/// A refusal. `now` is what a date in it counts from.
pub(super) fn refusal(api: Api, error: &ApiError, now: Timestamp) -> Outgoing {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = Bytes::from(api.error(error).to_string());
    let length = Some(body.len());
    let header = error.retry_after.map(|wait| wait.header(now));
    Outgoing { status, header, length, ..Outgoing::ok(JSON, vec![Step::Send(body)]) }
}

/// A whole answer.
pub(super) fn whole(answer: &Value, fault: Fault) -> Outgoing {
    let text = match fault {
        Fault::LongLine(megabytes) => with_long_line(&answer.to_string(), megabytes),
        _ => answer.to_string(),
    };
    let bytes = Bytes::from(text);
    let length = bytes.len();
    let half = || Step::Send(bytes.slice(..length / 2));
    let page = vec![Step::Send(Bytes::from_static(PAGE))];
    match fault {
        Fault::HtmlError => Outgoing { status: StatusCode::BAD_GATEWAY, ..Outgoing::ok("text/html", page) },
        Fault::HtmlOk => Outgoing::ok("text/html; charset=utf-8", page),
        Fault::Redirect => Outgoing {
            status: StatusCode::TEMPORARY_REDIRECT,
            header: Some((LOCATION, HeaderValue::from_static("https://elsewhere.example/v1?token=secret"))),
            ..Outgoing::ok("text/html", Vec::new())
        },
        Fault::Empty | Fault::EmptyStream => Outgoing::ok(JSON, Vec::new()),
        Fault::TruncatedJson | Fault::MalformedChunk | Fault::EndsEarly => Outgoing::ok(JSON, vec![half()]),
        Fault::Cut => Outgoing::ok(JSON, vec![half(), LET_IT_ARRIVE, Step::Break { reset: false }]),
        Fault::ResetMidway => Outgoing::ok(JSON, vec![half(), LET_IT_ARRIVE, Step::Break { reset: true }]),
        Fault::StallFirst | Fault::Pings => Outgoing::ok(JSON, vec![Step::Stall]),
        Fault::Stall => Outgoing::ok(JSON, vec![half(), Step::Stall]),
        Fault::Endless => {
            let blanks = Bytes::from_static(&[b' '; 16 << 10]);
            Outgoing::ok(JSON, vec![Step::Repeat(blanks, Duration::ZERO)])
        }
        Fault::Slow(pause) => {
            let rest = Step::Send(bytes.slice(length / 2..));
            Outgoing::ok(JSON, vec![Step::Wait(pause), half(), Step::Wait(pause), rest])
        }
        // Whoever knows the length does not wait for the end.
        Fault::SlowClose(_) => Outgoing::ok(JSON, vec![Step::Send(bytes)]),
        _ => Outgoing { length: Some(length), ..Outgoing::ok(JSON, vec![Step::Send(bytes)]) },
    }
}

/// An answer in pieces, each of which comes after `pause`.
pub(super) fn streamed(api: Api, frames: &[Frame], pace: Pace, pause: Duration, fault: Fault) -> Outgoing {
    match fault {
        Fault::HtmlError | Fault::HtmlOk | Fault::Redirect | Fault::Endless => whole(&Value::Null, fault),
        _ => {
            let steps = stream_steps(api, frames, Waits { pace, pause, begun: false }, fault);
            Outgoing::ok("text/event-stream; charset=utf-8", steps)
        }
    }
}

fn stream_steps(api: Api, frames: &[Frame], mut waits: Waits, fault: Fault) -> Vec<Step> {
    match fault {
        Fault::Empty | Fault::EmptyStream => return Vec::new(),
        Fault::StallFirst => return vec![Step::Stall],
        Fault::Pings => {
            return vec![Step::Repeat(Bytes::from_static(b": keep-alive\n\n"), Duration::from_secs(5))];
        }
        _ => {}
    }
    let half = half(frames);
    let mut steps = Vec::with_capacity(frames.len());
    for (index, frame) in frames.iter().enumerate() {
        if index == half {
            match fault {
                Fault::MalformedChunk | Fault::TruncatedJson => {
                    let broken = Bytes::from_static(b"data: {\"id\": \"x\", \"choices\": [{\"ind\n\n");
                    steps.push(Step::Send(broken));
                    return steps;
                }
                Fault::StreamError => {
                    steps.push(Step::Send(api.error_frame(&stream_error())));
                    return steps;
                }
                Fault::Cut | Fault::ResetMidway => {
                    steps.extend([LET_IT_ARRIVE, Step::Break { reset: fault == Fault::ResetMidway }]);
                    return steps;
                }
                Fault::Stall => {
                    steps.push(Step::Stall);
                    return steps;
                }
                Fault::EndsEarly => return steps,
                _ => {}
            }
        }
        waits.before(frame, &mut steps);
        match fault {
            Fault::LongLine(megabytes) if index == half => {
                let text = String::from_utf8_lossy(&frame.bytes);
                steps.push(Step::Send(with_long_line(&text, megabytes).into()));
            }
            _ => steps.push(Step::Send(frame.bytes.clone())),
        }
        if frame.part == Part::Finish && fault == Fault::DuplicateFinish {
            steps.push(Step::Send(frame.bytes.clone()));
        }
    }
    steps
}

/// The waits between the pieces of a stream.
struct Waits {
    pace: Pace,
    /// Before every piece.
    pause: Duration,
    /// Whether content has been sent.
    begun: bool,
}

impl Waits {
    fn before(&mut self, frame: &Frame, steps: &mut Vec<Step>) {
        let mut wait = self.pause;
        if frame.part == Part::Content {
            wait += if self.begun { self.pace.each } else { self.pace.first };
            self.begun = true;
        }
        if !wait.is_zero() {
            steps.push(Step::Wait(wait));
        }
    }
}

/// The failure of [`Fault::StreamError`].
pub(super) fn stream_error() -> ApiError {
    ApiError::new(500, "The server had an error while processing your request. Sorry about that!")
}

/// Where the first half of a stream ends: within the content.
fn half(frames: &[Frame]) -> usize {
    let content: Vec<usize> = frames
        .iter()
        .enumerate()
        .filter(|(_, frame)| frame.part == Part::Content)
        .map(|(index, _)| index)
        .collect();
    content.get(content.len() / 2).map_or(frames.len() / 2, |middle| *middle)
}

/// The same JSON, with so much white space behind its first bracket.
fn with_long_line(text: &str, megabytes: u8) -> String {
    let bracket = text.find(['{', '[']).map_or(0, |bracket| bracket + 1);
    let (before, after) = text.split_at(bracket);
    format!("{before}{}{after}", " ".repeat(usize::from(megabytes) << 20))
}
