//! The chain as it is written, opened again and read.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mainstay_audit::{
    AppendError, Category, Durability, Entries, FaultKind, Filter, Opening, Outcome, Record, RecordFault,
    Settings, VerifyOptions, verify,
};
use mainstay_domain::{Clock, TenantId, Timestamp};
use serde_json::json;

use crate::place::{Place, files, record};

#[test]
fn appends_of_many_threads_form_one_chain_over_many_segments() {
    const THREADS: usize = 8;
    const EACH: usize = 250;
    let place = Place::new();
    let settings = Settings { segment_bytes: 50_000, checkpoint_records: 100, ..Settings::default() };
    let log = Arc::new(place.open(&settings));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let log = &log;
            scope.spawn(move || {
                for number in 0..EACH {
                    // Some wait for the disk and some do not.
                    let durability = match number % 50 {
                        0 => Durability::Synced,
                        _ => Durability::Buffered,
                    };
                    log.append(&record(thread * EACH + number), durability).unwrap();
                    if number % 40 == 0 {
                        log.sync().unwrap();
                    }
                }
            });
        }
        let report = log.verify(&log.public_key().unwrap(), &VerifyOptions::default()).unwrap();
        assert_eq!(report.faults, [], "while others append");
    });
    log.close().unwrap();
    assert!(files(&place.log()).len() > 10, "it went over many segments");
    let key = log.public_key().unwrap();
    let report = place.verify(&key);
    assert_eq!(report.faults, []);
    assert_eq!(report.by_category[&Category::DataAccess], (THREADS * EACH) as u64);
    assert_eq!(report.last.unwrap().0, report.records, "no number is left out");
    assert_eq!((report.unsigned, report.key), (0, Some(key)));
    let mut ids: Vec<_> = Entries::of_folder(&place.log(), Filter::default())
        .unwrap()
        .filter_map(|entry| entry.unwrap().record?.resource)
        .map(|resource| resource.id)
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), THREADS * EACH);
    for file in files(&place.log()) {
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
}

#[test]
fn a_log_that_is_opened_again_goes_on_with_its_chain() {
    let place = Place::new();
    let settings = Settings::default();
    for run in 0..3 {
        let log = place.open(&settings);
        // After the run without a farewell its one record is not signed.
        let unsigned = u64::from(run == 2);
        assert_eq!(*log.opening(), Opening { unsigned, ..Opening::default() });
        log.append(&record(run), Durability::Buffered).unwrap();
        // The second run ends without a farewell.
        if run != 1 {
            log.close().unwrap();
            assert!(matches!(log.append(&record(run), Durability::Buffered), Err(AppendError::Closed)));
            assert!(log.rotate_key().is_err());
        }
    }
    let log = place.open(&settings);
    let report = log.verify(&log.public_key().unwrap(), &VerifyOptions::default()).unwrap();
    assert_eq!(report.faults, []);
    assert_eq!(files(&place.log()).len(), 3, "segment, head and lock");
    let actions: Vec<_> = log
        .entries(Filter { categories: vec![Category::SecurityEvent], ..Filter::default() })
        .unwrap()
        .map(|entry| entry.unwrap().record.unwrap().action.into_owned())
        .collect();
    let expected =
        ["opened", "closed", "opened", "opened", "closed", "opened"].map(|end| format!("audit.{end}"));
    assert_eq!(actions, expected);
}

#[test]
fn half_a_line_at_the_end_is_cut_off_and_told() {
    let (place, key) = Place::with_records(5, &Settings::default());
    let mut content = fs::read(place.segment(1)).unwrap();
    let whole = content.len();
    content.extend_from_within(..100);
    fs::write(place.segment(1), &content).unwrap();
    assert_eq!(place.kinds(&key), [FaultKind::TornTail]);

    let log = place.open(&Settings::default());
    let torn = log.opening().torn.clone().unwrap();
    assert_eq!((torn.bytes, torn.file.as_str()), (100, "segment-0000000000000001"));
    log.append(&record(5), Durability::Buffered).unwrap();
    log.close().unwrap();
    assert_eq!(place.verify(&key).faults, []);
    let text = fs::read_to_string(place.segment(1)).unwrap();
    let event = text[whole..].lines().next().unwrap();
    assert!(event.contains("audit.torn_tail") && event.contains(&torn.digest.to_string()), "{event}");
}

