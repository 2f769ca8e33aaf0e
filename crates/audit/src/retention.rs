//! Retention: how long bodies are kept. The line of a record stays for ever, and the chain with it.
//!
//! Before a body is removed the log says so, in a record that is signed: up to which number, and of which time. Bodies
//! that are gone without that are a fault to [`crate::verify()`].

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::time::Duration;

use mainstay_domain::{TenantId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::chain::own;
use crate::files;
use crate::line::Line;
use crate::log::{AuditLog, SyncError};
use crate::pseudonyms::Pseudonym;
use crate::record::{Category, Outcome, Record};
use crate::segment::{Piece, Segment};

/// How long bodies are kept, and which ones longer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RetentionPolicy {
    keep: BTreeMap<Category, Duration>,
    holds: Vec<LegalHold>,
}

/// A year for every category, which is what SOC 2 asks for.
impl Default for RetentionPolicy {
    fn default() -> Self {
        let year = Duration::from_secs(365 * 24 * 60 * 60);
        Category::ALL.into_iter().fold(Self::forever(), |policy, category| policy.keep(category, year))
    }
}

impl RetentionPolicy {
    /// Nothing is ever removed.
    pub const fn forever() -> Self {
        Self { keep: BTreeMap::new(), holds: Vec::new() }
    }

    /// Keeps the bodies of a category so long. What the log says about itself is kept for ever, whatever is said here.
    #[must_use]
    pub fn keep(mut self, category: Category, duration: Duration) -> Self {
        if category != Category::Log {
            self.keep.insert(category, duration);
        }
        self
    }

    /// Keeps what a hold names for as long as the hold is part of the policy.
    #[must_use]
    pub fn hold(mut self, hold: LegalHold) -> Self {
        self.holds.push(hold);
        self
    }

    /// Bodies of the category that are older than this need not be kept; `None` when all must.
    pub(crate) fn cutoff(&self, category: Category, now: Timestamp) -> Option<Timestamp> {
        let keep = i64::try_from(self.keep.get(&category)?.as_micros()).ok()?;
        now.as_micros().checked_sub(keep).map(Timestamp::from_micros)
    }

    fn holds(&self, line: &Line<'_>) -> bool {
        let mut holds = self.holds.iter().filter(|hold| hold.covers_line(line)).peekable();
        if holds.peek().is_none() {
            return false;
        }
        // What cannot be read is kept where it could be meant.
        let record = line.body.and_then(|body| Record::from_body(line.category, body));
        record.is_none_or(|record| holds.any(|hold| hold.covers_record(&record)))
    }
}

/// What must be kept because of a legal dispute or an inquiry: everything that all of its fields let through.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LegalHold {
    /// Only of this tenant.
    pub tenant: Option<TenantId>,
    /// Only of these people, if it names any.
    pub subjects: Vec<Pseudonym>,
    /// Only of this category.
    pub category: Option<Category>,
    /// Only from this moment on.
    pub from: Option<Timestamp>,
    /// Only before this moment.
    pub until: Option<Timestamp>,
}

impl LegalHold {
    fn covers_line(&self, line: &Line<'_>) -> bool {
        self.category.is_none_or(|category| category == line.category)
            && self.from.is_none_or(|from| line.at >= from)
            && self.until.is_none_or(|until| line.at < until)
    }

    fn covers_record(&self, record: &Record) -> bool {
        let is_of_tenant = self.tenant.is_none() || self.tenant == record.tenant;
        let is_named = record.subject.as_ref().is_some_and(|subject| self.subjects.contains(subject));
        is_of_tenant && (self.subjects.is_empty() || is_named)
    }
}

/// What the log says about a category before it removes bodies: none behind `through`, and none of `before` or later.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Expired {
    pub(crate) through: u64,
    pub(crate) before: Timestamp,
    pub(crate) bodies: u64,
}

impl Expired {
    /// What a record of expiry says.
    pub(crate) fn all_of(record: &Record) -> Vec<(Category, Self)> {
        let read = |(name, value): (&String, &serde_json::Value)| {
            Some((Category::from_name(name)?, serde_json::from_value(value.clone()).ok()?))
        };
        record.details.iter().filter_map(read).filter(|(category, _)| *category != Category::Log).collect()
    }
}

/// Why bodies were not removed, or not all.
#[derive(Debug, thiserror::Error)]
pub enum ExpireError {
    /// The log could not say that they are to be removed; all of them are there.
    #[error("no bodies were removed from the audit log: it could not record and sign that")]
    NotRecorded(#[from] SyncError),
    /// The disk refused; those that are left are removed by the next call.
    #[error(
        "not all expired bodies were removed from {segment} of the audit log: the next call removes the others"
    )]
    Io {
        /// The file.
        segment: String,
        /// Why.
        source: io::Error,
    },
}

