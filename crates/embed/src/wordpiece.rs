//! The tokeniser of BERT uncased: basic tokenisation, then WordPiece
//! (<https://github.com/google-research/bert#tokenization>).

use std::ops::Range;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// A word of more characters is not cut into pieces: it is unknown as a whole. BERT's own limit.
const LONGEST_WORD: usize = 100;

/// What stands before a piece that continues a word.
const CONTINUATION: &str = "##";

/// Cuts texts into the tokens of a vocabulary.
pub(crate) struct WordPiece {
    /// A token a line.
    vocabulary: &'static str,
    /// Where each token stands in the vocabulary.
    tokens: Vec<Range<u32>>,
    /// Open addressing with linear probing: the index of a token, or `EMPTY`. The length is a power of two.
    slots: Vec<u32>,
}

const EMPTY: u32 = u32::MAX;

impl WordPiece {
    /// With the vocabulary of all-MiniLM-L6-v2 without its special and reserved tokens. The first call takes a few
    /// milliseconds to index it.
    pub(crate) fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<WordPiece> =
            LazyLock::new(|| WordPiece::new(include_str!("../assets/minilm-l6-vocabulary.txt")));
        &BUILTIN
    }

    /// Reads a vocabulary of one token a line; a token's number is its line, from 0.
    pub(crate) fn new(vocabulary: &'static str) -> Self {
        let mut start = 0;
        let tokens: Vec<Range<u32>> = vocabulary
            .split_terminator('\n')
            .map(|token| {
                let range = start..start + token.len() as u32;
                start = range.end + 1;
                range
            })
            .collect();
        // At most half full.
        let mut slots = vec![EMPTY; (tokens.len() * 2).next_power_of_two()];
        for (index, token) in tokens.iter().enumerate() {
            let hash = Hash::START.of(&vocabulary[token.start as usize..token.end as usize]);
            let mut slot = hash.slot(slots.len());
            while slots[slot] != EMPTY {
                slot = (slot + 1) % slots.len();
            }
            slots[slot] = index as u32;
        }
        Self { vocabulary, tokens, slots }
    }

    /// Calls `visit` with the number of every token of the text, in order; `None` stands for a word that no tokens make.
    pub(crate) fn visit_tokens(&self, text: &str, mut visit: impl FnMut(Option<u32>)) {
        let mut pieces = Vec::new();
        visit_words(text, |word| {
            if self.cut(word, &mut pieces) {
                pieces.iter().copied().map(Some).for_each(&mut visit);
            } else {
                visit(None);
            }
        });
    }

    /// The pieces of a word, the longest possible first. False when the word cannot be made of known pieces.
    fn cut(&self, word: &str, pieces: &mut Vec<u32>) -> bool {
        pieces.clear();
        if word.len() > LONGEST_WORD && word.chars().nth(LONGEST_WORD).is_some() {
            return false;
        }
        let mut rest = word;
        while !rest.is_empty() {
            let Some((piece, length)) = self.longest_piece(rest, pieces.is_empty()) else { return false };
            pieces.push(piece);
            rest = &rest[length..];
        }
        true
    }

    /// The longest token that `rest` begins with, and its length in bytes.
    fn longest_piece(&self, rest: &str, first: bool) -> Option<(u32, usize)> {
        let prefix = if first { "" } else { CONTINUATION };
        // The hash of every beginning of the rest, all in one pass.
        let mut hashes = [Hash::START; LONGEST_WORD];
        let mut ends = [0; LONGEST_WORD];
        let mut hash = Hash::START.of(prefix);
        let mut count = 0;
        for (start, character) in rest.char_indices() {
            let end = start + character.len_utf8();
            hash = hash.of(&rest[start..end]);
            (hashes[count], ends[count]) = (hash, end);
            count += 1;
        }
        (0..count).rev().find_map(|index| {
            let piece = &rest[..ends[index]];
            self.find(hashes[index], prefix, piece).map(|token| (token, piece.len()))
        })
    }

    fn find(&self, hash: Hash, prefix: &str, piece: &str) -> Option<u32> {
        let mut slot = hash.slot(self.slots.len());
        while self.slots[slot] != EMPTY {
            let token = self.slots[slot];
            let range = &self.tokens[token as usize];
            let known = &self.vocabulary[range.start as usize..range.end as usize];
            if known.len() == prefix.len() + piece.len()
                && known.starts_with(prefix)
                && known.ends_with(piece)
            {
                return Some(token);
            }
            slot = (slot + 1) % self.slots.len();
        }
        None
    }
}

/// FNV-1a, because the hashes of all beginnings of a word come with that of the word.
#[derive(Clone, Copy)]
struct Hash(u64);

impl Hash {
    const START: Self = Self(0xcbf2_9ce4_8422_2325);

    fn of(self, bytes: &str) -> Self {
        Self(bytes.bytes().fold(self.0, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
    }

    /// `slots` is a power of two.
    fn slot(self, slots: usize) -> usize {
        (self.0 ^ (self.0 >> 32)) as usize & (slots - 1)
    }
}

/// Calls `visit` with each word in lower case and without accents. Punctuation marks and Chinese characters are words
/// of their own.
fn visit_words(text: &str, mut visit: impl FnMut(&str)) {
    let mut word = String::new();
    for character in text.chars() {
        if character.is_ascii() {
            visit_ascii(character, &mut word, &mut visit);
        } else {
            std::iter::once(character).nfd().for_each(|part| visit_decomposed(part, &mut word, &mut visit));
        }
    }
    end_word(&mut word, &mut visit);
}

fn visit_ascii(character: char, word: &mut String, visit: &mut impl FnMut(&str)) {
    match character {
        'a'..='z' | '0'..='9' => word.push(character),
        'A'..='Z' => word.push(character.to_ascii_lowercase()),
        _ if character.is_ascii_punctuation() => visit_alone(character, word, visit),
        ' ' | '\t' | '\n' | '\r' => end_word(word, visit),
        // The other control characters vanish.
        _ => {}
    }
}

fn visit_decomposed(character: char, word: &mut String, visit: &mut impl FnMut(&str)) {
    if character.is_ascii() {
        return visit_ascii(character, word, visit);
    }
    if is_chinese(character) {
        return visit_alone(character, word, visit);
    }
    if character.is_whitespace() {
        return end_word(word, visit);
    }
    match character.general_category_group() {
        GeneralCategoryGroup::Mark if character.general_category() == GeneralCategory::NonspacingMark => {}
        GeneralCategoryGroup::Other => {}
        GeneralCategoryGroup::Symbol if character == char::REPLACEMENT_CHARACTER => {}
        GeneralCategoryGroup::Punctuation => visit_alone(character, word, visit),
        _ => word.extend(character.to_lowercase()),
    }
}

fn visit_alone(character: char, word: &mut String, visit: &mut impl FnMut(&str)) {
    end_word(word, visit);
    word.push(character);
    end_word(word, visit);
}

fn end_word(word: &mut String, visit: &mut impl FnMut(&str)) {
    if !word.is_empty() {
        visit(word);
        word.clear();
    }
}

/// The CJK ideographs as BERT defines them; Hangul and Kana are not among them.
fn is_chinese(character: char) -> bool {
    matches!(
        u32::from(character),
        0x4E00..=0x9FFF | 0x3400..=0x4DBF | 0x20000..=0x2A6DF | 0x2A700..=0x2B73F | 0x2B740..=0x2B81F
            | 0x2B920..=0x2CEAF | 0xF900..=0xFAFF | 0x2F800..=0x2FA1F
    )
}

#[cfg(test)]
mod tests;
