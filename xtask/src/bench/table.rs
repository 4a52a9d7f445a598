// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The table: for the terminal, and for Markdown.

use super::results::Results;
use crate::spread::Spread;

/// What a column is about, line by line.
const HEADER: [&str; 10] = [
    "",
    "instructions, in a loop",
    "instructions, out of line",
    "ns per access (quartiles)",
    "the same over by hand",
    "ns until the table is there",
    "2 threads over 1: best (median)",
    "bytes in the object",
    "bytes on the heap",
    "us of the first access (quartiles)",
];

/// The cells, a row for each subject.
fn cells(results: &Results) -> Vec<[String; 10]> {
    results
        .subjects
        .iter()
        .enumerate()
        .map(|(index, subject)| {
            let (in_loop, out_of_line) = match &results.counts {
                Some(counts) => {
                    let count = &counts[index];
                    let how = if count.inlined { "" } else { ", a call" };
                    (
                        format!("{}{how}", count.in_loop),
                        count.out_of_line.to_string(),
                    )
                }
                None => ("not measured".to_owned(), "not measured".to_owned()),
            };

            [
                subject.title.to_owned(),
                in_loop,
                out_of_line,
                spread(subject.ns, 1.0),
                format!("{:.2}", subject.ratio.median),
                spread(subject.chained_ns, 1.0),
                format!(
                    "{:.2} ({:.2})",
                    subject.threads.best, subject.threads.median
                ),
                subject.inline.to_string(),
                match subject.blocks {
                    0.0 => subject.heap.to_string(),
                    blocks => format!("{} in {blocks}", subject.heap),
                },
                spread(subject.first_ns, 1e3),
            ]
        })
        .collect()
}

/// A spread in units of `unit`.
pub(crate) fn spread(spread: Spread, unit: f64) -> String {
    let Spread { median, low, high } = spread;

    format!(
        "{:.2} ({:.2} to {:.2})",
        median / unit,
        low / unit,
        high / unit
    )
}

/// With a line for each measure, so that it fits a terminal.
pub(crate) fn text(results: &Results) -> String {
    let cells = cells(results);
    let mut text = String::new();

    for (row, header) in HEADER.iter().enumerate() {
        text += &format!("{header:34}");
        for column in &cells {
            let width = column.iter().map(|cell| width(cell)).max().unwrap_or(0);
            text += &format!("  {:>width$}", column[row].replace('`', ""));
        }
        text += "\n";
    }

    text
}

/// How many characters a cell has in the terminal.
fn width(cell: &str) -> usize {
    cell.chars().filter(|c| *c != '`').count()
}

/// What populating takes, for Markdown.
pub(crate) fn populating(results: &Results) -> String {
    let cells: Vec<[String; 5]> = results
        .populated
        .iter()
        .map(|it| {
            [
                it.title.to_owned(),
                spread(it.cycles, 1.0),
                format!("{:.2} ({:.2})", it.threads.best, it.threads.median),
                spread(it.alone, 1.0),
                spread(it.among, 1.0),
            ]
        })
        .collect();

    lines(
        &[
            "an owner with nothing but the slot",
            "created, populated and freed, millions a second",
            "2 threads over 1, on one device: best (median)",
            "ns to populate",
            "the same among 10,000 other managed resources",
        ],
        &cells,
    )
}

/// The same for Markdown.
pub(crate) fn markdown(results: &Results) -> String {
    lines(&HEADER, &cells(results))
}

/// A line for each measure, for Markdown.
fn lines<const N: usize>(header: &[&str; N], cells: &[[String; N]]) -> String {
    let mut text = String::new();

    for (row, header) in header.iter().enumerate() {
        text += &format!("| {header} |");
        for column in cells {
            text += &format!(" {} |", column[row]);
        }
        text += "\n";
        if row == 0 {
            text += "|---|";
            text += &"---:|".repeat(cells.len());
            text += "\n";
        }
    }

    text
}
