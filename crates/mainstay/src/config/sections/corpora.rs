//! `[corpora.<name>]`: collections of documents and how they are searched.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mainstay_documents::ChunkOptions;
use mainstay_domain::config::{Findings, HumanDuration, KeyPath, Ratio};
use mainstay_rag::QualitySettings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model_name::{BUILTIN, ModelName};
use super::onnx::ONNX;
use super::providers::{Provider, ProviderKind};
use super::quality::RawQuality;
use super::rerank::{RawRerank, Rerank, RerankerName};
use super::rules::check_name;

/// The embedders that are built in; the first is the default.
pub(crate) const BUILTIN_EMBEDDERS: [&str; 2] = ["static", "minilm"];

/// A collection of documents.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawCorpus {
    /// What turns its texts into vectors: builtin/static; builtin/minilm, which answers by the former at once and adds
    /// the vectors of a transformer in the background; onnx/NAME, which does so with a model of yours; or an embedding
    /// model of a provider.
    #[schemars(example = "builtin/minilm")]
    embedder: Option<ModelName>,
    /// Numbers per vector of a provider's embedding model.
    #[schemars(example = 1536, range(min = 8, max = 8192))]
    dimensions: Option<u32>,
    /// What decides where a chunk ends, the unit that is searched.
    chunking: Option<Chunking>,
    /// Words of a chunk.
    #[schemars(example = 100, range(min = 20, max = 1000))]
    chunk_words: Option<u32>,
    /// Words of the chunk before that a chunk of fixed size repeats at most; a quarter of chunk_words where it is not given.
    #[schemars(example = 25, range(min = 0, max = 500))]
    chunk_overlap_words: Option<u32>,
    /// Words of a parent, the part around a chunk that the model reads.
    #[schemars(example = 400, range(min = 20, max = 4000))]
    parent_words: Option<u32>,
    /// How vector and keyword search are brought together.
    fusion: Option<Fusion>,
    /// What the vector search counts, the keyword search the rest; without it, what was measured to fit the embedder.
    #[schemars(example = 0.3)]
    dense_weight: Option<Ratio>,
    /// What runs of four characters count of the keyword search: they find words that are written or inflected a little
    /// differently. Without it nothing, and the index has none.
    #[schemars(example = 0.2)]
    grams_weight: Option<Ratio>,
    /// What has a second look at the best passages: none, or a reranking model of a provider.
    reranker: Option<RerankerName>,
    /// How many of the best passages it reads.
    #[schemars(example = 20, range(min = 2, max = 200))]
    rerank_candidates: Option<u32>,
    /// How long a search waits for it at most; after that the passages stay in the order that they had.
    #[schemars(example = "2s")]
    rerank_timeout: Option<HumanDuration>,
    /// The share of its score by which the first passage must be ahead of the second for the reranker not to be asked;
    /// without it, the reranker is always asked.
    #[schemars(example = 0.5)]
    rerank_clear_lead: Option<Ratio>,
    /// What becomes of chunks with which something is odd.
    quality: RawQuality,
    /// Files and folders that `mainstay up` adds at its start where it is given none.
    #[schemars(example = ["./docs"], extend("uniqueItems" = true), length(min = 1), inner(length(min = 1)))]
    documents: Option<Vec<String>>,
}

/// What decides where a chunk ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Chunking {
    /// Headings, paragraphs and sentences, code and tables whole.
    #[default]
    Structural,
    /// The ends of sentences alone, over paragraphs and headings.
    Sentence,
    /// Size alone, with overlap.
    Fixed,
    /// Where the subject changes.
    Semantic,
    /// Each numbered clause or article of a contract or statute on its own.
    Clauses,
}

/// How two rankings become one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Fusion {
    /// A weighted mean of the scores.
    #[default]
    Convex,
    /// Reciprocal rank fusion: a weighted sum over the ranks.
    Rrf,
}

/// A collection of documents, checked.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Corpus {
    /// What turns its texts into vectors; its provider exists.
    pub(crate) embedder: ModelName,
    /// Numbers per vector; there is one whenever the embedder is not built in.
    pub(crate) dimensions: Option<usize>,
    /// What decides where a chunk ends.
    pub(crate) chunking: Chunking,
    /// Words of a chunk.
    pub(crate) chunk_words: usize,
    /// Words of the chunk before that a chunk repeats at most; 0 but where the size is fixed, and at most half of
    /// `chunk_words`.
    pub(crate) chunk_overlap_words: usize,
    /// Words of a parent; not below `chunk_words`.
    pub(crate) parent_words: usize,
    /// How vector and keyword search are brought together.
    pub(crate) fusion: Fusion,
    /// What the vector search counts, from 0 to 1; `None` for what was measured to fit the embedder.
    pub(crate) dense_weight: Option<f64>,
    /// What runs of characters count of the keyword search, from 0 to 1.
    pub(crate) grams_weight: f64,
    /// What has a second look at the best passages.
    pub(crate) rerank: Rerank,
    /// What becomes of chunks with which something is odd.
    pub(crate) quality: QualitySettings,
    /// Files and folders that `mainstay up` adds, as the working folder reaches them.
    pub(crate) documents: Vec<PathBuf>,
}

