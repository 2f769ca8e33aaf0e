//! Documents: the truth from which every index is derived.
//!
//! A document goes through three steps, and each is one transaction:
//!
//! 1. [`DocumentStore::accept`] writes a new *revision* of it, with its chunks and an event. Once that returns, the
//!    document is acknowledged: nothing loses it any more. What could be read before can still be read.
//! 2. The indexer writes the vectors of the revision's chunks to the vector index.
//! 3. [`DocumentStore::publish`] makes the revision the visible one, and retires the one before it.
//!
//! After a crash between 1 and 3, [`DocumentMaintenance::pending`] lists what was accepted and not published, and the
//! indexer repeats 2 and 3; both may be repeated any number of times.
//!
//! [`DocumentStore::delete`] takes effect with its commit: no read returns the document after it, whatever the vector
//! index still holds, because every search result passes through [`DocumentStore::hydrate`]. Retired revisions are the
//! list of what has to be removed from the vector index ([`DocumentMaintenance::retired`]); their rows go when the
//! indexer says that it has done so ([`DocumentMaintenance::purge`]).

mod error;
mod model;
mod quarantine;
pub(crate) mod sqlite;

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use mainstay_domain::metadata::FieldKind;
use mainstay_domain::{ChunkId, CorpusName, DocumentId, TenantId};

pub use self::error::{DocumentFlaw, DocumentStoreError};
pub use self::model::{
    AcceptedBatch, AcceptedDocument, ChunkRow, ChunkSpan, Corpus, CorpusCounts, DocumentRecord,
    DocumentStatus, Event, EventKind, EventSeq, Fingerprint, IndexableChunk, IndexableDocument,
    LanguageCounts, NewChunk, NewDocument, ParentId, Published, RetiredRevision, Revision,
};
pub use self::quarantine::{Finding, Judgement, QuarantineQuery, Quarantined, QuarantinedChunk};
pub use self::sqlite::{SealingProgress, SqliteDocuments};

/// A result of the document store.
pub type Result<T, E = DocumentStoreError> = std::result::Result<T, E>;

/// The documents of all tenants. Every call names a tenant, and none returns anything of another one.
///
/// A read of a corpus that does not exist answers [`DocumentStoreError::UnknownCorpus`] where the answer is a list or a
/// sum, and "nothing found" where it is about single documents or chunks.
#[async_trait]
pub trait DocumentStore: Send + Sync {
    /// Creates a corpus, or returns the one of that name when it exists with the same embedder and dimension. Another
    /// embedder is [`DocumentStoreError::EmbedderMismatch`]: vectors of two models cannot be compared.
    async fn create_corpus(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        embedder: &str,
        dimension: usize,
        settings: serde_json::Value,
    ) -> Result<Corpus>;

    /// Changes what a corpus is embedded with; for a rebuild of its index with another model or other settings.
    async fn set_embedder(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        embedder: &str,
        dimension: usize,
        settings: serde_json::Value,
    ) -> Result<Corpus>;

    /// The corpus of that name; `None` when there is none.
    async fn corpus(&self, tenant: &TenantId, corpus: &CorpusName) -> Result<Option<Corpus>>;

    /// The tenant's corpora by name.
    async fn corpora(&self, tenant: &TenantId) -> Result<Vec<Corpus>>;

    /// How much a corpus holds, of what can be read.
    async fn counts(&self, tenant: &TenantId, corpus: &CorpusName) -> Result<CorpusCounts>;

    /// The fields that the metadata of the corpus have or once had, with the kinds of their values, by name.
    async fn fields(&self, tenant: &TenantId, corpus: &CorpusName) -> Result<Vec<(String, FieldKind)>>;

    /// Takes new documents and new versions of documents, all or none. Returns when they are durable. A document that
    /// occurs twice in `documents` counts as replaced at once: its last occurrence is the one that becomes visible.
    async fn accept(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        documents: Vec<NewDocument>,
    ) -> Result<AcceptedBatch>;

    /// Makes accepted revisions visible, and retires those that they replace. A revision that was deleted or replaced
    /// since it was accepted stays invisible and is among the retired ones of the answer. Repeating it changes nothing.
    async fn publish(&self, batch: &AcceptedBatch) -> Result<Published>;

    /// Deletes a document: when this returns, no read returns it, and no revision that is still being indexed will bring
    /// it back. The answer lists what is to be removed from the vector index; `None` when there is no such document.
    async fn delete(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        document: &DocumentId,
    ) -> Result<Option<Vec<RetiredRevision>>>;

