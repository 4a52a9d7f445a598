// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Outcomes side by side, and what is different about them.

use crate::report::table;
use anyhow::{ensure, Result};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// How a test ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mark {
    Ok,
    Fail,
    /// Why it was not gone through.
    Skip(String),
}

/// Outcomes, by suite and test.
pub(super) type Column = BTreeMap<String, Mark>;

/// Adds an outcome. A name says which test it is, so there cannot be two.
pub(super) fn add(column: &mut Column, name: &str, mark: Mark) -> Result<()> {
    ensure!(
        column.insert(name.to_owned(), mark).is_none(),
        "there are two tests with the name `{name}`"
    );
    Ok(())
}

/// The prefixes of our suites.
const OURS: [&str; 2] = ["rust_devres_lazy_", "rust_lazy_"];

/// Whether a suite, or a test, is ours.
pub(super) fn is_ours(name: &str) -> bool {
    OURS.iter().any(|ours| name.starts_with(ours))
}

/// Why a test may be on one side only.
type Excuse = fn(&str) -> Option<&'static str>;

/// The outcomes of both sides.
pub(super) struct Table {
    pub(super) host: Column,
    pub(super) kernel: Column,
    pub(super) excuse: Excuse,
}

impl Table {
    /// All tests.
    fn names(&self) -> BTreeSet<&str> {
        let names = self.host.keys().chain(self.kernel.keys());
        names.map(String::as_str).collect()
    }

    fn marks(&self, name: &str) -> [Option<&Mark>; 2] {
        [self.host.get(name), self.kernel.get(name)]
    }

    /// Why a test is on one side only, if it is and may be.
    fn excuse(&self, name: &str) -> Option<&'static str> {
        let [host, kernel] = self.marks(name);
        host.xor(kernel)?;
        (self.excuse)(name)
    }

    /// The tests with different outcomes, a sentence for each.
    pub(super) fn differences(&self) -> Vec<String> {
        let is_different = |name: &&str| {
            let [host, kernel] = self.marks(name);
            differ(host, kernel) && self.excuse(name).is_none()
        };
        let show = |name| {
            let [host, kernel] = self.marks(name).map(show);
            format!("{name}: {host} on the host, {kernel} in the kernel")
        };

        self.names()
            .into_iter()
            .filter(is_different)
            .map(show)
            .collect()
    }
}

/// Whether there is a difference. A test that was skipped on one side has no outcome there.
fn differ(host: Option<&Mark>, kernel: Option<&Mark>) -> bool {
    match (host, kernel) {
        (Some(Mark::Skip(_)), Some(_)) | (Some(_), Some(Mark::Skip(_))) => false,
        (host, kernel) => host != kernel,
    }
}

fn show(mark: Option<&Mark>) -> &'static str {
    match mark {
        Some(Mark::Ok) => "ok",
        Some(Mark::Fail) => "FAIL",
        Some(Mark::Skip(_)) => "skip",
        None => "-",
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.names();
        let mut table = table::Table::text(["test", "host", "kernel"]);
        for name in &names {
            let [host, kernel] = self.marks(name).map(show);
            table.push([name, host, kernel]);
        }
        writeln!(f, "{table}")?;

        for name in &names {
            for (side, mark) in ["host", "kernel"].into_iter().zip(self.marks(name)) {
                if let Some(Mark::Skip(why)) = mark {
                    writeln!(f, "skip, {side}: {name}: {why}")?;
                }
            }
            if let Some(why) = self.excuse(name) {
                writeln!(f, "-: {name}: {why}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(host: &[(&str, Mark)], kernel: &[(&str, Mark)]) -> Table {
        let column = |marks: &[(&str, Mark)]| {
            let marks = marks.iter().cloned();
            marks.map(|(name, mark)| (name.to_owned(), mark)).collect()
        };
        Table {
            host: column(host),
            kernel: column(kernel),
            excuse: |name| (name == "a.init_panics").then_some("the kernel does not unwind"),
        }
    }

    fn skip() -> Mark {
        Mark::Skip("needs failslab".to_owned())
    }

    #[test]
    fn the_same_is_no_difference() {
        for mark in [Mark::Ok, Mark::Fail, skip()] {
            let side = [("a.unbind", mark)];
            assert!(table(&side, &side).differences().is_empty());
        }
    }

    #[test]
    fn what_was_skipped_has_no_outcome() {
        for mark in [Mark::Ok, Mark::Fail] {
            let (ran, skipped) = ([("a.unbind", mark)], [("a.unbind", skip())]);
            assert!(table(&ran, &skipped).differences().is_empty());
            assert!(table(&skipped, &ran).differences().is_empty());
        }
    }

    #[test]
    fn another_outcome_is_a_difference() {
        let (ok, fail) = ([("a.unbind", Mark::Ok)], [("a.unbind", Mark::Fail)]);
        assert_eq!(
            table(&ok, &fail).differences(),
            ["a.unbind: ok on the host, FAIL in the kernel"]
        );
        assert_eq!(table(&fail, &ok).differences().len(), 1);
    }

    #[test]
    fn a_test_has_to_be_on_both_sides() {
        for mark in [Mark::Ok, skip()] {
            let one = [("a.unbind", mark)];
            assert_eq!(table(&one, &[]).differences().len(), 1);
            assert_eq!(table(&[], &one).differences().len(), 1);
        }
        // The same test of another suite is another one.
        let (a, b) = ([("a.unbind", Mark::Ok)], [("b.unbind", Mark::Ok)]);
        assert_eq!(table(&a, &b).differences().len(), 2);

        // Or there is a reason; but what is on both sides is compared.
        let (ok, fail) = (
            [("a.init_panics", Mark::Ok)],
            [("a.init_panics", Mark::Fail)],
        );
        assert!(table(&ok, &[]).differences().is_empty());
        assert_eq!(table(&ok, &fail).differences().len(), 1);
    }

    #[test]
    fn a_table_has_columns_and_reasons() {
        let table = table(
            &[("a.init_panics", Mark::Ok), ("a.unbind", Mark::Ok)],
            &[("a.unbind", skip())],
        );
        assert_eq!(
            table.to_string(),
            "| test          | host | kernel |\n\
             |---------------|------|--------|\n\
             | a.init_panics | ok   | -      |\n\
             | a.unbind      | ok   | skip   |\n\n\
             -: a.init_panics: the kernel does not unwind\n\
             skip, kernel: a.unbind: needs failslab\n"
        );
    }
}
