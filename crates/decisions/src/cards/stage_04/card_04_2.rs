use super::facts::{HAS_POSTGRES, ONE_TRANSACTION, OPERATES_CLUSTERS};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, above, at_least, at_most, no, yes};
use crate::fact::{DATA_RESIDENCY, DOCUMENTS, RECALL_AT_5, RETRIEVAL_P99};

pub(super) const CARD: Card = Card {
    id: "04.2",
    title: "Vector store",
    question: "Which store holds the vectors?",
    options: &[
        Choice {
            id: "embedded",
            name: "In process (qdrant-edge)",
            best_for: "one machine, up to about a million documents",
            gains: "nothing to run, no network hop, the tenant filter inside the search",
            costs: "grows with one machine's memory; a second machine needs another store",
            apply: Apply { config: "[storage]\ndata_dir = \"mainstay-data\"\n", steps: &[] },
        },
        Choice {
            id: "pgvector",
            name: "pgvector",
            best_for: "vectors that change in one transaction with rows, below half a million documents",
            gains: "no further system; documents and vectors in one transaction",
            costs: "filters are applied after the search of the index; recall and p99 suffer from a million vectors on",
            apply: Apply {
                config: "",
                steps: &["Mainstay has no pgvector backend: its own index stays in process"],
            },
        },
        Choice {
            id: "qdrant",
            name: "Qdrant cluster",
            best_for: "one to a hundred million documents",
            gains: "filters inside the search, replicas, shards; runs anywhere",
            costs: "a cluster to operate; shards are planned by hand above a hundred million",
            apply: Apply {
                config: "",
                steps: &[
                    "Mainstay has no Qdrant backend yet: until then shard by corpus over several machines",
                ],
            },
        },
        Choice {
            id: "managed",
            name: "Managed and serverless",
            best_for: "above a hundred million documents and nobody to operate a cluster",
            gains: "no operation at all",
            costs: "a price per vector, a provider that cannot be left easily, data outside",
            apply: Apply {
                config: "",
                steps: &["Mainstay has no managed vector store: its documents API can feed one beside it"],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "managed",
            when: &[above(DOCUMENTS, 100_000_000.0), no(OPERATES_CLUSTERS), no(DATA_RESIDENCY)],
            why: "so many vectors need a cluster, and nobody here can operate one",
        },
        Rule {
            choose: "qdrant",
            when: &[above(DOCUMENTS, 1_000_000.0)],
            why: "one machine's memory no longer holds the graph with room to rebuild it",
        },
        Rule {
            choose: "qdrant",
            when: &[above(DOCUMENTS, 500_000.0), above(RETRIEVAL_P99, 50.0)],
            why: "the search is slow already, and the corpus will not shrink",
        },
        Rule {
            choose: "pgvector",
            when: &[yes(HAS_POSTGRES), yes(ONE_TRANSACTION), at_most(DOCUMENTS, 500_000.0)],
            why: "vectors and rows have to change together, and what runs already is enough for a corpus of this size",
        },
    ],
    otherwise: Otherwise {
        choose: "embedded",
        why: "an index in the process answers without a network hop and has nothing to operate",
    },
    premises: &[
        Premise {
            of: &["embedded", "pgvector"],
            holds: at_most(RETRIEVAL_P99, 50.0),
            otherwise: "search is slower than 50 ms at p99: look at `mainstay index status`, then move to a Qdrant cluster",
        },
        Premise {
            of: &["embedded", "pgvector", "qdrant"],
            holds: at_least(RECALL_AT_5, 0.75),
            otherwise: "recall@5 is below .75: tune it first (`mainstay eval tune`), a store alone does not mend it",
        },
    ],
    corrections: &[
        "500 tenants × 10 M vectors × 1,536 dimensions × 4 bytes are 30.7 TB, 46 TB with the graph: that is 180 machines of 256 GB in memory, not 6.",
        "5 billion vectors at $.096 a million and month are $480 and not $480,000: at the price that the card gives, the managed store is fifty times cheaper than six nodes at $4,000. Real prices count storage and reads: ask for both.",
        "A team that runs Postgres has still nothing less to run with an index in process; pgvector pays where vectors and rows must change in one transaction.",
    ],
};
