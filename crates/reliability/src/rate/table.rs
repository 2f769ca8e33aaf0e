//! The buckets of many callers, in bounded memory.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Allowance, Bucket, Rate, Wait};

/// More shards than this no longer lessen how often two callers meet at one lock.
const MOST_SHARDS: usize = 64;
/// A shard of fewer entries is not worth a lock of its own.
const LEAST_IN_SHARD: usize = 64;

/// A bucket for each key, shared between threads. It remembers a bounded number of keys: a full bucket says nothing that
/// a new one would not, so full ones are forgotten first, and then those that would be full soonest. Forgetting a bucket
/// that was not full gives its caller back what was missing; size the table for the callers of one refill.
///
/// A key that is known or new is served in constant time, amortised: when a shard is full, one pass forgets at least an
/// eighth of it.
#[derive(Debug)]
pub struct RateTable<K> {
    shards: Box<[Mutex<HashMap<K, Slot>>]>,
    in_shard: usize,
    hashing: RandomState,
}

#[derive(Clone, Copy, Default, Debug)]
struct Slot {
    bucket: Bucket,
    /// When the bucket is full again, at the rate it was last asked with.
    full_at: Duration,
}

impl<K: Hash + Eq + Clone> RateTable<K> {
    /// An empty table of at most `capacity` keys, and of one at least.
    pub fn new(capacity: usize) -> Self {
        let shards = (capacity / LEAST_IN_SHARD).clamp(1, MOST_SHARDS);
        Self {
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            in_shard: (capacity / shards).max(1),
            hashing: RandomState::new(),
        }
    }

    /// Takes `cost` tokens from the bucket of `key`; one that is not known is full. See [`Bucket::take`].
    ///
    /// # Errors
    ///
    /// [`Wait`] where they are not there; then none is taken.
    pub fn take(&self, key: &K, rate: Rate, now: Duration, cost: u64) -> Result<Allowance, Wait> {
        let mut shard = self.shard(key);
        if let Some(slot) = shard.get_mut(key) {
            return slot.change(rate, now, |bucket| bucket.take(rate, now, cost));
        }
        let mut slot = Slot::default();
        let allowance = slot.change(rate, now, |bucket| bucket.take(rate, now, cost))?;
        self.insert(&mut shard, key, slot, now);
        Ok(allowance)
    }

    /// Puts `tokens` of `key` back that were taken and not used.
    pub fn give_back(&self, key: &K, rate: Rate, now: Duration, tokens: u64) {
        self.settle(key, rate, now, tokens, 0);
    }

    /// Corrects what `key` took by an estimate once the `actual` use is known. See [`Bucket::settle`].
    pub fn settle(&self, key: &K, rate: Rate, now: Duration, estimated: u64, actual: u64) {
        let mut shard = self.shard(key);
        if let Some(slot) = shard.get_mut(key) {
            slot.change(rate, now, |bucket| bucket.settle(rate, now, estimated, actual));
        } else if actual > estimated {
            let mut slot = Slot::default();
            slot.change(rate, now, |bucket| bucket.settle(rate, now, estimated, actual));
            self.insert(&mut shard, key, slot, now);
        }
    }

    /// Where `key` stands, without taking anything.
    pub fn peek(&self, key: &K, rate: Rate, now: Duration) -> Allowance {
        self.shard(key).get(key).copied().unwrap_or_default().bucket.peek(rate, now)
    }

    /// How many keys are remembered.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| locked(shard).len()).sum()
    }

    /// Whether no key is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, HashMap<K, Slot>> {
        // The shards' own hashers have other seeds, so the keys of one shard still spread within it.
        let hash = self.hashing.hash_one(key) % self.shards.len() as u64;
        locked(&self.shards[hash as usize])
    }

    fn insert(&self, shard: &mut HashMap<K, Slot>, key: &K, slot: Slot, now: Duration) {
        if shard.len() >= self.in_shard {
            forget(shard, self.in_shard - (self.in_shard / 8).max(1), now);
        }
        shard.insert(key.clone(), slot);
    }
}

impl Slot {
    fn change<R>(&mut self, rate: Rate, now: Duration, change: impl FnOnce(&mut Bucket) -> R) -> R {
        let changed = change(&mut self.bucket);
        self.full_at = self.bucket.at.saturating_add(self.bucket.peek(rate, now).reset);
        changed
    }
}

