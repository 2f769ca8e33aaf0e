//! Tenants, roles, the audit trail and erasure, through the API as their users call it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::running::{Running, call, mainstay};

/// A tenant with the key of its administrator.
pub(crate) fn tenant(running: &Running, id: &str) -> String {
    let body = json!({ "id": id, "name": format!("The {id} company") });
    let (status, answer) = running.call("POST", "/admin/tenants", Some(&body));
    assert_eq!(status, 201, "{answer}");
    answer["api_key"].as_str().unwrap().to_owned()
}

fn status_of(running: &Running, key: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
    call(&running.address, key, method, path, Some(&body)).unwrap()
}

pub(crate) fn key_of(running: &Running, by: &str, body: Value) -> String {
    let (status, answer) = status_of(running, by, "POST", "/admin/keys", body);
    assert_eq!(status, 201, "{answer}");
    answer["api_key"].as_str().unwrap().to_owned()
}

#[test]
fn tenants_see_their_own_and_nobody_gives_away_more_than_they_have() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let (acme, zoo) = (tenant(&running, "acme"), tenant(&running, "zoo"));
    let document = json!({ "doc_id": "plan", "text": "The secret plan of acme is to build a lighthouse." });
    assert_eq!(status_of(&running, &acme, "POST", "/v1/documents", document).0, 201);

    // The same names in another tenant are other things.
    for (key, found) in [(&acme, 200), (&zoo, 404)] {
        assert_eq!(call(&running.address, key, "GET", "/v1/documents/plan", None).unwrap().0, found);
        let search = json!({ "query": "secret plan lighthouse" });
        let (_, answer) = status_of(&running, key, "POST", "/v1/search", search);
        assert_eq!(answer.to_string().contains("lighthouse"), found == 200, "{answer}");
    }
    // A customer's administrator has keys of their own tenant to give, and no others.
    for (body, status) in [
        (json!({ "name": "app", "role": "customer_user" }), 201),
        (json!({ "name": "boss", "role": "admin" }), 403),
        (json!({ "name": "eng", "role": "engineer" }), 403),
        (json!({ "name": "half", "role": "engineer", "only": ["documents.read"] }), 201),
        (json!({ "name": "no", "role": "customer_user", "only": ["everything"] }), 400),
        (json!({ "name": "typo", "role": "costumer_user" }), 400),
    ] {
        let (found, answer) = status_of(&running, &acme, "POST", "/admin/keys", body.clone());
        assert_eq!(found, status, "{body}: {answer}");
    }
    // A key that opens more than its administrator may is not handed to them by rotating it either.
    let operator = running.api_key.clone().unwrap();
    for path in ["/admin/tenants", "/admin/service", "/admin/budgets", "/admin/audit/head"] {
        assert_eq!(call(&running.address, &acme, "GET", path, None).unwrap().0, 403, "{path}");
        assert_eq!(call(&running.address, &operator, "GET", path, None).unwrap().0, 200, "{path}");
    }
    // A narrowed key keeps to what it is narrowed to.
    let reader =
        key_of(&running, &acme, json!({ "name": "r", "role": "ingester", "only": ["documents.read"] }));
    assert_eq!(call(&running.address, &reader, "GET", "/v1/documents", None).unwrap().0, 200);
    let (status, answer) = status_of(&running, &reader, "POST", "/v1/documents", json!({ "text": "x" }));
    assert_eq!((status, &answer["error"]["code"]), (403, &json!("permission_denied")));

    // A suspended tenant is not served, and is again when that is lifted.
    let state = |state: &str| running.call("PATCH", "/admin/tenants/acme", Some(&json!({ "state": state })));
    assert_eq!(state("suspended").0, 200);
    let (status, answer) = call(&running.address, &acme, "GET", "/v1/documents", None).unwrap();
    assert_eq!((status, &answer["error"]["code"]), (403, &json!("suspended_tenant")));
    assert_eq!(state("active").0, 200);
    assert_eq!(call(&running.address, &acme, "GET", "/v1/documents", None).unwrap().0, 200);

    // A tenant that may use one assistant sees and uses that one.
    let models = json!({ "models": ["assistant"] });
    assert_eq!(running.call("PATCH", "/admin/tenants/zoo", Some(&models)).0, 200);
    let (_, listed) = call(&running.address, &zoo, "GET", "/v1/models", None).unwrap();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1, "{listed}");
    let chat =
        json!({ "model": "builtin/extractive", "messages": [{ "role": "user", "content": "Hello?" }] });
    let (status, answer) = status_of(&running, &zoo, "POST", "/v1/chat/completions", chat);
    assert_eq!((status, &answer["error"]["code"]), (403, &json!("model_not_allowed")));
    let unknown = running.call("PATCH", "/admin/tenants/zoo", Some(&json!({ "models": ["gpt-9"] })));
    assert_eq!(unknown.0, 400);
}

