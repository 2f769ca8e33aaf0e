//! What is known about this product and its system, for the decisions: from `mainstay.toml`, from the plan, from a running
//! system's metrics, and from what the team says in `[facts]`.

use std::path::Path;
use std::str::FromStr;
use std::sync::LazyLock;

use mainstay_decisions::measured::Samples;
use mainstay_decisions::{Fact, Origin, Situation, Source, Unit, cards};
use mainstay_domain::config::{ByteSize, Dollars, HumanDuration, Ratio, schema_of};
use mainstay_planner::Plan;
use mainstay_planner::requirements::tell;
use serde_json::Value as Json;
use toml::{Table, Value};

use crate::config::{Checked, DEFAULTS_FOR_PEOPLE, FILE_NAME, RawConfig};

/// Everything that is known. `written` is the file as it stands, from [`written`].
pub(crate) fn situation(
    checked: &Checked,
    written: &Table,
    plan: Option<&Plan>,
    samples: Option<&Samples>,
) -> Situation {
    let mut situation = Situation::new();
    let defaults: Table = DEFAULTS_FOR_PEOPLE.parse().unwrap_or_default();
    for fact in cards::facts() {
        for source in fact.from {
            let (value, origin) = match source {
                Source::Measured(reading) => {
                    (samples.and_then(|samples| samples.read(reading)), Origin::Measured)
                }
                Source::Spec(key) => (of_spec(fact, key, written, &defaults), Origin::Spec),
                Source::SpecIs(key, word) => (Some(has_word(key, word, written, &defaults)), Origin::Spec),
                Source::Plan(number) => (plan.and_then(|plan| plan.sheet.value(number)), Origin::Plan),
                Source::Told(_) => (None, Origin::Told),
            };
            if let Some(value) = value {
                situation.learn(fact, value, origin);
            }
        }
    }
    tell(&checked.facts, &mut situation);
    situation
}

/// The file as it stands: the one of `path`, or `mainstay.toml` of the working folder, or an empty one. It has been checked before.
pub(crate) fn written(path: Option<&Path>) -> Table {
    let text = std::fs::read_to_string(path.unwrap_or(Path::new(FILE_NAME))).unwrap_or_default();
    text.parse().unwrap_or_default()
}

/// The value of a fact that the file says: what is not written has its default.
fn of_spec(fact: &Fact, key: &str, written: &Table, defaults: &Table) -> Option<f64> {
    let values = values(key, written, defaults).into_iter().filter_map(|value| number(fact.unit, value));
    let most = values.fold(None, |most: Option<f64>, value| Some(most.map_or(value, |most| most.max(value))));
    // What is not there is not there: no entries, no providers.
    let absent = matches!(fact.unit, Unit::Count | Unit::YesNo) && is_a_collection(key);
    most.or_else(|| absent.then_some(0.0))
}

/// 1 where some value of the key is this word, else 0.
fn has_word(key: &str, word: &str, written: &Table, defaults: &Table) -> f64 {
    let found = values(key, written, defaults).iter().any(|value| value.as_str() == Some(word));
    f64::from(u8::from(found))
}

/// The values of a key as they are written, else as they are without a word.
fn values<'a>(key: &str, written: &'a Table, defaults: &'a Table) -> Vec<&'a Value> {
    let steps: Vec<&str> = key.split('.').collect();
    let found = at(written, &steps);
    if found.is_empty() { at(defaults, &steps) } else { found }
}

/// Every value at these steps, where `*` is any name.
fn at<'a>(table: &'a Table, steps: &[&str]) -> Vec<&'a Value> {
    let Some((first, rest)) = steps.split_first() else { return Vec::new() };
    let entries: Vec<&Value> =
        if *first == "*" { table.values().collect() } else { table.get(*first).into_iter().collect() };
    if rest.is_empty() {
        return entries;
    }
    entries.into_iter().filter_map(Value::as_table).flat_map(|table| at(table, rest)).collect()
}

/// Whether nothing written means none: a table of named things, or a list. A number that is not written is not known.
fn is_a_collection(key: &str) -> bool {
    let kind = &place_of(key)["type"];
    let is = |name: &str| {
        *kind == name || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == name))
    };
    is("object") || is("array")
}

/// What the schema says of a key, where `*` is any name; null where there is no such key.
fn place_of(key: &str) -> &'static Json {
    static SCHEMA: LazyLock<Json> = LazyLock::new(schema_of::<RawConfig>);
    key.split('.').fold(&*SCHEMA, |place, step| {
        if step == "*" { &place["additionalProperties"] } else { &place["properties"][step] }
    })
}

/// A value as the number of a fact.
fn number(unit: Unit, value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        Value::Boolean(yes) => Some(f64::from(u8::from(*yes))),
        Value::Array(items) => Some(count(unit, items.len())),
        Value::Table(entries) => Some(count(unit, entries.len())),
        Value::String(text) => of_text(unit, text),
        Value::Datetime(_) => None,
    }
}

fn count(unit: Unit, entries: usize) -> f64 {
    if unit == Unit::YesNo { f64::from(u8::from(entries > 0)) } else { entries as f64 }
}

