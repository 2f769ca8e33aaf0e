//! Questions that mean the same.
//!
//! Whether an answer may be given to a question that is only *like* the one it was given to is not decided by a threshold
//! that somebody chose. A cache that is *verified* (vCache, Schroeder et al. 2025) learns it: a share of near questions goes
//! to the model all the same, and the two answers are compared. An answer is given without asking only where such checks
//! bound the error: of the checks at this similarity and a little below it, the upper end of the 95 % interval of the share
//! that was wrong must be below the configured bound. Only checks of the same tenant and assistant count: how questions are
//! asked elsewhere, and answered, says nothing of the error here. An entry that was once wrong at some similarity is not
//! believed again up to that similarity, whatever the others show.
//!
//! Look-ups are inside one bucket: one partition, and one [`Gate`](crate::Gate). So its cost does not grow with the cache, but
//! with how many questions of one kind there are, which is bounded.

use std::collections::{HashMap, HashSet};

use mainstay_embed::StaticEmbedder;

/// Questions of one bucket at most: the oldest go first. A look-up compares with each.
const BUCKET: usize = 1_024;
/// Questions in all; where there are more, whole buckets go, those unused for the longest time first.
const MOST: usize = 1_000_000;
/// Assistants of tenants whose checks are remembered. Beyond it the one unused for the longest time is forgotten, and its
/// questions are checked anew.
const SCOPES: usize = 4_096;
/// Similarities are told apart as finely as this when errors are counted.
const BINS: usize = 50;

/// How many of those, downward from a similarity, may speak for it.
const WIDTHS: [usize; 3] = [1, 2, 4];

/// A bucket.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Place {
    /// What its answers depend on beside the question.
    pub(crate) partition: [u8; 32],
    /// What its questions have in common.
    pub(crate) gate: u64,
    /// The tenant and the assistant: whose checks count here.
    pub(crate) scope: [u8; 32],
}

/// What the semantic layer knows.
#[derive(Debug, Default)]
pub(crate) struct Semantic {
    buckets: HashMap<Place, Bucket>,
    questions: usize,
    clock: u64,
    /// What checks have shown, by tenant and assistant.
    learned: HashMap<[u8; 32], Learned>,
    /// Checks and errors of all of them, those that were forgotten included.
    checks: (u32, u32),
}

/// What checks have shown of the questions to one assistant of one tenant.
#[derive(Debug)]
struct Learned {
    /// Checks by similarity: how many, and how many were wrong.
    checks: [(u32, u32); BINS + 1],
    used: u64,
}

#[derive(Debug, Default)]
struct Bucket {
    entries: Vec<Entry>,
    used: u64,
}

/// A question that was answered.
#[derive(Debug)]
struct Entry {
    /// Where its answer is in the exact layer.
    key: [u8; 32],
    vector: Vec<f32>,
    /// The highest similarity at which its answer was wrong.
    wrong_at: f32,
}

/// A question like one that was answered.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Near {
    /// Where the answer is in the exact layer.
    pub(crate) key: [u8; 32],
    /// How like it is, 0 to 1.
    pub(crate) similarity: f32,
    /// Whether the answer may be given without a check.
    pub(crate) is_trusted: bool,
}

impl Semantic {
    /// The nearest answered question that is at least so similar.
    pub(crate) fn nearest(
        &mut self,
        place: &Place,
        vector: &[f32],
        least: f32,
        most_wrong: f64,
    ) -> Option<Near> {
        self.clock += 1;
        let bucket = self.buckets.get_mut(place)?;
        bucket.used = self.clock;
        let similar = |entry: &Entry| entry.vector.iter().zip(vector).map(|(a, b)| a * b).sum::<f32>();
        let nearest = bucket.entries.iter().map(|entry| (similar(entry), entry));
        let (similarity, entry) = nearest.max_by(|one, other| one.0.total_cmp(&other.0))?;
        if similarity < least {
            return None;
        }
        let (key, wrong_at) = (entry.key, entry.wrong_at);
        let learned = self.learned.get_mut(&place.scope);
        let is_trusted = learned.is_some_and(|learned| {
            learned.used = self.clock;
            similarity > wrong_at && learned.is_bounded(similarity, most_wrong)
        });
        Some(Near { key, similarity, is_trusted })
    }

