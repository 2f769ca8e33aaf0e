//! What people write into `mainstay.toml` and into requests: values with units, tables, filters, metadata.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::str::FromStr;

use mainstay_domain::config::{
    self, BaseUrl, ByteSize, Dollars, HumanDuration, ListenAddress, Position, Ratio, SecretRef,
};
use mainstay_domain::{Metadata, NanoUsd, Timestamp};
use mainstay_wire::filter::decode_filter;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Values that are taken are written in a way that reads back as the same.
pub(crate) fn values(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    reads_back::<HumanDuration>(text);
    reads_back::<ByteSize>(text);
    reads_back::<Dollars>(text);
    reads_back::<NanoUsd>(text);
    reads_back::<ListenAddress>(text);
    reads_back::<BaseUrl>(text);
    reads_back::<SecretRef>(text);
    // A percentage is written with nine digits.
    let _ = text.parse::<Ratio>().map(|ratio| {
        let again = ratio.to_string().parse::<Ratio>().expect("what we write can be read");
        assert!((again.as_f64() - ratio.as_f64()).abs() < 1e-9);
    });
    if let Ok(url) = text.parse::<BaseUrl>() {
        assert!(
            !url.authority().is_empty()
                && url.as_str().ends_with(&format!("{}{}", url.authority(), url.path()))
        );
    }
    if let Some(moment) = Timestamp::parse_rfc3339(text) {
        assert!(moment.start_of_month() <= moment);
        if let Some(date) = text.get(..10) {
            let day = Timestamp::parse_rfc3339(date).expect("a date alone is one too");
            assert!((moment.as_micros() - day.as_micros()).abs() < 2 * 86_400_000_000);
        }
    }
}

fn reads_back<T: FromStr<Err: Display> + Display + PartialEq + Debug>(text: &str) {
    match text.parse::<T>() {
        Ok(value) => match value.to_string().parse::<T>() {
            Ok(again) => assert_eq!(again, value),
            Err(error) => panic!("{value} does not read back: {error}"),
        },
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Every kind of thing that a configuration has.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "what is read is not looked at")]
struct Settings {
    listen: ListenAddress,
    #[serde(default)]
    budget: Option<Dollars>,
    #[serde(default)]
    providers: BTreeMap<String, Provider>,
    #[serde(default)]
    routes: Vec<Route>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "what is read is not looked at")]
struct Provider {
    base_url: BaseUrl,
    #[serde(default)]
    api_key: Option<SecretRef>,
    #[serde(default)]
    timeout: Option<HumanDuration>,
    #[serde(default)]
    max_body: Option<ByteSize>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "what is read is not looked at")]
struct Route {
    model: String,
    #[serde(default)]
    share: Option<Ratio>,
    #[serde(default)]
    kind: Option<Kind>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    First,
    Cheapest,
}

/// A file is read, or what is wrong is reported at places of the file; a secret that stands in it is concealed.
pub(crate) fn read(data: &[u8]) {
    let Ok(source) = std::str::from_utf8(data) else { return };
    let reading = config::read::<Settings>(source);
    let concealed = reading.findings.concealed().to_vec();
    let problems = reading.findings.into_problems();
    assert!(reading.value.is_some() || !problems.is_empty(), "refused without a reason");
    for span in concealed.iter().chain(problems.iter().map(|problem| &problem.span)) {
        assert!(source.get(span.clone()).is_some(), "{span:?} is no part of the file");
        let position = Position::of(source, span.start);
        assert!(position.line > 0 && position.column > 0);
    }
    for problem in &problems {
        assert!(!problem.message.is_empty(), "a problem that says nothing");
        if let Some(related) = &problem.related {
            assert!(source.get(related.span.clone()).is_some());
        }
    }
}

/// A filter is read, or the error names the place in it.
pub(crate) fn filter(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    if let Err(error) = decode_filter(value, "filter") {
        assert!(error.param.as_deref().is_some_and(|param| param.starts_with("filter")), "{error}");
    }
}

/// Metadata that is taken keeps its limits, and is taken again as it was.
pub(crate) fn metadata(data: &[u8]) {
    let Ok(fields) = serde_json::from_slice::<Map<String, Value>>(data) else { return };
    let Ok(metadata) = Metadata::new(fields) else { return };
    assert!(metadata.as_json().len() <= Metadata::MOST_FIELDS);
    for (name, values) in metadata.fields() {
        assert!(name.len() <= Metadata::LONGEST_NAME && values.len() <= Metadata::MOST_VALUES, "{name}");
    }
    assert_eq!(Metadata::new(metadata.as_json().clone()), Ok(metadata));
}
