//! Durations as people write them.

use std::fmt;
use std::time::Duration;

use super::value::{ConfigValue, ValueError, config_value};

/// A length of time with its unit: `500ms`, `2s`, `1m30s`, `1.5h`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HumanDuration(pub Duration);

/// Nanoseconds per unit. `m` is a minute.
const UNITS: [(&str, u64); 9] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];
const UNIT_NAMES: &str = "us, ms, s, m, h and d";

config_value!(HumanDuration, "duration", {
    "type": "string",
    "examples": ["500ms", "2s", "1m30s"],
});

impl ConfigValue for HumanDuration {
    const EXPECTED: &'static str = "a duration such as \"500ms\"";

    fn from_text(text: &str) -> Result<Self, ValueError> {
        let malformed = || ValueError::of_text(text, Self::EXPECTED);
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(malformed());
        }
        if rest.starts_with('-') {
            return Err(ValueError::OutOfRange { text: format!("{text:?}"), problem: "less than nothing" });
        }
        let mut total: u128 = 0;
        while !rest.is_empty() {
            let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let (number, after) = rest.split_at(number_end);
            let after = after.trim_start();
            let unit_end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
            let (unit, after) = after.split_at(unit_end);
            total += nanoseconds(number, unit, text).ok_or_else(malformed)??;
            rest = after.trim_start();
        }
        let too_long =
            || ValueError::OutOfRange { text: format!("{text:?}"), problem: "more than a hundred years" };
        if total > 100 * 365 * 86_400_000_000_000 {
            return Err(too_long());
        }
        Ok(Self(Duration::from_nanos(u64::try_from(total).map_err(|_| too_long())?)))
    }
}

/// One number with its unit; `None` when the number is none.
fn nanoseconds(number: &str, unit: &str, text: &str) -> Option<Result<u128, ValueError>> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || whole.len() > 12 || fraction.len() > 9 || fraction.contains('.') {
        return None;
    }
    if unit.is_empty() {
        return Some(Err(ValueError::NoUnit { text: text.to_owned(), units: UNIT_NAMES }));
    }
    let Some((_, per_unit)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Some(Err(ValueError::UnknownUnit { unit: unit.to_owned(), units: UNIT_NAMES }));
    };
    let per_unit = u128::from(*per_unit);
    let of_fraction = if fraction.is_empty() {
        0
    } else {
        fraction.parse::<u128>().ok()? * per_unit / 10u128.pow(fraction.len() as u32)
    };
    Some(Ok(whole.parse::<u128>().ok()? * per_unit + of_fraction))
}

/// The shortest exact way to write it: `500ms`, `1m30s`, `2h`.
impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_nanos();
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, per_unit) in
            [("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000)]
                .into_iter()
                .chain([("ms", 1_000_000), ("us", 1_000), ("ns", 1)])
        {
            let count = rest / per_unit;
            rest %= per_unit;
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

impl From<HumanDuration> for Duration {
    fn from(duration: HumanDuration) -> Self {
        duration.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        for (text, millis) in [
            ("500ms", 500),
            ("2s", 2_000),
            ("1.5s", 1_500),
            ("1m30s", 90_000),
            ("1h", 3_600_000),
            ("2 min", 120_000),
            ("30d", 2_592_000_000),
        ] {
            assert_eq!(text.parse(), Ok(HumanDuration(Duration::from_millis(millis))), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_says_why() {
        let message = |text: &str| text.parse::<HumanDuration>().expect_err(text).to_string();
        assert_eq!(message("fast"), r#""fast" cannot be measured: a duration such as "500ms" is expected"#);
        assert_eq!(message("500"), r#""500" has no unit: us, ms, s, m, h and d are known"#);
        assert_eq!(message("5 sec"), r#""sec" is no unit here: us, ms, s, m, h and d are known"#);
        assert_eq!(message("-5s"), r#""-5s" is less than nothing"#);
        assert_eq!(message("99999d"), r#""99999d" is more than a hundred years"#);
        for text in ["", "s", ".5s", "1..5s", "1.2.3s", "ms500", "5s!", "9999999999999999999999s"] {
            assert!(text.parse::<HumanDuration>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn display_reads_back_exactly(nanos in 0u64..3_000_000_000_000_000_000) {
            let duration = HumanDuration(Duration::from_nanos(nanos));
            prop_assert_eq!(duration.to_string().parse(), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in ".{0,20}") {
            let _ = text.parse::<HumanDuration>();
        }
    }
}
