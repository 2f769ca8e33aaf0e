//! Trains the tagger of names that finds personal data, as an averaged perceptron (M. Collins, 2002), and measures what is found.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use mainstay_pii::tagger::{BUCKETS, Features, KINDS, LABELS, Tagger, label, likeliest, words};
use mainstay_pii::{Finding, Kind};
use serde::Deserialize;

use crate::observe::{Percentiles, now};
use crate::report::Table;

/// What to train on.
#[derive(Args)]
pub(crate) struct TaggerArgs {
    /// Texts with what is personal in them: lines of JSON with `text` and `spans` (`start` and `end` in code points, `type`).
    #[arg(required = true, value_name = "FILE")]
    sentences: Vec<PathBuf>,
    /// Where the weights go.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// How often each text is looked at.
    #[arg(long, default_value_t = 8)]
    rounds: u32,
}

/// What to measure on.
#[derive(Args)]
pub(crate) struct PersonalArgs {
    /// Texts with what is personal in them, as for `train-tagger`.
    #[arg(required = true, value_name = "FILE")]
    texts: Vec<PathBuf>,
    /// Shows what was missed, and what was found that is none.
    #[arg(long)]
    list: bool,
}

/// A text and what is personal in it.
pub(crate) struct Marked {
    text: String,
    spans: Vec<(Range<usize>, String)>,
}

#[derive(Deserialize)]
struct Line {
    text: String,
    spans: Vec<Span>,
}

#[derive(Deserialize)]
struct Span {
    start: usize,
    end: usize,
    r#type: String,
}

