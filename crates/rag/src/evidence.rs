//! What a passage says, sentence by sentence: whether it supports a statement, and where.
//!
//! The measure is overlap of content words after stemming, and the numbers that are written in digits. It catches a
//! citation of the wrong source and a wrong number; it cannot tell a statement from its negation.

use std::collections::HashSet;
use std::ops::Range;

use mainstay_domain::{ByteRange, Passage};
use mainstay_text::{Analyzer, Language, TermId, detect, detect_reliably, numbers};

use crate::sentences::{SpanKind, spans};

/// A passage taken apart.
pub(crate) struct Evidence {
    analyzer: Analyzer,
    sentences: Vec<Sentence>,
    /// The terms of all sentences, of the title and of the headings.
    terms: HashSet<TermId>,
    /// The numbers of the same.
    numbers: HashSet<String>,
}

/// A sentence of a passage's parent.
pub(crate) struct Sentence {
    /// Where it is in the parent's text.
    pub(crate) range: Range<usize>,
    pub(crate) kind: SpanKind,
    /// Its content words.
    pub(crate) terms: HashSet<TermId>,
}

/// The bytes of a document that support a statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Support {
    pub(crate) range: ByteRange,
    pub(crate) quote: String,
}

/// A statement shares at least this part of its content words with a source that supports it. Paraphrases keep names,
/// numbers and most nouns; a source about something else shares a word or two by chance.
const LEAST_SHARE: f64 = 0.3;

/// A statement of fewer content words ("According to") says too little to be held against a source.
const FEWEST_TERMS: usize = 2;

impl Evidence {
    /// Takes a passage apart.
    pub(crate) fn of(passage: &Passage) -> Self {
        let analyzer = Analyzer::new(language_of(&passage.parent_text));
        let sentences: Vec<Sentence> = spans(&passage.parent_text)
            .into_iter()
            .map(|span| Sentence {
                terms: content_terms(&analyzer, &passage.parent_text[span.range.clone()]),
                range: span.range,
                kind: span.kind,
            })
            .collect();
        let mut terms: HashSet<TermId> =
            sentences.iter().flat_map(|sentence| &sentence.terms).copied().collect();
        let mut written = numbers(&passage.parent_text);
        for heading in passage.title.iter().chain(&passage.headings) {
            terms.extend(content_terms(&analyzer, heading));
            written.extend(numbers(heading));
        }
        Self { analyzer, sentences, terms, numbers: written }
    }

    /// The sentences in their order.
    pub(crate) fn sentences(&self) -> &[Sentence] {
        &self.sentences
    }

    /// The content words of a text, in the passage's language.
    pub(crate) fn terms_of(&self, text: &str) -> HashSet<TermId> {
        content_terms(&self.analyzer, text)
    }

    /// Every content word of the passage, its title and its headings.
    pub(crate) fn terms(&self) -> &HashSet<TermId> {
        &self.terms
    }

    /// The sentence that supports `statement` best, or `None` where the passage does not support it. A statement that
    /// cannot be compared (too short, or in another language than the passage) is given the chunk that was found.
    pub(crate) fn support(&self, passage: &Passage, statement: &str) -> Option<Support> {
        let missing: Vec<String> =
            numbers(without_item_number(statement)).difference(&self.numbers).cloned().collect();
        if !missing.iter().all(|number| may_be_spelled(number)) {
            return None;
        }
        let claimed = self.terms_of(statement);
        if claimed.len() < FEWEST_TERMS {
            return Some(chunk_of(passage));
        }
        let shared = |terms: &HashSet<TermId>| claimed.intersection(terms).count();
        if (shared(&self.terms) as f64) < LEAST_SHARE * claimed.len() as f64 {
            let incomparable =
                shared(&self.terms) == 0 && in_different_languages(statement, &passage.parent_text);
            return incomparable.then(|| chunk_of(passage));
        }
        let best = self
            .sentences
            .iter()
            .map(|sentence| (shared(&sentence.terms), sentence))
            .reduce(|best, next| if next.0 > best.0 { next } else { best })
            .filter(|(count, _)| *count > 0);
        let Some((_, best)) = best else { return Some(chunk_of(passage)) };
        let support = quote(passage, &best.range);
        // A sentence that writes its numbers in digits would have written this one.
        let contradicts = !missing.is_empty() && !numbers(&support.quote).is_empty();
        (!contradicts).then_some(support)
    }
}

/// Whether a number is one that many texts spell: a statement may have "2" for the "two" of its source.
fn may_be_spelled(number: &str) -> bool {
    number.parse::<u8>().is_ok_and(|number| number <= 12)
}

