//! `provider/model`, as the file writes it.

use std::fmt;

use mainstay_domain::config::{ConfigValue, Findings, KeyPath, ValueError, closest, deserialize_value};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use super::onnx::ONNX;

/// The provider that needs no configuration.
pub(crate) const BUILTIN: &str = "builtin";

/// A provider of the file, or `builtin`, and a model by that provider's own name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ModelName {
    /// The provider's name in the file.
    pub(crate) provider: String,
    /// The model by the provider's own name, which may contain slashes.
    pub(crate) model: String,
}

impl ModelName {
    /// A model that is built in.
    pub(crate) fn builtin(model: &str) -> Self {
        Self { provider: BUILTIN.to_owned(), model: model.to_owned() }
    }

    /// Reports a provider that the file does not have, and a built-in model that does not exist.
    pub(super) fn check_provider(&self, at: &KeyPath, builtin_models: &[&str], findings: &mut Findings) {
        if self.provider == BUILTIN {
            if !builtin_models.contains(&self.model.as_str()) {
                let hint = format!(
                    "built in here: {}",
                    quoted(builtin_models.iter().map(|m| format!("builtin/{m}")))
                );
                findings.report(at, format!("{:?} is not built in", self.model), hint);
            }
            return;
        }
        if self.provider == ONNX {
            return self.check_onnx(at, findings);
        }
        let section = KeyPath::root().key("providers");
        let known: Vec<String> = findings.names(&section).map(str::to_owned).collect();
        if known.contains(&self.provider) {
            return;
        }
        let provider = &self.provider;
        let meant = closest(provider, known.iter().map(String::as_str));
        let hint = match meant {
            Some(meant) => format!("did you mean \"{meant}/{}\"?", self.model),
            None => match builtin_models.first() {
                Some(model) => format!("add a table [providers.{provider}], or use \"{BUILTIN}/{model}\""),
                None => format!("add a table [providers.{provider}]"),
            },
        };
        findings.report(at, format!("there is no provider {provider:?}"), hint);
    }

    /// Reports a model of a folder that the file does not have.
    fn check_onnx(&self, at: &KeyPath, findings: &mut Findings) {
        let known: Vec<String> = findings.names(&KeyPath::root().key(ONNX)).map(str::to_owned).collect();
        if !known.contains(&self.model) {
            let hint = match closest(&self.model, known.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean \"{ONNX}/{meant}\"?"),
                None => format!("add a table [{ONNX}.{}] with the folder of the model", self.model),
            };
            findings.report(at, format!("there is no model {ONNX}/{}", self.model), hint);
        }
    }
}

fn quoted(names: impl Iterator<Item = String>) -> String {
    names.map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

impl ConfigValue for ModelName {
    const EXPECTED: &'static str = "a model such as \"openai/gpt-4o-mini\": provider, slash, model";

    fn from_text(text: &str) -> Result<Self, ValueError> {
        let malformed =
            || ValueError::Malformed { text: text.chars().take(60).collect(), expected: Self::EXPECTED };
        let (provider, model) = text.split_once('/').ok_or_else(malformed)?;
        let has_gap = text.chars().any(|c| c.is_whitespace() || c.is_control());
        if provider.is_empty() || model.is_empty() || has_gap {
            return Err(malformed());
        }
        Ok(Self { provider: provider.to_owned(), model: model.to_owned() })
    }

    fn from_number(number: f64) -> Result<Self, ValueError> {
        Err(ValueError::Malformed { text: number.to_string(), expected: Self::EXPECTED })
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}

impl<'de> Deserialize<'de> for ModelName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_value(deserializer)
    }
}

impl JsonSchema for ModelName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ModelName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[^/\\s]+/\\S+$",
            "x-value": "model",
            "examples": ["openai/gpt-4o-mini"],
        })
    }
}
