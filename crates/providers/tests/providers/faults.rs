//! Every way in which a provider can fail, at every kind of provider, whole and streamed.

use std::time::Duration;

use crate::support::{Bench, CHAT_KINDS, Collected, question};
use mainstay_domain::TimeoutPhase::{FirstToken, Headers, Idle, Total};
use mainstay_domain::chat::FinishReason;
use mainstay_domain::{ModelError, ModelErrorKind as Kind};
use mainstay_providers::ProviderKind;

/// What is to come of a fault.
#[derive(Clone, Copy, Debug)]
enum Expected {
    Fails(Kind),
    Answers,
    /// Does not apply.
    Nothing,
}

use Expected::{Answers, Fails, Nothing};

/// Fault, what comes of a whole answer, what of a streamed one.
const FAULTS: &[(&str, Expected, Expected)] = &[
    ("400", Fails(Kind::InvalidRequest), Fails(Kind::InvalidRequest)),
    ("401", Fails(Kind::Authentication), Fails(Kind::Authentication)),
    ("403", Fails(Kind::Authentication), Fails(Kind::Authentication)),
    ("404", Fails(Kind::ModelNotFound), Fails(Kind::ModelNotFound)),
    ("408", Fails(Kind::Provider), Fails(Kind::Provider)),
    ("409", Fails(Kind::Provider), Fails(Kind::Provider)),
    ("422", Fails(Kind::InvalidRequest), Fails(Kind::InvalidRequest)),
    ("429:7", Fails(Kind::RateLimited), Fails(Kind::RateLimited)),
    ("500", Fails(Kind::Provider), Fails(Kind::Provider)),
    ("502", Fails(Kind::Provider), Fails(Kind::Provider)),
    ("503", Fails(Kind::Overloaded), Fails(Kind::Overloaded)),
    ("529", Fails(Kind::Overloaded), Fails(Kind::Overloaded)),
    ("context-too-long", Fails(Kind::ContextTooLong), Fails(Kind::ContextTooLong)),
    ("html", Fails(Kind::Provider), Fails(Kind::Provider)),
    ("html-ok", Fails(Kind::Malformed), Fails(Kind::Malformed)),
    ("redirect", Fails(Kind::Malformed), Fails(Kind::Malformed)),
    ("empty", Fails(Kind::Malformed), Fails(Kind::Truncated)),
    ("empty-stream", Nothing, Fails(Kind::Truncated)),
    ("truncated-json", Fails(Kind::Malformed), Fails(Kind::Malformed)),
    ("malformed-chunk", Nothing, Fails(Kind::Malformed)),
    ("stream-error", Fails(Kind::Provider), Fails(Kind::Provider)),
    ("ends-early", Fails(Kind::Malformed), Fails(Kind::Truncated)),
    ("cut", Fails(Kind::Truncated), Fails(Kind::Truncated)),
    ("reset", Fails(Kind::Connect), Fails(Kind::Connect)),
    ("reset-midway", Fails(Kind::Truncated), Fails(Kind::Truncated)),
    ("nothing", Fails(Kind::Connect), Fails(Kind::Connect)),
    ("stall-headers", Fails(Kind::Timeout(Total)), Fails(Kind::Timeout(Headers))),
    ("stall-first", Fails(Kind::Timeout(Idle)), Fails(Kind::Timeout(FirstToken))),
    ("pings", Nothing, Fails(Kind::Timeout(FirstToken))),
    ("stall", Fails(Kind::Timeout(Idle)), Fails(Kind::Timeout(Idle))),
    ("endless", Fails(Kind::Malformed), Nothing),
    ("one-piece", Nothing, Fails(Kind::Malformed)),
    ("slow:2000", Answers, Answers),
    // Whoever has said everything is not waited for.
    ("slow-close:600000", Fails(Kind::Timeout(Idle)), Answers),
    ("duplicate-finish", Answers, Answers),
    ("missing-usage", Answers, Answers),
    ("content-filter", Answers, Answers),
];

const TEXT: &str = "You said: Is the sky blue today?";

fn bench(kind: ProviderKind, fault: &str) -> Bench {
    let bench = Bench::with(kind, false, |options| options.max_answer_bytes = 1 << 20);
    bench.stand_in.fail_next([fault.parse().expect("a fault")]);
    bench
}

