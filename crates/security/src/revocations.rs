//! Tokens of identity providers that are not accepted any more, although they have not expired.
//!
//! A token lives with whoever has it, and its provider is not asked again: so that one can be taken away, each is looked up
//! here when it is shown, and while a stream of it runs. Nobody is named; what is kept are digests.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use mainstay_domain::identity::TokenMark;
use mainstay_domain::{Clock, TenantId, Timestamp, UserId};
use mainstay_store::{Revocation, SqliteRevocations, StorageError};
use sha2::{Digest, Sha256};

use crate::ring::later;

/// The tokens that are refused.
#[derive(Debug)]
pub struct Revocations {
    /// By digest, up to when what was issued is refused.
    list: RwLock<HashMap<[u8; 32], Timestamp>>,
    store: SqliteRevocations,
    /// How long a token may live that is shown after it was revoked.
    longest_lifetime: Duration,
    clock: Clock,
}

impl Revocations {
    /// Those of a store. `longest_lifetime`: that of a token of any provider, after which a revocation is forgotten.
    pub async fn open(
        store: SqliteRevocations,
        longest_lifetime: Duration,
        clock: Clock,
    ) -> Result<Self, StorageError> {
        let list = store.current(clock.now()).await?.into_iter().map(|one| (one.digest, one.at)).collect();
        Ok(Self { list: RwLock::new(list), store, longest_lifetime, clock })
    }

    /// From now on, what was issued to a user until now is refused. Returns until when that is remembered.
    pub async fn revoke_user(&self, tenant: &TenantId, user: &UserId) -> Result<Timestamp, StorageError> {
        self.revoke(digest("user", tenant, user.as_str())).await
    }

    /// From now on, the token with this id (`jti`) is refused. Returns until when that is remembered.
    pub async fn revoke_token(&self, tenant: &TenantId, id: &str) -> Result<Timestamp, StorageError> {
        self.revoke(digest("token", tenant, id)).await
    }

    async fn revoke(&self, digest: [u8; 32]) -> Result<Timestamp, StorageError> {
        let at = self.clock.now();
        let until = later(at, self.longest_lifetime);
        // First where it lasts: what is acknowledged holds after a restart, too.
        self.store.add(&Revocation { digest, at, until }).await?;
        self.list.write().unwrap_or_else(PoisonError::into_inner).insert(digest, at);
        Ok(until)
    }

    /// Whether a token of this user is refused. One that does not say when it was issued counts as issued before.
    pub fn is_revoked(&self, tenant: &TenantId, user: &UserId, token: &TokenMark) -> bool {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        if list.is_empty() {
            return false;
        }
        let by_id = token.id.as_ref().is_some_and(|id| list.contains_key(&digest("token", tenant, id)));
        // Tokens say whole seconds: one of the second in which it was revoked counts as issued before.
        let issued_until =
            |at: Timestamp| token.issued_at.is_none_or(|issued| issued.as_seconds() <= at.as_seconds());
        by_id || list.get(&digest("user", tenant, user.as_str())).is_some_and(|at| issued_until(*at))
    }
}

/// Of whose tokens, or which, it is. The lengths keep two pairs of texts from being the same bytes.
fn digest(kind: &str, tenant: &TenantId, text: &str) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in [kind, tenant.as_str(), text] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mainstay_store::{DataDir, EmbeddedStore};

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn mark(id: Option<&str>, issued_at: Option<i64>) -> TokenMark {
        let issued_at = issued_at.map(|seconds| Timestamp::from_micros(seconds * 1_000_000));
        TokenMark { id: id.map(Arc::from), issued_at }
    }

    #[tokio::test]
    async fn what_was_issued_until_then_is_refused_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::starting_at(Timestamp::from_micros(1_000_500_000));
        let open = async || {
            let folder = DataDir::open(folder.path()).unwrap();
            let store = EmbeddedStore::open(folder, clock).await.unwrap();
            let revocations = Revocations::open(store.revocations(), DAY, clock).await.unwrap();
            (store, revocations)
        };
        let (acme, zoo) = (TenantId::new("acme"), TenantId::new("zoo"));
        let (ada, bob) = (UserId::new("ada"), UserId::new("bob"));
        let check = |revocations: &Revocations| {
            let refused = |tenant, user, mark| revocations.is_revoked(tenant, user, &mark);
            assert!(refused(&acme, &ada, mark(None, None)));
            assert!(refused(&acme, &ada, mark(None, Some(1_000))), "the second in which it was revoked");
            assert!(!refused(&acme, &ada, mark(None, Some(1_001))));
            assert!(!refused(&zoo, &ada, mark(None, None)) && !refused(&acme, &bob, mark(None, None)));
            assert!(refused(&acme, &bob, mark(Some("t-1"), Some(9_999))));
            assert!(!refused(&zoo, &bob, mark(Some("t-1"), None)));
            assert!(!refused(&acme, &bob, mark(Some("t-2"), None)));
        };
        let (store, revocations) = open().await;
        assert!(!revocations.is_revoked(&acme, &ada, &mark(None, None)));
        let until = revocations.revoke_user(&acme, &ada).await.unwrap();
        assert_eq!(until.as_seconds(), 1_000 + 24 * 60 * 60);
        revocations.revoke_token(&acme, "t-1").await.unwrap();
        check(&revocations);
        store.close().await;
        // The folder is let go of with the store.
        drop((store, revocations));
        let (store, revocations) = open().await;
        check(&revocations);
        store.close().await;
    }

    #[tokio::test]
    async fn what_has_expired_by_itself_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::starting_at(Timestamp::from_micros(0));
        let store = EmbeddedStore::open(DataDir::open(folder.path()).unwrap(), clock).await.unwrap();
        let list = store.revocations();
        let one = |digest, at| Revocation {
            digest: [digest; 32],
            at: Timestamp::from_micros(at),
            until: Timestamp::from_micros(at + 10),
        };
        list.add(&one(1, 0)).await.unwrap();
        list.add(&one(2, 5)).await.unwrap();
        list.add(&one(2, 3)).await.unwrap();
        assert_eq!(list.current(Timestamp::from_micros(10)).await.unwrap(), [one(2, 5)]);
        assert_eq!(list.current(Timestamp::from_micros(15)).await.unwrap(), []);
        store.close().await;
    }
}
