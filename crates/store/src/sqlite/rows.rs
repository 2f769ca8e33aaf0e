//! Statements over many rows at once. A statement is a message to the connection's thread and back, which costs more
//! than the row: hundreds of rows go in one statement, in a few sizes, so that each is prepared once.

use std::sync::OnceLock;

use sqlx::encode::Encode;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments, SqlStr, Sqlite, Type};

use super::{built_sql, execute};
use crate::error::StorageError;

/// Rows per statement: 64, 32, …, 1. Wider statements are not faster and take longer to prepare.
const LARGEST: usize = 64;
const SIZES: usize = LARGEST.ilog2() as usize + 1;

/// `INSERT` of any number of rows into a table.
pub(crate) struct MultiRowInsert {
    /// Up to `VALUES`, without it.
    head: &'static str,
    columns: usize,
    /// After the values.
    tail: &'static str,
    statements: OnceLock<[SqlStr; SIZES]>,
}

impl MultiRowInsert {
    /// `head` is the statement up to `VALUES`, `tail` what follows the values: `ON CONFLICT …` or nothing.
    pub(crate) const fn new(head: &'static str, columns: usize, tail: &'static str) -> Self {
        Self { head, columns, tail, statements: OnceLock::new() }
    }

    /// Inserts the rows and returns how many were written.
    pub(crate) async fn run<T>(
        &self,
        connection: &mut SqliteConnection,
        rows: &[T],
        bind: impl Fn(&T, &mut Row<'_>),
    ) -> Result<u64, StorageError> {
        self.try_run(connection, rows, |value, row| {
            bind(value, row);
            Ok(())
        })
        .await
    }

    /// The same where adding the values of a row may fail; nothing is to be committed then.
    pub(crate) async fn try_run<T>(
        &self,
        connection: &mut SqliteConnection,
        rows: &[T],
        bind: impl Fn(&T, &mut Row<'_>) -> Result<(), StorageError>,
    ) -> Result<u64, StorageError> {
        let statements =
            self.statements.get_or_init(|| std::array::from_fn(|power| self.statement(1 << power)));
        let mut rest = rows;
        let mut written = 0;
        while !rest.is_empty() {
            let power = rest.len().min(LARGEST).ilog2() as usize;
            let (now, later) = rest.split_at(1 << power);
            let mut arguments = SqliteArguments::default();
            arguments.reserve(now.len() * self.columns, 0);
            for (index, row) in now.iter().enumerate() {
                bind(row, &mut Row { arguments: &mut arguments })?;
                debug_assert_eq!(arguments.len(), (index + 1) * self.columns, "{}", self.head);
            }
            written += execute(connection, statements[power].clone(), arguments).await?;
            rest = later;
        }
        Ok(written)
    }

    fn statement(&self, rows: usize) -> SqlStr {
        let mut sql = format!("{} VALUES ", self.head);
        for row in 0..rows {
            sql.push_str(if row == 0 { "(" } else { ", (" });
            push_placeholders(&mut sql, self.columns);
            sql.push(')');
        }
        sql.push(' ');
        sql.push_str(self.tail);
        built_sql(sql)
    }
}

/// The values of one row, in the order of the columns.
pub(crate) struct Row<'a> {
    arguments: &'a mut SqliteArguments,
}

impl Row<'_> {
    /// Adds the next column's value.
    pub(crate) fn add<'v>(&mut self, value: impl Encode<'v, Sqlite> + Type<Sqlite>) -> &mut Self {
        // Numbers, texts and bytes always encode.
        self.arguments.add(value).expect("a plain value encodes");
        self
    }
}

/// A statement with a list of ids, `… IN (…)`, run for any number of them.
pub(crate) struct IdList {
    head: &'static str,
    tail: &'static str,
    /// Parameters of the head, which stand before the ids: each a `?`.
    fixed: usize,
    statements: OnceLock<[SqlStr; ID_SIZES.len()]>,
}

/// Lists are filled up to one of these lengths by repeating the last id, so that only a few statements exist.
const ID_SIZES: [usize; 4] = [1, 16, 128, 512];

impl IdList {
    /// `head` ends before the opening parenthesis of the list, `tail` begins after the closing one.
    pub(crate) const fn new(head: &'static str, fixed: usize, tail: &'static str) -> Self {
        Self { head, tail, fixed, statements: OnceLock::new() }
    }

    /// The statements that together cover the ids, each with its arguments; `bind` adds the fixed ones.
    pub(crate) fn statements<'a, T>(
        &'a self,
        ids: &'a [T],
        bind: impl Fn(&mut Row<'_>) + 'a,
    ) -> impl Iterator<Item = (SqlStr, SqliteArguments)> + 'a
    where
        T: Copy + Encode<'a, Sqlite> + Type<Sqlite>,
    {
        let statements = self.statements.get_or_init(|| ID_SIZES.map(|size| self.statement(size)));
        ids.chunks(ID_SIZES[ID_SIZES.len() - 1]).map(move |part| {
            let size =
                ID_SIZES.iter().position(|size| part.len() <= *size).expect("a part fits into the largest");
            let mut arguments = SqliteArguments::default();
            arguments.reserve(self.fixed + ID_SIZES[size], 0);
            let mut row = Row { arguments: &mut arguments };
            bind(&mut row);
            let last = part.last().copied().expect("a part is not empty");
            for id in part.iter().copied().chain(std::iter::repeat(last)).take(ID_SIZES[size]) {
                row.add(id);
            }
            (statements[size].clone(), arguments)
        })
    }

    /// Runs a statement without result for the ids and returns how many rows it changed.
    pub(crate) async fn execute<'a, T>(
        &'a self,
        connection: &mut SqliteConnection,
        ids: &'a [T],
        bind: impl Fn(&mut Row<'_>) + 'a,
    ) -> Result<u64, StorageError>
    where
        T: Copy + Encode<'a, Sqlite> + Type<Sqlite>,
    {
        let mut changed = 0;
        for (sql, arguments) in self.statements(ids, bind) {
            changed += execute(connection, sql, arguments).await?;
        }
        Ok(changed)
    }

    fn statement(&self, ids: usize) -> SqlStr {
        let mut sql = format!("{} (", self.head);
        push_placeholders(&mut sql, ids);
        sql.push_str(") ");
        sql.push_str(self.tail);
        built_sql(sql)
    }
}

/// `?, ?, ?`. Without numbers: SQLite keeps a list of numbered parameters, and sqlx asks it for the name of each, which
/// walks the list. For a thousand parameters that was most of the cost of the statement.
fn push_placeholders(sql: &mut String, count: usize) {
    for number in 0..count {
        sql.push_str(if number == 0 { "?" } else { ", ?" });
    }
}
