//! Tokens that were verified a moment ago, so that a signature is checked once and not for each request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mainstay_domain::Timestamp;
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::claims::TokenIdentity;

/// Most tokens that are remembered: a few megabytes.
const MOST: u64 = 10_000;

/// The tokens, by their SHA-256: none of them lies here in memory, and how long a look-up takes tells nothing about one.
pub(super) struct VerifiedTokens {
    known: Cache<[u8; 32], Arc<Verified>>,
    /// How often all were forgotten. A token that was being verified meanwhile belongs to the time before.
    era: AtomicU64,
}

/// A token that was verified.
pub(super) struct Verified {
    pub(super) identity: TokenIdentity,
    /// By which issuer's keys, and by which state of them: with new keys it is verified anew.
    pub(super) issuer: usize,
    pub(super) keys: u64,
    /// From when on it is worthless, by wall time.
    pub(super) accepted_until: Timestamp,
    /// Until when it is known without another look at its signature.
    pub(super) known_until: Instant,
    pub(super) era: u64,
}

impl VerifiedTokens {
    pub(super) fn new() -> Self {
        Self { known: Cache::new(MOST), era: AtomicU64::new(0) }
    }

    pub(super) fn digest(token: &str) -> [u8; 32] {
        Sha256::digest(token).into()
    }

    pub(super) fn era(&self) -> u64 {
        self.era.load(Ordering::Acquire)
    }

    /// The token, where it is known at this moment. Whether it has expired and whether its keys still count is for the
    /// caller to see.
    pub(super) fn get(&self, digest: &[u8; 32], now: Instant) -> Option<Arc<Verified>> {
        let verified = self.known.get(digest)?;
        let holds = verified.era == self.era() && now < verified.known_until;
        if !holds {
            self.known.invalidate(digest);
        }
        holds.then_some(verified)
    }

    pub(super) fn insert(&self, digest: [u8; 32], verified: Verified) {
        self.known.insert(digest, Arc::new(verified));
    }

    pub(super) fn forget(&self) {
        self.era.fetch_add(1, Ordering::AcqRel);
        self.known.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mainstay_domain::Clock;
    use mainstay_domain::identity::TokenMark;

    use super::*;

    fn verified(now: Instant, era: u64) -> Verified {
        let identity = TokenIdentity {
            issuer: Arc::from("login"),
            user: "ada".into(),
            tenant: "acme".into(),
            roles: vec!["engineer".into()],
            tier: None,
            region: None,
            expires_at: Timestamp::default(),
            token: Arc::new(TokenMark { id: None, issued_at: None }),
        };
        let known_until = now + Duration::from_secs(60);
        Verified { identity, issuer: 0, keys: 0, accepted_until: Timestamp::default(), known_until, era }
    }

    #[test]
    fn a_token_is_known_until_its_time_is_over_or_all_are_forgotten() {
        let tokens = VerifiedTokens::new();
        let now = Clock::system().instant();
        let (one, other) = (VerifiedTokens::digest("a.b.c"), VerifiedTokens::digest("a.b.d"));
        let era = tokens.era();
        tokens.insert(one, verified(now, era));
        assert!(tokens.get(&one, now + Duration::from_millis(59_999)).is_some());
        assert!(tokens.get(&other, now).is_none());
        assert!(tokens.get(&one, now + Duration::from_secs(60)).is_none());
        tokens.insert(one, verified(now, era));
        tokens.forget();
        assert!(tokens.get(&one, now).is_none());
        // Its verification began before all were forgotten, and ends only now.
        tokens.insert(other, verified(now, era));
        assert!(tokens.get(&other, now).is_none());
        tokens.insert(other, verified(now, tokens.era()));
        assert!(tokens.get(&other, now).is_some());
    }
}
