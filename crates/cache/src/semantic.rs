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
//! with how many questions of one kind there are, which is bounded. So is what all of it takes, in bytes: a question goes with
//! its answer, with the version of the documents that it was answered from, and where there are too many. Nobody waits for that:
//! what many questions go with at once is swept out a few at a time, by those that come later.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use mainstay_embed::{StaticEmbedder, dot};

/// Questions of one bucket at most: the oldest go first. A look-up compares with each.
const BUCKET: usize = 1_024;
/// Bytes that a question takes beside its vector, about: its entry, the bucket that it may be alone in, and what finds it by its
/// key, with what such tables hold in reserve.
const QUESTION: usize = 768;
/// Bytes that the checks of an assistant of a tenant take, about.
const SCOPE: usize = 896;
/// Questions that nobody finds any more, of which so many go with each thing that happens.
const SWEPT: usize = 64;
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
    /// The version of the documents that answers are from.
    pub(crate) documents: u64,
}

/// What the semantic layer knows.
#[derive(Debug)]
pub(crate) struct Semantic {
    /// Where questions are, by the keys of their answers.
    places: HashMap<[u8; 32], Place>,
    /// Those whose questions are here or were checked, by tenant and assistant. Where there are more than may be, the one unused
    /// for the longest time is forgotten: its questions are asked and checked anew.
    scopes: HashMap<[u8; 32], Scope>,
    scopes_by_use: BTreeMap<u64, [u8; 32]>,
    most_scopes: usize,
    /// The buckets that are found, the one unused for the longest time first.
    by_use: BTreeMap<u64, Place>,
    /// Buckets that are not found any more.
    gone: Vec<(Place, Bucket)>,
    /// Questions that can be found.
    questions: usize,
    /// Bytes that the questions take, those that are gone included, and that they may take; where they take more, those that are
    /// gone and those of the buckets unused for the longest time go first.
    bytes: usize,
    most_bytes: usize,
    clock: u64,
    /// Checks and errors of all of them, those that were forgotten included.
    checks: (u32, u32),
}

/// What is known of the questions to one assistant of one tenant.
#[derive(Debug)]
struct Scope {
    /// Checks by similarity: how many, and how many were wrong.
    checks: [(u32, u32); BINS + 1],
    /// The version of the documents that its questions were answered from.
    documents: u64,
    used: u64,
    /// By partition and gate.
    buckets: HashMap<([u8; 32], u64), Bucket>,
}

