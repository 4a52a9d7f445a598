// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The tables, each behind its title.

use super::{
    candidate::{BY_HAND, OURS},
    results::{order_title, Freed, Outcome, Results, FREED, HOWS, ORDERS},
};
use crate::report::{
    spread::Spread,
    table::{thousands, three_digits, Table},
};
use anyhow::Result;

/// A cell that was not measured, as that would have taken too long.
const TOO_LONG: &str = "over a minute";

/// A cell with nothing to measure.
const NOTHING: &str = "-";

/// The tables as Markdown.
pub(super) fn tables(results: &Results) -> Result<String> {
    let mut tables = vec![
        (
            "Unbind, ms (quartiles), by the number of mapped objects".to_owned(),
            unbind(results)?,
        ),
        (
            "Grace periods in an unbind".to_owned(),
            grace_periods(results)?,
        ),
    ];
    for freed in &FREED {
        let title = format!("To free {}, us each, by how many are freed", freed.text);
        tables.push((title, free(results, freed)?));
    }
    for (title, table) in [
        ("An access (quartiles)", access(results)?),
        ("The first access to, us each (quartiles)", first(results)?),
        (
            "To create, populate and free an owner with nothing but the slot, least",
            together(results)?,
        ),
        ("Bytes", bytes(results)?),
    ] {
        tables.push((title.to_owned(), table));
    }

    let titled = tables
        .iter()
        .map(|(title, table)| format!("**{title}**\n\n{table}"));
    Ok(titled.collect::<Vec<_>>().join("\n"))
}

/// A table with a column for each of these numbers.
fn by_number(numbers: &[u64]) -> Table {
    Table::numbers("", numbers.iter().map(|n| thousands(*n)))
}

/// A cell with a value, or why there is none.
fn cell(it: &Outcome, what: &str, how: &str, n: u64, value: Option<impl ToString>) -> String {
    match value {
        Some(value) => value.to_string(),
        None if it.is_too_long(what, how, n) => TOO_LONG.to_owned(),
        None => NOTHING.to_owned(),
    }
}

/// How many times as much something is by hand.
fn ratio(by_hand: Option<f64>, ours: Option<f64>) -> String {
    let ratio = by_hand.zip(ours).map(|(by_hand, ours)| by_hand / ours);
    // Neither is zero.
    let ratio = ratio.filter(|ratio| ratio.is_normal());
    ratio.map_or_else(|| NOTHING.to_owned(), three_digits)
}

/// The title of a row of ratios.
fn ratio_title() -> String {
    format!("{} / {}", BY_HAND.title, OURS.title)
}

/// The candidates that were unbound, in which ways, and what rows call that.
fn unbound(results: &Results) -> Vec<(&Outcome, &'static str, String)> {
    let all = results.0.iter().flat_map(|it| HOWS.map(|how| (it, how)));
    let there = all.filter(|(it, (how, _))| !it.measured.rows.numbers_of("unbind", how).is_empty());
    there
        .map(|(it, (how, suffix))| (it, how, format!("{}{suffix}", it.candidate.title)))
        .collect()
}

fn unbind(results: &Results) -> Result<Table> {
    let numbers = results.numbers("unbind");
    let mut table = by_number(&numbers);
    for (it, how, title) in unbound(results) {
        table.row(title, &numbers, |&n| {
            Ok(cell(it, "unbind", how, n, it.unbind_ms(how, n)))
        })?;
    }
    let (hand, ours) = (results.by_hand()?, results.ours()?);
    table.row(ratio_title(), &numbers, |&n| {
        let [hand, ours] = [hand, ours].map(|it| Some(it.unbind_ms("plain", n)?.median));
        Ok(ratio(hand, ours))
    })?;
    Ok(table)
}

fn grace_periods(results: &Results) -> Result<Table> {
    let numbers = results.traced_numbers("unbind");
    let mut table = by_number(&numbers);
    for (it, how, title) in unbound(results) {
        table.row(format!("{title}: waited for"), &numbers, |&n| {
            let waited = it.synchronize(how, n).map(thousands);
            Ok(waited.unwrap_or_else(|| NOTHING.to_owned()))
        })?;
        table.row(format!("{title}: begun (when idle)"), &numbers, |&n| {
            let [during, idle] = ["unbind", "idle"].map(|what| it.grace_periods(what, how, n));
            let begun = during.zip(idle);
            let begun =
                begun.map(|(during, idle)| format!("{} ({idle})", thousands(during as u64)));
            Ok(cell(it, "unbind", how, n, begun))
        })?;
    }
    Ok(table)
}

fn free(results: &Results, freed: &Freed) -> Result<Table> {
    let numbers = results.numbers(freed.name);
    let mut table = by_number(&numbers);
    for order in ORDERS {
        let best = |it: &Outcome, what, n| {
            let us = it.best_free_us(what, order, n);
            cell(it, what, order, n, us.map(three_digits))
        };
        for it in &results.0 {
            let title = format!("{}, {}", order_title(order), it.candidate.title);
            table.row(&title, &numbers, |&n| {
                let us = it.free_us(freed.name, order, n);
                Ok(cell(it, freed.name, order, n, us))
            })?;
            table.row(format!("{title}: least"), &numbers, |&n| {
                Ok(best(it, freed.name, n))
            })?;
            table.row(format!("{title}: {}", freed.bare_text), &numbers, |&n| {
                Ok(best(it, freed.bare, n))
            })?;
        }
        let both = [results.by_hand()?, results.ours()?];
        let title = format!("{}, {} (least)", order_title(order), ratio_title());
        table.row(title, &numbers, |&n| {
            let [hand, ours] = both.map(|it| it.best_free_us(freed.name, order, n));
            Ok(ratio(hand, ours))
        })?;
    }
    Ok(table)
}

