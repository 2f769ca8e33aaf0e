//! What the larger pieces around a chunk say of it: the words of its parent, the meaning of its document.

use std::collections::HashMap;

use mainstay_domain::ChunkId;
use mainstay_store::documents::{ParentId, Revision};
use mainstay_vectors::Hit;

/// Gives every chunk the score of its parent. The index knows only the first chunk of a parent for it.
pub(crate) fn of_parents(places: &HashMap<ChunkId, ParentId>, parents: &[Hit]) -> Vec<Hit> {
    let scores: HashMap<ParentId, f32> =
        parents.iter().filter_map(|hit| Some((*places.get(&hit.chunk)?, hit.score))).collect();
    let score = |(&chunk, place)| scores.get(place).map(|&score| Hit { chunk, score });
    Hit::best_first(places.iter().filter_map(score).collect())
}

/// Gives every chunk what its document means: the mean of the scores of those chunks of it that any channel has found.
/// A chunk that is not among `hits` is no better than the last of them, and counts as that. A document without any hit
/// gets nothing.
///
/// A document that is about a question throughout answers it likelier than one that mentions it once. The mean over what
/// was found measures as well as a vector of the whole document, and costs nothing.
pub(crate) fn of_documents(places: &HashMap<ChunkId, ParentId>, hits: &[Hit]) -> Vec<Hit> {
    let Some(least) = hits.iter().map(|hit| hit.score).reduce(f32::min) else { return Vec::new() };
    let known: HashMap<ChunkId, f32> = hits.iter().map(|hit| (hit.chunk, hit.score)).collect();
    let mut documents: HashMap<Revision, Document> = HashMap::new();
    for (chunk, place) in places {
        let document = documents.entry(place.revision).or_default();
        document.sum += f64::from(known.get(chunk).copied().unwrap_or(least));
        document.chunks += 1;
        document.is_hit |= known.contains_key(chunk);
    }
    let score = |(&chunk, place): (&ChunkId, &ParentId)| {
        let document = documents.get(&place.revision).filter(|document| document.is_hit)?;
        Some(Hit { chunk, score: (document.sum / f64::from(document.chunks)) as f32 })
    };
    Hit::best_first(places.iter().filter_map(score).collect())
}

/// What was found of a document.
#[derive(Default)]
struct Document {
    sum: f64,
    chunks: u32,
    is_hit: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(of: &[(u64, u64, usize)]) -> HashMap<ChunkId, ParentId> {
        of.iter()
            .map(|&(chunk, revision, start)| {
                (ChunkId(chunk), ParentId { revision: Revision(revision), start })
            })
            .collect()
    }

    fn hits(of: &[(u64, f32)]) -> Vec<Hit> {
        of.iter().map(|&(chunk, score)| Hit { chunk: ChunkId(chunk), score }).collect()
    }

    #[test]
    fn chunks_of_one_parent_have_its_score_and_others_none() {
        let places = places(&[(1, 1, 0), (2, 1, 0), (3, 1, 400), (4, 2, 0)]);
        assert_eq!(of_parents(&places, &hits(&[(1, 3.0), (4, 5.0)])), hits(&[(4, 5.0), (1, 3.0), (2, 3.0)]));
        // A chunk that the store does not know has no place.
        assert_eq!(of_parents(&places, &hits(&[(9, 3.0)])), []);
    }

    #[test]
    fn a_document_that_is_about_it_throughout_is_before_one_that_mentions_it() {
        let places = places(&[(1, 1, 0), (2, 1, 0), (3, 2, 0), (4, 2, 400), (5, 3, 0)]);
        let found = of_documents(&places, &hits(&[(1, 0.75), (3, 0.75), (4, 0.5), (9, 0.25)]));
        assert_eq!(found, hits(&[(3, 0.625), (4, 0.625), (1, 0.5), (2, 0.5)]));
        assert_eq!(of_documents(&places, &[]), []);
    }
}
