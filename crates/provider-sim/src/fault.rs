//! The ways in which a stand-in can fail, and how they are written.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::catalogue::closest;
use super::retry_after::RetryAfter;

/// What goes wrong with one answer. Written as in the list: `429:7`, `cut`, `slow:20`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Fault {
    /// `none`: nothing.
    #[default]
    None,
    /// `400` … `599`: this status with the API's own error body. `429:7` asks for 7 seconds of patience.
    Status {
        /// The status.
        status: u16,
        /// What is asked for.
        retry_after: Option<RetryAfter>,
    },
    /// `context-too-long`: the API's own way to say that a prompt is too long.
    ContextTooLong,
    /// `quota`: the API's own way to say that there is no credit left.
    Quota,
    /// `content-filter`: the answer ends because a filter stopped it.
    ContentFilter,
    /// `html`: status 502 with a page of HTML, as a proxy in between answers.
    HtmlError,
    /// `html-ok`: status 200 with a page of HTML, as a wrong URL answers.
    HtmlOk,
    /// `redirect`: status 307.
    Redirect,
    /// `empty`: status 200 and no body.
    Empty,
    /// `empty-stream`: a stream without an event.
    EmptyStream,
    /// `truncated-json`: half of the JSON, in a complete HTTP message.
    TruncatedJson,
    /// `truncated-tool-call`: an answer that looks finished, with half of the arguments of its tool calls.
    TruncatedToolCall,
    /// `malformed-chunk`: half of the stream, then an event that is no JSON.
    MalformedChunk,
    /// `stream-error`: half of the stream, then the API's own error event.
    StreamError,
    /// `ends-early`: half of the stream, then a clean end.
    EndsEarly,
    /// `cut`: half of the answer, then the connection ends in the midst of the HTTP message.
    Cut,
    /// `data-limit:200`: 200 bytes of the answer, then as `cut`.
    DataLimit(u32),
    /// `reset`: the connection is reset before an answer.
    Reset,
    /// `reset-midway`: half of the answer, then the connection is reset.
    ResetMidway,
    /// `nothing`: the connection is closed without an answer.
    Nothing,
    /// `timeout:2000`: as `nothing`, after 2 seconds.
    Timeout(Duration),
    /// `stall-headers`: no answer, ever.
    StallHeaders,
    /// `stall-first`: headers, and nothing after them.
    StallFirst,
    /// `pings`: headers, and signs of life for ever, but no token.
    Pings,
    /// `stall`: half of the answer, and nothing after it.
    Stall,
    /// `latency:200,50`: the answer begins after 200 ms, give or take up to 50.
    Latency {
        /// In the mean.
        mean: Duration,
        /// The most by which it differs from that.
        jitter: Duration,
    },
    /// `bandwidth:2000`: at most 2000 bytes per second.
    Bandwidth(NonZeroU32),
    /// `slices:1`: one byte at a time.
    Slices(NonZeroU32),
    /// `slow:20`: 20 ms before every piece.
    Slow(Duration),
    /// `slow-close:2000`: everything, but the end of the HTTP message comes 2 seconds late.
    SlowClose(Duration),
    /// `duplicate-finish`: the event that ends the answer comes twice.
    DuplicateFinish,
    /// `missing-usage`: no token counts.
    MissingUsage,
    /// `long-line:10`: 10 megabytes of white space within one line, in the middle of the answer.
    LongLine(u8),
    /// `endless`: a whole answer that does not end.
    Endless,
    /// `refuse-stream-options`: as servers of before 2024, which do not know the field.
    RefuseStreamOptions,
    /// `one-piece`: a whole answer although a stream was asked for.
    OnePiece,
    /// `shuffled`: embeddings in another order than the texts, each with its index.
    Shuffled,
    /// `missing-score`: reranking without a score for one document.
    MissingScore,
    /// `doubled-score`: reranking with two scores for one document and none for another.
    DoubledScore,
    /// `strange-index`: reranking with a score for a document that was not sent.
    StrangeIndex,
    /// `null-score`: reranking with a score that is no number.
    NullScore,
}

/// A text that names no fault.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{text:?} is no fault that a stand-in knows{}", hint(text))]
pub struct UnknownFault {
    text: String,
}

fn hint(text: &str) -> String {
    closest(text).map_or_else(String::new, |known| format!("; did you mean {known:?}?"))
}

