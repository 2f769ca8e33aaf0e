//! `mainstay eval retrieval`: how good the search is on questions whose answers are known.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use mainstay_domain::{Clock, CorpusName};
use mainstay_evals::ranking::first_relevant;
use mainstay_evals::{DataSet, Estimate, Measures, Question};
use mainstay_text::QuestionKind;
use serde::Serialize;
use serde_json::{Value, json};

use super::against::Against;
use super::gates::{self, Gate};
use super::sets::data_sets;
use super::trial::{Models, Setup, Trial};
use super::{html, table};
use crate::client::Client;
use crate::{compose, terminal};

/// Measures retrieval on data sets: folders with corpus.jsonl, queries.jsonl and qrels.tsv, in the form of Mainstay, BEIR or
/// TREC. Ends with 1 when a target of slo.quality in mainstay.toml is missed.
#[derive(Args)]
#[command(after_help = "Example: mainstay eval retrieval ./golden --against other.toml --html report.html")]
pub(crate) struct RetrievalArgs {
    /// A data set, or a folder of data sets.
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// Whose settings of mainstay.toml are measured; without it, "default" or the first corpus by name.
    #[arg(long, value_name = "NAME")]
    corpus: Option<String>,
    /// The embedder instead of the corpus's own: static or minilm (built in), or provider/model of mainstay.toml.
    #[arg(long, value_name = "MODEL")]
    embedder: Option<String>,
    /// Measures a second configuration on the same questions, and what is different.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Measures a second time with this embedder, and what is different.
    #[arg(long, value_name = "MODEL")]
    against_embedder: Option<String>,
    /// With a second configuration: at most so many of the questions that are better, and of those that are worse.
    #[arg(long, value_name = "N", default_value_t = 10)]
    changes: usize,
    /// At most so many questions of a set, evenly spaced.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    queries: u32,
    /// Writes a page with charts.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// How many passages each search asks for; a document stands where its best passage stands.
pub(super) const PASSAGES: usize = 100;

/// What was measured on a set.
#[derive(Serialize)]
pub(super) struct Retrieval {
    pub(super) set: String,
    pub(super) embedder: String,
    pub(super) config: String,
    pub(super) questions: usize,
    pub(super) questions_in_set: usize,
    pub(super) documents: u64,
    pub(super) documents_refused: usize,
    pub(super) chunks: u64,
    /// How relevance becomes gain: `linear`, as in trec_eval.
    pub(super) gain: &'static str,
    #[serde(flatten)]
    pub(super) measures: Measures<Estimate>,
    /// By language, where the questions are in several.
    pub(super) by_language: Strata,
    /// By the types that the set itself has, where there are several.
    pub(super) by_type: Strata,
    /// By [`QuestionKind`], where there are several.
    pub(super) by_kind: Strata,
    pub(super) search_ms: Latency,
    pub(super) ingest_seconds: f64,
    pub(super) index_bytes: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) gates: Vec<Gate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) against: Option<Against>,
}

/// The measures of parts of the questions, by the part's name.
pub(super) type Strata = BTreeMap<String, Stratum>;

/// The measures of a part of the questions.
#[derive(Serialize)]
pub(super) struct Stratum {
    pub(super) questions: usize,
    #[serde(flatten)]
    pub(super) measures: Measures<Estimate>,
}

/// How long the searches took, one after the other.
#[derive(Serialize)]
pub(super) struct Latency {
    pub(super) p50: f64,
    pub(super) p99: f64,
}

pub(crate) fn run(args: RetrievalArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let sets = data_sets(&args.folders)?;
    let corpus = args.corpus.as_deref();
    let setup = Setup::load(config, corpus, args.embedder.as_deref())?;
    let other = match (&args.against, &args.against_embedder) {
        (None, None) => None,
        // Another configuration brings its own embedder; another embedder leaves everything else as it is.
        (file, embedder) => Some(Setup::load(file.as_deref().or(config), corpus, embedder.as_deref())?),
    };
    let mut results = Vec::with_capacity(sets.len());
    for set in &sets {
        let retrieval = measure(set, &setup, other.as_ref(), &args);
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
        table::print(&results)?;
    }
    if let Some(path) = &args.html {
        std::fs::write(path, html::page(&results))
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(gates::verdict(&results))
}

fn measure(
    set: &DataSet,
    setup: &Setup,
    other: Option<&Setup>,
    args: &RetrievalArgs,
) -> anyhow::Result<Retrieval> {
    let questions = set.sample(args.queries as usize);
    let measured = Measured::of(set, &questions, setup, !args.json)?;
    let mut retrieval = measured.report(set, &questions, setup);
    retrieval.gates = gates::gates(&setup.checked.slo.quality, &retrieval.measures);
    if let Some(other) = other {
        let old = Measured::of(set, &questions, other, !args.json)?;
        let report = old.report(set, &questions, other);
        retrieval.against =
            Some(Against::of(&questions, &measured.answers, &old.answers, report, args.changes));
    }
    Ok(retrieval)
}

/// What came of the questions with one setup.
pub(super) struct Measured {
    /// In the order of the questions.
    pub(super) answers: Vec<Answer>,
    times: Vec<Duration>,
    documents: u64,
    documents_refused: usize,
    chunks: u64,
    ingest_seconds: f64,
    index_bytes: u64,
}

/// What was found for a question.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) measures: Measures<f64>,
    /// The rank of the first relevant document, from 1.
    pub(super) rank: Option<usize>,
}

