use super::facts::{AUDITED, OLD_KEYS, PEOPLE, RULES_BEYOND_ROLES, TWO_PERSON};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, above, at_least, at_most, yes};
use crate::fact::TENANTS;

pub(super) const CARD: Card = Card {
    id: "11.3",
    title: "Access",
    question: "Who may do what?",
    options: &[
        Choice {
            id: "roles",
            name: "Roles",
            best_for: "a team or several",
            gains: "known to everybody, few to keep",
            costs: "cannot say 'only their own'",
            apply: Apply {
                config: "[security]\nenvironment = \"production\"\n",
                steps: &["mainstay policy show", "mainstay keys create --role prompter"],
            },
        },
        Choice {
            id: "attributes",
            name: "Roles and rules over attributes",
            best_for: "tenants, compliance",
            gains: "says exactly what is meant",
            costs: "refusals to explain",
            apply: Apply {
                config: "[security]\nenvironment = \"production\"\ntwo_person = [\"index.rebuild\"]\n[identity.issuers.login]\nissuer = \"https://login.example.com/\"\naudiences = [\"mainstay\"]\njwks_url = \"https://login.example.com/keys\"\ntenant = \"default\"\nclaims.user = \"sub\"\n",
                steps: &["write policies.cedar and try it: mainstay policy test"],
            },
        },
        Choice {
            id: "flat",
            name: "Everybody everything",
            best_for: "a prototype",
            gains: "nothing to set up",
            costs: "nobody knows who changed what",
            apply: Apply {
                config: "[audit]\nenabled = true\n",
                steps: &["the first key of `mainstay up` may do everything"],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "attributes",
            when: &[yes(RULES_BEYOND_ROLES)],
            why: "a rule depends on more than a role",
        },
        Rule {
            choose: "attributes",
            when: &[yes(AUDITED)],
            why: "an auditor asks for a second person at every change of production",
        },
        Rule {
            choose: "attributes",
            when: &[above(TENANTS, 1.0)],
            why: "tenants administer themselves, and nobody else",
        },
        Rule {
            choose: "roles",
            when: &[above(PEOPLE, 3.0)],
            why: "more than three people change prompts and documents",
        },
    ],
    otherwise: Otherwise { choose: "flat", why: "one or two people know what they changed" },
    premises: &[
        Premise {
            of: &["roles", "attributes"],
            holds: at_most(OLD_KEYS, 90.0),
            otherwise: "a key is older than ninety days: `mainstay keys rotate`",
        },
        Premise {
            of: &["attributes"],
            holds: at_least(TWO_PERSON, 1.0),
            otherwise: "no change takes two people: security.two_person",
        },
        Premise {
            of: &["flat"],
            holds: at_most(PEOPLE, 3.0),
            otherwise: "more than three people have access: give them roles",
        },
    ],
    corrections: &[
        "An engineer reads and writes 'everything but IAM' and is refused the cost reports, which a product manager of the same card reads.",
        "A token without a role is a viewer in the code, and viewers read conversations. Here it may do nothing.",
    ],
};
