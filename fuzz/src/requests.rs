//! Requests of callers.

use mainstay_domain::ChatRequest;
use mainstay_domain::chat::{Content, Part};
use mainstay_wire::{anthropic, gemini, openai};
use serde_json::Value;

use crate::json::{is_rounded, ours, same};

/// An OpenAI request that is taken reads back as it was when it is passed on, and is JSON for every provider that can
/// express it.
pub(crate) fn openai(data: &[u8]) {
    let Ok(request) = openai::chat::decode_request(data) else { return };
    write_for_everyone(&request);
    let written = as_openai(&request).expect("a request can be expressed in its own dialect");
    let again = openai::chat::decode_request(&written).expect("what we write can be read");
    let rewritten = as_openai(&again).expect("a request can be expressed in its own dialect");
    assert!(same(&ours(&written), &ours(&rewritten)), "written again it differs");
    if !is_rounded(&serde_json::from_slice::<Value>(data).expect("a body that is taken is JSON")) {
        // The filter is for us alone: no provider gets it.
        assert_eq!(ChatRequest { filter: request.filter.clone(), ..again }, request);
    }
}

/// An Anthropic request that is taken says the same when it is passed on. Not more: messages of one role are joined, empty
/// texts left out, and ids of calls written in the characters that Anthropic takes.
pub(crate) fn anthropic(data: &[u8]) {
    // Counting takes fewer fields, and the same messages.
    if let Ok(request) = anthropic::messages::decode_count_request(data)
        && let Ok(written) = anthropic::messages::encode_count_request(&request, &request.model)
    {
        anthropic::messages::decode_count_request(&written).expect("what we write can be read");
    }
    let Ok(request) = anthropic::messages::decode_request(data) else { return };
    write_for_everyone(&request);
    let Some(written) = as_anthropic(&request) else { return };
    let again = anthropic::messages::decode_request(&written).expect("what we write can be read");
    let rewritten = as_anthropic(&again).expect("what was written once can be written again");
    assert!(same(&ours(&written), &ours(&rewritten)), "written again it differs");
    assert_eq!(said(&again), said(&request));
}

/// Texts and calls in their order.
fn said(request: &ChatRequest) -> Vec<String> {
    let mut said = Vec::new();
    for message in &request.messages {
        match &message.content {
            Content::Absent => {}
            Content::Text(text) => said.push(text.clone()),
            Content::Parts(parts) => said.extend(parts.iter().filter_map(|part| match part {
                Part::Text { text, .. } => Some(text.clone()),
                _ => None,
            })),
        }
        said.extend(message.tool_calls.iter().flat_map(|call| [call.name.clone(), call.arguments.clone()]));
    }
    said.retain(|text| !text.is_empty());
    said
}

fn write_for_everyone(request: &ChatRequest) {
    let gemini = gemini::encode_request(request).ok().map(Vec::from);
    for body in [as_openai(request), as_anthropic(request), gemini].into_iter().flatten() {
        ours(&body);
    }
    let _ = request.last_user_text();
}

fn as_openai(request: &ChatRequest) -> Option<Vec<u8>> {
    let options = openai::chat::RequestOptions {
        model: &request.model,
        include_usage: false,
        max_completion_tokens: true,
    };
    openai::chat::encode_request(request, &options).ok().map(Vec::from)
}

fn as_anthropic(request: &ChatRequest) -> Option<Vec<u8>> {
    let options = anthropic::messages::RequestOptions { model: &request.model, default_max_tokens: 4_096 };
    anthropic::messages::encode_request(request, &options).ok().map(Vec::from)
}
