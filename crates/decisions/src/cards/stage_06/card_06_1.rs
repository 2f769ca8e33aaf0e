use super::facts::{MESH, SERVICES, STALLS, TEAMS};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, at_least, at_most, yes};
use crate::fact::BACKPRESSURE;

pub(super) const CARD: Card = Card {
    id: "06.1",
    title: "Gateway and inference",
    question: "What does the gateway do, and what the service behind it?",
    options: &[
        Choice {
            id: "one_binary",
            name: "One process, two layers inside",
            best_for: "one team, one product",
            gains: "no hop; the gateway part never reads content for policy",
            costs: "scales as one",
            apply: Apply {
                config: "[server]\nlisten = \"127.0.0.1:8088\"\n",
                steps: &["Mainstay is built so: `guard.rs` decides by identity, `chat.rs` answers"],
            },
        },
        Choice {
            id: "thin",
            name: "A thin gateway in front",
            best_for: "a load balancer or an API gateway that is there already",
            gains: "identity and limits at the edge",
            costs: "the same rules in every service behind",
            apply: Apply {
                config: "[server]\nbehind_proxy = true\n",
                steps: &["turn buffering off in the proxy: streams have to pass as they come"],
            },
        },
        Choice {
            id: "central",
            name: "Policies in one gateway for many services",
            best_for: "several models and teams",
            gains: "one place for policy",
            costs: "a bottleneck, and far from the tests of the services",
            apply: Apply {
                config: "[limits.per_key]\nrequests_per_minute = 60\n",
                steps: &["register the services as providers of one Mainstay"],
            },
        },
        Choice {
            id: "mesh",
            name: "A service mesh",
            best_for: "auditors who ask for mutual TLS at every hop",
            gains: "identity at every hop",
            costs: "10 to 30 ms a hop, and much to learn",
            apply: Apply {
                config: "[server]\nbehind_proxy = true\n",
                steps: &[
                    "Mainstay speaks TLS with client certificates by itself ([server.tls]) where that is enough",
                ],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "mesh",
            when: &[yes(MESH), at_least(SERVICES, 5.0)],
            why: "every hop has to prove who it is, and there are many",
        },
        Rule {
            choose: "central",
            when: &[at_least(SERVICES, 2.0), at_least(TEAMS, 2.0)],
            why: "several teams serve models to the same callers: policy belongs in one place",
        },
        Rule {
            choose: "thin",
            when: &[at_least(SERVICES, 2.0)],
            why: "several services share an edge, and one team keeps them alike",
        },
    ],
    otherwise: Otherwise { choose: "one_binary", why: "one team and one product need no hop between them" },
    premises: &[
        Premise {
            of: &["one_binary", "thin", "central"],
            holds: at_most(BACKPRESSURE, 2.0),
            otherwise: "the one process is at its limits: limits.concurrency, then a second one behind a balancer",
        },
        Premise {
            of: &["thin", "mesh"],
            holds: at_most(STALLS, 1000.0),
            otherwise: "streams stall for a second: something in front buffers them (X-Accel-Buffering, proxy_buffering)",
        },
    ],
    corrections: &[
        "The gateway classifies injections in the recommendation and reads nothing but identity and length in the answer below it. Whoever classifies reads: here that is the one process that answers, after it knows who asks.",
        "What is called a token bucket counts by whole minutes: twice the limit passes around the turn of one.",
    ],
};
