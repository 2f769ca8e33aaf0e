use super::*;
use crate::document::BlockKind::{self, Code, Heading, ListItem, Paragraph, Table};

fn document(html: &str) -> ParsedDocument {
    parse(html, 1 << 20).expect("text")
}

fn blocks(document: &ParsedDocument) -> Vec<(BlockKind, &str)> {
    document
        .blocks
        .iter()
        .map(|block| (block.kind, &document.text[block.range.start..block.range.end]))
        .collect()
}

#[track_caller]
fn check(html: &str, expected: &[(BlockKind, &str)]) {
    assert_eq!(blocks(&document(html)), expected);
}

#[test]
fn a_page_becomes_readable_text_with_headings() {
    let page = document(
        "<!DOCTYPE html><html><head><title>The  &amp; Title</title><style>p{}</style></head><body>\n\
         <h1>First <em>heading</em> <a class=\"headerlink\" href=#x>¶</a></h1><p>One\n  two&nbsp;three.<p>Next<br>line\
         <h2>Second<div>part</div></h2>Loose<script>if (a < b) { x() }</script> text.</body></html>",
    );
    assert_eq!(page.title.as_deref(), Some("The & Title"));
    assert_eq!(page.text, "First heading\n\nOne two three.\n\nNext\nline\n\nSecond part\n\nLoose text.");
    let paths: Vec<_> = page.blocks.iter().map(|block| block.headings.join("/")).collect();
    assert_eq!(
        paths,
        [
            "First heading",
            "First heading",
            "First heading",
            "First heading/Second part",
            "First heading/Second part"
        ]
    );
}

#[test]
fn lists_are_lines_with_markers_and_indentation() {
    let page =
        document("<ul><li>One<ul><li><p>Deep</p><p>More</p></ul><li>Two</ul><ol><li>A</li><li>B</li></ol>");
    assert_eq!(page.text, "- One\n  - Deep\n\nMore\n\n- Two\n1. A\n2. B");
    let kinds: Vec<_> = page.blocks.iter().map(|block| block.kind).collect();
    assert_eq!(kinds, [ListItem, ListItem, Paragraph, ListItem, ListItem, ListItem]);
}

#[test]
fn tables_are_lines_with_their_cells_and_code_keeps_its_lines() {
    check(
        "<table><caption>Sizes</caption><tr><th>Name<th>Size<tr><td><p>a</p><p>b</p></td><td>1</td></tr></table>\
         <pre><code>fn main() {\n    x();\n}</code></pre>After",
        &[
            (Paragraph, "Sizes"),
            (Table, "Name | Size\na b | 1"),
            (Code, "fn main() {\n    x();\n}"),
            (Paragraph, "After"),
        ],
    );
}

#[test]
fn tables_that_lay_out_the_page_are_no_tables() {
    let long = "word ".repeat(300);
    check(
        &format!("<table><tr><td>Menu<td>{long}</table>"),
        &[(Paragraph, "Menu"), (Paragraph, long.trim())],
    );
    check("<table><tr><td>One<tr><td>Two</table>", &[(Paragraph, "One"), (Paragraph, "Two")]);
    check(
        "<table><tr><td><h2>Title</h2>Text<table><tr><td>a<td>b</table>end</table>",
        &[(Heading(2), "Title"), (Paragraph, "Text"), (Table, "a | b"), (Paragraph, "end")],
    );
}

#[test]
fn the_furniture_of_a_page_is_left_out() {
    check(
        "<header>Shop</header><nav><ul><li>Home</ul></nav><div hidden>x</div><p style='display: none'>y</p>\
         <div role=navigation>z</div><svg><title>icon</title><text>s</text></svg><button>Copy</button>\
         <noscript><p>Enable</p></noscript><p>Text</p><span aria-hidden=true>#</span><footer>Imprint</footer>",
        &[(Paragraph, "Shop"), (Paragraph, "Text")],
    );
}

#[test]
fn the_main_part_counts_where_there_is_one_with_the_text() {
    let text = "A sentence of the article that is longer than the rest. ".repeat(3);
    check(
        &format!("<p>Site</p><ul><li>Menu</ul><main><p>{text}</p></main><p>Related</p>"),
        &[(Paragraph, text.trim())],
    );
    check(&format!("<p>Site</p><div role='main'>{text}</div>"), &[(Paragraph, text.trim())]);
    check(&format!("<p>Site</p><article>{text}</article>"), &[(Paragraph, text.trim())]);
    check(&format!("<p>{text}</p><main>Empty</main>"), &[(Paragraph, text.trim()), (Paragraph, "Empty")]);
}

#[test]
fn broken_markup_loses_no_text() {
    check(
        "<p>a<div>b</p>c</div></div></span>d",
        &[(Paragraph, "a"), (Paragraph, "b"), (Paragraph, "c"), (Paragraph, "d")],
    );
    check("<div><nav>menu<p>x</div><p>seen", &[(Paragraph, "seen")]);
    check("<h1>a</h2><td>cell</td>b", &[(Heading(1), "a"), (Paragraph, "cell"), (Paragraph, "b")]);
    check("a <b", &[(Paragraph, "a")]);
    check("x &lt;y&gt; &unknown; &#xD800; \u{ad}z", &[(Paragraph, "x <y> &unknown; \u{fffd} z")]);
}

#[test]
fn a_page_without_text_says_so_and_too_much_text_too() {
    assert_eq!(
        parse("<body><div id=app></div><script>x</script>", 100).expect_err("no text").code(),
        "no_text"
    );
    assert_eq!(parse(&"<p>some words".repeat(20), 100).expect_err("too much").code(), "too_much_text");
    assert_eq!(parse(&format!("<p>{}", "a".repeat(200)), 100).expect_err("too much").code(), "too_much_text");
}

#[test]
fn hostile_markup_is_read_in_linear_time_without_recursion() {
    let patterns = [
        "<div>",
        "<li>",
        "<ul><li>",
        "<table><tr><td>",
        "<b>",
        "<p><span hidden>",
        "</div>",
        "<a b",
        "<a b c=d e>",
        "<nav>",
        "<h1>",
        "<td>",
        "<pre>",
        "<ul>",
        "<!--",
        "<script>",
        "<title>",
        "&",
        "&#",
        "<",
        "</",
        "<svg/>",
        "<main><article>",
    ];
    for pattern in patterns {
        let deep = pattern.repeat(100_000) + "x</x>" + &"</span></li><li></div>".repeat(50_000) + "<p>end";
        match parse(&deep, 1 << 24) {
            Ok(_) | Err(ParseError::NoText { .. }) => {}
            Err(error) => panic!("{pattern}: {error}"),
        }
    }
    let attributes: String = (0..100_000).map(|number| format!(" a{number}=x")).collect();
    check(&format!("<p{attributes}>text"), &[(Paragraph, "text")]);
}
