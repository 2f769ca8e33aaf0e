use super::facts::{CODES, EXACT_ONLY, LANGUAGES};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, above, at_least, at_most, below, yes};
use crate::fact::{RECALL_AT_5, RETRIEVAL_P99};

pub(super) const CARD: Card = Card {
    id: "07.2",
    title: "Search",
    question: "By meaning, by words, or both?",
    options: &[
        Choice {
            id: "hybrid",
            name: "Both, fused",
            best_for: "nearly everything",
            gains: "finds paraphrases and part numbers",
            costs: "a few milliseconds",
            apply: Apply {
                config: "[corpora.default]\nfusion = \"convex\"\n",
                steps: &["mainstay eval tune GOLDEN"],
            },
        },
        Choice {
            id: "hybrid_tuned",
            name: "Both, with a weight fitted to own questions",
            best_for: "questions with many codes, or few",
            gains: "each kind gets its share",
            costs: "a golden set to fit to",
            apply: Apply {
                config: "[corpora.default]\nfusion = \"convex\"\ndense_weight = 0.3\n",
                steps: &["mainstay eval tune GOLDEN writes the weight with its interval"],
            },
        },
        Choice {
            id: "words",
            name: "Words alone",
            best_for: "logs, part numbers, exact text",
            gains: "explainable, no model",
            costs: "blind to every synonym",
            apply: Apply {
                config: "[corpora.default]\nfusion = \"convex\"\ndense_weight = 0.0\n",
                steps: &[],
            },
        },
        Choice {
            id: "multilingual",
            name: "Both, with a multilingual embedder",
            best_for: "documents in several languages",
            gains: "a question finds what is written in another language",
            costs: "a larger model",
            apply: Apply {
                config: "[onnx.e5]\nfolder = \"models/multilingual-e5-small\"\nquery_prefix = \"query: \"\npassage_prefix = \"passage: \"\n[corpora.default]\nembedder = \"onnx/e5\"\n",
                steps: &[],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "words",
            when: &[yes(EXACT_ONLY)],
            why: "people search for exact words: meaning only adds noise",
        },
        Rule {
            choose: "multilingual",
            when: &[at_least(LANGUAGES, 2.0)],
            why: "questions come in one language and answers stand in another",
        },
        Rule {
            choose: "hybrid_tuned",
            when: &[above(CODES, 0.3)],
            why: "every third question has a code: words deserve more weight than usual",
        },
        Rule {
            choose: "hybrid_tuned",
            when: &[below(RECALL_AT_5, 0.75)],
            why: "the default weight finds too little: fit it",
        },
    ],
    otherwise: Otherwise { choose: "hybrid", why: "either channel alone misses what the other finds" },
    premises: &[
        Premise {
            of: &["hybrid", "hybrid_tuned", "multilingual"],
            holds: at_least(RECALL_AT_5, 0.75),
            otherwise: "recall@5 is below .75: tune the weight, then the embedder (`embedder = \"builtin/minilm\"`)",
        },
        Premise {
            of: &["hybrid", "hybrid_tuned", "words", "multilingual"],
            holds: at_most(RETRIEVAL_P99, 50.0),
            otherwise: "a search takes more than 50 ms at p99: see `mainstay decide --card 04.2`",
        },
    ],
    corrections: &[
        "RRF with k = 60 throws the scores away; convex fusion of normalised scores beats it in and out of domain (Bruch et al., 2022), and did on the data sets measured here.",
        "5 M documents × 1,024 dimensions × 4 bytes are 20 GB of vectors, as stated, for one piece a document; with ten pieces each it is 200 GB.",
    ],
};
