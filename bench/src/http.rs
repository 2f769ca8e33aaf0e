//! Just enough HTTP/1.1 for a load generator and a fixed upstream: they must cost as little as possible, so that what is
//! measured is what stands between them.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, bail};
use memchr::memmem;
use serde_json::Value;

/// How far the head of a message reaches and what it says about the body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    /// The status of a response; 0 in a request.
    pub(crate) status: u16,
    /// Bytes of the head, with the empty line after it.
    pub(crate) length: usize,
    /// How the end of the body is known.
    pub(crate) body: BodyEnd,
}

/// How the end of a body is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BodyEnd {
    /// After so many bytes.
    Length(usize),
    /// After the chunk of length 0.
    Chunked,
}

/// Reads the head of a message; `None` until all of it is there.
pub(crate) fn read_head(bytes: &[u8]) -> anyhow::Result<Option<Head>> {
    let Some(end) = memmem::find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end]).context("the head of the message is not text")?;
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = match first.strip_prefix("HTTP/1.1 ") {
        Some(rest) => {
            rest.get(..3).and_then(|code| code.parse().ok()).context("a status that is no number")?
        }
        None => 0,
    };
    let mut body = BodyEnd::Length(0);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { bail!("a header without a colon: {line}") };
        if name.eq_ignore_ascii_case("content-length") {
            body = BodyEnd::Length(value.trim().parse().context("a content-length that is no number")?);
        } else if name.eq_ignore_ascii_case("transfer-encoding")
            && value.trim().eq_ignore_ascii_case("chunked")
        {
            body = BodyEnd::Chunked;
        }
    }
    Ok(Some(Head { status, length: end + 4, body }))
}

/// Takes the framing off a chunked body, piece by piece.
#[derive(Default, Debug)]
pub(crate) struct ChunkDecoder {
    state: ChunkState,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ChunkState {
    /// In the line that holds the length of the next chunk.
    Length(usize),
    /// In a chunk, with so many bytes to come.
    Data(usize),
    /// In the line end after a chunk, with so many bytes to come.
    DataEnd(usize),
    /// In the line end after the last chunk.
    LastEnd(usize),
    Ended,
}

impl Default for ChunkState {
    fn default() -> Self {
        Self::Length(0)
    }
}

impl ChunkDecoder {
    /// Adds the content of this piece to `content`; true when the body has ended.
    pub(crate) fn decode(&mut self, mut piece: &[u8], content: &mut Vec<u8>) -> anyhow::Result<bool> {
        while !piece.is_empty() {
            self.state = match self.state {
                ChunkState::Ended => bail!("bytes after the end of the body"),
                ChunkState::Data(left) => {
                    let taken = left.min(piece.len());
                    content.extend_from_slice(&piece[..taken]);
                    piece = &piece[taken..];
                    if taken == left { ChunkState::DataEnd(2) } else { ChunkState::Data(left - taken) }
                }
                ChunkState::DataEnd(left) | ChunkState::LastEnd(left) if left > 1 => {
                    piece = &piece[1..];
                    if matches!(self.state, ChunkState::LastEnd(_)) {
                        ChunkState::LastEnd(left - 1)
                    } else {
                        ChunkState::DataEnd(left - 1)
                    }
                }
                ChunkState::DataEnd(_) => {
                    piece = &piece[1..];
                    ChunkState::Length(0)
                }
                ChunkState::LastEnd(_) => {
                    piece = &piece[1..];
                    ChunkState::Ended
                }
                ChunkState::Length(length) => {
                    let byte = piece[0];
                    piece = &piece[1..];
                    match byte {
                        b'\r' => ChunkState::Length(length),
                        b'\n' if length == 0 => ChunkState::LastEnd(2),
                        b'\n' => ChunkState::Data(length),
                        _ => match char::from(byte).to_digit(16) {
                            Some(digit) => ChunkState::Length(length * 16 + digit as usize),
                            None => bail!("a chunk length that is no number"),
                        },
                    }
                }
            };
        }
        Ok(self.state == ChunkState::Ended)
    }
}

/// A blocking client for the calls between the measurements.
pub(crate) struct Client {
    stream: TcpStream,
    host: String,
    key: String,
    received: Vec<u8>,
}

impl Client {
    /// Connects to a server at `url` (`http://host:port`) with this API key.
    pub(crate) fn connect(url: &str, key: &str) -> anyhow::Result<Self> {
        let host = host_of(url)?.to_owned();
        let stream = TcpStream::connect(&host).with_context(|| format!("cannot connect to {host}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, host, key: key.to_owned(), received: Vec::new() })
    }

    /// `POST`s JSON and reads the answer, which must be a success.
    pub(crate) fn post(&mut self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let answer = self.post_bytes(path, &body.to_string())?;
        serde_json::from_slice(&answer).with_context(|| format!("the answer of {path} is not JSON"))
    }

    fn post_bytes(&mut self, path: &str, body: &str) -> anyhow::Result<Vec<u8>> {
        self.stream.write_all(&request(path, &self.host, &self.key, body))?;
        self.received.clear();
        let mut buffer = [0; 64 * 1024];
        let mut head = None;
        let mut content = Vec::new();
        let mut chunks = ChunkDecoder::default();
        loop {
            let count = self.stream.read(&mut buffer)?;
            if count == 0 {
                bail!("the server closed the connection during {path}");
            }
            let mut fresh = &buffer[..count];
            if head.is_none() {
                self.received.extend_from_slice(fresh);
                head = read_head(&self.received)?;
                let Some(head) = head else { continue };
                let in_body = self.received.len() - head.length;
                fresh = &fresh[count - in_body..];
            }
            let ended = match head.map(|head| head.body) {
                Some(BodyEnd::Chunked) => chunks.decode(fresh, &mut content)?,
                Some(BodyEnd::Length(length)) => {
                    content.extend_from_slice(fresh);
                    content.len() >= length
                }
                None => false,
            };
            if ended {
                break;
            }
        }
        let status = head.map_or(0, |head| head.status);
        if !(200..300).contains(&status) {
            bail!("{path} answered with status {status}: {}", String::from_utf8_lossy(&content));
        }
        Ok(content)
    }
}

/// The bytes of a `POST` of JSON.
pub(crate) fn request(path: &str, host: &str, key: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// `host:port` of `http://host:port`.
pub(crate) fn host_of(url: &str) -> anyhow::Result<&str> {
    let rest = url.strip_prefix("http://").with_context(|| format!("{url} does not begin with http://"))?;
    Ok(rest.split('/').next().unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_how_the_body_ends() {
        let head = |text: &str| read_head(text.as_bytes()).unwrap();
        assert_eq!(
            head("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"),
            Some(Head { status: 200, length: 39, body: BodyEnd::Length(12) })
        );
        let chunked = head("HTTP/1.1 503 No\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
        assert_eq!((chunked.status, chunked.body), (503, BodyEnd::Chunked));
        assert_eq!(head("HTTP/1.1 200 OK\r\nContent-Le"), None);
    }

    #[test]
    fn a_chunked_body_is_the_same_however_it_is_cut() {
        let wire = b"5\r\nhello\r\n11\r\n, how are you ok?\r\n0\r\n\r\n";
        for size in 1..=wire.len() {
            let mut decoder = ChunkDecoder::default();
            let mut content = Vec::new();
            let mut ended = false;
            for piece in wire.chunks(size) {
                assert!(!ended, "ended early with pieces of {size}");
                ended = decoder.decode(piece, &mut content).unwrap();
            }
            assert!(ended);
            assert_eq!(content, b"hello, how are you ok?");
        }
    }
}
