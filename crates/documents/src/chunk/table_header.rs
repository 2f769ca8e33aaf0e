//! The header rows of tables that were cut.

use mainstay_domain::ByteRange;

use crate::document::MediaType;

/// For each chunk of a text, in order, the first row of the table that it goes on with, when the table began in a chunk
/// before it: what its columns mean. A chunk that holds the row itself has none. Linear in the text.
///
/// Works on canonical text alone, so that it can be asked again when a document is read back: a table of Markdown is
/// known by the line under its header, one of HTML and DOCX by the ` | ` between its cells. The other formats have none.
pub fn table_headers(
    text: &str,
    media_type: MediaType,
    chunks: impl IntoIterator<Item = ByteRange>,
) -> Vec<Option<ByteRange>> {
    let mut open: Option<ByteRange> = None;
    let mut end = 0;
    let header_of = |chunk: ByteRange| {
        let gap = text.get(end..chunk.start).unwrap_or_default();
        let goes_on = gap.bytes().filter(|&byte| byte == b'\n').count() <= 1;
        let header = open.filter(|_| goes_on);
        end = chunk.end;
        open = table_at_end(text, media_type, chunk, header);
        header.filter(|header| header.start < chunk.start && first_line_is_row(text, media_type, chunk))
    };
    chunks.into_iter().map(header_of).collect()
}

/// The header of the table that a chunk ends in; `header` is that of the table that it goes on with, if it does.
fn table_at_end(
    text: &str,
    media_type: MediaType,
    chunk: ByteRange,
    header: Option<ByteRange>,
) -> Option<ByteRange> {
    let inside = text.get(chunk.start..chunk.end)?;
    let rows = inside.split('\n').rev().take_while(|line| is_row(line, media_type));
    let length: usize = rows.map(|row| row.len() + 1).sum();
    // No line break stands behind the last row.
    let start = chunk.end - length.checked_sub(1)?;
    if start == chunk.start && header.is_some() {
        return header;
    }
    let mut lines = text[start..chunk.end].split('\n');
    let header = lines.next()?;
    let is_table = match media_type {
        MediaType::Markdown => lines.next().is_some_and(is_delimiter_row),
        _ => lines.next().is_some(),
    };
    is_table.then_some(ByteRange { start, end: start + header.trim_end().len() })
}

fn first_line_is_row(text: &str, media_type: MediaType, chunk: ByteRange) -> bool {
    text.get(chunk.start..chunk.end)
        .and_then(|inside| inside.split('\n').next())
        .is_some_and(|line| is_row(line, media_type))
}

fn is_row(line: &str, media_type: MediaType) -> bool {
    match media_type {
        MediaType::Markdown => line.contains('|'),
        MediaType::Html | MediaType::Docx => line.contains(" | "),
        MediaType::PlainText | MediaType::Pdf => false,
    }
}

/// `|---|:-:|`: what stands under the header of a table of Markdown.
fn is_delimiter_row(line: &str) -> bool {
    line.contains('-')
        && line.chars().all(|character| matches!(character, '|' | '-' | ':' | ' ' | '\t' | '\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header of each chunk; `text` has `¶` where a chunk begins.
    #[track_caller]
    fn check(media_type: MediaType, marked: &str, expected: &[Option<&str>]) {
        let mut at = 0;
        let chunks: Vec<ByteRange> = marked
            .split('¶')
            .map(|piece| {
                let start = at + (piece.len() - piece.trim_start().len());
                at += piece.len();
                ByteRange { start, end: start + piece.trim().len() }
            })
            .collect();
        let text = marked.replace('¶', "");
        let headers = table_headers(&text, media_type, chunks);
        let headers: Vec<Option<&str>> =
            headers.iter().map(|header| header.map(|range| &text[range.start..range.end])).collect();
        assert_eq!(headers, expected, "{marked}");
    }

    #[test]
    fn chunks_that_go_on_with_a_table_have_its_header() {
        let header = Some("| City | People |");
        check(
            MediaType::Markdown,
            "Text.\n\n| City | People |\n|---|--:|\n| Ulm | 1 |\n¶| Bonn | 2 |\n¶| Jena | 3 |\n\nEnd.\n\n¶More | text.",
            &[None, header, header, None],
        );
        check(MediaType::Html, "City | People\nUlm | 1\n¶Bonn | 2", &[None, Some("City | People")]);
    }

    #[test]
    fn what_only_looks_like_a_table_has_none() {
        check(MediaType::Markdown, "a | b\nc | d\n¶e | f", &[None, None]);
        check(MediaType::PlainText, "| a |\n|---|\n| b |\n¶| c |", &[None, None]);
        check(MediaType::Markdown, "| a |\n|---|\n| b |\n\n¶| c |\n|---|\n| d |", &[None, None]);
        check(MediaType::Markdown, "| a |\n|---|\n| b |\n¶And this is prose.", &[None, None]);
    }
}
