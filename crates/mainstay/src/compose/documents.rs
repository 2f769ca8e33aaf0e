//! The documents: store, index, embedders and rerankers put together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use mainstay_documents::{ChunkMode, ChunkOptions};
use mainstay_domain::port::{Embedder, Prices, Reranker};
use mainstay_domain::{Caller, Clock, KeyId, TenantId};
use mainstay_embed::{FolderOptions, Pooling, StaticEmbedder, Transformer};
use mainstay_models::{GuardedEmbedder, Upstreams};
use mainstay_ops::{BookedEmbedder, BookedReranker, TurnBook};
use mainstay_providers::Provider;
use mainstay_rag::fusion::Fusion;
use mainstay_rag::search::DOCUMENT_SHARE;
use mainstay_rag::{CachedEmbedder, CorpusSettings, Library, LibrarySettings, UpgradeSettings};
use mainstay_store::{EmbeddedStore, EmbeddingCache};
use mainstay_vectors::{EmbeddedIndex, EmbeddedOptions};

use crate::compose::model_name;
use crate::compose::providers::{remote_embedder, remote_providers};
use crate::compose::rerankers::Rerankers;
use crate::config::sections::corpora::Chunking;
use crate::config::sections::model_name::BUILTIN;
use crate::config::sections::onnx::ONNX;
use crate::config::{Checked, sections};

/// The documents: store, index and embedders put together.
pub(super) async fn open_library(
    config: &Checked,
    store: &EmbeddedStore,
    turns: &TurnBook,
    prices: &Arc<dyn Prices>,
    upstreams: &Arc<Upstreams>,
    cache: Option<EmbeddingCache>,
    clock: Clock,
) -> anyhow::Result<Library> {
    let index = EmbeddedIndex::new(store.folder().subfolder("index")?, EmbeddedOptions::default())?;
    let remote = remote_providers(config, clock)?;
    let rerankers = Rerankers::new(config, &remote, clock, |paid| {
        Arc::new(BookedReranker::new(paid, turns.clone(), prices.clone(), library_itself(), clock))
            as Arc<dyn Reranker>
    })?;
    let settings_of = |corpus: &sections::corpora::Corpus| -> anyhow::Result<CorpusSettings> {
        let chunk_words = u32::try_from(corpus.chunk_words)?;
        let defaults = ChunkOptions::default();
        let upgrade = upgrade(config, corpus, clock)?;
        Ok(CorpusSettings {
            embedder: match embedder(&corpus.embedder, corpus.dimensions, &remote)? {
                free if runs_here(&corpus.embedder) => free,
                paid => {
                    let booked =
                        BookedEmbedder::new(paid, turns.clone(), prices.clone(), library_itself(), clock);
                    let kept: Arc<dyn Embedder> = match &cache {
                        Some(cache) => Arc::new(CachedEmbedder::new(Arc::new(booked), cache.clone())),
                        None => Arc::new(booked),
                    };
                    let name = model_name(&corpus.embedder);
                    Arc::new(GuardedEmbedder::new(kept, name, upstreams.clone(), clock))
                }
            },
            chunking: ChunkOptions {
                mode: chunk_mode(corpus)?,
                target_words: chunk_words,
                max_words: defaults.max_words.max(chunk_words),
                parent_words: u32::try_from(corpus.parent_words)?,
                ..defaults
            },
            fusion: match corpus.fusion {
                sections::corpora::Fusion::Convex => Fusion::Convex,
                sections::corpora::Fusion::Rrf => Fusion::ReciprocalRank,
            },
            dense_weight: corpus
                .dense_weight
                .filter(|_| upgrade.is_none())
                .map_or_else(|| default_dense_weight(&corpus.embedder), |weight| weight as f32),
            grams_weight: corpus.grams_weight as f32,
            document_share: if runs_here(&corpus.embedder) { 0.0 } else { DOCUMENT_SHARE },
            upgrade,
            rerank: rerankers.settings(&corpus.rerank),
            quality: corpus.quality,
        })
    };
    let corpora = config.corpora.iter().map(|(name, corpus)| Ok((name.clone(), settings_of(corpus)?)));
    let settings = LibrarySettings {
        corpora: corpora.collect::<anyhow::Result<_>>()?,
        unnamed: settings_of(&sections::corpora::Corpus::default())?,
        limits: mainstay_documents::Limits::default(),
        embedding_timeout: Duration::from_secs(300),
        staleness: config.slo.freshness.staleness,
    };
    Ok(Library::open(store.documents(), store.documents(), Arc::new(index), settings, clock).await?)
}

