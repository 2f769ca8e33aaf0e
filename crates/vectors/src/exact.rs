//! The index done plainly: in memory, every point compared. What the others are tested against.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use mainstay_domain::ChunkId;
use mainstay_domain::port::MultiVector;

use crate::error::IndexError;
use crate::port::{
    Checkpoint, Hit, IndexSettings, IndexStats, Namespace, Point, Query, Search, SparseChannel, VectorIndex,
    move_towards,
};
use crate::sparse::SparseVector;

/// An index in memory that compares every point. Nothing survives it.
#[derive(Debug, Default)]
pub struct ExactIndex {
    namespaces: Mutex<BTreeMap<Namespace, Contents>>,
}

#[derive(Debug)]
struct Contents {
    settings: IndexSettings,
    checkpoint: Checkpoint,
    points: BTreeMap<ChunkId, Point>,
}

impl ExactIndex {
    fn namespaces(&self) -> MutexGuard<'_, BTreeMap<Namespace, Contents>> {
        self.namespaces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn on<T>(
        &self,
        namespace: &Namespace,
        work: impl FnOnce(&mut Contents) -> Result<T, IndexError>,
    ) -> Result<T, IndexError> {
        match self.namespaces().get_mut(namespace) {
            Some(contents) => work(contents),
            None => Err(IndexError::UnknownNamespace(namespace.clone())),
        }
    }
}

#[async_trait]
impl VectorIndex for ExactIndex {
    async fn open(&self, namespace: &Namespace, settings: &IndexSettings) -> Result<Checkpoint, IndexError> {
        settings.check()?;
        let mut namespaces = self.namespaces();
        let contents = namespaces.entry(namespace.clone()).or_insert_with(|| Contents {
            settings: settings.clone(),
            checkpoint: Checkpoint::START,
            points: BTreeMap::new(),
        });
        if contents.settings != *settings {
            return Err(IndexError::OtherSettings {
                namespace: namespace.clone(),
                built: Box::new(contents.settings.clone()),
                wanted: Box::new(settings.clone()),
            });
        }
        Ok(contents.checkpoint)
    }

    async fn upsert(&self, namespace: &Namespace, points: Vec<Point>) -> Result<(), IndexError> {
        self.on(namespace, |contents| {
            for point in &points {
                contents.settings.check_point(point)?;
            }
            contents.points.extend(points.into_iter().map(|point| (point.chunk, point)));
            Ok(())
        })
    }

    async fn delete(&self, namespace: &Namespace, chunks: Vec<ChunkId>) -> Result<(), IndexError> {
        self.on(namespace, |contents| {
            contents.points.retain(|chunk, _| !chunks.contains(chunk));
            Ok(())
        })
    }

    async fn search(
        &self,
        namespace: &Namespace,
        searches: Vec<Search>,
    ) -> Result<Vec<Vec<Hit>>, IndexError> {
        self.on(namespace, |contents| searches.iter().map(|search| contents.search(search)).collect())
    }

    async fn flush(&self, namespace: &Namespace, checkpoint: Checkpoint) -> Result<(), IndexError> {
        self.on(namespace, |contents| {
            contents.checkpoint = checkpoint;
            Ok(())
        })
    }

    async fn optimize(&self, namespace: &Namespace) -> Result<(), IndexError> {
        self.on(namespace, |_| Ok(()))
    }

    async fn stats(&self, namespace: &Namespace) -> Result<IndexStats, IndexError> {
        self.on(namespace, |contents| Ok(IndexStats { points: contents.points.len(), segments: 1, bytes: 0 }))
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>, IndexError> {
        Ok(self.namespaces().keys().cloned().collect())
    }

    async fn drop_namespace(&self, namespace: &Namespace) -> Result<(), IndexError> {
        self.namespaces().remove(namespace);
        Ok(())
    }

    async fn close(&self) -> Result<(), IndexError> {
        Ok(())
    }
}

impl Contents {
    fn search(&self, search: &Search) -> Result<Vec<Hit>, IndexError> {
        self.settings.check_search(search)?;
        let score: Box<dyn Fn(&Point) -> f32> = match &search.query {
            Query::Dense { vector, .. } => Box::new(|point| dot(vector, &point.dense)),
            Query::Towards { vector, chunks, share } => {
                let known = chunks.iter().filter_map(|chunk| self.points.get(chunk));
                let moved = move_towards(vector, known.map(|point| point.dense.as_slice()), *share);
                Box::new(move |point| dot(&moved, &point.dense))
            }
            Query::Sparse { channel, vector } => {
                let weighted = self.weigh_by_rarity(*channel, vector);
                Box::new(move |point| sparse_score(&weighted, sparse_of(point, *channel)))
            }
            Query::Multi { vector, among } => {
                Box::new(
                    |point| {
                        if among.contains(&point.chunk) { max_sim(vector, &point.multi) } else { 0.0 }
                    },
                )
            }
        };
        let fits = |point: &&Point| search.filter.as_ref().is_none_or(|filter| filter.matches(&point.fields));
        let scored =
            self.points.values().filter(fits).map(|point| Hit { chunk: point.chunk, score: score(point) });
        let mut hits = Hit::best_first(scored.filter(|hit| hit.score != 0.0).collect());
        hits.truncate(search.limit);
        Ok(hits)
    }

    /// The query's weights times the inverse document frequencies.
    fn weigh_by_rarity(&self, channel: SparseChannel, query: &SparseVector) -> HashMap<u32, f32> {
        let vectors: Vec<_> = self
            .points
            .values()
            .filter_map(|point| sparse_of(point, channel))
            .filter(|vector| !vector.is_empty())
            .collect();
        let all = vectors.len() as f32;
        let idf = |term: u32| {
            let with = vectors.iter().filter(|vector| vector.terms().contains(&term)).count() as f32;
            ((all - with + 0.5) / (with + 0.5) + 1.0).ln()
        };
        query.terms().iter().zip(query.weights()).map(|(&term, &weight)| (term, weight * idf(term))).collect()
    }
}

fn sparse_of(point: &Point, channel: SparseChannel) -> Option<&SparseVector> {
    point.sparse.iter().find_map(|(of, vector)| (*of == channel).then_some(vector))
}

fn sparse_score(query: &HashMap<u32, f32>, vector: Option<&SparseVector>) -> f32 {
    let Some(vector) = vector else { return 0.0 };
    let products = vector.terms().iter().zip(vector.weights());
    products.filter_map(|(term, weight)| Some(query.get(term)? * weight)).sum()
}

/// The mean over the question's vectors of their similarity with the nearest; 0 where there is none.
fn max_sim(question: &MultiVector, passage: &MultiVector) -> f32 {
    if question.is_empty() || passage.is_empty() {
        return 0.0;
    }
    let nearest = |q| passage.vectors().map(|d| dot(q, d)).fold(f32::NEG_INFINITY, f32::max);
    question.vectors().map(nearest).sum::<f32>() / question.vectors().len() as f32
}

fn dot(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

#[cfg(test)]
mod tests {
    crate::conformance_tests!(async { ((), super::ExactIndex::default()) });
}
