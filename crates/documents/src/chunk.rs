//! Canonical text to chunks: small ones to search, and the larger parent of each to read.
//!
//! Text is cut at headings into sections, a section into sentences (code and tables into as few pieces as fit), and
//! those are put together again into the chunks whose sizes are closest to the target, with a price for every place
//! where a reader would rather not stop (see `partition`). So chunks come out balanced, without small leftovers.

mod abbreviations;
mod parents;
mod partition;
mod sentences;
mod units;
mod words;

use mainstay_domain::ByteRange;

use crate::document::{HeadingPath, ParsedDocument};

/// A piece of a document, small enough to be searched as one thing.
#[derive(Clone, PartialEq, Debug)]
pub struct Chunk {
    /// Its place in the document, from 0.
    pub ordinal: u32,
    /// Where it is in the canonical text, without whitespace around it.
    pub range: ByteRange,
    /// Where the larger passage is that is read when the chunk was found; contains `range`, and either equals the
    /// parent of the next chunk or ends before it.
    pub parent_range: ByteRange,
    /// The headings that it stands under, outermost first. A chunk at the beginning of a section contains the text of
    /// the section's heading as well.
    pub headings: HeadingPath,
    /// Its words; estimated from characters for scripts that put no spaces between words (1.5 Han characters, 2 kana
    /// or 4 characters of Thai, Lao, Khmer, Burmese or Tibetan to a word).
    pub words: u32,
}

/// How large chunks and their parents are, in words as [`Chunk::words`] counts them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChunkOptions {
    /// The size that chunks come close to. The default, 100, was the best of those measured.
    pub target_words: u32,
    /// The most that a chunk has, its headings not counted; only a sentence, table or code block that alone is longer
    /// is cut. At least the target.
    pub max_words: u32,
    /// The most that a parent has; a single chunk that is larger is its own parent.
    pub parent_words: u32,
    /// A document of a single section with up to this many words is one chunk. 0 turns this off.
    pub whole_below_words: u32,
}

impl Default for ChunkOptions {
    fn default() -> Self {
        Self { target_words: 100, max_words: 180, parent_words: 400, whole_below_words: 180 }
    }
}

/// Cuts a document into chunks, in order.
///
/// Chunks do not overlap and stand on character boundaries; every character of the text that is not whitespace belongs
/// to exactly one, except in blocks that no reader sees ([`crate::BlockKind::is_searchable`]). No chunk crosses a
/// heading. The result depends on the arguments alone, and takes time linear in the text.
pub fn chunk(document: &ParsedDocument, options: &ChunkOptions) -> Vec<Chunk> {
    let outline = units::outline(document, options);
    let mut chunks = Vec::new();
    let mut sections = Vec::with_capacity(outline.sections.len());
    let whole = outline.sections.len() == 1
        && words::whole_words(outline.units.iter().map(|unit| unit.weight).sum())
            <= options.whole_below_words;
    for section in &outline.sections {
        let units = &outline.units[section.units.clone()];
        let first = chunks.len();
        let everything = 0..units.len();
        let groups = if whole { Vec::from([everything]) } else { partition::partition(units, options) };
        for group in groups {
            chunks.push(assemble(chunks.len(), &units[group], &section.headings));
        }
        sections.push(parents::SectionChunks { level: section.level, chunks: first..chunks.len() });
    }
    parents::assign(&mut chunks, &sections, options.parent_words);
    chunks
}

fn assemble(ordinal: usize, units: &[units::Unit], headings: &HeadingPath) -> Chunk {
    let start = units.first().map_or(0, |unit| unit.start);
    let end = units.last().map_or(start, |unit| unit.end);
    let range = ByteRange { start, end };
    Chunk {
        ordinal: u32::try_from(ordinal).unwrap_or(u32::MAX),
        range,
        parent_range: range,
        headings: HeadingPath::clone(headings),
        words: words::whole_words(units.iter().map(|unit| unit.weight).sum()),
    }
}

#[cfg(test)]
mod tests;
