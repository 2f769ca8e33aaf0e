//! What the owner of a document says about it: named fields with typed values, by which a search can be narrowed.

use serde_json::{Map, Number, Value};

use crate::time::Timestamp;

/// The fields of a document, checked: few, flat and short, in the order of their names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Metadata(Map<String, Value>);

/// A value of a field.
#[derive(Clone, PartialEq, Debug)]
pub enum FieldValue {
    /// A text that is no date.
    Text(String),
    /// A number: an IEEE double, as JSON's numbers are to most programs.
    Number(f64),
    /// True or false.
    Flag(bool),
    /// A date or a date with time, as RFC 3339 writes them; a date alone is its first moment in UTC.
    Date(Timestamp),
}

/// What a value is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum FieldKind {
    /// [`FieldValue::Text`].
    Text,
    /// [`FieldValue::Number`].
    Number,
    /// [`FieldValue::Flag`].
    Flag,
    /// [`FieldValue::Date`].
    Date,
}

/// What is wrong with the fields of a document. Messages name the field and never quote a value.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MetadataFault {
    /// There are too many.
    #[error("the metadata has {found} fields; at most {} are kept", Metadata::MOST_FIELDS)]
    TooManyFields {
        /// How many there are.
        found: usize,
    },
    /// A name cannot be one of a field.
    #[error(
        "the metadata has a field {name:?}; a name has 1 to {} bytes of letters, digits, \"_\" and \"-\"",
        Metadata::LONGEST_NAME
    )]
    Name {
        /// The name, cut where it is long.
        name: String,
    },
    /// The name belongs to what Mainstay itself knows of a document.
    #[error("the metadata has a field {name:?}, which every document has already; give it another name")]
    Reserved {
        /// The name.
        name: String,
    },
    /// A value is none that a field can have.
    #[error(
        "the metadata field {name:?} must be a string, a number, true, false, or a list of strings, not {found}"
    )]
    Value {
        /// The field.
        name: String,
        /// What was found instead.
        found: &'static str,
    },
    /// A number is not the same number after it was read as a double.
    #[error(
        "the metadata field {name:?} is a number beyond 2^53, which would be rounded; send it as a string"
    )]
    Rounded {
        /// The field.
        name: String,
    },
    /// A list is too long.
    #[error("the metadata field {name:?} has {found} values; a list has at most {}", Metadata::MOST_VALUES)]
    TooManyValues {
        /// The field.
        name: String,
        /// How many there are.
        found: usize,
    },
    /// A text is too long.
    #[error(
        "the metadata field {name:?} has a string of {found} bytes; at most {} are kept",
        Metadata::LONGEST_TEXT
    )]
    TooLong {
        /// The field.
        name: String,
        /// Bytes of the text.
        found: usize,
    },
}

impl MetadataFault {
    /// The stable code, for programs.
    pub const fn code(&self) -> &'static str {
        "invalid_metadata"
    }
}

/// What Mainstay knows of every document and a search can be narrowed by: the names, with what their values are.
pub const BUILTIN_FIELDS: [(&str, FieldKind); 4] = [
    ("doc_id", FieldKind::Text),
    ("language", FieldKind::Text),
    ("media_type", FieldKind::Text),
    ("updated_at", FieldKind::Date),
];

impl Metadata {
    /// Most fields of a document.
    pub const MOST_FIELDS: usize = 32;
    /// Most bytes of a field's name.
    pub const LONGEST_NAME: usize = 64;
    /// Most values of a list.
    pub const MOST_VALUES: usize = 64;
    /// Most bytes of a text.
    pub const LONGEST_TEXT: usize = 1_024;

    /// Checks the fields as they were sent. `null` is the same as the field's absence.
    pub fn new(fields: Map<String, Value>) -> Result<Self, MetadataFault> {
        let mut fields: Map<String, Value> =
            fields.into_iter().filter(|(_, value)| !value.is_null()).collect();
        if fields.len() > Self::MOST_FIELDS {
            return Err(MetadataFault::TooManyFields { found: fields.len() });
        }
        for (name, value) in &fields {
            check_name(name)?;
            check_value(name, value)?;
        }
        fields.sort_keys();
        Ok(Self(fields))
    }

