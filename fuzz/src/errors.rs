//! Errors of providers.

use mainstay_wire::{CallerError, anthropic, gemini, openai};

use crate::json::ours;
use crate::parts::choice;

/// Whatever a provider answers with a status that is an error, it says something, and a caller gets it as JSON.
pub(crate) fn provider(data: &[u8]) {
    let (status, data) = choice(data);
    let status = 400 + u16::from(status) % 200;
    for error in [
        openai::error::decode(status, data),
        anthropic::error::decode(status, data),
        gemini::error::decode(status, data),
    ] {
        assert!(!error.message.trim().is_empty(), "an error that says nothing");
        let error = error.into_model_error("provider", Some(status));
        let message = error.to_string();
        let caller =
            CallerError { status, message: &message, param: None, code: Some("code"), request_id: Some("r") };
        ours(&openai::error::encode(&caller));
        ours(&anthropic::error::encode(&caller));
    }
}
