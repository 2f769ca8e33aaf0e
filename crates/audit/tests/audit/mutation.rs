//! Any single byte of any file of the folder: changed, and found.

use std::fs;
use std::path::{Path, PathBuf};

use mainstay_audit::{
    Category, Durability, Outcome, PublicKey, Record, RetentionPolicy, Settings, VerifyOptions, verify,
};
use mainstay_domain::{Clock, TenantId, Timestamp};
use proptest::prelude::*;

use crate::place::{Place, files, record};

/// A log with all that a log can have: several segments, a change of keys, expired bodies, two openings.
fn log_of_all_kinds() -> (Place, PublicKey) {
    let place = Place::new();
    let settings = Settings { segment_bytes: 6_000, checkpoint_records: 6, ..Settings::default() };
    let start = Timestamp::from_micros(1_700_000_000_000_000);
    let log = place.open_at(Clock::starting_at(start), &settings);
    let key = log.public_key().unwrap();
    for number in 0..8 {
        log.append(&record(number), Durability::Buffered).unwrap();
        let denied =
            Record::new(Category::Authorization, "keys.manage", Outcome::Denied("no_permission".into()))
                .with_tenant(TenantId::new("acme"));
        log.append(&denied, Durability::Buffered).unwrap();
    }
    log.rotate_key().unwrap();
    log.close().unwrap();
    drop(log);
    let later = Timestamp::from_micros(start.as_micros() + 3_600_000_000);
    let log = place.open_at(Clock::starting_at(later), &settings);
    let policy = RetentionPolicy::forever().keep(Category::DataAccess, std::time::Duration::from_secs(60));
    assert!(log.expire(&policy).unwrap()[&Category::DataAccess] > 3);
    log.append(&record(9), Durability::Buffered).unwrap();
    log.close().unwrap();
    assert_eq!(place.verify(&key).faults, []);
    (place, key)
}

fn is_found(folder: &Path, key: &PublicKey) -> bool {
    !verify(folder, key, &VerifyOptions::default()).unwrap().is_sound()
}

/// The files that hold anything, with their contents.
fn contents(place: &Place) -> Vec<(PathBuf, Vec<u8>)> {
    let read = |path: PathBuf| {
        let content = fs::read(&path).unwrap();
        (path, content)
    };
    files(&place.log()).into_iter().map(read).filter(|(_, content)| !content.is_empty()).collect()
}

#[test]
fn every_byte_of_every_file_counts() {
    let (place, key) = log_of_all_kinds();
    for (path, content) in contents(&place) {
        let mut changed = content.clone();
        for at in 0..content.len() {
            // Every byte of the first lines, and every seventh of the others; any change of any byte in the test below.
            if at > 1_500 && at % 7 != 0 {
                continue;
            }
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            assert!(is_found(&place.log(), &key), "byte {at} of {path:?}");
            changed[at] = content[at];
        }
        fs::write(&path, &content).unwrap();
    }
    assert!(!is_found(&place.log(), &key));
}

#[test]
fn any_change_removal_or_addition_of_a_byte_is_found() {
    let (place, key) = log_of_all_kinds();
    let files = contents(&place);
    let strategy = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1u8.., 0..3);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let result = runner.run(&strategy, |(file, at, change, how)| {
        let (path, content) = &files[file.index(files.len())];
        let at = at.index(content.len());
        let mut changed = content.clone();
        match how {
            0 => changed[at] ^= change,
            1 => drop(changed.remove(at)),
            _ => changed.insert(at, change),
        }
        fs::write(path, &changed).unwrap();
        let found = is_found(&place.log(), &key);
        fs::write(path, content).unwrap();
        prop_assert!(found || changed == *content, "byte {} of {:?}", at, path);
        Ok(())
    });
    result.unwrap();
}
