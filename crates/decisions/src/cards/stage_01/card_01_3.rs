use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, above, at_most, yes};
use crate::fact::{AUDIENCE_CONSUMER, AUDIENCE_ENTERPRISE, BACKPRESSURE, TENANTS};

pub(super) const CARD: Card = Card {
    id: "01.3",
    title: "For whom",
    question: "Who uses it: the public, companies, or the own one?",
    options: &[
        Choice {
            id: "consumer",
            name: "The public",
            best_for: "many people who share one space",
            gains: "one kind of load, easily tuned",
            costs: "abuse, safety, and every cent counts",
            apply: Apply {
                config: "[product]\naudience = \"consumer\"\n[limits.per_user]\nrequests_per_minute = 20\nburst_requests = 40\n",
                steps: &[],
            },
        },
        Choice {
            id: "enterprise",
            name: "Companies apart from each other",
            best_for: "customers who must not see each other",
            gains: "contracts, roles, own keys, an audit trail",
            costs: "isolation everywhere and tiers",
            apply: Apply {
                config: "[product]\naudience = \"enterprise\"\n[limits.tiers.enterprise]\npriority = 1\n",
                steps: &[
                    "mainstay tenants create NAME --tier enterprise",
                    "mainstay keys create --role customer_admin",
                ],
            },
        },
        Choice {
            id: "internal",
            name: "The own company",
            best_for: "staff with known habits",
            gains: "a known load, relaxed targets",
            costs: "still holds the company's secrets",
            apply: Apply {
                config: "[product]\naudience = \"internal\"\n",
                steps: &["connect the company's identity provider in [identity.issuers]"],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "enterprise",
            when: &[above(TENANTS, 1.0)],
            why: "there is more than one tenant: they must not see each other, whoever they are",
        },
        Rule {
            choose: "enterprise",
            when: &[yes(AUDIENCE_ENTERPRISE)],
            why: "companies must not see each other",
        },
        Rule {
            choose: "consumer",
            when: &[yes(AUDIENCE_CONSUMER)],
            why: "the public needs limits and a low price per request",
        },
    ],
    otherwise: Otherwise {
        choose: "internal",
        why: "the own company needs identity and little else of this",
    },
    premises: &[
        Premise {
            of: &["internal", "consumer"],
            holds: at_most(TENANTS, 1.0),
            otherwise: "several tenants are there: give each its own (`mainstay tenants create`) and set product.audience",
        },
        Premise {
            of: &["enterprise"],
            holds: at_most(BACKPRESSURE, 1.0),
            otherwise: "the system is under pressure: set limits.tiers so that it is not the enterprise tier that waits",
        },
    ],
    corrections: &[
        "10,000 users at 20 requests a second each are 200,000 requests a second, not 500; 500 a second is one request of a user in 20 seconds.",
        "500 GB of vectors with a graph of half as much again are 750 GB, as stated, and three nodes of 256 GB hold 768 GB: nothing is left for the system, so it takes four.",
    ],
};
