use super::facts::{FOREIGN_FOUND, WAITED_TOO_LONG};
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, above, at_least, at_most, yes};
use crate::fact::{
    AUDIENCE_CONSUMER, AUDIENCE_ENTERPRISE, AUDIT_FAILURES, BACKPRESSURE, COST_PER_REQUEST,
    COST_PER_REQUEST_TARGET, MONTHLY_ACTIVE_USERS, TENANTS,
};

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
                config: "[product]\naudience = \"consumer\"\n[limits]\nlongest_wait = \"60s\"\n[limits.per_user]\nrequests_per_minute = 20\nburst_requests = 40\n[limits.tiers.free]\npriority = 2\nannounces_place = true\n",
                steps: &["people who wait are told their place instead of being turned away"],
            },
        },
        Choice {
            id: "enterprise",
            name: "Companies apart from each other",
            best_for: "customers who must not see each other",
            gains: "contracts, roles, own keys, an audit trail",
            costs: "isolation everywhere and tiers",
            apply: Apply {
                config: "[product]\naudience = \"enterprise\"\n[limits.tiers.enterprise]\npriority = 1\n[limits.tiers.enterprise.per_tenant]\nrequests_per_minute = 1000\n[audit]\nrequired = true\n",
                steps: &[
                    "mainstay tenants create NAME --tier enterprise",
                    "mainstay keys create --role customer_admin",
                    "ask as one tenant for what another one has, in every build",
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
                steps: &[
                    "connect the company's identity provider in [identity.issuers]",
                    "Mainstay does not mask personal data yet: keep it out of the documents, or narrow them by retrieval.filter",
                ],
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
            why: "companies must not see each other, and a scope is harder to add to a search later than speed",
        },
        Rule {
            choose: "consumer",
            when: &[yes(AUDIENCE_CONSUMER)],
            why: "the public needs limits and a low price per request",
        },
        Rule {
            choose: "consumer",
            when: &[at_least(MONTHLY_ACTIVE_USERS, 1_000_000.0)],
            why: "a million people are the public, whatever the file calls them",
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
            holds: at_most(FOREIGN_FOUND, 0.0),
            otherwise: "one tenant has seen another's document: suspend both (`mainstay tenants suspend`), and read `mainstay audit export` for what else was found",
        },
        Premise {
            of: &["enterprise"],
            holds: at_most(AUDIT_FAILURES, 0.0),
            otherwise: "audit records are missing: look at the disk, then `mainstay audit verify`; with audit.required what cannot be recorded is not done",
        },
        Premise {
            of: &["enterprise"],
            holds: at_most(BACKPRESSURE, 1.0),
            otherwise: "the system is under pressure: set limits.tiers so that it is not the enterprise tier that waits",
        },
        Premise {
            of: &["consumer"],
            holds: at_most(WAITED_TOO_LONG, 0.01),
            otherwise: "more than one in a hundred waits longer than limits.longest_wait: start more capacity",
        },
        Premise {
            of: &["consumer"],
            holds: Condition::at_most_fact(COST_PER_REQUEST, COST_PER_REQUEST_TARGET, 1.0),
            otherwise: "a request costs more than it may: put a cheaper model first (`mainstay decide --card 05.3`)",
        },
    ],
    corrections: &[
        "10,000 users at 20 requests a second each are 200,000 requests a second, not 500; 500 a second is one request of a user in 20 seconds.",
        "5 TB of text in passages of 2 KB are 2.5 G vectors, 15 TB at 1,536 numbers of 4 bytes, not 500 GB; 500 GB are 81 M \
         vectors, one for 60 KB of files, which fits scans and slides. And 750 GB with the graph fill three nodes of 256 GB \
         to 98 %: nothing is left for the system or a lost node.",
        "500 requests a second with .5 s each are 250 at once, 16 A100 at the 16 streams that the next stage gives each, not 8; \
         8 at its $3.50 an hour are $20,160 a month, not $12,000. An answer of 300 tokens takes longer still: see card 2.2.",
    ],
};
