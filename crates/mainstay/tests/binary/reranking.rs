//! A corpus whose reranker is a provider, from the file to the results.

use mainstay_provider_sim::StandIn;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::running::{Running, send, stand_in};

/// Six documents about tides. By meaning and keywords the search prefers those that say "harbour" often; only one has all
/// words of the question.
const DOCUMENTS: [(&str, &str); 6] = [
    ("a", "Harbour, harbour, harbour: the harbour has a harbour master and a harbour wall."),
    ("b", "The harbour bar is made of sand. The harbour bar moves. The harbour bar is charted."),
    ("c", "Ships wait outside the harbour until the bar is deep enough."),
    ("d", "On most days, when it blows from the west, the bar of the harbour will dry at low water."),
    ("e", "The lamp of the harbour goes out at dawn."),
    ("f", "Bananas ripen in paper bags."),
];

const QUESTION: &str = "When will the harbour bar dry?";

struct Site {
    running: Running,
    stand_in: StandIn,
    _folder: tempfile::TempDir,
    _runtime: Runtime,
}

impl Site {
    fn start() -> Self {
        let (stand_in, address, runtime) = stand_in();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "secret").unwrap();
        let config = format!(
            "[providers.ranker]\nkind = \"cohere\"\nbase_url = \"http://{address}/cohere\"\napi_key = \"file:key\"\n\
             [prices.\"ranker/rerank-v3.5\"]\nsearch = \"$0.002\"\n\
             [corpora.default]\nreranker = \"ranker/rerank-v3.5\"\n"
        );
        std::fs::write(folder.path().join("mainstay.toml"), config).unwrap();
        let running = Running::start(folder.path());
        let documents: Vec<Value> =
            DOCUMENTS.iter().map(|(id, text)| json!({ "doc_id": id, "text": text })).collect();
        let (status, answer) =
            running.call("POST", "/v1/documents", Some(&json!({ "documents": documents })));
        assert_eq!(status, 200, "{answer}");
        Self { running, stand_in, _folder: folder, _runtime: runtime }
    }

    fn search(&self, more: Value) -> Value {
        let mut body = json!({ "query": QUESTION });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, answer) = self.running.call("POST", "/v1/search", Some(&body));
        assert_eq!(status, 200, "{answer}");
        answer
    }

    fn metrics(&self) -> String {
        let key = self.running.api_key.as_deref().unwrap();
        send(&self.running.address, key, "GET", "/metrics", "", b"").unwrap().2
    }
}

fn documents(answer: &Value) -> Vec<&str> {
    answer["results"].as_array().unwrap().iter().map(|result| result["doc_id"].as_str().unwrap()).collect()
}

#[test]
fn results_are_in_the_order_of_the_reranker_and_show_the_one_before() {
    let site = Site::start();
    let fused = site.search(json!({ "tier": "fast", "limit": 100 }));
    assert_eq!(
        fused["reranking"],
        json!({ "reranked": false, "model": null, "reason": "fast_tier", "took_ms": null })
    );
    assert_eq!(site.stand_in.records().counts().count, 0);

    let answer = site.search(json!({}));
    assert_eq!(answer["reranking"]["reranked"], true, "{answer}");
    assert_eq!(answer["reranking"]["model"], "ranker/rerank-v3.5");
    let results = answer["results"].as_array().unwrap();
    assert_eq!((&results[0]["doc_id"], &results[0]["scores"]["rerank"]), (&json!("d"), &json!(1.0)));
    let order = documents(&fused);
    for result in results {
        let before = result["fused_rank"].as_u64().unwrap() as usize;
        assert_eq!(result["doc_id"], order[before - 1], "{answer}");
    }
    let sent = site.stand_in.records().last().pop().unwrap();
    assert_eq!(sent.body["query"], QUESTION);

    let few = site.search(json!({ "limit": 1 }));
    assert_eq!(documents(&few), ["d"]);
    let metrics = site.metrics();
    assert!(
        metrics.contains("mainstay_rerank_skipped_total{corpus=\"default\",reason=\"fast_tier\"} 1"),
        "{metrics}"
    );
    // Two searches at $0.002.
    let cost = "mainstay_cost_nano_dollars_total{model=\"ranker/rerank-v3.5\"} 4000000";
    assert!(metrics.contains(cost), "{metrics}");
}

#[test]
fn a_reranker_that_fails_fails_no_search() {
    let site = Site::start();
    let fused = site.search(json!({ "tier": "fast" }));
    for (fault, reason) in [
        ("500", "provider_error"),
        ("429:7", "provider_rate_limited"),
        ("doubled-score", "provider_malformed_response"),
    ] {
        site.stand_in.fail_next([fault.parse().unwrap()]);
        let answer = site.search(json!({}));
        assert_eq!(answer["reranking"]["reason"], reason, "{answer}");
        assert_eq!(documents(&answer), documents(&fused), "{fault}");
    }
    let failures = "mainstay_rerank_failures_total{model=\"ranker/rerank-v3.5\",code=\"provider_error\"} 1";
    assert!(site.metrics().contains(failures));
}

#[test]
fn a_question_says_its_tier_in_a_header() {
    let site = Site::start();
    let ask = |header: &str| {
        let key = site.running.api_key.as_deref().unwrap();
        let body = json!({ "model": "assistant", "messages": [{ "role": "user", "content": QUESTION }] });
        let headers = format!("content-type: application/json\r\n{header}");
        let body = body.to_string();
        let (status, _, answer) =
            send(&site.running.address, key, "POST", "/v1/chat/completions", &headers, body.as_bytes())
                .unwrap();
        (status, serde_json::from_str::<Value>(&answer).unwrap())
    };
    assert_eq!(ask("x-mainstay-tier: fast\r\n").0, 200);
    assert_eq!(site.stand_in.records().counts().count, 0);
    assert_eq!(ask("").0, 200);
    assert_eq!(site.stand_in.records().counts().count, 1);
    let (status, answer) = ask("x-mainstay-tier: turbo\r\n");
    assert_eq!((status, answer["error"]["param"].as_str()), (400, Some("x-mainstay-tier")), "{answer}");
}
