//! Token counts of one model call, in one meaning for every provider.

use serde::{Deserialize, Serialize};

/// Tokens of a call. Adapters normalise: `prompt` always contains the cached tokens, whatever the provider's own field
/// means, so that a cost can be computed without knowing the provider.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Usage {
    /// All tokens of the prompt, those read from and written to the provider's cache included.
    pub prompt: u64,
    /// Of `prompt`: tokens that the provider read from its cache.
    pub cache_read: u64,
    /// Of `prompt`: tokens that the provider wrote to its cache.
    pub cache_write: u64,
    /// All tokens of the answer, reasoning included.
    pub completion: u64,
    /// Of `completion`: tokens of reasoning that the caller may not see.
    pub reasoning: u64,
}

impl Usage {
    /// Prompt plus answer.
    pub fn total(&self) -> u64 {
        self.prompt.saturating_add(self.completion)
    }
}

/// Where the numbers of a [`Usage`] come from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    /// The provider reported them.
    Reported,
    /// We counted: the call was cut short, or the provider reported nothing.
    Estimated,
}

/// About how many tokens a text is, where nobody reported a count: for budgets and for calls that were cut short.
///
/// Calibrated on the byte-pair vocabularies of current models: a run of ASCII letters is a token per six characters or
/// part of it, digits one per three, other alphabets one per two and a half characters, ideographs one each,
/// punctuation one each. Within about a fifth of the true count on prose and code.
pub fn estimate_tokens(text: &str) -> u64 {
    let mut estimate = TokenEstimate::default();
    estimate.push(text);
    estimate.tokens()
}

/// [`estimate_tokens`] of a text that comes in pieces: where it is cut makes no difference.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TokenEstimate {
    tenths: u64,
    /// Of the run at the end.
    letters: u64,
    digits: u64,
}

impl TokenEstimate {
    /// More of the text.
    pub fn push(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                'a'..='z' | 'A'..='Z' => self.letters += 1,
                '0'..='9' => self.digits += 1,
                _ => {
                    self.tenths += 10 * self.run();
                    (self.letters, self.digits) = (0, 0);
                    self.tenths += match character {
                        ' ' => 0,
                        '\n' | '\t' => 3,
                        '\u{2E80}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}' | '\u{F900}'..='\u{FAFF}' => 10,
                        other if other.is_alphanumeric() => 4,
                        _ => 8,
                    };
                }
            }
        }
    }

    /// Tokens until now.
    pub fn tokens(&self) -> u64 {
        (self.tenths + 10 * self.run()).div_ceil(10)
    }

    fn run(&self) -> u64 {
        self.letters.div_ceil(6) + self.digits.div_ceil(3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_is_near_the_count_of_current_vocabularies() {
        // Counts of OpenAI's o200k vocabulary.
        for (text, tokens) in [
            ("The quick brown fox jumps over the lazy dog.", 10),
            ("fn main() { println!(\"Hello, world!\"); }", 13),
            ("Internationalization of telecommunications infrastructure", 7),
            ("你好，世界", 3),
        ] {
            let estimate = estimate_tokens(text) as i64;
            assert!((estimate - tokens).abs() <= 4, "{text}: {estimate} against {tokens}");
        }
        assert_eq!(estimate_tokens(""), 0);
    }
}
