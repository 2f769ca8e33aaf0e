//! Lines of pages to paragraphs, lists and headings.

use std::collections::{BTreeMap, HashMap};

use super::lines::Line;
use crate::document::BlockKind;
use crate::parse::flow::Flow;

/// The pages of a document, as lines in reading order.
pub(super) struct Paragraphs<'a> {
    pages: &'a [Vec<Line>],
    /// Lines at the edge of pages that most pages have: running titles, page numbers.
    furniture: HashMap<String, usize>,
    levels: HeadingLevels,
}

/// Lines at the top and at the bottom of a page that may be furniture.
const EDGE_LINES: usize = 2;

/// Pages that furniture is on, at least.
const MIN_FURNITURE_PAGES: usize = 3;

impl<'a> Paragraphs<'a> {
    pub(super) fn new(pages: &'a [Vec<Line>]) -> Self {
        let mut furniture: HashMap<String, usize> = HashMap::new();
        for page in pages {
            for key in edges(page).into_values() {
                *furniture.entry(key).or_default() += 1;
            }
        }
        let least = MIN_FURNITURE_PAGES.max(pages.len() / 2);
        furniture.retain(|_, count| *count >= least);
        Self { pages, furniture, levels: HeadingLevels::of(pages) }
    }

    /// Appends the text to `flow`.
    pub(super) fn write(&self, flow: &mut Flow) {
        let mut writer = Writer { flow, open: None };
        for (number, page) in self.pages.iter().enumerate() {
            let edges = edges(page);
            for (index, line) in page.iter().enumerate() {
                if edges.get(&index).is_some_and(|key| self.furniture.contains_key(key)) {
                    continue;
                }
                writer.line(line, number, self.levels.of_line(line));
            }
        }
        writer.close();
    }
}

/// The lines nearest to the top and the bottom of a page, by index, as text that does not change from page to page.
fn edges(page: &[Line]) -> BTreeMap<usize, String> {
    let mut upright: Vec<usize> = (0..page.len()).filter(|&index| page[index].direction.x > 0.9).collect();
    upright.sort_by(|&one, &two| page[one].across.total_cmp(&page[two].across));
    let bottom = upright.len().saturating_sub(EDGE_LINES);
    let edge = upright.iter().take(EDGE_LINES).chain(&upright[bottom..]);
    edge.map(|&index| (index, without_numbers(&page[index].text))).collect()
}

/// `text` with every number as `#`.
fn without_numbers(text: &str) -> String {
    let mut key = String::with_capacity(text.len());
    for character in text.chars() {
        if !character.is_numeric() {
            key.push(character);
        } else if !key.ends_with('#') {
            key.push('#');
        }
    }
    key
}

/// Which sizes of characters are those of headings.
struct HeadingLevels {
    /// Sizes in half points, largest first: the level is the place in it.
    sizes: Vec<u32>,
}

impl HeadingLevels {
    /// A heading is this much larger than the text.
    const LARGER: f64 = 1.15;

    /// Headings make up less than this share of the characters; where large text is more, it is the text.
    const MOST: f64 = 0.25;

    /// Longest heading, in bytes.
    const LONGEST: usize = 200;

    fn of(pages: &[Vec<Line>]) -> Self {
        let mut characters: BTreeMap<u32, usize> = BTreeMap::new();
        for line in pages.iter().flatten() {
            *characters.entry(half_points(line.size)).or_default() += line.text.len();
        }
        let text = characters.iter().max_by_key(|(_, count)| **count).map_or(0, |(size, _)| *size);
        let is_larger = |size: u32| f64::from(size) >= f64::from(text) * Self::LARGER;
        let all: usize = characters.values().sum();
        let large: usize =
            characters.iter().filter(|(size, _)| is_larger(**size)).map(|(_, count)| count).sum();
        if large as f64 > all as f64 * Self::MOST {
            return Self { sizes: Vec::new() };
        }
        Self { sizes: characters.into_keys().rev().filter(|&size| is_larger(size)).collect() }
    }

    fn of_line(&self, line: &Line) -> Option<u8> {
        let size = half_points(line.size);
        let level = self.sizes.iter().position(|&known| known == size)?;
        let is_text = line.text.chars().any(char::is_alphabetic);
        (is_text && !line.has_columns && line.text.len() <= Self::LONGEST)
            .then(|| u8::try_from(level + 1).unwrap_or(u8::MAX).min(6))
    }
}

fn half_points(size: f64) -> u32 {
    // Sizes of real text are far below; the conversion saturates for all others.
    (size * 2.0).round() as u32
}

