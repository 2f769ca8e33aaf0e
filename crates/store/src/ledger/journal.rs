//! The journal: files of lines that are appended now and moved into the database later.
//!
//! A segment is one file. One of them, the active one, is appended to; the others wait to be moved and are then deleted.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use mainstay_domain::TurnRecord;

use super::frame;
use crate::data_dir::sync_folder;

const SEGMENT: &str = "journal-";
/// What a segment is called when not all of it could be read: it is kept for whoever wants to see what happened.
const DAMAGED: &str = "damaged-";

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
    /// Whether everything in it was forced to disk.
    synced: bool,
    /// Whether it ends in half a line that could not be taken back.
    torn: bool,
}

impl Journal {
    /// Opens the journal, with a new segment behind those that are left.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let last = segments(folder)?.last().map_or(0, |segment| segment.number);
        let damaged = numbers(folder, DAMAGED)?.into_iter().max().unwrap_or(0);
        let active = Active::create(folder, last.max(damaged) + 1)?;
        Ok(Self { folder: folder.to_owned(), active: Mutex::new(active) })
    }

    /// Appends a record. When it returns, a kill of the process does not lose it. `true` says that it is the first one
    /// since everything was forced to disk.
    pub(super) fn append(&self, record: &TurnRecord) -> io::Result<bool> {
        let line = frame::encode(record)?;
        self.active().append(&line)
    }

    /// Forces what was appended to disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        let file = {
            let mut active = self.active();
            if active.synced {
                return Ok(());
            }
            // Before the sync, not after it: what is appended meanwhile needs another one.
            active.synced = true;
            active.file.try_clone()?
        };
        file.sync_data().inspect_err(|_| self.active().synced = false)
    }

    /// Begins a new segment if anything was appended to the active one, and returns all segments before it, oldest
    /// first. Only one thread may be in here at a time.
    pub(super) fn rotate(&self) -> io::Result<Vec<Segment>> {
        let (number, empty) = {
            let active = self.active();
            (active.number, active.bytes == 0)
        };
        if !empty {
            let next = Active::create(&self.folder, number + 1)?;
            let full = std::mem::replace(&mut *self.active(), next);
            // It waits for the database now, which may take long if the database cannot be written.
            full.file.sync_data()?;
        }
        self.earlier()
    }

    /// The segments before the active one, oldest first.
    pub(super) fn earlier(&self) -> io::Result<Vec<Segment>> {
        let mut segments = segments(&self.folder)?;
        let active = self.active().number;
        segments.retain(|segment| segment.number < active);
        Ok(segments)
    }

    fn active(&self) -> MutexGuard<'_, Active> {
        // A line is appended or not: a panic elsewhere leaves nothing half done.
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Active {
    fn create(folder: &Path, number: u64) -> io::Result<Self> {
        let path = folder.join(format!("{SEGMENT}{number:016}"));
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
        sync_folder(folder)?;
        Ok(Self { number, file, bytes: 0, synced: true, torn: false })
    }

    fn append(&mut self, line: &[u8]) -> io::Result<bool> {
        if self.torn {
            self.file.write_all(b"\n")?;
            self.bytes += 1;
            self.torn = false;
        }
        if let Err(error) = self.file.write_all(line) {
            // Half a line may be written, and must not stand before the next one.
            self.torn = self.file.set_len(self.bytes).is_err();
            return Err(error);
        }
        self.bytes += line.len() as u64;
        Ok(std::mem::replace(&mut self.synced, false))
    }
}

/// A segment that nobody appends to any more.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    number: u64,
}

/// What a segment holds, or a part of it.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) records: Vec<TurnRecord>,
    /// Bytes of a last line without an end: the power failed while it was written.
    pub(super) torn_bytes: usize,
    /// Lines that are not as they were written.
    pub(super) damaged_lines: usize,
}

impl Segment {
    /// Opens it to be read from its beginning.
    pub(super) fn open(&self) -> io::Result<SegmentReader> {
        Ok(SegmentReader { file: BufReader::new(File::open(&self.path)?), line: Vec::new() })
    }

    /// Deletes it: its records are in the database.
    pub(super) fn remove(&self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }

    /// Keeps it under another name: its readable records are in the database, and the rest is to be looked at.
    pub(super) fn set_aside(&self) -> io::Result<PathBuf> {
        let aside = self.path.with_file_name(format!("{DAMAGED}{:016}", self.number));
        fs::rename(&self.path, &aside)?;
        Ok(aside)
    }

