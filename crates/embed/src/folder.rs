//! A folder with a model of the BERT family, as model hubs hand it out: the graph as ONNX, the tokeniser, and what says
//! how the two are used.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::encoder::Encoder;
use crate::network::Network;
use crate::tokenizer::Tokenizer;

/// How the vector of a text is made of those of its tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// Their mean: all-MiniLM, E5.
    Mean,
    /// That of the first token: BGE.
    Cls,
}

/// A model that was read from a folder.
pub(crate) struct Folder {
    pub(crate) network: Network,
    pub(crate) pooling: Pooling,
    /// What the model wants before a question.
    pub(crate) query_prefix: Option<String>,
    /// What the model wants before a passage.
    pub(crate) passage_prefix: Option<String>,
    /// Tells two models apart.
    pub(crate) digest: String,
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file is missing or cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no graph.
    #[error("{} has no model; expected is one of {}", folder.display(), MODELS.join(", "))]
    NoModel {
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// A file is not what it should be.
    #[error("{} cannot be used: {reason}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// Where a graph may be, the first that is there: smaller ones are faster.
const MODELS: [&str; 6] = [
    "model.onnx",
    "model_quantized.onnx",
    "model_int8.onnx",
    "onnx/model_quantized.onnx",
    "onnx/model_int8.onnx",
    "onnx/model.onnx",
];

/// What is used of `config.json`.
#[derive(Deserialize)]
struct ModelConfig {
    max_position_embeddings: Option<usize>,
    model_type: Option<String>,
}

/// What is used of `sentence_bert_config.json`.
#[derive(Deserialize, Default)]
struct SentenceConfig {
    max_seq_length: Option<usize>,
}

/// What is used of `1_Pooling/config.json`.
#[derive(Deserialize, Default)]
struct PoolingConfig {
    #[serde(default)]
    pooling_mode_cls_token: bool,
}

/// What is used of `config_sentence_transformers.json`.
#[derive(Deserialize, Default)]
struct PromptConfig {
    #[serde(default)]
    prompts: Prompts,
}

#[derive(Deserialize, Default)]
struct Prompts {
    query: Option<String>,
    #[serde(alias = "document")]
    passage: Option<String>,
}

impl Folder {
    /// Reads a folder.
    pub(crate) fn read(folder: &Path) -> Result<Self, FolderError> {
        let model = MODELS.iter().map(|name| folder.join(name)).find(|path| path.is_file());
        let model = model.ok_or_else(|| FolderError::NoModel { folder: folder.to_owned() })?;
        let config: ModelConfig = read_json(&folder.join("config.json"))?;
        let sentences: SentenceConfig = read_optional(&folder.join("sentence_bert_config.json"))?;
        let pooling: PoolingConfig = read_optional(&folder.join("1_Pooling/config.json"))?;
        let prompts: PromptConfig = read_optional(&folder.join("config_sentence_transformers.json"))?;
        let longest = longest(&config, &sentences);
        let tokenizer_file = folder.join("tokenizer.json");
        let tokenizer = Tokenizer::from_file(&tokenizer_file, longest)
            .map_err(|reason| FolderError::Content { path: tokenizer_file.clone(), reason })?;
        let encoder = Encoder::from_file(&model)
            .map_err(|error| FolderError::Content { path: model.clone(), reason: error.to_string() })?;
        Ok(Self {
            network: Network { encoder, tokenizer, longest },
            pooling: if pooling.pooling_mode_cls_token { Pooling::Cls } else { Pooling::Mean },
            query_prefix: prompts.prompts.query,
            passage_prefix: prompts.prompts.passage,
            digest: digest(&[&model, &tokenizer_file])?,
        })
    }
}

/// How many tokens the model reads. RoBERTa and its kin count positions from 2.
fn longest(config: &ModelConfig, sentences: &SentenceConfig) -> usize {
    const USUAL: usize = 512;
    let offset =
        if config.model_type.as_deref().is_some_and(|kind| kind.contains("roberta")) { 2 } else { 0 };
    let positions = config.max_position_embeddings.unwrap_or(USUAL + offset).saturating_sub(offset);
    sentences.max_seq_length.unwrap_or(USUAL).min(positions).max(8)
}

/// Tells files apart by their lengths and their first and last bytes: reading a model of a gigabyte takes longer than
/// starting should.
fn digest(paths: &[&Path]) -> Result<String, FolderError> {
    let mut hash = Sha256::new();
    for path in paths {
        let part = part_of(path).map_err(|source| FolderError::File { path: path.to_path_buf(), source })?;
        hash.update(part);
    }
    Ok(hash.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect())
}

fn part_of(path: &Path) -> io::Result<Vec<u8>> {
    const PART: u64 = 1 << 20;
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut bytes = length.to_le_bytes().to_vec();
    file.by_ref().take(PART).read_to_end(&mut bytes)?;
    file.seek(SeekFrom::Start(length.saturating_sub(PART)))?;
    file.take(PART).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, FolderError> {
    let text = fs::read(path).map_err(|source| FolderError::File { path: path.to_owned(), source })?;
    serde_json::from_slice(&text)
        .map_err(|error| FolderError::Content { path: path.to_owned(), reason: error.to_string() })
}

fn read_optional<T: DeserializeOwned + Default>(path: &Path) -> Result<T, FolderError> {
    if path.is_file() { read_json(path) } else { Ok(T::default()) }
}

#[cfg(test)]
mod tests;
