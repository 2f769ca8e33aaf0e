use super::facts::{BIDIRECTIONAL, SERVER_TO_SERVER, STALLS};
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, above, at_most, no, yes};
use crate::fact::{AWAITED, PEAK_REQUESTS_PER_SECOND, TTFT_P95, TTFT_P95_TARGET};

pub(super) const CARD: Card = Card {
    id: "06.2",
    title: "Streaming",
    question: "How do tokens reach the caller?",
    options: &[
        Choice {
            id: "sse",
            name: "Server-sent events",
            best_for: "text that is read as it comes",
            gains: "every proxy and SDK knows it",
            costs: "one way; six connections of a browser under HTTP/1.1",
            apply: Apply { config: "[server]\nheartbeat = \"15s\"\n", steps: &[] },
        },
        Choice {
            id: "websocket",
            name: "WebSocket",
            best_for: "voice, live collaboration",
            gains: "both ways",
            costs: "balancers need care, sticky routes",
            apply: Apply {
                config: "",
                steps: &[
                    "Mainstay speaks no WebSocket: put a bridge in front that holds the socket and streams from the API",
                ],
            },
        },
        Choice {
            id: "http2",
            name: "HTTP/2 streams",
            best_for: "servers of one's own with many streams",
            gains: "many streams on one connection",
            costs: "not every proxy streams it",
            apply: Apply {
                config: "[server]\nheartbeat = \"15s\"\n",
                steps: &["HTTP/2 is spoken over TLS where the client asks for it"],
            },
        },
        Choice {
            id: "whole",
            name: "Whole answers",
            best_for: "batch work",
            gains: "simplest",
            costs: "nothing to see until the end",
            apply: Apply {
                config: "[slo.latency]\np95 = \"30s\"\n",
                steps: &["leave \"stream\" out of the request"],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "websocket",
            when: &[yes(BIDIRECTIONAL)],
            why: "callers send while they receive, which events cannot",
        },
        Rule {
            choose: "http2",
            when: &[yes(SERVER_TO_SERVER), above(PEAK_REQUESTS_PER_SECOND, 500.0)],
            why: "so many streams between servers share connections better than they open them",
        },
        Rule { choose: "whole", when: &[no(AWAITED)], why: "nobody waits at a screen: it can come whole" },
    ],
    otherwise: Otherwise { choose: "sse", why: "it is what every client of a language model speaks" },
    premises: &[
        Premise {
            of: &["sse", "http2"],
            holds: at_most(STALLS, 1000.0),
            otherwise: "streams stall for a second at p99: a buffering proxy, or a model that thinks; compare mainstay_chunk_gap_seconds by model",
        },
        Premise {
            of: &["sse", "http2"],
            holds: Condition::at_most_fact(TTFT_P95, TTFT_P95_TARGET, 1.0),
            otherwise: "the first event is late: it is not the transport, see `mainstay decide --card 10.1`",
        },
    ],
    corrections: &[
        "SSE does not need HTTP/1.1: it is a body, and streams over HTTP/2 as well. What breaks it are buffers and idle timeouts.",
    ],
};
