// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Outcomes side by side, and what is different about them.

use std::{
    collections::{
        BTreeMap,
        BTreeSet, //
    },
    fmt, //
};

/// Scenarios that only one side can have, and why.
const ONE_SIDED: [(Subject, &str, &str); 10] = [
    (Subject::Slot, "init_panics", NO_UNWINDING),
    (Subject::Shmem, "init_panics", NO_UNWINDING),
    (Subject::Slot, "revoke_of_a_stranger", NO_UNWINDING),
    (Subject::Slot, "recursion", NO_LOCKDEP),
    (Subject::Shmem, "recursion", NO_LOCKDEP),
    (Subject::Slot, "drop_panics", NO_UNWINDING),
    (
        Subject::Shmem,
        "owner_is_held_weakly",
        "in the kernel, a test of the annotated object only",
    ),
    (
        Subject::Shmem,
        "exporter_unbound_before_importer",
        "on the host, a test of `tests/field_shmem`",
    ),
    (
        Subject::Vmap,
        "failing_map",
        "in the kernel, the file behind the object is made too short; the host has no such file",
    ),
    (
        Subject::Vmap,
        "first_access_under_a_reservation_lock",
        NO_LOCKDEP,
    ),
];

const NO_UNWINDING: &str = "the kernel does not unwind";
const NO_LOCKDEP: &str =
    "a panic on the host; in the kernel lockdep has to report it, in a boot of its own";

/// How a scenario ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mark {
    Ok,
    Fail,
    /// Why it was not gone through.
    Skip(String),
}

/// What scenarios are gone through with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// A lazy field of an object that the tests have made up.
    Slot,
    /// The shmem object, and its scatter-gather table.
    Shmem,
    /// The same object's second field, which is a kernel mapping.
    Vmap,
}

impl Subject {
    pub(super) const ALL: [Self; 3] = [Self::Slot, Self::Shmem, Self::Vmap];
}

/// Where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Host,
    Kernel,
}

/// Outcomes, by the names of scenarios.
pub(super) type Column = BTreeMap<String, Mark>;

/// All outcomes.
#[derive(Default)]
pub(super) struct Table {
    columns: BTreeMap<(Subject, Side), Column>,
}

impl Table {
    /// Adds what is not empty.
    pub(super) fn add(&mut self, subject: Subject, side: Side, column: Column) {
        if !column.is_empty() {
            self.columns.insert((subject, side), column);
        }
    }

    /// All scenarios.
    fn names(&self) -> BTreeSet<&str> {
        self.columns
            .values()
            .flat_map(BTreeMap::keys)
            .map(String::as_str)
            .collect()
    }

    fn mark(&self, subject: Subject, side: Side, name: &str) -> Option<&Mark> {
        self.columns.get(&(subject, side))?.get(name)
    }

    /// Why a scenario is on one side only, if it is and may be.
    fn excuse(&self, subject: Subject, name: &str) -> Option<&'static str> {
        let host = self.mark(subject, Side::Host, name);
        let kernel = self.mark(subject, Side::Kernel, name);

        host.xor(kernel)?;
        one_sided(subject, name)
    }

    /// What is not as it should be, for people.
    pub(super) fn differences(&self) -> Vec<String> {
        let mut differences = Vec::new();
        for name in self.names() {
            for subject in Subject::ALL {
                let host = self.mark(subject, Side::Host, name);
                let kernel = self.mark(subject, Side::Kernel, name);
                if differ(host, kernel) && self.excuse(subject, name).is_none() {
                    differences.push(format!(
                        "{name}, {subject}: {} on the host, {} in the kernel",
                        show(host),
                        show(kernel)
                    ));
                }
            }
        }

        differences
    }
}

/// Whether there is a difference. What was skipped on one side has no outcome there.
fn differ(host: Option<&Mark>, kernel: Option<&Mark>) -> bool {
    match (host, kernel) {
        (Some(Mark::Skip(_)), _) | (_, Some(Mark::Skip(_))) => false,
        (host, kernel) => host != kernel,
    }
}

/// Why a scenario may be on one side only.
fn one_sided(subject: Subject, name: &str) -> Option<&'static str> {
    ONE_SIDED
        .iter()
        .find_map(|(of, scenario, why)| (*of == subject && *scenario == name).then_some(*why))
}

