//! Canonical text to chunks: small ones to search, and the larger parent of each to read.
//!
//! By default text is cut at headings into sections, a section into sentences (code and tables into as few pieces as
//! fit), and those are put together again into the chunks whose sizes are closest to the target, with a price for every
//! place where a reader would rather not stop (see `partition`). So chunks come out balanced, without small leftovers.
//! [`ChunkMode`] has the other ways.

mod abbreviations;
mod clauses;
mod fixed;
mod parents;
mod partition;
mod semantic;
mod sentences;
mod table_header;
mod units;
mod words;

use std::ops::Range;

use mainstay_domain::ByteRange;

pub use self::table_header::table_headers;
use self::units::{Outline, Rows, Unit};
use crate::document::{Block, HeadingPath, ParsedDocument};

/// The words of a text, counted as [`Chunk::words`] are. Zero only for whitespace.
pub fn words(text: &str) -> u32 {
    words::whole_words(words::weigh(text))
}

/// A piece of a document, small enough to be searched as one thing.
#[derive(Clone, PartialEq, Debug)]
pub struct Chunk {
    /// Its place in the document, from 0.
    pub ordinal: u32,
    /// Where it is in the canonical text, without whitespace around it.
    pub range: ByteRange,
    /// Where the larger passage is that is read when the chunk was found; contains `range`, and either equals the
    /// parent of the next chunk or ends before it (under [`ChunkMode::Fixed`], but for the overlap).
    pub parent_range: ByteRange,
    /// The headings that it stands under, outermost first. A chunk at the beginning of a section contains the text of
    /// the section's heading as well. One that goes over headings has those of its beginning. Under
    /// [`ChunkMode::Clauses`] the innermost are the clauses, as in `Article 5 — Termination`, `5.2 — Notice`.
    pub headings: HeadingPath,
    /// Its words; estimated from characters for scripts that put no spaces between words (1.5 Han characters, 2 kana
    /// or 4 characters of Thai, Lao, Khmer, Burmese or Tibetan to a word).
    pub words: u32,
}

/// How chunks and their parents are cut. Sizes are in words as [`Chunk::words`] counts them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChunkOptions {
    /// What decides where a chunk ends.
    pub mode: ChunkMode,
    /// The size that chunks come close to; under [`ChunkMode::Fixed`] the most that they have. The default, 100, was the
    /// best of those measured.
    pub target_words: u32,
    /// The most that a chunk has, its headings not counted; only a sentence, table or code block that alone is longer
    /// is cut. At least the target. [`ChunkMode::Fixed`] has no use for it.
    pub max_words: u32,
    /// The most that a parent has; a single chunk that is larger is its own parent.
    pub parent_words: u32,
    /// A document of a single section with up to this many words is one chunk. 0 turns this off.
    pub whole_below_words: u32,
}

impl Default for ChunkOptions {
    fn default() -> Self {
        Self {
            mode: ChunkMode::Structural,
            target_words: 100,
            max_words: 180,
            parent_words: 400,
            whole_below_words: 180,
        }
    }
}

/// What decides where a chunk ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ChunkMode {
    /// The structure that the author gave the text: no chunk crosses a heading, and within a section the ends of
    /// paragraphs, list items and sentences are preferred in that order; code and tables stay whole and with the sentence
    /// that announces them.
    #[default]
    Structural,
    /// The ends of sentences alone: chunks of even size, over paragraphs and headings. Code and tables stay whole, and no
    /// heading is parted from its text.
    Sentence,
    /// Size alone, by the recursive rule: at blank lines, then at the ends of lines, sentences and clauses, then between
    /// words. No chunk is larger than the target.
    Fixed {
        /// The most words that a chunk repeats of the one before; it begins with a whole sentence where one fits. More
        /// than half of the target counts as half.
        overlap_words: u32,
    },
    /// The subject: as `Structural`, but among the sentences of a section those are parted whose surroundings have the
    /// least in common (Hearst's depth scores, over vectors of sentences).
    Semantic,
    /// Numbered clauses, articles and paragraphs of contracts and statutes: each is a chunk of its own however short it
    /// is, and one that exceeds the maximum is cut with itself as the parent. No parent holds two of them. A document
    /// without any is cut as under `Structural`.
    Clauses,
}

