//! What the streams of a PDF unpack to, counted before anything unpacks them into memory.
//!
//! The reader of PDF files unpacks a stream as a whole, whatever its size, and a kilobyte can become a megabyte. So every
//! stream is unpacked here first, into a small buffer that is thrown away. Which filters a stream has stands in its
//! dictionary, which may hide it; the bytes cannot, so each stream is tried as what its bytes may be, and what comes out
//! is tried again, as filters may follow each other.
//!
//! Not seen: streams of encrypted files (of those that open without a password), and run-length encoding, which makes at
//! most 64 bytes of one.

use flate2::{Decompress, FlushDecompress, Status};
use memchr::memmem;

use crate::error::ParseError;
use crate::parse::Limits;

/// Streams in all may unpack to this many times the limit for a single one.
const TOTAL: usize = 4;

/// Images count this much less: they are only unpacked one at a time, and not for text.
const IMAGE_SHARE: usize = 4;

/// Filters of one stream that are followed.
const MAX_LAYERS: usize = 4;

const BUFFER: usize = 1 << 16;

/// Counts what the streams of `bytes` unpack to, and fails where it is too much. Returns the size of the largest stream
/// that is no image.
pub(super) fn check(bytes: &[u8], limits: &Limits) -> Result<usize, ParseError> {
    let limit = limits.max_unpacked_bytes / 4;
    let total_limit = limits.max_unpacked_bytes.saturating_mul(TOTAL);
    let mut largest = 0;
    let mut total = 0usize;
    let mut covered = 0;
    for at in memmem::find_iter(bytes, b"stream") {
        let is_end = bytes[..at].ends_with(b"end");
        if at < covered || is_end {
            continue;
        }
        let start = data_start(bytes, at + b"stream".len());
        let is_image = is_image(&bytes[covered.max(at.saturating_sub(DICTIONARY))..at]);
        let limit = if is_image { limits.max_unpacked_bytes } else { limit };
        let stream = measure(&bytes[start..], limit);
        if stream.unpacked > limit {
            return Err(bomb(format!("a stream unpacks to more than {limit} bytes")));
        }
        covered = start + stream.packed;
        total = total.saturating_add(if is_image { stream.unpacked / IMAGE_SHARE } else { stream.unpacked });
        if total > total_limit {
            return Err(bomb(format!("its streams unpack to more than {total_limit} bytes")));
        }
        if !is_image {
            largest = largest.max(stream.unpacked);
        }
    }
    Ok(largest)
}

fn bomb(detail: String) -> ParseError {
    ParseError::ArchiveBomb { detail }
}

/// Bytes before the keyword in which a dictionary is looked for.
const DICTIONARY: usize = 1024;

fn is_image(dictionary: &[u8]) -> bool {
    memmem::find(dictionary, b"/Subtype/Image")
        .or_else(|| memmem::find(dictionary, b"/Subtype /Image"))
        .is_some()
}

/// The data begins behind the line end after the keyword.
fn data_start(bytes: &[u8], mut at: usize) -> usize {
    if bytes.get(at) == Some(&b'\r') {
        at += 1;
    }
    if bytes.get(at) == Some(&b'\n') {
        at += 1;
    }
    at.min(bytes.len())
}

/// A stream that was unpacked.
#[derive(Default)]
struct Measure {
    /// Bytes that it takes, as far as they were understood.
    packed: usize,
    /// The most bytes that any of its filters yields.
    unpacked: usize,
}

/// Unpacks a stream, up to a little more than `limit` bytes.
fn measure(data: &[u8], limit: usize) -> Measure {
    let mut layers = Layers { layers: Vec::new(), limit, most: 0 };
    let head = &data[..data.len().min(BUFFER)];
    let Some(mut first) = Layer::recognise(head) else { return Measure::default() };
    let packed = first.run(data, &mut |output| layers.feed(0, output));
    Measure { packed, unpacked: layers.most }
}

/// The filters behind the first one.
struct Layers {
    layers: Vec<Next>,
    limit: usize,
    most: usize,
}

/// What takes the output of a filter.
struct Next {
    count: usize,
    layer: Option<Layer>,
}

impl Layers {
    /// Takes the output of filter `depth`; says whether to go on.
    fn feed(&mut self, depth: usize, output: &[u8]) -> bool {
        if self.layers.len() == depth {
            let layer = if depth + 1 < MAX_LAYERS { Layer::recognise_again(output) } else { None };
            self.layers.push(Next { count: 0, layer });
        }
        self.layers[depth].count += output.len();
        self.most = self.most.max(self.layers[depth].count);
        if self.most > self.limit {
            return false;
        }
        if let Some(mut layer) = self.layers[depth].layer.take() {
            layer.run(output, &mut |more| self.feed(depth + 1, more));
            self.layers[depth].layer = (!layer.is_done()).then_some(layer);
        }
        self.most <= self.limit
    }
}

/// A filter that is being undone.
enum Layer {
    Flate { state: Box<Decompress>, done: bool },
    Lzw(Box<Lzw>),
    Hex { half: Option<u8>, done: bool },
    Ascii85 { group: u32, digits: u8, done: bool },
}