#[derive(Debug, Default)]
struct Bucket {
    /// The oldest first.
    entries: VecDeque<Entry>,
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
    /// One that knows nothing and takes so many bytes at most: an eighth for checks, the rest for questions.
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            places: HashMap::new(),
            scopes: HashMap::new(),
            scopes_by_use: BTreeMap::new(),
            most_scopes: (bytes / 8 / SCOPE).max(1),
            by_use: BTreeMap::new(),
            gone: Vec::new(),
            questions: 0,
            bytes: 0,
            most_bytes: bytes - bytes / 8,
            clock: 0,
            checks: (0, 0),
        }
    }

    /// Forgets every question; what was learnt of how alike questions must be stays.
    pub(crate) fn clear(&mut self) {
        self.scopes.values_mut().for_each(|scope| scope.buckets = HashMap::new());
        self.places = HashMap::new();
        self.by_use.clear();
        self.gone = Vec::new();
        (self.questions, self.bytes) = (0, 0);
    }

    /// The nearest answered question that is at least so similar. Questions that were answered from another version of the
    /// documents are forgotten.
    pub(crate) fn nearest(
        &mut self,
        place: &Place,
        vector: &[f32],
        least: f32,
        most_wrong: f64,
    ) -> Option<Near> {
        if self.enter(place).documents != place.documents {
            self.forget_questions(&place.scope);
            self.enter(place).documents = place.documents;
        }
        let bucket = self.touch(place)?;
        let nearest = bucket.entries.iter().map(|entry| (dot(&entry.vector, vector), entry));
        let (similarity, entry) = nearest.max_by(|one, other| one.0.total_cmp(&other.0))?;
        if similarity < least {
            return None;
        }
        let (key, wrong_at) = (entry.key, entry.wrong_at);
        let scope = self.scopes.get(&place.scope);
        let is_trusted =
            similarity > wrong_at && scope.is_some_and(|scope| scope.is_bounded(similarity, most_wrong));
        Some(Near { key, similarity, is_trusted })
    }

    /// A question was answered. Where the documents have changed since it was asked, its answer is not given again.
    pub(crate) fn insert(&mut self, place: Place, key: [u8; 32], vector: Vec<f32>) {
        self.remove(&key);
        let scope = self.enter(&place);
        if scope.documents != place.documents {
            return;
        }
        let bucket = scope.buckets.entry(place.bucket()).or_default();
        let oldest = bucket.entries.front().filter(|_| bucket.entries.len() >= BUCKET).map(|entry| entry.key);
        let entry = Entry { key, vector, wrong_at: -1.0 };
        let size = entry.size();
        bucket.entries.push_back(entry);
        self.places.insert(key, place);
        self.bytes += size;
        self.questions += 1;
        self.touch(&place);
        if let Some(oldest) = oldest {
            self.remove(&oldest);
        }
        self.make_room();
    }

    /// The answer to a question is gone.
    pub(crate) fn remove(&mut self, key: &[u8; 32]) {
        // One of a bucket that is gone itself stays there until it is swept out.
        let Some(place) = self.places.remove(key) else { return };
        let Some(scope) = self.scopes.get_mut(&place.scope) else { return };
        if scope.documents != place.documents {
            return;
        }
        let Some(bucket) = scope.buckets.get_mut(&place.bucket()) else { return };
        let at = bucket.entries.iter().position(|entry| entry.key == *key);
        if let Some(entry) = at.and_then(|at| bucket.entries.remove(at)) {
            self.bytes -= entry.size();
            self.questions -= 1;
        }
        if bucket.entries.is_empty() {
            self.by_use.remove(&bucket.used);
            scope.buckets.remove(&place.bucket());
        }
    }

    /// What a check has shown: whether the answer to the question `key` was right for one that is so similar to it.
    pub(crate) fn checked(&mut self, place: &Place, near: &Near, was_right: bool) {
        count(&mut self.checks, was_right);
        let scope = self.enter(place);
        count(&mut scope.checks[bin_of(near.similarity)], was_right);
        let entries = scope.buckets.get_mut(&place.bucket()).map(|bucket| &mut bucket.entries);
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

    /// What is known of the tenant's assistant, which is used now.
    fn enter(&mut self, place: &Place) -> &mut Scope {
        self.clock += 1;
        self.sweep(SWEPT);
        if self.scopes.len() >= self.most_scopes
            && !self.scopes.contains_key(&place.scope)
            && let Some((_, unused)) = self.scopes_by_use.pop_first()
        {
            self.forget_questions(&unused);
            self.scopes.remove(&unused);
        }
        let unknown = || Scope {
            checks: [(0, 0); BINS + 1],
            documents: place.documents,
            used: 0,
            buckets: HashMap::new(),
        };
        let scope = self.scopes.entry(place.scope).or_insert_with(unknown);
        self.scopes_by_use.remove(&scope.used);
        self.scopes_by_use.insert(self.clock, place.scope);
        scope.used = self.clock;
        scope
    }

    /// The bucket, if there is one, which is used now.
    fn touch(&mut self, place: &Place) -> Option<&Bucket> {
        let bucket = self.scopes.get_mut(&place.scope)?.buckets.get_mut(&place.bucket())?;
        self.by_use.remove(&bucket.used);
        self.by_use.insert(self.clock, *place);
        bucket.used = self.clock;
        Some(bucket)
    }

    /// None of the questions of the scope is found any more.
    fn forget_questions(&mut self, scope: &[u8; 32]) {
        let Some(known) = self.scopes.get_mut(scope) else { return };
        for ((partition, gate), bucket) in known.buckets.drain() {
            self.by_use.remove(&bucket.used);
            self.questions -= bucket.entries.len();
            self.gone.push((Place { partition, gate, scope: *scope, documents: known.documents }, bucket));
        }
    }

    /// Lets go of so many questions at most that nobody finds any more.
    fn sweep(&mut self, most: usize) {
        for _ in 0..most {
            let Some((place, bucket)) = self.gone.last_mut() else { return };
            match bucket.entries.pop_front() {
                Some(entry) => {
                    self.bytes -= entry.size();
                    if self.places.get(&entry.key) == Some(&*place) {
                        self.places.remove(&entry.key);
                    }
                }
                None => {
                    self.gone.pop();
                }
            }
        }
    }

    /// Lets go of what is gone, and of the oldest questions of the bucket that was unused for the longest time, until what is left
    /// has room.
    fn make_room(&mut self) {
        while self.bytes > self.most_bytes {
            if !self.gone.is_empty() {
                self.sweep(SWEPT);
                continue;
            }
            let Some((_, unused)) = self.by_use.first_key_value() else { return };
            let bucket = self.scopes.get(&unused.scope).and_then(|scope| scope.buckets.get(&unused.bucket()));
            let Some(oldest) = bucket.and_then(|bucket| bucket.entries.front()).map(|entry| entry.key) else {
                return;
            };
            self.remove(&oldest);
        }
    }
}

impl Place {
    fn bucket(&self) -> ([u8; 32], u64) {
        (self.partition, self.gate)
    }
}

