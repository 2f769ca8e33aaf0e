//! Where the middle of a corpus is, for each of its languages, and how far from it chunks are.
//!
//! Measured with the built-in embedder, whatever the corpus is embedded with: it costs nothing and gives the same on every
//! machine. The distance of a chunk is one minus the cosine to the mean of its language; what is usual is said by the
//! median of the distances and the median of the deviations from it, which a few strange chunks do not move.

use std::collections::BTreeMap;

use mainstay_embed::StaticEmbedder;
use serde::{Deserialize, Serialize};

/// Fewer chunks of a language say nothing about what is usual.
pub(crate) const FEWEST_CHUNKS: usize = 100;

/// The middles of a corpus by language; the empty one stands for documents whose language is not known.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Middles {
    /// What it was measured with.
    embedder: String,
    /// Chunks that the corpus had.
    pub(crate) chunks: u64,
    by_language: BTreeMap<String, Middle>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Middle {
    mean: Vec<f32>,
    median: f32,
    /// The median of the deviations from the median.
    deviation: f32,
}

impl Middles {
    /// How many times the usual deviation a text is farther away than half of the chunks of its language. `None` where
    /// too few were measured to say.
    pub(crate) fn excess(&self, language: Option<&str>, text: &str) -> Option<f32> {
        let middle = self.by_language.get(language.unwrap_or_default())?;
        self.excess_of(language, distance(&middle.mean, text))
    }

    /// The same where its distance is known.
    pub(crate) fn excess_of(&self, language: Option<&str>, distance: f32) -> Option<f32> {
        let middle = self.by_language.get(language.unwrap_or_default())?;
        Some((distance - middle.median) / middle.deviation)
    }

    /// Whether it was measured with the embedder that there is now.
    pub(crate) fn is_current(&self) -> bool {
        self.embedder == StaticEmbedder::MODEL
    }
}

/// The first look at a corpus: the means.
#[derive(Default)]
pub(crate) struct Means {
    chunks: u64,
    sums: BTreeMap<String, (Vec<f32>, usize)>,
}

impl Means {
    /// Adds a chunk.
    pub(crate) fn add(&mut self, language: Option<&str>, text: &str) {
        self.add_vector(language, &StaticEmbedder::builtin().embed_text(text));
    }

    /// The same where its vector is there already.
    pub(crate) fn add_vector(&mut self, language: Option<&str>, vector: &[f32]) {
        let language = language.unwrap_or_default();
        if !self.sums.contains_key(language) {
            self.sums.insert(language.to_owned(), (vec![0.0; StaticEmbedder::DIMENSION], 0));
        }
        let Some((sum, count)) = self.sums.get_mut(language) else { return };
        self.chunks += 1;
        *count += 1;
        for (total, value) in sum.iter_mut().zip(vector) {
            *total += value;
        }
    }

    /// Goes on with the distances.
    pub(crate) fn distances(self) -> Distances {
        let enough = self.sums.into_iter().filter(|(_, (_, count))| *count >= FEWEST_CHUNKS);
        let means = enough.map(|(language, (sum, _))| (language, (normalised(sum), Vec::new())));
        Distances { chunks: self.chunks, measured: means.collect() }
    }
}

/// The second look at the same chunks: their distances from the means.
pub(crate) struct Distances {
    chunks: u64,
    measured: BTreeMap<String, (Vec<f32>, Vec<f32>)>,
}

impl Distances {
    /// Adds a chunk. Answers its distance, where its language has a mean.
    pub(crate) fn add(&mut self, language: Option<&str>, text: &str) -> Option<f32> {
        let (mean, distances) = self.measured.get_mut(language.unwrap_or_default())?;
        let distance = distance(mean, text);
        distances.push(distance);
        Some(distance)
    }

    /// Whether any language has enough chunks.
    pub(crate) fn has_means(&self) -> bool {
        !self.measured.is_empty()
    }

    /// What is usual.
    pub(crate) fn middles(self) -> Middles {
        let by_language = self.measured.into_iter().filter_map(|(language, (mean, mut distances))| {
            let median = median(&mut distances)?;
            let mut deviations: Vec<f32> =
                distances.iter().map(|distance| (distance - median).abs()).collect();
            // Where half of the chunks are the same, any other would be infinitely far.
            let deviation = self::median(&mut deviations)?.max(SMALLEST_DEVIATION);
            Some((language, Middle { mean, median, deviation }))
        });
        Middles {
            embedder: StaticEmbedder::MODEL.to_owned(),
            chunks: self.chunks,
            by_language: by_language.collect(),
        }
    }
}

/// A deviation below this is that of chunks which nearly say the same.
const SMALLEST_DEVIATION: f32 = 0.02;

fn distance(mean: &[f32], text: &str) -> f32 {
    let vector = StaticEmbedder::builtin().embed_text(text);
    1.0 - mean.iter().zip(&vector).map(|(a, b)| a * b).sum::<f32>()
}

fn normalised(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value /= length);
    }
    vector
}

fn median(values: &mut [f32]) -> Option<f32> {
    let middle = values.len().checked_sub(1)? / 2;
    Some(*values.select_nth_unstable_by(middle, f32::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(texts: &[String]) -> Middles {
        let mut means = Means::default();
        texts.iter().for_each(|text| means.add(Some("en"), text));
        let mut distances = means.distances();
        for text in texts {
            assert!(distances.add(Some("en"), text).is_some() || texts.len() < FEWEST_CHUNKS);
        }
        distances.middles()
    }

    fn ferries(count: usize) -> Vec<String> {
        let (places, verbs) = (["harbour", "pier", "island", "strait"], ["leaves", "reaches", "passes"]);
        (0..count)
            .map(|n| {
                format!("Ferry number {n} {} the {} at {} o'clock.", verbs[n % 3], places[n % 4], n % 12 + 1)
            })
            .collect()
    }

    #[test]
    fn a_text_about_something_else_is_far_and_the_others_are_not() {
        let texts = ferries(200);
        let middles = measured(&texts);
        let strange = "Add the flour to the melted butter and stir until the sauce is smooth.";
        let far = middles.excess(Some("en"), strange).unwrap();
        let others = texts.iter().filter_map(|text| middles.excess(Some("en"), text)).fold(0.0, f32::max);
        assert!(far > 2.0 * others, "{far} and {others}");
    }

    #[test]
    fn too_few_chunks_and_other_languages_are_not_measured() {
        assert_eq!(measured(&ferries(FEWEST_CHUNKS - 1)).excess(Some("en"), "Butter."), None);
        let middles = measured(&ferries(FEWEST_CHUNKS));
        assert!(middles.excess(Some("en"), "Butter.").is_some());
        assert_eq!(middles.excess(Some("de"), "Butter."), None);
        assert_eq!(middles.excess(None, "Butter."), None);
    }

    #[test]
    fn chunks_that_are_all_the_same_make_no_other_infinitely_far() {
        let middles = measured(&vec!["The ferry leaves at nine.".to_owned(); 150]);
        let excess = middles.excess(Some("en"), "The ferry leaves at ten.").unwrap();
        assert!(excess.is_finite() && excess < 6.0, "{excess}");
    }
}
