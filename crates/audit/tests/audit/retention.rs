//! Bodies that go when their time has come, and the chain that stays.

use std::fs;
use std::time::Duration;

use mainstay_audit::{
    AuditLog, Category, Durability, FaultKind, Filter, LegalHold, Outcome, Record, RetentionPolicy, Settings,
    VerifyOptions, verify,
};
use mainstay_domain::{Clock, TenantId, Timestamp};

use crate::place::{Place, files};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn ask(tenant: &str, number: usize) -> Record {
    Record::new(Category::Inference, "answers.ask", Outcome::Succeeded)
        .with_tenant(TenantId::new(tenant))
        .with_detail("marker", format!("inference-{number}-{tenant}"))
}

fn login(number: usize) -> Record {
    Record::new(Category::Authentication, "login", Outcome::Succeeded)
        .with_detail("marker", format!("login-{number}"))
}

/// Ten days with a few records each.
async fn ten_days(place: &Place) -> AuditLog {
    let settings = Settings { segment_bytes: 4_000, ..Settings::default() };
    let log = place.open_at(Clock::starting_at(Timestamp::from_micros(0)), &settings);
    for day in 0..10 {
        for tenant in ["acme", "held"] {
            log.append(&ask(tenant, day), Durability::Buffered).unwrap();
        }
        log.append(&login(day), Durability::Buffered).unwrap();
        log.sync().unwrap();
        tokio::time::advance(DAY).await;
    }
    log
}

fn bodies(log: &AuditLog, category: Category) -> usize {
    let filter = Filter { categories: vec![category], ..Filter::default() };
    log.entries(filter).unwrap().filter(|entry| entry.as_ref().unwrap().record.is_some()).count()
}

fn text(place: &Place) -> String {
    files(&place.log()).iter().map(|file| String::from_utf8(fs::read(file).unwrap()).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn expired_bodies_are_gone_and_the_log_is_sound() {
    let place = Place::new();
    let log = ten_days(&place).await;
    let key = log.public_key().unwrap();
    let policy = RetentionPolicy::forever()
        .keep(Category::Inference, 5 * DAY + DAY / 2)
        .keep(Category::Log, Duration::ZERO)
        .hold(LegalHold { tenant: Some(TenantId::new("held")), ..LegalHold::default() });
    let expired = log.expire(&policy).unwrap();
    assert_eq!(expired.into_iter().collect::<Vec<_>>(), [(Category::Inference, 5)]);
    assert!(log.expire(&policy).unwrap().is_empty(), "it is done once");

    let text = text(&place);
    for day in 0..10 {
        assert_eq!(text.contains(&format!("inference-{day}-acme")), day >= 5, "{day}");
        assert!(text.contains(&format!("inference-{day}-held")), "{day} is held");
        assert!(text.contains(&format!("login-{day}")), "{day} is another category");
    }
    let strict = VerifyOptions { retention: Some(policy.clone()), ..VerifyOptions::default() };
    for options in [VerifyOptions::default(), strict] {
        let report = log.verify(&key, &options).unwrap();
        assert_eq!(report.faults, []);
        assert_eq!(report.expired_bodies, 5);
    }
    let longer = RetentionPolicy::forever().keep(Category::Inference, 9 * DAY);
    let options = VerifyOptions { retention: Some(longer), ..VerifyOptions::default() };
    let faults = log.verify(&key, &options).unwrap().faults;
    assert!(
        !faults.is_empty() && faults.iter().all(|fault| fault.kind == FaultKind::BodyMissing),
        "{faults:?}"
    );

    // The hold ends, and what it kept goes, too.
    let policy = RetentionPolicy::forever().keep(Category::Inference, 5 * DAY + DAY / 2);
    assert_eq!(log.expire(&policy).unwrap()[&Category::Inference], 5);
    log.close().unwrap();
    drop(log);
    let log =
        place.open_at(Clock::starting_at(Timestamp::from_micros(11 * 86_400_000_000)), &Settings::default());
    assert_eq!(bodies(&log, Category::Inference), 10);
    assert_eq!(bodies(&log, Category::Authentication), 10);
    log.close().unwrap();
    assert_eq!(place.verify(&key).faults, []);
}

#[tokio::test(start_paused = true)]
async fn more_bodies_may_not_go_than_the_log_says() {
    let place = Place::new();
    let log = ten_days(&place).await;
    let key = log.public_key().unwrap();
    log.expire(&RetentionPolicy::forever().keep(Category::Inference, 5 * DAY + DAY / 2)).unwrap();
    log.close().unwrap();
    let options = VerifyOptions::default();
    for (marker, is_fault) in [("login-0", true), ("inference-5-acme", true)] {
        let file = files(&place.log())
            .into_iter()
            .find(|file| fs::read_to_string(file).unwrap().contains(marker))
            .unwrap();
        let content = fs::read_to_string(&file).unwrap();
        let line = content.lines().find(|line| line.contains(marker)).unwrap();
        let stub = format!("{}\"body\":null}}", &line[..line.find("\"body\":").unwrap()]);
        fs::write(&file, content.replace(line, &stub)).unwrap();
        let report = verify(&place.log(), &key, &options).unwrap();
        assert_eq!(!report.is_sound(), is_fault, "{marker}: {:?}", report.faults);
        fs::write(&file, content).unwrap();
    }
    assert!(verify(&place.log(), &key, &options).unwrap().is_sound());
}

#[tokio::test(start_paused = true)]
async fn an_old_active_segment_is_closed_so_that_it_can_expire() {
    let place = Place::new();
    let log = place.open_at(Clock::starting_at(Timestamp::from_micros(0)), &Settings::default());
    log.append(&login(0), Durability::Buffered).unwrap();
    tokio::time::advance(3 * DAY).await;
    let expired = log.expire(&RetentionPolicy::default()).unwrap();
    assert!(expired.is_empty() && !place.segment(2).exists(), "a year has not passed");
    let policy = RetentionPolicy::forever().keep(Category::Authentication, DAY);
    assert_eq!(log.expire(&policy).unwrap()[&Category::Authentication], 1);
    assert!(place.segment(2).exists() && !text(&place).contains("login-0"));
    log.append(&login(1), Durability::Synced).unwrap();
    log.close().unwrap();
    assert_eq!(place.verify(&log.public_key().unwrap()).faults, []);
}
