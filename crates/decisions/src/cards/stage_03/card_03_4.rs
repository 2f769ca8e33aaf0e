use super::facts::{FEATURE_AGE, HIGH_STAKES, PSI, TRAINS};
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, above, at_most, yes};
use crate::fact::{INDEX_LAG, STALENESS_TARGET};

pub(super) const CARD: Card = Card {
    id: "03.4",
    title: "Skew between training and serving",
    question: "How is data kept from being newer in training than when it is served?",
    options: &[
        Choice {
            id: "freshness",
            name: "A promised freshness, measured",
            best_for: "serving",
            gains: "noticed before it hurts",
            costs: "a bounded staleness stays",
            apply: Apply { config: "[slo.freshness]\nstaleness = \"60s\"\n", steps: &[] },
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
                ],
            },
        },
        Choice {
            id: "accept",
            name: "Accept it",
            best_for: "scores and sums that nobody acts on",
            gains: "simple",
            costs: "quality falls silently",
            apply: Apply { config: "", steps: &["say so in [consistency], with the reason"] },
        },
    ],
    rules: &[
        Rule {
            choose: "point_in_time",
            when: &[yes(TRAINS)],
            why: "whoever trains on production data must not read the future",
        },
        Rule {
            choose: "freshness",
            when: &[above(STALENESS_TARGET, 0.0)],
            why: "a freshness is promised, so it is measured",
        },
        Rule {
            choose: "freshness",
            when: &[yes(HIGH_STAKES)],
            why: "an old value harms somebody: its age has to be known",
        },
    ],
    otherwise: Otherwise { choose: "accept", why: "nothing is trained and no freshness is promised" },
    premises: &[
        Premise {
            of: &["freshness", "point_in_time"],
            holds: at_most(FEATURE_AGE, 60.0),
            otherwise: "a feature is more than a minute behind its source: alert at twice the promise",
        },
        Premise {
            of: &["point_in_time"],
            holds: at_most(PSI, 0.2),
            otherwise: "what is served is not what was trained on (PSI above .2): compare the code of both ways",
        },
        Premise {
            of: &["freshness"],
            holds: Condition::at_most_fact(INDEX_LAG, STALENESS_TARGET, 1.0),
            otherwise: "documents are found later than promised",
        },
    ],
    corrections: &[
        "A cache that is thirty minutes old is not what separates a seven-day average from itself: the skew of the example is the nightly batch, up to a day old, against the cache.",
    ],
};
