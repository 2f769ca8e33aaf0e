//! Reading what was booked: sums, and single turns.

use async_trait::async_trait;
use mainstay_domain::{NanoUsd, TenantId, Timestamp, TurnId, TurnRecord};
use serde::{Deserialize, Serialize};
use sqlx::Arguments as _;
use sqlx::SqlStr;
use sqlx::sqlite::{SqliteArguments, SqliteRow};

use super::table::{columns, record_of};
use super::{JournalLedger, TurnHistory};
use crate::error::StorageError;
use crate::sqlite::{built_sql, column, number, sql_number};

const DAY_MICROS: i64 = 86_400_000_000;

/// Which turns are meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HistoryFilter {
    /// Whose.
    pub scope: HistoryScope,
    /// Opened at this moment or later.
    pub from: Option<Timestamp>,
    /// Opened before this moment.
    pub until: Option<Timestamp>,
}

impl HistoryFilter {
    /// All turns of a scope.
    pub const fn all(scope: HistoryScope) -> Self {
        Self { scope, from: None, until: None }
    }
}

/// Whose turns are meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HistoryScope {
    /// Those of one tenant.
    Tenant(TenantId),
    /// Those of all tenants, and those of callers that were not identified: for the operator.
    Everyone,
}

/// What sums can be told apart by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dimension {
    /// The tenant.
    Tenant,
    /// The API key.
    Key,
    /// The assistant that was called.
    Assistant,
    /// The model that answered.
    Model,
    /// What was called: `chat`, `embeddings`.
    Operation,
    /// How it ended.
    Outcome,
    /// The team that the caller says it works for.
    Team,
    /// The feature that the caller says it is for.
    Feature,
}

impl Dimension {
    const fn column(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Key => "api_key",
            Self::Assistant => "assistant",
            Self::Model => "answered_model",
            Self::Operation => "operation",
            Self::Outcome => "outcome",
            Self::Team => "team",
            Self::Feature => "feature",
        }
    }
}

/// A place in the history, between two turns: that of the last turn of a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HistoryPosition {
    /// When the turn was opened.
    pub started_at: Timestamp,
    /// The turn.
    pub turn: TurnId,
}

impl HistoryPosition {
    /// The place right after this turn.
    pub fn after(record: &TurnRecord) -> Self {
        Self { started_at: record.started_at, turn: record.turn.clone() }
    }
}

/// Sums over turns.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Turns.
    pub turns: u64,
    /// Of them, those that failed.
    pub failed: u64,
    /// Of them, those whose caller went away.
    pub cancelled: u64,
    /// What they cost, with the calls that failed on the way and the answers that did not leave.
    pub cost: NanoUsd,
    /// Of that, what those calls cost.
    pub failed_cost: NanoUsd,
    /// Of that, what those answers cost.
    pub escalated_cost: NanoUsd,
    /// Tokens of their prompts.
    pub prompt_tokens: u64,
    /// Of them, those that providers read from their caches.
    pub cache_read_tokens: u64,
    /// Tokens of their answers.
    pub completion_tokens: u64,
}

/// Sums over the turns of a day that have one value of a dimension.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DayTotals {
    /// The value; `None` for turns that have none.
    pub value: Option<String>,
    /// The day's first moment in UTC.
    pub day: Timestamp,
    /// Their sums.
    pub totals: Totals,
}

/// The columns of [`totals_of`].
const SUMS: &str = "count(*), coalesce(sum(CASE WHEN outcome = 'failed' THEN 1 ELSE 0 END), 0), \
                    coalesce(sum(CASE WHEN outcome = 'cancelled' THEN 1 ELSE 0 END), 0), \
                    coalesce(sum(cost_nano_usd + failed_cost_nano_usd + escalated_cost_nano_usd), 0), coalesce(sum(prompt_tokens), 0), \
                    coalesce(sum(cache_read_tokens), 0), coalesce(sum(completion_tokens), 0), \
                    coalesce(sum(failed_cost_nano_usd), 0), coalesce(sum(escalated_cost_nano_usd), 0)";

#[async_trait]
impl TurnHistory for JournalLedger {
    async fn settle(&self) -> Result<(), StorageError> {
        self.drain().await
    }

    async fn totals(&self, filter: &HistoryFilter) -> Result<Totals, StorageError> {
        let (conditions, arguments) = conditions(filter);
        let rows = self.rows(format!("SELECT {SUMS} FROM ledger WHERE {conditions}"), arguments).await?;
        rows.first().map_or(Ok(Totals::default()), |row| totals_of(row, 0))
    }

