//! Tables for people, in Markdown, so that they can be copied into a document as they are.

/// A table with a title.
pub(crate) struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(columns: &[&str]) -> Self {
        Self { columns: columns.iter().map(|&column| column.to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row, a cell for each column.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(N, self.columns.len(), "a cell for each column");
        self.rows.push(cells.to_vec());
    }

    /// Prints it.
    pub(crate) fn print(&self) {
        println!("{}", self.markdown());
    }

    fn markdown(&self) -> String {
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| {
                let cells = self.rows.iter().map(|row| row[column].chars().count());
                cells.chain([self.columns[column].chars().count(), 3]).max().unwrap_or(3)
            })
            .collect();
        let line = |cells: &[String]| {
            let cells: Vec<_> =
                cells.iter().zip(&widths).map(|(cell, &width)| format!(" {cell:<width$} ")).collect();
            format!("|{}|\n", cells.join("|"))
        };
        let rule: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        format!("{}{}{rows}", line(&self.columns), line(&rule))
    }
}

/// A figure with three significant digits, so that large and small ones can stand in one table.
pub(crate) fn figure(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 {
        return "0".to_owned();
    }
    if magnitude >= 1000.0 {
        return grouped(value.round());
    }
    let digits = 2 - magnitude.log10().floor() as i32;
    format!("{value:.*}", usize::try_from(digits).unwrap_or(0).min(5))
}

/// A whole number with a separator for thousands.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_three_digits() {
        let texts: Vec<_> =
            [0.0, 0.04567, 0.5, 1.0, 12.345, 999.4, 1234.4, 61_300.0, -2_500_000.0].map(figure).to_vec();
        assert_eq!(texts, ["0", "0.0457", "0.500", "1.00", "12.3", "999", "1,234", "61,300", "-2,500,000"]);
    }

    #[test]
    fn a_table_is_markdown() {
        let mut table = Table::new(&["measure", "it"]);
        table.row(["a".to_owned(), "1".to_owned()]);
        assert_eq!(table.markdown(), "| measure | it  |\n| ------- | --- |\n| a       | 1   |\n");
    }
}
