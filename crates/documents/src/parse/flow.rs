//! The canonical text of formats that have none of their own, put together block by block.

use mainstay_domain::ByteRange;

use crate::document::{Block, BlockKind, MediaType, Outline, ParsedDocument, shortened};
use crate::error::ParseError;

/// Deepest indentation of a list item, in levels.
const MAX_INDENT: usize = 8;

/// Longest title, in bytes.
const MAX_TITLE_BYTES: usize = 512;

/// Text that is being extracted: blocks with a blank line between them, items and rows with a line break.
#[derive(Debug)]
pub(super) struct Flow {
    text: String,
    blocks: Vec<Block>,
    outline: Outline,
    limit: usize,
    overflow: bool,
    first_heading: Option<(u8, String)>,
}

impl Flow {
    /// An empty text that takes up to `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            text: String::new(),
            blocks: Vec::new(),
            outline: Outline::new(),
            limit,
            overflow: false,
            first_heading: None,
        }
    }

    /// Appends a block. Whitespace around `content` does not count, and nothing but whitespace is no block.
    pub(super) fn push(&mut self, kind: BlockKind, content: &str) {
        self.push_indented(kind, 0, content);
    }

    /// Appends an item of a list that lies `level` lists deep, from 0.
    pub(super) fn push_item(&mut self, level: usize, content: &str) {
        self.push_indented(BlockKind::ListItem, level.min(MAX_INDENT), content);
    }

    fn push_indented(&mut self, kind: BlockKind, level: usize, content: &str) {
        // The first line of code keeps its indentation.
        let content = match kind {
            BlockKind::Code => content.trim_end().trim_start_matches(['\n', '\r']),
            _ => content.trim(),
        };
        if content.trim().is_empty() || self.is_full(content.len() + 2 * level + 2) {
            return;
        }
        if let BlockKind::Heading(depth) = kind {
            self.outline.enter(depth, content);
            let better = self.first_heading.as_ref().is_none_or(|(known, _)| depth == 1 && *known > 1);
            if better {
                self.first_heading = Some((depth, shortened(content, MAX_TITLE_BYTES)));
            }
        }
        let after_item = self.blocks.last().is_some_and(|last| last.kind == BlockKind::ListItem);
        if !self.text.is_empty() {
            self.text.push_str(if after_item && kind == BlockKind::ListItem { "\n" } else { "\n\n" });
        }
        for _ in 0..level {
            self.text.push_str("  ");
        }
        let start = self.text.len();
        self.text.push_str(content);
        let range = ByteRange { start, end: self.text.len() };
        self.blocks.push(Block { kind, range, headings: self.outline.path() });
    }

    /// Whether more text does not fit; remembers that it was not taken. For producers that gather text before they
    /// push it: `more` is what they hold.
    pub(super) fn is_full(&mut self, more: usize) -> bool {
        self.overflow |= self.text.len() + more > self.limit;
        self.overflow
    }

    /// Bytes of text so far.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// The document, with the title given or else its first heading.
    pub(super) fn finish(
        self,
        title: Option<String>,
        media_type: MediaType,
    ) -> Result<ParsedDocument, ParseError> {
        if self.overflow {
            return Err(ParseError::TooMuchText { limit: self.limit });
        }
        if self.blocks.is_empty() {
            return Err(ParseError::NoText { media_type });
        }
        let title = title
            .map(|title| shortened(&title, MAX_TITLE_BYTES))
            .filter(|title| !title.is_empty())
            .or(self.first_heading.map(|(_, heading)| heading));
        Ok(ParsedDocument { title, text: self.text, blocks: self.blocks, media_type })
    }
}
