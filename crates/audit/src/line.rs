//! One line of the log: a JSON object in one exact form, so that any tool reads it and no byte of it is free.
//!
//! `{"seq":…,"at":…,"category":"…","prev":"…","digest":"…","hash":"…","body":{…}}`
//!
//! `digest` is the SHA-256 of the body's bytes, `prev` the hash of the record before, and `hash` the SHA-256 of `prev`,
//! number, time, category and digest. So a line can be checked alone (was it changed?) and against the one before it
//! (was one removed, moved, put in?), and both still work when the body is gone and `null` stands in its place.

use mainstay_domain::Timestamp;

use crate::hash::{Hash, push_hex};
use crate::record::Category;

/// The longest line, in bytes with its end: the largest body and what stands around it.
pub(crate) const MAX_LINE_BYTES: usize = crate::record::MAX_BODY_BYTES + 1_024;

/// Keeps these hashes apart from those of anything else, and of a later form of the line.
const DOMAIN: &[u8] = b"mainstay audit record 1\0";

/// What stands in a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) seq: u64,
    pub(crate) at: Timestamp,
    pub(crate) category: Category,
    pub(crate) prev: Hash,
    pub(crate) digest: Hash,
    pub(crate) hash: Hash,
    /// `None` when it was removed.
    pub(crate) body: Option<&'a [u8]>,
}

/// How a line of the right form contradicts itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Contradiction {
    /// The hash is not that of the other fields.
    Head,
    /// The digest is not that of the body.
    Body,
}

impl<'a> Line<'a> {
    /// A line whose hash is what it has to be.
    pub(crate) fn new(
        seq: u64,
        at: Timestamp,
        category: Category,
        prev: Hash,
        digest: Hash,
        body: Option<&'a [u8]>,
    ) -> Self {
        Self { seq, at, category, prev, digest, hash: chain_hash(seq, at, category, prev, digest), body }
    }

    /// Reads a line without its end; `None` when it does not have the form.
    pub(crate) fn parse(line: &'a [u8]) -> Option<Self> {
        let mut rest = line;
        take(&mut rest, b"{\"seq\":")?;
        let seq = until(&mut rest, b",\"at\":", 20)?;
        let at = until(&mut rest, b",\"category\":\"", 20)?;
        let category = until(&mut rest, b"\",\"prev\":\"", 24)?;
        let prev = until(&mut rest, b"\",\"digest\":\"", 64)?;
        let digest = until(&mut rest, b"\",\"hash\":\"", 64)?;
        let hash = until(&mut rest, b"\",\"body\":", 64)?;
        let body = rest.strip_suffix(b"}")?;
        Some(Self {
            seq: number(seq)?.try_into().ok()?,
            at: Timestamp::from_micros(number(at)?.try_into().ok()?),
            category: Category::from_name(std::str::from_utf8(category).ok()?)?,
            prev: Hash::from_digits(prev)?,
            digest: Hash::from_digits(digest)?,
            hash: Hash::from_digits(hash)?,
            body: (body != b"null").then_some(body),
        })
    }

    /// Checks the line alone. Nobody can say whether the digest of a removed body is right, but the hash holds it.
    pub(crate) fn check(&self) -> Result<(), Contradiction> {
        if chain_hash(self.seq, self.at, self.category, self.prev, self.digest) != self.hash {
            return Err(Contradiction::Head);
        }
        match self.body {
            Some(body) if Hash::of(body) != self.digest => Err(Contradiction::Body),
            _ => Ok(()),
        }
    }

    /// Appends the line with its end.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"seq\":");
        out.extend_from_slice(self.seq.to_string().as_bytes());
        out.extend_from_slice(b",\"at\":");
        out.extend_from_slice(self.at.as_micros().to_string().as_bytes());
        out.extend_from_slice(b",\"category\":\"");
        out.extend_from_slice(self.category.as_str().as_bytes());
        for (name, hash) in [
            (b"\",\"prev\":\"".as_slice(), self.prev),
            (b"\",\"digest\":\"", self.digest),
            (b"\",\"hash\":\"", self.hash),
        ] {
            out.extend_from_slice(name);
            push_hex(out, hash.as_bytes());
        }
        out.extend_from_slice(b"\",\"body\":");
        out.extend_from_slice(self.body.unwrap_or(b"null"));
        out.extend_from_slice(b"}\n");
    }
}

fn chain_hash(seq: u64, at: Timestamp, category: Category, prev: Hash, digest: Hash) -> Hash {
    let name = category.as_str().as_bytes();
    Hash::of_parts(&[
        DOMAIN,
        prev.as_bytes(),
        &seq.to_be_bytes(),
        &at.as_micros().to_be_bytes(),
        &(name.len() as u64).to_be_bytes(),
        name,
        digest.as_bytes(),
    ])
}

fn take(rest: &mut &[u8], text: &[u8]) -> Option<()> {
    *rest = rest.strip_prefix(text)?;
    Some(())
}

/// What stands before `mark`, which begins at most `most` bytes from here.
fn until<'a>(rest: &mut &'a [u8], mark: &[u8], most: usize) -> Option<&'a [u8]> {
    let end = (0..=most).find(|start| rest.get(*start..).is_some_and(|tail| tail.starts_with(mark)))?;
    let (value, tail) = rest.split_at(end);
    *rest = &tail[mark.len()..];
    Some(value)
}

/// A whole number in the one way in which it is written: no plus, no zeros before it.
fn number(digits: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(digits).ok()?;
    let number: i128 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(line: &Line<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        line.write(&mut bytes);
        bytes
    }

    proptest! {
        #[test]
        fn a_line_reads_back_and_any_change_of_a_byte_shows(
            seq: u64,
            at: i64,
            category in prop::sample::select(Category::ALL.to_vec()),
            prev: [u8; 8],
            body in prop::option::of("[a-z]{0,20}"),
            place: prop::sample::Index,
            change in 1u8..,
        ) {
            let json = body.map(|text| format!("{{\"salt\":\"{text}\"}}"));
            let digest = Hash::of(json.as_deref().unwrap_or("gone").as_bytes());
            let at = Timestamp::from_micros(at);
            let line = Line::new(seq, at, category, Hash::of(&prev), digest, json.as_deref().map(str::as_bytes));
            let mut bytes = written(&line);
            prop_assert_eq!(bytes.pop(), Some(b'\n'));
            prop_assert_eq!(Line::parse(&bytes), Some(line));
            prop_assert_eq!(line.check(), Ok(()));

            let place = place.index(bytes.len());
            bytes[place] ^= change;
            prop_assert!(Line::parse(&bytes).is_none_or(|changed| changed.check().is_err()));
        }
    }

    #[test]
    fn a_line_without_its_body_has_the_same_hash() {
        let body = b"{\"action\":\"a\"}";
        let line = Line::new(
            7,
            Timestamp::from_micros(-5),
            Category::Inference,
            Hash::ZERO,
            Hash::of(body),
            Some(body),
        );
        let stub = Line { body: None, ..line };
        let bytes = written(&stub);
        assert_eq!(Line::parse(&bytes[..bytes.len() - 1]).unwrap().check(), Ok(()));
        assert_eq!(stub.hash, line.hash);
    }

    #[test]
    fn numbers_have_one_way_to_be_written() {
        assert_eq!(number(b"0"), Some(0));
        assert_eq!(number(b"-12"), Some(-12));
        for text in ["", "-", "+1", "01", "-0", " 1", "1 ", "1.0"] {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
    }
}
