//! One line of the journal: the CRC-32 of the rest in eight hexadecimal digits, a space, the record as JSON, a line end.
//!
//! JSON holds no line end, so a reader finds the next whole line behind anything that is torn or overwritten.

use std::io;

use mainstay_domain::TurnRecord;

/// Digits of the checksum and the space.
const HEAD: usize = 9;

/// The line of a record.
pub(super) fn encode(record: &TurnRecord) -> io::Result<Vec<u8>> {
    // Longer than nearly every record, so that the line is written into one allocation.
    let mut line = Vec::with_capacity(1_024);
    line.extend_from_slice(&[b' '; HEAD]);
    serde_json::to_writer(&mut line, record)?;
    let checksum = crc32fast::hash(&line[HEAD..]);
    for (digit, shift) in (0..8).rev().enumerate() {
        line[digit] = b"0123456789abcdef"[(checksum >> (shift * 4)) as usize & 0xf];
    }
    line.push(b'\n');
    Ok(line)
}

/// The record of a line without its line end; `None` when the line is not one that was written as a whole.
pub(super) fn decode(line: &[u8]) -> Option<TurnRecord> {
    let (head, json) = line.split_at_checked(HEAD)?;
    let digits = std::str::from_utf8(head.strip_suffix(b" ")?).ok()?;
    let checksum = u32::from_str_radix(digits, 16).ok()?;
    if crc32fast::hash(json) != checksum {
        return None;
    }
    serde_json::from_slice(json).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ledger::tests::any_record;

    proptest! {
        #[test]
        fn a_line_reads_back_as_what_was_booked(record in any_record()) {
            let line = encode(&record).unwrap();
            let (end, body) = line.split_last().unwrap();
            prop_assert_eq!(*end, b'\n');
            prop_assert!(!body.contains(&b'\n'));
            prop_assert_eq!(decode(body), Some(record));
        }

        #[test]
        fn a_line_that_is_cut_or_changed_is_no_line(
            record in any_record(),
            at in any::<prop::sample::Index>(),
            bit in 0u8..8,
        ) {
            let line = encode(&record).unwrap();
            let body = &line[..line.len() - 1];
            let at = at.index(body.len());
            prop_assert_eq!(decode(&body[..at]), None);
            let mut changed = body.to_vec();
            changed[at] ^= 1 << bit;
            // The case of a digit of the checksum says nothing.
            prop_assume!(at >= HEAD || !changed[at].eq_ignore_ascii_case(&body[at]));
            prop_assert_eq!(decode(&changed), None);
        }
    }
}
