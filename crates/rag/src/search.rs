//! Hybrid search: a question to passages, by meaning and by words.

use async_trait::async_trait;
use mainstay_domain::citation::PassageScore;
use mainstay_domain::port::{EmbeddingPurpose, RetrievalError, RetrievalQuery, Retriever};
use mainstay_domain::{ChunkId, Passage};
use mainstay_store::documents::ChunkRow;
use mainstay_text::{Analyzer, Language, detect_among};
use mainstay_vectors::{Accuracy, Hit, Query, Search, SparseChannel, SparseVector};

use crate::corpus::View;
use crate::fusion::{Channel, fuse};
use crate::library::{Library, LibraryError};

/// Hits of each channel that are fused.
const DEPTH: usize = 100;

#[async_trait]
impl Retriever for Library {
    async fn retrieve(&self, query: RetrievalQuery) -> Result<Vec<Passage>, RetrievalError> {
        let Some(open) = self.known(&query.tenant, &query.corpus) else {
            // A corpus of the configuration is empty until its first document comes.
            return if self.is_configured(&query.corpus) {
                Ok(Vec::new())
            } else {
                Err(RetrievalError::UnknownCorpus(query.corpus))
            };
        };
        let view = open.searchable_view().map_err(failed)?;
        let searches = plan(&view, &query).await?;
        let found =
            self.index.search(&view.namespace, searches).await.map_err(|error| failed(error.into()))?;
        let [dense, sparse] = <[Vec<Hit>; 2]>::try_from(found).unwrap_or_default();
        let channels = [
            Channel { hits: sparse, weight: 1.0 - view.dense_weight },
            Channel { hits: dense, weight: view.dense_weight },
        ];
        let mut ranked = fuse(view.fusion, &channels);
        // The index may hold chunks that are gone already: the store has the last word, so a few more are asked for.
        ranked.truncate(query.limit + query.limit / 4 + 4);
        let ids: Vec<ChunkId> = ranked.iter().map(|(chunk, _)| *chunk).collect();
        let rows = self
            .documents
            .hydrate(&query.tenant, &query.corpus, &ids)
            .await
            .map_err(|error| failed(error.into()))?;
        let score_in = |channel: &Channel, chunk| {
            channel.hits.iter().find(|hit| hit.chunk == chunk).map(|hit| hit.score)
        };
        let score = |chunk| PassageScore {
            fused: ranked.iter().find(|(ranked, _)| *ranked == chunk).map_or(0.0, |(_, score)| *score),
            sparse: score_in(&channels[0], chunk),
            dense: score_in(&channels[1], chunk),
        };
        Ok(rows.into_iter().take(query.limit).map(|row| passage(score(row.chunk), row)).collect())
    }
}

/// What the index is asked: the dense search, then the keywords.
async fn plan(view: &View, query: &RetrievalQuery) -> Result<Vec<Search>, RetrievalError> {
    let depth = DEPTH.max(query.limit);
    let embedded = view
        .embedder
        .embed(&[&query.text], EmbeddingPurpose::Query, query.deadline)
        .await
        .map_err(RetrievalError::Embedding)?;
    let language = language_of(&query.text, &view.languages);
    let terms = Analyzer::new(language).analyze_question(&query.text);
    let sparse: SparseVector =
        view.bm25.query_vector(&terms).into_iter().map(|(term, weight)| (term.0, weight)).collect();
    let dense = Query::Dense { vector: embedded.values, accuracy: Accuracy::Indexed };
    let sparse = Query::Sparse { channel: SparseChannel::Bm25, vector: sparse };
    Ok([dense, sparse].into_iter().map(|query| Search { query, limit: depth }).collect())
}

/// The language of a question: one of those that the corpus has, for only those can be found.
fn language_of(question: &str, languages: &[Language]) -> Language {
    match languages {
        [] => Language::ENGLISH,
        [only] => *only,
        several => detect_among(question, several).map_or(several[0], |detection| detection.language),
    }
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
