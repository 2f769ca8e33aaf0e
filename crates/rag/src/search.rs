//! Hybrid search: a question to passages, by meaning and by words.

use std::collections::HashMap;

use async_trait::async_trait;
use mainstay_domain::citation::{ChannelRanks, PassageScore};
use mainstay_domain::port::{EmbeddingPurpose, RetrievalError, RetrievalQuery, Retrieved, Retriever};
use mainstay_domain::{ChunkId, Passage};
use mainstay_store::documents::{ChunkRow, ParentId};
use mainstay_text::question_terms;
use mainstay_vectors::{Accuracy, Hit, Query, Search, SparseChannel};

use crate::corpus::View;
use crate::fusion::{Channel, fuse};
use crate::library::{Library, LibraryError};
use crate::rerank::Stage;
use crate::upgrade::Upgrade;

/// Hits of each channel that are fused.
const DEPTH: usize = 100;

/// What the words of the parent count of the share that all words have. A question is often answered by a chunk whose
/// neighbours, not itself, name what it is about. Anything from 0.25 to 0.5 measures alike.
const PARENT_SHARE: f32 = 0.4;

#[async_trait]
impl Retriever for Library {
    async fn retrieve(&self, query: RetrievalQuery) -> Result<Retrieved, RetrievalError> {
        let stage = Stage::new(&query, self.settings_of(&query.corpus).rerank.as_ref(), &self.clock);
        let Some(open) = self.known(&query.tenant, &query.corpus) else {
            // A corpus of the configuration is empty until its first document comes.
            return if self.is_configured(&query.corpus) {
                Ok(stage.order(Vec::new()).await)
            } else {
                Err(RetrievalError::UnknownCorpus(query.corpus))
            };
        };
        self.note_demand();
        let view = open.searchable_view().map_err(failed)?;
        let upgrade = open.upgrade().filter(|upgrade| upgrade.share() > 0.0);
        let (searches, upgraded) =
            tokio::try_join!(plan(&view, &query), self.search_upgraded(upgrade.as_deref(), &query))?;
        let found =
            self.index.search(&view.namespace, searches).await.map_err(|error| failed(error.into()))?;
        let [dense, sparse, parents] = <[Vec<Hit>; 3]>::try_from(found).unwrap_or_default();
        let parents = self.spread(&query, [&dense, &upgraded, &sparse], parents).await?;
        let share = upgrade.as_ref().map_or(0.0, |upgrade| upgrade.share());
        let upgraded_weight = upgrade.as_ref().map_or(0.0, |upgrade| upgrade.share() * upgrade.weight);
        let dense_weight = view.dense_weight * (1.0 - share);
        let words = 1.0 - dense_weight - upgraded_weight;
        let channels = [
            Channel { hits: sparse, weight: words * (1.0 - PARENT_SHARE) },
            Channel { hits: dense, weight: dense_weight },
            Channel { hits: parents, weight: words * PARENT_SHARE },
            Channel { hits: upgraded, weight: upgraded_weight },
        ];
        let mut ranked = fuse(view.fusion, &channels);
        // The index may hold chunks that are gone already: the store has the last word, so a few more are asked for.
        let depth = stage.depth();
        ranked.truncate(depth + depth / 4 + 4);
        let ids: Vec<ChunkId> = ranked.iter().map(|(chunk, _)| *chunk).collect();
        let rows = self
            .documents
            .hydrate(&query.tenant, &query.corpus, &ids)
            .await
            .map_err(|error| failed(error.into()))?;
        let score_in = |channel: &Channel, chunk| {
            channel.hits.iter().find(|hit| hit.chunk == chunk).map(|hit| hit.score)
        };
        let rank_in = |channel: &Channel, chunk| {
            channel.hits.iter().position(|hit| hit.chunk == chunk).map(|position| position + 1)
        };
        let score = |position, chunk| PassageScore {
            fused: ranked.iter().find(|(ranked, _)| *ranked == chunk).map_or(0.0, |(_, score)| *score),
            fused_rank: position + 1,
            rerank: None,
            sparse: score_in(&channels[0], chunk),
            dense: score_in(&channels[1], chunk),
            parent: score_in(&channels[2], chunk),
            upgraded: score_in(&channels[3], chunk),
            ranks: ChannelRanks {
                sparse: rank_in(&channels[0], chunk),
                dense: rank_in(&channels[1], chunk),
                parent: rank_in(&channels[2], chunk),
                upgraded: rank_in(&channels[3], chunk),
            },
        };
        let found = rows.into_iter().take(depth).enumerate();
        let passages = found.map(|(position, row)| passage(score(position, row.chunk), row)).collect();
        Ok(stage.order(passages).await)
    }
}

