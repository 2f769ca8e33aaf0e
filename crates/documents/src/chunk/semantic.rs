//! Where the subject changes.
//!
//! At every place between two sentences of a section, the three before it are compared with the three behind it: the cosine
//! of the sums of their vectors. A place where this similarity is a valley is one where the subject changes, and the depth
//! of the valley (its distance from the peaks on both sides) says how surely: the depth score of Hearst, "TextTiling"
//! (Computational Linguistics 23, 1997). As many of the deepest places as the target size calls for become cheaper to
//! break at, all others dearer, and `partition` weighs that against the sizes of chunks and the other marks of structure.

use std::collections::VecDeque;

use super::ChunkOptions;
use super::units::{Outline, Unit};
use super::words::WORD;
use crate::document::ParsedDocument;
use crate::plain::plain;

/// Sentences on each side that are compared.
const WINDOW: usize = 3;

/// Places on each side among which a peak is looked for: keeps the time linear where similarity rises without end.
const REACH: usize = 12;

/// What the deepest valley takes off the price of a break, and what a place without any adds to it. A chunk that is half
/// or one and a half times as large as the target costs 250.
const WORTH: f64 = 500.0;

/// Adds to the price of every place between sentences what their vectors say of it.
pub(super) fn price(
    document: &ParsedDocument,
    outline: &mut Outline,
    options: &ChunkOptions,
    vector: &dyn Fn(&str) -> Vec<f32>,
) {
    let vector = |unit: &Unit| vector(&plain(&document.text[unit.start..unit.end], document.media_type));
    // The first unit of a section has nothing before it that it could be parted from.
    let mut places = Vec::with_capacity(outline.units.len());
    for section in &outline.sections {
        let depths = depths(&similarities(&outline.units[section.units.clone()], vector));
        places.extend((section.units.start + 1..section.units.end).zip(depths));
    }
    let mut ranked: Vec<f32> = places.iter().map(|(_, depth)| *depth).collect();
    ranked.sort_unstable_by(|one, other| other.total_cmp(one));
    let breaks = share_of_breaks(&outline.units, ranked.len(), options);
    for (unit, depth) in places {
        let deeper = ranked.partition_point(|&other| other > depth);
        let as_deep = ranked.partition_point(|&other| other >= depth);
        let rank = (deeper + as_deep) as f64 / 2.0 / ranked.len() as f64;
        outline.units[unit].price += worth(rank, breaks);
    }
}

/// The share of the places at which chunks of the target size would be parted.
fn share_of_breaks(units: &[Unit], places: usize, options: &ChunkOptions) -> f64 {
    let weight: u64 = units.iter().map(|unit| unit.weight).sum();
    let target = u64::from(options.target_words.max(1)) * WORD;
    (weight as f64 / target as f64 / places.max(1) as f64).clamp(0.05, 0.95)
}

/// What is added for a place of this rank among all, from 0 for the deepest valley to 1.
fn worth(rank: f64, breaks: f64) -> i64 {
    let share = if rank < breaks { rank / breaks - 1.0 } else { (rank - breaks) / (1.0 - breaks) };
    (share * WORTH) as i64
}

/// How similar the text before every unit but the first is to the text from it on.
fn similarities(units: &[Unit], vector: impl Fn(&Unit) -> Vec<f32>) -> Vec<f32> {
    let mut similarities = Vec::with_capacity(units.len().saturating_sub(1));
    let mut vectors: VecDeque<Vec<f32>> = VecDeque::with_capacity(2 * WINDOW);
    let mut first = 0;
    for place in 1..units.len() {
        while let Some(unit) =
            units.get(first + vectors.len()).filter(|_| first + vectors.len() < place + WINDOW)
        {
            vectors.push_back(vector(unit));
        }
        while first + WINDOW < place {
            vectors.pop_front();
            first += 1;
        }
        let before = sum(vectors.range(..place - first));
        let behind = sum(vectors.range(place - first..));
        similarities.push(cosine(&before, &behind));
    }
    similarities
}

fn sum<'a>(vectors: impl Iterator<Item = &'a Vec<f32>>) -> Vec<f32> {
    vectors.fold(Vec::new(), |mut sum, vector| {
        sum.resize(sum.len().max(vector.len()), 0.0);
        for (sum, value) in sum.iter_mut().zip(vector) {
            *sum += value;
        }
        sum
    })
}

/// The cosine of two vectors; 0 where one of them has no direction.
fn cosine(one: &[f32], other: &[f32]) -> f32 {
    let product = |one: &[f32], other: &[f32]| one.iter().zip(other).map(|(a, b)| a * b).sum::<f32>();
    let cosine = product(one, other) / (product(one, one) * product(other, other)).sqrt();
    if cosine.is_finite() { cosine } else { 0.0 }
}

/// How deep a valley lies at each place.
fn depths(similarities: &[f32]) -> Vec<f32> {
    let depth = |(place, &here): (usize, &f32)| {
        let left = climb(here, similarities[..place].iter().rev());
        let right = climb(here, similarities[place + 1..].iter());
        left + right - 2.0 * here
    };
    similarities.iter().enumerate().map(depth).collect()
}

/// The peak that is reached from `here` without going down.
fn climb<'a>(here: f32, slope: impl Iterator<Item = &'a f32>) -> f32 {
    let mut peak = here;
    for &next in slope.take(REACH) {
        if next < peak {
            break;
        }
        peak = next;
    }
    peak
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_as_deep_as_the_peaks_beside_it_are_high() {
        let found = depths(&[0.9, 0.5, 0.1, 0.6, 0.4]);
        for (found, expected) in found.iter().zip([0.0, 0.4, 1.3, 0.0, 0.2]) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    #[test]
    fn vectors_without_direction_are_similar_to_nothing() {
        assert_eq!(cosine(&[], &[]), 0.0);
        assert_eq!(cosine(&[0.0, 0.0], &[1.0, 0.0]), 0.0);
        assert_eq!(cosine(&[f32::NAN], &[1.0]), 0.0);
        assert!((cosine(&[2.0, 0.0], &[3.0, 0.0]) - 1.0).abs() < 1e-6);
    }
}