    /// Its place in the order of segments.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Reads a segment piece by piece: under load one has more records than should be in memory at once.
#[derive(Debug)]
pub(super) struct SegmentReader {
    file: BufReader<File>,
    line: Vec<u8>,
}

impl SegmentReader {
    /// The next lines with at most so many records; `None` at the end.
    pub(super) fn next(&mut self, most: usize) -> io::Result<Option<Contents>> {
        let mut contents = Contents::default();
        let mut lines = 0;
        while contents.records.len() < most {
            self.line.clear();
            if self.file.read_until(b'\n', &mut self.line)? == 0 {
                break;
            }
            lines += 1;
            match self.line.strip_suffix(b"\n") {
                None => contents.torn_bytes = self.line.len(),
                Some(b"") => {}
                Some(line) => match frame::decode(line) {
                    Some(record) => contents.records.push(record),
                    None => contents.damaged_lines += 1,
                },
            }
        }
        Ok((lines > 0).then_some(contents))
    }
}

/// The segments of a folder, oldest first.
fn segments(folder: &Path) -> io::Result<Vec<Segment>> {
    let mut numbers = numbers(folder, SEGMENT)?;
    numbers.sort_unstable();
    let path = |number| folder.join(format!("{SEGMENT}{number:016}"));
    Ok(numbers.into_iter().map(|number| Segment { path: path(number), number }).collect())
}

fn numbers(folder: &Path, prefix: &str) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.strip_prefix(prefix)?.parse::<u64>().ok()));
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;
    use crate::ledger::tests::record;

    impl Segment {
        /// All of it, put together from pieces of two records.
        pub(in crate::ledger) fn read(&self) -> Contents {
            let mut whole = Contents::default();
            let mut reader = self.open().unwrap();
            while let Some(piece) = reader.next(2).unwrap() {
                assert!(piece.records.len() <= 2);
                whole.records.extend(piece.records);
                whole.torn_bytes += piece.torn_bytes;
                whole.damaged_lines += piece.damaged_lines;
            }
            whole
        }
    }

    fn turns(journal: &Journal) -> Vec<String> {
        let read = |segment: &Segment| segment.read().records;
        journal.rotate().unwrap().iter().flat_map(read).map(|record| record.turn.to_string()).collect()
    }

    #[test]
    fn lines_of_many_threads_stay_whole_across_rotations() {
        const THREADS: usize = 8;
        const EACH: usize = 500;
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        let halfway = Barrier::new(THREADS + 1);
        let goes_on = Barrier::new(THREADS + 1);
        let working = AtomicUsize::new(THREADS);
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (journal, halfway, goes_on, working) = (&journal, &halfway, &goes_on, &working);
                scope.spawn(move || {
                    for number in 0..EACH {
                        if number == EACH / 2 {
                            halfway.wait();
                            goes_on.wait();
                        }
                        journal.append(&record(&format!("{thread}-{number}"))).unwrap();
                    }
                    working.fetch_sub(1, Ordering::SeqCst);
                });
            }
            halfway.wait();
            assert_eq!(journal.rotate().unwrap().len(), 1);
            goes_on.wait();
            while working.load(Ordering::SeqCst) > 0 {
                journal.rotate().unwrap();
                journal.sync().unwrap();
            }
        });
        let segments = journal.rotate().unwrap();
        assert!(segments.len() >= 2);
        let mut found = Vec::new();
        for segment in &segments {
            let contents = segment.read();
            assert_eq!((contents.torn_bytes, contents.damaged_lines), (0, 0));
            found.extend(contents.records.into_iter().map(|record| record.turn.to_string()));
        }
        let mut wanted: Vec<String> = (0..THREADS)
            .flat_map(|thread| (0..EACH).map(move |number| format!("{thread}-{number}")))
            .collect();
        found.sort();
        wanted.sort();
        assert!(found == wanted, "{} of {} records", found.len(), wanted.len());
    }

    #[test]
    fn what_was_appended_survives_without_any_farewell() {
        let folder = tempfile::tempdir().unwrap();
        Journal::open(folder.path()).unwrap().append(&record("a")).unwrap();
        let second = Journal::open(folder.path()).unwrap();
        second.append(&record("b")).unwrap();
        assert_eq!(turns(&second), ["a", "b"]);
    }

    #[test]
    fn an_idle_journal_makes_no_files() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        for _ in 0..3 {
            assert!(journal.rotate().unwrap().is_empty());
        }
        assert_eq!(segments(folder.path()).unwrap().len(), 1);
    }

    #[test]
    fn a_torn_tail_and_a_damaged_line_cost_themselves_only() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        for turn in ["a", "b", "c"] {
            journal.append(&record(turn)).unwrap();
        }
        let segment = journal.rotate().unwrap().remove(0);
        let mut bytes = fs::read(segment.path()).unwrap();
        let line = bytes.len() / 3;
        bytes[line + 40] ^= 1;
        let half = frame::encode(&record("d")).unwrap();
        bytes.extend_from_slice(&half[..half.len() / 2]);
        fs::write(segment.path(), bytes).unwrap();

        let contents = segment.read();
        let turns: Vec<&str> = contents.records.iter().map(|record| record.turn.as_str()).collect();
        assert_eq!(turns, ["a", "c"]);
        assert_eq!((contents.torn_bytes, contents.damaged_lines), (half.len() / 2, 1));
        let aside = segment.set_aside().unwrap();
        assert!(aside.exists());
        let next = Journal::open(folder.path()).unwrap().active().number;
        assert_eq!(next, 3, "a number in use is not given again");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_refuses_the_record_and_the_next_ones_fit_again() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        journal.append(&record("before")).unwrap();
        let full = OpenOptions::new().append(true).open("/dev/full").unwrap();
        let disk = std::mem::replace(&mut journal.active().file, full);
        let error = journal.append(&record("refused")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);

        // /dev/full cannot be cut either, so half a line may stand there, as this one does.
        let mut active = journal.active();
        active.file = disk;
        assert!(active.torn);
        active.file.write_all(b"0badc0de {\"turn\":\"ref").unwrap();
        drop(active);
        journal.append(&record("after")).unwrap();

        let contents = journal.rotate().unwrap()[0].read();
        let turns: Vec<&str> = contents.records.iter().map(|record| record.turn.as_str()).collect();
        assert_eq!(turns, ["before", "after"]);
        assert_eq!(contents.damaged_lines, 1);
    }
}
