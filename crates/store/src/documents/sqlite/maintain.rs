//! What the indexer and the operator need beside documents: clean-up, events, checkpoints, and a check of the rows.

use mainstay_domain::{ChunkId, CorpusName, DocumentId, TenantId, Timestamp};
use sqlx::sqlite::SqliteConnection;

use super::blocks::{BLOCK_BYTES, blocks_of};
use super::load::runs;
use super::{SqliteDocuments, state};
use crate::documents::{ChunkSpan, Event, EventKind, EventSeq, Result, RetiredRevision, Revision};
use crate::error::StorageError;
use crate::sealing::Sealing;
use crate::sqlite::{IdList, column, number, sql_number};

static SELECT_RETIRED: IdList = IdList::new(
    "SELECT revision, document_row, first_chunk, chunk_count, first_block, text_bytes FROM revisions \
     WHERE state = ? AND revision IN",
    1,
    "ORDER BY revision",
);

static DELETE_REVISIONS: IdList = IdList::new("DELETE FROM revisions WHERE revision IN", 0, "");

/// Documents that were deleted and of which nothing is left.
static DELETE_DOCUMENTS: IdList = IdList::new(
    "DELETE FROM documents WHERE visible_revision IS NULL AND pending_revision IS NULL \
     AND NOT EXISTS (SELECT 1 FROM revisions r WHERE r.document_row = documents.document_row) AND document_row IN",
    0,
    "",
);