#[test]
fn a_tenant_sees_what_it_spent_and_the_operator_what_all_did() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let keys = ["acme", "zoo"].map(|name| tenant(&running, name));
    let chat =
        json!({ "model": "builtin/extractive", "messages": [{ "role": "user", "content": "Hello?" }] });
    for key in [&keys[0], &keys[0], &keys[1]] {
        assert_eq!(status_of(&running, key, "POST", "/v1/chat/completions", chat.clone()).0, 200);
    }
    let by_tenant = |key: &str| {
        let (status, answer) =
            call(&running.address, key, "GET", "/admin/costs?by=tenant&days=3", None).unwrap();
        assert_eq!(status, 200, "{answer}");
        let entry = |entry: &Value| (entry["value"].as_str().unwrap().to_owned(), entry["turns"].clone());
        answer["data"].as_array().unwrap().iter().map(entry).collect::<Vec<_>>()
    };
    assert_eq!(by_tenant(&keys[0]), [("acme".to_owned(), json!(2))]);
    let operator = running.api_key.clone().unwrap();
    let all = by_tenant(&operator);
    assert!(all.contains(&("acme".to_owned(), json!(2))) && all.contains(&("zoo".to_owned(), json!(1))));
    for wrong in ["by=colour", "days=0", "days=401", "tenant=zoo"] {
        let path = format!("/admin/costs?{wrong}");
        assert_eq!(call(&running.address, &keys[0], "GET", &path, None).unwrap().0, 400, "{wrong}");
    }
    let user = key_of(&running, &keys[0], json!({ "name": "u", "role": "customer_user" }));
    assert_eq!(call(&running.address, &user, "GET", "/admin/costs", None).unwrap().0, 403);
}

#[test]
fn what_the_service_does_by_itself_is_on_record() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let (status, answer) = running.call("PUT", "/admin/service", Some(&json!({ "level": "reduced" })));
    assert_eq!(status, 200, "{answer}");
    let record = eventually("the change is on record", || {
        let path = "/admin/audit?everyone=true&category=security_event&limit=1000";
        let (_, answer) = running.call("GET", path, None);
        let records = answer["data"].as_array().unwrap().clone();
        records
            .into_iter()
            .map(|record| record["body"].clone())
            .find(|record| record["action"] == "service.shifted")
    });
    assert_eq!(record["resource"], json!({ "kind": "service_level", "id": "standard" }));
    assert_eq!(record["details"], json!({ "old": "full", "new": "reduced" }));
}

