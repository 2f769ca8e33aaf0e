//! `mainstay eval retrieval`: how good the search is on questions whose answers are known. The documents are ingested into
//! a folder that is thrown away, as a user would, and every question goes the way of every search.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};
use mainstay_domain::{Clock, CorpusName};
use mainstay_evals::ranking::{ndcg, recall, reciprocal_rank};
use mainstay_evals::{DataSet, DataSetError, Estimate};
use serde::Serialize;
use serde_json::{Value, json};

use crate::client::Client;
use crate::compose::{self, Instance, Listen};
use crate::config::sections::corpora::Corpus;
use crate::config::sections::model_name::ModelName;
use crate::config::{self, Checked};
use crate::printable;
use crate::terminal::{self, BadInput};
use crate::verbs::ingest::{self, Summary};

/// What is measured.
#[derive(Subcommand)]
pub(crate) enum EvalVerb {
    /// Recall, nDCG and MRR of the search, with confidence intervals, latency and the size of the index.
    Retrieval(RetrievalArgs),
}

/// Measures retrieval on data sets: folders with corpus.jsonl, queries.jsonl and qrels.tsv, in the form of Mainstay, BEIR or
/// TREC.
#[derive(Args)]
#[command(after_help = "Example: mainstay eval retrieval ./golden --json")]
pub(crate) struct RetrievalArgs {
    /// A data set, or a folder of data sets.
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// The embedder: static or minilm (built in), or provider/model of mainstay.toml.
    #[arg(long, value_name = "MODEL", default_value = "static")]
    embedder: String,
    /// At most so many questions of a set, evenly spaced.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    queries: u32,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// How many passages each search asks for; a document stands where its best passage stands.
const PASSAGES: usize = 100;

/// What was measured on a set.
#[derive(Serialize)]
struct Retrieval {
    set: String,
    embedder: String,
    questions: usize,
    questions_in_set: usize,
    documents: u64,
    documents_refused: usize,
    chunks: u64,
    /// How relevance becomes gain: `linear`, as in trec_eval.
    gain: &'static str,
    #[serde(flatten)]
    measures: Measures<Estimate>,
    by_language: BTreeMap<String, Measures<Estimate>>,
    search_ms: Latency,
    ingest_seconds: f64,
    index_bytes: u64,
}

/// The measures of one question, or of many.
#[derive(Serialize, Clone, Copy)]
struct Measures<T> {
    #[serde(rename = "recall@5")]
    recall_at_5: T,
    #[serde(rename = "recall@10")]
    recall_at_10: T,
    #[serde(rename = "nDCG@10")]
    ndcg_at_10: T,
    #[serde(rename = "MRR@10")]
    mrr_at_10: T,
}

/// How long the searches took, one after the other.
#[derive(Serialize)]
struct Latency {
    p50: f64,
    p99: f64,
}

pub(crate) fn run(verb: EvalVerb, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let EvalVerb::Retrieval(args) = verb;
    let sets = data_sets(&args.folders)?;
    let embedder = embedder(&args.embedder, &config::load(config)?)?;
    let mut results = Vec::with_capacity(sets.len());
    for set in &sets {
        let retrieval = measure(set, config::load(config)?, &embedder, &args);
        results.push(retrieval.with_context(|| format!("the data set {} cannot be measured", set.name))?);
    }
    if args.json {
        // One set is one object, so that a script need not look into a list.
        let json = match &results[..] {
            [one] => serde_json::to_string(one)?,
            several => serde_json::to_string(several)?,
        };
        terminal::say(json)?;
    } else {
        print(&results)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The sets at the folders, or in them.
fn data_sets(folders: &[PathBuf]) -> anyhow::Result<Vec<DataSet>> {
    let mut sets = Vec::new();
    for folder in folders {
        let mut found = vec![folder.clone()];
        if !DataSet::is_at(folder) {
            let entries = fs::read_dir(folder).map_err(|error| {
                BadInput(format!("the folder {} cannot be read: {error}", folder.display()))
            })?;
            found = entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| DataSet::is_at(path))
                .collect();
            found.sort();
            if found.is_empty() {
                found.push(folder.clone());
            }
        }
        for folder in found {
            sets.push(DataSet::read(&folder).map_err(bad_data)?);
        }
    }
    Ok(sets)
}

fn bad_data(error: DataSetError) -> anyhow::Error {
    match &error {
        DataSetError::File { source, .. } => BadInput(format!("{error}: {source}")).into(),
        _ => BadInput(error.to_string()).into(),
    }
}

/// The embedder that is meant.
fn embedder(name: &str, checked: &Checked) -> Result<ModelName, BadInput> {
    let (provider, model) = name.split_once('/').unwrap_or(("builtin", name));
    if provider == "builtin" && !matches!(model, "static" | "minilm") {
        return Err(BadInput(format!(
            "no embedder {model:?} is built in, only \"static\" and \"minilm\"; others are named as provider/model of mainstay.toml"
        )));
    }
    if provider != "builtin" && !checked.providers.contains_key(provider) {
        return Err(BadInput(format!(
            "mainstay.toml has no provider {provider:?}; add [providers.{provider}], or measure with --embedder static"
        )));
    }
    Ok(ModelName { provider: provider.to_owned(), model: model.to_owned() })
}

fn measure(
    set: &DataSet,
    mut checked: Checked,
    embedder: &ModelName,
    args: &RetrievalArgs,
) -> anyhow::Result<Retrieval> {
    let folder = tempfile::tempdir().context("a temporary folder cannot be made")?;
    checked.storage.data_dir = folder.path().join("data");
    let name = CorpusName::unnamed();
    // As configured, but for the embedder and for documents that do not belong to the set.
    let configured = checked.corpora.get(&name).cloned().unwrap_or_default();
    let corpus = Corpus { embedder: embedder.clone(), documents: Vec::new(), ..configured };
    checked.corpora = BTreeMap::from([(name, corpus)]);
    let index = checked.storage.data_dir.join("index");
    compose::runtime()?.block_on(async {
        let instance = Instance::start(checked.without_models(), Listen::Private).await?;
        let clock = Clock::system();
        let client = instance.client();
        let began = clock.instant();
        let corpus = std::slice::from_ref(&set.corpus);
        let summary = ingest::ingest(&client, corpus, CorpusName::unnamed().as_str(), !args.json).await?;
        let ingest_seconds = clock.instant().duration_since(began).as_secs_f64();
        for refused in &summary.refused {
            let (source, reason) = (printable::line(&refused.source), printable::line(&refused.reason));
            terminal::complain(format_args!("{source} was refused and cannot be found: {reason}"));
        }
        wait_for_upgrade(&client, clock, !args.json).await?;
        let asked = ask(set, &client, clock, args).await;
        instance.stop().await;
        Ok(asked?.report(set, embedder, &summary, ingest_seconds, bytes_below(&index)))
    })
}

/// What came of the questions.
struct Asked {
    scores: Vec<(String, Measures<f64>)>,
    times: Vec<Duration>,
}

/// Waits until every chunk has its second vector, where the embedder makes them in the background.
async fn wait_for_upgrade(client: &Client, clock: Clock, show: bool) -> anyhow::Result<()> {
    let mut bar = None;
    loop {
        let answer = client.get("/v1/corpora").await?;
        let corpora = answer["data"].as_array().into_iter().flatten();
        let open = corpora
            .filter_map(|corpus| Some((corpus["upgrade"]["chunks"].as_u64()?, corpus["chunks"].as_u64()?)));
        let (done, all) = open.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        if done >= all {
            return Ok(());
        }
        bar.get_or_insert_with(|| terminal::count_progress(all, "chunks embedded", show)).set_position(done);
        clock.sleep(Duration::from_millis(200)).await;
    }
}

async fn ask(set: &DataSet, client: &Client, clock: Clock, args: &RetrievalArgs) -> anyhow::Result<Asked> {
    let questions = set.sample(args.queries as usize);
    let bar = terminal::count_progress(questions.len() as u64, "questions", !args.json);
    let mut asked =
        Asked { scores: Vec::with_capacity(questions.len()), times: Vec::with_capacity(questions.len()) };
    for question in questions {
        let body = json!({ "query": question.text, "limit": PASSAGES });
        let began = clock.instant();
        let answer = client.post("/v1/search", &body).await?;
        asked.times.push(clock.instant().duration_since(began));
        let ranking = documents_of(&answer);
        let judgements = &set.judgements[&question.id];
        let measures = Measures {
            recall_at_5: recall(&ranking, judgements, 5),
            recall_at_10: recall(&ranking, judgements, 10),
            ndcg_at_10: ndcg(&ranking, judgements, 10),
            mrr_at_10: reciprocal_rank(&ranking, judgements, 10),
        };
        asked.scores.push((question.language.clone(), measures));
        bar.inc(1);
    }
    bar.finish_and_clear();
    asked.times.sort_unstable();
    Ok(asked)
}

/// The documents of the passages, each where its best passage stands.
fn documents_of(answer: &Value) -> Vec<String> {
    let mut documents: Vec<String> = Vec::new();
    for result in answer["results"].as_array().into_iter().flatten() {
        if let Some(id) = result["doc_id"].as_str()
            && !documents.iter().any(|known| known == id)
        {
            documents.push(id.to_owned());
        }
    }
    documents
}

impl Asked {
    fn report(
        self,
        set: &DataSet,
        embedder: &ModelName,
        ingested: &Summary,
        ingest_seconds: f64,
        index_bytes: u64,
    ) -> Retrieval {
        let mut by_language: BTreeMap<String, Vec<Measures<f64>>> = BTreeMap::new();
        for (language, measures) in &self.scores {
            by_language.entry(language.clone()).or_default().push(*measures);
        }
        let all: Vec<Measures<f64>> = self.scores.iter().map(|(_, measures)| *measures).collect();
        let by_language = match by_language.len() {
            0 | 1 => BTreeMap::new(),
            _ => by_language
                .into_iter()
                .map(|(language, some)| (language, Measures::estimate(&some)))
                .collect(),
        };
        // Nearest rank: the smallest time with at least that share at or below it.
        let at = |share: f64| {
            let rank = (share * self.times.len() as f64).ceil() as usize;
            self.times.get(rank.saturating_sub(1)).map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        Retrieval {
            set: set.name.clone(),
            embedder: embedder.to_string(),
            questions: self.scores.len(),
            questions_in_set: set.questions.len(),
            documents: ingested.accepted,
            documents_refused: ingested.refused.len(),
            chunks: ingested.chunks,
            gain: "linear",
            measures: Measures::estimate(&all),
            by_language,
            search_ms: Latency { p50: at(0.5), p99: at(0.99) },
            ingest_seconds,
            index_bytes,
        }
    }
}

impl Measures<Estimate> {
    fn estimate(all: &[Measures<f64>]) -> Self {
        let of =
            |measure: fn(&Measures<f64>) -> f64| Estimate::of(&all.iter().map(measure).collect::<Vec<_>>());
        Self {
            recall_at_5: of(|one| one.recall_at_5),
            recall_at_10: of(|one| one.recall_at_10),
            ndcg_at_10: of(|one| one.ndcg_at_10),
            mrr_at_10: of(|one| one.mrr_at_10),
        }
    }
}

/// What the files below a folder take on the disk; what cannot be read takes nothing.
fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
            // Files that are mostly holes have a size that they do not take.
            Ok(metadata) => metadata.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}

fn print(results: &[Retrieval]) -> anyhow::Result<()> {
    let mut table = terminal::table(&[
        "set",
        "questions",
        "recall@5",
        "recall@10",
        "nDCG@10",
        "MRR@10",
        "search p50 / p99 ms",
        "ingest s",
        "index MB",
    ]);
    let interval =
        |estimate: Estimate| format!("{:.3} ({:.3}–{:.3})", estimate.mean, estimate.low, estimate.high);
    for one in results {
        let Measures { recall_at_5, recall_at_10, ndcg_at_10, mrr_at_10 } = one.measures;
        table.add_row([
            one.set.clone(),
            format!("{} of {}", one.questions, one.questions_in_set),
            interval(recall_at_5),
            interval(recall_at_10),
            interval(ndcg_at_10),
            interval(mrr_at_10),
            format!("{:.1} / {:.1}", one.search_ms.p50, one.search_ms.p99),
            format!("{:.1}", one.ingest_seconds),
            format!("{:.0}", one.index_bytes as f64 / 1e6),
        ]);
    }
    terminal::say(table)?;
    for one in results.iter().filter(|one| !one.by_language.is_empty()) {
        let languages = one.by_language.iter();
        let languages = languages.map(|(name, measures)| format!("{name} {:.3}", measures.recall_at_10.mean));
        terminal::say(format!(
            "{}, recall@10 by language: {}",
            one.set,
            languages.collect::<Vec<_>>().join(", ")
        ))?;
    }
    terminal::say("In brackets: 95 % confidence intervals over questions. Gain is linear.")?;
    Ok(())
}
