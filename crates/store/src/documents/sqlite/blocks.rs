//! Texts in blocks: the text of a revision is stored once, cut into blocks of equal size whose ids follow each other,
//! so that a range of it is read without the rest.

use std::collections::HashMap;
use std::ops::Range;

use mainstay_domain::ByteRange;
use sqlx::sqlite::SqliteConnection;

use super::seal::{Content, unless_erased};
use crate::documents::Result;
use crate::error::StorageError;
use crate::sqlite::{IdList, MultiRowInsert, column, number, sql_number};

/// Bytes of a block. One row of this size fills one page of the database (4,096 bytes less its headers), so that
/// reading a block touches no overflow page; when it is sealed, too.
pub(super) const BLOCK_BYTES: usize = 4_000;

pub(super) static INSERT_BLOCKS: MultiRowInsert =
    MultiRowInsert::new("INSERT INTO text_blocks (block, bytes)", 2, "");

static SELECT_BLOCKS: IdList = IdList::new("SELECT block, bytes FROM text_blocks WHERE block IN", 0, "");

/// How many blocks hold a text of so many bytes.
pub(super) const fn blocks_of(text_bytes: u64) -> u64 {
    text_bytes.div_ceil(BLOCK_BYTES as u64)
}

/// The ids of the blocks that hold a range of a text whose first block is given.
pub(super) fn blocks_of_range(first_block: u64, range: ByteRange) -> Range<u64> {
    let start = first_block + (range.start / BLOCK_BYTES) as u64;
    let end = first_block + range.end.div_ceil(BLOCK_BYTES) as u64;
    start..end.max(start)
}

/// Blocks that were read, by id.
pub(super) struct Blocks(HashMap<u64, Vec<u8>>);

impl Blocks {
    /// Reads the blocks; those that do not exist or were erased are left out.
    pub(super) async fn read(
        connection: &mut SqliteConnection,
        content: &Content,
        ids: &[i64],
    ) -> Result<Self> {
        let mut blocks = HashMap::with_capacity(ids.len());
        for (sql, arguments) in SELECT_BLOCKS.statements(ids, |_| {}) {
            for row in sqlx::query_with(sql, arguments).fetch_all(&mut *connection).await? {
                let id = number(&row, 0)?;
                if let Some(bytes) = unless_erased(content.piece(id, column(&row, 1)?).map_err(Into::into))? {
                    blocks.insert(id, bytes.into_owned());
                }
            }
        }
        Ok(Self(blocks))
    }

    /// The text of a range; `None` when a block of it is missing: its revision was purged meanwhile.
    pub(super) fn text(&self, first_block: u64, range: ByteRange) -> Result<Option<String>, StorageError> {
        let mut bytes = Vec::with_capacity(range.len());
        for id in blocks_of_range(first_block, range) {
            let Some(block) = self.0.get(&id) else { return Ok(None) };
            let offset = (id - first_block) as usize * BLOCK_BYTES;
            let start = range.start.saturating_sub(offset);
            let end = (range.end - offset).min(BLOCK_BYTES);
            let piece =
                block.get(start..end).ok_or_else(|| StorageError::damaged("a block of text is too short"))?;
            bytes.extend_from_slice(piece);
        }
        let text = String::from_utf8(bytes).map_err(|_| StorageError::damaged("a text is not UTF-8"))?;
        Ok(Some(text))
    }
}

/// Reads a whole text.
pub(super) async fn read_text(
    connection: &mut SqliteConnection,
    content: &Content,
    first_block: u64,
    text_bytes: u64,
) -> Result<String> {
    let rows =
        sqlx::query("SELECT block, bytes FROM text_blocks WHERE block >= $1 AND block < $2 ORDER BY block")
            .bind(sql_number(first_block))
            .bind(sql_number(first_block + blocks_of(text_bytes)))
            .fetch_all(connection)
            .await?;
    let mut bytes = Vec::with_capacity(text_bytes as usize);
    for row in &rows {
        bytes.extend_from_slice(&content.piece(number(row, 0)?, column(row, 1)?)?);
    }
    if bytes.len() as u64 != text_bytes {
        return Err(StorageError::damaged("blocks of a text are missing").into());
    }
    Ok(String::from_utf8(bytes).map_err(|_| StorageError::damaged("a text is not UTF-8"))?)
}
