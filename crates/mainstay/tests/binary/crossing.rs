//! Trying to get at another tenant's things, in every route that the server describes, with generated requests.
//!
//! What tenant `b` has carries a secret mark that no request of `a` ever has. No answer to `a` may show it, nothing that `a`
//! does may change what `b` sees, and nothing may fail on the server's side; nor may the log, the metrics or the audit trail show it.
//! Answers are given again, turns are kept, documents are sealed. The second test shows that the suite would find a
//! hole: it opens one, route by route, by letting requests of `a` through as if they were `b`'s.
//!
//! `MAINSTAY_CROSSING_REQUESTS=100000 cargo nextest run -E 'test(crossing)'` tries more.

use fastrand::Rng;
use serde_json::{Value, json};

use crate::identity::holds;
use crate::running::{Running, call, command, send};

/// Requests where nothing else is asked for: some seconds.
const REQUESTS: usize = 4_000;

struct World {
    running: Running,
    /// Keys of tenant `a`, and one that is nobody's.
    a: Vec<String>,
    b: String,
    /// What only `b` knows.
    mark: String,
    /// Names of `b`'s things, which `a` has heard of.
    names: Vec<String>,
    routes: Vec<(String, String)>,
}

const QUESTION: &str = "What is kept in the cellar of the lighthouse?";

