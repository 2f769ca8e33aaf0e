//! The ledger in the database.

use mainstay_domain::{NanoUsd, TurnRecord};
use sqlx::Row as _;

use crate::error::StorageError;
use crate::sqlite::{Database, MultiRowInsert};

/// The sums of a ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Turns.
    pub turns: u64,
    /// What they cost.
    pub cost: NanoUsd,
    /// Tokens of their prompts.
    pub prompt_tokens: u64,
    /// Tokens of their answers.
    pub completion_tokens: u64,
}

static INSERT: MultiRowInsert = MultiRowInsert::new(
    "INSERT INTO ledger (turn, request, started_at, duration_micros, first_token_micros, tenant, api_key, operation,
     requested_model, assistant, answered_model, streamed, outcome, error_code, prompt_tokens, cache_read_tokens,
     cache_write_tokens, completion_tokens, reasoning_tokens, usage_source, cost_nano_usd, price_date, passages,
     citations, citations_removed, client_retries)",
    26,
    "ON CONFLICT (turn) DO NOTHING",
);

/// Writes records in one transaction; those that are there already are left as they are.
pub(super) async fn insert(database: &Database, records: &[TurnRecord]) -> Result<(), StorageError> {
    let mut transaction = database.write().await?;
    INSERT
        .run(&mut transaction, records, |record, row| {
            let usage_source = match record.usage_source {
                mainstay_domain::usage::UsageSource::Reported => "reported",
                mainstay_domain::usage::UsageSource::Estimated => "estimated",
            };
            row.add(record.turn.as_str().to_owned())
                .add(record.request.as_str().to_owned())
                .add(record.started_at.as_micros())
                .add(number(record.duration_micros))
                .add(record.first_token_micros.map(number))
                .add(record.tenant.as_ref().map(ToString::to_string))
                .add(record.key.as_ref().map(ToString::to_string))
                .add(record.operation.clone())
                .add(record.requested_model.clone())
                .add(record.assistant.as_ref().map(ToString::to_string))
                .add(record.answered_model.clone())
                .add(record.streamed)
                .add(record.outcome.as_str())
                .add(record.error_code.clone())
                .add(number(record.usage.prompt))
                .add(number(record.usage.cache_read))
                .add(number(record.usage.cache_write))
                .add(number(record.usage.completion))
                .add(number(record.usage.reasoning))
                .add(usage_source)
                .add(record.cost.as_nanos())
                .add(record.price_date.clone())
                .add(i64::from(record.passages))
                .add(i64::from(record.citations))
                .add(i64::from(record.citations_removed))
                .add(i64::from(record.client_retries));
        })
        .await?;
    Ok(transaction.commit().await?)
}

pub(super) async fn totals(database: &Database) -> Result<Totals, StorageError> {
    let mut connection = database.read().await?;
    let sql = "SELECT COUNT(*), COALESCE(SUM(cost_nano_usd), 0), COALESCE(SUM(prompt_tokens), 0),
               COALESCE(SUM(completion_tokens), 0) FROM ledger";
    let row = sqlx::query(sql).fetch_one(&mut *connection).await?;
    Ok(Totals {
        turns: row.get::<i64, _>(0) as u64,
        cost: NanoUsd::new(row.get(1)),
        prompt_tokens: row.get::<i64, _>(2) as u64,
        completion_tokens: row.get::<i64, _>(3) as u64,
    })
}

/// SQLite's numbers are signed.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