#[tokio::test(start_paused = true)]
async fn whole_answers_fail_with_the_kind_that_fits() {
    for kind in CHAT_KINDS {
        for (fault, expected, _) in FAULTS {
            let bench = bench(kind, fault);
            let result = bench.chat.complete(bench.call(question("Is the sky blue today?"))).await;
            let text =
                result.map(|completion| completion.choices[0].message.text.clone().unwrap_or_default());
            check(kind, fault, *expected, text);
            assert_eq!(bench.stand_in.records().counts().count, 1, "{kind}: {fault}: one attempt");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn streams_fail_with_the_kind_that_fits() {
    for kind in CHAT_KINDS {
        for (fault, _, expected) in FAULTS {
            let bench = bench(kind, fault);
            let result = bench.stream(question("Is the sky blue today?")).await;
            check(kind, fault, *expected, result.map(|collected| collected.text));
            assert_eq!(bench.stand_in.records().counts().count, 1, "{kind}: {fault}: one attempt");
        }
    }
}

fn check(kind: ProviderKind, fault: &str, expected: Expected, result: Result<String, ModelError>) {
    match (expected, result) {
        (Nothing, _) => {}
        (Answers, Ok(text)) => assert_eq!(text, TEXT, "{kind}: {fault}"),
        (Fails(wanted), Err(error)) => {
            assert_eq!(error.kind, wanted, "{kind}: {fault}: {error}");
            assert_eq!(error.provider, "p");
            assert!(!error.message.is_empty() && error.message.len() < 3_000, "{kind}: {fault}: {error}");
        }
        (_, result) => panic!("{kind}: {fault}: {expected:?} was expected, not {result:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_credit_that_is_used_up_is_told_from_a_rate_limit() {
    for kind in [ProviderKind::OpenAi, ProviderKind::OpenAiCompatible, ProviderKind::Anthropic] {
        let bench = bench(kind, "quota");
        let error = bench.stream(question("Hello")).await.unwrap_err();
        assert_eq!(error.kind, Kind::QuotaExhausted, "{kind}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_wait_that_a_provider_asks_for_is_passed_on() {
    for kind in CHAT_KINDS {
        let error = bench(kind, "429:7").stream(question("Hello")).await.unwrap_err();
        assert_eq!((error.status, error.retry_after), (Some(429), Some(Duration::from_secs(7))), "{kind}");
        let error = bench(kind, "503").stream(question("Hello")).await.unwrap_err();
        assert_eq!((error.status, error.retry_after), (Some(503), None), "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn messages_say_what_to_do_and_where_the_provider_spoke_repeat_it() {
    let message =
        async |kind, fault: &str| bench(kind, fault).stream(question("Hello")).await.unwrap_err().message;
    for kind in CHAT_KINDS {
        assert!(message(kind, "429").await.contains("The stand-in was asked for status 429"), "{kind}");
        let redirected = message(kind, "redirect").await;
        assert!(
            redirected.contains("https://elsewhere.example/v1, which is not followed"),
            "{kind}: {redirected}"
        );
        assert!(!redirected.contains("secret"), "{kind}: {redirected}");
        assert!(message(kind, "html-ok").await.contains("is base_url right?"), "{kind}");
        assert!(message(kind, "empty-stream").await.contains("without sending anything"), "{kind}");
        assert!(message(kind, "stall").await.contains("\"idle\""), "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_came_before_a_break_is_handed_out_and_the_break_is_the_last_item() {
    use futures_util::StreamExt as _;
    for kind in CHAT_KINDS {
        for fault in ["cut", "stall", "malformed-chunk", "stream-error", "ends-early"] {
            let bench = bench(kind, fault);
            let stream = bench.chat.stream(bench.call(question("count to 9"))).await.unwrap();
            let items: Vec<_> = stream.collect().await;
            let text: String = items
                .iter()
                .filter_map(|item| match item {
                    Ok(mainstay_domain::ChatEvent::Delta(delta)) => delta.text.as_deref(),
                    _ => None,
                })
                .collect();
            assert!(text.starts_with("1 2 3") && !text.contains('9'), "{kind}: {fault}: {text}");
            let errors = items.iter().filter(|item| item.is_err()).count();
            assert!(errors == 1 && items.last().unwrap().is_err(), "{kind}: {fault}: {items:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_finish_that_is_sent_twice_counts_once() {
    for kind in CHAT_KINDS {
        let collected = bench(kind, "duplicate-finish").stream(question("Hello")).await.unwrap();
        assert_eq!(collected.finishes, [FinishReason::Stop], "{kind}");
        assert!(collected.usages.len() == 1, "{kind}: {collected:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn missing_token_counts_are_missing_and_not_zero() {
    for kind in CHAT_KINDS {
        let Collected { usages, .. } = bench(kind, "missing-usage").stream(question("Hello")).await.unwrap();
        assert!(usages.is_empty(), "{kind}: {usages:?}");
        let bench = bench(kind, "missing-usage");
        let completion = bench.chat.complete(bench.call(question("Hello"))).await.unwrap();
        assert_eq!(completion.usage, None, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_a_filter_stopped_says_so() {
    for kind in CHAT_KINDS {
        let collected = bench(kind, "content-filter").stream(question("Hello")).await.unwrap();
        assert_eq!(collected.finishes, [FinishReason::ContentFilter], "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_stream_options_is_asked_without_them_from_then_on() {
    let bench = Bench::new(ProviderKind::OpenAiCompatible);
    let refuse = || "refuse-stream-options".parse().unwrap();
    bench.stand_in.fail_next([refuse(), refuse(), refuse()]);
    for expected_attempts in [2, 3] {
        let collected = bench.stream(question("Hello")).await.unwrap();
        assert_eq!(collected.text, "You said: Hello");
        assert_eq!(bench.stand_in.records().counts().count, expected_attempts);
        assert!(bench.last_body().get("stream_options").is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_be_reached_is_a_failure_to_connect() {
    struct Nobody;
    impl mainstay_providers::http::Dial for Nobody {
        fn dial(&self, _: http::Uri) -> mainstay_providers::http::Dialling {
            Box::pin(async {
                Err(std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection refused"))
            })
        }
    }
    let bench = Bench::new(ProviderKind::OpenAi);
    let settings = crate::support::settings(ProviderKind::OpenAi, "http://nobody", |_| {});
    let provider = mainstay_providers::Provider::new(settings, std::sync::Arc::new(Nobody), bench.clock);
    let error =
        provider.chat().expect("the kind answers").complete(bench.call(question("Hello"))).await.unwrap_err();
    assert_eq!(error.kind, Kind::Connect);
    assert!(error.message.contains("connection refused"), "{error}");
}
