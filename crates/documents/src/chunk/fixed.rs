//! Chunks of a fixed size that overlap.
//!
//! The pieces that [`units::pieces`] makes are put together, first come first served, until the next does not fit: the
//! recursive splitter that most retrieval systems begin with. The overlap is not made of whole pieces, because a piece may
//! be a paragraph, and then there would be none: it is taken from the text before a chunk, a sentence at a time where one
//! fits, otherwise a word at a time.

use mainstay_domain::ByteRange;

use super::sentences::{Casing, sentences};
use super::words::{WORD, weigh, whole_words};
use super::{Chunk, ChunkOptions, parents, units};
use crate::document::{HeadingPath, ParsedDocument};

/// Bytes that are looked through for a word of overlap: four of a token as long as counts for one word, and then some
/// space.
const BYTES_PER_WORD: usize = 32;

/// The chunks of a document, of at most the target each.
pub(super) fn chunk(document: &ParsedDocument, options: &ChunkOptions, overlap_words: u32) -> Vec<Chunk> {
    let words = options.target_words.max(1);
    let overlap_words = overlap_words.min(words / 2);
    let limit = u64::from(words) * WORD;
    let pieces = units::pieces(document, words - overlap_words);
    let overlap = Overlap { text: &document.text, casing: Casing::of(&document.text), words: overlap_words };
    let mut headings = Headings { document, next: 0, path: HeadingPath::from([]) };
    let mut chunks = Vec::new();
    let mut first = 0;
    let mut previous = None;
    while let Some(piece) = pieces.get(first) {
        let start = previous.map_or(piece.start, |previous| overlap.start(previous, piece.start));
        let repeated = weigh(&document.text[start..piece.start]);
        let mut weight = repeated + piece.weight;
        let mut next = first + 1;
        while let Some(piece) = pieces.get(next).filter(|piece| weight + piece.weight <= limit) {
            weight += piece.weight;
            next += 1;
        }
        let range = ByteRange { start, end: pieces[next - 1].end };
        chunks.push(Chunk {
            ordinal: u32::try_from(chunks.len()).unwrap_or(u32::MAX),
            range,
            parent_range: range,
            headings: headings.at(piece.start),
            words: whole_words(weight),
        });
        previous = Some(ByteRange { start: piece.start, end: range.end });
        first = next;
    }
    parents::assign_over_all(&mut chunks, options.parent_words);
    chunks
}

/// What chunks repeat of the one before.
struct Overlap<'a> {
    text: &'a str,
    casing: Casing,
    words: u32,
}

impl Overlap<'_> {
    /// Where a chunk begins whose own text begins at `own`, behind that of the chunk before.
    fn start(&self, previous: ByteRange, own: usize) -> usize {
        let room = self.words as usize * BYTES_PER_WORD;
        let from = self.text.ceil_char_boundary(previous.end.saturating_sub(room).max(previous.start));
        let window = &self.text[from..previous.end];
        // The window begins within a sentence and a word, or where the chunk before begins, which is not repeated whole.
        let sentences: Vec<usize> =
            sentences(window, self.casing).map(|sentence| from + sentence.start).skip(1).collect();
        self.first_that_fits(&sentences, own)
            .or_else(|| self.first_that_fits(&word_starts(window, from), own))
            .unwrap_or(own)
    }

    /// The first of the places, which are in order, from which it is not too much to `own`.
    fn first_that_fits(&self, places: &[usize], own: usize) -> Option<usize> {
        let most = u64::from(self.words) * WORD;
        let at = places.partition_point(|&place| weigh(&self.text[place..own]) > most);
        places.get(at).copied()
    }
}

/// Where the words of a window that begins at `from` begin, but for the first.
fn word_starts(window: &str, from: usize) -> Vec<usize> {
    let mut after_space = true;
    let is_start = |&(_, character): &(usize, char)| {
        let is_start = after_space && !character.is_whitespace();
        after_space = character.is_whitespace();
        is_start
    };
    window.char_indices().filter(is_start).map(|(at, _)| from + at).skip(1).collect()
}

/// The headings that text stands under, asked for from the beginning to the end.
struct Headings<'a> {
    document: &'a ParsedDocument,
    next: usize,
    path: HeadingPath,
}

impl Headings<'_> {
    fn at(&mut self, place: usize) -> HeadingPath {
        while let Some(block) = self.document.blocks.get(self.next).filter(|block| block.range.start <= place)
        {
            self.path = block.headings.clone();
            self.next += 1;
        }
        self.path.clone()
    }
}
