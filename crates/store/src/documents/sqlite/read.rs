//! Reading documents: records, texts, lists, and whether they have changed.

use std::collections::HashMap;

use mainstay_domain::{ChunkId, CorpusName, DocumentId, Metadata, TenantId, Timestamp};
use sqlx::Connection;
use sqlx::sqlite::SqliteRow;

use super::blocks::read_text;
use super::seal::{Content, purpose, unless_erased};
use super::{SqliteDocuments, corpus_row, existing_corpus_row};
use crate::documents::{ChunkSpan, DocumentRecord, DocumentStatus, Fingerprint, Result, Revision};
use crate::sqlite::{IdList, column, json, number, sql_number};

/// The columns of a record, for `documents d` and `revisions r`.
macro_rules! select_records {
    ($rest:literal) => {
        concat!(
            "SELECT d.doc_id, r.revision, r.title, r.media_type, r.language, r.source_name, r.source_sha256, ",
            "r.source_bytes, r.text_bytes, r.first_chunk, r.chunk_count, d.created_at, r.accepted_at, ",
            "d.pending_revision IS NOT NULL, r.metadata, ",
            "(SELECT json_group_object(reason, chunks) FROM (SELECT q.reason, count(*) AS chunks FROM quarantine q ",
            "WHERE q.chunk_id >= r.first_chunk AND q.chunk_id < r.first_chunk + r.chunk_count GROUP BY q.reason)) ",
            "FROM documents d JOIN revisions r ON r.revision = d.visible_revision ",
            $rest
        )
    };
}

/// The newest revision that was accepted and not deleted.
static SELECT_FINGERPRINTS: IdList = IdList::new(
    "SELECT d.doc_id, r.source_sha256, r.revision FROM documents d \
     JOIN revisions r ON r.revision = coalesce(d.pending_revision, d.visible_revision) \
     WHERE d.corpus_row = ? AND d.doc_id IN",
    1,
    "",
);

impl SqliteDocuments {
    pub(super) async fn get_record(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        document: &DocumentId,
    ) -> Result<Option<DocumentRecord>> {
        let content = self.content(tenant).await?;
        let row = sqlx::query(select_records!(
            "JOIN corpora c ON c.corpus_row = d.corpus_row WHERE c.tenant = $1 AND c.name = $2 AND d.doc_id = $3"
        ))
        .bind(tenant.as_str())
        .bind(corpus.as_str())
        .bind(document.as_str())
        .fetch_optional(&mut *self.database.read().await?)
        .await?;
        match row {
            Some(row) => unless_erased(record_of(&row, &content)),
            None => Ok(None),
        }
    }

    pub(super) async fn get_text(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        document: &DocumentId,
    ) -> Result<Option<String>> {
        let content = self.content(tenant).await?;
        let mut connection = self.database.read().await?;
        // One snapshot for both statements, or the text could be purged between them.
        let mut transaction = connection.begin().await?;
        let row = sqlx::query(
            "SELECT r.first_block, r.text_bytes FROM corpora c JOIN documents d ON d.corpus_row = c.corpus_row \
             JOIN revisions r ON r.revision = d.visible_revision \
             WHERE c.tenant = $1 AND c.name = $2 AND d.doc_id = $3",
        )
        .bind(tenant.as_str())
        .bind(corpus.as_str())
        .bind(document.as_str())
        .fetch_optional(&mut *transaction)
        .await?;
        match row {
            Some(row) => {
                let text = read_text(&mut transaction, &content, number(&row, 0)?, number(&row, 1)?).await;
                unless_erased(text)
            }
            None => Ok(None),
        }
    }

    pub(super) async fn list_records(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<DocumentRecord>> {
        let content = self.content(tenant).await?;
        let mut connection = self.database.read().await?;
        let corpus_row = existing_corpus_row(&mut connection, tenant, corpus).await?;
        let mut records = Vec::new();
        // No id is empty, so every id comes after the empty one.
        let mut after = after.map_or(String::new(), ToString::to_string);
        // A page is only short when it is the last one, whatever was erased in it.
        while records.len() < limit {
            let wanted = limit - records.len();
            let rows = sqlx::query(select_records!(
                "WHERE d.corpus_row = $1 AND d.doc_id > $2 ORDER BY d.doc_id LIMIT $3"
            ))
            .bind(corpus_row)
            .bind(after.as_str())
            .bind(sql_number(wanted as u64))
            .fetch_all(&mut *connection)
            .await?;
            for row in &rows {
                records.extend(unless_erased(record_of(row, &content))?);
            }
            match rows.last() {
                Some(last) if rows.len() == wanted => after = column(last, 0)?,
                _ => break,
            }
        }
        Ok(records)
    }

    pub(super) async fn compare_fingerprints(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        documents: &[(DocumentId, Fingerprint)],
    ) -> Result<Vec<bool>> {
        let content = self.content(tenant).await?;
        let mut connection = self.database.read().await?;
        let Some(corpus_row) = corpus_row(&mut connection, tenant, corpus).await? else {
            return Ok(vec![false; documents.len()]);
        };
        let doc_ids: Vec<&str> = documents.iter().map(|(doc_id, _)| doc_id.as_str()).collect();
        let mut stored: HashMap<String, Fingerprint> = HashMap::with_capacity(documents.len());
        for (sql, arguments) in SELECT_FINGERPRINTS.statements(&doc_ids, |row| {
            row.add(corpus_row);
        }) {
            for row in sqlx::query_with(sql, arguments).fetch_all(&mut *connection).await? {
                let fingerprint = content.fingerprint(&row, 1, number(&row, 2)?).map_err(Into::into);
                // What was erased has changed.
                if let Some(fingerprint) = unless_erased(fingerprint)? {
                    stored.insert(column(&row, 0)?, fingerprint);
                }
            }
        }
        Ok(documents.iter().map(|(doc_id, wanted)| stored.get(doc_id.as_str()) == Some(wanted)).collect())
    }
}

fn record_of(row: &SqliteRow, content: &Content) -> Result<DocumentRecord> {
    let revision = number(row, 1)?;
    Ok(DocumentRecord {
        doc_id: DocumentId::new(column::<&str>(row, 0)?),
        revision: Revision(revision),
        title: content.text(row, 2, purpose::TITLE, revision)?,
        media_type: column(row, 3)?,
        language: column(row, 4)?,
        source_name: content.text(row, 5, purpose::SOURCE_NAME, revision)?,
        fingerprint: content.fingerprint(row, 6, revision)?,
        source_bytes: number(row, 7)?,
        text_bytes: number(row, 8)?,
        chunks: ChunkSpan { first: ChunkId(number(row, 9)?), count: number(row, 10)? },
        created_at: Timestamp::from_micros(column(row, 11)?),
        updated_at: Timestamp::from_micros(column(row, 12)?),
        status: if column(row, 13)? { DocumentStatus::Updating } else { DocumentStatus::Searchable },
        metadata: Metadata::from_stored(content.json(row, 14, purpose::METADATA, revision)?),
        quarantined: json(row, 15)?,
    })
}
