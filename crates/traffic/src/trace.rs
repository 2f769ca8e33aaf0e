//! A team's own trace: when requests came, as CSV.
//!
//! Two forms: `timestamp,requests` with counts for stretches of equal length, or `timestamp` alone with a line per request.
//! Timestamps are seconds or milliseconds since 1970, or RFC 3339 in UTC (`2026-11-27T09:30:00Z`).

use serde::Serialize;

use crate::arrivals::Rates;

/// What a trace says.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Trace {
    /// Requests in a second, minute by minute, from the first minute of the trace on.
    #[serde(skip)]
    pub rates: Rates,
    /// Requests in all.
    pub requests: f64,
    /// What was odd and mended, with its place.
    pub warnings: Vec<String>,
}

/// Why a trace cannot be used.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum TraceError {
    /// It has no requests.
    #[error(
        "the trace has no requests: a line says when one came, or \"timestamp,requests\" how many in a stretch of time"
    )]
    Empty,
    /// A line cannot be read.
    #[error("line {line}: {problem}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong and what is expected.
        problem: String,
    },
    /// Too much of it is missing.
    #[error("from minute {from} on {minutes} minutes are missing: leave the stretch before or after it out")]
    Hole {
        /// The first minute that is missing, from the beginning of the trace.
        from: usize,
        /// How many.
        minutes: usize,
    },
    /// It is longer than anything a plan looks at.
    #[error("the trace spans {days} days: take at most 92, the latest")]
    TooLong {
        /// Its length.
        days: u64,
    },
}

/// Holes up to this long are filled by what is around them.
const LONGEST_HOLE: usize = 60;
const LONGEST_DAYS: u64 = 92;

/// Reads a trace. Lines in the wrong order are sorted and named; equal timestamps of counts are added up and named; short holes
/// are filled and named.
pub fn read_trace(text: &str) -> Result<Trace, TraceError> {
    let mut warnings = Vec::new();
    let mut rows = rows(text)?;
    if let Some(line) = rows.windows(2).find(|pair| pair[1].at < pair[0].at).map(|pair| pair[1].line) {
        warnings.push(format!("line {line}: time runs backwards; the lines were sorted"));
        rows.sort_by(|a, b| a.at.total_cmp(&b.at));
    }
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Err(TraceError::Empty) };
    let days = ((last.at - first.at) / 86_400.0) as u64;
    if days > LONGEST_DAYS {
        return Err(TraceError::TooLong { days });
    }
    let counted = rows.iter().any(|row| row.counted);
    let requests = rows.iter().map(|row| row.requests).sum::<f64>();
    if requests <= 0.0 {
        return Err(TraceError::Empty);
    }
    let per_minute = if counted { of_counts(&rows, &mut warnings)? } else { of_requests(&rows) };
    Ok(Trace { rates: Rates { per_minute }, requests, warnings })
}

/// A line that could be read.
struct Row {
    line: usize,
    /// Seconds since 1970.
    at: f64,
    requests: f64,
    /// Whether it says how many, in distinction to one that is one.
    counted: bool,
}

fn rows(text: &str) -> Result<Vec<Row>, TraceError> {
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let (line_number, line) = (index + 1, line.trim());
        if line.is_empty() {
            continue;
        }
        let (time, count) =
            line.split_once(',').map_or((line, None), |(time, count)| (time, Some(count.trim())));
        let failed = |problem: String| TraceError::Line { line: line_number, problem };
        let Some(at) = timestamp(time.trim()) else {
            // A first line of words is a header.
            if index == 0
                && line.chars().any(char::is_alphabetic)
                && !line.chars().any(|c| c.is_ascii_digit())
            {
                continue;
            }
            let shown: String = time.trim().chars().take(40).collect();
            return Err(failed(format!("{shown:?} is no time such as 2026-11-27T09:30:00Z or 1764235800")));
        };
        let requests = match count {
            None => 1.0,
            Some(count) => match count.parse::<f64>() {
                Ok(number) if number.is_finite() && number >= 0.0 => number,
                _ => {
                    let shown: String = count.chars().take(40).collect();
                    return Err(failed(format!("{shown:?} is no number of requests: 0 or more")));
                }
            },
        };
        rows.push(Row { line: line_number, at, requests, counted: count.is_some() });
    }
    Ok(rows)
}

