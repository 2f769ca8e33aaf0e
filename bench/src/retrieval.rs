//! How good the product's own search is, on data sets with judgements: each set is ingested as a user would, and each
//! question goes through `POST /v1/search`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Common;
use crate::http::Client;
use crate::observe::{Percentiles, now};
use crate::product::{Site, binary};
use crate::ranking::{Judgements, ndcg, recall, reciprocal_rank};
use crate::report::{Table, figure};
use crate::search::documents_of;

/// How to measure.
#[derive(Args)]
pub(crate) struct RetrievalArgs {
    #[command(flatten)]
    common: Common,
    /// A data set (corpus.jsonl, queries.jsonl, qrels.tsv), or a folder of data sets.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// At most so many questions of a set, evenly spaced.
    #[arg(long, default_value_t = 1_000)]
    queries: usize,
    /// How many passages each search asks for; a document stands where its best passage stands.
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

#[derive(Serialize)]
struct Retrieved {
    set: String,
    queries: usize,
    queries_in_set: usize,
    scores: Scores,
    by_language: BTreeMap<String, Scores>,
    latency: Percentiles,
    ingest_seconds: f64,
}

/// Means over questions.
#[derive(Serialize, Clone, Copy, Default, Debug, PartialEq)]
struct Scores {
    recall_at_5: f64,
    recall_at_10: f64,
    ndcg_at_10: f64,
    mrr_at_10: f64,
}

/// Measures and prints.
pub(crate) fn run(args: &RetrievalArgs) -> anyhow::Result<()> {
    let binary = binary(&args.common)?;
    let mut results = Vec::new();
    // The product runs in a folder of its own.
    let data = std::path::absolute(&args.data)?;
    for folder in data_sets(&data)? {
        eprintln!("{} …", folder.display());
        let set = DataSet::read(&folder)?;
        let retrieved = measure(&Site::new(&binary, None)?, &set, args);
        results.push(retrieved.with_context(|| format!("on the data set {}", set.name))?);
    }
    if args.common.json {
        println!("{}", serde_json::to_string_pretty(&results)?);
        return Ok(());
    }
    let mut table = Table::new(&[
        "set",
        "questions",
        "recall@5",
        "recall@10",
        "nDCG@10",
        "MRR@10",
        "search p50 ms",
        "ingest s",
    ]);
    let score = |value: f64| format!("{value:.3}");
    for one in &results {
        let Scores { recall_at_5, recall_at_10, ndcg_at_10, mrr_at_10 } = one.scores;
        table.row([
            one.set.clone(),
            format!("{} of {}", one.queries, one.queries_in_set),
            score(recall_at_5),
            score(recall_at_10),
            score(ndcg_at_10),
            score(mrr_at_10),
            figure(one.latency.p50),
            figure(one.ingest_seconds),
        ]);
    }
    table.print();
    for one in results.iter().filter(|one| one.by_language.len() > 1) {
        let languages =
            one.by_language.iter().map(|(language, scores)| format!("{language} {:.3}", scores.recall_at_10));
        println!("{}, recall@10 by language: {}", one.set, languages.collect::<Vec<_>>().join(", "));
    }
    Ok(())
}

/// The folder itself when it is a data set, else the data sets in it.
fn data_sets(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let is_set = |folder: &Path| {
        ["corpus.jsonl", "queries.jsonl", "qrels.tsv"].iter().all(|name| folder.join(name).exists())
    };
    if is_set(folder) {
        return Ok(vec![folder.to_owned()]);
    }
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut sets = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if is_set(&path) {
            sets.push(path);
        }
    }
    sets.sort();
    if sets.is_empty() {
        bail!("{} holds no data set: corpus.jsonl, queries.jsonl and qrels.tsv are needed", folder.display());
    }
    Ok(sets)
}

struct DataSet {
    name: String,
    corpus: PathBuf,
    queries: Vec<Query>,
    judgements: HashMap<String, Judgements>,
}

#[derive(Deserialize)]
struct Query {
    query_id: String,
    text: String,
    #[serde(default)]
    language: String,
}