    async fn totals_by(
        &self,
        filter: &HistoryFilter,
        dimension: Dimension,
    ) -> Result<Vec<(Option<String>, Totals)>, StorageError> {
        let (conditions, arguments) = conditions(filter);
        let name = dimension.column();
        // The cost is the fifth column.
        let sql = format!(
            "SELECT {name}, {SUMS} FROM ledger WHERE {conditions} GROUP BY {name} ORDER BY 5 DESC, {name}"
        );
        let rows = self.rows(sql, arguments).await?;
        rows.iter().map(|row| Ok((column(row, 0)?, totals_of(row, 1)?))).collect()
    }

    async fn totals_by_day(
        &self,
        filter: &HistoryFilter,
        dimension: Dimension,
    ) -> Result<Vec<DayTotals>, StorageError> {
        let (conditions, arguments) = conditions(filter);
        let (name, day) = (dimension.column(), format!("started_at / {DAY_MICROS}"));
        let sql = format!(
            "SELECT {name}, {day}, {SUMS} FROM ledger WHERE {conditions} GROUP BY {name}, {day} ORDER BY 1, 2"
        );
        let rows = self.rows(sql, arguments).await?;
        let day_of = |row: &SqliteRow| {
            let day: i64 = column(row, 1)?;
            Ok(DayTotals {
                value: column(row, 0)?,
                day: Timestamp::from_micros(day.saturating_mul(DAY_MICROS)),
                totals: totals_of(row, 2)?,
            })
        };
        rows.iter().map(day_of).collect()
    }

    async fn recent(
        &self,
        filter: &HistoryFilter,
        before: Option<&HistoryPosition>,
        limit: usize,
    ) -> Result<Vec<TurnRecord>, StorageError> {
        let (mut conditions, mut arguments) = conditions(filter);
        if let Some(position) = before {
            bind(&mut arguments, position.started_at.as_micros());
            bind(&mut arguments, position.turn.as_str());
            let last = arguments.len();
            conditions.push_str(&format!(" AND (started_at, turn) < (${}, ${last})", last - 1));
        }
        bind(&mut arguments, sql_number(limit as u64));
        let sql = format!(
            "SELECT {} FROM ledger WHERE {conditions} ORDER BY started_at DESC, turn DESC LIMIT ${}",
            columns!(),
            arguments.len()
        );
        let rows = self.rows(sql, arguments).await?;
        rows.iter().map(record_of).collect()
    }
}

impl JournalLedger {
    async fn rows(&self, sql: String, arguments: SqliteArguments) -> Result<Vec<SqliteRow>, StorageError> {
        let sql: SqlStr = built_sql(sql);
        Ok(sqlx::query_with(sql, arguments).fetch_all(&mut *self.database.read().await?).await?)
    }
}

/// What stands behind `WHERE`, and its arguments.
fn conditions(filter: &HistoryFilter) -> (String, SqliteArguments) {
    let mut arguments = SqliteArguments::default();
    bind(&mut arguments, filter.from.map_or(i64::MIN, Timestamp::as_micros));
    bind(&mut arguments, filter.until.map_or(i64::MAX, Timestamp::as_micros));
    let mut conditions = "started_at >= $1 AND started_at < $2".to_owned();
    if let HistoryScope::Tenant(tenant) = &filter.scope {
        bind(&mut arguments, tenant.as_str());
        conditions.push_str(" AND tenant = $3");
    }
    (conditions, arguments)
}

fn bind<'v>(
    arguments: &mut SqliteArguments,
    value: impl sqlx::Encode<'v, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
) {
    arguments.add(value).expect("a plain value encodes");
}

/// The sums in a row, from a column on.
fn totals_of(row: &SqliteRow, first: usize) -> Result<Totals, StorageError> {
    Ok(Totals {
        turns: number(row, first)?,
        failed: number(row, first + 1)?,
        cancelled: number(row, first + 2)?,
        cost: NanoUsd::new(column(row, first + 3)?),
        prompt_tokens: number(row, first + 4)?,
        cache_read_tokens: number(row, first + 5)?,
        completion_tokens: number(row, first + 6)?,
        failed_cost: NanoUsd::new(column(row, first + 7)?),
        escalated_cost: NanoUsd::new(column(row, first + 8)?),
    })
}
