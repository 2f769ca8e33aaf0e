//! Different spellings of the same word made the same.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, char::is_combining_mark, is_nfkc_quick};

use crate::language::Language;
use crate::script::{CharClass, ascii_digit};

/// Compatibility forms (full-width letters, ligatures, superscripts, Arabic presentation forms) as plain characters:
/// Unicode NFKC.
pub(crate) fn compatible(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfkc_quick(text.chars()) == IsNormalized::Yes {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.nfkc().collect())
    }
}

/// Appends the word in lower case, as the stemmer of the language expects it: without what readers do not tell apart
/// (vowel points, nukta, joiners, the commas in a number), digits in ASCII.
pub(crate) fn push_lower_case(word: &str, language: Language, into: &mut String) {
    if word.is_ascii() && language != Language::TURKISH {
        into.extend(
            word.bytes().filter(|&byte| byte != b',').map(|byte| char::from(byte.to_ascii_lowercase())),
        );
        return;
    }
    for character in word.chars() {
        match character {
            'I' if language == Language::TURKISH => into.push('ı'),
            'İ' => into.push('i'),
            ',' => {}
            'ß' | 'ẞ' => into.push_str("ss"),
            // Chandrabindu is written for anusvara, and left out, at will.
            '\u{901}' => into.push('\u{902}'),
            _ if is_optional_mark(character) || CharClass::of(character) == CharClass::Ignorable => {}
            _ => into.extend(ascii_digit(character).to_lowercase()),
        }
    }
}

/// Marks that are mostly left out in writing: Arabic and Hebrew vowel points, the nukta of the Indic scripts.
fn is_optional_mark(character: char) -> bool {
    matches!(
        u32::from(character),
        0x0591..=0x05C7 | 0x0610..=0x061A | 0x064B..=0x065F | 0x0670 | 0x06D6..=0x06ED
            | 0x093C | 0x09BC | 0x0A3C | 0x0ABC | 0x0B3C
    )
}

/// The stem without accents where people type without them (Latin and Greek letters, ё), so that "canción" is found
/// by "cancion". Marks of other scripts are letters of their own and stay.
pub(crate) fn without_accents(stem: &str) -> Cow<'_, str> {
    if stem.is_ascii() || !stem.chars().any(has_accent) {
        return Cow::Borrowed(stem);
    }
    let mut plain = String::with_capacity(stem.len());
    for character in stem.chars() {
        match character {
            'ё' => plain.push('е'),
            'ς' => plain.push('σ'),
            'ø' => plain.push('o'),
            'đ' => plain.push('d'),
            'ł' => plain.push('l'),
            'ı' => plain.push('i'),
            'æ' => plain.push_str("ae"),
            'œ' => plain.push_str("oe"),
            _ if is_latin_or_greek(character) => {
                plain.extend(std::iter::once(character).nfd().filter(|&part| !is_combining_mark(part)));
            }
            _ if is_general_mark(character) => {}
            _ => plain.push(character),
        }
    }
    Cow::Owned(plain)
}

fn has_accent(character: char) -> bool {
    matches!(character, 'ё') || is_latin_or_greek(character) || is_general_mark(character)
}

fn is_latin_or_greek(character: char) -> bool {
    matches!(u32::from(character), 0x00C0..=0x024F | 0x0370..=0x03FF | 0x1E00..=0x1FFF)
}

/// The combining diacritical marks that go with any script.
fn is_general_mark(character: char) -> bool {
    matches!(u32::from(character), 0x0300..=0x036F)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(language: Language, word: &str, expected: &str) {
        let mut lower = String::new();
        push_lower_case(&compatible(word), language, &mut lower);
        assert_eq!(without_accents(&lower), expected);
    }

    #[test]
    fn spellings_that_readers_do_not_tell_apart_become_one() {
        check(Language::ENGLISH, "ＡＢＣ", "abc");
        check(Language::ENGLISH, "ﬁle", "file");
        check(Language::GERMAN, "Straße", "strasse");
        check(Language::SPANISH, "Canción", "cancion");
        check(Language::SPANISH, "Cancio\u{301}n", "cancion");
        check(Language::GREEK, "Ὀδυσσεύς", "οδυσσευσ");
        check(Language::RUSSIAN, "Ёлка", "елка");
        check(Language::RUSSIAN, "Йод", "йод");
        check(Language::ARABIC, "مُحَمَّد", "محمد");
        check(Language::ARABIC, "كـــتاب", "كتاب");
        check(Language::ARABIC, "٣٠٨", "308");
        check(Language::HINDI, "लड़का", "लडका");
        check(Language::TURKISH, "Işık", "isik");
        check(Language::TURKISH, "İstanbul", "istanbul");
    }

    #[test]
    fn vowel_signs_of_indic_scripts_stay() {
        check(Language::HINDI, "हिन्दी", "हिन्दी");
    }
}
