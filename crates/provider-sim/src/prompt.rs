//! What was asked, in one form for all APIs.

use serde_json::Value;

/// A request, as far as the answer depends on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Prompt {
    /// The conversation.
    pub(super) turns: Vec<Turn>,
    /// The tools that may be called.
    pub(super) tools: Vec<Tool>,
    /// The tool that must be called.
    pub(super) only_tool: Option<String>,
    /// The answer must be JSON; of this schema, where there is one.
    pub(super) json: Option<Option<Value>>,
    /// Most tokens of the answer.
    pub(super) max_tokens: Option<usize>,
    /// Texts at which the answer stops.
    pub(super) stop: Vec<String>,
}

/// What somebody said.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub(super) speaker: Speaker,
    pub(super) text: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Speaker {
    System,
    User,
    Model,
    Tool,
}

/// A tool.
#[derive(Clone, Debug)]
pub(super) struct Tool {
    pub(super) name: String,
    /// JSON schema of its arguments.
    pub(super) schema: Value,
}

impl Prompt {
    /// The last thing that the user said, which may be several messages in a row, as a model reads them.
    pub(super) fn question(&self) -> String {
        let from_the_end = self.turns.iter().rev();
        let texts = from_the_end.skip_while(|turn| turn.speaker != Speaker::User);
        let mut texts: Vec<&str> =
            texts.take_while(|turn| turn.speaker == Speaker::User).map(|turn| turn.text.as_str()).collect();
        texts.reverse();
        texts.join("\n\n")
    }
}

/// The texts of a message's content: a string, or parts that have a `text`.
pub(super) fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}
