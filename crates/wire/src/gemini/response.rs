//! Whole answers.

use mainstay_domain::chat::{AssistantMessage, Choice, Completion, Extra, FinishReason, ToolCall};
use serde_json::{Value, json};

use super::answer::{AnswerFields, CallFields, CandidateFields, PartFields};
use super::{finish_reason, keep_signature};
use crate::error::UpstreamError;
use crate::json::read::Read;

/// Reads an answer.
pub fn decode_completion(body: &[u8]) -> Result<Completion, UpstreamError> {
    let Read(answer) = serde_json::from_slice::<Read<AnswerFields<'_>>>(body)
        .map_err(|error| UpstreamError::unreadable(body, &error))?;
    if let Some(failure) = answer.failure() {
        return Err(failure);
    }
    if answer.candidates.is_empty() {
        return Err(UpstreamError::malformed("the provider's answer has no `candidates`"));
    }
    let id = answer.id.unwrap_or_default().into_owned();
    let choices = answer.candidates.into_iter().map(|candidate| decode_candidate(candidate, &id)).collect();
    Ok(Completion {
        choices,
        model: answer.model.unwrap_or_default().into_owned(),
        created: None,
        usage: answer.usage.map(|usage| usage.usage()),
        extra: Extra::new(),
        id,
    })
}

fn decode_candidate(candidate: CandidateFields<'_>, id: &str) -> Choice {
    let index = candidate.index as u32;
    let pieces = Pieces::read(candidate.content.parts, id, index, 0);
    let finish = match candidate.finish_reason {
        Some(reason) => finish_reason(&reason, !pieces.tool_calls.is_empty()),
        None => FinishReason::Other("unknown".to_owned()),
    };
    let message = AssistantMessage {
        text: pieces.text,
        refusal: None,
        reasoning: pieces.reasoning,
        tool_calls: pieces.tool_calls,
        citations: Vec::new(),
        extra: pieces.extra,
    };
    Choice { index, message, finish, logprobs: None }
}

/// The content of an answer or a chunk, sorted by kind.
#[derive(Default)]
pub(super) struct Pieces {
    pub(super) text: Option<String>,
    pub(super) reasoning: Option<String>,
    pub(super) tool_calls: Vec<ToolCall>,
    /// A signature of the text; pictures.
    pub(super) extra: Extra,
}

impl Pieces {
    /// Sorts `parts` of the answer `id`; `calls_before` calls have come in earlier chunks.
    pub(super) fn read(parts: Vec<PartFields>, id: &str, choice: u32, calls_before: usize) -> Self {
        let mut pieces = Self::default();
        for part in parts {
            if let Some(call) = part.call {
                let number = calls_before + pieces.tool_calls.len();
                pieces.tool_calls.push(decode_call(call, part.signature, id, choice, number));
                continue;
            }
            if let Some(text) = part.text {
                let place = if part.thought { &mut pieces.reasoning } else { &mut pieces.text };
                match place {
                    Some(before) => before.push_str(&text),
                    None => *place = Some(text),
                }
            }
            if let Some(data) = part.data {
                // The form in which OpenAI-compatible routers give pictures.
                let url = format!("data:{};base64,{}", data.media_type, data.data);
                let images = pieces.extra.entry("images").or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(images) = images {
                    images.push(json!({"type": "image_url", "image_url": {"url": url}}));
                }
            }
            if let Some(signature) = part.signature {
                keep_signature(&mut pieces.extra, signature);
            }
        }
        pieces
    }
}

fn decode_call(
    call: CallFields,
    signature: Option<String>,
    answer: &str,
    choice: u32,
    number: usize,
) -> ToolCall {
    let arguments = match call.args {
        None | Some(Value::Null) => "{}".to_owned(),
        Some(args) => args.to_string(),
    };
    let id = call.id.unwrap_or_else(|| generated_call_id(answer, choice, number, &call.name, &arguments));
    let mut extra = Extra::new();
    if let Some(signature) = signature {
        keep_signature(&mut extra, signature);
    }
    ToolCall { id, name: call.name, arguments, extra }
}

/// The id of a call for which Gemini gave none: the same whenever the same answer is read, different for every call of
/// a conversation as long as answers have ids.
fn generated_call_id(answer: &str, choice: u32, number: usize, name: &str, arguments: &str) -> String {
    if !answer.is_empty() {
        return format!("call_{answer}_{choice}_{number}");
    }
    // FNV-1a, 64 bits (Fowler, Noll, Vo): stable across builds and machines.
    let hash = [name, "\0", arguments]
        .into_iter()
        .flat_map(str::bytes)
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    format!("call_{hash:016x}_{choice}_{number}")
}
