//! How long a provider asks to be left alone.

use std::time::{Duration, UNIX_EPOCH};

use http::HeaderMap;
use http::header::RETRY_AFTER;
use mainstay_domain::Timestamp;

/// The wait that an answer's headers ask for: `retry-after-ms`, which is more exact, before `retry-after` in seconds or as
/// an HTTP date. Never more than a day, and none for what cannot be read or has passed.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let milliseconds = text("retry-after-ms").and_then(|text| seconds(text, 1e-3));
    milliseconds.or_else(|| {
        let text = text(RETRY_AFTER.as_str())?;
        seconds(text, 1.0).or_else(|| until(text, now))
    })
}

const LONGEST: Duration = Duration::from_secs(86_400);

fn seconds(text: &str, unit: f64) -> Option<Duration> {
    let wait = text.parse::<f64>().ok()? * unit;
    (wait >= 0.0).then(|| Duration::try_from_secs_f64(wait).map_or(LONGEST, |wait| wait.min(LONGEST)))
}

fn until(date: &str, now: Timestamp) -> Option<Duration> {
    let date = httpdate::parse_http_date(date).ok()?;
    let now = UNIX_EPOCH + Duration::from_micros(u64::try_from(now.as_micros()).ok()?);
    date.duration_since(now).ok().map(|wait| wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &str)], expected: Option<u64>) {
        let map =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        // 1994-11-06 08:49:30 UTC.
        let now = Timestamp::from_micros(784_111_770_000_000);
        assert_eq!(retry_after(&map, now), expected.map(Duration::from_millis), "{headers:?}");
    }

    #[test]
    fn seconds_milliseconds_and_dates_are_read() {
        check(&[("retry-after", "7")], Some(7_000));
        check(&[("retry-after", "0.25")], Some(250));
        check(&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], Some(7_000));
        check(&[("retry-after-ms", "1500"), ("retry-after", "2")], Some(1_500));
    }

    #[test]
    fn what_cannot_be_read_is_no_wait_and_what_is_absurd_is_a_day() {
        check(&[], None);
        check(&[("retry-after", "soon")], None);
        check(&[("retry-after", "-3")], None);
        check(&[("retry-after", "NaN")], None);
        check(&[("retry-after", "Sun, 06 Nov 1994 08:49:00 GMT")], None);
        check(&[("retry-after", "1e30")], Some(86_400_000));
        check(&[("retry-after-ms", "x"), ("retry-after", "2")], Some(2_000));
    }
}
