//! What the typed values have in common: how they are read, and why a text is none.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error, Visitor};

/// A value that the file holds as text, or as a bare number where that is unambiguous.
pub trait ConfigValue: Sized {
    /// What is expected, with its article: `a duration such as "500ms"`.
    const EXPECTED: &'static str;

    /// Reads the text.
    fn from_text(text: &str) -> Result<Self, ValueError>;

    /// Reads a bare number. Most measures need a unit, so this refuses unless the type says otherwise.
    fn from_number(number: f64) -> Result<Self, ValueError> {
        Err(ValueError::NumberWithoutUnit { number, expected: Self::EXPECTED })
    }

    /// Reads a bare `true` or `false`. No measure is one, so this refuses unless the type says otherwise.
    fn from_bool(yes: bool) -> Result<Self, ValueError> {
        Err(ValueError::Malformed { text: yes.to_string(), expected: Self::EXPECTED })
    }
}

/// Why a value is refused. What to write instead is added by the reader, which knows the key.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum ValueError {
    /// A word instead of a measure: "fast", "low", "cheap".
    #[error("{text:?} cannot be measured: {expected} is expected")]
    Vague {
        /// The word.
        text: String,
        /// What would be accepted.
        expected: &'static str,
    },
    /// The text has no number or no unit where one is needed, or is otherwise not of the form.
    #[error("{text:?} is not {expected}")]
    Malformed {
        /// The text.
        text: String,
        /// What would be accepted.
        expected: &'static str,
    },
    /// A number in a text, without a unit.
    #[error("{text:?} has no unit: {units} are known")]
    NoUnit {
        /// The text.
        text: String,
        /// The units that are known.
        units: &'static str,
    },
    /// A unit that is not known.
    #[error("{unit:?} is no unit here: {units} are known")]
    UnknownUnit {
        /// The unit as written.
        unit: String,
        /// The units that are known.
        units: &'static str,
    },
    /// A bare number where a unit is needed.
    #[error("{number} has no unit: {expected} is expected")]
    NumberWithoutUnit {
        /// The number.
        number: f64,
        /// What would be accepted.
        expected: &'static str,
    },
    /// A number outside what the value can be.
    #[error("{text} is {problem}")]
    OutOfRange {
        /// The value as written.
        text: String,
        /// In which way it is outside: `more than 100%`.
        problem: &'static str,
    },
    /// A refusal that must not repeat the text, or that has its own words.
    #[error("{0}")]
    Refused(&'static str),
}

impl ValueError {
    /// The refusal of a text that is not of the form: as vague when there is no digit in it, else as malformed.
    pub fn of_text(text: &str, expected: &'static str) -> Self {
        let has_letters = text.chars().any(char::is_alphabetic);
        let text: String = text.chars().take(40).collect();
        if has_letters && !text.bytes().any(|byte| byte.is_ascii_digit()) {
            Self::Vague { text, expected }
        } else {
            Self::Malformed { text, expected }
        }
    }
}

/// Reads a [`ConfigValue`] from any format; the body of its `Deserialize`.
pub fn deserialize_value<'de, D: Deserializer<'de>, V: ConfigValue>(deserializer: D) -> Result<V, D::Error> {
    deserializer.deserialize_any(ValueVisitor(PhantomData))
}

struct ValueVisitor<V>(PhantomData<V>);

impl<V: ConfigValue> Visitor<'_> for ValueVisitor<V> {
    type Value = V;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(V::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<V, E> {
        V::from_text(text).map_err(E::custom)
    }

    fn visit_bool<E: Error>(self, yes: bool) -> Result<V, E> {
        V::from_bool(yes).map_err(E::custom)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<V, E> {
        V::from_number(number).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<V, E> {
        self.visit_f64(number as f64)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<V, E> {
        self.visit_f64(number as f64)
    }
}

/// Implements `Deserialize`, `FromStr` and `JsonSchema` for a [`ConfigValue`].
///
/// `x-value` in the schema tells the reader that the value explains itself, whatever scalar it was given.
macro_rules! config_value {
    ($type:ty, $name:literal, $schema:tt) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::config::value::deserialize_value(deserializer)
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::config::ValueError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::config::ConfigValue::from_text(text)
            }
        }

        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let mut schema = schemars::json_schema!($schema);
                schema.insert("x-value".to_owned(), $name.into());
                schema
            }
        }
    };
}
pub(crate) use config_value;
