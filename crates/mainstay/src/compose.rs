//! The composition root: the only place that names concrete backends and connects them.

mod metrics;
mod rerankers;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use mainstay_documents::{ChunkMode, ChunkOptions};
use mainstay_domain::identity::Scope;
use mainstay_domain::port::{Embedder, Prices, Reranker};
use mainstay_domain::{Caller, Clock, KeyId, TenantId};
use mainstay_embed::{FolderOptions, Pooling, StaticEmbedder, Transformer};
use mainstay_gateway::Gateway;
use mainstay_models::registry::EmbedderFactory;
use mainstay_models::{Assistant, ModelName, Provider as ListedProvider, Registry, Route, UnknownModel};
use mainstay_ops::{BookedEmbedder, BookedReranker, TurnBook, measure};
use mainstay_providers::{
    Billing, EmbeddingOptions, Price, PriceTable, Provider, ProviderKind, ProviderOptions, ProviderSettings,
    Rates,
};
use mainstay_rag::fusion::Fusion;
use mainstay_rag::search::DOCUMENT_SHARE;
use mainstay_rag::{CachedEmbedder, CorpusSettings, Extractive, Library, LibrarySettings, UpgradeSettings};
use mainstay_security::{KeyRing, Sessions};
use mainstay_server::{App, Readiness, ServerSettings};
use mainstay_store::{DataDir, DataDirError, EmbeddedStore, EmbeddingCache};
use mainstay_vectors::{EmbeddedIndex, EmbeddedOptions};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client::Client;
use crate::compose::metrics::{install_metrics, render_metrics};
use crate::compose::rerankers::Rerankers;
use crate::config::sections;
use crate::config::sections::corpora::Chunking;
use crate::config::sections::model_name::BUILTIN;
use crate::config::sections::onnx::ONNX;
use crate::config::{Checked, Surroundings};

/// Where to listen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Listen {
    /// Where the configuration says, found by other verbs through the data folder.
    Configured,
    /// On a free port of this machine, for one verb of this process.
    Private,
}

/// A running Mainstay.
pub(crate) struct Instance {
    itself: Running,
    app: Arc<App>,
    first_assistant: String,
    library: Arc<Library>,
    store: EmbeddedStore,
    stop: CancellationToken,
    serving: TaskTracker,
    background: TaskTracker,
    stop_background: CancellationToken,
    running: Option<RunningFile>,
}

