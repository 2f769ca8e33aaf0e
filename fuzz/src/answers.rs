//! Whole answers of providers, and the other lists that they send.

use mainstay_domain::chat::{Completion, FinishReason};
use mainstay_wire::{anthropic, gemini, openai};

use crate::json::ours;

/// An OpenAI answer says the same after it was passed on.
pub(crate) fn openai(data: &[u8]) {
    if let Ok(models) = openai::models::decode_models(data) {
        let list = openai::models::encode_models(&models);
        assert_eq!(openai::models::decode_models(&list).expect("what we write can be read"), models);
    }
    pass_on(openai::chat::decode_completion(data).ok());
}

/// The same for Anthropic's, and its counts of tokens.
pub(crate) fn anthropic(data: &[u8]) {
    if let Ok(count) = anthropic::messages::decode_token_count(data) {
        let body = anthropic::messages::encode_token_count(count);
        assert_eq!(anthropic::messages::decode_token_count(&body).expect("what we write can be read"), count);
    }
    pass_on(anthropic::messages::decode_completion(data).ok());
}

/// The same for Gemini's.
pub(crate) fn gemini(data: &[u8]) {
    pass_on(gemini::decode_completion(data).ok());
}

fn pass_on(completion: Option<Completion>) {
    let Some(completion) = completion else { return };
    assert!(!completion.choices.is_empty(), "an answer without a choice");
    let options = openai::chat::ResponseOptions {
        id: &completion.id,
        created: completion.created.unwrap_or(0),
        model: None,
        mainstay: None,
    };
    let body = openai::chat::encode_completion(&completion, &options);
    ours(&body);
    let again = openai::chat::decode_completion(&body).expect("what we write can be read");
    assert_eq!(said(&again), said(&completion), "through OpenAI's shape");

    let options = anthropic::messages::ResponseOptions { id: &completion.id, model: None, mainstay: None };
    let body = anthropic::messages::encode_completion(&completion, &options);
    ours(&body);
    let again = anthropic::messages::decode_completion(&body).expect("what we write can be read");
    // It has one answer, no word for some reasons to finish, and no place of its own for a refusal.
    if completion.choices[0].message.refusal.is_none() {
        assert_eq!(said(&again)[0].text, said(&completion)[0].text, "through Anthropic's shape");
    }
}

/// What a choice says.
#[derive(PartialEq, Debug)]
struct Said {
    text: String,
    /// Names and arguments.
    calls: Vec<(String, String)>,
    finish: FinishReason,
}

fn said(completion: &Completion) -> Vec<Said> {
    let choices = completion.choices.iter().map(|choice| {
        let message = &choice.message;
        let calls = message.tool_calls.iter().map(|call| (call.name.clone(), call.arguments.clone()));
        Said {
            text: message.text.clone().unwrap_or_default(),
            calls: calls.collect(),
            finish: choice.finish.clone(),
        }
    });
    choices.collect()
}
