//! Sizes in bytes as people write them.

use std::fmt;

use super::value::{ConfigValue, ValueError, config_value};

/// A number of bytes with its unit: `10MB` (10⁷), `64MiB` (64·2²⁰), `512B`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ByteSize(pub u64);

const UNITS: [(&str, u64); 10] = [
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];
const UNIT_NAMES: &str = "B, KB, MB, GB, TB, KiB, MiB, GiB and TiB";

config_value!(ByteSize, "size", {
    "type": "string",
    "examples": ["20MiB", "512KB"],
});

impl ConfigValue for ByteSize {
    const EXPECTED: &'static str = "a size such as \"20MiB\"";

    fn from_text(text: &str) -> Result<Self, ValueError> {
        let malformed = || ValueError::of_text(text, Self::EXPECTED);
        let trimmed = text.trim();
        let number_end = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(number_end);
        let unit = unit.trim_start();
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() || whole.len() > 20 || fraction.len() > 9 || fraction.contains('.') {
            return Err(malformed());
        }
        if unit.is_empty() {
            return Err(ValueError::NoUnit { text: text.to_owned(), units: UNIT_NAMES });
        }
        let per_unit = bytes_per(unit)
            .ok_or_else(|| ValueError::UnknownUnit { unit: unit.to_owned(), units: UNIT_NAMES })?;
        let of_fraction = if fraction.is_empty() {
            0
        } else {
            fraction.parse::<u128>().map_err(|_| malformed())? * per_unit / 10u128.pow(fraction.len() as u32)
        };
        let bytes = whole.parse::<u128>().map_err(|_| malformed())? * per_unit + of_fraction;
        u64::try_from(bytes)
            .map(Self)
            .map_err(|_| ValueError::OutOfRange { text: format!("{text:?}"), problem: "more than 16 EiB" })
    }
}

/// Bytes per unit. All-lower-case spellings are understood too, but not `Mb`, which could mean bits.
fn bytes_per(unit: &str) -> Option<u128> {
    let is = |name: &str| name == unit || name.to_ascii_lowercase() == unit;
    UNITS.iter().find(|(name, _)| is(name)).map(|(_, bytes)| u128::from(*bytes))
}

/// The largest unit that writes it exactly: `20MiB`, `10MB`, `1500B`.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = |(_, bytes): &&(&str, u64)| self.0 != 0 && self.0.is_multiple_of(*bytes);
        let (unit, bytes) = UNITS.iter().filter(exact).max_by_key(|(_, bytes)| bytes).unwrap_or(&UNITS[0]);
        write!(f, "{}{unit}", self.0 / bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        for (text, bytes) in [
            ("10MB", 10_000_000),
            ("64MiB", 67_108_864),
            ("1.5 KiB", 1_536),
            ("0B", 0),
            ("20mib", 20_971_520),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_says_why() {
        let message = |text: &str| text.parse::<ByteSize>().expect_err(text).to_string();
        assert_eq!(message("large"), r#""large" cannot be measured: a size such as "20MiB" is expected"#);
        assert_eq!(message("10"), r#""10" has no unit: B, KB, MB, GB, TB, KiB, MiB, GiB and TiB are known"#);
        assert_eq!(message("99999999999TB"), r#""99999999999TB" is more than 16 EiB"#);
        for text in ["", "MB", "-1MB", "10Mb", "10Mbit", "1,5MB"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn display_reads_back_exactly(bytes in any::<u64>()) {
            prop_assert_eq!(ByteSize(bytes).to_string().parse(), Ok(ByteSize(bytes)));
        }
    }
}
