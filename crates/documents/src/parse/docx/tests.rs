use std::io::Write;

use zip::write::{SimpleFileOptions, ZipWriter};

use super::*;
use crate::document::BlockKind;

const STYLES: &str = r#"<w:styles xmlns:w="w">
<w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>
<w:style w:styleId="Custom"><w:name w:val="My heading"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>
<w:style w:styleId="Derived"><w:name w:val="Derived"/><w:basedOn w:val="Custom"/></w:style>
<w:style w:styleId="Loop"><w:name w:val="Loop"/><w:basedOn w:val="Loop"/></w:style>
<w:style w:styleId="Titel"><w:name w:val="Title"/></w:style>
</w:styles>"#;

pub(crate) fn archive(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        writer.start_file(*name, SimpleFileOptions::default()).expect("a part");
        writer.write_all(content.as_bytes()).expect("its content");
    }
    writer.finish().expect("an archive").into_inner()
}

use std::io::Cursor;

fn body(content: &str) -> String {
    format!(
        r#"<?xml version="1.0"?><w:document xmlns:w="w" xmlns:m="m"><w:body>{content}</w:body></w:document>"#
    )
}

fn docx(content: &str) -> Vec<u8> {
    archive(&[("word/document.xml", &body(content)), ("word/styles.xml", STYLES)])
}

fn paragraph(style: &str, text: &str) -> String {
    format!(r#"<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"#)
}

fn read(bytes: &[u8]) -> Result<ParsedDocument, ParseError> {
    parse(bytes, &Limits::default())
}

#[track_caller]
fn check(content: &str, expected: &[(BlockKind, &str)]) {
    let document = read(&docx(content)).expect("a document");
    let blocks: Vec<_> = document
        .blocks
        .iter()
        .map(|block| (block.kind, &document.text[block.range.start..block.range.end]))
        .collect();
    assert_eq!(blocks, expected);
}

#[test]
fn styles_make_headings_whatever_their_language_and_ancestry() {
    let content = [
        paragraph("Titel", "The report"),
        paragraph("berschrift1", "One"),
        paragraph("Custom", "Two"),
        paragraph("Derived", "Three"),
        paragraph("Loop", "Text &amp; <more"),
    ]
    .concat()
    .replace("<more", "&lt;more &#8364;");
    let document = read(&docx(&content)).expect("a document");
    assert_eq!(document.title.as_deref(), Some("The report"));
    assert_eq!(document.text, "The report\n\nOne\n\nTwo\n\nThree\n\nText & <more €");
    let last = document.blocks.last().expect("blocks");
    assert_eq!(*last.headings, ["One", "Three"]);
}

#[test]
fn lists_tables_breaks_and_deletions_are_understood() {
    check(
        r#"<w:p><w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="3"/></w:numPr></w:pPr><w:r><w:t>one</w:t></w:r></w:p>
           <w:p><w:pPr><w:numPr><w:ilvl w:val="1"/><w:numId w:val="3"/></w:numPr></w:pPr><w:r><w:t>deep</w:t></w:r></w:p>
           <w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc>
           <w:tc><w:tbl><w:tr><w:tc><w:p><w:r><w:t>inner</w:t></w:r></w:p></w:tc></w:tr></w:tbl></w:tc></w:tr></w:tbl>
           <w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:r><w:t xml:space="preserve">kept </w:t></w:r>
           <w:r><w:t>tex</w:t></w:r><w:r><w:t>t</w:t><w:br/><w:t>next</w:t></w:r></w:p>"#,
        &[
            (BlockKind::ListItem, "- one"),
            (BlockKind::ListItem, "- deep"),
            (BlockKind::Table, "a b | inner"),
            (BlockKind::Paragraph, "kept text\nnext"),
        ],
    );
}

#[test]
fn code_in_a_row_is_one_block_and_a_text_box_is_read_once() {
    let boxed = r#"<w:p><w:r><w:t>outer</w:t></w:r><mc:AlternateContent><mc:Choice><w:txbxContent><w:p><w:r><w:t>box</w:t></w:r></w:p>
        </w:txbxContent></mc:Choice><mc:Fallback><w:p><w:r><w:t>box</w:t></w:r></w:p></mc:Fallback></mc:AlternateContent></w:p>"#;
    let code = paragraph("SourceCode", "fn x() {") + &paragraph("SourceCode", "}");
    check(
        &(code + boxed),
        &[(BlockKind::Code, "fn x() {\n}"), (BlockKind::Paragraph, "box"), (BlockKind::Paragraph, "outer")],
    );
}

#[test]
fn properties_name_the_title_and_notes_are_read_last() {
    let bytes = archive(&[
        ("word/document.xml", &body(&paragraph("x", "text"))),
        ("word/footnotes.xml", &paragraph("x", "A note.")),
        ("docProps/core.xml", "<cp:p><dc:title>Named</dc:title><dc:creator>Me</dc:creator></cp:p>"),
    ]);
    let document = read(&bytes).expect("a document");
    assert_eq!(document.title.as_deref(), Some("Named"));
    assert_eq!(document.text, "text\n\nA note.");
}

#[track_caller]
fn code(bytes: &[u8], limits: &Limits) -> &'static str {
    parse(bytes, limits).expect_err("refused").code()
}

