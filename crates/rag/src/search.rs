//! Hybrid search: a question to passages, by meaning and by words.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use mainstay_domain::citation::{ChannelRanks, PassageScore};
use mainstay_domain::port::{
    EmbeddingPurpose, MultiVector, RetrievalError, RetrievalQuery, Retrieved, Retriever,
};
use mainstay_domain::{ChunkId, CorpusName, ModelError, ModelErrorKind, Passage, TenantId};
use mainstay_store::documents::{ChunkRow, ParentId};
use mainstay_text::question_terms;
use mainstay_vectors::{Accuracy, Filter, Hit, Query, Search, SparseChannel};

use crate::corpus::View;
use crate::fusion::{Channel, Fusion, Scale, fuse};
use crate::library::{Library, LibraryError};
use crate::rerank::Stage;
use crate::surroundings;
use crate::upgrade::Upgrade;

/// Hits of each channel that are fused.
const DEPTH: usize = 100;

/// What the words of the parent count of the share that all words have. A question is often answered by a chunk whose
/// neighbours, not itself, name what it is about. Anything from 0.25 to 0.5 measures alike.
const PARENT_SHARE: f32 = 0.4;

/// What the document counts of the share that a transformer's vectors have. Anything from 0.4 to 0.6 measures alike. The
/// vectors of the static table know too little of a whole document for it: there it helps titles and harms questions.
pub const DOCUMENT_SHARE: f32 = 0.5;

/// How many of the best chunks are compared with the question piece by piece: more than a reranker reads, and of each some 4 KB
/// are read from the index.
const CLOSELY: usize = 50;

/// The best chunks of a search, towards which the second vectors' question is moved before it is asked again, and how much they
/// count beside it: what a relevant passage says is often near what others say that are relevant, in words that the question does
/// not have (Rocchio). Three and a half are from the literature; with the first vectors it gains nothing.
const TOWARDS: usize = 3;
const TOWARDS_SHARE: f32 = 0.5;

/// What that comparison counts beside the other channels, as a share of what the second vectors count.
const CLOSE_SHARE: f32 = 1.0;

/// By which weights the best are chosen that a search looks for again: always these, so that what is found does not depend on the
/// weights that are being tried out.
const LOOKING_AGAIN: ChannelWeights =
    ChannelWeights { first: 0.25, second: 0.45, documents_of_first: 0.0, grams: 0.0 };

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
        let plan = plan(&view, upgrade, &query).await?;
        let (mut known_gone, mut attempts) = (BTreeSet::new(), 0);
        loop {
            let (passages, gone) = self.search_once(&view, &plan, &query, stage.depth()).await?;
            attempts += 1;
            // A document that was replaced after the index was asked, and before the store was, was found by its old
            // chunks alone: asked again, the index knows the new ones.
            if gone.is_subset(&known_gone) || attempts == MOST_ATTEMPTS {
                let words_alone = plan.not_embedded.is_some();
                return Ok(Retrieved { words_alone, ..stage.order(passages).await });
            }
            known_gone = gone;
        }
    }

    fn version(&self, tenant: &TenantId, corpus: &CorpusName) -> u64 {
        self.known(tenant, corpus).map_or(0, |open| 1 + open.changes())
    }
}

/// How often a question is asked while documents are replaced under it.
const MOST_ATTEMPTS: usize = 5;

/// What the indexes of a corpus are asked.
pub(crate) struct Plan {
    /// The dense search, the keywords of chunks, the keywords of parents, and where the corpus has them the runs of
    /// characters.
    searches: Vec<Search>,
    /// The index of the second vectors, and what it is asked.
    upgraded: Option<UpgradedPlan>,
    /// Why the question has no vector, so that its words alone are searched for.
    pub(crate) not_embedded: Option<ModelError>,
}

/// What the index of the second vectors is asked.
struct UpgradedPlan {
    upgrade: Arc<Upgrade>,
    /// The question's second vector.
    vector: Vec<f32>,
    limit: usize,
    filter: Option<Arc<Filter>>,
    /// The question in pieces, for what is compared closely; empty where the embedder makes no multi-vectors.
    question: MultiVector,
}