#[test]
fn what_was_done_is_on_record_and_a_changed_record_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let acme = tenant(&running, "acme");
    let jane = key_of(
        &running,
        &acme,
        json!({ "name": "jane", "role": "customer_user", "user": "jane.doe@acme.example" }),
    );
    let search = json!({ "query": "a very private question" });
    assert_eq!(status_of(&running, &jane, "POST", "/v1/search", search.clone()).0, 200);
    assert_eq!(status_of(&running, "msk_nobody_1", "POST", "/v1/search", search).0, 401);
    assert_eq!(
        status_of(&running, &jane, "POST", "/admin/keys", json!({ "name": "x", "role": "admin" })).0,
        403
    );

    let (status, answer) = running.call("GET", "/admin/audit?everyone=true&limit=1000", None);
    assert_eq!(status, 200, "{answer}");
    let text = answer.to_string();
    for part in ["keys.create", "tenants.create", "documents.search", "permission_denied", "invalid_api_key"]
    {
        assert!(text.contains(part), "{part} is not on record");
    }
    for private in ["jane.doe", "private question", "msk_"] {
        assert!(!text.contains(private), "{private:?} is on record");
    }
    // A tenant's records are for the operator alone, unless it has an auditor of its own.
    assert_eq!(call(&running.address, &acme, "GET", "/admin/audit", None).unwrap().0, 403);
    let records = answer["data"].as_array().unwrap();
    let by_jane = records.iter().find(|record| record["body"]["action"] == "documents.search").unwrap();
    let pseudonym = by_jane["body"]["subject"].as_str().unwrap().to_owned();
    let resolved = mainstay(folder.path(), &["audit", "resolve", &pseudonym]);
    assert!(String::from_utf8_lossy(&resolved.stdout).contains("jane.doe@acme.example"));

    let head = mainstay(folder.path(), &["audit", "head", "--json"]);
    let head: Value = serde_json::from_slice(&head.stdout).unwrap();
    assert!(mainstay(folder.path(), &["audit", "verify"]).status.success());
    let rotated = mainstay(folder.path(), &["audit", "rotate-key", "--json"]);
    let rotated: Value = serde_json::from_slice(&rotated.stdout).unwrap();
    assert_eq!(rotated["former_key"], head["head"]["key"]);
    assert_ne!(rotated["key"], head["head"]["key"]);
    assert!(mainstay(folder.path(), &["audit", "verify"]).status.success());
    drop(running);

    // Without any Mainstay, by the key that was kept elsewhere.
    let log = folder.path().join("data/audit/log");
    let key = head["head"]["key"].as_str().unwrap();
    let anchor = format!("{}:{}", head["head"]["seq"], head["head"]["hash"].as_str().unwrap());
    let verify = || {
        let log = log.to_str().unwrap();
        mainstay(folder.path(), &["audit", "verify", "--folder", log, "--key", key, "--anchor", &anchor])
    };
    let sound = verify();
    assert!(sound.status.success(), "{}", String::from_utf8_lossy(&sound.stdout));
    let segment = fs::read_dir(&log)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("segment"))
        .unwrap();
    let whole = fs::read_to_string(&segment).unwrap();
    let changed = whole.replacen("permission_denied", "permission_granted", 1);
    assert_ne!(changed, whole);
    fs::write(&segment, changed).unwrap();
    let found = verify();
    assert_eq!(found.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&found.stdout).contains("NOT whole"));
}

