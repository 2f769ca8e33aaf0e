//! An answer that can be given again, and for how long.

use std::time::Duration;

use mainstay_domain::chat::{Completion, FinishReason};
use mainstay_domain::{NanoUsd, Timestamp};

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
        let message = |choice: &mainstay_domain::chat::Choice| {
            let citations: usize = choice.message.citations.iter().map(|one| 256 + one.quote.len()).sum();
            choice.message.text.as_ref().map_or(0, String::len) + citations
        };
        512 + self.completion.choices.iter().map(message).sum::<usize>()
    }

    /// The text of the only choice.
    pub(crate) fn text(&self) -> &str {
        self.completion.choices.first().and_then(|choice| choice.message.text.as_deref()).unwrap_or_default()
    }
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
