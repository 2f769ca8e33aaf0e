//! How documents are cut, from the configuration to the answer.

use std::fs;

use serde_json::json;

use crate::running::Running;

#[test]
fn an_answer_from_a_contract_cites_the_clause() {
    let folder = tempfile::tempdir().unwrap();
    let configuration = "[corpora.contracts]\nchunking = \"clauses\"\n\
                         [assistants.lawyer]\ncorpus = \"contracts\"\nmodel = \"builtin/extractive\"\n";
    fs::write(folder.path().join("mainstay.toml"), configuration).unwrap();
    let running = Running::start(folder.path());
    let lease = "Article 5\nTermination\n5.1 Notice. The tenant gives notice three months before the end.\n\
                 5.2 Keys. The tenant returns all keys to the porter of the house.\n\n\
                 Article 6\nDeposit\nThe deposit is three rents.\n";
    let body = json!({ "doc_id": "lease.txt", "text": lease, "media_type": "text/plain" });
    let (status, answer) = running.call("POST", "/v1/documents?corpus=contracts", Some(&body));
    assert_eq!((status, answer["chunks"].as_u64()), (201, Some(3)), "{answer}");

    let question = json!({
        "model": "lawyer",
        "messages": [{ "role": "user", "content": "To whom does the tenant return the keys?" }],
    });
    let (status, answer) = running.call("POST", "/v1/chat/completions", Some(&question));
    assert_eq!(status, 200, "{answer}");
    let citation = &answer["choices"][0]["message"]["annotations"][0];
    assert_eq!(citation["headings"], json!(["Article 5 — Termination", "5.2 — Keys"]), "{answer}");
}
