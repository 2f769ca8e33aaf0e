//! What happens to questions while the embedder of their corpus is down, and how the cache of answers is filled.

use mainstay_provider_sim::StandIn;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::running::{Running, mainstay, send, stand_in};

const DOCUMENTS: [(&str, &str); 3] = [
    ("quokka", "The quokka sleeps from noon to three."),
    ("zeppelin", "The zeppelin hangar opens at nine on weekdays."),
    ("walrus", "A walrus ferry to Greenland takes three days."),
];

struct Site {
    running: Running,
    stand_in: StandIn,
    folder: tempfile::TempDir,
    _runtime: Runtime,
}

impl Site {
    fn start() -> Self {
        let (stand_in, address, runtime) = stand_in();
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "[providers.sim]\nkind = \"openai-compatible\"\nbase_url = \"http://{address}/compatible/v1\"\n\
             [corpora.default]\nembedder = \"sim/text-embedding-3-small\"\ndimensions = 64\n\
             [assistants.support]\ncorpus = \"default\"\nmodel = \"builtin/extractive\"\ncache.mode = \"exact\"\n\
             [assistants.forgetful]\ncorpus = \"default\"\nmodel = \"builtin/extractive\"\n"
        );
        std::fs::write(folder.path().join("mainstay.toml"), config).unwrap();
        let running = Running::start(folder.path());
        let documents: Vec<Value> =
            DOCUMENTS.iter().map(|(id, text)| json!({ "doc_id": id, "text": text })).collect();
        let (status, answer) =
            running.call("POST", "/v1/documents", Some(&json!({ "documents": documents })));
        assert_eq!(status, 200, "{answer}");
        Self { running, stand_in, folder, _runtime: runtime }
    }

    fn search(&self, question: &str) -> Value {
        let (status, answer) = self.running.call("POST", "/v1/search", Some(&json!({ "query": question })));
        assert_eq!(status, 200, "{answer}");
        answer
    }
}

#[test]
fn while_the_embedder_is_down_the_words_of_a_question_are_searched_for() {
    let site = Site::start();
    assert_eq!(site.search("when does the quokka sleep")["words_alone"], false);
    site.stand_in.fail_next(std::iter::repeat_n("500".parse().unwrap(), 100));
    for (question, expected) in [
        ("a sleeping quokka", "quokka"),
        ("the walrus to Greenland", "walrus"),
        ("hangar of the zeppelin", "zeppelin"),
        ("the quokka again", "quokka"),
    ] {
        let answer = site.search(question);
        assert_eq!(answer["words_alone"], true, "{answer}");
        assert_eq!(answer["results"][0]["doc_id"], expected, "{answer}");
    }
    let key = site.running.api_key.as_deref().unwrap();
    let metrics = send(&site.running.address, key, "GET", "/metrics", "", b"").unwrap().2;
    assert!(metrics.contains("mainstay_retrieval_words_alone_total{corpus=\"default\"} 4"), "{metrics}");
    // Three questions, each tried three times, have opened the breaker; the fourth did not wait.
    let breaker = "mainstay_breaker_state{upstream=\"sim/text-embedding-3-small\"} 2";
    assert!(metrics.contains(breaker), "{metrics}");
}

#[test]
fn the_answers_to_the_questions_of_a_file_are_kept() {
    let site = Site::start();
    let questions = site.folder.path().join("questions.txt");
    std::fs::write(&questions, "When does the quokka sleep?\nWhen does the zeppelin hangar open?\n").unwrap();
    let warm = |assistant: &str| {
        let arguments = ["cache", "warm", questions.to_str().unwrap(), "--assistant", assistant, "--json"];
        let output = mainstay(site.folder.path(), &arguments);
        let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        (output.status.code().unwrap(), found, String::from_utf8(output.stderr).unwrap())
    };
    let (code, found, said) = warm("support");
    assert_eq!((code, &found["answered"], &found["kept"]), (0, &json!(2), &json!(true)), "{found} {said}");
    // While the last documents of the handbook come, answers from before are forgotten.
    assert!((0..100).any(|_| warm("support").1["known"] == 2));
    let (code, found, said) = warm("forgetful");
    assert_eq!((code, &found["kept"]), (1, &json!(false)));
    assert!(said.contains("cache.mode"), "{said}");
    let (code, found) = {
        let output = mainstay(site.folder.path(), &["cache", "warm", "nowhere.txt"]);
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    assert!(code == 2 && found.contains("nowhere.txt"), "{found}");
    // What is kept in the memory of nobody helps nobody.
    let elsewhere = tempfile::tempdir().unwrap();
    let output = mainstay(elsewhere.path(), &["cache", "warm", questions.to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("no Mainstay is running"), "{said}");
}
