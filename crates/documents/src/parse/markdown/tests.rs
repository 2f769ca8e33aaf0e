use super::*;

fn blocks(document: &ParsedDocument) -> Vec<(BlockKind, &str)> {
    document
        .blocks
        .iter()
        .map(|block| (block.kind, &document.text[block.range.start..block.range.end]))
        .collect()
}

#[track_caller]
fn check(source: &str, expected: &[(BlockKind, &str)]) {
    let document = parse(source.to_owned());
    assert_eq!(document.text, source);
    assert_eq!(blocks(&document), expected);
}

use BlockKind::{Code, FrontMatter, Heading, Hidden, ListItem, Paragraph, Table};

#[test]
fn headings_of_both_styles_make_paths() {
    let document =
        parse("# Book\n\nIntro\n\nChapter *one*\n---\nText\n### `deep`\nMore\n# Other\nEnd".to_owned());
    assert_eq!(document.title.as_deref(), Some("Book"));
    let paths: Vec<_> = document.blocks.iter().map(|block| block.headings.join(" / ")).collect();
    assert_eq!(
        paths,
        [
            "Book",
            "Book",
            "Book / Chapter one",
            "Book / Chapter one",
            "Book / Chapter one / deep",
            "Book / Chapter one / deep",
            "Other",
            "Other"
        ]
    );
}

#[test]
fn code_tables_and_paragraphs_are_blocks_with_their_markers() {
    check(
        "Text\nwrapped\n\n```rust\n# not a heading\n\nfn main() {}\n```\n| a | b |\n|---|---|\n| 1 | 2 |\n",
        &[
            (Paragraph, "Text\nwrapped"),
            (Code, "```rust\n# not a heading\n\nfn main() {}\n```"),
            (Table, "| a | b |\n|---|---|\n| 1 | 2 |"),
        ],
    );
}

#[test]
fn items_carry_their_marker_and_end_where_nested_ones_begin() {
    check(
        "- one *two*\n  - nested\n- three\n\n1. loose\n\n   second paragraph\n2. ```\n   code\n   ```\n-\n",
        &[
            (ListItem, "- one *two*"),
            (ListItem, "- nested"),
            (ListItem, "- three"),
            (ListItem, "1. loose"),
            (Paragraph, "second paragraph"),
            (Code, "2. ```\n   code\n   ```"),
        ],
    );
}

#[test]
fn quotes_keep_their_marks_and_their_headings_open_no_section() {
    let source = "> # Note\n> text\n\nAfter[^1]\n\n[^1]: The note.\n";
    check(
        source,
        &[
            (Paragraph, "> # Note"),
            (Paragraph, "> text"),
            (Paragraph, "After[^1]"),
            (Paragraph, "[^1]: The note."),
        ],
    );
    assert!(parse(source.to_owned()).blocks.iter().all(|block| block.headings.is_empty()));
}

#[test]
fn front_matter_gives_the_title_and_is_no_text() {
    let document = parse("---\nid: 3\ntitle: \"A Guide\"\n---\n\n# Heading\n\nText".to_owned());
    assert_eq!(document.title.as_deref(), Some("A Guide"));
    assert_eq!(document.blocks[0].kind, FrontMatter);
    assert_eq!(parse("+++\ntitle = 'T'\n+++\ntext".to_owned()).title.as_deref(), Some("T"));
}

#[test]
fn markup_that_no_reader_sees_is_hidden() {
    check(
        "<!-- a comment -->\n\n<a id=\"x\"></a>\n\n<p>Seen</p>\n\n[a]: b.html <!-- ignore -->\n[c]: d.html <!-- ignore -->\n",
        &[
            (Hidden, "<!-- a comment -->"),
            (Hidden, "<a id=\"x\"></a>"),
            (Paragraph, "<p>Seen</p>"),
            (Hidden, "[a]: b.html <!-- ignore -->\n[c]: d.html <!-- ignore -->"),
        ],
    );
}

#[test]
fn link_definitions_are_hidden() {
    check(
        "See [a].\n\n[a]: https://example.com 'Title'\n",
        &[(Paragraph, "See [a]."), (Hidden, "[a]: https://example.com 'Title'")],
    );
}

#[test]
fn html_headings_are_headings() {
    let document = parse("<h1 align=\"center\">\n  The <b>Tool</b>\n</h1>\n\nText".to_owned());
    assert_eq!(document.title.as_deref(), Some("The Tool"));
    assert_eq!(document.blocks[0].kind, Heading(1));
    assert_eq!(*document.blocks[1].headings, ["The Tool"]);
}

#[test]
fn a_byte_order_mark_does_not_hide_the_first_heading() {
    let document = parse("\u{feff}# Title\n\nText".to_owned());
    assert_eq!(blocks(&document), [(Heading(1), "# Title"), (Paragraph, "Text")]);
}

#[test]
fn deep_nesting_is_read_in_linear_time_without_recursion() {
    for source in [
        ">".repeat(100_000) + " deep",
        "- ".repeat(50_000) + "deep",
        "[".repeat(100_000),
        "*a ".repeat(50_000),
    ] {
        assert!(!parse(source).blocks.is_empty());
    }
}