impl Entry {
    /// Bytes that it takes, about.
    fn size(&self) -> usize {
        QUESTION + size_of_val(self.vector.as_slice())
    }
}

/// Counts a check.
fn count(checks: &mut (u32, u32), was_right: bool) {
    checks.0 = checks.0.saturating_add(1);
    checks.1 = checks.1.saturating_add(u32::from(!was_right));
}

impl Scope {
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
    use proptest::prelude::*;

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
        Place { partition: [0; 32], gate: 1, scope: [7; 32], documents: 1 }
    }

    #[test]
    fn nothing_is_trusted_before_enough_checks_and_nothing_that_was_wrong() {
        let mut semantic = Semantic::new(16 << 20);
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
        let mut semantic = Semantic::new(16 << 20);
        let near = Near { key: [1; 32], similarity: 0.9, is_trusted: false };
        let most = semantic.most_scopes as u32;
        for number in 0..=most {
            let mut scope = [0; 32];
            scope[..4].copy_from_slice(&number.to_le_bytes());
            semantic.checked(&Place { scope, ..place() }, &near, true);
        }
        assert_eq!((semantic.scopes.len() as u32, semantic.checks()), (most, (most + 1, 0)));
        assert!(!semantic.scopes.contains_key(&[0; 32]), "the one unused for the longest time");
    }

    #[test]
    fn a_question_that_is_answered_again_is_counted_once() {
        let mut semantic = Semantic::new(16 << 20);
        for _ in 0..3 {
            semantic.insert(place(), [1; 32], vec![1.0]);
        }
        assert_eq!(semantic.len(), 1);
    }

    #[test]
    fn a_bucket_holds_no_more_than_its_bound() {
        let mut semantic = Semantic::new(16 << 20);
        for number in 0..BUCKET as u32 + 10 {
            let mut key = [0; 32];
            key[..4].copy_from_slice(&number.to_le_bytes());
            semantic.insert(place(), key, vec![1.0]);
        }
        assert_eq!(semantic.len(), BUCKET);
    }

    /// One thing that happens to the layer: of the few scopes, gates, versions and keys that there are.
    #[derive(Clone, Debug)]
    enum Step {
        Find(Place),
        Insert(Place, u8),
        Remove(u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let place = || {
            (0u8..4, 0u64..3, 0u64..2).prop_map(|(scope, gate, documents)| {
                let partition = [scope + 4 * documents as u8; 32];
                Place { partition, gate, scope: [scope; 32], documents }
            })
        };
        let step = prop_oneof![
            2 => place().prop_map(Step::Find),
            6 => (place(), any::<u8>()).prop_map(|(place, key)| Step::Insert(place, key)),
            1 => any::<u8>().prop_map(Step::Remove),
        ];
        proptest::collection::vec(step, 1..200)
    }

    proptest! {
        #[test]
        fn questions_are_counted_as_they_are_and_take_no_more_than_they_may(steps in steps()) {
            // Three of the four scopes, and a few questions.
            let mut semantic = Semantic::new(24 * SCOPE);
            for step in steps {
                match step {
                    Step::Find(place) => {
                        semantic.nearest(&place, &[1.0; 8], 0.0, 0.01);
                    }
                    Step::Insert(place, key) => semantic.insert(place, [key; 32], vec![1.0; 8]),
                    Step::Remove(key) => semantic.remove(&[key; 32]),
                }
                let mut found = 0;
                let mut bytes = 0;
                for (name, scope) in &semantic.scopes {
                    for ((partition, gate), bucket) in &scope.buckets {
                        let place =
                            Place { partition: *partition, gate: *gate, scope: *name, documents: scope.documents };
                        prop_assert_eq!(semantic.by_use.get(&bucket.used), Some(&place));
                        prop_assert!(!bucket.entries.is_empty());
                        for entry in &bucket.entries {
                            prop_assert_eq!(semantic.places.get(&entry.key), Some(&place));
                            (found, bytes) = (found + 1, bytes + entry.size());
                        }
                    }
                    prop_assert_eq!(semantic.scopes_by_use.get(&scope.used), Some(name));
                }
                let gone: Vec<&Entry> =
                    semantic.gone.iter().flat_map(|(_, bucket)| &bucket.entries).collect();
                prop_assert_eq!(semantic.len(), found);
                prop_assert_eq!(semantic.bytes, bytes + gone.iter().map(|entry| entry.size()).sum::<usize>());
                prop_assert!(semantic.places.len() <= found + gone.len());
                prop_assert!(semantic.bytes <= semantic.most_bytes && semantic.scopes.len() <= 3);
                let buckets: usize = semantic.scopes.values().map(|scope| scope.buckets.len()).sum();
                prop_assert_eq!((semantic.by_use.len(), semantic.scopes_by_use.len()), (buckets, semantic.scopes.len()));
            }
        }
    }
}
