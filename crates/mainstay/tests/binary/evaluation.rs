//! `mainstay eval`, as people and scripts use it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::running::command;

/// A folder with a data set `golden`: for each topic a document that answers and others about the same thing.
struct Site {
    folder: TempDir,
}

const PLACES: [&str; 8] =
    ["harbour", "lighthouse", "archive", "observatory", "mill", "foundry", "orchard", "quarry"];
const HOURS: [&str; 8] = ["five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];

impl Site {
    fn new() -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(site.golden()).unwrap();
        let mut corpus = String::new();
        let mut queries = String::new();
        let mut qrels = "query_id\tdoc_id\trelevance\n".to_owned();
        let mut golden = String::new();
        for (number, (place, hour)) in PLACES.iter().zip(HOURS).enumerate() {
            let mut add =
                |id: String, text: String| corpus += &format!("{}\n", json!({ "doc_id": id, "text": text }));
            add(
                place.to_string(),
                format!("Visitors of the {place} are let in. The {place} opens at {hour}."),
            );
            for other in ["history", "keeper", "roof", "garden", "cellar"] {
                add(
                    format!("{place} {other}"),
                    format!("The {other} of the {place} is described here. It was made long ago."),
                );
            }
            let text = if number % 2 == 0 {
                format!("When does the {place} open?")
            } else {
                format!("{place} opens")
            };
            let (id, language) = (format!("q{number}"), if number < 4 { "en" } else { "de" });
            queries += &format!("{}\n", json!({ "query_id": id, "text": text, "language": language }));
            qrels += &format!("{id}\t{place}\t1\n");
            golden += &format!("{}\n", json!({ "query_id": id, "answers": [hour] }));
        }
        for (name, text) in [
            ("corpus.jsonl", corpus),
            ("queries.jsonl", queries),
            ("qrels.tsv", qrels),
            ("golden.jsonl", golden),
        ] {
            fs::write(site.golden().join(name), text).unwrap();
        }
        site
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn golden(&self) -> PathBuf {
        self.path().join("golden")
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    fn configuration(&self) -> String {
        fs::read_to_string(self.path().join("mainstay.toml")).unwrap()
    }

    /// Adds questions by code. The document that answers names its code once in much text, and others are full of codes
    /// that look like it.
    fn add_codes(&self, count: usize) {
        let append = |name: &str, text: String| {
            let path = self.golden().join(name);
            fs::write(&path, fs::read_to_string(&path).unwrap() + &text).unwrap();
        };
        let filler = "The clerk wrote a line of the ledger before the lamp of the hall went out. ".repeat(3);
        for number in 0..count {
            let code = format!("K{}", 1_001 + 10 * number);
            let text = format!("{filler} Then the bell told of {code} in the hall. {filler}");
            append("corpus.jsonl", format!("{}\n", json!({ "doc_id": code, "text": text })));
            for near in 2..8 {
                let text = (near..near + 3).map(|last| format!("K{}", 1_000 + 10 * number + last));
                let text = text.collect::<Vec<_>>().join(" ");
                let id = format!("{code} {near}");
                append("corpus.jsonl", format!("{}\n", json!({ "doc_id": id, "text": text })));
            }
            append("queries.jsonl", format!("{}\n", json!({ "query_id": code, "text": code })));
            append("qrels.tsv", format!("{code}\t{code}\t1\n"));
        }
    }

    fn eval(&self, arguments: &[&str]) -> Output {
        command(self.path(), &[&["eval"], arguments].concat()).output().unwrap()
    }

    /// What it prints as JSON, with the exit code that is expected.
    #[track_caller]
    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let output = self.eval(&[arguments, &["--json"]].concat());
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {told}"))
    }
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn retrieval_has_the_keys_that_scripts_read_and_its_parts() {
    let site = Site::new();
    let measured = site.json(0, &["retrieval", "golden", "--embedder", "static"]);
    for measure in ["recall@5", "recall@10", "precision@5", "precision@10", "nDCG@10", "MRR@10"] {
        for bound in ["mean", "low", "high"] {
            assert!(measured[measure][bound].is_f64(), "{measure}.{bound}: {measured}");
        }
    }
    assert!(measured["search_ms"]["p99"].is_f64() && measured["index_bytes"].is_u64());
    assert_eq!((&measured["embedder"], &measured["gain"]), (&json!("builtin/static"), &json!("linear")));
    assert!((measured["precision@5"]["mean"].as_f64().unwrap() - 0.2).abs() < 1e-9, "{measured}");
    assert_eq!(measured["by_language"]["de"]["questions"], 4);
    assert_eq!(measured["by_kind"]["question"]["questions"], 4);
    assert_eq!(measured["by_kind"]["keywords"]["MRR@10"]["mean"], 1.0);
    assert_eq!(measured["by_type"], json!({}), "one type alone says nothing");
}

#[test]
fn two_configurations_are_compared_question_by_question() {
    let site = Site::new();
    site.write("mainstay.toml", "[corpora.default]\ndense_weight = 0.2\n");
    site.write("meaning.toml", "[corpora.default]\ndense_weight = 1.0\n");
    let measured =
        site.json(0, &["retrieval", "golden", "--against", "meaning.toml", "--html", "report.html"]);
    let against = &measured["against"];
    assert_eq!((&measured["config"], &against["config"]), (&json!("mainstay.toml"), &json!("meaning.toml")));
    let of = |one: &Value| one["MRR@10"]["mean"].as_f64().unwrap();
    let difference = &against["difference"]["MRR@10"];
    assert!((difference["mean"].as_f64().unwrap() - (of(&measured) - of(against))).abs() < 1e-9);
    for key in ["low", "high", "p_value", "adjusted_p_value", "smallest_detectable"] {
        assert!(difference[key].is_f64(), "{key}: {difference}");
    }
    let counted: u64 = ["wins", "losses", "ties"].iter().filter_map(|key| difference[key].as_u64()).sum();
    assert_eq!(counted, PLACES.len() as u64);
    let page = fs::read_to_string(site.path().join("report.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("meaning.toml") && !page.contains("<script"), "{page}");
    assert!(!page.contains("http"), "nothing comes from elsewhere");

    // The same twice differs in nothing.
    let same = site.json(0, &["retrieval", "golden", "--against-embedder", "static"]);
    assert_eq!(same["against"]["difference"]["nDCG@10"]["p_value"], 1.0);
    assert_eq!((&same["against"]["wins"], &same["against"]["losses"]), (&json!([]), &json!([])));
}

#[test]
fn a_target_that_is_missed_is_named_and_ends_with_1() {
    let site = Site::new();
    // Half of the questions ask for what is not there.
    let qrels =
        (0..8).map(|number| format!("q{number}\t{}\t1\n", PLACES[if number < 4 { number } else { 0 }]));
    fs::write(site.golden().join("qrels.tsv"), qrels.collect::<String>()).unwrap();
    site.write("mainstay.toml", "[slo.quality]\nmrr_at_10 = 0.99\nrecall_at_10 = 0.1\n");
    let output = site.eval(&["retrieval", "golden", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let measured: Value = serde_json::from_slice(&output.stdout).unwrap();
    let gates: Vec<(&str, bool)> = measured["gates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|gate| (gate["key"].as_str().unwrap(), gate["met"].as_bool().unwrap()))
        .collect();
    assert_eq!(gates, [("slo.quality.recall_at_10", true), ("slo.quality.mrr_at_10", false)]);
    let told = told(&output);
    assert!(
        told.contains("golden: MRR@10 is 0.")
            && told.contains("below the target 0.99 of slo.quality.mrr_at_10"),
        "{told}"
    );
    assert!(!told.contains("recall"), "{told}");
    site.write("mainstay.toml", "[slo.quality]\nrecall_at_10 = 0.1\n");
    site.json(0, &["retrieval", "golden"]);
}

#[test]
fn what_cannot_be_measured_is_refused_with_its_place() {
    let site = Site::new();
    for (arguments, expected) in [
        (&["retrieval", "nowhere"][..], "nowhere cannot be read"),
        (&["retrieval", "golden", "--embedder", "oracle"], "no embedder \"oracle\" is built in"),
        (&["retrieval", "golden", "--embedder", "nobody/large"], "no provider \"nobody\""),
        (&["retrieval", "golden", "--corpus", "manuals"], "no corpus \"manuals\""),
        (&["retrieval", "golden", "--against", "nowhere.toml"], "nowhere.toml"),
        (&["tune", "golden", "--measure", "accuracy"], "there is no measure \"accuracy\""),
        (&["tune", "golden", "--write"], "mainstay.toml, which does not exist"),
        (&["position", "golden", "--model", "nobody"], "there is no model \"nobody\""),
        (&["position", "golden", "--model", "builtin/extractive", "--positions", "2"], "3..=50"),
    ] {
        let output = site.eval(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", told(&output));
        assert!(told(&output).contains(expected), "{arguments:?}: {}", told(&output));
    }
    fs::write(site.golden().join("queries.jsonl"), "{\"query_id\": \"q0\", \"text\": \n").unwrap();
    let output = site.eval(&["retrieval", "golden"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("queries.jsonl, line 1: EOF"), "{}", told(&output));
}

#[test]
fn tuning_writes_a_gain_into_the_file() {
    let site = Site::new();
    site.add_codes(8);
    // By meaning alone, the worst of settings for questions by code.
    let file = "# Ours.\n[corpora.default]\ndense_weight = 1.0 # by guess\n";
    site.write("mainstay.toml", file);
    let tune = ["tune", "golden", "--measure", "MRR@10", "--folds", "4"];
    let tuned = site.json(0, &tune);
    assert_eq!(
        (&tuned["measure"], &tuned["folds"], &tuned["questions"]),
        (&json!("MRR@10"), &json!(4), &json!(16))
    );
    assert_eq!(tuned["current"]["dense_weight"], 1.0);
    assert_eq!(tuned["curve"].as_array().unwrap().len(), 42);
    assert!(tuned["gain"]["low"].as_f64() > Some(0.0), "{tuned}");
    assert_eq!(tuned["by_kind"]["exact"]["questions"], 8);
    assert_eq!(site.configuration(), file, "only --write writes");

    site.json(0, &[&tune[..], &["--write"]].concat());
    let after = site.configuration();
    assert!(after.starts_with("# Ours.\n[corpora.default]\n") && after.contains(" # by guess\n"), "{after}");
    assert!(
        after.contains("# Tuned by mainstay eval tune: 16 questions, out of sample: MRR@10 +"),
        "{after}"
    );
    assert!(!after.contains("dense_weight = 1.0"), "{after}");

    // What was chosen is the best: a second time there is nothing to write.
    let output = site.eval(&[&tune[..], &["--write"]].concat());
    assert!(output.status.success() && told(&output).contains("nothing to write"), "{}", told(&output));
    assert_eq!(site.configuration(), after);
}

#[test]
fn tuning_refuses_to_write_what_one_question_gains() {
    let site = Site::new();
    site.add_codes(1);
    let file = "[corpora.default]\ndense_weight = 1.0\n";
    site.write("mainstay.toml", file);
    let output = site.eval(&["tune", "golden", "--write"]);
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert!(told(&output).contains("not told from chance by 9 questions"), "{}", told(&output));
    assert_eq!(site.configuration(), file);
    site.json(0, &["tune", "golden", "--write", "--force"]);
    assert_ne!(site.configuration(), file);
}

#[test]
fn every_position_of_the_context_is_asked() {
    let site = Site::new();
    let measured = site.json(0, &["position", "golden", "--model", "builtin/extractive", "--positions", "4"]);
    let questions = measured["questions"].as_u64().unwrap();
    assert_eq!(questions + measured["without_context"].as_u64().unwrap(), 8, "{measured}");
    assert!(questions > 0 && measured["answers"].as_u64() == Some(questions * 4), "{measured}");
    let rates = measured["by_position"].as_array().unwrap();
    assert!(rates.len() == 4 && rates.iter().all(|rate| rate["mean"].as_f64() > Some(0.5)), "{measured}");
    let verdicts = ["u_curve", "inverted_u_curve", "uneven", "no_difference"];
    assert!(verdicts.contains(&measured["verdict"].as_str().unwrap()), "{measured}");

    fs::remove_file(site.golden().join("golden.jsonl")).unwrap();
    let output = site.eval(&["position", "golden", "--model", "builtin/extractive"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("golden.jsonl does not exist"), "{}", told(&output));
}
