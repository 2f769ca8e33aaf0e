//! Words whose period does not end a sentence.
//!
//! A missed sentence end costs little (two sentences stay together), a false one cuts a statement in two, so doubtful
//! cases count as abbreviations.

/// When a sentence may end behind an abbreviation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Abbreviation {
    /// Something always follows: `Dr.`, `e.g.`, an initial.
    Never,
    /// It abbreviates only before a number: `No. 5`, `p. 12`.
    UnlessNumber,
    /// It stands at the end of sentences too: `etc.`, `Inc.`, `p.m.`.
    BeforeCapital,
}

/// The abbreviation that `text`, which stands before a period, ends in.
pub(super) fn ending(text: &str) -> Option<Abbreviation> {
    let word = last_word(text)?;
    if is_list_number(text, word) || is_initial(word) {
        return Some(Abbreviation::Never);
    }
    let mut lowercase = [0; LONGEST];
    let word = lowercase_into(word, &mut lowercase)?;
    if BEFORE_CAPITAL.binary_search(&word).is_ok() {
        Some(Abbreviation::BeforeCapital)
    } else if UNLESS_NUMBER.binary_search(&word).is_ok() {
        Some(Abbreviation::UnlessNumber)
    } else if NEVER.binary_search(&word).is_ok() || has_inner_period(word) {
        Some(Abbreviation::Never)
    } else {
        None
    }
}

/// Bytes of the longest abbreviation that is looked up.
const LONGEST: usize = 16;

/// What stands between the last space or bracket and the end, if short enough to be an abbreviation.
fn last_word(text: &str) -> Option<&str> {
    let tail = &text[text.floor_char_boundary(text.len().saturating_sub(LONGEST + 4))..];
    let word = tail
        .rsplit([' ', '\n', '\t', '\r', '\u{a0}', '(', '[', '"', '“', '‘', '\'', '*', '_', '/', '-', '–'])
        .next()?;
    let whole = word.len() < tail.len() || tail.len() == text.len();
    (whole && !word.is_empty() && word.len() <= LONGEST).then_some(word)
}

/// `1` of `1. First item`: a number that is all there is before the period.
fn is_list_number(text: &str, word: &str) -> bool {
    word.len() == text.trim_start().len() && word.len() <= 3 && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// One capital letter: the initial of a name.
fn is_initial(word: &str) -> bool {
    let mut characters = word.chars();
    characters.next().is_some_and(char::is_uppercase) && characters.next().is_none()
}

/// `e.g`, `z.B`, `U.S`: single letters with periods between them.
fn has_inner_period(word: &str) -> bool {
    word.contains('.')
        && word.split('.').all(|part| part.chars().count() <= 2 && part.chars().all(char::is_alphabetic))
}

fn lowercase_into<'a>(word: &str, buffer: &'a mut [u8; LONGEST]) -> Option<&'a str> {
    let mut length = 0;
    for character in word.chars().flat_map(char::to_lowercase) {
        let end = length + character.len_utf8();
        character.encode_utf8(buffer.get_mut(length..end)?);
        length = end;
    }
    std::str::from_utf8(&buffer[..length]).ok()
}

/// Abbreviations that stand at the end of sentences too; sorted.
const BEFORE_CAPITAL: &[&str] = &[
    "a.m", "apr", "aug", "bros", "co", "corp", "dec", "dept", "ecc", "enz", "esq", "etc", "feb", "inc",
    "jan", "jr", "jul", "jun", "ltd", "mar", "nov", "oct", "p.m", "ph.d", "sep", "sept", "u.a", "u.k", "u.n",
    "u.s", "u.s.a", "usf", "usw", "г", "гг", "др", "т.д", "т.п",
];

/// Abbreviations before numbers, words elsewhere; sorted.
const UNLESS_NUMBER: &[&str] = &[
    "abb", "abs", "app", "art", "ch", "chap", "eq", "eqs", "fig", "figs", "no", "nos", "nr", "p", "par",
    "pp", "pág", "ref", "refs", "s", "sec", "tab", "v", "vol", "vols", "рис", "стр", "табл",
];

/// Abbreviations that something follows; sorted.
const NEVER: &[&str] = &[
    "adm", "al", "approx", "bijv", "bspw", "bzw", "ca", "capt", "cf", "cmdr", "col", "cpl", "dhr", "dott",
    "dr", "dra", "ed", "eds", "evtl", "ggf", "gov", "hon", "hr", "inkl", "lt", "maj", "messrs", "mevr",
    "mlle", "mme", "mr", "mrs", "ms", "mt", "pres", "prof", "resp", "rev", "sen", "sgt", "sog", "sr", "sra",
    "srta", "st", "ud", "uds", "vgl", "viz", "vs", "zzgl", "им", "см", "ул",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_for_their_search() {
        assert!(NEVER.is_sorted() && UNLESS_NUMBER.is_sorted() && BEFORE_CAPITAL.is_sorted());
    }

    #[test]
    fn titles_initials_and_latin_never_end_a_sentence() {
        for text in ["as Dr", "see e.g", "by J. R", "Smith et al", "(cf", "1", "z.B"] {
            assert_eq!(ending(text), Some(Abbreviation::Never), "{text}");
        }
    }

    #[test]
    fn no_and_page_abbreviate_before_numbers() {
        for text in ["in No", "on p", "Siehe Abb", "The answer is no"] {
            assert_eq!(ending(text), Some(Abbreviation::UnlessNumber), "{text}");
        }
    }

    #[test]
    fn companies_and_times_may_end_one() {
        for text in ["Acme Inc", "at 5 p.m", "and so on, etc", "в 1999 г"] {
            assert_eq!(ending(text), Some(Abbreviation::BeforeCapital), "{text}");
        }
    }

    #[test]
    fn ordinary_words_and_numbers_are_no_abbreviations() {
        for text in
            ["the end", "in 1999", "of example.com", "", "Donaudampfschifffahrtsgesellschaft", "no worse"]
        {
            assert_eq!(ending(text), None, "{text}");
        }
    }
}
