//! `POST /v1/search`: passages for a question, with the scores of each channel.

use std::sync::Arc;

use crate::json::Json;
use axum::body::Body;
use axum::extract::State;
use http::Request;
use mainstay_domain::port::Retrieved;
use mainstay_domain::{CorpusName, Passage, Reranking, ServiceTier};
use mainstay_gateway::search::SearchCall;
use mainstay_wire::filter::decode_filter;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::json;

use crate::App;
use crate::context::read_body;
use crate::error::{Failure, parse_json};
use crate::extract::{corpus_named, limit_of};
use crate::guard::Visit;

/// What may be asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SearchRequest {
    query: String,
    corpus: Option<String>,
    limit: Option<usize>,
    /// Which documents are searched: conditions on their metadata.
    filter: Option<Value>,
    /// `passages` (the default) or `documents`: only the best passage of each document.
    group_by: Option<GroupBy>,
    /// `quality` (the default) or `fast`: the order of the fusion as it is.
    tier: Option<ServiceTier>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum GroupBy {
    Passages,
    Documents,
}

/// What is answered.
#[derive(Serialize)]
pub(crate) struct SearchResponse {
    object: &'static str,
    corpus: CorpusName,
    reranking: RerankingReport,
    /// Whether only the words of the question were searched for, because its embedder is down.
    words_alone: bool,
    results: Vec<SearchResult>,
}

/// Whose order the results are in.
#[derive(Serialize)]
struct RerankingReport {
    reranked: bool,
    /// The reranker that was asked.
    model: Option<String>,
    /// Why the order is the fusion's.
    reason: Option<&'static str>,
    /// Milliseconds that reranking took.
    took_ms: Option<f64>,
}

impl RerankingReport {
    fn of(reranking: &Reranking) -> Self {
        let took = match reranking {
            Reranking::Done(reranked) => Some(reranked.took),
            Reranking::Skipped(_) | Reranking::Failed { .. } => None,
        };
        Self {
            reranked: reranking.is_done(),
            model: reranking.model().map(str::to_owned),
            reason: reranking.reason(),
            took_ms: took.map(|took| took.as_micros() as f64 / 1_000.0),
        }
    }
}

/// A passage as the API shows it.
#[derive(Serialize)]
struct SearchResult {
    rank: usize,
    #[serde(flatten)]
    passage: FlatPassage,
}

#[derive(Serialize)]
struct FlatPassage {
    doc_id: String,
    title: Option<String>,
    chunk_id: u64,
    start_byte: usize,
    end_byte: usize,
    text: String,
    headings: Vec<String>,
    parent_start_byte: usize,
    parent_end_byte: usize,
    score: f32,
    fused_rank: usize,
    scores: ChannelScores,
}

#[derive(Serialize)]
struct ChannelScores {
    dense: Option<f32>,
    sparse: Option<f32>,
    parent: Option<f32>,
    grams: Option<f32>,
    upgraded: Option<f32>,
    multi_vector: Option<f32>,
    document: Option<f32>,
    rerank: Option<f32>,
}

/// Chunks of a search that the audit trail names.
const MOST_RECORDED: usize = 50;

/// Most results of one search.
const MOST_RESULTS: usize = 1_000;

pub(crate) async fn search(
    State(app): State<Arc<App>>,
    visit: Visit,
    request: Request<Body>,
) -> Result<Json<SearchResponse>, Failure> {
    let Visit { context, tag, .. } = &visit;
    let body = read_body(&app, request).await.map_err(|error| tag.fail(error))?;
    let wanted: SearchRequest = parse_json(&body).map_err(|error| tag.fail(error))?;
    let limit = limit_of(wanted.limit, 10, MOST_RESULTS).map_err(|error| tag.fail(error))?;
    let by_document = wanted.group_by == Some(GroupBy::Documents);
    let corpus = corpus_named(wanted.corpus).map_err(|error| tag.fail(error))?;
    let filter = wanted.filter.map_or(Ok(None), |filter| decode_filter(filter, "filter"));
    let call = SearchCall {
        text: wanted.query,
        corpus: corpus.clone(),
        // Several passages of one document become one result.
        limit: if by_document { (limit * 10).min(MOST_RESULTS) } else { limit },
        filter: filter.map_err(|error| tag.fail(error))?,
        tier: wanted.tier.unwrap_or_default(),
        context: context.clone(),
    };
    let Retrieved { mut passages, reranking, words_alone } =
        app.gateway.search(call).await.map_err(|error| tag.fail(error))?;
    if by_document {
        let mut seen = std::collections::HashSet::new();
        passages.retain(|passage| seen.insert(passage.document.clone()));
        passages.truncate(limit);
    }
    let chunks: Vec<u64> = passages.iter().map(|passage| passage.chunk.0).take(MOST_RECORDED).collect();
    let what = json!({ "corpus": corpus, "results": passages.len(), "chunks": chunks });
    visit.accessed(&app, "documents.search", "chunks", what).map_err(|error| tag.fail(error))?;
    let reranking = RerankingReport::of(&reranking);
    Ok(Json(SearchResponse {
        object: "search.results",
        corpus,
        reranking,
        words_alone,
        results: results(passages),
    }))
}

fn results(passages: Vec<Passage>) -> Vec<SearchResult> {
    passages
        .into_iter()
        .enumerate()
        .map(|(position, passage)| SearchResult {
            rank: position + 1,
            passage: FlatPassage {
                doc_id: passage.document.to_string(),
                title: passage.title,
                chunk_id: passage.chunk.0,
                start_byte: passage.range.start,
                end_byte: passage.range.end,
                text: passage.text,
                headings: passage.headings,
                parent_start_byte: passage.parent_range.start,
                parent_end_byte: passage.parent_range.end,
                score: passage.score.fused,
                fused_rank: passage.score.fused_rank,
                scores: ChannelScores {
                    dense: passage.score.dense,
                    sparse: passage.score.sparse,
                    parent: passage.score.parent,
                    grams: passage.score.grams,
                    upgraded: passage.score.upgraded,
                    multi_vector: passage.score.multi_vector,
                    document: passage.score.document,
                    rerank: passage.score.rerank,
                },
            },
        })
        .collect()
}