/// Whether any file below a folder holds these bytes.
pub(crate) fn holds(folder: &Path, bytes: &str) -> Option<String> {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let found = if path.is_dir() {
            holds(&path, bytes)
        } else {
            let content = fs::read(&path).unwrap_or_default();
            memchr::memmem::find(&content, bytes.as_bytes()).map(|_| path.display().to_string())
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

#[test]
fn who_is_erased_is_in_no_file_any_more_and_others_are_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let acme = tenant(&running, "acme");
    let jane = "jane.doe@acme.example";
    let key =
        key_of(&running, &acme, json!({ "name": "Jane Doe's laptop", "role": "ingester", "user": jane }));
    let theirs = json!({
        "doc_id": "curriculum-of-jane-doe.md", "title": "Curriculum of Jane Doe", "metadata": { "owner": "Jane-Doe-17" },
        "text": "Jane Doe kept the lighthouse of Skagen for eleven winters before she went to sea again.",
    });
    assert_eq!(status_of(&running, &key, "POST", "/v1/documents", theirs).0, 201);
    let others = json!({ "doc_id": "tide-table.md", "text": "High water at Skagen is at six in the morning on most days." });
    assert_eq!(status_of(&running, &acme, "POST", "/v1/documents", others).0, 201);
    let ask = json!({ "model": "assistant", "messages": [{ "role": "user", "content": "Who kept the lighthouse of Skagen?" }] });
    assert_eq!(status_of(&running, &key, "POST", "/v1/chat/completions", ask).0, 200);

    let markers = [
        jane,
        "curriculum-of-jane-doe",
        "Curriculum of Jane Doe",
        "Jane-Doe-17",
        "eleven winters",
        "Jane Doe's laptop",
    ];
    let data = folder.path().join("data");
    for marker in markers {
        assert!(
            holds(&data, marker).is_some(),
            "{marker} was nowhere to begin with: the test proves nothing"
        );
    }

    // What is held is not erased; what is not held is, by the tenant's own administrator.
    let body = json!({ "user": jane, "reason": "case 17" });
    let (status, hold) = status_of(&running, &acme, "POST", "/admin/holds", body);
    assert_eq!(status, 201, "{hold}");
    let (status, answer) = status_of(&running, &acme, "POST", "/admin/erasures", json!({ "user": jane }));
    assert_eq!((status, &answer["error"]["code"]), (409, &json!("legal_hold")));
    let lift = format!("/admin/holds/{}", hold["id"].as_str().unwrap());
    assert_eq!(call(&running.address, &acme, "DELETE", &lift, None).unwrap().0, 200);
    let (status, answer) = status_of(&running, &acme, "POST", "/admin/erasures", json!({ "user": jane }));
    assert_eq!(status, 202, "{answer}");
    let erasure = finished(&running, &acme, answer["id"].as_str().unwrap());
    let stores: Vec<&str> =
        erasure["stores"].as_array().unwrap().iter().map(|store| store["store"].as_str().unwrap()).collect();
    for store in ["documents", "events", "index", "cache", "keys", "audit"] {
        assert!(stores.contains(&store), "{store} is not in {stores:?}");
    }
    assert_eq!(erasure["certificate"]["signature"].as_str().map(str::len), Some(128));

    for marker in markers {
        assert_eq!(holds(&data, marker), None, "{marker} is still there");
    }
    assert_eq!(call(&running.address, &key, "GET", "/v1/documents", None).unwrap().0, 401);
    let (_, left) = call(&running.address, &acme, "GET", "/v1/documents", None).unwrap();
    assert_eq!(left["data"].as_array().unwrap().len(), 1);
    let (_, found) =
        status_of(&running, &acme, "POST", "/v1/search", json!({ "query": "high water at Skagen" }));
    assert_eq!(found["results"][0]["doc_id"], "tide-table.md", "{found}");
    assert!(mainstay(folder.path(), &["audit", "verify"]).status.success(), "the chain stays whole");
}

#[test]
fn what_is_held_is_neither_deleted_nor_replaced_nor_erased_with_who_brought_it() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let acme = tenant(&running, "acme");
    let jane = key_of(&running, &acme, json!({ "name": "j", "role": "ingester", "user": "jane" }));
    let document = json!({ "doc_id": "contract", "text": "The contract about the lighthouse." });
    assert_eq!(status_of(&running, &jane, "POST", "/v1/documents", document.clone()).0, 201);

    // The operator holds it, and alone can let it go.
    let operator = running.api_key.clone().unwrap();
    let of_acme = |method: &str, path: &str, body: Value| {
        let headers = "content-type: application/json\r\nx-mainstay-tenant: acme\r\n";
        let body = body.to_string();
        let (status, _, answer) =
            crate::running::send(&running.address, &operator, method, path, headers, body.as_bytes())
                .unwrap();
        (status, serde_json::from_str::<Value>(&answer).unwrap())
    };
    let (status, hold) =
        of_acme("POST", "/admin/holds", json!({ "document": "contract", "reason": "case 17" }));
    assert_eq!(status, 201, "{hold}");
    let lift = format!("/admin/holds/{}", hold["id"].as_str().unwrap());
    assert_eq!(call(&running.address, &acme, "DELETE", &lift, None).unwrap().0, 400);
    for (method, path, body) in [
        ("DELETE", "/v1/documents/contract", json!({})),
        ("POST", "/v1/documents", json!({ "doc_id": "contract", "text": "Nothing." })),
        ("POST", "/admin/erasures", json!({ "user": "jane" })),
        ("POST", "/admin/erasures", json!({ "document": "contract" })),
    ] {
        let (status, answer) = status_of(&running, &acme, method, path, body);
        assert_eq!(
            (status, &answer["error"]["code"]),
            (409, &json!("legal_hold")),
            "{method} {path}: {answer}"
        );
    }
    assert_eq!(of_acme("DELETE", &lift, json!({})).0, 200);
    assert_eq!(call(&running.address, &acme, "DELETE", "/v1/documents/contract", None).unwrap().0, 200);
}

#[test]
fn an_erasure_tells_nothing_of_what_others_have_and_ends_whatever_they_have() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let (acme, zoo) = (tenant(&running, "acme"), tenant(&running, "zoo"));
    let secret = "the codeword is halibut and nobody knows it";
    let document = json!({ "doc_id": "secrets.md", "text": secret });
    assert_eq!(status_of(&running, &zoo, "POST", "/v1/documents", document).0, 201);
    // Words that are in everybody's files, what another tenant has, and what nobody has.
    let mut answers = Vec::new();
    for user in ["revisions", "documents", secret, "the codeword is haddock and nobody knows it"] {
        let (status, answer) = status_of(&running, &acme, "POST", "/admin/erasures", json!({ "user": user }));
        assert_eq!(status, 202, "{answer}");
        let erasure = finished(&running, &acme, answer["id"].as_str().unwrap());
        let statement = &erasure["certificate"]["statement"];
        assert_eq!(statement["markers"], 1);
        answers.push((erasure["state"].clone(), statement["stores"].clone()));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(call(&running.address, &zoo, "GET", "/v1/documents/secrets.md", None).unwrap().0, 200);
}

