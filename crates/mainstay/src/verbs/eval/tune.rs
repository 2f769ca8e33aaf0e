//! `mainstay eval tune`: the ranking settings of a corpus that are best for a team's own questions. The documents are
//! ingested and the questions searched once; every setting is then tried on what the channels found, with the code that
//! ranks a search.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use mainstay_domain::port::RetrievalQuery;
use mainstay_domain::{Clock, Deadline, ServiceTier, TenantId};
use mainstay_evals::tuning::{Choice, choose};
use mainstay_evals::{Comparison, DataSet, Estimate, Measure, Question};
use mainstay_rag::fusion::Fusion as LibraryFusion;
use mainstay_rag::{Candidates, Ranking};
use mainstay_text::QuestionKind;
use serde::Serialize;

use super::retrieval::PASSAGES;
use super::sets::data_set;
use super::table::{bar, difference, interval, probability};
use super::trial::{Models, SEARCH_TIME, Setup, Trial};
use super::write;
use crate::config::sections::corpora::Fusion;
use crate::terminal::{self, BadInput};
use crate::{compose, config, printable};

/// Finds the fusion and the dense weight that rank best for the questions of a data set. The gain is estimated on questions
/// that took no part in the choice.
#[derive(Args)]
#[command(after_help = "Example: mainstay eval tune ./golden --corpus handbook --write")]
pub(crate) struct TuneArgs {
    /// A data set with your own questions.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The corpus of mainstay.toml that is tuned; without it, "default" or the first by name.
    #[arg(long, value_name = "NAME")]
    corpus: Option<String>,
    /// What is to be best: recall@5, recall@10, precision@5, precision@10, nDCG@10 or MRR@10.
    #[arg(long, value_name = "MEASURE", default_value = "nDCG@10", value_parser = measure_named)]
    measure: Measure,
    /// In so many parts the questions are cut: the setting for each is chosen by the others.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..=1_000))]
    folds: u32,
    /// At most so many questions of the set, evenly spaced.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(2..))]
    queries: u32,
    /// Tries runs of characters as well, for misspelt questions: grams_weight, which makes an index three to four times as large. A
    /// corpus that has them already is tuned with them.
    #[arg(long)]
    grams: bool,
    /// Writes the setting into mainstay.toml, where its gain is more than chance.
    #[arg(long)]
    write: bool,
    /// With --write: writes it whatever the gain.
    #[arg(long, requires = "write")]
    force: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

fn measure_named(name: &str) -> Result<Measure, String> {
    let found = Measure::ALL.into_iter().find(|measure| measure.name().eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        let names = Measure::ALL.map(Measure::name).join(", ");
        format!("there is no measure {name:?}; there are {names}")
    })
}

/// What is tuned: the keys of `[corpora.<name>]` that rank, in the file's own terms. A further key is a further field here,
/// a further loop in [`grid`] and a further line in [`Setting::entries`].
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(super) struct Setting {
    fusion: Fusion,
    /// In hundredths, so that the file says 0.35 and not what is nearest to it.
    #[serde(serialize_with = "as_share")]
    dense_weight: u8,
    /// Where it is tuned.
    #[serde(serialize_with = "as_share_if_any", skip_serializing_if = "Option::is_none")]
    grams_weight: Option<u8>,
}

fn as_share<S: serde::Serializer>(hundredths: &u8, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(f64::from(*hundredths) / 100.0)
}

fn as_share_if_any<S: serde::Serializer>(hundredths: &Option<u8>, serializer: S) -> Result<S::Ok, S::Error> {
    match hundredths {
        Some(hundredths) => as_share(hundredths, serializer),
        None => serializer.serialize_none(),
    }
}

fn hundredths(share: f32) -> u8 {
    (share * 100.0).round().clamp(0.0, 100.0) as u8
}

impl Setting {
    /// `grams`: whether their weight is tuned.
    fn of(ranking: Ranking, grams: bool) -> Self {
        Self {
            fusion: match ranking.fusion {
                LibraryFusion::Convex => Fusion::Convex,
                LibraryFusion::ReciprocalRank => Fusion::Rrf,
            },
            dense_weight: hundredths(ranking.dense_weight),
            grams_weight: grams.then(|| hundredths(ranking.grams_weight)),
        }
    }

    fn ranking(self) -> Ranking {
        Ranking {
            fusion: match self.fusion {
                Fusion::Convex => LibraryFusion::Convex,
                Fusion::Rrf => LibraryFusion::ReciprocalRank,
            },
            dense_weight: f32::from(self.dense_weight) / 100.0,
            grams_weight: f32::from(self.grams_weight.unwrap_or_default()) / 100.0,
        }
    }

