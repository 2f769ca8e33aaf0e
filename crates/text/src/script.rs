//! What a character is to the tokeniser.

use unicode_normalization::char::is_combining_mark;

/// The part that a character plays in a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CharClass {
    /// A letter or digit of a script that puts spaces between words.
    Word,
    /// A letter of a script that does not (or whose written words are whole phrases, as in Korean): such runs are cut
    /// into overlapping pairs.
    Unspaced,
    /// A combining mark: belongs to the letter before it.
    Mark,
    /// Has no meaning of its own inside a word: joiners, soft hyphen, Arabic tatweel, variation selectors.
    Ignorable,
    /// Everything else.
    Other,
}

impl CharClass {
    pub(crate) fn of(character: char) -> Self {
        if character.is_ascii() {
            return if character.is_ascii_alphanumeric() { Self::Word } else { Self::Other };
        }
        match u32::from(character) {
            // Latin and its extensions, Greek, Cyrillic: the common letters decided without the tables.
            0x00C0..=0x024F | 0x0370..=0x0481 | 0x048A..=0x052F if character.is_alphabetic() => Self::Word,
            0x00AD | 0x0640 | 0x200C..=0x200D | 0x2060 | 0xFE00..=0xFE0F | 0xFEFF => Self::Ignorable,
            // Combining marks of the unspaced scripts count as their letters: a pair may end in one.
            0x0E01..=0x0E3A | 0x0E40..=0x0E4E | 0x0E81..=0x0ECD => Self::Unspaced,
            0x1000..=0x103F | 0x1780..=0x17D3 | 0x17DD => Self::Unspaced,
            0x1100..=0x11FF | 0xA960..=0xA97C | 0xAC00..=0xD7FB => Self::Unspaced,
            0x3005..=0x3007 | 0x3041..=0x3096 | 0x309D..=0x309F => Self::Unspaced,
            0x30A1..=0x30FA | 0x30FC..=0x30FF | 0x31F0..=0x31FF => Self::Unspaced,
            0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF => Self::Unspaced,
            _ if is_combining_mark(character) => Self::Mark,
            _ if character.is_alphanumeric() => Self::Word,
            _ => Self::Other,
        }
    }
}

/// The decimal digits of other scripts as ASCII digits, so that ٣٠٨ and ३०८ are found by 308; other characters as they
/// are.
pub(crate) fn ascii_digit(character: char) -> char {
    let code = u32::from(character);
    let zero = match code {
        0x0660..=0x0669 => 0x0660,
        0x06F0..=0x06F9 => 0x06F0,
        // The Indic scripts from Devanagari to Malayalam: blocks of 128 characters with the digits at the same place.
        0x0966..=0x0D6F if (0x66..=0x6F).contains(&(code & 0x7F)) => code & !0x7F | 0x66,
        0x0E50..=0x0E59 => 0x0E50,
        0x0ED0..=0x0ED9 => 0x0ED0,
        0x1040..=0x1049 => 0x1040,
        0x17E0..=0x17E9 => 0x17E0,
        _ => return character,
    };
    char::from_digit(code - zero, 10).unwrap_or(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_marks_and_signs_are_told_apart() {
        for (character, class) in [
            ('a', CharClass::Word),
            ('7', CharClass::Word),
            ('ß', CharClass::Word),
            ('ж', CharClass::Word),
            ('क', CharClass::Word),
            ('ب', CharClass::Word),
            ('\u{93E}', CharClass::Mark),
            ('\u{94D}', CharClass::Mark),
            ('\u{301}', CharClass::Mark),
            ('中', CharClass::Unspaced),
            ('か', CharClass::Unspaced),
            ('ー', CharClass::Unspaced),
            ('ก', CharClass::Unspaced),
            ('한', CharClass::Unspaced),
            ('\u{200D}', CharClass::Ignorable),
            ('×', CharClass::Other),
            ('。', CharClass::Other),
            ('-', CharClass::Other),
        ] {
            assert_eq!(CharClass::of(character), class, "{character:?}");
        }
    }

    #[test]
    fn digits_of_every_script_become_ascii() {
        let digits: String = "٣٠٨ ३०८ ๓๐๘ ۳۰۸ ൩൦൮ abc".chars().map(ascii_digit).collect();
        assert_eq!(digits, "308 308 308 308 308 abc");
    }
}
