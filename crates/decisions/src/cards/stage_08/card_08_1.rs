use super::facts::{AUDITABLE, DELIVERABLE, SESSION_COST, STEPS_KNOWN, TOOL_CALLS};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, above, at_most, yes};
use crate::fact::AGENTS;

pub(super) const CARD: Card = Card {
    id: "08.1",
    title: "How an agent works",
    question: "Does it decide step by step, plan first, or follow a graph?",
    options: &[
        Choice {
            id: "none",
            name: "No agent",
            best_for: "questions that one answer settles",
            gains: "cheapest, fastest, easiest to test",
            costs: "does nothing",
            apply: Apply {
                config: "[assistants.support]\ncorpus = \"default\"\nmodel = \"builtin/extractive\"\n",
                steps: &[],
            },
        },
        Choice {
            id: "react",
            name: "Step by step",
            best_for: "open questions, few calls",
            gains: "adapts to what it finds",
            costs: "nobody knows how many steps, or what they cost",
            apply: Apply {
                config: "",
                steps: &[
                    "Mainstay runs no agents yet: run the loop beside it, with a step limit of 8, over the OpenAI-compatible API with tools",
                ],
            },
        },
        Choice {
            id: "plan",
            name: "A plan, then its steps",
            best_for: "reports, reviews, extracts",
            gains: "the plan can be read before it runs; steps in parallel",
            costs: "a wrong plan is carried out",
            apply: Apply {
                config: "",
                steps: &[
                    "Mainstay runs no agents yet: let one call make the plan and others carry it out, and show the plan to a person where it matters",
                ],
            },
        },
        Choice {
            id: "graph",
            name: "A fixed graph",
            best_for: "compliance, known steps",
            gains: "repeatable, testable, recovers by step",
            costs: "cannot do what nobody foresaw",
            apply: Apply {
                config: "",
                steps: &[
                    "Mainstay runs no agents yet: take a workflow engine and call an assistant in each step",
                ],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "graph",
            when: &[yes(AGENTS), yes(AUDITABLE)],
            why: "somebody has to see which steps ran: they are fixed",
        },
        Rule {
            choose: "graph",
            when: &[yes(AGENTS), yes(STEPS_KNOWN)],
            why: "the steps never change: no model has to choose them",
        },
        Rule { choose: "plan", when: &[yes(AGENTS), yes(DELIVERABLE)], why: "a known result is planned for" },
        Rule {
            choose: "plan",
            when: &[yes(AGENTS), above(TOOL_CALLS, 5.0)],
            why: "more than five calls one after the other are too slow and too dear to feel one's way",
        },
        Rule { choose: "react", when: &[yes(AGENTS)], why: "open tasks with few calls are felt out" },
    ],
    otherwise: Otherwise { choose: "none", why: "nothing here acts: an answer is enough" },
    premises: &[
        Premise {
            of: &["react"],
            holds: at_most(TOOL_CALLS, 5.0),
            otherwise: "more than five calls a task: the pattern is stable enough to plan",
        },
        Premise {
            of: &["react", "plan", "graph"],
            holds: at_most(SESSION_COST, 1.0),
            otherwise: "a session costs more than a dollar: end it there and answer with what is known",
        },
    ],
    corrections: &[
        "A session may cost $.50 here, $1 and $5 in card 8.4; and the class only names a step limit and a budget, nothing holds them. A budget that is not held before the call is a report.",
    ],
};
