use super::facts::{HIGH_STAKES, QUARANTINED, REFUSED_SHARE, SHARED_TABLES, THIRD_PARTY};
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, above, at_most, no, yes};
use crate::fact::{CHUNKS, DOCUMENTS};

pub(super) const CARD: Card = Card {
    id: "03.2",
    title: "Where data is checked",
    question: "At which gates is data validated?",
    options: &[
        Choice {
            id: "all_gates",
            name: "Everywhere, with different roles",
            best_for: "systems where a wrong document harms",
            gains: "bad data is refused early and noticed late",
            costs: "three sets of rules",
            apply: Apply {
                config: "[corpora.default.quality]\nunreadable = \"quarantine\"\noutliers = \"quarantine\"\n",
                steps: &["mainstay corpus report", "mainstay corpus quarantine"],
            },
        },
        Choice {
            id: "ingestion",
            name: "At ingestion",
            best_for: "streams and sources of others",
            gains: "refused before it costs anything",
            costs: "a changed format stops the flow",
            apply: Apply {
                config: "[corpora.default.quality]\nunreadable = \"quarantine\"\noutliers = \"report\"\n",
                steps: &[],
            },
        },
        Choice {
            id: "storage",
            name: "At the table",
            best_for: "tables that several teams write",
            gains: "one rule whatever the source",
            costs: "the work before it was for nothing",
            apply: Apply {
                config: "",
                steps: &[
                    "Mainstay checks its own tables by types and transactions; for other tables take a contract test as a gate of the pipeline",
                ],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "all_gates",
            when: &[yes(HIGH_STAKES)],
            why: "a wrong answer harms somebody: refuse early, enforce at the table, notice at the answer",
        },
        Rule {
            choose: "storage",
            when: &[yes(SHARED_TABLES), no(THIRD_PARTY)],
            why: "several teams write the same tables, all of them inside",
        },
        Rule {
            choose: "all_gates",
            when: &[above(DOCUMENTS, 100_000.0)],
            why: "in so many documents something is always wrong, and nobody reads them all",
        },
    ],
    otherwise: Otherwise { choose: "ingestion", why: "what is refused at the door costs nothing later" },
    premises: &[
        Premise {
            of: &["ingestion", "all_gates"],
            holds: at_most(REFUSED_SHARE, 0.05),
            otherwise: "one in twenty documents is refused: a source has changed its format",
        },
        Premise {
            of: &["ingestion", "all_gates"],
            holds: Condition::at_most_fact(QUARANTINED, CHUNKS, 0.05),
            otherwise: "more than one passage in twenty is in quarantine: `mainstay corpus quarantine` shows why",
        },
    ],
    corrections: &[],
};
