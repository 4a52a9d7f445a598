// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The tables, each behind its title.

use super::{
    candidate::{BY_HAND, OURS},
    results::{Freed, Outcome, Results, ALLOCATED, FREED, HOWS, MAPPED, ORDERS},
};
use crate::report::{
    rows::Spread,
    table::{self, thousands, three_digits, Table},
};
use anyhow::Result;
use std::{collections::BTreeSet, iter};

/// A cell that was not measured, as that would have taken too long.
const TOO_LONG: &str = "over a minute";

/// A cell with nothing to measure.
const NOTHING: &str = "-";

pub(super) fn tables(results: &Results) -> Result<String> {
    let [object, owner] = &FREED;
    let free_title =
        |freed: &Freed| format!("To free {}, us each, by how many are freed", freed.text);
    let titled = [
        (
            "Unbind, ms (quartiles), by the number of mapped objects",
            unbind(results)?,
        ),
        ("Grace periods in an unbind", grace_periods(results)?),
        (&free_title(object), free(results, object)?),
        (&free_title(owner), free(results, owner)?),
        ("An access (quartiles)", access(results)?),
        ("The first access to, us each (quartiles)", first(results)?),
        (
            "To create, populate and free an owner with nothing but the slot, least",
            together(results)?,
        ),
        ("Bytes", bytes(results)?),
    ];
    let tables = titled.map(|(title, table)| format!("**{title}**\n\n{table}"));
    Ok(tables.join("\n"))
}

/// A table with a column for each number.
fn by_number(numbers: BTreeSet<u64>) -> Table<u64> {
    Table::new("", numbers, thousands)
}

/// A cell with a value, or why there is none.
fn cell(
    it: &Outcome,
    what: &str,
    how: &str,
    n: u64,
    value: Result<impl ToString>,
) -> Result<String> {
    Ok(match value {
        Ok(value) => value.to_string(),
        Err(_) if it.is_too_long(what, how, n) => TOO_LONG.to_owned(),
        Err(_) => NOTHING.to_owned(),
    })
}

/// How many times as much something is by hand.
fn ratio([by_hand, ours]: [f64; 2]) -> String {
    match by_hand / ours {
        // Neither is zero.
        ratio if ratio.is_normal() => three_digits(ratio),
        _ => NOTHING.to_owned(),
    }
}

/// The same, if both were measured.
fn ratio_cell(both: Result<[f64; 2]>) -> Result<String> {
    Ok(both.map_or_else(|_| NOTHING.to_owned(), ratio))
}

/// The title of ratios.
fn ratio_title() -> String {
    format!("{} / {}", BY_HAND.title, OURS.title)
}

/// The candidates that were unbound, in which ways, and their titles.
fn unbound(results: &Results) -> impl Iterator<Item = (&Outcome, &'static str, String)> {
    let all = results.0.iter().flat_map(|it| HOWS.map(|how| (it, how)));
    all.filter(|(it, (how, _))| !it.rows.numbers(&format!("unbind,{how}")).is_empty())
        .map(|(it, (how, title))| (it, how, it.title(title)))
}

fn unbind(results: &Results) -> Result<String> {
    let mut table = by_number(results.numbers("unbind"));
    for (it, how, title) in unbound(results) {
        table.add(title, |n| cell(it, "unbind", how, n, it.unbind_ms(how, n)))?;
    }
    table.add(ratio_title(), |n| {
        ratio_cell(results.both(|it| Ok(it.unbind_ms("plain", n)?.median)))
    })?;
    Ok(table.to_string())
}

fn grace_periods(results: &Results) -> Result<String> {
    let mut table = by_number(&results.numbers("unbind") | &results.numbers("synchronize_rcu"));
    for (it, how, title) in unbound(results) {
        table.add(format!("{title}: waited for"), |n| {
            let calls = it.synchronize(how, n).ok();
            Ok(calls.map_or_else(|| NOTHING.to_owned(), |calls| thousands(calls as u64)))
        })?;
        table.add(format!("{title}: begun (when idle)"), |n| {
            let of = |what| it.rows.median(&format!("grace_periods,{what},{how},{n}"));
            let begun = of("unbind").and_then(|during| {
                let idle = of("idle")?;
                Ok(format!("{} ({idle})", thousands(during as u64)))
            });
            cell(it, "unbind", how, n, begun)
        })?;
    }
    Ok(table.to_string())
}

