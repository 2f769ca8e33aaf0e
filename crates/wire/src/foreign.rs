//! Fields of a request that only providers of its own dialect understand, on their way to a provider of another.

use mainstay_domain::chat::{ChatRequest, Dialect};
use serde_json::Value;

use crate::error::Unsupported;

/// How to serve, keep, bill or think about a request: an answer without them is still an answer to it.
const HINTS: &[&str] = &[
    "context_management",
    "metadata",
    "output_config",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning_effort",
    "safety_identifier",
    "service_tier",
    "store",
    "stream_options",
    "thinking",
    "verbosity",
];

/// Refuses what a provider that speaks another dialect could not be told, unless it is a hint. `spoken` is the dialect of
/// the provider.
pub(crate) fn refuse_foreign(
    request: &ChatRequest,
    spoken: Dialect,
    provider: &str,
) -> Result<(), Unsupported> {
    if spoken == request.dialect {
        return Ok(());
    }
    let asks = |name: &str, value: &Value| !HINTS.contains(&name) && !is_neutral(name, value);
    match request.extra.iter().find(|(name, value)| asks(name, value)) {
        Some((name, _)) => {
            let message = format!(
                "`{name}` cannot be passed on to {provider}, whose format has no place for it: leave it out, or ask a \
                 model of another provider"
            );
            Err(Unsupported::new(name.clone(), message))
        }
        None => Ok(()),
    }
}

/// Whether the value asks for what happens anyway.
fn is_neutral(name: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => {
            items.is_empty() || name == "modalities" && items.iter().all(|item| item == "text")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(field: (&str, Value), spoken: Dialect) -> Result<(), Option<String>> {
        let mut request = ChatRequest { dialect: Dialect::OpenAi, ..ChatRequest::default() };
        request.extra.insert(field.0.to_owned(), field.1);
        refuse_foreign(&request, spoken, "Anthropic").map_err(|error| error.param)
    }

    #[test]
    fn what_would_change_the_answer_is_refused_by_its_name() {
        for field in [
            ("logprobs", json!(true)),
            ("logit_bias", json!({ "50256": -100 })),
            ("modalities", json!(["text", "audio"])),
            ("web_search_options", json!({ "search_context_size": "low" })),
            ("repetition_penalty", json!(1.1)),
        ] {
            let name = field.0.to_owned();
            assert_eq!(check(field.clone(), Dialect::OpenAi), Ok(()), "{name}");
            assert_eq!(check(field.clone(), Dialect::Anthropic), Err(Some(name.clone())));
            assert_eq!(check(field, Dialect::Gemini), Err(Some(name)));
        }
    }

    #[test]
    fn hints_and_what_holds_anyway_are_left_out() {
        for field in [
            ("logprobs", json!(false)),
            ("logit_bias", json!({})),
            ("modalities", json!(["text"])),
            ("service_tier", json!("flex")),
            ("reasoning_effort", json!("low")),
            ("audio", json!(null)),
        ] {
            assert_eq!(check(field.clone(), Dialect::Gemini), Ok(()), "{}", field.0);
        }
    }
}
