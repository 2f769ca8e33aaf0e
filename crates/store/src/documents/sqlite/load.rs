//! Reading whole documents back, with their texts and chunks, for the indexer.

use std::collections::HashMap;

use mainstay_domain::{ChunkId, CorpusName, DocumentId, Metadata, TenantId, Timestamp};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::blocks::blocks_of;
use super::hydrate::range;
use super::quarantine::finding_of;
use super::seal::{Content, purpose, unless_erased};
use super::{SqliteDocuments, existing_corpus_row, state};
use crate::documents::{IndexableChunk, IndexableDocument, Result, Revision};
use crate::error::StorageError;
use crate::sqlite::{IdList, column, number, sql_number};

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

/// Which documents are read page by page.
enum Wanted<'a> {
    /// Those that were accepted and are not visible yet, of all tenants.
    Pending,
    /// The visible ones of a corpus.
    Live(&'a TenantId, &'a CorpusName),
}

impl Wanted<'_> {
    async fn select(
        &self,
        connection: &mut SqliteConnection,
        after: u64,
        limit: usize,
    ) -> Result<Vec<SqliteRow>> {
        let query = match self {
            Self::Pending => sqlx::query(select_stored!(
                "WHERE r.state = 0 AND r.revision > $1 ORDER BY r.revision LIMIT $2"
            ))
            .bind(sql_number(after)),
            Self::Live(tenant, corpus) => {
                let corpus_row = existing_corpus_row(connection, tenant, corpus).await?;
                sqlx::query(select_stored!(
                    "WHERE r.corpus_row = $1 AND r.revision > $2 AND r.state = $3 ORDER BY r.revision LIMIT $4"
                ))
                .bind(corpus_row)
                .bind(sql_number(after))
                .bind(state::VISIBLE)
            }
        };
        Ok(query.bind(sql_number(limit as u64)).fetch_all(connection).await?)
    }
}

impl SqliteDocuments {
    pub(super) async fn live_documents(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        after: Option<Revision>,
        limit: usize,
    ) -> Result<Vec<IndexableDocument>> {
        let contents = HashMap::from([(tenant.clone(), self.content(tenant).await?)]);
        self.page_of(&Wanted::Live(tenant, corpus), contents, after, limit).await
    }

    pub(super) async fn pending_documents(
        &self,
        after: Option<Revision>,
        limit: usize,
    ) -> Result<Vec<IndexableDocument>> {
        self.page_of(&Wanted::Pending, Contents::new(), after, limit).await
    }

    /// A page that is only empty when nothing comes after it: what was erased is passed over.
    async fn page_of(
        &self,
        wanted: &Wanted<'_>,
        mut contents: Contents,
        after: Option<Revision>,
        limit: usize,
    ) -> Result<Vec<IndexableDocument>> {
        let mut after = after.map_or(0, |revision| revision.0);
        loop {
            let unknown = {
                let mut connection = self.database.read().await?;
                let mut transaction = connection.begin().await?;
                let rows = wanted.select(&mut transaction, after, limit).await?;
                let unknown = unknown_tenants(&rows, &contents)?;
                if unknown.is_empty() {
                    let (page, through) = load_page(&mut transaction, &contents, &rows).await?;
                    match through {
                        Some(through) if page.is_empty() => after = through,
                        _ => return Ok(page),
                    }
                }
                unknown
            };
            self.add_contents(&mut contents, unknown).await?;
        }
    }

    pub(super) async fn visible_documents(&self, revisions: &[Revision]) -> Result<Vec<IndexableDocument>> {
        let ids: Vec<i64> = revisions.iter().map(|revision| sql_number(revision.0)).collect();
        let mut contents = Contents::new();
        loop {
            let unknown = {
                let mut connection = self.database.read().await?;
                let mut transaction = connection.begin().await?;
                let mut rows = Vec::with_capacity(ids.len());
                for (sql, arguments) in SELECT_VISIBLE.statements(&ids, |row| {
                    row.add(state::VISIBLE);
                }) {
                    rows.extend(sqlx::query_with(sql, arguments).fetch_all(&mut *transaction).await?);
                }
                let unknown = unknown_tenants(&rows, &contents)?;
                if unknown.is_empty() {
                    let mut stored = Vec::with_capacity(rows.len());
                    for row in &rows {
                        stored.extend(Stored::read(row, &contents)?);
                    }
                    return load(&mut transaction, stored).await;
                }
                unknown
            };
            self.add_contents(&mut contents, unknown).await?;
        }
    }

    /// Adds what opens the content of these tenants. No connection is held meanwhile: a master key may take its time.
    async fn add_contents(&self, contents: &mut Contents, tenants: Vec<TenantId>) -> Result<()> {
        for tenant in tenants {
            let content = self.content_or_erased(&tenant).await?;
            contents.insert(tenant, content);
        }
        Ok(())
    }
}

/// What opens the content of each tenant.
type Contents = HashMap<TenantId, Content>;

