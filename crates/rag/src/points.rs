//! From chunks to the points of an index: the words of each chunk, weighed, and with the first chunk of each parent the words
//! of the parent. Where a corpus is searched by runs of characters, those of each chunk too.

use std::sync::Arc;

use mainstay_documents::ChunkOptions;
use mainstay_domain::port::MultiVector;
use mainstay_domain::{ByteRange, ChunkId};
use mainstay_store::documents::IndexableDocument;
use mainstay_text::{Bm25, Terms};
use mainstay_vectors::{Fields, Point, SparseChannel, SparseVector};

use crate::library::PreparedDocument;
use crate::prepare::{Searchable, grams};

/// How the words of a corpus are weighed.
#[derive(Clone, Copy)]
pub(crate) struct Weights {
    chunks: Bm25,
    parents: Bm25,
    /// `None` where points carry none.
    grams: Option<Bm25>,
}

impl Weights {
    /// The channels that points carry.
    pub(crate) fn channels(&self) -> Vec<SparseChannel> {
        let grams = self.grams.map(|_| SparseChannel::Grams);
        [SparseChannel::Bm25, SparseChannel::Parent].into_iter().chain(grams).collect()
    }

    /// For chunks and parents of these average lengths, and chunks of so many runs of characters, where those are searched.
    pub(crate) fn new(average_length: f32, average_parent_length: f32, average_grams: Option<f32>) -> Self {
        Self {
            chunks: Bm25::new(average_length),
            parents: Bm25::new(average_parent_length),
            grams: average_grams.map(Bm25::new),
        }
    }

    /// The runs of characters of a question, where those are searched.
    pub(crate) fn question_grams(&self, question: &str) -> Option<SparseVector> {
        let weighted = self.grams?.query_vector(&grams(question));
        Some(weighted.into_iter().map(|(term, weight)| (term.0, weight)).collect())
    }

    /// The words of a question, for either channel.
    pub(crate) fn question(&self, terms: &Terms) -> SparseVector {
        self.chunks.query_vector(terms).into_iter().map(|(term, weight)| (term.0, weight)).collect()
    }

    /// The points of pieces of a document whose first chunk is `first`. The first piece of each parent carries the parent's
    /// words.
    pub(crate) fn points(
        &self,
        first: ChunkId,
        pieces: &[Piece<'_>],
        fields: &Arc<Fields>,
        vectors: &mut impl Iterator<Item = Vec<f32>>,
    ) -> Vec<Point> {
        let parents = parents(pieces).flat_map(|(first, rest)| {
            let parent = sparse(&self.parents, &first.together_with(&rest));
            std::iter::once(Some(parent)).chain(rest.into_iter().map(|_| None))
        });
        let words = pieces.iter().zip(parents).map(|(piece, parent)| {
            let own = (SparseChannel::Bm25, sparse(&self.chunks, &piece.searchable.terms()));
            let grams =
                self.grams.map(|weights| (SparseChannel::Grams, sparse(&weights, &piece.searchable.grams())));
            let parent = parent.map(|parent| (SparseChannel::Parent, parent));
            std::iter::once(own).chain(parent).chain(grams).collect()
        });
        let ids = pieces.iter().map(|piece| ChunkId(first.0 + piece.ordinal));
        let points = ids.zip(words).zip(vectors);
        points
            .map(|((chunk, sparse), dense)| {
                let multi = MultiVector::default();
                Point { chunk, dense, sparse, multi, fields: fields.clone() }
            })
            .collect()
    }
}

fn sparse(bm25: &Bm25, terms: &Terms) -> SparseVector {
    bm25.document_vector(terms).into_iter().map(|(term, weight)| (term.0, weight)).collect()
}

/// A chunk that is to be found: which of its document, from 0, the place of its parent, and what it is found by.
pub(crate) struct Piece<'a> {
    ordinal: u64,
    parent: ByteRange,
    pub(crate) searchable: &'a Searchable,
}

/// The chunks of a document that was just prepared, without those in quarantine.
pub(crate) fn pieces_of(document: &PreparedDocument) -> Vec<Piece<'_>> {
    let chunks = (0..).zip(&document.content.chunks).filter(|(_, one)| one.finding.is_none());
    chunks
        .map(|(ordinal, one)| Piece { ordinal, parent: one.chunk.parent_range, searchable: &one.searchable })
        .collect()
}

