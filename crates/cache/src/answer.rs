//! An answer that can be given again, and for how long.

use std::time::Duration;

use mainstay_domain::chat::{AssistantMessage, Choice, Completion, Extra, FinishReason, ToolCall};
use mainstay_domain::{Citation, NanoUsd, Timestamp};
use serde_json::Value;

/// An answer as it was given: filtered, with its verified citations.
#[derive(Clone, PartialEq, Debug)]
pub struct CachedAnswer {
    /// What the model said.
    pub completion: Completion,
    /// `provider/model` that said it.
    pub model: String,
    /// Passages that were in its prompt.
    pub passages: u32,
    /// Whether the answer is that the documents do not contain one.
    pub not_in_documents: bool,
    /// What it cost, where that is known: what a hit saves.
    pub cost: NanoUsd,
    /// When it was given.
    pub at: Timestamp,
}

impl CachedAnswer {
    /// Bytes that it takes, about.
    pub(crate) fn size(&self) -> usize {
        let Completion { id, model, created: _, choices, usage: _, extra } = &self.completion;
        let texts = self.model.len() + id.len() + model.len();
        BESIDE + texts + choices.iter().map(size_of_choice).sum::<usize>() + size_of_fields(extra)
    }

    /// The text of the only choice.
    pub(crate) fn text(&self) -> &str {
        self.completion.choices.first().and_then(|choice| choice.message.text.as_deref()).unwrap_or_default()
    }
}

/// Bytes that an answer takes beside its parts, about: its fields, and what finds it by its question.
const BESIDE: usize = 512;

/// Every field by name: one that is added to what a model says is missed by the compiler here.
fn size_of_choice(choice: &Choice) -> usize {
    let AssistantMessage { text, refusal, reasoning, tool_calls, citations, extra } = &choice.message;
    let texts: usize = [text, refusal, reasoning].into_iter().flatten().map(String::len).sum();
    let calls: usize = tool_calls.iter().map(size_of_call).sum();
    let citations: usize = citations.iter().map(size_of_citation).sum();
    let logprobs = choice.logprobs.as_ref().map_or(0, size_of_json);
    size_of::<Choice>() + texts + calls + citations + size_of_fields(extra) + logprobs
}

fn size_of_call(call: &ToolCall) -> usize {
    let ToolCall { id, name, arguments, extra } = call;
    size_of::<ToolCall>() + id.len() + name.len() + arguments.len() + size_of_fields(extra)
}

fn size_of_citation(citation: &Citation) -> usize {
    let headings: usize = citation.headings.iter().map(|heading| size_of::<String>() + heading.len()).sum();
    let title = citation.title.as_ref().map_or(0, String::len);
    size_of::<Citation>() + citation.document.as_str().len() + title + headings + citation.quote.len()
}

fn size_of_fields(fields: &Extra) -> usize {
    let field = |(name, value): (&String, &Value)| size_of::<String>() + name.len() + size_of_json(value);
    fields.iter().map(field).sum()
}

fn size_of_json(value: &Value) -> usize {
    let beside = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size_of_json).sum(),
        Value::Object(fields) => size_of_fields(fields),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    size_of::<Value>() + beside
}

/// Whether an answer may be given to somebody else who asks the same: only one that is complete, and only text.
pub fn is_cacheable(completion: &Completion) -> bool {
    let [choice] = completion.choices.as_slice() else { return false };
    let message = &choice.message;
    choice.finish == FinishReason::Stop
        && message.text.as_ref().is_some_and(|text| !text.trim().is_empty())
        && message.tool_calls.is_empty()
        && message.refusal.is_none()
        && choice.logprobs.is_none()
}

/// How long the answer to a question stays true.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Freshness {
    /// It asks for what changes by the hour.
    Volatile,
    /// Anything else.
    Usual,
}