impl SqliteDocuments {
    pub(super) async fn retired_revisions(&self, limit: usize) -> Result<Vec<RetiredRevision>> {
        let rows = sqlx::query(
            "SELECT c.tenant, c.name, r.revision, r.first_chunk, r.chunk_count FROM revisions r \
             JOIN corpora c ON c.corpus_row = r.corpus_row WHERE r.state = 2 ORDER BY r.revision LIMIT $1",
        )
        .bind(sql_number(limit as u64))
        .fetch_all(&mut *self.database.read().await?)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(RetiredRevision {
                    tenant: TenantId::new(column::<&str>(row, 0)?),
                    corpus: CorpusName::new(column::<&str>(row, 1)?),
                    revision: Revision(number(row, 2)?),
                    chunks: ChunkSpan { first: ChunkId(number(row, 3)?), count: number(row, 4)? },
                })
            })
            .collect()
    }

    pub(super) async fn purge_revisions(&self, revisions: &[Revision]) -> Result<()> {
        let ids: Vec<i64> = revisions.iter().map(|revision| sql_number(revision.0)).collect();
        let mut transaction = self.database.write().await?;
        let (mut purged, mut documents, mut chunks, mut blocks) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (sql, arguments) in SELECT_RETIRED.statements(&ids, |row| {
            row.add(state::RETIRED);
        }) {
            for row in sqlx::query_with(sql, arguments).fetch_all(&mut *transaction).await? {
                purged.push(column::<i64>(&row, 0)?);
                documents.push(column::<i64>(&row, 1)?);
                let (first_chunk, first_block) = (number(&row, 2)?, number(&row, 4)?);
                chunks.push((first_chunk, first_chunk + number(&row, 3)?));
                blocks.push((first_block, first_block + blocks_of(number(&row, 5)?)));
            }
        }
        if purged.is_empty() {
            return Ok(());
        }
        let delete_chunks = "DELETE FROM chunks WHERE chunk_id >= $1 AND chunk_id < $2";
        delete_runs(&mut transaction, delete_chunks, chunks.clone()).await?;
        let delete_findings = "DELETE FROM quarantine WHERE chunk_id >= $1 AND chunk_id < $2";
        delete_runs(&mut transaction, delete_findings, chunks).await?;
        let delete_blocks = "DELETE FROM text_blocks WHERE block >= $1 AND block < $2";
        delete_runs(&mut transaction, delete_blocks, blocks).await?;
        DELETE_REVISIONS.execute(&mut transaction, &purged, |_| {}).await?;
        DELETE_DOCUMENTS.execute(&mut transaction, &documents, |_| {}).await?;
        transaction.commit().await?;
        Ok(())
    }

    pub(super) async fn newest_event(&self) -> Result<EventSeq> {
        // Not the largest row: events may have been forgotten.
        let row = sqlx::query("SELECT event - 1 FROM next_ids WHERE only_row = 1")
            .fetch_one(&mut *self.database.read().await?)
            .await?;
        Ok(EventSeq(number(&row, 0)?))
    }

    pub(super) async fn read_events(&self, after: EventSeq, limit: usize) -> Result<Vec<Event>> {
        let rows = sqlx::query(
            "SELECT seq, kind, tenant, corpus, doc_id, revision, at FROM events \
             WHERE seq > $1 ORDER BY seq LIMIT $2",
        )
        .bind(sql_number(after.0))
        .bind(sql_number(limit as u64))
        .fetch_all(&mut *self.database.read().await?)
        .await?;
        rows.iter()
            .map(|row| {
                let kind = EventKind::from_name(column(row, 1)?)
                    .ok_or_else(|| StorageError::damaged("an event is of no known kind"))?;
                Ok(Event {
                    seq: EventSeq(number(row, 0)?),
                    kind,
                    tenant: TenantId::new(column::<&str>(row, 2)?),
                    corpus: CorpusName::new(column::<&str>(row, 3)?),
                    doc_id: DocumentId::new(column::<&str>(row, 4)?),
                    revision: Revision(number(row, 5)?),
                    at: Timestamp::from_micros(column(row, 6)?),
                })
            })
            .collect()
    }

    pub(super) async fn remove_events(&self, through: EventSeq) -> Result<()> {
        let mut transaction = self.database.write().await?;
        sqlx::query("DELETE FROM events WHERE seq <= $1")
            .bind(sql_number(through.0))
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    pub(super) async fn read_checkpoint(&self, consumer: &str) -> Result<EventSeq> {
        let row = sqlx::query("SELECT value FROM checkpoints WHERE name = $1")
            .bind(consumer)
            .fetch_optional(&mut *self.database.read().await?)
            .await?;
        Ok(EventSeq(row.map_or(Ok(0), |row| number(&row, 0))?))
    }

    pub(super) async fn write_checkpoint(&self, consumer: &str, through: EventSeq) -> Result<()> {
        let mut transaction = self.database.write().await?;
        sqlx::query(
            "INSERT INTO checkpoints (name, value) VALUES ($1, $2) \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(consumer)
        .bind(sql_number(through.0))
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    pub(super) async fn find_contradictions(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let mut connection = self.database.read().await?;
        for (contradiction, sql) in CONTRADICTIONS {
            let row = sqlx::query(sql).bind(BLOCK_BYTES as i64).fetch_one(&mut *connection).await?;
            let count = number(&row, 0)?;
            if count > 0 {
                found.push(format!("{count} {contradiction}"));
            }
        }
        if self.sealing.as_ref().is_some_and(Sealing::is_finished) {
            let row = sqlx::query(UNSEALED).fetch_one(&mut *connection).await?;
            let count = number(&row, 0)?;
            if count > 0 {
                found.push(format!("{count} values that are not sealed, where everything is"));
            }
        }
        let integrity: String =
            sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut *connection).await?;
        if integrity != "ok" {
            found.push(format!("the file is damaged: {integrity}"));
        }
        Ok(found)
    }
}

async fn delete_runs(
    connection: &mut SqliteConnection,
    sql: &'static str,
    ranges: Vec<(u64, u64)>,
) -> Result<()> {
    for (start, end) in runs(ranges.into_iter()) {
        sqlx::query(sql).bind(sql_number(start)).bind(sql_number(end)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Counts the values that are as they were before everything was sealed.
const UNSEALED: &str = "SELECT (SELECT count(*) FROM text_blocks WHERE substr(bytes, 1, 1) <> x'f9') \
    + (SELECT count(*) FROM chunks WHERE typeof(headings) <> 'blob') \
    + (SELECT count(*) FROM revisions WHERE length(source_sha256) <> 77 OR typeof(metadata) <> 'blob' \
       OR typeof(title) = 'text' OR typeof(source_name) = 'text') \
    + (SELECT count(*) FROM quarantine WHERE sealed_content IS NULL) \
    + (SELECT count(*) FROM released WHERE sealed = 0)";

/// A piece of text that is sealed begins with a byte that no text has, and is longer by so many bytes.
const _: () = assert!(mainstay_vault::OVERHEAD == 45);

/// What must not be, and a query that counts it. `$1` is the size of a block of text.
const CONTRADICTIONS: [(&str, &str); 8] = [
    (
        "documents whose visible revision is not a visible revision of theirs",
        "SELECT count(*) FROM documents d WHERE d.visible_revision IS NOT NULL AND $1 > 0 AND NOT EXISTS \
         (SELECT 1 FROM revisions r WHERE r.revision = d.visible_revision AND r.state = 1 \
          AND r.document_row = d.document_row AND r.corpus_row = d.corpus_row)",
    ),
    (
        "documents whose pending revision is not a pending revision of theirs",
        "SELECT count(*) FROM documents d WHERE d.pending_revision IS NOT NULL AND $1 > 0 AND NOT EXISTS \
         (SELECT 1 FROM revisions r WHERE r.revision = d.pending_revision AND r.state = 0 \
          AND r.document_row = d.document_row AND r.corpus_row = d.corpus_row)",
    ),
    (
        "revisions in force that their document does not name",
        "SELECT count(*) FROM revisions r JOIN documents d ON d.document_row = r.document_row WHERE $1 > 0 AND \
         ((r.state = 1 AND d.visible_revision IS DISTINCT FROM r.revision) OR (r.state = 0 AND d.pending_revision IS DISTINCT FROM r.revision))",
    ),
    (
        "revisions without all of their chunks",
        "SELECT count(*) FROM revisions r WHERE $1 > 0 AND r.chunk_count <> (SELECT count(*) FROM chunks k \
         WHERE k.chunk_id >= r.first_chunk AND k.chunk_id < r.first_chunk + r.chunk_count AND k.revision = r.revision)",
    ),
    (
        "chunks without a revision",
        "SELECT (SELECT count(*) FROM chunks) - (SELECT coalesce(sum(chunk_count), 0) FROM revisions) WHERE $1 > 0",
    ),
    (
        "findings about chunks that are not there",
        "SELECT count(*) FROM quarantine q WHERE $1 > 0 AND NOT EXISTS \
         (SELECT 1 FROM chunks k WHERE k.chunk_id = q.chunk_id AND k.revision = q.revision)",
    ),
    (
        "revisions without all of their text",
        "SELECT count(*) FROM revisions r WHERE r.text_bytes <> (SELECT coalesce(sum(length(b.bytes) - 45 * (substr(b.bytes, 1, 1) = x'f9')), 0) \
         FROM text_blocks b WHERE b.block >= r.first_block AND b.block < r.first_block + (r.text_bytes + $1 - 1) / $1)",
    ),
    (
        "blocks of text without a revision",
        "SELECT (SELECT count(*) FROM text_blocks) - \
         (SELECT coalesce(sum((text_bytes + $1 - 1) / $1), 0) FROM revisions)",
    ),
];
