//! What the parsers promise about any bytes, as functions that panic where a promise is broken: a fuzzer looks for such
//! bytes (`cargo xtask fuzz`), and the tests of this crate run over those that were found once.
//!
//! A new parser of bytes from outside gets a function here, an entry in [`TARGETS`], and a folder of seeds in `corpus/`.

mod answers;
mod chunks;
mod config;
mod documents;
mod embeddings;
mod errors;
mod json;
mod parts;
mod requests;
mod sse;
mod streams;
mod text;
mod vault;

/// Something that reads bytes from outside.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is that of its folders in `corpus/` and `regressions/`.
    pub name: &'static str,
    /// Reads the bytes; panics where a promise is broken.
    pub check: fn(&[u8]),
    /// The longest input that is worth trying: longer ones find nothing new and take long.
    pub max_bytes: usize,
    /// The words of its format, a file in `dictionaries/`.
    pub dictionary: Option<&'static str>,
}

const fn target(
    name: &'static str,
    check: fn(&[u8]),
    max_bytes: usize,
    dictionary: Option<&'static str>,
) -> Target {
    Target { name, check, max_bytes, dictionary }
}

/// Every target.
pub const TARGETS: &[Target] = &[
    target("anthropic_answer", answers::anthropic, 4_096, Some("wire")),
    target("anthropic_request", requests::anthropic, 4_096, Some("wire")),
    target("anthropic_stream", streams::anthropic, 4_096, Some("wire")),
    target("chunks", chunks::cut, 4_096, Some("markdown")),
    target("config", config::read, 1_024, Some("config")),
    target("config_values", config::values, 64, None),
    target("docx", documents::docx, 4_096, Some("docx")),
    target("docx_parts", documents::docx_parts, 4_096, Some("docx")),
    target("embeddings", embeddings::openai, 1_024, Some("wire")),
    target("embeddings_gemini", embeddings::gemini, 1_024, Some("wire")),
    target("filter", config::filter, 1_024, Some("wire")),
    target("gemini_answer", answers::gemini, 4_096, Some("wire")),
    target("gemini_stream", streams::gemini, 4_096, Some("wire")),
    target("html", documents::html, 4_096, Some("html")),
    target("json_lines", documents::json_lines, 1_024, Some("wire")),
    target("key_file", vault::key_file, 128, None),
    target("markdown", documents::markdown, 4_096, Some("markdown")),
    target("metadata", config::metadata, 1_024, None),
    target("openai_answer", answers::openai, 4_096, Some("wire")),
    target("openai_request", requests::openai, 4_096, Some("wire")),
    target("openai_stream", streams::openai, 4_096, Some("wire")),
    target("pdf", documents::pdf, 8_192, Some("pdf")),
    target("provider_errors", errors::provider, 1_024, Some("wire")),
    target("rerank", embeddings::rerank, 1_024, Some("wire")),
    target("sealed", vault::sealed, 256, None),
    target("sse", sse::decode, 1_024, Some("sse")),
    target("text", text::analyse, 1_024, None),
    target("unknown_document", documents::unknown, 4_096, Some("html")),
];
