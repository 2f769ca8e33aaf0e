//! Whether something is done: always, never, or when it seems to be worth it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A setting of what costs something and helps only some questions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Where the question looks as if it helped.
    #[default]
    Auto,
    /// For every question.
    Always,
    /// For none.
    Never,
}

impl When {
    /// Whether it is done; `looks_worth_it` is asked only where the setting leaves it open.
    pub fn applies(self, looks_worth_it: impl FnOnce() -> bool) -> bool {
        match self {
            Self::Auto => looks_worth_it(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}
