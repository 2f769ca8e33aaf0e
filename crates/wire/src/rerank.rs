//! Reranking: a question and documents to one score per document. Requests are written as Cohere, Jina or Hugging Face's
//! text-embeddings-inference have them; vLLM, LiteLLM, llama.cpp and others take one of the first two. All answers are
//! read by the same code: they differ in the names of a few fields.

use bytes::{Bytes, BytesMut};
use mainstay_domain::port::Relevance;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::Value;

use crate::error::UpstreamError;
use crate::json::read::{self, Fields, Read};
use crate::json::write::Object;
use crate::openai::error;

/// Whose shape a request has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RerankShape {
    /// `POST /v2/rerank` of Cohere.
    Cohere,
    /// `POST /v1/rerank` of Jina.
    Jina,
    /// `POST /rerank` of text-embeddings-inference, which serves one model and does not ask for its name.
    TextEmbeddingsInference,
}

/// Writes a request for the scores of all documents.
pub fn encode_request(shape: RerankShape, model: &str, question: &str, documents: &[&str]) -> Bytes {
    let texts: usize = documents.iter().map(|document| document.len() + 3).sum();
    let mut out = BytesMut::with_capacity(256 + question.len() + texts);
    {
        let mut body = Object::new(&mut out);
        let list = match shape {
            RerankShape::TextEmbeddingsInference => "texts",
            RerankShape::Cohere | RerankShape::Jina => {
                body.text("model", model);
                "documents"
            }
        };
        body.text("query", question);
        {
            let mut list = body.array(list);
            documents.iter().for_each(|document| list.text(document));
        }
        match shape {
            RerankShape::Cohere => body.integer("top_n", documents.len()),
            RerankShape::Jina => {
                body.integer("top_n", documents.len());
                body.boolean("return_documents", false);
            }
            RerankShape::TextEmbeddingsInference => body.boolean("truncate", true),
        }
    }
    out.freeze()
}

/// Reads the answer to a request with `documents` documents: each must have exactly one score, and that a number.
pub fn decode_response(body: &[u8], documents: usize) -> Result<Relevance, UpstreamError> {
    let answer: Answer =
        serde_json::from_slice(body).map_err(|error| UpstreamError::unreadable(body, &error))?;
    if let Some(error) = answer.error.filter(|error| !error.is_null()) {
        return Err(error::read(&error, None));
    }
    let scores = in_order(&answer.results, documents)?;
    Ok(Relevance { scores, tokens: answer.tokens, searches: answer.searches })
}

/// The scores in the order of the documents.
fn in_order(results: &[ResultFields], documents: usize) -> Result<Vec<f32>, UpstreamError> {
    if results.len() != documents {
        let found = results.len();
        return Err(UpstreamError::malformed(format!(
            "the provider gave {found} scores for {documents} documents"
        )));
    }
    let mut scores = vec![None; documents];
    for result in results {
        let index = result.index.and_then(|index| usize::try_from(index).ok());
        let slot = index.and_then(|index| scores.get_mut(index)).ok_or_else(|| {
            UpstreamError::malformed("a score of the provider belongs to none of the documents")
        })?;
        let score = result.score.map(|score| score as f32).filter(|score| score.is_finite());
        let score = score.ok_or_else(|| UpstreamError::malformed("a score of the provider is no number"))?;
        if slot.replace(score).is_some() {
            return Err(UpstreamError::malformed("the provider gave two scores for one document"));
        }
    }
    // As many scores as documents, and no document has two: each has one.
    Ok(scores.into_iter().flatten().collect())
}

/// An answer: an object of which the results are a field, or the list of results itself.
#[derive(Default)]
struct Answer {
    results: Vec<ResultFields>,
    tokens: u64,
    searches: u64,
    error: Option<Value>,
}

impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnswerVisitor)
    }
}

struct AnswerVisitor;

