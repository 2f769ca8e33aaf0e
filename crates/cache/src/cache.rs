//! The cache: looked into before a question is answered, filled after.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mainstay_domain::{Clock, Deadline, NanoUsd};
use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::answer::{CachedAnswer, Freshness, is_personal};
use crate::flight::{Flight, Flights, Landing};
use crate::gate::Gate;
use crate::partition::Partition;
use crate::semantic::{Near, Place, Semantic, agree, vector_of};

/// How questions are cached.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CacheSettings {
    /// Which questions are known again.
    pub mode: Mode,
    /// How long an answer may be given again.
    pub lifetime: Duration,
    /// The same of questions about what changes by the hour: "today", "latest", prices.
    pub volatile_lifetime: Duration,
    /// The share of answers to like questions that may be wrong, 0 to 1.
    pub most_wrong: f64,
    /// How like questions must be, 0 to 1, whatever was learned.
    pub least_similarity: f32,
    /// The share of answers to like questions that are checked once they are given, 0 to 1.
    pub checked_share: f64,
}

impl Default for CacheSettings {
    /// Nothing is cached.
    fn default() -> Self {
        Self {
            mode: Mode::Off,
            lifetime: Duration::from_secs(3_600),
            volatile_lifetime: Duration::from_secs(60),
            most_wrong: 0.01,
            least_similarity: 0.8,
            checked_share: 0.05,
        }
    }
}

/// Which questions are known again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// None.
    Off,
    /// The same, word for word.
    Exact,
    /// Those that mean the same as well.
    Semantic,
}

/// What a caller wishes of the cache.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Wish {
    /// Whether an answer from it is welcome (`Cache-Control: no-cache` says no).
    pub reads: bool,
    /// Whether the answer may be kept (`no-store` says no, and that none is welcome).
    pub stores: bool,
    /// How like a question must be at least; can only raise what is configured.
    pub least_similarity: f32,
}

impl Default for Wish {
    fn default() -> Self {
        Self { reads: true, stores: true, least_similarity: 0.0 }
    }
}

/// Which layer knew a question.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Layer {
    /// It was asked word for word.
    Exact,
    /// One that means the same was asked.
    Semantic,
}

impl Layer {
    /// Its name in answers, metrics and the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Semantic => "semantic",
        }
    }
}

/// What the cache has done since it was made.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Stats {
    /// Questions that were looked up.
    pub lookups: u64,
    /// Of them, those that were known word for word.
    pub exact_hits: u64,
    /// Of them, those that were known by their meaning.
    pub semantic_hits: u64,
    /// Answers that were waited for instead of asked for again.
    pub shared: u64,
    /// What the hits would have cost.
    pub saved: NanoUsd,
    /// Checks of like questions, of all tenants and assistants together, and those that showed a wrong answer. What is given
    /// follows the checks of the same tenant and assistant alone.
    pub checks: (u32, u32),
    /// Questions that the semantic layer knows.
    pub questions: usize,
}

/// The answers that were given, and the questions that are being answered.
pub struct AnswerCache {
    answers: Cache<[u8; 32], Arc<CachedAnswer>>,
    /// Never locked while `answers` is used: what leaves `answers` leaves this as well, at once.
    semantic: Arc<Mutex<Semantic>>,
    flights: Arc<Flights>,
    clock: Clock,
    lookups: AtomicU64,
    exact_hits: AtomicU64,
    semantic_hits: AtomicU64,
    shared: AtomicU64,
    saved: AtomicU64,
}

/// A question that the cache was asked for, and whose answer it may be given. Dropped without an answer, another one who
/// waits has the turn.
pub struct Inquiry {
    cache: Arc<AnswerCache>,
    key: [u8; 32],
    lifetime: Duration,
    stores: bool,
    flight: Option<Flight>,
    /// Where the question is in the semantic layer, and what it means.
    meaning: Option<(Place, Vec<f32>)>,
    /// An answer to a like question, to be compared with the one to come.
    check: Option<(Near, Arc<CachedAnswer>)>,
}

/// What the cache knows of a question.
pub enum Found {
    /// An answer, and who knew it.
    Answer(Arc<CachedAnswer>, Layer),
    /// Nothing that may be given: it is to be asked, and the answer to be brought here.
    Nothing(Box<Inquiry>),
}

