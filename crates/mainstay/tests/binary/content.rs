//! What is said in turns that are kept: who agreed, what is taken out, who reads it, and that it goes.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::identity::{eventually, holds, key_of, tenant};
use crate::running::{Running, call, command, send};

const KEPT: &str = "[content_log]\nshare = 1.0\n[storage.encryption]\nkey_file = \"master.key\"\n";

fn started(folder: &Path, config: &str) -> Running {
    assert!(command(folder, &["keys", "master", "master.key"]).output().unwrap().status.success());
    fs::write(folder.join("mainstay.toml"), config).unwrap();
    Running::start(folder)
}

/// Asks where the lighthouse stands, after `before` was said, and answers the id of the request.
fn ask(running: &Running, key: &str, model: &str, before: &str, stream: bool) -> String {
    let said = [before, "Where does the lighthouse stand?"];
    let messages = said.map(|content| json!({ "role": "user", "content": content }));
    let body = json!({ "model": model, "stream": stream, "messages": messages });
    let headers = "content-type: application/json\r\n";
    let (_, head, _) =
        send(&running.address, key, "POST", "/v1/chat/completions", headers, body.to_string().as_bytes())
            .unwrap();
    let id = head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
    id.to_owned()
}

fn read(running: &Running, key: &str, more: &str) -> Vec<Value> {
    let path = format!("/admin/content?incident=INC-1{more}");
    let (status, answer) = call(&running.address, key, "GET", &path, None).unwrap();
    assert_eq!(status, 200, "{answer}");
    answer["data"].as_array().unwrap().clone()
}

const PERSONAL: &str = "My name is Olivia Smith, olivia@mail.example, card 4111 1111 1111 1111.";

#[test]
fn of_a_tenant_that_agreed_turns_are_kept_without_what_is_personal_and_for_who_may_read_them() {
    let folder = tempfile::tempdir().unwrap();
    let running = started(folder.path(), KEPT);
    let (acme, zoo) = (tenant(&running, "acme"), tenant(&running, "zoo"));
    let jane = json!({ "name": "app", "role": "customer_user", "user": "jane@acme.example" });
    let jane = key_of(&running, &acme, jane);
    let document = json!({ "doc_id": "towers.md", "text": "The lighthouse stands on the cliff of Skagen." });
    assert_eq!(call(&running.address, &acme, "POST", "/v1/documents", Some(&document)).unwrap().0, 201);

    // Nobody agreed yet.
    ask(&running, &jane, "assistant", PERSONAL, false);
    let agreed = json!({ "keep_content": true });
    assert_eq!(running.call("PATCH", "/admin/tenants/acme", Some(&agreed)).0, 200);
    ask(&running, &zoo, "assistant", PERSONAL, false);
    let whole = ask(&running, &jane, "assistant", PERSONAL, false);
    let streamed = ask(&running, &jane, "assistant", &PERSONAL.replace("Olivia", "Amelia"), true);
    let failed = ask(&running, &acme, "nothing-of-that-name", "Is Olivia Smith there?", false);
    let kept = eventually("all are stored", || {
        let kept = read(&running, &acme, "");
        (kept.len() == 3).then_some(kept)
    });
    let ids: Vec<&str> = kept.iter().map(|turn| turn["request"].as_str().unwrap()).collect();
    assert_eq!(ids, [&failed, &streamed, &whole]);
    let all = json!(kept).to_string();
    for personal in ["Olivia", "Amelia", "Smith", "mail.example", "4111", "jane"] {
        assert!(!all.contains(personal), "{personal} in {all}");
    }
    for turn in &kept[1..] {
        let question = turn["messages"][0]["text"].as_str().unwrap();
        let plain = "My name is [PERSON_1], [EMAIL_1], card [CARD_1].";
        assert_eq!(question, plain);
        assert!(turn["answer"].as_str().unwrap().contains("on the cliff"), "{turn}");
        let about = (&turn["outcome"], &turn["model"], &turn["assistant"]);
        assert_eq!(about, (&json!("answered"), &json!("builtin/extractive"), &json!("assistant")));
    }
    assert_eq!((&kept[0]["outcome"], &kept[0]["answer"]), (&json!("model_not_found"), &Value::Null));
    let one = read(&running, &acme, &format!("&request={whole}"));
    assert_eq!((one.len(), &one[0]["request"]), (1, &json!(whole)));

    // Who reads says why, in a name and not in words, and may read it.
    for wrong in
        ["", "?incident=", "?incident=Jane%20Doe", "?incident=INC-1&limit=0", "?incident=INC-1&who=jane"]
    {
        let (status, answer) =
            call(&running.address, &acme, "GET", &format!("/admin/content{wrong}"), None).unwrap();
        assert_eq!(status, 400, "{wrong}: {answer}");
    }
    let path = "/admin/content?incident=INC-1";
    assert_eq!(call(&running.address, &jane, "GET", path, None).unwrap().0, 403);
    let operator = running.api_key.clone().unwrap();
    let (status, _, _) =
        send(&running.address, &operator, "GET", path, "x-mainstay-tenant: acme\r\n", b"").unwrap();
    assert_eq!(status, 403, "an operator reads no content of others");
    assert_eq!(read(&running, &zoo, ""), Vec::<Value>::new());
    let (_, records) =
        call(&running.address, &operator, "GET", "/admin/audit?everyone=true&limit=1000", None).unwrap();
    let records = records.to_string();
    assert!(records.contains("content.read") && records.contains("INC-1"), "{records}");

    // What was said is in no file, and goes with the person.
    let data = folder.path().join("data");
    assert_eq!(holds(&data, "does the lighthouse stand"), None);
    let erase = json!({ "user": "jane@acme.example" });
    let (status, erasure) = call(&running.address, &acme, "POST", "/admin/erasures", Some(&erase)).unwrap();
    assert_eq!(status, 202, "{erasure}");
    let left = eventually("jane's have gone", || {
        let left = read(&running, &acme, "");
        (left.len() == 1).then_some(left)
    });
    assert_eq!(left[0]["request"], json!(failed));
}

#[test]
fn what_was_answered_from_a_document_goes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let running = started(folder.path(), KEPT);
    let agreed = json!({ "keep_content": true });
    assert_eq!(running.call("PATCH", "/admin/tenants/default", Some(&agreed)).0, 200);
    let document = json!({ "doc_id": "towers.md", "text": "The lighthouse stands on the cliff of Skagen." });
    assert_eq!(running.call("POST", "/v1/documents", Some(&document)).0, 201);
    let operator = running.api_key.clone().unwrap();
    ask(&running, &operator, "assistant", "Hello.", false);
    ask(&running, &operator, "builtin/extractive", "Hello.", false);
    eventually("both are stored", || (read(&running, &operator, "").len() == 2).then_some(()));
    let erase = json!({ "document": "towers.md" });
    assert_eq!(running.call("POST", "/admin/erasures", Some(&erase)).0, 202);
    let left = eventually("one has gone", || {
        let left = read(&running, &operator, "");
        (left.len() == 1).then_some(left)
    });
    assert_eq!(left[0]["assistant"], Value::Null);
}
