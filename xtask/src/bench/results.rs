// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The tables and the targets, from the measured values.

use super::{
    callgrind::Count,
    object::{Object, BY_HAND, OBJECTS},
    rows::Rows,
};
use crate::report::{
    spread::Spread,
    table::{three_digits, Table},
    target::Target,
};
use anyhow::{ensure, Result};

/// How much more two threads have to do than one.
const THREADS: f64 = 1.9;

/// The measured values of all objects.
pub(super) struct Results {
    /// In the order of objects; none without Valgrind.
    pub(super) counts: Option<Vec<Count>>,
    pub(super) rows: Rows,
}

/// How two threads compare with one.
struct Threads {
    /// The best round of two threads over the best one of one thread.
    best: f64,
    /// Two threads over one within each round, and the median of that.
    median: f64,
}

impl Threads {
    /// For a table.
    fn cell(&self) -> String {
        format!("{:.2} ({:.2})", self.best, self.median)
    }
}

impl Results {
    /// The values of a measure of an object.
    fn values(&self, measure: &str, object: &str) -> Result<Vec<f64>> {
        let values = self.rows.values([measure, object]);
        ensure!(
            !values.is_empty(),
            "there are no rows of {measure} for {object}"
        );
        Ok(values)
    }

    fn spread(&self, measure: &str, object: &str) -> Result<Spread> {
        Spread::new(&self.values(measure, object)?, 1.0)
    }

    fn median(&self, measure: &str, object: &str) -> Result<f64> {
        Ok(self.spread(measure, object)?.median)
    }

    /// Combines two measures with `of`, round by round.
    fn pairs(
        &self,
        [one, other]: [(&str, &str); 2],
        of: impl Fn(f64, f64) -> f64,
    ) -> Result<Spread> {
        let one = self.values(one.0, one.1)?;
        let other = self.values(other.0, other.1)?;
        let pairs = one.into_iter().zip(other);
        Spread::new(
            &pairs.map(|(one, other)| of(one, other)).collect::<Vec<_>>(),
            1.0,
        )
    }

    fn threads(&self, what: &str, object: &str) -> Result<Threads> {
        let [one, two] = ["1_thread", "2_threads"].map(|threads| format!("{what}_{threads}"));
        let best = |measure| -> Result<f64> {
            Ok(self
                .values(measure, object)?
                .into_iter()
                .fold(0.0, f64::max))
        };

        Ok(Threads {
            best: best(&two)? / best(&one)?,
            median: self
                .pairs([(&two, object), (&one, object)], |two, one| two / one)?
                .median,
        })
    }

    /// The table of accesses.
    pub(super) fn access(&self) -> Result<Table> {
        let mut table = Table::numbers("", OBJECTS.map(|it| it.title));
        let of_counts = |cell: fn(&Count) -> String| {
            let not = || "not measured".to_owned();
            move |index: usize| {
                let count = self.counts.as_ref().and_then(|counts| counts.get(index));
                Ok(count.map_or_else(not, cell))
            }
        };
        let in_loop = |count: &Count| match count.inlined {
            true => count.in_loop.to_string(),
            false => format!("{}, a call", count.in_loop),
        };
        table.row(
            "instructions, in a loop",
            0..OBJECTS.len(),
            of_counts(in_loop),
        )?;
        let out_of_line = |count: &Count| count.out_of_line.to_string();
        let title = "instructions, out of line";
        table.row(title, 0..OBJECTS.len(), of_counts(out_of_line))?;

        let beyond_helper = |measure, it: &Object| -> Result<f64> {
            Ok(self.median(measure, it.name)? - self.median(measure, "helper")?)
        };
        let mut row =
            |title, cell: &dyn Fn(&Object) -> Result<String>| table.row(title, &OBJECTS, cell);
        row("ns per access (quartiles)", &|it| {
            Ok(self.spread("ns", it.name)?.to_string())
        })?;
        row("the same over by hand", &|it| {
            let ratio = self.pairs([("ns", it.name), ("ns", BY_HAND)], |a, b| a / b)?;
            Ok(three_digits(ratio.median))
        })?;
        row("ns until the table is there", &|it| {
            let pair = [("chained_ns", it.name), ("chained_ns", "nothing")];
            Ok(self.pairs(pair, |a, b| a - b)?.to_string())
        })?;
        row("2 threads over 1: best (median)", &|it| {
            Ok(self.threads("per_us", it.name)?.cell())
        })?;
        row("bytes in the object", &|it| {
            Ok(self.median("inline_bytes", it.name)?.to_string())
        })?;
        row("bytes on the heap", &|it| {
            let heap = beyond_helper("heap_bytes", it)?;
            Ok(match beyond_helper("heap_blocks", it)? {
                0.0 => heap.to_string(),
                blocks => format!("{heap} in {blocks}"),
            })
        })?;
        row("us of the first access (quartiles)", &|it| {
            Ok(Spread::new(&self.values("first_ns", it.name)?, 1e3)?.to_string())
        })?;
        Ok(table)
    }

