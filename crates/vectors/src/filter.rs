//! What narrows a search: conditions on the fields that points carry.

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds};

/// The fields of a point: what its document can be found by beside its text. In one namespace, the values of a name are
/// always of one kind.
pub type Fields = BTreeMap<String, FieldValues>;

/// The values of a field of a point.
#[derive(Clone, PartialEq, Debug)]
pub enum FieldValues {
    /// Texts, compared byte by byte.
    Texts(Vec<String>),
    /// Finite numbers.
    Numbers(Vec<f64>),
}

/// A condition on a point.
#[derive(Clone, PartialEq, Debug)]
pub enum Filter {
    /// Every one of these holds; with none, every point fits.
    All(Vec<Filter>),
    /// At least one of these holds; with none, no point fits.
    Any(Vec<Filter>),
    /// This does not hold.
    Not(Box<Filter>),
    /// The field has one of these texts; with none, no point fits. A field of numbers has no text.
    OneOf {
        /// The field.
        field: String,
        /// The texts.
        texts: Vec<String>,
    },
    /// The field has a number between these bounds. A field of texts has no number.
    Between {
        /// The field.
        field: String,
        /// The lower bound.
        from: Bound<f64>,
        /// The upper bound.
        to: Bound<f64>,
    },
    /// The field has a value.
    Exists {
        /// The field.
        field: String,
    },
}

impl FieldValues {
    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Texts(texts) => texts.is_empty(),
            Self::Numbers(numbers) => numbers.is_empty(),
        }
    }
}

impl Filter {
    /// Whether a point with these fields fits.
    pub fn matches(&self, fields: &Fields) -> bool {
        match self {
            Self::All(filters) => filters.iter().all(|filter| filter.matches(fields)),
            Self::Any(filters) => filters.iter().any(|filter| filter.matches(fields)),
            Self::Not(filter) => !filter.matches(fields),
            Self::OneOf { field, texts } => match fields.get(field) {
                Some(FieldValues::Texts(values)) => values.iter().any(|value| texts.contains(value)),
                _ => false,
            },
            Self::Between { field, from, to } => match fields.get(field) {
                Some(FieldValues::Numbers(values)) => values.iter().any(|value| (*from, *to).contains(value)),
                _ => false,
            },
            Self::Exists { field } => fields.get(field).is_some_and(|values| !values.is_empty()),
        }
    }
}
