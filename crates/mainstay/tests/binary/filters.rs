//! Metadata of documents and searches narrowed by them, over HTTP; and what searches say to what makes no sense.

use serde_json::{Value, json};

use crate::running::{Running, mainstay, send};

/// Ids of the documents that a search finds, in the order of the ids.
fn found(running: &Running, filter: Value) -> Vec<String> {
    let body = json!({
        "corpus": "fleet", "query": "the mast of the ship", "filter": filter, "group_by": "documents",
    });
    let (status, answer) = running.call("POST", "/v1/search", Some(&body));
    assert_eq!(status, 200, "{filter}: {answer}");
    let results = answer["results"].as_array().unwrap().iter();
    let mut ids: Vec<String> = results.map(|result| result["doc_id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

fn fleet(running: &Running, corpus: &str) {
    let body = json!({ "corpus": corpus, "documents": [
        { "doc_id": "sloop", "text": "The mast of the sloop is of larch.", "language": "en",
          "metadata": { "built": "1987-05-01", "crew": 4, "tags": ["wood", "sail"], "sold": false, "note": null } },
        { "doc_id": "ketch", "text": "The mast of the ketch is of spruce.", "language": "en",
          "metadata": { "built": "2003-11-20T08:00:00Z", "crew": 6, "tags": ["sail"], "sold": true } },
        { "doc_id": "ferry", "text": "Der Mast der Fähre ist aus Stahl.", "language": "de",
          "metadata": { "crew": 30.5 } },
        { "doc_id": "barge", "text": "The mast of the barge is gone." },
    ] });
    let (status, answer) = running.call("POST", "/v1/documents", Some(&body));
    assert_eq!((status, answer["accepted"].as_u64()), (200, Some(4)), "{answer}");
}

#[test]
fn a_search_is_narrowed_by_the_metadata_of_documents() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    fleet(&running, "fleet");
    for (filter, expected) in [
        (json!({}), vec!["barge", "ferry", "ketch", "sloop"]),
        (json!(null), vec!["barge", "ferry", "ketch", "sloop"]),
        (json!({ "crew": 4 }), vec!["sloop"]),
        (json!({ "crew": { "$gte": 6, "$lt": 31 } }), vec!["ferry", "ketch"]),
        (json!({ "built": { "$gt": "2000-01-01" } }), vec!["ketch"]),
        (json!({ "built": "1987-05-01T00:00:00Z" }), vec!["sloop"]),
        (json!({ "tags": "sail" }), vec!["ketch", "sloop"]),
        (json!({ "tags": { "$in": ["wood", "steel"] } }), vec!["sloop"]),
        (json!({ "sold": { "$ne": true } }), vec!["barge", "ferry", "sloop"]),
        (json!({ "crew": { "$exists": false } }), vec!["barge"]),
        (json!({ "language": "de" }), vec!["ferry"]),
        (json!({ "doc_id": { "$in": ["barge", "ferry", "tug"] } }), vec!["barge", "ferry"]),
        (json!({ "updated_at": { "$gte": "2020-01-01" } }), vec!["barge", "ferry", "ketch", "sloop"]),
        (json!({ "media_type": "text/plain", "crew": { "$nin": [4, 6] } }), vec!["barge", "ferry"]),
        (
            json!({ "$or": [{ "crew": 4 }, { "$not": { "tags": { "$exists": true } } }] }),
            vec!["barge", "ferry", "sloop"],
        ),
    ] {
        assert_eq!(found(&running, filter.clone()), expected, "{filter}");
    }
    // What is deleted is gone from behind a filter too, and new metadata take the place of the old.
    running.call("DELETE", "/v1/documents/ketch?corpus=fleet", None);
    let again = json!({
        "corpus": "fleet", "doc_id": "sloop", "text": "The mast of the sloop is of larch.", "metadata": { "crew": 6 },
    });
    let (status, answer) = running.call("POST", "/v1/documents", Some(&again));
    assert_eq!((status, answer["unchanged"].as_bool()), (201, Some(false)), "{answer}");
    assert_eq!(found(&running, json!({ "crew": 6 })), ["sloop"]);
    assert_eq!(found(&running, json!({ "crew": 4 })), [""; 0]);
}

#[test]
fn metadata_are_kept_and_shown_however_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let key = running.api_key.as_deref().unwrap();
    let form = "--cut\r\ncontent-disposition: form-data; name=\"metadata\"\r\n\r\n{\"shelf\": \"form\"}\r\n\
                --cut\r\ncontent-disposition: form-data; name=\"file\"; filename=\"form.txt\"\r\n\r\n\
                The gate opens at nine.\r\n--cut--\r\n";
    let line =
        "{\"doc_id\": \"line\", \"text\": \"The gate opens at ten.\", \"metadata\": {\"shelf\": \"line\"}}\n";
    for (path, headers, body) in [
        ("/v1/documents", "content-type: multipart/form-data; boundary=cut\r\n", form),
        ("/v1/documents", "content-type: application/x-ndjson\r\n", line),
        (
            "/v1/documents?doc_id=bytes&metadata=%7B%22shelf%22%3A%22bytes%22%7D",
            "content-type: text/plain\r\n",
            "The gate opens at noon.",
        ),
    ] {
        let (status, _, answer) =
            send(&running.address, key, "POST", path, headers, body.as_bytes()).unwrap();
        assert!(status == 200 || status == 201, "{path}: {answer}");
    }
    std::fs::write(folder.path().join("more.jsonl"), line.replace("line", "file")).unwrap();
    let ingested = mainstay(folder.path(), &["ingest", "more.jsonl"]);
    assert!(ingested.status.success(), "{}", String::from_utf8_lossy(&ingested.stderr));
    for (id, shelf) in [("form.txt", "form"), ("line", "line"), ("bytes", "bytes"), ("file", "file")] {
        let (_, document) = running.call("GET", &format!("/v1/documents/{id}"), None);
        assert_eq!(document["metadata"], json!({ "shelf": shelf }), "{document}");
        let body = json!({ "query": "gate", "filter": { "shelf": shelf } });
        let (_, answer) = running.call("POST", "/v1/search", Some(&body));
        let results = answer["results"].as_array().unwrap();
        assert!(results.len() == 1 && results[0]["doc_id"] == id, "{answer}");
    }
}

#[test]
fn metadata_and_filters_that_make_no_sense_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    fleet(&running, "fleet");
    for (metadata, part) in [
        (json!({ "crew": { "captain": 1 } }), "\"crew\" must be a string"),
        (json!({ "language": "en" }), "which every document has already"),
        (json!({ "a.b": 1 }), "letters, digits"),
    ] {
        let body = json!({ "doc_id": "x", "text": "A tug.", "metadata": metadata });
        let (status, answer) = running.call("POST", "/v1/documents", Some(&body));
        let error = &answer["error"];
        assert_eq!((status, error["code"].as_str()), (422, Some("invalid_metadata")), "{answer}");
        assert!(error["message"].as_str().unwrap().contains(part), "{answer}");
    }
    let deep = (0..60).fold(json!({ "crew": 1 }), |inner, _| json!({ "$not": inner }));
    for (filter, code, parts) in [
        (json!({ "color": "red" }), "invalid_filter", ["\"color\"", "crew (number)"]),
        (json!({ "tags": { "$gt": 3 } }), "invalid_filter", ["\"tags\" with numbers", "of the type string"]),
        (json!({ "crew": "four" }), "invalid_filter", ["\"crew\" with a string", "of the type number"]),
        (json!({ "built": { "$lt": 5 } }), "invalid_filter", ["\"built\" with numbers", "of the type date"]),
        (json!({ "crew": { "$near": 5 } }), "invalid_value", ["`filter.crew.$near`", "`$gte`"]),
        (json!([1]), "invalid_type", ["`filter`", "not an array"]),
        (deep, "invalid_value", ["nested too deeply", "8 levels"]),
    ] {
        let body = json!({ "corpus": "fleet", "query": "mast", "filter": filter });
        let (status, answer) = running.call("POST", "/v1/search", Some(&body));
        let error = &answer["error"];
        assert_eq!((status, error["code"].as_str()), (400, Some(code)), "{answer}");
        let message = error["message"].as_str().unwrap();
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        assert!(error["param"].as_str().unwrap().starts_with("filter"), "{answer}");
    }
    // Deeper than a reader of JSON goes.
    let bomb =
        format!("{{\"query\":\"mast\",\"filter\":{}1{}}}", "{\"$not\":".repeat(50_000), "}".repeat(50_000));
    let key = running.api_key.as_deref().unwrap();
    let json = "content-type: application/json\r\n";
    let (status, _, answer) =
        send(&running.address, key, "POST", "/v1/search", json, bomb.as_bytes()).unwrap();
    assert!(status == 400 && answer.contains("recursion limit"), "{status} {answer}");
}

