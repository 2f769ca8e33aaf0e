//! People who sign in to the console at an identity provider, and tokens that are taken away.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::{fs, thread};

use serde_json::{Value, json};

use crate::identity::{SECRET, token};
use crate::running::{Running, call, mainstay};

/// An identity provider on this machine: it gives an ID token for the code `good`.
struct Provider {
    address: String,
    /// What its next ID token says beside what all do.
    claims: Arc<Mutex<Value>>,
    /// The forms that it was sent.
    forms: Arc<Mutex<Vec<String>>>,
}

impl Provider {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (claims, forms) = (Arc::new(Mutex::new(json!({}))), Arc::<Mutex<Vec<String>>>::default());
        let (here, said, seen) = (address.clone(), claims.clone(), forms.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (line, form) = read(&mut stream);
                let (status, answer) = if line.starts_with("GET /.well-known/openid-configuration ") {
                    let document = json!({
                        "issuer": here, "authorization_endpoint": format!("{here}/authorize"),
                        "token_endpoint": format!("{here}/token"),
                    });
                    ("200 OK", document)
                } else {
                    let is_good = form.contains("code=good&");
                    seen.lock().unwrap().push(form);
                    if is_good {
                        let mut claims = json!({
                            "iss": here, "aud": "mainstay-console", "org": "default", "access": { "roles": ["boss"] },
                            "iat": now(), "exp": now() + 60,
                        });
                        let more = said.lock().unwrap().clone();
                        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                        ("200 OK", json!({ "id_token": token(&claims), "access_token": "opaque" }))
                    } else {
                        ("400 Bad Request", json!({ "error": "invalid_grant" }))
                    }
                };
                let body = answer.to_string();
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all((head + &body).as_bytes()).unwrap();
            }
        });
        Self { address, claims, forms }
    }
}

/// The request line and the body.
fn read(stream: &mut TcpStream) -> (String, String) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (line, String::from_utf8(body).unwrap())
}

#[expect(clippy::disallowed_methods, reason = "tokens of now")]
fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// A browser: it keeps cookies, and follows nothing by itself.
#[derive(Default)]
struct Browser {
    cookies: HashMap<String, String>,
}

impl Browser {
    /// The status, the headers and the page.
    fn get(&mut self, address: &str, path: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(address).unwrap();
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {address}\r\ncookie: {cookies}\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, page) = answer.split_once("\r\n\r\n").unwrap();
        for line in head.lines().filter_map(|line| line.strip_prefix("set-cookie: ")) {
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            assert!(line.contains("HttpOnly"), "{line}");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_owned(), page.to_owned())
    }
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
}

/// A value of the query of an address; those that are looked for need no decoding.
fn value(address: &str, name: &str) -> String {
    let query = address.split_once('?').unwrap().1;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).unwrap().1.to_owned()
}

fn started(folder: &std::path::Path, provider: &Provider) -> Running {
    fs::write(folder.join("secret"), SECRET).unwrap();
    let config = format!(
        "[identity.issuers.login]\nissuer = \"{}\"\naudiences = [\"mainstay\"]\nsecret = \"file:secret\"\n\
         claims.tenant = \"org\"\nclaims.role = \"access.roles\"\nroles.boss = \"admin\"\n\
         login.client_id = \"mainstay-console\"\n\
         login.redirect_url = \"http://127.0.0.1:8088/console/login/callback\"\n[corpora.default]\n",
        provider.address
    );
    fs::write(folder.join("mainstay.toml"), config).unwrap();
    Running::start(folder)
}

