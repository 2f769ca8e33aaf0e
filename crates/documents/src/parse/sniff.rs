//! What the bytes of a document are, whatever their name says.

use super::Hint;
use crate::document::MediaType;
use crate::error::ParseError;

/// A format as its bytes show it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Format {
    /// One of the formats that are text.
    Text(MediaType),
    /// A PDF.
    Pdf,
    /// A ZIP archive, as DOCX is one.
    Zip,
}

/// Finds out the format. Fails where the bytes are of a known format that is not read.
pub(super) fn sniff(bytes: &[u8], hint: Hint<'_>) -> Result<Format, ParseError> {
    if bytes.is_empty() {
        return Err(ParseError::Empty);
    }
    if is_pdf(bytes, hint) {
        return Ok(Format::Pdf);
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return Ok(Format::Zip);
    }
    if bytes.starts_with(&COMPOUND_FILE) {
        return Err(compound_file(bytes));
    }
    if let Some((_, found, advice)) = UNSUPPORTED.iter().find(|(magic, _, _)| bytes.starts_with(magic)) {
        return Err(ParseError::UnsupportedMediaType { found: (*found).to_owned(), advice });
    }
    text_format(bytes, hint).map(Format::Text)
}

/// A PDF may have other bytes before its header; only a name that promises one makes us look beyond whitespace.
fn is_pdf(bytes: &[u8], hint: Hint<'_>) -> bool {
    const HEADER: &[u8] = b"%PDF-";
    const HEADER_WITHIN: usize = 1024;
    let head = &bytes[..bytes.len().min(HEADER_WITHIN)];
    head.trim_ascii_start().starts_with(HEADER)
        || (promised(hint) == Some(MediaType::Pdf)
            && head.windows(HEADER.len()).any(|window| window == HEADER))
}

/// The first bytes of a Compound File: old Word documents, and OOXML documents with a password.
const COMPOUND_FILE: [u8; 8] = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];

fn compound_file(bytes: &[u8]) -> ParseError {
    let encrypted_package: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    if bytes.windows(encrypted_package.len()).any(|window| window == encrypted_package) {
        return ParseError::Encrypted;
    }
    ParseError::UnsupportedMediaType {
        found: "a document in an old binary Office format".to_owned(),
        advice: "save it as .docx or .pdf",
    }
}

const CONVERT: &str = "send text, Markdown, HTML, PDF or DOCX";
const UNPACK: &str = "unpack it and send the documents in it";
const OCR: &str = "make a searchable PDF of it by OCR";

/// First bytes of formats that are not read, with their names and what to do about them.
const UNSUPPORTED: &[(&[u8], &str, &str)] = &[
    (b"\x89PNG\r\n\x1a\n", "a PNG image", OCR),
    (b"\xff\xd8\xff", "a JPEG image", OCR),
    (b"GIF8", "a GIF image", OCR),
    (b"II*\0", "a TIFF image", OCR),
    (b"MM\0*", "a TIFF image", OCR),
    (b"RIFF", "a RIFF file (WebP image, audio or video)", CONVERT),
    (b"\x1f\x8b", "a gzip archive", UNPACK),
    (b"BZh", "a bzip2 archive", UNPACK),
    (b"\xfd7zXZ\0", "an xz archive", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", UNPACK),
    (b"{\\rtf", "an RTF document", "save it as .docx or .pdf"),
    (b"%!PS", "a PostScript document", "convert it to PDF"),
    (b"\x7fELF", "an executable", CONVERT),
    (b"SQLite format 3\0", "an SQLite database", CONVERT),
    (b"\xff\xfe\0\0", "text in UTF-32", "convert it to UTF-8"),
    (b"\0\0\xfe\xff", "text in UTF-32", "convert it to UTF-8"),
];

/// The text format: HTML shows itself, otherwise the name decides.
fn text_format(bytes: &[u8], hint: Hint<'_>) -> Result<MediaType, ParseError> {
    if begins_as_html(bytes) {
        return Ok(MediaType::Html);
    }
    match promised(hint) {
        Some(media_type @ (MediaType::Pdf | MediaType::Docx)) => match looks_like_text(bytes) {
            true => Ok(MediaType::PlainText),
            false => Err(ParseError::corrupt(media_type, "the file does not begin as one")),
        },
        Some(media_type) => Ok(media_type),
        None => unknown_text(hint),
    }
}

fn looks_like_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok() && control_byte(bytes).is_none()
}

