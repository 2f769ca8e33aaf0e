use super::facts::{FEATURE_AGE, FOREIGN_FEATURES, QUARANTINED, REFUSED_SHARE, SHARED_TABLES, THIRD_PARTY};
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, at_most, no, yes};
use crate::fact::{CHUNKS, CITATIONS_REMOVED, HIGH_STAKES};

pub(super) const CARD: Card = Card {
    id: "03.2",
    title: "Where data is checked",
    question: "At which gates is data validated?",
    options: &[
        Choice {
            id: "all_gates",
            name: "Everywhere, with different roles",
            best_for: "most products",
            gains: "bad data is refused early and noticed late",
            costs: "three sets of rules",
            apply: Apply {
                config: "[corpora.default.quality]\nunreadable = \"quarantine\"\noutliers = \"report\"\n",
                steps: &[
                    "at the door what cannot be read is refused, in the index what nobody can read is kept from searches, in answers what no source supports is removed",
                    "mainstay corpus report",
                    "mainstay corpus quarantine",
                ],
            },
        },
        Choice {
            id: "hard_stops",
            name: "Everywhere, and in doubt no answer",
            best_for: "medicine, law, money",
            gains: "nothing leaves that was not checked and recorded",
            costs: "a part of the answers is held back; people have to look at them",
            apply: Apply {
                config: "[providers.openai]\napi_key = \"env:OPENAI_API_KEY\"\n[assistants.support]\ncorpus = \"default\"\nmodel = \"openai/gpt-4o\"\ncitation_judge = \"openai/gpt-4o-mini\"\n[corpora.default.quality]\nunreadable = \"quarantine\"\noutliers = \"quarantine\"\n[audit]\nrequired = true\n[audit.keep]\ninference = \"2557d\"\n",
                steps: &[
                    "read `mainstay corpus report` first: a table of figures is often far from the rest and looked for all the same",
                    "Mainstay holds no answer for a person yet: send to one what has mainstay.not_in_documents or removed citations",
                ],
            },
        },
        Choice {
            id: "ingestion",
            name: "At ingestion",
            best_for: "streams and sources of others",
            gains: "refused before it costs anything",
            costs: "a changed format stops the flow",
            apply: Apply {
                config: "[corpora.default.quality]\nunreadable = \"quarantine\"\noutliers = \"off\"\n",
                steps: &["mainstay ingest names each document that was refused, with the reason"],
            },
        },
        Choice {
            id: "storage",
            name: "At the table",
            best_for: "tables that several teams write",
            gains: "one rule whatever the source",
            costs: "the work before it was for nothing",
            apply: Apply {
                config: "",
                steps: &[
                    "Mainstay checks its own tables by types and transactions; for other tables take a contract test as a gate of the pipeline",
                ],
            },
        },
        Choice {
            id: "serving",
            name: "Where it is read",
            best_for: "features that somebody else computes",
            gains: "catches what became wrong after all other gates",
            costs: "too late to mend: it can only be noticed or left out",
            apply: Apply {
                config: "",
                steps: &[
                    "Mainstay serves no features yet: check names, ranges and age in the service that reads them, count what is odd, and answer all the same",
                ],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "hard_stops",
            when: &[yes(HIGH_STAKES)],
            why: "a wrong answer harms somebody: none is better than one that was not checked",
        },
        Rule {
            choose: "storage",
            when: &[yes(SHARED_TABLES), no(THIRD_PARTY)],
            why: "several teams write the same tables, all of them inside",
        },
        Rule {
            choose: "serving",
            when: &[yes(FOREIGN_FEATURES)],
            why: "others compute what the model reads, so the read is the only gate of one's own",
        },
        Rule {
            choose: "ingestion",
            when: &[yes(THIRD_PARTY), no(SHARED_TABLES)],
            why: "all that can be wrong comes through one door, from outside",
        },
    ],
    otherwise: Otherwise {
        choose: "all_gates",
        why: "each gate catches what the others cannot see: refuse early, enforce in the middle, notice at the end",
    },
    premises: &[
        Premise {
            of: &["ingestion", "all_gates", "hard_stops"],
            holds: at_most(REFUSED_SHARE, 0.05),
            otherwise: "one in twenty documents is refused: a source has changed its format",
        },
        Premise {
            of: &["ingestion", "all_gates", "hard_stops"],
            holds: Condition::at_most_fact(QUARANTINED, CHUNKS, 0.05),
            otherwise: "more than one passage in twenty is in quarantine: `mainstay corpus quarantine` shows why",
        },
        Premise {
            of: &["all_gates", "hard_stops"],
            holds: at_most(CITATIONS_REMOVED, 0.15),
            otherwise: "the sources of more than 15 of 100 citations do not support them: look for garbled passages with `mainstay corpus report`, then at the model",
        },
        Premise {
            of: &["hard_stops", "serving"],
            holds: at_most(FEATURE_AGE, 86_400.0),
            otherwise: "a value is more than a day old: leave it out, and refuse decisions that need it",
        },
    ],
    corrections: &[
        "The third gate is to log and not to drop, yet its sample asserts, which ends the request, or does nothing at all \
         under python -O.",
        "HIPAA asks for six years of its documentation, not seven, and says nothing of predictions; how long those are kept \
         is for state law and the contract to say.",
        "A cosine of .3 to the centroid means garbage with one embedder and never happens with another whose unrelated texts \
         stand at .7: the distance has to be held against the other passages, as median deviations.",
        "A hold at 4 standard deviations concerns one normal value in 16,000; over 128 independent features it holds .8 % of \
         all requests.",
    ],
};
