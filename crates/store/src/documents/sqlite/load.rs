//! Reading whole documents back, with their texts and chunks, for the indexer.

use mainstay_domain::{ChunkId, CorpusName, DocumentId, Metadata, TenantId, Timestamp};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::blocks::blocks_of;
use super::hydrate::range;
use super::quarantine::finding_of;
use super::{SqliteDocuments, existing_corpus_row, state};
use crate::documents::{IndexableChunk, IndexableDocument, Result, Revision};
use crate::error::StorageError;
use crate::sqlite::{IdList, column, json, number, sql_number};

/// A page ends when the texts in it have this many bytes, so that a page of large documents does not fill the memory.
const PAGE_TEXT_BYTES: u64 = 8 << 20;

/// The columns of [`Stored`].
macro_rules! select_stored {
    ($rest:literal) => {
        concat!(
            "SELECT r.revision, c.tenant, c.name, d.doc_id, r.title, r.language, r.first_chunk, r.chunk_count, ",
            "r.first_block, r.text_bytes, r.media_type, r.metadata, r.accepted_at FROM revisions r JOIN documents d ON d.document_row = r.document_row ",
            "JOIN corpora c ON c.corpus_row = r.corpus_row ",
            $rest
        )
    };
}

static SELECT_VISIBLE: IdList =
    IdList::new(select_stored!("WHERE r.state = ? AND r.revision IN"), 1, "ORDER BY r.revision");

impl SqliteDocuments {
    pub(super) async fn live_documents(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        after: Option<Revision>,
        limit: usize,
    ) -> Result<Vec<IndexableDocument>> {
        let mut connection = self.database.read().await?;
        let mut transaction = connection.begin().await?;
        let corpus_row = existing_corpus_row(&mut transaction, tenant, corpus).await?;
        let rows = sqlx::query(select_stored!(
            "WHERE r.corpus_row = $1 AND r.revision > $2 AND r.state = $3 ORDER BY r.revision LIMIT $4"
        ))
        .bind(corpus_row)
        .bind(sql_number(after.map_or(0, |revision| revision.0)))
        .bind(state::VISIBLE)
        .bind(sql_number(limit as u64))
        .fetch_all(&mut *transaction)
        .await?;
        load_page(&mut transaction, &rows).await
    }

    pub(super) async fn pending_documents(
        &self,
        after: Option<Revision>,
        limit: usize,
    ) -> Result<Vec<IndexableDocument>> {
        let mut connection = self.database.read().await?;
        let mut transaction = connection.begin().await?;
        let rows =
            sqlx::query(select_stored!("WHERE r.state = 0 AND r.revision > $1 ORDER BY r.revision LIMIT $2"))
                .bind(sql_number(after.map_or(0, |revision| revision.0)))
                .bind(sql_number(limit as u64))
                .fetch_all(&mut *transaction)
                .await?;
        load_page(&mut transaction, &rows).await
    }

    pub(super) async fn visible_documents(&self, revisions: &[Revision]) -> Result<Vec<IndexableDocument>> {
        let ids: Vec<i64> = revisions.iter().map(|revision| sql_number(revision.0)).collect();
        let mut connection = self.database.read().await?;
        let mut transaction = connection.begin().await?;
        let mut documents = Vec::with_capacity(ids.len());
        for (sql, arguments) in SELECT_VISIBLE.statements(&ids, |row| {
            row.add(state::VISIBLE);
        }) {
            let rows = sqlx::query_with(sql, arguments).fetch_all(&mut *transaction).await?;
            let stored = rows.iter().map(Stored::read).collect::<Result<Vec<_>>>()?;
            documents.extend(load(&mut transaction, stored).await?);
        }
        Ok(documents)
    }
}

/// A revision whose text and chunks are still to be read.
struct Stored {
    document: IndexableDocument,
    first_chunk: u64,
    chunk_count: u64,
    first_block: u64,
    text_bytes: u64,
}

impl Stored {
    fn read(row: &SqliteRow) -> Result<Self> {
        Ok(Self {
            document: IndexableDocument {
                tenant: TenantId::new(column::<&str>(row, 1)?),
                corpus: CorpusName::new(column::<&str>(row, 2)?),
                doc_id: DocumentId::new(column::<&str>(row, 3)?),
                revision: Revision(number(row, 0)?),
                title: column(row, 4)?,
                media_type: column(row, 10)?,
                language: column(row, 5)?,
                metadata: Metadata::from_stored(json(row, 11)?),
                accepted_at: Timestamp::from_micros(column(row, 12)?),
                text: String::new(),
                chunks: Vec::new(),
            },
            first_chunk: number(row, 6)?,
            chunk_count: number(row, 7)?,
            first_block: number(row, 8)?,
            text_bytes: number(row, 9)?,
        })
    }
}

