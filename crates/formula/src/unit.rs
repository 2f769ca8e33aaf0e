//! What a number counts, and how people read it.

use serde::Serialize;

/// What a number counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Things.
    Count,
    /// 1 for yes, 0 for no.
    YesNo,
    /// A part of a whole, 0 to 1.
    Share,
    /// A score, 0 to 1 unless said otherwise.
    Score,
    /// How many times one thing is another.
    Times,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Hours.
    Hours,
    /// Days.
    Days,
    /// Months of 30 days.
    Months,
    /// US dollars.
    Dollars,
    /// US dollars in an hour.
    DollarsPerHour,
    /// US dollars in a day.
    DollarsPerDay,
    /// US dollars in a month of 30 days.
    DollarsPerMonth,
    /// US dollars in a year of 365 days.
    DollarsPerYear,
    /// US dollars for a million tokens.
    DollarsPerMillionTokens,
    /// Requests or events in a second.
    PerSecond,
    /// Requests or events in a day.
    PerDay,
    /// Tokens.
    Tokens,
    /// Tokens in a second.
    TokensPerSecond,
    /// Tokens in a day.
    TokensPerDay,
    /// Bytes.
    Bytes,
    /// Bytes in a second.
    BytesPerSecond,
    /// Bytes in a day.
    BytesPerDay,
}

impl Unit {
    /// A value as people read it: `1,200,000`, `62 ms`, `12.5 %`, `yes`.
    pub fn show(self, value: f64) -> String {
        let number = || plain(value);
        match self {
            Self::YesNo => if value == 0.0 { "no" } else { "yes" }.to_owned(),
            Self::Share => format!("{} %", plain(value * 100.0)),
            Self::Count | Self::Score => number(),
            Self::Times => format!("{}×", number()),
            Self::Milliseconds => format!("{} ms", number()),
            Self::Seconds => format!("{} s", number()),
            Self::Hours => format!("{} h", number()),
            Self::Days => format!("{} days", number()),
            Self::Months => format!("{} months", number()),
            Self::Dollars => dollars(value),
            Self::DollarsPerHour => format!("{} an hour", dollars(value)),
            Self::DollarsPerDay => format!("{} a day", dollars(value)),
            Self::DollarsPerMonth => format!("{} a month", dollars(value)),
            Self::DollarsPerYear => format!("{} a year", dollars(value)),
            Self::DollarsPerMillionTokens => format!("{} per million tokens", dollars(value)),
            Self::PerSecond => format!("{}/s", number()),
            Self::PerDay => format!("{} a day", number()),
            Self::Tokens => format!("{} tokens", number()),
            Self::TokensPerSecond => format!("{} tokens/s", number()),
            Self::TokensPerDay => format!("{} tokens a day", number()),
            Self::Bytes => bytes(value),
            Self::BytesPerSecond => format!("{}/s", bytes(value)),
            Self::BytesPerDay => format!("{} a day", bytes(value)),
        }
    }
}

/// Four digits that matter, thousands grouped, no zeros at the end, and words from a million on.
fn plain(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if !value.is_finite() {
        return if value.is_nan() {
            "unknown"
        } else if value > 0.0 {
            "unlimited"
        } else {
            "-unlimited"
        }
        .to_owned();
    }
    for (word, size) in [("billion", 1e9), ("million", 1e6)] {
        if value.abs() >= size && value.abs() < 1e15 {
            return format!("{} {word}", plain(value / size));
        }
    }
    let decimals = 3 - value.abs().log10().floor() as i32;
    group(&format!("{value:.*}", usize::try_from(decimals.clamp(0, 12)).unwrap_or(0)))
}

/// Dollars with cents from a dollar on, with four digits that matter below.
fn dollars(value: f64) -> String {
    let sign = if value < 0.0 { "-" } else { "" };
    let amount = value.abs();
    if amount >= 10_000.0 {
        return format!("{sign}${}", group(&format!("{amount:.0}")));
    }
    if amount >= 1.0 {
        return format!("{sign}${}", group(&format!("{amount:.2}")));
    }
    format!("{sign}${}", plain(amount))
}

fn group(text: &str) -> String {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut grouped = String::from(sign);
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { grouped } else { format!("{grouped}.{fraction}") }
}

fn bytes(value: f64) -> String {
    const UNITS: [(&str, f64); 5] = [("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("KB", 1e3)];
    let unit = UNITS.iter().find(|(_, unit)| value.abs() >= *unit);
    unit.map_or_else(
        || format!("{} B", plain(value)),
        |(name, unit)| format!("{} {name}", plain(value / unit)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_people_read_them() {
        let shown = [
            (Unit::Count, 1_200_000.0, "1.2 million"),
            (Unit::Tokens, 5.88e9, "5.88 billion tokens"),
            (Unit::Count, 999_999.0, "999,999"),
            (Unit::Count, -1_234.5, "-1,234"),
            (Unit::Milliseconds, 62.04, "62.04 ms"),
            (Unit::Share, 0.125, "12.5 %"),
            (Unit::YesNo, 1.0, "yes"),
            (Unit::Dollars, 0.005, "$0.005"),
            (Unit::Dollars, -3.5, "-$3.5"),
            (Unit::DollarsPerMonth, 12_345.6, "$12,346 a month"),
            (Unit::Bytes, 5e11, "500 GB"),
            (Unit::Times, 14.4, "14.4×"),
            (Unit::Count, 0.0, "0"),
            (Unit::Count, f64::INFINITY, "unlimited"),
        ];
        for (unit, value, text) in shown {
            assert_eq!(unit.show(value), text);
        }
    }
}
