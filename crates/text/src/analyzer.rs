//! From a text to its terms.

use std::collections::HashSet;

use crate::fold::{compatible, push_lower_case, without_accents};
use crate::function_words::function_words;
use crate::language::Language;
use crate::segment::{Piece, segment};
use crate::stem::Stemmer;
use crate::terms::{TermId, Terms};

/// Changes whenever the same text may get other terms than before. An index remembers the version it was built with
/// and is rebuilt when it differs.
pub const ANALYSIS_VERSION: u32 = 1;

/// Longer words and identifiers are data (hashes, encoded bytes): nobody searches for them by typing.
const LONGEST_WORD_BYTES: usize = 128;

/// Turns texts of one language into terms.
///
/// - Words are brought to one spelling (Unicode NFKC, lower case, no optional vowel points), stemmed by the Snowball
///   algorithm of the language, and lose their accents. Combining marks stay inside words.
/// - Names of several parts, such as `no-unused-vars`, `Vec::new`, `v1.2.3` or `getUserName`, give each part and the
///   whole. The whole is written together, so that `data-base`, `data_base`, `dataBase` and `database` meet; between
///   digits the sign stays, so that 1.2 is not 12.
/// - Scripts without spaces between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese) and Korean give overlapping
///   pairs of letters, and a letter on its own gives itself.
/// - Words with digits are codes, and are not stemmed.
/// - A question loses the words that are grammar alone.
pub struct Analyzer {
    language: Language,
    stemmer: Stemmer,
    function_words: Option<&'static HashSet<&'static str>>,
}

/// What a term is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TermKind {
    /// A word.
    Word,
    /// A part of a name.
    Part,
    /// A name of several parts as one.
    Whole,
    /// A pair of letters.
    Pair,
}

impl TermKind {
    /// What one adds to the length of its text. A whole name says again what its parts have said.
    fn length(self) -> f32 {
        if self == Self::Whole { 0.0 } else { 1.0 }
    }
}

/// A term where it occurs.
struct Occurrence<'a> {
    kind: TermKind,
    /// The word in lower case, with its ending.
    written: &'a str,
    term: &'a str,
}

impl Analyzer {
    /// The analyzer for a language; one for which there is no stemmer has its words taken as they are.
    pub fn new(language: Language) -> Self {
        Self { language, stemmer: Stemmer::for_language(language), function_words: function_words(language) }
    }

    /// The language that it analyses.
    pub fn language(&self) -> Language {
        self.language
    }

    /// The terms of a text that is to be found.
    pub fn analyze(&self, text: &str) -> Terms {
        let mut occurrences = Vec::with_capacity(text.len() / 4);
        let mut length = 0.0;
        self.visit_terms(text, |kind, term| {
            occurrences.push((TermId::of(term), 1.0));
            length += kind.length();
        });
        Terms::from_occurrences(occurrences, length)
    }

    /// The terms of a question: those of [`analyze`](Self::analyze) without the words that are grammar alone, unless
    /// there are no others ("To be or not to be?").
    pub fn analyze_question(&self, question: &str) -> Terms {
        let terms = self.analyze_content(question, self);
        if terms.is_empty() { self.analyze(question) } else { terms }
    }

    /// Calls `visit` with every occurrence of a term that is not grammar alone.
    pub fn visit_content(&self, text: &str, mut visit: impl FnMut(TermKind, &str)) {
        self.visit(text, |occurrence| {
            if !self.is_grammar(&occurrence) {
                visit(occurrence.kind, occurrence.term);
            }
        });
    }

    /// Whether it is known which words of the language are grammar alone.
    pub fn knows_grammar(&self) -> bool {
        self.function_words.is_some()
    }

    /// How many words of a text are grammar alone.
    pub(crate) fn count_grammar(&self, text: &str) -> usize {
        let mut count = 0;
        self.visit(text, |occurrence| count += usize::from(self.is_grammar(&occurrence)));
        count
    }

    /// The terms of a text in another language: to the rules of this one, without what is grammar alone in that one.
    pub(crate) fn analyze_content(&self, text: &str, written_in: &Self) -> Terms {
        let mut occurrences = Vec::new();
        let mut length = 0.0;
        self.visit(text, |occurrence| {
            if !written_in.is_grammar(&occurrence) {
                occurrences.push((TermId::of(occurrence.term), 1.0));
                length += occurrence.kind.length();
            }
        });
        Terms::from_occurrences(occurrences, length)
    }