/// Where vectors are kept that cost money; `None` where no corpus has any, or none are to be kept.
pub(super) async fn embedding_cache(
    config: &Checked,
    store: &EmbeddedStore,
    clock: Clock,
) -> anyhow::Result<Option<EmbeddingCache>> {
    let limit = config.storage.embedding_cache;
    if limit == 0 || config.corpora.values().all(|corpus| runs_here(&corpus.embedder)) {
        return Ok(None);
    }
    let cache = EmbeddingCache::open(store.folder(), limit, store.tenant_keys(), clock).await;
    Ok(Some(cache.context("the cache of embeddings cannot be opened; its file may be deleted")?))
}

/// Whether an embedder runs in this process: then the static table answers first, and its vectors are made in the
/// background.
fn runs_here(embedder: &sections::model_name::ModelName) -> bool {
    [BUILTIN, ONNX].contains(&embedder.provider.as_str())
}

/// What makes the second vectors of a corpus.
fn upgrade(
    config: &Checked,
    corpus: &sections::corpora::Corpus,
    clock: Clock,
) -> anyhow::Result<Option<UpgradeSettings>> {
    let name = &corpus.embedder;
    let (embedder, most_for_other_scripts) = match (name.provider.as_str(), name.model.as_str()) {
        (BUILTIN, "minilm") => (Transformer::minilm(clock), 0.25),
        (ONNX, model) => {
            let onnx = &config.onnx[model];
            let options = FolderOptions {
                pooling: onnx.pooling.map(|pooling| match pooling {
                    sections::onnx::Pooling::Mean => Pooling::Mean,
                    sections::onnx::Pooling::Cls => Pooling::Cls,
                }),
                query_prefix: onnx.query_prefix.clone(),
                passage_prefix: onnx.passage_prefix.clone(),
            };
            let embedder = Transformer::from_folder(&name.to_string(), &onnx.folder, options, clock)
                .with_context(|| format!("the model {name} cannot be used"))?;
            (embedder, 1.0)
        }
        _ => return Ok(None),
    };
    let weight = corpus.dense_weight.map_or(DEFAULT_UPGRADED_WEIGHT, |weight| weight as f32);
    Ok(Some(UpgradeSettings { embedder: Arc::new(embedder), weight, most_for_other_scripts }))
}

fn chunk_mode(corpus: &sections::corpora::Corpus) -> anyhow::Result<ChunkMode> {
    Ok(match corpus.chunking {
        Chunking::Structural => ChunkMode::Structural,
        Chunking::Sentence => ChunkMode::Sentence,
        Chunking::Fixed => ChunkMode::Fixed { overlap_words: u32::try_from(corpus.chunk_overlap_words)? },
        Chunking::Semantic => ChunkMode::Semantic,
        Chunking::Clauses => ChunkMode::Clauses,
    })
}

/// Whom the embedding of documents and of questions and the reranking of passages are booked to.
fn library_itself() -> Caller {
    Caller::of(TenantId::single(), KeyId::new("library"))
}

/// How much the dense channel counts where the configuration does not say: as much as its embedder is good for, as
/// measured (docs/decisions).
fn default_dense_weight(embedder: &sections::model_name::ModelName) -> f32 {
    if runs_here(embedder) { 0.25 } else { DEFAULT_UPGRADED_WEIGHT }
}

/// How much a transformer's vectors count where the configuration does not say; anything from 0.35 to 0.5 measures alike.
const DEFAULT_UPGRADED_WEIGHT: f32 = 0.45;

fn embedder(
    model: &sections::model_name::ModelName,
    dimensions: Option<usize>,
    remote: &BTreeMap<String, Provider>,
) -> anyhow::Result<Arc<dyn Embedder>> {
    if runs_here(model) {
        return Ok(Arc::new(StaticEmbedder::builtin()));
    }
    let provider = remote.get(&model.provider);
    provider
        .and_then(|provider| remote_embedder(provider, &model.model, dimensions))
        .with_context(|| format!("{model} cannot embed; name another embedder for the corpus"))
}