/// A table with a column for each candidate, and one for what it is by hand over ours.
struct ByCandidate<'a> {
    results: &'a Results,
    table: Table,
}

impl<'a> ByCandidate<'a> {
    fn new(results: &'a Results) -> Self {
        let titles = results.0.iter().map(|it| it.candidate.title.to_owned());
        Self {
            results,
            table: Table::numbers("", titles.chain([ratio_title()])),
        }
    }

    /// Adds a row of values, and how they are written.
    fn row(
        &mut self,
        title: impl Into<String>,
        of: impl Fn(&Outcome) -> Result<(f64, String)>,
    ) -> Result<()> {
        let cells = self.results.0.iter().map(|it| Ok(of(it)?.1));
        let cells = cells.collect::<Result<Vec<_>>>()?;
        let value = |it: Result<&Outcome>| -> Result<Option<f64>> { Ok(Some(of(it?)?.0)) };
        let ratio = ratio(value(self.results.by_hand())?, value(self.results.ours())?);
        self.table.row(title, cells.into_iter().chain([ratio]), Ok)
    }

    /// The same for times, with three digits.
    fn least(
        &mut self,
        title: impl Into<String>,
        of: impl Fn(&Outcome) -> Result<f64>,
    ) -> Result<()> {
        self.row(title, |it| of(it).map(|value| (value, three_digits(value))))
    }

    /// The same for spreads, if something was measured.
    fn spread(
        &mut self,
        title: impl Into<String>,
        of: impl Fn(&Outcome) -> Option<Spread>,
    ) -> Result<()> {
        self.row(title, |it| {
            Ok(match of(it) {
                Some(spread) => (spread.median, spread.to_string()),
                None => (0.0, NOTHING.to_owned()),
            })
        })
    }
}

fn access(results: &Results) -> Result<Table> {
    let mut table = ByCandidate::new(results);
    for (title, shape) in [("out of line", 0), ("in a loop", 1)] {
        table.row(format!("instructions, {title}"), |it| {
            let access = [&it.measured.out_of_line, &it.measured.in_loop][shape];
            let call = if access.calls_accessor {
                ", a call"
            } else {
                ""
            };
            let count = access.instructions;
            Ok((count as f64, format!("{count}{call}")))
        })?;
    }
    for (title, shape) in [
        ("ns, out of line, with a loop", "out_of_line"),
        ("ns, in a loop, with that", "in_loop"),
        ("ns, the loop alone", "nothing"),
    ] {
        table.spread(title, |it| it.access_ns(shape))?;
    }
    Ok(table.table)
}

/// First accesses.
fn first(results: &Results) -> Result<Table> {
    let mut table = ByCandidate::new(results);
    for (title, what, how) in [
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
    ] {
        table.spread(title, |it| it.first_us(what, how))?;
        table.least(format!("{title}: least"), |it| it.best_first_us(what, how))?;
    }
    Ok(table.table)
}

/// Populating and freeing, on two CPUs.
fn together(results: &Results) -> Result<Table> {
    let mut table = ByCandidate::new(results);
    for (title, how) in [
        ("one thread, us", "one"),
        ("two threads on one device, us", "two"),
        ("two threads on two devices, us", "apart"),
    ] {
        table.least(title, |it| it.best_cycle_us(how))?;
    }
    for (title, how) in [
        ("two threads over one, on one device", "two"),
        ("two threads over one, on two devices", "apart"),
    ] {
        table.least(title, |it| it.speedup(how))?;
    }
    Ok(table.table)
}

fn bytes(results: &Results) -> Result<Table> {
    let mut table = ByCandidate::new(results);
    let mut row = |title, of: &dyn Fn(&Outcome) -> Result<f64>| {
        table.row(title, |it| {
            of(it).map(|bytes| (bytes, thousands(bytes.round() as u64)))
        })
    };
    row("in the object, for its table", &|it| it.size("slot"))?;
    row("of these, the lock", &|it| it.size("lock"))?;
    row("allocated when the slot is populated", &|it| {
        it.slab("owner", "populated")
    })?;
    row("**both: a mapped object**", &Outcome::mapped)?;
    row("the object", &|it| it.size("object"))?;
    row("the object, as it is allocated", &|it| {
        it.size("object_allocated")
    })?;
    row("in slabs, an object that was never mapped", &|it| {
        it.slab("object", "created")
    })?;
    row("in slabs, more when it is mapped", &|it| {
        it.slab("object", "populated")
    })?;
    row("in slabs, a mapped object", &|it| {
        Ok(it.slab("object", "created")? + it.slab("object", "populated")?)
    })?;
    Ok(table.table)
}

#[cfg(test)]
mod tests {
    use super::{super::results::tests::results, *};

    #[test]
    fn tables_say_what_was_measured_and_what_was_not() {
        let text = tables(&results()).unwrap();
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<_> = text.lines().map(words).collect();

        for line in [
            "**Bytes**",
            "| by hand | 1,000 (1,000 to 1,000) | over a minute |",
            "| by hand / `#[devres_lazy]` | 2,000 | - |",
            "| by hand: waited for | 100 | 10,000 |",
            "| instructions, out of line | 38, a call | 18 | 2.11 |",
            "| allocated when the slot is populated | 128 | 0 | - |",
        ] {
            assert!(lines.iter().any(|it| it == line), "{line}:\n{text}");
        }
    }
}