impl Library {
    /// The chunks that are nearest by their second vectors. What fails there costs no answer: the first vectors have one.
    async fn search_upgraded(
        &self,
        upgrade: Option<&Upgrade>,
        query: &RetrievalQuery,
    ) -> Result<Vec<Hit>, RetrievalError> {
        let Some(upgrade) = upgrade else { return Ok(Vec::new()) };
        let question = [query.text.as_str()];
        let embedded = upgrade.embedder.embed(&question, EmbeddingPurpose::Query, query.deadline).await;
        let vector = match embedded {
            Ok(embedded) => embedded.values,
            Err(error) => {
                tracing::warn!(
                    code = error.kind.code(),
                    "the question was not embedded for the upgraded index"
                );
                return Ok(Vec::new());
            }
        };
        let search = Search {
            query: Query::Dense { vector, accuracy: Accuracy::Indexed },
            limit: DEPTH.max(query.limit),
        };
        let found = self.index.search(&upgrade.namespace, vec![search]).await;
        Ok(found.map_err(|error| failed(error.into()))?.swap_remove(0))
    }

    /// Gives every chunk that a channel has found the score of its parent. The index knows only the first chunk of a
    /// parent for it.
    async fn spread(
        &self,
        query: &RetrievalQuery,
        channels: [&[Hit]; 3],
        parents: Vec<Hit>,
    ) -> Result<Vec<Hit>, RetrievalError> {
        let mut chunks: Vec<ChunkId> =
            channels.into_iter().flatten().chain(&parents).map(|hit| hit.chunk).collect();
        chunks.sort_unstable();
        chunks.dedup();
        let places = self
            .documents
            .parents(&query.tenant, &query.corpus, &chunks)
            .await
            .map_err(|error| failed(error.into()))?;
        let scores: HashMap<ParentId, f32> =
            parents.iter().filter_map(|hit| Some((*places.get(&hit.chunk)?, hit.score))).collect();
        let score = |chunk| scores.get(places.get(&chunk)?).map(|&score| Hit { chunk, score });
        let mut hits: Vec<Hit> = chunks.into_iter().filter_map(score).collect();
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.chunk.cmp(&b.chunk)));
        Ok(hits)
    }
}

/// What the index is asked: the dense search, the keywords of chunks, the keywords of parents.
async fn plan(view: &View, query: &RetrievalQuery) -> Result<Vec<Search>, RetrievalError> {
    let depth = DEPTH.max(query.limit);
    let embedded = view
        .embedder
        .embed(&[&query.text], EmbeddingPurpose::Query, query.deadline)
        .await
        .map_err(RetrievalError::Embedding)?;
    let terms = question_terms(&query.text, &view.languages);
    let sparse = view.weights.question(&terms);
    let dense = Query::Dense { vector: embedded.values, accuracy: Accuracy::Indexed };
    let words = |channel, vector| Query::Sparse { channel, vector };
    let (chunks, parents) =
        (words(SparseChannel::Bm25, sparse.clone()), words(SparseChannel::Parent, sparse));
    Ok([dense, chunks, parents].into_iter().map(|query| Search { query, limit: depth }).collect())
}

fn passage(score: PassageScore, row: ChunkRow) -> Passage {
    Passage {
        chunk: row.chunk,
        document: row.doc_id,
        title: row.title,
        headings: row.headings,
        range: row.range,
        text: row.text,
        parent_range: row.parent_range,
        parent_text: row.parent_text,
        score,
    }
}

fn failed(error: LibraryError) -> RetrievalError {
    match error {
        LibraryError::UnknownCorpus(corpus) => RetrievalError::UnknownCorpus(corpus),
        LibraryError::Embedding(error) => RetrievalError::Embedding(error),
        other => RetrievalError::Storage(other.to_string()),
    }
}
