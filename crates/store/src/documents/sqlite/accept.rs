//! Accepting documents: revisions, chunks, texts and events in one transaction.

use std::collections::{HashMap, HashSet};

use mainstay_domain::{ByteRange, ChunkId, CorpusName, DocumentId, TenantId, Timestamp, UserId};
use sqlx::sqlite::SqliteConnection;

use super::blocks::{BLOCK_BYTES, INSERT_BLOCKS, blocks_of};
use super::fields::insert_fields;
use super::quarantine::insert_findings;
use super::seal::{Content, purpose};
use super::{SqliteDocuments, existing_corpus_row, state};
use crate::documents::{
    AcceptedBatch, AcceptedDocument, ChunkSpan, DocumentFlaw, DocumentStoreError, EventKind, NewChunk,
    NewDocument, Result, Revision,
};
use crate::error::StorageError;
use crate::sqlite::{IdList, MultiRowInsert, Row, column, number, sql_number};

static SELECT_DOCUMENTS: IdList = IdList::new(
    "SELECT doc_id, document_row, pending_revision FROM documents WHERE corpus_row = ? AND doc_id IN",
    1,
    "",
);

static SET_STATE: IdList = IdList::new("UPDATE revisions SET state = ? WHERE revision IN", 1, "");

static INSERT_DOCUMENTS: MultiRowInsert = MultiRowInsert::new(
    "INSERT INTO documents (document_row, corpus_row, doc_id, pending_revision, created_at)",
    5,
    "ON CONFLICT (document_row) DO UPDATE SET pending_revision = excluded.pending_revision",
);

static INSERT_REVISIONS: MultiRowInsert = MultiRowInsert::new(
    "INSERT INTO revisions (revision, document_row, corpus_row, state, title, media_type, language, source_name, \
     source_sha256, source_bytes, text_bytes, first_chunk, chunk_count, first_block, accepted_at, metadata, \
     author)",
    17,
    "",
);

static INSERT_CHUNKS: MultiRowInsert = MultiRowInsert::new(
    "INSERT INTO chunks (chunk_id, revision, start_byte, end_byte, parent_start, parent_end, headings, language)",
    8,
    "",
);

static INSERT_EVENTS: MultiRowInsert =
    MultiRowInsert::new("INSERT INTO events (seq, kind, tenant, corpus, doc_id, revision, at)", 7, "");

impl SqliteDocuments {
    pub(super) async fn accept_documents(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        documents: &[NewDocument],
    ) -> Result<AcceptedBatch> {
        documents.iter().try_for_each(check)?;
        let accepted_at = self.now();
        let content = self.content(tenant).await?;
        let mut transaction = self.database.write().await?;
        let corpus_row = existing_corpus_row(&mut transaction, tenant, corpus).await?;
        let mut known = known_documents(&mut transaction, corpus_row, documents).await?;
        let ids = Ids::reserve(&mut transaction, documents, &known).await?;
        let plan = plan(documents, &mut known, ids);

        set_state(&mut transaction, &plan.superseded, state::RETIRED).await?;
        INSERT_DOCUMENTS
            .run(&mut transaction, &plan.documents, |(row_id, doc_id, pending), row| {
                row.add(*row_id).add(corpus_row).add(doc_id.as_str()).add(*pending).add(accepted_at);
            })
            .await?;
        INSERT_REVISIONS
            .try_run(&mut transaction, &plan.revisions, |revision, row| {
                revision.bind(&content, corpus_row, accepted_at, row)
            })
            .await?;
        insert_texts(&mut transaction, &content, &plan.revisions).await?;
        insert_chunks(&mut transaction, &content, &plan.revisions).await?;
        insert_new_findings(&mut transaction, &content, &plan.revisions).await?;
        insert_fields(&mut transaction, corpus_row, documents).await?;
        let events: Vec<EventRow<'_>> = plan
            .revisions
            .iter()
            .map(|revision| EventRow { doc_id: revision.document.doc_id.as_str(), revision: revision.id })
            .collect();
        insert_events(
            &mut transaction,
            EventKind::Accepted,
            (tenant, corpus),
            ids.event,
            accepted_at,
            &events,
        )
        .await?;
        transaction.commit().await?;

        let documents = plan.revisions.iter().map(PlannedRevision::accepted).collect();
        Ok(AcceptedBatch {
            tenant: tenant.clone(),
            corpus: corpus.clone(),
            accepted_at: Timestamp::from_micros(accepted_at),
            documents,
        })
    }
}

/// An event that is to be written.
pub(super) struct EventRow<'a> {
    pub(super) doc_id: &'a str,
    pub(super) revision: u64,
}

