//! Trains the built-in reranker on questions whose answers are known, and says what it is worth on a set that it was not
//! trained on.
//!
//! A document stands where its best passage stands, as in the measures. The loss is that of a softmax over the documents of
//! each question, every set counting the same, with the score of the fusion as it is and an L2 price on what is added to it.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use mainstay_domain::citation::PassageScore;
use mainstay_domain::{ChunkId, Passage};
use mainstay_evals::DataSet;
use mainstay_evals::ranking::{Judgements, ndcg};
use mainstay_rag::rerank::features::{Features, features};
use serde_json::{Value, json};

use crate::Common;
use crate::http::Client;
use crate::product::{Site, binary};
use crate::report::Table;

/// What to train on.
#[derive(Args)]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    common: Common,
    /// The data sets, in the form of `mainstay eval retrieval`.
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// At most so many questions of a set, evenly spaced.
    #[arg(long, default_value_t = 400)]
    queries: usize,
    /// Candidates of each question.
    #[arg(long, default_value_t = 20)]
    candidates: usize,
    /// What a weight of 1 costs.
    #[arg(long, default_value_t = 0.03)]
    price: f64,
}

/// The weights beside that of the fusion, which is 1, and the logarithm of how sharply scores tell documents apart.
type Weights = [f64; Features::COUNT + 1];

/// One question with its candidates.
struct Example {
    candidates: Vec<(String, f64, Features)>,
    judgements: Judgements,
}

/// Steps of the optimiser; the loss has settled long before.
const STEPS: usize = 1_500;

/// Collects, trains and prints.
pub(crate) fn run(args: &TrainArgs) -> anyhow::Result<()> {
    let binary = binary(&args.common)?;
    let mut sets = Vec::new();
    for folder in &args.folders {
        // The product that is started for it works in a folder of its own.
        let set = DataSet::read(&std::path::absolute(folder)?)?;
        eprintln!("{} …", set.name);
        let examples = collect(&Site::new(&binary, None)?, &set, args)?;
        sets.push((set.name, examples));
    }
    let mut table = Table::new(&["set", "nDCG@10 of the fusion", "trained on the others", "trained on all"]);
    let all = train(&sets.iter().map(|(_, examples)| &examples[..]).collect::<Vec<_>>(), args.price);
    for (name, examples) in &sets {
        let others: Vec<&[Example]> =
            sets.iter().filter(|(other, _)| other != name).map(|(_, examples)| &examples[..]).collect();
        let apart = if others.is_empty() { [0.0; Features::COUNT + 1] } else { train(&others, args.price) };
        let figure = |weights: &Weights| format!("{:.4}", quality(examples, weights));
        table.row([name.clone(), figure(&[0.0; Features::COUNT + 1]), figure(&apart), figure(&all)]);
    }
    table.print();
    for (name, weight) in Features::NAMES.iter().zip(all) {
        println!("{name} {weight:.2}");
    }
    Ok(())
}

/// The candidates of every question as the product finds them, without a reranker.
fn collect(site: &Site, set: &DataSet, args: &TrainArgs) -> anyhow::Result<Vec<Example>> {
    let product = site.up(Some(&set.corpus))?;
    let mut client = Client::connect(&product.url, product.key()?)?;
    let mut examples = Vec::new();
    for question in set.sample(args.queries) {
        let asked = json!({ "query": question.text, "limit": args.candidates, "tier": "fast" });
        let answer = client.post("/v1/search", &asked)?;
        let results = answer["results"].as_array().context("a search answers with results")?;
        let passages: Vec<Passage> = results.iter().map(passage).collect();
        let seen = features(&question.text, &passages);
        let candidates = passages
            .iter()
            .zip(seen)
            .map(|(passage, seen)| (passage.document.to_string(), f64::from(passage.score.fused), seen));
        examples.push(Example {
            candidates: candidates.collect(),
            judgements: set.judgements[&question.id].clone(),
        });
    }
    product.stop()?;
    Ok(examples)
}

