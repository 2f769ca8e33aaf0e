//! Corpora: creating, finding and counting them.

use mainstay_domain::{CorpusName, TenantId, Timestamp};
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::quarantine::quarantined;
use super::{SqliteDocuments, existing_corpus_row, state};
use crate::documents::{Corpus, CorpusCounts, DocumentStoreError, LanguageCounts, Result};
use crate::sqlite::{column, json, number, sql_number};

impl SqliteDocuments {
    pub(super) async fn create_corpus_row(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        embedder: &str,
        dimension: usize,
        settings: serde_json::Value,
    ) -> Result<Corpus> {
        if let Some(found) = self.find_corpus(tenant, corpus).await? {
            return same_embedder(found, embedder, dimension);
        }
        let mut transaction = self.database.write().await?;
        if let Some(found) = find(&mut transaction, tenant, corpus).await? {
            // Somebody else was quicker.
            return same_embedder(found, embedder, dimension);
        }
        let row: i64 = sqlx::query_scalar(
            "UPDATE next_ids SET corpus = corpus + 1 WHERE only_row = 1 RETURNING corpus - 1",
        )
        .fetch_one(&mut *transaction)
        .await?;
        let created = Corpus {
            tenant: tenant.clone(),
            name: corpus.clone(),
            embedder: embedder.to_owned(),
            dimension,
            settings,
            created_at: Timestamp::from_micros(self.now()),
        };
        sqlx::query(
            "INSERT INTO corpora (corpus_row, tenant, name, embedder, dimension, settings, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(row)
        .bind(tenant.as_str())
        .bind(corpus.as_str())
        .bind(embedder)
        .bind(sql_number(dimension as u64))
        .bind(created.settings.to_string())
        .bind(created.created_at.as_micros())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(created)
    }

    pub(super) async fn set_corpus_embedder(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
        embedder: &str,
        dimension: usize,
        settings: serde_json::Value,
    ) -> Result<Corpus> {
        let mut transaction = self.database.write().await?;
        let changed = sqlx::query(
            "UPDATE corpora SET embedder = $1, dimension = $2, settings = $3 WHERE tenant = $4 AND name = $5",
        )
        .bind(embedder)
        .bind(sql_number(dimension as u64))
        .bind(settings.to_string())
        .bind(tenant.as_str())
        .bind(corpus.as_str())
        .execute(&mut *transaction)
        .await?;
        let found = find(&mut transaction, tenant, corpus).await?;
        let Some(found) = found.filter(|_| changed.rows_affected() == 1) else {
            return Err(DocumentStoreError::UnknownCorpus(corpus.clone()));
        };
        transaction.commit().await?;
        Ok(found)
    }

    pub(super) async fn find_corpus(&self, tenant: &TenantId, corpus: &CorpusName) -> Result<Option<Corpus>> {
        find(&mut *self.database.read().await?, tenant, corpus).await
    }

    pub(super) async fn corpora_of(&self, tenant: &TenantId) -> Result<Vec<Corpus>> {
        let rows = sqlx::query(
            "SELECT tenant, name, embedder, dimension, settings, created_at FROM corpora \
             WHERE tenant = $1 ORDER BY name",
        )
        .bind(tenant.as_str())
        .fetch_all(&mut *self.database.read().await?)
        .await?;
        rows.iter().map(corpus_of).collect()
    }

    pub(super) async fn corpora_of_all(&self) -> Result<Vec<Corpus>> {
        let rows = sqlx::query(
            "SELECT tenant, name, embedder, dimension, settings, created_at FROM corpora ORDER BY tenant, name",
        )
        .fetch_all(&mut *self.database.read().await?)
        .await?;
        rows.iter().map(corpus_of).collect()
    }

    pub(super) async fn count(&self, tenant: &TenantId, corpus: &CorpusName) -> Result<CorpusCounts> {
        let mut connection = self.database.read().await?;
        let corpus_row = existing_corpus_row(&mut connection, tenant, corpus).await?;
        let rows = sqlx::query(
            "SELECT language, count(*), sum(chunk_count), sum(text_bytes), sum(source_bytes) FROM revisions \
             WHERE corpus_row = $1 AND state = $2 GROUP BY language ORDER BY 2 DESC, language",
        )
        .bind(corpus_row)
        .bind(state::VISIBLE)
        .fetch_all(&mut *connection)
        .await?;
        let mut counts = CorpusCounts::default();
        for row in &rows {
            let language = LanguageCounts {
                language: column(row, 0)?,
                documents: number(row, 1)?,
                chunks: number(row, 2)?,
            };
            counts.documents += language.documents;
            counts.chunks += language.chunks;
            counts.text_bytes += number(row, 3)?;
            counts.source_bytes += number(row, 4)?;
            counts.languages.push(language);
        }
        counts.quarantined = quarantined(&mut connection, corpus_row).await?;
        Ok(counts)
    }
}

async fn find(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    corpus: &CorpusName,
) -> Result<Option<Corpus>> {
    let row = sqlx::query(
        "SELECT tenant, name, embedder, dimension, settings, created_at FROM corpora \
         WHERE tenant = $1 AND name = $2",
    )
    .bind(tenant.as_str())
    .bind(corpus.as_str())
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(corpus_of).transpose()
}

fn corpus_of(row: &SqliteRow) -> Result<Corpus> {
    Ok(Corpus {
        tenant: TenantId::new(column::<&str>(row, 0)?),
        name: CorpusName::new(column::<&str>(row, 1)?),
        embedder: column(row, 2)?,
        dimension: number(row, 3)? as usize,
        settings: json(row, 4)?,
        created_at: Timestamp::from_micros(column(row, 5)?),
    })
}

fn same_embedder(found: Corpus, embedder: &str, dimension: usize) -> Result<Corpus> {
    if found.embedder == embedder && found.dimension == dimension {
        return Ok(found);
    }
    Err(DocumentStoreError::EmbedderMismatch {
        corpus: found.name,
        has: found.embedder,
        has_dimension: found.dimension,
        wanted: embedder.to_owned(),
        wanted_dimension: dimension,
    })
}
