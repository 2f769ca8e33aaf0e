//! Bytes to text with structure: finds out the real format, and reads it within limits.

mod docx;
mod flow;
mod html;
mod markdown;
mod pdf;
mod plain_text;
mod sniff;

use crate::document::{MediaType, ParsedDocument};
use crate::error::ParseError;

pub(crate) use markdown::OPTIONS as MARKDOWN_OPTIONS;
pub use sniff::looks_like_markdown;

/// What the sender says that the bytes are. Only a hint: what the bytes show counts more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Hint<'a> {
    /// The file's name or path.
    pub file_name: Option<&'a str>,
    /// The registered media type, as in `Content-Type`.
    pub media_type: Option<&'a str>,
}

impl<'a> Hint<'a> {
    /// The hint of a file's name alone.
    pub fn file_name(name: &'a str) -> Self {
        Self { file_name: Some(name), media_type: None }
    }
}

/// How much one document may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of the file.
    pub max_bytes: usize,
    /// Bytes of canonical text.
    pub max_text_bytes: usize,
    /// Bytes that compressed parts may unpack to, counted while they are unpacked: those of a DOCX archive which are read,
    /// the contents of the pages of a PDF, or one image of it. Any other stream of a PDF may have a quarter of it, all
    /// of them together four times as much.
    pub max_unpacked_bytes: usize,
    /// Entries of a DOCX archive.
    pub max_archive_entries: usize,
    /// Pages of a PDF.
    pub max_pages: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1 << 20;
        Self {
            max_bytes: 64 * MIB,
            max_text_bytes: 64 * MIB,
            max_unpacked_bytes: 256 * MIB,
            max_archive_entries: 10_000,
            max_pages: 20_000,
        }
    }
}

/// Reads a document.
///
/// The format is that of the bytes (a PDF stays one under any name); name and media type decide among the text formats,
/// and text of unknown name is plain text. Never panics, whatever the bytes.
pub fn parse(bytes: &[u8], hint: Hint<'_>, limits: &Limits) -> Result<ParsedDocument, ParseError> {
    if bytes.len() > limits.max_bytes {
        return Err(ParseError::TooLarge { size: bytes.len(), limit: limits.max_bytes });
    }
    match sniff::sniff(bytes, hint)? {
        sniff::Format::Text(media_type) => parse_text(sniff::decode(bytes)?, media_type, limits),
        sniff::Format::Pdf => pdf::parse(bytes, limits),
        sniff::Format::Zip => docx::parse(bytes, limits),
    }
}

/// Reads a document that is text already: plain text, Markdown or HTML.
pub fn parse_text(
    text: String,
    media_type: MediaType,
    limits: &Limits,
) -> Result<ParsedDocument, ParseError> {
    if text.len() > limits.max_text_bytes {
        return Err(ParseError::TooMuchText { limit: limits.max_text_bytes });
    }
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        return Err(ParseError::Empty);
    }
    match media_type {
        MediaType::Html => html::parse(&text, limits.max_text_bytes),
        MediaType::Markdown => Ok(markdown::parse(text)),
        _ => Ok(plain_text::parse(text)),
    }
}

#[cfg(test)]
mod tests;