/// Seconds since 1970.
fn timestamp(text: &str) -> Option<f64> {
    if let Ok(number) = text.parse::<f64>() {
        let is_time = number.is_finite() && number >= 0.0;
        // From 2001 to 5138 in milliseconds; as seconds that would be the year 33658 and later.
        return is_time.then_some(if number >= 1e12 { number / 1000.0 } else { number });
    }
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let time = time.strip_suffix(['Z', 'z']).or_else(|| time.strip_suffix("+00:00"))?;
    let mut date = date.splitn(3, '-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let mut clock = time.splitn(3, ':');
    let (hour, minute) = (clock.next()?.parse::<f64>().ok()?, clock.next()?.parse::<f64>().ok()?);
    let second = clock.next().map_or(Ok(0.0), str::parse::<f64>).ok()?;
    let in_range = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0.0..24.0).contains(&hour)
        && (0.0..60.0).contains(&minute)
        && (0.0..61.0).contains(&second);
    in_range.then(|| {
        days_since_1970(year, month, day) as f64 * 86_400.0 + hour * 3_600.0 + minute * 60.0 + second
    })
}

/// Howard Hinnant's `days_from_civil`.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn of_requests(rows: &[Row]) -> Vec<f64> {
    let first = (rows[0].at / 60.0).floor();
    let minutes = (rows[rows.len() - 1].at / 60.0 - first).floor() as usize + 1;
    let mut per_minute = vec![0.0; minutes];
    for row in rows {
        per_minute[(row.at / 60.0 - first) as usize] += 1.0 / 60.0;
    }
    per_minute
}

/// The stretch that counts are for is the most frequent distance between two of them.
fn of_counts(rows: &[Row], warnings: &mut Vec<String>) -> Result<Vec<f64>, TraceError> {
    let mut bins: Vec<(f64, f64, usize)> = Vec::new();
    for row in rows {
        match bins.last_mut().filter(|(at, ..)| *at == row.at) {
            Some((_, requests, _)) => {
                warnings.push(format!(
                    "line {}: this time stands there twice; the counts were added up",
                    row.line
                ));
                *requests += row.requests;
            }
            None => bins.push((row.at, row.requests, row.line)),
        }
    }
    let stretch = usual_distance(&bins);
    let first = bins[0].0;
    let end = bins[bins.len() - 1].0 + stretch;
    let minutes = ((end - first) / 60.0).ceil().max(1.0) as usize;
    let mut known: Vec<Option<f64>> = vec![None; minutes];
    for (at, requests, _) in &bins {
        let from = ((at - first) / 60.0).round() as usize;
        let to = (((at - first + stretch) / 60.0).round() as usize).max(from + 1).min(minutes);
        for minute in known.iter_mut().take(to).skip(from) {
            *minute = Some(minute.unwrap_or(0.0) + requests / stretch.max(60.0));
        }
    }
    fill_holes(known, warnings)
}

fn usual_distance(bins: &[(f64, f64, usize)]) -> f64 {
    let mut distances: Vec<u64> =
        bins.windows(2).map(|pair| (pair[1].0 - pair[0].0).round() as u64).collect();
    distances.sort_unstable();
    let groups = distances.chunk_by(|a, b| a == b);
    // Of equally frequent ones the shortest: a hole is long.
    let usual = groups.rev().max_by_key(|group| group.len()).map_or(60, |group| group[0]);
    usual.max(1) as f64
}

