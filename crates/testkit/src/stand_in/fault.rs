//! The ways in which a stand-in can fail.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// What goes wrong with one answer. Written as in the list: `429:7`, `cut`, `slow:20`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// `400` … `599`: this status with the API's own error body. `429:7` asks for 7 seconds of patience.
    Status {
        /// The status.
        status: u16,
        /// Seconds of `Retry-After`.
        retry_after: Option<u32>,
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
    /// `malformed-chunk`: half of the stream, then an event that is no JSON.
    MalformedChunk,
    /// `stream-error`: half of the stream, then the API's own error event.
    StreamError,
    /// `ends-early`: half of the stream, then a clean end.
    EndsEarly,
    /// `cut`: half of the answer, then the connection ends in the midst of the HTTP message.
    Cut,
    /// `reset`: the connection is reset before an answer.
    Reset,
    /// `reset-midway`: half of the answer, then the connection is reset.
    ResetMidway,
    /// `nothing`: the connection is closed without an answer.
    Nothing,
    /// `stall-headers`: no answer, ever.
    StallHeaders,
    /// `stall-first`: headers, and nothing after them.
    StallFirst,
    /// `pings`: headers, and signs of life for ever, but no token.
    Pings,
    /// `stall`: half of the answer, and nothing after it.
    Stall,
    /// `slow:20`: 20 ms before every piece.
    Slow(Duration),
    /// `duplicate-finish`: the event that ends the answer comes twice.
    DuplicateFinish,
    /// `missing-usage`: no token counts.
    MissingUsage,
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
#[error("{0:?} is no fault that a stand-in knows")]
pub struct UnknownFault(String);

/// The faults without a parameter, by name.
const NAMED: &[(&str, Fault)] = &[
    ("context-too-long", Fault::ContextTooLong),
    ("quota", Fault::Quota),
    ("content-filter", Fault::ContentFilter),
    ("html", Fault::HtmlError),
    ("html-ok", Fault::HtmlOk),
    ("redirect", Fault::Redirect),
    ("empty", Fault::Empty),
    ("empty-stream", Fault::EmptyStream),
    ("truncated-json", Fault::TruncatedJson),
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
        let unknown = || UnknownFault(text.to_owned());
        if let Some((_, fault)) = NAMED.iter().find(|(name, _)| *name == text) {
            return Ok(*fault);
        }
        let (name, parameter) = text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
        if name == "slow" {
            let pause = parameter.unwrap_or("20").parse().map_err(|_| unknown())?;
            return Ok(Self::Slow(Duration::from_millis(pause)));
        }
        match name.parse::<u16>() {
            Ok(status @ 400..600) => {
                let seconds = parameter.map(str::parse).transpose().map_err(|_| unknown())?;
                let retry_after = seconds.or((status == 429).then_some(1));
                Ok(Self::Status { status, retry_after })
            }
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { status, retry_after: None } => write!(f, "{status}"),
            Self::Status { status, retry_after: Some(seconds) } => write!(f, "{status}:{seconds}"),
            Self::Slow(pause) => write!(f, "slow:{}", pause.as_millis()),
            named => {
                let name = NAMED.iter().find(|(_, fault)| fault == named).map(|(name, _)| *name);
                f.write_str(name.expect("every fault without a parameter has a name"))
            }
        }
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

    #[test]
    fn faults_are_read_as_they_are_written() {
        for text in ["429:7", "500", "slow:20", "cut", "stall-headers", "pings"] {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
        assert_eq!("429".parse::<Fault>().unwrap().to_string(), "429:1");
        for text in ["", "200", "4291", "slow:x", "429:soon", "explode"] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }
}
