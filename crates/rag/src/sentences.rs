//! The sentences of a text where they stand, each with what it is part of.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

/// A stretch of a text without surrounding space.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Span {
    /// Where it is.
    pub(crate) range: Range<usize>,
    pub(crate) kind: SpanKind,
}

/// What a stretch of a text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SpanKind {
    /// A sentence of running text or of a list item.
    Prose,
    Heading,
    /// A row of a table.
    Row,
    /// A line of a code block.
    Code,
}

/// The sentences of a text. Lines that wrap are one sentence; a blank line ends one, and so does a line that is, or is
/// followed by, a heading, a list item, a row or a fence: they have no full stop.
pub(crate) fn spans(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    for block in blocks(text) {
        if block.kind == SpanKind::Prose {
            let sentences = sentences(&text[block.range.clone()]);
            let sentences = sentences
                .into_iter()
                .map(|range| block.range.start + range.start..block.range.start + range.end);
            spans.extend(sentences.map(|range| Span { range, kind: SpanKind::Prose }));
        } else {
            spans.extend(trimmed(text, block.range).map(|range| Span { range, kind: block.kind }));
        }
    }
    spans
}

fn trimmed(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let rest = text[range.clone()].trim_start();
    let start = range.end - rest.len();
    let end = start + rest.trim_end().len();
    (start < end).then_some(start..end)
}

/// Where the sentences of one paragraph are.
fn sentences(paragraph: &str) -> Vec<Range<usize>> {
    let readable = readable(paragraph);
    readable
        .split_sentence_bound_indices()
        .filter_map(|(start, sentence)| trimmed(&readable, start..start + sentence.len()))
        .collect()
}

/// The paragraph as the rules of Unicode should see it, every byte in its place. To them the end of a line is the end of a
/// paragraph, and a code span is words with full stops: here lines are joined, and a code span is one word, with a capital
/// because a sentence may begin with it.
fn readable(paragraph: &str) -> String {
    let mut readable = paragraph.replace(['\n', '\r'], " ");
    for code in code_spans(paragraph) {
        readable.replace_range(code.clone(), &"X".repeat(code.len()));
    }
    for abbreviation in ["e.g.", "i.e.", "cf.", "vs."] {
        readable =
            readable.replace(&format!(" {abbreviation} "), &format!(" {} ", abbreviation.replace('.', ",")));
    }
    readable
}

/// Where the code spans of a paragraph are, with their backticks. A run of backticks that no other of its length follows
/// is no code.
pub(crate) fn code_spans(paragraph: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut position = 0;
    while let Some(offset) = paragraph[position..].find('`') {
        let start = position + offset;
        let length = run_length(&paragraph[start..]);
        let content = start + length;
        match closing(paragraph, content, length) {
            Some(end) => {
                spans.push(start..end);
                position = end;
            }
            None => position = content,
        }
    }
    spans
}

fn run_length(text: &str) -> usize {
    text.len() - text.trim_start_matches('`').len()
}

/// Where the run of so many backticks ends that closes the code that begins at `position`.
fn closing(paragraph: &str, mut position: usize, length: usize) -> Option<usize> {
    while let Some(offset) = paragraph[position..].find('`') {
        let run = run_length(&paragraph[position + offset..]);
        position += offset + run;
        if run == length {
            return Some(position);
        }
    }
    None
}

/// Stretches of lines that belong together.
fn blocks(text: &str) -> Vec<Span> {
    let mut blocks: Vec<Span> = Vec::new();
    let mut fence = begins_in_code(text);
    let mut joins = false;
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let range = offset..offset + line.len();
        offset = range.end;
        if let Some(mark) = fence_of(line) {
            let closes = fence.is_some_and(|open| mark.closes(open));
            if closes {
                fence = None;
            } else if fence.is_none() {
                fence = Some(mark);
            }
            joins = false;
            continue;
        }
        let kind = if fence.is_some() { SpanKind::Code } else { kind_of(line) };
        let goes_on = joins && kind == SpanKind::Prose && !begins_something(line);
        match blocks.last_mut() {
            Some(last) if goes_on => last.range.end = range.end,
            _ => blocks.push(Span { range, kind }),
        }
        // What follows a heading or a row is no part of it; what follows an item may be its next line.
        joins = kind == SpanKind::Prose && !line.trim().is_empty();
    }
    blocks
}

