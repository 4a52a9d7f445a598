// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The tables: for the terminal, and for Markdown.

use super::{
    results::{
        numbers,
        traced_numbers,
        Freed,
        Results,
        Subjected,
        FREED,
        ORDERS, //
    },
    BY_HAND,
    OURS, //
};
use crate::spread::Spread;
use anyhow::Result;

/// What stands where nothing was measured, as it would have taken too long.
const TOO_LONG: &str = "over a minute";

/// What stands where there is nothing to measure.
const NOTHING: &str = "-";

/// A table.
pub(super) struct Grid {
    pub(super) title: String,
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// The header first.
    fn new(title: impl Into<String>, rows: Vec<Vec<String>>) -> Self {
        Self {
            title: title.into(),
            rows,
        }
    }

    /// In columns.
    pub(super) fn text(&self) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.map(|cell| plain(cell).len()).max().unwrap_or(0)
            })
            .collect();

        let mut text = format!("{}\n", plain(&self.title));
        for row in &self.rows {
            let mut line = String::new();
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                let cell = plain(cell);
                line += &match column {
                    0 => format!("  {cell:width$}"),
                    _ => format!("  {cell:>width$}"),
                };
            }
            text += line.trim_end();
            text += "\n";
        }
        text
    }

    pub(super) fn markdown(&self) -> String {
        let mut text = String::new();
        for (index, row) in self.rows.iter().enumerate() {
            text += &format!("| {} |\n", row.join(" | ")).replace("|  |", "| |");
            if index == 0 {
                text += "|---|";
                text += &"---:|".repeat(row.len() - 1);
                text += "\n";
            }
        }
        text
    }
}

/// Without marks.
fn plain(text: &str) -> String {
    text.replace(['`', '*'], "")
}

/// All of them.
pub(super) fn grids(results: &Results) -> Result<Vec<Grid>> {
    let mut grids = vec![unbind(results)?, grace_periods(results)];
    for freed in &FREED {
        grids.push(free(results, freed)?);
    }
    grids.push(access(results)?);
    grids.push(first(results)?);
    grids.push(together(results)?);
    grids.push(bytes(results)?);
    Ok(grids)
}

/// What stands where nothing was measured.
fn absent(it: &Subjected, what: &str, how: &str, n: u64) -> String {
    if it.is_too_long(what, how, n) {
        TOO_LONG.to_owned()
    } else {
        NOTHING.to_owned()
    }
}

/// A header with numbers.
fn header(numbers: &[u64]) -> Vec<String> {
    [String::new()]
        .into_iter()
        .chain(numbers.iter().map(|n| thousands(*n)))
        .collect()
}

/// A row with a cell for each number.
fn row(title: String, numbers: &[u64], cell: impl Fn(u64) -> String) -> Vec<String> {
    [title]
        .into_iter()
        .chain(numbers.iter().map(|n| cell(*n)))
        .collect()
}

fn unbind(results: &Results) -> Result<Grid> {
    let numbers = numbers(results, "unbind");
    let mut rows = vec![header(&numbers)];
    for it in &results.0 {
        for (how, suffix) in [("plain", ""), ("tried", ", after a `try_access`")] {
            if it.measured.rows.numbers_of("unbind", how).is_empty() {
                continue;
            }
            rows.push(row(
                format!("{}{suffix}", it.subject.title),
                &numbers,
                |n| {
                    it.unbind_ms(how, n)
                        .map_or_else(|| absent(it, "unbind", how, n), |ms| spread(&ms))
                },
            ));
        }
    }
    let (hand, ours) = (results.by_hand()?, results.ours()?);
    rows.push(row(ratio_title(), &numbers, |n| {
        times(hand.unbind_ms("plain", n), ours.unbind_ms("plain", n))
    }));

    Ok(Grid::new(
        "Unbind, ms (quartiles), by the number of mapped objects",
        rows,
    ))
}

fn grace_periods(results: &Results) -> Grid {
    let all = traced_numbers(results, "unbind");
    let mut rows = vec![header(&all)];
    for it in &results.0 {
        for (how, suffix) in [("plain", ""), ("tried", ", after a `try_access`")] {
            if it.measured.rows.numbers_of("unbind", how).is_empty() {
                continue;
            }
            let title = format!("{}{suffix}", it.subject.title);
            rows.push(row(format!("{title}: waited for"), &all, |n| {
                it.synchronize(how, n)
                    .map_or_else(|| NOTHING.to_owned(), thousands)
            }));
            rows.push(row(format!("{title}: begun (when idle)"), &all, |n| {
                let during = it.grace_periods("unbind", how, n);
                let idle = it.grace_periods("idle", how, n);
                match during.zip(idle) {
                    Some((during, idle)) => format!("{} ({idle})", thousands(during as u64)),
                    None => absent(it, "unbind", how, n),
                }
            }));
        }
    }

    Grid::new("Grace periods in an unbind", rows)
}