    fn is_grammar(&self, occurrence: &Occurrence<'_>) -> bool {
        occurrence.kind == TermKind::Word
            && self.function_words.is_some_and(|words| words.contains(&*without_accents(occurrence.written)))
    }

    /// Calls `visit` with every occurrence of a term, in the order of the text.
    pub fn visit_terms(&self, text: &str, mut visit: impl FnMut(TermKind, &str)) {
        self.visit(text, |occurrence| visit(occurrence.kind, occurrence.term));
    }

    fn visit(&self, text: &str, mut visit: impl FnMut(Occurrence<'_>)) {
        let mut buffer = String::new();
        segment(&compatible(text), |piece| match piece {
            Piece::Unspaced(run) => visit_pairs(run, &mut visit),
            Piece::Word { whole, parts, apostrophe } => {
                if whole.len() <= LONGEST_WORD_BYTES {
                    self.visit_word(whole, parts, apostrophe, &mut buffer, &mut visit);
                }
            }
        });
    }

    fn visit_word(
        &self,
        whole: &str,
        parts: &[&str],
        apostrophe: bool,
        buffer: &mut String,
        visit: &mut impl FnMut(Occurrence<'_>),
    ) {
        if apostrophe && let Some(verb) = self.contracted(parts) {
            buffer.clear();
            push_lower_case(verb, self.language, buffer);
            return self.visit_stem(TermKind::Word, buffer, visit);
        }
        let is_name = parts.len() > 1 && !apostrophe;
        for part in parts {
            // What an apostrophe cuts to one letter is no word: l'homme, don't, O'Reilly.
            if !(apostrophe && part.chars().nth(1).is_none()) {
                buffer.clear();
                push_lower_case(part, self.language, buffer);
                self.visit_stem(if is_name { TermKind::Part } else { TermKind::Word }, buffer, visit);
            }
        }
        buffer.clear();
        if parts.len() > 1 {
            if !(apostrophe && self.elides()) {
                self.push_together(whole, parts, buffer);
                self.visit_stem(TermKind::Whole, buffer, visit);
            }
        } else if whole.ends_with(['+', '#']) {
            push_lower_case(whole, self.language, buffer);
            visit(Occurrence { kind: TermKind::Whole, written: buffer, term: buffer });
        }
    }

    fn visit_stem(&self, kind: TermKind, written: &str, visit: &mut impl FnMut(Occurrence<'_>)) {
        let stem = self.stemmer.stem(written);
        if !stem.is_empty() {
            visit(Occurrence { kind, written, term: &without_accents(&stem) });
        }
    }

    /// The parts written together, with the sign kept where it stands between digits.
    fn push_together(&self, whole: &str, parts: &[&str], buffer: &mut String) {
        let offset = |part: &str| part.as_ptr().addr() - whole.as_ptr().addr();
        for pair in parts.windows(2) {
            push_lower_case(pair[0], self.language, buffer);
            let joiner = &whole[offset(pair[0]) + pair[0].len()..offset(pair[1])];
            let between_digits = pair[0].ends_with(|end: char| end.is_ascii_digit())
                && pair[1].starts_with(|start: char| start.is_ascii_digit());
            if between_digits {
                buffer.push_str(joiner);
            }
        }
        if let Some(last) = parts.last() {
            push_lower_case(last, self.language, buffer);
        }
    }

    /// The word to which English has contracted another: "does" of "doesn't", "we" of "we're".
    fn contracted<'a>(&self, parts: &[&'a str]) -> Option<&'a str> {
        match parts {
            [first, "t" | "T"] if self.language == Language::ENGLISH => {
                let negated = first.strip_suffix(['n', 'N'])?;
                Some(if negated.eq_ignore_ascii_case("ca") { first } else { negated })
            }
            [first, "d" | "ll" | "m" | "re" | "ve"] if self.language == Language::ENGLISH => Some(first),
            _ => None,
        }
    }

    /// Languages in which an apostrophe cuts off an article or preposition.
    fn elides(&self) -> bool {
        matches!(self.language.as_str(), "fr" | "it" | "ca")
    }
}

