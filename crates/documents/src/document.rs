//! What parsing yields: canonical text, and where its blocks are.

use std::fmt;
use std::sync::Arc;

use mainstay_domain::ByteRange;

/// A document as text with structure.
#[derive(Clone, PartialEq, Debug)]
pub struct ParsedDocument {
    /// The title that the document gives itself: front matter, `<title>`, document properties or its first heading.
    pub title: Option<String>,
    /// The canonical text. The bytes of the file itself for UTF-8 plain text and Markdown (a byte order mark included,
    /// so that ranges are those of the file); the extracted text for everything else.
    pub text: String,
    /// The blocks of `text`, in order, without overlap, on character boundaries.
    pub blocks: Vec<Block>,
    /// What the bytes were.
    pub media_type: MediaType,
}

/// A stretch of canonical text of one kind.
#[derive(Clone, PartialEq, Debug)]
pub struct Block {
    /// What it is.
    pub kind: BlockKind,
    /// Where it is in the canonical text, its markers (`#`, `-`, fences) included.
    pub range: ByteRange,
    /// The headings that it stands under, outermost first; a heading's own text is the last of its own path.
    pub headings: HeadingPath,
}

/// Headings, outermost first, shared by everything that stands under them.
pub type HeadingPath = Arc<[String]>;

/// The kinds of block that chunking treats differently.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BlockKind {
    /// A heading of this level, 1 (outermost) to 6.
    Heading(u8),
    /// Running text.
    Paragraph,
    /// One item of a list, without the lists nested in it.
    ListItem,
    /// Preformatted text.
    Code,
    /// A table, one row per line.
    Table,
    /// Data about the document at its head, such as YAML front matter. Not chunked.
    FrontMatter,
    /// Markup that a reader never sees: comments, link definitions. Not chunked.
    Hidden,
}

impl BlockKind {
    /// Whether chunks are made of it.
    pub fn is_searchable(self) -> bool {
        !matches!(self, Self::FrontMatter | Self::Hidden)
    }
}

/// The formats that Mainstay reads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MediaType {
    /// `text/plain`.
    PlainText,
    /// `text/markdown`.
    Markdown,
    /// `text/html`.
    Html,
    /// `application/pdf`.
    Pdf,
    /// Word's `.docx`.
    Docx,
}

impl MediaType {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::PlainText, Self::Markdown, Self::Html, Self::Pdf, Self::Docx];

    /// The registered name, as in `Content-Type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PlainText => "text/plain",
            Self::Markdown => "text/markdown",
            Self::Html => "text/html",
            Self::Pdf => "application/pdf",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        }
    }

    /// The format of a registered name, with or without parameters such as `charset`.
    pub fn from_name(name: &str) -> Option<Self> {
        let essence = name.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "text/plain" => Some(Self::PlainText),
            "text/markdown" | "text/x-markdown" => Some(Self::Markdown),
            "text/html" | "application/xhtml+xml" => Some(Self::Html),
            "application/pdf" | "application/x-pdf" => Some(Self::Pdf),
            docx if docx == Self::Docx.as_str() => Some(Self::Docx),
            _ => None,
        }
    }

    /// The format that a file's name promises, by its extension: what ingest of a folder picks its files by. `None` for
    /// an extension that no document has.
    pub fn from_file_name(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "txt" | "text" | "log" | "rst" | "adoc" | "asciidoc" | "org" => Some(Self::PlainText),
            "md" | "markdown" | "mdown" | "mkd" | "mkdn" | "mdx" | "qmd" => Some(Self::Markdown),
            "html" | "htm" | "xhtml" => Some(Self::Html),
            "pdf" => Some(Self::Pdf),
            "docx" => Some(Self::Docx),
            _ => None,
        }
    }

    /// Whether canonical text of this format carries Markdown markup, which [`crate::plain()`] takes out.
    pub fn has_markup(self) -> bool {
        self == Self::Markdown
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The headings that are open while a document is read from top to bottom.
#[derive(Debug)]
pub(crate) struct Outline {
    open: Vec<(u8, String)>,
    path: HeadingPath,
}

impl Outline {
    /// Longest heading in a path, in bytes: a path is repeated for every chunk, a heading of a broken document may be
    /// megabytes long.
    const MAX_HEADING_BYTES: usize = 256;

    pub(crate) fn new() -> Self {
        Self { open: Vec::new(), path: Arc::from([]) }
    }

    /// A heading begins: closes those of its level and deeper, and yields the path that ends in it.
    pub(crate) fn enter(&mut self, level: u8, text: &str) -> HeadingPath {
        while self.open.last().is_some_and(|(open, _)| *open >= level) {
            self.open.pop();
        }
        self.open.push((level, shortened(text, Self::MAX_HEADING_BYTES)));
        self.path = self.open.iter().map(|(_, text)| text.clone()).filter(|text| !text.is_empty()).collect();
        self.path()
    }

    /// The path that text stands under now.
    pub(crate) fn path(&self) -> HeadingPath {
        Arc::clone(&self.path)
    }
}

/// `text` with its whitespace collapsed, cut to at most `limit` bytes and an ellipsis.
pub(crate) fn shortened(text: &str, limit: usize) -> String {
    let mut short = String::new();
    for word in text.split_whitespace() {
        if short.len() + word.len() + 1 > limit {
            let room = limit.saturating_sub(short.len() + 1);
            let cut = word.floor_char_boundary(room);
            if !short.is_empty() && cut > 0 {
                short.push(' ');
            }
            short.push_str(&word[..cut]);
            short.push('…');
            break;
        }
        if !short.is_empty() {
            short.push(' ');
        }
        short.push_str(word);
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_closes_those_of_its_level_and_deeper() {
        let mut outline = Outline::new();
        outline.enter(1, "Book");
        outline.enter(2, "Chapter");
        outline.enter(4, "Detail");
        assert_eq!(*outline.path(), ["Book", "Chapter", "Detail"]);
        assert_eq!(*outline.enter(2, "  Next\n chapter "), ["Book", "Next chapter"]);
    }

    #[test]
    fn a_heading_of_a_megabyte_is_cut() {
        let path = Outline::new().enter(1, &"é".repeat(1 << 19));
        assert!(path[0].len() < 300 && path[0].ends_with('…'), "{}", path[0].len());
    }

    #[test]
    fn names_find_formats_whatever_their_case_and_parameters() {
        assert_eq!(MediaType::from_name("Text/HTML; charset=utf-8"), Some(MediaType::Html));
        assert_eq!(MediaType::from_file_name("Report.PDF"), Some(MediaType::Pdf));
        assert_eq!(MediaType::from_file_name("archive.tar"), None);
        assert_eq!(MediaType::from_file_name("README"), None);
        for media_type in MediaType::ALL {
            assert_eq!(MediaType::from_name(media_type.as_str()), Some(media_type));
        }
    }
}
