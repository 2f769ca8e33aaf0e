//! Embedders that run a transformer of the BERT family in this process.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use mainstay_domain::port::{Embedder, EmbeddingPurpose, Embeddings, Errand, MultiVector};
use mainstay_domain::{Clock, ModelError};
use rayon::prelude::*;

use crate::encoder::{Encoder, EncoderError, Tokens};
use crate::folder::{Folder, FolderError, Pooling};
use crate::network::{Network, Task, runs};
use crate::threads;
use crate::tokenizer::Tokenizer;
use crate::vector::normalise;

/// An embedder that runs a transformer: it reads words in their order, and costs a hundred times what
/// [`crate::StaticEmbedder`] does (thousands of tokens a second on a core).
///
/// Texts are read up to the model's longest input; what stands behind it is not seen.
pub struct Transformer {
    model: String,
    dimension: usize,
    query_prefix: String,
    passage_prefix: String,
    pooling: Pooling,
    clock: Clock,
    network: Arc<dyn Fn() -> Result<Arc<Network>, EncoderError> + Send + Sync>,
}

/// How a model of a folder is used, where the folder's own files are not to say it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FolderOptions {
    /// How the vector of a text is made.
    pub pooling: Option<Pooling>,
    /// What is put before a question: E5 wants `query: `.
    pub query_prefix: Option<String>,
    /// What is put before a passage: E5 wants `passage: `.
    pub passage_prefix: Option<String>,
}

impl Transformer {
    /// The name of the built-in transformer. A change of the asset changes the name, and vectors of the old are made anew.
    pub const MINILM: &str = "builtin/minilm-l6-int8-v1";

    /// Numbers per vector of the built-in transformer.
    pub const MINILM_DIMENSION: usize = 384;

    /// all-MiniLM-L6-v2, which is compiled into the program. It takes its memory (some 60 MB) with the first text.
    /// It was trained on English with inputs of up to 256 tokens.
    pub fn minilm(clock: Clock) -> Self {
        static NETWORK: LazyLock<Result<Arc<Network>, EncoderError>> = LazyLock::new(|| {
            let encoder = Encoder::from_bytes(include_bytes!("../assets/minilm-l6-int8.onnx"))?;
            Ok(Arc::new(Network { encoder, tokenizer: Tokenizer::builtin(), longest: 256 }))
        });
        Self {
            model: Self::MINILM.to_owned(),
            dimension: Self::MINILM_DIMENSION,
            query_prefix: String::new(),
            passage_prefix: String::new(),
            pooling: Pooling::Mean,
            clock,
            network: Arc::new(|| NETWORK.clone()),
        }
    }

    /// A model of the BERT family in a folder, as model hubs hand it out: `tokenizer.json`, `config.json` and the graph
    /// as ONNX. `name` is its name in the configuration; the model's own follows it, so that another model under the
    /// same name is noticed.
    ///
    /// # Errors
    ///
    /// Which file is missing or unfit, and why.
    pub fn from_folder(
        name: &str,
        path: &Path,
        options: FolderOptions,
        clock: Clock,
    ) -> Result<Self, FolderError> {
        let folder = Folder::read(path)?;
        let prefix = |configured: Option<String>, own: Option<String>| configured.or(own).unwrap_or_default();
        let network = folder.network;
        let dimension = network.encoder.width(&network.tokenizer.encode("a text", network.longest));
        let dimension = dimension
            .map_err(|error| FolderError::Content { path: path.to_owned(), reason: error.to_string() })?;
        let network = Arc::new(network);
        Ok(Self {
            model: format!("{name}@{}", folder.digest),
            dimension,
            query_prefix: prefix(options.query_prefix, folder.query_prefix),
            passage_prefix: prefix(options.passage_prefix, folder.passage_prefix),
            pooling: options.pooling.unwrap_or(folder.pooling),
            clock,
            network: Arc::new(move || Ok(network.clone())),
        })
    }
}