#[test]
fn nobody_gets_what_others_have_agreed_on_or_what_would_lock_everybody_out() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let acme = tenant(&running, "acme");
    let many: Vec<&str> = vec!["documents.read"; 20_000];
    let refused = [
        (json!({ "name": "n", "role": "customer_user", "tier": "default" }), "tier"),
        (json!({ "name": "n", "role": "customer_user", "only": many }), "only"),
        (json!({ "name": "n".repeat(10_000), "role": "customer_user" }), "name"),
    ];
    for (body, param) in refused {
        let (status, answer) = status_of(&running, &acme, "POST", "/admin/keys", body);
        assert_eq!((status, &answer["error"]["param"]), (400, &json!(param)), "{answer}");
    }
    for (path, body) in [
        ("/admin/tenants/default", json!({ "region": "us-east-1" })),
        ("/admin/tenants/acme", json!({ "region": "nowhere" })),
    ] {
        let (status, answer) = running.call("PATCH", path, Some(&body));
        assert_eq!((status, &answer["error"]["param"]), (400, &json!("region")), "{answer}");
    }
    // The operator makes a tenant an administrator or an auditor, and no way to its documents.
    for (role, status) in [("auditor", 201), ("customer_admin", 201), ("admin", 400), ("customer_user", 400)]
    {
        let body = json!({ "name": "n", "role": role });
        assert_eq!(running.call("POST", "/admin/tenants/acme/keys", Some(&body)).0, status, "{role}");
    }
    // Nor is a key handed out by rotating it to who could not make it.
    let (_, keys) = call(&running.address, &acme, "GET", "/admin/keys", None).unwrap();
    let id_of = |role: &str| {
        let keys = keys["data"].as_array().unwrap();
        keys.iter().find(|key| key["role"] == role).unwrap()["id"].as_str().unwrap().to_owned()
    };
    for (role, status) in [("auditor", 403), ("customer_admin", 201)] {
        let path = format!("/admin/keys/{}/rotate", id_of(role));
        assert_eq!(status_of(&running, &acme, "POST", &path, json!({})).0, status, "{role}");
    }
}

#[test]
fn a_tenant_that_is_erased_is_gone_with_everything_and_its_id_is_not_given_again() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let (acme, zoo) = (tenant(&running, "acme"), tenant(&running, "zoo"));
    for (key, text) in
        [(&acme, "Plans of acme for a submarine made of glass."), (&zoo, "The feeding of the seals.")]
    {
        assert_eq!(
            status_of(&running, key, "POST", "/v1/documents", json!({ "doc_id": "d", "text": text })).0,
            201
        );
    }
    let data = folder.path().join("data");
    assert!(holds(&data, "submarine made of glass").is_some());
    assert_eq!(status_of(&running, &acme, "POST", "/admin/erasures", json!({ "tenant": "acme" })).0, 400);
    let erased = mainstay(folder.path(), &["erase", "--whole-tenant", "acme", "--tenant", "acme"]);
    let said = String::from_utf8_lossy(&erased.stdout);
    assert!(
        erased.status.success() && said.contains("Erased."),
        "{said} {}",
        String::from_utf8_lossy(&erased.stderr)
    );
    for marker in ["submarine made of glass", "The acme company"] {
        assert_eq!(holds(&data, marker), None, "{marker}");
    }
    assert_eq!(call(&running.address, &acme, "GET", "/v1/documents", None).unwrap().0, 401);
    assert_eq!(call(&running.address, &zoo, "GET", "/v1/documents/d", None).unwrap().0, 200);
    let again = running.call("POST", "/admin/tenants", Some(&json!({ "id": "acme", "name": "Acme" })));
    assert_eq!(again.0, 409);
}

/// The erasure when it is done.
fn finished(running: &Running, key: &str, id: &str) -> Value {
    eventually("the erasure is finished", || {
        let (_, all) = call(&running.address, key, "GET", "/admin/erasures", None).unwrap();
        let erasure =
            all["data"].as_array().unwrap().iter().find(|erasure| erasure["id"] == id).unwrap().clone();
        assert!(erasure["failure"].is_null(), "{erasure}");
        (erasure["state"] == "finished").then_some(erasure)
    })
}

