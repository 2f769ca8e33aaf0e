use super::facts::{AUDITED, CONSENT, DEBUGS_CONTENT, PII_IN_LOGS};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, at_most, yes};
use crate::fact::AUDIT_FAILURES;

pub(super) const CARD: Card = Card {
    id: "11.4",
    title: "What is logged",
    question: "What is kept of what was said?",
    options: &[
        Choice {
            id: "metadata",
            name: "What happened, not what was said",
            best_for: "production",
            gains: "nothing personal to lose",
            costs: "no question can be looked at again",
            apply: Apply { config: "[audit]\nenabled = true\n", steps: &["mainstay audit verify"] },
        },
        Choice {
            id: "sampled",
            name: "The same, and a scrubbed sample with consent",
            best_for: "quality that has to be looked into",
            gains: "one in a hundred can be read",
            costs: "a recogniser, encryption, an end",
            apply: Apply {
                config: "[audit]\nenabled = true\n",
                steps: &[
                    "Mainstay logs no content at all yet: sample in the client, with consent, for thirty days",
                ],
            },
        },
        Choice {
            id: "strict",
            name: "The same, and nothing is done that cannot be recorded",
            best_for: "auditors",
            gains: "no gap in the record",
            costs: "a full disk stops changes",
            apply: Apply {
                config: "[audit]\nenabled = true\nrequired = true\n",
                steps: &["mainstay audit export"],
            },
        },
    ],
    rules: &[
        Rule { choose: "strict", when: &[yes(AUDITED)], why: "an auditor asks for a record without gaps" },
        Rule {
            choose: "sampled",
            when: &[yes(DEBUGS_CONTENT), yes(CONSENT)],
            why: "quality has to be looked into, and people have agreed",
        },
    ],
    otherwise: Otherwise { choose: "metadata", why: "what was said is not needed to know what happened" },
    premises: &[
        Premise {
            of: &["metadata", "sampled", "strict"],
            holds: at_most(AUDIT_FAILURES, 0.0),
            otherwise: "audit records could not be written: the disk, most likely",
        },
        Premise {
            of: &["metadata", "sampled", "strict"],
            holds: at_most(PII_IN_LOGS, 0.0),
            otherwise: "personal data was found in logs",
        },
    ],
    corrections: &[
        "A hash of a user with a salt of the day cannot be joined over days, so 'all actions of this user' has no answer: here people have a random pseudonym in a table that can be destroyed.",
        "A salt that is a hash of the date and a constant can be computed for any day by whoever reads the code.",
        "Recital 26 says that pseudonymised data is personal data as long as somebody has the key. It ceases to be when the key is destroyed, which an erasure does here.",
    ],
};
