//! How a provider says how long to wait: in every form that was seen, those that mean nothing included.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use mainstay_domain::Timestamp;

/// What a refusal says about when to come back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RetryAfter {
    /// `7`: `retry-after: 7`.
    Seconds(u32),
    /// `700ms`: `retry-after-ms: 700`, as OpenAI and Azure send it.
    Milliseconds(u32),
    /// `date`: an HTTP date, two seconds from now.
    Date,
    /// `negative`: `retry-after: -5`.
    Negative,
    /// `text`: `retry-after: soon`.
    Text,
    /// `year`: `retry-after: 31536000`.
    Year,
}

/// How far away [`RetryAfter::Date`] is. Dates have whole seconds: less could lie in the past when it arrives.
const DATE_IN: Duration = Duration::from_secs(2);

impl RetryAfter {
    /// The header; `now` is what a date counts from.
    pub(super) fn header(self, now: Timestamp) -> (HeaderName, HeaderValue) {
        let value = match self {
            Self::Seconds(seconds) => HeaderValue::from(seconds),
            Self::Milliseconds(milliseconds) => {
                return (HeaderName::from_static("retry-after-ms"), HeaderValue::from(milliseconds));
            }
            Self::Date => {
                let since_epoch = Duration::from_micros(u64::try_from(now.as_micros()).unwrap_or_default());
                let date = httpdate::fmt_http_date(UNIX_EPOCH + since_epoch + DATE_IN);
                HeaderValue::from_str(&date).unwrap_or(HeaderValue::from_static("soon"))
            }
            Self::Negative => HeaderValue::from_static("-5"),
            Self::Text => HeaderValue::from_static("soon"),
            Self::Year => HeaderValue::from_static("31536000"),
        };
        (RETRY_AFTER, value)
    }

    /// How long it asks for, where it is a length of time.
    pub(super) fn duration(self) -> Option<Duration> {
        match self {
            Self::Seconds(seconds) => Some(Duration::from_secs(seconds.into())),
            Self::Milliseconds(milliseconds) => Some(Duration::from_millis(milliseconds.into())),
            Self::Year => Some(Duration::from_secs(365 * 24 * 3_600)),
            Self::Date | Self::Negative | Self::Text => None,
        }
    }
}

/// A text that is no such wish.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("write seconds, milliseconds as 700ms, date, negative, text or year")]
pub struct NoRetryAfter;

impl FromStr for RetryAfter {
    type Err = NoRetryAfter;

    fn from_str(text: &str) -> Result<Self, NoRetryAfter> {
        match (text, text.strip_suffix("ms")) {
            ("date", _) => Ok(Self::Date),
            ("negative", _) => Ok(Self::Negative),
            ("text", _) => Ok(Self::Text),
            ("year", _) => Ok(Self::Year),
            (_, Some(milliseconds)) => milliseconds.parse().map(Self::Milliseconds).map_err(|_| NoRetryAfter),
            (seconds, None) => seconds.parse().map(Self::Seconds).map_err(|_| NoRetryAfter),
        }
    }
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(seconds) => write!(f, "{seconds}"),
            Self::Milliseconds(milliseconds) => write!(f, "{milliseconds}ms"),
            Self::Date => f.write_str("date"),
            Self::Negative => f.write_str("negative"),
            Self::Text => f.write_str("text"),
            Self::Year => f.write_str("year"),
        }
    }
}