impl Layer {
    /// What data may be, by its first bytes; `None` for what unpacks to nothing larger.
    fn recognise(head: &[u8]) -> Option<Self> {
        match head {
            // LZW begins with the code that clears its table: nine bits, 256.
            [0x80, second, ..] if second & 0x80 == 0 => return Some(Self::Lzw(Box::default())),
            [first, second, ..] if is_zlib(*first, *second) => return Some(Self::flate(true)),
            _ => {}
        }
        if inflates(head) { Some(Self::flate(false)) } else { Self::recognise_text(head) }
    }

    /// The same for the output of a filter, of which a few bytes may be all that is there: only what is certain.
    fn recognise_again(head: &[u8]) -> Option<Self> {
        match head {
            [first, second, ..] if is_zlib(*first, *second) => Some(Self::flate(true)),
            [0x80, second, ..] if second & 0x80 == 0 => Some(Self::Lzw(Box::default())),
            _ => None,
        }
    }

    /// Text encodings of binary data: as they make it larger, they only matter for what stands behind them.
    fn recognise_text(head: &[u8]) -> Option<Self> {
        let head = &head[..head.len().min(64)];
        if head.iter().all(|byte| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace() || *byte == b'>') {
            Some(Self::Hex { half: None, done: false })
        } else if head.iter().all(|byte| matches!(byte, b'!'..=b'u' | b'z' | b'~' | b'\r' | b'\n')) {
            Some(Self::Ascii85 { group: 0, digits: 0, done: false })
        } else {
            None
        }
    }

    fn flate(zlib: bool) -> Self {
        Self::Flate { state: Box::new(Decompress::new(zlib)), done: false }
    }

    fn is_done(&self) -> bool {
        match self {
            Self::Flate { done, .. } | Self::Hex { done, .. } | Self::Ascii85 { done, .. } => *done,
            Self::Lzw(lzw) => lzw.done,
        }
    }

    /// Unpacks `input`, hands the output on while `output` wants more, and returns the bytes that were used.
    fn run(&mut self, input: &[u8], output: &mut dyn FnMut(&[u8]) -> bool) -> usize {
        match self {
            Self::Flate { state, done } => inflate(state, done, input, output),
            Self::Lzw(lzw) => lzw.run(input, output),
            Self::Hex { half, done } => {
                let text = input.iter().take_while(|&&byte| byte != b'>').count();
                *done = text < input.len();
                let digits = input[..text].iter().filter_map(|&byte| char::from(byte).to_digit(16));
                let mut bytes = Vec::with_capacity(text / 2);
                for digit in digits {
                    // A hexadecimal digit fits.
                    let digit = digit as u8;
                    match half.take() {
                        Some(high) => bytes.push(high << 4 | digit),
                        None => *half = Some(digit),
                    }
                }
                output(&bytes);
                text
            }
            Self::Ascii85 { group, digits, done } => {
                let text = input.iter().take_while(|&&byte| byte != b'~').count();
                *done = text < input.len();
                let mut bytes = Vec::with_capacity(text);
                for &byte in &input[..text] {
                    match byte {
                        b'z' if *digits == 0 => bytes.extend([0; 4]),
                        b'!'..=b'u' => {
                            *group = group.wrapping_mul(85).wrapping_add(u32::from(byte - b'!'));
                            *digits += 1;
                            if *digits == 5 {
                                bytes.extend(group.to_be_bytes());
                                (*group, *digits) = (0, 0);
                            }
                        }
                        _ => {}
                    }
                }
                output(&bytes);
                text
            }
        }
    }
}

/// The header of a zlib stream: method 8, and a check sum over both bytes.
fn is_zlib(first: u8, second: u8) -> bool {
    first & 0x0f == 8 && (u16::from(first) << 8 | u16::from(second)).is_multiple_of(31)
}

/// Whether data without a header is a deflate stream: it yields something before any fault.
fn inflates(head: &[u8]) -> bool {
    let mut buffer = [0; 1024];
    let mut state = Decompress::new(false);
    state.decompress(head, &mut buffer, FlushDecompress::None).is_ok() && state.total_out() > 0
}

fn inflate(
    state: &mut Decompress,
    done: &mut bool,
    input: &[u8],
    output: &mut dyn FnMut(&[u8]) -> bool,
) -> usize {
    let mut buffer = vec![0; BUFFER];
    let mut used = 0;
    while !*done {
        let (before_in, before_out) = (state.total_in(), state.total_out());
        let status = state.decompress(&input[used..], &mut buffer, FlushDecompress::None);
        // Both are at most the length of a buffer.
        let read = (state.total_in() - before_in) as usize;
        let written = (state.total_out() - before_out) as usize;
        used += read;
        *done = !matches!(status, Ok(Status::Ok | Status::BufError));
        let wants_more = written == 0 || output(&buffer[..written]);
        *done |= !wants_more;
        if read == 0 && written == 0 {
            break;
        }
    }
    used
}

/// Undoes LZW as far as the lengths of what comes out: the content does not matter.
struct Lzw {
    bits: u32,
    available: u8,
    width: u8,
    lengths: Vec<u32>,
    last: Option<u32>,
    done: bool,
}

