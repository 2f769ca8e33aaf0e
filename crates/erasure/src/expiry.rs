//! What is kept for a time only: documents of a tenant that says so, and what was said in turns.

use std::time::Duration;

use mainstay_domain::{CorpusName, DocumentId, TenantId, Timestamp};
use mainstay_ops::trail::alias_of_document;
use mainstay_security::tenants::TenantState;
use mainstay_store::ContentsOf;
use tokio_util::sync::CancellationToken;

use crate::eraser::{Eraser, ErasureError};
use crate::subject::Subject;

/// How often it is looked for documents whose time is over.
const LOOKED_EVERY: Duration = Duration::from_secs(60 * 60);

/// Documents that are looked at together.
const PAGE: usize = 500;

impl Eraser {
    /// Deletes what is kept no longer, every hour until it is told to stop.
    pub async fn keep_expiring(&self, stop: CancellationToken) {
        loop {
            let Some(documents) = stop.run_until_cancelled(self.expire()).await else { return };
            tell("documents", documents);
            let Some(turns) = stop.run_until_cancelled(self.expire_contents()).await else { return };
            tell("content of turns", turns);
            if stop.run_until_cancelled(self.clock().sleep(LOOKED_EVERY)).await.is_none() {
                return;
            }
        }
    }

    /// Deletes the documents that are older than their tenant keeps them, counted from their last change; what is held
    /// stays. Returns how many.
    pub async fn expire(&self) -> Result<u64, ErasureError> {
        let mut deleted = 0;
        for tenant in self.stores().tenants.list() {
            let Some(days) = tenant.settings.keep_documents_days else { continue };
            if tenant.state == TenantState::Deleted {
                continue;
            }
            let kept = i64::from(days) * 24 * 60 * 60;
            let before = self.clock().now().as_seconds().saturating_sub(kept);
            deleted += self.expire_of(&tenant.id, before).await?;
        }
        Ok(deleted)
    }

    /// Deletes what was said in turns that ended longer ago than it is kept; what is held stays. Returns of how many.
    pub async fn expire_contents(&self) -> Result<u64, ErasureError> {
        let stores = self.stores();
        let Some(contents) = stores.contents.stored() else { return Ok(0) };
        let kept = i64::try_from(stores.keep_content.as_micros()).unwrap_or(i64::MAX);
        let moment = Timestamp::from_micros(self.clock().now().as_micros().saturating_sub(kept));
        let mut deleted = 0;
        for tenant in contents.tenants().await? {
            let holds = stores.databases.holds(&tenant).await?;
            // What cannot be read holds everything: somebody meant something by it.
            let held = holds.into_iter().map(|hold| match serde_json::from_value(hold.subject) {
                Ok(Subject::User { user }) => ContentsOf::Person(user),
                Ok(Subject::Document { corpus, document }) => ContentsOf::Document(corpus, document),
                Ok(Subject::Tenant) | Err(_) => ContentsOf::Tenant,
            });
            deleted += contents.remove_before(&tenant, moment, &held.collect::<Vec<_>>()).await?;
        }
        Ok(deleted)
    }

    /// Deletes a tenant's documents that were changed last before this second.
    async fn expire_of(&self, tenant: &TenantId, before: i64) -> Result<u64, ErasureError> {
        let library = &self.stores().library;
        let mut deleted = 0;
        for corpus in library.corpora(tenant).await? {
            let corpus = corpus.corpus;
            let mut after: Option<DocumentId> = None;
            loop {
                // A corpus of the configuration in which this tenant has nothing has no page.
                let Ok(page) = library.list(tenant, &corpus, after.as_ref(), PAGE).await else { break };
                let Some(last) = page.last() else { break };
                after = Some(last.doc_id.clone());
                for document in page.into_iter().filter(|document| document.updated_at < before) {
                    deleted += u64::from(self.expire_one(tenant, &corpus, document.doc_id, before).await?);
                }
            }
        }
        Ok(deleted)
    }

    async fn expire_one(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        document: DocumentId,
        before: i64,
    ) -> Result<bool, ErasureError> {
        match self.expect_not_held(tenant, corpus, [document.clone()]).await {
            Err(ErasureError::Held { .. }) => return Ok(false),
            other => other?,
        }
        let stores = self.stores();
        // A newer version may have come meanwhile: that one's time is not over.
        let current = stores.library.get(tenant, corpus, &document).await?;
        if current.is_none_or(|current| current.updated_at >= before) {
            return Ok(false);
        }
        let alias = alias_of_document(corpus, &document);
        let deleted = stores.library.delete(tenant, corpus, &document).await?;
        if deleted {
            stores.trail.expired(tenant, &alias, Timestamp::from_micros(before.saturating_mul(1_000_000)))?;
        }
        Ok(deleted)
    }
}

fn tell(what: &'static str, deleted: Result<u64, ErasureError>) {
    match deleted {
        Ok(0) => {}
        Ok(deleted) => {
            tracing::info!(what, deleted, "what was kept for a time was deleted when that was over")
        }
        Err(error) => {
            tracing::error!(what, %error, "what was kept for a time is not all deleted, though that is over")
        }
    }
}
