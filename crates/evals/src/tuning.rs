//! Choosing among settings by questions, and saying honestly what the choice is worth.

use fastrand::Rng;

use crate::estimate::SEED;

/// What was chosen.
#[derive(Clone, PartialEq, Debug)]
pub struct Choice {
    /// The setting that is best over all questions.
    pub setting: usize,
    /// Of each question what the setting scores that is best over the *other* folds' questions. Its mean is what the
    /// choosing is worth; the score of [`setting`](Self::setting) itself is flattered, because it was chosen for it.
    pub out_of_fold: Vec<f64>,
    /// The setting that each fold's questions were scored with. Where they disagree, the choice is a matter of chance.
    pub by_fold: Vec<usize>,
}

/// Chooses by `folds`-fold cross-validation (Stone, 1974): the questions are dealt out at random into folds of equal
/// size, the same every time. `scores` has one row a setting and one column a question; of settings that score alike the
/// first is taken. `None` where there is no setting or there are fewer than two questions; more folds than questions are
/// as many as questions.
pub fn choose(scores: &[Vec<f64>], folds: usize) -> Option<Choice> {
    let count = scores.first()?.len();
    if count < 2 {
        return None;
    }
    let folds = folds.clamp(2, count);
    let mut order: Vec<usize> = (0..count).collect();
    Rng::with_seed(SEED).shuffle(&mut order);
    let mut fold_of = vec![0; count];
    for (position, question) in order.into_iter().enumerate() {
        fold_of[question] = position % folds;
    }
    let by_fold: Vec<usize> =
        (0..folds).map(|fold| best(scores, |question| fold_of[question] != fold)).collect();
    let out_of_fold = fold_of.iter().enumerate().map(|(question, &fold)| scores[by_fold[fold]][question]);
    Some(Choice { setting: best(scores, |_| true), out_of_fold: out_of_fold.collect(), by_fold })
}

/// The setting with the highest sum over those questions.
fn best(scores: &[Vec<f64>], counts: impl Fn(usize) -> bool) -> usize {
    let sum = |setting: &Vec<f64>| -> f64 {
        setting.iter().enumerate().filter(|&(question, _)| counts(question)).map(|(_, score)| score).sum()
    };
    let mut best = (0, f64::NEG_INFINITY);
    for (index, setting) in scores.iter().enumerate() {
        let sum = sum(setting);
        // Sums that are equal but for rounding are equal.
        if sum > best.1 + 1e-9 {
            best = (index, sum);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_is_better_for_all_is_chosen_by_every_fold() {
        let scores = [vec![0.2; 20], vec![0.9; 20], vec![0.5; 20]];
        let choice = choose(&scores, 5).unwrap();
        assert_eq!((choice.setting, choice.by_fold), (1, vec![1; 5]));
        assert_eq!(choice.out_of_fold, [0.9; 20]);
    }

    #[test]
    fn luck_does_not_survive_out_of_its_fold() {
        // Each setting is right about one question alone: within the sample the best scores a tenth, out of it nothing,
        // because the setting that is right about a question is only chosen where the question takes part.
        let scores: Vec<Vec<f64>> =
            (0..10).map(|right| (0..10).map(|question| f64::from(question == right)).collect()).collect();
        let choice = choose(&scores, 10).unwrap();
        assert_eq!(choice.out_of_fold.iter().sum::<f64>(), 0.0);
    }

    #[test]
    fn of_equals_the_first_is_chosen_and_too_little_is_refused() {
        assert_eq!(choose(&[vec![0.5; 4], vec![0.5; 4]], 2).unwrap().setting, 0);
        assert_eq!(choose(&[vec![0.5; 3]], 100).unwrap().by_fold.len(), 3);
        assert_eq!(choose(&[], 5), None);
        assert_eq!(choose(&[vec![1.0]], 5), None);
    }
}
