//! `POST /v1/embeddings`.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use mainstay_domain::port::Embeddings;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use crate::error::{RequestError, UpstreamError};
use crate::json::checked::{self, Path};
use crate::json::read::{self, Fields, Read};
use crate::json::write::Object;
use crate::openai::error;

/// A caller's request.
#[derive(Clone, PartialEq, Debug)]
pub struct EmbeddingsRequest {
    /// The model, as the caller wrote it.
    pub model: String,
    /// What is to be embedded.
    pub input: EmbeddingsInput,
    /// How the caller wants the vectors.
    pub encoding: VectorEncoding,
    /// Numbers per vector, where the model can shorten them.
    pub dimensions: Option<u64>,
    /// The caller's own id of the end user.
    pub user: Option<String>,
}

/// What is to be embedded: at least one thing, none of them empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EmbeddingsInput {
    /// Texts.
    Texts(Vec<String>),
    /// Texts as tokens of the named model's vocabulary, as LangChain's OpenAI class sends them unless told otherwise
    /// (`check_embedding_ctx_length=False`). Only a provider with that vocabulary understands them.
    Tokens(Vec<Vec<u32>>),
}

/// How vectors are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum VectorEncoding {
    /// Arrays of numbers.
    #[default]
    Float,
    /// Base64 of 32-bit little-endian numbers: what the official clients ask for.
    Base64,
}

/// Reads a caller's request.
pub fn decode_request(body: &[u8]) -> Result<EmbeddingsRequest, RequestError> {
    let root = Path::Root;
    let (mut model, mut input, mut user, mut dimensions) = (None, None, None, None);
    let mut encoding = VectorEncoding::Float;
    for (name, value) in checked::body(body)? {
        let path = root.field(&name);
        match name.as_str() {
            "model" => model = checked::nonempty_string(value, &path)?,
            "input" => input = decode_input(value, &path)?,
            "encoding_format" => encoding = decode_encoding(value, &path)?,
            "dimensions" => dimensions = checked::whole_number(value, &path, 1..=65_536)?,
            "user" => user = checked::string(value, &path)?,
            _ => {}
        }
    }
    Ok(EmbeddingsRequest {
        model: model.ok_or_else(|| RequestError::missing(&root.field("model")))?,
        input: input.ok_or_else(|| RequestError::missing(&root.field("input")))?,
        encoding,
        dimensions,
        user,
    })
}

fn decode_encoding(value: Value, path: &Path<'_>) -> Result<VectorEncoding, RequestError> {
    match checked::string(value, path)?.as_deref() {
        None | Some("float") => Ok(VectorEncoding::Float),
        Some("base64") => Ok(VectorEncoding::Base64),
        Some(_) => Err(RequestError::invalid_value(path, "must be `float` or `base64`")),
    }
}

fn decode_input(value: Value, path: &Path<'_>) -> Result<Option<EmbeddingsInput>, RequestError> {
    let items = match value {
        Value::Null => return Ok(None),
        Value::String(text) => return Ok(Some(EmbeddingsInput::Texts(vec![nonempty(text, path)?]))),
        Value::Array(items) if items.is_empty() => return Err(RequestError::empty_array(path)),
        Value::Array(items) => items,
        other => return Err(checked::wrong_type(&other, path, "a string or an array")),
    };
    match &items[0] {
        Value::String(_) => {
            let texts = items.into_iter().enumerate().map(|(index, text)| {
                let path = path.index(index);
                match text {
                    Value::String(text) => nonempty(text, &path),
                    other => Err(checked::wrong_type(&other, &path, "a string")),
                }
            });
            texts.collect::<Result<_, _>>().map(EmbeddingsInput::Texts).map(Some)
        }
        Value::Number(_) => decode_tokens(items, path).map(|text| Some(EmbeddingsInput::Tokens(vec![text]))),
        Value::Array(_) => {
            let texts = items.into_iter().enumerate().map(|(index, text)| {
                let path = path.index(index);
                match checked::nonempty_array(text, &path)? {
                    Some(tokens) => decode_tokens(tokens, &path),
                    None => Err(RequestError::missing(&path)),
                }
            });
            texts.collect::<Result<_, _>>().map(EmbeddingsInput::Tokens).map(Some)
        }
        other => Err(checked::wrong_type(other, &path.index(0), "a string or an array of tokens")),
    }
}

