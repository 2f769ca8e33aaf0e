//! Chunks as a reader sees them: without markup, for embedding and for word search.

use std::borrow::Cow;

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use crate::document::MediaType;
use crate::parse::MARKDOWN_OPTIONS;

/// A slice of canonical text without the markup of its format.
///
/// Markdown loses heading marks, emphasis, fences, link targets, table pipes, list bullets and HTML tags; the text of
/// links, code and images' descriptions stays. Other formats carry no markup in their canonical text and are returned
/// as they are. Linear in `text`.
pub fn plain(text: &str, media_type: MediaType) -> Cow<'_, str> {
    if !media_type.has_markup() || !may_hold_markup(text) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(without_markdown(text))
}

/// Whether there is any character that Markdown gives a meaning to. Most sentences have none.
fn may_hold_markup(text: &str) -> bool {
    text.bytes().any(|byte| {
        matches!(byte, b'*' | b'_' | b'`' | b'[' | b'<' | b'#' | b'|' | b'>' | b'\\' | b'&' | b'~')
    }) || text
        .lines()
        .any(|line| line.trim_start().starts_with(['-', '+', '=']) || line.starts_with(char::is_numeric))
}

fn without_markdown(text: &str) -> String {
    let mut plain = Plain { text: String::with_capacity(text.len()), html: String::new() };
    for event in Parser::new_ext(text.trim_start_matches('\u{feff}'), MARKDOWN_OPTIONS) {
        plain.event(event);
    }
    plain.text.truncate(plain.text.trim_end().len());
    plain.text
}

struct Plain {
    text: String,
    /// The block of HTML that is being read: it comes line by line, tags go over lines.
    html: String,
}

impl Plain {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Text(text) | Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.text.push_str(&text);
            }
            Event::Html(html) => self.html.push_str(&html),
            Event::End(TagEnd::HtmlBlock) => {
                self.text.push_str(without_tags(&std::mem::take(&mut self.html)).trim())
            }
            Event::SoftBreak | Event::HardBreak => self.text.push('\n'),
            Event::Start(tag) if begins_line(&tag) => self.new_line(),
            Event::End(TagEnd::TableCell) => self.text.push(' '),
            _ => {}
        }
    }

    fn new_line(&mut self) {
        self.text.truncate(self.text.trim_end_matches([' ', '\n']).len());
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }
}

fn begins_line(tag: &Tag<'_>) -> bool {
    !matches!(
        tag,
        Tag::Emphasis
            | Tag::Strong
            | Tag::Strikethrough
            | Tag::Superscript
            | Tag::Subscript
            | Tag::Link { .. }
            | Tag::Image { .. }
            | Tag::TableCell
    )
}

/// The text of HTML: without tags, comments, and what stands in `script` and `style`. A scan, not a parse: for the HTML
/// inside Markdown.
pub(crate) fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    // Behind the last `>` no tag ends: without this, every `<` there would be searched to the end.
    let (mut rest, tail) = html.split_at(html.rfind('>').map_or(0, |at| at + 1));
    while let Some(open) = rest.find('<') {
        text.push_str(&rest[..open]);
        rest = &rest[open..];
        match tag_length(rest) {
            Some(length) => rest = &rest[length..],
            None => {
                text.push('<');
                rest = &rest[1..];
            }
        }
    }
    text.push_str(rest);
    text.push_str(tail);
    text
}

/// Length of the tag or comment that `html` begins with; for `script` and `style` with their content. `None` where the
/// `<` begins no tag.
fn tag_length(html: &str) -> Option<usize> {
    if html.starts_with("<!--") {
        return Some(html.find("-->").map_or(html.len(), |at| at + 3));
    }
    let name_at = if html.starts_with("</") { 2 } else { 1 };
    if !html
        .as_bytes()
        .get(name_at)
        .is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'!' || *byte == b'?')
    {
        return None;
    }
    for name in ["script", "style"] {
        let is_named = html.get(1..=name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name));
        if is_named {
            let close = ["</", name, ">"].concat();
            return Some(html.find(&close).map_or(html.len(), |at| at + close.len()));
        }
    }
    html.find('>').map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(markdown: &str, expected: &str) {
        assert_eq!(plain(markdown, MediaType::Markdown), expected);
    }

    #[test]
    fn readers_see_the_words_of_links_emphasis_and_code() {
        check(
            "See the **[Rust *book*](https://doc.rust-lang.org)** and `Vec<T>`.",
            "See the Rust book and Vec<T>.",
        );
        check("![A *cat*](cat.png \"Tom\") &amp; a <b>dog</b>", "A cat & a dog");
        check("snake_case_name stays", "snake_case_name stays");
    }

    #[test]
    fn blocks_stand_on_lines_of_their_own() {
        check(
            "# Title\n\nText\nwrapped\n\n- one\n- two\n\n```rust\nlet x = 1;\n```\nEnd",
            "Title\nText\nwrapped\none\ntwo\nlet x = 1;\nEnd",
        );
        check("| a | b |\n|---|---|\n| 1 | 2 |", "a b\n1 2");
    }

    #[test]
    fn html_loses_tags_comments_and_scripts() {
        check("<div>\n<!-- no -->\n<p>1 < 2</p>\n<style>p { x }</style>\n</div>", "1 < 2");
        assert_eq!(without_tags("a<br/>b <3 <script>x</script>c < d"), "ab <3 c < d");
    }

    #[test]
    fn text_without_markup_is_borrowed() {
        assert!(matches!(plain("Nothing here. Really!", MediaType::Markdown), Cow::Borrowed(_)));
        assert!(matches!(plain("5 * 3 # stays", MediaType::PlainText), Cow::Borrowed("5 * 3 # stays")));
    }
}