fn world(folder: &std::path::Path, seed: u64) -> World {
    assert!(command(folder, &["keys", "master", "master.key"]).output().unwrap().status.success());
    let config = "[assistants.assistant]\nmodel = \"builtin/extractive\"\ncorpus = \"default\"\ncache.mode = \"semantic\"\n\
                  [corpora.default]\n[content_log]\nshare = 1.0\n[storage.encryption]\nkey_file = \"master.key\"\n";
    std::fs::write(folder.join("mainstay.toml"), config).unwrap();
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let running = Running::start_logging(folder, log.into(), Some("trace"));
    let post = |key: &str, path: &str, body: Value| {
        let (status, answer) = call(&running.address, key, "POST", path, Some(&body)).unwrap();
        assert!(status < 300, "{path}: {answer}");
        answer
    };
    let operator = running.api_key.clone().unwrap();
    let tenant = |id: &str| {
        post(&operator, "/admin/tenants", json!({ "id": id, "name": id }))["api_key"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (admin, b) = (tenant("a"), tenant("b"));
    for id in ["a", "b"] {
        let agreed = json!({ "keep_content": true });
        assert_eq!(running.call("PATCH", &format!("/admin/tenants/{id}"), Some(&agreed)).0, 200);
    }
    let key = |role: &str| {
        post(&admin, "/admin/keys", json!({ "name": role, "role": role }))["api_key"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let a = vec![admin.clone(), key("customer_user"), key("ingester"), "msk_0000000000000000_0".to_owned()];
    let mark = format!("qz{seed:x}zq");
    let mut names = vec!["b".to_owned(), "secrets".to_owned(), "cellar.md".to_owned()];
    for corpus in ["default", "secrets"] {
        let document = json!({
            "corpus": corpus, "doc_id": "cellar.md", "title": format!("Cellar {mark}"), "metadata": { "owner": mark },
            "text": format!("# Cellar {mark}\n\nIn the cellar of the lighthouse they keep {mark} barrels of oil for the lamp."),
        });
        post(&b, "/v1/documents", document);
    }
    let named =
        post(&b, "/admin/keys", json!({ "name": mark, "role": "ingester", "user": format!("{mark}@b") }));
    names.push(named["id"].as_str().unwrap().to_owned());
    let hold =
        post(&b, "/admin/holds", json!({ "document": "cellar.md", "corpus": "secrets", "reason": mark }));
    names.push(hold["id"].as_str().unwrap().to_owned());
    let asked = json!({ "model": "assistant", "messages": [{ "role": "user", "content": QUESTION }] });
    let answer = post(&b, "/v1/chat/completions", asked);
    assert!(answer.to_string().contains(&mark), "b does not know its own secret: the test proves nothing");
    let kept = call(&running.address, &b, "GET", "/admin/content?incident=i", None).unwrap().1;
    names.extend(kept["data"][0]["request"].as_str().map(str::to_owned));
    let (_, description) = call(&running.address, "", "GET", "/openapi.json", None).unwrap();
    let mut routes = Vec::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        let methods = methods.as_object().unwrap().keys().filter(|key| *key != "parameters");
        routes.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    World { running, a, b, mark, names, routes }
}

/// What `b` sees of its own.
fn state_of_b(world: &World) -> Vec<Value> {
    let paths = [
        "/v1/documents",
        "/v1/documents?corpus=secrets",
        "/admin/keys",
        "/admin/holds",
        "/admin/erasures",
        "/v1/corpora",
    ];
    paths.map(|path| call(&world.running.address, &world.b, "GET", path, None).unwrap().1).to_vec()
}

struct Hostile {
    method: String,
    target: String,
    headers: String,
    body: String,
}

impl World {
    fn name(&self, random: &mut Rng) -> String {
        let name = &self.names[random.usize(..self.names.len())];
        match random.u8(..12) {
            0 => format!("../{name}"),
            1 => format!("%2e%2e%2f{name}"),
            2 => format!("{name}%00"),
            3 => name.to_uppercase(),
            4 => format!("b%2F{name}"),
            _ => name.clone(),
        }
    }

    /// A request to a route, made to reach what is `b`'s.
    fn hostile(&self, (method, path): &(String, String), random: &mut Rng) -> Hostile {
        let mut target = path.clone();
        while let (Some(start), Some(end)) = (target.find('{'), target.find('}')) {
            target.replace_range(start..=end, &self.name(random));
        }
        let queries = [
            "corpus=secrets",
            "tenant=b",
            "include=text",
            "everyone=true",
            "limit=1000",
            "doc_id=cellar.md",
            "after=0",
            "document=cellar.md&start=0&end=40",
            "q=cellar",
            "incident=i",
            "before=1000000",
            "document=cellar.md&corpus=secrets&start=0&end=40",
        ];
        let mut sign = '?';
        for query in queries {
            if random.u8(..8) == 0 {
                target.push_str(&format!("{sign}{query}"));
                sign = '&';
            }
        }
        let mut headers = String::from("content-type: application/json\r\n");
        for header in [
            "x-mainstay-tenant: b",
            "x-mainstay-tenant: B",
            "X-MAINSTAY-TENANT: b",
            "x-mainstay-tenant: a, b",
            "x-tenant-id: b",
            "x-mainstay-tenant:  b ",
            "x-forwarded-user: b",
            "x-mainstay-approval: apr_1",
            "x-http-method-override: DELETE",
            "cookie: mainstay_session=b",
            "x-original-url: /admin/audit?everyone=true",
            "cache-control: max-age=9999",
        ] {
            if random.u8(..8) == 0 {
                headers.push_str(&format!("{header}\r\n"));
            }
        }
        let corpus = if random.bool() { "secrets" } else { "default" };
        let question = if random.bool() { QUESTION.to_owned() } else { format!("{QUESTION} Please.") };
        let mut body = match path.as_str() {
            "/v1/chat/completions" | "/v1/messages" | "/v1/messages/count_tokens" => json!({
                "model": "assistant", "max_tokens": 100, "stream": random.bool(),
                "messages": [{ "role": "user", "content": question }],
            }),
            "/v1/search" => json!({ "query": "cellar barrels oil", "corpus": corpus }),
            "/v1/embeddings" => json!({ "model": "builtin/static", "input": "cellar" }),
            // Its own, under a name that another has, too.
            "/v1/documents" => {
                json!({ "doc_id": "cellar.md", "corpus": corpus, "text": "Nothing but water." })
            }
            "/admin/keys" => json!({ "name": "n", "role": "customer_user", "user": "b" }),
            "/admin/erasures" | "/admin/holds" => {
                json!({ "document": "cellar.md", "corpus": corpus, "reason": "r" })
            }
            "/admin/audit/resolve" => json!({ "pseudonym": format!("{:032x}", random.u128(..)) }),
            "/admin/quarantine/release" => json!({ "all": true, "corpus": corpus }),
            _ => json!({ "corpus": corpus }),
        };
        for field in ["tenant", "tenant_id", "user", "namespace"] {
            if random.u8(..8) == 0 {
                body[field] = json!("b");
            }
        }
        Hostile {
            method: method.clone(),
            target,
            headers,
            body: if method == "GET" { String::new() } else { body.to_string() },
        }
    }

    /// Sends it, and says what is wrong with the answer.
    fn crossing(&self, key: &str, hostile: &Hostile) -> Option<String> {
        let Hostile { method, target, headers, body } = hostile;
        let (status, head, text) =
            send(&self.running.address, key, method, target, headers, body.as_bytes()).ok()?;
        let told = format!("{head}\n{text}");
        let wrong = if told.contains(&self.mark) {
            "shows what is b's"
        } else if status >= 500 {
            "fails on the server's side"
        } else {
            return None;
        };
        Some(format!("{method} {target} {wrong}: {status}\n{headers}{body}\n{told}"))
    }
}

#[test]
fn nobody_crosses_from_one_tenant_to_another() {
    #[expect(clippy::disallowed_methods, reason = "how much is tried is for who runs the tests")]
    let wanted = std::env::var("MAINSTAY_CROSSING_REQUESTS").ok().and_then(|text| text.parse().ok());
    let seed = 7;
    let folder = tempfile::tempdir().unwrap();
    let world = world(folder.path(), seed);
    let before = state_of_b(&world);
    let mut random = Rng::with_seed(seed);
    for _ in 0..wanted.unwrap_or(REQUESTS) {
        let route = &world.routes[random.usize(..world.routes.len())];
        let hostile = world.hostile(route, &mut random);
        let key = world.a[random.usize(..world.a.len())].clone();
        if let Some(crossing) = world.crossing(&key, &hostile) {
            panic!("{crossing}");
        }
    }
    assert_eq!(state_of_b(&world), before, "what b has was changed");
    // Where answers are given again, and what is written down of all that.
    let (_, _, metrics) = send(&world.running.address, "", "GET", "/metrics", "", b"").unwrap();
    let hits =
        metrics.lines().find_map(|line| line.strip_prefix("mainstay_cache_hits_total{layer=\"exact\"} "));
    assert!(hits.is_some_and(|hits| hits != "0"), "no answer came from the cache: {metrics}");
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(!log.is_empty(), "there is no log to look into");
    for (what, written) in [("metrics", &metrics), ("log", &log)] {
        let line = written.lines().find(|line| line.contains(&world.mark));
        assert_eq!(line, None, "the {what} tell what is b's");
    }
    assert_eq!(
        holds(&folder.path().join("data/audit"), &world.mark),
        None,
        "the audit trail tells what is b's"
    );
}

#[test]
fn a_hole_in_any_route_would_be_found() {
    let seed = 11;
    let folder = tempfile::tempdir().unwrap();
    let world = world(folder.path(), seed);
    let mut random = Rng::with_seed(seed);
    // As if the route did not look whose it is: the requests are a's, and are let through as b's.
    for (method, path) in [
        ("GET", "/v1/documents"),
        ("GET", "/v1/documents/{doc_id}"),
        ("POST", "/v1/search"),
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/messages"),
        ("GET", "/admin/keys"),
        ("GET", "/admin/holds"),
        ("GET", "/admin/content"),
        ("GET", "/console/search"),
        ("GET", "/console/search/document"),
    ] {
        let route = (method.to_owned(), path.to_owned());
        assert!(world.routes.contains(&route), "{path} is described in another way");
        let found = (0..300).any(|_| {
            let hostile = world.hostile(&route, &mut random);
            world.crossing(&world.b, &hostile).is_some_and(|crossing| crossing.contains("shows what is b's"))
        });
        assert!(found, "a hole in {method} {path} would not be found");
    }
    // And one through which something is changed.
    let before = state_of_b(&world);
    let route = ("DELETE".to_owned(), "/v1/documents/{doc_id}".to_owned());
    let changed = (0..300).any(|_| {
        world.crossing(&world.b, &world.hostile(&route, &mut random));
        state_of_b(&world) != before
    });
    assert!(changed, "a change would not be found");
}
