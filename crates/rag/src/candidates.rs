//! Many rankings of one search: what tuning needs.

use std::collections::{HashMap, HashSet};

use mainstay_domain::port::{RetrievalError, RetrievalQuery};
use mainstay_domain::{ChunkId, CorpusName, DocumentId};

use crate::fusion::{Fusion, fuse};
use crate::library::Library;
use crate::search::{ChannelWeights, Found, failed, plan};

/// How what the channels find is brought into one order: the settings of a corpus that can be changed without indexing it
/// again.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Ranking {
    /// How the channels are fused.
    pub fusion: Fusion,
    /// How much the dense channel counts, 0 to 1; the keywords count the rest. Of a corpus with second vectors, their
    /// weight: that of the first is what they are good for.
    pub dense_weight: f32,
    /// What of the share of the keywords their runs of characters count, 0 to 1, where the corpus has them in its index.
    pub grams_weight: f32,
}

/// What the channels found for a question.
#[derive(Clone, Debug)]
pub struct Candidates {
    found: Found,
    documents: HashMap<ChunkId, DocumentId>,
    /// The weight of the first vectors, where the corpus has second ones.
    first_weight: Option<f32>,
    /// What of the share of the first vectors their documents count.
    document_share: f32,
    limit: usize,
}

impl Candidates {
    /// The documents in the order of this ranking, each where its best chunk stands: exactly those that a search with
    /// these settings would have before a reranker.
    pub fn documents(&self, ranking: Ranking) -> Vec<&DocumentId> {
        let (first, second) = match self.first_weight {
            Some(first) => (first, ranking.dense_weight),
            None => (ranking.dense_weight, 0.0),
        };
        let (documents_of_first, grams) = (self.document_share, ranking.grams_weight);
        let weights = ChannelWeights { first, second, documents_of_first, grams };
        let fused = fuse(ranking.fusion, &self.found.weighted(weights));
        let chunks = self.found.ranked(ranking.fusion, weights, fused);
        let visible = chunks.iter().filter_map(|(chunk, _)| self.documents.get(chunk)).take(self.limit);
        let mut seen = HashSet::new();
        visible.filter(|document| seen.insert(*document)).collect()
    }
}

impl Library {
    /// What the channels find for a question, so that many rankings can be tried on one search. Of an empty corpus, or one
    /// that does not exist, [`RetrievalError::UnknownCorpus`].
    pub async fn candidates(&self, query: &RetrievalQuery) -> Result<Candidates, RetrievalError> {
        let open = self
            .known(&query.tenant, &query.corpus)
            .ok_or_else(|| RetrievalError::UnknownCorpus(query.corpus.clone()))?;
        let view = open.searchable_view().map_err(failed)?;
        let upgrade = open.upgrade().filter(|upgrade| upgrade.share() > 0.0);
        let first_weight = upgrade.as_ref().map(|_| view.dense_weight);
        let document_share = view.document_share;
        let plan = plan(&view, upgrade, query).await?;
        if let Some(error) = plan.not_embedded {
            // Rankings are compared: one without vectors would be another question's.
            return Err(RetrievalError::Embedding(error));
        }
        let mut found = self.find(&view, &plan, query).await?;
        let chunks: Vec<ChunkId> = found.chunks().into_iter().collect();
        self.compare_closely(&plan, &mut found, chunks.iter().copied()).await?;
        let rows = self
            .documents
            .hydrate(&query.tenant, &query.corpus, &chunks)
            .await
            .map_err(|error| failed(error.into()))?;
        let documents = rows.into_iter().map(|row| (row.chunk, row.doc_id)).collect();
        Ok(Candidates { found, documents, first_weight, document_share, limit: query.limit })
    }

    /// How a corpus ranks, as configured.
    pub fn ranking_of(&self, corpus: &CorpusName) -> Ranking {
        let settings = self.settings_of(corpus);
        let upgraded = settings.upgrade.as_ref().map(|upgrade| upgrade.weight);
        Ranking {
            fusion: settings.fusion,
            dense_weight: upgraded.unwrap_or(settings.dense_weight),
            grams_weight: settings.grams_weight,
        }
    }
}