#[test]
fn an_answer_is_narrowed_by_the_filter_of_its_request() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    fleet(&running, "default");
    let ask = |filter: Value| {
        let message = json!({ "role": "user", "content": "Is the mast of the ketch of spruce?" });
        let body = json!({ "model": "assistant", "messages": [message], "mainstay": { "filter": filter } });
        running.call("POST", "/v1/chat/completions", Some(&body))
    };
    for (crew, is_ketch) in [(6, true), (4, false)] {
        let (status, answer) = ask(json!({ "crew": crew }));
        let content = answer["choices"][0]["message"]["content"].as_str().unwrap_or_default();
        assert_eq!((status, answer["mainstay"]["passages"].as_u64()), (200, Some(1)), "{answer}");
        assert_eq!(content.contains("spruce"), is_ketch, "{answer}");
    }
    let (status, answer) = ask(json!({ "color": "red" }));
    assert_eq!((status, answer["error"]["code"].as_str()), (400, Some("invalid_filter")), "{answer}");
    assert_eq!(answer["error"]["param"], "mainstay.filter", "{answer}");
}

#[test]
fn searches_that_make_no_sense_are_answered_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mainstay.toml"), "[corpora.default]\n[corpora.fleet]\n").unwrap();
    let running = Running::start(folder.path());
    // Of a corpus that is still empty.
    assert_eq!(found(&running, json!(null)), [""; 0]);
    assert_eq!(found(&running, json!({ "crew": 4 })), [""; 0]);
    fleet(&running, "fleet");
    for query in [
        "mast ".repeat(20_000),
        "x".repeat(100_000),
        "the of and to".to_owned(),
        "🚢 ⛵️ 👩‍🚀 🏴󠁧󠁢󠁳󠁣󠁴󠁿".to_owned(),
        "mast 桅杆 мачта الصاري เสากระโดง ⛵".to_owned(),
        "\u{0}\u{feff}\u{202e}".to_owned(),
    ] {
        let body = json!({ "corpus": "fleet", "query": query, "limit": 3 });
        let (status, answer) = running.call("POST", "/v1/search", Some(&body));
        assert!(status == 200 && answer["results"].is_array(), "{status} {answer}");
    }
    for (body, part) in [
        (json!({ "query": "mast", "limit": 0 }), "limit is 0; it must be from 1 to 1000"),
        (json!({ "query": "mast", "limit": 1_000_000 }), "limit is 1000000; it must be from 1 to 1000"),
        (json!({ "query": "mast", "limit": -1 }), "invalid value"),
        (json!({ "query": " \t\n" }), "the query is empty"),
        (json!({ "query": 5 }), "invalid type"),
        (json!({ "query": "mast", "k": 3 }), "unknown field `k`"),
    ] {
        let (status, answer) = running.call("POST", "/v1/search", Some(&body));
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(status == 400 && message.contains(part), "{body}: {answer}");
    }
}

