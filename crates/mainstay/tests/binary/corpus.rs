//! `mainstay corpus` and the routes behind it: a report, what is kept from searches, and the way out.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::running::{Running, command, mainstay, send};

/// A line of data in letters, far longer than a word.
fn data() -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut state = 7_u64;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(LETTERS[(state >> 58) as usize])
    };
    (0..600).map(|_| letter()).collect()
}

fn manual() -> String {
    let prose =
        "The keeper winds the clock of the tower every morning before the gates are opened. ".repeat(12);
    format!("# Clock\n\n{prose}\n\n# Picture\n\n{}\n\n# Gates\n\nThe gates open at nine. {prose}", data())
}

/// A folder with a data set about clocks, and about a document that it alone has.
fn golden(folder: &Path) {
    let write = |name: &str, text: &str| fs::write(folder.join("golden").join(name), text).unwrap();
    fs::create_dir(folder.join("golden")).unwrap();
    write(
        "corpus.jsonl",
        "{\"doc_id\":\"manual.md\",\"text\":\"x\"}\n{\"doc_id\":\"lost\",\"text\":\"y\"}\n",
    );
    write(
        "queries.jsonl",
        "{\"query_id\":\"q1\",\"text\":\"Who winds the clock?\"}\n{\"query_id\":\"q2\",\"text\":\"Where is it?\"}\n",
    );
    write("qrels.tsv", "q1\tmanual.md\t1\nq2\tlost\t1\n");
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn json_of(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text_of(&output.stderr));
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text_of(&output.stdout)))
}

/// Asserts that a call is wrong use, and that what it says has these parts.
#[track_caller]
fn assert_refused(output: &Output, parts: &[&str]) {
    let told = text_of(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(parts.iter().all(|part| told.contains(part)), "{parts:?} in {told}");
}

fn finds(running: &Running, text: &str) -> bool {
    let body = json!({ "query": text, "limit": 50 });
    let (status, answer) = running.call("POST", "/v1/search", Some(&body));
    assert_eq!(status, 200, "{answer}");
    answer["results"].as_array().unwrap().iter().any(|one| one["text"].as_str().unwrap().contains(text))
}

#[test]
fn data_in_a_document_are_kept_from_searches_listed_and_released() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("manual.md"), manual()).unwrap();
    let running = Running::start(folder.path());
    let ingested = mainstay(folder.path(), &["ingest", "manual.md"]);
    let table = text_of(&ingested.stdout);
    assert!(table.contains("quarantined") && table.contains("encoded 1"), "{table}");
    let again = json_of(&mainstay(folder.path(), &["ingest", "manual.md", "--json"]));
    assert_eq!((again["unchanged"].as_u64(), &again["quarantined"]), (Some(1), &json!({})), "{again}");
    let (_, document) = running.call("GET", "/v1/documents/manual.md", None);
    assert_eq!(document["quarantined"], json!({ "encoded": 1 }), "{document}");
    let (_, corpora) = running.call("GET", "/v1/corpora", None);
    let is_default = |one: &&Value| one["corpus"] == "default";
    let default = corpora["data"].as_array().unwrap().iter().find(is_default).unwrap();
    assert_eq!(default["quarantined"], json!({ "encoded": 1 }), "{corpora}");
    let (_, _, metrics) = send(&running.address, "", "GET", "/metrics", "", b"").unwrap();
    let line = "mainstay_quarantined_chunks{corpus=\"default\",reason=\"encoded\"} 1";
    assert!(metrics.lines().any(|one| one == line), "{metrics}");
    assert!(!finds(&running, &data()) && finds(&running, "The gates open at nine."));

    let listed = json_of(&mainstay(folder.path(), &["corpus", "quarantine", "--json"]));
    let chunk = &listed["data"][0];
    assert_eq!(
        (listed["data"].as_array().unwrap().len(), &chunk["reason"]),
        (1, &json!("encoded")),
        "{listed}"
    );
    assert!(chunk.get("text").is_none() && chunk["words"].as_u64().unwrap() > 10, "{chunk}");
    let range = chunk["start_byte"].as_u64().unwrap() as usize..chunk["end_byte"].as_u64().unwrap() as usize;
    assert!(manual()[range].ends_with(&data()));
    let shown = text_of(&mainstay(folder.path(), &["corpus", "quarantine", "default", "--show"]).stdout);
    assert!(shown.contains(&data()) && shown.contains("mainstay corpus release default"), "{shown}");
    let hidden = text_of(&mainstay(folder.path(), &["corpus", "quarantine"]).stdout);
    assert!(hidden.contains("manual.md") && !hidden.contains(&data()), "{hidden}");

    let id = chunk["chunk_id"].to_string();
    let released = mainstay(folder.path(), &["corpus", "release", "default", "--chunk", &id, "--json"]);
    assert_eq!(json_of(&released)["chunks"], 1);
    assert!(finds(&running, &data()));
    // A new version with the same data is found with them.
    fs::write(folder.path().join("manual.md"), manual() + "\n\nThe end.\n").unwrap();
    let again = json_of(&mainstay(folder.path(), &["ingest", "manual.md", "--json"]));
    assert_eq!((again["accepted"].as_u64(), &again["quarantined"]), (Some(1), &json!({})), "{again}");
    assert!(finds(&running, &data()));
    let nothing = text_of(&mainstay(folder.path(), &["corpus", "quarantine"]).stdout);
    assert!(nothing.contains("Nothing of the corpus \"default\" is in quarantine"), "{nothing}");
    let (_, _, metrics) = send(&running.address, "", "GET", "/metrics", "", b"").unwrap();
    assert!(
        metrics.contains("mainstay_quarantined_chunks{corpus=\"default\",reason=\"encoded\"} 0"),
        "{metrics}"
    );
}

