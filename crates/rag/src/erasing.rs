//! What erasing needs of the library: that nothing of what was deleted is left in an index, and that a tenant's corpora go.

use mainstay_domain::{CorpusName, TenantId};

use crate::library::{Library, LibraryError};
use crate::upgrade::Upgrade;

impl Library {
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