#[test]
fn people_sign_in_to_the_console_and_are_signed_out_when_their_tokens_are_revoked() {
    let (folder, provider) = (tempfile::tempdir().unwrap(), Provider::start());
    let running = started(folder.path(), &provider);
    let address = &running.address;
    let mut browser = Browser::default();
    let (status, _, page) = browser.get(address, "/console/search");
    assert_eq!(status, 401);
    assert!(page.contains("href=\"/console/login?provider=login\""), "{page}");

    let (status, head, _) = browser.get(address, "/console/login?provider=login");
    let leads_to = header(&head, "location").to_owned();
    assert_eq!(status, 303);
    assert!(
        leads_to.starts_with(&format!("{}/authorize?response_type=code", provider.address)),
        "{leads_to}"
    );
    let (state, nonce) = (value(&leads_to, "state"), value(&leads_to, "nonce"));
    let come_back = |browser: &mut Browser, state: &str, code: &str| {
        browser.get(address, &format!("/console/login/callback?state={state}&code={code}"))
    };

    // What is not of this sign-in, or of no sign-in at all.
    *provider.claims.lock().unwrap() = json!({ "sub": "ada", "nonce": "another" });
    let cookie = browser.cookies["mainstay_login"].clone();
    assert_eq!(come_back(&mut Browser::default(), &state, "good").0, 400, "another browser");
    assert_eq!(come_back(&mut browser, &state, "bad").0, 401, "another code");
    browser.cookies.insert("mainstay_login".to_owned(), cookie.clone());
    let (status, _, page) = come_back(&mut browser, &state, "good");
    assert_eq!(status, 401, "another nonce");
    assert!(page.contains("not of this sign-in"), "{page}");
    assert_eq!(browser.get(address, "/console/search").0, 401);

    *provider.claims.lock().unwrap() = json!({ "sub": "ada", "nonce": nonce });
    browser.cookies.insert("mainstay_login".to_owned(), cookie);
    let (status, head, _) = come_back(&mut browser, &state, "good");
    assert_eq!((status, header(&head, "refresh")), (200, "0; url=/console/search"));
    assert!(provider.forms.lock().unwrap().last().unwrap().contains("code_verifier="));
    assert_eq!(browser.cookies["mainstay_login"], "", "it is used up");
    assert_eq!(browser.get(address, "/console/search").0, 200);
    // The session is for the console alone.
    assert_eq!(browser.get(address, "/v1/corpora").0, 401);
    for path in ["/console/login?provider=nobody", "/console/login"] {
        assert_eq!(browser.get(address, path).0, 404, "{path}");
    }
    let (status, _, page) =
        browser.get(address, "/console/login/callback?error=access_denied&error_description=%3Cb%3E");
    assert!(status == 401 && page.contains("access_denied") && !page.contains("<b>"), "{page}");

    let revoked = mainstay(folder.path(), &["keys", "revoke-tokens", "--user", "ada"]);
    assert!(revoked.status.success(), "{}", String::from_utf8_lossy(&revoked.stderr));
    let (status, _, page) = browser.get(address, "/console/search");
    assert_eq!(status, 401);
    assert!(page.contains("revoked"), "{page}");
}

#[test]
fn a_revoked_token_is_refused_also_after_a_restart_and_a_new_one_is_not() {
    let (folder, provider) = (tempfile::tempdir().unwrap(), Provider::start());
    let mut running = started(folder.path(), &provider);
    let issued = |user: &str, id: &str, at: u64| {
        token(&json!({
            "iss": provider.address, "aud": "mainstay", "sub": user, "org": "default", "access": { "roles": ["boss"] },
            "iat": at, "exp": now() + 600, "jti": id,
        }))
    };
    let (ada, bob, other) =
        (issued("ada", "1", now() - 9), issued("bob", "2", now() - 9), issued("bob", "3", now() - 9));
    let status =
        |running: &Running, token: &str| call(&running.address, token, "GET", "/v1/corpora", None).unwrap();
    for token in [&ada, &bob, &other] {
        assert_eq!(status(&running, token).0, 200);
    }
    for wrong in
        [json!({}), json!({ "user": "" }), json!({ "user": "a", "token_id": "b" }), json!({ "name": "a" })]
    {
        assert_eq!(running.call("POST", "/admin/tokens/revoke", Some(&wrong)).0, 400, "{wrong}");
    }
    let revoke = |running: &Running, body: Value| running.call("POST", "/admin/tokens/revoke", Some(&body)).0;
    assert_eq!(revoke(&running, json!({ "user": "ada" })), 200);
    assert_eq!(revoke(&running, json!({ "token_id": "2" })), 200);
    for _ in 0..2 {
        for token in [&ada, &bob] {
            let (status, answer) = status(&running, token);
            assert_eq!((status, &answer["error"]["code"]), (401, &json!("revoked_token")), "{answer}");
        }
        assert_eq!(status(&running, &other).0, 200);
        // What she is given later is another token.
        assert_eq!(status(&running, &issued("ada", "4", now() + 30)).0, 200);
        drop(running);
        running = Running::start(folder.path());
    }
}
