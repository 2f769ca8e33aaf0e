//! What the last run left: where the chain goes on, and what is not as it was left.

use std::fs;
use std::io;
use std::path::Path;

use crate::chain::{Receipt, own};
use crate::hash::Hash;
use crate::line::Line;
use crate::record::{Category, Outcome, Record};
use crate::segment::{Piece, Segment};
use crate::signing::{PublicKey, SignedHead};

/// The file with the last signed head.
pub(crate) const HEAD: &str = "head";

/// What was found when a log was opened. All of it is in the log, too, as security events.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Opening {
    /// Half a line at the end, which was cut off: the process was killed, or the power failed, while it was written.
    pub torn: Option<TornTail>,
    /// Lines of the last segment that are not as they were written. They are left as they are, for [`crate::verify()`].
    pub damaged_lines: u64,
    /// What was signed as the end of the chain and is not in it any more: the log was rolled back.
    pub rolled_back: Option<SignedHead>,
    /// Whether the head file was missing or unreadable although there are records.
    pub head_lost: bool,
    /// Records behind the last checkpoint, which are signed from now on. After a kill there are some; after
    /// [`crate::AuditLog::close`] there are none, and if there are, somebody else wrote them.
    pub unsigned: u64,
}

/// Half a line that was cut off.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TornTail {
    /// The file that it stood in.
    pub file: String,
    /// How long it was.
    pub bytes: u64,
    /// Its SHA-256 value.
    pub digest: Hash,
}

/// Where the chain goes on.
#[derive(Debug, Default)]
pub(crate) struct Left {
    pub(crate) opening: Opening,
    /// The last record that is whole.
    pub(crate) last: Option<Receipt>,
    /// The key that signs, by what the log says.
    pub(crate) key: Option<PublicKey>,
    /// The last segment, and where its last line with an end ends.
    pub(crate) segment: Option<(Segment, u64)>,
    /// Whether the folder holds lines, of whatever kind.
    pub(crate) has_lines: bool,
}

impl Left {
    /// Looks at the last segment, and at those before it when it holds no record.
    pub(crate) fn find(folder: &Path) -> io::Result<Self> {
        let mut left = Self::default();
        let head = match fs::read(folder.join(HEAD)) {
            Ok(content) => SignedHead::from_file(&content).filter(SignedHead::is_signed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let mut at_head = None;
        for segment in Segment::all(folder)?.into_iter().rev() {
            let end = left.read(&segment, head.as_ref(), &mut at_head)?;
            left.segment.get_or_insert((segment, end));
            if left.last.is_some() && left.key.is_some() {
                break;
            }
        }
        left.opening.head_lost = head.is_none() && left.last.is_some();
        left.opening.rolled_back = head.filter(|head| {
            let is_behind = left.last.is_none_or(|last| last.seq < head.seq);
            is_behind || at_head.is_some_and(|hash| hash != head.hash)
        });
        Ok(left)
    }

    /// Reads a segment; returns where its last line with an end ends.
    fn read(
        &mut self,
        segment: &Segment,
        head: Option<&SignedHead>,
        at_head: &mut Option<Hash>,
    ) -> io::Result<u64> {
        let mut lines = segment.lines(None)?;
        let (mut end, mut last, mut key, mut unsigned) = (0, None, None, 0);
        loop {
            match lines.next()? {
                None => break,
                // Behind this one another segment was begun, and before that it was forced to disk.
                Some(Piece::Torn(_)) if self.segment.is_some() => {
                    self.opening.damaged_lines += 1;
                    continue;
                }
                Some(Piece::Torn(bytes)) => {
                    self.opening.torn.get_or_insert(TornTail {
                        file: segment.name(),
                        bytes: bytes.len() as u64,
                        digest: Hash::of(bytes),
                    });
                    continue;
                }
                Some(Piece::TooLong) => self.opening.damaged_lines += 1,
                Some(Piece::Whole(text)) => match Line::parse(text).filter(|line| line.check().is_ok()) {
                    None => self.opening.damaged_lines += 1,
                    Some(line) => {
                        last = Some(Receipt { seq: line.seq, at: line.at, hash: line.hash });
                        unsigned += 1;
                        if let Some((named, is_checkpoint)) = named_key(&line) {
                            key = Some(named);
                            unsigned = if is_checkpoint { 0 } else { unsigned };
                        }
                        if head.is_some_and(|head| head.seq == line.seq) {
                            *at_head = Some(line.hash);
                        }
                    }
                },
            }
            self.has_lines = true;
            end = lines.offset();
        }
        if self.last.is_none() {
            self.opening.unsigned = unsigned;
        }
        self.last = self.last.or(last);
        self.key = self.key.or(key);
        Ok(end)
    }

    /// What has to be written about it into the log.
    pub(crate) fn events(&self) -> Vec<Record> {
        let event = |action: &'static str, code: &'static str| {
            Record::new(Category::SecurityEvent, action, Outcome::Failed(code.into()))
        };
        let mut events = Vec::new();
        if let Some(head) = &self.opening.rolled_back {
            // Not a security event, which would expire: verification says so for ever.
            events.push(Record {
                details: serde_json::to_value(head)
                    .ok()
                    .and_then(|value| value.as_object().cloned())
                    .unwrap_or_default(),
                ..Record::new(Category::Log, own::ROLLED_BACK, Outcome::Failed("records_missing".into()))
            });
        }
        if let Some(torn) = &self.opening.torn {
            events.push(
                event(own::TORN_TAIL, "cut_off")
                    .with_resource("file", &torn.file)
                    .with_detail("bytes", torn.bytes)
                    .with_detail("digest", torn.digest.to_string()),
            );
        }
        if self.opening.damaged_lines > 0 {
            events
                .push(event(own::DAMAGED, "lines_changed").with_detail("lines", self.opening.damaged_lines));
        }
        if self.opening.head_lost {
            events.push(event(own::HEAD_LOST, "missing_or_unreadable"));
        }
        let opened = Record::new(Category::SecurityEvent, own::OPENED, Outcome::Succeeded);
        events.push(opened.with_detail("unsigned", self.opening.unsigned));
        events
    }
}

/// The key that a checkpoint or a change of keys names, and whether it is a checkpoint.
fn named_key(line: &Line<'_>) -> Option<(PublicKey, bool)> {
    if line.category != Category::Log {
        return None;
    }
    let record = Record::from_body(line.category, line.body?)?;
    let is_checkpoint = record.action == own::CHECKPOINT;
    if !is_checkpoint && record.action != own::KEY {
        return None;
    }
    Some((record.details.get("key")?.as_str()?.parse().ok()?, is_checkpoint))
}
