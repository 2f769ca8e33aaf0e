//! Chunks that no search finds: put into quarantine, listed, released.

use std::collections::HashSet;

use mainstay_domain::{ChunkId, CorpusName, DocumentId, TenantId};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::accept::{EventRow, insert_events, reserve_events};
use super::blocks::{Blocks, blocks_of_range};
use super::hydrate::range;
use super::seal::{Content, unless_erased};
use super::{SqliteDocuments, corpus_row, existing_corpus_row, state};
use crate::documents::{
    EventKind, Finding, Fingerprint, Judgement, QuarantineQuery, Quarantined, QuarantinedChunk, Result,
    Revision,
};
use crate::sqlite::{IdList, MultiRowInsert, column, number, sql_number};

static INSERT_FINDINGS: MultiRowInsert = MultiRowInsert::new(
    "INSERT INTO quarantine (chunk_id, revision, reason, content, sealed_content)",
    5,
    "",
);

static SELECT_RELEASED: IdList =
    IdList::new("SELECT content FROM released WHERE corpus_row = ? AND content IN", 1, "");

pub(super) static INSERT_RELEASED: MultiRowInsert = MultiRowInsert::new(
    "INSERT INTO released (corpus_row, content, released_at, sealed)",
    4,
    "ON CONFLICT (corpus_row, content) DO NOTHING",
);

/// Visible revisions with chunks in quarantine that have these contents.
static SELECT_TO_SHOW: IdList = IdList::new(
    "SELECT DISTINCT r.revision, d.doc_id FROM quarantine q JOIN revisions r ON r.revision = q.revision \
     JOIN documents d ON d.document_row = r.document_row AND d.visible_revision = r.revision \
     WHERE r.corpus_row = ? AND q.content IN",
    1,
    "ORDER BY r.revision",
);

static DELETE_FINDINGS: IdList = IdList::new(
    "DELETE FROM quarantine WHERE (SELECT r.corpus_row FROM revisions r WHERE r.revision = quarantine.revision) = ? \
     AND content IN",
    1,
    "",
);

impl SqliteDocuments {
    pub(super) async fn quarantined_chunks(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        query: QuarantineQuery<'_>,
    ) -> Result<Vec<QuarantinedChunk>> {
        let content = self.content(tenant).await?;
        let mut connection = self.database.read().await?;
        // One snapshot for all statements, or a text could be purged between them.
        let mut snapshot = connection.begin().await?;
        let corpus_row = existing_corpus_row(&mut snapshot, tenant, corpus).await?;
        let rows = sqlx::query(
            "SELECT q.chunk_id, k.start_byte, k.end_byte, r.first_block, d.doc_id, q.reason, q.content, q.sealed_content \
             FROM quarantine q JOIN chunks k ON k.chunk_id = q.chunk_id JOIN revisions r ON r.revision = q.revision \
             JOIN documents d ON d.document_row = r.document_row AND d.visible_revision = r.revision \
             WHERE r.corpus_row = $1 AND q.chunk_id > $2 AND ($3 IS NULL OR d.doc_id = $3) \
             ORDER BY q.chunk_id LIMIT $4",
        )
        .bind(corpus_row)
        .bind(sql_number(query.after.map_or(0, |chunk| chunk.0)))
        .bind(query.document.map(DocumentId::as_str))
        .bind(sql_number(query.limit as u64))
        .fetch_all(&mut *snapshot)
        .await?;
        let mut blocks = Vec::new();
        for row in &rows {
            blocks.extend(blocks_of_range(number(row, 3)?, range(row, 1)?).map(sql_number));
        }
        blocks.sort_unstable();
        blocks.dedup();
        let blocks = Blocks::read(&mut snapshot, &content, &blocks).await?;
        let read = |row: &SqliteRow| {
            let range = range(row, 1)?;
            let chunk = number(row, 0)?;
            Ok(QuarantinedChunk {
                chunk: ChunkId(chunk),
                doc_id: DocumentId::new(column::<&str>(row, 4)?),
                range,
                text: blocks.text(number(row, 3)?, range)?.unwrap_or_default(),
                finding: Finding { reason: column(row, 5)?, content: content.judged(row, 6, chunk)? },
            })
        };
        rows.iter().filter_map(|row| unless_erased(read(row)).transpose()).collect()
    }

    pub(super) async fn judge_revisions(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        judgements: &[Judgement],
    ) -> Result<()> {
        let content = self.content(tenant).await?;
        let mut transaction = self.database.write().await?;
        let corpus_row = existing_corpus_row(&mut transaction, tenant, corpus).await?;
        let mut changed = Vec::new();
        for judgement in judgements {
            let revision = sql_number(judgement.revision.0);
            let row = sqlx::query(
                "SELECT d.doc_id, r.first_chunk, r.chunk_count FROM revisions r \
                 JOIN documents d ON d.document_row = r.document_row \
                 WHERE r.revision = $1 AND r.corpus_row = $2 AND r.state = $3",
            )
            .bind(revision)
            .bind(corpus_row)
            .bind(state::VISIBLE)
            .fetch_optional(&mut *transaction)
            .await?;
            let Some(row) = row else { continue };
            let first = number(&row, 1)?;
            let chunks = first..first + number(&row, 2)?;
            sqlx::query("DELETE FROM quarantine WHERE chunk_id >= $1 AND chunk_id < $2")
                .bind(sql_number(chunks.start))
                .bind(sql_number(chunks.end))
                .execute(&mut *transaction)
                .await?;
            let findings = judgement.findings.iter().filter(|(chunk, _)| chunks.contains(&chunk.0));
            let findings: Vec<(u64, u64, &Finding)> =
                findings.map(|(chunk, finding)| (chunk.0, judgement.revision.0, finding)).collect();
            insert_findings(&mut transaction, &content, &findings).await?;
            changed.push((column::<String>(&row, 0)?, judgement.revision.0));
        }
        self.tell_published(&mut transaction, (tenant, corpus), &changed).await?;
        Ok(transaction.commit().await?)
    }

