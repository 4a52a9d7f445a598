// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The tables and the targets, from the measured values.

use super::callgrind::{Count, Counts};
use crate::report::{
    rows::{Rows, Spread},
    table::{three_digits, Table},
    target::{Of, Target},
};
use anyhow::{Context, Result};

/// Something with a fast path.
pub(super) struct Object {
    /// As `benches/access` calls it.
    pub(super) name: &'static str,
    /// As the tables do.
    pub(super) title: &'static str,
}

impl Object {
    const fn new(name: &'static str, title: &'static str) -> Self {
        Self { name, title }
    }
}

/// The annotated object, and the one that it is compared with.
pub(super) const OURS: Object = Object::new("generated", "`#[devres_lazy]`");
pub(super) const BY_HAND: Object = Object::new("by_hand", "by hand");

/// All objects, in the order of columns.
pub(super) const OBJECTS: [Object; 4] = [
    OURS,
    BY_HAND,
    Object::new("once_lock", "`OnceLock`"),
    Object::new("once_cell", "`OnceCell`"),
];

/// How much more two threads have to do than one.
const THREADS: f64 = 1.9;

/// The measured values of all objects.
pub(super) struct Results {
    pub(super) counts: Counts,
    /// Each is named by a measure and an object.
    pub(super) rows: Rows,
}

impl Results {
    /// The spread of a measure of an object, in units of `unit`.
    fn spread(&self, measure: &str, it: &Object, unit: f64) -> Result<String> {
        let spread = self.rows.spread(&format!("{measure},{}", it.name), unit);
        spread.map(|spread| spread.to_string())
    }

    /// Combines two measures with `of`, round by round.
    fn pairs(&self, [one, other]: [&str; 2], of: impl Fn(f64, f64) -> f64) -> Result<Spread> {
        let [ones, others] = [one, other].map(|of| self.rows.values(of));
        let pairs = ones.into_iter().zip(others);
        let pairs: Vec<f64> = pairs.map(|(one, other)| of(one, other)).collect();
        Spread::new(&pairs, 1.0).with_context(|| format!("there are no rows of {one} or {other}"))
    }

    /// Two threads over one: the best round over the best one, and the median of the ratio within
    /// each round.
    fn threads(&self, what: &str, object: &str) -> Result<[f64; 2]> {
        let one = format!("{what}_1_thread,{object}");
        let two = format!("{what}_2_threads,{object}");
        let ratio = self.pairs([&two, &one], |two, one| two / one)?;
        let [one, two] = [one, two].map(|of| self.rows.values(&of).into_iter().fold(0.0, f64::max));
        Ok([two / one, ratio.median])
    }

    /// The same for a table.
    fn threads_cell(&self, what: &str, it: &Object) -> Result<String> {
        let [best, median] = self.threads(what, it.name)?;
        Ok(format!("{best:.2} ({median:.2})"))
    }

    /// The table of accesses.
    pub(super) fn access(&self) -> Result<String> {
        let counted = |it: &Object, cell: fn(&Count) -> String| {
            let cell = self.counts.get(it.name).map(cell);
            Ok(cell.unwrap_or_else(|| "not measured".to_owned()))
        };
        let beyond_helper = |measure, it: &Object| -> Result<f64> {
            let median = |object| self.rows.median(&format!("{measure},{object}"));
            Ok(median(it.name)? - median("helper")?)
        };

        let mut table = table("", &OBJECTS);
        table.add("instructions, in a loop", |it| {
            counted(it, |count| match count.inlined {
                true => count.in_loop.to_string(),
                false => format!("{}, a call", count.in_loop),
            })
        })?;
        table.add("instructions, out of line", |it| {
            counted(it, |count| count.out_of_line.to_string())
        })?;
        table.add("ns per access (quartiles)", |it| self.spread("ns", it, 1.0))?;
        table.add("the same over by hand", |it| {
            let [ns, by_hand] = [it, &BY_HAND].map(|it| format!("ns,{}", it.name));
            let ratio = self.pairs([&ns, &by_hand], |a, b| a / b)?;
            Ok(three_digits(ratio.median))
        })?;
        table.add("ns until the table is there", |it| {
            let chained = format!("chained_ns,{}", it.name);
            let ns = self.pairs([&chained, "chained_ns,nothing"], |a, b| a - b)?;
            Ok(ns.to_string())
        })?;
        table.add("2 threads over 1: best (median)", |it| {
            self.threads_cell("per_us", it)
        })?;
        table.add("bytes in the object", |it| {
            let bytes = self.rows.median(&format!("inline_bytes,{}", it.name))?;
            Ok(bytes.to_string())
        })?;
        table.add("bytes on the heap", |it| {
            let heap = beyond_helper("heap_bytes", it)?;
            Ok(match beyond_helper("heap_blocks", it)? {
                0.0 => heap.to_string(),
                blocks => format!("{heap} in {blocks}"),
            })
        })?;
        table.add("us of the first access (quartiles)", |it| {
            self.spread("first_ns", it, 1e3)
        })?;
        Ok(table.to_string())
    }

