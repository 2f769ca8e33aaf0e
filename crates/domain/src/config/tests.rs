use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::*;

/// A small garden to look after.
#[derive(Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields, default)]
struct Garden {
    /// How long the taps run.
    #[schemars(example = "5m")]
    watering: Option<HumanDuration>,
    /// Share of the beds that lie fallow.
    #[schemars(example = "25%")]
    fallow: Option<Ratio>,
    /// What the garden may cost.
    budget: Option<Dollars>,
    /// The beds by name.
    beds: BTreeMap<String, Bed>,
    /// Which tools there are.
    #[schemars(extend("uniqueItems" = true), length(min = 1))]
    tools: Option<Vec<String>>,
}

/// A bed of the garden.
#[derive(Deserialize, JsonSchema, Debug, Default)]
#[serde(deny_unknown_fields, default)]
struct Bed {
    /// Rows of plants.
    #[schemars(range(min = 1, max = 40), example = 12)]
    rows: Option<u32>,
    /// What grows there.
    crop: Option<Crop>,
    /// Room for compost.
    compost: Option<ByteSize>,
    /// Opens the gate.
    gate_code: Option<SecretRef>,
    /// Whether it lies in the shade.
    shady: Option<bool>,
}

#[derive(Deserialize, JsonSchema, Debug, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Crop {
    /// Roots.
    Carrots,
    /// Leaves.
    Lettuce,
}

/// One line per problem: `line:column path: message | hint`.
fn check(source: &str) -> Vec<String> {
    let line = |problem: Problem| {
        let at = Position::of(source, problem.span.start);
        format!("{}:{} {}: {} | {}", at.line, at.column, problem.path, problem.message, problem.hint)
    };
    read::<Garden>(source).findings.into_problems().into_iter().map(line).collect()
}

#[test]
fn a_good_file_is_read_without_findings() {
    let reading = read::<Garden>(
        "watering = \"90s\"\nfallow = 0.25\n[beds.\"by the wall\"]\nrows = 3\ncrop = \"lettuce\"\nshady = true\n",
    );
    assert!(reading.findings.is_empty());
    let garden = reading.value.unwrap();
    assert_eq!(garden.watering, Some(HumanDuration(Duration::from_secs(90))));
    let bed = &garden.beds["by the wall"];
    assert_eq!((bed.rows, &bed.crop, bed.shady), (Some(3), &Some(Crop::Lettuce), Some(true)));
}

#[test]
fn one_run_finds_every_problem_of_every_table_in_the_order_of_the_file() {
    let problems = check(
        r#"watering = "often"
fallow = 25
budgt = "$5"
tools = ["rake", "rake"]
[beds.a]
rows = 0
crop = "carots"
compost = 5
[beds.b]
rwos = 7
rows = "3"
shady = "yes"
gate_code = "hunter2"
[beds]
c = 3
"#,
    );
    insta::assert_snapshot!(problems.join("\n"));
}

#[test]
fn what_is_bad_is_left_out_and_the_rest_is_read() {
    let reading = read::<Garden>("watering = 5\ntools = [\"rake\", 3]\n[beds.a]\nrows = 99\nshady = false\n");
    let garden = reading.value.unwrap();
    assert_eq!((garden.watering, garden.tools), (None, None));
    assert_eq!((garden.beds["a"].rows, garden.beds["a"].shady), (None, Some(false)));
    let paths: Vec<String> =
        reading.findings.into_problems().into_iter().map(|problem| problem.path).collect();
    assert_eq!(paths, ["watering", "tools[1]", "beds.a.rows"]);
}

#[test]
fn a_text_that_is_not_toml_is_explained_once_a_line() {
    let lines = [
        "watering = fast",
        "watering = 500ms",
        "fallow = 0.1%   # a tenth",
        "budget = $5",
        "watering = \"5m",
        "watering = \"5m\"\nwatering = \"6m\"",
        "[beds.a]\nrows = 1\n[beds.a]",
        "watering",
        "watering: 5",
        "tools = [\"a\", ",
        "[beds",
        "beds.a = { rows = 1, crop = \"carrots }",
        "= 4",
        "shady = True",
        "shady = yes",
    ];
    let mut report = String::new();
    for text in lines {
        let problems = check(text);
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        report += &format!("{text}\n    {}\n", problems[0]);
    }
    insta::assert_snapshot!(report);
}

#[test]
fn a_secret_that_stands_in_the_file_is_concealed_whether_or_not_the_file_is_toml() {
    for source in [
        "[beds.a]\ngate_code = \"hunter2\"\n",
        "[beds.a]\ngate_code = [\"hunter2\"]\n",
        "[beds.a]\nrows = \ngate_token = \"hunter2\"\n",
        "[beds.a]\nrows = \ngate_token = hunter2\n",
        "rows = \nheaders = { \"X-Gate-Token\" = \"hunter2\" }\n",
    ] {
        let reading = read::<Garden>(source);
        let hidden = reading.findings.concealed().to_vec();
        assert!(hidden.iter().any(|span| source[span.clone()].contains("hunter2")), "{source}");
        let problems = format!("{:?}", reading.findings.into_problems());
        assert!(!problems.contains("hunter2"), "{problems}");
    }
}

#[test]
fn a_bad_value_is_not_also_reported_as_missing() {
    let mut reading = read::<Garden>("watering = 5\n");
    reading.findings.report(&KeyPath::root().key("watering"), "it is missing", "write it");
    reading.findings.report(&KeyPath::root().key("fallow"), "it is missing", "write it");
    let paths: Vec<String> =
        reading.findings.into_problems().into_iter().map(|problem| problem.path).collect();
    assert_eq!(paths, ["fallow", "watering"]);
}

#[test]
fn the_schema_has_no_null_and_keeps_sentences_and_examples() {
    let schema = schema_of::<Garden>();
    assert!(!schema.to_string().contains("null"), "{schema}");
    let watering = &schema["properties"]["watering"];
    assert_eq!(watering["description"], "How long the taps run.");
    assert_eq!(watering["examples"][0], "5m");
    assert_eq!(schema["additionalProperties"], false);
}

proptest::proptest! {
    #[test]
    fn no_text_panics(source in "[a-z=\\[\\]\"'{}.,#0-9 \n]{0,80}") {
        let _ = check(&source);
    }

    #[test]
    fn no_value_panics(key in "watering|fallow|budget|tools|beds", value in ".{0,30}") {
        let _ = check(&format!("{key} = {value}"));
    }
}
