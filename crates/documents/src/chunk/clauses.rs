//! The clauses of contracts and statutes.
//!
//! Clauses are found at the beginnings of lines and become headings, so that the rest of chunking need not know of them:
//! no chunk crosses one, and each chunk stands under a path such as `Chapter III`, `Article 5 — Termination`, `5.2`.
//!
//! What contains what is learned from the order in which they come: a number of a kind that is open closes that kind and
//! what lies below it, one of a new kind goes below what is open. Parts, titles and chapters contain all the others,
//! wherever they stand, and an annex ends everything. Parts such as `(a)`, and numbers such as `1.` under an article, are
//! no clauses of their own: they are places where a long clause is cut.

mod marker;
mod title;

use std::ops::Range;

use mainstay_domain::ByteRange;

use self::marker::{Keyword, Marker, Number, marker};
use self::title::{title, whole_line};
use crate::document::{Block, BlockKind, HeadingPath, ParsedDocument};

/// The blocks of a document with its clauses as headings; `None` where it has none.
pub(super) fn as_headings(document: &ParsedDocument) -> Option<Vec<Block>> {
    let mut walk = Walk {
        text: &document.text,
        blocks: Vec::with_capacity(document.blocks.len()),
        level: 0,
        under_clause: false,
        headings: Vec::new(),
        open: Vec::new(),
        path: HeadingPath::from([]),
        untitled: false,
        found: false,
    };
    for block in &document.blocks {
        walk.block(block);
    }
    walk.found.then_some(walk.blocks)
}

/// A clause that text stands in.
struct Open {
    keyword: Option<Keyword>,
    components: usize,
    /// As in `Article 5 — Termination`.
    label: String,
}

struct Walk<'a> {
    text: &'a str,
    blocks: Vec<Block>,
    /// The headings of the document that text stands under, clauses among them written in the one way.
    headings: Vec<String>,
    /// The level of the last of them.
    level: u8,
    /// Whether the last of them is a clause.
    under_clause: bool,
    /// The clauses that text stands in, outermost first.
    open: Vec<Open>,
    /// `headings` and the labels of `open`.
    path: HeadingPath,
    /// Whether the last clause has no title yet, which the next line may be.
    untitled: bool,
    found: bool,
}