    /// The keys of the corpus with their values.
    pub(super) fn entries(self) -> Vec<(&'static str, toml_edit::Value)> {
        let fusion = match self.fusion {
            Fusion::Convex => "convex",
            Fusion::Rrf => "rrf",
        };
        let share = |hundredths: u8| (f64::from(hundredths) / 100.0).into();
        let mut entries = vec![("fusion", fusion.into()), ("dense_weight", share(self.dense_weight))];
        entries.extend(self.grams_weight.map(|weight| ("grams_weight", share(weight))));
        entries
    }

    fn describe(self) -> String {
        let entries: Vec<String> =
            self.entries().iter().map(|(key, value)| format!("{key} = {value}")).collect();
        entries.join(", ")
    }
}

/// Hundredths between two weights of the grid.
const STEP: usize = 5;

/// Hundredths of the share of the words that runs of characters count in the grid.
const GRAMS: [u8; 4] = [0, 10, 20, 30];

/// Every setting that is tried, those first that change least: of equals the first is chosen, so a setting that makes no
/// difference stays.
fn grid(current: Setting) -> Vec<Setting> {
    let mut settings = vec![current];
    let grams = match current.grams_weight {
        None => vec![None],
        Some(_) => GRAMS.map(Some).to_vec(),
    };
    for fusion in [Fusion::Convex, Fusion::Rrf] {
        for &grams_weight in &grams {
            let weights = (0..=100).step_by(STEP);
            settings.extend(weights.map(|dense_weight| Setting { fusion, dense_weight, grams_weight }));
        }
    }
    settings.sort_by_key(|one| {
        let grams = one.grams_weight.unwrap_or_default();
        (
            one.fusion != current.fusion,
            grams.abs_diff(current.grams_weight.unwrap_or_default()),
            grams,
            one.dense_weight.abs_diff(current.dense_weight),
            one.dense_weight,
        )
    });
    settings.dedup();
    settings
}

/// What was found.
#[derive(Serialize)]
struct Tuning {
    set: String,
    corpus: String,
    embedder: String,
    measure: &'static str,
    questions: usize,
    folds: usize,
    current: Point,
    chosen: Point,
    /// What the chosen settings score on questions that took no part in choosing them.
    out_of_fold: Estimate,
    /// The same over the current setting.
    gain: Comparison,
    chosen_by_fold: Vec<Setting>,
    /// The best setting of each kind of question, where there are several kinds. In the sample: to look at, not to report.
    by_kind: BTreeMap<&'static str, KindPoint>,
    curve: Vec<Point>,
}

/// A setting, and what it scores on all questions.
#[derive(Serialize, Clone, Copy)]
struct Point {
    #[serde(flatten)]
    setting: Setting,
    #[serde(flatten)]
    score: Estimate,
}

#[derive(Serialize)]
struct KindPoint {
    questions: usize,
    #[serde(flatten)]
    best: Point,
    /// What the setting that is chosen for all scores on this kind.
    chosen_scores: f64,
}

pub(crate) fn run(args: TuneArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let file = args.write.then(|| config.unwrap_or(Path::new(config::FILE_NAME)));
    if let Some(file) = file.filter(|file| !file.is_file()) {
        let file = file.display();
        return Err(
            BadInput(format!("--write needs {file}, which does not exist; mainstay init makes one")).into()
        );
    }
    let set = data_set(&args.folder)?;
    let setup = Setup::load(config, args.corpus.as_deref(), None)?;
    let tuning = tune(&set, &setup, &args).with_context(|| format!("{} cannot be tuned with", set.name))?;
    if args.json {
        terminal::say(serde_json::to_string(&tuning)?)?;
    } else {
        print(&tuning)?;
    }
    let Some(file) = file else { return Ok(ExitCode::SUCCESS) };
    if tuning.chosen.setting == tuning.current.setting {
        terminal::complain("The current setting is the best: there is nothing to write.");
        return Ok(ExitCode::SUCCESS);
    }
    let is_gain = tuning.gain.difference.low > 0.0;
    if !is_gain && !args.force {
        terminal::complain(format_args!(
            "Nothing was written: the gain of {} is not told from chance by {} questions. Add questions, or write it \
             anyway with --force.",
            difference(&tuning.gain.difference),
            tuning.questions,
        ));
        return Ok(ExitCode::from(1));
    }
    let note = format!(
        "{} questions, out of sample: {} {} over the setting before",
        tuning.questions,
        tuning.measure,
        difference(&tuning.gain.difference),
    );
    write::setting(file, &tuning.corpus, tuning.chosen.setting, &note)?;
    terminal::complain(format_args!("Written to {}: {}", file.display(), tuning.chosen.setting.describe()));
    Ok(ExitCode::SUCCESS)
}