/// What there is in the end, of something that another process does in its own time.
#[expect(clippy::disallowed_methods, reason = "the time of another process is not ours to move")]
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1_000 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(60));
    }
    panic!("{what}: not within a minute");
}

/// A token signed with a shared secret.
pub(crate) fn token(claims: &Value) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({ "alg": "HS256", "typ": "JWT" })), part(claims));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, signed.as_bytes()));
    format!("{signed}.{signature}")
}

pub(crate) const SECRET: &str = "a secret of the provider and us, long enough";

#[test]
fn people_come_in_with_tokens_and_two_of_them_change_what_takes_two() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret"), SECRET).unwrap();
    fs::write(
        folder.path().join("mainstay.toml"),
        "[identity.issuers.login]\nissuer = \"login\"\naudiences = [\"mainstay\"]\nsecret = \"file:secret\"\n\
         claims.tenant = \"org\"\nclaims.role = \"access.roles\"\nroles.dev = \"engineer\"\nroles.boss = \"admin\"\n\
         [security]\ntwo_person = [\"index.rebuild\"]\n[corpora.default]\n",
    )
    .unwrap();
    let running = Running::start(folder.path());
    #[expect(clippy::disallowed_methods, reason = "a token of now")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let claims = |user: &str, org: &str, role: &str| {
        json!({
            "iss": "login", "aud": "mainstay", "sub": user, "org": org, "access": { "roles": [role] },
            "iat": now, "exp": now + 3_600,
        })
    };
    let (jane, john) = (token(&claims("jane", "default", "dev")), token(&claims("john", "default", "boss")));
    assert_eq!(call(&running.address, &jane, "GET", "/v1/corpora", None).unwrap().0, 200);
    assert_eq!(call(&running.address, &jane, "GET", "/admin/keys", None).unwrap().0, 403);
    assert_eq!(call(&running.address, &john, "GET", "/admin/keys", None).unwrap().0, 200);
    let changed = |change: fn(&mut Value)| {
        let mut claims = claims("jane", "default", "dev");
        change(&mut claims);
        call(&running.address, &token(&claims), "GET", "/v1/corpora", None).unwrap()
    };
    for (change, status, code) in [
        ((|claims| claims["aud"] = json!("another")) as fn(&mut Value), 401, "invalid_token"),
        (|claims| claims["exp"] = json!(1), 401, "expired_token"),
        (|claims| claims["access"]["roles"] = json!(["visitor"]), 401, "invalid_token"),
        (|claims| claims["org"] = json!("nobody"), 401, "unknown_tenant"),
    ] {
        let (found, answer) = changed(change);
        assert_eq!((found, &answer["error"]["code"]), (status, &json!(code)), "{answer}");
    }

    let document = json!({ "doc_id": "d", "text": "The lighthouse stands on the cliff." });
    assert_eq!(status_of(&running, &jane, "POST", "/v1/documents", document).0, 201);
    let rebuild = json!({});
    let (status, answer) = status_of(&running, &jane, "POST", "/admin/index/rebuild", rebuild.clone());
    assert_eq!((status, &answer["error"]["code"]), (409, &json!("approval_required")), "{answer}");
    let message = answer["error"]["message"].as_str().unwrap();
    let id = message.split_whitespace().find(|word| word.starts_with("apr_")).unwrap().to_owned();
    let decide = format!("/admin/approvals/{id}/approve");
    let with_approval = |key: &str, body: &Value| {
        let header = format!("content-type: application/json\r\nx-mainstay-approval: {id}\r\n");
        let body = body.to_string();
        crate::running::send(&running.address, key, "POST", "/admin/index/rebuild", &header, body.as_bytes())
            .unwrap()
            .0
    };
    assert_eq!(with_approval(&jane, &rebuild), 409, "nobody has agreed yet");
    // Neither who asked nor a key that is nobody's can agree.
    assert_ne!(status_of(&running, &jane, "POST", &decide, json!({})).0, 200);
    let (status, answer) = running.call("POST", &decide, Some(&json!({})));
    assert_eq!((status, &answer["error"]["code"]), (409, &json!("approval_unfit")), "{answer}");
    assert_eq!(running.call("POST", "/admin/index/rebuild", Some(&json!({}))).0, 409, "a key is no person");
    let (status, answer) = status_of(&running, &john, "POST", &decide, json!({}));
    assert_eq!((status, &answer["state"]), (200, &json!("approved")), "{answer}");
    assert_eq!(with_approval(&jane, &json!({ "corpus": "other" })), 409, "it is for another request");
    assert_eq!(with_approval(&jane, &rebuild), 200);
    assert_eq!(with_approval(&jane, &rebuild), 409, "it is used up");
}

