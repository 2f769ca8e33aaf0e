//! The built-in embedder.

use std::sync::LazyLock;

use async_trait::async_trait;
use mainstay_domain::ModelError;
use mainstay_domain::port::{Embedder, EmbeddingPurpose, Embeddings, Errand};
use rayon::prelude::*;

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

    /// How far each of the texts has every token of the question, or one like it: the greatest cosine of each with one of the
    /// text's, 0 where none is positive, weighted by what the token says, which is the length of its vector in the table, small
    /// for words that are everywhere. 0 to 1. A token that several texts have is compared once.
    pub fn likenesses(&self, question: &str, texts: &[&str]) -> Vec<f32> {
        let asked: Vec<(f32, [f32; Self::DIMENSION])> =
            self.rows_of(question).into_iter().map(|row| self.length_and_direction(row)).collect();
        let total: f32 = asked.iter().map(|(weight, _)| weight).sum();
        let of_texts: Vec<Vec<u32>> = texts.par_iter().map(|text| self.rows_of(text)).collect();
        let mut rows = of_texts.concat();
        rows.sort_unstable();
        rows.dedup();
        // Of each row with each token of the question.
        let compare = |row: &u32| {
            let (_, vector) = self.length_and_direction(*row);
            asked.iter().map(|(_, asked)| dot(asked, &vector)).collect::<Vec<f32>>()
        };
        let cosines: Vec<Vec<f32>> = rows.par_iter().with_min_len(64).map(compare).collect();
        let likeness = |of_text: &Vec<u32>| {
            let mut nearest = vec![0.0f32; asked.len()];
            let mut at = 0;
            for row in of_text {
                // Both are in order.
                at += rows[at..].iter().take_while(|other| *other < row).count();
                nearest
                    .iter_mut()
                    .zip(&cosines[at])
                    .for_each(|(nearest, cosine)| *nearest = nearest.max(*cosine));
            }
            let found: f32 = asked.iter().zip(nearest).map(|((weight, _), nearest)| weight * nearest).sum();
            if total > 0.0 { (found / total).min(1.0) } else { 0.0 }
        };
        of_texts.iter().map(likeness).collect()
    }

    /// The rows of a text's tokens, each once, in order.
    fn rows_of(&self, text: &str) -> Vec<u32> {
        let mut rows = Vec::new();
        self.tokenizer.visit_tokens(text, |row| rows.extend(row));
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    fn length_and_direction(&self, row: u32) -> (f32, [f32; Self::DIMENSION]) {
        let mut vector = [0.0; Self::DIMENSION];
        self.table.add_row(row, &mut vector);
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        normalise(&mut vector);
        (length, vector)
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
        let embedder = StaticEmbedder::builtin();
        let texts =
            ["An automobile that is cheap, and cheap again.", "an inexpensive car", "snow on a hill", ""];
        let likenesses = embedder.likenesses("cheap automobile", &texts);
        let [same, like, unlike, nothing] = likenesses[..] else { panic!("{likenesses:?}") };
        assert!((same - 1.0).abs() < 1e-4 && like > unlike + 0.1 && nothing == 0.0, "{likenesses:?}");
        // What stands beside a text does not count for it.
        assert_eq!(embedder.likenesses("cheap automobile", &texts[1..2]), [like]);
        assert_eq!(embedder.likenesses("", &texts), [0.0; 4]);
    }

    proptest! {
        #[test]
        fn every_vector_has_length_one_or_zero(text in "\\PC{0,80}") {
            let length = StaticEmbedder::builtin().embed_text(&text).iter().map(|value| value * value).sum::<f32>();
            prop_assert!(length == 0.0 || (length - 1.0).abs() < 1e-4, "{}", length);
        }
    }
}
