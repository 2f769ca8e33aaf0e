//! How much reading a text is, in words, whatever its script.
//!
//! Text with spaces is counted in tokens between spaces. Scripts that put no spaces between words are estimated from
//! their characters: 1.5 Han characters, 2 kana, or 4 characters of Thai, Lao, Khmer, Burmese and Tibetan (vowel signs
//! and tone marks counted) make a word. A token of symbols alone (`{`, `=`, `--`) is a sixth of a word; a token of more
//! than 24 characters (an address, base64, a line of `=`) counts a word for every 24, so that text without any space
//! has a size too. So has whitespace, where there are more than 240 characters of it and more than of anything else.

/// Twelfths of a word: the unit in which all the shares above are whole numbers.
pub(super) const WORD: u64 = 12;

const HAN: u64 = 8;
const KANA: u64 = 6;
const SOUTH_EAST_ASIAN: u64 = 3;
const PUNCTUATION: u64 = 1;
const SYMBOLS: u64 = 2;
const LONG_TOKEN: u64 = 24;
const LONG_SPACE: u64 = 240;

/// The weight of `text` in twelfths of a word. Linear in its bytes; zero only for whitespace.
pub(super) fn weigh(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut total = 0;
    let mut token = Token::default();
    let mut space = 0;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte < 0x80 {
            at += 1;
            if byte.is_ascii_whitespace() || byte == 0x0b {
                total += token.take();
                space += 1;
            } else {
                token.length += 1;
                token.wordlike |= byte.is_ascii_alphanumeric();
            }
            continue;
        }
        let Some(character) = text[at..].chars().next() else { break };
        at += character.len_utf8();
        match unspaced(character) {
            Some(weight) => total += token.take() + weight,
            None if character.is_whitespace() => {
                total += token.take();
                space += 1;
            }
            None => {
                token.length += 1;
                token.wordlike = token.wordlike || character.is_alphanumeric();
            }
        }
    }
    total + token.take() + long_space(space, bytes.len())
}

/// What whitespace weighs: nothing where the text consists of words with spaces between them.
fn long_space(space: u64, length: usize) -> u64 {
    if space > LONG_SPACE && space > length as u64 / 2 { WORD * space / LONG_SPACE } else { 0 }
}

/// Whole words of a weight, rounded up: nothing that can be read has no words.
pub(super) fn whole_words(weight: u64) -> u32 {
    u32::try_from(weight.div_ceil(WORD)).unwrap_or(u32::MAX)
}

/// The token between two spaces.
#[derive(Default)]
struct Token {
    length: u64,
    wordlike: bool,
}

impl Token {
    /// Its weight; the next token begins.
    fn take(&mut self) -> u64 {
        let Self { length, wordlike } = std::mem::take(self);
        match (length, wordlike) {
            (0, _) => 0,
            (_, true) => WORD * length.div_ceil(LONG_TOKEN),
            (..=LONG_TOKEN, false) => SYMBOLS,
            (_, false) => WORD * length / LONG_TOKEN,
        }
    }
}

/// The weight of a character of a script that puts no spaces between words, by Unicode block; `None` for all others.
fn unspaced(character: char) -> Option<u64> {
    match character {
        '\u{3001}'..='\u{3004}' | '\u{3008}'..='\u{3020}' | '\u{ff00}'..='\u{ff0f}' => Some(PUNCTUATION),
        '\u{3005}'..='\u{3007}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}' => Some(HAN),
        '\u{3040}'..='\u{312f}' | '\u{31f0}'..='\u{31ff}' | '\u{ff66}'..='\u{ff9f}' => Some(KANA),
        '\u{0e00}'..='\u{0fff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' => Some(SOUTH_EAST_ASIAN),
        _ => None,
    }
}

/// Whether `character` belongs to a script that puts no spaces between words.
pub(super) fn is_unspaced(character: char) -> bool {
    unspaced(character).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> u32 {
        whole_words(weigh(text))
    }

    #[test]
    fn tokens_between_spaces_are_words() {
        assert_eq!(words(" The quick,  brown\n\tfox. "), 4);
        assert_eq!(words("Übergrößenträger dürfen nicht"), 3);
        assert_eq!(words("이것은 한국어 문장입니다"), 3);
        assert_eq!(words("यह एक हिंदी वाक्य है"), 5);
    }

    #[test]
    fn scripts_without_spaces_are_estimated_from_characters() {
        // 12 Han characters at 1.5, then 20 Thai at 4.
        assert_eq!(words("北京是中华人民共和国首都"), 8);
        assert_eq!(words("ภาษาไทยไม่มีช่องว่าง"), 5);
        assert_eq!(words("これはペンです"), 4);
        assert_eq!(words("Rust语言"), 3);
    }

    #[test]
    fn symbols_weigh_little_and_endless_tokens_weigh_their_length() {
        assert_eq!(words("{ } ; = --"), 1);
        assert_eq!(words(&"a".repeat(2400)), 100);
        assert_eq!(words(&"=".repeat(2400)), 100);
        assert_eq!(words("\u{3000}\n "), 0);
        assert_eq!(words(&format!("a{}b", " ".repeat(24_000))), 102);
    }
}
