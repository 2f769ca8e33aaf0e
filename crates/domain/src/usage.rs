//! Token counts of one model call, in one meaning for every provider.

use serde::{Deserialize, Serialize};

/// Tokens of a call. Adapters normalise: `prompt` always contains the cached tokens, whatever the provider's own field
/// means, so that a cost can be computed without knowing the provider.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Usage {
    /// All tokens of the prompt, those read from and written to the provider's cache included.
    pub prompt: u64,
    /// Of `prompt`: tokens that the provider read from its cache.
    pub cache_read: u64,
    /// Of `prompt`: tokens that the provider wrote to its cache.
    pub cache_write: u64,
    /// All tokens of the answer, reasoning included.
    pub completion: u64,
    /// Of `completion`: tokens of reasoning that the caller may not see.
    pub reasoning: u64,
}

impl Usage {
    /// Prompt plus answer.
    pub fn total(&self) -> u64 {
        self.prompt.saturating_add(self.completion)
    }
}

/// Where the numbers of a [`Usage`] come from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    /// The provider reported them.
    Reported,
    /// We counted: the call was cut short, or the provider reported nothing.
    Estimated,
}