impl Walk<'_> {
    fn block(&mut self, block: &Block) {
        let ByteRange { start, end } = block.range;
        if self.text.get(start..end).is_none() {
            return;
        }
        match block.kind {
            BlockKind::Heading(level) => self.heading(block, level),
            BlockKind::Paragraph | BlockKind::ListItem => self.lines(block),
            BlockKind::Code | BlockKind::Table => {
                self.untitled = false;
                self.push(block.kind, start..end);
            }
            BlockKind::FrontMatter | BlockKind::Hidden => self.push(block.kind, start..end),
        }
    }

    /// A heading of the document closes all clauses that are none.
    fn heading(&mut self, block: &Block, level: u8) {
        self.level = level;
        self.open.clear();
        self.headings = block.headings.iter().map(|heading| label_of_heading(heading)).collect();
        let number = block.headings.last().and_then(|last| number_of(last).map(|number| (number, last)));
        self.under_clause = number.is_some();
        self.untitled =
            number.is_some_and(|(number, last)| number.keyword.is_some() && number.end == last.len());
        self.found |= self.under_clause;
        self.set_path();
        self.push(BlockKind::Heading(level), block.range.start..block.range.end);
    }

    fn lines(&mut self, block: &Block) {
        let ByteRange { start, end } = block.range;
        if std::mem::take(&mut self.untitled) && self.take_title(start..end) {
            return;
        }
        let mut kind = block.kind;
        let mut from = start;
        let mut at = start;
        let mut place = if self.is_indented(start) { Place::Indented } else { Place::Begins };
        while at < end {
            let line = at..self.text[at..end].find('\n').map_or(end, |length| at + length + 1);
            at = line.end;
            let content = self.text[line.clone()].trim();
            if content.is_empty() {
                continue;
            }
            match marker(content).filter(|_| place != Place::Within) {
                Some(Marker::Clause(number)) if place != Place::Indented && !self.is_part(&number) => {
                    self.push(kind, from..line.start);
                    from = self.clause(&number, line, end);
                    at = at.max(from);
                    kind = BlockKind::Paragraph;
                }
                Some(_) => {
                    self.push(kind, from..line.start);
                    from = line.start;
                    kind = BlockKind::ListItem;
                }
                None => {}
            }
            // Behind a title that is all there is in its line, the text begins.
            let titled = self.text[from.min(at)..at].trim().is_empty();
            place = if titled || ends_statement(content) { Place::Begins } else { Place::Within };
        }
        self.push(kind, from..end);
    }

    /// A clause begins with a line of the block that ends at `end`; returns where its number and title end.
    fn clause(&mut self, number: &Number, line: Range<usize>, end: usize) -> usize {
        let content = &self.text[line.clone()];
        let start = line.start + (content.len() - content.trim_start().len());
        let rest_at = start + number.end;
        let behind = &self.text[line.end..end];
        let title = title(&self.text[rest_at..line.end], behind.lines().next());
        self.found = true;
        self.enter(number, title.as_ref().map_or("", |title| &title.text));
        let head_end = match title {
            Some(title) => rest_at + title.end,
            None if number.keyword.is_some() && self.text[rest_at..line.end].trim().is_empty() => {
                // The title may stand in the next line, or in the next paragraph.
                self.untitled = behind.is_empty();
                let mut lines = behind.split_inclusive('\n');
                let next = lines.next().and_then(|next| self.title_alone(next, lines.next()));
                next.map_or(rest_at, |length| line.end + length)
            }
            None => rest_at,
        };
        self.push(BlockKind::Heading(self.depth()), start..head_end);
        head_end
    }

    /// Gives the last clause a title where a line is one; returns the length of the title.
    fn title_alone(&mut self, line: &str, next: Option<&str>) -> Option<usize> {
        if marker(line.trim_start()).is_some() {
            return None;
        }
        let length = whole_line(line, next)?;
        let title = title(line, next)?;
        let label = self.open.last_mut().map(|open| &mut open.label).or(self.headings.last_mut())?;
        *label = with_title(label, &title.text);
        self.set_path();
        Some(length)
    }

    /// Gives the last clause the title that a paragraph is, if it is one.
    fn take_title(&mut self, range: Range<usize>) -> bool {
        let text = &self.text[range.clone()];
        let is_title = !text.trim_end().contains('\n') && self.title_alone(text, None).is_some();
        if is_title {
            // It begins one section together with the number that stands above it.
            self.push(BlockKind::Heading(self.depth().saturating_add(1)), range);
        }
        is_title
    }

    /// The level of the last clause as a heading. Every second is left free for titles that stand below their number.
    fn depth(&self) -> u8 {
        self.level.saturating_add(u8::try_from(self.open.len() * 2).unwrap_or(u8::MAX))
    }

    fn enter(&mut self, number: &Number, title: &str) {
        let keep = match number.keyword {
            Some(Keyword::Annex) => 0,
            keyword => {
                let container = keyword.filter(|keyword| keyword.is_container());
                let closes = |open: &Open| {
                    (open.keyword == keyword && open.components >= number.components)
                        || container.is_some_and(|own| open.keyword.is_none_or(|other| other > own))
                };
                self.open.iter().position(closes).unwrap_or(self.open.len())
            }
        };
        self.open.truncate(keep);
        self.open.push(Open {
            keyword: number.keyword,
            components: number.components,
            label: with_title(&number.label, title),
        });
        self.set_path();
    }

    /// Whether a number only counts the parts of the clause that it stands in, as `1.` does under an article.
    fn is_part(&self, number: &Number) -> bool {
        let in_keyword = self.open.iter().any(|open| {
            open.keyword.is_some_and(|keyword| !keyword.is_container() && keyword != Keyword::Annex)
        });
        number.keyword.is_none() && number.components == 1 && (in_keyword || self.under_clause)
    }

    fn is_indented(&self, start: usize) -> bool {
        let line = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let before = &self.text[line..start];
        before.len() > 1 && before.chars().all(char::is_whitespace)
    }

    fn set_path(&mut self) {
        let labels = self.open.iter().map(|open| &open.label);
        self.path = self.headings.iter().chain(labels).cloned().collect();
    }

    fn push(&mut self, kind: BlockKind, range: Range<usize>) {
        if !self.text[range.clone()].trim().is_empty() {
            let range = ByteRange { start: range.start, end: range.end };
            self.blocks.push(Block { kind, range, headings: self.path.clone() });
        }
    }
}

/// Where a line stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the beginning of a paragraph, or behind the end of a statement.
    Begins,
    /// At the beginning of a paragraph or an item that is indented: what it counts is part of something.
    Indented,
    /// Within a statement.
    Within,
}

fn ends_statement(line: &str) -> bool {
    let line = line.trim_end();
    line.ends_with(['.', ';', ':', '!', '?', ',', ')', '”', '"', '»', '*', '_'])
        || ["and", "or", "und", "oder", "et", "ou", "y", "o", "e", "en", "of", "lub", "i"]
            .iter()
            .any(|word| line.rsplit(' ').next() == Some(*word))
}

fn number_of(heading: &str) -> Option<Number> {
    match marker(heading)? {
        Marker::Clause(number) => Some(number),
        Marker::Part => None,
    }
}

/// A heading as it is cited: `Article 5: Termination` as `Article 5 — Termination`, others as they are.
fn label_of_heading(heading: &str) -> String {
    match number_of(heading) {
        Some(number) => with_title(&number.label, heading[number.end..].trim()),
        None => heading.to_owned(),
    }
}

fn with_title(label: &str, title: &str) -> String {
    if title.is_empty() { label.to_owned() } else { format!("{label} — {title}") }
}

#[cfg(test)]
mod tests;
