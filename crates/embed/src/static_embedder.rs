//! The built-in embedder.

use std::sync::LazyLock;

use async_trait::async_trait;
use mainstay_domain::ModelError;
use mainstay_domain::port::{Embedder, EmbeddingPurpose, Embeddings, Errand};

use crate::table::TokenTable;
use crate::vector::normalise;
use crate::wordpiece::WordPiece;

/// An embedder that averages a fixed vector per token. It has no notion of word order, costs about a microsecond per
/// word, and never fails.
///
/// It knows English well, the other languages in Latin script by the words they share with it, and of other scripts
/// little more than letters: give its scores less weight there.
pub struct StaticEmbedder {
    tokenizer: &'static WordPiece,
    table: TokenTable,
}

/// The vectors of the tokens of a text.
#[derive(Clone, PartialEq, Debug)]
pub struct TokenVectors {
    /// How much each token says: the length of its vector in the table, small for words that are everywhere.
    weights: Vec<f32>,
    /// The vectors, each of length 1.
    values: Vec<f32>,
}

impl TokenVectors {
    /// How far the other text has every token of this one, or one like it: the greatest cosine of each token with one
    /// of the other's, 0 where none is positive, weighted by what the token says. 0 to 1.
    pub fn likeness(&self, other: &Self) -> f32 {
        let total: f32 = self.weights.iter().sum();
        let nearest = |vector: &[f32]| {
            let vectors = other.values.chunks_exact(StaticEmbedder::DIMENSION);
            vectors.map(|other| dot(vector, other)).fold(0.0, f32::max)
        };
        let vectors = self.values.chunks_exact(StaticEmbedder::DIMENSION);
        let found: f32 =
            self.weights.iter().zip(vectors).map(|(weight, vector)| weight * nearest(vector)).sum();
        if total > 0.0 { (found / total).min(1.0) } else { 0.0 }
    }
}

/// The scalar product: the cosine of vectors of length 1. In lanes, so that the compiler may add them side by side.
pub fn dot(one: &[f32], other: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0; LANES];
    for (a, b) in one.chunks_exact(LANES).zip(other.chunks_exact(LANES)) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest = one.chunks_exact(LANES).remainder().iter().zip(other.chunks_exact(LANES).remainder());
    sums.iter().sum::<f32>() + rest.map(|(a, b)| a * b).sum::<f32>()
}

impl StaticEmbedder {
    /// Which model it is. A change of the asset changes the name, and an index of vectors of the old is rebuilt.
    pub const MODEL: &str = "builtin/minilm-l6-static-v2";

    /// Numbers per vector.
    pub const DIMENSION: usize = 256;

    /// The embedder whose table is compiled into the program. The first call takes a few milliseconds to index the
    /// vocabulary, later ones nothing.
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<StaticEmbedder> = LazyLock::new(|| StaticEmbedder {
            tokenizer: WordPiece::builtin(),
            table: TokenTable::read(include_bytes!("../assets/minilm-l6-static.bin"))
                .expect("the asset was written by `cargo xtask distill`"),
        });
        &BUILTIN
    }

    /// The vector of a text: of length 1, or all zeros when the text has no known token, so that its similarity to
    /// everything is 0.
    pub fn embed_text(&self, text: &str) -> Vec<f32> {
        let mut vector = vec![0.0; Self::DIMENSION];
        self.embed_into(text, &mut vector);
        vector
    }

    /// The vectors of many texts in one buffer, and the number of tokens read.
    pub fn embed_texts(&self, texts: &[&str]) -> Embeddings {
        let mut values = vec![0.0; texts.len() * Self::DIMENSION];
        let tokens = texts
            .iter()
            .zip(values.chunks_exact_mut(Self::DIMENSION))
            .map(|(text, vector)| self.embed_into(text, vector))
            .sum();
        Embeddings { dimension: Self::DIMENSION, values, tokens }
    }

    /// The vector of every token of a text, each token once: what a comparison word by word needs.
    pub fn token_vectors(&self, text: &str) -> TokenVectors {
        let mut rows = Vec::new();
        self.tokenizer.visit_tokens(text, |row| rows.extend(row));
        rows.sort_unstable();
        rows.dedup();
        let mut values = vec![0.0; rows.len() * Self::DIMENSION];
        let mut weights = Vec::with_capacity(rows.len());
        for (row, vector) in rows.into_iter().zip(values.chunks_exact_mut(Self::DIMENSION)) {
            self.table.add_row(row, vector);
            weights.push(vector.iter().map(|value| value * value).sum::<f32>().sqrt());
            normalise(vector);
        }
        TokenVectors { weights, values }
    }

    /// Writes the vector into a buffer of zeros and returns the number of tokens.
    fn embed_into(&self, text: &str, vector: &mut [f32]) -> u64 {
        let mut tokens = 0;
        self.tokenizer.visit_tokens(text, |row| {
            if let Some(row) = row {
                self.table.add_row(row, vector);
                tokens += 1;
            }
        });
        normalise(vector);
        tokens
    }
}

