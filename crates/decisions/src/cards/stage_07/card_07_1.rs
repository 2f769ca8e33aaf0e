use super::facts::{CLAUSES, LONG_DOCS, PROSE};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, at_least, at_most, below, yes};
use crate::fact::{RECALL_AT_5, RETRIEVAL_P99};

pub(super) const CARD: Card = Card {
    id: "07.1",
    title: "Chunking",
    question: "Where is a document cut?",
    options: &[
        Choice {
            id: "structural",
            name: "By structure, small pieces in larger ones",
            best_for: "most documents with headings",
            gains: "finds small, reads large, cites with headings",
            costs: "pieces differ in size",
            apply: Apply {
                config: "[corpora.default]\nchunking = \"structural\"\nchunk_words = 100\nparent_words = 400\n",
                steps: &[],
            },
        },
        Choice {
            id: "fixed",
            name: "Fixed with overlap",
            best_for: "a first try, text without structure",
            gains: "simple and even",
            costs: "cuts through sentences",
            apply: Apply {
                config: "[corpora.default]\nchunking = \"fixed\"\nchunk_words = 300\nchunk_overlap_words = 75\nparent_words = 400\n",
                steps: &[],
            },
        },
        Choice {
            id: "semantic",
            name: "Where the meaning changes",
            best_for: "long prose, papers",
            gains: "pieces of one thought",
            costs: "a third more pieces, more embedding",
            apply: Apply { config: "[corpora.default]\nchunking = \"semantic\"\n", steps: &[] },
        },
        Choice {
            id: "clauses",
            name: "By clause",
            best_for: "contracts and laws",
            gains: "number and title become part of the citation",
            costs: "made for numbered text alone",
            apply: Apply { config: "[corpora.default]\nchunking = \"clauses\"\n", steps: &[] },
        },
    ],
    rules: &[
        Rule {
            choose: "clauses",
            when: &[yes(CLAUSES)],
            why: "a clause is what is asked for and what is cited",
        },
        Rule {
            choose: "semantic",
            when: &[yes(PROSE), below(RECALL_AT_5, 0.75)],
            why: "long prose without headings is found too seldom when it is cut anywhere",
        },
        Rule {
            choose: "fixed",
            when: &[below(LONG_DOCS, 150.0)],
            why: "documents of a paragraph need no structure",
        },
    ],
    otherwise: Otherwise { choose: "structural", why: "small pieces are found, what is around them is read" },
    premises: &[
        Premise {
            of: &["structural", "fixed", "semantic", "clauses"],
            holds: at_least(RECALL_AT_5, 0.75),
            otherwise: "recall@5 is below .75: compare two ways of cutting (`mainstay eval retrieval GOLDEN --against other.toml`)",
        },
        Premise {
            of: &["structural", "semantic", "clauses"],
            holds: at_most(RETRIEVAL_P99, 50.0),
            otherwise: "the index is slow: larger pieces make a smaller one",
        },
    ],
    corrections: &[
        "With 200 questions a difference of 3 points in recall is not significant: at .75 its standard error is 3 points, and of a difference of two runs on the same questions about 2; `mainstay eval` says the smallest that can be told.",
        "Not measured here to be so: parent-child instead of fixed pieces gains 8 to 15 %. On the six data sets of docs/benchmarks.md the way of cutting moves nDCG@10 by far less than the embedder does.",
        "Pieces of 512 with 128 overlap are tokens in the text and characters in the code, which is a quarter as long; parents are 512 in the table and 1,024 in the code.",
    ],
};
