//! Server-sent events: an incremental decoder for what providers send, and the frames that callers get.
//!
//! The decoder follows the "event stream interpretation" of the HTML standard, with two differences: bytes that are
//! not UTF-8 are an error instead of replacement characters (a corrupted answer must not pass as a good one), and an
//! event has a greatest size. `id` and `retry` are not kept: a model's stream cannot be resumed.

use std::ops::Range;

use bytes::{BufMut, BytesMut};

/// Turns the bytes of a stream, cut anywhere, into its events.
///
/// ```
/// # use mainstay_wire::sse::Decoder;
/// let mut decoder = Decoder::default();
/// decoder.push(b"data: {\"a\"");
/// assert!(decoder.next_event().unwrap().is_none());
/// decoder.push(b":1}\n\n");
/// assert_eq!(decoder.next_event().unwrap().unwrap().data, "{\"a\":1}");
/// ```
#[derive(Clone, Debug)]
pub struct Decoder {
    /// What has arrived and was not handed out. Offsets below point into it.
    buffer: Vec<u8>,
    /// Where the event that is being received starts.
    start: usize,
    /// Where its current line starts.
    line: usize,
    /// Up to where the current line is known to have no end, so that a long line is searched once.
    searched: usize,
    /// The last line ended with CR: an LF that follows belongs to it.
    after_carriage_return: bool,
    /// Nothing has been handed out: a byte order mark may stand at the start.
    at_beginning: bool,
    /// The data of an event that has several `data` lines.
    joined: Vec<u8>,
    max_event_bytes: usize,
}

/// One event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event<'a> {
    /// The `event` field; empty where there was none.
    pub name: &'a str,
    /// The `data` lines, joined by LF.
    pub data: &'a str,
}

/// Why a stream cannot be read further.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SseError {
    /// An event is larger than the decoder's limit.
    #[error("an event of the stream is larger than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// An event is not UTF-8.
    #[error("an event of the stream is not UTF-8")]
    NotUtf8,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(Self::DEFAULT_MAX_EVENT_BYTES)
    }
}

impl Decoder {
    /// Room for a picture in one event, which is the largest thing that providers send.
    pub const DEFAULT_MAX_EVENT_BYTES: usize = 16 << 20;

    /// A decoder that refuses events of more than `max_event_bytes`, field names and line ends included.
    pub fn new(max_event_bytes: usize) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            line: 0,
            searched: 0,
            after_carriage_return: false,
            at_beginning: true,
            joined: Vec::new(),
            max_event_bytes,
        }
    }

    /// Adds bytes that have arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.line -= self.start;
            self.searched -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next event that has arrived completely; `None` when more bytes are needed. Comments and events without
    /// data are passed over.
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, SseError> {
        loop {
            let Some(lines) = self.next_block()? else { return Ok(None) };
            let fields = self.read_fields(lines);
            if !matches!(fields.data, Data::None) {
                return self.event(fields).map(Some);
            }
        }
    }

    /// What stands at the end of a stream whose last event lacks the closing blank line, as some servers leave it.
    /// A last line without line end was cut and is not part of it.
    pub fn finish(&mut self) -> Result<Option<Event<'_>>, SseError> {
        let fields = self.read_fields(self.start..self.line);
        self.start = self.buffer.len();
        self.line = self.start;
        self.searched = self.start;
        match fields.data {
            Data::None => Ok(None),
            _ => self.event(fields).map(Some),
        }
    }

    /// The lines up to the next blank one, as a range of the buffer.
    fn next_block(&mut self) -> Result<Option<Range<usize>>, SseError> {
        let end = self.find_blank_line();
        let length = end.unwrap_or(self.buffer.len()) - self.start;
        if length > self.max_event_bytes {
            return Err(SseError::TooLong { limit: self.max_event_bytes });
        }
        let Some(end) = end else { return Ok(None) };
        let lines = self.start..end;
        self.start = self.line;
        Ok(Some(lines))
    }

    /// Advances line by line; the offset of the blank line that ends the event, once it is there.
    fn find_blank_line(&mut self) -> Option<usize> {
        loop {
            if self.after_carriage_return {
                let next = *self.buffer.get(self.line)?;
                self.after_carriage_return = false;
                if next == b'\n' {
                    self.line += 1;
                    self.searched = self.line;
                }
            }
            let Some(distance) = memchr::memchr2(b'\n', b'\r', &self.buffer[self.searched..]) else {
                self.searched = self.buffer.len();
                return None;
            };
            let end = self.searched + distance;
            let blank = end == self.line;
            self.after_carriage_return = self.buffer[end] == b'\r';
            self.line = end + 1;
            self.searched = self.line;
            if blank {
                return Some(end);
            }
        }
    }

    fn read_fields(&mut self, mut lines: Range<usize>) -> Fields {
        if std::mem::take(&mut self.at_beginning) && self.buffer[lines.clone()].starts_with(b"\xEF\xBB\xBF") {
            lines.start += 3;
        }
        let mut fields = Fields { name: 0..0, data: Data::None };
        let mut at = lines.start;
        while at < lines.end {
            let rest = &self.buffer[at..lines.end];
            let length = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            let line = &rest[..length];
            if let Some(value) = field_value(line, b"data") {
                let value = at + value..at + length;
                fields.data = match fields.data {
                    Data::None => Data::Line(value),
                    Data::Line(first) => {
                        self.joined.clear();
                        self.joined.extend_from_slice(&self.buffer[first]);
                        self.joined.push(b'\n');
                        self.joined.extend_from_slice(&self.buffer[value]);
                        Data::Joined
                    }
                    Data::Joined => {
                        self.joined.push(b'\n');
                        self.joined.extend_from_slice(&self.buffer[value]);
                        Data::Joined
                    }
                };
            } else if let Some(value) = field_value(line, b"event") {
                fields.name = at + value..at + length;
            }
            // The LF of a CRLF reads as an empty line, which has no field.
            at += length + 1;
        }
        fields
    }

    fn event(&self, fields: Fields) -> Result<Event<'_>, SseError> {
        let data = match fields.data {
            Data::None => &[],
            Data::Line(range) => &self.buffer[range],
            Data::Joined => &self.joined[..],
        };
        Ok(Event {
            name: std::str::from_utf8(&self.buffer[fields.name]).map_err(|_| SseError::NotUtf8)?,
            data: std::str::from_utf8(data).map_err(|_| SseError::NotUtf8)?,
        })
    }
}

