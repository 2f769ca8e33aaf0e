//! Money in the file: dollars.

use std::fmt;

use super::value::{ConfigValue, ValueError, config_value};
use crate::money::{NanoUsd, ParseMoneyError};

/// An amount in US dollars, written with its sign: `$0.005`, `$50_000`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Dollars(pub NanoUsd);

config_value!(Dollars, "money", {
    "type": "string",
    "examples": ["$0.005", "$50_000"],
});

impl ConfigValue for Dollars {
    const EXPECTED: &'static str = "an amount such as \"$0.005\"";

    fn from_text(text: &str) -> Result<Self, ValueError> {
        let trimmed = text.trim();
        if !trimmed.trim_start_matches('-').starts_with('$') && trimmed.parse::<NanoUsd>().is_ok() {
            return Err(ValueError::Refused(
                "an amount of money needs the sign of the dollar, such as \"$0.005\"",
            ));
        }
        let out_of_range = |problem| ValueError::OutOfRange { text: format!("{text:?}"), problem };
        match trimmed.parse::<NanoUsd>() {
            Ok(amount) if amount < NanoUsd::ZERO => Err(out_of_range("less than nothing")),
            Ok(amount) => Ok(Self(amount)),
            Err(ParseMoneyError::Malformed) => Err(ValueError::of_text(text, Self::EXPECTED)),
            Err(ParseMoneyError::TooPrecise) => Err(out_of_range("finer than a nano-dollar (nine decimals)")),
            Err(ParseMoneyError::TooLarge) => Err(out_of_range("more than nine billion dollars")),
        }
    }
}

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Dollars> for NanoUsd {
    fn from(dollars: Dollars) -> Self {
        dollars.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_need_the_sign_of_the_dollar() {
        assert_eq!("$0.005".parse(), Ok(Dollars(NanoUsd::new(5_000_000))));
        assert_eq!("$50_000".parse(), Ok(Dollars(NanoUsd::new(50_000_000_000_000))));
        let message = |text: &str| text.parse::<Dollars>().expect_err(text).to_string();
        assert_eq!(message("0.005"), r#"an amount of money needs the sign of the dollar, such as "$0.005""#);
        assert_eq!(message("cheap"), r#""cheap" cannot be measured: an amount such as "$0.005" is expected"#);
        assert_eq!(message("-$1"), r#""-$1" is less than nothing"#);
        assert_eq!(
            message("$0.0000000001"),
            r#""$0.0000000001" is finer than a nano-dollar (nine decimals)"#
        );
        for text in ["", "$", "€5", "$5k", "$1,000"] {
            assert!(text.parse::<Dollars>().is_err(), "{text}");
        }
    }
}
