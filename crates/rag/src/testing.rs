//! Passages for tests.

use mainstay_domain::{ChunkId, Passage};

/// A document that is one passage.
pub(crate) fn passage(chunk: u64, document: &str, text: &str) -> Passage {
    Passage::whole(ChunkId(chunk), document, text)
}
