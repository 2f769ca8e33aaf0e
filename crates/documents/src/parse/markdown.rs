//! Markdown: CommonMark with tables, footnotes, task lists and front matter. The text stays as it is; the blocks say
//! where its parts are.

use std::ops::Range;

use mainstay_domain::ByteRange;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::document::{Block, BlockKind, MediaType, Outline, ParsedDocument, shortened};
use crate::plain::without_tags;

/// The extensions that are read: what GitHub and the common documentation generators agree on.
pub(crate) const OPTIONS: Options = Options::ENABLE_TABLES
    .union(Options::ENABLE_FOOTNOTES)
    .union(Options::ENABLE_STRIKETHROUGH)
    .union(Options::ENABLE_TASKLISTS)
    .union(Options::ENABLE_HEADING_ATTRIBUTES)
    .union(Options::ENABLE_YAML_STYLE_METADATA_BLOCKS)
    .union(Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS);

/// Longest title, in bytes.
const MAX_TITLE_BYTES: usize = 512;

/// The blocks of `text`, which stays as it is.
pub(super) fn parse(text: String) -> ParsedDocument {
    // The parser would take a byte order mark for the first letter of a paragraph.
    let offset = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut reader = Reader::new(&text);
    let mut events = Parser::new_ext(&text[offset..], OPTIONS).into_offset_iter();
    for (event, range) in events.by_ref() {
        reader.event(event, range.start + offset..range.end + offset);
    }
    let definitions = events.reference_definitions().iter();
    reader.hide(
        definitions.map(|(_, definition)| definition.span.start + offset..definition.span.end + offset),
    );
    let Reader { blocks, front_matter_title, title_heading, .. } = reader;
    let title = front_matter_title.or(title_heading.map(|(_, text)| text)).filter(|title| !title.is_empty());
    ParsedDocument { title, blocks, text, media_type: MediaType::Markdown }
}

struct Reader<'a> {
    text: &'a str,
    blocks: Vec<Block>,
    outline: Outline,
    /// Lists, items, quotes and footnotes that are open.
    containers: usize,
    /// The item or footnote whose marker was read, and whose first content has not come yet.
    marker: Option<(BlockKind, Range<usize>)>,
    heading: Option<OpenHeading>,
    in_front_matter: bool,
    front_matter_title: Option<String>,
    /// Level and text of the heading that is the title where front matter names none: the first of level 1, or else
    /// the first.
    title_heading: Option<(u8, String)>,
}