/// Words of questions whose answers change by the hour, in the languages that are likeliest here.
const VOLATILE: [&str; 34] = [
    "today",
    "tonight",
    "now",
    "current",
    "currently",
    "latest",
    "recent",
    "recently",
    "yesterday",
    "tomorrow",
    "weather",
    "price",
    "prices",
    "stock",
    "status",
    "live",
    "outage",
    "heute",
    "jetzt",
    "aktuell",
    "aktuelle",
    "gestern",
    "morgen",
    "wetter",
    "aujourd'hui",
    "maintenant",
    "actuel",
    "actuelle",
    "hier",
    "demain",
    "hoy",
    "ahora",
    "actual",
    "ayer",
];

impl Freshness {
    /// Of the answer to this question.
    pub fn of(question: &str) -> Self {
        let lower = question.to_lowercase();
        let is_volatile = lower
            .split(|character: char| !character.is_alphanumeric() && character != '\'')
            .any(|word| VOLATILE.contains(&word));
        if is_volatile { Self::Volatile } else { Self::Usual }
    }

    /// How long an answer may be given again.
    pub(crate) fn lifetime(self, usual: Duration, volatile: Duration) -> Duration {
        match self {
            Self::Volatile => volatile.min(usual),
            Self::Usual => usual,
        }
    }
}

/// Words by which a question is about who asks it.
const PERSONAL: [&str; 24] = [
    "i", "my", "mine", "me", "i'm", "i've", "myself", "our", "we", "us", "ich", "mein", "meine", "meinen",
    "mir", "mich", "mon", "ma", "mes", "je", "moi", "mi", "mis", "yo",
];

/// Whether a question is about who asks it, so that its answer is nobody else's.
pub(crate) fn is_personal(question: &str) -> bool {
    let lower = question.to_lowercase();
    let mut words = lower.split(|character: char| !character.is_alphanumeric() && character != '\'');
    words.any(|word| PERSONAL.contains(&word)) || question.contains('@')
}

#[cfg(test)]
mod tests {
    use mainstay_domain::{ByteRange, ChunkId, DocumentId};
    use serde_json::json;

    use super::*;
    use crate::tests::answer;

    const LONG: usize = 50_000;

    fn long() -> String {
        "x".repeat(LONG)
    }

    #[test]
    fn whatever_is_long_in_an_answer_makes_it_weigh() {
        let citation = Citation {
            index: 1,
            document: DocumentId::new("d"),
            title: None,
            headings: Vec::new(),
            chunk: ChunkId(1),
            range: ByteRange { start: 0, end: 1 },
            quote: "q".to_owned(),
            start_index: 0,
            end_index: 1,
        };
        let extra: Extra = [("deep".to_owned(), json!([{ "part": [long()] }]))].into_iter().collect();
        let message = AssistantMessage::default;
        let call =
            ToolCall { id: "1".to_owned(), name: "f".to_owned(), arguments: long(), extra: Extra::new() };
        for (part, message) in [
            ("text", AssistantMessage { text: Some(long()), ..message() }),
            ("refusal", AssistantMessage { refusal: Some(long()), ..message() }),
            ("reasoning", AssistantMessage { reasoning: Some(long()), ..message() }),
            ("extra", AssistantMessage { extra: extra.clone(), ..message() }),
            ("tool call", AssistantMessage { tool_calls: vec![call], ..message() }),
            ("quote", cited(Citation { quote: long(), ..citation.clone() })),
            ("title", cited(Citation { title: Some(long()), ..citation.clone() })),
            ("heading", cited(Citation { headings: vec![long()], ..citation.clone() })),
            ("document", cited(Citation { document: DocumentId::new(long()), ..citation })),
        ] {
            let mut answer = answer("Two years.");
            answer.completion.choices[0].message = message;
            assert!(answer.size() >= LONG, "{part}");
        }
        let usual = answer("Two years.");
        let completion = Completion { extra, ..usual.completion.clone() };
        assert!(CachedAnswer { completion, ..usual.clone() }.size() >= LONG);
        let mut answer = usual.clone();
        answer.completion.choices[0].logprobs = Some(json!(vec![0; LONG]));
        assert!(answer.size() >= LONG);
        assert!(usual.size() < 1_000);
    }

    fn cited(citation: Citation) -> AssistantMessage {
        AssistantMessage { citations: vec![citation], ..AssistantMessage::default() }
    }
}