    /// The table of populating, ours and by hand.
    pub(super) fn populating(&self) -> Result<Table> {
        let objects = &OBJECTS[..2];
        let mut table = Table::numbers(
            "an owner with nothing but the slot",
            objects.iter().map(|it| it.title),
        );
        let mut row = |title, measure: &str| {
            table.row(title, objects, |it| {
                Ok(self.spread(measure, it.name)?.to_string())
            })
        };
        row(
            "created, populated and freed, millions a second",
            "cycles_per_us_1_thread",
        )?;
        row("ns to populate", "populate_ns")?;
        row(
            "the same among 10,000 other managed resources",
            "populate_among_ns",
        )?;
        table.row(
            "2 threads over 1, on one device: best (median)",
            objects,
            |it| Ok(self.threads("cycles_per_us", it.name)?.cell()),
        )?;
        Ok(table)
    }

    /// The cost of the C helper by itself.
    pub(super) fn helper(&self) -> Result<String> {
        let us = Spread::new(&self.values("first_ns", "helper")?, 1e3)?;
        let bytes = self.median("heap_bytes", "helper")?;
        Ok(format!(
            "The C helper alone takes {us} us, and allocates {bytes} bytes for pages and table."
        ))
    }

    /// How the targets stand.
    pub(super) fn targets(&self) -> Result<Vec<Target>> {
        let ours = OBJECTS[0].name;
        let counts = |of: fn(&Count) -> u64| {
            let counts = self.counts.as_ref();
            counts.map(|counts| counts.iter().map(of).collect::<Vec<_>>())
        };
        let populating = |measure| -> Result<f64> { Ok(self.spread(measure, ours)?.low) };
        // Not the best round: two threads that have one CPU in turns do not get in each other's way.
        let together = self.threads("cycles_per_us", ours)?.median;

        Ok(vec![
            fewest("in a loop", counts(|count| count.in_loop)),
            fewest("out of line", counts(|count| count.out_of_line)),
            threads(
                self.threads("per_us", ours)?.best,
                self.threads("per_us", "control")?.best,
            ),
            Target::together(together, format!("{together:.2} times")),
            Target::among(
                populating("populate_ns")?,
                populating("populate_among_ns")?,
                "ns",
            ),
        ])
    }
}

/// The first one is not more than any other.
fn fewest(shape: &str, instructions: Option<Vec<u64>>) -> Target {
    let text = format!("{shape}, `#[devres_lazy]` takes no more instructions than the others");
    match instructions.as_deref() {
        Some([ours, others @ ..]) => {
            let held = others.iter().all(|other| ours <= other);
            let others: Vec<String> = others.iter().map(u64::to_string).collect();
            Target::exact(text, format!("{ours}, and {}", others.join(", ")), held)
        }
        _ => Target::not_measured(text, "no Valgrind"),
    }
}

/// Two threads do enough, and the control, which writes to shared memory, does not.
fn threads(ours: f64, control: f64) -> Target {
    let is_control_slow = control < THREADS;
    let found = match is_control_slow {
        true => format!("{ours:.2} times, the control {control:.2}"),
        false => format!("the control reaches {control:.2}, so that {ours:.2} says nothing"),
    };
    let text = format!("two threads do at least {THREADS} times what one does");
    Target::threads(text, found, is_control_slow && ours >= THREADS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_other_may_take_fewer() {
        let held = |counts: Option<&[u64]>| fewest("", counts.map(<[u64]>::to_vec)).held;

        assert_eq!(held(Some(&[5, 46, 7, 5])), Some(true));
        assert_eq!(held(Some(&[5, 46, 7, 4])), Some(false));
        assert_eq!(held(None), None);
    }

    #[test]
    fn two_threads_do_enough_if_the_control_does_not() {
        assert_eq!(threads(1.95, 0.4).held, Some(true));
        assert_eq!(threads(1.85, 0.4).held, Some(false));
        assert_eq!(threads(1.95, 1.95).held, Some(false));
    }

    #[test]
    fn rounds_are_compared_with_rounds() {
        let rows = [
            "a,x,0,4",
            "a,x,1,9",
            "b,x,0,2",
            "b,x,1,3",
            "c_1_thread,x,0,1",
        ];
        let rows =
            rows.iter()
                .chain(&["c_2_threads,x,0,2", "c_1_thread,x,1,4", "c_2_threads,x,1,4"]);
        let results = Results {
            counts: None,
            rows: crate::report::rows::Rows(rows.map(|row| row.parse().unwrap()).collect()),
        };

        let ratio = results
            .pairs([("a", "x"), ("b", "x")], |a, b| a / b)
            .unwrap();
        assert_eq!((ratio.low, ratio.high), (2.0, 2.0));
        assert_eq!(results.threads("c", "x").unwrap().cell(), "1.00 (1.00)");
        assert!(results.median("d", "x").is_err());
    }
}
