//! Reading columns by position. What does not read back as what we wrote is damage, and never a panic.

use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row as _, Sqlite, Type};

use crate::error::StorageError;

/// A column.
pub(crate) fn column<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(
    row: &'r SqliteRow,
    index: usize,
) -> Result<T, StorageError> {
    Ok(row.try_get(index)?)
}

/// A column that holds a count or an id: never negative, because we wrote it.
pub(crate) fn number(row: &SqliteRow, index: usize) -> Result<u64, StorageError> {
    let value: i64 = column(row, index)?;
    u64::try_from(value).map_err(|_| StorageError::damaged("a count is negative"))
}

/// A column that holds JSON.
pub(crate) fn json<T: serde::de::DeserializeOwned>(row: &SqliteRow, index: usize) -> Result<T, StorageError> {
    let text: &str = column(row, index)?;
    serde_json::from_str(text).map_err(|_| StorageError::damaged("a column that holds JSON is none"))
}

/// A column that holds an id of some kind, or nothing.
pub(crate) fn optional<'r, T: From<&'r str>>(
    row: &'r SqliteRow,
    index: usize,
) -> Result<Option<T>, StorageError> {
    Ok(column::<Option<&str>>(row, index)?.map(T::from))
}

/// A count or an id as the database has it: signed. What is counted exists, so it stays far below the limit.
pub(crate) fn sql_number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
