//! Whether a model reads the middle of its context worse than the edges.

use fastrand::Rng;
use serde::Serialize;

use crate::comparison::Comparison;
use crate::estimate::{Estimate, SEED};

/// How a model does with the passage that answers at each position of its context.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct PositionTest {
    /// The share of the questions that are answered, by position from 0, each with its 95 % interval (Wilson).
    pub by_position: Vec<Estimate>,
    /// How probable rates that differ at least as much would be if the position did not matter: see
    /// [`PositionTest::of`].
    pub p_value: f64,
    /// The rate at the two edges over the rate between them.
    pub edges_over_middle: Comparison,
    /// What follows.
    pub verdict: Verdict,
}

/// What the rates by position show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The edges are read better than the middle.
    UCurve,
    /// The middle is read better than the edges.
    InvertedUCurve,
    /// The position matters, but not as edges against middle.
    Uneven,
    /// No difference is shown.
    NoDifference,
}

/// How often the answers are dealt out anew.
const PERMUTATIONS: usize = 10_000;

impl PositionTest {
    /// Of questions that were each asked with the passage at every position. Rows are questions, columns positions, and
    /// every row has as many columns: at least three, so that there is a middle. `None` where that does not hold.
    ///
    /// The same questions are asked at every position, so the test is Cochran's Q (1950) with its distribution found by
    /// dealing each question's own answers out over the positions anew, 10,000 times. Edges against middle is the
    /// comparison that was planned (Liu et al., "Lost in the Middle", 2023), and it decides whether there is a U-curve.
    pub fn of(answered: &[Vec<bool>]) -> Option<Self> {
        let positions = answered.first()?.len();
        if positions < 3 || answered.iter().any(|row| row.len() != positions) {
            return None;
        }
        let counts = count(answered, positions);
        let middle = positions - 2;
        let share = |row: &[bool], of: usize| row.iter().filter(|&&one| one).count() as f64 / of as f64;
        let edges: Vec<f64> =
            answered.iter().map(|row| (f64::from(row[0]) + f64::from(row[positions - 1])) / 2.0).collect();
        let between: Vec<f64> = answered.iter().map(|row| share(&row[1..positions - 1], middle)).collect();
        let edges_over_middle = Comparison::of(&between, &edges);
        let mut test = Self {
            by_position: counts.iter().map(|&yes| Estimate::of_share(yes, answered.len())).collect(),
            p_value: randomisation(answered, positions),
            edges_over_middle,
            verdict: Verdict::NoDifference,
        };
        test.verdict = test.judge();
        Some(test)
    }

    /// At a level of 5 %. A slope is no U: both edges must be on the same side of the middle.
    fn judge(&self) -> Verdict {
        let rates: Vec<f64> = self.by_position.iter().map(|rate| rate.mean).collect();
        let (&[first, .., last], &[_, ref middle @ .., _]) = (&rates[..], &rates[..]) else {
            return Verdict::NoDifference;
        };
        let middle = middle.iter().sum::<f64>() / middle.len() as f64;
        let edges_differ = self.edges_over_middle.is_clear() && self.edges_over_middle.p_value < 0.05;
        if edges_differ && first > middle && last > middle {
            Verdict::UCurve
        } else if edges_differ && first < middle && last < middle {
            Verdict::InvertedUCurve
        } else if edges_differ || self.p_value < 0.05 {
            Verdict::Uneven
        } else {
            Verdict::NoDifference
        }
    }
}

fn count(answered: &[Vec<bool>], positions: usize) -> Vec<usize> {
    (0..positions).map(|position| answered.iter().filter(|row| row[position]).count()).collect()
}

fn randomisation(answered: &[Vec<bool>], positions: usize) -> f64 {
    // Within a deal only the column sums vary, and Q grows with the sum of their squares.
    let squares = |counts: &[usize]| counts.iter().map(|&count| count * count).sum::<usize>();
    let observed = squares(&count(answered, positions));
    // A question that is always or never answered tells nothing of the position.
    let mut telling: Vec<Vec<bool>> =
        answered.iter().filter(|row| row.iter().any(|one| *one != row[0])).cloned().collect();
    let constant: usize = answered.iter().filter(|row| row.iter().all(|&one| one)).count();
    let mut random = Rng::with_seed(SEED);
    let mut as_large = 1;
    for _ in 0..PERMUTATIONS {
        for row in &mut telling {
            random.shuffle(row);
        }
        let mut counts = count(&telling, positions);
        counts.iter_mut().for_each(|count| *count += constant);
        as_large += usize::from(squares(&counts) >= observed);
    }
    as_large as f64 / (PERMUTATIONS + 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(pattern: [bool; 5], count: usize) -> Vec<Vec<bool>> {
        vec![pattern.to_vec(); count]
    }

    #[test]
    fn a_model_that_loses_the_middle_has_a_u_curve() {
        let mut answered = rows([true, false, false, false, true], 15);
        answered.extend(rows([true; 5], 20));
        let test = PositionTest::of(&answered).unwrap();
        assert_eq!(test.verdict, Verdict::UCurve);
        assert!(test.p_value < 0.001 && test.edges_over_middle.difference.low > 0.0, "{test:?}");
        assert_eq!((test.by_position[0].mean, test.by_position[2].mean), (1.0, 20.0 / 35.0));
    }

    #[test]
    fn a_model_that_reads_all_positions_alike_has_none() {
        let mut answered = rows([true; 5], 20);
        answered.extend(rows([false; 5], 20));
        let test = PositionTest::of(&answered).unwrap();
        assert_eq!((test.verdict, test.p_value), (Verdict::NoDifference, 1.0));
    }

    #[test]
    fn the_other_shapes_are_told_apart() {
        let verdict = |pattern| PositionTest::of(&rows(pattern, 30)).unwrap().verdict;
        assert_eq!(verdict([false, true, true, true, false]), Verdict::InvertedUCurve);
        // Ever worse towards the end: the edges together beat the middle, but one alone does not.
        assert_eq!(verdict([true, true, false, false, false]), Verdict::Uneven);
        assert_eq!(verdict([true, true, true, false, false]), Verdict::Uneven);
    }

    #[test]
    fn without_a_middle_there_is_nothing_to_test() {
        assert_eq!(PositionTest::of(&[vec![true, false]]), None);
        assert_eq!(PositionTest::of(&[vec![true; 3], vec![true; 4]]), None);
        assert_eq!(PositionTest::of(&[]), None);
    }
}
