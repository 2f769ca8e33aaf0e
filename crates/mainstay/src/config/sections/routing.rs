//! `[assistants.<name>.routing]`: which model of a cascade a question starts at, and which answers may leave.

use std::collections::BTreeMap;
use std::path::Path;

use mainstay_cascade::{GateSettings, GuardSettings, IntentModel, IntentRoute, RouterSettings, Rule};
use mainstay_domain::NanoUsd;
use mainstay_domain::config::{Dollars, Findings, KeyPath, Ratio, closest};
use schemars::JsonSchema;
use serde::Deserialize;

use super::assistants::{ReadFile, check_model};
use super::model_name::{BUILTIN, ModelName};
use super::onnx::ONNX;
use super::providers::Provider;

/// Which model of a cascade a question starts at, and which answers may leave.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawRouting {
    /// What tells the intents of questions apart, as `mainstay train intent` has written it; a relative path starts at the
    /// folder of this file.
    #[schemars(example = "intents.json", length(min = 1))]
    intents_file: Option<String>,
    /// How sure an intent must be.
    #[schemars(example = "60%")]
    least_confidence: Option<Ratio>,
    /// The model at which questions start whose intent is not sure; by default the last.
    #[schemars(example = "openai/gpt-4o")]
    unsure: Option<ModelName>,
    /// What of the questions that would start at a cheaper model is given to the last at once, to compare.
    #[schemars(example = "5%")]
    compared_share: Option<Ratio>,
    /// The share of a model's answers that may need a stronger one; beyond it the model is passed over.
    #[schemars(example = "60%")]
    most_escalated: Option<Ratio>,
    /// Whether answers of all models but the last are looked at before they leave.
    gate: Option<bool>,
    /// The share of the statements of an answer from documents that must have a citation.
    #[schemars(example = "50%")]
    least_grounded: Option<Ratio>,
    /// A model that grades answers before they leave.
    #[schemars(example = "openai/gpt-4o-mini")]
    judge: Option<ModelName>,
    /// The grade that an answer needs.
    #[schemars(example = "80%")]
    least_quality: Option<Ratio>,
    /// Where the questions of an intent start.
    intents: BTreeMap<String, RawIntent>,
    /// What decides by the words and the length of a question, before its intent does.
    rules: BTreeMap<String, RawRule>,
}

/// Where the questions of an intent start.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
struct RawIntent {
    /// The model; by default the first.
    #[schemars(example = "openai/gpt-4o")]
    start: Option<ModelName>,
    /// What an answer may usually cost: dearer models are not asked.
    #[schemars(example = "$0.005")]
    most_cost: Option<Dollars>,
}

/// What decides by the words and the length of a question. Where several hold, the strongest model starts.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
struct RawRule {
    /// One of these words or phrases is in the question.
    #[schemars(example = ["explain", "compare"], length(min = 1))]
    words: Option<Vec<String>>,
    /// The question has more words than this.
    #[schemars(example = 60, range(min = 1))]
    longer_than_words: Option<u32>,
    /// Then it starts at this model.
    #[schemars(example = "openai/gpt-4o")]
    start: Option<ModelName>,
}

/// Which model of a cascade a question starts at, and which answers may leave, checked.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Routing {
    /// Where questions start.
    pub(crate) router: RouterSettings,
    /// What tells their intents apart.
    pub(crate) classifier: Option<IntentModel>,
    /// What answers are looked at for.
    pub(crate) gate: Option<GateSettings>,
    /// The model that grades them, and the grade that they need.
    pub(crate) grader: Option<(ModelName, f64)>,
    /// When a model is passed over.
    pub(crate) guard: GuardSettings,
}

