//! A caller who goes away: the provider sees it, whatever it was doing.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{Bench, CHAT_KINDS, question};
use futures_util::StreamExt as _;
use mainstay_domain::Clock;
use mainstay_provider_sim::StandIn;
use mainstay_providers::Provider;
use mainstay_providers::http::Network;

/// What a provider does when the caller goes away.
const MOMENTS: [&str; 3] = ["stall-headers", "stall-first", "stall"];

#[tokio::test(start_paused = true)]
async fn dropping_a_stream_or_its_future_cancels_the_call() {
    for kind in CHAT_KINDS {
        for http2 in [false, true] {
            for moment in MOMENTS {
                let bench = Bench::with(kind, http2, |_| {});
                bench.stand_in.fail_next([moment.parse().unwrap()]);
                // Shorter than any limit: what ends the call is the drop.
                let opened = tokio::time::timeout(Duration::from_secs(1), async {
                    let mut stream = bench.chat.stream(bench.call(question("Hello"))).await.unwrap();
                    while stream.next().await.is_some() {}
                });
                assert!(opened.await.is_err(), "{kind}: {moment}");
                let cancelled = bench.stand_in.records().wait_for(|counts| counts.cancelled == 1);
                let seen = tokio::time::timeout(Duration::from_secs(5), cancelled).await;
                assert!(seen.is_ok(), "{kind}: {moment}, HTTP/2: {http2}: the provider goes on");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_the_future_of_a_whole_answer_cancels_the_call() {
    for kind in CHAT_KINDS {
        for moment in MOMENTS {
            let bench = Bench::new(kind);
            bench.stand_in.fail_next([moment.parse().unwrap()]);
            let call = bench.chat.complete(bench.call(question("Hello")));
            assert!(tokio::time::timeout(Duration::from_secs(1), call).await.is_err(), "{kind}: {moment}");
            let cancelled = bench.stand_in.records().wait_for(|counts| counts.cancelled == 1);
            assert!(
                tokio::time::timeout(Duration::from_secs(5), cancelled).await.is_ok(),
                "{kind}: {moment}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_cancels_the_call_too() {
    for kind in CHAT_KINDS {
        for moment in MOMENTS {
            let bench = Bench::new(kind);
            bench.stand_in.fail_next([moment.parse().unwrap()]);
            bench.stream(question("Hello")).await.unwrap_err();
            let cancelled = bench.stand_in.records().wait_for(|counts| counts.cancelled == 1);
            assert!(
                tokio::time::timeout(Duration::from_secs(5), cancelled).await.is_ok(),
                "{kind}: {moment}"
            );
        }
    }
}

#[tokio::test]
async fn over_tcp_the_provider_sees_that_the_caller_went_away() {
    for kind in CHAT_KINDS {
        for moment in MOMENTS {
            let stand_in = StandIn::new();
            let address = stand_in.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
            stand_in.fail_next([moment.parse().unwrap()]);
            let settings = crate::support::settings(kind, &format!("http://{address}"), |_| {});
            let provider = Provider::new(settings, Arc::new(Network::default()), Clock::system());
            let bench = Bench::new(kind);
            let call = provider.chat().expect("the kind answers");
            let call = call.complete(bench.call(question("Hello")));
            tokio::select! {
                result = call => panic!("{kind}: {moment}: {result:?}"),
                // The request has arrived: the caller goes away while the provider works on it.
                _ = stand_in.records().wait_for(|counts| counts.open == 1) => {}
            }
            stand_in.records().wait_for(|counts| counts.cancelled == 1).await;
        }
    }
}

#[tokio::test]
async fn over_tcp_a_reset_before_and_within_an_answer_is_told_apart() {
    use mainstay_domain::ModelErrorKind as Kind;
    let stand_in = StandIn::new();
    let address = stand_in.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    for kind in CHAT_KINDS {
        let settings = crate::support::settings(kind, &format!("http://{address}"), |_| {});
        let chat = Provider::new(settings, Arc::new(Network::default()), Clock::system())
            .chat()
            .expect("the kind answers");
        let bench = Bench::new(kind);
        for (fault, expected) in
            [("reset", Kind::Connect), ("reset-midway", Kind::Truncated), ("cut", Kind::Truncated)]
        {
            stand_in.fail_next([fault.parse().unwrap()]);
            let error = match chat.stream(bench.call(question("Hello"))).await {
                Err(error) => error,
                Ok(stream) => crate::support::collect(stream).await.unwrap_err(),
            };
            assert_eq!(error.kind, expected, "{kind}: {fault}: {error}");
        }
    }
}