/// What each channel of a search finds, best first.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    sparse: Vec<Hit>,
    dense: Vec<Hit>,
    parents: Vec<Hit>,
    grams: Vec<Hit>,
    upgraded: Vec<Hit>,
    /// The same with the chunks whose second vectors are still to be made, by their first ones.
    filled: Vec<Hit>,
    /// What the documents of the chunks mean, by the best vectors that the corpus has.
    documents: Vec<Hit>,
    /// How close the chunks are to the question piece by piece, of those that were compared and have a multi-vector.
    pub(crate) close: Vec<Hit>,
    /// The share of the chunks that have a second vector.
    share: f32,
}

/// How much the channels of a corpus count: its vectors, and the words the rest.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct ChannelWeights {
    /// The first vectors', while they are the only ones.
    pub(crate) first: f32,
    /// The second vectors', once every chunk has one.
    pub(crate) second: f32,
    /// What of the share of the first vectors their documents count.
    pub(crate) documents_of_first: f32,
    /// What of the share of the words their runs of characters count.
    pub(crate) grams: f32,
}

impl Found {
    /// The chunks that any channel has found.
    pub(crate) fn chunks(&self) -> HashSet<ChunkId> {
        let lists = [&self.sparse, &self.dense, &self.parents, &self.grams, &self.upgraded];
        lists.into_iter().flatten().map(|hit| hit.chunk).collect()
    }

    /// The chunks that the channels have found, `fused` with these weights, best first. Of the best of them, how close they are
    /// to the question counts too.
    pub(crate) fn ranked(
        &self,
        fusion: Fusion,
        weights: ChannelWeights,
        fused: Vec<(ChunkId, f32)>,
    ) -> Vec<(ChunkId, f32)> {
        let hits = self.close_among(&fused[..CLOSELY.min(fused.len())]);
        if hits.is_empty() {
            return fused;
        }
        let close = Channel { hits, weight: weights.second * self.share * CLOSE_SHARE };
        let all = 1.0 + close.weight;
        let channels = self.weighted(weights).into_iter().chain([close]);
        let shares = channels.map(|channel| Channel { weight: channel.weight / all, ..channel });
        fuse(fusion, &shares.collect::<Vec<_>>())
    }

    /// How close the best chunks are. One that has no multi-vector yet is as close as the other channels find it good:
    /// without, a document that has just come would rank below all that came before it until its turn.
    fn close_among(&self, best: &[(ChunkId, f32)]) -> Vec<Hit> {
        if self.close.is_empty() {
            return Vec::new();
        }
        let known: HashMap<ChunkId, f32> = self.close.iter().map(|hit| (hit.chunk, hit.score)).collect();
        let best: Vec<Hit> = best.iter().map(|&(chunk, score)| Hit { chunk, score }).collect();
        let compared = best.iter().filter_map(|hit| Some(Hit { score: *known.get(&hit.chunk)?, ..*hit }));
        let compared: Vec<Hit> = compared.collect();
        if compared.is_empty() {
            return compared;
        }
        let (from, to) = (Scale::of(&best), Scale::of(&compared));
        let waiting = best.iter().filter(|hit| !known.contains_key(&hit.chunk));
        let waiting = waiting.map(|hit| Hit { score: to.invert(from.apply(hit.score)), ..*hit });
        Hit::best_first(compared.iter().copied().chain(waiting).collect())
    }

    /// Works out what follows from the other lists: the hits of the second vectors with those of chunks that wait for theirs, and
    /// what the documents mean.
    fn settle(&mut self, plan: &Plan, places: &HashMap<ChunkId, ParentId>) {
        if let Some(plan) = &plan.upgraded {
            self.filled = filled(&self.upgraded, &self.dense, |chunk| plan.upgrade.is_missing(chunk));
        }
        self.documents =
            surroundings::of_documents(places, if self.share > 0.0 { &self.filled } else { &self.dense });
    }

    /// The channels with what each counts: the first vectors give way to the second as those come, and the words count the
    /// rest.
    pub(crate) fn weighted(&self, weights: ChannelWeights) -> [Channel; 6] {
        let first = weights.first * (1.0 - self.share);
        let second = weights.second * self.share;
        let all_words = 1.0 - first - second;
        let grams = all_words * weights.grams;
        let words = all_words - grams;
        let documents =
            if self.share > 0.0 { second * DOCUMENT_SHARE } else { first * weights.documents_of_first };
        let (first, second) =
            if self.share > 0.0 { (first, second - documents) } else { (first - documents, second) };
        let channel = |hits: &[Hit], weight| Channel { hits: hits.to_vec(), weight };
        [
            channel(&self.sparse, words * (1.0 - PARENT_SHARE)),
            channel(&self.dense, first),
            channel(&self.parents, words * PARENT_SHARE),
            channel(&self.filled, second),
            channel(&self.documents, documents),
            channel(&self.grams, grams),
        ]
    }
}

