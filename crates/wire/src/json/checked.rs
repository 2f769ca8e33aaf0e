//! Reads a caller's request, value by value, with errors that name the field by its path. `null` is the same as the
//! field's absence everywhere, as the official APIs have it.

use std::fmt;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::error::RequestError;

/// Where a value stands in the request: a chain of stack frames, written out only in an error.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    Root,
    Field(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    pub(crate) fn field(&'a self, name: &'a str) -> Self {
        Self::Field(self, name)
    }

    pub(crate) fn index(&'a self, index: usize) -> Self {
        Self::Index(self, index)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Self::Root, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Parses a request's body, which must be an object.
pub(crate) fn body(bytes: &[u8]) -> Result<Map<String, Value>, RequestError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(RequestError::invalid_json("the body is empty: send a JSON object".to_owned()));
    }
    // A tree of `Value`s takes any JSON, so the only errors are of syntax: they quote no content.
    let value = serde_json::from_slice(bytes)
        .map_err(|error| RequestError::invalid_json(format!("the body is not valid JSON: {error}")))?;
    match value {
        Value::Object(fields) => Ok(fields),
        other => Err(RequestError::invalid_json(format!(
            "the body must be a JSON object, not {}",
            kind_name(&other)
        ))),
    }
}

pub(crate) fn string(value: Value, path: &Path<'_>) -> Result<Option<String>, RequestError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        other => Err(wrong_type(&other, path, "a string")),
    }
}

/// A string that says something.
pub(crate) fn nonempty_string(value: Value, path: &Path<'_>) -> Result<Option<String>, RequestError> {
    match string(value, path)? {
        Some(text) if text.is_empty() => Err(RequestError::invalid_value(path, "must not be empty")),
        other => Ok(other),
    }
}

pub(crate) fn boolean(value: Value, path: &Path<'_>) -> Result<Option<bool>, RequestError> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(flag) => Ok(Some(flag)),
        other => Err(wrong_type(&other, path, "true or false")),
    }
}

pub(crate) fn number(
    value: Value,
    path: &Path<'_>,
    range: RangeInclusive<f64>,
) -> Result<Option<f64>, RequestError> {
    let number = match &value {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_f64().unwrap_or(f64::NAN),
        other => return Err(wrong_type(other, path, "a number")),
    };
    if range.contains(&number) {
        return Ok(Some(number));
    }
    Err(RequestError::invalid_value(
        path,
        format_args!("must be between {} and {}", range.start(), range.end()),
    ))
}

pub(crate) fn whole_number(
    value: Value,
    path: &Path<'_>,
    range: RangeInclusive<u64>,
) -> Result<Option<u64>, RequestError> {
    let number = match &value {
        Value::Null => return Ok(None),
        Value::Number(number) => number,
        other => return Err(wrong_type(other, path, "a whole number")),
    };
    if let Some(number) = number.as_u64().filter(|number| range.contains(number)) {
        return Ok(Some(number));
    }
    Err(match *range.end() {
        u64::MAX => RequestError::invalid_value(
            path,
            format_args!("must be a whole number of at least {}", range.start()),
        ),
        end => RequestError::invalid_value(
            path,
            format_args!("must be a whole number from {} to {end}", range.start()),
        ),
    })
}

pub(crate) fn signed_number(value: Value, path: &Path<'_>) -> Result<Option<i64>, RequestError> {
    match &value {
        Value::Null => Ok(None),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Ok(Some(number)),
            None => Err(RequestError::invalid_value(path, "must be a whole number of 64 bits")),
        },
        other => Err(wrong_type(other, path, "a whole number")),
    }
}

pub(crate) fn array(value: Value, path: &Path<'_>) -> Result<Option<Vec<Value>>, RequestError> {
    match value {
        Value::Null => Ok(None),
        Value::Array(items) => Ok(Some(items)),
        other => Err(wrong_type(&other, path, "an array")),
    }
}

/// An array with something in it.
pub(crate) fn nonempty_array(value: Value, path: &Path<'_>) -> Result<Option<Vec<Value>>, RequestError> {
    match array(value, path)? {
        Some(items) if items.is_empty() => Err(RequestError::empty_array(path)),
        other => Ok(other),
    }
}

pub(crate) fn object(value: Value, path: &Path<'_>) -> Result<Option<Map<String, Value>>, RequestError> {
    match value {
        Value::Null => Ok(None),
        Value::Object(fields) => Ok(Some(fields)),
        other => Err(wrong_type(&other, path, "an object")),
    }
}

/// An object that must be there, as an element of an array must.
pub(crate) fn required_object(value: Value, path: &Path<'_>) -> Result<Map<String, Value>, RequestError> {
    match value {
        Value::Object(fields) => Ok(fields),
        other => Err(wrong_type(&other, path, "an object")),
    }
}

/// The `type` of a tagged object, such as a content part.
pub(crate) fn tag<'a>(fields: &'a Map<String, Value>, path: &Path<'_>) -> Result<&'a str, RequestError> {
    match fields.get("type") {
        Some(Value::String(tag)) => Ok(tag),
        None | Some(Value::Null) => Err(RequestError::missing(&path.field("type"))),
        Some(other) => Err(wrong_type(other, &path.field("type"), "a string")),
    }
}

pub(crate) fn wrong_type(value: &Value, path: &Path<'_>, expected: &str) -> RequestError {
    RequestError::invalid_type(path, format_args!("must be {expected}, not {}", kind_name(value)))
}

/// What a JSON value is, for people. Says nothing of its content.
fn kind_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