impl AuditLog {
    /// Removes the bodies of closed segments that the policy does not keep, as of now. Returns how many by category.
    ///
    /// Reads every closed segment: for a thread of its own, once a day. An active segment that begins with records that
    /// have expired is closed, so that the next call finds them.
    pub fn expire(&self, policy: &RetentionPolicy) -> Result<BTreeMap<Category, u64>, ExpireError> {
        let _alone = self.alone();
        let now = self.now();
        self.force_and_keep_head()?;
        let expiring = Expiring { policy, now };
        let mut expired = BTreeMap::new();
        let mut affected = Vec::new();
        for segment in self.closed_segments(&expiring).map_err(failed("the folder".to_owned()))? {
            if expiring.count(&segment, &mut expired).map_err(failed(segment.name()))? {
                affected.push(segment);
            }
        }
        if expired.is_empty() {
            return Ok(BTreeMap::new());
        }
        self.say_expired(&expired, now)?;
        for segment in affected {
            expiring.rewrite(&segment).map_err(failed(segment.name()))?;
        }
        Ok(expired.into_iter().map(|(category, expired)| (category, expired.bodies)).collect())
    }

    fn closed_segments(&self, expiring: &Expiring<'_>) -> io::Result<Vec<Segment>> {
        let mut chain = self.chain();
        let mut first = chain.active.segment.lines(Some(chain.active.bytes))?;
        let is_old = match first.next()? {
            Some(Piece::Whole(text)) => Line::parse(text).is_some_and(|line| expiring.is_any_as_old(&line)),
            _ => false,
        };
        if is_old && !chain.closed {
            chain.wants_segment = true;
            chain.begin_segment_if_full(0);
        }
        let active = chain.active.segment.number;
        drop(chain);
        let mut segments = Segment::all(self.folder())?;
        segments.retain(|segment| segment.number < active);
        Ok(segments)
    }

    fn say_expired(&self, expired: &BTreeMap<Category, Expired>, now: Timestamp) -> Result<(), ExpireError> {
        let mut record = Record::new(Category::Log, own::EXPIRED, Outcome::Succeeded);
        for (category, expired) in expired {
            let value = serde_json::to_value(expired).unwrap_or_default();
            record.details.insert(category.as_str().to_owned(), value);
        }
        let said = {
            let mut chain = self.chain();
            chain.append_record(&record, now).and_then(|_| chain.checkpoint(now))
        };
        self.note_append(said).map_err(|error| SyncError { doing: "signed", source: error.into() })?;
        Ok(self.force_and_keep_head()?)
    }
}

fn failed(segment: String) -> impl FnOnce(io::Error) -> ExpireError {
    move |source| ExpireError::Io { segment, source }
}

/// Which bodies go.
struct Expiring<'a> {
    policy: &'a RetentionPolicy,
    now: Timestamp,
}

impl Expiring<'_> {
    fn is_due(&self, line: &Line<'_>) -> bool {
        line.body.is_some()
            && self.policy.cutoff(line.category, self.now).is_some_and(|cutoff| line.at < cutoff)
            && !self.policy.holds(line)
            // A line that was changed stays as it is, for whoever looks into it.
            && line.check().is_ok()
    }

    fn is_any_as_old(&self, line: &Line<'_>) -> bool {
        let cutoff = |category| self.policy.cutoff(category, self.now);
        Category::ALL.into_iter().filter_map(cutoff).any(|cutoff| line.at < cutoff)
    }

    /// Counts what goes from a segment.
    fn count(&self, segment: &Segment, expired: &mut BTreeMap<Category, Expired>) -> io::Result<bool> {
        let mut lines = segment.lines(None)?;
        let mut is_affected = false;
        while let Some(piece) = lines.next()? {
            let Piece::Whole(text) = piece else { continue };
            let Some(line) = Line::parse(text).filter(|line| self.is_due(line)) else { continue };
            let Some(before) = self.policy.cutoff(line.category, self.now) else { continue };
            let expired =
                expired.entry(line.category).or_insert(Expired { through: line.seq, before, bodies: 0 });
            expired.through = expired.through.max(line.seq);
            expired.bodies += 1;
            is_affected = true;
        }
        Ok(is_affected)
    }

    /// Writes a segment anew without what goes; all else is copied byte by byte, damage with it.
    fn rewrite(&self, segment: &Segment) -> io::Result<()> {
        let mut lines = segment.lines(None)?;
        let mut next = BufWriter::with_capacity(64 * 1_024, files::begin(&segment.path)?);
        let mut stub = Vec::new();
        while let Some(piece) = lines.next()? {
            match piece {
                Piece::TooLong => return Err(io::Error::other("a line is too long to be a record")),
                Piece::Torn(bytes) => next.write_all(bytes)?,
                Piece::Whole(text) => match Line::parse(text).filter(|line| self.is_due(line)) {
                    None => {
                        next.write_all(text)?;
                        next.write_all(b"\n")?;
                    }
                    Some(line) => {
                        stub.clear();
                        Line { body: None, ..line }.write(&mut stub);
                        next.write_all(&stub)?;
                    }
                },
            }
        }
        let next = next.into_inner().map_err(io::IntoInnerError::into_error)?;
        files::finish(&segment.path, &next)
    }
}