#[test]
fn a_report_is_a_table_json_and_a_page() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("manual.md"), manual()).unwrap();
    fs::write(folder.path().join("<b>copy.md"), manual()).unwrap();
    golden(folder.path());
    // No Mainstay runs on the folder: the verb starts one for as long as it takes.
    assert!(mainstay(folder.path(), &["ingest", "manual.md", "<b>copy.md"]).status.success());
    let report = json_of(&mainstay(folder.path(), &["corpus", "report", "--json"]));
    assert_eq!((&report["object"], &report["documents"]), (&json!("corpus.report"), &json!(2)), "{report}");
    assert_eq!(report["quarantined"], json!({ "encoded": 2 }));
    assert_eq!(report["duplicates"]["exact_documents"], 1);
    assert!(report.get("coverage").is_none(), "{report}");
    let arguments = ["corpus", "report", "default", "--golden", "golden", "--html", "report.html"];
    let output = mainstay(folder.path(), &arguments);
    assert!(output.status.success(), "{}", text_of(&output.stderr));
    let (table, note) = (text_of(&output.stdout), text_of(&output.stderr));
    for part in ["data in letters", "documents that no question asks about", "1 of 2 (50.0 %)", "missing"] {
        assert!(table.contains(part), "{part} in {table}");
    }
    assert!(
        note.contains("1 of the 2 documents") && note.contains("are not in the corpus \"default\""),
        "{note}"
    );
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    for part in ["<!doctype html>", "<svg", "Odd chunks", "&lt;b&gt;copy.md", "Not in the corpus: lost"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("<script") && !page.contains("<b>copy") && !page.contains("http"), "{page}");
}

#[test]
fn corpora_and_questions_that_make_no_sense_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    golden(folder.path());
    let verb = |arguments: &[&str]| mainstay(folder.path(), &[&["corpus"], arguments].concat());
    // An empty corpus is none to be ashamed of.
    let empty = verb(&["report"]);
    assert!(empty.status.success() && text_of(&empty.stdout).contains("The corpus is empty"));
    assert!(verb(&["release", "default", "--all"]).status.success());
    assert_eq!(json_of(&verb(&["report", "--json"]))["documents"], 0);
    let running = Running::start(folder.path());
    let (status, _) = running.call("POST", "/v1/documents", Some(&json!({ "doc_id": "a", "text": "Nine." })));
    assert_eq!(status, 201);

    for arguments in
        [&["report", "nowhere"][..], &["quarantine", "nowhere"], &["release", "nowhere", "--all"]]
    {
        assert_refused(&verb(arguments), &["there is no corpus \"nowhere\"", "GET /v1/corpora"]);
    }
    assert_refused(&verb(&["report", ""]), &["the name of the corpus is empty"]);
    assert_refused(&verb(&["report", "--golden", "nowhere"]), &["nowhere", "cannot be read", "corpus.jsonl"]);
    let none = ["none of the 2 documents", "such as \"lost\"", "corpus \"default\"", "mainstay ingest"];
    assert_refused(&verb(&["report", "--golden", "golden"]), &none);
    assert_refused(&verb(&["release", "default"]), &["--document", "--chunk", "--all"]);
    assert_refused(&verb(&["release", "default", "--all", "--chunk", "3"]), &["cannot be used with"]);
    assert_refused(&verb(&["release", "default", "--chunk", "three"]), &["three", "--chunk"]);
    assert_refused(&verb(&["release", "default", "--chunk", "77"]), &["no chunk 77 in quarantine"]);
    assert_refused(&verb(&["release", "default", "--document", "b"]), &["no document \"b\" in the corpus"]);
    let nothing = verb(&["release", "default", "--document", "a"]);
    assert!(nothing.status.success() && text_of(&nothing.stdout).contains("Nothing of it was in quarantine"));
    let unwritable = verb(&["report", "--html", "no/such/folder.html"]);
    assert_eq!(unwritable.status.code(), Some(1));
    assert!(text_of(&unwritable.stderr).contains("no/such/folder.html cannot be written"));
    fs::write(folder.path().join("golden/qrels.tsv"), "q1\tunknown\t1\n").unwrap();
    assert_refused(&verb(&["report", "--golden", "golden"]), &["qrels.tsv, line 1", "\"unknown\""]);
}

