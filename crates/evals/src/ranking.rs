//! How good a ranking is, against judgements. Definitions as in trec_eval, with linear gain.

use std::collections::HashMap;

/// Judged documents of one query: the higher the relevance, the better; 0 is irrelevant.
pub type Judgements = HashMap<String, u32>;

/// The share of the relevant documents among the first `k` of the ranking. It stays below 1 where more than `k` documents
/// are relevant.
pub fn recall(ranking: &[String], judgements: &Judgements, k: usize) -> f64 {
    let relevant = judgements.values().filter(|&&relevance| relevance > 0).count();
    let found = ranking.iter().take(k).filter(|document| relevance(judgements, document) > 0).count();
    if relevant == 0 { 0.0 } else { found as f64 / relevant as f64 }
}

/// The share of the first `k` of the ranking that is relevant. A ranking of fewer than `k` is not better for being short:
/// what is missing counts as irrelevant.
pub fn precision(ranking: &[String], judgements: &Judgements, k: usize) -> f64 {
    let found = ranking.iter().take(k).filter(|document| relevance(judgements, document) > 0).count();
    if k == 0 { 0.0 } else { found as f64 / k as f64 }
}

/// The rank of the first relevant document, from 1; `None` where the ranking has none.
pub fn first_relevant(ranking: &[String], judgements: &Judgements) -> Option<usize> {
    ranking.iter().position(|document| relevance(judgements, document) > 0).map(|index| index + 1)
}

/// Normalised discounted cumulative gain of the first `k`: the gain of a document is its relevance, discounted by log₂ of
/// its rank plus one, over that of the best possible ranking (Järvelin and Kekäläinen, 2002).
pub fn ndcg(ranking: &[String], judgements: &Judgements, k: usize) -> f64 {
    let discounted = |relevances: &mut dyn Iterator<Item = u32>| -> f64 {
        relevances
            .take(k)
            .enumerate()
            .map(|(index, gain)| f64::from(gain) / (index as f64 + 2.0).log2())
            .sum()
    };
    let mut best: Vec<u32> = judgements.values().copied().collect();
    best.sort_unstable_by(|one, other| other.cmp(one));
    let ideal = discounted(&mut best.into_iter());
    let gained = discounted(&mut ranking.iter().map(|document| relevance(judgements, document)));
    if ideal == 0.0 { 0.0 } else { gained / ideal }
}

/// One over the rank of the first relevant document among the first `k`, or 0.
pub fn reciprocal_rank(ranking: &[String], judgements: &Judgements, k: usize) -> f64 {
    first_relevant(&ranking[..ranking.len().min(k)], judgements).map_or(0.0, |rank| 1.0 / rank as f64)
}

fn relevance(judgements: &Judgements, document: &str) -> u32 {
    judgements.get(document).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(pairs: &[(&str, u32)]) -> Judgements {
        pairs.iter().map(|&(id, relevance)| (id.to_owned(), relevance)).collect()
    }

    fn ranked(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    #[test]
    fn the_best_ranking_scores_one() {
        let judgements = judged(&[("a", 3), ("b", 1), ("c", 0)]);
        let ranking = ranked(&["a", "b", "c"]);
        assert_eq!(recall(&ranking, &judgements, 5), 1.0);
        assert!((ndcg(&ranking, &judgements, 10) - 1.0).abs() < 1e-12);
        assert_eq!(reciprocal_rank(&ranking, &judgements, 10), 1.0);
    }

    #[test]
    fn an_example_worked_by_hand() {
        // Gains 0, 1, 3 at ranks 1, 2, 3: 1/log2(3) + 3/log2(4) = 2.13093; ideal 3 + 1/log2(3) = 3.63093.
        let judgements = judged(&[("a", 3), ("b", 1), ("d", 0)]);
        let ranking = ranked(&["d", "b", "a"]);
        assert!((ndcg(&ranking, &judgements, 10) - 2.130_93 / 3.630_93).abs() < 1e-5);
        assert_eq!(reciprocal_rank(&ranking, &judgements, 10), 0.5);
        assert_eq!(recall(&ranking, &judgements, 2), 0.5);
        assert_eq!(precision(&ranking, &judgements, 2), 0.5);
        assert_eq!(precision(&ranking, &judgements, 4), 0.5, "two of four, though only three were found");
        assert_eq!(first_relevant(&ranking, &judgements), Some(2));
    }

    #[test]
    fn what_stands_below_the_cut_does_not_count() {
        let judgements = judged(&[("a", 1)]);
        let ranking = ranked(&["x", "y", "a"]);
        assert_eq!(recall(&ranking, &judgements, 2), 0.0);
        assert_eq!(ndcg(&ranking, &judgements, 2), 0.0);
        assert_eq!(reciprocal_rank(&ranking, &judgements, 2), 0.0);
        assert_eq!(precision(&ranking, &judgements, 2), 0.0);
    }
}
