//! The ZIP archive of an Office document, read within limits that trust nothing the archive says of itself.

use std::cell::Cell;
use std::io::{BufReader, Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use super::xml::Xml;
use crate::document::MediaType;
use crate::error::ParseError;
use crate::parse::Limits;

/// An archive that is being read.
pub(super) struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    budget: Budget,
}

/// How much more may be unpacked.
pub(super) struct Budget {
    left: Cell<usize>,
    limit: usize,
    /// Why nothing more is unpacked.
    tripped: Cell<Option<Tripped>>,
}

#[derive(Clone, Copy)]
enum Tripped {
    Total,
    Ratio,
}

/// A part may unpack to this many times its packed size, if it is large. XML that repeats itself reaches 100.
const MAX_RATIO: usize = 250;

/// Below this size a part may have any ratio.
const RATIO_FROM: usize = 1 << 20;

impl<'a> Package<'a> {
    /// Opens an archive.
    pub(super) fn open(bytes: &'a [u8], limits: &Limits) -> Result<Self, ParseError> {
        // Counted before the directory is read, since reading it takes memory for every entry.
        let entries = count_entries(bytes);
        if entries > limits.max_archive_entries {
            let detail = format!("{entries} entries, the limit is {}", limits.max_archive_entries);
            return Err(ParseError::ArchiveBomb { detail });
        }
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| broken(&error))?;
        let left = Cell::new(limits.max_unpacked_bytes);
        let budget = Budget { left, limit: limits.max_unpacked_bytes, tripped: Cell::new(None) };
        Ok(Self { archive, budget })
    }

    /// The name of the part that holds the text. Fails where the archive is no Word document.
    pub(super) fn main_part(&self) -> Result<String, ParseError> {
        const USUAL: &str = "word/document.xml";
        let has = |name: &str| self.archive.index_for_name(name).is_some();
        if has(USUAL) {
            return Ok(USUAL.to_owned());
        }
        let is_numbered = |name: &str| {
            let number = name.strip_prefix("word/document").and_then(|rest| rest.strip_suffix(".xml"));
            number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        };
        if let Some(name) = self.archive.file_names().flatten().find(|name| is_numbered(name)) {
            return Ok(name.into_owned());
        }
        let found = match () {
            () if has("xl/workbook.xml") => "an Excel workbook",
            () if has("ppt/presentation.xml") => "a PowerPoint presentation",
            () if has("META-INF/manifest.xml") => "an OpenDocument file",
            () if has("META-INF/container.xml") => "an EPUB book",
            () => "a ZIP archive",
        };
        Err(ParseError::unsupported(found))
    }

    /// The XML of a part; `None` if there is no such part.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<Xml<'a, '_>>, ParseError> {
        let entry = match self.archive.by_name(name) {
            Ok(entry) => entry,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(broken(&error)),
        };
        let packed = usize::try_from(entry.compressed_size()).unwrap_or(usize::MAX);
        let bounded = Bounded { inner: entry, budget: &self.budget, packed, unpacked: 0 };
        Ok(Some(Xml::new(BufReader::new(bounded), name, &self.budget)))
    }
}

/// The entries of the central directory, counted by their signature: the number that the archive states may be wrong.
fn count_entries(bytes: &[u8]) -> usize {
    const SIGNATURE: &[u8] = b"PK\x01\x02";
    memchr::memmem::find_iter(bytes, SIGNATURE).count()
}

fn broken(error: &ZipError) -> ParseError {
    match error {
        ZipError::InvalidPassword => ParseError::Encrypted,
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => ParseError::Encrypted,
        ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) => {
            ParseError::corrupt(MediaType::Docx, "its archive uses a compression that DOCX does not have")
        }
        _ => ParseError::corrupt(MediaType::Docx, "its archive is damaged or cut off"),
    }
}

impl Budget {
    /// The fault, if unpacking was stopped.
    pub(super) fn fault(&self) -> Option<ParseError> {
        let detail = match self.tripped.get()? {
            Tripped::Total => format!("it unpacks to more than {} bytes", self.limit),
            Tripped::Ratio => format!("a part unpacks to more than {MAX_RATIO} times its packed size"),
        };
        Some(ParseError::ArchiveBomb { detail })
    }
}

/// A part that is being unpacked.
pub(super) struct Bounded<'a, 'b> {
    inner: zip::read::ZipFile<'b, Cursor<&'a [u8]>>,
    budget: &'b Budget,
    packed: usize,
    unpacked: usize,
}

impl Read for Bounded<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.unpacked += read;
        let left = self.budget.left.get();
        if read > left {
            self.budget.tripped.set(Some(Tripped::Total));
        } else if self.unpacked > RATIO_FROM && self.unpacked / MAX_RATIO > self.packed {
            self.budget.tripped.set(Some(Tripped::Ratio));
        }
        self.budget.left.set(left.saturating_sub(read));
        if self.budget.tripped.get().is_some() { Err(std::io::Error::other("too large")) } else { Ok(read) }
    }
}
