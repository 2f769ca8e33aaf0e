//! What somebody does who may write the folder and does not have the key.

use std::fs;

use mainstay_audit::{
    Anchor, Category, Durability, FaultKind, Filter, Hash, Settings, VerifyOptions, verify,
};

use crate::place::{Place, record};

fn spoilt(spoil: impl FnOnce(&mut Vec<String>)) -> Vec<(FaultKind, u64)> {
    let (place, key) = Place::with_records(10, &Settings { checkpoint_records: 5, ..Settings::default() });
    assert_eq!(place.verify(&key).faults, []);
    let mut lines = place.lines();
    spoil(&mut lines);
    place.write_lines(&lines);
    let faults = place.verify(&key).faults;
    for fault in &faults {
        assert!(!fault.sentence.is_empty() && !fault.file.is_empty());
    }
    faults.iter().map(|fault| (fault.kind, fault.seq.unwrap_or(0))).collect()
}

/// Replaces what stands between two texts of a line.
fn set(line: &mut String, after: &str, before: &str, value: &str) {
    let start = line.find(after).unwrap() + after.len();
    let end = start + line[start..].find(before).unwrap();
    line.replace_range(start..end, value);
}

#[test]
fn a_change_of_any_field_is_found_in_its_line() {
    let other = Hash::of(b"other").to_string();
    for (after, before, value, kind) in [
        ("\"seq\":", ",", "99", FaultKind::Changed),
        ("\"at\":", ",", "1", FaultKind::Changed),
        ("\"category\":\"", "\"", "inference", FaultKind::Changed),
        ("\"category\":\"", "\"", "nonsense", FaultKind::Malformed),
        ("\"prev\":\"", "\"", &other, FaultKind::Changed),
        ("\"digest\":\"", "\"", &other, FaultKind::Changed),
        ("\"hash\":\"", "\"", &other, FaultKind::Changed),
        ("\"salt\":\"", "\"", "00", FaultKind::BodyChanged),
        ("\"outcome\":\"", "\"", "denied", FaultKind::BodyChanged),
        ("\"id\":\"", "\"", "doc-x", FaultKind::BodyChanged),
        ("\"body\":", "\n", "null", FaultKind::Malformed),
    ] {
        let (place, key) = Place::with_records(10, &Settings::default());
        let mut lines = place.lines();
        lines[6].push('\n');
        set(&mut lines[6], after, before, value);
        let trimmed = lines[6].trim_end().to_owned();
        lines[6] = trimmed;
        place.write_lines(&lines);
        let faults = place.verify(&key).faults;
        let found: Vec<_> = faults.iter().map(|fault| (fault.kind, fault.line)).collect();
        assert_eq!(found, [(kind, 7)], "{after} {faults:?}");
    }
}

#[test]
fn a_record_that_was_removed_is_missed() {
    let kinds = spoilt(|lines| drop(lines.remove(5)));
    assert_eq!(kinds, [(FaultKind::Missing, 6)]);
    let kinds = spoilt(|lines| drop(lines.remove(0)));
    assert!(kinds.contains(&(FaultKind::Missing, 1)), "{kinds:?}");
    let kinds = spoilt(|lines| drop(lines.drain(4..6)));
    assert_eq!(kinds, [(FaultKind::Missing, 5)]);
}

#[test]
fn records_that_changed_places_are_told_as_moved() {
    assert_eq!(spoilt(|lines| lines.swap(4, 5)), [(FaultKind::Moved, 5)]);
    let kinds = spoilt(|lines| {
        let line = lines.remove(3);
        lines.insert(9, line);
    });
    assert_eq!(kinds, [(FaultKind::Moved, 4)]);
}

#[test]
fn a_record_that_stands_twice_is_told() {
    assert_eq!(spoilt(|lines| lines.insert(5, lines[4].clone())), [(FaultKind::Duplicated, 5)]);
    assert_eq!(spoilt(|lines| lines.insert(9, lines[4].clone())), [(FaultKind::Duplicated, 5)]);
}

#[test]
fn a_line_that_was_put_in_is_told() {
    assert_eq!(spoilt(|lines| lines.insert(5, "{}".to_owned())), [(FaultKind::Malformed, 0)]);
    assert_eq!(spoilt(|lines| lines.insert(5, String::new())), [(FaultKind::Malformed, 0)]);
}

#[test]
fn a_record_of_another_log_is_told_apart_from_the_true_one() {
    let (other, _) = Place::with_records(10, &Settings { checkpoint_records: 5, ..Settings::default() });
    let foreign = other.lines();
    let kinds = spoilt(|lines| lines.insert(5, foreign[5].clone()));
    assert_eq!(kinds[0], (FaultKind::Replaced, 6));
    assert!(kinds.contains(&(FaultKind::Inserted, 6)), "{kinds:?}");
    let kinds = spoilt(|lines| lines[5].clone_from(&foreign[5]));
    assert!(kinds.contains(&(FaultKind::Replaced, 7)), "{kinds:?}");
}

#[test]
fn a_file_that_was_cut_in_the_middle_is_found() {
    let (place, key) = Place::with_records(10, &Settings::default());
    let content = fs::read(place.segment(1)).unwrap();
    for length in [0, 1, content.len() / 2, content.len() - 1] {
        fs::write(place.segment(1), &content[..length]).unwrap();
        let kinds = place.kinds(&key);
        assert!(kinds.contains(&FaultKind::RolledBack), "{length}: {kinds:?}");
        assert_eq!(kinds.contains(&FaultKind::TornTail), length > 0, "{length}: {kinds:?}");
    }
}