/// The tenants of the rows of which it is not known yet how their content is opened.
fn unknown_tenants(rows: &[SqliteRow], contents: &Contents) -> Result<Vec<TenantId>> {
    let mut unknown = Vec::new();
    for row in rows {
        let tenant = TenantId::new(column::<&str>(row, 1)?);
        if !contents.contains_key(&tenant) && !unknown.contains(&tenant) {
            unknown.push(tenant);
        }
    }
    Ok(unknown)
}

/// A revision whose text and chunks are still to be read.
struct Stored {
    document: IndexableDocument,
    content: Content,
    first_chunk: u64,
    chunk_count: u64,
    first_block: u64,
    text_bytes: u64,
}

impl Stored {
    /// `None` when it was erased.
    fn read(row: &SqliteRow, contents: &Contents) -> Result<Option<Self>> {
        let tenant = TenantId::new(column::<&str>(row, 1)?);
        let content =
            contents.get(&tenant).ok_or_else(|| StorageError::damaged("a tenant came unawaited"))?;
        unless_erased(Self::opened(row, tenant, content))
    }

    fn opened(row: &SqliteRow, tenant: TenantId, content: &Content) -> Result<Self> {
        let revision = number(row, 0)?;
        Ok(Self {
            document: IndexableDocument {
                tenant,
                corpus: CorpusName::new(column::<&str>(row, 2)?),
                doc_id: DocumentId::new(column::<&str>(row, 3)?),
                revision: Revision(revision),
                title: content.text(row, 4, purpose::TITLE, revision)?,
                media_type: column(row, 10)?,
                language: column(row, 5)?,
                metadata: Metadata::from_stored(content.json(row, 11, purpose::METADATA, revision)?),
                accepted_at: Timestamp::from_micros(column(row, 12)?),
                text: String::new(),
                chunks: Vec::new(),
            },
            content: content.clone(),
            first_chunk: number(row, 6)?,
            chunk_count: number(row, 7)?,
            first_block: number(row, 8)?,
            text_bytes: number(row, 9)?,
        })
    }

    /// The document with its text and chunks, out of exactly the rows that belong to it.
    fn with(self, chunks: &[SqliteRow], blocks: &[SqliteRow]) -> Result<IndexableDocument> {
        let Self { mut document, content, first_chunk, chunk_count, text_bytes, .. } = self;
        let mut bytes = Vec::with_capacity(text_bytes as usize);
        for row in blocks {
            bytes.extend_from_slice(&content.piece(number(row, 0)?, column(row, 1)?)?);
        }
        document.text = String::from_utf8(bytes).map_err(|_| StorageError::damaged("a text is not UTF-8"))?;
        document.chunks = chunks.iter().map(|row| chunk_of(row, &content)).collect::<Result<_>>()?;
        let complete = document.text.len() as u64 == text_bytes
            && document.chunks.len() as u64 == chunk_count
            && document.chunks.first().is_none_or(|chunk| chunk.chunk.0 == first_chunk);
        if complete {
            Ok(document)
        } else {
            Err(StorageError::damaged("rows of a document are missing").into())
        }
    }
}

/// Loads as many of the documents as fit into a page, and says up to which revision it came.
async fn load_page(
    connection: &mut SqliteConnection,
    contents: &Contents,
    rows: &[SqliteRow],
) -> Result<(Vec<IndexableDocument>, Option<u64>)> {
    let mut page = Vec::new();
    let mut bytes = 0;
    let mut through = None;
    for row in rows {
        if let Some(stored) = Stored::read(row, contents)? {
            bytes += stored.text_bytes;
            if !page.is_empty() && bytes > PAGE_TEXT_BYTES {
                break;
            }
            page.push(stored);
        }
        through = Some(number(row, 0)?);
    }
    Ok((load(connection, page).await?, through))
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
         q.content, q.sealed_content FROM chunks k LEFT JOIN quarantine q ON q.chunk_id = k.chunk_id \
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

    let (mut chunk_rows, mut block_rows) = (chunk_rows.as_slice(), block_rows.as_slice());
    let mut documents = Vec::with_capacity(stored.len());
    for stored in stored {
        let chunks = take(&mut chunk_rows, stored.chunk_count);
        let blocks = take(&mut block_rows, blocks_of(stored.text_bytes));
        documents.extend(unless_erased(stored.with(chunks, blocks))?);
    }
    Ok(documents)
}

/// The first so many of the rows, or as many as there are, which are then no longer among the rest.
fn take<'a>(rest: &mut &'a [SqliteRow], count: u64) -> &'a [SqliteRow] {
    let (taken, later) = rest.split_at((count as usize).min(rest.len()));
    *rest = later;
    taken
}

fn chunk_of(row: &SqliteRow, content: &Content) -> Result<IndexableChunk> {
    let chunk = number(row, 0)?;
    Ok(IndexableChunk {
        chunk: ChunkId(chunk),
        range: range(row, 1)?,
        parent_range: range(row, 3)?,
        headings: content.json(row, 5, purpose::HEADINGS, chunk)?,
        language: column(row, 6)?,
        finding: finding_of(row, 7, content, chunk)?,
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