fn free(results: &Results, freed: &Freed) -> Result<Grid> {
    let numbers = numbers(results, freed.name);
    let (hand, ours) = (results.by_hand()?, results.ours()?);
    let best = |it: &Subjected, what: &str, order: &str, n| it.best_free_us(what, order, n);
    let mut rows = vec![header(&numbers)];
    for order in ORDERS {
        let title = order_title(order);
        for it in &results.0 {
            let subject = it.subject.title;
            rows.push(row(format!("{title}, {subject}"), &numbers, |n| {
                it.free_us(freed.name, order, n)
                    .map_or_else(|| absent(it, freed.name, order, n), |us| spread(&us))
            }));
            rows.push(row(format!("{title}, {subject}: least"), &numbers, |n| {
                best(it, freed.name, order, n)
                    .map_or_else(|| absent(it, freed.name, order, n), three_digits)
            }));
            rows.push(row(
                format!("{title}, {subject}: {}", freed.bare_text),
                &numbers,
                |n| {
                    best(it, freed.bare, order, n)
                        .map_or_else(|| absent(it, freed.bare, order, n), three_digits)
                },
            ));
        }
        rows.push(row(
            format!("{title}, {} (least)", ratio_title()),
            &numbers,
            |n| {
                let [hand, ours] = [hand, ours].map(|it| best(it, freed.name, order, n));
                match hand.zip(ours) {
                    Some((hand, ours)) => three_digits(hand / ours),
                    None => NOTHING.to_owned(),
                }
            },
        ));
    }

    Ok(Grid::new(
        format!("To free {}, us each, by how many are freed", freed.text),
        rows,
    ))
}

/// A header with subjects.
fn subjects(results: &Results) -> Vec<String> {
    [String::new()]
        .into_iter()
        .chain(results.0.iter().map(|it| it.subject.title.to_owned()))
        .chain([ratio_title()])
        .collect()
}

fn access(results: &Results) -> Result<Grid> {
    let (hand, ours) = (results.by_hand()?, results.ours()?);
    let mut rows = vec![subjects(results)];

    let mut instructions = |title: &str, of: fn(&Subjected) -> (u64, bool)| {
        let cell = |it: &Subjected| match of(it) {
            (count, true) => format!("{count}, a call"),
            (count, false) => count.to_string(),
        };
        let mut row = vec![title.to_owned()];
        row.extend(results.0.iter().map(cell));
        row.push(format!("{:.1}", of(hand).0 as f64 / of(ours).0 as f64));
        rows.push(row);
    };
    instructions("instructions, out of line", |it| {
        let access = &it.measured.out_of_line;
        (access.instructions, access.calls_accessor)
    });
    instructions("instructions, in a loop", |it| {
        let access = &it.measured.in_loop;
        (access.instructions, access.calls_accessor)
    });

    let mut time = |title: &str, of: &dyn Fn(&Subjected) -> Option<Spread>| {
        let mut row = vec![title.to_owned()];
        let cell = |it| of(it).map_or_else(|| NOTHING.to_owned(), |it| spread(&it));
        row.extend(results.0.iter().map(cell));
        row.push(times(of(hand), of(ours)));
        rows.push(row);
    };
    time("ns, out of line, with a loop", &|it| {
        it.access_ns("out_of_line")
    });
    time("ns, in a loop, with that", &|it| it.access_ns("in_loop"));
    time("ns, the loop alone", &|it| it.access_ns("nothing"));

    Ok(Grid::new("An access (quartiles)", rows))
}

/// First accesses.
fn first(results: &Results) -> Result<Grid> {
    let (hand, ours) = (results.by_hand()?, results.ours()?);
    let mut rows = vec![subjects(results)];
    let kinds = [
        ("an object", "first_object", "alone"),
        (
            "an object: the C helper alone",
            "first_object_bare",
            "alone",
        ),
        ("an owner with nothing but the slot", "first_owner", "alone"),
        (
            "the same, among 10,000 other managed resources",
            "first_owner",
            "among",
        ),
    ];
    for (title, what, how) in kinds {
        let mut row = vec![title.to_owned()];
        for it in &results.0 {
            let us = it.first_us(what, how);
            row.push(us.map_or_else(|| NOTHING.to_owned(), |us| spread(&us)));
        }
        row.push(times(hand.first_us(what, how), ours.first_us(what, how)));
        rows.push(row);

        let mut row = vec![format!("{title}: least")];
        for it in &results.0 {
            row.push(three_digits(it.best_first_us(what, how)?));
        }
        let [hand, ours] = [hand, ours].map(|it| it.best_first_us(what, how));
        row.push(three_digits(hand? / ours?));
        rows.push(row);
    }

    Ok(Grid::new("The first access to, us each (quartiles)", rows))
}