/// Writes events with the numbers from `first` on.
pub(super) async fn insert_events(
    connection: &mut SqliteConnection,
    kind: EventKind,
    (tenant, corpus): (&TenantId, &CorpusName),
    first: u64,
    at: i64,
    events: &[EventRow<'_>],
) -> Result<()> {
    let numbered: Vec<_> = (first..).zip(events).collect();
    INSERT_EVENTS
        .run(connection, &numbered, |(seq, event), row| {
            row.add(sql_number(*seq)).add(kind.as_str()).add(tenant.as_str()).add(corpus.as_str());
            row.add(event.doc_id).add(sql_number(event.revision)).add(at);
        })
        .await?;
    Ok(())
}

/// Reserves numbers of events and returns the first.
pub(super) async fn reserve_events(connection: &mut SqliteConnection, count: usize) -> Result<u64> {
    let row = sqlx::query("UPDATE next_ids SET event = event + $1 WHERE only_row = 1 RETURNING event - $1")
        .bind(sql_number(count as u64))
        .fetch_one(connection)
        .await?;
    Ok(number(&row, 0)?)
}

/// Moves revisions to another state.
pub(super) async fn set_state(
    connection: &mut SqliteConnection,
    revisions: &[i64],
    state: i64,
) -> Result<()> {
    SET_STATE
        .execute(connection, revisions, |row| {
            row.add(state);
        })
        .await?;
    Ok(())
}

fn check(document: &NewDocument) -> Result<()> {
    let invalid = |flaw| DocumentStoreError::InvalidDocument { document: document.doc_id.clone(), flaw };
    document.doc_id.check().map_err(|fault| invalid(DocumentFlaw::Id(fault)))?;
    let is_text = |range: ByteRange| document.text.get(range.start..range.end).is_some();
    for (index, chunk) in document.chunks.iter().enumerate() {
        let NewChunk { range, parent_range, .. } = chunk;
        if !is_text(*range) {
            return Err(invalid(DocumentFlaw::ChunkOutsideText { chunk: index }));
        }
        if !is_text(*parent_range) || range.start < parent_range.start || range.end > parent_range.end {
            return Err(invalid(DocumentFlaw::ParentOutsideText { chunk: index }));
        }
    }
    Ok(())
}

/// A document whose id exists in the corpus.
struct KnownDocument {
    row: u64,
    pending: Option<u64>,
}

async fn known_documents<'a>(
    connection: &mut SqliteConnection,
    corpus_row: i64,
    documents: &'a [NewDocument],
) -> Result<HashMap<&'a str, KnownDocument>> {
    let doc_ids: Vec<&str> = documents.iter().map(|document| document.doc_id.as_str()).collect();
    let by_id: HashMap<&str, &str> = doc_ids.iter().map(|id| (*id, *id)).collect();
    let mut known = HashMap::new();
    for (sql, arguments) in SELECT_DOCUMENTS.statements(&doc_ids, |row| {
        row.add(corpus_row);
    }) {
        for row in sqlx::query_with(sql, arguments).fetch_all(&mut *connection).await? {
            let pending: Option<i64> = column(&row, 2)?;
            let document = KnownDocument { row: number(&row, 1)?, pending: pending.map(|id| id as u64) };
            if let Some(doc_id) = by_id.get(column::<&str>(&row, 0)?) {
                known.insert(*doc_id, document);
            }
        }
    }
    Ok(known)
}

/// The first of each kind of id that a batch uses.
#[derive(Clone, Copy)]
struct Ids {
    document: u64,
    revision: u64,
    chunk: u64,
    block: u64,
    event: u64,
}

impl Ids {
    async fn reserve(
        connection: &mut SqliteConnection,
        documents: &[NewDocument],
        known: &HashMap<&str, KnownDocument>,
    ) -> Result<Self> {
        let new: HashSet<&str> = documents
            .iter()
            .map(|document| document.doc_id.as_str())
            .filter(|id| !known.contains_key(id))
            .collect();
        let count = documents.len() as u64;
        let chunks: u64 = documents.iter().map(|document| document.chunks.len() as u64).sum();
        let blocks: u64 = documents.iter().map(|document| blocks_of(document.text.len() as u64)).sum();
        let row = sqlx::query(
            "UPDATE next_ids SET document = document + $1, revision = revision + $2, chunk = chunk + $3, \
             block = block + $4, event = event + $2 WHERE only_row = 1 \
             RETURNING document - $1, revision - $2, chunk - $3, block - $4, event - $2",
        )
        .bind(sql_number(new.len() as u64))
        .bind(sql_number(count))
        .bind(sql_number(chunks))
        .bind(sql_number(blocks))
        .fetch_one(connection)
        .await?;
        Ok(Self {
            document: number(&row, 0)?,
            revision: number(&row, 1)?,
            chunk: number(&row, 2)?,
            block: number(&row, 3)?,
            event: number(&row, 4)?,
        })
    }
}

/// All rows that a batch writes.
struct Plan<'a> {
    /// Row, id and pending revision of each document.
    documents: Vec<(i64, &'a DocumentId, i64)>,
    revisions: Vec<PlannedRevision<'a>>,
    /// Earlier revisions that were accepted and never published, and are now replaced.
    superseded: Vec<i64>,
}

struct PlannedRevision<'a> {
    id: u64,
    document: &'a NewDocument,
    document_row: u64,
    state: i64,
    first_chunk: u64,
    first_block: u64,
}