/// Cuts a document into chunks, in order. `vector` yields the vector of a text's meaning; [`ChunkMode::Semantic`] alone
/// asks for it, once for each sentence. A vector that is empty or not of numbers has nothing in common with any other.
///
/// Chunks stand on character boundaries and, but for the overlap of [`ChunkMode::Fixed`], apart; every character of the
/// text that is not whitespace belongs to one, except in blocks that no reader sees
/// ([`crate::BlockKind::is_searchable`]). The result depends on the arguments alone, and takes time linear in the text.
pub fn chunk(
    document: &ParsedDocument,
    options: &ChunkOptions,
    vector: &dyn Fn(&str) -> Vec<f32>,
) -> Vec<Chunk> {
    let outline = |blocks: &[Block], rows| units::outline(&document.text, blocks, rows, options);
    match options.mode {
        ChunkMode::Structural => by_section(&outline(&document.blocks, Rows::Any), options),
        ChunkMode::Sentence => across_sections(outline(&document.blocks, Rows::Any), options),
        ChunkMode::Fixed { overlap_words } => fixed::chunk(document, options, overlap_words),
        ChunkMode::Semantic => {
            let mut outline = outline(&document.blocks, Rows::Any);
            semantic::price(document, &mut outline, options, vector);
            by_section(&outline, options)
        }
        ChunkMode::Clauses => match clauses::as_headings(document) {
            Some(blocks) => by_clause(&outline(&blocks, Rows::Deeper), options),
            None => by_section(&outline(&document.blocks, Rows::Any), options),
        },
    }
}

/// Chunks that stay within their section.
fn by_section(outline: &Outline, options: &ChunkOptions) -> Vec<Chunk> {
    let whole = outline.sections.len() == 1 && is_small(&outline.units, options);
    let cut = |units: &[Unit]| match whole {
        true => in_one(units),
        false => partition::partition(units, options),
    };
    let (mut chunks, sections) = chunks_of(outline, cut);
    parents::assign(&mut chunks, &sections, options.parent_words);
    chunks
}

/// A chunk for each section that fits into one.
fn by_clause(outline: &Outline, options: &ChunkOptions) -> Vec<Chunk> {
    let max = u64::from(options.max_words.max(options.target_words)) * words::WORD;
    let cut = |units: &[Unit]| match units.iter().map(Unit::body_weight).sum::<u64>() <= max {
        true => in_one(units),
        false => partition::partition(units, options),
    };
    let (mut chunks, sections) = chunks_of(outline, cut);
    parents::assign_each(&mut chunks, &sections, options.parent_words);
    chunks
}

/// Chunks of whole sentences, whatever section they are of.
fn across_sections(mut outline: Outline, options: &ChunkOptions) -> Vec<Chunk> {
    for unit in &mut outline.units {
        unit.price = unit.before.price_between_sentences();
    }
    let units = &outline.units;
    let groups = if is_small(units, options) { in_one(units) } else { partition::partition(units, options) };
    let chunks = groups.into_iter().enumerate();
    let mut chunks: Vec<Chunk> = chunks
        .map(|(ordinal, group)| assemble(ordinal, &units[group.clone()], outline.headings_at(group.start)))
        .collect();
    parents::assign_over_all(&mut chunks, options.parent_words);
    chunks
}

/// The chunks of all sections, each section cut into ranges of its units.
fn chunks_of(
    outline: &Outline,
    cut: impl Fn(&[Unit]) -> Vec<Range<usize>>,
) -> (Vec<Chunk>, Vec<parents::SectionChunks>) {
    let mut chunks = Vec::new();
    let mut sections = Vec::with_capacity(outline.sections.len());
    for section in &outline.sections {
        let units = &outline.units[section.units.clone()];
        let first = chunks.len();
        for group in cut(units) {
            chunks.push(assemble(chunks.len(), &units[group], section.headings.clone()));
        }
        sections.push(parents::SectionChunks { level: section.level, chunks: first..chunks.len() });
    }
    (chunks, sections)
}

fn is_small(units: &[Unit], options: &ChunkOptions) -> bool {
    words::whole_words(units.iter().map(|unit| unit.weight).sum()) <= options.whole_below_words
}

/// All units as one group; none where there are none.
fn in_one(units: &[Unit]) -> Vec<Range<usize>> {
    (!units.is_empty()).then_some(0..units.len()).into_iter().collect()
}

fn assemble(ordinal: usize, units: &[Unit], headings: HeadingPath) -> Chunk {
    let start = units.first().map_or(0, |unit| unit.start);
    let end = units.last().map_or(start, |unit| unit.end);
    let range = ByteRange { start, end };
    Chunk {
        ordinal: u32::try_from(ordinal).unwrap_or(u32::MAX),
        range,
        parent_range: range,
        headings,
        words: words::whole_words(units.iter().map(|unit| unit.weight).sum()),
    }
}

#[cfg(test)]
mod tests;
