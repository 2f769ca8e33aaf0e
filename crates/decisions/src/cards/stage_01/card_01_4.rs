use super::facts::{OWN_WRITES, STALE_HURTS};
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, at_most, yes};
use crate::fact::{INDEX_LAG, STALENESS_TARGET};

pub(super) const CARD: Card = Card {
    id: "01.4",
    title: "Consistency",
    question: "What must a read see: everything, one's own writes, or what is old enough?",
    options: &[
        Choice {
            id: "strong",
            name: "Strong",
            best_for: "bills, permissions, consent, experiment assignment",
            gains: "no stale read, ever",
            costs: "slower, and not there while the network is split",
            apply: Apply {
                config: "",
                steps: &[
                    "kinds of data that need it are listed in [consistency] with class = \"strong\"; budgets, keys, tenants and policies of Mainstay are strong already",
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
                steps: &[],
            },
        },
        Choice {
            id: "eventual",
            name: "Eventual, with a measured staleness",
            best_for: "search, recommendations, cached answers",
            gains: "fast and always there",
            costs: "stale reads that nobody notices unless they are measured",
            apply: Apply {
                config: "[slo.freshness]\nstaleness = \"60s\"\n[consistency.index]\nclass = \"eventual\"\nstaleness = \"60s\"\nbecause = \"an older index answers a little worse\"\n",
                steps: &[],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "strong",
            when: &[yes(STALE_HURTS)],
            why: "a stale read would cost money or let the wrong person in",
        },
        Rule {
            choose: "read_your_writes",
            when: &[yes(OWN_WRITES)],
            why: "who has just added something looks for it at once",
        },
    ],
    otherwise: Otherwise {
        choose: "eventual",
        why: "in the path of an answer a little staleness is cheaper than waiting",
    },
    premises: &[
        Premise {
            of: &["eventual", "read_your_writes"],
            holds: Condition::at_most_fact(INDEX_LAG, STALENESS_TARGET, 1.0),
            otherwise: "documents are found later than promised: `mainstay index status`, and look at mainstay_documents_waiting",
        },
        Premise {
            of: &["eventual", "read_your_writes"],
            holds: at_most(INDEX_LAG, 180.0),
            otherwise: "the index is three minutes behind: an update has been missed, not only late",
        },
    ],
    corrections: &[],
};
