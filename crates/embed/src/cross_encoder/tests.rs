//! `counts-oil.onnx` is a graph of seven operators with the inputs and the output of a cross-encoder: it counts the token 6
//! in the second text.

use std::fs;
use std::time::Duration;

use mainstay_domain::{ChunkId, Deadline, ModelErrorKind, TimeoutPhase};
use serde_json::json;
use tempfile::TempDir;

use super::*;

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, content: &[u8]| fs::write(folder.path().join(name), content).expect(name);
    write("model.onnx", include_bytes!("counts-oil.onnx"));
    write("config.json", br#"{"max_position_embeddings": 16, "model_type": "bert"}"#);
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "decoder": null,
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "the": 4, "lamp": 5, "oil": 6, "burns": 7}},
    });
    write("tokenizer.json", tokenizer.to_string().as_bytes());
    folder
}

fn passage(text: &str) -> Passage {
    Passage::whole(ChunkId(1), "d", text)
}

async fn scores(texts: &[&str], time: Duration) -> Result<Vec<f32>, ModelError> {
    let (folder, clock) = (folder(), Clock::system());
    let model =
        CrossEncoder::from_folder("onnx/counts", folder.path(), clock).expect("the folder is complete");
    let candidates: Vec<Passage> = texts.iter().map(|text| passage(text)).collect();
    let deadline = Deadline::after(&clock, time);
    Ok(model.rerank("which oil oil oil", &candidates, Errand::until(deadline)).await?.scores)
}

#[tokio::test]
async fn each_passage_has_its_own_score_in_the_order_of_the_passages() {
    let long = "the lamp ".repeat(50);
    let texts = ["the lamp burns", "oil oil", "", &long, "oil"];
    let scores = scores(&texts, Duration::from_secs(600)).await.expect("the model runs");
    assert_eq!(scores, [0.0, 2.0, 0.0, 0.0, 1.0]);
    assert!(self::scores(&[], Duration::from_secs(600)).await.expect("nothing to do").is_empty());
}

#[tokio::test]
async fn what_is_not_wanted_in_time_is_not_computed() {
    let late = scores(&["oil"], Duration::ZERO).await.expect_err("no time");
    assert_eq!(late.kind, ModelErrorKind::Timeout(TimeoutPhase::Total));
}

#[test]
fn an_embedder_is_no_reranker() {
    let folder = folder();
    let embedder = include_bytes!("../../assets/minilm-l6-int8.onnx");
    fs::write(folder.path().join("model.onnx"), embedder).expect("writable");
    let refused = CrossEncoder::from_folder("onnx/minilm", folder.path(), Clock::system());
    let error = refused.err().expect("384 numbers are no score").to_string();
    assert!(error.contains("384 numbers") && error.contains("embedder"), "{error}");
}
