//! Whole answers: those of providers are read, those for callers written.

use bytes::{Bytes, BytesMut};
use mainstay_domain::chat::{AssistantMessage, Choice, Completion, Dialect, FinishReason, ToolCall};
use serde_json::Value;

use super::answer::{AnswerFields, ChoiceFields, MessageFields, ToolCallFields};
use super::request::encode_tool_call;
use super::usage::encode_usage;
use super::{finish_reason, finish_reason_text};
use crate::ANTHROPIC_EXTRA;
use crate::citation::write_annotation;
use crate::error::UpstreamError;
use crate::json::read::Read;
use crate::json::write::{Array, Object};
use crate::openai::error;

/// How an answer for a caller is written.
#[derive(Clone, Copy, Debug)]
pub struct ResponseOptions<'a> {
    /// The answer's id, `chatcmpl-…`.
    pub id: &'a str,
    /// When, in seconds since 1970.
    pub created: i64,
    /// The model that really answered, as the caller knows it; `None` for the provider's own name.
    pub model: Option<&'a str>,
    /// Mainstay's own top-level object, where there is something to say.
    pub mainstay: Option<&'a Value>,
}

/// Reads a provider's answer.
pub fn decode_completion(body: &[u8]) -> Result<Completion, UpstreamError> {
    let Read(mut answer) = serde_json::from_slice::<Read<AnswerFields<'_>>>(body)
        .map_err(|error| UpstreamError::unreadable(body, &error))?;
    if let Some(error) = answer.take_error() {
        return Err(error::read(&error, None));
    }
    if answer.choices.is_empty() {
        return Err(UpstreamError::malformed("the provider's answer has no `choices`"));
    }
    let extra = answer.take_extra();
    let id = answer.id.unwrap_or_default().into_owned();
    let choices =
        answer.choices.into_iter().map(|choice| decode_choice(choice, &id)).collect::<Result<_, _>>()?;
    Ok(Completion {
        choices,
        id,
        model: answer.model.unwrap_or_default().into_owned(),
        created: answer.created,
        usage: answer.usage.map(|usage| usage.usage()),
        extra,
    })
}

fn decode_choice(choice: ChoiceFields<'_>, id: &str) -> Result<Choice, UpstreamError> {
    let message = decode_message(choice.message, id);
    let finish = match choice.finish_reason {
        Some(reason) => finish_reason(&reason),
        // The whole answer is here, so it did end; old servers leave out why.
        None if message.tool_calls.is_empty() => FinishReason::Stop,
        None => FinishReason::ToolCalls,
    };
    let index = u32::try_from(choice.index)
        .map_err(|_| UpstreamError::malformed("the `index` of a choice is out of range"))?;
    Ok(Choice { index, message, finish, logprobs: choice.logprobs })
}

fn decode_message(message: MessageFields, id: &str) -> AssistantMessage {
    let tool_calls = message
        .tool_calls
        .into_iter()
        .enumerate()
        .map(|(index, call)| decode_tool_call(call, || generated_call_id(id, index)))
        .collect();
    AssistantMessage {
        text: message.text,
        refusal: message.refusal,
        reasoning: message.reasoning.filter(|text| !text.is_empty()),
        tool_calls,
        citations: Vec::new(),
        extra: message.extra,
    }
}

fn decode_tool_call(call: ToolCallFields, generate_id: impl FnOnce() -> String) -> ToolCall {
    ToolCall {
        id: call.id.unwrap_or_else(generate_id),
        name: call.function.name.unwrap_or_default(),
        arguments: call.function.arguments,
        extra: call.extra,
    }
}

/// The id of a call for which a server gave none: the same whenever the same answer is read.
pub(crate) fn generated_call_id(answer: &str, index: usize) -> String {
    format!("call_{answer}_{index}")
}

/// Writes an answer for a caller.
pub fn encode_completion(completion: &Completion, options: &ResponseOptions<'_>) -> Bytes {
    let mut out = BytesMut::with_capacity(1024);
    {
        let mut body = Object::new(&mut out);
        body.text("id", options.id);
        body.text("object", "chat.completion");
        body.integer("created", options.created);
        body.text("model", options.model.unwrap_or(&completion.model));
        {
            let mut choices = body.array("choices");
            for choice in &completion.choices {
                encode_choice(choice, choices.object());
            }
        }
        if let Some(usage) = &completion.usage {
            encode_usage(usage, body.object("usage"));
        }
        body.extra_except(&completion.extra, &[ANTHROPIC_EXTRA]);
        body.optional_value("mainstay", options.mainstay);
    }
    out.freeze()
}

fn encode_choice(choice: &Choice, mut out: Object<'_>) {
    out.integer("index", choice.index);
    encode_message(&choice.message, out.object("message"));
    match &choice.logprobs {
        Some(logprobs) => out.value("logprobs", logprobs),
        None => out.null("logprobs"),
    }
    out.text("finish_reason", finish_reason_text(&choice.finish));
}

fn encode_message(message: &AssistantMessage, mut out: Object<'_>) {
    out.text("role", "assistant");
    out.nullable_text("content", message.text.as_deref());
    out.nullable_text("refusal", message.refusal.as_deref());
    out.optional_text("reasoning_content", message.reasoning.as_deref());
    if !message.tool_calls.is_empty() {
        let mut calls = out.array("tool_calls");
        for call in &message.tool_calls {
            encode_tool_call(call, Dialect::OpenAi, calls.object());
        }
    }
    write_annotations(message.extra.get("annotations"), &message.citations, out.array("annotations"));
    out.extra_except(&message.extra, &[ANTHROPIC_EXTRA, "annotations"]);
}

/// The provider's own annotations (web search), then our citations.
pub(crate) fn write_annotations(
    provided: Option<&Value>,
    citations: &[mainstay_domain::Citation],
    mut annotations: Array<'_>,
) {
    for annotation in provided.and_then(Value::as_array).into_iter().flatten() {
        annotations.value(annotation);
    }
    for citation in citations {
        write_annotation(annotations.object(), citation);
    }
}
