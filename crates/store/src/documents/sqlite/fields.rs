//! The fields of the metadata of a corpus: written with the documents that have them, read to understand filters.

use std::collections::BTreeSet;

use mainstay_domain::metadata::FieldKind;
use mainstay_domain::{CorpusName, TenantId};
use sqlx::sqlite::SqliteConnection;

use super::{SqliteDocuments, existing_corpus_row};
use crate::documents::{NewDocument, Result};
use crate::error::StorageError;
use crate::sqlite::{MultiRowInsert, column};

static INSERT_FIELDS: MultiRowInsert = MultiRowInsert::new(
    "INSERT INTO corpus_fields (corpus_row, field, kind)",
    3,
    "ON CONFLICT (corpus_row, field, kind) DO NOTHING",
);

impl SqliteDocuments {
    pub(super) async fn fields_of(
        &self,
        tenant: &TenantId,
        corpus: &CorpusName,
    ) -> Result<Vec<(String, FieldKind)>> {
        let mut connection = self.database.read().await?;
        let corpus_row = existing_corpus_row(&mut connection, tenant, corpus).await?;
        let rows =
            sqlx::query("SELECT field, kind FROM corpus_fields WHERE corpus_row = $1 ORDER BY field, kind")
                .bind(corpus_row)
                .fetch_all(&mut *connection)
                .await?;
        rows.iter()
            .map(|row| {
                let kind = FieldKind::from_name(column(row, 1)?)
                    .ok_or_else(|| StorageError::damaged("the kind of a field is none"))?;
                Ok((column(row, 0)?, kind))
            })
            .collect()
    }
}

/// Remembers the fields of new documents.
pub(super) async fn insert_fields(
    connection: &mut SqliteConnection,
    corpus_row: i64,
    documents: &[NewDocument],
) -> Result<()> {
    let fields: BTreeSet<(&str, FieldKind)> = documents
        .iter()
        .flat_map(|document| document.metadata.fields())
        .flat_map(|(name, values)| values.into_iter().map(move |value| (name, value.kind())))
        .collect();
    let fields: Vec<(&str, FieldKind)> = fields.into_iter().collect();
    INSERT_FIELDS
        .run(connection, &fields, |(name, kind), row| {
            row.add(corpus_row).add(*name).add(kind.as_str());
        })
        .await?;
    Ok(())
}
