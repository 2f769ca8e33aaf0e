//! `POST /v1beta/models/{model}:batchEmbedContents`.

use bytes::{Bytes, BytesMut};
use mainstay_domain::port::{EmbeddingPurpose, Embeddings};
use serde::de::MapAccess;
use serde_json::Value;

use super::error;
use crate::error::UpstreamError;
use crate::json::read::{self, Fields, Read};
use crate::json::write::Object;
use crate::openai::embeddings::{check_dimension, embeddings};

/// Writes a request. `model` is without the prefix `models/`.
pub fn encode_request(
    model: &str,
    texts: &[&str],
    purpose: EmbeddingPurpose,
    dimensions: Option<usize>,
) -> Bytes {
    let model = format!("models/{model}");
    let task = match purpose {
        EmbeddingPurpose::Query => "RETRIEVAL_QUERY",
        EmbeddingPurpose::Passage => "RETRIEVAL_DOCUMENT",
    };
    let mut out = BytesMut::with_capacity(128 + texts.iter().map(|text| text.len() + 128).sum::<usize>());
    {
        let mut body = Object::new(&mut out);
        let mut requests = body.array("requests");
        for text in texts {
            let mut request = requests.object();
            request.text("model", &model);
            request.object("content").array("parts").object().text("text", text);
            request.text("taskType", task);
            request.optional_value("outputDimensionality", dimensions.as_ref());
        }
    }
    out.freeze()
}

#[derive(Default)]
struct AnswerFields {
    vectors: Vec<VectorFields>,
    tokens: u64,
    error: Option<Value>,
}

impl<'de> Fields<'de> for AnswerFields {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "embeddings" => self.vectors = read::objects(object)?,
            "usageMetadata" => {
                self.tokens = read::object::<UsageFields, A>(object)?.unwrap_or_default().prompt
            }
            "error" => self.error = object.next_value()?,
            _ => read::skip(object)?,
        }
        Ok(())
    }
}

#[derive(Default)]
struct VectorFields {
    values: Vec<f32>,
}

impl<'de> Fields<'de> for VectorFields {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "values" => self.values = object.next_value::<Option<_>>()?.unwrap_or_default(),
            _ => read::skip(object)?,
        }
        Ok(())
    }
}

#[derive(Default)]
struct UsageFields {
    prompt: u64,
}

impl<'de> Fields<'de> for UsageFields {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "promptTokenCount" => self.prompt = read::count(object)?.unwrap_or(0),
            _ => read::skip(object)?,
        }
        Ok(())
    }
}

/// Reads the answer to a request with `texts` texts. `tokens` is 0 where Gemini does not report them, as it did not
/// before 2026. Shortened vectors are not of length 1.
pub fn decode_response(body: &[u8], texts: usize) -> Result<Embeddings, UpstreamError> {
    let Read(answer) = serde_json::from_slice::<Read<AnswerFields>>(body)
        .map_err(|error| UpstreamError::unreadable(body, &error))?;
    if let Some(error) = answer.error.filter(|error| !error.is_null()) {
        return Err(error::read(&error, None));
    }
    let mut values = Vec::new();
    let mut dimension = None;
    for vector in answer.vectors {
        check_dimension(&mut dimension, vector.values.len())?;
        values.extend(vector.values);
    }
    embeddings(values, dimension, texts, answer.tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_one_request_per_text_with_its_purpose() {
        let body = encode_request("gemini-embedding-001", &["a", "b"], EmbeddingPurpose::Query, Some(256));
        assert_eq!(
            std::str::from_utf8(&body).unwrap(),
            r#"{"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":256},{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"b"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":256}]}"#
        );
    }

    #[test]
    fn vectors_are_read_in_order_and_counted() {
        let body = br#"{"embeddings":[{"values":[0.5,1]},{"values":[2,3]}]}"#;
        assert_eq!(decode_response(body, 2).unwrap().values, [0.5, 1.0, 2.0, 3.0]);
        assert!(decode_response(body, 3).is_err());
    }
}
