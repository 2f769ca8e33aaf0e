//! The measures that a ranking is judged by, each under one name everywhere.

use std::array;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::estimate::Estimate;
use crate::ranking::{Judgements, ndcg, precision, recall, reciprocal_rank};

/// What is measured of a ranking; always from 0 to 1, and more is better.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Measure {
    /// The share of the relevant documents among the first 5.
    RecallAt5,
    /// The share of the relevant documents among the first 10.
    RecallAt10,
    /// The share of the first 5 that is relevant.
    PrecisionAt5,
    /// The share of the first 10 that is relevant.
    PrecisionAt10,
    /// Normalised discounted cumulative gain of the first 10, with linear gain.
    NdcgAt10,
    /// One over the rank of the first relevant document among the first 10.
    MrrAt10,
}

impl Measure {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 6] = [
        Self::RecallAt5,
        Self::RecallAt10,
        Self::PrecisionAt5,
        Self::PrecisionAt10,
        Self::NdcgAt10,
        Self::MrrAt10,
    ];

    /// The name, as people and JSON have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RecallAt5 => "recall@5",
            Self::RecallAt10 => "recall@10",
            Self::PrecisionAt5 => "precision@5",
            Self::PrecisionAt10 => "precision@10",
            Self::NdcgAt10 => "nDCG@10",
            Self::MrrAt10 => "MRR@10",
        }
    }

    /// The measure of one ranking.
    pub fn of(self, ranking: &[String], judgements: &Judgements) -> f64 {
        match self {
            Self::RecallAt5 => recall(ranking, judgements, 5),
            Self::RecallAt10 => recall(ranking, judgements, 10),
            Self::PrecisionAt5 => precision(ranking, judgements, 5),
            Self::PrecisionAt10 => precision(ranking, judgements, 10),
            Self::NdcgAt10 => ndcg(ranking, judgements, 10),
            Self::MrrAt10 => reciprocal_rank(ranking, judgements, 10),
        }
    }
}

/// A value for each measure. Serialises as an object with their names.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Measures<T>([T; Measure::ALL.len()]);

impl<T> Measures<T> {
    /// What `make` makes for each.
    pub fn for_each(mut make: impl FnMut(Measure) -> T) -> Self {
        Self(array::from_fn(|index| make(Measure::ALL[index])))
    }

    /// The value of one.
    pub fn get(&self, measure: Measure) -> &T {
        &self.0[measure as usize]
    }

    /// Each with its value.
    pub fn iter(&self) -> impl Iterator<Item = (Measure, &T)> {
        Measure::ALL.into_iter().zip(&self.0)
    }
}

impl Measures<f64> {
    /// Of one ranking.
    pub fn of(ranking: &[String], judgements: &Judgements) -> Self {
        Self::for_each(|measure| measure.of(ranking, judgements))
    }
}

impl Measures<Estimate> {
    /// The means over questions.
    pub fn over(questions: &[Measures<f64>]) -> Self {
        Self::for_each(|measure| Estimate::of(&values(questions, measure)))
    }
}

/// One measure of each question.
pub fn values(questions: &[Measures<f64>], measure: Measure) -> Vec<f64> {
    questions.iter().map(|question| *question.get(measure)).collect()
}

impl<T: Serialize> Serialize for Measures<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (measure, value) in self.iter() {
            map.serialize_entry(measure.name(), value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_measure_stands_at_its_own_place_and_under_its_own_name() {
        let numbered =
            Measures::for_each(|measure| measure.name().len() as f64 + measure as usize as f64 / 10.0);
        for (measure, value) in numbered.iter() {
            assert_eq!(value, numbered.get(measure), "{measure:?}");
        }
        let json = serde_json::to_value(numbered).unwrap();
        assert_eq!(json.as_object().unwrap().len(), Measure::ALL.len());
        assert_eq!(json["MRR@10"], *numbered.get(Measure::MrrAt10));
    }

    #[test]
    fn a_question_is_measured_by_all() {
        let ranking: Vec<String> = ["x", "a", "y", "b", "z", "c"].map(str::to_owned).to_vec();
        let judgements: Judgements = ["a", "b", "c", "d"].map(|id| (id.to_owned(), 1)).into();
        let measured = Measures::of(&ranking, &judgements);
        let of = |measure| *measured.get(measure);
        assert_eq!((of(Measure::RecallAt5), of(Measure::RecallAt10)), (0.5, 0.75));
        assert_eq!((of(Measure::PrecisionAt5), of(Measure::PrecisionAt10)), (0.4, 0.3));
        assert_eq!(of(Measure::MrrAt10), 0.5);
    }
}