fn fill_holes(known: Vec<Option<f64>>, warnings: &mut Vec<String>) -> Result<Vec<f64>, TraceError> {
    let mut rates: Vec<f64> = Vec::with_capacity(known.len());
    let mut at = 0;
    while at < known.len() {
        if let Some(rate) = known[at] {
            rates.push(rate);
            at += 1;
            continue;
        }
        let length = known[at..].iter().take_while(|minute| minute.is_none()).count();
        if length > LONGEST_HOLE {
            return Err(TraceError::Hole { from: at, minutes: length });
        }
        warnings.push(format!(
            "from minute {at} on {length} minutes are missing; they were filled by what is around them"
        ));
        let before = rates.last().copied().unwrap_or(0.0);
        let after = known.get(at + length).copied().flatten().unwrap_or(before);
        rates.extend((1..=length).map(|step| before + (after - before) * step as f64 / (length + 1) as f64));
        at += length;
    }
    Ok(rates)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rates(text: &str) -> Vec<f64> {
        read_trace(text).expect(text).rates.per_minute
    }

    #[test]
    fn counts_and_single_requests_are_understood() {
        assert_eq!(rates("timestamp,requests\n1764235800,60\n1764235860,120\n"), [1.0, 2.0]);
        assert_eq!(rates("2026-11-27T09:30:00Z,600\n2026-11-27T09:40:00Z,1200\n").len(), 20);
        assert_eq!(rates("2026-11-27T09:30:00Z,600\n2026-11-27T09:40:00Z,1200\n")[10], 2.0);
        let single: String =
            (0..120).map(|second| format!("{}\n", 1_764_235_800_000_u64 + second * 1000)).collect();
        assert!(rates(&single).iter().all(|rate| (rate - 1.0).abs() < 1e-9));
    }

    #[test]
    fn the_calendar_is_right() {
        assert_eq!(timestamp("1970-01-01T00:00:00Z"), Some(0.0));
        assert_eq!(timestamp("2024-02-29 12:00:00.5Z"), Some(1_709_208_000.5));
        assert_eq!(timestamp("2026-13-01T00:00:00Z"), None);
        assert_eq!(timestamp("2026-11-27T09:30:00+05:00"), None, "only UTC");
    }

    #[test]
    fn what_is_odd_is_mended_and_named() {
        let trace = read_trace("60,60\n0,60\n120,30\n120,30\n300,60\n").expect("it can be mended");
        assert_eq!(trace.rates.per_minute, [1.0; 6]);
        let said: Vec<&str> =
            trace.warnings.iter().map(|w| w.split(';').next().unwrap_or_default()).collect();
        assert_eq!(
            said,
            [
                "line 2: time runs backwards",
                "line 4: this time stands there twice",
                "from minute 3 on 2 minutes are missing"
            ]
        );
    }

    #[test]
    fn what_cannot_be_used_says_where_and_why() {
        let line = |text: &str| read_trace(text).expect_err(text).to_string();
        assert!(line("0,5\n60,-1\n").starts_with("line 2: \"-1\" is no number of requests"));
        assert!(line("0,5\nnoon,1\n").starts_with("line 2: \"noon\" is no time"));
        assert!(matches!(read_trace("timestamp,requests\n"), Err(TraceError::Empty)));
        assert!(matches!(read_trace("0,0\n60,0\n"), Err(TraceError::Empty)));
        let hole = read_trace("0,5\n60,5\n120,5\n9000,5\n").expect_err("150 minutes");
        assert_eq!(hole, TraceError::Hole { from: 3, minutes: 147 });
        assert!(matches!(read_trace("0\n100000000\n"), Err(TraceError::TooLong { .. })));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(?s).{0,120}") {
            let _ = read_trace(&text);
        }

        #[test]
        fn requests_are_neither_lost_nor_made(counts in proptest::collection::vec(0_u32..1000, 2..200)) {
            prop_assume!(counts.iter().any(|count| *count > 0));
            let text: String = counts.iter().enumerate().map(|(i, count)| format!("{},{count}\n", i * 60)).collect();
            let trace = read_trace(&text).expect("it is good");
            let sum: f64 = trace.rates.per_minute.iter().map(|rate| rate * 60.0).sum();
            prop_assert!((sum - trace.requests).abs() < 1e-6 * (1.0 + sum));
        }
    }
}