impl Library {
    /// The best passages, and the chunks that would be among them and are gone.
    async fn search_once(
        &self,
        view: &View,
        plan: &Plan,
        query: &RetrievalQuery,
        depth: usize,
    ) -> Result<(Vec<Passage>, BTreeSet<ChunkId>), RetrievalError> {
        let second = plan.upgraded.as_ref().map_or(0.0, |plan| plan.upgrade.weight_for(&query.text));
        let weights = ChannelWeights {
            first: view.dense_weight,
            second,
            documents_of_first: view.document_share,
            grams: view.grams_weight,
        };
        let mut found = self.find(view, plan, query).await?;
        let channels = found.weighted(weights);
        let fused = fuse(view.fusion, &channels);
        self.compare_closely(plan, &mut found, best_of(&fused)).await?;
        let mut ranked = found.ranked(view.fusion, weights, fused);
        // The index may hold chunks that are gone already: the store has the last word, so a few more are asked for.
        ranked.truncate(depth + depth / 4 + 4);
        let ids: Vec<ChunkId> = ranked.iter().map(|(chunk, _)| *chunk).collect();
        let rows = self
            .documents
            .hydrate(&query.tenant, &query.corpus, &ids)
            .await
            .map_err(|error| failed(error.into()))?;
        let score_in = |hits: &[Hit], chunk| hits.iter().find(|hit| hit.chunk == chunk).map(|hit| hit.score);
        let rank_in =
            |hits: &[Hit], chunk| hits.iter().position(|hit| hit.chunk == chunk).map(|position| position + 1);
        let score = |position, chunk| PassageScore {
            fused: ranked.iter().find(|(ranked, _)| *ranked == chunk).map_or(0.0, |(_, score)| *score),
            fused_rank: position + 1,
            rerank: None,
            sparse: score_in(&found.sparse, chunk),
            dense: score_in(&found.dense, chunk),
            parent: score_in(&found.parents, chunk),
            grams: score_in(&found.grams, chunk),
            upgraded: score_in(&found.upgraded, chunk),
            multi_vector: score_in(&found.close, chunk),
            document: score_in(&found.documents, chunk).filter(|_| channels[4].weight > 0.0),
            ranks: ChannelRanks {
                sparse: rank_in(&found.sparse, chunk),
                dense: rank_in(&found.dense, chunk),
                parent: rank_in(&found.parents, chunk),
                grams: rank_in(&found.grams, chunk),
                upgraded: rank_in(&found.upgraded, chunk),
                multi_vector: rank_in(&found.close, chunk),
            },
        };
        let there: BTreeSet<ChunkId> = rows.iter().map(|row| row.chunk).collect();
        let gone = ids.into_iter().filter(|chunk| !there.contains(chunk)).collect();
        let found = rows.into_iter().take(depth).enumerate();
        let passages = found.map(|(position, row)| passage(view, score(position, row.chunk), row)).collect();
        Ok((passages, gone))
    }

