//! A question to texts of several languages.

use crate::analyzer::Analyzer;
use crate::language::Language;
use crate::terms::Terms;

/// What a term counts that only another language than the question's has: a text in the language of the question is rather
/// what is wanted.
const FOREIGN_WEIGHT: f32 = 0.5;

/// The terms of a question to a corpus with texts in these languages, those of most texts first.
///
/// A question is too short to tell its language by its letters, and a word of it may stand in a text of any language. So
/// the rules of every language are applied, and a text is met by the terms that its own rules have given it; most words
/// are the same under many. The words that are grammar alone do tell the language: it is the one that has most of them,
/// and only its own are left out.
pub fn question_terms(question: &str, languages: &[Language]) -> Terms {
    let analyzers: Vec<Analyzer> = languages.iter().copied().map(Analyzer::new).collect();
    let grammar: Vec<usize> = analyzers.iter().map(|analyzer| analyzer.count_grammar(question)).collect();
    let most = grammar.iter().copied().max().unwrap_or_default();
    // The first of those that know equally many, for its texts are the most.
    let Some(asked_in) = grammar.iter().position(|&count| count == most) else { return Terms::default() };
    let mut terms = analyzers[asked_in].analyze_question(question);
    for (position, analyzer) in analyzers.iter().enumerate().filter(|&(position, _)| position != asked_in) {
        let weight = if grammar[position] == most { 1.0 } else { FOREIGN_WEIGHT };
        terms.unite(&analyzer.analyze_content(question, &analyzers[asked_in]), weight);
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::TermId;

    fn terms(question: &str, codes: &[&str]) -> Terms {
        let languages: Vec<Language> = codes.iter().map(|code| Language::parse(code).expect(code)).collect();
        question_terms(question, &languages)
    }

    #[test]
    fn a_text_of_every_language_is_met_by_its_own_terms() {
        let found = terms("connected octopuses", &["ro", "en", "de"]);
        for code in ["ro", "en", "de"] {
            for own in terms("connected octopuses", &[code]).counts() {
                assert!(found.counts().contains(own), "{code}: {own:?}");
            }
        }
    }

    #[test]
    fn a_term_of_another_language_than_the_question_counts_less() {
        let found = terms("What are houses?", &["ja", "en"]);
        let count_of = |term: &str| {
            found.counts().iter().find(|&&(id, _)| id == TermId::of(term)).map(|&(_, count)| count)
        };
        assert_eq!((count_of("hous"), count_of("houses")), (Some(1.0), Some(FOREIGN_WEIGHT)));
    }

    #[test]
    fn grammar_is_left_out_in_the_language_of_the_question() {
        let codes = ["ro", "de", "en", "ja"];
        let named = |question: &str| -> Vec<TermId> {
            terms(question, &codes).counts().iter().map(|&(term, _)| term).collect()
        };
        assert_eq!(named("What is the capital of France?"), named("capital France"));
        assert_eq!(named("Was ist die Hauptstadt von Rom?"), named("Hauptstadt Rom"));
    }

    #[test]
    fn a_question_of_grammar_alone_keeps_its_words() {
        assert!(!terms("To be or not to be?", &["en", "de"]).is_empty());
        assert!(terms("Anything", &[]).is_empty());
    }
}
