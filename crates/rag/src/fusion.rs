//! Bringing the lists of several search channels into one order.

use std::collections::HashMap;

use mainstay_domain::ChunkId;
use mainstay_vectors::Hit;

/// How the lists are fused.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Fusion {
    /// `Σ weight · minmax(score)`: the scores of each list are brought to 0 … 1, and a chunk that a list does not have
    /// counts 0 there. Beats rank fusion in and out of domain (Bruch et al., arXiv 2210.11934), and does not let a weak
    /// channel drown a strong one.
    Convex,
    /// `Σ weight / (60 + rank)`: reciprocal rank fusion (Cormack et al., 2009). Hits of equal score share a rank.
    ReciprocalRank,
}

/// One channel's hits, best first, and what they count.
#[derive(Clone, Debug)]
pub struct Channel {
    /// The hits.
    pub hits: Vec<Hit>,
    /// The weight.
    pub weight: f32,
}

/// The k of reciprocal rank fusion.
const RANK_CONSTANT: f32 = 60.0;

/// The chunks of all lists, best first; chunks of equal score in the order of their ids, so that the order is the same
/// every time.
pub fn fuse(method: Fusion, channels: &[Channel]) -> Vec<(ChunkId, f32)> {
    let mut fused: HashMap<ChunkId, f32> = HashMap::new();
    for channel in channels {
        let scale = Scale::of(&channel.hits);
        let mut rank = 0;
        for (position, hit) in channel.hits.iter().enumerate() {
            // Equals share a rank: chunks of one parent have its score, and are one find.
            rank += usize::from(position > 0 && hit.score < channel.hits[position - 1].score);
            let share = match method {
                Fusion::Convex => scale.apply(hit.score),
                Fusion::ReciprocalRank => 1.0 / (RANK_CONSTANT + rank as f32 + 1.0),
            };
            *fused.entry(hit.chunk).or_default() += channel.weight * share;
        }
    }
    let mut fused: Vec<(ChunkId, f32)> = fused.into_iter().collect();
    fused.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    fused
}

/// Min-max scaling of one list.
pub(crate) struct Scale {
    least: f32,
    spread: f32,
}

impl Scale {
    /// Of the scores of a list.
    pub(crate) fn of(hits: &[Hit]) -> Self {
        let most = hits.iter().map(|hit| hit.score).fold(f32::NEG_INFINITY, f32::max);
        let least = hits.iter().map(|hit| hit.score).fold(f32::INFINITY, f32::min);
        Self { least, spread: most - least }
    }

    /// A score to 0 … 1. Where all scores are equal, all are best.
    pub(crate) fn apply(&self, score: f32) -> f32 {
        if self.spread > 0.0 { (score - self.least) / self.spread } else { 1.0 }
    }

    /// 0 … 1 to a score of this list.
    pub(crate) fn invert(&self, share: f32) -> f32 {
        self.least + share * self.spread
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn channel(weight: f32, scores: &[(u64, f32)]) -> Channel {
        Channel {
            hits: scores.iter().map(|&(id, score)| Hit { chunk: ChunkId(id), score }).collect(),
            weight,
        }
    }

    fn ids(fused: &[(ChunkId, f32)]) -> Vec<u64> {
        fused.iter().map(|(chunk, _)| chunk.0).collect()
    }

    #[test]
    fn a_weak_channel_with_little_weight_cannot_overturn_a_clear_lead() {
        let bm25 = channel(0.8, &[(1, 20.0), (2, 10.0), (3, 9.0)]);
        let dense = channel(0.2, &[(3, 0.9), (2, 0.8), (1, 0.1)]);
        assert_eq!(ids(&fuse(Fusion::Convex, &[bm25.clone(), dense.clone()])), [1, 2, 3]);
        assert_eq!(ids(&fuse(Fusion::ReciprocalRank, &[bm25, dense]))[0], 1);
    }

    #[test]
    fn chunks_of_one_parent_do_not_push_the_next_parent_down() {
        let parents = channel(1.0, &[(1, 9.0), (2, 9.0), (3, 9.0), (4, 8.0)]);
        let fused = fuse(Fusion::ReciprocalRank, &[parents]);
        assert_eq!(fused[2].1, 1.0 / 61.0);
        assert_eq!(fused[3], (ChunkId(4), 1.0 / 62.0));
    }

    #[test]
    fn a_channel_that_found_nothing_changes_nothing() {
        let bm25 = channel(0.8, &[(4, 2.0), (5, 1.0)]);
        let alone = ids(&fuse(Fusion::Convex, std::slice::from_ref(&bm25)));
        assert_eq!(ids(&fuse(Fusion::Convex, &[bm25, channel(0.2, &[])])), alone);
    }

    proptest! {
        #[test]
        fn every_chunk_comes_once_in_descending_order_within_the_weights(
            a in proptest::collection::vec((0u64..50, -5.0f32..50.0), 0..40),
            b in proptest::collection::vec((0u64..50, -1.0f32..1.0), 0..40),
        ) {
            let unique = |mut list: Vec<(u64, f32)>| {
                list.sort_by(|x, y| y.1.total_cmp(&x.1));
                let mut seen = std::collections::HashSet::new();
                list.retain(|(id, _)| seen.insert(*id));
                list
            };
            let (a, b) = (unique(a), unique(b));
            for method in [Fusion::Convex, Fusion::ReciprocalRank] {
                let fused = fuse(method, &[channel(0.7, &a), channel(0.3, &b)]);
                let mut once = ids(&fused);
                once.sort_unstable();
                once.dedup();
                prop_assert_eq!(once.len(), fused.len());
                prop_assert!(fused.windows(2).all(|pair| pair[0].1 >= pair[1].1));
                prop_assert!(fused.iter().all(|(_, score)| (0.0..=1.0 + 1e-5).contains(score)));
            }
        }
    }
}
