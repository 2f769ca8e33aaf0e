use super::facts::{
    CONSUMERS, DEAD_LETTERS, EVENTS_PER_SECOND, FEATURE_AGE, NEEDS_REPLAY, USER_WAITS, WINDOWS,
};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, above, at_least, at_most, yes};
use crate::fact::{INDEX_LAG, RETRIEVAL_P99, STALENESS_TARGET};

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
            apply: Apply {
                config: "",
                steps: &[
                    "search and answers of Mainstay are requests; so is POST /v1/documents: when it answers, the document is found",
                ],
            },
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
                    "Mainstay reads no queue yet: let a consumer of yours send each change to POST /v1/documents under its doc_id",
                    "what was sent before is recognised by its hash and skipped, so an event may come twice",
                    "three tries with growing waits, then a dead-letter queue that wakes somebody above ten",
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
                steps: &[
                    "Mainstay keeps its own event log and has no NATS or Kafka backend yet: read the log with a consumer of yours",
                    "another embedder alone needs no replay: `mainstay index rebuild` reads the documents that are stored",
                ],
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
            why: "above ten thousand events a second each call and copy of a queue is paid for; a log is read in runs",
        },
        Rule {
            choose: "stream",
            when: &[yes(WINDOWS)],
            why: "sums over windows that are fresh within the minute are computed as the events pass",
        },
        Rule {
            choose: "stream",
            when: &[yes(NEEDS_REPLAY), at_least(CONSUMERS, 2.0)],
            why: "several readers that may have to read again need a log",
        },
        Rule {
            choose: "stream",
            when: &[at_least(CONSUMERS, 3.0)],
            why: "with a queue for each of three readers every event is written three times",
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
            of: &["events", "stream"],
            holds: at_most(DEAD_LETTERS, 10.0),
            otherwise: "more than ten updates have failed for good: send one of them by hand, its answer says why",
        },
        Premise {
            of: &["events"],
            holds: at_most(EVENTS_PER_SECOND, 1000.0),
            otherwise: "more than a thousand events a second: think of a log with several readers",
        },
        Premise {
            of: &["micro_batch"],
            holds: at_most(FEATURE_AGE, 300.0),
            otherwise: "features are more than five minutes behind: shorter batches, or compute them as events pass",
        },
        Premise {
            of: &["requests"],
            holds: at_most(RETRIEVAL_P99, 100.0),
            otherwise: "what people wait for takes more than 100 ms before the model begins: move out of the request what nobody notices",
        },
    ],
    corrections: &[
        "SQS does not delete after the visibility timeout, which only hides a message; it keeps it until a consumer deletes it \
         or for up to 14 days. What it lacks is reading again what was deleted.",
        "MessageGroupId needs a queue whose name ends in .fifo, and such a queue takes 300 calls a second (3,000 messages in \
         batches of ten) unless high throughput is on. Its deduplication by doc_id and hash also drops the third of A, B, A \
         within five minutes, so the index keeps B.",
        "100,000 users × 50 features × 8 bytes are 40 MB of values alone; with names and bookkeeping several times that. It \
         still fits.",
    ],
};