fn free(results: &Results, freed: &Freed) -> Result<String> {
    let mut table = by_number(results.numbers(freed.name));
    for (order, title) in ORDERS {
        for it in &results.0 {
            let best = |what, n| {
                let us = it.best_us(what, order, n);
                cell(it, what, order, n, us.map(three_digits))
            };
            let title = format!("{title}, {}", it.candidate.title);
            table.add(&title, |n| {
                let of = format!("ns,{},{order},{n}", freed.name);
                let us = it.rows.spread(&of, 1e3 * n as f64);
                cell(it, freed.name, order, n, us)
            })?;
            table.add(format!("{title}: least"), |n| best(freed.name, n))?;
            let bare = format!("{title}: {}", freed.bare_text);
            table.add(bare, |n| best(freed.bare, n))?;
        }
        table.add(format!("{title}, {} (least)", ratio_title()), |n| {
            ratio_cell(results.both(|it| it.best_us(freed.name, order, n)))
        })?;
    }
    Ok(table.to_string())
}

/// A value that is compared, and how it is written.
type Value = (f64, String);

/// A table with a column for each candidate, and one for what it is by hand over ours.
fn compared(rows: Vec<(String, [Value; 2])>) -> String {
    let titles = ["", BY_HAND.title, OURS.title, &ratio_title()];
    let rows = rows.into_iter().map(|(title, [by_hand, ours])| {
        let ratio = ratio([by_hand.0, ours.0]);
        vec![title, by_hand.1, ours.1, ratio]
    });
    let rows: Vec<_> = iter::once(table::cells(titles)).chain(rows).collect();
    table::numbers(&rows)
}

/// A time or a ratio, with three digits.
fn least(value: Result<f64>) -> Result<Value> {
    value.map(|value| (value, three_digits(value)))
}

/// The spread of what was measured.
fn spread(spread: Result<Spread>) -> Result<Value> {
    let value = spread.map(|spread| (spread.median, spread.to_string()));
    Ok(value.unwrap_or_else(|_| (0.0, NOTHING.to_owned())))
}

/// The instructions of an access.
fn instructions(it: &Outcome, shape: &str) -> Result<Value> {
    // User-Mode Linux is not traced.
    let Ok(count) = it.instructions(shape) else {
        return Ok((0.0, NOTHING.to_owned()));
    };
    let calls = it.rows.each(&format!("calls,accessor,{shape}"), 1.0)?;
    let call = if calls.median > 0.0 { ", a call" } else { "" };
    Ok((count, format!("{count}{call}")))
}

fn access(results: &Results) -> Result<String> {
    let mut rows = Vec::new();
    for (title, shape) in [("out of line", "out_of_line"), ("in a loop", "in_loop")] {
        let counts = results.both(|it| instructions(it, shape))?;
        rows.push((format!("instructions, {title}"), counts));
    }
    for (title, shape) in [
        ("ns, out of line, with a loop", "out_of_line"),
        ("ns, in a loop, with that", "in_loop"),
        ("ns, the loop alone", "nothing"),
    ] {
        let of = format!("ns,access,{shape}");
        let ns = results.both(|it| spread(it.rows.each(&of, 1.0)))?;
        rows.push((title.to_owned(), ns));
    }
    Ok(compared(rows))
}

fn first(results: &Results) -> Result<String> {
    let mut rows = Vec::new();
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
        let of = format!("ns,{what},{how}");
        let us = results.both(|it| spread(it.rows.each(&of, 1e3)))?;
        rows.push((title.to_owned(), us));
        let us = results.both(|it| least(it.best_only_us(what, how)))?;
        rows.push((format!("{title}: least"), us));
    }
    Ok(compared(rows))
}

/// Populating and freeing, on two CPUs.
fn together(results: &Results) -> Result<String> {
    let mut rows = Vec::new();
    for (title, how) in [
        ("one thread", "one"),
        ("two threads on one device", "two"),
        ("two threads on two devices", "apart"),
    ] {
        let us = results.both(|it| least(it.best_only_us("together", how)))?;
        rows.push((format!("{title}, us"), us));
    }
    for (devices, how) in [("one device", "two"), ("two devices", "apart")] {
        let times = results.both(|it| least(it.speedup(how)))?;
        rows.push((format!("two threads over one, on {devices}"), times));
    }
    Ok(compared(rows))
}

/// Each row is the sum of some values.
fn bytes(results: &Results) -> Result<String> {
    let rows = [
        ("in the object, for its table", &["slot,inline"][..]),
        ("of these, the lock", &["lock,inline"]),
        ("allocated when the slot is populated", &["owner,populated"]),
        ("**both: a mapped object**", &MAPPED),
        ("the object", &["object,inline"]),
        ("the object, as it is allocated", &[ALLOCATED]),
        (
            "in slabs, an object that was never mapped",
            &["object,created"],
        ),
        ("in slabs, more when it is mapped", &["object,populated"]),
        (
            "in slabs, a mapped object",
            &["object,created", "object,populated"],
        ),
    ];
    let rows = rows.map(|(title, parts)| {
        let bytes = results.both(|it| it.bytes(parts))?;
        let values = bytes.map(|bytes| (bytes, thousands(bytes.round() as u64)));
        Ok((title.to_owned(), values))
    });
    Ok(compared(rows.into_iter().collect::<Result<_>>()?))
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
