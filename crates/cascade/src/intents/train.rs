//! Training on labelled questions, and how far what comes of it can be trusted.

use std::collections::{BTreeMap, HashMap};
use std::thread;

use serde::Serialize;

use super::features::features;
use super::fit::{Sample, fit, log_sum_exp, scores, softmax};
use super::model::IntentModel;

/// A labelled question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Example {
    /// What was asked.
    pub text: String,
    /// What it is.
    pub intent: String,
}

/// What came of a training.
#[derive(Clone, PartialEq, Debug)]
pub struct Trained {
    /// The model, of all examples.
    pub model: IntentModel,
    /// What cross-validation says of it.
    pub report: TrainingReport,
}

/// How a model does on questions that it has not seen: every example is classified by a model of the others.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct TrainingReport {
    /// Examples, each text once.
    pub examples: usize,
    /// Those that were classified as they are labelled.
    pub correct: usize,
    /// Those of the most frequent intent: what a model that always says so has right.
    pub most_frequent: usize,
    /// The mean F1 of the intents.
    pub macro_f1: f64,
    /// The mean distance between confidence and how often it was right, over ten bins.
    pub calibration_error: f64,
    /// Every intent.
    pub intents: Vec<IntentReport>,
    /// What is gained by leaving unsure questions to the safe model.
    pub thresholds: Vec<Threshold>,
    /// Intents that are taken for others, most often first.
    pub confusions: Vec<Confusion>,
    /// Examples whose label a model of the others doubts most: perhaps labelled by mistake.
    pub doubtful: Vec<Doubtful>,
}

/// How an intent does.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct IntentReport {
    /// Its name.
    pub intent: String,
    /// Its examples.
    pub examples: usize,
    /// Of those that were classified as it, the share that is labelled so.
    pub precision: f64,
    /// Of those that are labelled as it, the share that was classified so.
    pub recall: f64,
}

/// What remains if questions below a confidence are left to the safe model.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Threshold {
    /// The confidence.
    pub least_confidence: f64,
    /// The share of questions that are at least as sure.
    pub share: f64,
    /// Of those, the share that was right.
    pub accuracy: f64,
}

/// An intent that was taken for another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Confusion {
    /// What it is labelled.
    pub intent: String,
    /// What it was taken for.
    pub taken_for: String,
    /// How often.
    pub count: usize,
}

/// An example whose label is doubted.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Doubtful {
    /// Which one, from 0, in the order in which they were given.
    pub example: usize,
    /// Its label.
    pub intent: String,
    /// What a model of the others takes it for.
    pub taken_for: String,
    /// How sure that model is.
    pub confidence: f64,
}

/// Why examples train nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TrainError {
    /// There is nothing to tell apart.
    #[error("there are examples of {0} intents: at least two are needed")]
    TooFewIntents(usize),
    /// An intent has too few examples to be tried on.
    #[error("the intent {intent:?} has {examples} examples: at least {needed} are needed")]
    TooFewExamples {
        /// The intent.
        intent: String,
        /// Its examples.
        examples: usize,
        /// What it needs.
        needed: usize,
    },
    /// The same text has two labels.
    #[error("examples {first} and {second} are the same text, labelled {intent:?} and {other:?}: keep one")]
    Contradiction {
        /// The first, from 1.
        first: usize,
        /// The second, from 1.
        second: usize,
        /// The label of the first.
        intent: String,
        /// The label of the second.
        other: String,
    },
    /// An example says nothing.
    #[error("example {0} has no text or no intent")]
    Empty(usize),
}

/// Parts that are left out in turn.
const FOLDS: usize = 5;
/// What a squared weight may cost, in questions: the best of these by cross-validation.
const PRICES: [f64; 3] = [1.0, 0.1, 0.01];
/// Doubtful labels and confusions that are shown.
const SHOWN: usize = 10;

/// Trains on the examples. Each text counts once, in whatever case and spacing it is written.
pub fn train(examples: &[Example]) -> Result<Trained, TrainError> {
    let kept = distinct(examples)?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for &index in &kept {
        *counts.entry(examples[index].intent.trim()).or_default() += 1;
    }
    if counts.len() < 2 {
        return Err(TrainError::TooFewIntents(counts.len()));
    }
    if let Some((intent, &found)) = counts.iter().find(|(_, count)| **count < FOLDS) {
        let intent = (*intent).to_owned();
        return Err(TrainError::TooFewExamples { intent, examples: found, needed: FOLDS });
    }
    let intents: Vec<String> = counts.keys().map(|&intent| intent.to_owned()).collect();
    let number_of: HashMap<&str, usize> =
        intents.iter().enumerate().map(|(number, intent)| (intent.as_str(), number)).collect();
    let labels: Vec<usize> = kept.iter().map(|&index| number_of[examples[index].intent.trim()]).collect();
    let features: Vec<Vec<f32>> = kept.iter().map(|&index| features(&examples[index].text)).collect();
    let sample = Sample { features: &features, labels: &labels, classes: intents.len() };

    let folds = folds(&labels, intents.len());
    let (price, unseen) = best_price(sample, &folds);
    let temperature = best_temperature(&unseen, &labels);
    let all: Vec<usize> = (0..labels.len()).collect();
    let model = IntentModel::new(intents.clone(), &fit(sample, &all, price, None), temperature);
    let report = report(&intents, &labels, &unseen, temperature, &kept);
    Ok(Trained { model, report })
}

