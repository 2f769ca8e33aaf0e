//! Documents that come one per line, as JSON.

use std::io::{self, BufRead, Read};

use serde::Deserialize;
use serde::de::{self, Deserializer};

/// A document of one line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// The line it stands on, from 1.
    pub line: u64,
    /// Its id: `doc_id`, or else `_id` or `id`; a number is taken as its digits.
    pub doc_id: String,
    /// Its title, if it has one.
    pub title: Option<String>,
    /// Its text.
    pub text: String,
    /// The language that the sender says it is in, such as `en`.
    pub language: Option<String>,
}

/// A line that is refused; those after it are read all the same.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct LineError {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub fault: LineFault,
}

/// What is wrong with a line. Messages never quote the line.
#[derive(Debug, thiserror::Error)]
pub enum LineFault {
    /// It has more bytes than the limit.
    #[error("longer than {limit} bytes: split the document or raise the limit")]
    TooLong {
        /// Bytes that are allowed.
        limit: usize,
    },
    /// It is no JSON.
    #[error("not valid JSON at column {column}")]
    InvalidJson {
        /// Where, in bytes from 1.
        column: usize,
    },
    /// It is JSON of another shape.
    #[error(
        "not a JSON object with strings for `doc_id`, `title`, `text` and `language` (see column {column})"
    )]
    WrongShape {
        /// Where, in bytes from 1.
        column: usize,
    },
    /// It is not UTF-8.
    #[error("invalid UTF-8 at byte {offset} of the line: convert the file to UTF-8")]
    InvalidUtf8 {
        /// The first byte that is wrong, from 0.
        offset: usize,
    },
    /// A field that every document needs is not there, or empty.
    #[error("`{field}` is missing or empty")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// The source of the lines failed. No line comes after it.
    #[error("reading failed")]
    Io(#[source] io::Error),
}

impl LineFault {
    /// The stable name of the kind of fault, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "too_large",
            Self::InvalidJson { .. } => "invalid_json",
            Self::WrongShape { .. } => "wrong_shape",
            Self::InvalidUtf8 { .. } => "invalid_utf8",
            Self::Missing { .. } => "missing_field",
            Self::Io(_) => "io",
        }
    }
}

/// Reads documents from lines of JSON, one at a time, holding no more than one line in memory.
///
/// Blank lines are passed over, unknown fields too.
#[derive(Debug)]
pub struct JsonLines<R> {
    source: R,
    max_line_bytes: usize,
    line: u64,
    buffer: Vec<u8>,
    finished: bool,
}

impl<R: BufRead> JsonLines<R> {
    /// Reads from `source` lines of up to `max_line_bytes` bytes.
    pub fn new(source: R, max_line_bytes: usize) -> Self {
        Self { source, max_line_bytes, line: 0, buffer: Vec::new(), finished: false }
    }

    /// Reads the next line into the buffer; `None` at the end.
    fn read_line(&mut self) -> Option<Result<(), LineFault>> {
        self.buffer.clear();
        self.line += 1;
        // Two more than the limit: the line end, and the byte that shows that it is too long.
        let limit = u64::try_from(self.max_line_bytes).unwrap_or(u64::MAX).saturating_add(2);
        match self.source.by_ref().take(limit).read_until(b'\n', &mut self.buffer) {
            Err(error) => Some(Err(LineFault::Io(error))),
            Ok(0) => None,
            Ok(_) => {
                let ended = self.buffer.pop_if(|last| *last == b'\n').is_some();
                if self.buffer.len() <= self.max_line_bytes {
                    return Some(Ok(()));
                }
                let skipped = if ended { Ok(()) } else { self.skip_line() };
                Some(Err(skipped
                    .map_or_else(LineFault::Io, |()| LineFault::TooLong { limit: self.max_line_bytes })))
            }
        }
    }

    fn skip_line(&mut self) -> io::Result<()> {
        self.buffer = Vec::new();
        self.source.skip_until(b'\n').map(drop)
    }
}

impl<R: BufRead> Iterator for JsonLines<R> {
    type Item = Result<Record, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.finished {
            let result = match self.read_line() {
                None => break,
                Some(Ok(())) => {
                    let mark: &[u8] = if self.line == 1 { b"\xef\xbb\xbf" } else { b"" };
                    let line = self.buffer.strip_prefix(mark).unwrap_or(&self.buffer).trim_ascii();
                    if line.is_empty() {
                        continue;
                    }
                    read_record(line, self.line)
                }
                Some(Err(fault)) => Err(fault),
            };
            self.finished = matches!(result, Err(LineFault::Io(_)));
            return Some(result.map_err(|fault| LineError { line: self.line, fault }));
        }
        self.finished = true;
        None
    }
}

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    doc_id: Option<Id>,
    #[serde(default)]
    _id: Option<Id>,
    #[serde(default)]
    id: Option<Id>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    language: Option<String>,
}