#[test]
fn how_far_the_index_is_behind_is_a_metric() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mainstay.toml"), "[slo.freshness]\nstaleness = \"45s\"\n").unwrap();
    let running = Running::start(folder.path());
    fleet(&running, "fleet");
    let (_, _, metrics) = send(&running.address, "", "GET", "/metrics", "", b"").unwrap();
    for line in [
        "mainstay_index_lag_seconds 0",
        "mainstay_documents_waiting 0",
        "mainstay_index_staleness_target_seconds 45",
    ] {
        assert!(metrics.lines().any(|one| one == line), "{line} is not in\n{metrics}");
    }
}

#[test]
fn the_command_line_narrows_searches_and_questions_too() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    fleet(&running, "default");
    let output =
        mainstay(folder.path(), &["search", "the mast", "--filter", r#"{"crew": {"$lt": 5}}"#, "--json"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found: Vec<&str> =
        answer["results"].as_array().unwrap().iter().map(|one| one["doc_id"].as_str().unwrap()).collect();
    assert_eq!(found, ["sloop"]);
    let question = "What is the mast of the ketch made of?";
    let answer_of = |filter| {
        let output = mainstay(folder.path(), &["ask", question, "--filter", filter]);
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(answer_of(r#"{"sold": true}"#).contains("spruce"));
    assert!(!answer_of(r#"{"sold": false}"#).contains("spruce"));
    for (filter, part) in [
        ("{crew: 4}", "not valid JSON"),
        ("4", "must be a JSON object"),
        (r#"{"crew": {"$near": 4}}"#, "`$gte`"),
    ] {
        let output = mainstay(folder.path(), &["search", "the mast", "--filter", filter]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{filter}: {said}");
        assert!(said.contains(part), "{filter}: {said}");
    }
}