fn kind_of(line: &str) -> SpanKind {
    match line.trim_start().as_bytes().first() {
        Some(b'#') => SpanKind::Heading,
        Some(b'|') => SpanKind::Row,
        _ => SpanKind::Prose,
    }
}

/// Whether a line of running text begins something: a list item, a quotation, or nothing at all.
fn begins_something(line: &str) -> bool {
    let line = line.trim_start();
    let item = ["- ", "* ", "+ ", "• "].iter().any(|mark| line.starts_with(mark));
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered =
        number.len() < line.len() && number.starts_with([')', '.']) && number[1..].starts_with(' ');
    line.trim().is_empty() || item || numbered || line.starts_with('>')
}

/// The marks that open or close a code block.
#[derive(Clone, Copy)]
struct Fence {
    mark: char,
    length: usize,
    /// Whether nothing stands behind the marks: only such a line closes.
    bare: bool,
}

impl Fence {
    fn closes(self, open: Self) -> bool {
        self.bare && self.mark == open.mark && self.length >= open.length
    }
}

fn fence_of(line: &str) -> Option<Fence> {
    let line = line.trim();
    let mark = line.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let info = line.trim_start_matches(mark);
    let length = line.len() - info.len();
    // Three backticks with another behind them are code in a sentence.
    (length >= 3 && !(mark == '`' && info.contains('`'))).then_some(Fence {
        mark,
        length,
        bare: info.is_empty(),
    })
}

/// A text that was cut out of a long code block begins inside it: there is one fence too many, and both the first and the
/// last can only close.
fn begins_in_code(text: &str) -> Option<Fence> {
    let fences: Vec<Fence> = text.lines().filter_map(fence_of).collect();
    let (first, last) = (fences.first()?, fences.last()?);
    (fences.len() % 2 == 1 && first.bare && last.bare).then_some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(&str, SpanKind)> {
        spans(text).into_iter().map(|span| (&text[span.range], span.kind)).collect()
    }

    fn prose(text: &str) -> Vec<&str> {
        read(text).into_iter().filter(|(_, kind)| *kind == SpanKind::Prose).map(|(text, _)| text).collect()
    }

    #[test]
    fn sentences_keep_their_exact_place() {
        let text = "# Title\nOne is\nhere.  Two is there!\n- item\n  goes on\n- other\n\nThree\n1) four\n";
        assert_eq!(read(text)[0], ("# Title", SpanKind::Heading));
        assert_eq!(
            prose(text),
            ["One is\nhere.", "Two is there!", "- item\n  goes on", "- other", "Three", "1) four"]
        );
    }

    #[test]
    fn code_in_a_sentence_neither_ends_nor_begins_one() {
        let text =
            "It is `GET /v1/documents?\nid={a. B}` that\n`lists`. `up` starts it, e.g. `up --docs`. Done.";
        assert_eq!(
            prose(text),
            [
                "It is `GET /v1/documents?\nid={a. B}` that\n`lists`.",
                "`up` starts it, e.g. `up --docs`.",
                "Done."
            ]
        );
    }

    #[test]
    fn code_blocks_and_tables_are_no_prose() {
        let text = "Run this:\n```sh\nmainstay up. Now!\n\n# no heading\n```\nAnd read.\n| a | b. C |\n~~~\nx\n~~~\n";
        assert_eq!(prose(text), ["Run this:", "And read."]);
        let code: Vec<&str> = read(text)
            .into_iter()
            .filter(|(_, kind)| *kind == SpanKind::Code)
            .map(|(text, _)| text)
            .collect();
        assert_eq!(code, ["mainstay up. Now!", "# no heading", "x"]);
        assert_eq!(prose("end of code\n```\nIt is prose."), ["It is prose."]);
    }
}
