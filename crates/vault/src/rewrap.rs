//! From one master key to the next.

use crate::keys::{KeyError, TenantKeys, payload, unwrap};
use crate::store::WrappedKey;

/// Which master keys the stored keys need.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct KeyCensus {
    /// Keys that the current master key wrapped.
    pub current: u64,
    /// Keys that need a previous one: [`TenantKeys::rewrap`] moves them.
    pub previous: u64,
}

/// What was wrapped again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rewrapped {
    /// Keys that were moved to the current master key now.
    pub moved: u64,
    /// Keys that were there already.
    pub already: u64,
}

impl TenantKeys {
    /// Whether every stored key was wrapped by a master key that is at hand; the first that was not is the error. For the
    /// start of the program: it compares names and unwraps nothing.
    pub async fn check(&self) -> Result<KeyCensus, KeyError> {
        let mut census = KeyCensus::default();
        for key in self.store().all().await? {
            if key.master == *self.masters().current().id() {
                census.current += 1;
            } else if self.masters().find(&key.master).is_some() {
                census.previous += 1;
            } else {
                return Err(KeyError::UnknownMaster {
                    tenant: key.tenant,
                    version: key.version,
                    master: key.master,
                    known: self.masters().to_string(),
                });
            }
        }
        Ok(census)
    }

    /// Wraps every key with the current master key that a previous one has wrapped. No data is sealed again, and the
    /// service may run meanwhile. It stops at the first key that fails; what was done stays done, in this call and in one
    /// that is interrupted, so that calling it again goes on. When it has come to its end, nothing needs the previous
    /// master keys any more.
    pub async fn rewrap(&self) -> Result<Rewrapped, KeyError> {
        let current = self.masters().current();
        let mut done = Rewrapped::default();
        for old in self.store().all().await? {
            if old.master == *current.id() {
                done.already += 1;
                continue;
            }
            let key = unwrap(self.masters(), &old).await?;
            let WrappedKey { tenant, version, master: from, created_at, .. } = old;
            let failed = |source| KeyError::Wrap { tenant: tenant.clone(), version, source };
            let wrapped = current.wrap(&payload(&key, &tenant, version)).await.map_err(failed)?;
            let new = WrappedKey { tenant, version, master: current.id().clone(), wrapped, created_at };
            // A key that was destroyed meanwhile is not counted, and does not come back.
            done.moved += u64::from(self.store().rewrap(&new, &from).await?);
        }
        Ok(done)
    }
}
