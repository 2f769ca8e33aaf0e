//! What holds for every format: hostile bytes are refused or read, and what is read can be chunked.

use proptest::prelude::*;

use super::*;
use crate::{ChunkOptions, chunk};

fn code(bytes: &[u8], name: &str) -> &'static str {
    match parse(bytes, Hint::file_name(name), &Limits::default()) {
        Ok(_) => "ok",
        Err(error) => error.code(),
    }
}

/// Parses, and checks what holds for every result.
fn check(bytes: &[u8], name: &str) {
    let Ok(document) = parse(bytes, Hint::file_name(name), &Limits::default()) else { return };
    let mut end = 0;
    for block in &document.blocks {
        assert!(end <= block.range.start && block.range.start < block.range.end, "{:?}", block.range);
        assert!(document.text.get(block.range.start..block.range.end).is_some());
        end = block.range.end;
    }
    for chunk in chunk(&document, &ChunkOptions::default(), &|_| Vec::new()) {
        assert!(document.text.get(chunk.range.start..chunk.range.end).is_some());
    }
}

#[test]
fn documents_without_text_are_empty() {
    for name in ["a.txt", "a.md", "a.html", "a.pdf", "a.docx", "a"] {
        assert_eq!(code(b"", name), "empty", "{name}");
    }
    for name in ["a.txt", "a.md", "a.html", "a"] {
        assert_eq!(code(b" \n\t \r\n", name), "empty", "{name}");
        assert_eq!(code(b"\xef\xbb\xbf", name), "empty", "{name}");
        assert_eq!(code(b"\xff\xfe", name), "empty", "{name}");
    }
}

#[test]
fn the_canonical_text_of_text_is_the_file() {
    let source = "\u{feff}# Title\r\n\r\nText \r\n";
    for name in ["a.txt", "a.md"] {
        let document = parse(source.as_bytes(), Hint::file_name(name), &Limits::default()).expect("text");
        assert_eq!(document.text, source);
    }
}

#[test]
fn names_do_not_hide_what_bytes_are() {
    assert_eq!(code(b"MZ\x90\0\x03\0\0\0\x04", "a.txt"), "binary_as_text");
    assert_eq!(code(b"caf\xe9", "a.md"), "invalid_utf8");
    assert_eq!(code(b"\x89PNG\r\n\x1a\nIHDR", "a.html"), "unsupported_media_type");
    assert_eq!(code(b"PK\x03\x04broken", "a.txt"), "corrupt");
    assert_eq!(code(b"%PDF-1.7 broken", "a.txt"), "corrupt");
}

#[test]
fn sizes_are_limited_before_and_after() {
    let limits = Limits { max_bytes: 10, ..Limits::default() };
    let refused = |bytes: &[u8], limits: &Limits| parse(bytes, Hint::default(), limits).expect_err("refused");
    assert_eq!(refused(&[b'a'; 11], &limits), ParseError::TooLarge { size: 11, limit: 10 });
    let limits = Limits { max_text_bytes: 10, ..Limits::default() };
    assert_eq!(refused(&[b'a'; 11], &limits), ParseError::TooMuchText { limit: 10 });
}

#[test]
fn a_line_of_a_megabyte_is_a_document() {
    check(&[b'a'; 1 << 20], "a.txt");
    check("word ".repeat(200_000).as_bytes(), "a.md");
}

fn names() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a.txt", "a.md", "a.html", "a.pdf", "a.docx", "a"])
}

/// Bytes with some of them changed, taken out or doubled.
fn mutated(bytes: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = bytes.len();
    let change = (0..length, any::<u8>(), 0..4u8, 0..64usize);
    prop::collection::vec(change, 1..8).prop_map(move |changes| {
        let mut bytes = bytes.clone();
        for (at, byte, kind, length) in changes {
            let at = at.min(bytes.len().saturating_sub(1));
            let end = (at + length).min(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => drop(bytes.drain(at..end)),
                2 => {
                    let copy = bytes[at..end].to_vec();
                    bytes.splice(at..at, copy);
                }
                _ => bytes.truncate(at.max(1)),
            }
            if bytes.is_empty() {
                bytes.push(byte);
            }
        }
        bytes
    })
}

fn sample_pdf() -> Vec<u8> {
    pdf::tests::pages(&[
        "BT /F1 12 Tf 72 700 Td (Some text) Tj 0 -14 Td [(mo)-300(re)] TJ ET /X Do",
        "q 1 0 0 1 0 0 cm Q",
    ])
}

fn sample_docx() -> Vec<u8> {
    let body = "<w:document><w:body><w:p><w:pPr><w:pStyle w:val=\"Heading1\"/></w:pPr><w:r><w:t>One</w:t></w:r></w:p>\
                <w:tbl><w:tr><w:tc><w:p><w:r><w:t>cell</w:t></w:r></w:p></w:tc></w:tr></w:tbl></w:body></w:document>";
    docx::tests::archive(&[("word/document.xml", body), ("word/styles.xml", "<w:styles></w:styles>")])
}

proptest! {
    #[test]
    fn any_bytes_under_any_name_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..300), name in names()) {
        check(&bytes, name);
    }

    #[test]
    fn any_text_under_any_name_is_refused_or_read(text in "(\\PC|[<>/#*`|&;\\n a-z-]|<[a-z0-9]{1,6}>|</[a-z0-9]{1,6}>){0,100}", name in names()) {
        check(text.as_bytes(), name);
        check(format!("<!doctype html>{text}").as_bytes(), name);
    }

    #[test]
    fn known_beginnings_with_any_bytes_behind_are_refused_or_read(
        begin in prop::sample::select(vec!["%PDF-1.4\n1 0 obj", "PK\u{3}\u{4}", "<!doctype html>", "---\ntitle: x\n---\n"]),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        name in names(),
    ) {
        check(&[begin.as_bytes(), &bytes].concat(), name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_damaged_pdf_is_refused_or_read(bytes in mutated(sample_pdf())) {
        check(&bytes, "a.pdf");
    }

    #[test]
    fn a_damaged_docx_is_refused_or_read(bytes in mutated(sample_docx())) {
        check(&bytes, "a.docx");
    }
}