fn show(mark: Option<&Mark>) -> &'static str {
    match mark {
        Some(Mark::Ok) => "ok",
        Some(Mark::Fail) => "FAIL",
        Some(Mark::Skip(_)) => "skip",
        None => "-",
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Slot => "slot",
            Self::Shmem => "shmem",
            Self::Vmap => "vmap",
        })
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "host",
            Self::Kernel => "kernel",
        })
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.names();
        let width = names.iter().map(|name| name.len()).max().unwrap_or(0);

        let line = |first: &str, cells: Vec<String>| {
            let mut line = format!("{first:width$}");
            for cell in cells {
                line += &format!("  {cell:12}");
            }
            line.trim_end().to_owned()
        };
        let head = |(subject, side): &(Subject, Side)| format!("{side} {subject}");
        writeln!(f, "{}", line("", self.columns.keys().map(head).collect()))?;
        for name in &names {
            let marks = self.columns.values().map(|column| column.get(*name));
            let marks = marks.map(|mark| show(mark).to_owned()).collect();
            writeln!(f, "{}", line(name, marks))?;
        }

        writeln!(f)?;
        for name in &names {
            let skipped: BTreeSet<_> = self
                .columns
                .values()
                .filter_map(|column| match column.get(*name) {
                    Some(Mark::Skip(why)) => Some(why),
                    _ => None,
                })
                .collect();
            for why in skipped {
                writeln!(f, "skip: {name}: {why}")?;
            }
            let excuses: BTreeSet<_> = Subject::ALL
                .iter()
                .filter_map(|subject| self.excuse(*subject, name))
                .collect();
            for why in excuses {
                writeln!(f, "-: {name}: {why}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(marks: &[(&str, Mark)]) -> Column {
        marks
            .iter()
            .map(|(name, mark)| ((*name).to_owned(), mark.clone()))
            .collect()
    }

    fn table(host: &[(&str, Mark)], kernel: &[(&str, Mark)]) -> Table {
        let mut table = Table::default();
        table.add(Subject::Shmem, Side::Host, column(host));
        table.add(Subject::Shmem, Side::Kernel, column(kernel));
        table
    }

    fn skip() -> Mark {
        Mark::Skip("needs failslab".to_owned())
    }

    #[test]
    fn the_same_is_no_difference() {
        for mark in [Mark::Ok, Mark::Fail, skip()] {
            let side = [("unbind", mark)];
            assert!(table(&side, &side).differences().is_empty());
        }
    }

    #[test]
    fn what_was_skipped_has_no_outcome() {
        for mark in [Mark::Ok, Mark::Fail] {
            let (ran, skipped) = ([("unbind", mark)], [("unbind", skip())]);
            assert!(table(&ran, &skipped).differences().is_empty());
            assert!(table(&skipped, &ran).differences().is_empty());
        }
        assert!(table(&[("unbind", skip())], &[]).differences().is_empty());
    }

    #[test]
    fn another_outcome_is_a_difference() {
        let (ok, fail) = ([("unbind", Mark::Ok)], [("unbind", Mark::Fail)]);
        assert_eq!(
            table(&ok, &fail).differences(),
            ["unbind, shmem: ok on the host, FAIL in the kernel"]
        );
        assert_eq!(table(&fail, &ok).differences().len(), 1);
    }

    #[test]
    fn a_scenario_has_to_be_on_both_sides() {
        let one = [("unbind", Mark::Ok)];
        assert_eq!(
            table(&one, &[]).differences(),
            ["unbind, shmem: ok on the host, - in the kernel"]
        );
        assert_eq!(table(&[], &one).differences().len(), 1);

        // Or there is a reason; but what is on both sides is compared.
        let (ok, fail) = ([("init_panics", Mark::Ok)], [("init_panics", Mark::Fail)]);
        assert!(table(&ok, &[]).differences().is_empty());
        assert_eq!(table(&ok, &fail).differences().len(), 1);

        // The reason is of one subject, not of all.
        assert_eq!(
            table(&[], &[("failing_map", Mark::Ok)]).differences().len(),
            1
        );
    }

    #[test]
    fn other_subjects_do_not_count() {
        let mut table = Table::default();
        table.add(Subject::Slot, Side::Host, column(&[("unbind", Mark::Ok)]));
        table.add(
            Subject::Shmem,
            Side::Kernel,
            column(&[("unbind", Mark::Ok)]),
        );
        assert_eq!(table.differences().len(), 2);
    }

    #[test]
    fn a_table_has_columns_and_reasons() {
        let table = table(
            &[("init_panics", Mark::Ok), ("unbind", Mark::Ok)],
            &[("unbind", skip())],
        );
        assert_eq!(
            table.to_string(),
            "             host shmem    kernel shmem\n\
             init_panics  ok            -\n\
             unbind       ok            skip\n\n\
             -: init_panics: the kernel does not unwind\n\
             skip: unbind: needs failslab\n"
        );
    }
}
