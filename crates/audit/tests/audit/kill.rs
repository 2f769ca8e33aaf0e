//! A process that is killed while it appends loses nothing that it was told is written.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use mainstay_audit::{AuditLog, Durability, Filter, Settings, VerifyOptions, verify};
use mainstay_domain::Clock;

use crate::place::{Place, record};

/// Says that the folder is one for the child: the child's test does nothing elsewhere.
const SIGN: &str = "to-be-killed";

fn settings() -> Settings {
    Settings { segment_bytes: 200_000, checkpoint_records: 50, ..Settings::default() }
}

#[test]
fn nothing_that_was_acknowledged_is_lost_when_the_process_is_killed() {
    let place = Place::new();
    fs::write(place.folder.path().join(SIGN), "").unwrap();
    let mut acknowledged = HashMap::new();
    for round in 0..4 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::child_that_appends_until_it_is_killed", "--ignored", "--nocapture"])
            .current_dir(place.folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        while let Some(Ok(line)) = lines.next() {
            // What the test harness prints has other words. The last line may be cut.
            if let Some(receipt) = line.strip_prefix("appended ").and_then(|rest| rest.strip_suffix('.')) {
                let (seq, hash) = receipt.split_once(' ').unwrap();
                acknowledged.insert(seq.parse::<u64>().unwrap(), hash.to_owned());
                seen += 1;
            }
            if seen == 700 + round * 150 {
                // SIGKILL. What is in the pipe by then was acknowledged, too.
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(seen >= 700 + round * 150, "the child ended by itself after {seen} records");
    }
    let log = place.open(&settings());
    let found: HashMap<u64, String> = log
        .entries(Filter::default())
        .unwrap()
        .map(Result::unwrap)
        .map(|entry| (entry.seq, entry.hash.to_string()))
        .collect();
    for (seq, hash) in &acknowledged {
        assert_eq!(found.get(seq), Some(hash), "record {seq}");
    }
    log.close().unwrap();
    let key = log.public_key().unwrap();
    let report = verify(&place.log(), &key, &VerifyOptions::default()).unwrap();
    assert_eq!(report.faults, []);
}

#[test]
#[ignore = "runs until it is killed, by the test above"]
fn child_that_appends_until_it_is_killed() {
    if !Path::new(SIGN).exists() {
        return;
    }
    let log =
        AuditLog::open(Path::new("log"), Path::new("keys/audit.key"), Clock::system(), settings()).unwrap();
    let mut out = std::io::stdout();
    // An end, should the one who kills be dead.
    for number in 0..200_000 {
        let durability = if number % 100 == 0 { Durability::Synced } else { Durability::Buffered };
        let receipt = log.append(&record(number), durability).unwrap();
        if writeln!(out, "appended {} {}.", receipt.seq, receipt.hash).is_err() {
            return;
        }
    }
}
