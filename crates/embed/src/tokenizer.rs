//! From a text to what an encoder reads.

use std::path::Path;

use tokenizers::{TruncationParams, TruncationStrategy};

use crate::encoder::Tokens;
use crate::wordpiece::WordPiece;

/// A model's tokeniser.
pub(crate) enum Tokenizer {
    /// That of all-MiniLM-L6-v2, which the static table shares.
    Builtin(&'static WordPiece),
    /// That of a `tokenizer.json`.
    File(Box<tokenizers::Tokenizer>),
}

/// The special tokens of BERT uncased, by their numbers in its vocabulary.
const UNKNOWN: i32 = 100;
const BEGIN: i32 = 101;
const END: i32 = 102;

/// The number of the first token that is no special or reserved one: the first row of our vocabulary.
const FIRST_ROW: i32 = 999;

impl Tokenizer {
    pub(crate) fn builtin() -> Self {
        Self::Builtin(WordPiece::builtin())
    }

    /// Reads a `tokenizer.json` whose encodings have at most `longest` tokens.
    pub(crate) fn from_file(path: &Path, longest: usize) -> Result<Self, String> {
        let mut tokenizer = tokenizers::Tokenizer::from_file(path).map_err(|error| error.to_string())?;
        let truncation = TruncationParams {
            max_length: longest,
            strategy: TruncationStrategy::LongestFirst,
            ..TruncationParams::default()
        };
        tokenizer.with_truncation(Some(truncation)).map_err(|error| error.to_string())?;
        tokenizer.with_padding(None);
        Ok(Self::File(Box::new(tokenizer)))
    }

    /// The tokens of a text, at most `longest` with the special ones.
    pub(crate) fn encode(&self, text: &str, longest: usize) -> Tokens {
        match self {
            Self::Builtin(wordpiece) => encode_builtin(wordpiece, text, longest),
            Self::File(tokenizer) => from_encoding(tokenizer.encode(text, true)),
        }
    }

    /// The tokens of two texts, one after the other, at most as many as the model reads; of the longer one more is left
    /// out.
    pub(crate) fn encode_pair(&self, first: &str, second: &str, longest: usize) -> Tokens {
        match self {
            Self::Builtin(wordpiece) => {
                let mut tokens = encode_builtin(wordpiece, first, longest / 2);
                let rest = encode_builtin(wordpiece, second, longest - tokens.ids.len() + 1);
                tokens.ids.extend(&rest.ids[1..]);
                tokens
            }
            Self::File(tokenizer) => from_encoding(tokenizer.encode((first, second), true)),
        }
    }
}

fn encode_builtin(wordpiece: &WordPiece, text: &str, longest: usize) -> Tokens {
    let mut ids = vec![BEGIN];
    let mut blank = true;
    wordpiece.visit_tokens(text, |row| {
        blank &= row.is_none();
        if ids.len() + 1 < longest {
            ids.push(row.map_or(UNKNOWN, |row| FIRST_ROW + row as i32));
        }
    });
    ids.push(END);
    let first = ids.len();
    Tokens { ids, first, blank }
}

/// A text that the tokeniser cannot read is one of which the model knows nothing.
fn from_encoding(encoding: tokenizers::Result<tokenizers::Encoding>) -> Tokens {
    let Ok(encoding) = encoding else { return Tokens { ids: Vec::new(), first: 0, blank: true } };
    let ids: Vec<i32> = encoding.get_ids().iter().map(|&id| id as i32).collect();
    let first = encoding.get_type_ids().iter().position(|&text| text > 0).unwrap_or(ids.len());
    let blank = encoding.get_special_tokens_mask().iter().all(|&special| special == 1);
    Tokens { ids, first, blank }
}
