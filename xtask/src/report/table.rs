// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Tables, for the terminal and for pages alike: Markdown in columns.

use anyhow::Result;
use std::fmt;

/// A table. The first row is its header.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    /// Whether there are numbers in all columns but the first.
    is_of_numbers: bool,
}

impl Table {
    /// A table of text, with this header.
    pub(crate) fn text<C: Into<String>>(header: impl IntoIterator<Item = C>) -> Self {
        Self {
            rows: vec![header.into_iter().map(Into::into).collect()],
            is_of_numbers: false,
        }
    }

    /// A table of numbers, with its subject and the titles of its columns.
    pub(crate) fn numbers<C: Into<String>>(
        what: &str,
        columns: impl IntoIterator<Item = C>,
    ) -> Self {
        let what = [what.to_owned()].into_iter();
        Self {
            is_of_numbers: true,
            ..Self::text(what.chain(columns.into_iter().map(Into::into)))
        }
    }

    pub(crate) fn push<C: Into<String>>(&mut self, row: impl IntoIterator<Item = C>) {
        self.rows.push(row.into_iter().map(Into::into).collect());
    }

    /// Adds a row with a cell for each item of `of`.
    pub(crate) fn row<T>(
        &mut self,
        title: impl Into<String>,
        of: impl IntoIterator<Item = T>,
        mut cell: impl FnMut(T) -> Result<String>,
    ) -> Result<()> {
        let mut row = vec![title.into()];
        for it in of {
            row.push(cell(it)?);
        }
        self.rows.push(row);
        Ok(())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();

        for (index, row) in self.rows.iter().enumerate() {
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                match self.is_of_numbers && column > 0 {
                    true => write!(f, "| {cell:>width$} ")?,
                    false => write!(f, "| {cell:width$} ")?,
                }
            }
            writeln!(f, "|")?;
            if index == 0 {
                for (column, width) in widths.iter().enumerate() {
                    match self.is_of_numbers && column > 0 {
                        true => write!(f, "|{}:", "-".repeat(width + 1))?,
                        false => write!(f, "|{}", "-".repeat(width + 2))?,
                    }
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

/// With three digits, or with all in front of the point.
pub(crate) fn three_digits(value: f64) -> String {
    match value {
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => thousands(value.round() as u64),
    }
}

/// With commas.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(100), "100");
        assert_eq!(thousands(10_000), "10,000");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(three_digits(0.123), "0.12");
        assert_eq!(three_digits(12.34), "12.3");
        assert_eq!(three_digits(4_194.4), "4,194");
    }

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let mut table = Table::text(["a", "b"]);
        table.push(["long", "c"]);
        let text = "| a    | b |\n|------|---|\n| long | c |\n";
        assert_eq!(table.to_string(), text);

        let mut table = Table::numbers("n", ["1", "10"]);
        let row = table.row("`a`", [1.0, 12.5], |cell| Ok(three_digits(cell)));
        row.unwrap();
        let text = "| n   |    1 |   10 |\n|-----|-----:|-----:|\n| `a` | 1.00 | 12.5 |\n";
        assert_eq!(table.to_string(), text);
        assert!(table.row("", [1], |_| anyhow::bail!("none")).is_err());
    }
}
