//! What the documents of a corpus are about: groups of documents whose vectors point the same way, each with the words that
//! its documents have and others have not.

use std::collections::{BTreeSet, HashMap};

use mainstay_embed::dot;
use unicode_segmentation::UnicodeSegmentation;

use super::Topic;
use super::collect::{Collected, Subject};

/// Documents for each topic, on average, and most topics: more than somebody reads say no more.
const DOCUMENTS_PER_TOPIC: usize = 12;
const MOST_TOPICS: usize = 12;

/// How often the groups are made anew around their middles.
const ROUNDS: usize = 20;

/// Words that a topic is called by.
const WORDS: usize = 4;

/// Distinct words that are remembered of a document.
const WORDS_OF_DOCUMENT: usize = 200;

/// The words of all documents, each with a number.
#[derive(Default)]
pub(super) struct Vocabulary {
    numbers: HashMap<String, u32>,
    words: Vec<String>,
}

impl Vocabulary {
    /// The distinct words of a text that may say what it is about.
    pub(super) fn words_of(&mut self, text: &str) -> Vec<u32> {
        let long = text.unicode_words().filter(|word| word.chars().count() >= 4);
        let words = long.filter(|word| word.chars().all(char::is_alphabetic)).map(str::to_lowercase);
        let mut known = BTreeSet::new();
        for word in words.chain(pairs_of_han(text)) {
            known.insert(self.number(&word));
            if known.len() == WORDS_OF_DOCUMENT {
                break;
            }
        }
        known.into_iter().collect()
    }

    fn number(&mut self, word: &str) -> u32 {
        if let Some(&number) = self.numbers.get(word) {
            return number;
        }
        let number = self.words.len() as u32;
        self.numbers.insert(word.to_owned(), number);
        self.words.push(word.to_owned());
        number
    }
}

/// Pairs of neighbouring Chinese characters: most words have two.
fn pairs_of_han(text: &str) -> impl Iterator<Item = String> {
    let is_han = |character: char| matches!(character, '\u{4e00}'..='\u{9fff}');
    let pairs = text.chars().zip(text.chars().skip(1));
    pairs
        .filter(move |(one, next)| is_han(*one) && is_han(*next))
        .map(|(one, next)| [one, next].iter().collect())
}

/// The topics of a corpus, the largest first; none where it has but a few documents.
pub(super) fn topics(collected: &Collected, has_questions: bool) -> Vec<Topic> {
    let subjects = collected.documents.iter().filter_map(|one| Some((one.subject.as_ref()?, one.is_asked)));
    let subjects: Vec<(&Subject, bool)> =
        subjects.filter(|(subject, _)| subject.vector.iter().any(|value| *value != 0.0)).collect();
    let count = (subjects.len() / DOCUMENTS_PER_TOPIC).min(MOST_TOPICS);
    if count < 2 {
        return Vec::new();
    }
    let vectors: Vec<&[f32]> = subjects.iter().map(|(subject, _)| &subject.vector[..]).collect();
    let groups = groups(&vectors, count);
    let mut everywhere: HashMap<u32, usize> = HashMap::new();
    subjects
        .iter()
        .flat_map(|(subject, _)| &subject.words)
        .for_each(|word| *everywhere.entry(*word).or_default() += 1);
    let mut topics: Vec<Topic> = (0..count)
        .map(|group| {
            let members = subjects.iter().zip(&groups).filter(|(_, of)| **of == group).map(|(one, _)| one);
            Topic {
                words: names(members.clone().map(|(subject, _)| *subject), &everywhere, subjects.len())
                    .into_iter()
                    .filter_map(|word| collected.vocabulary.words.get(word as usize).cloned())
                    .collect(),
                documents: members.clone().count() as u64,
                covered: has_questions.then(|| members.filter(|(_, is_asked)| *is_asked).count() as u64),
            }
        })
        .filter(|topic| topic.documents > 0)
        .collect();
    topics.sort_by(|a, b| b.documents.cmp(&a.documents).then_with(|| a.words.cmp(&b.words)));
    topics
}

