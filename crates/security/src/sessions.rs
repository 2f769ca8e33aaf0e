//! Browsers that have signed in: a random token for the browser stands for the key, or for the person whom an identity
//! provider has named. Both stay here.
//!
//! What was shown is shown once, at sign-in; every request is then identified by it anew, so that a revoked key, a revoked
//! user and a suspended tenant end their sessions.
//! Sessions live in memory: after a restart people sign in again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mainstay_domain::config::Secret;
use mainstay_domain::{Clock, Timestamp};

use crate::keys::hash;
use crate::ring::{later, random_text};
use crate::tokens::TokenIdentity;

/// How long a session lasts, however much it is used: a working day.
pub const LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);

/// Most sessions of one holder at once, enough for a team that shares a key. One more ends the one of them that would end
/// first, and nobody else's.
const MOST_PER_HOLDER: usize = 100;

/// Most sessions at once. One more ends the one that would end first of the holder who has most.
const MOST: usize = 1_000;

/// All sessions.
pub struct Sessions {
    /// By SHA-256 of the token: how long a look-up takes tells nothing about a token.
    open: Mutex<BTreeMap<[u8; 32], Session>>,
    clock: Clock,
}

/// By what a browser has signed in.
#[derive(Clone, Debug)]
pub enum Credential {
    /// An API key.
    Key(Secret),
    /// What an identity provider has said.
    Person(Arc<TokenIdentity>),
}

struct Session {
    credential: Credential,
    /// Whose it is, as a hash.
    holder: [u8; 32],
    ends_at: Timestamp,
}

impl Credential {
    /// The same for all sessions of a key, and for all of a person.
    fn holder(&self) -> [u8; 32] {
        match self {
            Self::Key(key) => hash(key.expose()),
            // Quoted, so that no two people are the same text.
            Self::Person(person) => {
                hash(&format!("{:?}\n{:?}\n{:?}", person.issuer, person.tenant, person.user))
            }
        }
    }
}

impl Sessions {
    /// None yet.
    pub fn new(clock: Clock) -> Self {
        Self { open: Mutex::default(), clock }
    }

    /// Begins a session by what was found to be valid; answers its token, 64 hexadecimal digits.
    pub fn begin(&self, credential: Credential) -> Secret {
        let token = random_text(32);
        let now = self.clock.now();
        let holder = credential.holder();
        let mut open = self.lock();
        open.retain(|_, session| session.ends_at > now);
        make_room(&mut open, holder);
        let ends_at = match &credential {
            Credential::Key(_) => later(now, LIFETIME),
            Credential::Person(person) => person.expires_at,
        };
        open.insert(hash(&token), Session { credential, holder, ends_at });
        Secret::new(&token)
    }

    /// By what a session was begun; `None` where there is none or it has ended.
    pub fn find(&self, token: &str) -> Option<Credential> {
        let now = self.clock.now();
        self.lock()
            .get(&hash(token))
            .filter(|session| session.ends_at > now)
            .map(|session| session.credential.clone())
    }

    /// Ends a session, if there is one.
    pub fn end(&self, token: &str) {
        self.lock().remove(&hash(token));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<[u8; 32], Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a session where one more of this holder would be too many.
fn make_room(open: &mut BTreeMap<[u8; 32], Session>, holder: [u8; 32]) {
    let mut counts: BTreeMap<[u8; 32], usize> = BTreeMap::new();
    for session in open.values() {
        *counts.entry(session.holder).or_default() += 1;
    }
    let crowded = if counts.get(&holder).is_some_and(|count| *count >= MOST_PER_HOLDER) {
        Some(holder)
    } else if open.len() >= MOST {
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(holder, _)| holder)
    } else {
        None
    };
    let Some(crowded) = crowded else { return };
    let its_own = open.iter().filter(|(_, session)| session.holder == crowded);
    if let Some(first) = its_own.min_by_key(|(_, session)| session.ends_at).map(|(token, _)| *token) {
        open.remove(&first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(sessions: &Sessions, key: &str) -> Secret {
        sessions.begin(Credential::Key(Secret::new(key)))
    }

    fn key(sessions: &Sessions, token: &Secret) -> Option<String> {
        match sessions.find(token.expose())? {
            Credential::Key(key) => Some(key.expose().to_owned()),
            Credential::Person(_) => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_gives_its_key_until_it_ends() {
        let clock = Clock::starting_at(Timestamp::from_micros(0));
        let sessions = Sessions::new(clock);
        let (one, other) = (begin(&sessions, "msk_1"), begin(&sessions, "msk_2"));
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
        let other = begin(&sessions, "msk_other");
        clock.sleep(Duration::from_secs(1)).await;
        let first = begin(&sessions, "msk_busy");
        clock.sleep(Duration::from_secs(1)).await;
        let second = begin(&sessions, "msk_busy");
        // Of those that began at the same moment any may go first.
        clock.sleep(Duration::from_secs(1)).await;
        for _ in 2..=MOST {
            begin(&sessions, "msk_busy");
        }
        assert_eq!([&first, &second].map(|token| key(&sessions, token)), [None, None]);
        assert_eq!(key(&sessions, &other).as_deref(), Some("msk_other"));
        assert_eq!(sessions.lock().len(), MOST_PER_HOLDER + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn where_there_is_no_room_for_all_the_key_with_most_sessions_loses_its_oldest() {
        let clock = Clock::starting_at(Timestamp::from_micros(0));
        let sessions = Sessions::new(clock);
        let alone = begin(&sessions, "msk_alone");
        let first = begin(&sessions, "msk_0");
        clock.sleep(Duration::from_secs(1)).await;
        for _ in 1..MOST_PER_HOLDER {
            begin(&sessions, "msk_0");
        }
        for number in 0..MOST - MOST_PER_HOLDER {
            begin(&sessions, &format!("msk_{}", 1 + number / 50));
        }
        assert_eq!(sessions.lock().len(), MOST);
        assert_eq!(key(&sessions, &first), None);
        assert_eq!(key(&sessions, &alone).as_deref(), Some("msk_alone"));
    }
}
