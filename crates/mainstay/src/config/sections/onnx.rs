//! `[onnx.<name>]`: models of the BERT family that run in this process, each a folder.

use std::path::{Path, PathBuf};

use mainstay_domain::config::{Findings, KeyPath};
use schemars::JsonSchema;
use serde::Deserialize;

use super::rules::check_name;

/// What the names of these models begin with: `onnx/bge`.
pub(crate) const ONNX: &str = "onnx";

/// A folder with a model of the BERT family.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawOnnx {
    /// The folder: model.onnx (or onnx/model.onnx), tokenizer.json and config.json, as model hubs hand it out.
    #[schemars(example = "models/bge-small-en-v1.5")]
    folder: Option<String>,
    /// How the vector of a text is made of those of its tokens; without it, what the folder says, else their mean.
    pooling: Option<Pooling>,
    /// What is put before a question; without it, what the folder says.
    #[schemars(example = "query: ")]
    query_prefix: Option<String>,
    /// What is put before a passage; without it, what the folder says.
    #[schemars(example = "passage: ")]
    passage_prefix: Option<String>,
}

/// How the vector of a text is made of those of its tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Pooling {
    /// Their mean.
    Mean,
    /// That of the first.
    Cls,
}

/// A folder with a model, checked.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Onnx {
    /// The folder, as the working folder reaches it.
    pub(crate) folder: PathBuf,
    /// How the vector of a text is made; `None` for what the folder says.
    pub(crate) pooling: Option<Pooling>,
    /// What is put before a question; `None` for what the folder says.
    pub(crate) query_prefix: Option<String>,
    /// What is put before a passage; `None` for what the folder says.
    pub(crate) passage_prefix: Option<String>,
}

impl RawOnnx {
    /// The section, checked. `folder` is the file's.
    pub(crate) fn check(self, at: &KeyPath, folder: &Path, findings: &mut Findings) -> Onnx {
        check_name(at, findings);
        if self.folder.as_deref().is_none_or(str::is_empty) {
            let hint = "where the model lies. For example: folder = \"models/bge-small-en-v1.5\"";
            findings.report(&at.key("folder"), "the folder of the model is missing", hint);
        }
        Onnx {
            folder: folder.join(self.folder.unwrap_or_default()),
            pooling: self.pooling,
            query_prefix: self.query_prefix,
            passage_prefix: self.passage_prefix,
        }
    }
}
