//! A document as the units that chunks are put together from: sentences, code blocks, tables and headings, by section.

use std::ops::Range;

use mainstay_domain::ByteRange;
use unicode_segmentation::UnicodeSegmentation;

use super::ChunkOptions;
use super::sentences::{Casing, sentences};
use super::words::{WORD, weigh};
use crate::document::{Block, BlockKind, HeadingPath, ParsedDocument};

/// The units of a whole document.
pub(super) struct Outline {
    pub(super) units: Vec<Unit>,
    pub(super) sections: Vec<Section>,
}

/// A heading (or several, where nothing stands between them) with the text under it.
pub(super) struct Section {
    /// Level of its first heading; 0 for the text before the first heading.
    pub(super) level: u8,
    /// Path of its last heading.
    pub(super) headings: HeadingPath,
    /// Indices of its units.
    pub(super) units: Range<usize>,
}

/// Text that stays in one piece, without whitespace around it.
pub(super) struct Unit {
    pub(super) start: usize,
    pub(super) end: usize,
    /// In twelfths of a word.
    pub(super) weight: u64,
    pub(super) before: Break,
    /// What it costs to begin a chunk with it, in thousandths of the cost of an empty chunk.
    pub(super) price: i64,
    heading: bool,
}

impl Unit {
    /// Its share in what must not exceed the maximum of a chunk: a heading belongs to the text under it, however long
    /// that is.
    pub(super) fn body_weight(&self) -> u64 {
        if self.heading { 0 } else { self.weight }
    }
}

/// What stands between a unit and the one before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Break {
    /// A new paragraph or other block.
    Paragraph,
    /// A new item of a list.
    ListItem,
    /// A blank line inside code.
    BlankLine,
    /// A new sentence of the same paragraph.
    Sentence,
    /// A line break inside code, a table or an overlong sentence.
    Line,
    /// A list, table or code block behind the text that announces it.
    LeadIn,
    /// A comma or the like inside an overlong sentence.
    Clause,
    /// A space inside an overlong sentence.
    Space,
    /// The middle of an overlong word.
    Inside,
    /// Directly below a heading.
    Heading,
}

impl Outline {
    /// What the text of a unit stands under.
    pub(super) fn headings_at(&self, unit: usize) -> HeadingPath {
        let section = self.sections.partition_point(|section| section.units.end <= unit);
        self.sections.get(section).map_or_else(|| HeadingPath::from([]), |section| section.headings.clone())
    }
}

/// Which headings begin one section together where nothing stands between them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// All: text that consists of headings is not worth a chunk for each.
    Any,
    /// Those that go deeper: a clause of which there is only the title is a clause still.
    Deeper,
}

/// Cuts a text into sections and units, given its blocks. Text that no block covers is treated as a paragraph, so that
/// nothing is lost whoever made the blocks.
pub(super) fn outline(text: &str, blocks: &[Block], rows: Rows, options: &ChunkOptions) -> Outline {
    let max_words = options.max_words.max(options.target_words);
    let mut builder = Builder::new(text, rows, max_words);
    let mut covered = byte_order_mark(text);
    for block in blocks {
        let ByteRange { start, end } = block.range;
        let start = start.max(covered);
        if start >= end || text.get(start..end).is_none() {
            continue;
        }
        builder.gap(covered..start);
        covered = end;
        match block.kind {
            BlockKind::FrontMatter | BlockKind::Hidden => {}
            BlockKind::Heading(level) => builder.heading(start..end, level, &block.headings),
            kind => builder.block(start..end, kind),
        }
    }
    builder.gap(covered..text.len());
    builder.finish()
}

/// Cuts a document into pieces of at most `max_words`, whatever its blocks are: at blank lines, and where that leaves too
/// much, at the ends of lines, of sentences and of clauses, and between words.
pub(super) fn pieces(document: &ParsedDocument, max_words: u32) -> Vec<Unit> {
    let text = document.text.as_str();
    let mut builder = Builder::new(text, Rows::Any, max_words);
    let mut from = byte_order_mark(text);
    for block in document.blocks.iter().filter(|block| !block.kind.is_searchable()) {
        let ByteRange { start, end } = block.range;
        if start >= from && text.get(start..end).is_some() {
            builder.whole_or_cut(from..start, Break::Paragraph, Cut::BlankLine);
            from = end;
        }
    }
    builder.whole_or_cut(from..text.len(), Break::Paragraph, Cut::BlankLine);
    builder.units
}

/// Length of the byte order mark that a text begins with.
fn byte_order_mark(text: &str) -> usize {
    if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 }
}

/// Headings in a row that begin one chunk together: one of every level.
const MAX_HEADINGS_IN_ROW: usize = 6;

/// Words of a heading that does not count towards the size of its chunk. A longer one is text.
const MAX_FREE_HEADING_WORDS: u64 = 40;

