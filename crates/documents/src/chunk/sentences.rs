//! Where sentences end.
//!
//! The rules are those of Unicode's UAX #29 (a terminator, closing punctuation, space; not before a lowercase letter,
//! not inside a number), looked at only where a terminator stands, with the corrections that running text needs:
//! abbreviations and initials do not end a sentence, a line break inside a paragraph does not either, a list marker at
//! the beginning of a line and a blank line do. A general segmenter (`unicode-segmentation`: 34 MB/s on English) would
//! take longer than everything else in chunking together, and its sentences would have to be joined again.

use std::ops::Range;

use super::abbreviations::{self, Abbreviation};
use super::words::is_unspaced;

/// The sentences of `text`: ranges that follow each other and cover it, each with the whitespace behind it.
pub(super) fn sentences(text: &str, casing: Casing) -> Sentences<'_> {
    Sentences { text, start: 0, casing }
}

/// Whether a document uses capitals at all. Where it does, a lowercase letter cannot begin a sentence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Casing {
    /// Sentences begin with a capital.
    Mixed,
    /// Everything is lowercase, or the script has no case.
    None,
}

impl Casing {
    /// The casing of a whole document.
    pub(super) fn of(text: &str) -> Self {
        let has_capital = text.bytes().any(|byte| byte.is_ascii_uppercase())
            || (!text.is_ascii() && text.chars().any(char::is_uppercase));
        if has_capital { Self::Mixed } else { Self::None }
    }
}

/// Iterator of [`sentences`].
#[derive(Debug)]
pub(super) struct Sentences<'a> {
    text: &'a str,
    start: usize,
    casing: Casing,
}

impl Iterator for Sentences<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        if self.start == self.text.len() {
            return None;
        }
        let start = self.start;
        let mut at = start;
        let end = loop {
            let Some(candidate) = next_candidate(self.text.as_bytes(), at) else { break self.text.len() };
            match self.examine(start, candidate) {
                Verdict::End(end) => break end,
                Verdict::Continue(next) => at = next,
            }
        };
        self.start = end;
        Some(start..end)
    }
}

/// What stands at a place where a sentence may end.
enum Verdict {
    /// The sentence ends, and the next begins here.
    End(usize),
    /// It does not end; look on from here, which is behind everything that was looked at.
    Continue(usize),
}

/// Bytes at which a sentence may end, and first bytes of the other terminators.
const CANDIDATES: [bool; 256] = {
    let mut table = [false; 256];
    let bytes = b".!?\n\xd6\xd8\xdb\xe0\xe1\xe2\xe3\xef";
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    table
};

fn next_candidate(bytes: &[u8], from: usize) -> Option<usize> {
    bytes[from..].iter().position(|&byte| CANDIDATES[usize::from(byte)]).map(|offset| from + offset)
}

/// How a terminator is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Terminator {
    /// `.`, which also abbreviates and separates decimals.
    Period,
    /// `!`, `?` and those that, like them, need a space behind them.
    Mark,
    /// `。`, `！` and the others of scripts that put no space behind them.
    FullWidth,
}

fn terminator(character: char) -> Option<Terminator> {
    match character {
        '.' => Some(Terminator::Period),
        '!'
        | '?'
        | '\u{0589}'
        | '\u{061f}'
        | '\u{061d}'
        | '\u{061e}'
        | '\u{06d4}'
        | '\u{1362}'
        | '\u{1367}'
        | '\u{1368}'
        | '\u{2026}'
        | '\u{203c}'
        | '\u{203d}'
        | '\u{2047}'..='\u{2049}' => Some(Terminator::Mark),
        '\u{0964}' | '\u{0965}' | '\u{104a}' | '\u{104b}' | '\u{17d4}' | '\u{17d5}' | '\u{3002}'
        | '\u{ff01}' | '\u{ff0e}' | '\u{ff1f}' | '\u{ff61}' => Some(Terminator::FullWidth),
        _ => None,
    }
}

/// Characters that close what a sentence ends in, Markdown's emphasis included.
fn is_closing(character: char) -> bool {
    matches!(
        character,
        '"' | '\''
            | ')'
            | ']'
            | '}'
            | '*'
            | '_'
            | '`'
            | '~'
            | '»'
            | '›'
            | '’'
            | '”'
            | '\u{3009}'
            | '\u{300b}'
            | '\u{300d}'
            | '\u{300f}'
            | '\u{3011}'
            | '\u{3015}'
            | '\u{ff09}'
            | '\u{ff3d}'
            | '\u{ff63}'
    )
}

