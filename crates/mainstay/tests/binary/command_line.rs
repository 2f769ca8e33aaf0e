//! The verbs as people and scripts use them.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::running::{Running, command, mainstay};

/// Runs a verb that prints JSON.
fn json_of(folder: &Path, arguments: &[&str]) -> Value {
    let output = mainstay(folder, arguments);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn line(id: &str, text: &str) -> String {
    format!("{}\n", serde_json::json!({ "doc_id": id, "text": text }))
}

#[test]
fn of_lines_with_one_doc_id_the_last_holds_and_a_faulty_one_is_refused_alone() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    // The first request has so much to do that the second would overtake it.
    let filler = "The clerk wrote a line of the ledger before the lamp went out. ".repeat(40);
    let mut lines = line("tide", &format!("High water is at noon. {filler}"));
    lines += &line("\u{1}", "nobody can type this id");
    lines.extend((0..300).map(|number| line(&format!("other {number}"), &filler)));
    lines += &line("tide", "High water is at dusk.");
    fs::write(folder.path().join("corpus.jsonl"), lines).unwrap();
    let summary = json_of(folder.path(), &["ingest", "corpus.jsonl", "--json", "--corpus", "tides"]);
    let refused = summary["refused"].as_array().unwrap();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0]["source"], "corpus.jsonl line 2");
    assert_eq!(summary["accepted"], 302);
    let (_, document) = running.call("GET", "/v1/documents/tide?corpus=tides&include=text", None);
    assert_eq!(document["text"], "High water is at dusk.");
}

#[test]
fn a_file_that_is_too_large_is_refused_and_the_rest_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mainstay.toml"), "[server]\nbody_limit = \"10KiB\"\n").unwrap();
    let docs = folder.path().join("docs");
    fs::create_dir(&docs).unwrap();
    fs::write(docs.join("a.txt"), "The lamp is lit at six. ".repeat(1_000)).unwrap();
    fs::write(docs.join("b.txt"), "The bell is rung at seven.").unwrap();
    let summary = json_of(folder.path(), &["ingest", "docs", "--json"]);
    assert_eq!((summary["accepted"].as_u64(), summary["refused"].as_array().unwrap().len()), (Some(1), 1));
    assert_eq!(summary["refused"][0]["source"], "a.txt");
}

#[test]
fn the_first_key_is_made_by_the_first_up_that_shows_it() {
    let folder = tempfile::tempdir().unwrap();
    assert!(mainstay(folder.path(), &["keys", "list"]).status.success());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_eq!(mainstay(folder.path(), &["up", "--listen", &address]).status.code(), Some(1));
    let running = Running::start(folder.path());
    assert!(running.api_key.as_ref().is_some_and(|key| key.starts_with("msk_")));
    drop(running);
    assert_eq!(Running::start(folder.path()).api_key, None);
}

#[test]
fn up_adds_the_documents_of_the_configuration_and_refuses_what_does_not_exist() {
    let folder = tempfile::tempdir().unwrap();
    let configuration = folder.path().join("mainstay.toml");
    fs::write(&configuration, "[corpora.default]\n[corpora.manuals]\ndocuments = [\"./manuals\"]\n").unwrap();
    let output = mainstay(folder.path(), &["up"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("corpora.manuals.documents") && told.contains("manuals"), "{told}");
    fs::create_dir(folder.path().join("manuals")).unwrap();
    fs::write(folder.path().join("manuals/pump.md"), "# Pump\n\nOil the pump in spring.").unwrap();
    fs::write(folder.path().join("manuals/empty.md"), "").unwrap();
    let running = Running::start(folder.path());
    let counts = &running.ready["documents"][0];
    assert_eq!(counts["corpus"], "manuals");
    assert_eq!((counts["accepted"].as_u64(), counts["refused"].as_u64()), (Some(1), Some(1)), "{counts}");
    assert_eq!(running.call("GET", "/v1/documents/pump.md?corpus=manuals", None).0, 200);
}

#[test]
fn the_handbook_goes_into_the_corpus_default_and_into_no_other() {
    for (configuration, expected) in [("", 1), ("[corpora.default]\n", 1), ("[corpora.manuals]\n", 0)] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("mainstay.toml"), configuration).unwrap();
        let running = Running::start(folder.path());
        let (_, corpora) = running.call("GET", "/v1/corpora", None);
        let filled =
            corpora["data"].as_array().unwrap().iter().filter(|one| one["documents"].as_u64() > Some(0));
        assert_eq!(filled.count(), expected, "{configuration:?}: {corpora}");
    }
}