#[test]
fn a_segment_that_was_removed_is_missed() {
    let settings = Settings { segment_bytes: 3_000, ..Settings::default() };
    for number in 1..=5 {
        let (place, key) = Place::with_records(30, &settings);
        assert!(place.segment(5).exists() && place.verify(&key).is_sound());
        fs::remove_file(place.segment(number)).unwrap();
        let kinds = place.kinds(&key);
        assert!(kinds.contains(&FaultKind::Missing), "{number}: {kinds:?}");
    }
}

#[test]
fn an_end_that_was_cut_off_is_found_by_the_head_file_and_without_it_by_an_anchor() {
    let place = Place::new();
    let settings = Settings { checkpoint_records: 5, ..Settings::default() };
    let log = place.open(&settings);
    let key = log.public_key().unwrap();
    for number in 0..10 {
        log.append(&record(number), Durability::Buffered).unwrap();
    }
    let early = log.checkpoint().unwrap();
    let (lines, head) = (place.lines(), fs::read(place.log().join("head")).unwrap());
    for number in 0..10 {
        log.append(&record(number), Durability::Buffered).unwrap();
    }
    let late = log.checkpoint().unwrap();
    log.close().unwrap();

    place.write_lines(&lines);
    assert_eq!(place.kinds(&key), [FaultKind::RolledBack]);
    fs::remove_file(place.log().join("head")).unwrap();
    assert_eq!(place.kinds(&key), [FaultKind::HeadMissing]);

    // A whole old copy of the folder is a perfect log: only who remembers knows.
    fs::write(place.log().join("head"), head).unwrap();
    assert_eq!(place.kinds(&key), []);
    let with = |anchors: Vec<Anchor>| {
        let options = VerifyOptions { anchors, ..VerifyOptions::default() };
        verify(&place.log(), &key, &options)
            .unwrap()
            .faults
            .iter()
            .map(|fault| fault.kind)
            .collect::<Vec<_>>()
    };
    assert_eq!(with(vec![early.anchor()]), []);
    assert_eq!(with(vec![early.anchor(), late.anchor()]), [FaultKind::RolledBack]);
    assert_eq!(with(vec![Anchor { hash: Hash::ZERO, ..early.anchor() }]), [FaultKind::AnchorBroken]);
}

#[test]
fn an_end_that_was_written_anew_without_the_key_is_found() {
    let (place, key) = Place::with_records(40, &Settings { checkpoint_records: 5, ..Settings::default() });
    // Somebody who knows the form writes a chain of their own with a key of their own, and takes over the head.
    let (forged, forger) =
        Place::with_records(40, &Settings { checkpoint_records: 5, ..Settings::default() });
    assert!(forged.verify(&forger).is_sound());
    let kinds = forged.kinds(&key);
    assert_eq!(kinds, [FaultKind::UnknownKey]);
    // Or begins like the true one and goes on with theirs.
    let (mut lines, others) = (place.lines(), forged.lines());
    lines.splice(20.., others[20..].iter().cloned());
    place.write_lines(&lines);
    let kinds = place.kinds(&key);
    assert!(kinds.contains(&FaultKind::Replaced) && kinds.contains(&FaultKind::BadSignature), "{kinds:?}");
}

#[test]
fn an_end_without_signatures_may_not_be_long() {
    let place = Place::new();
    let log = place.open(&Settings { checkpoint_records: 1_000_000, ..Settings::default() });
    for number in 0..50 {
        log.append(&record(number), Durability::Buffered).unwrap();
    }
    let key = log.public_key().unwrap();
    let verify = |most_unsigned| {
        log.verify(&key, &VerifyOptions { most_unsigned, ..VerifyOptions::default() }).unwrap()
    };
    assert!(verify(50).is_sound());
    assert_eq!(verify(50).unsigned, 50);
    assert_eq!(verify(49).faults[0].kind, FaultKind::Unsigned);
}

#[test]
fn a_removed_body_is_no_expired_body() {
    for index in [4, 1] {
        let (place, key) = Place::with_records(10, &Settings::default());
        let mut lines = place.lines();
        let start = lines[index].find("\"body\":").unwrap();
        lines[index].replace_range(start.., "\"body\":null}");
        place.write_lines(&lines);
        assert_eq!(place.kinds(&key), [FaultKind::BodyMissing]);
        // Opening it again does not heal it.
        place.open(&Settings::default()).close().unwrap();
        assert_eq!(place.kinds(&key), [FaultKind::BodyMissing]);
    }
}

#[test]
fn faults_without_end_are_counted() {
    let (place, key) = Place::with_records(30, &Settings::default());
    let lines: Vec<_> = place.lines().iter().map(|line| line.replace("acme", "evil")).collect();
    place.write_lines(&lines);
    let options = VerifyOptions { most_faults: 10, ..VerifyOptions::default() };
    let report = verify(&place.log(), &key, &options).unwrap();
    assert_eq!((report.faults.len(), report.more_faults), (10, 20));
    let readable = mainstay_audit::Entries::of_folder(&place.log(), Filter::default()).unwrap();
    let categories: Vec<_> = readable.filter_map(Result::ok).map(|entry| entry.category).collect();
    assert!(!categories.contains(&Category::DataAccess));
}
