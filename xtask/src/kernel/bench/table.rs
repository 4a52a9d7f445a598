// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The tables, each behind its title.

use super::{
    candidate::{BY_HAND, OURS},
    results::{Freed, Outcome, Results, FREED, HOWS, ORDERS},
};
use crate::report::{
    rows::Spread,
    table::{self, row, thousands, three_digits, Row},
};
use anyhow::Result;
use std::{collections::BTreeSet, iter};

/// A cell that was not measured, as that would have taken too long.
const TOO_LONG: &str = "over a minute";

/// A cell with nothing to measure.
const NOTHING: &str = "-";

pub(super) fn tables(results: &Results) -> Result<String> {
    let mut tables = vec![
        (
            "Unbind, ms (quartiles), by the number of mapped objects".to_owned(),
            unbind(results)?,
        ),
        (
            "Grace periods in an unbind".to_owned(),
            grace_periods(results),
        ),
    ];
    for freed in &FREED {
        let title = format!("To free {}, us each, by how many are freed", freed.text);
        tables.push((title, free(results, freed)?));
    }
    for (title, figures) in [
        ("An access (quartiles)", access()),
        ("The first access to, us each (quartiles)", first()),
        (
            "To create, populate and free an owner with nothing but the slot, least",
            together(),
        ),
        ("Bytes", bytes()),
    ] {
        tables.push((title.to_owned(), by_candidate(results, figures)?));
    }
    let titled =
        |(title, rows): &(String, Vec<Row>)| format!("**{title}**\n\n{}", table::numbers(rows));
    let tables: Vec<_> = tables.iter().map(titled).collect();
    Ok(tables.join("\n"))
}

/// A table with a column for each number.
struct ByNumber {
    numbers: BTreeSet<u64>,
    rows: Vec<Row>,
}

impl ByNumber {
    fn new(numbers: BTreeSet<u64>) -> Self {
        let mut table = Self {
            numbers,
            rows: Vec::new(),
        };
        table.add("", thousands);
        table
    }

    fn add(&mut self, title: impl Into<String>, cell: impl Fn(u64) -> String) {
        let cells = self.numbers.iter().map(|n| cell(*n));
        self.rows
            .push(iter::once(title.into()).chain(cells).collect());
    }
}

/// A cell with a value, or why there is none.
fn cell(it: &Outcome, what: &str, how: &str, n: u64, value: Result<impl ToString>) -> String {
    match value {
        Ok(value) => value.to_string(),
        Err(_) if it.is_too_long(what, how, n) => TOO_LONG.to_owned(),
        Err(_) => NOTHING.to_owned(),
    }
}

/// How many times as much something is by hand.
fn ratio([by_hand, ours]: [Result<f64>; 2]) -> String {
    let ratio = by_hand.ok().zip(ours.ok());
    let ratio = ratio.map(|(by_hand, ours)| by_hand / ours);
    // Neither is zero.
    let ratio = ratio.filter(|ratio| ratio.is_normal());
    ratio.map_or_else(|| NOTHING.to_owned(), three_digits)
}

/// The title of a row of ratios.
fn ratio_title() -> String {
    format!("{} / {}", BY_HAND.title, OURS.title)
}

/// The candidates that were unbound, in which ways, and their titles.
fn unbound(results: &Results) -> Vec<(&Outcome, &'static str, String)> {
    let all = results.0.iter().flat_map(|it| HOWS.map(|how| (it, how)));
    all.filter(|(it, (how, _))| !it.timed.numbers(&format!("unbind,{how}")).is_empty())
        .map(|(it, (how, suffix))| (it, how, format!("{}{suffix}", it.candidate.title)))
        .collect()
}

fn unbind(results: &Results) -> Result<Vec<Row>> {
    let mut table = ByNumber::new(results.numbers("unbind"));
    for (it, how, title) in unbound(results) {
        let ms = |n| cell(it, "unbind", how, n, it.unbind_ms(how, n));
        table.add(title, ms);
    }
    let compared = results.compared()?;
    table.add(ratio_title(), |n| {
        ratio(compared.map(|it| Ok(it.unbind_ms("plain", n)?.median)))
    });
    Ok(table.rows)
}

fn grace_periods(results: &Results) -> Vec<Row> {
    let numbers = &results.numbers("unbind") | &results.numbers("synchronize_rcu");
    let mut table = ByNumber::new(numbers);
    for (it, how, title) in unbound(results) {
        table.add(format!("{title}: waited for"), |n| {
            let calls = it.synchronize(how, n).ok();
            calls.map_or_else(|| NOTHING.to_owned(), |calls| thousands(calls as u64))
        });
        table.add(format!("{title}: begun (when idle)"), |n| {
            let of = |what| it.grace_periods(what, how, n);
            let begun = of("unbind").and_then(|during| {
                let idle = of("idle")?;
                Ok(format!("{} ({idle})", thousands(during as u64)))
            });
            cell(it, "unbind", how, n, begun)
        });
    }
    table.rows
}