#[test]
fn the_routes_are_the_administrators_and_refuse_what_they_do_not_understand() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let (_, key) =
        running.call("POST", "/admin/keys", Some(&json!({ "name": "writer", "role": "ingester" })));
    let writer = key["api_key"].as_str().unwrap();
    for (method, path) in [
        ("GET", "/admin/quarantine"),
        ("POST", "/admin/quarantine/release"),
        ("POST", "/admin/corpora/report"),
    ] {
        for (key, status) in [(writer, "403"), ("msk_nobody", "401")] {
            let body = json!({ "all": true });
            let (found, answer) =
                crate::running::call(&running.address, key, method, path, Some(&body)).unwrap();
            assert!(found.to_string() == status && answer["error"]["code"].is_string(), "{path}: {answer}");
        }
    }
    for (method, path, body, status, part) in [
        ("GET", "/admin/quarantine?limit=0", None, 400, "limit is 0"),
        ("GET", "/admin/quarantine?limits=1", None, 400, "limits"),
        ("GET", "/admin/quarantine?corpus=nowhere", None, 404, "no corpus \"nowhere\""),
        ("POST", "/admin/quarantine/release", Some(json!({})), 400, "\"chunk_id\""),
        ("POST", "/admin/quarantine/release", Some(json!({ "all": 1 })), 400, "boolean"),
        ("POST", "/admin/quarantine/release", Some(json!({ "chunk_id": 7 })), 422, "no chunk 7"),
        ("POST", "/admin/quarantine/release", Some(json!({ "doc_id": "x" })), 404, "no document \"x\""),
        ("POST", "/admin/corpora/report", Some(json!({ "corpus": "nowhere" })), 404, "nowhere"),
        ("POST", "/admin/corpora/report", Some(json!({ "questions": "q" })), 400, "sequence"),
    ] {
        let (found, answer) = running.call(method, path, body.as_ref());
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(found == status && message.contains(part), "{path} {body:?}: {found} {answer}");
    }
}

#[test]
fn settings_that_make_no_sense_are_refused_with_file_line_and_field() {
    let folder = tempfile::tempdir().unwrap();
    for (line, parts) in [
        ("outliers = \"hide\"", &["corpora.default.quality.outliers", "hide"][..]),
        ("unreadable = true", &["corpora.default.quality.unreadable"]),
        ("least_words = -1", &["corpora.default.quality.least_words"]),
        ("farthest = \"far\"", &["corpora.default.quality.farthest"]),
        ("most_words = 2", &["corpora.default.quality.most_words", "at least 3 words and at most 2"]),
        ("lest_words = 2", &["corpora.default.quality.lest_words", "least_words"]),
    ] {
        fs::write(folder.path().join("mainstay.toml"), format!("[corpora.default.quality]\n{line}\n"))
            .unwrap();
        let output = command(folder.path(), &["corpus", "report"]).output().unwrap();
        assert_refused(&output, &[parts, &["mainstay.toml:2:"]].concat());
    }
    // What is wanted holds: nothing is kept from searches.
    let off = "[corpora.default.quality]\nunreadable = \"report\"\noutliers = \"off\"\n";
    fs::write(folder.path().join("mainstay.toml"), off).unwrap();
    fs::write(folder.path().join("manual.md"), manual()).unwrap();
    let ingested = json_of(&mainstay(folder.path(), &["ingest", "manual.md", "--json"]));
    assert_eq!(ingested["quarantined"], json!({}), "{ingested}");
    let report = json_of(&mainstay(folder.path(), &["corpus", "report", "--json"]));
    assert_eq!(report["outliers"][0]["reason"], "encoded", "{report}");
    assert_eq!(report["outliers"][0]["quarantined"], 0, "{report}");
}
