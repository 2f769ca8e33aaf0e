use super::facts::{FAR_LATENCY, LEGAL_ISOLATION, REPLICA_LAG, WRITES_EVERYWHERE};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, above, at_least, at_most, yes};
use crate::fact::{DATA_RESIDENCY, REGIONS};

pub(super) const CARD: Card = Card {
    id: "10.4",
    title: "Regions",
    question: "How do data and models get to other regions?",
    options: &[
        Choice {
            id: "one",
            name: "One region",
            best_for: "users near each other",
            gains: "simple",
            costs: "far users wait for the network",
            apply: Apply { config: "[residency]\nregion = \"eu-west-1\"\n", steps: &[] },
        },
        Choice {
            id: "active_passive",
            name: "One writes, the others read",
            best_for: "most products with far users",
            gains: "one truth",
            costs: "minutes behind elsewhere",
            apply: Apply {
                config: "",
                steps: &[
                    "Mainstay replicates nothing between regions yet: ingest the same documents into a Mainstay in each",
                ],
            },
        },
        Choice {
            id: "isolated",
            name: "A whole system in each",
            best_for: "laws that keep data at home",
            gains: "an outage stays in its region",
            costs: "as many systems as regions",
            apply: Apply {
                config: "[constraints]\nresidency = [\"eu-west-1\"]\n[residency]\nregion = \"eu-west-1\"\n[residency.elsewhere.us-east-1]\nurl = \"https://us.example.com\"\n",
                steps: &["mainstay tenants create NAME --region eu-west-1"],
            },
        },
        Choice {
            id: "active_active",
            name: "All write",
            best_for: "users everywhere who write",
            gains: "near for everybody",
            costs: "conflicts to resolve",
            apply: Apply { config: "", steps: &["Mainstay has no store for it yet"] },
        },
    ],
    rules: &[
        Rule {
            choose: "isolated",
            when: &[yes(LEGAL_ISOLATION)],
            why: "the law forbids that data crosses regions",
        },
        Rule {
            choose: "isolated",
            when: &[yes(DATA_RESIDENCY), at_least(REGIONS, 2.0)],
            why: "data must stay in its region, and there are several",
        },
        Rule {
            choose: "active_active",
            when: &[yes(WRITES_EVERYWHERE), above(FAR_LATENCY, 150.0)],
            why: "people write everywhere, and the network to one place is felt",
        },
        Rule {
            choose: "active_passive",
            when: &[above(FAR_LATENCY, 100.0)],
            why: "far users feel the network, and documents are written in one place",
        },
    ],
    otherwise: Otherwise { choose: "one", why: "nobody is far enough away to feel it" },
    premises: &[
        Premise {
            of: &["active_passive", "active_active"],
            holds: at_most(REPLICA_LAG, 300.0),
            otherwise: "another region is more than five minutes behind",
        },
        Premise {
            of: &["one"],
            holds: at_most(FAR_LATENCY, 150.0),
            otherwise: "the network alone costs far users 150 ms: read from a region near them",
        },
    ],
    corrections: &[
        "Three stacks cost three times as much only if each is as large as the one: their sum of GPUs follows the load, what triples is the floor and the people.",
        "The failover of the card searches another region without the filter of the tenant: it answers with everybody's documents, and from a region that the data may not have left. Here the filter is put in by the store, and there is no such way around.",
    ],
};