/// The examples, each text once.
fn distinct(examples: &[Example]) -> Result<Vec<usize>, TrainError> {
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut kept = Vec::with_capacity(examples.len());
    for (index, example) in examples.iter().enumerate() {
        let text = example.text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        if text.is_empty() || example.intent.trim().is_empty() {
            return Err(TrainError::Empty(index + 1));
        }
        match known.get(&text) {
            None => {
                known.insert(text, index);
                kept.push(index);
            }
            Some(&first) if examples[first].intent.trim() == example.intent.trim() => {}
            Some(&first) => {
                return Err(TrainError::Contradiction {
                    first: first + 1,
                    second: index + 1,
                    intent: examples[first].intent.clone(),
                    other: example.intent.clone(),
                });
            }
        }
    }
    Ok(kept)
}

/// The part that each example belongs to: every intent is spread evenly over all of them.
fn folds(labels: &[usize], classes: usize) -> Vec<usize> {
    let mut seen = vec![0; classes];
    let mut next = |&label: &usize| {
        seen[label] += 1;
        // Another intent begins with another part.
        (seen[label] + label) % FOLDS
    };
    labels.iter().map(&mut next).collect()
}

/// The price whose models are least surprised by what they have not seen, and the scores that they gave it.
fn best_price(sample: Sample<'_>, folds: &[usize]) -> (f64, Vec<Vec<f32>>) {
    let mut unseen: Vec<Vec<Vec<f32>>> = vec![vec![Vec::new(); sample.labels.len()]; PRICES.len()];
    let of_folds: Vec<Vec<(usize, usize, Vec<f32>)>> = thread::scope(|scope| {
        let fitting: Vec<_> =
            (0..FOLDS).map(|fold| scope.spawn(move || scores_of(sample, folds, fold))).collect();
        fitting.into_iter().map(|fold| fold.join().expect("fitting does not panic")).collect()
    });
    for (price, index, scores) in of_folds.into_iter().flatten() {
        unseen[price][index] = scores;
    }
    let surprise = |unseen: &Vec<Vec<f32>>| {
        mean_surprise(unseen, sample.labels, best_temperature(unseen, sample.labels))
    };
    PRICES
        .into_iter()
        .zip(unseen)
        .min_by(|(_, one), (_, other)| surprise(one).total_cmp(&surprise(other)))
        .expect("there are prices")
}

/// The scores that the examples of a part get from a model of the others, at each price.
fn scores_of(sample: Sample<'_>, folds: &[usize], fold: usize) -> Vec<(usize, usize, Vec<f32>)> {
    let (left_out, chosen): (Vec<usize>, Vec<usize>) =
        (0..folds.len()).partition(|&index| folds[index] == fold);
    let mut found = Vec::with_capacity(left_out.len() * PRICES.len());
    let mut weights: Option<Vec<f64>> = None;
    for (number, price) in PRICES.into_iter().enumerate() {
        // The last one's are a good beginning for the next.
        let fitted = fit(sample, &chosen, price, weights.as_deref());
        let rounded: Vec<f32> = fitted.iter().map(|&weight| weight as f32).collect();
        let scored = |&index: &usize| (number, index, scores(&rounded, &sample.features[index]));
        found.extend(left_out.iter().map(scored));
        weights = Some(fitted);
    }
    found
}

/// The mean negative logarithm of what the right class gets. One label in two more than there are is taken to be any of the
/// classes (Platt, "Probabilistic Outputs for Support Vector Machines", 1999): who was right on all of twenty is not certain.
fn mean_surprise(unseen: &[Vec<f32>], labels: &[usize], temperature: f64) -> f64 {
    let doubt = 1.0 / (labels.len() as f64 + 2.0);
    let of = |scores: &Vec<f32>, label: usize| {
        let scaled: Vec<f32> = scores.iter().map(|score| score / temperature as f32).collect();
        let mean = scaled.iter().copied().map(f64::from).sum::<f64>() / scaled.len().max(1) as f64;
        log_sum_exp(&scaled) - (1.0 - doubt) * f64::from(scaled[label]) - doubt * mean
    };
    unseen.iter().zip(labels).map(|(scores, &label)| of(scores, label)).sum::<f64>()
        / labels.len().max(1) as f64
}

