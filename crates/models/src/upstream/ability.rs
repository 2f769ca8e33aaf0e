//! What a model can do, and what a request needs.

use mainstay_domain::chat::{ChatRequest, Content, Dialect, Part, ResponseFormat};

/// What a model can do. What is not known counts as possible: the provider says if it is not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Abilities {
    /// Tokens of prompt and answer together, where known.
    pub context_tokens: Option<u64>,
    /// Whether it calls tools.
    pub tools: bool,
    /// Whether it sees pictures.
    pub images: bool,
    /// Whether it keeps to a JSON schema.
    pub json_schema: bool,
    /// Whether and how it goes on with an answer that was begun.
    pub prefill: Prefill,
}

impl Default for Abilities {
    fn default() -> Self {
        Self { context_tokens: None, tools: true, images: true, json_schema: true, prefill: Prefill::No }
    }
}

/// How a model goes on with an answer that was begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Prefill {
    /// It does not: it answers the beginning as if it were a message.
    No,
    /// From the last message, where that is the assistant's (Anthropic, except its newest models).
    LastMessage,
    /// The same, and it must be told so: `continue_final_message` (vLLM, SGLang).
    ContinueFinalMessage,
}

impl Prefill {
    /// Whether an answer to `request` can be gone on with. Fields of one dialect reach no server of another.
    pub(super) fn fits(self, request: &ChatRequest) -> bool {
        let is_text = matches!(request.response_format, None | Some(ResponseFormat::Text));
        let is_told = self != Self::ContinueFinalMessage || request.dialect == Dialect::OpenAi;
        self != Self::No && is_text && is_told && request.tools.is_empty()
    }
}

/// What a request needs of a model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Needs {
    tools: bool,
    images: bool,
    json_schema: bool,
    /// Estimated tokens of the prompt, and those that the answer may have.
    tokens: u64,
}

impl Needs {
    pub(super) fn of(request: &ChatRequest) -> Self {
        let is_image = |part: &Part| matches!(part, Part::Image { .. });
        let has_image = |content: &Content| match content {
            Content::Parts(parts) => parts.iter().any(is_image),
            Content::Absent | Content::Text(_) => false,
        };
        let bytes: usize = request.messages.iter().map(|message| message.content.text_len()).sum();
        let most = request.max_tokens.map_or(0, |most| most.limit);
        Self {
            tools: !request.tools.is_empty(),
            images: request.messages.iter().any(|message| has_image(&message.content)),
            json_schema: matches!(request.response_format, Some(ResponseFormat::JsonSchema { .. })),
            // A caller may ask for any number.
            tokens: most.saturating_add((bytes / BYTES_PER_TOKEN) as u64),
        }
    }

    /// What the model lacks.
    pub(super) fn lacking(&self, abilities: &Abilities) -> Option<&'static str> {
        [
            (self.tools && !abilities.tools, "tools"),
            (self.images && !abilities.images, "pictures"),
            (self.json_schema && !abilities.json_schema, "JSON schemas"),
            (abilities.context_tokens.is_some_and(|most| self.tokens > most), "a prompt of this length"),
        ]
        .into_iter()
        .find_map(|(lacks, what)| lacks.then_some(what))
    }
}

/// More bytes than most tokens have, so that what is refused unasked would not have fitted.
const BYTES_PER_TOKEN: usize = 6;