impl AnswerCache {
    /// An empty one that takes so many bytes at most, about: three quarters of it for answers, one for what the semantic layer
    /// knows.
    pub fn new(bytes: u64, clock: Clock) -> Arc<Self> {
        let known = bytes / 4;
        let semantic = Arc::new(Mutex::new(Semantic::new(usize::try_from(known).unwrap_or(usize::MAX))));
        let weigh =
            |_: &[u8; 32], answer: &Arc<CachedAnswer>| u32::try_from(answer.size()).unwrap_or(u32::MAX);
        let gone = {
            let semantic = semantic.clone();
            move |key: Arc<[u8; 32]>, _: Arc<CachedAnswer>, cause: RemovalCause| {
                if cause != RemovalCause::Replaced {
                    semantic.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
                }
            }
        };
        let answers = Cache::builder()
            .max_capacity(bytes - known)
            .weigher(weigh)
            // By use, not by frequency: those of documents that have changed go first, however often they were asked for, and new
            // ones always have room. The semantic layer goes by use as well.
            .eviction_policy(EvictionPolicy::lru())
            .eviction_listener(gone)
            .build();
        Arc::new(Self {
            answers,
            semantic,
            flights: Arc::default(),
            clock,
            lookups: AtomicU64::new(0),
            exact_hits: AtomicU64::new(0),
            semantic_hits: AtomicU64::new(0),
            shared: AtomicU64::new(0),
            saved: AtomicU64::new(0),
        })
    }

    /// Looks a question up. Where the same question is being answered, its answer is waited for, until the deadline. `None`
    /// where neither an answer is welcome nor the answer may be kept.
    pub async fn find(
        self: &Arc<Self>,
        settings: &CacheSettings,
        partition: Partition,
        question: &str,
        wish: Wish,
        deadline: Deadline,
    ) -> Option<Found> {
        if settings.mode == Mode::Off || !wish.stores {
            return None;
        }
        self.lookups.fetch_add(1, Ordering::Relaxed);
        let key = partition.key(question);
        let lifetime = Freshness::of(question).lifetime(settings.lifetime, settings.volatile_lifetime);
        let mut inquiry = Inquiry {
            cache: self.clone(),
            key,
            lifetime,
            stores: true,
            flight: None,
            meaning: None,
            check: None,
        };
        if !wish.reads {
            return Some(Found::Nothing(Box::new(inquiry)));
        }
        loop {
            if let Some(answer) = self.fresh(&key, lifetime) {
                self.exact_hits.fetch_add(1, Ordering::Relaxed);
                self.save(&answer);
                return Some(Found::Answer(answer, Layer::Exact));
            }
            match self.flights.board(key) {
                Ok(flight) => {
                    inquiry.flight = Some(flight);
                    break;
                }
                Err(mut landing) => {
                    let landed = landing.wait_for(|landing| *landing != Landing::Flying);
                    // Half of the time that is left, so that there is some to ask in if the other reads slowly or not at all.
                    let longest = deadline.remaining(&self.clock) / 2;
                    let Some(landed) = self.clock.timeout(longest, landed).await else {
                        return Some(Found::Nothing(Box::new(inquiry)));
                    };
                    match landed.map(|landing| *landing) {
                        Ok(Landing::Stored) => {
                            self.shared.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(Landing::Kept) => return Some(Found::Nothing(Box::new(inquiry))),
                        Ok(Landing::Lost | Landing::Flying) | Err(_) => {}
                    }
                }
            }
        }
        if settings.mode == Mode::Semantic && !is_personal(question) {
            let Partition { digest, scope, documents } = partition;
            let place = Place { partition: digest, gate: Gate::of(question).bucket(), scope, documents };
            let vector = vector_of(question);
            let least = settings.least_similarity.max(wish.least_similarity);
            let near = self.semantic().nearest(&place, &vector, least, settings.most_wrong);
            if let Some((near, answer)) = near.and_then(|near| Some((near, self.fresh(&near.key, lifetime)?)))
            {
                // Some of what could be given is checked all the same: what is asked changes, and so may the error.
                if near.is_trusted && !is_drawn(&key, settings.checked_share) {
                    self.semantic_hits.fetch_add(1, Ordering::Relaxed);
                    self.save(&answer);
                    // Those who wait look for themselves: the answer is there, under the like question.
                    if let Some(flight) = inquiry.flight.take() {
                        flight.land(Landing::Lost);
                    }
                    return Some(Found::Answer(answer, Layer::Semantic));
                }
                inquiry.check = Some((near, answer));
            }
            inquiry.meaning = Some((place, vector));
        }
        Some(Found::Nothing(Box::new(inquiry)))
    }

    /// Forgets every answer and every question.
    pub fn clear(&self) {
        self.answers.invalidate_all();
        self.answers.run_pending_tasks();
        self.semantic().clear();
    }

    /// What it has done.
    pub fn stats(&self) -> Stats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        // Answers over the bound are else taken out a little later, and their questions with them.
        self.answers.run_pending_tasks();
        let semantic = self.semantic();
        Stats {
            lookups: count(&self.lookups),
            exact_hits: count(&self.exact_hits),
            semantic_hits: count(&self.semantic_hits),
            shared: count(&self.shared),
            saved: NanoUsd::new(i64::try_from(count(&self.saved)).unwrap_or(i64::MAX)),
            checks: semantic.checks(),
            questions: semantic.len(),
        }
    }