/// A statement without the number that it has as an item of a list.
fn without_item_number(statement: &str) -> &str {
    let statement = statement.trim_start();
    let rest = statement.trim_start_matches(|c: char| c.is_ascii_digit());
    match rest.strip_prefix([')', '.']) {
        Some(item) if rest.len() < statement.len() && item.starts_with(' ') => item,
        _ => statement,
    }
}

/// A sentence of a passage as support.
pub(crate) fn quote(passage: &Passage, range: &Range<usize>) -> Support {
    let start = passage.parent_range.start;
    Support {
        range: ByteRange { start: start + range.start, end: start + range.end },
        quote: passage.parent_text[range.clone()].to_owned(),
    }
}

fn chunk_of(passage: &Passage) -> Support {
    Support { range: passage.range, quote: passage.text.clone() }
}

/// Whether two texts are certainly in different languages: written in different scripts, or both long enough not to be
/// mistaken for another language.
fn in_different_languages(one: &str, other: &str) -> bool {
    const CERTAIN: f64 = 0.9;
    let is_latin =
        |text: &str| {
            let letters = text.chars().filter(|c| c.is_alphabetic());
            let (latin, other) = letters.fold((0, 0), |(latin, other), letter| {
                if letter < '\u{250}' { (latin + 1, other) } else { (latin, other + 1) }
            });
            latin > other
        };
    if is_latin(one) != is_latin(other) {
        return true;
    }
    match (detect(one), detect(other)) {
        (Some(one), Some(other)) => {
            one.language != other.language && one.confidence >= CERTAIN && other.confidence >= CERTAIN
        }
        _ => false,
    }
}

fn language_of(text: &str) -> Language {
    detect_reliably(text).unwrap_or(Language::ENGLISH)
}

/// The words that carry meaning: all but those that are grammar alone. Where it is not known which are, the longer ones,
/// and those with digits or in other scripts, where a short word can be a whole noun.
fn content_terms(analyzer: &Analyzer, text: &str) -> HashSet<TermId> {
    let knows_grammar = analyzer.knows_grammar();
    let mut terms = HashSet::new();
    analyzer.visit_content(text, |_, term| {
        let carries_meaning = knows_grammar
            || term.len() > 3
            || term.bytes().any(|byte| byte.is_ascii_digit() || !byte.is_ascii());
        if carries_meaning {
            terms.insert(TermId::of(term));
        }
    });
    terms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::passage;

    #[test]
    fn the_sentence_that_says_it_is_the_support() {
        let passage = passage(1, "a", "Cats sleep a lot. Parrots can live for sixty years.");
        let support = Evidence::of(&passage).support(&passage, "A parrot may live sixty years").unwrap();
        assert_eq!(support.quote, "Parrots can live for sixty years.");
    }

    #[test]
    fn a_passage_about_something_else_supports_nothing() {
        let passage = passage(1, "a", "Cats sleep a lot. Parrots can live for sixty years.");
        assert_eq!(
            Evidence::of(&passage).support(&passage, "The warranty covers batteries for two years"),
            None
        );
    }

    #[test]
    fn a_statement_in_another_language_is_given_the_chunk() {
        let passage = passage(1, "a", "Die Garantie für das Gerät dauert zwei Jahre ab dem Tag des Kaufs.");
        let support = Evidence::of(&passage)
            .support(&passage, "Покупатель получает двухлетнее обслуживание устройства");
        assert_eq!(support.unwrap().quote, passage.text);
    }

    #[test]
    fn a_number_that_the_source_does_not_have_is_not_supported() {
        let digits = passage(1, "a", "The warranty lasts 2 years. Batteries are covered for 1,000 cycles.");
        let supports = |statement: &str| Evidence::of(&digits).support(&digits, statement).is_some();
        assert!(supports("The warranty lasts 2 years"));
        assert!(!supports("The warranty lasts 3 years"));
        assert!(supports("1. Batteries are covered for 1000 cycles"));
        assert!(!supports("Batteries are covered for 1500 cycles"));
        assert!(!supports("1500"));
        let words = passage(1, "a", "The warranty lasts two years. See section 4.");
        let supports = |statement: &str| Evidence::of(&words).support(&words, statement).is_some();
        assert!(supports("The warranty lasts 2 years"));
        assert!(!supports("The warranty lasts 24 months"));
    }

    #[test]
    fn words_of_grammar_support_nothing() {
        let passage =
            passage(1, "a", "What is done when there have been errors, and which of them does it show?");
        let evidence = Evidence::of(&passage);
        assert_eq!(evidence.support(&passage, "When does the bakery have bread, and which?"), None);
        assert!(evidence.terms_of("What does this have?").is_empty());
    }
}
