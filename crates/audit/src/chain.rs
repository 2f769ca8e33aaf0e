//! The chain as it grows: what is under the log's lock.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use mainstay_domain::Timestamp;

use crate::hash::Hash;
use crate::line::Line;
use crate::record::{Category, Outcome, Record};
use crate::segment::{Active, Bound, Segment};
use crate::signing::{Anchor, KeyChange, PublicKey, SignedHead, SigningKey};

/// The actions of the records that the log writes about itself.
pub(crate) mod own {
    pub(crate) const CHECKPOINT: &str = "audit.checkpoint";
    pub(crate) const KEY: &str = "audit.key";
    pub(crate) const EXPIRED: &str = "audit.expired";
    pub(crate) const ROLLED_BACK: &str = "audit.rolled_back";
    pub(crate) const OPENED: &str = "audit.opened";
    pub(crate) const CLOSED: &str = "audit.closed";
    pub(crate) const TORN_TAIL: &str = "audit.torn_tail";
    pub(crate) const DAMAGED: &str = "audit.damaged";
    pub(crate) const HEAD_LOST: &str = "audit.head_lost";
}

/// What stands in a line besides its body, in bytes, at most.
const LINE_HEAD_BYTES: u64 = 320;

/// How a log is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// A segment is closed when it has so many bytes. Only closed segments lose bodies that have expired.
    pub segment_bytes: u64,
    /// A checkpoint is signed after so many records.
    pub checkpoint_records: u64,
    /// And when a record waits so long to be signed.
    pub checkpoint_interval: Duration,
    /// And when nothing was recorded for so long, so that a longer gap between records means that nothing was running or
    /// that something was removed. Auditors ask about gaps of more than an hour.
    pub heartbeat: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            segment_bytes: 64 * 1_024 * 1_024,
            checkpoint_records: 1_000,
            checkpoint_interval: Duration::from_secs(60),
            heartbeat: Duration::from_secs(15 * 60),
        }
    }
}

/// Where a record stands in the chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// Its number: the first one is 1, and none is left out.
    pub seq: u64,
    /// Its time.
    pub at: Timestamp,
    /// Its hash, which stands for it and everything before it.
    pub hash: Hash,
}

impl Receipt {
    /// What stands before the first record.
    pub(crate) const BEGINNING: Self = Self { seq: 0, at: Timestamp::from_micros(0), hash: Hash::ZERO };

    /// To be kept somewhere else: whoever has it finds out when the log is rolled back to before it.
    pub const fn anchor(&self) -> Anchor {
        Anchor { seq: self.seq, hash: self.hash }
    }
}

/// The end of the chain.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) folder: PathBuf,
    pub(crate) settings: Settings,
    pub(crate) active: Active,
    pub(crate) last: Receipt,
    /// `None` until the first record, which says which key signs.
    pub(crate) key: Option<SigningKey>,
    /// What was signed last, by this run.
    pub(crate) head: Option<SignedHead>,
    /// Records behind the last checkpoint.
    pub(crate) unsigned: u64,
    /// When the first of them was written.
    pub(crate) unsigned_since: Timestamp,
    pub(crate) closed: bool,
    /// Whether the active segment is to be closed as soon as that can be, full or not.
    pub(crate) wants_segment: bool,
    pub(crate) line: Vec<u8>,
}

impl Chain {
    /// Appends a record, behind a checkpoint where a segment begins and before one where it is time for one.
    pub(crate) fn append(
        &mut self,
        category: Category,
        body: &[u8],
        digest: Hash,
        at: Timestamp,
    ) -> io::Result<Receipt> {
        self.begin_segment_if_full(body.len() as u64 + LINE_HEAD_BYTES);
        if self.active.bytes == 0 && self.last.seq > 0 {
            // So that a segment says by itself which key signs, and what came before it.
            self.checkpoint(at)?;
        }
        let receipt = self.write(category, body, digest, at)?;
        if let Err(error) = self.checkpoint_if_due(at) {
            tracing::warn!(%error, "a checkpoint of the audit log could not be written; it is tried again");
        }
        Ok(receipt)
    }

    /// The same for a record that the log makes itself.
    pub(crate) fn append_record(&mut self, record: &Record, at: Timestamp) -> io::Result<Receipt> {
        self.refuse_if_closed()?;
        let body = record.to_body().map_err(io::Error::other)?;
        self.append(record.category, &body, Hash::of(&body), at)
    }