/// The words that most of these documents have and most others have not.
fn names<'a>(
    members: impl Iterator<Item = &'a Subject> + Clone,
    everywhere: &HashMap<u32, usize>,
    all: usize,
) -> Vec<u32> {
    let size = members.clone().count() as f64;
    let mut here: HashMap<u32, usize> = HashMap::new();
    members.flat_map(|subject| &subject.words).for_each(|word| *here.entry(*word).or_default() += 1);
    let telling = |(word, count): (u32, usize)| {
        let share = count as f64 / size;
        let usual = everywhere.get(&word).map_or(1.0, |&count| count as f64 / all as f64);
        // What is usual everywhere says nothing, however many have it.
        (share.sqrt() * (share / usual).ln(), word)
    };
    let fewest = if size > 2.0 { 2 } else { 1 };
    let mut words: Vec<(f64, u32)> =
        here.into_iter().filter(|(_, count)| *count >= fewest).map(telling).collect();
    words.sort_by(|(a, one), (b, other)| b.total_cmp(a).then(one.cmp(other)));
    words.into_iter().take(WORDS).map(|(_, word)| word).collect()
}

/// The group of each vector: that whose middle is nearest, where the middles are those of the groups.
fn groups(vectors: &[&[f32]], count: usize) -> Vec<usize> {
    let mut middles = first_middles(vectors, count);
    let nearest_to = |vector: &[f32], middles: &[Vec<f32>]| {
        let likeness = middles.iter().map(|middle| dot(middle, vector)).enumerate();
        likeness.max_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(0, |(group, _)| group)
    };
    let mut groups: Vec<usize> = vec![0; vectors.len()];
    for _ in 0..ROUNDS {
        let next: Vec<usize> = vectors.iter().map(|vector| nearest_to(vector, &middles)).collect();
        if next == groups {
            break;
        }
        groups = next;
        for (group, middle) in middles.iter_mut().enumerate() {
            let members =
                vectors.iter().zip(&groups).filter(|(_, of)| **of == group).map(|(vector, _)| *vector);
            if members.clone().next().is_some() {
                *middle = mean(members);
            }
        }
    }
    groups
}

/// Vectors that are far from one another, drawn by the square of the distance to those before (Arthur and Vassilvitskii,
/// "k-means++", 2007): a single strange document is not a topic. The same vectors give the same ones.
fn first_middles(vectors: &[&[f32]], count: usize) -> Vec<Vec<f32>> {
    let mut random = fastrand::Rng::with_seed(vectors.len() as u64);
    let mut middles: Vec<Vec<f32>> = Vec::with_capacity(count);
    let mut distances: Vec<f32> = vec![1.0; vectors.len()];
    while middles.len() < count {
        let mut drawn = random.f32() * distances.iter().sum::<f32>();
        let chosen = distances.iter().position(|distance| {
            drawn -= distance;
            drawn < 0.0
        });
        let Some(middle) = vectors.get(chosen.unwrap_or(vectors.len() - 1)) else { break };
        for (distance, vector) in distances.iter_mut().zip(vectors) {
            let new = (1.0 - dot(middle, vector)).max(0.0).powi(2);
            *distance = if middles.is_empty() { new } else { distance.min(new) };
        }
        middles.push(middle.to_vec());
    }
    middles
}

/// The direction of a mean.
fn mean<'a>(vectors: impl Iterator<Item = &'a [f32]>) -> Vec<f32> {
    let mut sum: Vec<f32> = Vec::new();
    for vector in vectors {
        sum.resize(vector.len(), 0.0);
        sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += value);
    }
    let length = dot(&sum, &sum).sqrt().max(f32::MIN_POSITIVE);
    sum.iter_mut().for_each(|value| *value /= length);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_that_point_the_same_way_are_one_group() {
        let vectors: Vec<Vec<f32>> = (0..30u8)
            .map(|n| {
                let mut vector = [0.05 * f32::from(n % 5); 3];
                vector[usize::from(n % 3)] = 1.0;
                mean(std::iter::once(&vector[..]))
            })
            .collect();
        let vectors: Vec<&[f32]> = vectors.iter().map(|vector| &vector[..]).collect();
        let groups = groups(&vectors, 3);
        for (n, group) in groups.iter().enumerate() {
            assert_eq!(*group, groups[n % 3], "{groups:?}");
        }
        assert_eq!(groups.iter().collect::<BTreeSet<_>>().len(), 3);
    }
}
