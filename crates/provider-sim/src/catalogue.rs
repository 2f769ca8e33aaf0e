//! Every fault in words, for the command line, for `GET /control/faults` and for the table of what becomes of each.

use mainstay_domain::config::closest as closest_of;
use serde::Serialize;

/// A fault in words.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Description {
    /// How it is written; where it has a parameter, with a usual one.
    pub example: &'static str,
    /// What it does.
    pub what: &'static str,
    /// Which requests it changes.
    pub applies: Applies,
}

/// Which requests a fault changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Applies {
    /// All of them.
    All,
    /// Conversations.
    Chat,
    /// Conversations that are streamed.
    Streams,
    /// Conversations in which tools are called.
    ToolCalls,
    /// Embeddings.
    Embeddings,
    /// Reranking.
    Reranking,
}

use Applies::{All, Chat, Embeddings, Reranking, Streams, ToolCalls};

/// All faults.
pub const FAULTS: &[Description] = &[
    all("none", "Nothing goes wrong."),
    // Refusals.
    all("400", "This status with the provider's own error body, and so for every number from 400 to 599."),
    all("401", "The key is refused."),
    all("404", "The model is not known."),
    all("429:1", "The rate is limited; Retry-After says 1 second, any other number likewise."),
    all("429:none", "The rate is limited; nothing says for how long."),
    all("429:700ms", "The rate is limited; retry-after-ms says 700 milliseconds."),
    all("429:date", "The rate is limited; Retry-After is a date in 2 seconds."),
    all("429:negative", "The rate is limited; Retry-After is -5."),
    all("429:text", "The rate is limited; Retry-After is a word."),
    all("429:year", "The rate is limited; Retry-After is a year."),
    all("500", "The provider fails."),
    all("503", "The provider is overloaded."),
    all("529", "The provider is overloaded, in Anthropic's way."),
    all("context-too-long", "The prompt is too long, in the provider's own words."),
    all("quota", "No credit is left, in the provider's own words."),
    describe("content-filter", "The answer ends because a safety filter stopped it.", Chat),
    describe(
        "refuse-stream-options",
        "A request with stream_options is refused, as by servers of before 2024.",
        Streams,
    ),
    // Something else than an answer.
    all("html", "Status 502 with a page of HTML, as a proxy in between answers."),
    all("html-ok", "Status 200 with a page of HTML, as a wrong URL answers."),
    all("redirect", "Status 307 to another address."),
    all("empty", "Status 200 without a body."),
    describe("empty-stream", "A stream without an event.", Streams),
    describe("one-piece", "A whole answer although a stream was asked for.", Streams),
    all("truncated-json", "Half of the JSON, in a complete HTTP message."),
    describe(
        "truncated-tool-call",
        "An answer that looks finished, with half of the arguments of its tool calls.",
        ToolCalls,
    ),
    describe("malformed-chunk", "Half of the stream, then an event that is no JSON.", Streams),
    describe("stream-error", "Half of the stream, then the provider's own error event.", Streams),
    describe("ends-early", "Half of the stream, then a clean end.", Streams),
    describe("duplicate-finish", "The event that ends the answer comes twice.", Streams),
    describe("missing-usage", "No token counts.", Chat),
    all("long-line:10", "10 megabytes of white space within one line, in the middle of the answer."),
    all("endless", "A whole answer that does not end."),
    // The network.
    all("reset", "The connection is reset before an answer."),
    all("reset-midway", "Half of the answer, then the connection is reset."),
    all("nothing", "The connection is closed without an answer."),
    all("timeout:2000", "The connection is closed without an answer after 2000 milliseconds."),
    all("cut", "Half of the answer, then the connection ends in the middle of the HTTP message."),
    all("data-limit:200", "200 bytes of the answer, then the connection ends."),
    all("stall-headers", "No answer, ever."),
    all("stall-first", "Headers, and nothing after them."),
    describe("pings", "Headers and signs of life for ever, but no token.", Streams),
    all("stall", "Half of the answer, and nothing after it."),
    all("latency:200,50", "The answer begins after 200 milliseconds, give or take up to 50."),
    all("bandwidth:2000", "At most 2000 bytes per second."),
    all("slices:1", "1 byte at a time: characters and lines come in pieces."),
    all("slow:20", "20 milliseconds before every piece: a slow drip of tokens."),
    all("slow-close:2000", "Everything, but the end of the HTTP message comes 2000 milliseconds late."),
    // Embedding and reranking.
    describe("shuffled", "Embeddings in another order than the texts, each with its index.", Embeddings),
    describe("missing-score", "No score for one document.", Reranking),
    describe("doubled-score", "Two scores for one document and none for another.", Reranking),
    describe("strange-index", "A score for a document that was not sent.", Reranking),
    describe("null-score", "A score that is no number.", Reranking),
];

const fn all(example: &'static str, what: &'static str) -> Description {
    describe(example, what, All)
}

const fn describe(example: &'static str, what: &'static str, applies: Applies) -> Description {
    Description { example, what, applies }
}

/// The known fault that was most likely meant.
pub(super) fn closest(written: &str) -> Option<&'static str> {
    closest_of(written, FAULTS.iter().map(|described| described.example))
}