#[test]
fn other_archives_and_broken_ones_are_refused() {
    let limits = Limits::default();
    assert_eq!(code(&archive(&[("xl/workbook.xml", "<x/>")]), &limits), "unsupported_media_type");
    assert_eq!(code(&archive(&[("a.txt", "x")]), &limits), "unsupported_media_type");
    assert_eq!(code(b"PK\x03\x04 and then nothing", &limits), "corrupt");
    assert_eq!(code(&docx("<w:p><w:r></w:p>"), &limits), "corrupt");
    assert_eq!(code(&archive(&[("word/document.xml", "<a")]), &limits), "corrupt");
    assert_eq!(code(&docx("<w:p/>"), &limits), "no_text");
    let whole = docx(&paragraph("x", "text"));
    assert_eq!(code(&whole[..whole.len() / 2], &limits), "corrupt");
}

#[test]
fn bombs_are_stopped_while_they_unpack() {
    let limits = Limits::default();
    let zeros = " ".repeat(64 << 20);
    assert_eq!(code(&docx(&zeros), &limits), "archive_bomb");
    let small = Limits { max_unpacked_bytes: 10_000, ..limits };
    assert_eq!(code(&docx(&paragraph("x", &"words ".repeat(3_000))), &small), "archive_bomb");
    let few = Limits { max_archive_entries: 1, ..limits };
    assert_eq!(code(&docx(&paragraph("x", "text")), &few), "archive_bomb");
    let short = Limits { max_text_bytes: 100, ..limits };
    assert_eq!(code(&docx(&paragraph("x", &"words ".repeat(100))), &short), "too_much_text");
}

#[test]
fn sizes_that_the_archive_states_are_not_believed() {
    let mut bytes = docx(&" ".repeat(8 << 20));
    let size = u32::try_from(body(&" ".repeat(8 << 20)).len()).expect("fits").to_le_bytes();
    let places: Vec<_> =
        bytes.windows(4).enumerate().filter(|(_, window)| *window == size).map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + 4].copy_from_slice(&100u32.to_le_bytes());
    }
    assert!(matches!(code(&bytes, &Limits::default()), "archive_bomb" | "corrupt"));
}

#[test]
fn entities_that_a_document_defines_are_not_expanded() {
    let lol =
        r#"<!DOCTYPE w [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><w:p><w:r><w:t>x&b;y</w:t></w:r></w:p>"#;
    assert_eq!(read(&archive(&[("word/document.xml", lol)])).expect("a document").text, "xy");
}

#[test]
fn deep_nesting_is_no_recursion() {
    let deep = "<w:p>".repeat(100_000) + "<w:r><w:t>deep</w:t></w:r>" + &"</w:p>".repeat(100_000);
    assert_eq!(read(&docx(&deep)).expect("a document").text, "deep");
    let deep = "<w:tbl>".repeat(100_000) + &paragraph("x", "cell") + &"</w:tbl>".repeat(100_000);
    assert!(read(&docx(&deep)).is_err());
}