#[async_trait]
impl Embedder for Transformer {
    fn model(&self) -> &str {
        &self.model
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    async fn embed(
        &self,
        texts: &[&str],
        purpose: EmbeddingPurpose,
        errand: Errand<'_>,
    ) -> Result<Embeddings, ModelError> {
        Ok(self.embed_multi(texts, purpose, errand).await?.0)
    }

    /// Of models whose vector of a text is the mean of those of its tokens, which were so trained to mean something each.
    fn multi_dimension(&self) -> Option<usize> {
        (self.pooling == Pooling::Mean).then_some(self.dimension)
    }

    /// Runs on threads of its own. Dropping the future stops it after the run that it is in.
    async fn embed_multi(
        &self,
        texts: &[&str],
        purpose: EmbeddingPurpose,
        errand: Errand<'_>,
    ) -> Result<(Embeddings, Vec<MultiVector>), ModelError> {
        let prefix = match purpose {
            EmbeddingPurpose::Query => &self.query_prefix,
            EmbeddingPurpose::Passage => &self.passage_prefix,
        };
        let texts: Vec<String> = texts.iter().map(|text| format!("{prefix}{text}")).collect();
        let (network, dimension, pooling) = (self.network.clone(), self.dimension, self.pooling);
        let task =
            Task { model: &self.model, verb: "embed the text", deadline: errand.deadline, clock: self.clock };
        task.run(move |wanted| network()?.embed(&texts, (dimension, pooling, purpose), wanted)).await
    }
}

impl Network {
    /// The vectors of the texts, or `None` where they were no longer wanted.
    fn embed(
        &self,
        texts: &[String],
        (dimension, pooling, purpose): (usize, Pooling, EmbeddingPurpose),
        wanted: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<(Embeddings, Vec<MultiVector>)>, EncoderError> {
        let threads = match purpose {
            EmbeddingPurpose::Query => threads::for_questions(),
            EmbeddingPurpose::Passage => threads::for_passages(),
        };
        let tokens: Vec<Tokens> =
            texts.iter().map(|text| self.tokenizer.encode(text, self.longest)).collect();
        let runs = runs(&tokens);
        let run = |members: &Vec<usize>| -> Result<Option<Vec<Read>>, EncoderError> {
            if !wanted() {
                return Ok(None);
            }
            let batch: Vec<&Tokens> = members.iter().map(|&member| &tokens[member]).collect();
            let output = self.encoder.run(&batch, threads)?;
            let vectors = output.rows().zip(&batch).map(|(row, tokens)| {
                let row = row.get(..tokens.ids.len() * output.width).unwrap_or(row);
                match pooling {
                    Pooling::Mean => (mean(row, output.width), multi(row, output.width, purpose)),
                    Pooling::Cls => (mean(&row[..output.width], output.width), MultiVector::default()),
                }
            });
            Ok(Some(vectors.collect()))
        };
        let results: Vec<_> = threads.run(|| runs.par_iter().map(run).collect::<Result<_, _>>())?;
        let mut values = vec![0.0; texts.len() * dimension];
        let mut multis = vec![MultiVector::default(); texts.len()];
        for (members, vectors) in runs.iter().zip(results) {
            let Some(vectors) = vectors else { return Ok(None) };
            let known = members.iter().zip(vectors).filter(|(member, _)| !tokens[**member].blank);
            for (&member, (vector, multi)) in known {
                values[member * dimension..][..dimension].copy_from_slice(&vector);
                multis[member] = multi;
            }
        }
        let read = tokens.iter().map(|tokens| tokens.ids.len() as u64).sum();
        Ok(Some((Embeddings { dimension, values, tokens: read }, multis)))
    }
}

/// What a run makes of one text: its vector, and those of its tokens.
type Read = (Vec<f32>, MultiVector);

/// The mean of vectors of `width` numbers, brought to length 1.
fn mean(vectors: &[f32], width: usize) -> Vec<f32> {
    let mut mean = vec![0.0; width];
    for vector in vectors.chunks_exact(width) {
        mean.iter_mut().zip(vector).for_each(|(sum, value)| *sum += value);
    }
    normalise(&mut mean);
    mean
}

/// The vectors of the tokens of a text, without the special ones at its ends: each of a question, those of a passage with
/// [`POOLED`] neighbours brought together.
fn multi(tokens: &[f32], width: usize, purpose: EmbeddingPurpose) -> MultiVector {
    let inner = tokens.get(width..tokens.len().saturating_sub(width)).unwrap_or_default();
    let together = match purpose {
        EmbeddingPurpose::Query => 1,
        EmbeddingPurpose::Passage => POOLED,
    };
    let values = inner.chunks(together * width).flat_map(|neighbours| {
        let each = neighbours.chunks_exact(width).flat_map(|token| {
            let mut token = token.to_vec();
            normalise(&mut token);
            token
        });
        mean(&each.collect::<Vec<f32>>(), width)
    });
    MultiVector { dimension: width, values: values.collect() }
}

/// Neighbouring tokens of a passage that share a vector. Two measure as well as each alone, and take half of the space.
const POOLED: usize = 2;

#[cfg(test)]
mod tests;
