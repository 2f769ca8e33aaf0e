//! How fast tokens come.

use mainstay_provider_sim::{Settings, StandIn, Timing};

use crate::client::{APIS, Api, ask};

#[tokio::test(start_paused = true)]
async fn whole_and_streamed_answers_take_as_long_as_their_tokens() {
    let timing = Timing { ttft_ms: 300, tokens_per_second: 50.0, ..Timing::default() };
    for api in APIS {
        for streamed in [false, true] {
            let stand_in = StandIn::with(Settings { timing, ..Settings::default() });
            let answer = ask(&stand_in, api, "count to 26", streamed, "none").await.unwrap();
            // 26 numbers: the first after 300 ms, 25 more at 20 ms each; Anthropic's stream also ends its block.
            let took = answer.took.as_millis();
            assert!((800..=860).contains(&took), "{api:?} {streamed}: {took}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_token_of_every_request_comes_at_its_own_time() {
    let timing = Timing { ttft_ms: 1_000, ttft_jitter: 0.3, ..Timing::default() };
    let stand_in = StandIn::with(Settings { timing, ..Settings::default() });
    let mut times = Vec::new();
    for _ in 0..21 {
        times.push(ask(&stand_in, Api::OpenAi, "Hello", true, "none").await.unwrap().took.as_millis());
    }
    times.sort_unstable();
    assert!((800..1_250).contains(&times[10]), "{times:?}");
    assert!(times[0] < 900 && times[20] > 1_200, "{times:?}");
}
