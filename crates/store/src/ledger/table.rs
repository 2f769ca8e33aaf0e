//! The ledger's rows: writing turns, and reading them back.

use mainstay_domain::ledger::Outcome;
use mainstay_domain::usage::{Usage, UsageSource};
use mainstay_domain::{AssistantName, KeyId, NanoUsd, RequestId, TenantId, Timestamp, TurnId, TurnRecord};
use sqlx::sqlite::SqliteRow;

use crate::error::StorageError;
use crate::sqlite::{Database, MultiRowInsert, Row, column, number, optional, sql_number};

/// The columns, in the order in which [`bind`] writes them and [`record_of`] reads them.
macro_rules! columns {
    () => {
        "turn, request, started_at, duration_micros, first_token_micros, tenant, api_key, operation, requested_model, \
         assistant, answered_model, streamed, outcome, error_code, prompt_tokens, cache_read_tokens, \
         cache_write_tokens, completion_tokens, reasoning_tokens, usage_source, cost_nano_usd, price_date, passages, \
         citations, citations_removed, client_retries, failed_attempts, failed_cost_nano_usd, \
         team, feature, cache, intent, escalations, escalated_cost_nano_usd"
    };
}
pub(super) use columns;

static INSERT: MultiRowInsert = MultiRowInsert::new(
    concat!("INSERT INTO ledger (", columns!(), ")"),
    34,
    "ON CONFLICT (turn) DO NOTHING",
);

/// Writes turns in one transaction; those that are there already are left as they are.
pub(super) async fn insert(database: &Database, records: &[TurnRecord]) -> Result<(), StorageError> {
    if records.is_empty() {
        return Ok(());
    }
    let mut transaction = database.write().await?;
    INSERT.run(&mut transaction, records, bind).await?;
    Ok(transaction.commit().await?)
}

fn bind(record: &TurnRecord, row: &mut Row<'_>) {
    // Every field by name: one that is added to the record is missed by the compiler here.
    let TurnRecord {
        turn,
        request,
        started_at,
        duration_micros,
        first_token_micros,
        tenant,
        key,
        operation,
        requested_model,
        assistant,
        answered_model,
        streamed,
        outcome,
        error_code,
        usage: Usage { prompt, cache_read, cache_write, completion, reasoning },
        usage_source,
        cost,
        price_date,
        passages,
        citations,
        citations_removed,
        client_retries,
        failed_attempts,
        failed_cost,
        team,
        feature,
        cache,
        intent,
        escalations,
        escalated_cost,
    } = record;
    row.add(turn.as_str()).add(request.as_str()).add(started_at.as_micros());
    row.add(sql_number(*duration_micros)).add(first_token_micros.map(sql_number));
    row.add(tenant.as_ref().map(TenantId::as_str)).add(key.as_ref().map(KeyId::as_str));
    row.add(operation.as_str()).add(requested_model.as_str());
    row.add(assistant.as_ref().map(AssistantName::as_str)).add(answered_model.as_deref());
    row.add(*streamed).add(outcome.as_str()).add(error_code.as_deref());
    for tokens in [prompt, cache_read, cache_write, completion, reasoning] {
        row.add(sql_number(*tokens));
    }
    row.add(name_of_source(*usage_source)).add(cost.as_nanos()).add(price_date.as_deref());
    for count in [passages, citations, citations_removed, client_retries, failed_attempts] {
        row.add(i64::from(*count));
    }
    row.add(failed_cost.as_nanos()).add(team.as_deref()).add(feature.as_deref());
    row.add(cache.as_deref()).add(intent.as_deref());
    row.add(i64::from(*escalations)).add(escalated_cost.as_nanos());
}

pub(super) fn record_of(row: &SqliteRow) -> Result<TurnRecord, StorageError> {
    let count = |index| Ok::<_, StorageError>(u32::try_from(number(row, index)?).unwrap_or(u32::MAX));
    Ok(TurnRecord {
        turn: TurnId::new(column::<&str>(row, 0)?),
        request: RequestId::new(column::<&str>(row, 1)?),
        started_at: Timestamp::from_micros(column(row, 2)?),
        duration_micros: number(row, 3)?,
        first_token_micros: column::<Option<i64>>(row, 4)?.map(|micros| micros.max(0) as u64),
        tenant: optional(row, 5)?,
        key: optional(row, 6)?,
        operation: column(row, 7)?,
        requested_model: column(row, 8)?,
        assistant: optional(row, 9)?,
        answered_model: column(row, 10)?,
        streamed: column(row, 11)?,
        outcome: outcome_of(column(row, 12)?)?,
        error_code: column(row, 13)?,
        usage: Usage {
            prompt: number(row, 14)?,
            cache_read: number(row, 15)?,
            cache_write: number(row, 16)?,
            completion: number(row, 17)?,
            reasoning: number(row, 18)?,
        },
        usage_source: source_of(column(row, 19)?)?,
        cost: NanoUsd::new(column(row, 20)?),
        price_date: column(row, 21)?,
        passages: count(22)?,
        citations: count(23)?,
        citations_removed: count(24)?,
        client_retries: count(25)?,
        failed_attempts: count(26)?,
        failed_cost: NanoUsd::new(column(row, 27)?),
        team: column(row, 28)?,
        feature: column(row, 29)?,
        cache: column(row, 30)?,
        intent: column(row, 31)?,
        escalations: count(32)?,
        escalated_cost: NanoUsd::new(column(row, 33)?),
    })
}

fn outcome_of(name: &str) -> Result<Outcome, StorageError> {
    [Outcome::Completed, Outcome::Failed, Outcome::Cancelled]
        .into_iter()
        .find(|outcome| outcome.as_str() == name)
        .ok_or_else(|| StorageError::damaged("a turn ended in no known way"))
}

const fn name_of_source(source: UsageSource) -> &'static str {
    match source {
        UsageSource::Reported => "reported",
        UsageSource::Estimated => "estimated",
    }
}

fn source_of(name: &str) -> Result<UsageSource, StorageError> {
    [UsageSource::Reported, UsageSource::Estimated]
        .into_iter()
        .find(|source| name_of_source(*source) == name)
        .ok_or_else(|| StorageError::damaged("a turn's tokens come from nowhere known"))
}
