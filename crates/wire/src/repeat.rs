//! A short cut for the commonest thing on the wire: a chunk that differs from the one before only in its text.
//!
//! A server repeats some 250 bytes of JSON around every token. Once one such chunk has been parsed, the bytes before
//! and after its text are remembered; while they stay the same, only the text is read, at a tenth of the cost. The
//! result is the same as parsing: JSON before the text leaves the parser inside a string, the string is checked to end
//! where the remembered rest begins, and the rest leads to the same end.

use std::borrow::Cow;

/// The bytes around the text of a stream's chunks.
#[derive(Debug, Default)]
pub(crate) struct RepeatedChunk {
    /// Up to and including the opening quote of the text.
    before: String,
    /// From the closing quote of the text.
    after: String,
    /// Chunks in a row that were not like the one before: a server that changes something in every chunk is not
    /// worth the search.
    misses: u8,
}

/// After so many chunks in a row that were each different, no more are remembered.
const MOST_MISSES: u8 = 8;

impl RepeatedChunk {
    /// The text of a chunk that is otherwise as the remembered one.
    pub(crate) fn text<'a>(&mut self, chunk: &'a str) -> Option<Cow<'a, str>> {
        if self.before.is_empty() {
            return None;
        }
        let inner = chunk.strip_prefix(self.before.as_str())?.strip_suffix(self.after.as_str())?;
        let text = if inner.bytes().all(|byte| !matches!(byte, 0..0x20 | b'"' | b'\\')) {
            Cow::Borrowed(inner)
        } else {
            // With its quotes; an error if they do not belong to each other.
            let start = self.before.len() - 1;
            Cow::Owned(serde_json::from_str(&chunk[start..start + inner.len() + 2]).ok()?)
        };
        self.misses = 0;
        Some(text)
    }

    /// Remembers a chunk that was parsed and found to carry nothing but `text`, as the field `key` of its `"delta"`.
    pub(crate) fn learn(&mut self, chunk: &str, key: &str, text: &str) {
        if self.misses >= MOST_MISSES {
            return;
        }
        self.misses += 1;
        self.before.clear();
        if let Some(start) = find_text(chunk, key)
            && let Some(length) = text_length(&chunk[start..], text)
        {
            self.before.push_str(&chunk[..start]);
            self.after.clear();
            self.after.push_str(&chunk[start + length..]);
        }
    }

    /// Forgets the chunk, because the next one like it would mean something else.
    pub(crate) fn forget(&mut self) {
        self.before.clear();
    }
}

/// Where the text of the field `key` starts, which must stand directly in the only `"delta"` of the chunk.
fn find_text(chunk: &str, key: &str) -> Option<usize> {
    const DELTA: &str = "\"delta\":";
    let delta = chunk.find(DELTA)? + DELTA.len();
    let rest = &chunk[delta..];
    if rest.contains(DELTA) {
        return None;
    }
    let at = find_key(rest, key)?;
    let directly_inside = rest[..at].matches(['{', '}']).eq(["{"]);
    let value = rest[at + key.len() + 2..].strip_prefix(':')?.trim_start().strip_prefix('"')?;
    // Of a field that stands twice the last counts.
    (directly_inside && find_key(value, key).is_none()).then_some(chunk.len() - value.len())
}

/// Where `"key"` stands. An unescaped quote cannot be part of a string, so this is a string of its own.
fn find_key(json: &str, key: &str) -> Option<usize> {
    json.match_indices(key)
        .map(|(at, _)| at)
        .find(|at| json[..*at].ends_with('"') && json[at + key.len()..].starts_with('"'))
        .map(|at| at - 1)
}

/// The length of the JSON string at the start of `json`, quotes not included, if it says `text`.
fn text_length(json: &str, text: &str) -> Option<usize> {
    let mut escaped = false;
    let length = json.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    let said = if json[..length].contains('\\') {
        Cow::Owned(serde_json::from_str(&format!("\"{}\"", &json[..length])).ok()?)
    } else {
        Cow::Borrowed(&json[..length])
    };
    (said == text).then_some(length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn chunk(text: &str) -> String {
        json!({"id": "x", "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "logprobs": null}]})
            .to_string()
    }

    #[test]
    fn a_chunk_that_differs_elsewhere_is_not_taken() {
        let mut repeated = RepeatedChunk::default();
        repeated.learn(&chunk("a"), "content", "a");
        assert_eq!(repeated.text(&chunk("b")).as_deref(), Some("b"));
        for other in [
            chunk("b").replace("\"x\"", "\"y\""),
            chunk("b").replace("null", "{}"),
            chunk("b").replace("\"b\"", "null"),
            chunk("b").replace("\"b\"", "\"b\",\"refusal\":\"c\""),
            chunk("b").replace("\"b\"", "\"b\\\""),
            chunk("b") + " ",
        ] {
            assert_eq!(repeated.text(&other), None, "{other}");
        }
    }

    #[test]
    fn text_that_stands_elsewhere_is_not_learnt() {
        for chunk in [
            r#"{"delta":{"inner":{"content":"a"}}}"#,
            r#"{"delta":{},"content":"a"}"#,
            r#"{"delta":{"content":"b"}}"#,
            r#"{"delta":{"content":"a","content":"a"}}"#,
            r#"{"delta":{"content":"a"},"x":{"delta":{"content":"a"}}}"#,
        ] {
            let mut repeated = RepeatedChunk::default();
            repeated.learn(chunk, "content", "a");
            assert_eq!(repeated.text(chunk), None, "{chunk}");
        }
    }

    #[test]
    fn chunks_that_always_differ_are_given_up() {
        let mut repeated = RepeatedChunk::default();
        for number in 0..=MOST_MISSES {
            repeated.learn(&chunk("a").replace("\"x\"", &number.to_string()), "content", "a");
        }
        assert_eq!(repeated.text(&chunk("a").replace("\"x\"", &MOST_MISSES.to_string())), None);
    }

    proptest! {
        #[test]
        fn the_text_is_what_a_parser_reads(first in any::<String>(), second in any::<String>()) {
            let mut repeated = RepeatedChunk::default();
            repeated.learn(&chunk(&first), "content", &first);
            let chunk = chunk(&second);
            let text = repeated.text(&chunk);
            prop_assert_eq!(text.as_deref(), Some(second.as_str()));
        }

        #[test]
        fn what_a_parser_refuses_or_reads_otherwise_is_not_taken(inner in "[a\"\\\\,:}\n]{0,8}") {
            let mut repeated = RepeatedChunk::default();
            repeated.learn(&chunk("a"), "content", "a");
            let other = chunk("@").replace('@', &inner);
            let parsed = serde_json::from_str::<serde_json::Value>(&other)
                .ok()
                .filter(|value| value["choices"][0]["delta"].as_object().is_some_and(|delta| delta.len() == 2));
            let expected = parsed.as_ref().and_then(|value| value["choices"][0]["delta"]["content"].as_str());
            let text = repeated.text(&other);
            prop_assert_eq!(text.as_deref(), expected);
        }
    }
}