struct Writer<'a> {
    flow: &'a mut Flow,
    open: Option<Open>,
}

/// A paragraph that is being read.
struct Open {
    text: String,
    level: Option<u8>,
    item: bool,
    page: usize,
    last: Line,
    left: f64,
    right: f64,
    /// Distance of its lines, once it has two.
    leading: Option<f64>,
}

impl Writer<'_> {
    fn line(&mut self, line: &Line, page: usize, level: Option<u8>) {
        match &mut self.open {
            Some(open) if open.takes(line, page, level) => open.push(line, page),
            _ => {
                self.close();
                self.open = Some(Open::new(line, page, level));
            }
        }
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        match open.level {
            Some(level) => self.flow.push(BlockKind::Heading(level), &open.text),
            None if open.item => self.flow.push_item(0, &open.text),
            None => self.flow.push(BlockKind::Paragraph, &open.text),
        }
    }
}

impl Open {
    fn new(line: &Line, page: usize, level: Option<u8>) -> Self {
        Self {
            text: line.text.clone(),
            level,
            item: begins_item(&line.text),
            page,
            last: line.clone(),
            left: line.start,
            right: line.end,
            leading: None,
        }
    }

    /// Whether a line goes on with this paragraph.
    fn takes(&self, line: &Line, page: usize, level: Option<u8>) -> bool {
        let similar = line.size <= self.last.size * 1.2 && self.last.size <= line.size * 1.2;
        if level != self.level
            || !similar
            || begins_item(&line.text)
            || line.direction.dot(self.last.direction) < 0.9
        {
            return false;
        }
        if page != self.page {
            return level.is_none()
                && !ends_sentence(&self.text)
                && line.text.starts_with(char::is_lowercase);
        }
        let step = line.across - self.last.across;
        let near = step > 0.3 * line.size
            && step < 2.0 * line.size
            && self.leading.is_none_or(|leading| step <= 1.3 * leading);
        let below = line.start < self.right && line.end > self.left;
        near && below && !self.is_complete(line)
    }

    /// Whether the paragraph has ended before `line`: with a line that leaves room, or before one that is indented.
    fn is_complete(&self, line: &Line) -> bool {
        let short = self.leading.is_some() && self.last.end < self.right - 0.25 * (self.right - self.left);
        let indented =
            !self.item && line.start > self.left + line.size && line.start > self.last.start + line.size;
        ends_sentence(&self.text) && (short || indented)
    }

    fn push(&mut self, line: &Line, page: usize) {
        if page == self.page {
            self.leading = Some(line.across - self.last.across);
        } else {
            (self.page, self.left, self.right, self.leading) = (page, line.start, line.end, None);
        }
        let rows = line.has_columns || self.last.has_columns;
        join(&mut self.text, &line.text, if rows { "\n" } else { " " });
        self.left = self.left.min(line.start);
        self.right = self.right.max(line.end);
        self.last = line.clone();
    }
}

/// Appends a line, and makes one word of one that was parted at the line's end.
fn join(text: &mut String, line: &str, space: &str) {
    let mut end = text.chars().rev();
    let parted = matches!(end.next(), Some('-' | '\u{2010}')) && end.next().is_some_and(char::is_alphabetic);
    if parted && line.starts_with(char::is_lowercase) {
        text.pop();
    } else if !(text.ends_with(is_unspaced) && line.starts_with(is_unspaced)) {
        text.push_str(space);
    }
    text.push_str(line);
}

fn is_unspaced(character: char) -> bool {
    matches!(character, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}')
}

fn ends_sentence(text: &str) -> bool {
    let text = text.trim_end_matches(['"', '”', '’', ')', ']', '»']);
    text.ends_with(['.', '!', '?', ':', '。', '！', '？', '।', '۔', '؟', '…'])
}

/// Whether a line begins with a bullet, or a number or letter of a list.
fn begins_item(text: &str) -> bool {
    if text.starts_with(['•', '◦', '▪', '‣', '●', '○', '■', '–']) {
        return true;
    }
    let Some((marker, _)) = text.split_once(' ') else { return false };
    let inner = marker.trim_start_matches('(').trim_end_matches([')', '.']);
    let marked = marker.len() > inner.len() && (marker.ends_with(')') || marker.ends_with('.'));
    let number = !inner.is_empty() && inner.len() <= 2 && inner.bytes().all(|byte| byte.is_ascii_digit());
    let letter =
        inner.len() == 1 && marker.ends_with(')') && inner.bytes().all(|byte| byte.is_ascii_lowercase());
    marker == "-" || (marked && (number || letter))
}
