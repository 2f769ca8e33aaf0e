use super::facts::{CONSUMERS, EVENTS_PER_SECOND, NEEDS_REPLAY, USER_WAITS, WAITING_DOCS, WINDOWS};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, above, at_least, at_most, yes};
use crate::fact::{INDEX_LAG, STALENESS_TARGET};

pub(super) const CARD: Card = Card {
    id: "03.1",
    title: "Events or requests",
    question: "Are updates made while somebody waits, or by events afterwards?",
    options: &[
        Choice {
            id: "requests",
            name: "While somebody waits",
            best_for: "search, features and answers",
            gains: "simple, consistent at once",
            costs: "slow neighbours make everything slow",
            apply: Apply { config: "", steps: &["search and answers of Mainstay are requests"] },
        },
        Choice {
            id: "events",
            name: "By events",
            best_for: "updates of the index, audit, retraining",
            gains: "decoupled, played again after a failure",
            costs: "later by seconds; needs a place for what fails",
            apply: Apply {
                config: "[slo.freshness]\nstaleness = \"60s\"\n",
                steps: &[
                    "documents are accepted at once and indexed from the store's event log, which survives a crash",
                ],
            },
        },
        Choice {
            id: "stream",
            name: "A replayable log with several readers",
            best_for: "more than ten thousand events a second, or several consumers",
            gains: "replay, fan-out, windows",
            costs: "a cluster to operate",
            apply: Apply {
                config: "",
                steps: &["Mainstay keeps its own event log and has no NATS or Kafka backend yet"],
            },
        },
        Choice {
            id: "micro_batch",
            name: "Small batches",
            best_for: "features over windows of minutes",
            gains: "high throughput, rich sums",
            costs: "minutes late, much to tune",
            apply: Apply {
                config: "",
                steps: &[
                    "Mainstay computes no windowed features yet: take Spark or Flink and send the results",
                ],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "requests",
            when: &[yes(USER_WAITS)],
            why: "whoever waits notices every second: it is done while they wait",
        },
        Rule {
            choose: "micro_batch",
            when: &[yes(WINDOWS), above(STALENESS_TARGET, 60.0)],
            why: "sums over windows may be a minute late, and batches make them cheap",
        },
        Rule {
            choose: "stream",
            when: &[above(EVENTS_PER_SECOND, 10_000.0)],
            why: "queues without a log end at about ten thousand events a second",
        },
        Rule {
            choose: "stream",
            when: &[yes(NEEDS_REPLAY), at_least(CONSUMERS, 2.0)],
            why: "several readers that may have to read again need a log",
        },
    ],
    otherwise: Otherwise { choose: "events", why: "nobody waits for it, so it happens after" },
    premises: &[
        Premise {
            of: &["events", "stream"],
            holds: at_most(INDEX_LAG, 120.0),
            otherwise: "events are two minutes behind: more workers for embedding, or a faster embedder",
        },
        Premise {
            of: &["events"],
            holds: at_most(WAITING_DOCS, 1000.0),
            otherwise: "documents pile up: `mainstay index status` says which corpus and why",
        },
        Premise {
            of: &["events"],
            holds: at_most(EVENTS_PER_SECOND, 1000.0),
            otherwise: "more than a thousand events a second: think of a log with several readers",
        },
    ],
    corrections: &[
        "100,000 users × 50 features × 8 bytes are 40 MB, as stated: an instance of 10 GB is 250 times too large, not a fit.",
    ],
};