/// Overlapping pairs of letters; a letter on its own is itself.
fn visit_pairs(run: &str, visit: &mut impl FnMut(Occurrence<'_>)) {
    let mut visit = |pair: &str| visit(Occurrence { kind: TermKind::Pair, written: pair, term: pair });
    let mut ends = run.char_indices().map(|(start, letter)| start + letter.len_utf8());
    let mut start = 0;
    let Some(mut middle) = ends.next() else { return };
    if middle == run.len() {
        visit(run);
    }
    for end in ends {
        visit(&run[start..end]);
        (start, middle) = (middle, end);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn terms(code: &str, text: &str) -> Vec<String> {
        let analyzer = Analyzer::new(Language::parse(code).expect(code));
        let mut terms = Vec::new();
        analyzer.visit_terms(text, |_, term| terms.push(term.to_owned()));
        terms
    }

    #[track_caller]
    fn check(code: &str, text: &str, expected: &[&str]) {
        assert_eq!(terms(code, text), expected);
    }

    #[test]
    fn words_are_stemmed_in_their_language() {
        check("en", "The Connected houses", &["the", "connect", "hous"]);
        check("de", "die Häuser", &["die", "haus"]);
        check("es", "las canciones", &["las", "cancion"]);
        check("xx", "unknown languages", &["unknown", "languages"]);
    }

    #[test]
    fn names_of_several_parts_give_their_parts_and_the_whole() {
        check("en", "no-unused-vars", &["no", "unus", "var", "nounusedvar"]);
        check("en", "Vec::new", &["vec", "new", "vecnew"]);
        check("en", "E0382", &["e0382"]);
        check("en", "v1.2.3", &["v1", "2", "3", "v1.2.3"]);
        check("en", "1,000,000.5", &["1000000", "5", "1000000.5"]);
        check("en", "C++ or C#", &["c", "c++", "or", "c", "c#"]);
        check("en", "O'Reilly's", &["reilli", "oreilli"]);
        check("en", "doesn't can't we're I’m", &["doe", "can", "we", "i"]);
        check("fr", "l'homme", &["homm"]);
    }

    #[test]
    fn one_name_written_in_four_ways_meets_in_the_whole() {
        for text in ["data-base", "data_base", "dataBase", "database"] {
            assert_eq!(terms("en", text).last().map(String::as_str), Some("databas"), "{text}");
        }
    }

    #[test]
    fn unspaced_scripts_give_overlapping_pairs() {
        check("zh", "北京大学", &["北京", "京大", "大学"]);
        check("ja", "猫が", &["猫が"]);
        check("zh", "猫。", &["猫"]);
        check("ja", "ＡＩの力", &["ai", "の力"]);
    }

    #[test]
    fn the_whole_name_adds_nothing_to_the_length() {
        let analyzer = Analyzer::new(Language::ENGLISH);
        assert_eq!(analyzer.analyze("no-unused-vars").length(), 3.0);
        assert_eq!(analyzer.analyze("三个字母").length(), 3.0);
        assert_eq!(analyzer.analyze("…").length(), 0.0);
    }

    #[test]
    fn a_question_is_asked_by_the_words_of_its_subject() {
        for (code, question, subject) in [
            ("en", "What is the capital of France?", "capital france"),
            ("en", "Which rule is no-var?", "rule no-var"),
            ("en", "To be or not to be?", "to be or not to be"),
            ("de", "Wie heißt die Hauptstadt?", "heißt hauptstadt"),
            ("es", "¿Qué es un búfer?", "búfer"),
            ("ja", "首都はどこですか", "首都はどこですか"),
        ] {
            let analyzer = Analyzer::new(Language::parse(code).expect(code));
            assert_eq!(analyzer.analyze_question(question), analyzer.analyze(subject), "{question}");
        }
    }

    #[test]
    fn encoded_data_is_passed_over() {
        assert!(Analyzer::new(Language::ENGLISH).analyze(&"a".repeat(5000)).is_empty());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_capitals_do_not_matter_to_plain_words(
            code in proptest::sample::select(&["en", "de", "ar", "hi", "th", "zh", "tr", "xx"][..]),
            text in "\\PC{0,80}",
            word in "[a-z]{1,12}",
        ) {
            let analyzer = Analyzer::new(Language::parse(code).expect(code));
            let found = analyzer.analyze(&text);
            prop_assert!(found.counts().iter().all(|&(_, count)| count >= 1.0));
            prop_assert!(found.counts().windows(2).all(|pair| pair[0].0 < pair[1].0));
            if code != "tr" {
                prop_assert_eq!(analyzer.analyze(&word), analyzer.analyze(&word.to_uppercase()));
            }
        }
    }
}
