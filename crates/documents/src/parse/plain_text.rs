//! Plain text: paragraphs between blank lines.

use mainstay_domain::ByteRange;

use crate::document::{Block, BlockKind, HeadingPath, MediaType, ParsedDocument};

/// The paragraphs of `text`, which stays as it is.
pub(super) fn parse(text: String) -> ParsedDocument {
    let mut paragraphs = Paragraphs { blocks: Vec::new(), open: None, headings: HeadingPath::from([]) };
    let mut start = text.find(|character| character != '\u{feff}').unwrap_or(text.len());
    for line in text[start..].split_inclusive('\n') {
        paragraphs.line(start, line);
        start += line.len();
    }
    paragraphs.close();
    ParsedDocument { title: None, blocks: paragraphs.blocks, text, media_type: MediaType::PlainText }
}

struct Paragraphs {
    blocks: Vec<Block>,
    /// Where the paragraph that is being read begins, and its last line ends.
    open: Option<ByteRange>,
    headings: HeadingPath,
}

impl Paragraphs {
    fn line(&mut self, start: usize, line: &str) {
        let content = line.trim_end();
        if content.is_empty() {
            return self.close();
        }
        let end = start + content.len();
        match &mut self.open {
            Some(open) => open.end = end,
            None => {
                let indent = content.len() - content.trim_start().len();
                self.open = Some(ByteRange { start: start + indent, end });
            }
        }
    }

    fn close(&mut self) {
        if let Some(range) = self.open.take() {
            self.blocks.push(Block { kind: BlockKind::Paragraph, range, headings: self.headings.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_part_paragraphs_and_the_text_stays_as_it_is() {
        let source = "\u{feff}  One\r\ntwo \r\n \t\r\n\r\nThree";
        let document = parse(source.to_owned());
        let paragraphs: Vec<_> =
            document.blocks.iter().map(|block| &document.text[block.range.start..block.range.end]).collect();
        assert_eq!(document.text, source);
        assert_eq!(paragraphs, ["One\r\ntwo", "Three"]);
    }
}
