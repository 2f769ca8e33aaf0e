//! What a test in another process asks for.

use mainstay_provider_sim::{FAULTS, Fault, Settings, StandIn};
use serde_json::{Value, json};

use crate::client::{Api, ask, send};

async fn control(stand_in: &StandIn, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = send(stand_in, method, path, "", &body).await.unwrap();
    (answer.status, answer.json())
}

/// A request without a fault of its own.
async fn status(stand_in: &StandIn) -> u16 {
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": "Hello" }] });
    let answer = send(stand_in, "POST", "/compatible/v1/chat/completions", "", &body.to_string()).await;
    answer.unwrap().status
}

#[tokio::test(start_paused = true)]
async fn next_faults_come_before_those_of_all_requests() {
    let stand_in = StandIn::new();
    let wanted = json!({ "faults": ["503", "none"], "always": ["500", "404"] });
    assert_eq!(control(&stand_in, "POST", "/control", &wanted).await.0, 200);
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(status(&stand_in).await);
    }
    assert_eq!(statuses, [503, 200, 500, 404, 500]);
    let requests = control(&stand_in, "GET", "/control/requests", &Value::Null).await.1;
    let faults: Vec<&str> =
        requests["requests"].as_array().unwrap().iter().map(|one| one["fault"].as_str().unwrap()).collect();
    assert_eq!(faults, ["503", "none", "500", "404", "500"]);
}

#[tokio::test(start_paused = true)]
async fn it_goes_back_to_what_it_was_started_with() {
    let stand_in = StandIn::with(Settings { faults: vec!["418".parse().unwrap()], ..Settings::default() });
    let wanted = json!({ "always": ["none"], "share": 0.5, "pause_ms": 9, "timing": { "ttft_ms": 5 } });
    let (_, held) = control(&stand_in, "POST", "/control", &wanted).await;
    assert_eq!(held, control(&stand_in, "GET", "/control", &Value::Null).await.1);
    assert_eq!(
        (&held["always"], &held["share"], &held["pause_ms"]),
        (&json!(["none"]), &json!(0.5), &json!(9))
    );
    control(&stand_in, "DELETE", "/control", &Value::Null).await;
    assert_eq!(status(&stand_in).await, 418);
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_makes_no_sense_changes_nothing() {
    let stand_in = StandIn::new();
    for wanted in [
        json!({ "faults": ["500", "explode"] }),
        json!({ "share": 2 }),
        json!({ "faults": ["500"], "timing": { "ttft_jitter": -1 } }),
        json!({ "fault": ["500"] }),
    ] {
        let (status, answer) = control(&stand_in, "POST", "/control", &wanted).await;
        assert!(status == 400 && answer["error"].is_string(), "{wanted}: {answer}");
    }
    assert_eq!(status(&stand_in).await, 200);
}

#[tokio::test(start_paused = true)]
async fn all_faults_are_listed() {
    let (_, listed) = control(&StandIn::new(), "GET", "/control/faults", &Value::Null).await;
    assert_eq!(listed["faults"].as_array().unwrap().len(), FAULTS.len());
    assert!(listed["faults"].as_array().unwrap().iter().all(|one| one["what"].is_string()));
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_has_the_same_luck() {
    let run = async |seed| {
        let settings = Settings {
            faults: vec!["500".parse::<Fault>().unwrap()],
            share: Some(0.5),
            seed,
            ..Settings::default()
        };
        let stand_in = StandIn::with(settings);
        let mut statuses = Vec::new();
        for _ in 0..24 {
            statuses.push(status(&stand_in).await);
        }
        statuses
    };
    assert_eq!(run(1).await, run(1).await);
    assert_ne!(run(1).await, run(2).await);
}

#[tokio::test(start_paused = true)]
async fn a_model_may_be_named_after_its_fault() {
    let body = json!({ "model": "fault-429:700ms", "messages": [{ "role": "user", "content": "Hello" }] });
    let answer = send(&StandIn::new(), "POST", "/compatible/v1/chat/completions", "", &body.to_string())
        .await
        .unwrap();
    assert_eq!((answer.status, answer.header("retry-after-ms")), (429, Some("700")));
    assert_eq!(ask(&StandIn::new(), Api::Gemini, "Hello", false, "none").await.unwrap().status, 200);
}
