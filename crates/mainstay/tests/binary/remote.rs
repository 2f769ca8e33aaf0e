//! Verbs against a Mainstay that is elsewhere: over TLS, vouched for by an authority of its own.

use std::fs;

use rcgen::generate_simple_self_signed;

use crate::running::{Running, command};

#[test]
fn verbs_reach_a_server_over_tls_and_trust_whom_they_are_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let made = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(folder.path().join("server.pem"), made.cert.pem()).unwrap();
    fs::write(folder.path().join("server.key"), made.signing_key.serialize_pem()).unwrap();
    fs::write(folder.path().join("words.pem"), "no certificate").unwrap();
    let config = "[server.tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\n";
    fs::write(folder.path().join("mainstay.toml"), config).unwrap();
    let running = Running::start(folder.path());
    let port = running.address.rsplit(':').next().unwrap();
    let url = format!("https://localhost:{port}");
    let list = |more: &[&str]| {
        let key = running.api_key.as_deref().unwrap();
        let arguments = [&["keys", "list", "--json", "--url", &url, "--api-key", key], more].concat();
        let output = command(folder.path(), &arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };

    let (code, keys, problem) = list(&["--ca", "server.pem"]);
    assert_eq!(code, Some(0), "{problem}");
    assert!(keys.contains("\"role\""), "{keys}");

    let (code, _, problem) = list(&[]);
    assert_eq!(code, Some(1), "nobody vouches for it");
    assert!(problem.contains("no Mainstay answers") && problem.contains("certificate"), "{problem}");

    let (code, _, problem) = list(&["--ca", "words.pem"]);
    assert_eq!(code, Some(2));
    assert!(problem.contains("holds no certificates"), "{problem}");
}