struct OpenHeading {
    level: u8,
    range: Range<usize>,
    text: String,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            blocks: Vec::new(),
            outline: Outline::new(),
            containers: 0,
            marker: None,
            heading: None,
            in_front_matter: false,
            front_matter_title: None,
            title_heading: None,
        }
    }

    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(&tag, range),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.in_front_matter => {
                self.front_matter_title =
                    self.front_matter_title.take().or_else(|| front_matter_title(&text));
            }
            Event::Text(text) | Event::Code(text) => match &mut self.heading {
                Some(heading) => heading.text.push_str(&text),
                None => self.inline(),
            },
            Event::SoftBreak | Event::HardBreak => {
                if let Some(heading) = &mut self.heading {
                    heading.text.push(' ');
                }
            }
            Event::Html(_) | Event::Rule => {}
            _ => self.inline(),
        }
    }

    fn start(&mut self, tag: &Tag<'_>, range: Range<usize>) {
        match tag {
            Tag::Heading { level, .. } if self.containers == 0 => {
                self.heading = Some(OpenHeading { level: *level as u8, range, text: String::new() });
            }
            Tag::Heading { .. } => self.block(BlockKind::Paragraph, range),
            Tag::Paragraph => self.block(paragraph_kind(&self.text[range.clone()]), range),
            Tag::CodeBlock(_) => self.block(BlockKind::Code, range),
            Tag::Table(_) => self.block(BlockKind::Table, range),
            Tag::HtmlBlock => self.html_block(range),
            Tag::MetadataBlock(_) => {
                self.in_front_matter = true;
                self.block(BlockKind::FrontMatter, range);
            }
            Tag::List(_) | Tag::BlockQuote(_) => self.containers += 1,
            Tag::Item => self.open_marker(BlockKind::ListItem, range),
            Tag::FootnoteDefinition(_) => self.open_marker(BlockKind::Paragraph, range),
            Tag::TableHead | Tag::TableRow | Tag::TableCell => {}
            _ => self.inline(),
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => {
                if let Some(heading) = self.heading.take() {
                    self.heading(heading.level, heading.range, &heading.text);
                }
            }
            TagEnd::MetadataBlock(_) => self.in_front_matter = false,
            TagEnd::Item | TagEnd::FootnoteDefinition => {
                // An empty item has no content to go with, and none to find.
                self.marker = None;
                self.containers = self.containers.saturating_sub(1);
            }
            TagEnd::List(_) | TagEnd::BlockQuote(_) => self.containers = self.containers.saturating_sub(1),
            _ => {}
        }
    }

    fn open_marker(&mut self, kind: BlockKind, range: Range<usize>) {
        self.containers += 1;
        self.marker = Some((kind, range));
    }

    /// Text directly in an item: that of a tight list, which has no paragraphs. It goes on to the end of the item, or to
    /// the block that begins before.
    fn inline(&mut self) {
        if let Some((kind, range)) = self.marker.take() {
            self.push(kind, range);
        }
    }

    /// A block begins; the first in an item includes the item's marker.
    fn block(&mut self, kind: BlockKind, range: Range<usize>) {
        match (self.marker.take(), kind) {
            (Some((marked, item)), BlockKind::Paragraph) => self.push(marked, item.start..range.end),
            (Some((_, item)), kind) => self.push(kind, item.start..range.end),
            (None, kind) => self.push(kind, range),
        }
    }

    fn heading(&mut self, level: u8, range: Range<usize>, text: &str) {
        self.outline.enter(level, text);
        let better = self.title_heading.as_ref().is_none_or(|(known, _)| level == 1 && *known > 1);
        if better {
            self.title_heading = Some((level, shortened(text, MAX_TITLE_BYTES)));
        }
        self.push(BlockKind::Heading(level), range);
    }

    fn html_block(&mut self, range: Range<usize>) {
        let html = &self.text[range.clone()];
        let visible = without_tags(html);
        if !visible.chars().any(char::is_alphanumeric) {
            self.block(BlockKind::Hidden, range);
        } else if let Some(level) = heading_tag(html).filter(|_| self.containers == 0) {
            self.heading(level, range, &visible);
        } else {
            self.block(BlockKind::Paragraph, range);
        }
    }

    fn push(&mut self, kind: BlockKind, range: Range<usize>) {
        let start = self.with_indentation(range.start);
        if let Some(last) = self.blocks.last_mut() {
            // An item ends where the block nested in it begins.
            if last.range.end > start {
                last.range.end = last.range.start + self.text[last.range.start..start].trim_end().len();
            }
        }
        let end = start + self.text[start..range.end].trim_end().len();
        if start < end {
            let range = ByteRange { start, end };
            self.blocks.push(Block { kind, range, headings: self.outline.path() });
        }
    }

    /// Adds what the parser makes no events of, where no block holds it.
    fn hide(&mut self, ranges: impl Iterator<Item = Range<usize>>) {
        let outside = self.outline.path();
        self.blocks.extend(ranges.map(|range| {
            let end = range.start + self.text[range.clone()].trim_end().len();
            let range = ByteRange { start: range.start, end };
            Block { kind: BlockKind::Hidden, range, headings: outside.clone() }
        }));
        self.blocks.sort_by_key(|block| block.range.start);
        let mut covered = 0;
        self.blocks.retain(|block| {
            let free = block.range.start >= covered;
            covered = covered.max(block.range.end);
            free
        });
    }

    /// The beginning of the line where only quote marks and spaces stand before `start`.
    fn with_indentation(&self, start: usize) -> usize {
        let floor = self.blocks.last().map_or(0, |last| last.range.start);
        let before = &self.text.as_bytes()[floor..start];
        let marks = before.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t' | b'>')).count();
        let line_start = start - marks;
        let quoted = self.text.as_bytes()[line_start..start].contains(&b'>');
        let at_line_start = line_start == 0 || self.text.as_bytes()[line_start - 1] == b'\n';
        if quoted && at_line_start { line_start } else { start }
    }
}

/// The title that YAML (`title: …`) or TOML (`title = "…"`) front matter names.
fn front_matter_title(text: &str) -> Option<String> {
    let value = text.lines().find_map(|line| {
        let value = line.strip_prefix("title")?.trim_start();
        value.strip_prefix(':').or_else(|| value.strip_prefix('='))
    })?;
    let title = shortened(value.trim().trim_matches(['"', '\'']), MAX_TITLE_BYTES);
    (!title.is_empty()).then_some(title)
}

fn paragraph_kind(paragraph: &str) -> BlockKind {
    let only_tags = paragraph.starts_with('<') && !without_tags(paragraph).chars().any(char::is_alphanumeric);
    if only_tags || is_link_definitions(paragraph) { BlockKind::Hidden } else { BlockKind::Paragraph }
}

/// Whether a paragraph is nothing but lines such as `[name]: address`, which many books carry with a comment behind them
/// that hides them from the grammar.
fn is_link_definitions(paragraph: &str) -> bool {
    paragraph.lines().all(|line| {
        let line = line.trim_start();
        line.starts_with('[')
            && !line.starts_with("[^")
            && line.split_once("]:").is_some_and(|(name, address)| {
                !name[1..].contains(['[', ']']) && address.starts_with([' ', '\t'])
            })
    })
}

/// The level of `<h1>` to `<h6>` where HTML consists of one heading.
fn heading_tag(html: &str) -> Option<u8> {
    let bytes = html.trim().as_bytes();
    let [b'<', b'h' | b'H', digit @ b'1'..=b'6', b' ' | b'>' | b'\n', ..] = bytes else { return None };
    let tail = bytes.len().checked_sub(5).map(|at| &bytes[at..])?;
    let closes = tail.eq_ignore_ascii_case(&[b'<', b'/', b'h', *digit, b'>']);
    closes.then_some(digit - b'0')
}

#[cfg(test)]
mod tests;
