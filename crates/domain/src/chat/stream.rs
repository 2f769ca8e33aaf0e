//! An answer in pieces.

use serde_json::Value;

use super::{Extra, FinishReason};
use crate::citation::Citation;
use crate::usage::Usage;

/// A piece of a streamed answer. [`ChatEvent::Start`] comes first and once; usage comes at most once and is final.
#[derive(Clone, PartialEq, Debug)]
pub enum ChatEvent {
    /// The answer begins.
    Start(StreamStart),
    /// A piece of one choice.
    Delta(ChoiceDelta),
    /// Tokens of the whole answer.
    Usage(Usage),
    /// The provider says that it is alive (Anthropic's `ping`).
    Ping,
}

/// Who answers.
#[derive(Clone, PartialEq, Debug)]
pub struct StreamStart {
    /// The provider's id of the answer.
    pub id: String,
    /// The model that answers, by the provider's name for it.
    pub model: String,
    /// When, in seconds since 1970, where the provider says.
    pub created: Option<i64>,
    /// Fields of the provider's chunks without a meaning here (`system_fingerprint`, …).
    pub extra: Extra,
}

/// A piece of one choice. Fields are independent: a provider may send text, a tool call and the reason to finish in
/// one piece.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ChoiceDelta {
    /// The choice, from 0.
    pub choice: u32,
    /// More text.
    pub text: Option<String>,
    /// More of a refusal.
    pub refusal: Option<String>,
    /// More reasoning.
    pub reasoning: Option<String>,
    /// Fragments of tool calls, in the order in which they came; never joined.
    pub tool_calls: Vec<ToolCallDelta>,
    /// Citations of text sent so far.
    pub citations: Vec<Citation>,
    /// Set on the last piece of the choice.
    pub finish: Option<FinishReason>,
    /// Log probabilities as the provider sent them.
    pub logprobs: Option<Value>,
    /// Fields of the delta without a meaning here.
    pub extra: Extra,
}

impl ChoiceDelta {
    /// A piece of text of the first choice.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    /// The end of the first choice.
    pub fn finish(reason: FinishReason) -> Self {
        Self { finish: Some(reason), ..Self::default() }
    }

    /// Whether the piece carries content that a caller sees.
    pub fn has_content(&self) -> bool {
        self.text.as_ref().is_some_and(|text| !text.is_empty())
            || self.refusal.is_some()
            || self.reasoning.is_some()
            || !self.tool_calls.is_empty()
    }
}

/// A fragment of a tool call: the first of a call has `id` and `name`, the others more of the arguments.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ToolCallDelta {
    /// Which of the choice's calls, from 0.
    pub index: u32,
    /// The id of the call.
    pub id: Option<String>,
    /// The tool.
    pub name: Option<String>,
    /// More of the arguments, JSON as text.
    pub arguments: String,
    /// Fields without a meaning here.
    pub extra: Extra,
}
