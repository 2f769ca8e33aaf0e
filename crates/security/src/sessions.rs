//! Browsers that have signed in: a random token for the browser stands for the key, which stays here.
//!
//! The key is shown once, at sign-in; every request is then identified by it anew, so that a revoked key ends its sessions.
//! Sessions live in memory: after a restart people sign in again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mainstay_domain::config::Secret;
use mainstay_domain::{Clock, Timestamp};

use crate::keys::hash;
use crate::ring::{later, random_text};

/// How long a session lasts, however much it is used: a working day.
pub const LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);

/// Most sessions of one key at once, enough for a team that shares it. One more ends the one of them that would end first, and
/// nobody else's.
const MOST_PER_KEY: usize = 100;

/// Most sessions at once. One more ends the one that would end first of the key that has most.
const MOST: usize = 1_000;

/// All sessions.
pub struct Sessions {
    /// By SHA-256 of the token: how long a look-up takes tells nothing about a token.
    open: Mutex<BTreeMap<[u8; 32], Session>>,
    clock: Clock,
}

struct Session {
    key: Secret,
    ends_at: Timestamp,
}

impl Sessions {
    /// None yet.
    pub fn new(clock: Clock) -> Self {
        Self { open: Mutex::default(), clock }
    }

    /// Begins a session with this key, which was found to be valid; answers its token, 64 hexadecimal digits.
    pub fn begin(&self, key: &str) -> Secret {
        let token = random_text(32);
        let now = self.clock.now();
        let mut open = self.lock();
        open.retain(|_, session| session.ends_at > now);
        make_room(&mut open, key);
        open.insert(hash(&token), Session { key: Secret::new(key), ends_at: later(now, LIFETIME) });
        Secret::new(&token)
    }

    /// The key of a session; `None` where there is none or it has ended.
    pub fn key(&self, token: &str) -> Option<Secret> {
        let now = self.clock.now();
        self.lock()
            .get(&hash(token))
            .filter(|session| session.ends_at > now)
            .map(|session| session.key.clone())
    }

    /// Ends a session, if there is one.
    pub fn end(&self, token: &str) {
        self.lock().remove(&hash(token));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<[u8; 32], Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a session where one more of this key would be too many.
fn make_room(open: &mut BTreeMap<[u8; 32], Session>, key: &str) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for session in open.values() {
        *counts.entry(session.key.expose()).or_default() += 1;
    }
    let crowded = if counts.get(key).is_some_and(|count| *count >= MOST_PER_KEY) {
        Some(key)
    } else if open.len() >= MOST {
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(key, _)| key)
    } else {
        None
    };
    let Some(crowded) = crowded else { return };
    let its_own = open.iter().filter(|(_, session)| session.key.expose() == crowded);
    if let Some(first) = its_own.min_by_key(|(_, session)| session.ends_at).map(|(token, _)| *token) {
        open.remove(&first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(sessions: &Sessions, token: &Secret) -> Option<String> {
        sessions.key(token.expose()).map(|key| key.expose().to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_gives_its_key_until_it_ends() {
        let clock = Clock::starting_at(Timestamp::from_micros(0));
        let sessions = Sessions::new(clock);
        let (one, other) = (sessions.begin("msk_1"), sessions.begin("msk_2"));
        assert_ne!(one.expose(), other.expose());
        assert_eq!(key(&sessions, &one).as_deref(), Some("msk_1"));
        assert_eq!(key(&sessions, &Secret::new("msk_1")), None);
        sessions.end(one.expose());
        assert_eq!(key(&sessions, &one), None);
        clock.sleep(LIFETIME).await;
        assert_eq!(key(&sessions, &other), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_signs_in_again_and_again_ends_its_own_sessions_alone() {
        let clock = Clock::starting_at(Timestamp::from_micros(0));
        let sessions = Sessions::new(clock);
        let other = sessions.begin("msk_other");
        clock.sleep(Duration::from_secs(1)).await;
        let first = sessions.begin("msk_busy");
        clock.sleep(Duration::from_secs(1)).await;
        let second = sessions.begin("msk_busy");
        // Of those that began at the same moment any may go first.
        clock.sleep(Duration::from_secs(1)).await;
        for _ in 2..=MOST {
            sessions.begin("msk_busy");
        }
        assert_eq!([&first, &second].map(|token| key(&sessions, token)), [None, None]);
        assert_eq!(key(&sessions, &other).as_deref(), Some("msk_other"));
        assert_eq!(sessions.lock().len(), MOST_PER_KEY + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn where_there_is_no_room_for_all_the_key_with_most_sessions_loses_its_oldest() {
        let clock = Clock::starting_at(Timestamp::from_micros(0));
        let sessions = Sessions::new(clock);
        let alone = sessions.begin("msk_alone");
        let first = sessions.begin("msk_0");
        clock.sleep(Duration::from_secs(1)).await;
        for _ in 1..MOST_PER_KEY {
            sessions.begin("msk_0");
        }
        for number in 0..MOST - MOST_PER_KEY {
            sessions.begin(&format!("msk_{}", 1 + number / 50));
        }
        assert_eq!(sessions.lock().len(), MOST);
        assert_eq!(key(&sessions, &first), None);
        assert_eq!(key(&sessions, &alone).as_deref(), Some("msk_alone"));
    }
}
