use super::facts::{IRREVERSIBLE, TOOL_P95, TOOLS};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, above, at_most, yes};
use crate::fact::TOOLS_WRITE;

pub(super) const CARD: Card = Card {
    id: "08.2",
    title: "Tools",
    question: "What may a tool do?",
    options: &[
        Choice {
            id: "read_only",
            name: "Reading alone",
            best_for: "most agents",
            gains: "can be tried again, harms nothing",
            costs: "changes nothing",
            apply: Apply {
                config: "",
                steps: &["Mainstay runs no agents yet: give its loop tools that read"],
            },
        },
        Choice {
            id: "narrow_idempotent",
            name: "Narrow tools that write once",
            best_for: "agents that act",
            gains: "a second try does nothing twice",
            costs: "a key for every write",
            apply: Apply {
                config: "",
                steps: &[
                    "Mainstay runs no agents yet: an idempotency key from user, task and tool for each write, kept for a day",
                ],
            },
        },
        Choice {
            id: "two_phase",
            name: "Propose, then a person approves",
            best_for: "what cannot be undone",
            gains: "nothing irreversible by a model alone",
            costs: "a person has to be there",
            apply: Apply {
                config: "",
                steps: &[
                    "Mainstay runs no agents yet: tools return a plan id, and an endpoint that only people can call carries it out",
                ],
            },
        },
        Choice {
            id: "broad",
            name: "A tool for a whole domain",
            best_for: "prototypes",
            gains: "few tools to choose from",
            costs: "one wrong word does the wrong thing",
            apply: Apply { config: "", steps: &["split it before launch"] },
        },
    ],
    rules: &[
        Rule {
            choose: "two_phase",
            when: &[yes(IRREVERSIBLE)],
            why: "what cannot be undone is done by a person's word",
        },
        Rule {
            choose: "narrow_idempotent",
            when: &[yes(TOOLS_WRITE)],
            why: "what is tried twice must not be done twice",
        },
        Rule {
            choose: "broad",
            when: &[above(TOOLS, 40.0)],
            why: "among so many tools a model picks the wrong one: gather those that read the same thing",
        },
    ],
    otherwise: Otherwise { choose: "read_only", why: "an agent that only reads can be tried again" },
    premises: &[
        Premise {
            of: &["read_only", "narrow_idempotent", "two_phase"],
            holds: at_most(TOOL_P95, 5000.0),
            otherwise: "a tool takes more than five seconds: give it a hard limit and an error that says so",
        },
        Premise {
            of: &["read_only", "narrow_idempotent"],
            holds: at_most(TOOLS, 20.0),
            otherwise: "more than twenty tools: a model begins to confuse them",
        },
    ],
    corrections: &[
        "A list of forbidden words makes no query read-only: TRUNCATE, GRANT and COPY pass it, and a column `updated_at` does not. A role of the database that can only read does.",
        "A key for a refund that contains the day pays twice across midnight and refuses the second refund of a day. It has to come from the request that is meant.",
        "'Look whether the key was used, then set it' lets two through at once: set it only where it is not there, in one step.",
    ],
};