/// Populating and freeing, on two CPUs.
fn together(results: &Results) -> Result<Grid> {
    let (hand, ours) = (results.by_hand()?, results.ours()?);
    let mut rows = vec![subjects(results)];
    let mut line = |title: &str, of: &dyn Fn(&Subjected) -> Result<f64>| -> Result<()> {
        let mut row = vec![title.to_owned()];
        for it in &results.0 {
            row.push(three_digits(of(it)?));
        }
        row.push(three_digits(of(hand)? / of(ours)?));
        rows.push(row);
        Ok(())
    };

    line("one thread, us", &|it| it.best_cycle_us("one"))?;
    line("two threads on one device, us", &|it| {
        it.best_cycle_us("two")
    })?;
    line("two threads on two devices, us", &|it| {
        it.best_cycle_us("apart")
    })?;
    line("two threads over one, on one device", &|it| {
        it.speedup("two")
    })?;
    line("two threads over one, on two devices", &|it| {
        it.speedup("apart")
    })?;

    Ok(Grid::new(
        "To create, populate and free an owner with nothing but the slot, least",
        rows,
    ))
}

fn bytes(results: &Results) -> Result<Grid> {
    let (hand, ours) = (results.by_hand()?, results.ours()?);
    let mut rows = vec![subjects(results)];
    let mut line = |title: &str, of: &dyn Fn(&Subjected) -> Result<f64>| -> Result<()> {
        let mut row = vec![title.to_owned()];
        for it in &results.0 {
            row.push(thousands(of(it)?.round() as u64));
        }
        row.push(match (of(hand)?, of(ours)?) {
            (0.0, _) | (_, 0.0) => NOTHING.to_owned(),
            (hand, ours) => format!("{:.2}", hand / ours),
        });
        rows.push(row);
        Ok(())
    };

    line("in the object, for its table", &|it| it.size("slot"))?;
    line("of these, the lock", &|it| it.size("lock"))?;
    line("allocated when the slot is populated", &|it| {
        it.slab("owner", "populated")
    })?;
    line("**both: a mapped object**", &Subjected::mapped)?;
    line("the object", &|it| it.size("object"))?;
    line("the object, as it is allocated", &|it| {
        it.size("object_allocated")
    })?;
    line("in slabs, an object that was never mapped", &|it| {
        it.slab("object", "created")
    })?;
    line("in slabs, more when it is mapped", &|it| {
        it.slab("object", "populated")
    })?;
    line("in slabs, a mapped object", &|it| {
        Ok(it.slab("object", "created")? + it.slab("object", "populated")?)
    })?;

    Ok(Grid::new("Bytes", rows))
}

/// What an order is called.
pub(super) fn order_title(order: &str) -> &'static str {
    match order {
        "creation" => "first one first",
        "reverse" => "last one first",
        _ => "random",
    }
}

/// What a ratio is of.
fn ratio_title() -> String {
    format!("{} / {}", BY_HAND.title, OURS.title)
}

/// How many times as much one is as the other.
fn times(one: Option<Spread>, other: Option<Spread>) -> String {
    match one.zip(other) {
        Some((one, other)) => three_digits(one.median / other.median),
        None => NOTHING.to_owned(),
    }
}

fn spread(spread: &Spread) -> String {
    let Spread { median, low, high } = spread;
    format!(
        "{} ({} to {})",
        three_digits(*median),
        three_digits(*low),
        three_digits(*high)
    )
}

/// With three digits, or with all in front of the point.
fn three_digits(value: f64) -> String {
    match value {
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => thousands(value.round() as u64),
    }
}

/// With commas.
pub(super) fn thousands(number: u64) -> String {
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
    fn tables_are_drawn() {
        let rows = [["", "1", "10"], ["`a`", "1.0", "12.5"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec()).to_vec();
        let grid = Grid::new("Title", rows);

        assert_eq!(grid.text(), "Title\n       1    10\n  a  1.0  12.5\n");
        assert_eq!(
            grid.markdown(),
            "| | 1 | 10 |\n|---|---:|---:|\n| `a` | 1.0 | 12.5 |\n"
        );
    }
}
