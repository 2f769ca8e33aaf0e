//! What needs the file under the log: disks that refuse.

use std::fs::File;
use std::path::PathBuf;

use super::*;
use crate::chain::Settings;
use crate::verify::{Report, VerifyOptions, verify};

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn open(&self, settings: Settings) -> AuditLog {
        AuditLog::open(&self.log(), &self.folder.path().join("key"), Clock::system(), settings).unwrap()
    }

    fn verify(&self, log: &AuditLog) -> Report {
        verify(&self.log(), &log.public_key().unwrap(), &VerifyOptions::default()).unwrap()
    }
}

fn record(action: &'static str) -> Record {
    Record::new(Category::DataAccess, action, Outcome::Granted)
}

impl AuditLog {
    /// Puts another file under the log, and returns the one that was there.
    fn swap_file(&self, file: Arc<File>) -> Arc<File> {
        std::mem::replace(&mut self.chain().active.file, file)
    }
}

fn device(path: &str) -> Arc<File> {
    Arc::new(File::options().read(true).write(true).open(path).unwrap())
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_refuses_the_record_and_the_next_one_gets_its_number() {
    let place = Place::new();
    let log = place.open(Settings::default());
    let before = log.append(&record("before"), Durability::Synced).unwrap();

    let disk = log.swap_file(device("/dev/full"));
    for _ in 0..2 {
        let refused = log.append(&record("refused"), Durability::Buffered);
        let Err(AppendError::Refused(error)) = refused else { panic!("{refused:?}") };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
    assert_eq!(log.health().refused, 2);
    assert!(!log.health().is_sound());
    assert!(log.sync().is_err(), "it tries to write, and says that it cannot");

    log.swap_file(disk);
    // Nobody appends while the log refuses: it finds out by itself that there is room again.
    log.sync().unwrap();
    assert!(log.health().is_sound(), "{:?}", log.health());
    let after = log.append(&record("after"), Durability::Synced).unwrap();
    assert_eq!(after.seq, before.seq + 2, "between them is the checkpoint of the attempt");
    log.close().unwrap();
    assert_eq!(place.verify(&log).faults, []);
}

#[test]
#[cfg(target_os = "linux")]
fn a_record_that_cannot_be_forced_to_disk_is_told_and_written_again() {
    let place = Place::new();
    let log = place.open(Settings::default());
    log.append(&record("before"), Durability::Synced).unwrap();
    let head = log.append(&record("doubtful"), Durability::Buffered).unwrap();
    // It can force nothing to disk, and a second attempt could seem to succeed.
    let disk = log.swap_file(device("/dev/null"));
    assert!(log.sync().is_err());
    assert!(log.health().append.is_none() && log.health().sync.is_some());
    assert!(!log.chain().active.is_synced());
    let result = log.append(&record("swallowed"), Durability::Synced);
    assert!(matches!(result, Err(AppendError::NotSynced { seq, .. }) if seq == head.seq + 1), "{result:?}");

    log.swap_file(disk);
    // The one that /dev/null swallowed is the last one, and is not there: it is taken back to go on.
    {
        let mut chain = log.chain();
        let line = chain.line.len() as u64;
        chain.active.bytes -= line;
        chain.last = head;
    }
    log.append(&record("after"), Durability::Synced).unwrap();
    assert!(log.health().is_sound() && log.chain().active.is_synced());
    log.close().unwrap();
    assert_eq!(place.verify(&log).faults, []);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_does_not_lose_a_checkpoint_that_was_due() {
    let place = Place::new();
    let log = place.open(Settings { checkpoint_records: 2, ..Settings::default() });
    let first = log.head().unwrap();
    log.append(&record("one"), Durability::Buffered).unwrap();
    let disk = log.swap_file(device("/dev/full"));
    assert!(log.append(&record("two"), Durability::Buffered).is_err());
    log.swap_file(disk);
    log.append(&record("two"), Durability::Buffered).unwrap();
    assert_eq!(log.head().unwrap().seq, first.seq + 3);
    log.close().unwrap();
    assert_eq!(place.verify(&log).faults, []);
}

#[test]
fn only_one_may_have_the_log_open() {
    let place = Place::new();
    let log = place.open(Settings::default());
    let second =
        AuditLog::open(&place.log(), &place.folder.path().join("key"), Clock::system(), Settings::default());
    assert!(matches!(second, Err(OpenError::InUse { .. })));
    drop(log);
    place.open(Settings::default());
}
