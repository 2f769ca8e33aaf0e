//! What a passage says, sentence by sentence: whether it supports a statement, and where.
//!
//! The measure is overlap of content words after stemming, and the numbers that are written in digits. It catches a
//! citation of the wrong source and a wrong number; it cannot tell a statement from its negation.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use mainstay_domain::{ByteRange, Passage};
use mainstay_text::{Analyzer, Language, TermId, detect, detect_reliably, numbers};

use crate::selection::Source;
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
        Self::within(passage, std::slice::from_ref(&(0..passage.parent_text.len())))
    }

    /// Takes apart what is shown of a source: nothing else can be cited.
    pub(crate) fn shown(source: &Source) -> Self {
        Self::within(&source.passage, &source.shown)
    }

    fn within(passage: &Passage, shown: &[Range<usize>]) -> Self {
        let text = &passage.parent_text;
        let analyzer = Analyzer::new(language_of(text));
        let is_shown = |range: &Range<usize>| {
            shown.iter().any(|stretch| stretch.start <= range.start && range.end <= stretch.end)
        };
        let sentences: Vec<Sentence> = spans(text)
            .into_iter()
            .filter(|span| is_shown(&span.range))
            .map(|span| Sentence {
                terms: content_terms(&analyzer, &text[span.range.clone()]),
                range: span.range,
                kind: span.kind,
            })
            .collect();
        let mut terms: HashSet<TermId> =
            sentences.iter().flat_map(|sentence| &sentence.terms).copied().collect();
        let mut written: HashSet<String> =
            shown.iter().flat_map(|stretch| numbers(&text[stretch.clone()])).collect();
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

    /// The sentence that supports `statement` best, or `None` where the source does not support it. A statement that
    /// cannot be compared (too short, or in another language than the source) is given the chunk that was found.
    pub(crate) fn support(&self, source: &Source, statement: &str) -> Option<Support> {
        let missing: Vec<String> =
            numbers(without_item_number(statement)).difference(&self.numbers).cloned().collect();
        if !missing.iter().all(|number| may_be_spelled(number)) {
            return None;
        }
        let claimed = self.terms_of(statement);
        if claimed.len() < FEWEST_TERMS {
            return Some(chunk_of(source));
        }
        let shared = |terms: &HashSet<TermId>| claimed.intersection(terms).count();
        if (shared(&self.terms) as f64) < LEAST_SHARE * claimed.len() as f64 {
            let incomparable =
                shared(&self.terms) == 0 && in_different_languages(statement, &source.passage.parent_text);
            return incomparable.then(|| chunk_of(source));
        }
        let best = self
            .sentences
            .iter()
            .map(|sentence| (shared(&sentence.terms), sentence))
            .reduce(|best, next| if next.0 > best.0 { next } else { best })
            .filter(|(count, _)| *count > 0);
        let Some((_, best)) = best else { return Some(chunk_of(source)) };
        let support = quote(&source.passage, &best.range);
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

/// The chunk that was found; where it is not shown whole, the longest stretch of it that is.
fn chunk_of(source: &Source) -> Support {
    let passage = &source.passage;
    let base = passage.parent_range.start;
    let chunk = passage.range.start - base..passage.range.end - base;
    let within = |stretch: &Range<usize>| stretch.start.max(chunk.start)..stretch.end.min(chunk.end);
    let of_chunk = source.shown.iter().map(within).max_by_key(ExactSizeIterator::len);
    let longest = of_chunk
        .filter(|stretch| !stretch.is_empty())
        .or_else(|| source.shown.iter().max_by_key(|stretch| stretch.len()).cloned());
    quote(passage, &longest.unwrap_or(chunk))
}

/// How much each asked word tells: the rarer among the sentences, the more. A word that occurs nowhere still counts,
/// because a question about it is not answered.
pub(crate) fn weigh(asked: &HashSet<TermId>, evidence: &[Evidence]) -> HashMap<TermId, f64> {
    let sentences: Vec<&HashSet<TermId>> =
        evidence.iter().flat_map(|one| one.sentences().iter().map(|sentence| &sentence.terms)).collect();
    let count = sentences.len() as f64;
    asked
        .iter()
        .map(|term| {
            let containing = sentences.iter().filter(|terms| terms.contains(term)).count() as f64;
            (*term, (1.0 + count / (0.5 + containing)).ln())
        })
        .collect()
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

/// By whose rules a text is analysed.
pub(crate) fn language_of(text: &str) -> Language {
    detect_reliably(text).unwrap_or(Language::ENGLISH)
}

/// The words that carry meaning: all but those that are grammar alone. Where it is not known which are, the longer ones,
/// and those with digits or in other scripts, where a short word can be a whole noun.
pub(crate) fn content_terms(analyzer: &Analyzer, text: &str) -> HashSet<TermId> {
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

    fn source(text: &str) -> Source {
        Source::whole(passage(1, "a", text))
    }

    #[test]
    fn the_sentence_that_says_it_is_the_support() {
        let source = source("Cats sleep a lot. Parrots can live for sixty years.");
        let support = Evidence::shown(&source).support(&source, "A parrot may live sixty years").unwrap();
        assert_eq!(support.quote, "Parrots can live for sixty years.");
    }

    #[test]
    fn a_passage_about_something_else_supports_nothing() {
        let source = source("Cats sleep a lot. Parrots can live for sixty years.");
        assert_eq!(
            Evidence::shown(&source).support(&source, "The warranty covers batteries for two years"),
            None
        );
    }

    #[test]
    fn a_statement_in_another_language_is_given_the_chunk() {
        let source = source("Die Garantie für das Gerät dauert zwei Jahre ab dem Tag des Kaufs.");
        let support = Evidence::shown(&source)
            .support(&source, "Покупатель получает двухлетнее обслуживание устройства");
        assert_eq!(support.unwrap().quote, source.passage.text);
    }

    #[test]
    fn a_number_that_the_source_does_not_have_is_not_supported() {
        let digits = source("The warranty lasts 2 years. Batteries are covered for 1,000 cycles.");
        let supports = |statement: &str| Evidence::shown(&digits).support(&digits, statement).is_some();
        assert!(supports("The warranty lasts 2 years"));
        assert!(!supports("The warranty lasts 3 years"));
        assert!(supports("1. Batteries are covered for 1000 cycles"));
        assert!(!supports("Batteries are covered for 1500 cycles"));
        assert!(!supports("1500"));
        let words = source("The warranty lasts two years. See section 4.");
        let supports = |statement: &str| Evidence::shown(&words).support(&words, statement).is_some();
        assert!(supports("The warranty lasts 2 years"));
        assert!(!supports("The warranty lasts 24 months"));
    }

    #[test]
    fn words_of_grammar_support_nothing() {
        let source = source("What is done when there have been errors, and which of them does it show?");
        let evidence = Evidence::shown(&source);
        assert_eq!(evidence.support(&source, "When does the bakery have bread, and which?"), None);
        assert!(evidence.terms_of("What does this have?").is_empty());
    }
}