fn read_record(bytes: &[u8], line: u64) -> Result<Record, LineFault> {
    let text =
        std::str::from_utf8(bytes).map_err(|error| LineFault::InvalidUtf8 { offset: error.valid_up_to() })?;
    // A list of the fields in their order would pass for the object.
    if !text.starts_with('{') {
        return Err(LineFault::WrongShape { column: 1 });
    }
    let read: Line = serde_json::from_str(text).map_err(|error| match error.classify() {
        // The error's own words may quote the document.
        serde_json::error::Category::Data => LineFault::WrongShape { column: error.column() },
        _ => LineFault::InvalidJson { column: error.column() },
    })?;
    let doc_id = [read.doc_id, read._id, read.id]
        .into_iter()
        .flatten()
        .map(|id| id.0)
        .find(|id| !id.trim().is_empty());
    Ok(Record {
        line,
        doc_id: doc_id.ok_or(LineFault::Missing { field: "doc_id" })?,
        title: present(read.title),
        text: present(read.text).ok_or(LineFault::Missing { field: "text" })?,
        language: present(read.language),
    })
}

fn present(value: Option<String>) -> Option<String> {
    value.filter(|value| !value.trim().is_empty())
}

/// An id, which some sets write as a number.
struct Id(String);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Id;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a string or an integer")
            }

            fn visit_str<E: de::Error>(self, id: &str) -> Result<Id, E> {
                Ok(Id(id.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, id: u64) -> Result<Id, E> {
                Ok(Id(id.to_string()))
            }

            fn visit_i64<E: de::Error>(self, id: i64) -> Result<Id, E> {
                Ok(Id(id.to_string()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &[u8]) -> Vec<Result<Record, (u64, &'static str)>> {
        JsonLines::new(source, 200)
            .map(|item| item.map_err(|error| (error.line, error.fault.code())))
            .collect()
    }

    fn record(line: u64, doc_id: &str, text: &str) -> Result<Record, (u64, &'static str)> {
        Ok(Record { line, doc_id: doc_id.to_owned(), title: None, text: text.to_owned(), language: None })
    }

    #[test]
    fn fields_are_read_with_their_aliases_and_unknown_ones_are_passed_over() {
        let lines = b"\xef\xbb\xbf{\"doc_id\": \"a\", \"title\": \"T\", \"text\": \"x\", \"language\": \"en\", \"more\": {\"y\": [1]}}\r\n\
            {\"_id\": 7, \"text\": \"y\", \"title\": \"\"}\n\n{\"id\": \"c\", \"title\": null, \"text\": \"z\"}";
        let read = read(lines);
        let first = read[0].as_ref().expect("a record");
        assert_eq!((first.title.as_deref(), first.language.as_deref()), (Some("T"), Some("en")));
        assert_eq!(read[1..], [record(2, "7", "y"), record(4, "c", "z")]);
    }

    #[test]
    fn a_bad_line_is_refused_with_its_number_and_the_rest_is_read() {
        let mut lines =
            b"{\"doc_id\": 1, \"text\": \"x\"\n[1]\n{\"text\": \"x\"}\n{\"id\": 1, \"text\": \"\"}\n"
                .to_vec();
        lines.extend(b"{\"id\": 1, \"text\": \"\xff\"}\n{\"id\": 1, \"text\": 5}\n");
        lines.extend([b' '; 5000]);
        lines.extend(b"\n{\"id\": \"ok\", \"text\": \"x\"}\n");
        assert_eq!(
            read(&lines),
            [
                Err((1, "invalid_json")),
                Err((2, "wrong_shape")),
                Err((3, "missing_field")),
                Err((4, "missing_field")),
                Err((5, "invalid_utf8")),
                Err((6, "wrong_shape")),
                Err((7, "too_large")),
                record(8, "ok", "x"),
            ]
        );
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_read() {
        let text = "x".repeat(200 - "{\"id\":\"a\",\"text\":\"\"}".len());
        let line = format!("{{\"id\":\"a\",\"text\":\"{text}\"}}");
        assert_eq!(line.len(), 200);
        let source = format!("{line}\n {line}\n{line}");
        assert_eq!(
            read(source.as_bytes()),
            [record(1, "a", &text), Err((2, "too_large")), record(3, "a", &text)]
        );
    }

    #[test]
    fn messages_do_not_quote_the_line() {
        let error =
            JsonLines::new(&b"{\"doc_id\": \"a\", \"text\": {\"secret\": 1}, \"title\": \"hush\"}"[..], 100)
                .next()
                .expect("a line")
                .expect_err("wrong shape");
        let message = error.to_string();
        assert!(!message.contains("secret") && !message.contains("hush"), "{message}");
    }

    #[test]
    fn a_failing_source_ends_the_lines() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("gone"))
            }
        }
        let mut lines = JsonLines::new(io::BufReader::new(Failing), 100);
        assert!(matches!(lines.next(), Some(Err(LineError { fault: LineFault::Io(_), .. }))));
        assert!(lines.next().is_none());
    }
}