/// What scores are divided by so that their shares are how often they are right (Guo et al., "On Calibration of Modern
/// Neural Networks", 2017), by golden section over its logarithm.
fn best_temperature(unseen: &[Vec<f32>], labels: &[usize]) -> f64 {
    const RATIO: f64 = 0.618_033_988_749_895;
    let surprise = |logarithm: f64| mean_surprise(unseen, labels, logarithm.exp());
    let (mut low, mut high) = (0.05_f64.ln(), 20.0_f64.ln());
    while high - low > 0.01 {
        let (left, right) = (high - RATIO * (high - low), low + RATIO * (high - low));
        if surprise(left) < surprise(right) { high = right } else { low = left }
    }
    f64::midpoint(low, high).exp()
}

fn report(
    intents: &[String],
    labels: &[usize],
    unseen: &[Vec<f32>],
    temperature: f64,
    kept: &[usize],
) -> TrainingReport {
    // The class that each was given, and how surely.
    let given: Vec<(usize, f64)> = unseen
        .iter()
        .map(|scores| {
            let mut shares: Vec<f32> = scores.iter().map(|score| score / temperature as f32).collect();
            softmax(&mut shares);
            let best = shares.iter().enumerate().max_by(|one, other| one.1.total_cmp(other.1));
            best.map_or((0, 0.0), |(class, share)| (class, f64::from(*share)))
        })
        .collect();
    let mut table = vec![vec![0usize; intents.len()]; intents.len()];
    for (&label, &(class, _)) in labels.iter().zip(&given) {
        table[label][class] += 1;
    }
    let share = |part: usize, of: usize| if of == 0 { 0.0 } else { part as f64 / of as f64 };
    let reports: Vec<IntentReport> = (0..intents.len())
        .map(|class| {
            let (examples, claimed) =
                (table[class].iter().sum::<usize>(), table.iter().map(|row| row[class]).sum::<usize>());
            let right = table[class][class];
            let (precision, recall) = (share(right, claimed), share(right, examples));
            IntentReport { intent: intents[class].clone(), examples, precision, recall }
        })
        .collect();
    let f1 = |one: &IntentReport| match one.precision + one.recall {
        0.0 => 0.0,
        sum => 2.0 * one.precision * one.recall / sum,
    };
    let mut confusions: Vec<Confusion> = table
        .iter()
        .enumerate()
        .flat_map(|(label, row)| row.iter().enumerate().map(move |(class, &count)| (label, class, count)))
        .filter(|&(label, class, count)| label != class && count > 0)
        .map(|(label, class, count)| Confusion {
            intent: intents[label].clone(),
            taken_for: intents[class].clone(),
            count,
        })
        .collect();
    confusions.sort_by_key(|confusion| std::cmp::Reverse(confusion.count));
    confusions.truncate(SHOWN);
    let is_right = |index: usize| given[index].0 == labels[index];
    let mut doubtful: Vec<usize> = (0..labels.len()).filter(|&index| !is_right(index)).collect();
    doubtful.sort_by(|&one, &other| given[other].1.total_cmp(&given[one].1));
    let thresholds = (0..10).map(|tenth| {
        let least_confidence = f64::from(tenth) / 10.0;
        let sure: Vec<usize> =
            (0..labels.len()).filter(|&index| given[index].1 >= least_confidence).collect();
        let right = sure.iter().filter(|&&index| is_right(index)).count();
        Threshold {
            least_confidence,
            share: share(sure.len(), labels.len()),
            accuracy: share(right, sure.len()),
        }
    });
    TrainingReport {
        examples: labels.len(),
        correct: (0..labels.len()).filter(|&index| is_right(index)).count(),
        most_frequent: reports.iter().map(|one| one.examples).max().unwrap_or_default(),
        macro_f1: reports.iter().map(f1).sum::<f64>() / reports.len().max(1) as f64,
        calibration_error: calibration_error(&given, &is_right),
        thresholds: thresholds.collect(),
        confusions,
        doubtful: doubtful
            .into_iter()
            .take(SHOWN)
            .map(|index| Doubtful {
                example: kept[index],
                intent: intents[labels[index]].clone(),
                taken_for: intents[given[index].0].clone(),
                confidence: given[index].1,
            })
            .collect(),
        intents: reports,
    }
}

