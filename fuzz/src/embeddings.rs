//! Vectors and scores.

use mainstay_domain::port::Embeddings;
use mainstay_wire::openai::embeddings::{EmbeddingsInput, VectorEncoding};
use mainstay_wire::{gemini, openai, rerank};

use crate::parts::choice;

/// Requests have something to embed; answers have a vector of finite numbers for each text, which reads back as it was.
pub(crate) fn openai(data: &[u8]) {
    let (texts, data) = choice(data);
    let texts = usize::from(texts % 4);
    if let Ok(request) = openai::embeddings::decode_request(data) {
        let is_something = match &request.input {
            EmbeddingsInput::Texts(texts) => !texts.is_empty() && texts.iter().all(|text| !text.is_empty()),
            EmbeddingsInput::Tokens(texts) => !texts.is_empty() && texts.iter().all(|text| !text.is_empty()),
        };
        assert!(is_something && !request.model.is_empty(), "nothing to embed");
    }
    let Ok(embeddings) = openai::embeddings::decode_response(data, texts) else { return };
    check(&embeddings, texts);
    for encoding in [VectorEncoding::Float, VectorEncoding::Base64] {
        let body = openai::embeddings::encode_response(&embeddings, "m", encoding);
        let again = openai::embeddings::decode_response(&body, texts).expect("what we write can be read");
        assert_eq!(again.values, embeddings.values);
    }
}

/// The answers of Gemini.
pub(crate) fn gemini(data: &[u8]) {
    let (texts, data) = choice(data);
    let texts = usize::from(texts % 4);
    if let Ok(embeddings) = gemini::embeddings::decode_response(data, texts) {
        check(&embeddings, texts);
    }
}

fn check(embeddings: &Embeddings, texts: usize) {
    assert_eq!(embeddings.values.len(), embeddings.dimension * texts);
    assert_eq!(embeddings.vectors().len(), texts);
    assert!(
        embeddings.values.iter().all(|value| value.is_finite()),
        "a vector of something else than numbers"
    );
}

/// Every document has one score, and that is a number.
pub(crate) fn rerank(data: &[u8]) {
    let (documents, data) = choice(data);
    let documents = usize::from(documents % 4);
    if let Ok(relevance) = rerank::decode_response(data, documents) {
        assert_eq!(relevance.scores.len(), documents);
        assert!(relevance.scores.iter().all(|score| score.is_finite()));
    }
}
