//! Robust least squares: Levenberg and Marquardt's method with the Jacobian by differences.
//!
//! The loss of an error `r` is `2·s²·(√(1 + (r/s)²) − 1)` (the smooth form of absolute loss), so that saturated or
//! otherwise wild measurements do not bend the fit. A quadratic penalty keeps factors that the data say nothing about
//! where they started, and the factors of the engines near each other.

/// What is fitted.
pub(crate) struct Problem<'a> {
    /// Errors of all rows for given factors.
    pub(crate) errors: &'a dyn Fn(&[f64]) -> Vec<f64>,
    /// Weight of each row.
    pub(crate) weights: &'a [f64],
    /// Error from which the loss grows linearly.
    pub(crate) scale: f64,
    /// Penalty on leaving the start.
    pub(crate) pull: f64,
    /// Penalty on differing inside a group, and the first places of the groups (of three each).
    pub(crate) groups: (f64, &'a [usize]),
}

impl Problem<'_> {
    /// Fits from `start`, at most `rounds` steps.
    pub(crate) fn fit(&self, start: &[f64], rounds: usize) -> Vec<f64> {
        let mut factors = start.to_vec();
        let mut errors = (self.errors)(&factors);
        let mut loss = self.loss(&errors, &factors, start);
        let mut damping = 1e-2;
        for _ in 0..rounds {
            let (matrix, gradient) = self.normal_equations(&factors, &errors, start);
            let mut improved = false;
            for _ in 0..8 {
                let mut damped = matrix.clone();
                for (place, row) in damped.iter_mut().enumerate() {
                    row[place] *= 1.0 + damping;
                }
                let Some(step) = solve(damped, gradient.clone()) else { break };
                let trial: Vec<f64> = factors
                    .iter()
                    .zip(&step)
                    .map(|(factor, by)| (factor - by.clamp(-1.0, 1.0)).clamp(-16.0, 12.0))
                    .collect();
                let trial_errors = (self.errors)(&trial);
                let trial_loss = self.loss(&trial_errors, &trial, start);
                if trial_loss < loss {
                    improved = loss - trial_loss > 1e-6 * loss;
                    (factors, errors, loss) = (trial, trial_errors, trial_loss);
                    damping = (damping / 5.0).max(1e-7);
                    break;
                }
                damping *= 5.0;
            }
            if !improved {
                break;
            }
        }
        factors
    }

    fn loss(&self, errors: &[f64], factors: &[f64], start: &[f64]) -> f64 {
        let square = self.scale * self.scale;
        let data: f64 = errors
            .iter()
            .zip(self.weights)
            .map(|(error, weight)| weight * 2.0 * square * ((1.0 + error * error / square).sqrt() - 1.0))
            .sum();
        let pulled: f64 = factors.iter().zip(start).map(|(factor, start)| (factor - start).powi(2)).sum();
        let spread: f64 = self
            .groups
            .1
            .iter()
            .map(|first| {
                let group = &factors[*first..*first + 3];
                let mean = group.iter().sum::<f64>() / 3.0;
                group.iter().map(|factor| (factor - mean).powi(2)).sum::<f64>()
            })
            .sum();
        data + self.total_weight() * (self.pull * pulled + self.groups.0 * spread)
    }

    fn total_weight(&self) -> f64 {
        self.weights.iter().sum()
    }

    fn normal_equations(&self, factors: &[f64], errors: &[f64], start: &[f64]) -> (Vec<Vec<f64>>, Vec<f64>) {
        let size = factors.len();
        let columns: Vec<Vec<f64>> = (0..size)
            .map(|place| {
                let mut moved = factors.to_vec();
                moved[place] += 1e-5;
                (self.errors)(&moved).iter().zip(errors).map(|(there, here)| (there - here) / 1e-5).collect()
            })
            .collect();
        let row_weights: Vec<f64> = errors
            .iter()
            .zip(self.weights)
            .map(|(error, weight)| weight / (1.0 + (error / self.scale).powi(2)).sqrt())
            .collect();
        let total = self.total_weight();
        let mut matrix = vec![vec![0.0; size]; size];
        let mut gradient = vec![0.0; size];
        for i in 0..size {
            let weighted: Vec<f64> =
                columns[i].iter().zip(&row_weights).map(|(slope, weight)| slope * weight).collect();
            for j in 0..=i {
                let product: f64 = weighted.iter().zip(&columns[j]).map(|(left, right)| left * right).sum();
                matrix[i][j] = product;
                matrix[j][i] = product;
            }
            gradient[i] = weighted.iter().zip(errors).map(|(slope, error)| slope * error).sum();
        }
        for i in 0..size {
            matrix[i][i] += total * self.pull + 1e-9;
            gradient[i] += total * self.pull * (factors[i] - start[i]);
        }
        for first in self.groups.1 {
            let mean = factors[*first..*first + 3].iter().sum::<f64>() / 3.0;
            for i in *first..*first + 3 {
                gradient[i] += total * self.groups.0 * (factors[i] - mean);
                for (j, entry) in matrix[i].iter_mut().enumerate().skip(*first).take(3) {
                    let same = if i == j { 1.0 } else { 0.0 };
                    *entry += total * self.groups.0 * (same - 1.0 / 3.0);
                }
            }
        }
        (matrix, gradient)
    }
}

/// Solves `matrix · x = right` by elimination with row pivots; none for a singular matrix.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let size = right.len();
    for column in 0..size {
        let pivot =
            (column..size).max_by(|a, b| matrix[*a][column].abs().total_cmp(&matrix[*b][column].abs()))?;
        if matrix[pivot][column].abs() < 1e-300 || !matrix[pivot][column].is_finite() {
            return None;
        }
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        let (above, below) = matrix.split_at_mut(column + 1);
        let pivot_row = &above[column];
        for (offset, row) in below.iter_mut().enumerate() {
            let ratio = row[column] / pivot_row[column];
            for (value, by) in row[column..].iter_mut().zip(&pivot_row[column..]) {
                *value -= ratio * by;
            }
            right[column + 1 + offset] -= ratio * right[column];
        }
    }
    for column in (0..size).rev() {
        let known: f64 = (column + 1..size).map(|place| matrix[column][place] * right[place]).sum();
        right[column] = (right[column] - known) / matrix[column][column];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_one_wild_point_is_recovered() {
        let points: Vec<(f64, f64)> =
            (0..40).map(|i| f64::from(i) / 10.0).map(|x| (x, 2.0 * x - 1.0)).chain([(2.0, 500.0)]).collect();
        let errors = |factors: &[f64]| points.iter().map(|(x, y)| factors[0] * x + factors[1] - y).collect();
        let weights = vec![1.0; points.len()];
        let problem =
            Problem { errors: &errors, weights: &weights, scale: 0.1, pull: 0.0, groups: (0.0, &[]) };
        let fitted = problem.fit(&[0.0, 0.0], 100);
        assert!((fitted[0] - 2.0).abs() < 0.02 && (fitted[1] + 1.0).abs() < 0.02, "{fitted:?}");
    }

    #[test]
    fn a_factor_without_data_stays_with_its_group() {
        let errors = |factors: &[f64]| vec![factors[0] - 3.0; 50];
        let weights = vec![1.0; 50];
        let problem =
            Problem { errors: &errors, weights: &weights, scale: 0.1, pull: 1e-6, groups: (1e-3, &[0]) };
        let fitted = problem.fit(&[0.0, 0.0, 0.0], 100);
        assert!((fitted[0] - 3.0).abs() < 0.1 && fitted[1] > 2.0, "{fitted:?}");
    }
}
