//! The document store in SQLite.

mod accept;
mod blocks;
mod corpora;
mod fields;
mod hydrate;
mod load;
mod maintain;
mod publish;
mod quarantine;
mod read;
mod seal;
mod seal_plain;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

pub use self::seal_plain::SealingProgress;
use async_trait::async_trait;
use mainstay_domain::metadata::FieldKind;
use mainstay_domain::{ChunkId, Clock, CorpusName, DocumentId, TenantId};
use sqlx::sqlite::SqliteConnection;

use super::{
    AcceptedBatch, ChunkRow, Corpus, CorpusCounts, DocumentMaintenance, DocumentRecord, DocumentStore,
    DocumentStoreError, Event, EventSeq, Fingerprint, IndexableDocument, Judgement, NewDocument, ParentId,
    Published, QuarantineQuery, QuarantinedChunk, Result, RetiredRevision, Revision,
};
use crate::sealing::Sealing;
use crate::sqlite::Database;

/// The document store in an SQLite database.
#[derive(Clone, Debug)]
pub struct SqliteDocuments {
    database: Database,
    /// How content is sealed; `None` where it is stored as it is.
    sealing: Option<Sealing>,
    clock: Clock,
}

/// The states of a revision, as numbers in its row.
mod state {
    pub(super) const PENDING: i64 = 0;
    pub(super) const VISIBLE: i64 = 1;
    pub(super) const RETIRED: i64 = 2;
}

impl SqliteDocuments {
    pub(crate) const fn new(database: Database, sealing: Option<Sealing>, clock: Clock) -> Self {
        Self { database, sealing, clock }
    }

    fn now(&self) -> i64 {
        self.clock.now().as_micros()
    }
}

#[async_trait]
impl DocumentStore for SqliteDocuments {
    async fn create_corpus(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        embedder: &str,
        dimension: usize,
        settings: serde_json::Value,
    ) -> Result<Corpus> {
        self.create_corpus_row(tenant, corpus, embedder, dimension, settings).await
    }

    async fn set_embedder(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        embedder: &str,
        dimension: usize,
        settings: serde_json::Value,
    ) -> Result<Corpus> {
        self.set_corpus_embedder(tenant, corpus, embedder, dimension, settings).await
    }

    async fn corpus(&self, tenant: &TenantId, corpus: &CorpusName) -> Result<Option<Corpus>> {
        self.find_corpus(tenant, corpus).await
    }

    async fn corpora(&self, tenant: &TenantId) -> Result<Vec<Corpus>> {
        self.corpora_of(tenant).await
    }

    async fn counts(&self, tenant: &TenantId, corpus: &CorpusName) -> Result<CorpusCounts> {
        self.count(tenant, corpus).await
    }

    async fn fields(&self, tenant: &TenantId, corpus: &CorpusName) -> Result<Vec<(String, FieldKind)>> {
        self.fields_of(tenant, corpus).await
    }

    async fn accept(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        documents: Vec<NewDocument>,
    ) -> Result<AcceptedBatch> {
        self.accept_documents(tenant, corpus, &documents).await
    }

    async fn publish(&self, batch: &AcceptedBatch) -> Result<Published> {
        self.publish_batch(batch).await
    }

    async fn delete(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        document: &DocumentId,
    ) -> Result<Option<Vec<RetiredRevision>>> {
        self.delete_document(tenant, corpus, document).await
    }

    async fn unchanged(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        documents: &[(DocumentId, Fingerprint)],
    ) -> Result<Vec<bool>> {
        self.compare_fingerprints(tenant, corpus, documents).await
    }

    async fn get(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        document: &DocumentId,
    ) -> Result<Option<DocumentRecord>> {
        self.get_record(tenant, corpus, document).await
    }

    async fn text(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        document: &DocumentId,
    ) -> Result<Option<String>> {
        self.get_text(tenant, corpus, document).await
    }

    async fn list(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<DocumentRecord>> {
        self.list_records(tenant, corpus, after, limit).await
    }

    async fn hydrate(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        chunks: &[ChunkId],
    ) -> Result<Vec<ChunkRow>> {
        self.hydrate_chunks(tenant, corpus, chunks).await
    }

    async fn parents(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        chunks: &[ChunkId],
    ) -> Result<HashMap<ChunkId, ParentId>> {
        self.parents_of(tenant, corpus, chunks).await
    }

    async fn quarantined(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        query: QuarantineQuery<'_>,
    ) -> Result<Vec<QuarantinedChunk>> {
        self.quarantined_chunks(tenant, corpus, query).await
    }

    async fn released(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        contents: &[Fingerprint],
    ) -> Result<HashSet<Fingerprint>> {
        self.released_contents(tenant, corpus, contents).await
    }

    async fn release(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        contents: &[Fingerprint],
    ) -> Result<Vec<Revision>> {
        self.release_contents(tenant, corpus, contents).await
    }

    async fn live(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        after: Option<Revision>,
        limit: usize,
    ) -> Result<Vec<IndexableDocument>> {
        self.live_documents(tenant, corpus, after, limit).await
    }
}

#[async_trait]
impl DocumentMaintenance for SqliteDocuments {
    async fn all_corpora(&self) -> Result<Vec<Corpus>> {
        self.corpora_of_all().await
    }

    async fn pending(&self, after: Option<Revision>, limit: usize) -> Result<Vec<IndexableDocument>> {
        self.pending_documents(after, limit).await
    }

    async fn visible(&self, revisions: &[Revision]) -> Result<Vec<IndexableDocument>> {
        self.visible_documents(revisions).await
    }

    async fn judge(&self, tenant: &TenantId, corpus: &CorpusName, judgements: &[Judgement]) -> Result<()> {
        self.judge_revisions(tenant, corpus, judgements).await
    }

    async fn retired(&self, limit: usize) -> Result<Vec<RetiredRevision>> {
        self.retired_revisions(limit).await
    }

    async fn purge(&self, revisions: &[Revision]) -> Result<()> {
        self.purge_revisions(revisions).await
    }

    async fn last_event(&self) -> Result<EventSeq> {
        self.newest_event().await
    }

    async fn events_after(&self, after: EventSeq, limit: usize) -> Result<Vec<Event>> {
        self.read_events(after, limit).await
    }

    async fn forget_events(&self, through: EventSeq) -> Result<()> {
        self.remove_events(through).await
    }

    async fn checkpoint(&self, consumer: &str) -> Result<EventSeq> {
        self.read_checkpoint(consumer).await
    }

    async fn set_checkpoint(&self, consumer: &str, through: EventSeq) -> Result<()> {
        self.write_checkpoint(consumer, through).await
    }

    async fn check(&self) -> Result<Vec<String>> {
        self.find_contradictions().await
    }
}

/// The row of a corpus; every statement about documents starts from it, and it is found only with its tenant.
async fn corpus_row(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    corpus: &CorpusName,
) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar("SELECT corpus_row FROM corpora WHERE tenant = $1 AND name = $2")
        .bind(tenant.as_str())
        .bind(corpus.as_str())
        .fetch_optional(connection)
        .await?)
}

/// The row of a corpus that must exist.
async fn existing_corpus_row(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    corpus: &CorpusName,
) -> Result<i64> {
    let row = corpus_row(connection, tenant, corpus).await?;
    row.ok_or_else(|| DocumentStoreError::UnknownCorpus(corpus.clone()))
}
