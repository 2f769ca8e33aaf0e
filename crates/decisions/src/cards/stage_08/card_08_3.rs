use super::facts::{HISTORY_TOKENS, RETURNS, TURNS};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, above, at_most, yes};

pub(super) const CARD: Card = Card {
    id: "08.3",
    title: "Memory",
    question: "What does an agent remember?",
    options: &[
        Choice {
            id: "buffer",
            name: "The last turns",
            best_for: "short sessions",
            gains: "always fresh, nothing to keep",
            costs: "forgets what is older",
            apply: Apply { config: "", steps: &["send the last ten turns; Mainstay keeps no conversation"] },
        },
        Choice {
            id: "summary",
            name: "The last turns and a summary",
            best_for: "long sessions",
            gains: "few tokens for much",
            costs: "a bad summary is believed",
            apply: Apply {
                config: "",
                steps: &["ask an assistant for a summary every five turns and send it as a system message"],
            },
        },
        Choice {
            id: "long_term",
            name: "Turns, summary, and a store across sessions",
            best_for: "people who come back",
            gains: "knows who is there",
            costs: "old and new contradict each other; erasure has to reach it",
            apply: Apply {
                config: "",
                steps: &[
                    "Mainstay has no memory store yet: keep facts as documents of a corpus with a metadata field for the user; `mainstay erase --user` reaches documents by metadata",
                ],
            },
        },
    ],
    rules: &[
        Rule { choose: "long_term", when: &[yes(RETURNS)], why: "whoever comes back expects to be known" },
        Rule {
            choose: "summary",
            when: &[above(TURNS, 20.0)],
            why: "more than twenty turns cost more than their summary",
        },
        Rule {
            choose: "summary",
            when: &[above(HISTORY_TOKENS, 8000.0)],
            why: "a history of so many tokens is paid for with every turn",
        },
    ],
    otherwise: Otherwise { choose: "buffer", why: "short sessions need nothing but their last turns" },
    premises: &[
        Premise {
            of: &["buffer"],
            holds: at_most(HISTORY_TOKENS, 8000.0),
            otherwise: "histories have grown: summarise",
        },
        Premise {
            of: &["summary", "long_term"],
            holds: at_most(HISTORY_TOKENS, 50_000.0),
            otherwise: "more than 50,000 tokens of history: summarise sooner",
        },
    ],
    corrections: &[
        "20 interactions a day for two years are 14,600, as stated; at 200 tokens each that is 2.9 M tokens, sixty times what a history may have.",
    ],
};
