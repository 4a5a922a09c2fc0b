//! Tables for people: columns as wide as their widest cell, the last one free.

use std::fmt;

/// Rows of cells under an optional header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of names and values, without header.
    pub fn fields() -> Self {
        Self::default()
    }

    /// A table with a header.
    pub fn with_header<const N: usize>(header: [&str; N]) -> Self {
        let mut table = Self::default();
        table.row(header);
        table
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows.push(cells.iter().map(ToString::to_string).collect());
    }

    fn width(&self, column: usize) -> usize {
        self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let gap = if column == 0 { "" } else { "  " };
                line += &format!("{gap}{cell:<width$}", width = self.width(column));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::with_header(["STAKE", "AMOUNT"]);
        table.row(["a", "1"]);
        table.row(["abcdefg", "22"]);
        assert_eq!(table.to_string(), "STAKE    AMOUNT\na        1\nabcdefg  22\n");
    }
}
