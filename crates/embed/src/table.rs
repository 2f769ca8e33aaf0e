//! The table of token vectors.

/// Identifies the format; its last character is the version.
const MAGIC: &[u8; 8] = b"MSTATIC1";

/// One vector per token, in 8-bit integers with a scale per token, read in place from the bytes of the asset.
///
/// Format, all little-endian: the magic, the number of rows and of columns as `u32`, a scale per row as `f32`, then the
/// rows as `i8`.
pub(crate) struct TokenTable {
    columns: usize,
    scales: Vec<f32>,
    rows: &'static [u8],
}

/// Why bytes are no table.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum TableError {
    #[error("not a token table: it does not begin with {MAGIC:?}")]
    Magic,
    #[error("the token table says it has {rows} rows of {columns} columns, but that is not its size")]
    Size { rows: usize, columns: usize },
}

impl TokenTable {
    pub(crate) fn read(bytes: &'static [u8]) -> Result<Self, TableError> {
        let (dimensions, rest) =
            bytes.strip_prefix(MAGIC).and_then(|rest| rest.split_at_checked(8)).ok_or(TableError::Magic)?;
        let (dimensions, _) = dimensions.as_chunks::<4>();
        let [rows, columns] = [0, 1].map(|index| u32::from_le_bytes(dimensions[index]) as usize);
        let size_error = TableError::Size { rows, columns };
        let (scales, rows_bytes) = rest.split_at_checked(rows * 4).ok_or(size_error.clone())?;
        if rows_bytes.len() != rows * columns {
            return Err(size_error);
        }
        let scales = scales.as_chunks::<4>().0.iter().map(|&scale| f32::from_le_bytes(scale)).collect();
        Ok(Self { columns, scales, rows: rows_bytes })
    }

    /// Adds the vector of a token to the sum.
    pub(crate) fn add_row(&self, row: u32, sum: &mut [f32]) {
        let row = row as usize;
        let scale = self.scales[row];
        let values = &self.rows[row * self.columns..][..self.columns];
        for (sum, &value) in sum.iter_mut().zip(values) {
            *sum += scale * f32::from(value.cast_signed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows of three columns.
    const TABLE: &[u8] = b"MSTATIC1\x02\0\0\0\x03\0\0\0\0\0\x80\x3f\0\0\0\x40\x01\x02\x03\xff\x00\x7f";

    #[test]
    fn a_row_is_added_with_its_scale() {
        let table = TokenTable::read(TABLE).expect("a table");
        let mut sum = [1.0; 3];
        table.add_row(0, &mut sum);
        table.add_row(1, &mut sum);
        assert_eq!(sum, [1.0 + 1.0 - 2.0, 1.0 + 2.0, 1.0 + 3.0 + 254.0]);
    }

    #[test]
    fn bytes_of_another_kind_or_size_are_refused() {
        assert_eq!(TokenTable::read(b"").err(), Some(TableError::Magic));
        assert_eq!(TokenTable::read(b"MSTATIC0\0\0\0\0\0\0\0\0").err(), Some(TableError::Magic));
        let size = Some(TableError::Size { rows: 2, columns: 3 });
        assert_eq!(TokenTable::read(&TABLE[..TABLE.len() - 1]).err(), size);
        assert_eq!(TokenTable::read(&TABLE[..18]).err(), size);
    }
}