fn of_text(unit: Unit, text: &str) -> Option<f64> {
    let duration = || HumanDuration::from_str(text).ok().map(|HumanDuration(time)| time.as_secs_f64());
    let dollars = || Dollars::from_str(text).ok().map(|Dollars(amount)| amount.as_dollars_lossy());
    match unit {
        Unit::Milliseconds => duration().map(|seconds| seconds * 1000.0),
        Unit::Seconds => duration(),
        Unit::Days => duration().map(|seconds| seconds / 86_400.0),
        Unit::Dollars | Unit::DollarsPerMonth => dollars(),
        Unit::Bytes => ByteSize::from_str(text).ok().map(|size| size.0 as f64),
        Unit::Share | Unit::Score => Ratio::from_str(text).ok().map(Ratio::as_f64),
        // A word that says how is a yes; the words that say not are a no.
        Unit::YesNo => Some(f64::from(u8::from(!matches!(text, "off" | "none" | "never" | "no")))),
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use mainstay_decisions::measured::{Reading, Series};
    use mainstay_ops::measure::METRICS;

    use super::*;
    use crate::config::check_text;
    use crate::planning;

    /// Everything that a plan can be made from.
    const RICH: &str = r#"
[product]
audience = "enterprise"
[slo]
ttft.p95 = "500ms"
cost.per_request = "$0.005"
[traffic]
monthly_active_users = 100_000
[constraints]
residency = ["eu-west-1"]
monthly_budget = "$50000"
[planning]
self_hosted_model = "llama-3.1-70b"
documents = 100_000
[providers.openai]
api_key = "env:OPENAI_API_KEY"
region = "eu-west-1"
[residency]
region = "eu-west-1"
[assistants.support]
cascade = ["openai/gpt-4o-mini", "openai/gpt-4o"]
"#;

    fn checked() -> Checked {
        check_text(RICH, Path::new("mainstay.toml")).unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn series(reading: &Reading) -> Vec<Series> {
        match reading {
            Reading::Quantile { histogram, .. } | Reading::Mean { histogram, .. } => {
                vec![Series::all(histogram)]
            }
            Reading::Largest(series) | Reading::Sum(series) => vec![*series],
            Reading::Ratio { of, among, .. } => vec![*of, *among],
        }
    }

    #[test]
    fn every_metric_that_a_decision_reads_is_exported_with_the_label_it_asks_for() {
        for fact in cards::facts() {
            for source in fact.from {
                let Source::Measured(reading) = source else { continue };
                for Series { name, label } in series(reading) {
                    let base = ["_sum", "_count", "_bucket"]
                        .iter()
                        .find_map(|suffix| name.strip_suffix(suffix))
                        .unwrap_or(name);
                    if name.starts_with("vllm:") {
                        continue;
                    }
                    let metric = METRICS.iter().find(|metric| metric.name == base || metric.name == name);
                    let metric = metric.unwrap_or_else(|| panic!("{}: {name} is not exported", fact.id));
                    if let Some((label, _)) = label {
                        assert!(metric.labels.contains(&label), "{}: {name} has no label {label}", fact.id);
                    }
                }
            }
        }
    }

    #[test]
    fn every_number_of_the_plan_that_a_decision_reads_is_in_a_plan() {
        let checked = checked();
        let plan = planning::plan(&checked).expect("there is traffic");
        let missing: BTreeSet<&str> = cards::facts()
            .flat_map(|fact| fact.from)
            .filter_map(|source| match source {
                Source::Plan(name) if plan.sheet.row(name).is_none() => Some(*name),
                _ => None,
            })
            .collect();
        assert_eq!(missing, BTreeSet::new());
    }

    #[test]
    fn every_key_that_a_decision_reads_is_one() {
        for fact in cards::facts() {
            for source in fact.from {
                let (Source::Spec(key) | Source::SpecIs(key, _)) = source else { continue };
                let place = place_of(key);
                assert_ne!(place, &Json::Null, "{}: there is no key {key}", fact.id);
            }
        }
    }

    #[test]
    fn what_the_file_says_is_known_and_what_it_leaves_out_has_its_default() {
        let checked = checked();
        let written: Table = RICH.parse().expect("TOML");
        let situation = situation(&checked, &written, None, None);
        let value = |fact: &Fact| situation.value(fact);
        assert_eq!(value(mainstay_decisions::fact::TTFT_P95_TARGET), Some(500.0));
        assert_eq!(value(mainstay_decisions::fact::MONTHLY_BUDGET), Some(50_000.0));
        assert_eq!(value(mainstay_decisions::fact::AUDIENCE_ENTERPRISE), Some(1.0));
        assert_eq!(value(mainstay_decisions::fact::AUDIENCE_CONSUMER), Some(0.0));
        assert_eq!(value(mainstay_decisions::fact::REGIONS), Some(1.0));
        assert_eq!(value(mainstay_decisions::fact::DATA_RESIDENCY), Some(1.0));
        assert_eq!(value(mainstay_decisions::fact::PROVIDERS), Some(1.0));
        assert_eq!(value(mainstay_decisions::fact::LATENCY_P95_TARGET), None, "no target is no number");
        assert_eq!(
            value(mainstay_decisions::fact::ML_ENGINEERS),
            None,
            "who says nothing of engineers does not say none"
        );
    }
}
