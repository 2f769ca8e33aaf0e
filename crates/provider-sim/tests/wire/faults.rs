//! Every fault does what it says, at every API.

use std::time::Duration;

use mainstay_provider_sim::{Applies, FAULTS, Outcome, StandIn};

use crate::client::{APIS, Answer, Api, ask, call_tool};

/// Characters of two, three and four bytes, so that pieces can end in the middle of one.
const QUESTION: &str = "Grüße aus 東京 🙂: ist die Fähre angekommen?";

async fn asked(api: Api, streamed: bool, fault: &str) -> Option<Answer> {
    ask(&StandIn::new(), api, QUESTION, streamed, fault).await
}

async fn answered(api: Api, streamed: bool, fault: &str) -> Answer {
    asked(api, streamed, fault).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_only_takes_time_or_comes_in_other_pieces_is_the_same_answer() {
    for api in APIS {
        for streamed in [false, true] {
            let whole = answered(api, streamed, "none").await;
            assert!(whole.complete && whole.status == 200, "{api:?}: {whole:?}");
            for fault in
                ["latency:200,50", "bandwidth:2000", "slices:1", "slices:3", "slow:20", "slow-close:2000"]
            {
                let answer = answered(api, streamed, fault).await;
                assert_eq!(answer.text(), whole.text(), "{api:?}: {fault}");
                assert!(answer.complete, "{api:?}: {fault}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn slices_end_within_characters_and_lines() {
    for api in APIS {
        let answer = answered(api, true, "slices:1").await;
        assert!(answer.pieces.iter().all(|piece| piece.len() == 1), "{api:?}");
        let answer = answered(api, true, "slices:3").await;
        assert!(answer.pieces.iter().any(|piece| std::str::from_utf8(piece).is_err()), "{api:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn slow_networks_are_as_slow_as_they_say() {
    let took = async |streamed, fault: &str| answered(Api::OpenAi, streamed, fault).await.took.as_millis();
    let none = took(true, "none").await;
    assert!(none < 20, "{none}");
    for _ in 0..5 {
        let late = took(false, "latency:200,50").await;
        assert!((150..=260).contains(&late), "{late}");
    }
    let bytes = answered(Api::OpenAi, true, "none").await.bytes().len() as u128;
    let throttled = took(true, "bandwidth:2000").await;
    // tokio's timers have a resolution of a millisecond, and there are some hundred waits.
    assert!((bytes / 2..bytes / 2 + 400).contains(&throttled), "{throttled} ms for {bytes} bytes");
    assert!((2_000..2_050).contains(&took(true, "slow-close:2000").await));
    assert!((2_000..2_050).contains(&took(false, "slow-close:2000").await));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_ends_the_connection_without_an_answer() {
    let stand_in = StandIn::new();
    assert_eq!(ask(&stand_in, Api::Anthropic, QUESTION, true, "timeout:700").await, None);
    let record = stand_in.records().last().pop().unwrap();
    assert_eq!((record.outcome, record.fault.to_string()), (Outcome::Broken, "timeout:700".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_data_is_the_byte() {
    for api in APIS {
        for streamed in [false, true] {
            let whole = answered(api, streamed, "none").await.bytes();
            let answer = answered(api, streamed, "data-limit:123").await;
            assert_eq!(answer.bytes(), whole[..123], "{api:?}");
            assert!(!answer.complete, "{api:?}");
            let enough = answered(api, streamed, "data-limit:1000000").await;
            assert!(enough.complete && enough.bytes() == whole, "{api:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_when_to_come_back_in_every_way() {
    let header = async |fault: &str, name: &str| {
        let answer = answered(Api::OpenAi, false, fault).await;
        assert_eq!(answer.status, 429, "{fault}");
        answer.header(name).map(str::to_owned)
    };
    for (fault, value) in
        [("429:7", "7"), ("429:negative", "-5"), ("429:text", "soon"), ("429:year", "31536000")]
    {
        assert_eq!(header(fault, "retry-after").await.as_deref(), Some(value), "{fault}");
    }
    assert_eq!(header("429:none", "retry-after").await, None);
    assert_eq!(header("429:700ms", "retry-after").await, None);
    assert_eq!(header("429:700ms", "retry-after-ms").await.as_deref(), Some("700"));
    let date = header("429:date", "retry-after").await.unwrap();
    assert!(date.ends_with(" GMT"), "{date}");
}

#[tokio::test(start_paused = true)]
async fn a_long_line_means_the_same() {
    for api in APIS {
        let answer = answered(api, true, "long-line:1").await;
        let longest = answer.text().lines().map(str::len).max().unwrap();
        assert!(longest > 1 << 20, "{api:?}: {longest}");
        assert_eq!(answer.events(), answered(api, true, "none").await.events(), "{api:?}");
        assert_eq!(
            answered(api, false, "long-line:1").await.json(),
            answered(api, false, "none").await.json()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_truncated_tool_call_looks_finished() {
    for api in [Api::OpenAi, Api::Compatible] {
        let whole = call_tool(&StandIn::new(), api, false, "truncated-tool-call").await.unwrap().json();
        assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls", "{api:?}");
        let call = &whole["choices"][0]["message"]["tool_calls"][0]["function"];
        assert_eq!(call["arguments"], "{\"city\":", "{api:?}");
    }
    let arguments = |events: &[serde_json::Value], pointer: &str| -> String {
        events.iter().filter_map(|event| event.pointer(pointer)?.as_str()).collect()
    };
    let events = call_tool(&StandIn::new(), Api::OpenAi, true, "truncated-tool-call").await.unwrap().events();
    assert_eq!(arguments(&events, "/choices/0/delta/tool_calls/0/function/arguments"), "{\"city\":");
    assert_eq!(arguments(&events, "/choices/0/finish_reason"), "tool_calls");
    let events =
        call_tool(&StandIn::new(), Api::Anthropic, true, "truncated-tool-call").await.unwrap().events();
    assert_eq!(arguments(&events, "/delta/partial_json"), "{\"city\":");
    assert_eq!(arguments(&events, "/delta/stop_reason"), "tool_use");
    // Where arguments are JSON and no text, half of them is half of the answer.
    for (api, streamed) in [(Api::Anthropic, false), (Api::Gemini, false)] {
        let answer = call_tool(&StandIn::new(), api, streamed, "truncated-tool-call").await.unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(&answer.text()).is_err(), "{api:?}");
    }
}

/// How long a client waits before it goes away, in tests of faults that never end.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn no_fault_of_a_conversation_is_the_answer_without_one() {
    let harmless = ["none", "latency:200,50", "bandwidth:2000", "slices:1", "slow:20", "slow-close:2000"];
    let elsewhere =
        |applies| matches!(applies, Applies::Embeddings | Applies::Reranking | Applies::ToolCalls);
    for described in FAULTS {
        let fault = described.example;
        // A byte more than it takes would be a gigabyte.
        if elsewhere(described.applies) || harmless.contains(&fault) || fault == "endless" {
            continue;
        }
        let whole = answered(Api::OpenAi, true, "none").await;
        let answer = tokio::time::timeout(PATIENCE, asked(Api::OpenAi, true, fault)).await;
        let same = matches!(&answer, Ok(Some(answer)) if answer.complete && answer.text() == whole.text());
        assert!(!same, "{fault}: {answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_fault_is_refused_with_what_was_meant() {
    for api in APIS {
        let answer = answered(api, true, "stal").await;
        assert!(answer.status == 400 && answer.text().contains("did you mean"), "{api:?}: {answer:?}");
    }
}
