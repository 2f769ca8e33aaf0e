//! What sealing costs: `cargo test --release -p mainstay-vault measure -- --ignored --nocapture`.

use std::hint::black_box;
use std::time::Duration;

use mainstay_domain::{Clock, TenantId};

use crate::Context;
use crate::tests::{keys, master, sealer};

/// The median time of a run, of several batches.
fn median(rounds: u32, mut run: impl FnMut()) -> Duration {
    let clock = Clock::system();
    let mut times: Vec<Duration> = (0..15)
        .map(|_| {
            let start = clock.instant();
            (0..rounds).for_each(|_| run());
            (clock.instant() - start) / rounds
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test]
#[ignore = "a measurement"]
async fn measure_sealing_and_opening() {
    let keys = keys();
    let sealer = sealer(&keys, "acme").await;
    let context = Context::row("text_blocks.bytes", 17);
    for (bytes, rounds) in [(64, 5_000), (1 << 10, 5_000), (4_000, 2_000), (64 << 10, 500), (1 << 20, 30)] {
        let plain = vec![b'x'; bytes];
        let sealed = sealer.seal(&context, &plain).expect("seals");
        let seal = median(rounds, || drop(black_box(sealer.seal(&context, black_box(&plain)))));
        let open = median(rounds, || drop(black_box(sealer.open(&context, black_box(&sealed)))));
        let speed = |time: Duration| bytes as f64 / time.as_secs_f64() / 1e9;
        println!(
            "{bytes:>8} bytes: seal {seal:>9.2?} ({:.2} GB/s), open {open:>9.2?} ({:.2} GB/s)",
            speed(seal),
            speed(open)
        );
    }
    let tag = median(5_000, || drop(black_box(sealer.lookup_tag("documents.doc_id", b"guide/about.md"))));
    println!("lookup tag: {tag:.2?}");
}

#[tokio::test]
#[ignore = "a measurement"]
async fn measure_unwrapping_and_the_first_call_of_a_tenant() {
    let clock = Clock::system();
    let master = master(1);
    let wrapped = master.wrap(&[7; 48]).await.expect("wraps");
    let start = clock.instant();
    for _ in 0..10_000 {
        black_box(master.unwrap(&wrapped).await.expect("unwraps"));
    }
    println!("unwrap by a key file: {:.2?}", (clock.instant() - start) / 10_000);

    let keys = keys();
    let tenants: Vec<TenantId> =
        (0..10_000).map(|number| TenantId::from(format!("tenant-{number}"))).collect();
    for label in ["first call (makes the key; store in memory)", "later call"] {
        let start = clock.instant();
        for tenant in &tenants {
            black_box(keys.sealer(tenant).await.expect("a sealer"));
        }
        println!("{label}: {:.2?}", (clock.instant() - start) / 10_000);
    }
}