#[test]
fn damage_before_the_end_is_left_where_it_is_and_the_chain_goes_on_behind_it() {
    let (place, key) = Place::with_records(5, &Settings::default());
    let mut lines = place.lines();
    let last = lines.len() - 1;
    lines[last].replace_range(20..21, "x");
    place.write_lines(&lines);
    let log = place.open(&Settings::default());
    assert_eq!(log.opening().damaged_lines, 1);
    assert!(log.opening().rolled_back.is_some(), "the damaged record was signed");
    log.close().unwrap();
    assert_eq!(place.lines(), lines, "it is there for whoever looks into it");
    let kinds = place.kinds(&key);
    assert!(kinds.contains(&FaultKind::Malformed) && kinds.contains(&FaultKind::RolledBack), "{kinds:?}");
}

#[test]
fn the_log_writes_about_itself_and_nobody_else_does() {
    let place = Place::new();
    let log = place.open(&Settings::default());
    let forged = Record::new(Category::Log, "audit.expired", Outcome::Succeeded);
    let refused = log.append(&forged, Durability::Buffered);
    assert!(matches!(refused, Err(AppendError::Record(RecordFault::OwnCategory))));
}

#[tokio::test(start_paused = true)]
async fn checkpoints_come_by_number_by_time_and_when_nothing_happens() {
    let place = Place::new();
    let settings = Settings { checkpoint_records: 3, ..Settings::default() };
    let log = place.open_at(Clock::starting_at(Timestamp::from_micros(1_000_000)), &settings);
    let opened = log.head().unwrap().seq;
    for number in 0..3 {
        log.append(&record(number), Durability::Buffered).unwrap();
    }
    assert_eq!(log.head().unwrap().seq, opened + 4);
    log.append(&record(3), Durability::Buffered).unwrap();
    tokio::time::advance(Duration::from_secs(59)).await;
    log.sync().unwrap();
    assert_eq!(log.head().unwrap().seq, opened + 4);
    tokio::time::advance(Duration::from_secs(1)).await;
    log.sync().unwrap();
    assert_eq!(log.head().unwrap().seq, opened + 6);
    for _ in 0..8 {
        tokio::time::advance(Duration::from_secs(8 * 60)).await;
        log.sync().unwrap();
    }
    assert_eq!(log.head().unwrap().seq, opened + 10, "every 16 minutes one");

    tokio::time::advance(Duration::from_secs(2 * 60 * 60)).await;
    log.close().unwrap();
    let report = place.verify(&log.public_key().unwrap());
    assert_eq!(report.faults, []);
    assert_eq!(report.gaps.len(), 1);
    let gap = report.longest_gap.unwrap();
    assert_eq!((gap.to.as_seconds() - gap.from.as_seconds(), gap.after_seq), (7_200, opened + 10));
}

