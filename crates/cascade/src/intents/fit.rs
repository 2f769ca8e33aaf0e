//! Fitting the weights: multinomial logistic regression with an L2 price, by L-BFGS (Nocedal and Wright, "Numerical
//! Optimization", 2nd ed., algorithm 7.5, with backtracking).

use super::features::COUNT;

/// Labelled questions as numbers.
#[derive(Clone, Copy)]
pub(super) struct Sample<'a> {
    /// The numbers of every question.
    pub(super) features: &'a [Vec<f32>],
    /// The class of each.
    pub(super) labels: &'a [usize],
    /// Classes in all.
    pub(super) classes: usize,
}

/// Steps after which the loss has settled on every set that was tried.
const STEPS: usize = 80;
/// Pairs of steps and slopes that are remembered.
const MEMORY: usize = 8;
/// A slope this small, of a weight, is none.
const FLAT: f64 = 1e-5;

/// The weights, a row of [`COUNT`] for each class, that fit the questions whose numbers are `chosen`. `price`: what a
/// squared weight costs, in questions. `start`: weights to begin with.
pub(super) fn fit(sample: Sample<'_>, chosen: &[usize], price: f64, start: Option<&[f64]>) -> Vec<f64> {
    let size = sample.classes * COUNT;
    let mut weights = start.map_or_else(|| vec![0.0; size], <[f64]>::to_vec);
    let (mut loss, mut slope) = loss_and_slope(sample, chosen, price, &weights);
    let mut history: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
    for _ in 0..STEPS {
        if slope.iter().fold(0.0_f64, |most, value| most.max(value.abs())) < FLAT {
            break;
        }
        let mut direction = downhill(&slope, &history);
        let mut descent = dot(&direction, &slope);
        if descent >= 0.0 {
            // The memory misleads: straight down.
            history.clear();
            direction = slope.iter().map(|value| -value).collect();
            descent = -dot(&slope, &slope);
        }
        let mut length = if history.is_empty() { 1.0 / dot(&slope, &slope).sqrt().max(1.0) } else { 1.0 };
        let (next, next_loss, next_slope) = loop {
            let next: Vec<f64> =
                weights.iter().zip(&direction).map(|(weight, step)| weight + length * step).collect();
            let (next_loss, next_slope) = loss_and_slope(sample, chosen, price, &next);
            if next_loss <= loss + 1e-4 * length * descent {
                break (next, next_loss, next_slope);
            }
            length /= 2.0;
            if length < 1e-10 {
                return weights;
            }
        };
        let moved: Vec<f64> = next.iter().zip(&weights).map(|(new, old)| new - old).collect();
        let turned: Vec<f64> = next_slope.iter().zip(&slope).map(|(new, old)| new - old).collect();
        if dot(&moved, &turned) > 1e-12 {
            if history.len() == MEMORY {
                history.remove(0);
            }
            history.push((moved, turned));
        }
        (weights, loss, slope) = (next, next_loss, next_slope);
    }
    weights
}

/// The direction of a quasi-Newton step: the two loops over what is remembered.
fn downhill(slope: &[f64], history: &[(Vec<f64>, Vec<f64>)]) -> Vec<f64> {
    let mut direction: Vec<f64> = slope.iter().map(|value| -value).collect();
    let mut alphas = Vec::with_capacity(history.len());
    for (moved, turned) in history.iter().rev() {
        let alpha = dot(moved, &direction) / dot(moved, turned);
        add(&mut direction, -alpha, turned);
        alphas.push(alpha);
    }
    if let Some((moved, turned)) = history.last() {
        let scale = dot(moved, turned) / dot(turned, turned);
        direction.iter_mut().for_each(|value| *value *= scale);
    }
    for ((moved, turned), alpha) in history.iter().zip(alphas.into_iter().rev()) {
        let beta = dot(turned, &direction) / dot(moved, turned);
        add(&mut direction, alpha - beta, moved);
    }
    direction
}

