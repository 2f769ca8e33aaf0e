//! A data set in a Mainstay of its own, with the settings that are to be measured.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use mainstay_domain::{Clock, CorpusName};
use mainstay_evals::DataSet;
use tempfile::TempDir;

use crate::client::Client;
use crate::compose::{Instance, Listen};
use crate::config::sections::corpora::{BUILTIN_EMBEDDERS, Corpus};
use crate::config::sections::model_name::{BUILTIN, ModelName};
use crate::config::sections::onnx::ONNX;
use crate::config::{self, Checked};
use crate::files::bytes_below;
use crate::printable;
use crate::terminal::{self, BadInput};
use crate::verbs::ingest::{self, Summary};

/// What is measured: the settings of one corpus of a configuration.
#[derive(Clone)]
pub(super) struct Setup {
    /// Where the configuration comes from, for people.
    pub(super) config: String,
    pub(super) checked: Checked,
    /// Whose settings are measured.
    pub(super) corpus: CorpusName,
    pub(super) settings: Corpus,
}

impl Setup {
    /// The corpus `corpus` of the configuration at `path`, or the one that is meant where none is named; with another
    /// embedder where one is named.
    pub(super) fn load(
        path: Option<&Path>,
        corpus: Option<&str>,
        embedder: Option<&str>,
    ) -> anyhow::Result<Self> {
        let checked = config::load(path)?;
        let corpus = match corpus.map(CorpusName::new) {
            Some(named) if !checked.corpora.contains_key(&named) => {
                let known: Vec<&str> = checked.corpora.keys().map(CorpusName::as_str).collect();
                let known = known.join(", ");
                return Err(
                    BadInput(format!("mainstay.toml has no corpus {named:?}; it has: {known}")).into()
                );
            }
            Some(named) => named,
            None => checked.default_corpus().clone(),
        };
        let mut settings = checked.corpora[&corpus].clone();
        if let Some(embedder) = embedder {
            settings.embedder = named_embedder(embedder, &checked)?;
        }
        let config = match path {
            Some(path) => path.display().to_string(),
            None if Path::new(config::FILE_NAME).is_file() => config::FILE_NAME.to_owned(),
            None => "the defaults".to_owned(),
        };
        Ok(Self { config, checked, corpus, settings })
    }

    /// The embedder, as people know it.
    pub(super) fn embedder(&self) -> String {
        self.settings.embedder.to_string()
    }
}

/// The embedder that is meant.
fn named_embedder(name: &str, checked: &Checked) -> Result<ModelName, BadInput> {
    let (provider, model) = name.split_once('/').unwrap_or((BUILTIN, name));
    if provider == BUILTIN && !BUILTIN_EMBEDDERS.contains(&model) {
        return Err(BadInput(format!(
            "no embedder {model:?} is built in, only {BUILTIN_EMBEDDERS:?}; others are named as provider/model of mainstay.toml"
        )));
    }
    let is_known = match provider {
        BUILTIN => true,
        ONNX => checked.onnx.contains_key(model),
        _ => checked.providers.contains_key(provider),
    };
    if !is_known {
        let table =
            if provider == ONNX { format!("[onnx.{model}]") } else { format!("[providers.{provider}]") };
        return Err(BadInput(format!(
            "mainstay.toml has no provider {provider:?} for {name:?}; add {table}, or measure with --embedder static"
        )));
    }
    Ok(ModelName { provider: provider.to_owned(), model: model.to_owned() })
}

/// How long one search inside of a trial may take.
pub(super) const SEARCH_TIME: Duration = Duration::from_secs(60);

/// Whether the trial calls models that answer. Where it does not, no secret of their providers is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Models {
    Needed,
    NotNeeded,
}

/// A Mainstay with the documents of a set and nothing else.
pub(super) struct Trial {
    pub(super) instance: Instance,
    /// The corpus that they are in.
    pub(super) corpus: CorpusName,
    pub(super) ingested: Summary,
    pub(super) ingest_seconds: f64,
    index: PathBuf,
    /// Removes the folder when the trial is over.
    _folder: TempDir,
}

impl Trial {
    /// Ingests the documents of the set. `visible` shows how far that is.
    pub(super) async fn start(
        set: &DataSet,
        setup: &Setup,
        models: Models,
        visible: bool,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("a temporary folder cannot be made")?;
        let mut checked = setup.checked.clone();
        checked.storage.data_dir = folder.path().join("data");
        // As configured, but for documents that do not belong to the set.
        let settings = Corpus { documents: Vec::new(), ..setup.settings.clone() };
        checked.corpora = BTreeMap::from([(setup.corpus.clone(), settings)]);
        let index = checked.storage.data_dir.join("index");
        let checked = if models == Models::Needed { checked } else { checked.without_models() };
        let instance = Instance::start(checked, Listen::Private).await?;
        let clock = Clock::system();
        let filled = fill(&instance.client(), set, setup, clock, visible).await;
        let (ingested, ingest_seconds) = match filled {
            Ok(filled) => filled,
            Err(error) => {
                instance.stop().await;
                return Err(error);
            }
        };
        for refused in &ingested.refused {
            let (source, reason) = (printable::line(&refused.source), printable::line(&refused.reason));
            terminal::complain(format_args!("{source} was refused and cannot be found: {reason}"));
        }
        let corpus = setup.corpus.clone();
        Ok(Self { instance, corpus, ingested, ingest_seconds, index, _folder: folder })
    }

    /// Ends it, and tells what the index takes on the disk.
    pub(super) async fn stop(self) -> u64 {
        self.instance.stop().await;
        bytes_below(&self.index)
    }
}

/// Adds the documents, and waits until they have all the vectors that they are to have. Tells how long the adding took.
async fn fill(
    client: &Client,
    set: &DataSet,
    setup: &Setup,
    clock: Clock,
    visible: bool,
) -> anyhow::Result<(Summary, f64)> {
    let began = clock.instant();
    let documents = std::slice::from_ref(&set.corpus);
    let ingested = ingest::ingest(client, documents, setup.corpus.as_str(), visible).await?;
    let seconds = clock.instant().duration_since(began).as_secs_f64();
    wait_for_upgrade(client, clock, visible).await?;
    Ok((ingested, seconds))
}

/// Waits until every chunk has its second vector, where the embedder makes them in the background.
async fn wait_for_upgrade(client: &Client, clock: Clock, visible: bool) -> anyhow::Result<()> {
    let mut bar = None;
    loop {
        let answer = client.get("/v1/corpora").await?;
        let corpora = answer["data"].as_array().into_iter().flatten();
        let open = corpora
            .map(|corpus| &corpus["upgrade"])
            .filter_map(|upgrade| Some((upgrade["chunks"].as_u64()?, upgrade["of"].as_u64()?)));
        let (done, all) = open.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        if done >= all {
            return Ok(());
        }
        bar.get_or_insert_with(|| terminal::count_progress(all, "chunks embedded", visible))
            .set_position(done);
        clock.sleep(Duration::from_millis(200)).await;
    }
}
