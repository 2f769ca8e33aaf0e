//! The record of one turn: who asked, what answered, what it took and what it cost. Never what was said.

use serde::{Deserialize, Serialize};

use crate::id::{AssistantName, KeyId, RequestId, TenantId, TurnId};
use crate::money::NanoUsd;
use crate::time::Timestamp;
use crate::usage::{Usage, UsageSource};

/// One turn as it is booked: exactly one record for every request that was identified, however it ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TurnRecord {
    /// Unique: writing the same turn twice books it once.
    pub turn: TurnId,
    /// The HTTP request.
    pub request: RequestId,
    /// When the turn was opened.
    pub started_at: Timestamp,
    /// From opening to the last byte, in microseconds.
    pub duration_micros: u64,
    /// From opening to the first content, in microseconds; absent when there was none.
    pub first_token_micros: Option<u64>,
    /// Whose turn it was; absent when the caller was not identified.
    pub tenant: Option<TenantId>,
    /// The key that was used.
    pub key: Option<KeyId>,
    /// What was called: `chat`, `embeddings`.
    pub operation: String,
    /// The `model` that the caller named.
    pub requested_model: String,
    /// The assistant that it named, if it did.
    pub assistant: Option<AssistantName>,
    /// The model that answered, `provider/model`; absent when none was reached.
    pub answered_model: Option<String>,
    /// Whether it was streamed.
    pub streamed: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// The stable code of the error, when it failed.
    pub error_code: Option<String>,
    /// Tokens.
    pub usage: Usage,
    /// Where the token counts come from.
    pub usage_source: UsageSource,
    /// What the provider charges for it.
    pub cost: NanoUsd,
    /// The effective date of the price used; absent when the model has no known price.
    pub price_date: Option<String>,
    /// Passages put into the prompt.
    pub passages: u32,
    /// Citations that were verified and returned.
    pub citations: u32,
    /// Citations that failed verification and were removed.
    pub citations_removed: u32,
    /// The `x-stainless-retry-count` that the client's SDK sent.
    pub client_retries: u32,
    /// Calls of models that failed on the way to the answer.
    #[serde(default)]
    pub failed_attempts: u32,
    /// What providers charge for those, which `cost` does not contain.
    #[serde(default)]
    pub failed_cost: NanoUsd,
    /// What kind of question the assistant's classifier took it for, where it was sure.
    #[serde(default)]
    pub intent: Option<String>,
    /// Answers of cheaper models of the cascade that were not good enough to leave.
    #[serde(default)]
    pub escalations: u32,
    /// What providers charge for those, which `cost` does not contain.
    #[serde(default)]
    pub escalated_cost: NanoUsd,
    /// The team that the caller says it works for.
    #[serde(default)]
    pub team: Option<String>,
    /// The feature of the product that the caller says it is for.
    #[serde(default)]
    pub feature: Option<String>,
    /// The layer of the cache that answered, `exact` or `semantic`; absent when a model did.
    #[serde(default)]
    pub cache: Option<String>,
}

impl TurnRecord {
    /// All that providers charge for the turn: for its answer, for calls that failed and for answers that did not leave.
    pub fn total_cost(&self) -> NanoUsd {
        self.cost + self.failed_cost + self.escalated_cost
    }
}

/// How a turn ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The whole answer was sent.
    Completed,
    /// It failed, before or in mid-stream.
    Failed,
    /// The caller went away.
    Cancelled,
}

impl Outcome {
    /// The outcome's name in the ledger and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}