impl Instance {
    /// Opens the data folder, starts every part and serves.
    pub(crate) async fn start(config: Checked, listen: Listen) -> anyhow::Result<Self> {
        let clock = Clock::system();
        let store = EmbeddedStore::open(DataDir::open(&config.storage.data_dir)?, clock).await?;
        let background = TaskTracker::new();
        let stop_background = CancellationToken::new();
        background.spawn(store.ledger_drain().run(stop_background.clone()));

        let (keys, process_key) = KeyRing::open(store.keys(), clock).await?;
        let local_key = process_key.text.expose().to_owned();

        let turns = TurnBook::new(store.ledger(), clock);
        let prices: Arc<dyn Prices> = Arc::new(prices(&config));
        let library = Arc::new(open_library(&config, &store, &turns, &prices, clock).await?);
        background.spawn(library.clone().maintain(stop_background.clone()));
        background.spawn(library.clone().upgrade(stop_background.clone()));

        let metrics = install_metrics()?;
        if let Some(target) = config.slo.freshness.staleness {
            measure::staleness_target(target);
        }
        let upkeep = metrics.clone();
        let stop_upkeep = stop_background.clone();
        background.spawn(async move {
            while stop_upkeep.run_until_cancelled(clock.sleep(Duration::from_secs(5))).await.is_some() {
                upkeep.run_upkeep();
            }
        });

        let address = match listen {
            Listen::Configured => config.server.listen,
            Listen::Private => SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("cannot listen on {address}; choose another with --listen or server.listen")
        })?;
        let url = url_of(listener.local_addr()?);
        let stop = CancellationToken::new();
        let app = Arc::new(App {
            gateway: Gateway {
                keys: keys.table(),
                registry: registry(&config, clock)?,
                retriever: library.clone(),
                turns,
                prices,
                clock,
            },
            library: library.clone(),
            keys,
            sessions: Sessions::new(clock),
            settings: settings(&config),
            clock,
            metrics: Box::new(render_metrics(metrics, library.clone())),
            readiness: Readiness::default(),
            abort: CancellationToken::new(),
        });
        let serving = TaskTracker::new();
        let router = mainstay_server::router(app.clone());
        serving.spawn(mainstay_server::serve(listener, app.clone(), router, stop.clone()));
        let itself = Running { url, key: local_key, body_limit: config.server.body_limit };
        let running = match listen {
            Listen::Configured => Some(RunningFile::write(&config.storage.data_dir, &itself)?),
            Listen::Private => None,
        };
        Ok(Self {
            itself,
            app,
            first_assistant: first_assistant(&config),
            library,
            store,
            stop,
            serving,
            background,
            stop_background,
            running,
        })
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.itself.url
    }

    /// The address of its console.
    pub(crate) fn console_url(&self) -> String {
        format!("{}/console", self.itself.url)
    }

    /// An assistant to show in examples.
    pub(crate) fn first_assistant(&self) -> &str {
        &self.first_assistant
    }

    /// Makes the first API key, where there has never been one. Only for who shows it: nobody can see it again.
    pub(crate) async fn first_key(&self) -> anyhow::Result<Option<String>> {
        Ok(self.app.keys.first_key().await?.map(|key| key.text.expose().to_owned()))
    }

    /// A client of it.
    pub(crate) fn client(&self) -> Client {
        self.itself.client()
    }

    /// Its documents, for who measures what a search does inside.
    pub(crate) fn library(&self) -> &Library {
        &self.library
    }

    /// What a model's name stands for, for who measures a model without the rest of the path.
    pub(crate) fn route(&self, model: &str) -> Result<Route, UnknownModel> {
        self.app.gateway.registry.route(model)
    }

    /// Whether there is no document in it.
    pub(crate) async fn is_empty(&self) -> anyhow::Result<bool> {
        Ok(self.library.corpora(&TenantId::single()).await?.iter().all(|corpus| corpus.documents == 0))
    }

    /// Serves until the process is asked to stop, then stops in order.
    pub(crate) async fn until(self, mut signals: StopSignals) {
        signals.wait().await;
        tracing::info!("stopping; running requests may finish");
        self.stop().await;
    }

    /// Stops in order: requests first, then what they use.
    pub(crate) async fn stop(mut self) {
        self.running.take();
        self.stop.cancel();
        self.serving.close();
        self.serving.wait().await;
        self.stop_background.cancel();
        self.background.close();
        self.background.wait().await;
        if let Err(error) = self.library.close().await {
            tracing::warn!(%error, "the index was not closed in order; the next start catches up");
        }
        self.store.close().await;
    }
}

/// Ctrl-C and SIGTERM. Listened to from the start, so that neither is missed while something else is waited for.
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// Listens from now on.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("the signals of the operating system cannot be listened to");
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Waits for one of them.
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The runtime that everything runs on.
pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot be started")
}

fn url_of(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        return format!("http://127.0.0.1:{}", address.port());
    }
    format!("http://{address}")
}

fn settings(config: &Checked) -> ServerSettings {
    let server = &config.server;
    ServerSettings {
        body_limit: server.body_limit,
        body_timeout: server.body_timeout,
        heartbeat: server.heartbeat,
        deadline: server.deadline,
        shutdown_grace: server.shutdown_grace,
    }
}

fn first_assistant(config: &Checked) -> String {
    config.assistants.keys().next().map_or_else(|| "assistant".to_owned(), ToString::to_string)
}

