//! A million records: how long they take. Run with
//! `cargo test -p mainstay-audit --release --test audit -- --ignored --nocapture million`.

use std::time::Duration;

use mainstay_audit::{
    Category, Durability, Entries, Filter, Outcome, PseudonymSettings, Pseudonyms, Record, RetentionPolicy,
    Settings,
};
use mainstay_domain::{Clock, KeyId, RequestId, TenantId, Timestamp, UserId};

use crate::place::{Place, files};

const RECORDS: usize = 1_000_000;

fn inference(number: usize) -> Record {
    Record::new(Category::Inference, "answers.ask", Outcome::Succeeded)
        .with_tenant(TenantId::new("acme"))
        .with_subject("00112233445566778899aabbccddeeff".parse().unwrap())
        .with_credential(KeyId::new("key_0123456789"))
        .with_request(RequestId::new(format!("req_{number:028}")))
        .with_resource("model", "gpt-4o-mini")
        .with_detail("input_tokens", 812)
        .with_detail("output_tokens", 133)
        .with_detail("cost_nano_usd", 201_600)
        .with_detail("latency_ms", 640)
        .with_detail("finish_reason", "stop")
}

#[test]
#[ignore = "a measurement: writes and reads 700 MB"]
fn a_million_records_are_written_and_verified() {
    let clock = Clock::system();
    let took = |since| clock.instant().duration_since(since);
    let place = Place::new();
    let log = place.open(&Settings::default());
    let since = clock.instant();
    let mut longest = Duration::ZERO;
    for number in 0..RECORDS {
        let record = inference(number);
        let before = clock.instant();
        log.append(&record, Durability::Buffered).unwrap();
        longest = longest.max(took(before));
        if number % 20_000 == 0 {
            log.sync().unwrap();
        }
    }
    let written = took(since);
    let per_append = written.as_secs_f64() * 1e6 / RECORDS as f64;
    println!("append: {per_append:.2} µs each with a sync every 20,000, the longest {longest:?}");
    log.close().unwrap();
    let bytes: u64 = files(&place.log()).iter().map(|file| file.metadata().unwrap().len()).sum();
    println!("size: {} bytes per record", bytes / RECORDS as u64);

    let key = log.public_key().unwrap();
    let since = clock.instant();
    let report = place.verify(&key);
    println!("verify: {:?} for {} records, {} checkpoints", took(since), report.records, report.checkpoints);
    assert!(report.is_sound() && report.by_category[&Category::Inference] == RECORDS as u64);

    let since = clock.instant();
    let exported =
        Entries::of_folder(&place.log(), Filter::default()).unwrap().map(|entry| entry.unwrap().json().len());
    println!("export: {} bytes in {:?}", exported.sum::<usize>(), took(since));
    drop(log);

    let since = clock.instant();
    let log = place.open(&Settings::default());
    println!("open: {:?}", took(since));
    let since = clock.instant();
    let expired = log.expire(&RetentionPolicy::forever().keep(Category::Inference, Duration::ZERO)).unwrap();
    println!("expire: {:?} for {} bodies", took(since), expired[&Category::Inference]);
    log.close().unwrap();
    assert!(place.verify(&key).is_sound());
}

#[test]
#[ignore = "a measurement: waits for the disk thousands of times"]
fn a_million_pseudonyms_and_many_callers_who_wait_for_the_disk() {
    let clock = Clock::system();
    let took = |since| clock.instant().duration_since(since);
    let place = Place::new();
    let people = Pseudonyms::open(&place.folder.path().join("lookup"), PseudonymSettings::default()).unwrap();
    let tenant = TenantId::new("acme");
    let users: Vec<_> =
        (0..100_000).map(|number| UserId::new(format!("user-{number}@example.com"))).collect();
    for round in ["made", "found"] {
        let since = clock.instant();
        for user in &users {
            people.of(&tenant, user, Timestamp::from_micros(0)).unwrap();
        }
        println!("pseudonym {round}: {:.2} µs", took(since).as_secs_f64() * 1e6 / users.len() as f64);
    }
    let since = clock.instant();
    people.erase(&tenant, &users[50_000]).unwrap();
    println!("erase: {:?} in a file of 100,000", took(since));

    let log = place.open(&Settings::default());
    for callers in [1, 16] {
        let since = clock.instant();
        std::thread::scope(|scope| {
            for _ in 0..callers {
                scope.spawn(|| {
                    for number in 0..100 {
                        log.append(&inference(number), Durability::Synced).unwrap();
                    }
                });
            }
        });
        let each = took(since).as_secs_f64() * 1e6 / 100.0;
        println!("synced append, {callers} callers: {each:.0} µs until each returns");
    }
}
