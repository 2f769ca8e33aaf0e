//! `golden.json` was written once by the `sentence-transformers` Python package 6.2.0 with all-MiniLM-L6-v2 in f32.

use std::time::Duration;

use mainstay_domain::{Deadline, ModelErrorKind, TimeoutPhase};
use serde::Deserialize;

use super::*;
use crate::network::TOKENS_PER_RUN;

#[derive(Deserialize)]
struct Golden {
    text: String,
    vector: Vec<f32>,
}

async fn embed_multi(texts: &[&str], purpose: EmbeddingPurpose) -> (Embeddings, Vec<MultiVector>) {
    let clock = Clock::system();
    let deadline = Deadline::after(&clock, Duration::from_secs(600));
    let embedded = Transformer::minilm(clock).embed_multi(texts, purpose, Errand::until(deadline)).await;
    embedded.expect("the built-in model runs")
}

async fn embed(texts: &[&str]) -> Embeddings {
    embed_multi(texts, EmbeddingPurpose::Passage).await.0
}

fn cosine(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

#[tokio::test]
async fn vectors_are_those_of_the_reference_implementation() {
    let golden: Vec<Golden> = serde_json::from_str(include_str!("golden.json")).expect("valid JSON");
    for Golden { text, vector } in golden {
        let embedded = embed(&[&text]).await;
        assert_eq!(embedded.dimension, Transformer::MINILM_DIMENSION);
        let cosine = cosine(&vector, &embedded.values);
        assert!(cosine > 0.985, "{text:?}: {cosine}");
    }
}

#[tokio::test]
async fn a_text_with_nothing_known_in_it_is_similar_to_nothing() {
    let embedded = embed(&["", " \n", "𓀀𓀁", "a house"]).await;
    let lengths: Vec<f32> = embedded.vectors().map(|vector| cosine(vector, vector).round()).collect();
    assert_eq!(lengths, [0.0, 0.0, 0.0, 1.0]);
}

#[tokio::test]
async fn a_text_has_vectors_of_its_tokens_too() {
    let texts = ["the lamp burns oil", "", "oil"];
    let (_, asked) = embed_multi(&texts, EmbeddingPurpose::Query).await;
    let (_, passages) = embed_multi(&texts, EmbeddingPurpose::Passage).await;
    let counts = |multi: &[MultiVector]| multi.iter().map(|multi| multi.vectors().len()).collect::<Vec<_>>();
    assert_eq!((counts(&asked), counts(&passages)), (vec![4, 0, 1], vec![2, 0, 1]));
    let all = asked.iter().chain(&passages).flat_map(MultiVector::vectors);
    assert!(all.into_iter().all(|vector| (cosine(vector, vector) - 1.0).abs() < 1e-3));
    // The last two tokens of the passage share a vector that is near to both.
    let (tokens, pairs): (Vec<_>, Vec<_>) = (asked[0].vectors().collect(), passages[0].vectors().collect());
    assert!(tokens[2..].iter().all(|token| cosine(token, pairs[1]) > cosine(token, pairs[0])));
}

#[tokio::test]
async fn a_text_has_nearly_the_same_vector_in_whatever_company() {
    let text = "The lamp burns colza oil.";
    let long = "The keeper winds the clock every evening and writes the hour into the book. ".repeat(30);
    let alone = embed(&[text]).await;
    let together = embed(&[&long, text, ""]).await;
    let ours = together.vectors().nth(1).expect("three texts have three vectors");
    // The scale of the activations is shared by a run, so the last digits differ.
    assert!(cosine(&alone.values, ours) > 0.98);
}

#[tokio::test]
async fn what_is_not_wanted_in_time_is_not_computed() {
    let clock = Clock::system();
    let deadline = Deadline::after(&clock, Duration::ZERO);
    let late =
        Transformer::minilm(clock).embed(&["a text"], EmbeddingPurpose::Query, Errand::until(deadline)).await;
    assert_eq!(late.expect_err("no time").kind, ModelErrorKind::Timeout(TimeoutPhase::Total));
}

#[test]
fn texts_that_are_run_together_fit_and_none_is_forgotten() {
    let lengths = [3, 256, 256, 256, 256, 256, 40, 900, 7];
    let tokens: Vec<Tokens> =
        lengths.iter().map(|&length| Tokens { ids: vec![1; length], first: length, blank: false }).collect();
    let runs = runs(&tokens);
    for run in &runs {
        let longest = run.iter().map(|&member| tokens[member].ids.len()).max().expect("no run is empty");
        assert!(run.len() == 1 || run.len() * longest <= TOKENS_PER_RUN, "{run:?}");
    }
    let mut members: Vec<usize> = runs.into_iter().flatten().collect();
    members.sort_unstable();
    assert_eq!(members, (0..lengths.len()).collect::<Vec<_>>());
}