    /// The table of populating, ours and by hand.
    pub(super) fn populating(&self) -> Result<String> {
        let mut table = table("an owner with nothing but the slot", &OBJECTS[..2]);
        for (title, measure) in [
            (
                "created, populated and freed, millions a second",
                "cycles_per_us_1_thread",
            ),
            ("ns to populate", "populate_ns"),
            (
                "the same among 10,000 other managed resources",
                "populate_among_ns",
            ),
        ] {
            table.add(title, |it| self.spread(measure, it, 1.0))?;
        }
        let title = "2 threads over 1, on one device: best (median)";
        table.add(title, |it| self.threads_cell("cycles_per_us", it))?;
        Ok(table.to_string())
    }

    /// The cost of the C helper by itself.
    pub(super) fn helper(&self) -> Result<String> {
        let us = self.rows.spread("first_ns,helper", 1e3)?;
        let bytes = self.rows.median("heap_bytes,helper")?;
        Ok(format!(
            "The C helper alone takes {us} us, and allocates {bytes} bytes for pages and table."
        ))
    }

    /// How the targets stand.
    pub(super) fn targets(&self) -> Result<Vec<Target>> {
        let populating = |measure| -> Result<f64> {
            let spread = self.rows.spread(&format!("{measure},{}", OURS.name), 1.0)?;
            Ok(spread.low)
        };
        // Not the best round: two threads that have one CPU in turns do not get in each other's way.
        let [_, together] = self.threads("cycles_per_us", OURS.name)?;
        let [ours, _] = self.threads("per_us", OURS.name)?;
        let [control, _] = self.threads("per_us", "control")?;

        Ok(vec![
            self.fewest("in a loop", |count| count.in_loop),
            self.fewest("out of line", |count| count.out_of_line),
            threads(ours, control),
            Target::together(together, format!("{together:.2} times")),
            Target::among(
                populating("populate_ns")?,
                populating("populate_among_ns")?,
                "ns",
            ),
        ])
    }

    /// Ours is not more than any other.
    fn fewest(&self, shape: &str, of: fn(&Count) -> u64) -> Target {
        let text = format!("{shape}, `#[devres_lazy]` takes no more instructions than the others");
        let counts = OBJECTS.iter().map(|it| self.counts.get(it.name).map(of));
        match counts.collect::<Option<Vec<_>>>().as_deref() {
            Some([ours, others @ ..]) => {
                let held = others.iter().all(|other| ours <= other);
                let others: Vec<String> = others.iter().map(u64::to_string).collect();
                let found = format!("{ours}, and {}", others.join(", "));
                Target::new(Of::Exact, text, found, held)
            }
            _ => Target::new(Of::Exact, text, "no Valgrind", None),
        }
    }
}

/// A table with a column for each of these objects.
fn table<'a>(corner: &str, objects: &'a [Object]) -> Table<&'a Object> {
    Table::new(corner, objects, |it| it.title.to_owned())
}

/// Two threads do enough, and the control, which writes to shared memory, does not.
fn threads(ours: f64, control: f64) -> Target {
    let is_control_slow = control < THREADS;
    let found = match is_control_slow {
        true => format!("{ours:.2} times, the control {control:.2}"),
        false => format!("the control reaches {control:.2}, so that {ours:.2} says nothing"),
    };
    let text = format!("two threads do at least {THREADS} times what one does");
    Target::new(Of::Threads, text, found, is_control_slow && ours >= THREADS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::rows::tests::rows;

    #[test]
    fn no_other_may_take_fewer() {
        for (counts, held) in [
            (vec![5, 46, 7, 5], Some(true)),
            (vec![5, 46, 7, 4], Some(false)),
            (Vec::new(), None),
        ] {
            let counts = OBJECTS.iter().zip(counts).map(|(object, count)| {
                let count = Count {
                    out_of_line: count,
                    ..Count::default()
                };
                (object.name, count)
            });
            let results = Results {
                counts: counts.collect(),
                rows: Rows::default(),
            };
            let target = results.fewest("out of line", |count| count.out_of_line);
            assert_eq!(target.held, held, "{}", target.found);
        }
    }

    #[test]
    fn two_threads_do_enough_if_the_control_does_not() {
        for (ours, control, held) in [(1.95, 0.4, true), (1.85, 0.4, false), (1.95, 1.95, false)] {
            assert_eq!(threads(ours, control).held, Some(held), "{ours} {control}");
        }
    }

    #[test]
    fn rounds_are_compared_with_rounds() {
        let rows = [
            "a,x,0,4",
            "a,x,1,9",
            "b,x,0,2",
            "b,x,1,3",
            "c_1_thread,x,0,1",
            "c_2_threads,x,0,2",
            "c_1_thread,x,1,4",
            "c_2_threads,x,1,4",
        ];
        let results = Results {
            counts: Counts::new(),
            rows: self::rows(rows, 2),
        };

        let ratio = results.pairs(["a,x", "b,x"], |a, b| a / b).unwrap();
        assert_eq!((ratio.low, ratio.high), (2.0, 2.0));
        assert_eq!(results.threads("c", "x").unwrap(), [1.0, 1.0]);
        assert!(results.threads("d", "x").is_err());
    }
}
