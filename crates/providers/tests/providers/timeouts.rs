//! The time limits, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{Bench, CHAT_KINDS, Pipes, TIMEOUTS, question};
use futures_util::StreamExt as _;
use hyper_util::rt::TokioIo;
use mainstay_domain::port::ModelCall;
use mainstay_domain::{ChatEvent, Deadline, ModelErrorKind, TimeoutPhase};
use mainstay_providers::http::{Dial, Dialling, Link};
use mainstay_providers::{Provider, ProviderKind};

/// How long a streamed call takes until it fails, and in which phase.
async fn fails_after(bench: &Bench, call: ModelCall) -> (Duration, TimeoutPhase) {
    let start = bench.clock.instant();
    let error = match bench.chat.stream(call).await {
        Err(error) => error,
        Ok(stream) => crate::support::collect(stream).await.expect_err("a time limit"),
    };
    let ModelErrorKind::Timeout(phase) = error.kind else { panic!("{error}") };
    (bench.clock.instant() - start, phase)
}

#[tokio::test(start_paused = true)]
async fn each_phase_has_its_own_limit() {
    for kind in CHAT_KINDS {
        for (fault, limit, phase) in [
            ("stall-headers", TIMEOUTS.headers, TimeoutPhase::Headers),
            ("stall-first", TIMEOUTS.first_token, TimeoutPhase::FirstToken),
            ("pings", TIMEOUTS.first_token, TimeoutPhase::FirstToken),
            ("stall", TIMEOUTS.idle, TimeoutPhase::Idle),
        ] {
            let bench = Bench::new(kind);
            bench.stand_in.fail_next([fault.parse().unwrap()]);
            let (elapsed, found) = fails_after(&bench, bench.call(question("Hello"))).await;
            assert_eq!(found, phase, "{kind}: {fault}");
            // tokio's timers have a resolution of a millisecond.
            assert!(elapsed.abs_diff(limit) <= Duration::from_millis(10), "{kind}: {fault}: {elapsed:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_is_no_stalled_one() {
    for kind in CHAT_KINDS {
        let bench = Bench::new(kind);
        // Five seconds before each of a dozen pieces: longer than `first_token` and `idle` in sum, never at once.
        bench.stand_in.set_pause(Duration::from_secs(5));
        let start = bench.clock.instant();
        let text = bench.stream(question("count to 9")).await.unwrap().text;
        assert_eq!(text, "1 2 3 4 5 6 7 8 9", "{kind}");
        assert!(bench.clock.instant() - start > TIMEOUTS.first_token + TIMEOUTS.idle, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_callers_deadline_and_the_total_limit_both_end_a_call() {
    for (deadline, expected) in [(40, 40), (500, 101)] {
        let bench = Bench::new(ProviderKind::OpenAi);
        bench.stand_in.set_pause(Duration::from_secs(10));
        let mut call = bench.call(question("count to 90"));
        call.deadline = Deadline::after(&bench.clock, Duration::from_secs(deadline));
        let (elapsed, phase) = fails_after(&bench, call).await;
        assert_eq!((elapsed.as_secs(), phase), (expected, TimeoutPhase::Total));
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_fails_at_once() {
    let bench = Bench::new(ProviderKind::OpenAi);
    bench.stand_in.fail_next(["stall-headers".parse().unwrap()]);
    let mut call = bench.call(question("Hello"));
    call.deadline = Deadline::after(&bench.clock, Duration::ZERO);
    let (elapsed, phase) = fails_after(&bench, call).await;
    assert!(elapsed <= Duration::from_millis(2) && phase == TimeoutPhase::Total, "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_may_take_until_the_total_limit() {
    for kind in CHAT_KINDS {
        let bench = Bench::new(kind);
        bench.stand_in.fail_next(["stall-headers".parse().unwrap()]);
        let start = bench.clock.instant();
        let error = bench.chat.complete(bench.call(question("Hello"))).await.unwrap_err();
        assert_eq!(error.kind, ModelErrorKind::Timeout(TimeoutPhase::Total), "{kind}");
        assert_eq!((bench.clock.instant() - start).as_secs(), TIMEOUTS.total.as_secs(), "{kind}");
    }
}

/// A network on which it takes some time to connect.
struct Slowly {
    pipes: Arc<Pipes>,
    time: Duration,
}

impl Dial for Slowly {
    fn dial(&self, target: http::Uri) -> Dialling {
        let (time, dialling) = (self.time, self.pipes.dial(target));
        Box::pin(async move {
            tokio::time::sleep(time).await;
            dialling.await
        })
    }
}

async fn connecting_takes(time: Duration, fault: &str) -> (Duration, TimeoutPhase) {
    let mut bench = Bench::new(ProviderKind::OpenAi);
    bench.stand_in.fail_next([fault.parse().expect("a fault")]);
    let settings = crate::support::settings(bench.kind, "http://stand-in", |_| {});
    let dial = Arc::new(Slowly { pipes: bench.pipes.clone(), time });
    bench.provider = Provider::new(settings, dial, bench.clock);
    bench.chat = bench.provider.chat().expect("the kind answers");
    fails_after(&bench, bench.call(question("Hello"))).await
}

#[tokio::test(start_paused = true)]
async fn connecting_has_its_own_limit() {
    let (elapsed, phase) = connecting_takes(Duration::from_secs(60), "stall-headers").await;
    assert_eq!((elapsed.as_secs(), phase), (TIMEOUTS.connect.as_secs(), TimeoutPhase::Connect));
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_the_headers_begins_when_the_request_is_sent() {
    let connecting = Duration::from_secs(2);
    let (elapsed, phase) = connecting_takes(connecting, "stall-headers").await;
    assert_eq!(phase, TimeoutPhase::Headers);
    assert!(elapsed.abs_diff(connecting + TIMEOUTS.headers) <= Duration::from_millis(10), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_reads_slowly_does_not_let_the_provider_look_stalled() {
    let bench = Bench::with(ProviderKind::OpenAi, false, |options| {
        options.timeouts.total = Duration::from_secs(10_000)
    });
    let mut stream = bench.chat.stream(bench.call(question("count to 20"))).await.unwrap();
    let mut text = String::new();
    while let Some(event) = stream.next().await {
        if let ChatEvent::Delta(delta) = event.unwrap() {
            text.extend(delta.text);
        }
        tokio::time::sleep(TIMEOUTS.idle * 2).await;
    }
    assert!(text.ends_with(" 20"), "{text}");
}

/// A network that takes the request and never reads it.
struct Deaf;

impl Dial for Deaf {
    fn dial(&self, _: http::Uri) -> Dialling {
        let (client, server) = tokio::io::duplex(1 << 10);
        Box::pin(async move {
            // Kept open, and full.
            std::mem::forget(server);
            Ok(Link::http1(TokioIo::new(client)))
        })
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_nobody_reads_ends_with_the_total_limit() {
    let mut bench = Bench::new(ProviderKind::OpenAi);
    let settings = crate::support::settings(bench.kind, "http://stand-in", |_| {});
    bench.provider = Provider::new(settings, Arc::new(Deaf), bench.clock);
    bench.chat = bench.provider.chat().expect("the kind answers");
    let long = "x".repeat(2 << 20);
    let (elapsed, phase) = fails_after(&bench, bench.call(question(&long))).await;
    assert_eq!((elapsed.as_secs(), phase), (TIMEOUTS.total.as_secs(), TimeoutPhase::Total));
}