#[test]
fn what_is_sealed_is_in_no_file_and_opens_with_its_key_alone() {
    let folder = tempfile::tempdir().unwrap();
    let made = mainstay_alone(folder.path(), &["keys", "master", "master.key"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let plain = Running::start(folder.path());
    let document = json!({ "doc_id": "d", "title": "On submarines", "text": "A submarine made of glass sank off Skagen." });
    assert_eq!(plain.call("POST", "/v1/documents", Some(&document)).0, 201);
    let api_key = plain.api_key.clone().unwrap();
    let data = folder.path().join("data");
    assert!(holds(&data, "made of glass").is_some());
    drop(plain);

    let config = "[storage.encryption]\nkey_file = \"master.key\"\n";
    fs::write(folder.path().join("mainstay.toml"), config).unwrap();
    let sealed = Running::start(folder.path());
    eventually("what was stored before is sealed", || holds(&data, "made of glass").is_none().then_some(()));
    let read = call(&sealed.address, &api_key, "GET", "/v1/documents/d?include=text", None).unwrap().1;
    assert_eq!(read["text"], "A submarine made of glass sank off Skagen.");
    drop(sealed);

    fs::write(folder.path().join("mainstay.toml"), "").unwrap();
    let refused = mainstay(folder.path(), &["index", "status"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("storage.encryption"), "{said}");
}

fn mainstay_alone(folder: &Path, arguments: &[&str]) -> std::process::Output {
    crate::running::command(folder, arguments).output().unwrap()
}

#[test]
fn a_stream_that_runs_ends_when_its_key_is_revoked_or_its_tenant_suspended() {
    let (_stand_in, upstream, _runtime) = crate::running::stand_in();
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "[providers.sim]\nkind = \"openai-compatible\"\nbase_url = \"http://{upstream}/openai/v1\"\n\
         api_key = \"file:key\"\n[corpora.default]\n"
    );
    fs::write(folder.path().join("mainstay.toml"), config).unwrap();
    fs::write(folder.path().join("key"), "key").unwrap();
    let running = Running::start(folder.path());
    let acme = tenant(&running, "acme");
    // A stream that says something and then nothing more.
    let ask = json!({
        "model": "sim/fault-stall", "stream": true, "messages": [{ "role": "user", "content": "Hello?" }],
    })
    .to_string();
    let ends = |key: &str, revoke: &dyn Fn()| {
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let headers = "content-type: application/json\r\n";
                crate::running::send(
                    &running.address,
                    key,
                    "POST",
                    "/v1/chat/completions",
                    headers,
                    ask.as_bytes(),
                )
            });
            eventually("the stream runs", || {
                let (_, _, metrics) =
                    crate::running::send(&running.address, "", "GET", "/metrics", "", b"").unwrap();
                // This request is one of those in flight, too.
                metrics.lines().any(|line| line == "mainstay_in_flight_requests 2").then_some(())
            });
            revoke();
            asking.join().unwrap().unwrap()
        })
    };
    let key = key_of(&running, &acme, json!({ "name": "app", "role": "customer_user" }));
    let id = key.split('_').nth(1).unwrap().to_owned();
    let (status, _, said) = ends(&key, &|| {
        let path = format!("/admin/keys/{id}");
        assert_eq!(call(&running.address, &acme, "DELETE", &path, None).unwrap().0, 200);
    });
    assert!(status == 200 && said.contains("access_revoked") && !said.contains("[DONE]"), "{status}: {said}");

    let key = key_of(&running, &acme, json!({ "name": "app", "role": "customer_user" }));
    let (status, _, said) = ends(&key, &|| {
        let state = json!({ "state": "suspended" });
        assert_eq!(running.call("PATCH", "/admin/tenants/acme", Some(&state)).0, 200);
    });
    assert!(status == 200 && said.contains("access_revoked") && !said.contains("[DONE]"), "{status}: {said}");
}