impl RawRouting {
    /// The section, checked. `None` where there is no cascade.
    pub(super) fn check(
        self,
        cascade: &[ModelName],
        at: &KeyPath,
        providers: &BTreeMap<String, Provider>,
        read_file: ReadFile<'_>,
        findings: &mut Findings,
    ) -> Option<Routing> {
        if cascade.len() == 1 && findings.is_present(at) {
            let hint =
                "name several models. For example: cascade = [\"openai/gpt-4o-mini\", \"openai/gpt-4o\"]";
            findings.report_key(at, "there is nothing to choose from", hint);
        }
        let tier = |model: Option<ModelName>, default: usize, at: KeyPath, findings: &mut Findings| {
            let Some(model) = model else { return default };
            let found = cascade.iter().position(|one| *one == model);
            if found.is_none() && cascade.len() > 1 {
                let models: Vec<String> = cascade.iter().map(|one| format!("\"{one}\"")).collect();
                let hint = format!("name one of its models: {}", models.join(", "));
                findings.report(&at, format!("{model} is not in the cascade"), hint);
            }
            found.unwrap_or(default)
        };
        let last = cascade.len().saturating_sub(1);
        let classifier = check_classifier(self.intents_file.as_deref(), at, read_file, findings);
        let mut intents = BTreeMap::new();
        for (name, raw) in self.intents {
            let at = at.key("intents").key(&name);
            check_intent(&name, classifier.as_ref(), self.intents_file.is_some(), &at, findings);
            if raw.most_cost.is_some_and(|cost| NanoUsd::from(cost) <= NanoUsd::ZERO) {
                let hint = "leave it out where a question may cost what it does. For example: most_cost = \"$0.005\"";
                findings.report(&at.key("most_cost"), "only models that cost nothing could be asked", hint);
            }
            let start = tier(raw.start, 0, at.key("start"), findings);
            intents.insert(name, IntentRoute { start, most_cost: raw.most_cost.map(NanoUsd::from) });
        }
        let mut rules = Vec::new();
        for (name, raw) in self.rules {
            let at = at.key("rules").key(&name);
            if raw.words.is_none()
                && raw.longer_than_words.is_none()
                && !["words", "longer_than_words"].iter().any(|key| findings.is_present(&at.key(*key)))
            {
                let hint = "say which questions it is for. For example: words = [\"explain\", \"compare\"]";
                findings.report_key(&at, "it says nothing of the question", hint);
            }
            for (index, word) in raw.words.iter().flatten().enumerate() {
                if !word.contains(char::is_alphanumeric) {
                    let hint = "For example: words = [\"explain\", \"compare\"]";
                    findings.report(&at.key("words").item(index), "there is no word in it", hint);
                }
            }
            if raw.start.is_none() && !findings.is_present(&at.key("start")) {
                let hint = "say where they start. For example: start = \"openai/gpt-4o\"";
                findings.report_key(&at, "the model is missing", hint);
            }
            rules.push(Rule {
                words: raw.words.unwrap_or_default(),
                longer_than: raw.longer_than_words.map(|words| words as usize),
                start: tier(raw.start, last, at.key("start"), findings),
            });
        }
        let unsure = tier(self.unsure, last, at.key("unsure"), findings);
        let gate = GateSettings::default();
        let is_gated = self.gate.unwrap_or(true);
        let routing = Routing {
            router: RouterSettings {
                tiers: cascade.len(),
                rules,
                intents,
                unsure,
                least_confidence: self.least_confidence.map_or(0.6, Ratio::as_f64),
                compared_share: self.compared_share.map_or(0.0, Ratio::as_f64),
            },
            classifier,
            gate: is_gated.then(|| GateSettings {
                least_grounded: self.least_grounded.map_or(gate.least_grounded, Ratio::as_f64),
            }),
            grader: check_grader(self.judge, self.least_quality, at, providers, findings),
            guard: GuardSettings {
                most_escalated: self
                    .most_escalated
                    .map_or(GuardSettings::default().most_escalated, Ratio::as_f64),
            },
        };
        (cascade.len() > 1).then_some(routing)
    }
}

fn check_classifier(
    file: Option<&str>,
    at: &KeyPath,
    read_file: ReadFile<'_>,
    findings: &mut Findings,
) -> Option<IntentModel> {
    let key = at.key("intents_file");
    match read_file(Path::new(file?)) {
        Err(cause) => {
            let hint = "`mainstay train intent` writes it; a relative path starts at the folder of this file";
            findings.report(&key, format!("the file cannot be read: {cause}"), hint);
            None
        }
        Ok(text) => IntentModel::from_json(&text)
            .map_err(|error| {
                let hint = "make it again with `mainstay train intent`";
                findings.report(&key, error.to_string(), hint);
            })
            .ok(),
    }
}

/// Reports an intent that no question can have.
fn check_intent(
    name: &str,
    classifier: Option<&IntentModel>,
    has_file: bool,
    at: &KeyPath,
    findings: &mut Findings,
) {
    let Some(classifier) = classifier else {
        // A file that cannot be read has been reported.
        if !has_file {
            let hint = "train it on labelled questions: mainstay train intent labels.csv, then intents_file = \"intents.json\"";
            findings.report_key(at, "nothing tells this intent from others", hint);
        }
        return;
    };
    if !classifier.intents().iter().any(|known| known == name) {
        let hint = match closest(name, classifier.intents().iter().map(String::as_str)) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => format!("it knows: {}", classifier.intents().join(", ")),
        };
        findings.report_key(at, format!("the classifier knows no intent {name:?}"), hint);
    }
}

fn check_grader(
    judge: Option<ModelName>,
    least_quality: Option<Ratio>,
    at: &KeyPath,
    providers: &BTreeMap<String, Provider>,
    findings: &mut Findings,
) -> Option<(ModelName, f64)> {
    let Some(judge) = judge else {
        if least_quality.is_some() && !findings.is_present(&at.key("judge")) {
            let hint = "name a model that does. For example: judge = \"openai/gpt-4o-mini\"";
            findings.report(&at.key("least_quality"), "nothing grades answers", hint);
        }
        return None;
    };
    let key = at.key("judge");
    if [BUILTIN, ONNX].contains(&judge.provider.as_str()) {
        let hint = "name a model of a provider. For example: judge = \"openai/gpt-4o-mini\"";
        findings.report(&key, format!("{judge} cannot grade answers"), hint);
        return None;
    }
    check_model(&judge, &key, providers, findings);
    Some((judge, least_quality.map_or(0.8, Ratio::as_f64)))
}