/// Characters that may stand before the first letter of a sentence.
fn is_opening(character: char) -> bool {
    matches!(
        character,
        '"' | '\'' | '(' | '[' | '{' | '*' | '_' | '`' | '~' | '«' | '‹' | '‘' | '“' | '„' | '¿' | '¡'
    )
}

impl Sentences<'_> {
    fn examine(&self, start: usize, at: usize) -> Verdict {
        let Some(character) = self.text[at..].chars().next() else { return Verdict::End(self.text.len()) };
        if character == '\n' {
            return self.examine_line_break(at);
        }
        match terminator(character) {
            Some(first) => self.examine_terminator(start, at, first),
            None => Verdict::Continue(at + character.len_utf8()),
        }
    }

    /// A line break ends a sentence where a blank line or a list marker follows.
    fn examine_line_break(&self, at: usize) -> Verdict {
        let rest = &self.text.as_bytes()[at + 1..];
        let indent = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
        let next = at + 1 + indent;
        let blank_line = rest.get(indent) == Some(&b'\n');
        if blank_line {
            Verdict::End(self.skip_whitespace(next))
        } else if starts_with_list_marker(&self.text[next..]) {
            Verdict::End(next)
        } else {
            Verdict::Continue(next)
        }
    }

    fn examine_terminator(&self, start: usize, at: usize, first: Terminator) -> Verdict {
        let run = Run::read(self.text, at, first);
        let next = self.skip_whitespace(run.end);
        if next == self.text.len() {
            return Verdict::End(next);
        }
        let spaced = next > run.end;
        if run.kind == Terminator::FullWidth {
            return Verdict::End(next);
        }
        if !spaced {
            let ideograph_follows = self.text[next..].chars().next().is_some_and(is_unspaced);
            return if ideograph_follows { Verdict::End(next) } else { Verdict::Continue(run.end) };
        }
        if self.has_blank_line(run.end, next) || !self.goes_on(start, at, &run, next) {
            Verdict::End(next)
        } else {
            Verdict::Continue(next)
        }
    }

    /// Whether the sentence goes on at `next`, after the terminator at `at` and the space behind it.
    fn goes_on(&self, start: usize, at: usize, run: &Run, next: usize) -> bool {
        let following = self.text[next..].chars().take(8).find(|&character| !is_opening(character));
        let lowercase_follows = following.is_some_and(char::is_lowercase);
        // Tokenised text puts a space before the period, and then often has no capitals either.
        let set_apart = self.text[start..at].ends_with([' ', '\t', '\n']) && at > start;
        if lowercase_follows && self.casing == Casing::Mixed && !set_apart {
            return true;
        }
        if run.kind != Terminator::Period || run.terminators > 1 || set_apart {
            return false;
        }
        match abbreviations::ending(&self.text[start..at]) {
            Some(Abbreviation::Never) => true,
            Some(Abbreviation::UnlessNumber) => following.is_some_and(char::is_numeric),
            Some(Abbreviation::BeforeCapital) => !following.is_some_and(char::is_uppercase),
            None => false,
        }
    }

    fn skip_whitespace(&self, from: usize) -> usize {
        self.text[from..]
            .char_indices()
            .find(|(_, character)| !character.is_whitespace())
            .map_or(self.text.len(), |(offset, _)| from + offset)
    }

    fn has_blank_line(&self, from: usize, to: usize) -> bool {
        self.text.as_bytes()[from..to].iter().filter(|&&byte| byte == b'\n').nth(1).is_some()
    }
}

/// A run of terminators with the closing punctuation and reference marks behind it.
struct Run {
    kind: Terminator,
    terminators: usize,
    end: usize,
}

impl Run {
    fn read(text: &str, at: usize, first: Terminator) -> Self {
        let mut run = Self { kind: first, terminators: 0, end: at };
        let mut closing = false;
        for character in text[at..].chars() {
            match terminator(character) {
                Some(kind) if !closing => {
                    run.terminators += 1;
                    if kind != Terminator::Period {
                        run.kind = kind;
                    }
                }
                None if is_closing(character) => closing = true,
                _ => break,
            }
            run.end += character.len_utf8();
        }
        run.end += reference_mark(&text.as_bytes()[run.end..]);
        run
    }
}

