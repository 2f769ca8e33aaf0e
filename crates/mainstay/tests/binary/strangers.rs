//! What anybody may send before it is known who they are, and where they say that they come from.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::running::{Running, call, mainstay, send};

/// Sends this and nothing more, and reads until the server has said all.
fn say(address: &str, text: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    // Far beyond what a server may take: only a test that has failed waits for it.
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 4_096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&piece[..count]),
            // It has answered and is done with us.
            Err(_) if !answer.is_empty() => break,
            Err(error) => panic!("no answer: {error}"),
        }
        if answer.ends_with(b"}") {
            break;
        }
    }
    String::from_utf8(answer).unwrap()
}

#[test]
fn who_is_not_known_is_told_so_before_any_of_their_body_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    for path in ["/v1/chat/completions", "/v1/documents", "/admin/tenants"] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer msk_0_0\r\ncontent-length: 1000000\r\n\r\n",
            running.address
        );
        let answer = say(&running.address, &head);
        assert!(
            answer.starts_with("HTTP/1.1 401 ") && answer.contains("invalid_api_key"),
            "{path}: {answer}"
        );
    }
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mainstay.toml"), "[server]\nbody_timeout = \"200ms\"\n").unwrap();
    let running = Running::start(folder.path());
    let key = running.api_key.as_deref().unwrap();
    let head = format!(
        "POST /v1/search HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {key}\r\ncontent-length: 50\r\n\r\n{{\"query",
        running.address
    );
    let answer = say(&running.address, &head);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[test]
fn headers_that_do_not_come_are_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mainstay.toml"), "[server]\nbody_timeout = \"200ms\"\n").unwrap();
    let running = Running::start(folder.path());
    for begun in ["", "GET /healthz", "GET /healthz HTTP/1.1\r\nhost: a\r\nx-slow: "] {
        let mut stream = TcpStream::connect(&running.address).unwrap();
        // Far beyond what the server waits for: only a test that has failed comes here.
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(begun.as_bytes()).unwrap();
        let end = stream.read_to_end(&mut Vec::new());
        let is_over = end.as_ref().map_or_else(|error| error.kind() == ErrorKind::ConnectionReset, |_| true);
        assert!(is_over, "{begun:?}: {end:?}");
    }
}

#[test]
fn metrics_which_anybody_may_read_have_no_name_that_a_tenant_gave() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let body = json!({ "corpus": "merger-with-acme", "documents": [{ "doc_id": "plan", "text": "The ships are sold." }] });
    let (status, answer) = running.call("POST", "/v1/documents", Some(&body));
    assert_eq!(status, 200, "{answer}");
    let asked = json!({ "corpus": "merger-with-acme", "query": "ships" });
    assert_eq!(running.call("POST", "/v1/search", Some(&asked)).0, 200);
    let metrics = metrics(&running);
    assert!(!metrics.contains("merger"), "{metrics}");
    for line in [
        "mainstay_documents{corpus=\"other\"} 1",
        "mainstay_retrieval_duration_seconds_count{corpus=\"other\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

fn metrics(running: &Running) -> String {
    let (status, _, text) = send(&running.address, "", "GET", "/metrics", "", &[]).unwrap();
    assert_eq!(status, 200);
    text
}

/// The statuses of searches from these addresses, one a minute allowed from each.
fn searches_from(folder: &Path, behind_proxy: bool, forwarded: &[&str]) -> Vec<u16> {
    let config = format!(
        "[server]\nbehind_proxy = {behind_proxy}\n[limits.per_address]\nrequests_per_minute = 1\nburst_requests = 1\n"
    );
    std::fs::write(folder.join("mainstay.toml"), config).unwrap();
    let running = Running::start(folder);
    let key = running.api_key.as_deref().unwrap();
    let body =
        json!({ "model": "assistant", "messages": [{ "role": "user", "content": "Hello?" }] }).to_string();
    let ask = |address: &&str| {
        let headers = format!("content-type: application/json\r\nx-forwarded-for: {address}\r\n");
        let path = "/v1/chat/completions";
        let (status, _, answer) =
            send(&running.address, key, "POST", path, &headers, body.as_bytes()).unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert!(status == 200 || answer["error"]["code"] == "rate_limit_exceeded", "{status}: {answer}");
        status
    };
    forwarded.iter().map(ask).collect()
}

#[test]
fn where_a_caller_says_to_come_from_counts_behind_a_proxy_alone_and_then_what_the_proxy_says() {
    let folder = || tempfile::tempdir().unwrap();
    let invented = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
    assert_eq!(searches_from(folder().path(), false, &invented), [200, 429, 429]);
    assert_eq!(searches_from(folder().path(), true, &invented), [200, 200, 200]);
    // What the caller had put there stands before what the proxy adds.
    let with_proxy = ["10.0.0.1, 192.0.2.7", "10.0.0.2, 192.0.2.7", "10.0.0.2, 192.0.2.8"];
    assert_eq!(searches_from(folder().path(), true, &with_proxy), [200, 429, 200]);
}

#[test]
fn what_asks_nothing_has_a_limit_of_its_own_and_ingest_waits_for_its_turn() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[limits.administration]\nrequests_per_minute = 1\nburst_requests = 2\n";
    std::fs::write(folder.path().join("mainstay.toml"), config).unwrap();
    let running = Running::start(folder.path());
    let key = running.api_key.clone().unwrap();
    for path in ["/admin/keys", "/v1/documents"] {
        assert_eq!(running.call("GET", path, None).0, 200, "{path}");
    }
    let asked = json!({ "model": "assistant", "messages": [{ "role": "user", "content": "Hello?" }] });
    let searched = json!({ "query": "ships" });
    for (method, path, body, expected) in [
        ("GET", "/admin/tenants", None, 429),
        ("POST", "/v1/documents", Some(&searched), 429),
        ("GET", "/console/search/document", None, 429),
        ("GET", "/v1/models", None, 429),
        ("POST", "/v1/search", Some(&searched), 200),
        ("POST", "/v1/chat/completions", Some(&asked), 200),
        ("GET", "/console/search", None, 200),
        ("GET", "/healthz", None, 200),
    ] {
        let body = body.map(Value::to_string).unwrap_or_default();
        let json = "content-type: application/json\r\n";
        let (status, head, answer) =
            send(&running.address, &key, method, path, json, body.as_bytes()).unwrap();
        assert_eq!(status, expected, "{method} {path}: {answer}");
        let waits = head.to_lowercase().contains("\r\nretry-after: ");
        assert!(waits == (status == 429) || path.starts_with("/console/"), "{path}: {head}");
    }
    drop(running);

    let config = "[limits.administration]\nrequests_per_minute = 6000\nburst_requests = 1\n";
    std::fs::write(folder.path().join("mainstay.toml"), config).unwrap();
    for number in 0..12 {
        let text = format!("The keeper of light number {number} winds the clock.");
        std::fs::write(folder.path().join(format!("light-{number}.txt")), text).unwrap();
    }
    let running = Running::start(folder.path());
    let ingested = mainstay(folder.path(), &["ingest", "."]);
    let (said, complained) =
        (String::from_utf8_lossy(&ingested.stdout), String::from_utf8_lossy(&ingested.stderr));
    assert!(ingested.status.success(), "{said}{complained}");
    let (_, documents) = call(&running.address, &key, "GET", "/v1/documents", None).unwrap();
    let there = documents["data"].as_array().unwrap().iter();
    let there = there.filter(|one| one["doc_id"].as_str().unwrap_or_default().contains("light-"));
    assert_eq!(there.count(), 12, "{said}{complained}{documents}");
}