/// The mean of the negative logarithm of what the right class gets, with the price of the weights, and its slope.
fn loss_and_slope(sample: Sample<'_>, chosen: &[usize], price: f64, weights: &[f64]) -> (f64, Vec<f64>) {
    let count = chosen.len().max(1) as f64;
    let price = price / count;
    let mut loss = 0.0;
    let mut slope = vec![0.0; weights.len()];
    // In single precision, where the time goes.
    let rounded: Vec<f32> = weights.iter().map(|&weight| weight as f32).collect();
    for &index in chosen {
        let (features, label) = (&sample.features[index], sample.labels[index]);
        let mut shares = scores(&rounded, features);
        loss -= f64::from(shares[label]) - log_sum_exp(&shares);
        softmax(&mut shares);
        for (class, share) in shares.iter().enumerate() {
            let excess = f64::from(*share) - f64::from(u8::from(class == label));
            // What no longer matters costs no time.
            if excess.abs() > 1e-6 {
                let row = &mut slope[class * COUNT..][..COUNT];
                row.iter_mut().zip(features).for_each(|(slope, &value)| *slope += excess * f64::from(value));
            }
        }
    }
    loss /= count;
    slope.iter_mut().for_each(|value| *value /= count);
    for (position, weight) in weights.iter().enumerate() {
        // How frequent a class is costs nothing.
        if position % COUNT != COUNT - 1 {
            loss += price / 2.0 * weight * weight;
            slope[position] += price * weight;
        }
    }
    (loss, slope)
}

/// The score of every class.
pub(super) fn scores(weights: &[f32], features: &[f32]) -> Vec<f32> {
    let of = |row: &[f32]| row.iter().zip(features).map(|(weight, value)| weight * value).sum();
    weights.chunks_exact(COUNT).map(of).collect()
}

/// Scores become shares that add up to 1.
pub(super) fn softmax(scores: &mut [f32]) {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    scores.iter_mut().for_each(|score| *score = (*score - most).exp());
    let sum: f32 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= sum);
}

/// The logarithm of the sum of the exponentials, without overflow.
pub(super) fn log_sum_exp(scores: &[f32]) -> f64 {
    let most = f64::from(scores.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    most + scores.iter().map(|&score| (f64::from(score) - most).exp()).sum::<f64>().ln()
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

fn add(sum: &mut [f64], scale: f64, other: &[f64]) {
    sum.iter_mut().zip(other).for_each(|(sum, value)| *sum += scale * value);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two classes that the first number tells apart, but for one question in ten.
    fn questions() -> (Vec<Vec<f32>>, Vec<usize>) {
        let features = (0..200).map(|n: usize| {
            let mut features = vec![0.0; COUNT];
            let is_odd_one_out = n.is_multiple_of(10);
            features[0] = if (n.is_multiple_of(2)) != is_odd_one_out { 1.0 } else { -1.0 };
            features[COUNT - 1] = 1.0;
            features
        });
        (features.collect(), (0..200).map(|n| n % 2).collect())
    }

    #[test]
    fn the_slope_is_that_of_the_loss() {
        let (features, labels) = questions();
        let sample = Sample { features: &features, labels: &labels, classes: 2 };
        let chosen: Vec<usize> = (0..200).collect();
        let weights: Vec<f64> = (0..2 * COUNT).map(|n| (n as f64).sin() * 0.3).collect();
        let (_, slope) = loss_and_slope(sample, &chosen, 2.0, &weights);
        for position in [0, 7, COUNT - 1, COUNT, COUNT + 3] {
            let at = |by: f64| {
                let mut moved = weights.clone();
                moved[position] += by;
                loss_and_slope(sample, &chosen, 2.0, &moved).0
            };
            let measured = (at(0.01) - at(-0.01)) / 0.02;
            assert!((measured - slope[position]).abs() < 1e-3, "{position}: {measured} {}", slope[position]);
        }
    }

    #[test]
    fn what_tells_the_classes_apart_gets_the_odds_that_it_deserves() {
        let (features, labels) = questions();
        let sample = Sample { features: &features, labels: &labels, classes: 2 };
        let chosen: Vec<usize> = (0..200).collect();
        let weights = fit(sample, &chosen, 1e-6, None);
        let rounded: Vec<f32> = weights.iter().map(|&weight| weight as f32).collect();
        let mut shares = scores(&rounded, &features[2]);
        softmax(&mut shares);
        // Of the questions that look like it, this share is of its class: 80 of 80 even ones and 20 odd ones out.
        let alike = (0..200).filter(|&n| features[n][0] == features[2][0]);
        let (same, all) = alike.fold((0, 0), |(same, all), n| (same + usize::from(labels[n] == 0), all + 1));
        assert!((shares[0] - same as f32 / all as f32).abs() < 0.01, "{shares:?} {same} of {all}");
    }
}
