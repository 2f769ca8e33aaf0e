use super::facts::{HEALTH, PERSONAL, PII_IN_LOGS, THIRD_PARTY_MODEL};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, at_most, no, yes};
use crate::fact::DATA_RESIDENCY;

pub(super) const CARD: Card = Card {
    id: "11.2",
    title: "Personal data",
    question: "Where is personal data taken out?",
    options: &[
        Choice {
            id: "before_model",
            name: "Before the model and before logs",
            best_for: "most products",
            gains: "the model sees one and the same pseudonym, the store the truth",
            costs: "a recogniser that misses some",
            apply: Apply {
                config: "",
                steps: &[
                    "Mainstay has no recogniser of personal data yet: mask in your client or in a proxy before the API; content never enters its logs, metrics or audit",
                ],
            },
        },
        Choice {
            id: "at_ingestion",
            name: "Before anything is stored",
            best_for: "health data",
            gains: "it is never there",
            costs: "answers cannot name anybody",
            apply: Apply { config: "", steps: &["mask before `mainstay ingest`"] },
        },
        Choice {
            id: "self_hosted",
            name: "It stays, with a model of one's own",
            best_for: "data that may not leave",
            gains: "nothing is lost",
            costs: "a fleet",
            apply: Apply {
                config: "[providers.own]\nkind = \"openai-compatible\"\nbase_url = \"http://vllm:8000/v1\"\n[assistants.support]\ncorpus = \"default\"\nmodel = \"own/llama-3.1-70b\"\n[storage.encryption]\nkey_file = \"master.key\"\n",
                steps: &["mainstay keys master"],
            },
        },
        Choice {
            id: "none",
            name: "Nothing",
            best_for: "no personal data",
            gains: "nothing to do",
            costs: "wrong the day it comes",
            apply: Apply {
                config: "[assistants.support]\ncorpus = \"default\"\nmodel = \"builtin/extractive\"\n",
                steps: &[],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "at_ingestion",
            when: &[yes(HEALTH), yes(THIRD_PARTY_MODEL)],
            why: "health data and somebody else's model: it must not be there",
        },
        Rule {
            choose: "self_hosted",
            when: &[yes(HEALTH)],
            why: "health data stays with a model of one's own, sealed",
        },
        Rule {
            choose: "before_model",
            when: &[yes(PERSONAL), yes(THIRD_PARTY_MODEL)],
            why: "somebody else's model reads it: pseudonyms are enough for it",
        },
        Rule {
            choose: "self_hosted",
            when: &[yes(PERSONAL), yes(DATA_RESIDENCY)],
            why: "personal data must stay in its region, and the model with it",
        },
    ],
    otherwise: Otherwise { choose: "none", why: "nothing personal is there, as far as is known" },
    premises: &[
        Premise {
            of: &["before_model", "at_ingestion", "self_hosted"],
            holds: at_most(PII_IN_LOGS, 0.0),
            otherwise: "personal data was found in logs: find the path, then `mainstay erase --user`",
        },
        Premise { of: &["none"], holds: no(PERSONAL), otherwise: "personal data is there now" },
    ],
    corrections: &[
        "SHA-256 of a session and a name is no pseudonym: whoever has the session can try every name. A keyed hash with a secret per tenant is.",
        "One operator for each kind of entity gives all people of a text the same pseudonym, that of the last one; and `EMAIL` is no name of that library (`EMAIL_ADDRESS`), so addresses pass.",
        "A hash of a social security number and a hospital is tried out in minutes: there are a billion numbers. It takes a key, and the key a keeper.",
    ],
};
