//! The quarantine of a corpus: what is in it, and the way out.

use std::collections::BTreeSet;

use mainstay_documents::words;
use mainstay_domain::{ByteRange, ChunkId, CorpusName, DocumentId, TenantId};
use mainstay_store::documents::{Fingerprint, QuarantineQuery, QuarantinedChunk};

use crate::library::{Library, LibraryError};

/// A chunk that no search finds.
#[derive(Clone, PartialEq, Debug)]
pub struct QuarantinedInfo {
    /// The chunk.
    pub chunk: ChunkId,
    /// Its document.
    pub doc_id: DocumentId,
    /// Where it is in the document's text.
    pub range: ByteRange,
    /// Its words.
    pub words: u32,
    /// Why.
    pub reason: String,
    /// The text itself.
    pub text: String,
}

/// Which chunks are to be found from now on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Release {
    /// All of a document.
    Document(DocumentId),
    /// One.
    Chunk(ChunkId),
    /// All of the corpus.
    All,
}

/// What was released.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Released {
    /// Chunks. Those of the same content count, in whichever document they are.
    pub chunks: usize,
    /// Documents that have them.
    pub documents: usize,
}

/// Chunks that are read at once.
const PAGE: usize = 1_000;

impl Library {
    /// Chunks that no search finds, in the order of their ids, from the first after `after`; at most `limit`. Of one
    /// document or of all.
    pub async fn quarantine(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        document: Option<&DocumentId>,
        after: Option<ChunkId>,
        limit: usize,
    ) -> Result<Vec<QuarantinedInfo>, LibraryError> {
        if self.known(tenant, corpus).is_none() {
            return if self.is_configured(corpus) { Ok(Vec::new()) } else { Err(self.unknown(corpus)) };
        }
        let query = QuarantineQuery { document, after, limit };
        let chunks = self.documents.quarantined(tenant, corpus, query).await?;
        Ok(chunks.into_iter().map(QuarantinedInfo::of).collect())
    }

    /// Releases chunks for good: when this returns, searches find them, and they do after the same text comes again. What
    /// counts is the content: all chunks of the corpus that have it are released.
    pub async fn release(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        what: &Release,
    ) -> Result<Released, LibraryError> {
        let Some(open) = self.known(tenant, corpus) else {
            return match what {
                _ if !self.is_configured(corpus) => Err(self.unknown(corpus)),
                Release::Chunk(chunk) => Err(not_there(*chunk)),
                Release::Document(_) | Release::All => Ok(Released::default()),
            };
        };
        let view = open.searchable_view()?;
        // Held from here on, so that no document comes in with what is released meanwhile.
        let mut writer = open.writer().await;
        let all = self.all_quarantined(tenant, corpus).await?;
        let is_meant = |chunk: &&QuarantinedChunk| match what {
            Release::Document(document) => chunk.doc_id == *document,
            Release::Chunk(id) => chunk.chunk == *id,
            Release::All => true,
        };
        let contents: BTreeSet<[u8; 32]> =
            all.iter().filter(is_meant).map(|chunk| chunk.finding.content.0).collect();
        if contents.is_empty() {
            return match what {
                Release::Chunk(chunk) => Err(not_there(*chunk)),
                Release::Document(_) | Release::All => Ok(Released::default()),
            };
        }
        let released = all.iter().filter(|chunk| contents.contains(&chunk.finding.content.0));
        let documents: BTreeSet<&DocumentId> = released.clone().map(|chunk| &chunk.doc_id).collect();
        let counts = Released { chunks: released.count(), documents: documents.len() };
        let contents: Vec<Fingerprint> = contents.into_iter().map(Fingerprint).collect();
        let revisions = self.documents.release(tenant, corpus, &contents).await?;
        open.reindex(self, &mut writer, &view, &revisions).await?;
        drop(writer);
        open.refresh_view(self).await?;
        if let Some(upgrade) = open.upgrade() {
            upgrade.measure(self).await?;
        }
        self.wake_upgrade();
        tracing::info!(%corpus, chunks = counts.chunks, documents = counts.documents, "chunks were released");
        Ok(counts)
    }

    async fn all_quarantined(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
    ) -> Result<Vec<QuarantinedChunk>, LibraryError> {
        let mut all: Vec<QuarantinedChunk> = Vec::new();
        loop {
            let after = all.last().map(|chunk| chunk.chunk);
            let query = QuarantineQuery { document: None, after, limit: PAGE };
            let mut page = self.documents.quarantined(tenant, corpus, query).await?;
            if page.is_empty() {
                return Ok(all);
            }
            // Only their contents' hashes are wanted, of however many there are.
            page.iter_mut().for_each(|chunk| chunk.text = String::new());
            all.extend(page);
        }
    }
}

fn not_there(chunk: ChunkId) -> LibraryError {
    let reason = format!(
        "there is no chunk {chunk} in quarantine; `mainstay corpus quarantine` lists those that are. A document that was \
         added again has new chunks"
    );
    LibraryError::Refused { code: "chunk_not_quarantined", reason }
}

impl QuarantinedInfo {
    fn of(chunk: QuarantinedChunk) -> Self {
        Self {
            chunk: chunk.chunk,
            doc_id: chunk.doc_id,
            range: chunk.range,
            words: words(&chunk.text),
            reason: chunk.finding.reason,
            text: chunk.text,
        }
    }
}
