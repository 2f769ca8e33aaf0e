//! What a team knows about its product: a number, or a yes or no.

use super::value::{ConfigValue, ValueError, config_value};

/// A number, or `true` and `false` as 1 and 0.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FactValue {
    /// The number; 1 for yes, 0 for no.
    pub number: f64,
    /// Whether it was written as a yes or no.
    pub is_yes_or_no: bool,
}

config_value!(FactValue, "fact", {
    "description": "What is so: a number, or true or false.",
    "type": ["number", "boolean"],
    "examples": [250_000, true],
});

impl ConfigValue for FactValue {
    const EXPECTED: &'static str = "a number, or true or false";

    fn from_text(text: &str) -> Result<Self, ValueError> {
        Err(ValueError::Malformed { text: text.chars().take(40).collect(), expected: Self::EXPECTED })
    }

    fn from_number(number: f64) -> Result<Self, ValueError> {
        if number.is_finite() {
            Ok(Self { number, is_yes_or_no: false })
        } else {
            Err(ValueError::Malformed { text: number.to_string(), expected: Self::EXPECTED })
        }
    }

    fn from_bool(yes: bool) -> Result<Self, ValueError> {
        Ok(Self { number: f64::from(u8::from(yes)), is_yes_or_no: true })
    }
}