/// Every assistant and provider of the configuration, and what is built in.
fn registry(config: &Checked, clock: Clock) -> anyhow::Result<Registry> {
    let mut providers = vec![("builtin".to_owned(), builtin(clock))];
    for (name, provider) in remote_providers(config, clock)? {
        let models = config.providers[&name].models.clone();
        let embedders: EmbedderFactory = {
            let provider = provider.clone();
            Arc::new(move |model, dimensions| remote_embedder(&provider, model, dimensions))
        };
        // Who only reranks is named by a corpus and by no request.
        let Some(chat) = provider.chat() else { continue };
        providers.push((name, ListedProvider { chat, embedders: Some(embedders), models, closed: false }));
    }
    let assistants = config.assistants.iter().map(|(name, assistant)| Assistant {
        name: name.clone(),
        description: assistant.description.clone(),
        prompt: assistant.prompt.clone(),
        corpus: assistant.corpus.clone(),
        model: model_name(&assistant.models[0]),
        max_tokens: assistant.max_tokens,
        temperature: assistant.temperature,
        retrieval: assistant.retrieval,
        filter: assistant.filter.clone(),
        citation_judge: assistant.citation_judge.as_ref().map(model_name),
    });
    Ok(Registry::new(assistants, providers))
}

fn model_name(model: &sections::model_name::ModelName) -> ModelName {
    ModelName { provider: Arc::from(model.provider.as_str()), model: Arc::from(model.model.as_str()) }
}

/// What needs no configuration.
fn builtin(clock: Clock) -> ListedProvider {
    let embedders: EmbedderFactory = Arc::new(|model, dimensions| {
        let fits = model == "static" && dimensions.is_none_or(|wanted| wanted == StaticEmbedder::DIMENSION);
        fits.then(|| Arc::new(StaticEmbedder::builtin()) as Arc<dyn Embedder>)
    });
    ListedProvider {
        chat: Arc::new(Extractive::new(clock)),
        embedders: Some(embedders),
        models: vec!["extractive".to_owned()],
        closed: true,
    }
}

/// The providers of the configuration, ready to be called.
fn remote_providers(config: &Checked, clock: Clock) -> anyhow::Result<BTreeMap<String, Provider>> {
    let secrets = Surroundings::of(&config.folder);
    let network = Arc::new(mainstay_providers::http::Network::new());
    let mut providers = BTreeMap::new();
    for (name, section) in &config.providers {
        let options = provider_options(name, section, &secrets)?;
        let settings = ProviderSettings::check(options)?;
        providers.insert(name.clone(), Provider::new(settings, network.clone(), clock));
    }
    Ok(providers)
}

fn kind_of(kind: sections::providers::ProviderKind) -> ProviderKind {
    use sections::providers::ProviderKind as Section;
    match kind {
        Section::Openai => ProviderKind::OpenAi,
        Section::Anthropic => ProviderKind::Anthropic,
        Section::Gemini => ProviderKind::Gemini,
        Section::OpenaiCompatible => ProviderKind::OpenAiCompatible,
        Section::Cohere => ProviderKind::Cohere,
        Section::Jina => ProviderKind::Jina,
        Section::Tei => ProviderKind::Tei,
    }
}

fn provider_options(
    name: &str,
    section: &sections::providers::Provider,
    secrets: &Surroundings,
) -> anyhow::Result<ProviderOptions> {
    use sections::providers::HeaderText;
    let kind = kind_of(section.kind);
    let secret = |place: &mainstay_domain::config::SecretRef| {
        place.resolve(secrets).with_context(|| format!("the provider \"{name}\" cannot be used"))
    };
    let headers = section.headers.iter().map(|(header, text)| {
        let value = match text {
            HeaderText::Plain(text) => text.clone(),
            HeaderText::Secret(place) => secret(place)?.expose().to_owned(),
        };
        anyhow::Ok((header.clone(), value))
    });
    let timeouts = &section.timeouts;
    Ok(ProviderOptions {
        base_url: section.base_url.clone(),
        api_key: section.api_key.as_ref().map(secret).transpose()?,
        timeouts: mainstay_providers::http::Timeouts {
            connect: timeouts.connect,
            headers: timeouts.headers,
            first_token: timeouts.first_token,
            idle: timeouts.idle,
            total: timeouts.total,
        },
        headers: headers.collect::<anyhow::Result<_>>()?,
        ..ProviderOptions::new(name, kind)
    })
}