#[test]
fn an_export_is_what_the_filter_lets_through_in_lines_that_can_be_checked_again() {
    let place = Place::new();
    let log = place.open(&Settings { segment_bytes: 2_000, ..Settings::default() });
    let change = Record::configuration_change("limits.set", json!({"rpm": 5}), json!({"rpm": 9}))
        .with_tenant(TenantId::new("acme"));
    let other = Record::new(Category::Inference, "answers.ask", Outcome::Succeeded)
        .with_tenant(TenantId::new("other"))
        .with_detail("tokens", 12);
    for number in 0..10 {
        log.append(&record(number), Durability::Buffered).unwrap();
        log.append(&change, Durability::Buffered).unwrap();
        log.append(&other, Durability::Buffered).unwrap();
    }
    let count = |filter: Filter| log.entries(filter).unwrap().map(Result::unwrap).count();
    let acme = || Some(TenantId::new("acme"));
    assert_eq!(count(Filter { tenant: acme(), ..Filter::default() }), 20);
    let changes =
        Filter { tenant: acme(), categories: vec![Category::ConfigurationChange], ..Filter::default() };
    let entries: Vec<_> = log.entries(changes.clone()).unwrap().map(Result::unwrap).collect();
    assert_eq!(entries.len(), 10);
    assert_eq!(entries[0].record, Some(change));
    let line: serde_json::Value = serde_json::from_str(entries[3].json()).unwrap();
    assert_eq!(line["body"]["details"], json!({"old": {"rpm": 5}, "new": {"rpm": 9}}));
    assert_eq!(line["hash"], entries[3].hash.to_string());
    assert_eq!(count(Filter { after_seq: Some(entries[8].seq), ..changes }), 1);
    assert_eq!(count(Filter { until: Some(entries[0].at), ..Filter::default() }) as u64, entries[0].seq - 1);
    assert_eq!(count(Filter { from: Some(Timestamp::from_micros(i64::MAX)), ..Filter::default() }), 0);

    let mut content = fs::read(place.segment(2)).unwrap();
    content[300] ^= 1;
    fs::write(place.segment(2), content).unwrap();
    let read: Vec<_> = log.entries(Filter::default()).unwrap().collect();
    assert_eq!(
        read.iter().filter(|entry| entry.is_err()).count(),
        1,
        "the damaged one is told, the others follow"
    );
}

#[test]
fn a_log_that_holds_no_record_any_more_is_not_gone_on_with() {
    let (place, key) = Place::with_records(1, &Settings::default());
    fs::write(place.segment(1), "nothing\nof it\n").unwrap();
    let opened =
        mainstay_audit::AuditLog::open(&place.log(), &place.key(), Clock::system(), Settings::default());
    assert!(matches!(opened, Err(mainstay_audit::OpenError::Unreadable { .. })));

    // Without its files it begins anew, and says that it did.
    fs::remove_file(place.segment(1)).unwrap();
    let report = verify(&place.log(), &key, &VerifyOptions::default()).unwrap();
    assert!(!report.is_sound());
    let log = place.open(&Settings::default());
    assert!(log.opening().rolled_back.is_some());
    assert_eq!(place.kinds(&key), [FaultKind::RolledBack]);
}

#[test]
fn a_start_that_was_killed_at_any_moment_is_begun_again() {
    let (whole, _) = Place::with_records(0, &Settings::default());
    let content = fs::read(whole.segment(1)).unwrap();
    for length in (0..content.len()).step_by(97) {
        let place = Place::new();
        fs::create_dir_all(place.log()).unwrap();
        fs::create_dir_all(place.key().parent().unwrap()).unwrap();
        fs::copy(whole.key(), place.key()).unwrap();
        fs::write(place.segment(1), &content[..length]).unwrap();
        let log = place.open(&Settings::default());
        log.append(&record(0), Durability::Buffered).unwrap();
        log.close().unwrap();
        assert_eq!(place.verify(&log.public_key().unwrap()).faults, [], "{length}");
    }
}

#[test]
fn a_segment_that_was_begun_and_not_written_is_gone_on_with() {
    let (place, key) = Place::with_records(3, &Settings::default());
    fs::write(place.segment(2), "").unwrap();
    let log = place.open(&Settings::default());
    assert_eq!(*log.opening(), Opening::default());
    log.close().unwrap();
    assert_eq!(place.verify(&key).faults, []);
    let text = fs::read_to_string(place.segment(2)).unwrap();
    assert!(text.lines().next().unwrap().contains("audit.checkpoint"), "a segment says which key signs");
}
