//! Passages for tests.

use mainstay_domain::{ByteRange, ChunkId, DocumentId, Passage, citation::PassageScore};

/// A document that is one passage.
pub(crate) fn passage(chunk: u64, document: &str, text: &str) -> Passage {
    let range = ByteRange { start: 0, end: text.len() };
    Passage {
        chunk: ChunkId(chunk),
        document: DocumentId::new(document),
        title: None,
        headings: Vec::new(),
        parent_headings: Vec::new(),
        range,
        text: text.to_owned(),
        parent_range: range,
        parent_text: text.to_owned(),
        score: PassageScore::default(),
    }
}