/// The expected calibration error over ten bins of one width.
fn calibration_error(given: &[(usize, f64)], is_right: &impl Fn(usize) -> bool) -> f64 {
    let mut bins = [(0usize, 0.0, 0usize); 10];
    for (index, &(_, confidence)) in given.iter().enumerate() {
        let bin = &mut bins[((confidence * 10.0) as usize).min(9)];
        *bin = (bin.0 + 1, bin.1 + confidence, bin.2 + usize::from(is_right(index)));
    }
    let gap = |&(_, confidence, right): &(usize, f64, usize)| (confidence - right as f64).abs();
    bins.iter().map(gap).sum::<f64>() / given.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three intents in a few words each.
    fn examples() -> Vec<Example> {
        let of = |intent: &str, texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
            texts.into_iter().map(|text| Example { text, intent: intent.to_owned() }).collect::<Vec<_>>()
        };
        let days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
        let places = ["Berlin", "Paris", "Rome", "Madrid", "London", "Oslo", "Vienna"];
        let hours: Vec<String> = days.iter().map(|day| format!("When are you open on {day}?")).collect();
        let shipping: Vec<String> =
            places.iter().map(|place| format!("How long does a parcel to {place} take?")).collect();
        let code: Vec<String> =
            days.iter().map(|day| format!("Write a SQL query that counts the orders of {day}")).collect();
        let texts =
            |texts: &[String]| texts.iter().map(String::as_str).map(str::to_owned).collect::<Vec<_>>();
        [("hours", texts(&hours)), ("shipping", texts(&shipping)), ("code", texts(&code))]
            .iter()
            .flat_map(|(intent, texts)| of(intent, &texts.iter().map(String::as_str).collect::<Vec<_>>()))
            .collect()
    }

    #[test]
    fn what_is_asked_in_other_words_is_told_apart() {
        let trained = train(&examples()).unwrap();
        let intent = |question: &str| trained.model.classify(question).intent.to_owned();
        assert_eq!(intent("What are your opening hours at the weekend?"), "hours");
        assert_eq!(intent("How many days until my package arrives in Lisbon?"), "shipping");
        assert_eq!(intent("Write a Python function that sums a column"), "code");
        assert_eq!(trained.report.examples, 21);
        assert!(trained.report.correct >= 20, "{:?}", trained.report);
        let sure = trained.model.classify("When are you open on Monday?").confidence;
        let unsure = trained.model.classify("purple").confidence;
        assert!(sure > 0.8 && sure < 1.0 && unsure < sure, "{sure} {unsure}");
    }

    #[test]
    fn a_model_comes_back_from_its_file_as_it_was() {
        let model = train(&examples()).unwrap().model;
        assert_eq!(IntentModel::from_json(&model.to_json()).unwrap(), model);
    }

    #[test]
    fn a_file_that_is_no_model_says_why() {
        let good = train(&examples()).unwrap().model.to_json();
        for (bad, why) in [
            ("{".to_owned(), "no intent model"),
            (good.replace("mainstay-intents/1", "mainstay-intents/9"), "its format is"),
            (good.replace("shape-v1", "shape-v0"), "this version uses"),
            (good.replacen("[{", "[{\"name\":\"x\",\"weights\":[1]},{", 1), "finite weights"),
            (good.replace("\"temperature\":", "\"temperature\":-"), "temperature"),
        ] {
            let error = IntentModel::from_json(&bad).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn examples_that_teach_nothing_are_refused_with_what_is_missing() {
        let example = |text: &str, intent: &str| Example { text: text.to_owned(), intent: intent.to_owned() };
        assert_eq!(train(&[]).unwrap_err(), TrainError::TooFewIntents(0));
        assert_eq!(train(&examples()[..7]).unwrap_err(), TrainError::TooFewIntents(1));
        let few = TrainError::TooFewExamples { intent: "code".to_owned(), examples: 2, needed: 5 };
        assert_eq!(train(&examples()[..16]).unwrap_err(), few);
        let mut contradicting = examples();
        contradicting.push(example("  when are you OPEN on monday?", "shipping"));
        let error = train(&contradicting).unwrap_err().to_string();
        assert!(error.contains("examples 1 and 22"), "{error}");
        assert_eq!(train(&[example(" ", "a")]).unwrap_err(), TrainError::Empty(1));
    }

    #[test]
    fn a_label_that_is_a_mistake_is_doubted() {
        let mut examples = examples();
        examples[3].intent = "code".to_owned();
        let report = train(&examples).unwrap().report;
        assert_eq!(report.doubtful[0].example, 3);
        assert_eq!(
            (report.doubtful[0].taken_for.as_str(), report.doubtful[0].intent.as_str()),
            ("hours", "code")
        );
    }

    #[test]
    fn a_text_that_is_there_twice_counts_once() {
        let mut twice = examples();
        twice.extend(examples());
        assert_eq!(train(&twice).unwrap().report.examples, 21);
    }
}