/// Text that nobody named is plain text; a media type that is not text is taken at its word.
fn unknown_text(hint: Hint<'_>) -> Result<MediaType, ParseError> {
    match hint.media_type.map(|name| name.split(';').next().unwrap_or_default().trim()) {
        Some(name)
            if !name.starts_with("text/") && !name.is_empty() && name != "application/octet-stream" =>
        {
            Err(ParseError::UnsupportedMediaType {
                found: crate::document::shortened(name, 64),
                advice: CONVERT,
            })
        }
        _ => Ok(MediaType::PlainText),
    }
}

/// The format that name and media type promise. The name counts more: upload forms guess media types.
fn promised(hint: Hint<'_>) -> Option<MediaType> {
    hint.file_name
        .and_then(MediaType::from_file_name)
        .or_else(|| hint.media_type.and_then(MediaType::from_name))
}

fn begins_as_html(bytes: &[u8]) -> bool {
    const LOOKED_AT: usize = 4096;
    let bytes = bytes.strip_prefix(UTF8_MARK).unwrap_or(bytes);
    let mut head = bytes[..bytes.len().min(LOOKED_AT)].trim_ascii_start();
    // Comments and an XML declaration may stand before the document type.
    loop {
        let end: &[u8] = match head {
            [b'<', b'!', b'-', b'-', ..] => b"-->",
            [b'<', b'?', b'x' | b'X', ..] => b"?>",
            _ => break,
        };
        let Some(at) = head.windows(end.len()).position(|window| window == end) else { return false };
        head = head[at + end.len()..].trim_ascii_start();
    }
    [b"<!doctype html".as_slice(), b"<html"]
        .iter()
        .any(|tag| head.get(..tag.len()).is_some_and(|head| head.eq_ignore_ascii_case(tag)))
}

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// Text of bytes: UTF-8 as it is (a byte order mark stays, so that ranges are those of the file), UTF-16 with a byte
/// order mark decoded.
pub(super) fn decode(bytes: &[u8]) -> Result<String, ParseError> {
    if let Some(rest) = bytes.strip_prefix(b"\xff\xfe") {
        return decode_utf16(rest, u16::from_le_bytes);
    }
    if let Some(rest) = bytes.strip_prefix(b"\xfe\xff") {
        return decode_utf16(rest, u16::from_be_bytes);
    }
    if let Some(offset) = control_byte(bytes) {
        return Err(ParseError::BinaryAsText { offset });
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => Err(ParseError::InvalidUtf8 { offset: error.valid_up_to() }),
    }
}

/// The first byte that no text has: controls other than tab, line ends, form feed, backspace and escape (which terminal
/// logs are full of).
fn control_byte(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&byte| matches!(byte, 0..=7 | 0x0e..=0x1a | 0x1c..=0x1f))
}

fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, ParseError> {
    const MARK: usize = 2;
    let (units, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len());
    let mut at = 0;
    for decoded in char::decode_utf16(units.iter().map(|&bytes| unit(bytes))) {
        let character = decoded.map_err(|_| ParseError::BinaryAsText { offset: MARK + at })?;
        if character.is_ascii() && control_byte(&[character as u8]).is_some() {
            return Err(ParseError::BinaryAsText { offset: MARK + at });
        }
        text.push(character);
        at += 2 * character.len_utf16();
    }
    if rest.is_empty() { Ok(text) } else { Err(ParseError::BinaryAsText { offset: MARK + at }) }
}

/// Whether text of unknown format is written in Markdown: its lines begin as headings, fences or lists with links do.
/// For sources that do not say, such as JSONL; a plain text read as Markdown would lose its indentation's meaning and
/// have stray stars taken out, so the signs must be clear.
pub fn looks_like_markdown(text: &str) -> bool {
    const LINES: usize = 400;
    let mut fences = 0;
    let mut signs = 0;
    for line in text.lines().take(LINES) {
        let line = line.trim_start();
        let hashes = line.bytes().take(7).take_while(|&byte| byte == b'#').count();
        if (1..=6).contains(&hashes) && line[hashes..].starts_with(' ') {
            signs += 2;
        } else if line.starts_with("```") || line.starts_with("~~~") {
            fences += 1;
        }
        if line.contains("](") {
            signs += 1;
        }
        if has_pair(line, "**") || has_pair(line, "`") {
            signs += 1;
        }
    }
    fences >= 2 || signs >= 2
}