    /// The answer, if it is young enough for who asks.
    fn fresh(&self, key: &[u8; 32], lifetime: Duration) -> Option<Arc<CachedAnswer>> {
        let answer = self.answers.get(key)?;
        let age = self.clock.now().as_micros().saturating_sub(answer.at.as_micros());
        let is_fresh = u128::try_from(age).is_ok_and(|age| age < lifetime.as_micros());
        if !is_fresh {
            self.answers.invalidate(key);
        }
        is_fresh.then_some(answer)
    }

    fn save(&self, answer: &CachedAnswer) {
        self.saved.fetch_add(u64::try_from(answer.cost.as_nanos()).unwrap_or(0), Ordering::Relaxed);
    }

    fn semantic(&self) -> MutexGuard<'_, Semantic> {
        self.semantic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a question is among this share of all. By the question, so that it is the same whenever it is asked.
fn is_drawn(key: &[u8; 32], share: f64) -> bool {
    let drawn = u16::from_le_bytes([key[0], key[1]]);
    f64::from(drawn) < share * 65_536.0
}

impl Inquiry {
    /// The answer, where it may be given to others; else that it may not.
    pub fn answered(mut self, answer: Option<CachedAnswer>) {
        if let (Some((near, known)), Some(answer), Some((place, _))) =
            (self.check.take(), &answer, &self.meaning)
        {
            let was_right = agree(known.text(), answer.text());
            self.cache.semantic().checked(place, &near, was_right);
        }
        let kept = answer.filter(|_| self.stores && !self.lifetime.is_zero());
        let landing = if kept.is_some() { Landing::Stored } else { Landing::Kept };
        if let Some(answer) = kept {
            // The question first: an answer that has no room is gone at once, and takes its question with it.
            if let Some((place, vector)) = self.meaning.take() {
                self.cache.semantic().insert(place, self.key, vector);
            }
            self.cache.answers.insert(self.key, Arc::new(answer));
        }
        if let Some(flight) = self.flight.take() {
            flight.land(landing);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use mainstay_domain::Timestamp;

    use super::*;
    use crate::tests::{answer, partition_of, request, tenant};

    #[tokio::test(start_paused = true)]
    async fn who_waits_behind_a_paraphrase_is_given_the_answer_that_it_was_given() {
        let clock = Clock::starting_at(Timestamp::default());
        let cache = AnswerCache::new(1 << 20, clock);
        // One check without an error bounds the share below 95 %.
        let settings = CacheSettings {
            mode: Mode::Semantic,
            most_wrong: 0.96,
            checked_share: 0.0,
            ..CacheSettings::default()
        };
        let partition = partition_of(&request("q"), &tenant("t"));
        let deadline = Deadline::after(&clock, Duration::from_secs(5));
        let find = |question| {
            let (cache, settings) = (cache.clone(), settings);
            async move { cache.find(&settings, partition, question, Wish::default(), deadline).await }
        };
        for question in ["How long does the warranty last?", "How long will the warranty last?"] {
            let Some(Found::Nothing(inquiry)) = find(question).await else { panic!("nothing was checked") };
            inquiry.answered(Some(CachedAnswer { at: clock.now(), ..answer("Two years.") }));
        }
        let burst = "How long would the warranty last?";

        // The first of the burst has its turn and stops where it looks for like questions, until the second waits for it.
        let semantic = cache.semantic();
        let mut second = pin!(find(burst));
        let handle = tokio::runtime::Handle::current();
        let first = std::thread::scope(|scope| {
            let first = scope.spawn(|| handle.block_on(find(burst)));
            let is_waiting = loop {
                if cache.flights.is_under_way(&partition.key(burst)) {
                    break second.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending();
                }
                std::thread::yield_now();
            };
            assert!(is_waiting);
            drop(semantic);
            first.join().unwrap()
        });
        assert!(matches!(first, Some(Found::Answer(_, Layer::Semantic))));
        assert!(matches!(second.await, Some(Found::Answer(_, Layer::Semantic))));
        assert_eq!(cache.stats().semantic_hits, 2);
    }
}