    pub(super) async fn released_contents(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        contents: &[Fingerprint],
    ) -> Result<HashSet<Fingerprint>> {
        let found_by = self.content(tenant).await?.keys_of(contents)?;
        let mut connection = self.database.read().await?;
        let Some(corpus_row) = corpus_row(&mut connection, tenant, corpus).await? else {
            return Ok(HashSet::new());
        };
        let keys: Vec<&[u8]> = found_by.keys().map(<[u8; 32]>::as_slice).collect();
        let mut released = HashSet::new();
        for (sql, arguments) in SELECT_RELEASED.statements(&keys, |row| {
            row.add(corpus_row);
        }) {
            for row in sqlx::query_with(sql, arguments).fetch_all(&mut *connection).await? {
                released.extend(found_by.get(column::<&[u8]>(&row, 0)?).map(|content| **content));
            }
        }
        Ok(released)
    }

    pub(super) async fn release_contents(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        contents: &[Fingerprint],
    ) -> Result<Vec<Revision>> {
        let now = self.now();
        let content = self.content(tenant).await?;
        let found_by = content.keys_of(contents)?;
        let keys: Vec<&[u8]> = found_by.keys().map(<[u8; 32]>::as_slice).collect();
        let mut transaction = self.database.write().await?;
        let corpus_row = existing_corpus_row(&mut transaction, tenant, corpus).await?;
        INSERT_RELEASED
            .try_run(&mut transaction, contents, |released, row| {
                row.add(corpus_row).add(content.key_of(released)?.as_slice()).add(now);
                row.add(content.form().as_number());
                Ok(())
            })
            .await?;
        let mut shown: Vec<(String, u64)> = Vec::new();
        for (sql, arguments) in SELECT_TO_SHOW.statements(&keys, |row| {
            row.add(corpus_row);
        }) {
            for row in sqlx::query_with(sql, arguments).fetch_all(&mut *transaction).await? {
                shown.push((column(&row, 1)?, number(&row, 0)?));
            }
        }
        // A revision with several of the contents may have come more than once.
        shown.sort_unstable_by_key(|(_, revision)| *revision);
        shown.dedup();
        DELETE_FINDINGS
            .execute(&mut transaction, &keys, |row| {
                row.add(corpus_row);
            })
            .await?;
        self.tell_published(&mut transaction, (tenant, corpus), &shown).await?;
        transaction.commit().await?;
        Ok(shown.into_iter().map(|(_, revision)| Revision(revision)).collect())
    }

    /// Tells whoever follows the events that other chunks of these revisions are visible now.
    async fn tell_published(
        &self,
        connection: &mut SqliteConnection,
        place: (&TenantId, &CorpusName),
        revisions: &[(String, u64)],
    ) -> Result<()> {
        let events: Vec<EventRow<'_>> =
            revisions.iter().map(|(doc_id, revision)| EventRow { doc_id, revision: *revision }).collect();
        let first = reserve_events(&mut *connection, events.len()).await?;
        insert_events(connection, EventKind::Published, place, first, self.now(), &events).await
    }
}

/// Writes findings: chunk, revision, and what was found.
pub(super) async fn insert_findings(
    connection: &mut SqliteConnection,
    content: &Content,
    findings: &[(u64, u64, &Finding)],
) -> Result<()> {
    INSERT_FINDINGS
        .try_run(connection, findings, |(chunk, revision, finding), row| {
            row.add(sql_number(*chunk)).add(sql_number(*revision)).add(finding.reason.as_str());
            content.add_judged(row, *chunk, &finding.content)
        })
        .await?;
    Ok(())
}

/// The finding of a chunk's row that has one: reason and content.
pub(super) fn finding_of(
    row: &SqliteRow,
    index: usize,
    content: &Content,
    chunk: u64,
) -> Result<Option<Finding>> {
    let Some(reason) = column::<Option<String>>(row, index)? else { return Ok(None) };
    Ok(Some(Finding { reason, content: content.judged(row, index + 1, chunk)? }))
}

/// The chunks of visible documents of a corpus that no search finds, by reason.
pub(super) async fn quarantined(connection: &mut SqliteConnection, corpus_row: i64) -> Result<Quarantined> {
    let rows = sqlx::query(
        "SELECT q.reason, count(*) FROM quarantine q JOIN revisions r ON r.revision = q.revision \
         WHERE r.corpus_row = $1 AND r.state = $2 GROUP BY q.reason",
    )
    .bind(corpus_row)
    .bind(state::VISIBLE)
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok((column(row, 0)?, number(row, 1)?))).collect()
}
