//! The composition root: the only place that names concrete backends and connects them.

pub(crate) mod audit;
mod budgets;
mod documents;
mod encryption;
mod engines;
pub(crate) mod identity;
mod metrics;
mod providers;
mod rerankers;
mod running;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use mainstay_cache::{AnswerCache, Mode};
use mainstay_cascade::{Gate, Guard, Router};
use mainstay_domain::port::{Embedder, Prices};
use mainstay_domain::{Clock, TenantId};
use mainstay_embed::StaticEmbedder;
use mainstay_erasure::{Eraser, Stores};
use mainstay_gateway::cascading::Grader;
use mainstay_gateway::{Admission, Caching, Cascade, Cascades, Gateway, Service};
use mainstay_models::registry::EmbedderFactory;
use mainstay_models::{
    Assistant, ModelName, ModelSettings, Provider as ListedProvider, Registry, Route, UnknownModel, Upstreams,
};
use mainstay_ops::memory::memory_in_use;
use mainstay_ops::{ContentLog, TurnBook, measure};
use mainstay_rag::{Extractive, Library};
use mainstay_reliability::Signal as Pressure;
use mainstay_security::{KeyRing, Sessions, Tenants};
use mainstay_server::tls::Encryption;
use mainstay_server::{App, Readers, Readiness, ServerSettings};
use mainstay_store::{EmbeddedStore, SqliteContents};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client::Client;
use crate::compose::audit::{maintain_trail, open_trail, record_shifts};
use crate::compose::budgets::open_budgets;
use crate::compose::documents::{embedding_cache, open_library};
use crate::compose::encryption::{open_store, seal_what_is_plain};
use crate::compose::engines::{Engines, watch_engines};
use crate::compose::identity::{issuer_client, logins, open_access};
use crate::compose::metrics::{Watched, install_metrics, render_metrics};
pub(crate) use crate::compose::providers::prices;
use crate::compose::providers::{remote_embedder, remote_providers};
use crate::compose::running::{Running, RunningFile};
use crate::config::{Checked, sections};
use crate::files::bytes_below;

