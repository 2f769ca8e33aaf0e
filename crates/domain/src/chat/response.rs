//! A whole answer.

use serde_json::Value;

use super::{Extra, ToolCall};
use crate::citation::Citation;
use crate::usage::Usage;

/// A whole answer.
#[derive(Clone, PartialEq, Debug)]
pub struct Completion {
    /// The provider's id of the answer.
    pub id: String,
    /// The model that answered, by the provider's name for it.
    pub model: String,
    /// When, in seconds since 1970, where the provider says.
    pub created: Option<i64>,
    /// The alternatives; one unless `n` was asked for.
    pub choices: Vec<Choice>,
    /// Tokens, where the provider reports them.
    pub usage: Option<Usage>,
    /// Fields without a meaning here.
    pub extra: Extra,
}

/// One of the alternatives.
#[derive(Clone, PartialEq, Debug)]
pub struct Choice {
    /// Its number, from 0.
    pub index: u32,
    /// What the model said.
    pub message: AssistantMessage,
    /// Why it ended.
    pub finish: FinishReason,
    /// Log probabilities as the provider sent them.
    pub logprobs: Option<Value>,
}

/// What a model said.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct AssistantMessage {
    /// The text.
    pub text: Option<String>,
    /// Why it refuses, where the provider separates that from the text.
    pub refusal: Option<String>,
    /// Its reasoning, where the provider shows it.
    pub reasoning: Option<String>,
    /// The tools it calls.
    pub tool_calls: Vec<ToolCall>,
    /// Verified citations of the text.
    pub citations: Vec<Citation>,
    /// Fields without a meaning here.
    pub extra: Extra,
}

/// Why an answer ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FinishReason {
    /// It was complete.
    Stop,
    /// The limit of tokens was reached.
    Length,
    /// Tools are to be called.
    ToolCalls,
    /// A safety filter stopped it.
    ContentFilter,
    /// Another reason, in the provider's words.
    Other(String),
}
