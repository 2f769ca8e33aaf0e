//! Documents that say the same: exactly, by the hash of their texts; nearly, by the smallest of the hashes of their runs of
//! words (Broder, "On the resemblance and containment of documents", 1997), of which two texts share as many as they have
//! runs in common.

use std::collections::HashMap;

use mainstay_domain::DocumentId;

use super::collect::{Collected, Seen};
use super::{DuplicateGroup, Duplicates, EXAMPLES};
use crate::shingles::Shingles;

/// Hashes of a text, and how many of them must agree at once for two texts to be compared at all: of two texts with four
/// fifths of their runs in common, fewer than one pair in a thousand is missed.
const HASHES: usize = 64;
const BAND: usize = 4;

/// The share of runs that two documents have in common to nearly say the same.
const NEARLY_SAME: f32 = 0.8;

/// The smallest hashes of a text.
pub(super) struct Signature([u32; HASHES]);

impl Signature {
    /// Of these runs; `None` where there are none.
    pub(super) fn of(shingles: &Shingles) -> Option<Self> {
        let mut smallest = [u32::MAX; HASHES];
        let mut is_empty = true;
        for run in shingles.runs() {
            is_empty = false;
            for (number, least) in (1u64..).zip(&mut smallest) {
                // A different permutation of the numbers for each, by multiplication with an odd one.
                let mixed = (run ^ (run >> 31) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
                    .wrapping_mul(0xd6e8_feb8_6659_fd93 ^ (number << 1));
                *least = (*least).min((mixed >> 32) as u32);
            }
        }
        (!is_empty).then_some(Self(smallest))
    }

    /// About which share of their runs two texts have in common.
    fn likeness(&self, other: &Self) -> f32 {
        let same = self.0.iter().zip(&other.0).filter(|(a, b)| a == b).count();
        same as f32 / HASHES as f32
    }
}

/// What says the same twice.
pub(super) fn duplicates(collected: &Collected) -> Duplicates {
    let documents = &collected.documents;
    let mut groups = Groups::new(documents.len());
    let mut by_content: HashMap<[u8; 32], usize> = HashMap::new();
    let mut first_ones = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        let first = *by_content.entry(document.content.0).or_insert(index);
        if first == index {
            first_ones.push(index);
        } else {
            groups.join(first, index);
        }
    }
    let exact = groups.lists();
    let near = near(documents, &first_ones).lists();
    let repeated = |groups: &[Vec<usize>]| groups.iter().map(|group| group.len() as u64 - 1).sum();
    Duplicates {
        exact_documents: repeated(&exact),
        near_documents: repeated(&near),
        chunks: collected.contents.values().map(|&count| u64::from(count) - 1).sum(),
        exact: largest(documents, exact),
        near: largest(documents, near),
    }
}

/// Groups of documents that nearly say the same, of one for each text.
fn near(documents: &[Seen], first_ones: &[usize]) -> Groups {
    let mut groups = Groups::new(documents.len());
    for band in (0..HASHES).step_by(BAND) {
        let mut alike: HashMap<&[u32], Vec<usize>> = HashMap::new();
        for &index in first_ones {
            let Some(signature) = &documents[index].signature else { continue };
            let others = alike.entry(&signature.0[band..band + BAND]).or_default();
            // Against the first few alone: what many begin alike is otherwise compared with all of them.
            let same = others.iter().find(|&&other| {
                let other = documents[other].signature.as_ref();
                other.is_some_and(|other| signature.likeness(other) >= NEARLY_SAME)
            });
            match same {
                Some(&other) => groups.join(other, index),
                None if others.len() < MOST_COMPARED => others.push(index),
                None => {}
            }
        }
    }
    groups
}

const MOST_COMPARED: usize = 32;

fn largest(documents: &[Seen], mut groups: Vec<Vec<usize>>) -> Vec<DuplicateGroup> {
    groups.sort_by_key(|group| (std::cmp::Reverse(group.len()), group[0]));
    groups.truncate(EXAMPLES);
    let id = |index: &usize| -> DocumentId { documents[*index].size.doc_id.clone() };
    let shown = |group: Vec<usize>| DuplicateGroup {
        documents: group.len() as u64,
        doc_ids: group.iter().take(EXAMPLES).map(id).collect(),
    };
    groups.into_iter().map(shown).collect()
}

/// Which of numbered things belong together.
struct Groups(Vec<usize>);

impl Groups {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn first_of(&self, mut index: usize) -> usize {
        while self.0[index] != index {
            index = self.0[index];
        }
        index
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.first_of(one), self.first_of(other));
        self.0[one.max(other)] = one.min(other);
    }

    /// The groups of more than one.
    fn lists(&self) -> Vec<Vec<usize>> {
        let mut lists: HashMap<usize, Vec<usize>> = HashMap::new();
        for index in 0..self.0.len() {
            lists.entry(self.first_of(index)).or_default().push(index);
        }
        lists.into_values().filter(|group| group.len() > 1).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(words: impl Iterator<Item = usize>) -> String {
        words.map(|number| format!("word{number} ")).collect()
    }

    fn likeness(one: &str, other: &str) -> f32 {
        let signature = |text: &str| Signature::of(&Shingles::of(text)).unwrap();
        signature(one).likeness(&signature(other))
    }

    #[test]
    fn likeness_is_the_share_of_common_runs() {
        let whole = text(0..1_000);
        assert_eq!(likeness(&whole, &whole), 1.0);
        assert_eq!(likeness(&whole, &text(2_000..3_000)), 0.0);
        // 800 of 1200.
        let shifted = likeness(&whole, &text(200..1_200));
        assert!((shifted - 0.667).abs() < 0.15, "{shifted}");
        // One word in fifty breaks three runs in fifty on either side.
        let edited = likeness(&whole, &text((0..1_000).map(|n| if n % 50 == 0 { n + 5_000 } else { n })));
        assert!((edited - 0.887).abs() < 0.12, "{edited}");
    }

    #[test]
    fn a_text_without_words_is_like_no_other() {
        assert!(Signature::of(&Shingles::of("--- !")).is_none());
    }

    #[test]
    fn groups_grow_together() {
        let mut groups = Groups::new(6);
        groups.join(4, 5);
        groups.join(1, 4);
        groups.join(5, 0);
        let mut lists = groups.lists();
        lists.sort();
        assert_eq!(lists, [[0, 1, 4, 5]]);
    }
}
