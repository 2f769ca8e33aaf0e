//! Everything but the question that an answer depends on.

use mainstay_domain::chat::{ChatRequest, Role};
use mainstay_domain::{ServiceTier, TenantId};
use sha2::{Digest, Sha256};

/// The hard partition of a cache, as a digest. Answers of one are never found from another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Partition {
    pub(crate) digest: [u8; 32],
    /// The tenant and the assistant alone, as a digest: those whose questions are checked together.
    pub(crate) scope: [u8; 32],
    /// The version of the documents: answers from another one are never given again.
    pub(crate) documents: u64,
}

/// What an answer depends on beside the request.
#[derive(Clone, Debug)]
pub struct Surroundings<'a> {
    /// Whose request it is: from the authenticated identity, never from the request.
    pub tenant: &'a TenantId,
    /// What the model is told, and by which models: of the assistant, in words that change whenever its settings do.
    pub assistant: &'a str,
    /// The version of the documents that it is answered from.
    pub documents: u64,
    /// How much work the order of the passages is worth.
    pub tier: Option<ServiceTier>,
    /// The end user, for a question that is about them.
    pub user: Option<&'a str>,
    /// What kind of question it is, where that is known: like ones of different kinds have different answers.
    pub intent: Option<&'a str>,
}

impl Partition {
    /// The partition of a request, and its question: the last message, where that is the user's text alone. `None` for a
    /// conversation that ends otherwise.
    pub fn of<'r>(request: &'r ChatRequest, surroundings: &Surroundings<'_>) -> Option<(Self, &'r str)> {
        let (last, before) = request.messages.split_last()?;
        let question = match &last.content {
            mainstay_domain::chat::Content::Text(text) if last.role == Role::User => text.as_str(),
            _ => return None,
        };
        let mut digest = Sha256::new();
        enter(&mut digest, surroundings.tenant.as_str().as_bytes());
        enter(&mut digest, surroundings.assistant.as_bytes());
        let scope: [u8; 32] = digest.finalize().into();
        let mut digest = Sha256::new();
        let mut enter = |part: &[u8]| enter(&mut digest, part);
        enter(&scope);
        enter(&surroundings.documents.to_le_bytes());
        enter(format!("{:?}", surroundings.tier).as_bytes());
        enter(surroundings.user.unwrap_or_default().as_bytes());
        enter(surroundings.intent.unwrap_or_default().as_bytes());
        enter(request.model.as_bytes());
        enter(format!("{:?}", last.name).as_bytes());
        for message in before {
            enter(format!("{message:?}").as_bytes());
        }
        // Every field by name: one that is added to the request is missed by the compiler here.
        let ChatRequest {
            model: _,
            messages: _,
            max_tokens,
            temperature,
            top_p,
            top_k,
            n,
            stop,
            presence_penalty,
            frequency_penalty,
            seed,
            tools,
            tool_choice,
            parallel_tool_calls,
            response_format,
            // In `surroundings.user` where the answer depends on it.
            user: _,
            filter,
            // Whole or in pieces, the answer is the same.
            delivery: _,
            dialect: _,
            extra,
        } = request;
        let sampling = (max_tokens.map(|most| most.limit), temperature, top_p, top_k, n, stop, seed);
        enter(format!("{sampling:?}").as_bytes());
        enter(format!("{presence_penalty:?} {frequency_penalty:?}").as_bytes());
        enter(format!("{tools:?} {tool_choice:?} {parallel_tool_calls:?}").as_bytes());
        enter(format!("{response_format:?} {filter:?}").as_bytes());
        let mut fields: Vec<(&String, String)> =
            extra.iter().map(|(name, value)| (name, canonical(value))).collect();
        fields.sort();
        enter(format!("{fields:?}").as_bytes());
        let partition = Self { digest: digest.finalize().into(), scope, documents: surroundings.documents };
        Some((partition, question))
    }

    /// The key of one question in it.
    pub(crate) fn key(&self, question: &str) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(self.digest);
        for word in question.split_whitespace() {
            digest.update(word.as_bytes());
            digest.update(b" ");
        }
        digest.finalize().into()
    }
}

/// Adds a part, with its length, so that no two sequences of parts are one text.
fn enter(digest: &mut Sha256, part: &[u8]) {
    digest.update((part.len() as u64).to_le_bytes());
    digest.update(part);
}

/// JSON with the keys of its objects in one order.
fn canonical(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Object(object) => {
            let mut fields: Vec<(&String, String)> =
                object.iter().map(|(name, value)| (name, canonical(value))).collect();
            fields.sort();
            format!("{fields:?}")
        }
        serde_json::Value::Array(items) => format!("{:?}", items.iter().map(canonical).collect::<Vec<_>>()),
        other => other.to_string(),
    }
}