fn nonempty(text: String, path: &Path<'_>) -> Result<String, RequestError> {
    if text.is_empty() { Err(RequestError::invalid_value(path, "must not be empty")) } else { Ok(text) }
}

fn decode_tokens(tokens: Vec<Value>, path: &Path<'_>) -> Result<Vec<u32>, RequestError> {
    let tokens = tokens.into_iter().enumerate().map(|(index, token)| {
        let path = path.index(index);
        let token = checked::whole_number(token, &path, 0..=u64::from(u32::MAX))?;
        token.map(|token| token as u32).ok_or_else(|| RequestError::missing(&path))
    });
    tokens.collect()
}

/// Writes a request for a provider. Vectors are asked for as numbers, which every compatible server knows.
pub fn encode_request(model: &str, texts: &[&str], dimensions: Option<usize>) -> Bytes {
    let mut out = BytesMut::with_capacity(128 + texts.iter().map(|text| text.len() + 3).sum::<usize>());
    {
        let mut body = Object::new(&mut out);
        body.text("model", model);
        {
            let mut input = body.array("input");
            texts.iter().for_each(|text| input.text(text));
        }
        body.text("encoding_format", "float");
        body.optional_value("dimensions", dimensions.as_ref());
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
            "data" => self.vectors = read::objects(object)?,
            "usage" => self.tokens = read::object::<UsageFields, A>(object)?.unwrap_or_default().prompt,
            "error" => self.error = object.next_value()?,
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
            "prompt_tokens" => self.prompt = read::count(object)?.unwrap_or(0),
            _ => read::skip(object)?,
        }
        Ok(())
    }
}

#[derive(Default)]
struct VectorFields {
    index: Option<u64>,
    values: Vector,
}

impl<'de> Fields<'de> for VectorFields {
    fn field<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error> {
        match name {
            "index" => self.index = read::count(object)?,
            "embedding" => self.values = object.next_value()?,
            _ => read::skip(object)?,
        }
        Ok(())
    }
}

/// A vector, as an array of numbers or as Base64 of their bytes.
#[derive(Default)]
struct Vector(Vec<f32>);

impl<'de> Deserialize<'de> for Vector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(VectorVisitor)
    }
}

struct VectorVisitor;

impl<'de> Visitor<'de> for VectorVisitor {
    type Value = Vector;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of numbers or Base64")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Vector, A::Error> {
        let mut values = Vec::new();
        while let Some(number) = numbers.next_element()? {
            values.push(number);
        }
        Ok(Vector(values))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vector, E> {
        let bytes = STANDARD.decode(text).map_err(E::custom)?;
        let (numbers, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(E::custom("the last number is cut off"));
        }
        Ok(Vector(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()))
    }
}

/// Reads a provider's answer to a request with `texts` texts. Vectors are put in the order of the texts and must all
/// have one length.
pub fn decode_response(body: &[u8], texts: usize) -> Result<Embeddings, UpstreamError> {
    let Read(answer) = serde_json::from_slice::<Read<AnswerFields>>(body)
        .map_err(|error| UpstreamError::unreadable(body, &error))?;
    if let Some(error) = answer.error.filter(|error| !error.is_null()) {
        return Err(error::read(&error, None));
    }
    let mut vectors = answer.vectors;
    if vectors.iter().all(|vector| vector.index.is_some()) {
        vectors.sort_by_key(|vector| vector.index);
    }
    let mut values = Vec::new();
    let mut dimension = None;
    for vector in vectors {
        check_dimension(&mut dimension, vector.values.0.len())?;
        values.extend(vector.values.0);
    }
    embeddings(values, dimension, texts, answer.tokens)
}

/// All vectors of an answer have one length.
pub(crate) fn check_dimension(dimension: &mut Option<usize>, length: usize) -> Result<(), UpstreamError> {
    if *dimension.get_or_insert(length) == length && length > 0 {
        return Ok(());
    }
    Err(UpstreamError::malformed("the provider's vectors are empty or differ in length"))
}

/// The vectors, if there is one for every text, all of finite numbers: what is not (Base64 can say NaN, and `1e39` is
/// beyond a 32-bit number) is similar to nothing, and no index takes it.
pub(crate) fn embeddings(
    values: Vec<f32>,
    dimension: Option<usize>,
    texts: usize,
    tokens: u64,
) -> Result<Embeddings, UpstreamError> {
    let dimension = dimension.unwrap_or(1);
    let vectors = values.len() / dimension;
    if vectors != texts {
        return Err(UpstreamError::malformed(format!(
            "the provider gave {vectors} vectors for {texts} texts"
        )));
    }
    if !values.iter().all(|value| value.is_finite()) {
        return Err(UpstreamError::malformed("the provider's vectors have numbers that are not finite"));
    }
    Ok(Embeddings { dimension, values, tokens })
}