/// Leaves at most `keep` slots: all full ones go, and then as few of the others as it takes, the soonest full first.
fn forget<K: Hash + Eq>(shard: &mut HashMap<K, Slot>, keep: usize, now: Duration) {
    shard.retain(|_, slot| slot.full_at > now);
    let mut surplus = shard.len().saturating_sub(keep);
    if surplus == 0 {
        return;
    }
    let mut times: Vec<Duration> = shard.values().map(|slot| slot.full_at).collect();
    let (sooner, &mut last, _) = times.select_nth_unstable(surplus - 1);
    let mut at_last = surplus - sooner.iter().filter(|&&time| time < last).count();
    shard.retain(|_, slot| {
        let is_surplus = slot.full_at < last || (slot.full_at == last && at_last > 0);
        if is_surplus {
            at_last -= usize::from(slot.full_at == last);
            surplus -= 1;
        }
        !is_surplus
    });
    debug_assert_eq!(surplus, 0, "exactly the surplus is forgotten");
}

/// Nothing under the lock can panic half way; a poisoned one is still whole.
fn locked<K>(shard: &Mutex<HashMap<K, Slot>>) -> MutexGuard<'_, HashMap<K, Slot>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: Rate = Rate { per_minute: 60, burst: 10 };
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn threads_together_get_no_more_than_the_burst() {
        const fn is_shared<T: Send + Sync>() {}
        const { is_shared::<RateTable<String>>() };

        let table = RateTable::new(1_000);
        let passed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| (0..10).filter(|_| table.take(&"key", RATE, SECOND, 1).is_ok()).count())
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or(usize::MAX)).sum()
        });
        assert_eq!(passed, 10);
    }

    #[test]
    fn full_buckets_are_forgotten_before_those_in_use() {
        let table = RateTable::new(16);
        assert!(table.take(&0, RATE, 100 * SECOND, 10).is_ok());
        let mut now = 100 * SECOND;
        for key in 1..60 {
            // Each takes one token and is full again a second later, while ten others come.
            now += SECOND / 10;
            assert!(table.take(&key, RATE, now, 1).is_ok());
        }
        assert_eq!(table.peek(&0, RATE, now).remaining, 5);
        assert!(table.len() <= 16);
    }

    #[test]
    fn where_none_is_full_the_soonest_full_goes() {
        let table = RateTable::new(8);
        for key in 0..8 {
            assert!(table.take(&key, RATE, SECOND, key + 1).is_ok());
        }
        assert!(table.take(&8, RATE, SECOND, 9).is_ok());
        let left: Vec<u64> = (0..9).map(|key| table.peek(&key, RATE, SECOND).remaining).collect();
        assert_eq!(left, [10, 8, 7, 6, 5, 4, 3, 2, 1]);
    }

    #[test]
    fn a_debt_outlives_the_entry_it_was_taken_from() {
        let table = RateTable::new(8);
        table.settle(&1, RATE, SECOND, 5, 20);
        assert_eq!(table.take(&1, RATE, SECOND, 1).map_err(|wait| wait.after), Err(Some(6 * SECOND)));
        table.give_back(&2, RATE, SECOND, 5);
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn what_is_refused_takes_no_room() {
        let table = RateTable::new(8);
        assert!(table.take(&1, Rate { per_minute: 0, burst: 10 }, SECOND, 1).is_err());
        assert!(table.is_empty());
    }

    proptest! {
        #[test]
        fn a_table_stays_within_its_capacity_and_each_key_within_its_rate(
            capacity in 0usize..300,
            calls in proptest::collection::vec((0u8..40, 0u64..20_000, 0u64..12), 1..300),
        ) {
            let table = RateTable::new(capacity);
            let mut passed = [0; 40];
            let mut latest = 0;
            for (key, millis, cost) in calls {
                latest = latest.max(millis);
                let taken = table.take(&key, RATE, Duration::from_millis(millis), cost);
                passed[usize::from(key)] += taken.map_or(0, |_| cost);
                prop_assert!(table.len() <= capacity.max(1));
            }
            if capacity >= 64 {
                prop_assert!(passed.iter().all(|&passed| passed * 1_000 <= 10_000 + latest));
            }
        }
    }
}
