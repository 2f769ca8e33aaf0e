//! Embeddings without a model: a text is the sum of a pseudo-random vector per word, so texts that share words are near.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::api::{Api, ApiError, only_known};

/// The vector of a text, of length 1; zeros for a text without words.
pub fn embedding(text: &str, dimension: usize) -> Vec<f32> {
    let mut sum = vec![0f32; dimension];
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let hash = Sha256::digest(word.to_lowercase().as_bytes());
        for pair in hash.chunks_exact(4) {
            let place = u16::from_le_bytes([pair[0], pair[1]]) as usize % dimension;
            sum[place] += if pair[2] & 1 == 0 { 1.0 } else { -1.0 };
        }
    }
    let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        sum.iter_mut().for_each(|x| *x /= length);
    }
    sum
}

/// The dimension of a model's vectors where the request does not say.
fn default_dimension(model: &str) -> usize {
    match model {
        "text-embedding-3-large" | "gemini-embedding-001" => 3072,
        "text-embedding-3-small" | "text-embedding-ada-002" => 1536,
        _ => 384,
    }
}

/// What is to be embedded.
pub(super) struct Wanted {
    model: String,
    texts: Vec<String>,
    dimension: usize,
    base64: bool,
}

/// Checks a request of OpenAI's `POST /embeddings`.
pub(super) fn check_openai(api: Api, body: &Value) -> Result<Wanted, ApiError> {
    let body = body.as_object().ok_or_else(|| ApiError::bad("the body is not a JSON object"))?;
    if api == Api::OpenAi {
        only_known(body, &["model", "input", "dimensions", "encoding_format", "user"], |name| {
            ApiError::bad(format!("Unrecognized request argument supplied: {name}")).param(name)
        })?;
    }
    let model = body
        .get("model")
        .and_then(Value::as_str)
        .ok_or_else(|| ApiError::bad("you must provide a model parameter"))?;
    let texts = match body.get("input") {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(items)) if !items.is_empty() && items.len() <= 2048 => {
            items.iter().map(input_text).collect::<Result<_, _>>()?
        }
        _ => return Err(invalid_input()),
    };
    if texts.iter().any(String::is_empty) {
        return Err(invalid_input());
    }
    Ok(Wanted {
        model: model.to_owned(),
        dimension: dimension(body, "dimensions", model)?,
        base64: body.get("encoding_format").and_then(Value::as_str) == Some("base64"),
        texts,
    })
}

fn invalid_input() -> ApiError {
    ApiError::bad(
        "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.",
    )
}

/// A text, or a list of tokens, which stand for themselves.
fn input_text(item: &Value) -> Result<String, ApiError> {
    match item {
        Value::String(text) => Ok(text.clone()),
        Value::Array(tokens) if tokens.iter().all(Value::is_u64) && !tokens.is_empty() => {
            Ok(tokens.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        }
        Value::Number(token) => Ok(token.to_string()),
        _ => Err(invalid_input()),
    }
}

fn dimension(body: &Map<String, Value>, name: &str, model: &str) -> Result<usize, ApiError> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(default_dimension(model)),
        Some(value) => value
            .as_u64()
            .filter(|dimension| (1..=4096).contains(dimension))
            .map(|dimension| dimension as usize)
            .ok_or_else(|| ApiError::bad(format!("Invalid value for '{name}'.")).param(name)),
    }
}

/// OpenAI's answer; the vectors last to first where `shuffled`.
pub(super) fn answer_openai(wanted: &Wanted, shuffled: bool) -> Value {
    let mut data: Vec<Value> = wanted
        .texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let vector = embedding(text, wanted.dimension);
            let vector = if wanted.base64 {
                let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
                STANDARD.encode(bytes).into()
            } else {
                json!(vector)
            };
            json!({ "object": "embedding", "index": index, "embedding": vector })
        })
        .collect();
    if shuffled {
        data.reverse();
    }
    let tokens: usize = wanted.texts.iter().map(|text| text.split_whitespace().count()).sum();
    json!({
        "object": "list", "data": data, "model": wanted.model,
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
    })
}

/// Checks a request of Gemini's `batchEmbedContents`.
pub(super) fn check_gemini(model: &str, body: &Value) -> Result<Wanted, ApiError> {
    let requests = body["requests"].as_array().filter(|requests| (1..=100).contains(&requests.len()));
    let requests = requests.ok_or_else(|| {
        ApiError::bad(
            "* BatchEmbedContentsRequest.requests: between 1 and 100 requests are allowed in one batch",
        )
    })?;
    let mut texts = Vec::new();
    let mut wanted_dimension = default_dimension(model);
    for request in requests {
        if request["model"] != format!("models/{model}") {
            return Err(ApiError::bad(
                "* BatchEmbedContentsRequest.requests[0].model: unexpected model name format",
            ));
        }
        let text = super::prompt::text_of(&request["content"]["parts"]);
        if text.is_empty() {
            return Err(ApiError::bad("* EmbedContentRequest.content: content is empty"));
        }
        texts.push(text);
        if let Some(fields) = request.as_object() {
            wanted_dimension = dimension(fields, "outputDimensionality", model)?;
        }
    }
    Ok(Wanted { model: model.to_owned(), texts, dimension: wanted_dimension, base64: false })
}

/// Gemini's answer. As the real one, it normalises only vectors of full dimension.
pub(super) fn answer_gemini(wanted: &Wanted) -> Value {
    let full = wanted.dimension == default_dimension(&wanted.model);
    let embeddings: Vec<Value> = wanted
        .texts
        .iter()
        .map(|text| {
            let scale = if full { 1.0 } else { 0.7 };
            let values: Vec<f32> = embedding(text, wanted.dimension).iter().map(|x| x * scale).collect();
            json!({ "values": values })
        })
        .collect();
    json!({ "embeddings": embeddings })
}