impl Default for Corpus {
    /// Convex fusion beats RRF in and out of domain (Bruch et al., arXiv 2210.11934).
    fn default() -> Self {
        let chunking = ChunkOptions::default();
        Self {
            embedder: ModelName::builtin(BUILTIN_EMBEDDERS[0]),
            dimensions: None,
            chunking: Chunking::default(),
            chunk_words: chunking.target_words as usize,
            chunk_overlap_words: 0,
            parent_words: chunking.parent_words as usize,
            fusion: Fusion::default(),
            dense_weight: None,
            grams_weight: 0.0,
            rerank: Rerank::default(),
            quality: QualitySettings::default(),
            documents: Vec::new(),
        }
    }
}

impl RawCorpus {
    /// The section, checked. `folder` is the file's, and `providers` are those of the file.
    pub(crate) fn check(
        self,
        at: &KeyPath,
        folder: &Path,
        providers: &BTreeMap<String, Provider>,
        findings: &mut Findings,
    ) -> Corpus {
        check_name(at, findings);
        let defaults = Corpus::default();
        let words = |count: Option<u32>, default: usize| count.map_or(default, |count| count as usize);
        let chunking = self.chunking.unwrap_or(defaults.chunking);
        let chunk_words = words(self.chunk_words, defaults.chunk_words);
        let default_overlap = if chunking == Chunking::Fixed { chunk_words / 4 } else { 0 };
        let corpus = Corpus {
            embedder: self.embedder.unwrap_or(defaults.embedder),
            dimensions: self.dimensions.map(|dimensions| dimensions as usize),
            chunking,
            chunk_words,
            chunk_overlap_words: words(self.chunk_overlap_words, default_overlap),
            parent_words: words(self.parent_words, defaults.parent_words),
            fusion: self.fusion.unwrap_or(defaults.fusion),
            dense_weight: self.dense_weight.map(Ratio::as_f64),
            grams_weight: self.grams_weight.map_or(defaults.grams_weight, Ratio::as_f64),
            rerank: RawRerank {
                reranker: self.reranker,
                candidates: self.rerank_candidates,
                timeout: self.rerank_timeout,
                clear_lead: self.rerank_clear_lead,
            }
            .check(at, providers, findings),
            quality: self.quality.check(&at.key("quality"), findings),
            documents: self.documents.unwrap_or_default().iter().map(|path| folder.join(path)).collect(),
        };
        corpus.check_embedder(at, providers, findings);
        corpus.check_words(at, findings);
        if self.chunk_overlap_words.is_some() {
            corpus.check_overlap(at, findings);
        }
        corpus
    }
}

impl Corpus {
    fn check_embedder(&self, at: &KeyPath, providers: &BTreeMap<String, Provider>, findings: &mut Findings) {
        let (embedder_at, dimensions_at) = (at.key("embedder"), at.key("dimensions"));
        self.embedder.check_provider(&embedder_at, &BUILTIN_EMBEDDERS, findings);
        let is_builtin = [BUILTIN, ONNX].contains(&self.embedder.provider.as_str());
        let kind = providers.get(&self.embedder.provider).map(|provider| provider.kind);
        if let Some(kind) = kind.filter(|kind| *kind == ProviderKind::Anthropic || kind.only_reranks()) {
            let hint = "take another provider's, or \"builtin/static\"";
            let message = format!("a provider of the kind {:?} has no embedding models", kind.as_str());
            findings.report(&embedder_at, message, hint);
        }
        if is_builtin && self.dimensions.is_some() && !findings.is_present(&embedder_at) {
            let hint = "leave it out, or name an embedding model of a provider as embedder";
            findings.report(&dimensions_at, "the embedder has its own number of dimensions", hint);
        } else if is_builtin && self.dimensions.is_some() {
            let message = "the embedder has its own number of dimensions";
            findings.contradiction(&dimensions_at, &embedder_at, message, "leave it out");
        } else if !is_builtin && self.dimensions.is_none() {
            let hint = "the model's page says it. For example: dimensions = 1536, of text-embedding-3-small";
            findings.report(&dimensions_at, "a provider's embedder needs its number of dimensions", hint);
        }
    }

    fn check_words(&self, at: &KeyPath, findings: &mut Findings) {
        if self.parent_words < self.chunk_words {
            let written =
                if findings.is_present(&at.key("parent_words")) { "parent_words" } else { "chunk_words" };
            let other = if written == "parent_words" { "chunk_words" } else { "parent_words" };
            findings.contradiction(
                &at.key(written),
                &at.key(other),
                format!(
                    "a parent ({} words) is smaller than a chunk ({} words)",
                    self.parent_words, self.chunk_words
                ),
                format!("a parent holds its chunks. For example: parent_words = {}", self.chunk_words * 4),
            );
        }
    }

    fn check_overlap(&self, at: &KeyPath, findings: &mut Findings) {
        let overlap_at = at.key("chunk_overlap_words");
        let most = self.chunk_words / 2;
        if self.chunking != Chunking::Fixed {
            let message = "chunks overlap under chunking = \"fixed\" alone";
            let hint = "take chunking = \"fixed\", or leave chunk_overlap_words out";
            findings.contradiction(&overlap_at, &at.key("chunking"), message, hint);
        } else if self.chunk_overlap_words > most {
            let message =
                format!("an overlap of more than half a chunk ({} words) is too much", self.chunk_words);
            let hint =
                format!("take at most {most}. For example: chunk_overlap_words = {}", self.chunk_words / 4);
            findings.contradiction(&overlap_at, &at.key("chunk_words"), message, hint);
        }
    }
}