    /// Asks every channel; those of the second vectors where there is an upgrade.
    pub(crate) async fn find(
        &self,
        view: &View,
        plan: &Plan,
        query: &RetrievalQuery,
    ) -> Result<Found, RetrievalError> {
        let found = self.index.search(&view.namespace, plan.searches.clone()).await;
        let found = found.map_err(|error| failed(error.into()))?;
        let mut found = found.into_iter();
        let [dense, sparse, parents, grams] = [(); 4].map(|()| found.next().unwrap_or_default());
        let (upgraded, share) = match &plan.upgraded {
            Some(UpgradedPlan { upgrade, vector, limit, filter, .. }) => {
                let query = Query::Dense { vector: vector.clone(), accuracy: Accuracy::Indexed };
                let search = Search { query, limit: *limit, filter: filter.clone() };
                let found = self.index.search(&upgrade.namespace, vec![search]).await;
                (found.map_err(|error| failed(error.into()))?.swap_remove(0), upgrade.share())
            }
            None => (Vec::new(), 0.0),
        };
        let mut places = self.places(query, &[&dense, &upgraded, &sparse, &parents, &grams]).await?;
        let of_parents = parents;
        let parents = surroundings::of_parents(&places, &of_parents);
        let (filled, documents, close) = Default::default();
        let mut found = Found { sparse, dense, parents, grams, upgraded, filled, documents, close, share };
        found.settle(plan, &places);
        if let Some(upgraded) = &plan.upgraded {
            let fused = fuse(Fusion::Convex, &found.weighted(LOOKING_AGAIN));
            self.compare_closely(plan, &mut found, best_of(&fused)).await?;
            let best = found.ranked(Fusion::Convex, LOOKING_AGAIN, fused);
            let best = best.into_iter().take(TOWARDS).map(|(chunk, _)| chunk).collect();
            found.upgraded = self.look_again(upgraded, best).await?;
            places.extend(self.places(query, &[&found.upgraded]).await?);
            found.parents = surroundings::of_parents(&places, &of_parents);
            found.settle(plan, &places);
        }
        Ok(found)
    }

    /// Asks the second vectors again, for what is near the question and near the best that was found for it.
    async fn look_again(
        &self,
        UpgradedPlan { upgrade, vector, limit, filter, .. }: &UpgradedPlan,
        best: Vec<ChunkId>,
    ) -> Result<Vec<Hit>, RetrievalError> {
        let query = Query::Towards { vector: vector.clone(), chunks: best, share: TOWARDS_SHARE };
        let search = Search { query, limit: *limit, filter: filter.clone() };
        let hits = self.index.search(&upgrade.namespace, vec![search]).await;
        Ok(hits.map_err(|error| failed(error.into()))?.swap_remove(0))
    }

    /// Compares the question with chunks piece by piece, where both have multi-vectors, unless they have been compared already.
    pub(crate) async fn compare_closely(
        &self,
        plan: &Plan,
        found: &mut Found,
        chunks: impl IntoIterator<Item = ChunkId>,
    ) -> Result<(), RetrievalError> {
        let Some(UpgradedPlan { upgrade, question, .. }) = &plan.upgraded else { return Ok(()) };
        let known: HashSet<ChunkId> = found.close.iter().map(|hit| hit.chunk).collect();
        let among: Vec<ChunkId> = chunks.into_iter().filter(|chunk| !known.contains(chunk)).collect();
        if question.is_empty() || among.is_empty() {
            return Ok(());
        }
        let limit = among.len();
        let query = Query::Multi { vector: question.clone(), among };
        let search = Search { query, limit, filter: None };
        let compared = self.index.search(&upgrade.namespace, vec![search]).await;
        let mut compared = compared.map_err(|error| failed(error.into()))?.swap_remove(0);
        compared.append(&mut found.close);
        found.close = Hit::best_first(compared);
        Ok(())
    }

    /// Where the chunks stand that any channel has found.
    async fn places(
        &self,
        query: &RetrievalQuery,
        channels: &[&[Hit]],
    ) -> Result<HashMap<ChunkId, ParentId>, RetrievalError> {
        let mut chunks: Vec<ChunkId> = channels.iter().copied().flatten().map(|hit| hit.chunk).collect();
        chunks.sort_unstable();
        chunks.dedup();
        let places = self.documents.parents(&query.tenant, &query.corpus, &chunks).await;
        places.map_err(|error| failed(error.into()))
    }
}

/// Those of the best chunks that are compared with the question piece by piece.
fn best_of(fused: &[(ChunkId, f32)]) -> Vec<ChunkId> {
    fused.iter().take(CLOSELY).map(|(chunk, _)| *chunk).collect()
}

/// The hits of the second vectors, and the chunks that wait for theirs where their first ones put them: without, a document
/// that has just come would rank below all that came before it until its turn.
fn filled(upgraded: &[Hit], dense: &[Hit], is_missing: impl Fn(ChunkId) -> bool) -> Vec<Hit> {
    let (from, to) = (Scale::of(dense), Scale::of(upgraded));
    let known: HashSet<ChunkId> = upgraded.iter().map(|hit| hit.chunk).collect();
    let waiting = dense.iter().filter(|hit| is_missing(hit.chunk) && !known.contains(&hit.chunk));
    let stand_in = |hit: &Hit| Hit { chunk: hit.chunk, score: to.invert(from.apply(hit.score)) };
    Hit::best_first(upgraded.iter().copied().chain(waiting.map(stand_in)).collect())
}

