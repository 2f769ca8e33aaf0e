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

/// Most sessions at once. One more ends the one that would end first.
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
        if open.len() >= MOST
            && let Some(first) =
                open.iter().min_by_key(|(_, session)| session.ends_at).map(|(token, _)| *token)
        {
            open.remove(&first);
        }
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
    async fn there_is_room_for_so_many_and_the_oldest_goes() {
        let clock = Clock::starting_at(Timestamp::from_micros(0));
        let sessions = Sessions::new(clock);
        let first = sessions.begin("msk_first");
        clock.sleep(Duration::from_secs(1)).await;
        let second = sessions.begin("msk_second");
        for _ in 2..=MOST {
            sessions.begin("msk_more");
        }
        assert_eq!(key(&sessions, &first), None);
        assert_eq!(key(&sessions, &second).as_deref(), Some("msk_second"));
    }
}