/// The faults without a parameter, by name.
const NAMED: &[(&str, Fault)] = &[
    ("none", Fault::None),
    ("context-too-long", Fault::ContextTooLong),
    ("quota", Fault::Quota),
    ("content-filter", Fault::ContentFilter),
    ("html", Fault::HtmlError),
    ("html-ok", Fault::HtmlOk),
    ("redirect", Fault::Redirect),
    ("empty", Fault::Empty),
    ("empty-stream", Fault::EmptyStream),
    ("truncated-json", Fault::TruncatedJson),
    ("truncated-tool-call", Fault::TruncatedToolCall),
    ("malformed-chunk", Fault::MalformedChunk),
    ("stream-error", Fault::StreamError),
    ("ends-early", Fault::EndsEarly),
    ("cut", Fault::Cut),
    ("reset", Fault::Reset),
    ("reset-midway", Fault::ResetMidway),
    ("nothing", Fault::Nothing),
    ("stall-headers", Fault::StallHeaders),
    ("stall-first", Fault::StallFirst),
    ("pings", Fault::Pings),
    ("stall", Fault::Stall),
    ("duplicate-finish", Fault::DuplicateFinish),
    ("missing-usage", Fault::MissingUsage),
    ("endless", Fault::Endless),
    ("refuse-stream-options", Fault::RefuseStreamOptions),
    ("one-piece", Fault::OnePiece),
    ("shuffled", Fault::Shuffled),
    ("missing-score", Fault::MissingScore),
    ("doubled-score", Fault::DoubledScore),
    ("strange-index", Fault::StrangeIndex),
    ("null-score", Fault::NullScore),
];

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let named = NAMED.iter().find(|(name, _)| *name == text).map(|(_, fault)| *fault);
        named.or_else(|| with_parameter(text)).ok_or_else(|| UnknownFault { text: text.to_owned() })
    }
}

/// A fault with a parameter; most have a usual one.
fn with_parameter(text: &str) -> Option<Fault> {
    let (name, parameter) = text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
    let milliseconds = |text: &str| text.parse::<u32>().ok().map(|ms| Duration::from_millis(ms.into()));
    Some(match name {
        "slow" => Fault::Slow(milliseconds(parameter.unwrap_or("20"))?),
        "slow-close" => Fault::SlowClose(milliseconds(parameter.unwrap_or("2000"))?),
        "timeout" => Fault::Timeout(milliseconds(parameter.unwrap_or("2000"))?),
        "latency" => {
            let parameter = parameter.unwrap_or("200,50");
            let (mean, jitter) = parameter.split_once(',').unwrap_or((parameter, "0"));
            Fault::Latency { mean: milliseconds(mean)?, jitter: milliseconds(jitter)? }
        }
        "bandwidth" => Fault::Bandwidth(parameter.unwrap_or("2000").parse().ok()?),
        "slices" => Fault::Slices(parameter.unwrap_or("1").parse().ok()?),
        "data-limit" => Fault::DataLimit(parameter.unwrap_or("200").parse().ok()?),
        "long-line" => Fault::LongLine(parameter.unwrap_or("10").parse().ok()?),
        _ => {
            let status = name.parse().ok().filter(|status| (400..600).contains(status))?;
            let retry_after = match parameter {
                None => (status == 429).then_some(RetryAfter::Seconds(1)),
                Some("none") => None,
                Some(parameter) => Some(parameter.parse().ok()?),
            };
            Fault::Status { status, retry_after }
        }
    })
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { status: 429, retry_after: None } => f.write_str("429:none"),
            Self::Status { status, retry_after: None } => write!(f, "{status}"),
            Self::Status { status, retry_after: Some(wait) } => write!(f, "{status}:{wait}"),
            Self::Slow(pause) => write!(f, "slow:{}", pause.as_millis()),
            Self::SlowClose(late) => write!(f, "slow-close:{}", late.as_millis()),
            Self::Timeout(after) => write!(f, "timeout:{}", after.as_millis()),
            Self::Latency { mean, jitter } => {
                write!(f, "latency:{},{}", mean.as_millis(), jitter.as_millis())
            }
            Self::Bandwidth(bytes) => write!(f, "bandwidth:{bytes}"),
            Self::Slices(bytes) => write!(f, "slices:{bytes}"),
            Self::DataLimit(bytes) => write!(f, "data-limit:{bytes}"),
            Self::LongLine(megabytes) => write!(f, "long-line:{megabytes}"),
            named => {
                let name = NAMED.iter().find(|(_, fault)| fault == named).map(|(name, _)| *name);
                f.write_str(name.unwrap_or_default())
            }
        }
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::FAULTS;

    #[test]
    fn faults_are_read_as_they_are_written() {
        let further = ["429:7", "500", "503:2", "slices:7", "latency:5,0", "429:none"];
        for text in FAULTS.iter().map(|described| described.example).chain(further) {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
        assert_eq!("429".parse::<Fault>().unwrap().to_string(), "429:1");
        assert_eq!("latency:9".parse::<Fault>().unwrap().to_string(), "latency:9,0");
        for text in ["", "200", "4291", "slow:x", "429:soon", "explode", "slices:0", "bandwidth:0", "429:-3"]
        {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_fault_is_described() {
        for (name, _) in NAMED {
            assert!(FAULTS.iter().any(|described| described.example == *name), "{name}");
        }
    }

    #[test]
    fn a_typing_error_is_told_with_what_was_meant() {
        let error = "stal".parse::<Fault>().unwrap_err().to_string();
        assert_eq!(error, "\"stal\" is no fault that a stand-in knows; did you mean \"stall\"?");
    }
}
