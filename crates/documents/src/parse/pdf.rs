//! PDF: the text of the pages in the order in which they draw it, put together into lines, paragraphs and headings.
//!
//! The file is read by hayro, a renderer that is tested against broken files and bounds its own recursion. What it does
//! not bound is bounded here: what streams unpack to is counted before it sees the file ([`inflate`]), the work of
//! drawing while it draws ([`glyphs`]), and both happen on a thread of their own, whose stack is large and whose panic
//! is an error.

mod glyphs;
mod inflate;
mod lines;
mod paragraphs;

use std::thread;

use hayro_interpret::hayro_syntax::{DecryptionError, LoadPdfError, Pdf};
use hayro_interpret::{Context, InterpreterCache, InterpreterSettings, TransformExt, interpret_page, kurbo};

use crate::document::{MediaType, ParsedDocument};
use crate::error::ParseError;
use crate::parse::Limits;
use crate::parse::flow::Flow;
use glyphs::{Allowance, GlyphReader};
use paragraphs::Paragraphs;

/// Bytes of stack: what is drawn may be nested fifty deep.
const STACK: usize = 64 << 20;

/// The text of a PDF file.
pub(super) fn parse(bytes: &[u8], limits: &Limits) -> Result<ParsedDocument, ParseError> {
    let largest_stream = inflate::check(bytes, limits)?;
    thread::scope(|scope| {
        let reader = thread::Builder::new()
            .name("pdf".to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, || read(bytes, largest_stream, limits))
            .map_err(|_| corrupt("no memory is left to read it in"))?;
        reader.join().unwrap_or_else(|panic| Err(glyphs::stopped(panic.as_ref())))
    })
}

fn corrupt(detail: &str) -> ParseError {
    ParseError::corrupt(MediaType::Pdf, detail)
}

fn read(bytes: &[u8], largest_stream: usize, limits: &Limits) -> Result<ParsedDocument, ParseError> {
    let pdf = Pdf::new(bytes.to_vec()).map_err(|error| match error {
        LoadPdfError::Decryption(DecryptionError::InvalidEncryption) => corrupt("its encryption is damaged"),
        LoadPdfError::Decryption(_) => ParseError::Encrypted,
        LoadPdfError::Invalid => corrupt("it has no pages that can be found, it may be cut off"),
    })?;
    let pages = pdf.pages();
    if pages.len() > limits.max_pages {
        let detail = format!("{} pages, the limit is {}", pages.len(), limits.max_pages);
        return Err(ParseError::TooComplex { detail });
    }
    let mut allowance = Allowance::new(limits, largest_stream);
    let mut content_bytes = 0;
    let mut text = Vec::with_capacity(pages.len());
    let cache = InterpreterCache::new();
    for page in pages.iter() {
        // hayro keeps the content of all pages; several may share one stream, which the check saw once.
        content_bytes += page.page_stream().map_or(0, <[u8]>::len);
        if content_bytes > limits.max_unpacked_bytes {
            let detail = format!("its pages unpack to more than {} bytes", limits.max_unpacked_bytes);
            return Err(ParseError::ArchiveBomb { detail });
        }
        let everything = kurbo::Rect::new(-1e9, -1e9, 1e9, 1e9);
        let upright = page.initial_transform(true).to_kurbo();
        let settings = InterpreterSettings::default();
        let mut context = Context::new(upright, everything, &cache, pdf.xref(), settings);
        let mut reader = GlyphReader::new(&mut allowance);
        interpret_page(page, &mut context, &mut reader);
        text.push(reader.finish());
    }
    if allowance.is_unreadable() {
        return Err(ParseError::NoText { media_type: MediaType::Pdf });
    }
    let mut flow = Flow::new(limits.max_text_bytes);
    Paragraphs::new(&text).write(&mut flow);
    flow.finish(pdf.metadata().title.as_deref().and_then(title), MediaType::Pdf)
}

/// The title in the properties, unless a program put its own name or that of a file there.
fn title(bytes: &[u8]) -> Option<String> {
    let title = text_string(bytes);
    let title = title.trim();
    let lower = title.to_lowercase();
    let is_junk = lower.starts_with("microsoft ")
        || lower.starts_with("untitled")
        || [".doc", ".docx", ".dvi", ".tex", ".indd", ".qxd", ".pdf", ".ppt", ".pptx"]
            .iter()
            .any(|end| lower.ends_with(end));
    (!title.is_empty() && !is_junk).then(|| title.to_owned())
}

/// Decodes a text string: UTF-16 or UTF-8 with a mark, or else an eight-bit encoding that agrees with Latin-1 on letters.
fn text_string(bytes: &[u8]) -> String {
    if let Some(rest) = bytes.strip_prefix(b"\xfe\xff") {
        let units = rest.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        char::decode_utf16(units).map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    } else if let Some(rest) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        String::from_utf8_lossy(rest).into_owned()
    } else {
        bytes.iter().map(|&byte| char::from(byte)).filter(|character| !character.is_control()).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests;
