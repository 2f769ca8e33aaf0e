//! What verification costs. Printed, not asserted.

use super::*;

#[test]
#[ignore = "prints times: cargo test --release -p mainstay-security -- --ignored --nocapture what_a_token_costs"]
fn what_a_token_costs() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let clock = clock();
    let (settings, tokens) = one_token_per_algorithm();
    let verifier = verifier(settings, clock);
    for (algorithm, token) in tokens {
        let per_call = |calls: u32, is_known: bool| {
            let begin = clock.instant();
            for _ in 0..calls {
                if !is_known {
                    verifier.forget();
                }
                runtime.block_on(verifier.verify(&token)).unwrap();
            }
            clock.instant().duration_since(begin).as_secs_f64() * 1e6 / f64::from(calls)
        };
        per_call(500, false);
        let (new, known) = (per_call(3_000, false), per_call(100_000, true));
        println!("{algorithm:8} {:5} bytes: {new:7.1} µs verified, {known:5.2} µs known", token.len());
    }
}
