//! What erasing needs of the store: who brought which documents, forgetting what deletions leave behind, and how far each
//! erasure has come, so that one that was interrupted goes on.

mod jobs;

use mainstay_domain::{CorpusName, DocumentId, TenantId, Timestamp, UserId};

pub use self::jobs::{ErasureJob, LegalHold};
use crate::error::StorageError;
use crate::sqlite::{Database, column};

/// The part of a data folder's databases that erasing deals with.
#[derive(Clone, Debug)]
pub struct SqliteErasures {
    database: Database,
    ledger: Database,
}

/// Documents that one statement is about: events are looked through once for so many.
const AT_ONCE: usize = 5_000;

/// Pairs in JSON, as `json_each` reads them.
fn as_pairs(documents: &[(CorpusName, DocumentId)]) -> String {
    let pairs: Vec<[&str; 2]> =
        documents.iter().map(|(corpus, document)| [corpus.as_str(), document.as_str()]).collect();
    serde_json::json!(pairs).to_string()
}

impl SqliteErasures {
    pub(crate) const fn new(database: Database, ledger: Database) -> Self {
        Self { database, ledger }
    }

    /// The documents of which the user brought any version that still has a row, deleted ones too.
    pub async fn documents_of(
        &self,
        tenant: &TenantId,
        author: &UserId,
    ) -> Result<Vec<(CorpusName, DocumentId)>, StorageError> {
        let rows = sqlx::query(
            "SELECT DISTINCT c.name, d.doc_id FROM revisions r JOIN documents d ON d.document_row = r.document_row \
             JOIN corpora c ON c.corpus_row = r.corpus_row WHERE r.author = $1 AND c.tenant = $2 ORDER BY 1, 2",
        )
        .bind(author.as_str())
        .bind(tenant.as_str())
        .fetch_all(&mut *self.database.read().await?)
        .await?;
        let document =
            |row| Ok((CorpusName::new(column::<&str>(row, 0)?), DocumentId::new(column::<&str>(row, 1)?)));
        rows.iter().map(document).collect()
    }

    /// How many rows of these documents there are: of themselves, their versions, and the events that name them.
    pub async fn rows_of(
        &self,
        tenant: &TenantId,
        documents: &[(CorpusName, DocumentId)],
    ) -> Result<u64, StorageError> {
        let mut rows = 0;
        for documents in documents.chunks(AT_ONCE) {
            let found = sqlx::query(
                "WITH wanted (corpus, doc_id) AS (SELECT value ->> 0, value ->> 1 FROM json_each($2)) \
                 SELECT (SELECT count(*) FROM documents d JOIN corpora c ON c.corpus_row = d.corpus_row \
                         WHERE c.tenant = $1 AND (c.name, d.doc_id) IN (SELECT corpus, doc_id FROM wanted)) \
                      + (SELECT count(*) FROM events WHERE tenant = $1 AND (corpus, doc_id) IN (SELECT corpus, doc_id FROM wanted))",
            )
            .bind(tenant.as_str())
            .bind(as_pairs(documents))
            .fetch_one(&mut *self.database.read().await?)
            .await?;
            rows += crate::sqlite::number(&found, 0)?;
        }
        Ok(rows)
    }

    /// Takes the names of documents out of the events about them; they keep their places, so that consumers miss none.
    pub async fn forget_events_of(
        &self,
        tenant: &TenantId,
        documents: &[(CorpusName, DocumentId)],
    ) -> Result<u64, StorageError> {
        let mut changed = 0;
        for documents in documents.chunks(AT_ONCE) {
            let mut transaction = self.database.write().await?;
            let forgotten = sqlx::query(
                "WITH wanted (corpus, doc_id) AS (SELECT value ->> 0, value ->> 1 FROM json_each($2)) \
                 UPDATE events SET doc_id = 'erased' WHERE tenant = $1 AND (corpus, doc_id) IN (SELECT corpus, doc_id FROM wanted)",
            )
            .bind(tenant.as_str())
            .bind(as_pairs(documents))
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            changed += forgotten.rows_affected();
        }
        Ok(changed)
    }

    /// Forgets that a user of the tenant brought anything.
    pub async fn forget_author(&self, tenant: &TenantId, author: &UserId) -> Result<u64, StorageError> {
        let mut transaction = self.database.write().await?;
        let changed = sqlx::query(
            "UPDATE revisions SET author = NULL WHERE author = $1 \
             AND corpus_row IN (SELECT corpus_row FROM corpora WHERE tenant = $2)",
        )
        .bind(author.as_str())
        .bind(tenant.as_str())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(changed.rows_affected())
    }

