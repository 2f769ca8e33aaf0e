//! Documents of every format.

use std::io::{BufReader, Cursor, Write};

use mainstay_documents::{
    BlockKind, ChunkOptions, Hint, JsonLines, Limits, MediaType, ParsedDocument, looks_like_markdown, parse,
    plain,
};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::chunks;
use crate::parts::two;

/// Small, so that the limits are met.
const LIMITS: Limits = Limits {
    max_bytes: 1 << 16,
    max_text_bytes: 1 << 16,
    max_unpacked_bytes: 1 << 20,
    max_archive_entries: 16,
    max_pages: 16,
};

/// HTML.
pub(crate) fn html(data: &[u8]) {
    check(data, Hint::file_name("page.html"));
}

/// Markdown: the canonical text is the file.
pub(crate) fn markdown(data: &[u8]) {
    if let Some(document) = check(data, Hint::file_name("page.md"))
        && document.media_type == MediaType::Markdown
        && let Ok(source) = std::str::from_utf8(data)
    {
        assert_eq!(document.text, source);
    }
}

/// PDF.
pub(crate) fn pdf(data: &[u8]) {
    check(data, Hint::file_name("page.pdf"));
}

/// The archive that a DOCX is.
pub(crate) fn docx(data: &[u8]) {
    check(data, Hint::file_name("page.docx"));
}

/// The parts inside of a DOCX, which a change of the archive's bytes does not reach, for want of the right checksum:
/// the document and, after a byte `0xff`, its styles.
pub(crate) fn docx_parts(data: &[u8]) {
    let (document, styles) = two(data);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, content) in [("word/document.xml", document), ("word/styles.xml", styles)] {
        archive.start_file(name, options).expect("a part");
        archive.write_all(content).expect("its content");
    }
    check(&archive.finish().expect("an archive").into_inner(), Hint::default());
}

/// Bytes about which nobody says what they are: any format, any encoding.
pub(crate) fn unknown(data: &[u8]) {
    check(data, Hint::default());
}

/// Everything that parsing promises.
fn check(data: &[u8], hint: Hint<'_>) -> Option<ParsedDocument> {
    let document = match parse(data, hint, &LIMITS) {
        Ok(document) => document,
        Err(error) => {
            assert!(!error.code().is_empty() && !error.to_string().is_empty());
            return None;
        }
    };
    // An ellipsis or a line end may come after the limit was met.
    assert!(document.text.len() <= LIMITS.max_text_bytes + 16, "{} bytes of text", document.text.len());
    let mut end = 0;
    for block in &document.blocks {
        assert!(block.range.start >= end && block.range.end >= block.range.start, "blocks overlap");
        end = block.range.end;
        let text = document.text.get(block.range.start..block.range.end).expect("on character boundaries");
        if let BlockKind::Heading(level) = block.kind {
            assert!((1..=6).contains(&level));
        }
        assert!(block.headings.len() <= 6 && block.headings.iter().all(|heading| heading.len() <= 300));
        let plain = plain(text, document.media_type);
        assert!(plain.len() <= 4 * text.len() + 64, "plain text is not longer than its source");
    }
    let _ = looks_like_markdown(&document.text);
    chunks::check(&document, &ChunkOptions::default());
    Some(document)
}

/// Lines of JSON do not depend on how they arrive, and every record has what a document needs.
pub(crate) fn json_lines(data: &[u8]) {
    const MAX_LINE_BYTES: usize = 256;
    let read = |capacity: usize| -> Vec<_> {
        let lines = JsonLines::new(BufReader::with_capacity(capacity, data), MAX_LINE_BYTES);
        lines.map(|line| line.map_err(|error| error.to_string())).collect()
    };
    let whole = read(1 << 16);
    assert_eq!(read(1), whole);
    assert_eq!(read(7), whole);
    for record in whole.iter().flatten() {
        assert!(record.line > 0 && !record.doc_id.is_empty() && !record.text.is_empty());
    }
}
