//! The built-in reranker: a weighted sum, with weights that were trained on questions whose answers are known.

use async_trait::async_trait;
use mainstay_domain::port::{Errand, Relevance, Reranker};
use mainstay_domain::{ModelError, Passage};
use mainstay_text::is_asked;

use crate::rerank::features::{Features, features};

/// Orders passages by the score of the fusion and what else there is to see of them ([`features`]); takes some milliseconds for
/// twenty passages.
///
/// It helps questions that are asked in sentences. The order of keywords, codes, titles and long descriptions is left as it
/// is: measured on sets that it was not trained on, it would be worse. `assets/reranker.md` says what it was trained on and what it is
/// worth.
#[derive(Clone, Copy, Debug, Default)]
pub struct BuiltinReranker;

impl BuiltinReranker {
    /// Its name.
    pub const MODEL: &str = "builtin/linear";

    /// Questions of more words describe a subject: where the words stand in a passage says nothing then, on any set, and
    /// of abstracts it misleads. Languages that are written without spaces have no long questions by this count.
    pub const MOST_WORDS: usize = 16;

    /// What each feature counts beside the score of the fusion, which counts 1. Made by `mainstay-bench train-reranker`.
    pub const WEIGHTS: [f32; Features::COUNT] = [0.44, 0.05, 0.41, 0.32, 0.07];
}

#[async_trait]
impl Reranker for BuiltinReranker {
    fn model(&self) -> &str {
        Self::MODEL
    }

    fn is_for(&self, question: &str) -> bool {
        is_asked(question) && question.split_whitespace().count() <= Self::MOST_WORDS
    }

    async fn rerank(
        &self,
        question: &str,
        candidates: &[Passage],
        _: Errand<'_>,
    ) -> Result<Relevance, ModelError> {
        let fused: Vec<f32> = candidates.iter().map(|passage| passage.score.fused).collect();
        let (question, candidates) = (question.to_owned(), candidates.to_vec());
        // Milliseconds of work: not on a thread that others' requests wait for.
        let seen = match tokio::task::spawn_blocking(move || features(&question, &candidates)).await {
            Ok(seen) => seen,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The process stops: nothing is moved.
                Err(_) => return Ok(Relevance::unbilled(fused)),
            },
        };
        let scores = fused.into_iter().zip(seen).map(|(fused, Features(seen))| {
            fused + Self::WEIGHTS.iter().zip(seen).map(|(weight, value)| weight * value).sum::<f32>()
        });
        Ok(Relevance::unbilled(scores.collect()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mainstay_domain::citation::PassageScore;
    use mainstay_domain::{ChunkId, Clock, Deadline};

    use super::*;

    fn passage(position: usize, text: &str, fused: f32) -> Passage {
        Passage {
            score: PassageScore { fused, fused_rank: position + 1, ..PassageScore::default() },
            ..Passage::whole(ChunkId(position as u64), &format!("d{position}"), text)
        }
    }

    async fn best(question: &str, texts: &[&str]) -> usize {
        let candidates: Vec<Passage> = texts
            .iter()
            .enumerate()
            .map(|(position, text)| passage(position, text, 0.9 - position as f32 * 0.05))
            .collect();
        let deadline = Deadline::after(&Clock::system(), Duration::from_secs(60));
        let relevance = BuiltinReranker
            .rerank(question, &candidates, Errand::until(deadline))
            .await
            .expect("it cannot fail");
        assert!(relevance.scores.iter().all(|score| score.is_finite()));
        let scores = relevance.scores.iter().enumerate();
        scores.max_by(|a, b| a.1.total_cmp(b.1)).map(|(position, _)| position).unwrap_or_default()
    }

    const SCATTERED: &str = "The lighthouse was painted in spring. Nobody remembers who did it. A keeper lived there \
        with his family for many years. They had a clock. In winter the storms came and the road was closed. \
        Wound wires held the mast.";
    const TOGETHER: &str = "Every evening the keeper of the lighthouse wound the clock.";

    #[tokio::test]
    async fn a_passage_that_has_the_words_of_the_question_together_moves_up() {
        assert_eq!(best("Who wound the clock of the lighthouse?", &[SCATTERED, TOGETHER]).await, 1);
    }

    #[test]
    fn keywords_and_long_descriptions_are_not_for_it() {
        assert!(BuiltinReranker.is_for("Who wound the clock of the lighthouse?"));
        assert!(!BuiltinReranker.is_for("lighthouse clock wound"));
        let long = "Who wound the clock of the lighthouse, if one asks what is known of the men that lived there once?";
        assert!(long.split_whitespace().count() > BuiltinReranker::MOST_WORDS);
        assert!(!BuiltinReranker.is_for(long));
    }

    #[tokio::test]
    async fn odd_questions_and_passages_have_scores() {
        for question in ["", "?", "什么是灯塔？", "🎉🎉?", "the of and?", &"why ".repeat(2_000)] {
            best(question, &[SCATTERED, "", "灯塔是什么", "🎉", "\u{0}"]).await;
        }
    }
}