impl<'de> Visitor<'de> for AnswerVisitor {
    type Value = Answer;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object or a list of results")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Answer, A::Error> {
        let mut answer = Answer::default();
        while let Some(Read(result)) = list.next_element()? {
            answer.results.push(result);
        }
        Ok(answer)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Answer, A::Error> {
        Read::deserialize(de::value::MapAccessDeserializer::new(object)).map(|Read(answer)| answer)
    }
}

impl<'de> Fields<'de> for Answer {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "results" => self.results = read::objects(object)?,
            // Jina and vLLM bill tokens, Cohere searches.
            "usage" => self.tokens = count(&object.next_value::<Value>()?["total_tokens"]),
            "meta" => self.searches = count(&object.next_value::<Value>()?["billed_units"]["search_units"]),
            "error" => self.error = object.next_value()?,
            _ => read::skip(object)?,
        }
        Ok(())
    }
}

#[derive(Default)]
struct ResultFields {
    index: Option<u64>,
    score: Option<f64>,
}

impl<'de> Fields<'de> for ResultFields {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "index" => self.index = object.next_value()?,
            "relevance_score" | "score" => self.score = object.next_value()?,
            _ => read::skip(object)?,
        }
        Ok(())
    }
}

/// A count of what is billed. Cohere writes whole numbers with a fraction.
fn count(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_f64().map(|count| count as u64)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use mainstay_domain::ModelErrorKind;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_that_do_not_fit_the_request_are_malformed() {
        for body in [
            r#"{"results":[{"index":0,"relevance_score":0.5}]}"#,
            r#"{"results":[{"index":0,"relevance_score":0.5},{"index":1,"relevance_score":0.5},{"index":2,"relevance_score":0.5}]}"#,
            r#"{"results":[{"index":0,"relevance_score":0.5},{"index":0,"relevance_score":0.5}]}"#,
            r#"{"results":[{"index":0,"relevance_score":0.5},{"index":2,"relevance_score":0.5}]}"#,
            r#"{"results":[{"index":0,"relevance_score":0.5},{"index":-1,"relevance_score":0.5}]}"#,
            r#"{"results":[{"index":0,"relevance_score":0.5},{"index":0.5,"relevance_score":0.5}]}"#,
            r#"{"results":[{"index":0,"relevance_score":0.5},{"relevance_score":0.5}]}"#,
            r#"{"results":[{"index":0,"relevance_score":0.5},{"index":1}]}"#,
            r#"{"results":[{"index":0,"relevance_score":0.5},{"index":1,"relevance_score":null}]}"#,
            r#"{"results":[{"index":0,"relevance_score":0.5},{"index":1,"relevance_score":NaN}]}"#,
            r#"{"results":[{"index":0,"relevance_score":0.5},{"index":1,"relevance_score":1e300}]}"#,
            r#"{"results":[{"index":0,"relevance_score":0.5},{"index":1,"relevance_score":"high"}]}"#,
            r#"{"results":null}"#,
            "[]",
            "null",
            "",
        ] {
            let error = decode_response(body.as_bytes(), 2).expect_err(body);
            assert_eq!(error.kind, ModelErrorKind::Malformed, "{body}");
        }
    }

    #[test]
    fn an_error_in_an_answer_that_looks_like_a_success_is_one() {
        let body = br#"{"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#;
        assert_eq!(decode_response(body, 2).unwrap_err().kind, ModelErrorKind::RateLimited);
    }

    proptest! {
        #[test]
        fn scores_are_put_in_the_order_of_the_documents(
            scores in proptest::collection::vec(-20f32..20.0, 0..30),
            order in any::<u64>(),
            bare in any::<bool>(),
        ) {
            let mut results: Vec<Value> = scores
                .iter()
                .enumerate()
                .map(|(index, score)| json!({ "index": index, if bare { "score" } else { "relevance_score" }: score }))
                .collect();
            results.sort_by_key(|result| result["index"].as_u64().unwrap_or(0).wrapping_add(1).wrapping_mul(order | 1));
            let body = if bare { json!(results) } else { json!({ "results": results }) };
            let relevance = decode_response(body.to_string().as_bytes(), scores.len()).unwrap();
            prop_assert_eq!(relevance.scores, scores);
        }
    }
}