/// Loads as many of the documents as fit into a page, but at least one.
async fn load_page(connection: &mut SqliteConnection, rows: &[SqliteRow]) -> Result<Vec<IndexableDocument>> {
    let mut page = Vec::new();
    let mut bytes = 0;
    for row in rows {
        let stored = Stored::read(row)?;
        bytes += stored.text_bytes;
        if !page.is_empty() && bytes > PAGE_TEXT_BYTES {
            break;
        }
        page.push(stored);
    }
    load(connection, page).await
}

/// Reads texts and chunks. Neighbours in the list mostly have neighbouring ids, so that one statement reads many.
async fn load(connection: &mut SqliteConnection, stored: Vec<Stored>) -> Result<Vec<IndexableDocument>> {
    let spans = |stored: &Stored| {
        let chunks = (stored.first_chunk, stored.first_chunk + stored.chunk_count);
        let blocks = (stored.first_block, stored.first_block + blocks_of(stored.text_bytes));
        (chunks, blocks)
    };
    let chunk_rows = fetch_runs(
        connection,
        "SELECT k.chunk_id, k.start_byte, k.end_byte, k.parent_start, k.parent_end, k.headings, k.language, q.reason, \
         q.content FROM chunks k LEFT JOIN quarantine q ON q.chunk_id = k.chunk_id \
         WHERE k.chunk_id >= $1 AND k.chunk_id < $2 ORDER BY k.chunk_id",
        stored.iter().map(|stored| spans(stored).0),
    )
    .await?;
    let block_rows = fetch_runs(
        connection,
        "SELECT block, bytes FROM text_blocks WHERE block >= $1 AND block < $2 ORDER BY block",
        stored.iter().map(|stored| spans(stored).1),
    )
    .await?;

    let (mut chunk_rows, mut block_rows) = (chunk_rows.iter(), block_rows.iter());
    stored
        .into_iter()
        .map(|stored| {
            let blocks = blocks_of(stored.text_bytes) as usize;
            let mut bytes = Vec::with_capacity(stored.text_bytes as usize);
            for row in block_rows.by_ref().take(blocks) {
                bytes.extend_from_slice(column(row, 1)?);
            }
            let mut document = stored.document;
            document.text =
                String::from_utf8(bytes).map_err(|_| StorageError::damaged("a text is not UTF-8"))?;
            document.chunks =
                chunk_rows.by_ref().take(stored.chunk_count as usize).map(chunk_of).collect::<Result<_>>()?;
            let complete = document.text.len() as u64 == stored.text_bytes
                && document.chunks.len() as u64 == stored.chunk_count
                && document.chunks.first().is_none_or(|chunk| chunk.chunk.0 == stored.first_chunk);
            if complete {
                Ok(document)
            } else {
                Err(StorageError::damaged("rows of a document are missing").into())
            }
        })
        .collect()
}

fn chunk_of(row: &SqliteRow) -> Result<IndexableChunk> {
    Ok(IndexableChunk {
        chunk: ChunkId(number(row, 0)?),
        range: range(row, 1)?,
        parent_range: range(row, 3)?,
        headings: json(row, 5)?,
        language: column(row, 6)?,
        finding: finding_of(row, 7)?,
    })
}

/// Rows of id ranges, where ranges that touch are read together.
async fn fetch_runs(
    connection: &mut SqliteConnection,
    sql: &'static str,
    ranges: impl Iterator<Item = (u64, u64)>,
) -> Result<Vec<SqliteRow>> {
    let mut rows = Vec::new();
    for (start, end) in runs(ranges) {
        rows.extend(
            sqlx::query(sql)
                .bind(sql_number(start))
                .bind(sql_number(end))
                .fetch_all(&mut *connection)
                .await?,
        );
    }
    Ok(rows)
}

/// Joins each range with the one before it when it begins where that one ends.
pub(super) fn runs(ranges: impl Iterator<Item = (u64, u64)>) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for (start, end) in ranges.filter(|(start, end)| start < end) {
        match runs.last_mut() {
            Some(last) if last.1 == start => last.1 = end,
            _ => runs.push((start, end)),
        }
    }
    runs
}
