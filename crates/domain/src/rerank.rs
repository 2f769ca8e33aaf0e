//! Whether a second, slower look at the best passages is wanted, and what became of it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::ModelErrorKind;

/// How much work the order of passages is worth.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServiceTier {
    /// As soon as possible: passages stay in the order of the fusion.
    Fast,
    /// As well as possible: the best passages are reranked, where the corpus has a reranker.
    #[default]
    Quality,
}

impl ServiceTier {
    /// Every tier.
    pub const ALL: [Self; 2] = [Self::Fast, Self::Quality];

    /// The tier's name in requests and in `mainstay.toml`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Quality => "quality",
        }
    }
}

impl fmt::Display for ServiceTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no service tier.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a service tier is `fast` or `quality`")]
pub struct UnknownTier;

impl FromStr for ServiceTier {
    type Err = UnknownTier;

    fn from_str(text: &str) -> Result<Self, UnknownTier> {
        Self::ALL.into_iter().find(|tier| tier.as_str() == text).ok_or(UnknownTier)
    }
}

/// Whose order the passages of a search are in.
#[derive(Clone, PartialEq, Debug)]
pub enum Reranking {
    /// The reranker's, as far as it read.
    Done(Reranked),
    /// The fusion's.
    Skipped(NotReranked),
    /// The fusion's, because the reranker failed.
    Failed {
        /// Which reranker, `provider/model`.
        model: String,
        /// How it failed.
        kind: ModelErrorKind,
    },
}

/// What a reranker has done.
#[derive(Clone, PartialEq, Debug)]
pub struct Reranked {
    /// Which reranker, `provider/model`.
    pub model: String,
    /// How long it took.
    pub took: Duration,
    /// Of the passages that are returned, those that it moved up by more than five places.
    pub shifted: usize,
}

/// Why nothing was reranked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum NotReranked {
    /// The corpus has no reranker.
    NoReranker,
    /// The tier [`ServiceTier::Fast`] was asked for.
    FastTier,
    /// There was nothing to order: fewer than two passages.
    FewCandidates,
    /// The reranker takes longer than there was time.
    LittleTime,
    /// The first passage was far enough ahead of the second.
    ClearLead,
    /// The reranker has nothing to say about such a question: the built-in one about keywords and long descriptions.
    OtherQuestion,
}

impl NotReranked {
    /// The reason's name in results and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoReranker => "no_reranker",
            Self::FastTier => "fast_tier",
            Self::FewCandidates => "few_candidates",
            Self::LittleTime => "little_time",
            Self::ClearLead => "clear_lead",
            Self::OtherQuestion => "other_question",
        }
    }
}

impl Reranking {
    /// Whether a reranker ordered the passages.
    pub const fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }

    /// The reranker that was asked, where one was.
    pub fn model(&self) -> Option<&str> {
        match self {
            Self::Done(Reranked { model, .. }) | Self::Failed { model, .. } => Some(model),
            Self::Skipped(_) => None,
        }
    }

    /// Why the order is the fusion's: a [`NotReranked::as_str`] or the [code](ModelErrorKind::code) of the failure.
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Done(_) => None,
            Self::Skipped(reason) => Some(reason.as_str()),
            Self::Failed { kind, .. } => Some(kind.code()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_is_read_by_its_name_and_nothing_else_is_one() {
        for tier in ServiceTier::ALL {
            assert_eq!(tier.to_string().parse(), Ok(tier));
        }
        assert_eq!("Fast".parse::<ServiceTier>(), Err(UnknownTier));
        assert_eq!("".parse::<ServiceTier>(), Err(UnknownTier));
    }
}