fn has_pair(line: &str, mark: &str) -> bool {
    line.split_once(mark).is_some_and(|(_, rest)| rest.find(mark).is_some_and(|at| at > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Hint<'_> {
        Hint::file_name(name)
    }

    #[test]
    fn what_the_bytes_show_counts_more_than_the_name() {
        assert_eq!(sniff(b"%PDF-1.7 ...", named("notes.txt")), Ok(Format::Pdf));
        assert_eq!(sniff(b"PK\x03\x04....", named("notes.md")), Ok(Format::Zip));
        assert_eq!(
            sniff(b"<!-- x --> <!DOCTYPE HTML><p>", named("a.txt")),
            Ok(Format::Text(MediaType::Html))
        );
        assert_eq!(sniff(b"See %PDF-1.7 for headers", named("a.md")), Ok(Format::Text(MediaType::Markdown)));
        assert_eq!(sniff(b"junk %PDF-1.7", named("a.pdf")), Ok(Format::Pdf));
        assert_eq!(sniff(b"only text", named("a.pdf")), Ok(Format::Text(MediaType::PlainText)));
    }

    #[test]
    fn the_name_decides_among_texts_and_counts_more_than_the_media_type() {
        let hint = Hint { file_name: Some("a.md"), media_type: Some("text/plain") };
        assert_eq!(sniff(b"# x", hint), Ok(Format::Text(MediaType::Markdown)));
        let hint = Hint { file_name: Some("upload"), media_type: Some("text/html; charset=utf-8") };
        assert_eq!(sniff(b"<p>x", hint), Ok(Format::Text(MediaType::Html)));
        assert_eq!(sniff(b"x", Hint::default()), Ok(Format::Text(MediaType::PlainText)));
    }

    #[track_caller]
    fn code(bytes: &[u8], hint: Hint<'_>) -> &'static str {
        sniff(bytes, hint).expect_err("refused").code()
    }

    #[test]
    fn formats_that_are_not_read_are_named_and_refused() {
        assert_eq!(code(b"\x89PNG\r\n\x1a\n....", named("a.md")), "unsupported_media_type");
        assert_eq!(code(b"\x1f\x8b\x08", named("a.txt")), "unsupported_media_type");
        let hint = Hint { file_name: None, media_type: Some("application/json") };
        assert_eq!(code(b"{}", hint), "unsupported_media_type");
        assert_eq!(code(b"\x01\x02\x03", named("a.docx")), "corrupt");
        assert_eq!(code(b"", named("a.txt")), "empty");
    }

    #[test]
    fn an_office_file_with_a_password_is_encrypted_and_an_old_one_unsupported() {
        let mut bytes = COMPOUND_FILE.to_vec();
        bytes.extend([0; 600]);
        assert_eq!(code(&bytes, named("a.docx")), "unsupported_media_type");
        bytes.extend("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes));
        assert_eq!(code(&bytes, named("a.docx")), "encrypted");
    }

    #[test]
    fn utf16_with_a_mark_is_decoded_and_halves_of_it_refused() {
        let big: Vec<u8> = "\u{feff}Grüße 😀".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let little: Vec<u8> = "\u{feff}Grüße 😀".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode(&big), Ok("Grüße 😀".to_owned()));
        assert_eq!(decode(&little), Ok("Grüße 😀".to_owned()));
        assert_eq!(decode(&little[..little.len() - 1]), Err(ParseError::BinaryAsText { offset: 14 }));
    }

    #[test]
    fn a_fault_in_text_is_named_with_its_place() {
        assert_eq!(decode(b"caf\xe9"), Err(ParseError::InvalidUtf8 { offset: 3 }));
        assert_eq!(decode(b"ab\0cd"), Err(ParseError::BinaryAsText { offset: 2 }));
        assert_eq!(decode(b"log \x1b[31mred\x1b[0m\n"), Ok("log \u{1b}[31mred\u{1b}[0m\n".to_owned()));
    }

    #[test]
    fn markdown_is_recognised_by_clear_signs_only() {
        assert!(looks_like_markdown("Text\n\n## Heading\n\nMore"));
        assert!(looks_like_markdown("Use:\n```\ncode\n```"));
        assert!(looks_like_markdown("See [a](b) and [c](d)\nand `x`."));
        assert!(!looks_like_markdown("5 * 3 is 15, # 1 in the list\n- a dash\n1986. A great year."));
    }
}
