//! The journal: lines that are appended now and moved later.
//!
//! A line is the CRC-32 of the rest in eight hexadecimal digits, a space, the record as JSON, a line end. Only the last
//! line of a segment can be torn, by a power failure; its checksum tells.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use mainstay_domain::TurnRecord;

/// The journal of a data folder.
#[derive(Debug)]
pub(super) struct Journal {
    folder: PathBuf,
    active: Mutex<Active>,
}

/// The segment that is appended to.
#[derive(Debug)]
struct Active {
    number: u64,
    file: File,
    bytes: u64,
    synced: bool,
}

/// A segment that nobody appends to any more.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
}

const PREFIX: &str = "journal-";

impl Journal {
    /// Opens the journal, with a new segment behind those that are left.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let last = segment_numbers(folder)?.into_iter().max().unwrap_or(0);
        let active = Active::create(folder, last + 1)?;
        Ok(Self { folder: folder.to_owned(), active: Mutex::new(active) })
    }

    /// Appends a record. When it returns, a kill of the process does not lose it.
    pub(super) fn append(&self, record: &TurnRecord) -> io::Result<()> {
        let line = frame(record)?;
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        let before = active.bytes;
        match active.file.write_all(&line) {
            Ok(()) => {
                active.bytes = before + line.len() as u64;
                active.synced = false;
                Ok(())
            }
            Err(error) => {
                // Half a line must not stand before the next one.
                active.file.set_len(before)?;
                Err(error)
            }
        }
    }

    /// Forces what was appended to disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        let file = {
            let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
            if std::mem::replace(&mut active.synced, true) {
                return Ok(());
            }
            active.file.try_clone()?
        };
        file.sync_data()
    }

    /// Begins a new segment if anything was appended, and returns those before it, oldest first.
    pub(super) fn take_segments(&self) -> io::Result<Vec<Segment>> {
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        if active.bytes > 0 {
            *active = Active::create(&self.folder, active.number + 1)?;
        }
        let current = active.number;
        drop(active);
        let mut numbers = segment_numbers(&self.folder)?;
        numbers.retain(|number| *number < current);
        numbers.sort_unstable();
        Ok(numbers.into_iter().map(|number| Segment { path: path_of(&self.folder, number) }).collect())
    }
}

impl Active {
    fn create(folder: &Path, number: u64) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(path_of(folder, number))?;
        Ok(Self { number, file, bytes: 0, synced: true })
    }
}

impl Segment {
    /// Its records. A torn line is reported and passed over.
    pub(super) fn read(&self) -> io::Result<Vec<TurnRecord>> {
        let bytes = fs::read(&self.path)?;
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let mut records = Vec::new();
        for line in lines {
            match unframe(line) {
                Some(record) => records.push(record),
                None => tracing::warn!(
                    segment = %self.path.display(),
                    "a line of the ledger's journal is torn: a power failure cut it off"
                ),
            }
        }
        Ok(records)
    }

    /// Deletes it, when its records are in the database.
    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_file(self.path)
    }
}

fn frame(record: &TurnRecord) -> io::Result<Vec<u8>> {
    const CHECKSUM: usize = 9;
    let mut line = vec![b' '; CHECKSUM];
    serde_json::to_writer(&mut line, record)?;
    let checksum = format!("{:08x}", crc32fast::hash(&line[CHECKSUM..]));
    line[..CHECKSUM - 1].copy_from_slice(checksum.as_bytes());
    line.push(b'\n');
    Ok(line)
}

fn unframe(line: &[u8]) -> Option<TurnRecord> {
    let (checksum, json) = (line.get(..8)?, line.get(9..)?);
    let checksum = u32::from_str_radix(std::str::from_utf8(checksum).ok()?, 16).ok()?;
    if crc32fast::hash(json) != checksum {
        return None;
    }
    serde_json::from_slice(json).ok()
}

fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{PREFIX}{number:016}"))
}

fn segment_numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse::<u64>().ok()));
    }
    Ok(numbers)
}