    /// Says that `new` signs from here on, which the key before it, if there is one, has to sign.
    pub(crate) fn change_key(&mut self, new: SigningKey, at: Timestamp) -> io::Result<Receipt> {
        self.refuse_if_closed()?;
        let change = KeyChange::sign(self.key.as_ref(), &new, self.last.seq + 1, self.last.hash);
        let receipt = self.write_own(own::KEY, &change, at)?;
        self.key = Some(new);
        Ok(receipt)
    }

    /// Signs the chain up to here, if anything was recorded since the last checkpoint and it is time for it, or nothing
    /// was recorded for long.
    pub(crate) fn checkpoint_if_due(&mut self, now: Timestamp) -> io::Result<()> {
        let since = |moment: Timestamp| {
            Duration::from_micros(now.as_micros().saturating_sub(moment.as_micros()).max(0) as u64)
        };
        let is_due = self.unsigned >= self.settings.checkpoint_records
            || (self.unsigned > 0 && since(self.unsigned_since) >= self.settings.checkpoint_interval)
            || since(self.last.at) >= self.settings.heartbeat;
        if is_due { self.checkpoint(now) } else { Ok(()) }
    }

    /// Signs the chain up to here: in a record of the chain, and once more with that record, for the head file.
    pub(crate) fn checkpoint(&mut self, at: Timestamp) -> io::Result<()> {
        let Some(key) = &self.key else { return Ok(()) };
        let before = SignedHead::sign(key, self.last.seq, self.last.hash, at);
        let receipt = self.write_own(own::CHECKPOINT, &before, at)?;
        self.head = self.key.as_ref().map(|key| SignedHead::sign(key, receipt.seq, receipt.hash, at));
        self.unsigned = 0;
        Ok(())
    }

    fn refuse_if_closed(&self) -> io::Result<()> {
        if self.closed { Err(io::Error::other("the audit log is closed")) } else { Ok(()) }
    }

    /// The key that signs now.
    pub(crate) fn public_key(&self) -> Option<PublicKey> {
        self.key.as_ref().map(SigningKey::public)
    }

    /// Up to where the log can be read.
    pub(crate) const fn bound(&self) -> Bound {
        Bound { segment: self.active.segment.number, bytes: self.active.bytes }
    }

    /// Closes the active segment, durably, and begins another.
    fn begin_segment(&mut self) -> io::Result<()> {
        let unsynced = self.active.unsynced();
        let forced = unsynced.force();
        self.active.note_forced(&unsynced, forced.is_ok());
        forced?;
        self.active = Active::create(Segment::new(&self.folder, self.active.segment.number + 1))?;
        self.wants_segment = false;
        Ok(())
    }

    /// Begins a segment if `next` bytes do not fit into this one. A segment becomes longer than it should rather than that
    /// a record is refused: when the next one cannot be made, and while somebody forces this one to disk, whose failure
    /// would be lost with it; that one calls this again.
    pub(crate) fn begin_segment_if_full(&mut self, next: u64) {
        let is_full = self.wants_segment || self.active.bytes + next > self.settings.segment_bytes;
        if !is_full || self.active.bytes == 0 || self.active.forcing {
            return;
        }
        if let Err(error) = self.begin_segment() {
            tracing::warn!(%error, "the audit log cannot begin a segment; it goes on with the last one");
        }
    }

    fn write_own(
        &mut self,
        action: &'static str,
        details: &impl serde::Serialize,
        at: Timestamp,
    ) -> io::Result<Receipt> {
        let mut record = Record::new(Category::Log, action, Outcome::Succeeded);
        if let serde_json::Value::Object(details) = serde_json::to_value(details)? {
            record.details = details;
        }
        let body = record.to_body().map_err(io::Error::other)?;
        self.write(Category::Log, &body, Hash::of(&body), at)
    }

    fn write(&mut self, category: Category, body: &[u8], digest: Hash, at: Timestamp) -> io::Result<Receipt> {
        let line = Line::new(self.last.seq + 1, at, category, self.last.hash, digest, Some(body));
        self.line.clear();
        line.write(&mut self.line);
        self.active.write(&self.line)?;
        self.last = Receipt { seq: line.seq, at, hash: line.hash };
        if self.unsigned == 0 {
            self.unsigned_since = at;
        }
        self.unsigned += 1;
        Ok(self.last)
    }
}