    /// A question was answered.
    pub(crate) fn insert(&mut self, place: Place, key: [u8; 32], vector: Vec<f32>) {
        if self.questions >= MOST {
            self.make_room();
        }
        self.clock += 1;
        let bucket = self.buckets.entry(place).or_default();
        bucket.used = self.clock;
        self.questions -= bucket.entries.len();
        bucket.entries.retain(|entry| entry.key != key);
        if bucket.entries.len() >= BUCKET {
            bucket.entries.remove(0);
        }
        bucket.entries.push(Entry { key, vector, wrong_at: -1.0 });
        self.questions += bucket.entries.len();
    }

    /// What a check has shown: whether the answer to the question `key` was right for one that is so similar to it.
    pub(crate) fn checked(&mut self, place: &Place, near: &Near, was_right: bool) {
        if self.learned.len() >= SCOPES && !self.learned.contains_key(&place.scope) {
            let unused = self.learned.iter().min_by_key(|(_, learned)| learned.used).map(|(scope, _)| *scope);
            unused.and_then(|scope| self.learned.remove(&scope));
        }
        self.clock += 1;
        let learned =
            self.learned.entry(place.scope).or_insert(Learned { checks: [(0, 0); BINS + 1], used: 0 });
        learned.used = self.clock;
        for sum in [&mut learned.checks[bin_of(near.similarity)], &mut self.checks] {
            sum.0 = sum.0.saturating_add(1);
            sum.1 = sum.1.saturating_add(u32::from(!was_right));
        }
        let entries = self.buckets.get_mut(place).map(|bucket| &mut bucket.entries);
        if let Some(entry) =
            entries.and_then(|entries| entries.iter_mut().find(|entry| entry.key == near.key))
            && !was_right
        {
            entry.wrong_at = entry.wrong_at.max(near.similarity);
        }
    }

    /// Checks and errors in all.
    pub(crate) fn checks(&self) -> (u32, u32) {
        self.checks
    }

    pub(crate) fn len(&self) -> usize {
        self.questions
    }

    /// Forgets the buckets that were unused for the longest time, an eighth of all.
    fn make_room(&mut self) {
        let mut used: Vec<(u64, Place)> =
            self.buckets.iter().map(|(place, bucket)| (bucket.used, *place)).collect();
        used.sort_unstable();
        for (_, place) in used {
            if self.questions <= MOST - MOST / 8 {
                break;
            }
            if let Some(bucket) = self.buckets.remove(&place) {
                self.questions -= bucket.entries.len();
            }
        }
    }
}

impl Learned {
    /// Whether the checks bound the error at this similarity. The more alike questions are the more rarely they want different
    /// answers, so checks at this similarity and a little below it speak for it; those above it do not, for many good ones
    /// there would hide a bad one here.
    fn is_bounded(&self, similarity: f32, most_wrong: f64) -> bool {
        let at = bin_of(similarity);
        let sum = |width: usize| {
            let bins = self.checks.iter().take(at + 1).skip((at + 1).saturating_sub(width));
            bins.fold((0, 0), |sum, bin| (sum.0 + bin.0, sum.1 + bin.1))
        };
        WIDTHS.into_iter().any(|width| {
            let (checks, wrong) = sum(width);
            f64::from(wrong) <= most_wrong * f64::from(checks) && error_bound(checks, wrong) <= most_wrong
        })
    }
}

fn bin_of(similarity: f32) -> usize {
    (similarity.clamp(0.0, 1.0) * BINS as f32) as usize
}

/// The vector of a question.
pub(crate) fn vector_of(question: &str) -> Vec<f32> {
    StaticEmbedder::builtin().embed_text(question)
}

/// The upper end of the 95 % interval of a share of which `wrong` of `checks` were: Clopper and Pearson's, one-sided, by
/// bisection of the binomial distribution. 1 without any check. Without an error it is about 3 in so many: 299 are needed to
/// claim less than 1 %.
pub fn error_bound(checks: u32, wrong: u32) -> f64 {
    if checks == 0 || wrong >= checks {
        return 1.0;
    }
    let (mut low, mut high) = (f64::from(wrong) / f64::from(checks), 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if at_most(wrong, checks, middle) > 0.05 { low = middle } else { high = middle }
    }
    high
}

/// How likely it is that of `checks` at most `wrong` are, where each is with this probability.
fn at_most(wrong: u32, checks: u32, probability: f64) -> f64 {
    let (p, q) = (probability.max(1e-300).ln(), (1.0 - probability).max(1e-300).ln());
    let mut term = f64::from(checks) * q;
    let mut sum = term.exp();
    for k in 0..wrong {
        term += (f64::from(checks - k) / f64::from(k + 1)).ln() + p - q;
        sum += term.exp();
    }
    sum.min(1.0)
}

