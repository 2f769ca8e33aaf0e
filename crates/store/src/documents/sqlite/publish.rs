//! What changes the visibility of documents: publishing and deleting. Each is one transaction.

use std::collections::HashMap;

use mainstay_domain::{ChunkId, CorpusName, DocumentId, TenantId};
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::accept::{EventRow, insert_events, reserve_events, set_state};
use super::{SqliteDocuments, corpus_row, state};
use crate::documents::{
    AcceptedBatch, AcceptedDocument, ChunkSpan, EventKind, Published, Result, RetiredRevision, Revision,
};
use crate::sqlite::{IdList, column, number, sql_number};

static SELECT_STATES: IdList = IdList::new(
    "SELECT revision, state, document_row FROM revisions WHERE corpus_row = ? AND revision IN",
    1,
    "",
);

static SELECT_REPLACED: IdList = IdList::new(
    "SELECT r.revision, r.first_chunk, r.chunk_count FROM documents d \
     JOIN revisions r ON r.revision = d.visible_revision WHERE d.document_row IN",
    0,
    "ORDER BY r.revision",
);

static SHOW_PENDING: IdList = IdList::new(
    "UPDATE documents SET visible_revision = pending_revision, pending_revision = NULL WHERE document_row IN",
    0,
    "",
);

impl SqliteDocuments {
    pub(super) async fn publish_batch(&self, batch: &AcceptedBatch) -> Result<Published> {
        let (tenant, corpus) = (&batch.tenant, &batch.corpus);
        let mut transaction = self.database.write().await?;
        let Some(corpus_row) = corpus_row(&mut transaction, tenant, corpus).await? else {
            return Ok(Published { visible: Vec::new(), retired: retire_all(batch, &batch.documents) });
        };
        let states = states(&mut transaction, corpus_row, &batch.documents).await?;
        let mut published = Published::default();
        let mut shown: Vec<&AcceptedDocument> = Vec::new();
        let mut rows: Vec<i64> = Vec::new();
        for document in &batch.documents {
            match states.get(&document.revision.0) {
                Some((state::PENDING, row)) => {
                    published.visible.push(document.revision);
                    shown.push(document);
                    rows.push(*row);
                }
                Some((state::VISIBLE, _)) => published.visible.push(document.revision),
                _ => published.retired.push(retired(batch, document.revision, document.chunks)),
            }
        }
        if shown.is_empty() {
            return Ok(published);
        }

        let replaced = replaced(&mut transaction, &rows).await?;
        let revisions_of =
            |list: &[(Revision, ChunkSpan)]| list.iter().map(|(id, _)| sql_number(id.0)).collect::<Vec<_>>();
        set_state(&mut transaction, &revisions_of(&replaced), state::RETIRED).await?;
        SHOW_PENDING.execute(&mut transaction, &rows, |_| {}).await?;
        let ids: Vec<i64> = shown.iter().map(|document| sql_number(document.revision.0)).collect();
        set_state(&mut transaction, &ids, state::VISIBLE).await?;
        let events: Vec<EventRow<'_>> = shown
            .iter()
            .map(|document| EventRow { doc_id: document.doc_id.as_str(), revision: document.revision.0 })
            .collect();
        let first = reserve_events(&mut transaction, events.len()).await?;
        insert_events(&mut transaction, EventKind::Published, (tenant, corpus), first, self.now(), &events)
            .await?;
        transaction.commit().await?;

        published
            .retired
            .extend(replaced.into_iter().map(|(revision, chunks)| retired(batch, revision, chunks)));
        Ok(published)
    }

    pub(super) async fn delete_document(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        document: &DocumentId,
    ) -> Result<Option<Vec<RetiredRevision>>> {
        let mut transaction = self.database.write().await?;
        let Some(corpus_row) = corpus_row(&mut transaction, tenant, corpus).await? else { return Ok(None) };
        let rows = sqlx::query(
            "SELECT r.revision, r.first_chunk, r.chunk_count, d.document_row FROM documents d \
             JOIN revisions r ON r.revision IN (d.visible_revision, d.pending_revision) \
             WHERE d.corpus_row = $1 AND d.doc_id = $2 ORDER BY r.revision",
        )
        .bind(corpus_row)
        .bind(document.as_str())
        .fetch_all(&mut *transaction)
        .await?;
        let Some(newest) = rows.last() else { return Ok(None) };
        let newest = number(newest, 0)?;

        let revisions = rows.iter().map(span_of).collect::<Result<Vec<_>>>()?;
        let ids: Vec<i64> = revisions.iter().map(|(id, _)| sql_number(id.0)).collect();
        set_state(&mut transaction, &ids, state::RETIRED).await?;
        sqlx::query(
            "UPDATE documents SET visible_revision = NULL, pending_revision = NULL WHERE document_row = $1",
        )
        .bind(column::<i64>(&rows[0], 3)?)
        .execute(&mut *transaction)
        .await?;
        let event = EventRow { doc_id: document.as_str(), revision: newest };
        let first = reserve_events(&mut transaction, 1).await?;
        insert_events(&mut transaction, EventKind::Deleted, (tenant, corpus), first, self.now(), &[event])
            .await?;
        transaction.commit().await?;

        let retire = |(revision, chunks)| RetiredRevision {
            tenant: tenant.clone(),
            corpus: corpus.clone(),
            revision,
            chunks,
        };
        Ok(Some(revisions.into_iter().map(retire).collect()))
    }
}

/// State and document row of each revision of the batch that still exists in its corpus.
async fn states(
    connection: &mut SqliteConnection,
    corpus_row: i64,
    documents: &[AcceptedDocument],
) -> Result<HashMap<u64, (i64, i64)>> {
    let ids: Vec<i64> = documents.iter().map(|document| sql_number(document.revision.0)).collect();
    let mut states = HashMap::with_capacity(ids.len());
    for (sql, arguments) in SELECT_STATES.statements(&ids, |row| {
        row.add(corpus_row);
    }) {
        for row in sqlx::query_with(sql, arguments).fetch_all(&mut *connection).await? {
            states.insert(number(&row, 0)?, (column(&row, 1)?, column(&row, 2)?));
        }
    }
    Ok(states)
}

/// The revisions of these documents that are visible now.
async fn replaced(
    connection: &mut SqliteConnection,
    document_rows: &[i64],
) -> Result<Vec<(Revision, ChunkSpan)>> {
    let mut replaced = Vec::new();
    for (sql, arguments) in SELECT_REPLACED.statements(document_rows, |_| {}) {
        for row in sqlx::query_with(sql, arguments).fetch_all(&mut *connection).await? {
            replaced.push(span_of(&row)?);
        }
    }
    Ok(replaced)
}

/// Revision, first chunk and number of chunks: the first three columns of a row.
fn span_of(row: &SqliteRow) -> Result<(Revision, ChunkSpan)> {
    Ok((Revision(number(row, 0)?), ChunkSpan { first: ChunkId(number(row, 1)?), count: number(row, 2)? }))
}

fn retired(batch: &AcceptedBatch, revision: Revision, chunks: ChunkSpan) -> RetiredRevision {
    RetiredRevision { tenant: batch.tenant.clone(), corpus: batch.corpus.clone(), revision, chunks }
}

fn retire_all(batch: &AcceptedBatch, documents: &[AcceptedDocument]) -> Vec<RetiredRevision> {
    documents.iter().map(|document| retired(batch, document.revision, document.chunks)).collect()
}