/// The documents: store, index and embedders put together.
async fn open_library(
    config: &Checked,
    store: &EmbeddedStore,
    turns: &TurnBook,
    prices: &Arc<dyn Prices>,
    clock: Clock,
) -> anyhow::Result<Library> {
    let index = EmbeddedIndex::new(store.folder().subfolder("index")?, EmbeddedOptions::default())?;
    let remote = remote_providers(config, clock)?;
    let rerankers = Rerankers::new(config, &remote, clock, |paid| {
        Arc::new(BookedReranker::new(paid, turns.clone(), prices.clone(), library_itself(), clock))
            as Arc<dyn Reranker>
    })?;
    let cache = embedding_cache(config, store, clock).await?;
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
                    match &cache {
                        Some(cache) => Arc::new(CachedEmbedder::new(Arc::new(booked), cache.clone())),
                        None => Arc::new(booked),
                    }
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
async fn embedding_cache(
    config: &Checked,
    store: &EmbeddedStore,
    clock: Clock,
) -> anyhow::Result<Option<EmbeddingCache>> {
    let limit = config.storage.embedding_cache;
    if limit == 0 || config.corpora.values().all(|corpus| runs_here(&corpus.embedder)) {
        return Ok(None);
    }
    let cache = EmbeddingCache::open(store.folder(), limit, clock).await;
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
    Caller { tenant: TenantId::single(), key: KeyId::new("library"), scope: Scope::Ask }
}

/// How much the dense channel counts where the configuration does not say: as much as its embedder is good for, as
/// measured (docs/decisions).
fn default_dense_weight(embedder: &sections::model_name::ModelName) -> f32 {
    if runs_here(embedder) { 0.2 } else { DEFAULT_UPGRADED_WEIGHT }
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

fn remote_embedder(provider: &Provider, model: &str, dimensions: Option<usize>) -> Option<Arc<dyn Embedder>> {
    let options = EmbeddingOptions { dimensions, ..EmbeddingOptions::default() };
    provider.embedder(model, options).map(|embedder| Arc::new(embedder) as Arc<dyn Embedder>)
}

/// The prices of the configuration before those that are built in for the kinds of its providers.
fn prices(config: &Checked) -> PriceTable {
    let overrides = config.prices.iter().map(|(model, price)| {
        let rates = Rates {
            input: price.input,
            cache_read: price.cached_input,
            cache_write: price.cache_write,
            output: price.output,
        };
        let effective = "mainstay.toml".to_owned();
        (model.clone(), Price { rates, long_context: None, search: price.search, effective })
    });
    let listed = config
        .providers
        .iter()
        .map(|(name, provider)| (name.clone(), Billing::Listed(kind_of(provider.kind))));
    let builtin = std::iter::once(("builtin".to_owned(), Billing::Free));
    PriceTable::new(listed.chain(builtin), overrides)
}

/// What lets other verbs of this machine find the Mainstay that runs on a data folder: its address and a key for it, in a
/// file that only the owner can read, for as long as it runs.
#[derive(Serialize, Deserialize)]
pub(crate) struct Running {
    /// Its address.
    url: String,
    /// A key for it, made anew at every start.
    key: String,
    /// The most bytes that it takes in one request.
    body_limit: usize,
}

impl Running {
    /// A client of it.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url, &self.key).with_body_limit(self.body_limit)
    }
}

/// The file with a [`Running`]; removed when dropped.
struct RunningFile {
    path: PathBuf,
}

const RUNNING_FILE: &str = "running.json";

impl RunningFile {
    fn write(data_dir: &Path, running: &Running) -> anyhow::Result<Self> {
        let path = data_dir.join(RUNNING_FILE);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).with_context(|| format!("{} cannot be written", path.display()))?;
        serde_json::to_writer(file, running)?;
        Ok(Self { path })
    }
}

impl Drop for RunningFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "the file of the running process could not be removed");
        }
    }
}

/// The Mainstay that runs on a data folder, if one does. What a killed process left behind does not count: nobody holds
/// its lock.
pub(crate) fn running_on(data_dir: &Path) -> Option<Running> {
    let text = std::fs::read_to_string(data_dir.join(RUNNING_FILE)).ok()?;
    let in_use = matches!(DataDir::open(data_dir), Err(DataDirError::InUse { .. }));
    in_use.then(|| serde_json::from_str(&text).ok()).flatten()
}
