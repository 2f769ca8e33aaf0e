//! Parts of a whole: error rates, availabilities, quality scores.

use std::fmt;

use super::value::{ConfigValue, ValueError, config_value};

/// A share from 0 to 1, written as a percentage (`"0.1%"`) or as a number (`0.001`).
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Ratio(f64);

config_value!(Ratio, "ratio", {
    "type": ["string", "number"],
    "minimum": 0,
    "maximum": 1,
    "examples": ["0.1%", 0.001],
});

impl Ratio {
    /// The share, if it is one: from 0 to 1.
    pub fn new(share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then_some(Self(share))
    }

    /// The share, from 0 to 1.
    pub const fn as_f64(self) -> f64 {
        self.0
    }
}

impl ConfigValue for Ratio {
    const EXPECTED: &'static str = "a percentage such as \"0.1%\" or a number from 0 to 1";

    fn from_text(text: &str) -> Result<Self, ValueError> {
        let trimmed = text.trim();
        let (number, is_percentage) = match trimmed.strip_suffix('%') {
            Some(number) => (number.trim_end(), true),
            None => (trimmed, false),
        };
        let is_decimal =
            number.strip_prefix('-').unwrap_or(number).bytes().all(|b| b.is_ascii_digit() || b == b'.');
        // The exponent keeps "99.9%" the float nearest to 0.999: a division would round twice.
        let share = format!("{number}e{}", if is_percentage { -2 } else { 0 }).parse::<f64>();
        match share {
            Ok(share) if is_decimal => within_one(share, text),
            _ => Err(ValueError::of_text(text, Self::EXPECTED)),
        }
    }

    fn from_number(number: f64) -> Result<Self, ValueError> {
        within_one(number, &number.to_string())
    }
}

fn within_one(share: f64, text: &str) -> Result<Ratio, ValueError> {
    let problem = if share < 0.0 { "less than nothing" } else { "more than 1, that is 100%" };
    Ratio::new(share).ok_or_else(|| ValueError::OutOfRange { text: text.to_owned(), problem })
}

/// As a percentage: `0.1%`, `99.95%`.
impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = format!("{:.9}", self.0 * 100.0);
        write!(f, "{}%", percent.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_read_as_percentages_and_as_numbers() {
        for (text, share) in [("0.1%", 0.001), ("99.9%", 0.999), ("100%", 1.0), ("0.85", 0.85), ("0 %", 0.0)]
        {
            assert_eq!(text.parse::<Ratio>().map(Ratio::as_f64), Ok(share), "{text}");
        }
        assert_eq!(Ratio::from_number(0.85).map(Ratio::as_f64), Ok(0.85));
    }

    #[test]
    fn percentages_are_written_without_needless_digits() {
        for text in ["0.1%", "99.95%", "100%", "0%", "12.345%"] {
            assert_eq!(text.parse::<Ratio>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_share_says_why() {
        let message = |text: &str| text.parse::<Ratio>().expect_err(text).to_string();
        assert_eq!(
            message("low"),
            r#""low" cannot be measured: a percentage such as "0.1%" or a number from 0 to 1 is expected"#
        );
        assert_eq!(message("101%"), "101% is more than 1, that is 100%");
        assert_eq!(message("-1%"), "-1% is less than nothing");
        assert_eq!(Ratio::from_number(5.0).expect_err("5").to_string(), "5 is more than 1, that is 100%");
        for text in ["", "%", "1e-3", "nan", "inf%", "0,1%", "..%"] {
            assert!(text.parse::<Ratio>().is_err(), "{text}");
        }
    }
}
