//! Money as integers. A float never holds an amount, so no sum of many small costs drifts.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An amount in nano-dollars (10⁻⁹ US dollars). The range is about ±9.2 billion dollars; arithmetic saturates.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NanoUsd(i64);

impl NanoUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount of so many nano-dollars.
    pub const fn new(nano_dollars: i64) -> Self {
        Self(nano_dollars)
    }

    /// The amount in nano-dollars.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// The amount in dollars, for a chart or a table. Never calculate with it.
    pub fn as_dollars_lossy(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl Add for NanoUsd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for NanoUsd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for NanoUsd {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for NanoUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// Dollars without needless zeros: `$0.000015`, `-$2`, `$0`.
impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        let (dollars, nanos) = (magnitude / 1_000_000_000, magnitude % 1_000_000_000);
        if nanos == 0 {
            return write!(f, "{sign}${dollars}");
        }
        let fraction = format!("{nanos:09}");
        write!(f, "{sign}${dollars}.{}", fraction.trim_end_matches('0'))
    }
}

/// Why a text is no amount of money.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParseMoneyError {
    /// It does not look like `$12.34`.
    #[error("an amount of money looks like \"$0.005\" or \"$50000\"")]
    Malformed,
    /// It has more than nine decimals, so it would have to be rounded.
    #[error("an amount of money has at most nine decimals")]
    TooPrecise,
    /// It is beyond what a 64-bit count of nano-dollars holds.
    #[error("the amount is larger than about nine billion dollars")]
    TooLarge,
}

/// Reads `$0.005`, `$50000`, `$1_000` or the same without the sign of the dollar.
impl FromStr for NanoUsd {
    type Err = ParseMoneyError;

    fn from_str(text: &str) -> Result<Self, ParseMoneyError> {
        let (negative, text) = match text.trim().strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.trim()),
        };
        let digits: String = text.strip_prefix('$').unwrap_or(text).chars().filter(|c| *c != '_').collect();
        let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
            return Err(ParseMoneyError::Malformed);
        }
        if fraction.trim_end_matches('0').len() > 9 {
            return Err(ParseMoneyError::TooPrecise);
        }
        let parse = |part: &str| -> Result<i64, ParseMoneyError> {
            if part.is_empty() { Ok(0) } else { part.parse().map_err(|_| ParseMoneyError::TooLarge) }
        };
        let nanos = parse(&format!("{:0<9}", fraction.trim_end_matches('0')))?;
        let amount = parse(whole)?
            .checked_mul(1_000_000_000)
            .and_then(|dollars| dollars.checked_add(nanos))
            .ok_or(ParseMoneyError::TooLarge)?;
        Ok(Self(if negative { -amount } else { amount }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_read_as_people_write_them() {
        for (text, nanos) in [
            ("$0.005", 5_000_000),
            ("$50000", 50_000_000_000_000),
            ("0.15", 150_000_000),
            ("-$2", -2_000_000_000),
        ] {
            assert_eq!(text.parse(), Ok(NanoUsd::new(nanos)), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "$", "cheap", "$1.2.3", "1e3", "$0.0000000001", "$99999999999"] {
            assert!(text.parse::<NanoUsd>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn display_reads_back_exactly(nanos in -9_000_000_000_000_000_000i64..9_000_000_000_000_000_000) {
            let amount = NanoUsd::new(nanos);
            prop_assert_eq!(amount.to_string().parse(), Ok(amount));
        }
    }
}