fn tune(set: &DataSet, setup: &Setup, args: &TuneArgs) -> anyhow::Result<Tuning> {
    let questions = set.sample(args.queries as usize);
    let configured = setup.settings.grams_weight;
    let grams = args.grams || configured > 0.0;
    let mut tried = setup.clone();
    if grams && configured == 0.0 {
        // Any weight: it only says that they are in the index.
        tried.settings.grams_weight = f64::from(GRAMS[1]) / 100.0;
    }
    let (ranking, found) = search(set, &tried, &questions, !args.json)?;
    let current = Ranking { grams_weight: configured as f32, ..ranking };
    let settings = grid(Setting::of(current, grams));
    let scores: Vec<Vec<f64>> = settings
        .iter()
        .map(|setting| {
            let score = |(question, candidates)| score(set, question, candidates, *setting, args.measure);
            questions.iter().copied().zip(&found).map(score).collect()
        })
        .collect();
    let choice = choose(&scores, args.folds as usize)
        .ok_or_else(|| BadInput("one question alone cannot choose and check: add questions".to_owned()))?;
    let points: Vec<Point> = settings
        .iter()
        .zip(&scores)
        .map(|(&setting, scores)| Point { setting, score: Estimate::of(scores) })
        .collect();
    Ok(report(set, setup, args, &questions, &points, &scores, &choice))
}

/// What the channels find for each question, and how the corpus ranks it now.
fn search(
    set: &DataSet,
    setup: &Setup,
    questions: &[&Question],
    visible: bool,
) -> anyhow::Result<(Ranking, Vec<Candidates>)> {
    compose::runtime()?.block_on(async {
        let trial = Trial::start(set, setup, Models::NotNeeded, visible).await?;
        let bar = terminal::count_progress(questions.len() as u64, "questions", visible);
        let clock = Clock::system();
        let library = trial.instance.library();
        let current = library.ranking_of(&trial.corpus);
        let mut found = Vec::with_capacity(questions.len());
        let mut failure = None;
        for question in questions {
            let query = RetrievalQuery {
                tenant: TenantId::single(),
                corpus: trial.corpus.clone(),
                text: question.text.clone(),
                limit: PASSAGES,
                filter: None,
                tier: ServiceTier::Fast,
                deadline: Deadline::after(&clock, SEARCH_TIME),
                payer: None,
            };
            match library.candidates(&query).await {
                Ok(candidates) => found.push(candidates),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        trial.stop().await;
        match failure {
            Some(error) => Err(error.into()),
            None => Ok((current, found)),
        }
    })
}

fn score(set: &DataSet, question: &Question, found: &Candidates, setting: Setting, measure: Measure) -> f64 {
    let ranking: Vec<String> =
        found.documents(setting.ranking()).into_iter().take(10).map(ToString::to_string).collect();
    measure.of(&ranking, &set.judgements[&question.id])
}

fn report(
    set: &DataSet,
    setup: &Setup,
    args: &TuneArgs,
    questions: &[&Question],
    points: &[Point],
    scores: &[Vec<f64>],
    choice: &Choice,
) -> Tuning {
    Tuning {
        set: set.name.clone(),
        corpus: setup.corpus.to_string(),
        embedder: setup.embedder(),
        measure: args.measure.name(),
        questions: questions.len(),
        folds: choice.by_fold.len(),
        current: points[0],
        chosen: points[choice.setting],
        out_of_fold: Estimate::of(&choice.out_of_fold),
        gain: Comparison::of(&scores[0], &choice.out_of_fold),
        chosen_by_fold: choice.by_fold.iter().map(|&index| points[index].setting).collect(),
        by_kind: by_kind(questions, points, scores, choice.setting),
        curve: in_order(points),
    }
}

fn by_kind(
    questions: &[&Question],
    points: &[Point],
    scores: &[Vec<f64>],
    chosen: usize,
) -> BTreeMap<&'static str, KindPoint> {
    let kinds: Vec<QuestionKind> =
        questions.iter().map(|question| QuestionKind::of(&question.text)).collect();
    let mut parts = BTreeMap::new();
    for kind in QuestionKind::ALL {
        let of_kind = |scores: &Vec<f64>| -> Vec<f64> {
            scores.iter().zip(&kinds).filter(|(_, own)| **own == kind).map(|(score, _)| *score).collect()
        };
        let scores: Vec<Vec<f64>> = scores.iter().map(of_kind).collect();
        let count = scores[chosen].len();
        if count == 0 {
            continue;
        }
        let sum = |scores: &Vec<f64>| scores.iter().sum::<f64>();
        let best = (0..scores.len())
            .fold(chosen, |best, one| if sum(&scores[one]) > sum(&scores[best]) + 1e-9 { one } else { best });
        let point = Point { setting: points[best].setting, score: Estimate::of(&scores[best]) };
        let chosen_scores = sum(&scores[chosen]) / count as f64;
        parts.insert(kind.as_str(), KindPoint { questions: count, best: point, chosen_scores });
    }
    if parts.len() < 2 { BTreeMap::new() } else { parts }
}

/// The points as a curve: by fusion, then by weight.
fn in_order(points: &[Point]) -> Vec<Point> {
    let mut curve = points.to_vec();
    curve.sort_by_key(|point| {
        let Setting { fusion, dense_weight, grams_weight } = point.setting;
        (fusion == Fusion::Rrf, grams_weight, dense_weight)
    });
    curve
}

impl Tuning {
    /// A point of the curve as a bar, with what is special about it. The worst point has no bar, the best the longest.
    fn drawn(&self, point: &Point) -> String {
        let means = self.curve.iter().map(|point| point.score.mean);
        let (least, most) = means.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), mean| {
            (least.min(mean), most.max(mean))
        });
        let marks = [(self.chosen.setting, " chosen"), (self.current.setting, " current")];
        let marks = marks.into_iter().filter(|(setting, _)| *setting == point.setting).map(|(_, mark)| mark);
        bar((point.score.mean - least) / (most - least).max(f64::MIN_POSITIVE)) + &marks.collect::<String>()
    }
}

