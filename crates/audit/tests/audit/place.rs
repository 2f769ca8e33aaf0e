//! A folder with a log in it, to be written and to be spoilt.

use std::fs;
use std::path::{Path, PathBuf};

use mainstay_audit::{
    AuditLog, Category, Durability, FaultKind, Outcome, PublicKey, Record, Report, Settings, VerifyOptions,
    verify,
};
use mainstay_domain::{Clock, TenantId};

pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A closed log with so many records in data_access, and the key that it is signed by.
    pub(crate) fn with_records(records: usize, settings: &Settings) -> (Self, PublicKey) {
        let place = Self::new();
        let log = place.open(settings);
        for number in 0..records {
            log.append(&record(number), Durability::Buffered).unwrap();
        }
        log.close().unwrap();
        (place, log.public_key().unwrap())
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.folder.path().join("keys").join("audit.key")
    }

    pub(crate) fn open(&self, settings: &Settings) -> AuditLog {
        self.open_at(Clock::system(), settings)
    }

    pub(crate) fn open_at(&self, clock: Clock, settings: &Settings) -> AuditLog {
        AuditLog::open(&self.log(), &self.key(), clock, settings.clone()).unwrap()
    }

    pub(crate) fn verify(&self, key: &PublicKey) -> Report {
        verify(&self.log(), key, &VerifyOptions::default()).unwrap()
    }

    pub(crate) fn kinds(&self, key: &PublicKey) -> Vec<FaultKind> {
        self.verify(key).faults.iter().map(|fault| fault.kind).collect()
    }

    pub(crate) fn segment(&self, number: u64) -> PathBuf {
        self.log().join(format!("segment-{number:016}"))
    }

    /// The lines of the first segment, without their ends.
    pub(crate) fn lines(&self) -> Vec<String> {
        fs::read_to_string(self.segment(1)).unwrap().lines().map(str::to_owned).collect()
    }

    pub(crate) fn write_lines(&self, lines: &[String]) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(self.segment(1), text).unwrap();
    }
}

pub(crate) fn record(number: usize) -> Record {
    Record::new(Category::DataAccess, "documents.read", Outcome::Granted)
        .with_tenant(TenantId::new("acme"))
        .with_resource("document", format!("doc-{number}"))
}

/// All files of a folder and those below it.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
