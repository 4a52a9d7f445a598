// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Tables, for the terminal and for pages alike: Markdown in columns.

use anyhow::Result;
use std::{fmt, iter};

/// A title, and cells.
pub(crate) type Row = Vec<String>;

/// A row with these cells.
pub(crate) fn cells<'a>(cells: impl IntoIterator<Item = &'a str>) -> Row {
    cells.into_iter().map(str::to_owned).collect()
}

/// A table of text. The first row is its header.
pub(crate) fn text(rows: &[Row]) -> String {
    markdown(rows, |_| "-")
}

/// The same with numbers in all columns but the first.
pub(crate) fn numbers(rows: &[Row]) -> String {
    markdown(rows, |column| if column > 0 { ":" } else { "-" })
}

/// A table of numbers with a column for each item.
pub(crate) struct Table<C> {
    columns: Vec<C>,
    rows: Vec<Row>,
}

impl<C: Copy> Table<C> {
    /// Begins with a header: a title for the titles of rows, and one for each column.
    pub(crate) fn new(
        corner: &str,
        columns: impl IntoIterator<Item = C>,
        title: impl Fn(C) -> String,
    ) -> Self {
        let columns: Vec<C> = columns.into_iter().collect();
        let titles = columns.iter().map(|column| title(*column));
        Self {
            rows: vec![iter::once(corner.to_owned()).chain(titles).collect()],
            columns,
        }
    }

    pub(crate) fn add(
        &mut self,
        title: impl Into<String>,
        cell: impl Fn(C) -> Result<String>,
    ) -> Result<()> {
        let cells = self.columns.iter().map(|column| cell(*column));
        let row = iter::once(Ok(title.into())).chain(cells);
        self.rows.push(row.collect::<Result<_>>()?);
        Ok(())
    }
}

impl<C> fmt::Display for Table<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&numbers(&self.rows))
    }
}

/// A table in which the line below the header has these ends: a colon aligns a column to the right.
fn markdown(rows: &[Row], end: impl Fn(usize) -> &'static str) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let columns = 0..rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = columns.clone().map(width).collect();
    let lines = columns.map(|column| format!("|{}{}", "-".repeat(widths[column] + 1), end(column)));
    let mut rows = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, width))| match end(column) {
            ":" => format!("| {cell:>width$} "),
            _ => format!("| {cell:width$} "),
        });
        cells.collect::<String>() + "|\n"
    });
    let header = rows.next().unwrap_or_default();
    header + &lines.collect::<String>() + "|\n" + &rows.collect::<String>()
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
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = groups.map(String::from_utf8_lossy).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        for (number, text) in [
            (0, "0"),
            (100, "100"),
            (10_000, "10,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(thousands(number), text);
        }
        for (number, text) in [(0.123, "0.12"), (12.34, "12.3"), (4_194.4, "4,194")] {
            assert_eq!(three_digits(number), text);
        }
    }

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let rows = [["a", "b"], ["long", "c"]].map(cells);
        assert_eq!(text(&rows), "| a    | b |\n|------|---|\n| long | c |\n");

        let mut table = Table::new("n", [1, 10], |n| n.to_string());
        let cell = |n| Ok(three_digits(f64::from(n) * 1.25));
        table.add("`a`", cell).unwrap();
        assert_eq!(
            table.to_string(),
            "| n   |    1 |   10 |\n|-----|-----:|-----:|\n| `a` | 1.25 | 12.5 |\n"
        );
        assert!(table.add("", |_| anyhow::bail!("none")).is_err());
    }
}