impl Default for Lzw {
    fn default() -> Self {
        Self { bits: 0, available: 0, width: 9, lengths: Vec::new(), last: None, done: false }
    }
}

impl Lzw {
    const CLEAR: u32 = 256;
    const END: u32 = 257;
    const MAX_CODES: usize = 4096;

    fn run(&mut self, input: &[u8], output: &mut dyn FnMut(&[u8]) -> bool) -> usize {
        let zeros = vec![0; Self::MAX_CODES];
        for (used, &byte) in input.iter().enumerate() {
            self.bits = self.bits << 8 | u32::from(byte);
            self.available += 8;
            while self.available >= self.width && !self.done {
                self.available -= self.width;
                let code = (self.bits >> self.available) & ((1 << self.width) - 1);
                let length = self.code(code);
                // An entry is at most as long as there are entries.
                let wants_more = length == 0 || output(&zeros[..(length as usize).min(zeros.len())]);
                self.done |= !wants_more;
            }
            if self.done {
                return used + 1;
            }
        }
        input.len()
    }

    /// The length of what a code stands for; the table grows by one.
    fn code(&mut self, code: u32) -> u32 {
        match code {
            Self::CLEAR => {
                self.lengths.clear();
                (self.width, self.last) = (9, None);
                return 0;
            }
            Self::END => {
                self.done = true;
                return 0;
            }
            _ => {}
        }
        let known = if code < Self::CLEAR { Some(1) } else { self.lengths.get(code as usize - 258).copied() };
        let Some(length) = known.or(self.last.map(|last| last + 1)) else {
            self.done = true;
            return 0;
        };
        if let Some(last) = self.last
            && self.lengths.len() + 258 < Self::MAX_CODES
        {
            self.lengths.push(last + 1);
            // The width grows one code early, as PDF does unless told otherwise.
            self.width = match self.lengths.len() + 259 {
                ..512 => 9,
                512..1024 => 10,
                1024..2048 => 11,
                _ => 12,
            };
        }
        self.last = Some(length);
        length
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, ZlibEncoder};

    use super::*;

    fn zlib(data: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(data).expect("memory");
        encoder.finish().expect("memory")
    }

    fn stream(data: &[u8]) -> Vec<u8> {
        [b"1 0 obj <<>> stream\r\n".as_slice(), data, b"\nendstream endobj "].concat()
    }

    fn limits() -> Limits {
        Limits { max_unpacked_bytes: 4_000_000, ..Limits::default() }
    }

    #[track_caller]
    fn is_bomb(data: &[u8]) -> bool {
        match check(&stream(data), &limits()) {
            Ok(_) => false,
            Err(error) => {
                assert_eq!(error.code(), "archive_bomb");
                true
            }
        }
    }

    #[test]
    fn a_stream_within_the_limit_is_measured() {
        let file = [stream(&zlib(&[7; 900_000])), stream(b"BT (plain) Tj ET"), stream(&zlib(b"x"))].concat();
        assert_eq!(check(&file, &limits()), Ok(900_000));
    }

    #[test]
    fn bombs_are_found_with_and_without_header_and_inside_of_others() {
        let bomb = vec![0; 1_100_000];
        assert!(is_bomb(&zlib(&bomb)));
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::best());
        raw.write_all(&bomb).expect("memory");
        assert!(is_bomb(&raw.finish().expect("memory")));
        assert!(is_bomb(&zlib(&zlib(&bomb))));
        assert!(is_bomb(&zlib(&zlib(&zlib(&bomb)))));
        let hex: String = zlib(&bomb).iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(is_bomb((hex + ">").as_bytes()));
    }

    #[test]
    fn many_streams_are_a_bomb_together() {
        let one = stream(&zlib(&vec![0; 900_000]));
        assert!(check(&one.repeat(17), &limits()).is_ok());
        assert!(check(&one.repeat(18), &limits()).is_err());
    }

    #[test]
    fn lzw_is_measured_by_the_lengths_of_its_codes() {
        // Clear, then one byte, then always the newest entry: entry n has n + 2 bytes.
        let mut codes = vec![(256u32, 9u32), (7, 9)];
        let mut width = 9;
        for code in 258..4094u32 {
            codes.push((code, width));
            width = match code + 2 {
                ..512 => 9,
                512..1024 => 10,
                1024..2048 => 11,
                _ => 12,
            };
        }
        let mut bits = String::new();
        for (code, width) in codes {
            bits += &format!("{code:0width$b}", width = width as usize);
        }
        let packed: Vec<u8> = bits
            .as_bytes()
            .chunks(8)
            .map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | (bit - b'0')))
            .collect();
        assert!(packed.len() < 6_000);
        assert!(is_bomb(&packed));
    }

    #[test]
    fn an_image_may_be_larger_than_a_stream_that_is_read() {
        let image = [b"<< /Subtype /Image >> stream\n".as_slice(), &zlib(&vec![0; 3_000_000])].concat();
        assert_eq!(check(&image, &limits()), Ok(0));
    }
}
