//! The files of the log: read line by line, and the one that is written.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::files;
use crate::line::MAX_LINE_BYTES;

const SEGMENT: &str = "segment-";

/// A file of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
}

impl Segment {
    /// The segment of that number, which need not exist.
    pub(crate) fn new(folder: &Path, number: u64) -> Self {
        Self { number, path: folder.join(format!("{SEGMENT}{number:016}")) }
    }

    /// The segments of a folder, oldest first.
    pub(crate) fn all(folder: &Path) -> io::Result<Vec<Self>> {
        let numbers = files::numbers(folder, SEGMENT)?;
        Ok(numbers.into_iter().map(|number| Self::new(folder, number)).collect())
    }

    /// Its name in the folder.
    pub(crate) fn name(&self) -> String {
        format!("{SEGMENT}{:016}", self.number)
    }

    /// Its lines, of the first `bytes` at most.
    pub(crate) fn lines(&self, bytes: Option<u64>) -> io::Result<Lines> {
        self.lines_from(0, bytes.unwrap_or(u64::MAX))
    }

    /// Its lines from a place where one begins up to another.
    pub(crate) fn lines_from(&self, from: u64, to: u64) -> io::Result<Lines> {
        let mut file = File::open(&self.path)?;
        file.seek(io::SeekFrom::Start(from))?;
        let file = BufReader::with_capacity(64 * 1_024, file.take(to.saturating_sub(from)));
        Ok(Lines { file, line: Vec::new(), number: 0, offset: from })
    }
}

/// Up to where a log is read while somebody appends to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bound {
    pub(crate) segment: u64,
    pub(crate) bytes: u64,
}

impl Bound {
    /// The lines of a segment that lie before the bound; `None` when none does.
    pub(crate) fn lines(bound: Option<Self>, segment: &Segment) -> io::Result<Option<Lines>> {
        match bound {
            Some(bound) if segment.number > bound.segment => Ok(None),
            Some(bound) if segment.number == bound.segment => segment.lines(Some(bound.bytes)).map(Some),
            _ => segment.lines(None).map(Some),
        }
    }
}

/// What stands between two line ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Piece<'a> {
    /// A line without its end.
    Whole(&'a [u8]),
    /// The last bytes of the file, without a line end. So many, if they are fewer than a line may have.
    Torn(&'a [u8]),
    /// More bytes without a line end than a line may have.
    TooLong,
}

/// Reads a segment line by line; no line is longer in memory than a line may be.
#[derive(Debug)]
pub(crate) struct Lines {
    file: BufReader<io::Take<File>>,
    line: Vec<u8>,
    number: u64,
    offset: u64,
}

impl Lines {
    /// The next line; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Piece<'_>>> {
        self.line.clear();
        let mut limited = (&mut self.file).take(MAX_LINE_BYTES as u64);
        let mut read = limited.read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        let too_long = read == MAX_LINE_BYTES && self.line.last() != Some(&b'\n');
        if too_long {
            read += self.file.skip_until(b'\n')?;
        }
        self.offset += read as u64;
        Ok(Some(match self.line.strip_suffix(b"\n") {
            _ if too_long => Piece::TooLong,
            Some(line) => Piece::Whole(line),
            None => Piece::Torn(&self.line),
        }))
    }

    /// The number of the line that was read last, from 1.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// Where the line that was read last ends.
    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }
}

/// The segment that is written to.
///
/// It is written at a known place rather than appended to: what a failed write left behind the last whole line is cut
/// off, and where it cannot be cut, the next line is written over it.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) segment: Segment,
    pub(crate) file: Arc<File>,
    /// Where the last whole line ends.
    pub(crate) bytes: u64,
    /// Up to where everything was forced to disk.
    synced: u64,
    /// Whether forcing it to disk failed: the system may believe that those bytes are on disk, and they are not.
    doubtful: bool,
    /// Whether somebody forces it to disk now.
    pub(crate) forcing: bool,
    /// Up to where a failed write may have left something that could not be cut off.
    residue: u64,
}

impl Active {
    /// Begins a segment, durably.
    pub(crate) fn create(segment: Segment) -> io::Result<Self> {
        let file = files::create(&segment.path)?;
        if let Err(error) = files::sync_folder_of(&segment.path) {
            // Or its number would be in the way of the next attempt.
            let _ = fs::remove_file(&segment.path);
            return Err(error);
        }
        Ok(Self::at(segment, file, 0))
    }

    /// Goes on with a segment that ends in a whole line at `bytes`. What is behind it is cut off, durably. All of the
    /// segment counts as not forced to disk: the last run may have been killed before it did so.
    pub(crate) fn reopen(segment: Segment, bytes: u64) -> io::Result<Self> {
        let file = File::options().read(true).write(true).open(&segment.path)?;
        if file.metadata()?.len() != bytes {
            file.set_len(bytes)?;
            file.sync_all()?;
        }
        Ok(Self::at(segment, file, bytes))
    }

    /// Goes on with a file that has just taken the place of a segment's, durably.
    pub(crate) fn of_file(segment: Segment, file: File) -> io::Result<Self> {
        let bytes = file.metadata()?.len();
        Ok(Self { synced: bytes, ..Self::at(segment, file, bytes) })
    }