fn print(tuning: &Tuning) -> Result<(), terminal::OutputError> {
    let columns = ["grams_weight", "dense_weight", "fusion = \"convex\"", "", "fusion = \"rrf\"", ""];
    let has_grams = tuning.current.setting.grams_weight.is_some();
    let mut table = terminal::table(&columns[usize::from(!has_grams)..]);
    let mut rows: BTreeMap<(Option<u8>, u8), Vec<&Point>> = BTreeMap::new();
    for point in &tuning.curve {
        rows.entry((point.setting.grams_weight, point.setting.dense_weight)).or_default().push(point);
    }
    for ((grams, dense), points) in rows {
        let weights = grams.into_iter().chain([dense]);
        let mut row: Vec<String> =
            weights.map(|weight| format!("{:.2}", f64::from(weight) / 100.0)).collect();
        for fusion in [Fusion::Convex, Fusion::Rrf] {
            let point = points.iter().find(|point| point.setting.fusion == fusion);
            row.push(point.map_or_else(String::new, |point| interval(&point.score)));
            row.push(point.map_or_else(String::new, |point| tuning.drawn(point)));
        }
        table.add_row(row);
    }
    terminal::say(table)?;
    let (gain, out_of_fold) = (&tuning.gain, &tuning.out_of_fold);
    terminal::say(format_args!(
        "{} of the corpus {} on {}. Current: {}. Chosen: {}.",
        tuning.measure,
        tuning.corpus,
        printable::line(&tuning.set),
        tuning.current.setting.describe(),
        tuning.chosen.setting.describe()
    ))?;
    terminal::say(format_args!(
        "Out of sample ({} folds of {} questions): {} {}, against {:.3} now. Gain: {}, p {}; {} questions better, {} worse. \
         The smallest gain that so many questions show: {:.3}.",
        tuning.folds,
        tuning.questions,
        tuning.measure,
        interval(out_of_fold),
        tuning.current.score.mean,
        difference(&gain.difference),
        probability(gain.p_value),
        gain.wins,
        gain.losses,
        gain.smallest_detectable,
    ))?;
    let agreeing = tuning.chosen_by_fold.iter().filter(|setting| **setting == tuning.chosen.setting).count();
    terminal::say(format_args!("{agreeing} of {} folds choose the same setting.", tuning.folds))?;
    for (kind, point) in &tuning.by_kind {
        terminal::say(format_args!(
            "{kind}: {} questions, best at {} with {:.3} (chosen: {:.3})",
            point.questions,
            point.best.setting.describe(),
            point.best.score.mean,
            point.chosen_scores,
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_has_every_setting_once_and_the_current_one_first() {
        let current = Setting { fusion: Fusion::Convex, dense_weight: 20, grams_weight: None };
        let settings = grid(current);
        assert_eq!((settings[0], settings.len()), (current, 42));
        let between = Setting { fusion: Fusion::Rrf, dense_weight: 33, grams_weight: None };
        assert_eq!(grid(between).len(), 43);
        let with_grams = Setting { grams_weight: Some(25), ..current };
        assert_eq!((grid(with_grams)[0], grid(with_grams).len()), (with_grams, 4 * 42 + 1));
        for setting in settings.into_iter().chain(grid(with_grams)) {
            assert_eq!(Setting::of(setting.ranking(), setting.grams_weight.is_some()), setting);
        }
    }

    #[test]
    fn measures_are_named_in_any_case() {
        assert_eq!(measure_named("ndcg@10"), Ok(Measure::NdcgAt10));
        assert!(measure_named("accuracy").unwrap_err().contains("recall@10"));
    }
}