/// The fields of one event, as ranges of the buffer.
struct Fields {
    name: Range<usize>,
    data: Data,
}

enum Data {
    None,
    Line(Range<usize>),
    /// Several lines, in [`Decoder::joined`].
    Joined,
}

/// Where the value starts, if `line` is the field `name`: after the colon and at most one space.
fn field_value(line: &[u8], name: &[u8]) -> Option<usize> {
    let rest = line.strip_prefix(name)?;
    match rest {
        [] => Some(name.len()),
        [b':', b' ', ..] => Some(name.len() + 2),
        [b':', ..] => Some(name.len() + 1),
        _ => None,
    }
}

/// The frame that ends an OpenAI stream.
pub const DONE: &[u8] = b"data: [DONE]\n\n";

/// A comment: keeps a connection open while there is nothing to say. Clients pass it over.
pub const HEARTBEAT: &[u8] = b": waiting\n\n";

/// Appends an event with a name and one line of data, such as JSON without line ends.
pub fn write_event(out: &mut BytesMut, name: &str, data: &str) {
    out.put_slice(b"event: ");
    out.put_slice(name.as_bytes());
    out.put_slice(b"\ndata: ");
    out.put_slice(data.as_bytes());
    out.put_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(chunks: &[&[u8]]) -> Vec<(String, String)> {
        let mut decoder = Decoder::default();
        let mut events = Vec::new();
        for chunk in chunks {
            decoder.push(chunk);
            while let Some(event) = decoder.next_event().unwrap() {
                events.push((event.name.to_owned(), event.data.to_owned()));
            }
        }
        events
    }

    fn check(stream: &[u8], expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(n, d)| (n.to_string(), d.to_string())).collect();
        assert_eq!(decode(&[stream]), expected, "in one piece");
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(decode(&bytes), expected, "byte by byte");
    }

    #[test]
    fn every_kind_of_line_end_ends_a_line() {
        for stream in ["event: a\ndata: 1\n\n", "event: a\r\ndata: 1\r\n\r\n", "event: a\rdata: 1\r\r"] {
            check(stream.as_bytes(), &[("a", "1")]);
        }
        check(b"data: 1\r\n\r\ndata: 2\r\n\r\n", &[("", "1"), ("", "2")]);
    }

    #[test]
    fn comments_ids_and_events_without_data_are_passed_over() {
        check(b": keep-alive\n\nid: 7\nretry: 10\n\nevent: x\n\ndata: 1\n\n", &[("", "1")]);
    }

    #[test]
    fn several_data_lines_are_joined() {
        check(b"data: a\ndata:b\ndata\ndata:  c\n\n", &[("", "a\nb\n\n c")]);
        check(b"data:\n\n", &[("", "")]);
        check(b"database: 1\n\n", &[]);
    }

    #[test]
    fn a_byte_order_mark_is_skipped_once() {
        check(b"\xEF\xBB\xBFdata: 1\n\n\xEF\xBB\xBFdata: 2\n\n", &[("", "1")]);
    }

    #[test]
    fn an_event_over_the_limit_is_an_error_before_it_is_complete() {
        let mut decoder = Decoder::new(9);
        decoder.push(b"data: 12\n\ndata: 1234");
        assert_eq!(decoder.next_event().unwrap().unwrap().data, "12");
        assert_eq!(decoder.next_event(), Err(SseError::TooLong { limit: 9 }));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_an_error() {
        let mut decoder = Decoder::default();
        decoder.push(b"data: \xFF\n\n");
        assert_eq!(decoder.next_event(), Err(SseError::NotUtf8));
    }

    #[test]
    fn an_end_without_a_blank_line_still_gives_the_complete_lines() {
        let mut decoder = Decoder::default();
        decoder.push(b"data: [DONE]\n");
        assert_eq!(decoder.next_event(), Ok(None));
        assert_eq!(decoder.finish().unwrap().unwrap().data, "[DONE]");
        decoder.push(b"data: {\"a\"");
        assert_eq!(decoder.finish(), Ok(None));
    }

    proptest! {
        #[test]
        fn the_same_events_come_out_however_the_bytes_are_split(
            lines in proptest::collection::vec("(data|event|data: |event: |: |id:|)[a-zé€𝄞 :]{0,6}(\n|\r|\r\n|\n\n|\r\n\r\n)", 0..24),
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
        ) {
            let stream = lines.concat().into_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
            prop_assert_eq!(decode(&pieces), decode(&[&stream]));
        }

        #[test]
        fn arbitrary_bytes_never_panic(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8)) {
            let mut decoder = Decoder::new(64);
            for chunk in &chunks {
                decoder.push(chunk);
                while let Ok(Some(_)) = decoder.next_event() {}
            }
            let _ = decoder.finish();
        }
    }
}
