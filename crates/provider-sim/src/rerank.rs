//! Reranking without a model: a document is as relevant as it has of the question's words.

use std::collections::HashSet;

use http::request::Parts;
use serde_json::{Map, Value, json};

use super::Fault;
use super::api::{ApiError, only_known};
use super::openai::check_key;

/// Whose API it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    /// Cohere's second version, as <https://docs.cohere.com/reference/rerank> has it.
    Cohere,
    /// Jina's, as <https://api.jina.ai/redoc> has it.
    Jina,
    /// Jina's from a server that wants no key and takes any field.
    Compatible,
    /// Hugging Face's text-embeddings-inference, without a key.
    Tei,
}

/// How relevant a document is: the share of the question's words that it has, 0 to 1.
pub fn relevance(question: &str, document: &str) -> f64 {
    let words = |text: &str| -> HashSet<String> {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_lowercase).collect()
    };
    let (asked, has) = (words(question), words(document));
    asked.intersection(&has).count() as f64 / asked.len().max(1) as f64
}

/// What is to be ranked.
pub(super) struct Wanted {
    model: String,
    question: String,
    documents: Vec<String>,
    most: usize,
}

/// Most documents that text-embeddings-inference takes, unless it is told otherwise.
const TEI_DOCUMENTS: usize = 32;

/// Checks a request.
pub(super) fn check(shape: Shape, head: &Parts, body: &Value) -> Result<Wanted, ApiError> {
    if matches!(shape, Shape::Cohere | Shape::Jina) {
        check_key(head)?;
    }
    let body = body.as_object().ok_or_else(|| ApiError::bad("the body is not a JSON object"))?;
    let known: &[&str] = match shape {
        Shape::Cohere => &["model", "query", "documents", "top_n", "max_tokens_per_doc", "priority"],
        Shape::Jina => &["model", "query", "documents", "top_n", "return_documents"],
        Shape::Tei => &["query", "texts", "raw_scores", "return_text", "truncate", "truncation_direction"],
        Shape::Compatible => &[],
    };
    if shape != Shape::Compatible {
        only_known(body, known, |name| ApiError::new(422, format!("unknown field: parameter '{name}'")))?;
    }
    let documents = texts(body, if shape == Shape::Tei { "texts" } else { "documents" })?;
    if shape == Shape::Tei && documents.len() > TEI_DOCUMENTS {
        let found = documents.len();
        let message = format!("batch size {found} > maximum allowed batch size {TEI_DOCUMENTS}");
        return Err(ApiError::new(422, message));
    }
    let most = body.get("top_n").and_then(Value::as_u64).map_or(documents.len(), |most| most as usize);
    Ok(Wanted {
        model: if shape == Shape::Tei { String::new() } else { text(body, "model")? },
        question: text(body, "query")?,
        documents,
        most,
    })
}

fn text(body: &Map<String, Value>, name: &str) -> Result<String, ApiError> {
    let text = body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| ApiError::bad(format!("invalid request: {name} must not be empty")))
}

fn texts(body: &Map<String, Value>, name: &str) -> Result<Vec<String>, ApiError> {
    let invalid = || ApiError::bad(format!("invalid request: {name} must be a list of at least one text"));
    let items = body.get(name).and_then(Value::as_array).filter(|items| !items.is_empty());
    let items = items.ok_or_else(invalid)?;
    items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(invalid)).collect()
}

/// The answer: the most relevant document first.
pub(super) fn answer(shape: Shape, wanted: &Wanted, fault: Fault) -> Value {
    let mut scores: Vec<(usize, f64)> =
        wanted.documents.iter().map(|document| relevance(&wanted.question, document)).enumerate().collect();
    scores.sort_by(|a, b| b.1.total_cmp(&a.1));
    scores.truncate(wanted.most);
    match fault {
        Fault::MissingScore => drop(scores.pop()),
        Fault::DoubledScore => scores[0].0 = scores[scores.len() - 1].0,
        Fault::StrangeIndex => scores[0].0 = wanted.documents.len(),
        _ => {}
    }
    let name = if shape == Shape::Tei { "score" } else { "relevance_score" };
    let mut results: Vec<Value> =
        scores.into_iter().map(|(index, score)| json!({ "index": index, name: score })).collect();
    if fault == Fault::NullScore {
        results[0][name] = Value::Null;
    }
    let words: usize = wanted.documents.iter().map(|document| document.split_whitespace().count()).sum();
    let mut answer = match shape {
        Shape::Tei => return results.into(),
        Shape::Cohere => json!({
            "id": "stand-in",
            "meta": {
                "api_version": { "version": "2" },
                "billed_units": { "search_units": wanted.documents.len().div_ceil(100) as f64 },
            },
        }),
        Shape::Jina | Shape::Compatible => {
            json!({ "model": wanted.model, "object": "list", "usage": { "total_tokens": words } })
        }
    };
    answer["results"] = results.into();
    answer
}

/// The body of an error.
pub(super) fn error(shape: Shape, error: &ApiError) -> Value {
    match shape {
        Shape::Cohere => json!({ "id": "stand-in", "message": error.message }),
        Shape::Jina | Shape::Compatible => json!({ "detail": error.message }),
        Shape::Tei => json!({ "error": error.message, "error_type": "Validation" }),
    }
}
