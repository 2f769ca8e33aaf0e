//! Whether anybody can read a text at all. Only what is certainly of no use to a reader counts: what may be a table of
//! numbers, a list of checksums, a formula or a row of pictures is left alone, and so is any text with a few words beside
//! what nobody reads.

use mainstay_documents::words;

use super::Reason;

/// Letters and digits without anything between them that are data rather than a name.
const SHORTEST_BLOB: usize = 40;

/// So much data that it is not there to be looked up.
const LEAST_DATA: usize = 256;

/// Letters without anything between them that are no word of any language.
const ENDLESS: usize = 500;

/// What part of the text, in tenths, must be data or one word, and how many other words there may be at most: a heading, or
/// the name of what follows.
const NEARLY_ALL: usize = 9;
const MOST_OTHER_WORDS: u32 = 2;

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
        let is_whole = |token: &&str| !token.chars().any(stands_for_nothing);
        return has_few_words(text.split_whitespace().filter(is_whole)).then_some(Reason::Garbled);
    }
    if !has_content {
        return Some(Reason::NoWords);
    }
    if visible < LEAST_DATA {
        return None;
    }
    let (data, rest) = without_data(text);
    let reason = if data >= LEAST_DATA && data * 10 >= visible * NEARLY_ALL {
        Reason::Encoded
    } else if longest_word(&rest) >= ENDLESS.max(visible * NEARLY_ALL / 10) {
        Reason::EndlessWord
    } else {
        return None;
    };
    let is_other = |token: &&str| longest_word(token) < ENDLESS && !is_remnant(token);
    has_few_words(rest.split_whitespace().filter(is_other)).then_some(reason)
}

fn has_few_words<'a>(tokens: impl Iterator<Item = &'a str>) -> bool {
    words(&tokens.collect::<Vec<_>>().join(" ")) <= MOST_OTHER_WORDS
}

/// Whether a token belongs to data rather than to what is said about them: the last line of base64, or a line in capitals
/// that tells where data begin, as `-----BEGIN CERTIFICATE-----` does.
fn is_remnant(token: &str) -> bool {
    let letters = || token.chars().filter(|character| character.is_alphabetic());
    let is_in_capitals = letters().next().is_some() && letters().all(char::is_uppercase);
    let kinds: Vec<u8> = token.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| kind(&byte)).collect();
    let goes_up = kinds.windows(2).any(|pair| pair == [0, 1]);
    let has_digit_and_letter = kinds.contains(&2) && kinds.iter().any(|kind| *kind != 2);
    let is_of_data = token.bytes().all(|byte| is_of_blob(&byte))
        && (goes_up || has_digit_and_letter || token.ends_with('='));
    is_in_capitals || is_of_data
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

/// How many characters of the text are data in letters, and the text without them.
fn without_data(text: &str) -> (usize, String) {
    let (mut data, mut rest) = (0, String::new());
    let is_other = |character: char| !u8::try_from(character).is_ok_and(|byte| is_of_blob(&byte));
    for run in text.split_inclusive(is_other) {
        let blob = run.trim_end_matches(is_other);
        if blob.len() >= SHORTEST_BLOB && is_data(blob.as_bytes()) {
            data += blob.len();
            rest.push(' ');
            rest.push_str(&run[blob.len()..]);
        } else {
            rest.push_str(run);
        }
    }
    (data, rest)
}

fn is_of_blob(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=_-".contains(byte)
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
        let endless = base64(5_000).replace('\n', "");
        let titled = format!("Picture\n\n{}", base64(700));
        let picture = format!("data:image/png;base64,{endless}");
        for text in [base64(300), endless, certificate, titled, picture, hexadecimal(2_000)] {
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
            &format!("The gates open at nine.\n\n{}", base64(5_000)),
            &format!("鐘楼の門は九時に開き夜は閉じる。{}", base64(5_000).replace('\n', "")),
            &format!("Opens at nine: {}", "x".repeat(2_000)),
            &format!("The gates open at nine. {}", "\u{fffd}".repeat(99)),
            &format!(
                "This is what the picture looks like in base64, so that you can compare:\n{}",
                base64(300)
            ),
        ] {
            assert_eq!(unreadable(text), None, "{text}");
        }
    }
}
