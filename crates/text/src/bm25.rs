//! BM25 as the dot product of two sparse vectors.

use crate::terms::{TermId, Terms};

/// A sparse vector: ids of terms, ascending, each once, with their weights.
pub type SparseVector = Vec<(TermId, f32)>;

/// BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009), split so that an
/// index of sparse vectors can compute it: the document's vector holds the saturated and length-normalised term
/// frequency, the query's vector holds how often the query names the term, and the index multiplies by the inverse
/// document frequency when it compares them.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Bm25 {
    /// How soon further occurrences of a term stop to count.
    pub k1: f32,
    /// How much a text's length is held against it: 0 not at all, 1 in full proportion.
    pub b: f32,
    /// The average length of the corpus's passages, as [`Terms::length`] measures it. Not above 0 turns the
    /// normalisation by length off.
    pub average_length: f32,
}

impl Bm25 {
    /// The usual constants, k1 = 1.2 and b = 0.75, which were best on the development sets too.
    pub fn new(average_length: f32) -> Self {
        Self { k1: 1.2, b: 0.75, average_length }
    }

    /// The vector to index: `count · (k1 + 1) / (count + k1 · (1 - b + b · length / average_length))` per term.
    pub fn document_vector(&self, terms: &Terms) -> SparseVector {
        let relative_length =
            if self.average_length > 0.0 { terms.length() / self.average_length } else { 1.0 };
        let saturation = self.k1 * (1.0 - self.b + self.b * relative_length);
        terms
            .counts()
            .iter()
            .map(|&(term, count)| (term, count * (self.k1 + 1.0) / (count + saturation)))
            .collect()
    }

    /// The vector to search with: the count of each term.
    pub fn query_vector(&self, terms: &Terms) -> SparseVector {
        terms.counts().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(words: &str) -> Terms {
        let occurrences: Vec<_> = words.split(' ').map(|word| (TermId::of(word), 1.0)).collect();
        let length = occurrences.len() as f32;
        Terms::from_occurrences(occurrences, length)
    }

    fn weight(vector: &SparseVector, word: &str) -> f32 {
        vector.iter().find(|&&(term, _)| term == TermId::of(word)).expect(word).1
    }

    #[test]
    fn a_term_of_a_text_of_average_length_weighs_one() {
        let vector = Bm25::new(4.0).document_vector(&terms("to be or not"));
        assert!(vector.iter().all(|&(_, weight)| (weight - 1.0).abs() < 1e-6), "{vector:?}");
    }

    #[test]
    fn repetition_counts_less_and_less_and_never_more_than_k1_plus_one() {
        let bm25 = Bm25::new(4.0);
        let weights: Vec<f32> = [1, 2, 8, 1000]
            .map(|times| weight(&bm25.document_vector(&terms(&["a"; 1000][..times].join(" "))), "a"))
            .into();
        assert!(weights[0] < 2.2 && weights.iter().all(|&weight| weight < 2.2), "{weights:?}");
        let short = Bm25 { b: 0.0, ..bm25 };
        let [one, two, eight] =
            [1, 2, 8].map(|times| weight(&short.document_vector(&terms(&["a"; 8][..times].join(" "))), "a"));
        assert!(one < two && two < eight && two - one > (eight - two) / 6.0);
    }

    #[test]
    fn the_same_word_weighs_less_in_a_longer_text() {
        let bm25 = Bm25::new(4.0);
        let short = weight(&bm25.document_vector(&terms("a b")), "a");
        let long = weight(&bm25.document_vector(&terms("a b c d e f g h")), "a");
        assert!(short > 1.0 && long < 1.0);
    }

    #[test]
    fn an_unknown_average_length_leaves_length_out_of_account() {
        for average_length in [0.0, -1.0, f32::NAN] {
            let bm25 = Bm25 { average_length, ..Bm25::new(1.0) };
            assert_eq!(weight(&bm25.document_vector(&terms("a b c")), "a"), 1.0);
        }
    }
}
