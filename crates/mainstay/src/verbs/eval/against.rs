//! Two configurations on the same questions.

use mainstay_evals::comparison::adjust;
use mainstay_evals::measures::values;
use mainstay_evals::{Comparison, Estimate, Measure, Measures, Question};
use serde::Serialize;

use super::retrieval::{Answer, Latency, Retrieval};

/// The other configuration, and how the measured one differs from it: above 0, the measured one is better.
#[derive(Serialize)]
pub(super) struct Against {
    pub(super) config: String,
    pub(super) embedder: String,
    #[serde(flatten)]
    pub(super) measures: Measures<Estimate>,
    pub(super) search_ms: Latency,
    pub(super) index_bytes: u64,
    pub(super) difference: Measures<Comparison>,
    /// Questions that are better, those that change most first.
    pub(super) wins: Vec<Change>,
    /// Questions that are worse, those that change most first.
    pub(super) losses: Vec<Change>,
}

/// A question whose ranking changes.
#[derive(Serialize, Clone, Debug)]
pub(super) struct Change {
    pub(super) id: String,
    pub(super) text: String,
    /// The rank of the first relevant document; absent where none was found.
    pub(super) rank: Option<usize>,
    /// The same of the other configuration.
    pub(super) rank_against: Option<usize>,
    /// How much better nDCG@10 is.
    pub(super) ndcg_difference: f64,
}

impl Against {
    /// `other` is the report of the other configuration; at most `most` wins and as many losses.
    pub(super) fn of(
        questions: &[&Question],
        new: &[Answer],
        old: &[Answer],
        other: Retrieval,
        most: usize,
    ) -> Self {
        let measures = |answers: &[Answer]| answers.iter().map(|answer| answer.measures).collect::<Vec<_>>();
        let (old_measures, new_measures) = (measures(old), measures(new));
        let mut compared: Vec<Comparison> = Measure::ALL
            .into_iter()
            .map(|measure| Comparison::of(&values(&old_measures, measure), &values(&new_measures, measure)))
            .collect();
        adjust(&mut compared);
        let (wins, losses) = changes(questions, new, old, most);
        Self {
            config: other.config,
            embedder: other.embedder,
            measures: other.measures,
            search_ms: other.search_ms,
            index_bytes: other.index_bytes,
            difference: Measures::for_each(|measure| compared[measure as usize]),
            wins,
            losses,
        }
    }
}

/// The questions that are better and those that are worse: by nDCG@10, and where that is equal, by the rank of the first
/// relevant document.
fn changes(
    questions: &[&Question],
    new: &[Answer],
    old: &[Answer],
    most: usize,
) -> (Vec<Change>, Vec<Change>) {
    let mut all: Vec<(f64, f64, Change)> = Vec::new();
    for ((question, new), old) in questions.iter().zip(new).zip(old) {
        let ndcg = |answer: &Answer| *answer.measures.get(Measure::NdcgAt10);
        let closeness = |answer: &Answer| answer.rank.map_or(0.0, |rank| 1.0 / rank as f64);
        let (by_ndcg, by_rank) = (ndcg(new) - ndcg(old), closeness(new) - closeness(old));
        if by_ndcg != 0.0 || by_rank != 0.0 {
            let change = Change {
                id: question.id.clone(),
                text: question.text.clone(),
                rank: new.rank,
                rank_against: old.rank,
                ndcg_difference: by_ndcg,
            };
            all.push((by_ndcg, by_rank, change));
        }
    }
    all.sort_by(|one, other| {
        other.0.abs().total_cmp(&one.0.abs()).then(other.1.abs().total_cmp(&one.1.abs()))
    });
    let (wins, losses): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|&(ndcg, rank, _)| ndcg > 0.0 || (ndcg == 0.0 && rank > 0.0));
    let first =
        |some: Vec<(f64, f64, Change)>| some.into_iter().take(most).map(|(_, _, change)| change).collect();
    (first(wins), first(losses))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_questions_that_change_most_come_first() {
        let question = |id: &str| Question {
            id: id.to_owned(),
            text: id.to_owned(),
            language: String::new(),
            type_name: String::new(),
        };
        let answer = |rank: Option<usize>| {
            let gain = rank.filter(|&rank| rank <= 10).map_or(0.0, |rank| 1.0 / (rank as f64 + 1.0).log2());
            Answer { measures: Measures::for_each(|_| gain), rank }
        };
        let ranks = [
            ("same", Some(3), Some(3)),
            ("slightly better", Some(3), Some(4)),
            ("found", Some(1), None),
            ("worse below ten", Some(60), Some(20)),
            ("lost", None, Some(2)),
        ];
        let questions: Vec<Question> = ranks.iter().map(|(id, _, _)| question(id)).collect();
        let questions: Vec<&Question> = questions.iter().collect();
        let new: Vec<Answer> = ranks.iter().map(|&(_, new, _)| answer(new)).collect();
        let old: Vec<Answer> = ranks.iter().map(|&(_, _, old)| answer(old)).collect();
        let ids = |some: &[Change]| some.iter().map(|change| change.id.clone()).collect::<Vec<_>>();
        let (wins, losses) = changes(&questions, &new, &old, 10);
        assert_eq!(ids(&wins), ["found", "slightly better"]);
        assert_eq!(ids(&losses), ["lost", "worse below ten"]);
        assert_eq!(ids(&changes(&questions, &new, &old, 1).0), ["found"]);
    }
}
