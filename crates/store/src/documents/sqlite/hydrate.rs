//! From chunk ids to their parents and texts: the last step of every search, and the one that decides what may be seen.

use std::collections::HashMap;

use mainstay_domain::{ByteRange, ChunkId, CorpusName, DocumentId, TenantId};
use sqlx::Connection;
use sqlx::sqlite::SqliteRow;

use super::SqliteDocuments;
use super::blocks::{Blocks, blocks_of_range};
use super::seal::{Content, purpose, unless_erased};
use crate::documents::{ChunkRow, ParentId, Result, Revision};
use crate::sqlite::{IdList, column, number, sql_number};

/// Chunks that are visible now and not in quarantine, of one corpus of one tenant. A parent ends where the nearest chunk in
/// quarantine begins, on either side: what no search finds is not read with its neighbour either. Where chunks overlap, what a
/// chunk shares with one in quarantine stays in it. The sum keeps SQLite from walking all revisions of the corpus instead of
/// looking up the few that the chunks belong to.
pub(super) static SELECT_CHUNKS: IdList = IdList::new(
    "SELECT k.chunk_id, k.start_byte, k.end_byte, \
     max(k.parent_start, coalesce((SELECT min(h.end_byte, k.start_byte) \
     FROM quarantine q JOIN chunks h ON h.chunk_id = q.chunk_id \
     WHERE q.chunk_id >= r.first_chunk AND q.chunk_id < k.chunk_id ORDER BY q.chunk_id DESC LIMIT 1), 0)), \
     min(k.parent_end, coalesce((SELECT max(h.start_byte, k.end_byte) \
     FROM quarantine q JOIN chunks h ON h.chunk_id = q.chunk_id \
     WHERE q.chunk_id > k.chunk_id AND q.chunk_id < r.first_chunk + r.chunk_count \
     ORDER BY q.chunk_id LIMIT 1), k.parent_end)), k.headings, \
     coalesce(k.language, r.language), r.revision, r.first_block, r.title, d.doc_id \
     FROM chunks k JOIN revisions r ON r.revision = k.revision \
     JOIN documents d ON d.document_row = r.document_row AND d.visible_revision = r.revision \
     WHERE r.corpus_row + 0 = (SELECT corpus_row FROM corpora WHERE tenant = ? AND name = ?) \
     AND NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.chunk_id = k.chunk_id) AND k.chunk_id IN",
    2,
    "",
);

/// Where the parents of chunks begin, without anything of their content.
pub(super) static SELECT_PARENTS: IdList = IdList::new(
    "SELECT k.chunk_id, k.revision, k.parent_start \
     FROM chunks k JOIN revisions r ON r.revision = k.revision \
     WHERE r.corpus_row + 0 = (SELECT corpus_row FROM corpora WHERE tenant = ? AND name = ?) AND k.chunk_id IN",
    2,
    "",
);

impl SqliteDocuments {
    pub(super) async fn parents_of(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        chunks: &[ChunkId],
    ) -> Result<HashMap<ChunkId, ParentId>> {
        let ids: Vec<i64> = chunks.iter().map(|chunk| sql_number(chunk.0)).collect();
        let mut connection = self.database.read().await?;
        let mut parents = HashMap::with_capacity(ids.len());
        for (sql, arguments) in SELECT_PARENTS.statements(&ids, |row| {
            row.add(tenant.as_str()).add(corpus.as_str());
        }) {
            for row in sqlx::query_with(sql, arguments).fetch_all(&mut *connection).await? {
                let start = number(&row, 2)? as usize;
                parents.insert(
                    ChunkId(number(&row, 0)?),
                    ParentId { revision: Revision(number(&row, 1)?), start },
                );
            }
        }
        Ok(parents)
    }

    pub(super) async fn hydrate_chunks(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        chunks: &[ChunkId],
    ) -> Result<Vec<ChunkRow>> {
        let content = self.content(tenant).await?;
        let ids: Vec<i64> = chunks.iter().map(|chunk| sql_number(chunk.0)).collect();
        let mut connection = self.database.read().await?;
        // One snapshot for all statements, or one of them could see a document before it is replaced, and the next after.
        let mut snapshot = connection.begin().await?;
        let mut found: HashMap<ChunkId, FoundChunk> = HashMap::with_capacity(ids.len());
        for (sql, arguments) in SELECT_CHUNKS.statements(&ids, |row| {
            row.add(tenant.as_str()).add(corpus.as_str());
        }) {
            for row in sqlx::query_with(sql, arguments).fetch_all(&mut *snapshot).await? {
                let Some(chunk) = unless_erased(FoundChunk::read(&row, &content))? else { continue };
                found.insert(chunk.row.chunk, chunk);
            }
        }
        let mut block_ids: Vec<i64> = found
            .values()
            .flat_map(|chunk| blocks_of_range(chunk.first_block, chunk.row.parent_range))
            .map(sql_number)
            .collect();
        block_ids.sort_unstable();
        block_ids.dedup();
        let blocks = Blocks::read(&mut snapshot, &content, &block_ids).await?;
        snapshot.commit().await?;
        drop(connection);

        let mut rows = Vec::with_capacity(found.len());
        for chunk in chunks {
            // A chunk that is named twice is returned once.
            let Some(chunk) = found.remove(chunk) else { continue };
            rows.extend(chunk.with_text(&blocks)?);
        }
        Ok(rows)
    }
}

/// A chunk whose text is still to be read.
struct FoundChunk {
    row: ChunkRow,
    first_block: u64,
}

impl FoundChunk {
    fn read(row: &SqliteRow, content: &Content) -> Result<Self> {
        let (chunk, revision) = (number(row, 0)?, number(row, 7)?);
        Ok(Self {
            row: ChunkRow {
                chunk: ChunkId(chunk),
                doc_id: DocumentId::new(column::<&str>(row, 10)?),
                revision: Revision(revision),
                title: content.text(row, 9, purpose::TITLE, revision)?,
                headings: content.json(row, 5, purpose::HEADINGS, chunk)?,
                language: column(row, 6)?,
                range: range(row, 1)?,
                text: String::new(),
                parent_range: range(row, 3)?,
                parent_text: String::new(),
            },
            first_block: number(row, 8)?,
        })
    }

    /// The chunk with its texts; `None` when its revision was purged since it was found.
    fn with_text(self, blocks: &Blocks) -> Result<Option<ChunkRow>> {
        let Self { mut row, first_block } = self;
        let Some(parent) = blocks.text(first_block, row.parent_range)? else { return Ok(None) };
        let (start, end) = (row.range.start - row.parent_range.start, row.range.end - row.parent_range.start);
        let Some(text) = parent.get(start..end) else {
            return Err(crate::error::StorageError::damaged("a chunk does not fit its text").into());
        };
        row.text = text.to_owned();
        row.parent_text = parent;
        Ok(Some(row))
    }
}

/// Two columns that hold a range of bytes.
pub(super) fn range(row: &SqliteRow, index: usize) -> Result<ByteRange> {
    Ok(ByteRange { start: number(row, index)? as usize, end: number(row, index + 1)? as usize })
}
