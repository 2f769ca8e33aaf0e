use super::facts::{DETECT_HOURS, INCIDENTS, KNOWN_MODES, RUNBOOKS};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, above, at_least, at_most};
use crate::fact::AVAILABILITY_TARGET;

pub(super) const CARD: Card = Card {
    id: "12.2",
    title: "Incidents",
    question: "What happens when answers become worse?",
    options: &[
        Choice {
            id: "playbook",
            name: "A playbook with runbooks",
            best_for: "products with promises",
            gains: "the same six steps, whoever is awake",
            costs: "to be kept up to date",
            apply: Apply {
                config: "",
                steps: &[
                    "mainstay plan files --out deploy writes a runbook for each alert: detect, isolate, roll back, tell, mend, learn",
                ],
            },
        },
        Choice {
            id: "automatic",
            name: "The same, and known failures mend themselves",
            best_for: "failures that are understood",
            gains: "mended before anybody wakes",
            costs: "can make it worse",
            apply: Apply {
                config: "[providers.openai]\napi_key = \"env:OPENAI_API_KEY\"\n[service]\nautomatic = true\n[assistants.support]\ncorpus = \"default\"\nmodel = \"openai/gpt-4o\"\nreduced_model = \"openai/gpt-4o-mini\"\n",
                steps: &[
                    "breakers, fallback and levels of service are automatic; prompts and models are rolled back by hand, in git",
                ],
            },
        },
        Choice {
            id: "reactive",
            name: "Whoever sees it",
            best_for: "the first weeks",
            gains: "nothing to write",
            costs: "everything takes longer",
            apply: Apply { config: "", steps: &["write the first runbook after the first incident"] },
        },
    ],
    rules: &[
        Rule {
            choose: "automatic",
            when: &[at_least(KNOWN_MODES, 3.0), at_least(RUNBOOKS, 4.0)],
            why: "the same failures come again, and what to do is written and tried",
        },
        Rule {
            choose: "playbook",
            when: &[above(INCIDENTS, 1.0)],
            why: "incidents come often enough to be prepared for",
        },
        Rule {
            choose: "playbook",
            when: &[above(AVAILABILITY_TARGET, 0.99)],
            why: "a promise is kept by knowing what to do",
        },
    ],
    otherwise: Otherwise { choose: "reactive", why: "there has been no incident, and nothing is promised" },
    premises: &[
        Premise {
            of: &["playbook", "automatic"],
            holds: at_least(RUNBOOKS, 4.0),
            otherwise: "fewer than four runbooks have been tried: prompt, model, index, provider",
        },
        Premise {
            of: &["playbook", "automatic"],
            holds: at_most(DETECT_HOURS, 4.0),
            otherwise: "worse answers were noticed after more than four hours: run the golden set more often",
        },
    ],
    corrections: &[
        "A daily check finds a fault after 12 hours on average and after 24 at worst; every two hours it is one and two.",
        "A mean over 24 hours that falls from .87 to .60 at once is below .77 only after nine hours: an alert on it after two more is no early one. Compare a short window with a long one.",
        "With one check at midnight an incident from ten o'clock on is found after 14 hours, not 6: a person found it.",
    ],
};
