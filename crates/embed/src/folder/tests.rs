use std::time::Duration;

use mainstay_domain::port::{Embedder, EmbeddingPurpose, Errand};
use mainstay_domain::{Clock, Deadline};
use serde_json::{Map, json};
use tempfile::TempDir;

use super::*;
use crate::transformer::{FolderOptions, Transformer};

/// The built-in transformer as a folder, with a tokeniser by the reference implementation.
fn minilm_folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, content: &[u8]| fs::write(folder.path().join(name), content).expect(name);
    write("model.onnx", include_bytes!("../../assets/minilm-l6-int8.onnx"));
    write("config.json", br#"{"max_position_embeddings": 512, "model_type": "bert"}"#);
    write("sentence_bert_config.json", br#"{"max_seq_length": 256}"#);
    let rows = include_str!("../../assets/minilm-l6-vocabulary.txt").lines().enumerate();
    let special = [("[PAD]", 0), ("[UNK]", 100), ("[CLS]", 101), ("[SEP]", 102), ("[MASK]", 103)];
    let special = special.map(|(token, id)| (token.to_owned(), json!(id)));
    let vocabulary: Map<String, serde_json::Value> =
        special.into_iter().chain(rows.map(|(row, token)| (token.to_owned(), json!(row + 999)))).collect();
    let tokenizer = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 102], "cls": ["[CLS]", 101]},
        "decoder": null,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary},
    });
    write("tokenizer.json", tokenizer.to_string().as_bytes());
    folder
}

async fn embed(model: &Transformer, text: &str) -> Vec<f32> {
    let deadline = Deadline::after(&Clock::system(), Duration::from_secs(600));
    model
        .embed(&[text], EmbeddingPurpose::Query, Errand::until(deadline))
        .await
        .expect("the model runs")
        .values
}

#[tokio::test]
async fn the_built_in_model_read_from_a_folder_gives_the_same_vectors() {
    let folder = minilm_folder();
    let clock = Clock::system();
    let read = Transformer::from_folder("local/minilm", folder.path(), FolderOptions::default(), clock)
        .expect("the folder is complete");
    assert_eq!(read.dimension(), Transformer::MINILM_DIMENSION);
    let built_in = Transformer::minilm(clock);
    let long = "The keeper winds the clock every evening. ".repeat(100);
    for text in ["how do I get my money back?", "Déjà vu: 東京 (Tokyo) [sic] 🎉", "", &long] {
        assert_eq!(embed(&read, text).await, embed(&built_in, text).await, "{text:?}");
    }
}

#[tokio::test]
async fn a_prefix_is_put_before_the_text() {
    let folder = minilm_folder();
    let clock = Clock::system();
    let options = FolderOptions { query_prefix: Some("query: ".to_owned()), ..FolderOptions::default() };
    let read = Transformer::from_folder("local/e5", folder.path(), options, clock).expect("complete");
    let expected = embed(&Transformer::minilm(clock), "query: lamp oil").await;
    assert_eq!(embed(&read, "lamp oil").await, expected);
}

#[test]
fn another_model_under_the_same_name_is_noticed() {
    let folder = minilm_folder();
    let name_of = || {
        let read =
            Transformer::from_folder("local/m", folder.path(), FolderOptions::default(), Clock::system());
        read.expect("the folder is complete").model().to_owned()
    };
    let before = name_of();
    assert_eq!(name_of(), before);
    let mut tokenizer = fs::read(folder.path().join("tokenizer.json")).expect("there");
    tokenizer.push(b'\n');
    fs::write(folder.path().join("tokenizer.json"), tokenizer).expect("writable");
    assert_ne!(name_of(), before);
}

#[test]
fn what_is_missing_or_unfit_is_named() {
    let folder = minilm_folder();
    let error = || match Folder::read(folder.path()) {
        Ok(_) => panic!("the folder is not fit"),
        Err(error) => error.to_string(),
    };
    fs::write(folder.path().join("model.onnx"), b"not a model").expect("writable");
    assert!(error().contains("model.onnx"), "{}", error());
    fs::write(folder.path().join("tokenizer.json"), b"{}").expect("writable");
    assert!(error().contains("tokenizer.json"), "{}", error());
    fs::remove_file(folder.path().join("config.json")).expect("removable");
    assert!(error().contains("config.json"), "{}", error());
    fs::remove_file(folder.path().join("model.onnx")).expect("removable");
    assert!(error().contains("expected is one of model.onnx"), "{}", error());
}