/// Writes an answer for a caller. `model` is the one that really answered.
pub fn encode_response(embeddings: &Embeddings, model: &str, encoding: VectorEncoding) -> Bytes {
    let mut out = BytesMut::with_capacity(embeddings.values.len() * 12 + 256);
    {
        let mut body = Object::new(&mut out);
        body.text("object", "list");
        {
            let mut data = body.array("data");
            for (index, vector) in embeddings.vectors().enumerate() {
                let mut item = data.object();
                item.text("object", "embedding");
                item.integer("index", index);
                match encoding {
                    VectorEncoding::Float => item.value("embedding", vector),
                    VectorEncoding::Base64 => item.text("embedding", &base64(vector)),
                }
            }
        }
        body.text("model", model);
        let mut usage = body.object("usage");
        usage.integer("prompt_tokens", embeddings.tokens);
        usage.integer("total_tokens", embeddings.tokens);
    }
    out.freeze()
}

fn base64(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_input_is_read() {
        let input = |input: &str| {
            decode_request(format!(r#"{{"model":"m","input":{input}}}"#).as_bytes())
                .map(|request| request.input)
        };
        let text = |text: &str| text.to_owned();
        assert_eq!(input(r#""a""#), Ok(EmbeddingsInput::Texts(vec![text("a")])));
        assert_eq!(input(r#"["a","b"]"#), Ok(EmbeddingsInput::Texts(vec![text("a"), text("b")])));
        assert_eq!(input("[1,2]"), Ok(EmbeddingsInput::Tokens(vec![vec![1, 2]])));
        assert_eq!(input("[[1],[2,3]]"), Ok(EmbeddingsInput::Tokens(vec![vec![1], vec![2, 3]])));
        for (value, param) in [
            ("[]", "input"),
            ("null", "input"),
            (r#""""#, "input"),
            (r#"["a",""]"#, "input[1]"),
            (r#"["a",1]"#, "input[1]"),
            ("[[1],[]]", "input[1]"),
            ("[1,-2]", "input[1]"),
            ("[true]", "input[0]"),
        ] {
            assert_eq!(input(value).unwrap_err().param.as_deref(), Some(param), "{value}");
        }
    }

    #[test]
    fn vectors_survive_both_encodings() {
        let embeddings = Embeddings { dimension: 2, values: vec![0.1, -1.5, 1e-8, 3.0], tokens: 5 };
        for encoding in [VectorEncoding::Float, VectorEncoding::Base64] {
            let body = encode_response(&embeddings, "m", encoding);
            assert_eq!(decode_response(&body, 2).unwrap(), embeddings);
        }
    }

    #[test]
    fn vectors_are_put_in_the_order_of_the_texts() {
        let body = br#"{"data":[{"index":1,"embedding":[2.0]},{"index":0,"embedding":[1.0]}],"usage":null}"#;
        assert_eq!(decode_response(body, 2).unwrap().values, [1.0, 2.0]);
    }

    #[test]
    fn answers_that_do_not_fit_the_request_are_malformed() {
        for body in [
            r#"{"data":[{"index":0,"embedding":[1.0]}]}"#,
            r#"{"data":[{"index":0,"embedding":[1.0]},{"index":1,"embedding":[1.0,2.0]}]}"#,
            r#"{"data":[{"index":0,"embedding":[]},{"index":1,"embedding":[]}]}"#,
            r#"{"data":[{"index":0,"embedding":"AAA="},{"index":1,"embedding":"AAA="}]}"#,
            // NaN, and what is too large for a number of 32 bits.
            r#"{"data":[{"index":0,"embedding":"AADAfw=="},{"index":1,"embedding":"AACAPw=="}]}"#,
            r#"{"data":[{"index":0,"embedding":[1.0]},{"index":1,"embedding":[1e39]}]}"#,
            r#"{"data":null}"#,
            "",
        ] {
            let error = decode_response(body.as_bytes(), 2).expect_err(body);
            assert_eq!(error.kind, mainstay_domain::ModelErrorKind::Malformed, "{body}");
        }
    }
}
