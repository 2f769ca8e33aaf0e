use super::facts::{COMPLEX, HAS_GPU, MAY_LEAVE};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, above, at_least, at_most, below, yes};
use crate::fact::{CONTEXT_PRECISION, HIGH_STAKES, RERANK_P95, TTFT_P95_TARGET};

pub(super) const CARD: Card = Card {
    id: "07.3",
    title: "Reranking",
    question: "Is a second look at the first passages worth its time?",
    options: &[
        Choice {
            id: "none",
            name: "None",
            best_for: "tight budgets, good precision",
            gains: "nothing to wait for",
            costs: "the order of the fusion",
            apply: Apply { config: "[corpora.default]\nreranker = \"none\"\n", steps: &[] },
        },
        Choice {
            id: "builtin",
            name: "The built-in linear reranker",
            best_for: "every corpus, without a GPU",
            gains: "microseconds a passage",
            costs: "reads features, not sentences",
            apply: Apply { config: "[corpora.default]\nreranker = \"builtin/linear\"\n", steps: &[] },
        },
        Choice {
            id: "cross_encoder",
            name: "A cross-encoder at home",
            best_for: "quality with a GPU or spare cores",
            gains: "reads question and passage together",
            costs: "40 to 80 ms for twenty passages",
            apply: Apply {
                config: "[onnx.bge]\nfolder = \"models/bge-reranker-base\"\n[corpora.default]\nreranker = \"onnx/bge\"\nrerank_candidates = 20\n",
                steps: &[],
            },
        },
        Choice {
            id: "api",
            name: "A reranking provider",
            best_for: "quality without a GPU",
            gains: "nothing to operate",
            costs: "a dollar for a thousand, 60 ms, passages leave",
            apply: Apply {
                config: "[providers.cohere]\napi_key = \"env:CO_API_KEY\"\n[corpora.default]\nreranker = \"cohere/rerank-v3.5\"\n",
                steps: &[],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "none",
            when: &[below(TTFT_P95_TARGET, 400.0), above(CONTEXT_PRECISION, 0.75)],
            why: "little time and good precision: a second look would only cost",
        },
        Rule {
            choose: "cross_encoder",
            when: &[below(CONTEXT_PRECISION, 0.7), yes(HAS_GPU)],
            why: "too much of what is found is beside the point, and a model can be run that reads it",
        },
        Rule {
            choose: "api",
            when: &[below(CONTEXT_PRECISION, 0.7), yes(MAY_LEAVE)],
            why: "too much of what is found is beside the point, and passages may leave",
        },
        Rule {
            choose: "cross_encoder",
            when: &[yes(HIGH_STAKES), yes(HAS_GPU)],
            why: "where a wrong passage harms, the best order is worth its time",
        },
        Rule {
            choose: "cross_encoder",
            when: &[above(COMPLEX, 0.3), yes(HAS_GPU)],
            why: "questions of several parts need a model that reads question and passage together",
        },
    ],
    otherwise: Otherwise { choose: "builtin", why: "it costs microseconds and helps short questions" },
    premises: &[
        Premise {
            of: &["cross_encoder", "api"],
            holds: at_most(RERANK_P95, 100.0),
            otherwise: "reranking takes more than 100 ms at p95: fewer candidates, or a smaller model",
        },
        Premise {
            of: &["builtin", "cross_encoder", "api"],
            holds: at_least(CONTEXT_PRECISION, 0.7),
            otherwise: "precision is below .7 in spite of it: the candidates are wrong, so improve search first",
        },
    ],
    corrections: &[],
};
