//! Bytes of a document to text with structure, and that text to chunks.
//!
//! [`parse()`] finds out what a file is and yields its *canonical text*: the text that byte ranges, quotes and citations
//! refer to. For plain text and Markdown the canonical text is the file itself; for HTML, PDF and DOCX it is what was
//! extracted. [`chunk()`] cuts canonical text into small sentence-aligned chunks to search, each with its larger parent
//! to read. [`plain()`] takes the markup out of a chunk, for embedding and word search. [`JsonLines`] reads documents
//! that come one per line.
//!
//! Everything here is pure and synchronous, and treats its input as hostile: sizes are bounded while reading, nesting
//! never becomes recursion, and every fault is a [`ParseError`] with a stable code.

mod chunk;
mod document;
mod error;
mod jsonl;
mod parse;
mod plain;

pub use chunk::{Chunk, ChunkMode, ChunkOptions, chunk, table_headers, words};
pub use document::{Block, BlockKind, HeadingPath, MediaType, ParsedDocument};
pub use error::ParseError;
pub use jsonl::{JsonLines, LineError, LineFault, Record};
pub use parse::{Hint, Limits, looks_like_markdown, parse, parse_text};
pub use plain::plain;
