//! Whether anybody can read a text at all. Only what is certainly of no use to a reader counts: what may be a table of
//! numbers, a list of checksums, a formula or a row of pictures is left alone.

use super::Reason;

/// Letters and digits without anything between them that are data rather than a name.
const SHORTEST_BLOB: usize = 40;

/// So much data that it is not there to be looked up.
const LEAST_DATA: usize = 256;

/// Letters without anything between them that are no word of any language.
const ENDLESS: usize = 500;

/// What part of the text, in tenths, must be data or one word for the rest not to matter.
const NEARLY_ALL: usize = 9;

/// Lengths of hashes in hexadecimal digits: those are names, which people look up.
const HASHES: [usize; 5] = [40, 56, 64, 96, 128];

/// Why nobody can read this text, if so.
pub(super) fn unreadable(text: &str) -> Option<Reason> {
    let (mut visible, mut broken, mut has_content) = (0, 0, false);
    for character in text.chars().filter(|character| !character.is_whitespace()) {
        visible += 1;
        if stands_for_nothing(character) {
            broken += 1;
        } else {
            has_content |= !is_punctuation(character);
        }
    }
    if broken > 0 && broken * 2 >= visible {
        return Some(Reason::Garbled);
    }
    if !has_content {
        return Some(Reason::NoWords);
    }
    if visible >= ENDLESS && longest_word(text) >= ENDLESS.max(visible * NEARLY_ALL / 10) {
        // Data without a line end is an endless word, too: what it is says more.
        return Some(if data(text) >= LEAST_DATA { Reason::Encoded } else { Reason::EndlessWord });
    }
    let data = if visible >= LEAST_DATA { data(text) } else { 0 };
    (data >= LEAST_DATA && data * 10 >= visible * NEARLY_ALL).then_some(Reason::Encoded)
}

/// Characters that are shown as a box: replacements, controls, and those whose meaning is a private matter of a font.
fn stands_for_nothing(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{fffd}' | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10fffd}')
}

/// Punctuation, lines and boxes. Other signs, such as those of mathematics and pictures, may be what a text is about.
fn is_punctuation(character: char) -> bool {
    character.is_ascii_punctuation()
        || (!character.is_alphanumeric()
            && matches!(
                character,
                '\u{a1}'..='\u{bf}'
                    | '\u{2000}'..='\u{206f}'
                    | '\u{2500}'..='\u{25ff}'
                    | '\u{3000}'..='\u{303f}'
                    | '\u{fe00}'..='\u{fe4f}'
                    | '\u{feff}'
                    | '\u{ff00}'..='\u{ff0f}'
            ))
}

/// The longest run of letters and digits, of scripts that put spaces between words.
fn longest_word(text: &str) -> usize {
    let is_of_word = |character: char| character.is_alphanumeric() && character < '\u{590}';
    text.split(|character| !is_of_word(character)).map(|word| word.chars().count()).max().unwrap_or(0)
}

/// How many characters of the text are data in letters.
fn data(text: &str) -> usize {
    let is_of_blob = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=_-".contains(byte);
    let blobs = text.as_bytes().split(|byte| !is_of_blob(byte));
    blobs.filter(|blob| blob.len() >= SHORTEST_BLOB && is_data(blob)).map(<[u8]>::len).sum()
}

fn is_data(blob: &[u8]) -> bool {
    let hexadecimal = blob.strip_prefix(b"0x").unwrap_or(blob);
    if hexadecimal.iter().all(u8::is_ascii_hexdigit) {
        let has = |test: fn(&u8) -> bool| hexadecimal.iter().any(test);
        return has(u8::is_ascii_digit)
            && has(u8::is_ascii_alphabetic)
            && !HASHES.contains(&hexadecimal.len());
    }
    // Names that consist of words stay in one case for a while, which base64 does not.
    let kinds: Vec<u8> = blob.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(kind).collect();
    let changes = kinds.windows(2).filter(|pair| pair[0] != pair[1]).count();
    [0, 1, 2].iter().all(|kind| kinds.contains(kind))
        && changes * 2 >= kinds.len()
        && (blob.len() - kinds.len()) * 10 <= blob.len()
}

fn kind(byte: &u8) -> u8 {
    match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Base64 of bytes that look random, in lines of 76.
    fn base64(characters: usize) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut random = fastrand::Rng::with_seed(7);
        let letter = |at: usize| match at % 77 {
            76 => '\n',
            _ => char::from(LETTERS[random.usize(..64)]),
        };
        (0..characters).map(letter).collect()
    }

    fn hexadecimal(digits: usize) -> String {
        let mut random = fastrand::Rng::with_seed(7);
        (0..digits).map(|_| char::from(b"0123456789abcdef"[random.usize(..16)])).collect()
    }

    #[test]
    fn what_has_no_word_is_unreadable() {
        for text in ["", " \n", "---", "});\n}\n", "|---|:-:|", "……——", "┌──┐\n└──┘", "。」"]
        {
            assert_eq!(unreadable(text), Some(Reason::NoWords), "{text:?}");
        }
    }

    #[test]
    fn data_in_letters_is_unreadable() {
        let certificate =
            format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----", base64(1_500));
        for text in [base64(300), base64(5_000).replace('\n', ""), certificate, hexadecimal(2_000)] {
            assert_eq!(unreadable(&text), Some(Reason::Encoded), "{text}");
        }
        let dump: String = (0..40).map(|_| hexadecimal(60) + "\n").collect();
        assert_eq!(unreadable(&dump), Some(Reason::Encoded));
    }

    #[test]
    fn an_endless_word_is_unreadable() {
        for text in ["x".repeat(2_400), format!("a {}", "gattaca".repeat(100)), "ж".repeat(600)] {
            assert_eq!(unreadable(&text), Some(Reason::EndlessWord), "{text}");
        }
    }

    #[test]
    fn characters_that_stand_for_none_are_unreadable() {
        for text in ["\u{fffd}\u{fffd}t\u{fffd}", "\u{e001}\u{e002} \u{e003}", "\u{1}\u{2}ab"] {
            assert_eq!(unreadable(text), Some(Reason::Garbled), "{text:?}");
        }
        assert_eq!(unreadable("The caf\u{fffd} opens at nine. \u{e001}"), None);
    }

    #[test]
    fn what_somebody_may_look_for_is_readable() {
        let hashes: String = (0..30).map(|_| hexadecimal(64) + "\n").collect();
        let genes: String = (0..40).map(|_| "GATTACA".repeat(8) + "\n").collect();
        let thai = "ภาษาไทยไม่มีช่องว่างระหว่างคำ".repeat(60);
        let chinese = "北京是中华人民共和国首都。".repeat(60);
        let path =
            "/usr/share/doc/packages/long-names/of-several-words/and_more/readme-first-please/".repeat(6);
        let names = "getUserNameFromRegistrationFormOfTheFirstPage ".repeat(12);
        let numbers = "| 1 | 2.5 | 300 |\n".repeat(20);
        for text in [
            "7",
            "Ja.",
            "E = mc²",
            "∀x ∃y",
            "🎉🎉",
            "❤",
            "3.14159",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0",
            &hashes,
            &genes,
            &thai,
            &chinese,
            &path,
            &names,
            &numbers,
            &format!(
                "This is what the picture looks like in base64, so that you can compare:\n{}",
                base64(300)
            ),
        ] {
            assert_eq!(unreadable(text), None, "{text}");
        }
    }
}
