use super::facts::{CONTEXT, EDGE_GAIN, NOT_FOUND, SYNTHESIS};
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, above, at_most, below, no};
use crate::fact::{
    CITATIONS_REMOVED, COST_PER_REQUEST, COST_PER_REQUEST_TARGET, HIGH_STAKES, TTFT_P95_TARGET,
};

pub(super) const CARD: Card = Card {
    id: "07.4",
    title: "Context",
    question: "Which passages does the model read, and where do they stand?",
    options: &[
        Choice {
            id: "edges",
            name: "Five, the best at the edges",
            best_for: "most questions",
            gains: "what matters stands where models look",
            costs: "needs good scores",
            apply: Apply {
                config: "[assistants.support]\ncorpus = \"default\"\nmodel = \"builtin/extractive\"\nretrieval.top_k = 5\n",
                steps: &[],
            },
        },
        Choice {
            id: "minimal",
            name: "The best two",
            best_for: "tight budgets, small contexts",
            gains: "short, cheap, fast",
            costs: "a gap where two were needed",
            apply: Apply {
                config: "[assistants.support]\ncorpus = \"default\"\nmodel = \"builtin/extractive\"\nretrieval.top_k = 2\n",
                steps: &[],
            },
        },
        Choice {
            id: "diverse",
            name: "Ten of different kinds, and a second search",
            best_for: "questions over several documents",
            gains: "no one document fills the context",
            costs: "more tokens, more time",
            apply: Apply {
                config: "[assistants.support]\ncorpus = \"default\"\nmodel = \"builtin/extractive\"\nretrieval.top_k = 10\nretrieval.per_document = 2\nretrieval.diversity = \"always\"\nretrieval.multi_hop = \"auto\"\n",
                steps: &[],
            },
        },
        Choice {
            id: "compressed",
            name: "Only the sentences that matter",
            best_for: "long passages at a price",
            gains: "a third of the tokens",
            costs: "a sentence that mattered may go",
            apply: Apply {
                config: "[assistants.support]\ncorpus = \"default\"\nmodel = \"builtin/extractive\"\nretrieval.compression = true\n",
                steps: &["hold faithfulness before and after on the golden set"],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "diverse",
            when: &[above(SYNTHESIS, 0.3)],
            why: "every third question needs several documents",
        },
        Rule {
            choose: "minimal",
            when: &[below(CONTEXT, 4096.0)],
            why: "the model reads little: give it the best",
        },
        Rule {
            choose: "minimal",
            when: &[below(TTFT_P95_TARGET, 300.0)],
            why: "every passage costs time before the first token",
        },
        Rule {
            choose: "compressed",
            when: &[Condition::above_fact(COST_PER_REQUEST, COST_PER_REQUEST_TARGET, 1.0), no(HIGH_STAKES)],
            why: "a request costs more than it may, and most of it is context",
        },
    ],
    otherwise: Otherwise { choose: "edges", why: "five passages, the best first and the second best last" },
    premises: &[
        Premise {
            of: &["edges", "diverse", "compressed", "minimal"],
            holds: at_most(CITATIONS_REMOVED, 0.05),
            otherwise: "one in twenty citations is not supported by its source: models cite the topic, not the fact; turn on citation_judge",
        },
        Premise {
            of: &["edges", "minimal", "compressed"],
            holds: at_most(NOT_FOUND, 0.2),
            otherwise: "a fifth of the answers are not in the documents: add documents, or look at recall",
        },
        Premise {
            of: &["edges", "diverse"],
            holds: at_most(EDGE_GAIN, 0.1),
            otherwise: "the middle is lost by more than a tenth with this model: fewer passages, or another model",
        },
    ],
    corrections: &[
        "The code cuts at the token budget after it has put passages in their places: the first one to go is the last, which is the second best. Here the budget is spent by rank, and places are given afterwards.",
        "Five passages stand as 1, 3, 5, 4, 2 in the text and as 1, 3, 4, 5, 2 in the code.",
    ],
};