    /// For each document whether its newest accepted revision has this fingerprint, so that it need not be parsed again.
    async fn unchanged(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        documents: &[(DocumentId, Fingerprint)],
    ) -> Result<Vec<bool>>;

    /// What is known about a document, without its text.
    async fn get(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        document: &DocumentId,
    ) -> Result<Option<DocumentRecord>>;

    /// The canonical text of a document: the one that byte ranges refer to.
    async fn text(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        document: &DocumentId,
    ) -> Result<Option<String>>;

    /// At most `limit` documents in the order of their ids, from the first id after `after`.
    async fn list(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<DocumentRecord>>;

    /// The chunks with their texts, in the order of `chunks`. Those that are not, or no longer, visible in exactly this
    /// corpus of this tenant are left out, and so are those in quarantine.
    async fn hydrate(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        chunks: &[ChunkId],
    ) -> Result<Vec<ChunkRow>>;

    /// The parent of each of the chunks. Those that are not in this corpus of this tenant have none, those that are no
    /// longer visible may have one.
    async fn parents(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        chunks: &[ChunkId],
    ) -> Result<HashMap<ChunkId, ParentId>>;

    /// Chunks of visible documents that no search finds, in the order of their ids.
    async fn quarantined(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        query: QuarantineQuery<'_>,
    ) -> Result<Vec<QuarantinedChunk>>;

    /// Those of the contents that were released in the corpus.
    async fn released(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        contents: &[Fingerprint],
    ) -> Result<HashSet<Fingerprint>>;

    /// Releases contents for good: no chunk of the corpus that has one is in quarantine any more. Answers the visible
    /// revisions with such chunks, whose indexes are to be written anew; an event names each.
    async fn release(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        contents: &[Fingerprint],
    ) -> Result<Vec<Revision>>;

    /// Everything that can be read in a corpus, for building its index anew: at most `limit` documents, from the first
    /// revision after `after`, in the order of revisions, which is also the order of chunk ids. A page ends early when
    /// its texts are large; the corpus is done when a page is empty.
    async fn live(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        after: Option<Revision>,
        limit: usize,
    ) -> Result<Vec<IndexableDocument>>;
}

/// What the indexer and the operator do with the documents of all tenants at once. Nothing of it answers a request.
#[async_trait]
pub trait DocumentMaintenance: Send + Sync {
    /// All corpora of all tenants.
    async fn all_corpora(&self) -> Result<Vec<Corpus>>;

    /// Documents that were accepted and are neither published nor deleted nor replaced, from the first revision after
    /// `after`; to be indexed and published. At most `limit`; a page ends early when its texts are large.
    async fn pending(&self, after: Option<Revision>, limit: usize) -> Result<Vec<IndexableDocument>>;

    /// Those of the revisions that are visible now, to be indexed again: an index that came back without its last
    /// writes asks for what [`EventKind::Published`] events name since its last checkpoint.
    async fn visible(&self, revisions: &[Revision]) -> Result<Vec<IndexableDocument>>;

    /// Puts chunks of visible revisions into quarantine, and all others of them out of it, in one transaction. Takes effect
    /// with its commit, whatever the indexes still hold; an event names each revision. Others are left alone.
    async fn judge(&self, tenant: &TenantId, corpus: &CorpusName, judgements: &[Judgement]) -> Result<()>;

    /// Revisions that were replaced or deleted and whose rows still exist, oldest first.
    async fn retired(&self, limit: usize) -> Result<Vec<RetiredRevision>>;

    /// Removes the rows of retired revisions. To be called when the vector index no longer holds their chunks, because
    /// the rows are the only list of them. Revisions that are not retired are left alone.
    async fn purge(&self, revisions: &[Revision]) -> Result<()>;

    /// The newest event's number; 0 when there is none.
    async fn last_event(&self) -> Result<EventSeq>;

    /// At most `limit` events after number `after`, in order. Delivery is at least once: a consumer remembers how far it
    /// came by [`set_checkpoint`](Self::set_checkpoint).
    async fn events_after(&self, after: EventSeq, limit: usize) -> Result<Vec<Event>>;

    /// Forgets the events up to and including `through`, which every consumer must have passed.
    async fn forget_events(&self, through: EventSeq) -> Result<()>;

    /// How far a consumer of events came; 0 when it has never said so.
    async fn checkpoint(&self, consumer: &str) -> Result<EventSeq>;

    /// Remembers durably how far a consumer of events came.
    async fn set_checkpoint(&self, consumer: &str, through: EventSeq) -> Result<()>;

    /// Looks for rows that contradict each other, and describes each kind that it finds; empty when all is well. Reads
    /// every row.
    async fn check(&self) -> Result<Vec<String>>;
}