fn free(results: &Results, freed: &Freed) -> Result<Vec<Row>> {
    let mut table = ByNumber::new(results.numbers(freed.name));
    let compared = results.compared()?;
    for (order, title) in ORDERS {
        for it in &results.0 {
            let best = |what| {
                move |n| {
                    let us = it.best_us(what, order, n);
                    cell(it, what, order, n, us.map(three_digits))
                }
            };
            let title = format!("{title}, {}", it.candidate.title);
            table.add(&title, |n| {
                cell(it, freed.name, order, n, it.each_us(freed.name, order, n))
            });
            table.add(format!("{title}: least"), best(freed.name));
            table.add(format!("{title}: {}", freed.bare_text), best(freed.bare));
        }
        table.add(format!("{title}, {} (least)", ratio_title()), |n| {
            ratio(compared.map(|it| it.best_us(freed.name, order, n)))
        });
    }
    Ok(table.rows)
}

/// A value that is compared, and how it is written.
type Value = (f64, String);

/// A row of a table with a column for each candidate: its title, and the value of a candidate.
type Figure = (String, Box<dyn Fn(&Outcome) -> Result<Value>>);

/// A table with a column for each candidate, and one for what it is by hand over ours.
fn by_candidate(results: &Results, figures: Vec<Figure>) -> Result<Vec<Row>> {
    let titles = results.0.iter().map(|it| it.candidate.title.to_owned());
    let titles = titles.chain([ratio_title()]).map(Ok);
    let mut rows = vec![row("", titles, |title| title)?];
    for (title, value) in figures {
        let cells = results.0.iter().map(|it| Ok(value(it)?.1));
        let ratio = ratio(results.compared()?.map(|it| Ok(value(it)?.0)));
        rows.push(row(title, cells.chain([Ok(ratio)]), |cell| cell)?);
    }
    Ok(rows)
}

/// A row of times, with three digits.
fn least(title: impl Into<String>, of: impl Fn(&Outcome) -> Result<f64> + 'static) -> Figure {
    let value = move |it: &Outcome| of(it).map(|value| (value, three_digits(value)));
    (title.into(), Box::new(value))
}

/// A row of spreads, of what was measured.
fn spread(title: &str, of: impl Fn(&Outcome) -> Result<Spread> + 'static) -> Figure {
    let value = move |it: &Outcome| {
        let spread = of(it).map(|spread| (spread.median, spread.to_string()));
        Ok(spread.unwrap_or_else(|_| (0.0, NOTHING.to_owned())))
    };
    (title.to_owned(), Box::new(value))
}

fn access() -> Vec<Figure> {
    let instructions = |title: &str, shape: &'static str| -> Figure {
        let value = move |it: &Outcome| {
            // User-Mode Linux is not traced.
            let Ok(count) = it.instructions(shape) else {
                return Ok((0.0, NOTHING.to_owned()));
            };
            let call = if it.calls_accessor(shape)? {
                ", a call"
            } else {
                ""
            };
            Ok((count, format!("{count}{call}")))
        };
        (title.to_owned(), Box::new(value))
    };
    vec![
        instructions("instructions, out of line", "out_of_line"),
        instructions("instructions, in a loop", "in_loop"),
        spread("ns, out of line, with a loop", |it| {
            it.access_ns("out_of_line")
        }),
        spread("ns, in a loop, with that", |it| it.access_ns("in_loop")),
        spread("ns, the loop alone", |it| it.access_ns("nothing")),
    ]
}

fn first() -> Vec<Figure> {
    let rows = [
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
    let rows = rows.map(|(title, what, how)| {
        [
            spread(title, move |it| it.first_us(what, how)),
            least(format!("{title}: least"), move |it| {
                it.best_first_us(what, how)
            }),
        ]
    });
    rows.into_iter().flatten().collect()
}

/// Populating and freeing, on two CPUs.
fn together() -> Vec<Figure> {
    vec![
        least("one thread, us", |it| it.cycle_us("one")),
        least("two threads on one device, us", |it| it.cycle_us("two")),
        least("two threads on two devices, us", |it| it.cycle_us("apart")),
        least("two threads over one, on one device", |it| {
            it.speedup("two")
        }),
        least("two threads over one, on two devices", |it| {
            it.speedup("apart")
        }),
    ]
}

fn bytes() -> Vec<Figure> {
    type Bytes = fn(&Outcome) -> Result<f64>;
    let rows: [(&str, Bytes); 9] = [
        ("in the object, for its table", |it| it.bytes("slot,inline")),
        ("of these, the lock", |it| it.bytes("lock,inline")),
        ("allocated when the slot is populated", |it| {
            it.bytes("owner,populated")
        }),
        ("**both: a mapped object**", Outcome::mapped),
        ("the object", |it| it.bytes("object,inline")),
        ("the object, as it is allocated", |it| {
            it.bytes("object_allocated,inline")
        }),
        ("in slabs, an object that was never mapped", |it| {
            it.bytes("object,created")
        }),
        ("in slabs, more when it is mapped", |it| {
            it.bytes("object,populated")
        }),
        ("in slabs, a mapped object", |it| {
            Ok(it.bytes("object,created")? + it.bytes("object,populated")?)
        }),
    ];
    let rows = rows.map(|(title, of)| -> Figure {
        let text = |bytes: f64| thousands(bytes.round() as u64);
        let value = move |it: &Outcome| of(it).map(|bytes| (bytes, text(bytes)));
        (title.to_owned(), Box::new(value))
    });
    rows.into()
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