/// Length of reference marks such as `[12]`, `[3, 4]` and `[^note]` directly behind a sentence.
fn reference_mark(bytes: &[u8]) -> usize {
    const LONGEST: usize = 24;
    let mut length = 0;
    while bytes.get(length) == Some(&b'[') {
        let inside = &bytes[length + 1..];
        let Some(close) = inside.iter().take(LONGEST).position(|&byte| byte == b']') else { break };
        let footnote = inside.first() == Some(&b'^');
        let numbers = inside[..close].iter().all(|byte| byte.is_ascii_digit() || b" ,-".contains(byte));
        if close == 0 || !(footnote || numbers) {
            break;
        }
        length += close + 2;
    }
    length
}

/// Whether a line begins with a bullet or a number of a list.
fn starts_with_list_marker(line: &str) -> bool {
    let bytes = line.as_bytes();
    let marker = match bytes.first() {
        Some(b'-' | b'*' | b'+') => 1,
        Some(b'0'..=b'9') => {
            let digits = bytes.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
            match bytes.get(digits) {
                Some(b'.' | b')') => digits + 1,
                _ => return false,
            }
        }
        Some(0xe2) if line.starts_with(['•', '‣', '–', '▪', '●']) => 3,
        _ => return false,
    };
    matches!(bytes.get(marker), Some(b' ' | b'\t'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_segmentation::UnicodeSegmentation;

    use super::*;

    fn split(text: &str) -> Vec<&str> {
        sentences(text, Casing::of(text)).map(|range| &text[range]).collect()
    }

    /// `text` with `|` where a sentence is to end.
    #[track_caller]
    fn check(marked: &str) {
        let text = marked.replace('|', "");
        assert_eq!(split(&text).join("|"), marked);
    }

    #[test]
    fn terminators_with_quotes_brackets_and_reference_marks_end_sentences() {
        check("One. |Two! |Three? |Four");
        check("He said “no.” |She left. |(Not for long.) |So it was.[12][3, 4] |And [^a].[^a] |End");
        check("Is it **bold.** |It is `code`. |Wait... |What?! |Yes… |Good");
    }

    #[test]
    fn abbreviations_initials_decimals_and_versions_do_not() {
        check("Dr. Smith et al. (2001) saw e.g. 3.14 and i.e. Version 1.2.3 of J. R. Hartley. |Next");
        check("See No. 5 on p. 12 of Fig. 3. |The answer is no. |But wait.");
        check(
            "Acme Inc. has it. |We asked Acme Inc. |They agreed at 5 p.m. |Then, apples, pears, etc. were eaten",
        );
        check("Visit example.com/a?b=c! today or www.rust-lang.org. |Done");
        check("Vgl. z.B. Abb. 3 bzw. Tab. 4. |Ende");
    }

    #[test]
    fn a_lowercase_letter_goes_on_unless_nothing_is_capital() {
        check("“Really?” he asked. |Yahoo! is a company.");
        check("a wing in a slipstream . |the results were . |an end");
        check("all is lower case. |nothing else, e.g. here. |end");
    }

    #[test]
    fn wrapped_lines_stay_together_and_blank_lines_and_lists_part() {
        check("A line that\nis wrapped. |Here\nagain\n\n|Part\r\n \r\n|Three");
        check("Buy:\n|- milk\n|- bread\n|2. eggs\n|• salt");
        check("1. First is a number. |Second");
    }

    #[test]
    fn other_scripts_have_their_own_terminators() {
        check("北京是首都。|上海很大！|真的吗？|「是。」|好");
        check("यह पहला वाक्य है। |दूसरा॥ |तीसरा");
        check("هل هذا سؤال؟ |نعم. |انتهى");
        check("یہ جملہ ہے۔ |دوسرا");
        check("ខ្ញុំ។|អ្នក");
        check("英文 ends.|接着中文。");
    }

    #[test]
    fn a_million_openings_and_closings_take_no_longer_than_text() {
        for pattern in [".(", ". (", "e.g. ", ".\n", ".[", ".[^", "\n-", "!)", "...."] {
            let text = pattern.repeat(1_000_000 / pattern.len());
            assert_eq!(split(&text).concat().len(), text.len());
        }
    }

    proptest! {
        #[test]
        fn sentences_cover_any_text_in_order(text in "(\\PC|[.!?。\\[\\]^)\n -]){0,200}") {
            prop_assert_eq!(split(&text).concat(), text);
        }

        /// On text without our corrections the rules are those of UAX #29.
        #[test]
        fn plain_sentences_end_where_unicode_says(
            sentences in prop::collection::vec("[A-Z][a-z]{4,6}( [a-z]{4,6}){0,4}[.!?]{1,2}[\")]?", 1..8),
        ) {
            let text = sentences.join(" ");
            prop_assert_eq!(split(&text), text.split_sentence_bounds().collect::<Vec<_>>());
        }
    }
}
