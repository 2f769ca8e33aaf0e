//! What the API says to what it cannot take.

use serde_json::{Value, json};

use crate::running::{Running, send};

/// A form with one file, as `curl -F file=@name` sends it.
fn form(name: &str, bytes: &[u8]) -> (&'static str, Vec<u8>) {
    let mut body = format!(
        "--cut\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         content-type: application/octet-stream\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(bytes);
    body.extend_from_slice(b"\r\n--cut--\r\n");
    ("content-type: multipart/form-data; boundary=cut\r\n", body)
}

/// A page of which almost nothing is text, so that only its transport takes time.
fn page(bytes: usize) -> Vec<u8> {
    format!("<html><!--{}--><p>The gate opens at nine.</p></html>", " ".repeat(bytes)).into_bytes()
}

#[test]
fn a_form_is_taken_up_to_the_limit_of_the_configuration_and_then_refused_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let key = running.api_key.as_deref().unwrap();
    let upload = |bytes: usize| {
        let (headers, body) = form("gate.html", &page(bytes));
        let (status, _, answer) =
            send(&running.address, key, "POST", "/v1/documents", headers, &body).unwrap();
        (status, serde_json::from_str::<Value>(&answer).unwrap())
    };
    let (status, answer) = upload(3 << 20);
    assert_eq!((status, answer["doc_id"].as_str()), (201, Some("gate.html")), "{answer}");
    let (status, answer) = upload(3 << 20);
    assert_eq!((status, answer["unchanged"].as_bool()), (200, Some(true)), "{answer}");
    // More than any buffer between the two: who does not read until all is sent must get the answer all the same.
    let (status, answer) = upload(40 << 20);
    assert_eq!((status, answer["error"]["code"].as_str()), (413, Some("body_too_large")), "{answer}");
}

#[test]
fn every_error_has_the_shape_of_the_api_and_the_id_of_its_request() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let key = running.api_key.as_deref().unwrap();
    for (method, path, expected) in [
        ("GET", "/v1/documents?limit=0", 400),
        ("GET", "/v1/documents?limit=many", 400),
        ("GET", "/v1/documents?limt=3", 400),
        ("GET", "/v1/documents?corpus=%1b", 400),
        ("GET", "/v1/documents/%ff", 400),
        ("DELETE", "/v1/documents/a?include=text", 400),
        ("GET", "/v1/models/%ff", 400),
        ("DELETE", "/admin/keys/%ff", 400),
        ("GET", "/v1/nothing", 404),
        ("PUT", "/v1/search", 405),
    ] {
        let (status, head, body) = send(&running.address, key, method, path, "", b"").unwrap();
        let body: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{method} {path}: {body}"));
        assert_eq!(status, expected, "{method} {path}: {body}");
        assert!(body["error"]["message"].is_string(), "{method} {path}: {body}");
        assert!(head.to_lowercase().contains("x-request-id: req_"), "{method} {path}: {head}");
    }
    let (status, _, body) =
        send(&running.address, key, "POST", "/v1/search", "content-encoding: gzip\r\n", b"x").unwrap();
    assert!(status == 415 && body.contains("content-encoding"), "{status}: {body}");
    let (status, head, _) = send(&running.address, "", "GET", "/", "", b"").unwrap();
    assert!(status == 307 && head.to_lowercase().contains("location: /console"), "{status}: {head}");
}

#[test]
fn of_many_documents_only_the_one_with_an_impossible_id_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let body = json!({ "documents": [
        { "doc_id": "a", "text": "The mast is of larch." },
        { "doc_id": "b\u{7}", "text": "The keel is of oak." },
        { "doc_id": "c", "text": "The deck is of pine." },
    ] });
    let (status, answer) = running.call("POST", "/v1/documents", Some(&body));
    assert_eq!((status, answer["accepted"].as_u64(), answer["refused"].as_u64()), (200, Some(2), Some(1)));
    assert_eq!(
        answer["data"][1]["error"]["message"],
        "the document's id contains a control character, such as a tab or a line break"
    );
    let (status, answer) = running.call("GET", "/v1/documents?corpus=nope", None);
    assert_eq!(status, 404);
    assert!(answer["error"]["message"].as_str().unwrap().contains("no corpus \"nope\""), "{answer}");
}

#[test]
fn a_browser_that_signs_in_again_has_one_session() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let form = format!("key={}", running.api_key.as_deref().unwrap());
    let sign_in = |cookie: &str| {
        let headers = format!("content-type: application/x-www-form-urlencoded\r\n{cookie}");
        let answer = send(&running.address, "", "POST", "/console/session", &headers, form.as_bytes());
        let (status, head, _) = answer.unwrap();
        assert_eq!(status, 303, "{head}");
        let token = head.split_once("mainstay_session=").unwrap().1.split(';').next().unwrap();
        format!("cookie: mainstay_session={token}\r\n")
    };
    let look = |cookie: &str| send(&running.address, "", "GET", "/console/search", cookie, b"").unwrap().0;
    let first = sign_in("");
    assert_eq!(look(&first), 200);
    let second = sign_in(&first);
    assert_eq!((look(&first), look(&second)), (401, 200));
}