impl DataSet {
    fn read(folder: &Path) -> anyhow::Result<Self> {
        let text = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let judgements = read_judgements(&text("qrels.tsv")?)?;
        let mut queries = Vec::new();
        for (index, line) in text("queries.jsonl")?.lines().enumerate() {
            let query: Query =
                serde_json::from_str(line).with_context(|| format!("queries.jsonl, line {}", index + 1))?;
            // A question that nothing was judged for cannot be scored.
            if judgements
                .get(&query.query_id)
                .is_some_and(|judged| judged.values().any(|&relevance| relevance > 0))
            {
                queries.push(query);
            }
        }
        let name = folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Ok(Self { name, corpus: folder.join("corpus.jsonl"), queries, judgements })
    }
}

/// Lines of query, document and relevance, after a line of headings.
fn read_judgements(text: &str) -> anyhow::Result<HashMap<String, Judgements>> {
    let mut judgements: HashMap<String, Judgements> = HashMap::new();
    for (index, line) in text.lines().enumerate().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [query, document, relevance] = fields[..] else {
            bail!("qrels.tsv, line {}: three fields are expected: {line}", index + 1);
        };
        let relevance =
            relevance.trim().parse().with_context(|| format!("qrels.tsv, line {}: {line}", index + 1))?;
        judgements.entry(query.to_owned()).or_default().insert(document.to_owned(), relevance);
    }
    Ok(judgements)
}

fn measure(site: &Site, set: &DataSet, args: &RetrievalArgs) -> anyhow::Result<Retrieved> {
    let product = site.up(Some(&set.corpus))?;
    let mut client = Client::connect(&product.url, product.key()?)?;
    let mut scores: BTreeMap<String, Vec<Scores>> = BTreeMap::new();
    let mut nanos = Vec::new();
    let chosen = evenly_spaced(set.queries.len(), args.queries);
    for &index in &chosen {
        let query = &set.queries[index];
        let started = now();
        let answer = client.post("/v1/search", &json!({ "query": query.text, "limit": args.limit }))?;
        nanos.push(i64::try_from(started.elapsed().as_nanos())?);
        let ranking = documents_of(&answer);
        let judgements = &set.judgements[&query.query_id];
        scores.entry(query.language.clone()).or_default().push(Scores {
            recall_at_5: recall(&ranking, judgements, 5),
            recall_at_10: recall(&ranking, judgements, 10),
            ndcg_at_10: ndcg(&ranking, judgements, 10),
            mrr_at_10: reciprocal_rank(&ranking, judgements, 10),
        });
    }
    let retrieved = Retrieved {
        set: set.name.clone(),
        queries: chosen.len(),
        queries_in_set: set.queries.len(),
        scores: Scores::mean(scores.values().flatten()),
        by_language: scores
            .iter()
            .map(|(language, scores)| (language.clone(), Scores::mean(scores)))
            .collect(),
        latency: Percentiles::of(nanos),
        ingest_seconds: product.ready_seconds,
    };
    product.stop()?;
    Ok(retrieved)
}

/// At most `most` numbers below `count`, evenly spaced.
fn evenly_spaced(count: usize, most: usize) -> Vec<usize> {
    let chosen = count.min(most);
    (0..chosen).map(|index| index * count / chosen).collect()
}

impl Scores {
    fn mean<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut sum = Self::default();
        let mut count = 0;
        for one in all {
            sum.recall_at_5 += one.recall_at_5;
            sum.recall_at_10 += one.recall_at_10;
            sum.ndcg_at_10 += one.ndcg_at_10;
            sum.mrr_at_10 += one.mrr_at_10;
            count += 1;
        }
        let count = f64::from(count.max(1));
        Self {
            recall_at_5: sum.recall_at_5 / count,
            recall_at_10: sum.recall_at_10 / count,
            ndcg_at_10: sum.ndcg_at_10 / count,
            mrr_at_10: sum.mrr_at_10 / count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_taken_from_all_over_the_set() {
        assert_eq!(evenly_spaced(10, 4), [0, 2, 5, 7]);
        assert_eq!(evenly_spaced(3, 10), [0, 1, 2]);
        assert_eq!(evenly_spaced(0, 10), [0; 0]);
    }

    #[test]
    fn judgements_are_read_by_query() {
        let judgements =
            read_judgements("query_id\tdoc_id\trelevance\nq1\ta\t2\nq1\tb\t0\nq2\ta\t1\n").unwrap();
        assert_eq!((judgements["q1"]["a"], judgements["q1"]["b"], judgements["q2"]["a"]), (2, 0, 1));
        assert!(read_judgements("head\nq1\ta\n").is_err());
    }
}
