use super::facts::MIXED_FEATURES;
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, yes};
use crate::fact::{ERROR_RATE, ERROR_RATE_TARGET, INDEX_LAG, STALE_READ_HURTS, STALENESS_TARGET};

pub(super) const CARD: Card = Card {
    id: "04.4",
    title: "Features: consistent or available",
    question: "What does a feature read do while the network is split?",
    options: &[
        Choice {
            id: "by_feature",
            name: "Decided feature by feature",
            best_for: "products with both kinds",
            gains: "strong where it must be, fast elsewhere",
            costs: "every feature has to be classified",
            apply: Apply {
                config: "[consistency.entitlements]\nclass = \"strong\"\nbecause = \"a stale plan bills wrongly\"\n[consistency.popularity]\nclass = \"eventual\"\nstaleness = \"60s\"\nbecause = \"ranking is a little worse\"\n",
                steps: &[],
            },
        },
        Choice {
            id: "consistent",
            name: "Consistent",
            best_for: "money, consent, permissions",
            gains: "never wrong",
            costs: "not there while the network is split",
            apply: Apply {
                config: "[consistency.entitlements]\nclass = \"strong\"\nbecause = \"a stale plan bills wrongly\"\n",
                steps: &[],
            },
        },
        Choice {
            id: "available",
            name: "Available",
            best_for: "scores and counts",
            gains: "always there, fast",
            costs: "stale, and nobody notices unless it is measured",
            apply: Apply {
                config: "[consistency.popularity]\nclass = \"eventual\"\nstaleness = \"60s\"\nbecause = \"ranking is a little worse\"\n",
                steps: &["Mainstay has no online feature store yet"],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "by_feature",
            when: &[yes(MIXED_FEATURES)],
            why: "one class for all is too dear for the one kind or wrong for the other",
        },
        Rule {
            choose: "consistent",
            when: &[yes(STALE_READ_HURTS)],
            why: "a value that is a minute old would bill wrongly or be unsafe",
        },
    ],
    otherwise: Otherwise {
        choose: "available",
        why: "for scores a little staleness is cheaper than an error",
    },
    premises: &[
        Premise {
            of: &["available", "by_feature"],
            holds: Condition::at_most_fact(INDEX_LAG, STALENESS_TARGET, 1.0),
            otherwise: "staleness is above its target: what is available is no longer fresh enough",
        },
        Premise {
            of: &["consistent"],
            holds: Condition::at_most_fact(ERROR_RATE, ERROR_RATE_TARGET, 1.0),
            otherwise: "too many requests fail: see whether the strong reads are why, and move what may be stale out of them",
        },
    ],
    corrections: &[],
};