fn plan<'a>(
    documents: &'a [NewDocument],
    known: &mut HashMap<&'a str, KnownDocument>,
    first: Ids,
) -> Plan<'a> {
    let mut next = first;
    let mut revisions: Vec<PlannedRevision<'a>> = Vec::with_capacity(documents.len());
    let mut superseded = Vec::new();
    let mut latest: HashMap<&str, usize> = HashMap::with_capacity(documents.len());
    for (index, document) in documents.iter().enumerate() {
        let doc_id = document.doc_id.as_str();
        let entry = known.entry(doc_id).or_insert_with(|| {
            next.document += 1;
            KnownDocument { row: next.document - 1, pending: None }
        });
        if let Some(earlier) = latest.insert(doc_id, index) {
            // The same document earlier in this batch.
            revisions[earlier].state = state::RETIRED;
        } else if let Some(pending) = entry.pending {
            superseded.push(sql_number(pending));
        }
        revisions.push(PlannedRevision {
            id: next.revision,
            document,
            document_row: entry.row,
            state: state::PENDING,
            first_chunk: next.chunk,
            first_block: next.block,
        });
        next.revision += 1;
        next.chunk += document.chunks.len() as u64;
        next.block += blocks_of(document.text.len() as u64);
    }
    let documents = revisions
        .iter()
        .filter(|revision| revision.state == state::PENDING)
        .map(|revision| {
            (sql_number(revision.document_row), &revision.document.doc_id, sql_number(revision.id))
        })
        .collect();
    Plan { documents, revisions, superseded }
}

impl PlannedRevision<'_> {
    fn bind(
        &self,
        content: &Content,
        corpus_row: i64,
        accepted_at: i64,
        row: &mut Row<'_>,
    ) -> Result<(), StorageError> {
        let document = self.document;
        row.add(sql_number(self.id)).add(sql_number(self.document_row)).add(corpus_row).add(self.state);
        content.add_optional(row, purpose::TITLE, self.id, document.title.as_deref())?;
        row.add(document.media_type.as_str()).add(document.language.as_deref());
        content.add_optional(row, purpose::SOURCE_NAME, self.id, document.source_name.as_deref())?;
        content.add_bytes(row, purpose::FINGERPRINT, self.id, &document.fingerprint.0)?;
        row.add(sql_number(document.source_bytes)).add(sql_number(document.text.len() as u64));
        row.add(sql_number(self.first_chunk)).add(sql_number(document.chunks.len() as u64));
        row.add(sql_number(self.first_block)).add(accepted_at);
        let metadata = serde_json::to_string(document.metadata.as_json()).expect("a JSON object serialises");
        content.add_text(row, purpose::METADATA, self.id, &metadata)?;
        row.add(document.author.as_ref().map(UserId::as_str));
        Ok(())
    }

    fn accepted(&self) -> AcceptedDocument {
        let count = self.document.chunks.len() as u64;
        AcceptedDocument {
            doc_id: self.document.doc_id.clone(),
            revision: Revision(self.id),
            chunks: ChunkSpan { first: ChunkId(self.first_chunk), count },
        }
    }
}

async fn insert_texts(
    connection: &mut SqliteConnection,
    content: &Content,
    revisions: &[PlannedRevision<'_>],
) -> Result<()> {
    let blocks: Vec<(u64, &[u8])> = revisions
        .iter()
        .flat_map(|revision| {
            (revision.first_block..).zip(revision.document.text.as_bytes().chunks(BLOCK_BYTES))
        })
        .collect();
    INSERT_BLOCKS
        .try_run(connection, &blocks, |(id, bytes), row| {
            row.add(sql_number(*id));
            content.add_bytes(row, purpose::TEXT, *id, bytes)
        })
        .await?;
    Ok(())
}

async fn insert_chunks(
    connection: &mut SqliteConnection,
    content: &Content,
    revisions: &[PlannedRevision<'_>],
) -> Result<()> {
    let chunks: Vec<(u64, u64, &NewChunk)> = revisions
        .iter()
        .flat_map(|revision| {
            let numbered = (revision.first_chunk..).zip(&revision.document.chunks);
            numbered.map(|(id, chunk)| (id, revision.id, chunk))
        })
        .collect();
    INSERT_CHUNKS
        .try_run(connection, &chunks, |(id, revision, chunk), row| {
            row.add(sql_number(*id)).add(sql_number(*revision));
            for position in
                [chunk.range.start, chunk.range.end, chunk.parent_range.start, chunk.parent_range.end]
            {
                row.add(sql_number(position as u64));
            }
            let headings = serde_json::to_string(&chunk.headings).expect("texts serialise");
            content.add_text(row, purpose::HEADINGS, *id, &headings)?;
            row.add(chunk.language.as_deref());
            Ok(())
        })
        .await?;
    Ok(())
}

async fn insert_new_findings(
    connection: &mut SqliteConnection,
    content: &Content,
    revisions: &[PlannedRevision<'_>],
) -> Result<()> {
    let numbered = revisions.iter().flat_map(|revision| {
        let chunks = (revision.first_chunk..).zip(&revision.document.chunks);
        chunks.filter_map(|(id, chunk)| Some((id, revision.id, chunk.finding.as_ref()?)))
    });
    insert_findings(connection, content, &numbered.collect::<Vec<_>>()).await
}
