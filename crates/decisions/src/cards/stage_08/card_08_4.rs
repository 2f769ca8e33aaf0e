use super::facts::{CODE_EXEC, REPEATS, SESSION_COST, STEP_LIMIT};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, at_most, yes};
use crate::fact::{AGENTS, TOOLS_WRITE};

pub(super) const CARD: Card = Card {
    id: "08.4",
    title: "Guards of agents",
    question: "What stops an agent?",
    options: &[
        Choice {
            id: "basic",
            name: "Steps, cost, and checked arguments",
            best_for: "agents that read",
            gains: "no runaway, no invented argument",
            costs: "a hard task may be cut off",
            apply: Apply {
                config: "",
                steps: &[
                    "Mainstay runs no agents yet: 8 steps for people, 25 for batches, a dollar a session; refuse a call that repeats an earlier one",
                    "[budgets] hold what an agent's key may spend, to the cent",
                ],
            },
        },
        Choice {
            id: "full",
            name: "The same, with approvals and a sandbox",
            best_for: "agents that act or run code",
            gains: "nothing happens that nobody wanted",
            costs: "people and containers",
            apply: Apply {
                config: "",
                steps: &[
                    "Mainstay runs no agents yet: run code without network and with a throw-away file system; approvals as for tools",
                ],
            },
        },
        Choice {
            id: "none",
            name: "None",
            best_for: "no agent",
            gains: "nothing to keep",
            costs: "nothing is held",
            apply: Apply {
                config: "[budgets.each-key]\nlimit = \"$20\"\nper = \"day\"\nfor_each = \"key\"\n",
                steps: &[],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "full",
            when: &[yes(AGENTS), yes(CODE_EXEC)],
            why: "code that a model wrote runs in a box",
        },
        Rule {
            choose: "full",
            when: &[yes(AGENTS), yes(TOOLS_WRITE)],
            why: "what an agent changes is approved",
        },
        Rule { choose: "basic", when: &[yes(AGENTS)], why: "every agent has an end and a price" },
    ],
    otherwise: Otherwise { choose: "none", why: "nothing acts here" },
    premises: &[
        Premise {
            of: &["basic", "full"],
            holds: at_most(STEP_LIMIT, 25.0),
            otherwise: "more than 25 steps are no limit: an agent that needs them is lost",
        },
        Premise {
            of: &["basic", "full"],
            holds: at_most(REPEATS, 0.1),
            otherwise: "one call in ten repeats another: end the session at the second time",
        },
        Premise {
            of: &["basic", "full"],
            holds: at_most(SESSION_COST, 5.0),
            otherwise: "a session costs more than five dollars: set a budget for its key",
        },
    ],
    corrections: &[
        "The tracker raises when the money is spent. What stops an agent holds the most that a call can cost before it is made, as budgets do here.",
        "The decorator gives up at the first timeout and tries again after every other error; it should be the other way round.",
    ],
};