/// What the indexes are asked for a question.
pub(crate) async fn plan(
    view: &View,
    upgrade: Option<Arc<Upgrade>>,
    query: &RetrievalQuery,
) -> Result<Plan, RetrievalError> {
    let resolve = |filter| view.fields.resolve(filter, &query.corpus).map(Arc::new);
    let filter = query.filter.as_ref().map(resolve).transpose()?;
    let ((searches, not_embedded), upgraded) =
        tokio::try_join!(first_searches(view, query, &filter), upgraded_search(upgrade, query, &filter))?;
    Ok(Plan { searches, upgraded, not_embedded })
}

/// What the index of the second vectors is asked. What fails here costs no answer: the first vectors have one.
async fn upgraded_search(
    upgrade: Option<Arc<Upgrade>>,
    query: &RetrievalQuery,
    filter: &Option<Arc<Filter>>,
) -> Result<Option<UpgradedPlan>, RetrievalError> {
    let Some(upgrade) = upgrade else { return Ok(None) };
    let question = [query.text.as_str()];
    match upgrade.embedder.embed_multi(&question, EmbeddingPurpose::Query, query.errand()).await {
        Ok((embedded, mut multi)) => {
            let (vector, question) = (embedded.values, multi.pop().unwrap_or_default());
            let (limit, filter) = (depth_of(query), filter.clone());
            Ok(Some(UpgradedPlan { upgrade, vector, limit, filter, question }))
        }
        Err(error) => {
            tracing::warn!(code = error.kind.code(), "the question was not embedded for the upgraded index");
            Ok(None)
        }
    }
}

/// How many hits of each channel are asked for.
fn depth_of(query: &RetrievalQuery) -> usize {
    DEPTH.max(query.limit)
}

/// The dense search, the keywords of chunks, the keywords of parents, the runs of characters; and why the question has no vector, if it has none.
async fn first_searches(
    view: &View,
    query: &RetrievalQuery,
    filter: &Option<Arc<Filter>>,
) -> Result<(Vec<Search>, Option<ModelError>), RetrievalError> {
    let mut not_embedded = None;
    let vector = match view.embedder.embed(&[&query.text], EmbeddingPurpose::Query, query.errand()).await {
        Ok(embedded) => embedded.values,
        // An embedder that is down costs what the question means, not what it says: its words are searched for.
        Err(error) if error.kind.is_transient() || error.kind == ModelErrorKind::Unavailable => {
            tracing::warn!(
                code = error.kind.code(),
                "a question was not embedded: its words alone were searched for"
            );
            not_embedded = Some(error);
            vec![0.0; view.embedder.dimension()]
        }
        Err(error) => return Err(RetrievalError::Embedding(error)),
    };
    let terms = question_terms(&query.text, &view.languages);
    let sparse = view.weights.question(&terms);
    let dense = Query::Dense { vector, accuracy: Accuracy::Indexed };
    let words = |channel, vector| Query::Sparse { channel, vector };
    let (chunks, parents) =
        (words(SparseChannel::Bm25, sparse.clone()), words(SparseChannel::Parent, sparse));
    let limit = depth_of(query);
    let search = |query| Search { query, limit, filter: filter.clone() };
    let grams = view.weights.question_grams(&query.text).map(|grams| words(SparseChannel::Grams, grams));
    Ok(([dense, chunks, parents].into_iter().chain(grams).map(search).collect(), not_embedded))
}

fn passage(view: &View, score: PassageScore, row: ChunkRow) -> Passage {
    let parent_headings = if view.parents_keep_to_headings { row.headings.clone() } else { Vec::new() };
    Passage {
        chunk: row.chunk,
        document: row.doc_id,
        title: row.title,
        headings: row.headings,
        parent_headings,
        range: row.range,
        text: row.text,
        parent_range: row.parent_range,
        parent_text: row.parent_text,
        language: row.language,
        score,
    }
}

pub(crate) fn failed(error: LibraryError) -> RetrievalError {
    match error {
        LibraryError::UnknownCorpus(corpus) => RetrievalError::UnknownCorpus(corpus),
        LibraryError::Embedding(error) => RetrievalError::Embedding(error),
        other => RetrievalError::Storage(other.to_string()),
    }
}
