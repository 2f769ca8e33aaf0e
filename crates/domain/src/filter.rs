//! What a search is narrowed by: conditions on the fields of documents.

use std::ops::Bound;

use crate::metadata::FieldValue;
use crate::time::Timestamp;

/// A condition on a document.
#[derive(Clone, PartialEq, Debug)]
pub enum Filter {
    /// Every one of these holds; with none, every document fits.
    All(Vec<Filter>),
    /// At least one of these holds; with none, no document fits.
    Any(Vec<Filter>),
    /// This does not hold.
    Not(Box<Filter>),
    /// A field has a value that passes the test.
    Field {
        /// The field: one of the metadata, or of [`BUILTIN_FIELDS`](crate::metadata::BUILTIN_FIELDS).
        name: String,
        /// The test.
        test: Test,
    },
}

/// What a value of a field must be. A document without the field passes none of them.
#[derive(Clone, PartialEq, Debug)]
pub enum Test {
    /// One of these.
    OneOf(Vec<FieldValue>),
    /// A number between these.
    Numbers(Range<f64>),
    /// A date between these.
    Dates(Range<Timestamp>),
    /// Anything.
    Exists,
}

/// The values between two bounds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Range<T> {
    /// The lower bound.
    pub from: Bound<T>,
    /// The upper bound.
    pub to: Bound<T>,
}

impl Filter {
    /// Both conditions, where there are two.
    pub fn both(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(Self::All(vec![one, other])),
            (one, other) => one.or(other),
        }
    }

    /// Whether there is a condition on this field.
    pub fn names(&self, field: &str) -> bool {
        match self {
            Self::All(filters) | Self::Any(filters) => filters.iter().any(|filter| filter.names(field)),
            Self::Not(filter) => filter.names(field),
            Self::Field { name, .. } => name == field,
        }
    }
}
