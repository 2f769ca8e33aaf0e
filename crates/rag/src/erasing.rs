//! What erasing needs of the library: that nothing of what was deleted is left in an index, and that a tenant's corpora go.

use std::sync::PoisonError;

use mainstay_domain::{CorpusName, DocumentId, TenantId, Timestamp, UserId};

use crate::library::{Library, LibraryError};
use crate::upgrade::Upgrade;

/// How long an upload may be on its way that began before its author was erased.
const LONGEST_UPLOAD: i64 = 15 * 60 * 1_000_000;

impl Library {
    /// Takes no documents of a tenant, or of one of its users, any more: those that are on their way are deleted when they come.
    /// For good of a tenant; of a user until nothing can be on its way any more.
    pub fn bar(&self, tenant: &TenantId, user: Option<&UserId>) {
        let until = match user {
            None => i64::MAX,
            Some(_) => self.clock.now().as_micros().saturating_add(LONGEST_UPLOAD),
        };
        let mut barred = self.barred.lock().unwrap_or_else(PoisonError::into_inner);
        barred.insert((tenant.clone(), user.cloned()), Timestamp::from_micros(until));
    }

    /// Deletes those of the documents that just came whose tenant or author is barred.
    pub(crate) async fn withdraw_barred(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        brought: Vec<(DocumentId, Option<UserId>)>,
    ) -> Result<(), LibraryError> {
        let mut refused = false;
        for (document, author) in brought {
            if self.is_barred(tenant, author) {
                self.delete(tenant, corpus, &document).await?;
                refused = true;
            }
        }
        if refused {
            let reason = "what this account has is being erased; nothing more is taken".to_owned();
            return Err(LibraryError::Refused { code: "account_erased", reason });
        }
        Ok(())
    }

    fn is_barred(&self, tenant: &TenantId, author: Option<UserId>) -> bool {
        let now = self.clock.now();
        let mut barred = self.barred.lock().unwrap_or_else(PoisonError::into_inner);
        if barred.is_empty() {
            return false;
        }
        barred.retain(|_, until| *until > now);
        barred.contains_key(&(tenant.clone(), None))
            || author.is_some_and(|author| barred.contains_key(&(tenant.clone(), Some(author))))
    }

    /// Makes the indexes of a tenant durable, and removes the rows of what was deleted or replaced.
    pub async fn settle(&self, tenant: &TenantId) -> Result<(), LibraryError> {
        for open in self.open_corpora().into_iter().filter(|open| open.tenant() == tenant) {
            open.close(self).await?;
        }
        Ok(())
    }

    /// Writes the indexes of a corpus anew from the documents that there are: of those that were deleted nothing is left in
    /// its files.
    pub async fn rewrite(&self, tenant: &TenantId, corpus: &CorpusName) -> Result<u64, LibraryError> {
        let chunks = self.rebuild(tenant, corpus).await?;
        if let Some(open) = self.known(tenant, corpus) {
            open.renew_upgrade(self).await?;
            open.close(self).await?;
        }
        Ok(chunks)
    }

    /// Removes the corpora of a tenant whose documents were all deleted: their indexes, and all that is known of them here.
    pub async fn drop_corpora(&self, tenant: &TenantId) -> Result<u64, LibraryError> {
        let mut dropped = 0;
        for open in self.open_corpora().into_iter().filter(|open| open.tenant() == tenant) {
            self.forget(tenant, open.name());
            open.drop_index(self).await?;
            Upgrade::remove(self, tenant, open.name()).await?;
            dropped += 1;
        }
        Ok(dropped)
    }
}