pub(crate) use crate::compose::running::running_on;

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
    url: String,
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
        let store = open_store(&config.storage, clock).await?;
        let background = TaskTracker::new();
        let stop_background = CancellationToken::new();
        background.spawn(store.ledger_drain().run(stop_background.clone()));
        background.spawn(seal_what_is_plain(store.clone(), stop_background.clone()));

        let (keys, process_key) = KeyRing::open(store.keys(), clock).await?;
        let local_key = process_key.text.expose().to_owned();
        let tenants = Arc::new(Tenants::open(store.tenants(), clock).await?);
        let revocations = store.revocations();
        let issuers = issuer_client(&config, clock);
        let access =
            open_access(&config, keys.table(), tenants.clone(), revocations, issuers.clone(), clock).await?;
        let access = Arc::new(access);

        let trail = open_trail(&config.storage.data_dir, &config.audit, clock)?;
        background.spawn(trail.clone().keep(stop_background.clone()));
        background.spawn(maintain_trail(
            trail.clone(),
            store.anchors(),
            config.audit.retention.clone(),
            clock,
            stop_background.clone(),
        ));

        let budgets = open_budgets(&config, &*store.ledger(), clock).await?;
        let turns = TurnBook::new(store.ledger(), clock).under(budgets.clone()).recorded_in(trail.clone());
        let prices: Arc<dyn Prices> = Arc::new(prices(&config));
        let upstreams = upstreams(&config, clock);
        // Also where nothing more is kept: what was kept before is still read, erased and expired.
        let contents = match store.tenant_keys() {
            Some(keys) => {
                let stored = SqliteContents::open(store.folder(), keys).await?;
                let (log, writer) = ContentLog::new(config.content_log.share, stored, clock);
                background.spawn(writer.run(stop_background.clone()));
                log
            }
            None => ContentLog::default(),
        };
        let embeddings = embedding_cache(&config, &store, clock).await?;
        let library = Arc::new(
            open_library(&config, &store, &turns, &prices, &upstreams, embeddings.clone(), clock).await?,
        );
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

        let tls = config.server.tls.as_ref().filter(|_| matches!(listen, Listen::Configured));
        let encryption = tls.map(Encryption::read).transpose()?;
        let address = match listen {
            Listen::Configured => config.server.listen,
            Listen::Private => SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("cannot listen on {address}; choose another with --listen or server.listen")
        })?;
        let url = url_of(listener.local_addr()?, encryption.is_some());
        let stop = CancellationToken::new();
        let caching = caching(&config, clock);
        let answers = caching.answers.clone();
        let admission = Admission::new(config.limits.clone(), clock);
        let registry = registry(&config, upstreams.clone(), clock)?;
        let keys = Arc::new(keys);
        let stores = Stores {
            databases: store.erasures(),
            library: library.clone(),
            answers: answers.clone(),
            ledger: store.ledger(),
            keys: keys.clone(),
            revocations: access.tokens.as_ref().map(|tokens| tokens.revocations.clone()),
            tenants: tenants.clone(),
            trail: trail.clone(),
            tenant_keys: store.tenant_keys(),
            embeddings,
            contents: contents.clone(),
            keep_content: config.content_log.keep,
            data_dir: config.storage.data_dir.clone(),
        };
        let eraser = Arc::new(Eraser::new(stores, clock));
        let unfinished = eraser.clone();
        background.spawn(async move {
            if let Err(error) = unfinished.resume(None).await {
                tracing::error!(%error, "an erasure that was interrupted is still not finished");
            }
        });
        let expiring = (eraser.clone(), stop_background.clone());
        background.spawn(async move { expiring.0.keep_expiring(expiring.1).await });
        let service = Service::new(config.service.clone(), admission.tiers().count(), clock);
        let watching = service.clone().watch(admission.clone(), upstreams.clone(), stop_background.clone());
        background.spawn(watching);
        background.spawn(watch_engines(
            Engines::of(&config),
            admission.clone(),
            clock,
            stop_background.clone(),
        ));
        background.spawn(watch_folder(config.storage.data_dir.clone(), clock, stop_background.clone()));
        background.spawn(record_shifts(
            trail.clone(),
            upstreams.clone(),
            service.clone(),
            admission.tiers().cloned().collect(),
            clock,
            stop_background.clone(),
        ));
        background.spawn(watch_memory(admission.clone(), clock, stop_background.clone()));
        let readers = Readers::new(config.server.heartbeat, clock);
        background.spawn(readers.clone().watch(stop_background.clone()));
        measure::know_models(models_of(&config));
        measure::know_corpora(config.corpora.keys().map(ToString::to_string));
        let app = Arc::new(App {
            gateway: Gateway {
                admission: admission.clone(),
                registry,
                service: service.clone(),
                caching,
                cascades: cascades(&config, clock),
                retriever: library.clone(),
                turns,
                contents: contents.clone(),
                required_attribution: config.required_attribution.clone(),
                prices,
                clock,
            },
            library: library.clone(),
            access: access.clone(),
            trail,
            eraser,
            approvals: store.approvals(),
            two_person: config.security.two_person.clone(),
            anchors: store.anchors(),
            tenants,
            keys,
            budgets: budgets.clone(),
            history: store.ledger(),
            sessions: Sessions::new(clock),
            logins: logins(&config, issuers, clock)?,
            settings: settings(&config),
            clock,
            metrics: Box::new(render_metrics(
                metrics,
                Watched { library: library.clone(), upstreams, admission, service, budgets, answers, access },
            )),
            readiness: Readiness::default(),
            readers: readers.clone(),
            abort: CancellationToken::new(),
        });
        let serving = TaskTracker::new();
        let router = mainstay_server::router(app.clone());
        let mut own_url = url.clone();
        if let Some(encryption) = &encryption {
            // The verbs of this machine come another way: the certificate is of a name that need not lead here.
            let local = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
            own_url = url_of(local.local_addr()?, false);
            serving.spawn(mainstay_server::serve(local, None, app.clone(), router.clone(), stop.clone()));
            background.spawn(encryption.clone().follow(clock, stop_background.clone()));
        }
        serving.spawn(mainstay_server::serve(listener, encryption, app.clone(), router, stop.clone()));
        let itself = Running { url: own_url, key: local_key, body_limit: config.server.body_limit };
        let running = match listen {
            Listen::Configured => Some(RunningFile::write(&config.storage.data_dir, &itself)?),
            Listen::Private => None,
        };
        Ok(Self {
            url,
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
        &self.url
    }

    /// The address of its console.
    pub(crate) fn console_url(&self) -> String {
        format!("{}/console", self.url)
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

fn url_of(address: SocketAddr, encrypted: bool) -> String {
    let scheme = if encrypted { "https" } else { "http" };
    if address.ip().is_unspecified() {
        return format!("{scheme}://127.0.0.1:{}", address.port());
    }
    format!("{scheme}://{address}")
}

fn settings(config: &Checked) -> ServerSettings {
    let server = &config.server;
    ServerSettings {
        body_limit: server.body_limit,
        body_timeout: server.body_timeout,
        heartbeat: server.heartbeat,
        deadline: server.deadline,
        shutdown_grace: server.shutdown_grace,
        behind_proxy: server.behind_proxy,
    }
}

fn first_assistant(config: &Checked) -> String {
    config.assistants.keys().next().map_or_else(|| "assistant".to_owned(), ToString::to_string)
}

/// How every model that is called fares, those that embed included.
fn upstreams(config: &Checked, clock: Clock) -> Arc<Upstreams> {
    let breakers =
        config.models.iter().filter_map(|(name, model)| Some((name.parse().ok()?, model.breaker?)));
    Upstreams::new(config.reliability, breakers, clock)
}

/// Every assistant and provider of the configuration, and what is built in.
fn registry(config: &Checked, upstreams: Arc<Upstreams>, clock: Clock) -> anyhow::Result<Registry> {
    let mut providers = vec![("builtin".to_owned(), builtin(clock))];
    for (name, provider) in remote_providers(config, clock)? {
        let models = config.providers[&name].models.clone();
        let embedders: EmbedderFactory = {
            let provider = provider.clone();
            Arc::new(move |model, dimensions| remote_embedder(&provider, model, dimensions))
        };
        // Who only reranks is named by a corpus and by no request.
        let Some(chat) = provider.chat() else { continue };
        let region = config.providers[&name].region.clone();
        providers
            .push((name, ListedProvider { chat, embedders: Some(embedders), models, closed: false, region }));
    }
    let assistants = config.assistants.iter().map(|(name, assistant)| Assistant {
        name: name.clone(),
        description: assistant.description.clone(),
        prompt: assistant.prompt.clone(),
        corpus: assistant.corpus.clone(),
        model: model_name(&assistant.models[0]),
        stronger: assistant.models[1..].iter().map(model_name).collect(),
        fallback: assistant.fallback.iter().map(model_name).collect(),
        reduced_model: assistant.reduced_model.as_ref().map(model_name),
        warm_share: assistant.warm_share,
        max_tokens: assistant.max_tokens,
        temperature: assistant.temperature,
        retrieval: assistant.retrieval,
        filter: assistant.filter.clone(),
        citation_judge: assistant.citation_judge.as_ref().map(model_name),
    });
    Ok(Registry::new(assistants, providers, model_settings(config), upstreams))
}

/// How often it is looked how much memory is used.
const MEMORY_EVERY: Duration = Duration::from_secs(2);

/// Notes how much of its memory this process uses, until it is told to stop: requests are refused before it is killed.
async fn watch_memory(admission: Arc<Admission>, clock: Clock, stop: CancellationToken) {
    while stop.run_until_cancelled(clock.sleep(MEMORY_EVERY)).await.is_some() {
        if let Some(used) = memory_in_use() {
            admission.note(Pressure::of("memory", used, 1.0));
        }
    }
}

/// How often the data folder is looked through.
const FOLDER_EVERY: Duration = Duration::from_secs(600);

/// Measures the data folder, at once and then every now and then.
async fn watch_folder(folder: PathBuf, clock: Clock, stop: CancellationToken) {
    loop {
        let looked_at = folder.clone();
        if let Ok(bytes) = tokio::task::spawn_blocking(move || bytes_below(&looked_at)).await {
            measure::data_folder(bytes);
        }
        if stop.run_until_cancelled(clock.sleep(FOLDER_EVERY)).await.is_none() {
            return;
        }
    }
}

/// Every model that the configuration names.
fn models_of(config: &Checked) -> Vec<String> {
    let of_assistants = config.assistants.values().flat_map(|assistant| {
        let judges =
            assistant.routing.as_ref().and_then(|routing| routing.grader.as_ref()).map(|(model, _)| model);
        let named = [&assistant.reduced_model, &assistant.citation_judge].into_iter().flatten().chain(judges);
        assistant.models.iter().chain(&assistant.fallback).chain(named).map(ToString::to_string)
    });
    let of_corpora = config.corpora.values().flat_map(|corpus| {
        [Some(&corpus.embedder), corpus.rerank.model()].into_iter().flatten().map(ToString::to_string)
    });
    let listed = config
        .providers
        .iter()
        .flat_map(|(name, provider)| provider.models.iter().map(move |model| format!("{name}/{model}")));
    let priced = config.prices.keys().chain(config.models.keys()).cloned();
    of_assistants.chain(of_corpora).chain(listed).chain(priced).collect()
}

/// What is known of the models that the configuration names.
fn model_settings(config: &Checked) -> Vec<(ModelName, ModelSettings)> {
    let of_assistants = config.assistants.values().flat_map(|one| one.models.iter().chain(&one.fallback));
    let of_models = config.models.values().flat_map(|model| &model.fallback);
    let mut settings: Vec<(ModelName, ModelSettings)> = of_assistants
        .chain(of_models)
        .map(|name| {
            let abilities = sections::models::known_abilities(name, &config.providers);
            (model_name(name), ModelSettings { abilities, fallback: Vec::new() })
        })
        .collect();
    // Later ones hold: what the file says comes last.
    settings.extend(config.models.iter().filter_map(|(name, model)| {
        let fallback = model.fallback.iter().map(model_name).collect();
        Some((name.parse().ok()?, ModelSettings { abilities: model.abilities, fallback }))
    }));
    settings
}

/// Which assistants ask cheaper models first.
fn cascades(config: &Checked, clock: Clock) -> Cascades {
    let routed =
        config.assistants.iter().filter_map(|(name, assistant)| Some((name, assistant.routing.as_ref()?)));
    let cascades = routed.map(|(name, routing)| {
        let router = Router::new(routing.router.clone(), routing.classifier.clone().map(Arc::new));
        let grader = routing
            .grader
            .as_ref()
            .map(|(model, least_quality)| Grader { model: model_name(model), least_quality: *least_quality });
        let guard = Guard::new(routing.guard, routing.router.tiers);
        let cascade = Cascade::new(router, routing.gate.map(Gate::new), grader, guard, clock);
        (name.as_str().to_owned(), cascade)
    });
    cascades.collect()
}

/// Which assistants' answers are kept.
fn caching(config: &Checked, clock: Clock) -> Caching {
    let kept = config.assistants.iter().filter(|(_, assistant)| assistant.cache.mode != Mode::Off);
    Caching {
        answers: AnswerCache::new(config.cache.memory, clock),
        settings: kept.map(|(name, assistant)| (name.as_str().to_owned(), assistant.cache)).collect(),
    }
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
        // Where this process is, which is where the data is.
        region: None,
    }
}