fn passage(result: &Value) -> Passage {
    let text = |field: &str| result[field].as_str().unwrap_or_default();
    let chunk = ChunkId(result["chunk_id"].as_u64().unwrap_or_default());
    let headings = result["headings"].as_array().into_iter().flatten();
    let fused = result["score"].as_f64().unwrap_or_default() as f32;
    Passage {
        title: result["title"].as_str().map(str::to_owned),
        headings: headings.filter_map(|heading| heading.as_str().map(str::to_owned)).collect(),
        score: PassageScore { fused, ..PassageScore::default() },
        ..Passage::whole(chunk, text("doc_id"), text("text"))
    }
}

fn score(fused: f64, Features(seen): &Features, weights: &Weights) -> f64 {
    fused + seen.iter().zip(weights).map(|(&value, weight)| f64::from(value) * weight).sum::<f64>()
}

/// The mean nDCG@10.
fn quality(examples: &[Example], weights: &Weights) -> f64 {
    let of = |example: &Example| {
        let mut ranked: Vec<(&String, f64)> = example
            .candidates
            .iter()
            .map(|(document, fused, seen)| (document, score(*fused, seen, weights)))
            .collect();
        ranked.sort_by(|one, other| other.1.total_cmp(&one.1));
        let mut documents: Vec<String> = Vec::new();
        for (document, _) in ranked {
            if !documents.contains(document) {
                documents.push(document.clone());
            }
        }
        ndcg(&documents, &example.judgements, 10)
    };
    examples.iter().map(of).sum::<f64>() / examples.len().max(1) as f64
}

/// By Adam (Kingma and Ba, arXiv 1412.6980) over all examples at once.
fn train(sets: &[&[Example]], price: f64) -> Weights {
    let (mut weights, mut mean, mut square): (Weights, Weights, Weights) = Default::default();
    weights[Features::COUNT] = 2.5;
    for step in 1..=STEPS {
        let gradient = gradient(sets, &weights, price);
        for (index, slope) in gradient.into_iter().enumerate() {
            mean[index] = 0.9 * mean[index] + 0.1 * slope;
            square[index] = 0.999 * square[index] + 0.001 * slope * slope;
            let (mean, square) = (
                mean[index] / (1.0 - 0.9f64.powi(step as i32)),
                square[index] / (1.0 - 0.999f64.powi(step as i32)),
            );
            weights[index] -= 0.01 * mean / (square.sqrt() + 1e-9);
        }
    }
    weights
}

fn gradient(sets: &[&[Example]], weights: &Weights, price: f64) -> Weights {
    let mut sum: Weights = Default::default();
    for examples in sets {
        let share = 1.0 / (sets.len() * examples.len()) as f64;
        for example in *examples {
            add_gradient(&mut sum, example, weights, share);
        }
    }
    for index in 0..Features::COUNT {
        sum[index] += 2.0 * price * weights[index];
    }
    sum
}

fn add_gradient(sum: &mut Weights, example: &Example, weights: &Weights, share: f64) {
    // Of each document the best passage.
    let mut best: Vec<(&String, f64, &Features)> = Vec::new();
    for (document, fused, seen) in &example.candidates {
        let score = score(*fused, seen, weights);
        match best.iter_mut().find(|(known, _, _)| *known == document) {
            Some(known) if known.1 < score => *known = (document, score, seen),
            Some(_) => {}
            None => best.push((document, score, seen)),
        }
    }
    let relevance = |document: &String| f64::from(example.judgements.get(document).copied().unwrap_or(0));
    let relevant: f64 = best.iter().map(|(document, _, _)| relevance(document)).sum();
    if relevant == 0.0 {
        return;
    }
    let sharpness = weights[Features::COUNT].exp();
    let highest = best.iter().map(|(_, score, _)| *score).fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = best.iter().map(|(_, score, _)| (sharpness * (score - highest)).exp()).sum();
    for (document, score, Features(seen)) in &best {
        let expected = (sharpness * (score - highest)).exp() / total;
        let slope = share * (expected - relevance(document) / relevant);
        for (sum, &value) in sum.iter_mut().zip(seen) {
            *sum += slope * sharpness * f64::from(value);
        }
        sum[Features::COUNT] += slope * sharpness * score;
    }
}