impl Measured {
    fn of(set: &DataSet, questions: &[&Question], setup: &Setup, visible: bool) -> anyhow::Result<Self> {
        compose::runtime()?.block_on(async {
            let trial = Trial::start(set, setup, Models::NotNeeded, visible).await?;
            let asked = ask(set, questions, &trial.instance.client(), &trial.corpus, visible).await;
            let (ingested, ingest_seconds) = (&trial.ingested, trial.ingest_seconds);
            let (documents, chunks) = (ingested.accepted, ingested.chunks);
            let documents_refused = ingested.refused.len();
            let index_bytes = trial.stop().await;
            let (answers, times) = asked?;
            Ok(Self { answers, times, documents, documents_refused, chunks, ingest_seconds, index_bytes })
        })
    }

    fn report(&self, set: &DataSet, questions: &[&Question], setup: &Setup) -> Retrieval {
        let all: Vec<Measures<f64>> = self.answers.iter().map(|answer| answer.measures).collect();
        let strata = |name: fn(&Question) -> String| strata(questions.iter().map(|one| name(one)).zip(&all));
        // Nearest rank: the smallest time with at least that share at or below it.
        let at = |share: f64| {
            let rank = (share * self.times.len() as f64).ceil() as usize;
            self.times.get(rank.saturating_sub(1)).map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        Retrieval {
            set: set.name.clone(),
            embedder: setup.embedder(),
            config: setup.config.clone(),
            questions: self.answers.len(),
            questions_in_set: set.questions.len(),
            documents: self.documents,
            documents_refused: self.documents_refused,
            chunks: self.chunks,
            gain: "linear",
            measures: Measures::over(&all),
            by_language: strata(|question| question.language.clone()),
            by_type: strata(|question| question.type_name.clone()),
            by_kind: strata(|question| QuestionKind::of(&question.text).as_str().to_owned()),
            search_ms: Latency { p50: at(0.5), p99: at(0.99) },
            ingest_seconds: self.ingest_seconds,
            index_bytes: self.index_bytes,
            gates: Vec::new(),
            against: None,
        }
    }
}

/// The questions by a name that each has. One part alone says nothing that the whole does not.
fn strata<'a>(named: impl Iterator<Item = (String, &'a Measures<f64>)>) -> Strata {
    let mut parts: BTreeMap<String, Vec<Measures<f64>>> = BTreeMap::new();
    for (name, measures) in named {
        parts.entry(name).or_default().push(*measures);
    }
    if parts.len() < 2 {
        return BTreeMap::new();
    }
    let stratum = |some: Vec<_>| Stratum { questions: some.len(), measures: Measures::over(&some) };
    parts.into_iter().map(|(name, some)| (name, stratum(some))).collect()
}

async fn ask(
    set: &DataSet,
    questions: &[&Question],
    client: &Client,
    corpus: &CorpusName,
    visible: bool,
) -> anyhow::Result<(Vec<Answer>, Vec<Duration>)> {
    let clock = Clock::system();
    let bar = terminal::count_progress(questions.len() as u64, "questions", visible);
    let mut answers = Vec::with_capacity(questions.len());
    let mut times = Vec::with_capacity(questions.len());
    for question in questions {
        let body = json!({ "query": question.text, "corpus": corpus, "limit": PASSAGES });
        let began = clock.instant();
        let answer = client.post("/v1/search", &body).await?;
        if answer["words_alone"] == true {
            bail!("the embedder has failed: without it the search is another one, and measures nothing");
        }
        times.push(clock.instant().duration_since(began));
        let ranking = documents_of(&answer);
        let judgements = &set.judgements[&question.id];
        answers.push(Answer {
            measures: Measures::of(&ranking, judgements),
            rank: first_relevant(&ranking, judgements),
        });
        bar.inc(1);
    }
    bar.finish_and_clear();
    times.sort_unstable();
    Ok((answers, times))
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