/// Whether two answers say the same, as far as can be told without a model: the same figures, and nearly the same words
/// that carry meaning. It errs towards no: what is taken for wrong costs a question to the model, and nobody a wrong answer.
pub(crate) fn agree(one: &str, other: &str) -> bool {
    if one.trim() == other.trim() {
        return true;
    }
    // Short words hold sentences together; what is a number or a name is compared as itself.
    let words = |text: &str| -> HashSet<String> {
        let lower = text.to_lowercase();
        let words = lower.split(|character: char| !character.is_alphanumeric());
        words.filter(|word| word.chars().count() > 3 || NEGATIONS.contains(word)).map(str::to_owned).collect()
    };
    let (a, b) = (words(one), words(other));
    let (common, all) = (a.intersection(&b).count(), a.union(&b).count());
    mainstay_text::numbers(one) == mainstay_text::numbers(other) && common as f64 >= 0.75 * all as f64
}

/// Short words that turn an answer around.
const NEGATIONS: [&str; 6] = ["no", "not", "nor", "yes", "ja", "non"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_clopper_and_pearsons() {
        for (checks, wrong, bound) in [(299, 0, 0.01), (59, 0, 0.0495), (100, 1, 0.0466), (1000, 10, 0.0169)]
        {
            assert!(
                (error_bound(checks, wrong) - bound).abs() < 5e-4,
                "{checks} {wrong} {}",
                error_bound(checks, wrong)
            );
        }
        assert_eq!((error_bound(0, 0), error_bound(5, 5)), (1.0, 1.0));
    }

    fn place() -> Place {
        Place { partition: [0; 32], gate: 1, scope: [7; 32] }
    }

    #[test]
    fn nothing_is_trusted_before_enough_checks_and_nothing_that_was_wrong() {
        let mut semantic = Semantic::default();
        let place = place();
        let vector = vector_of("how long is the warranty");
        semantic.insert(place, [1; 32], vector.clone());
        let near = semantic.nearest(&place, &vector, 0.8, 0.01).unwrap();
        assert!(!near.is_trusted);
        for _ in 0..299 {
            semantic.checked(&place, &near, true);
        }
        assert!(semantic.nearest(&place, &vector, 0.8, 0.01).unwrap().is_trusted);
        assert_eq!(
            semantic.nearest(&Place { partition: [9; 32], ..place }, &vector, 0.8, 0.01),
            None,
            "across partitions"
        );
        for _ in 0..1_000 {
            semantic.checked(&place, &near, true);
        }
        semantic.checked(&place, &near, false);
        assert!(!semantic.nearest(&place, &vector, 0.8, 0.01).unwrap().is_trusted, "it was wrong there");
    }

    #[test]
    fn answers_agree_by_their_words_and_never_with_other_figures() {
        let one = "The warranty lasts two years from the day of purchase.";
        assert!(agree(one, "The warranty lasts two years from the day of the purchase."));
        assert!(!agree("It takes 5 days.", "It takes 7 days."));
        assert!(!agree("The keyboard lasts 100 months.", "The battery lasts 100 months."));
        assert!(!agree("Yes, it does.", "No, it does not."));
        assert!(!agree(one, "Ask the shop where you bought it."));
    }

    #[test]
    fn what_is_learned_is_bounded_and_the_sum_of_all_checks_never_falls() {
        let mut semantic = Semantic::default();
        let near = Near { key: [1; 32], similarity: 0.9, is_trusted: false };
        for number in 0..=SCOPES as u32 {
            let mut scope = [0; 32];
            scope[..4].copy_from_slice(&number.to_le_bytes());
            semantic.checked(&Place { scope, ..place() }, &near, true);
        }
        assert_eq!((semantic.learned.len(), semantic.checks()), (SCOPES, (SCOPES as u32 + 1, 0)));
        assert!(!semantic.learned.contains_key(&[0; 32]), "the one unused for the longest time");
    }

    #[test]
    fn a_question_that_is_answered_again_is_counted_once() {
        let mut semantic = Semantic::default();
        for _ in 0..3 {
            semantic.insert(place(), [1; 32], vec![1.0]);
        }
        assert_eq!(semantic.len(), 1);
    }

    #[test]
    fn a_bucket_holds_no_more_than_its_bound() {
        let mut semantic = Semantic::default();
        for number in 0..BUCKET as u32 + 10 {
            let mut key = [0; 32];
            key[..4].copy_from_slice(&number.to_le_bytes());
            semantic.insert(place(), key, vec![1.0]);
        }
        assert_eq!(semantic.len(), BUCKET);
    }
}
