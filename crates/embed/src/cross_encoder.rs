//! Rerankers that run a cross-encoder of the BERT family in this process.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use mainstay_domain::port::{Errand, Relevance, Reranker};
use mainstay_domain::{Clock, ModelError, Passage};

use crate::encoder::{EncoderError, Tokens};
use crate::folder::{Folder, FolderError};
use crate::network::{Network, Task, runs};
use crate::threads;

/// A reranker that reads the question together with each passage: better than comparing vectors, and as many runs of the
/// model as there are passages.
pub struct CrossEncoder {
    model: String,
    clock: Clock,
    network: Arc<Network>,
}

impl CrossEncoder {
    /// A cross-encoder in a folder, as model hubs hand it out: `tokenizer.json`, `config.json` and the graph as ONNX, whose
    /// output is one number for each pair. `name` is its name in the configuration.
    ///
    /// # Errors
    ///
    /// Which file is missing or unfit, and why.
    pub fn from_folder(name: &str, path: &Path, clock: Clock) -> Result<Self, FolderError> {
        let network = Folder::read(path)?.network;
        let unfit = |reason: String| FolderError::Content { path: path.to_owned(), reason };
        let probe = network.tokenizer.encode_pair("a question", "a text", network.longest);
        let width = network.encoder.width(&probe).map_err(|error| unfit(error.to_string()))?;
        if width != 1 {
            return Err(unfit(format!(
                "the model gives {width} numbers where a cross-encoder gives one; it may be an embedder"
            )));
        }
        Ok(Self { model: name.to_owned(), clock, network: Arc::new(network) })
    }
}

#[async_trait]
impl Reranker for CrossEncoder {
    fn model(&self) -> &str {
        &self.model
    }

    /// Runs on threads of its own. Dropping the future stops it after the run that it is in.
    async fn rerank(
        &self,
        question: &str,
        candidates: &[Passage],
        errand: Errand<'_>,
    ) -> Result<Relevance, ModelError> {
        let texts: Vec<String> = candidates.iter().map(Passage::text_in_context).collect();
        let (network, question) = (self.network.clone(), question.to_owned());
        let task = Task { model: &self.model, verb: "rerank", deadline: errand.deadline, clock: self.clock };
        let scores = task.run(move |wanted| network.score(&question, &texts, wanted)).await?;
        Ok(Relevance::unbilled(scores))
    }
}

impl Network {
    /// One number for each text, or `None` where they were no longer wanted.
    fn score(
        &self,
        question: &str,
        texts: &[String],
        wanted: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<f32>>, EncoderError> {
        let tokens: Vec<Tokens> =
            texts.iter().map(|text| self.tokenizer.encode_pair(question, text, self.longest)).collect();
        let mut scores = vec![0.0; texts.len()];
        for members in runs(&tokens) {
            if !wanted() {
                return Ok(None);
            }
            let batch: Vec<&Tokens> = members.iter().map(|&member| &tokens[member]).collect();
            let output = self.encoder.run(&batch, threads::for_questions())?;
            for (&member, row) in members.iter().zip(output.rows()) {
                scores[member] = row.first().copied().unwrap_or_default();
            }
        }
        Ok(Some(scores))
    }
}

#[cfg(test)]
mod tests;
