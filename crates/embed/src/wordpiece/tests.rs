//! `golden.json` was written once by the `tokenizers` Python package 0.23.3 with the tokenizer of all-MiniLM-L6-v2,
//! its unknown tokens left out.

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

const VOCABULARY: &str = include_str!("../../assets/minilm-l6-vocabulary.txt");

#[derive(Deserialize)]
struct Golden {
    text: String,
    tokens: Vec<String>,
}

#[test]
fn tokens_are_those_of_the_reference_implementation() {
    let golden: Vec<Golden> = serde_json::from_str(include_str!("golden.json")).expect("valid JSON");
    for Golden { text, tokens } in golden {
        assert_eq!(tokens_of(&text), tokens, "{text:?}");
    }
}

#[test]
fn every_token_of_the_vocabulary_is_found_by_its_text() {
    let tokenizer = WordPiece::new(VOCABULARY);
    for (index, token) in VOCABULARY.lines().enumerate() {
        let (prefix, piece) =
            token.strip_prefix(CONTINUATION).map_or(("", token), |piece| (CONTINUATION, piece));
        assert_eq!(tokenizer.find(Hash::START.of(token), prefix, piece), Some(index as u32), "{token}");
    }
}

proptest! {
    #[test]
    fn pieces_of_a_latin_word_rejoin_to_it(word in "[a-z]{1,40}") {
        let rejoined: String = tokens_of(&word).iter().map(|token| token.trim_start_matches(CONTINUATION)).collect();
        prop_assert_eq!(rejoined, word);
    }
}

fn tokens_of(text: &str) -> Vec<String> {
    let tokens: Vec<&str> = VOCABULARY.lines().collect();
    let mut found = Vec::new();
    WordPiece::new(VOCABULARY)
        .visit_tokens(text, |token| found.extend(token.map(|token| tokens[token as usize].to_owned())));
    found
}
