//! The walk over all lines.

use std::collections::HashMap;

use super::fault::{Fault, FaultKind};
use super::keys::Keys;
use super::order::{Missing, Order, Standing};
use super::stubs::Stubs;
use super::{Gap, Report, VerifyOptions};
use crate::chain::own;
use crate::hash::Hash;
use crate::line::{Contradiction, Line};
use crate::opening::HEAD;
use crate::record::{Category, Record};
use crate::segment::Piece;
use crate::signing::{PublicKey, SignedHead};

/// So many gaps in time are told one by one.
const MOST_TIME_GAPS: usize = 100;

/// What is known behind the lines that were read.
pub(super) struct Walk<'a> {
    options: &'a VerifyOptions,
    report: Report,
    file: String,
    line: u64,
    order: Order,
    keys: Keys,
    stubs: Stubs,
    /// The last record that a signature covers.
    signed: u64,
    /// What is to be found, by number: by the caller's anchors, and by the head file.
    anchors: HashMap<u64, Vec<Hash>>,
    head: Option<SignedHead>,
    has_head_file: bool,
    is_head_found: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(key: &PublicKey, options: &'a VerifyOptions, head: Option<&[u8]>) -> Self {
        let mut anchors: HashMap<u64, Vec<Hash>> = HashMap::new();
        for anchor in &options.anchors {
            anchors.entry(anchor.seq).or_default().push(anchor.hash);
        }
        Self {
            options,
            report: Report::default(),
            file: String::new(),
            line: 0,
            order: Order::default(),
            keys: Keys::new(*key),
            stubs: Stubs::default(),
            signed: 0,
            anchors,
            head: head.and_then(SignedHead::from_file),
            has_head_file: head.is_some(),
            is_head_found: false,
        }
    }

    pub(super) fn begin_file(&mut self, name: String) {
        self.file = name;
        self.line = 0;
    }

    /// The next line of the file.
    pub(super) fn piece(&mut self, piece: Piece<'_>) {
        self.line += 1;
        let text = match piece {
            Piece::Whole(text) => text,
            Piece::Torn(_) => {
                self.order.damaged();
                let sentence = "the line has no end: the process was killed, or the power failed, while it was \
                                written, or the file was cut";
                return self.fault(FaultKind::TornTail, None, sentence.to_owned());
            }
            Piece::TooLong => {
                self.order.damaged();
                let sentence = "the line is longer than a record may be".to_owned();
                return self.fault(FaultKind::Malformed, None, sentence);
            }
        };
        let Some(line) = Line::parse(text) else {
            self.order.damaged();
            let sentence = "the line is no record: it was changed, or put in".to_owned();
            return self.fault(FaultKind::Malformed, None, sentence);
        };
        match line.check() {
            Ok(()) => self.record(&line),
            Err(contradiction) => {
                self.order.damaged();
                let (kind, sentence) = match contradiction {
                    Contradiction::Head => (
                        FaultKind::Changed,
                        format!(
                            "number, time, category, digest or hash of the record that calls itself {} was changed",
                            line.seq
                        ),
                    ),
                    Contradiction::Body => {
                        (FaultKind::BodyChanged, format!("the body of record {} was changed", line.seq))
                    }
                };
                self.fault(kind, Some(line.seq), sentence);
            }
        }
    }

    fn record(&mut self, line: &Line<'_>) {
        let seq = Some(line.seq);
        let last = self.order.last();
        let (standing, dropped) = self.order.record(line, &self.file, self.line);
        if let Some(missing) = dropped {
            self.missing(&missing);
        }
        match standing {
            Standing::InPlace => {}
            Standing::Unlinked => self.fault(
                FaultKind::Replaced,
                seq,
                format!(
                    "record {} does not follow record {last} as it stands here: that one was replaced",
                    line.seq
                ),
            ),
            Standing::Moved => self.fault(
                FaultKind::Moved,
                seq,
                format!("record {} stands behind record {last}: it was moved", line.seq),
            ),
            Standing::Again => {
                return self.fault(
                    FaultKind::Duplicated,
                    seq,
                    format!("record {} stands here a second time, behind record {last}", line.seq),
                );
            }
            Standing::Rival => {
                return self.fault(
                    FaultKind::Inserted,
                    seq,
                    format!(
                        "there is another record with the number {}: one of the two was put in",
                        line.seq
                    ),
                );
            }
        }
        if standing != Standing::Moved {
            self.time(line);
        }
        self.count(line);
        self.stubs.record(line, &self.file, self.line);
        self.anchor(line);
        if line.category == Category::Log {
            self.own(line);
        }
    }

    fn time(&mut self, line: &Line<'_>) {
        if let Some((after_seq, from)) = self.report.last {
            let gap = Gap { after_seq, from, to: line.at };
            self.report.clock_set_back += u64::from(gap.micros() < 0);
            if gap.micros() > self.report.longest_gap.as_ref().map_or(0, Gap::micros) {
                self.report.longest_gap = Some(gap);
            }
            let is_long =
                u128::try_from(gap.micros()).is_ok_and(|gap| gap > self.options.alert_gap.as_micros());
            if is_long && self.report.gaps.len() < MOST_TIME_GAPS {
                self.report.gaps.push(gap);
            }
        }
        self.report.last = Some((line.seq, line.at));
        self.report.first.get_or_insert((line.seq, line.at));
    }

    fn count(&mut self, line: &Line<'_>) {
        self.report.records += 1;
        *self.report.by_category.entry(line.category).or_default() += 1;
        self.report.expired_bodies += u64::from(line.body.is_none());
    }

    fn anchor(&mut self, line: &Line<'_>) {
        if let Some(head) = self.head.as_ref().filter(|head| head.seq == line.seq) {
            self.is_head_found = head.hash == line.hash;
            if !self.is_head_found {
                let sentence =
                    format!("record {} is not the one that the head file says was signed", line.seq);
                self.fault(FaultKind::AnchorBroken, Some(line.seq), sentence);
            }
        }
        let hashes = self.anchors.remove(&line.seq).unwrap_or_default();
        if hashes.iter().any(|hash| *hash != line.hash) {
            let sentence =
                format!("record {} is not the one that was remembered outside of the log", line.seq);
            self.fault(FaultKind::AnchorBroken, Some(line.seq), sentence);
        }
    }

    /// What the log says about itself.
    fn own(&mut self, line: &Line<'_>) {
        let seq = Some(line.seq);
        let Some(body) = line.body else {
            let sentence = format!("record {} is the log's own, and its body was removed", line.seq);
            return self.fault(FaultKind::BodyMissing, seq, sentence);
        };
        let Some(record) = Record::from_body(line.category, body) else {
            let sentence = format!("the body of record {} is not what the log writes", line.seq);
            return self.fault(FaultKind::Malformed, seq, sentence);
        };
        match record.action.as_ref() {
            own::CHECKPOINT => self.checkpoint(line, &record),
            own::KEY if self.keys.change(&record, line.seq, line.prev) => {}
            own::KEY => {
                let sentence =
                    format!("the change of keys in record {} is not signed as it must be", line.seq);
                self.fault(FaultKind::BadSignature, seq, sentence);
            }
            own::EXPIRED => self.stubs.say(&record, line.at, self.options.retention.as_ref()),
            own::ROLLED_BACK => {
                let sentence = format!(
                    "when the log was opened before record {}, records were missing that had been signed",
                    line.seq
                );
                self.fault(FaultKind::RolledBack, seq, sentence);
            }
            _ => {}
        }
    }

    fn checkpoint(&mut self, line: &Line<'_>, record: &Record) {
        let details = serde_json::Value::Object(record.details.clone());
        let head: Option<SignedHead> = serde_json::from_value(details).ok();
        let is_valid = head.is_some_and(|head| {
            head.seq.checked_add(1) == Some(line.seq)
                && head.hash == line.prev
                && head.at == line.at
                && self.keys.vouch(&head)
        });
        if is_valid {
            self.report.checkpoints += 1;
            self.signed = self.signed.max(line.seq);
            self.stubs.sign();
        } else {
            let sentence = format!(
                "the signature of the checkpoint in record {} is not one of the log's key over what stands before it",
                line.seq
            );
            self.fault(FaultKind::BadSignature, Some(line.seq), sentence);
        }
    }

    /// What can only be said at the end.
    pub(super) fn finish(mut self) -> Report {
        let last = self.order.last();
        self.check_head(last);
        let mut ahead: Vec<u64> = self.anchors.keys().copied().filter(|seq| *seq > last).collect();
        ahead.sort_unstable();
        for seq in ahead {
            let sentence =
                format!("the log ends with record {last}, and record {seq} is remembered outside of it");
            self.fault(FaultKind::RolledBack, Some(seq), sentence);
        }
        for missing in std::mem::take(&mut self.order).into_missing() {
            self.missing(&missing);
        }
        for run in std::mem::take(&mut self.stubs).into_faults() {
            let sentence = match run.records {
                1 => format!("the body of record {} was removed, and the log does not say so", run.first),
                records => format!(
                    "{records} bodies of category {} from record {} to {} were removed, and the log does not say so",
                    run.category, run.first, run.last
                ),
            };
            self.fault_at(FaultKind::BodyMissing, run.file, run.line, Some(run.first), sentence);
        }
        if !self.keys.include_given() {
            let sentence =
                "the log is not signed by the key that was given, nor by one that it handed over to"
                    .to_owned();
            self.fault(FaultKind::UnknownKey, None, sentence);
        }
        self.report.unsigned = last.saturating_sub(self.signed);
        if self.report.unsigned > self.options.most_unsigned {
            let sentence = format!(
                "{} records behind record {} are not signed, and at most {} may be",
                self.report.unsigned, self.signed, self.options.most_unsigned
            );
            self.fault(FaultKind::Unsigned, Some(last), sentence);
        }
        self.report.key = self.keys.current();
        self.report.faults.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
        self.report
    }

    fn check_head(&mut self, last: u64) {
        let Some(head) = self.head.take() else {
            if self.has_head_file {
                let sentence = "the head file is not what the log wrote".to_owned();
                self.fault_at(FaultKind::HeadChanged, HEAD.to_owned(), 1, None, sentence);
            } else if self.report.checkpoints > 1 {
                // After the first one a kill may have been quicker.
                let sentence = "the head file is missing: signed records may have been cut off".to_owned();
                self.fault_at(FaultKind::HeadMissing, HEAD.to_owned(), 1, None, sentence);
            }
            return;
        };
        let seq = Some(head.seq);
        if !self.keys.ever_vouched(&head) {
            let sentence = "the head file is not signed by a key of the log".to_owned();
            self.fault_at(FaultKind::HeadChanged, HEAD.to_owned(), 1, seq, sentence);
        } else if head.seq > last {
            let sentence =
                format!("the log ends with record {last}, and record {} was signed as its end", head.seq);
            self.fault_at(FaultKind::RolledBack, HEAD.to_owned(), 1, seq, sentence);
        } else if self.is_head_found {
            self.signed = self.signed.max(head.seq);
        }
    }

    fn missing(&mut self, missing: &Missing) {
        let sentence = match missing.first == missing.last {
            true => format!("record {} is missing before this line", missing.first),
            false => format!("records {} to {} are missing before this line", missing.first, missing.last),
        };
        self.fault_at(FaultKind::Missing, missing.file.clone(), missing.line, Some(missing.first), sentence);
    }

    fn fault(&mut self, kind: FaultKind, seq: Option<u64>, sentence: String) {
        self.fault_at(kind, self.file.clone(), self.line, seq, sentence);
    }

    fn fault_at(&mut self, kind: FaultKind, file: String, line: u64, seq: Option<u64>, sentence: String) {
        if self.report.faults.len() < self.options.most_faults {
            self.report.faults.push(Fault { kind, file, line, seq, sentence });
        } else {
            self.report.more_faults += 1;
        }
    }
}
