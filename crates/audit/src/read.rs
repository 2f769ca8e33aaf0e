//! Reading a log: record by record, in the order of their numbers, for exports and for people who look for something.

use std::io;
use std::path::{Path, PathBuf};

use mainstay_domain::{TenantId, Timestamp};

use crate::hash::Hash;
use crate::line::Line;
use crate::log::AuditLog;
use crate::pseudonyms::Pseudonym;
use crate::record::{Category, Record};
use crate::segment::{Bound, Lines, Piece, Segment};

/// Which records are read: those that all of its fields let through.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Only from this moment on.
    pub from: Option<Timestamp>,
    /// Only before this moment.
    pub until: Option<Timestamp>,
    /// Only behind this number: to go on where an export ended.
    pub after_seq: Option<u64>,
    /// Only of these categories, if it names any.
    pub categories: Vec<Category>,
    /// Only of this tenant. Whose records were that lost their body, nobody knows: they are left out.
    pub tenant: Option<TenantId>,
    /// Only of this person; the same holds.
    pub subject: Option<Pseudonym>,
}

impl Filter {
    fn passes_line(&self, line: &Line<'_>) -> bool {
        self.from.is_none_or(|from| line.at >= from)
            && self.until.is_none_or(|until| line.at < until)
            && self.after_seq.is_none_or(|seq| line.seq > seq)
            && (self.categories.is_empty() || self.categories.contains(&line.category))
    }

    fn passes_record(&self, record: Option<&Record>) -> bool {
        let tenant = record.and_then(|record| record.tenant.as_ref());
        let subject = record.and_then(|record| record.subject.as_ref());
        (self.tenant.is_none() || self.tenant.as_ref() == tenant)
            && (self.subject.is_none() || self.subject.as_ref() == subject)
    }
}

/// A record as it stands in the log.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Its number.
    pub seq: u64,
    /// Its time.
    pub at: Timestamp,
    /// Its category.
    pub category: Category,
    /// Its hash, which stands for it and everything before it.
    pub hash: Hash,
    /// What happened; `None` when the retention of its category has passed.
    pub record: Option<Record>,
    text: String,
}

impl Entry {
    /// Its line as it stands in the log, a JSON object without a line end: an export of these can be checked again.
    pub fn json(&self) -> &str {
        &self.text
    }
}

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The disk refused. Nothing follows.
    #[error("{path:?} of the audit log cannot be read")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The line is not as it was written. The next ones follow.
    #[error("line {line} of {file} of the audit log is not as it was written: verify the log")]
    Damaged {
        /// The file.
        file: String,
        /// The line in it, from 1.
        line: u64,
    },
}

/// The records of a log, one by one.
#[derive(Debug)]
pub struct Entries {
    filter: Filter,
    bound: Option<Bound>,
    segments: std::vec::IntoIter<Segment>,
    current: Option<(Segment, Lines)>,
}

impl Entries {
    /// The records of the log in a folder. While somebody appends, use [`AuditLog::entries`].
    pub fn of_folder(folder: &Path, filter: Filter) -> Result<Self, ReadError> {
        Self::up_to(folder, filter, None)
    }

    fn up_to(folder: &Path, filter: Filter, bound: Option<Bound>) -> Result<Self, ReadError> {
        let failed = |source| ReadError::Io { path: folder.to_owned(), source };
        let segments = Segment::all(folder).map_err(failed)?.into_iter();
        Ok(Self { filter, bound, segments, current: None })
    }

    fn read(&mut self) -> Result<Option<Entry>, ReadError> {
        loop {
            let (segment, lines) = match &mut self.current {
                Some(current) => current,
                None => {
                    let Some(segment) = self.segments.next() else { return Ok(None) };
                    let failed = |source| ReadError::Io { path: segment.path.clone(), source };
                    let Some(lines) = Bound::lines(self.bound, &segment).map_err(failed)? else {
                        return Ok(None);
                    };
                    self.current.insert((segment, lines))
                }
            };
            let number = lines.number() + 1;
            let piece =
                lines.next().map_err(|source| ReadError::Io { path: segment.path.clone(), source })?;
            let line = match piece {
                None => {
                    self.current = None;
                    continue;
                }
                Some(Piece::Whole(text)) => {
                    Line::parse(text).filter(|line| line.check().is_ok()).zip(Some(text))
                }
                Some(Piece::Torn(_) | Piece::TooLong) => None,
            };
            let entry = line.map(|(line, text)| entry(&self.filter, &line, text));
            match entry {
                Some(Ok(None)) => {}
                Some(Ok(entry)) => return Ok(entry),
                Some(Err(NoRecord)) | None => {
                    return Err(ReadError::Damaged { file: segment.name(), line: number });
                }
            }
        }
    }
}

struct NoRecord;

/// The entry of a line, if the filter lets it through.
fn entry(filter: &Filter, line: &Line<'_>, text: &[u8]) -> Result<Option<Entry>, NoRecord> {
    if !filter.passes_line(line) {
        return Ok(None);
    }
    let read = |body| Record::from_body(line.category, body).ok_or(NoRecord);
    let record = line.body.map(read).transpose()?;
    if !filter.passes_record(record.as_ref()) {
        return Ok(None);
    }
    let text = std::str::from_utf8(text).map_err(|_| NoRecord)?.to_owned();
    Ok(Some(Entry { seq: line.seq, at: line.at, category: line.category, hash: line.hash, record, text }))
}

impl Iterator for Entries {
    type Item = Result<Entry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.read();
        if matches!(entry, Err(ReadError::Io { .. })) {
            self.current = None;
            self.segments = Vec::new().into_iter();
        }
        entry.transpose()
    }
}

impl AuditLog {
    /// The records that were appended until now, one by one, while others go on appending. Bodies may be removed
    /// meanwhile; what was not read yet then comes without them.
    pub fn entries(&self, filter: Filter) -> Result<Entries, ReadError> {
        Entries::up_to(self.folder(), filter, Some(self.bound()))
    }
}