fn read(path: &Path) -> anyhow::Result<Vec<Marked>> {
    let file = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut texts = Vec::new();
    for (number, line) in file.lines().enumerate() {
        let line: Line = serde_json::from_str(line)
            .with_context(|| format!("{}, line {}, is no marked text", path.display(), number + 1))?;
        let mut bytes: Vec<usize> = line.text.char_indices().map(|(at, _)| at).collect();
        bytes.push(line.text.len());
        let mut spans = Vec::new();
        for span in line.spans {
            match (bytes.get(span.start), bytes.get(span.end)) {
                (Some(&start), Some(&end)) if start < end => spans.push((start..end, span.r#type)),
                _ => bail!("{}, line {}: a span is not in the text", path.display(), number + 1),
            }
        }
        texts.push(Marked { text: line.text, spans });
    }
    Ok(texts)
}

/// What the marks of a data set are called here. `None`: of a kind that is not looked for.
fn kind_of(mark: &str) -> Option<Kind> {
    Some(match mark {
        "PERSON" => Kind::Person,
        "LOCATION" => Kind::Place,
        "ORGANIZATION" => Kind::Organization,
        "ADDRESS" | "ZIP_CODE" => Kind::Address,
        "EMAIL_ADDRESS" => Kind::Email,
        "PHONE_NUMBER" => Kind::Phone,
        "CREDIT_CARD" => Kind::Card,
        "IBAN_CODE" => Kind::Iban,
        "IP_ADDRESS" => Kind::IpAddress,
        "MAC_ADDRESS" => Kind::MacAddress,
        "US_SSN" | "US_DRIVER_LICENSE" | "US_PASSPORT" => Kind::OfficialId,
        "DATE_OF_BIRTH" => Kind::BirthDate,
        "AGE" => Kind::Age,
        _ => return None,
    })
}

type Scores = [[f32; LABELS]];

/// Weights while they are learned, and the sum of what they were after each text.
struct Learner {
    weights: Vec<f32>,
    transitions: [[f32; LABELS]; LABELS],
    summed: Vec<f32>,
    summed_transitions: [[f32; LABELS]; LABELS],
    /// Texts that were looked at.
    step: f32,
}

impl Learner {
    fn scores(&self, words: &[Vec<u32>]) -> Vec<[f32; LABELS]> {
        let sum = |features: &Vec<u32>| {
            let mut scores = [0.0; LABELS];
            for &feature in features {
                let start = feature as usize * LABELS;
                for (score, weight) in scores.iter_mut().zip(&self.weights[start..start + LABELS]) {
                    *score += weight;
                }
            }
            scores
        };
        words.iter().map(sum).collect()
    }

    /// Moves towards the right labels and away from the wrong ones.
    fn learn(&mut self, words: &[Vec<u32>], right: &[u8]) {
        self.step += 1.0;
        let mut scores = self.scores(words);
        // What is right must win by a margin.
        for (scores, right) in scores.iter_mut().zip(right) {
            scores[usize::from(*right)] -= 1.0;
        }
        let wrong = likeliest::<f32>(&scores as &Scores, &self.transitions);
        let (mut before_right, mut before_wrong) = (0, 0);
        for ((features, &right), &wrong) in words.iter().zip(right).zip(&wrong) {
            let (right, wrong) = (usize::from(right), usize::from(wrong));
            for &feature in features.iter().filter(|_| right != wrong) {
                self.move_weight(feature as usize * LABELS + right, 1.0);
                self.move_weight(feature as usize * LABELS + wrong, -1.0);
            }
            if (before_right, right) != (before_wrong, wrong) {
                self.move_transition(before_right, right, 1.0);
                self.move_transition(before_wrong, wrong, -1.0);
            }
            (before_right, before_wrong) = (right, wrong);
        }
    }

    fn move_weight(&mut self, at: usize, by: f32) {
        self.weights[at] += by;
        self.summed[at] += by * self.step;
    }

    fn move_transition(&mut self, from: usize, to: usize, by: f32) {
        self.transitions[from][to] += by;
        self.summed_transitions[from][to] += by * self.step;
    }

    /// The mean over all texts, in 8 bits: the largest thousandth of the weights is cut.
    fn finish(self) -> Tagger {
        let mean = |now: f32, summed: f32| now - summed / self.step;
        let weights: Vec<f32> =
            self.weights.iter().zip(&self.summed).map(|(now, summed)| mean(*now, *summed)).collect();
        let mut sizes: Vec<f32> =
            weights.iter().map(|weight| weight.abs()).filter(|size| *size > 0.0).collect();
        sizes.sort_unstable_by(f32::total_cmp);
        let largest = sizes.get(sizes.len().saturating_sub(1 + sizes.len() / 1_000)).copied().unwrap_or(1.0);
        let scaled = |weight: f32| (weight * 127.0 / largest).round();
        let mut transitions = [[0; LABELS]; LABELS];
        for (from, row) in transitions.iter_mut().enumerate() {
            for (to, number) in row.iter_mut().enumerate() {
                *number = scaled(mean(self.transitions[from][to], self.summed_transitions[from][to])) as i16;
            }
        }
        Tagger { weights: weights.into_iter().map(|weight| scaled(weight) as i8).collect(), transitions }
    }
}

fn labels_of(words: &[Range<usize>], marked: &Marked) -> Vec<u8> {
    let mut last = None;
    let label_of = |word: &Range<usize>| {
        let found = marked.spans.iter().enumerate().find_map(|(at, (span, mark))| {
            let kind = KINDS.iter().position(|kind| kind_of(mark) == Some(*kind))?;
            (span.start < word.end && word.start < span.end).then_some((at, kind))
        });
        let begins = found.map(|(at, _)| at) != last;
        last = found.map(|(at, _)| at);
        found.map_or(0, |(_, kind)| label(kind, begins))
    };
    words.iter().map(label_of).collect()
}

/// Trains and writes.
pub(crate) fn train(args: &TaggerArgs) -> anyhow::Result<()> {
    let mut examples = Vec::new();
    for path in &args.sentences {
        for marked in read(path)? {
            let words = words(&marked.text);
            let labels = labels_of(&words, &marked);
            let mut features = Vec::with_capacity(words.len());
            Features::of(&marked.text, &words).each(|of_word| features.push(of_word.to_vec()));
            examples.push((features, labels));
        }
    }
    let mut learner = Learner {
        weights: vec![0.0; BUCKETS * LABELS],
        transitions: [[0.0; LABELS]; LABELS],
        summed: vec![0.0; BUCKETS * LABELS],
        summed_transitions: [[0.0; LABELS]; LABELS],
        step: 0.0,
    };
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..args.rounds {
        random.shuffle(&mut examples);
        for (features, labels) in &examples {
            learner.learn(features, labels);
        }
    }
    std::fs::write(&args.out, learner.finish().to_bytes())
        .with_context(|| format!("cannot write {}", args.out.display()))?;
    println!("{} texts, written to {}", examples.len(), args.out.display());
    Ok(())
}

#[derive(Clone, Copy, Default)]
struct Tally {
    marked: usize,
    missed: usize,
    exact: usize,
    found: usize,
    wrong: usize,
}

/// Measures and prints: of what is marked, how much is found in part and exactly; and of what is found, how much is marked.
pub(crate) fn measure(args: &PersonalArgs) -> anyhow::Result<()> {
    let mut tallies = std::collections::BTreeMap::<Kind, Tally>::new();
    let (mut clean, mut flagged) = (0, 0);
    let mut whole = String::new();
    let overlap = |one: &Range<usize>, other: &Range<usize>| one.start < other.end && other.start < one.end;
    for path in &args.texts {
        for marked in read(path)? {
            let found = mainstay_pii::find(&marked.text);
            clean += usize::from(marked.spans.is_empty());
            flagged += usize::from(
                marked.spans.is_empty() && found.iter().any(|found| found.kind != Kind::Organization),
            );
            for (span, mark) in &marked.spans {
                let Some(kind) = kind_of(mark) else { continue };
                let tally = tallies.entry(kind).or_default();
                tally.marked += 1;
                tally.exact +=
                    usize::from(found.iter().any(|found| found.kind == kind && found.range == *span));
                // A name that is taken for a name of another kind is hidden all the same.
                if !found.iter().any(|found| hides(found, kind) && overlap(&found.range, span)) {
                    tally.missed += 1;
                    if args.list {
                        println!("missed {mark}: ⟦{}⟧ in {:?}", &marked.text[span.clone()], marked.text);
                    }
                }
            }
            for finding in &found {
                let tally = tallies.entry(finding.kind).or_default();
                tally.found += 1;
                if !marked.spans.iter().any(|(span, _)| overlap(&finding.range, span)) {
                    tally.wrong += 1;
                    if args.list {
                        println!(
                            "none, {:?}: ⟦{}⟧ in {:?}",
                            finding.kind,
                            &marked.text[finding.range.clone()],
                            marked.text
                        );
                    }
                }
            }
            whole.push_str(&marked.text);
            whole.push('\n');
        }
    }
    let mut table = Table::new(&["kind", "marked", "recall", "exact", "found", "precision"]);
    let share = |part: usize, of: usize| {
        if of == 0 { "–".to_owned() } else { format!("{:.3}", part as f64 / of as f64) }
    };
    for (kind, tally) in &tallies {
        table.row([
            kind.name().to_owned(),
            tally.marked.to_string(),
            share(tally.marked - tally.missed, tally.marked),
            share(tally.exact, tally.marked),
            tally.found.to_string(),
            share(tally.found - tally.wrong, tally.found),
        ]);
    }
    table.print();
    println!("{flagged} of {clean} texts without anything personal have a finding");
    let mut nanos = Vec::new();
    let mut rest = whole.as_str();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(rest.len().min(1_000)));
        let start = now();
        std::hint::black_box(mainstay_pii::find(piece));
        nanos.push(start.elapsed().as_nanos() as i64);
        rest = after;
    }
    let Percentiles { p50, p99, .. } = Percentiles::of(nanos);
    println!("a kilobyte takes {p50:.3} ms, p99 {p99:.3} ms");
    Ok(())
}

/// Whether what was found keeps something of a kind from being read.
fn hides(found: &Finding, kind: Kind) -> bool {
    found.kind != Kind::Organization || kind == Kind::Organization
}
