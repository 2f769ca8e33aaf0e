use super::facts::{AUC_LOSS, FEATURE_AGE, ONLY_LOOKED_AT, PSI, TRAINS};
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, at_least, at_most, yes};
use crate::fact::{HIGH_STAKES, INDEX_LAG, STALENESS_TARGET};

pub(super) const CARD: Card = Card {
    id: "03.4",
    title: "Skew between training and serving",
    question: "How is it kept from mattering that data is older in one place than in another?",
    options: &[
        Choice {
            id: "freshness",
            name: "A promised freshness, measured",
            best_for: "serving",
            gains: "noticed before it hurts",
            costs: "a bounded staleness stays",
            apply: Apply {
                config: "[slo.freshness]\nstaleness = \"60s\"\n",
                steps: &["mainstay plan files --out deploy writes the alert on mainstay_index_lag_seconds"],
            },
        },
        Choice {
            id: "refuse_stale",
            name: "No answer from what is too old",
            best_for: "decisions about health, safety or money",
            gains: "an old value is never acted on",
            costs: "no answer while a source is late",
            apply: Apply {
                config: "[slo.freshness]\nstaleness = \"60s\"\n",
                steps: &[
                    "Mainstay answers all the same when the index is late: stop asking it while mainstay_index_lag_seconds is above mainstay_index_staleness_target_seconds",
                    "a question's own filter on updated_at keeps documents out that are too old for it",
                ],
            },
        },
        Choice {
            id: "point_in_time",
            name: "Reads as of the moment of the event",
            best_for: "making training sets",
            gains: "no leak from the future, repeatable",
            costs: "tables with event times",
            apply: Apply {
                config: "",
                steps: &[
                    "Mainstay has no feature store yet: take one with point-in-time joins, or store features with each request",
                    "compute features by the same code for training and for serving",
                ],
            },
        },
        Choice {
            id: "accept",
            name: "Accept it",
            best_for: "scores and sums that nobody acts on",
            gains: "simple",
            costs: "quality falls silently",
            apply: Apply {
                config: "[consistency.statistics]\nclass = \"eventual\"\nstaleness = \"1d\"\nbecause = \"nobody acts on yesterday's sums\"\n",
                steps: &[],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "refuse_stale",
            when: &[yes(HIGH_STAKES)],
            why: "a bounded staleness is still staleness, and here an old value harms somebody",
        },
        Rule {
            choose: "point_in_time",
            when: &[yes(TRAINS)],
            why: "whoever trains on production data must not read the future",
        },
        Rule {
            choose: "accept",
            when: &[yes(ONLY_LOOKED_AT)],
            why: "an older sum misleads nobody who does nothing with it",
        },
        Rule {
            choose: "accept",
            when: &[at_least(STALENESS_TARGET, 86_400.0)],
            why: "a day is allowed, and what runs every night keeps that",
        },
    ],
    otherwise: Otherwise {
        choose: "freshness",
        why: "a promise of a minute costs one line and shows what otherwise worsens in silence",
    },
    premises: &[
        Premise {
            of: &["freshness", "point_in_time", "refuse_stale"],
            holds: at_most(FEATURE_AGE, 60.0),
            otherwise: "a feature is more than a minute behind its source: alert at twice the promise",
        },
        Premise {
            of: &["point_in_time", "accept"],
            holds: at_most(PSI, 0.2),
            otherwise: "what is served is not what was trained on (PSI above .2): compare the code of both ways",
        },
        Premise {
            of: &["point_in_time"],
            holds: at_most(AUC_LOSS, 0.03),
            otherwise: "the model is three hundredths worse than in training: look for features from the future before training again",
        },
        Premise {
            of: &["freshness", "refuse_stale"],
            holds: Condition::at_most_fact(INDEX_LAG, STALENESS_TARGET, 1.0),
            otherwise: "documents are found later than promised: `mainstay index status`, and mainstay_documents_waiting says how many",
        },
        Premise {
            of: &["accept"],
            holds: at_most(INDEX_LAG, 86_400.0),
            otherwise: "the index is a day behind: a nightly run has failed",
        },
    ],
    corrections: &[
        "A cache that is thirty minutes old moves a seven-day average by 30 of 10,080 minutes, .3 %. The skew of the example is \
         the batch of midnight, at three in the afternoon 15 of 168 hours, 9 %.",
        "The sample trains on three features and asks for one of them when it serves: the skew that it warns of. Training and \
         serving have to read one list.",
    ],
};
