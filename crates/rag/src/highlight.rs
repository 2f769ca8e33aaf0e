//! Which words of a text a question asks for, for people who look at it.

use std::ops::Range;

use mainstay_text::Analyzer;
use unicode_segmentation::UnicodeSegmentation;

use crate::evidence::{content_terms, language_of};

/// Where the words stand in `text` that the search took from `question`, in their order, without overlap. Words are the
/// same that have the same stem; in scripts without spaces, pairs of letters are.
pub fn asked_words(text: &str, question: &str) -> Vec<Range<usize>> {
    let analyzer = Analyzer::new(language_of(text));
    let asked = content_terms(&analyzer, question);
    let is_asked = |stretch: &str| !content_terms(&analyzer, stretch).is_disjoint(&asked);
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut mark = |range: Range<usize>| match found.last_mut() {
        Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
        _ => found.push(range),
    };
    for run in words_and_runs(text) {
        let stretch = &text[run.clone()];
        if stretch.starts_with(is_unspaced) {
            pairs(stretch)
                .filter(|pair| is_asked(&stretch[pair.clone()]))
                .for_each(|pair| mark(run.start + pair.start..run.start + pair.end));
        } else if is_asked(stretch) {
            mark(run);
        }
    }
    found
}

/// The words of a text; letters of scripts without spaces that follow each other are one run.
fn words_and_runs(text: &str) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (start, word) in text.unicode_word_indices() {
        match runs.last_mut() {
            Some(last)
                if last.end == start
                    && word.starts_with(is_unspaced)
                    && text[last.clone()].starts_with(is_unspaced) =>
            {
                last.end += word.len();
            }
            _ => runs.push(start..start + word.len()),
        }
    }
    runs
}

/// Every two letters that follow each other; a letter that is alone.
fn pairs(run: &str) -> impl Iterator<Item = Range<usize>> {
    let starts: Vec<usize> = run.char_indices().map(|(start, _)| start).chain([run.len()]).collect();
    let letters = starts.len() - 1;
    (0..letters.saturating_sub(1).max(1)).map(move |letter| starts[letter]..starts[(letter + 2).min(letters)])
}

/// Thai and its neighbours, Chinese, Japanese and Korean: the search takes them by pairs of letters.
fn is_unspaced(letter: char) -> bool {
    matches!(letter, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked<'a>(text: &'a str, question: &str) -> Vec<&'a str> {
        asked_words(text, question).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn words_are_marked_by_their_stem_and_grammar_is_not() {
        let text = "The warranties last two years. What is covered? The batteries.";
        assert_eq!(
            marked(text, "What does the warranty of a battery cover?"),
            ["warranties", "covered", "batteries"]
        );
        assert_eq!(marked(text, ""), [""; 0]);
    }

    #[test]
    fn scripts_without_spaces_are_marked_by_pairs() {
        assert_eq!(marked("保修期为两年。电池不在内。", "电池的保修期"), ["保修期", "电池"]);
        assert_eq!(marked("猫", "猫"), ["猫"]);
    }

    #[test]
    fn hostile_text_is_only_text() {
        let text = "<script>alert('ferry')</script> Ferry\u{0}É😀";
        for range in asked_words(text, "ferry <script>") {
            assert!(text.is_char_boundary(range.start) && text.is_char_boundary(range.end));
        }
    }
}