struct Builder<'a> {
    text: &'a str,
    casing: Casing,
    max: u64,
    units: Vec<Unit>,
    sections: Vec<Section>,
    section: Section,
    previous: BlockKind,
    rows: Rows,
    headings_in_row: usize,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str, rows: Rows, max_words: u32) -> Self {
        Self {
            text,
            casing: Casing::of(text),
            max: u64::from(max_words.max(1)) * WORD,
            units: Vec::with_capacity(text.len() / 80),
            sections: Vec::new(),
            section: Section { level: 0, headings: HeadingPath::from([]), units: 0..0 },
            previous: BlockKind::Paragraph,
            rows,
            headings_in_row: 0,
        }
    }

    fn finish(mut self) -> Outline {
        self.close_section();
        Outline { units: self.units, sections: self.sections }
    }

    fn close_section(&mut self) {
        let end = self.units.len();
        let empty = Section { level: 0, headings: HeadingPath::from([]), units: end..end };
        let mut section = std::mem::replace(&mut self.section, empty);
        section.units.end = end;
        if !section.units.is_empty() {
            self.sections.push(section);
        }
    }

    fn heading(&mut self, range: Range<usize>, level: u8, headings: &HeadingPath) {
        let goes_deeper = matches!(self.previous, BlockKind::Heading(above) if above < level);
        let continues_row = (1..MAX_HEADINGS_IN_ROW).contains(&self.headings_in_row)
            && (self.rows == Rows::Any || goes_deeper);
        if !continues_row {
            self.close_section();
            self.section.level = level;
            self.headings_in_row = 0;
        }
        self.section.headings = HeadingPath::clone(headings);
        let weight = weigh(&self.text[range.clone()]);
        if weight > MAX_FREE_HEADING_WORDS * WORD {
            self.block(range, BlockKind::Paragraph);
            return;
        }
        self.push(range, weight, Break::Heading, true);
        self.headings_in_row += 1;
        self.previous = BlockKind::Heading(level);
    }

    /// Text between blocks. Where it is only decoration (rules, stray markers) it joins the unit before it.
    fn gap(&mut self, range: Range<usize>) {
        let gap = &self.text[range.clone()];
        let trimmed = gap.trim_end();
        if trimmed.is_empty() {
            return;
        }
        let decoration = !trimmed.chars().any(char::is_alphanumeric);
        if decoration
            && trimmed.len() <= 256
            && self.section.units.start < self.units.len()
            && let Some(unit) = self.units.last_mut()
        {
            unit.end = range.start + trimmed.len();
            return;
        }
        self.block(range, BlockKind::Paragraph);
    }

    fn block(&mut self, range: Range<usize>, kind: BlockKind) {
        let before = self.break_before(kind);
        self.headings_in_row = 0;
        self.previous = kind;
        match kind {
            BlockKind::Code | BlockKind::Table => self.whole_or_cut(range, before, Cut::FIRST_IN_CODE),
            _ => {
                let mut before = before;
                for Range { start, end } in sentences(&self.text[range.clone()], self.casing) {
                    self.whole_or_cut(range.start + start..range.start + end, before, Cut::FIRST_IN_SENTENCE);
                    before = Break::Sentence;
                }
            }
        }
    }

    fn break_before(&self, kind: BlockKind) -> Break {
        let announced = matches!(kind, BlockKind::Code | BlockKind::Table)
            || (kind == BlockKind::ListItem && self.previous != BlockKind::ListItem);
        match self.previous {
            BlockKind::Heading(_) => Break::Heading,
            BlockKind::Paragraph | BlockKind::ListItem if announced => Break::LeadIn,
            BlockKind::ListItem if kind == BlockKind::ListItem => Break::ListItem,
            _ => Break::Paragraph,
        }
    }

    /// Pushes `range` as one unit where it fits into a chunk, otherwise in the pieces that `cut` makes.
    fn whole_or_cut(&mut self, range: Range<usize>, before: Break, cut: Cut) {
        let range = trimmed(self.text, range);
        let weight = weigh(&self.text[range.clone()]);
        if weight <= self.max {
            self.push(range, weight, before, false);
        } else if cut == Cut::Anywhere {
            self.cut_anywhere(range, weight, before);
        } else {
            self.cut_at(range, before, cut);
        }
    }

    fn cut_at(&mut self, range: Range<usize>, mut before: Break, cut: Cut) {
        // Pieces are gathered until they are worth considering as units: one unit per word would be many.
        let worth = self.max / 16;
        let mut gathered = range.start..range.start;
        let mut weight = 0;
        while gathered.end < range.end {
            let piece = gathered.end..cut.piece_end(self.text, gathered.end, range.end);
            let piece_weight = weigh(&self.text[piece.clone()]);
            if weight > 0 && (weight >= worth || weight + piece_weight > self.max) {
                self.push(gathered.clone(), weight, before, false);
                (before, gathered.start, weight) = (cut.kind(), piece.start, 0);
            }
            if piece_weight > self.max {
                self.whole_or_cut(gathered.start..piece.end, before, cut.finer());
                (before, gathered.start) = (cut.kind(), piece.end);
            } else {
                weight += piece_weight;
            }
            gathered.end = piece.end;
        }
        self.push(gathered, weight, before, false);
    }

    /// Cuts text without any space into pieces of about an eighth of a chunk, between characters that a reader sees as
    /// one.
    fn cut_anywhere(&mut self, range: Range<usize>, weight: u64, mut before: Break) {
        let pieces = usize::try_from(weight / (self.max / 8).max(1)).unwrap_or(usize::MAX).max(1);
        let step = (range.len() / pieces).max(1);
        let mut start = range.start;
        while start < range.end {
            let end = if range.end - start <= step {
                range.end
            } else {
                reader_boundary(self.text, start + step, range.end)
            };
            self.push(start..end, weigh(&self.text[start..end]), before, false);
            before = Break::Inside;
            start = end;
        }
    }

    fn push(&mut self, range: Range<usize>, weight: u64, before: Break, heading: bool) {
        let Range { start, end } = trimmed(self.text, range);
        if start < end {
            let first = self.units.len() == self.section.units.start;
            let before = if first { Break::Paragraph } else { before };
            self.units.push(Unit { start, end, weight, before, price: before.price(), heading });
        }
    }
}

fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let inside = &text[range.clone()];
    let end = range.start + inside.trim_end().len();
    let start = (range.end - inside.trim_start().len()).min(end);
    start..end
}

/// The first boundary at or behind `at` between characters that a reader sees as one. Looks only at the surroundings,
/// since a single such character can be as long as the text.
fn reader_boundary(text: &str, at: usize, end: usize) -> usize {
    const WINDOW: usize = 64;
    let at = text.ceil_char_boundary(at);
    let from = text.floor_char_boundary(at.saturating_sub(WINDOW));
    let to = text.floor_char_boundary((at + WINDOW).min(end)).max(at);
    text[from..to]
        .grapheme_indices(true)
        .map(|(offset, _)| from + offset)
        .find(|&boundary| boundary >= at)
        .unwrap_or(at)
}

/// Where text that is too long for a chunk is cut, from the best place to the last resort.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    BlankLine,
    Line,
    Sentence,
    Clause,
    Space,
    Anywhere,
}

impl Cut {
    const FIRST_IN_CODE: Self = Self::BlankLine;
    const FIRST_IN_SENTENCE: Self = Self::Line;

    fn finer(self) -> Self {
        match self {
            Self::BlankLine => Self::Line,
            Self::Line => Self::Sentence,
            Self::Sentence => Self::Clause,
            Self::Clause => Self::Space,
            Self::Space | Self::Anywhere => Self::Anywhere,
        }
    }

    fn kind(self) -> Break {
        match self {
            Self::BlankLine => Break::BlankLine,
            Self::Line => Break::Line,
            Self::Sentence => Break::Sentence,
            Self::Clause => Break::Clause,
            Self::Space => Break::Space,
            Self::Anywhere => Break::Inside,
        }
    }

    /// Where the piece that begins at `start` ends: behind the next place to cut, at most at `end`.
    fn piece_end(self, text: &str, start: usize, end: usize) -> usize {
        let rest = &text[start..end];
        let found = match self {
            Self::BlankLine => blank_line_end(rest),
            Self::Line => rest.find('\n').map(|at| at + 1),
            Self::Sentence => sentences(rest, Casing::Mixed).next().map(|sentence| sentence.end),
            Self::Clause => clause_end(rest),
            Self::Space => rest.find(char::is_whitespace).map(|at| rest.ceil_char_boundary(at + 1)),
            Self::Anywhere => None,
        };
        found.map_or(end, |length| start + length)
    }
}

fn blank_line_end(text: &str) -> Option<usize> {
    let mut blank_since = None;
    for (at, byte) in text.bytes().enumerate() {
        match (byte, blank_since) {
            (b'\n', Some(_)) => return Some(at + 1),
            (b'\n', None) => blank_since = Some(at),
            (b' ' | b'\t' | b'\r', _) => {}
            _ => blank_since = None,
        }
    }
    None
}

fn clause_end(text: &str) -> Option<usize> {
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let end = at + character.len_utf8();
        match character {
            '，' | '、' | '；' | '：' | '—' => return Some(end),
            ',' | ';' | ':' | '،' | '؛' | '।'
                if characters.peek().is_none_or(|(_, next)| next.is_whitespace()) =>
            {
                return Some(end);
            }
            _ => {}
        }
    }
    None
}