    /// Removes what a tenant leaves when its documents are gone: its corpora, what is known of their fields and what was
    /// released in them, and the names in events. Of a corpus that still has versions of documents nothing is removed.
    pub async fn forget_corpora_of(&self, tenant: &TenantId) -> Result<u64, StorageError> {
        const EMPTY: &str = "SELECT c.corpus_row FROM corpora c WHERE c.tenant = $1 AND NOT EXISTS \
                             (SELECT 1 FROM revisions r WHERE r.corpus_row = c.corpus_row)";
        let mut transaction = self.database.write().await?;
        let mut changed = 0;
        for delete in [
            "DELETE FROM corpus_fields WHERE corpus_row IN (",
            "DELETE FROM released WHERE corpus_row IN (",
            "DELETE FROM documents WHERE corpus_row IN (",
            "DELETE FROM corpora WHERE corpus_row IN (",
        ] {
            let sql = crate::sqlite::built_sql(format!("{delete}{EMPTY})"));
            let done = sqlx::query(sql).bind(tenant.as_str()).execute(&mut *transaction).await?;
            changed += done.rows_affected();
        }
        let events = sqlx::query("UPDATE events SET doc_id = 'erased', corpus = 'erased' WHERE tenant = $1")
            .bind(tenant.as_str())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(changed + events.rows_affected())
    }

    /// Takes the words of callers out of the ledger of a tenant: what is left says what was charged, and not for what.
    pub async fn forget_attributes_of(&self, tenant: &TenantId) -> Result<u64, StorageError> {
        let mut transaction = self.ledger.write().await?;
        let changed = sqlx::query(
            "UPDATE ledger SET team = NULL, feature = NULL \
             WHERE tenant = $1 AND (team IS NOT NULL OR feature IS NOT NULL)",
        )
        .bind(tenant.as_str())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(changed.rows_affected())
    }

    /// Removes the approvals of a tenant in which somebody took part, or all of them; with them those that are used, refused or
    /// over, and those that name one of the documents.
    pub async fn forget_approvals_of(
        &self,
        tenant: &TenantId,
        person: Option<&str>,
        everything: bool,
        documents: &[(CorpusName, DocumentId)],
        now: Timestamp,
    ) -> Result<u64, StorageError> {
        let mut transaction = self.database.write().await?;
        let mut forgotten = sqlx::query(
            "DELETE FROM approvals WHERE tenant = $1 AND ($2 OR asked_by = $3 OR decided_by = $3 \
             OR used_at IS NOT NULL OR approved = 0 OR expires_at <= $4)",
        )
        .bind(tenant.as_str())
        .bind(everything)
        .bind(person)
        .bind(now.as_micros())
        .execute(&mut *transaction)
        .await?
        .rows_affected();
        for (_, document) in documents {
            let done = sqlx::query("DELETE FROM approvals WHERE tenant = $1 AND instr(summary, $2) > 0")
                .bind(tenant.as_str())
                .bind(document.as_str())
                .execute(&mut *transaction)
                .await?;
            forgotten += done.rows_affected();
        }
        transaction.commit().await?;
        Ok(forgotten)
    }

    /// How many versions of documents a tenant has, deleted ones that still have rows too.
    pub async fn revisions_of(&self, tenant: &TenantId) -> Result<u64, StorageError> {
        let row = sqlx::query(
            "SELECT count(*) FROM revisions r JOIN corpora c ON c.corpus_row = r.corpus_row WHERE c.tenant = $1",
        )
        .bind(tenant.as_str())
        .fetch_one(&mut *self.database.read().await?)
        .await?;
        crate::sqlite::number(&row, 0)
    }

    /// Makes sure that what was deleted is in no log any more: rows that are deleted are overwritten, and the write-ahead logs
    /// are emptied. `false` where something still reads an older state; to be tried again then.
    pub async fn overwrite(&self) -> Result<bool, StorageError> {
        Ok(self.database.empty_log().await? & self.ledger.empty_log().await?)
    }

    /// Writes the databases anew. Only needed for what was deleted by a Mainstay that did not overwrite yet.
    pub async fn compact(&self) -> Result<(), StorageError> {
        self.database.compact().await?;
        self.ledger.compact().await
    }
}