#[test]
fn nobody_writes_lines_of_their_own_into_the_log_or_sends_control_characters_through_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let running =
        Running::start_logging(folder.path(), std::fs::File::create(&path).unwrap().into(), Some("trace"));
    let key = running.api_key.as_deref().unwrap();
    let forged = "x\n2026-01-01T00:00:00.000000Z  INFO forged\r\x1b[2Jforged\u{9b}2J\u{202e}";
    let question = json!([{ "role": "user", "content": forged, "name": forged }]);
    for (path, body) in [
        ("/v1/documents", json!({ "doc_id": "d", "text": forged, "title": forged })),
        ("/v1/documents", json!({ "corpus": forged, "doc_id": "d", "text": forged, "title": forged })),
        (
            "/v1/documents",
            json!({ "doc_id": forged, "text": "Ships.", "title": forged, "metadata": { forged: forged } }),
        ),
        ("/v1/search", json!({ "corpus": forged, "query": forged })),
        ("/v1/search", json!({ "query": "ships", "filter": { forged: forged } })),
        ("/v1/chat/completions", json!({ "model": forged, "messages": question })),
        ("/v1/chat/completions", json!({ "model": "assistant", "messages": question, "user": forged })),
        ("/v1/messages", json!({ "model": forged, "messages": question, "max_tokens": 5 })),
        ("/v1/embeddings", json!({ "model": forged, "input": forged })),
        ("/admin/keys", json!({ "name": forged, "role": forged })),
        ("/admin/tenants", json!({ "id": forged, "name": forged })),
        ("/admin/erasures", json!({ "user": forged })),
        ("/admin/index/rebuild", json!({ "corpus": forged })),
        ("/admin/policies/test", json!({ forged: forged })),
    ] {
        let (status, answer) = running.call("POST", path, Some(&body));
        assert!((200..500).contains(&status), "{path}: {answer}");
    }
    let encoded = "%0A2026%0Dforged%1B%5B2J%C2%9B";
    for target in ["/v1/documents/", "/v1/models/", "/admin/tenants/", "/v1/nowhere/"] {
        send(&running.address, key, "GET", &format!("{target}{encoded}"), "", &[]).unwrap();
    }
    // What is no request in HTTP comes no further than to its parser.
    for headers in [
        "x-mainstay-team: a\x1b[2Jforged\r\n",
        "x-mainstay-team: a\n2026 forged\r\n",
        "x-request-id: \u{9b}forged\r\n",
    ] {
        let _ = send(&running.address, key, "GET", "/v1/models", headers, &[]);
    }
    drop(running);
    let log = std::fs::read_to_string(&path).unwrap();
    assert!(log.contains("documents added"), "{log}");
    for line in log.lines() {
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
        assert!(line.starts_with("20") && !line.starts_with("2026-01-01"), "{line:?}");
    }
}