#[test]
fn wrong_use_ends_with_2_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let _running = Running::start(folder.path());
    for arguments in [
        &["ask", " "][..],
        &["ask", "Who?", "--model", "nope"],
        &["search", "x", "--limit", "0"],
        &["search", "x", "--corpus", "nope"],
        &["ingest", "nowhere"],
        &["ingest", ".", "--corpus", ""],
        &["keys", "revoke", "no/pe"],
    ] {
        let output = mainstay(folder.path(), arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.starts_with("error: "), "{arguments:?}: {told}");
    }
    fs::write(folder.path().join("wrong.toml"), "[server]\nlisten = 5\n").unwrap();
    let output = mainstay(folder.path(), &["up", "--config", "wrong.toml"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let _running = Running::start(folder.path());
    for arguments in [&["ask", "How do I add documents?"][..], &["search", "documents"], &["keys", "list"]] {
        let mut child = command(folder.path(), arguments)
            .args(["--data-dir", "data"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && told.is_empty(), "{arguments:?}: {told}");
    }
}

#[test]
fn a_document_cannot_send_control_characters_to_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let text = "The harbour bar dries at low water \u{1b}[31m twice a day.\u{9b}2J";
    let body = serde_json::json!({ "doc_id": "bar", "title": "Bar\u{1b}]0;x\u{7}", "text": text });
    assert_eq!(running.call("POST", "/v1/documents", Some(&body)).0, 201);
    for arguments in [&["ask", "When does the harbour bar dry?"][..], &["search", "harbour bar"]] {
        let printed = String::from_utf8(mainstay(folder.path(), arguments).stdout).unwrap();
        assert!(printed.contains("harbour"), "{printed:?}");
        assert!(printed.chars().all(|c| c == '\n' || !c.is_control()), "{printed:?}");
    }
}

#[test]
fn retrieval_is_measured_on_a_folder_without_a_server_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let golden = folder.path().join("golden");
    fs::create_dir(&golden).unwrap();
    let facts = [
        ("tide", "High water is at noon."),
        ("lamp", "The lamp is lit at six."),
        ("bell", "The bell is rung when the lamp is out."),
    ];
    let corpus: String = facts.iter().map(|(id, text)| line(id, text)).collect();
    fs::write(golden.join("corpus.jsonl"), corpus).unwrap();
    let questions: String = [("q1", "When is high water?"), ("q2", "When is the lamp lit?")]
        .map(|(id, text)| format!("{}\n", serde_json::json!({ "query_id": id, "text": text })))
        .concat();
    fs::write(golden.join("queries.jsonl"), questions).unwrap();
    // The second is judged wrongly on purpose: its document stands second at best.
    fs::write(golden.join("qrels.tsv"), "query_id\tdoc_id\trelevance\nq1\ttide\t1\nq2\tbell\t1\n").unwrap();
    let eval = |arguments: &[&str]| {
        command(folder.path(), &[&["eval", "retrieval", "golden"], arguments].concat()).output().unwrap()
    };
    let measured: Value = serde_json::from_slice(&eval(&["--json"]).stdout).unwrap();
    assert_eq!((measured["questions"].as_u64(), measured["documents"].as_u64()), (Some(2), Some(3)));
    assert_eq!(measured["recall@5"]["mean"], 1.0);
    assert_eq!(measured["MRR@10"]["mean"], 0.75);
    assert!(measured["MRR@10"]["low"].as_f64() < measured["MRR@10"]["high"].as_f64());
    assert!(measured["index_bytes"].as_u64() > Some(0));
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["golden"]);

    fs::write(golden.join("qrels.tsv"), "q1\tgone\t1\n").unwrap();
    let refused = eval(&[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("gone"));
}