    fn at(segment: Segment, file: File, bytes: u64) -> Self {
        let file = Arc::new(file);
        Self { segment, file, bytes, synced: 0, doubtful: false, forcing: false, residue: 0 }
    }

    /// Writes a line, whole or not at all.
    pub(crate) fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let end = self.bytes + line.len() as u64;
        if let Err(error) = self.file.write_all_at(line, self.bytes) {
            if self.file.set_len(self.bytes).is_err() {
                self.residue = self.residue.max(end);
            }
            return Err(error);
        }
        self.bytes = end;
        if self.residue > 0 && (self.residue <= end || self.file.set_len(end).is_ok()) {
            self.residue = 0;
        }
        Ok(())
    }

    /// What has to be forced to disk now.
    pub(crate) fn unsynced(&self) -> Unsynced {
        Unsynced { file: Arc::clone(&self.file), from: self.synced, to: self.bytes, doubtful: self.doubtful }
    }

    /// Takes note of whether a part was forced to disk; of a file that is not this one any more it says nothing.
    pub(crate) fn note_forced(&mut self, part: &Unsynced, is_on_disk: bool) {
        if Arc::ptr_eq(&self.file, &part.file) {
            self.doubtful = !is_on_disk;
            if is_on_disk {
                self.synced = part.to;
            }
        }
    }

    /// Whether all of it was forced to disk.
    pub(crate) const fn is_synced(&self) -> bool {
        self.synced == self.bytes && !self.doubtful
    }
}

/// A part of a segment that has to be forced to disk.
#[derive(Debug)]
pub(crate) struct Unsynced {
    file: Arc<File>,
    from: u64,
    to: u64,
    doubtful: bool,
}

impl Unsynced {
    /// Forces it to disk. After a failure the system may have forgotten that these bytes are not there: they are written
    /// again before the next attempt, so that a success means what it says.
    pub(crate) fn force(&self) -> io::Result<()> {
        if self.doubtful {
            let mut piece = vec![0; 64 * 1_024];
            let mut at = self.from;
            while at < self.to {
                let size = piece.len().min((self.to - at) as usize);
                self.file.read_exact_at(&mut piece[..size], at)?;
                self.file.write_all_at(&piece[..size], at)?;
                at += size as u64;
            }
        }
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_from_torn_ends_and_from_what_is_no_line() {
        let folder = tempfile::tempdir().unwrap();
        let segment = Segment::new(folder.path(), 3);
        let mut content = b"one\n\n".to_vec();
        content.extend(vec![b'x'; 2 * MAX_LINE_BYTES]);
        content.extend(b"\ntwo\nhalf");
        fs::write(&segment.path, &content).unwrap();
        assert_eq!(Segment::all(folder.path()).unwrap(), std::slice::from_ref(&segment));

        let mut lines = segment.lines(None).unwrap();
        assert_eq!(lines.next().unwrap(), Some(Piece::Whole(b"one")));
        assert_eq!(lines.next().unwrap(), Some(Piece::Whole(b"")));
        assert_eq!(lines.next().unwrap(), Some(Piece::TooLong));
        assert_eq!(lines.next().unwrap(), Some(Piece::Whole(b"two")));
        assert_eq!((lines.number(), lines.offset()), (4, content.len() as u64 - 4));
        assert_eq!(lines.next().unwrap(), Some(Piece::Torn(b"half")));
        assert_eq!(lines.next().unwrap(), None);

        let mut lines = segment.lines(Some(2)).unwrap();
        assert_eq!(lines.next().unwrap(), Some(Piece::Torn(b"on")));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn half_a_line_that_cannot_be_cut_off_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let mut active = Active::create(Segment::new(folder.path(), 1)).unwrap();
        active.write(b"before\n").unwrap();
        let full = Arc::new(File::options().read(true).write(true).open("/dev/full").unwrap());
        let disk = std::mem::replace(&mut active.file, full);
        let error = active.write(b"a long line that is refused\n").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(active.residue > 0, "/dev/full cannot be cut");

        // A disk may hold half of the line.
        disk.write_all_at(b"a long line th", active.bytes).unwrap();
        active.file = disk;
        active.write(b"after\n").unwrap();
        assert_eq!(fs::read(&active.segment.path).unwrap(), b"before\nafter\n");
    }

    #[test]
    fn what_is_doubtful_is_written_again_before_it_counts() {
        let folder = tempfile::tempdir().unwrap();
        let mut active = Active::create(Segment::new(folder.path(), 1)).unwrap();
        let text = vec![b'a'; 200_000];
        active.write(&text).unwrap();
        active.synced = 5;
        active.doubtful = true;
        active.unsynced().force().unwrap();
        assert_eq!(fs::read(&active.segment.path).unwrap(), text);

        // Seen from outside only where it cannot be written again.
        active.file = Arc::new(File::open(&active.segment.path).unwrap());
        assert!(active.unsynced().force().is_err());
        active.doubtful = false;
        active.unsynced().force().unwrap();
    }
}