    /// Fields that were checked when they were stored, by the rules of that time.
    pub const fn from_stored(fields: Map<String, Value>) -> Self {
        Self(fields)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields as JSON.
    pub const fn as_json(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The fields as JSON.
    pub fn into_json(self) -> Map<String, Value> {
        self.0
    }

    /// The fields with their values; a list has several.
    pub fn fields(&self) -> impl Iterator<Item = (&str, Vec<FieldValue>)> {
        self.0.iter().map(|(name, value)| {
            let values = match value {
                Value::Array(values) => values.iter().filter_map(FieldValue::of_json).collect(),
                one => FieldValue::of_json(one).into_iter().collect(),
            };
            (name.as_str(), values)
        })
    }
}

impl FieldValue {
    /// The value that a JSON value stands for; `None` for lists, objects and `null`.
    pub fn of_json(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(match Timestamp::parse_rfc3339(text) {
                Some(moment) => Self::Date(moment),
                None => Self::Text(text.clone()),
            }),
            Value::Number(number) => number.as_f64().map(Self::Number),
            Value::Bool(flag) => Some(Self::Flag(*flag)),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// What it is.
    pub const fn kind(&self) -> FieldKind {
        match self {
            Self::Text(_) => FieldKind::Text,
            Self::Number(_) => FieldKind::Number,
            Self::Flag(_) => FieldKind::Flag,
            Self::Date(_) => FieldKind::Date,
        }
    }
}

impl FieldKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Text, Self::Number, Self::Flag, Self::Date];

    /// Its name, as error messages and the store have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Number => "number",
            Self::Flag => "boolean",
            Self::Date => "date",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Whether a number is the same as a double.
pub fn is_exact(number: &Number) -> bool {
    const EXACT: u64 = 1 << f64::MANTISSA_DIGITS;
    let whole = number.as_i64().map(i64::unsigned_abs).or_else(|| number.as_u64());
    whole.map_or_else(|| number.as_f64().is_some_and(f64::is_finite), |whole| whole <= EXACT)
}

fn check_name(name: &str) -> Result<(), MetadataFault> {
    let is_allowed = |character: char| character.is_alphanumeric() || character == '_' || character == '-';
    if name.is_empty() || name.len() > Metadata::LONGEST_NAME || !name.chars().all(is_allowed) {
        let name = name.chars().take(Metadata::LONGEST_NAME).collect();
        return Err(MetadataFault::Name { name });
    }
    if BUILTIN_FIELDS.iter().any(|(builtin, _)| *builtin == name) {
        return Err(MetadataFault::Reserved { name: name.to_owned() });
    }
    Ok(())
}

fn check_value(name: &str, value: &Value) -> Result<(), MetadataFault> {
    let wrong = |found| Err(MetadataFault::Value { name: name.to_owned(), found });
    match value {
        Value::Bool(_) => Ok(()),
        Value::Number(number) if is_exact(number) => Ok(()),
        Value::Number(_) => Err(MetadataFault::Rounded { name: name.to_owned() }),
        Value::String(text) => check_text(name, text),
        Value::Array(values) if values.len() > Metadata::MOST_VALUES => {
            Err(MetadataFault::TooManyValues { name: name.to_owned(), found: values.len() })
        }
        Value::Array(values) => values.iter().try_for_each(|value| match value {
            Value::String(text) => check_text(name, text),
            _ => wrong("a list of something else"),
        }),
        Value::Object(_) => wrong("an object"),
        Value::Null => wrong("null"),
    }
}

fn check_text(name: &str, text: &str) -> Result<(), MetadataFault> {
    if text.len() > Metadata::LONGEST_TEXT {
        return Err(MetadataFault::TooLong { name: name.to_owned(), found: text.len() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata(value: Value) -> Result<Metadata, MetadataFault> {
        let Value::Object(fields) = value else { panic!("an object") };
        Metadata::new(fields)
    }

    #[test]
    fn values_have_the_kind_that_they_look_like() {
        let fields = json!({
            "year": 2024, "price": 1.5, "draft": false, "author": "Ada", "published": "2024-03-01", "gone": null,
            "seen": "2024-03-01T12:00:00+02:00", "tags": ["red", "2024-03-01"],
        });
        let metadata = metadata(fields).unwrap();
        let kinds: Vec<(&str, Vec<FieldKind>)> = metadata
            .fields()
            .map(|(name, values)| (name, values.iter().map(FieldValue::kind).collect()))
            .collect();
        assert_eq!(
            kinds,
            [
                ("author", vec![FieldKind::Text]),
                ("draft", vec![FieldKind::Flag]),
                ("price", vec![FieldKind::Number]),
                ("published", vec![FieldKind::Date]),
                ("seen", vec![FieldKind::Date]),
                ("tags", vec![FieldKind::Text, FieldKind::Date]),
                ("year", vec![FieldKind::Number]),
            ]
        );
    }

    #[test]
    fn what_no_field_can_have_is_refused_by_the_name_of_the_field() {
        let long = "x".repeat(1_025);
        let many: Vec<String> = (0..65).map(|number| number.to_string()).collect();
        for (value, part) in [
            (json!({ "a": { "b": 1 } }), "\"a\" must be a string"),
            (json!({ "a": [1, 2] }), "not a list of something else"),
            (json!({ "a": [null] }), "not a list of something else"),
            (json!({ "a": long }), "a string of 1025 bytes"),
            (json!({ "a": many }), "has 65 values"),
            (json!({ "a": 9_007_199_254_740_993_u64 }), "beyond 2^53"),
            (json!({ "": 1 }), "a field \"\""),
            (json!({ "$or": 1 }), "letters, digits"),
            (json!({ "a.b": 1 }), "letters, digits"),
            (json!({ "x".repeat(65): 1 }), "1 to 64 bytes"),
            (json!({ "language": "en" }), "which every document has already"),
        ] {
            let error = metadata(value).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        let many = (0..33).map(|number| (format!("f{number}"), json!(1))).collect();
        assert_eq!(Metadata::new(many), Err(MetadataFault::TooManyFields { found: 33 }));
        assert!(metadata(json!({ "Größe": 9_007_199_254_740_992_u64, "b-c_d": [] })).is_ok());
    }

    #[test]
    fn the_order_of_the_fields_makes_no_difference() {
        assert_eq!(metadata(json!({ "b": 1, "a": 2 })), metadata(json!({ "a": 2, "b": 1 })));
    }
}