/// The chunks of a document that was read back, without those in quarantine.
pub(crate) fn pieces_of_stored<'a>(
    document: &IndexableDocument,
    searchables: &'a [Searchable],
) -> Vec<Piece<'a>> {
    let chunks = (0..).zip(document.chunks.iter().zip(searchables));
    chunks
        .filter(|(_, (chunk, _))| chunk.finding.is_none())
        .map(|(ordinal, (chunk, searchable))| Piece { ordinal, parent: chunk.parent_range, searchable })
        .collect()
}

/// The chunks of each parent: its first and the others.
fn parents<'a>(pieces: &[Piece<'a>]) -> impl Iterator<Item = (&'a Searchable, Vec<&'a Searchable>)> {
    pieces.chunk_by(|one, next| one.parent == next.parent).map(|siblings| {
        let rest = siblings[1..].iter().map(|piece| piece.searchable).collect();
        (siblings[0].searchable, rest)
    })
}

/// How long chunks and their parents are, in all.
#[derive(Default)]
pub(crate) struct Lengths {
    chunks: Mean,
    parents: Mean,
    /// Runs of characters of a chunk.
    grams: Mean,
}

#[derive(Default)]
struct Mean {
    sum: f64,
    count: u32,
}

impl Lengths {
    /// What is to be expected of documents that nobody has seen yet, as if a few had been: the first one may be a single
    /// sentence, and the average stays until the index is built anew.
    pub(crate) fn expected(chunking: &ChunkOptions) -> Self {
        const SEEN: u32 = 16;
        let mean = |length: f64| Mean { sum: length * f64::from(SEEN), count: SEEN };
        // The last parent of a section is shorter than the others, and many sections have one alone.
        Self {
            chunks: mean(f64::from(chunking.target_words)),
            parents: mean(f64::from(chunking.parent_words) * 0.6),
            // A word of a text has about six characters with the space after it, each the first of a run.
            grams: mean(f64::from(chunking.target_words) * 6.0),
        }
    }

    /// Adds the chunks of a document.
    pub(crate) fn add(&mut self, pieces: &[Piece<'_>]) {
        for piece in pieces {
            self.chunks.add(piece.searchable.terms().length());
            self.grams.add(piece.searchable.grams().length());
        }
        for (first, rest) in parents(pieces) {
            self.parents.add(first.together_with(&rest).length());
        }
    }

    /// The average of chunks.
    pub(crate) fn of_chunks(&self) -> f32 {
        self.chunks.get()
    }

    /// The average number of runs of characters of a chunk.
    pub(crate) fn of_grams(&self) -> f32 {
        self.grams.get()
    }

    /// The average of parents.
    pub(crate) fn of_parents(&self) -> f32 {
        self.parents.get()
    }
}

impl Mean {
    fn add(&mut self, value: f32) {
        self.sum += f64::from(value);
        self.count += 1;
    }

    fn get(&self) -> f32 {
        if self.count > 0 { (self.sum / f64::from(self.count)) as f32 } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use mainstay_documents::MediaType;
    use mainstay_text::{Analyzer, Language};

    use super::*;
    use crate::prepare::searchable;

    #[test]
    fn a_corpus_that_begins_with_a_sentence_does_not_expect_sentences_alone() {
        let text = Analyzer::new(Language::ENGLISH);
        let sentence = searchable(&text, None, &[], "The keeper winds the clock.", MediaType::PlainText);
        let pieces = [Piece { ordinal: 0, parent: ByteRange { start: 0, end: 27 }, searchable: &sentence }];
        let mut lengths = Lengths::expected(&ChunkOptions::default());
        lengths.add(&pieces);
        assert!(lengths.of_chunks() > 80.0 && lengths.of_parents() > 200.0);
        // Many of them do tell.
        let mut lengths = Lengths::expected(&ChunkOptions::default());
        (0..1_000).for_each(|_| lengths.add(&pieces));
        assert!(lengths.of_chunks() < 10.0);
    }
}
