//! Keys: lost, exchanged, and followed over their changes.

use std::fs;

use mainstay_audit::{AuditLog, Durability, FaultKind, OpenError, Settings};
use mainstay_domain::Clock;

use crate::place::{Place, record};

fn open(place: &Place) -> Result<AuditLog, OpenError> {
    AuditLog::open(&place.log(), &place.key(), Clock::system(), Settings::default())
}

#[test]
fn a_log_is_trusted_by_any_key_that_ever_signed_it() {
    let place = Place::new();
    let log = place.open(&Settings { segment_bytes: 3_000, ..Settings::default() });
    let mut keys = vec![log.public_key().unwrap()];
    for number in 0..10 {
        log.append(&record(number), Durability::Buffered).unwrap();
        if number % 4 == 3 {
            keys.push(log.rotate_key().unwrap());
        }
    }
    log.close().unwrap();
    drop(log);
    let log = place.open(&Settings::default());
    assert_eq!(log.public_key(), keys.last().copied());
    log.append(&record(10), Durability::Buffered).unwrap();
    log.close().unwrap();
    for key in &keys {
        assert_eq!(place.verify(key).faults, []);
    }
    let (_, stranger) = Place::with_records(1, &Settings::default());
    assert_eq!(place.kinds(&stranger), [FaultKind::UnknownKey]);
}

#[test]
fn a_log_is_not_gone_on_with_by_another_key_or_none() {
    let (place, key) = Place::with_records(3, &Settings::default());
    let kept = fs::read(place.key()).unwrap();
    fs::remove_file(place.key()).unwrap();
    assert!(matches!(open(&place), Err(OpenError::KeyMissing { expected, .. }) if expected == key));
    let (other, _) = Place::with_records(1, &Settings::default());
    fs::copy(other.key(), place.key()).unwrap();
    assert!(matches!(open(&place), Err(OpenError::OtherKey { expected, .. }) if expected == key));
    fs::write(place.key(), kept).unwrap();
    open(&place).unwrap().close().unwrap();
    assert_eq!(place.verify(&key).faults, []);
}

#[test]
fn a_crash_while_the_key_is_changed_leaves_the_right_one() {
    let place = Place::new();
    let log = place.open(&Settings::default());
    let first = log.public_key().unwrap();
    let old = fs::read(place.key()).unwrap();
    let second = log.rotate_key().unwrap();
    drop(log);
    let next = place.key().with_file_name("audit.key.next");
    // The record was on disk, and the new key had not taken its place yet.
    fs::rename(place.key(), &next).unwrap();
    fs::write(place.key(), &old).unwrap();
    let mode = fs::metadata(&next).unwrap().permissions();
    fs::set_permissions(place.key(), mode.clone()).unwrap();
    assert_eq!(open(&place).unwrap().public_key(), Some(second));
    assert!(!next.exists());

    // The new key was made, and the record was not written.
    fs::write(&next, &old).unwrap();
    fs::set_permissions(&next, mode).unwrap();
    assert_eq!(open(&place).unwrap().public_key(), Some(second));
    assert!(!next.exists());
    assert_eq!(place.verify(&first).faults, []);
}

#[test]
fn a_change_of_keys_that_the_old_key_did_not_sign_is_found() {
    let place = Place::new();
    let log = place.open(&Settings::default());
    let first = log.public_key().unwrap();
    log.append(&record(0), Durability::Buffered).unwrap();
    log.rotate_key().unwrap();
    log.close().unwrap();
    let mut lines = place.lines();
    let change = lines.iter().rposition(|line| line.contains("audit.key")).unwrap();
    // The whole line of somebody else's change, which is sound in itself.
    let other = Place::new();
    let theirs = other.open(&Settings::default());
    theirs.append(&record(0), Durability::Buffered).unwrap();
    theirs.rotate_key().unwrap();
    theirs.close().unwrap();
    lines[change] = other.lines()[change].clone();
    place.write_lines(&lines);
    let kinds = place.kinds(&first);
    assert!(kinds.contains(&FaultKind::BadSignature) && kinds.contains(&FaultKind::Replaced), "{kinds:?}");
}