#[async_trait]
impl Embedder for StaticEmbedder {
    fn model(&self) -> &str {
        Self::MODEL
    }

    fn dimension(&self) -> usize {
        Self::DIMENSION
    }

    /// Both purposes have the same vector. Computed at once on the calling thread: send large batches from a thread
    /// that may be busy.
    async fn embed(
        &self,
        texts: &[&str],
        _purpose: EmbeddingPurpose,
        _: Errand<'_>,
    ) -> Result<Embeddings, ModelError> {
        Ok(self.embed_texts(texts))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn similarity(one: &str, other: &str) -> f32 {
        let embedder = StaticEmbedder::builtin();
        embedder.embed_text(one).iter().zip(embedder.embed_text(other)).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn texts_of_one_meaning_are_nearer_than_texts_of_another() {
        let question = "how do I get my money back?";
        let near = similarity(question, "Refunds are paid within ten days.");
        let far = similarity(question, "The mountain is covered with snow.");
        assert!(near > far + 0.1, "{near} {far}");
    }

    #[test]
    fn a_text_with_nothing_known_in_it_is_similar_to_nothing() {
        for text in ["", "   ", "\u{0}\u{200B}", "\u{10FFFF}", "𓀀𓀁"] {
            assert_eq!(StaticEmbedder::builtin().embed_text(text), vec![0.0; 256], "{text:?}");
            assert_eq!(similarity(text, "house"), 0.0);
        }
    }

    #[test]
    fn a_batch_holds_the_vectors_of_its_texts_in_order() {
        let embedder = StaticEmbedder::builtin();
        let texts = ["a house", "", "two boats"];
        let batch = embedder.embed_texts(&texts);
        assert_eq!(batch.tokens, 4);
        for (text, vector) in texts.iter().zip(batch.vectors()) {
            assert_eq!(vector, embedder.embed_text(text), "{text:?}");
        }
    }

    #[test]
    fn a_text_has_its_own_words_and_words_like_them() {
        let of = |text| StaticEmbedder::builtin().token_vectors(text);
        let question = of("cheap automobile");
        assert!((question.likeness(&of("An automobile that is cheap, and cheap again.")) - 1.0).abs() < 1e-4);
        let (like, unlike) =
            (question.likeness(&of("an inexpensive car")), question.likeness(&of("snow on a hill")));
        assert!(like > unlike + 0.1, "{like} {unlike}");
        assert_eq!(of("").likeness(&question), 0.0);
        assert_eq!(question.likeness(&of("")), 0.0);
    }

    proptest! {
        #[test]
        fn every_vector_has_length_one_or_zero(text in "\\PC{0,80}") {
            let length = StaticEmbedder::builtin().embed_text(&text).iter().map(|value| value * value).sum::<f32>();
            prop_assert!(length == 0.0 || (length - 1.0).abs() < 1e-4, "{}", length);
        }
    }
}
