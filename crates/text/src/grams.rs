//! Terms from characters instead of words: they find the word that is written or inflected a little differently.

use crate::fold::{compatible, push_lower_case, without_accents};
use crate::language::Language;
use crate::script::CharClass;
use crate::terms::{TermId, Terms};

/// Characters per gram.
const GRAM_LENGTH: usize = 4;

/// Every run of four characters of a text in lower case and without accents, where whatever stands between words counts
/// as one space; the text begins and ends with one.
pub fn character_grams(text: &str, language: Language) -> Terms {
    let normalised = normalise(text, language);
    let mut starts: Vec<usize> = normalised.char_indices().map(|(start, _)| start).collect();
    starts.push(normalised.len());
    let occurrences: Vec<(TermId, f32)> = starts
        .iter()
        .zip(starts.iter().skip(GRAM_LENGTH))
        .map(|(&start, &end)| (TermId::of(&normalised[start..end]), 1.0))
        .collect();
    let length = occurrences.len() as f32;
    Terms::from_occurrences(occurrences, length)
}

fn normalise(text: &str, language: Language) -> String {
    let compatible = compatible(text);
    let mut lower = String::with_capacity(compatible.len() + 2);
    let mut buffer = [0; 4];
    lower.push(' ');
    for character in compatible.chars() {
        if CharClass::of(character) != CharClass::Other {
            push_lower_case(character.encode_utf8(&mut buffer), language, &mut lower);
        } else if !lower.ends_with(' ') {
            lower.push(' ');
        }
    }
    if !lower.ends_with(' ') {
        lower.push(' ');
    }
    without_accents(&lower).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let mut expected: Vec<_> = expected.iter().map(|gram| (TermId::of(gram), 1.0)).collect();
        expected.sort_unstable_by_key(|&(term, _)| term);
        assert_eq!(character_grams(text, Language::ENGLISH).counts(), expected);
    }

    #[test]
    fn grams_cross_the_space_between_words() {
        check("Be so!", &[" be ", "be s", "e so", " so "]);
        check("Señor", &[" sen", "seno", "enor", "nor "]);
    }

    #[test]
    fn a_text_shorter_than_a_gram_has_none() {
        for text in ["", "?", "a"] {
            assert!(character_grams(text, Language::ENGLISH).is_empty(), "{text:?}");
        }
    }
}
