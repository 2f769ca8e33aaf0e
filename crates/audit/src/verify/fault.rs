//! What can be wrong with a log, said for people.

use std::fmt;

use serde::Serialize;

/// What kind of thing is wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A line is no record at all.
    Malformed,
    /// Number, time, category, digest or hash of a record is not what was written.
    Changed,
    /// The body of a record is not what was written.
    BodyChanged,
    /// Records are missing.
    Missing,
    /// A record stands behind later ones.
    Moved,
    /// A record stands in the log twice.
    Duplicated,
    /// Two different records have one number.
    Inserted,
    /// A record follows another one than stands before it: that one was replaced.
    Replaced,
    /// The last line has no end.
    TornTail,
    /// A body was removed that should be there.
    BodyMissing,
    /// A signature is not valid, or not over what stands before it.
    BadSignature,
    /// The log is not signed by the key that was given, nor by one that is connected with it.
    UnknownKey,
    /// More records than may be wait for a signature.
    Unsigned,
    /// The head file is not what was written.
    HeadChanged,
    /// The head file is gone.
    HeadMissing,
    /// Records that were signed or remembered are not in the log any more.
    RolledBack,
    /// A record that was remembered is another one in the log.
    AnchorBroken,
}

/// One thing that is wrong, and where.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Fault {
    /// What kind of thing.
    pub kind: FaultKind,
    /// The file in the log's folder.
    pub file: String,
    /// The line in the file, from 1.
    pub line: u64,
    /// The record's number, where one is known.
    pub seq: Option<u64>,
    /// What is wrong, for people. Nothing of the records' content is in it.
    pub sentence: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.sentence)
    }
}
