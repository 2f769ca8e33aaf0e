//! Why a document is refused.

use crate::MediaType;

/// Why a document is refused. Messages say what to do next and never quote the document.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParseError {
    /// There is nothing but whitespace in it.
    #[error("the document is empty")]
    Empty,
    /// The file is larger than the limit.
    #[error("the document has {size} bytes, the limit is {limit}: split it or raise the limit")]
    TooLarge {
        /// Bytes that came.
        size: usize,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// The text in it is larger than the limit.
    #[error("the document holds more than {limit} bytes of text: split it or raise the limit")]
    TooMuchText {
        /// Bytes of text that are allowed.
        limit: usize,
    },
    /// It is something that Mainstay does not read.
    #[error("{found} is not supported: {advice}")]
    UnsupportedMediaType {
        /// What it is.
        found: String,
        /// What to do next.
        advice: &'static str,
    },
    /// It is text, in another encoding than UTF-8 or damaged.
    #[error(
        "invalid UTF-8 at byte {offset}: convert the file to UTF-8, for example by `iconv -f WINDOWS-1252 -t UTF-8`"
    )]
    InvalidUtf8 {
        /// The first byte that is wrong.
        offset: usize,
    },
    /// It is called text and is not.
    #[error("binary data under the name of a text: a control byte at {offset}")]
    BinaryAsText {
        /// The first byte that no text has.
        offset: usize,
    },
    /// A password protects it.
    #[error("the document is encrypted: remove its password and send it again")]
    Encrypted,
    /// It is broken.
    #[error("the document is a corrupt {media_type} file: {detail}")]
    Corrupt {
        /// What it claims to be.
        media_type: MediaType,
        /// What is wrong with it.
        detail: String,
    },
    /// It is whole, and there is no text in it.
    #[error("{}", no_text(*.media_type))]
    NoText {
        /// What it is.
        media_type: MediaType,
    },
    /// Its archive unpacks to much more than a document has.
    #[error("the archive is refused as a decompression bomb: {detail}")]
    ArchiveBomb {
        /// Which limit it breaks.
        detail: String,
    },
    /// Its pages take more work than a document does.
    #[error("the document is too complex: {detail}")]
    TooComplex {
        /// Which limit it breaks.
        detail: String,
    },
}

impl ParseError {
    /// The stable name of the kind of fault, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLarge { .. } => "too_large",
            Self::TooMuchText { .. } => "too_much_text",
            Self::UnsupportedMediaType { .. } => "unsupported_media_type",
            Self::InvalidUtf8 { .. } => "invalid_utf8",
            Self::BinaryAsText { .. } => "binary_as_text",
            Self::Encrypted => "encrypted",
            Self::Corrupt { .. } => "corrupt",
            Self::NoText { .. } => "no_text",
            Self::ArchiveBomb { .. } => "archive_bomb",
            Self::TooComplex { .. } => "too_complex",
        }
    }

    pub(crate) fn unsupported(found: &str) -> Self {
        Self::UnsupportedMediaType {
            found: found.to_owned(),
            advice: "send text, Markdown, HTML, PDF or DOCX",
        }
    }

    pub(crate) fn corrupt(media_type: MediaType, detail: impl Into<String>) -> Self {
        Self::Corrupt { media_type, detail: detail.into() }
    }
}

fn no_text(media_type: MediaType) -> &'static str {
    match media_type {
        MediaType::Pdf => {
            "the PDF has no text, only images or drawings: make it searchable by OCR first, for example with `ocrmypdf`"
        }
        MediaType::Html => {
            "the HTML page has no text, its content may be made by a script: save the page as the browser shows it"
        }
        MediaType::Docx => "the DOCX file has no text, only images or empty paragraphs",
        MediaType::PlainText | MediaType::Markdown => "the file has no text",
    }
}
