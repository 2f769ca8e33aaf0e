use super::facts::{ANALYSTS, HAS_POSTGRES, OLTP_QUERIES, TRAINING_BYTES, TRAINING_ROWS};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, above, at_most, below, no, yes};

pub(super) const CARD: Card = Card {
    id: "04.1",
    title: "Training data",
    question: "Where does training data come from?",
    options: &[
        Choice {
            id: "duckdb",
            name: "Parquet, read in process",
            best_for: "one machine, up to half a terabyte",
            gains: "no server, reads only the columns it needs",
            costs: "one machine, one writer",
            apply: Apply { config: "", steps: &["Mainstay writes no Parquet yet: export with your own job"] },
        },
        Choice {
            id: "warehouse",
            name: "A warehouse",
            best_for: "terabytes and many analysts",
            gains: "scales, rights, catalogue",
            costs: "a price for every query",
            apply: Apply { config: "", steps: &["Mainstay has no connector to a warehouse yet"] },
        },
        Choice {
            id: "postgres",
            name: "The relational database",
            best_for: "small sets",
            gains: "nothing new",
            costs: "reads every column of every row, beside the product",
            apply: Apply { config: "", steps: &["read from a replica, never from the primary"] },
        },
    ],
    rules: &[
        Rule {
            choose: "warehouse",
            when: &[above(TRAINING_BYTES, 1e12)],
            why: "a terabyte is more than one machine reads in reasonable time",
        },
        Rule {
            choose: "warehouse",
            when: &[above(ANALYSTS, 20.0)],
            why: "so many people need rights, a catalogue and more than one machine",
        },
        Rule {
            choose: "postgres",
            when: &[below(TRAINING_ROWS, 1_000_000.0), yes(HAS_POSTGRES)],
            why: "a million rows are read in seconds from what runs already",
        },
    ],
    otherwise: Otherwise {
        choose: "duckdb",
        why: "columns in files are read ten times faster than rows in a database, and need no server",
    },
    premises: &[
        Premise {
            of: &["postgres", "duckdb"],
            holds: no(OLTP_QUERIES),
            otherwise: "training reads the operational database: take a replica today and files tomorrow",
        },
        Premise {
            of: &["duckdb"],
            holds: at_most(TRAINING_BYTES, 5e11),
            otherwise: "more than half a terabyte does not fit one machine well: partition, or take a warehouse",
        },
    ],
    corrections: &[
        "50 TB a day at $.02 a gigabyte are $1,000, as stated; 60 % less is $400 a day, still $12,000 a month: the same data in a local cache is cheaper.",
    ],
};
