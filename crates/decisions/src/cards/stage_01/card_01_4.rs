use super::facts::OWN_WRITES;
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, at_least, at_most, yes};
use crate::fact::{INDEX_LAG, STALE_READ_HURTS, STALENESS_TARGET};

pub(super) const CARD: Card = Card {
    id: "01.4",
    title: "Consistency",
    question: "What must a read see: everything, one's own writes, or what is old enough?",
    options: &[
        Choice {
            id: "by_kind",
            name: "By kind of data",
            best_for: "products with bills and permissions beside search",
            gains: "waits only where a stale read does harm",
            costs: "each kind has to be thought about once",
            apply: Apply {
                config: "[slo.freshness]\nstaleness = \"60s\"\n[consistency.permissions]\nclass = \"strong\"\nbecause = \"a revoked right must not be used\"\n[consistency.index]\nclass = \"eventual\"\nstaleness = \"60s\"\nbecause = \"an older index answers a little worse\"\n",
                steps: &[
                    "budgets, keys, tenants and policies of Mainstay are strong already, and a deleted document is in no answer",
                ],
            },
        },
        Choice {
            id: "strong",
            name: "Strong",
            best_for: "bills, permissions, consent, experiment assignment",
            gains: "no stale read, ever",
            costs: "two or three times slower over several machines, and not there while the network is split",
            apply: Apply {
                config: "[consistency.consent]\nclass = \"strong\"\nbecause = \"what was withdrawn must not be used\"\n",
                steps: &[
                    "budgets, keys, tenants and policies of Mainstay are strong already",
                    "Mainstay assigns no experiments yet: hash user and experiment together, which says the same even during an outage",
                ],
            },
        },
        Choice {
            id: "read_your_writes",
            name: "One's own writes at once",
            best_for: "uploads and preferences",
            gains: "people see what they did",
            costs: "others see it within the staleness target",
            apply: Apply {
                config: "[slo.freshness]\nstaleness = \"60s\"\n[consistency.uploads]\nclass = \"read_your_writes\"\nstaleness = \"60s\"\nbecause = \"the author looks for the upload at once\"\n",
                steps: &["wait for the answer to POST /v1/documents: from then on the document is found"],
            },
        },
        Choice {
            id: "eventual",
            name: "Eventual, with a measured staleness",
            best_for: "search, recommendations, cached answers",
            gains: "fast and always there",
            costs: "stale reads that nobody notices unless they are measured",
            apply: Apply {
                config: "[slo.freshness]\nstaleness = \"120s\"\n[consistency.index]\nclass = \"eventual\"\nstaleness = \"120s\"\nbecause = \"an older index answers a little worse\"\n",
                steps: &[],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "strong",
            when: &[yes(STALE_READ_HURTS)],
            why: "a stale read would cost money or let the wrong person in",
        },
        Rule {
            choose: "read_your_writes",
            when: &[yes(OWN_WRITES)],
            why: "who has just added something looks for it at once",
        },
        Rule {
            choose: "eventual",
            when: &[at_least(STALENESS_TARGET, 60.0)],
            why: "a minute and more is allowed: in the path of an answer that is cheaper than waiting",
        },
    ],
    otherwise: Otherwise {
        choose: "by_kind",
        why: "strong where a stale read does harm, and a measured staleness everywhere else",
    },
    premises: &[
        Premise {
            of: &["eventual", "read_your_writes", "by_kind"],
            holds: Condition::at_most_fact(INDEX_LAG, STALENESS_TARGET, 1.0),
            otherwise: "documents are found later than promised: `mainstay index status`, and look at mainstay_documents_waiting",
        },
        Premise {
            of: &["eventual", "by_kind"],
            holds: at_most(INDEX_LAG, 180.0),
            otherwise: "the index is three minutes behind: an update has been missed, not only late",
        },
        Premise {
            of: &["strong", "read_your_writes"],
            holds: at_most(INDEX_LAG, 1.0),
            otherwise: "a document that was accepted is not found a second later: its author misses it; `mainstay index status`",
        },
    ],
    corrections: &[
        "An alert at 180 s is not 'three update cycles missed' where updates come hourly, which would be three hours: it is \
         three cycles of a minute.",
        "The sample reads a write_ts that nothing ever writes, so every value counts as stale and every read returns nothing.",
        "A tombstone that ends after five minutes brings a deleted document back whenever the index is slower than that: it \
         has to stay until the index has confirmed the deletion.",
    ],
};
