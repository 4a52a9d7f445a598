// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The outcomes of all tests in all trees, as tables, and whether they are as expected.

use super::super::{
    apply::FIXES,
    control::{self, in_words},
    ktap::Test,
    run::{self, Results},
    tree::Version,
};
use crate::report::table;
use anyhow::{bail, ensure, Result};
use std::collections::{BTreeMap, BTreeSet};

/// The name of the check that is no test.
const FOREVER: &str = "`forever()` must not compile";

/// The fix that this check is about.
const TRY_FROM: &str = "P8";

/// The outcomes in a tree.
pub(super) struct Tree {
    /// The number of its fix, or what else it has.
    name: &'static str,
    linux: Version,
    /// All tests, by their names, and how they ended.
    tests: BTreeMap<String, String>,
}

impl Tree {
    pub(super) fn new(name: &'static str, linux: Version, is_refused: bool) -> Self {
        let forever = if is_refused { PASSES } else { "compiles" };
        Self {
            name,
            linux,
            tests: BTreeMap::from([(FOREVER.to_owned(), forever.to_owned())]),
        }
    }

    /// Adds the outcomes of a boot.
    ///
    /// # Errors
    ///
    /// If the run has a problem as a whole, as when the kernel has died.
    pub(super) fn add(&mut self, results: &Results) -> Result<()> {
        let problems = results.problems.join(", ");
        ensure!(problems.is_empty(), "{problems}");
        for (suite, test) in results.tests() {
            self.tests.insert(run::name(suite, test), outcome(test));
        }
        Ok(())
    }

    fn outcome(&self, test: &str) -> &str {
        self.tests.get(test).map_or(ABSENT, String::as_str)
    }
}

const PASSES: &str = "passes";
const ABSENT: &str = "is not there";

/// How a test ended, in words.
fn outcome(test: &Test) -> String {
    let reports = test.all_splats().into_iter().filter(|splat| splat.fails());
    in_words(control::outcome(test, false), reports.count())
}

/// The tests that show a fix.
fn shown_by(number: &str) -> Vec<&'static str> {
    let fix = FIXES.iter().find(|fix| fix.number == number);
    let tests = fix.map_or(&[][..], |fix| fix.shown_by).iter().copied();
    let forever = (number == TRY_FROM).then_some(FOREVER);
    tests.chain(forever).collect()
}

/// The tables, and all that is not as expected: each fix has to change the outcomes of its tests, and
/// of no others.
pub(super) fn compare(trees: &[Tree]) -> Result<(String, Vec<String>)> {
    let [before, alone @ .., all] = trees else {
        bail!("there are too few trees");
    };
    let linux = format!("Linux {}", before.linux);
    let header = ["fix", "test", &linux, "with this fix", "with all"];
    let mut shown = vec![table::cells(header)];
    let header = ["fix", "Tyr and Nova", "other tests", "end differently"];
    let mut rest = vec![table::cells(header)];
    let mut faults = Vec::new();
    for tree in alone {
        let fix = tree.name;
        let own = shown_by(fix);
        if own.is_empty() {
            faults.push(format!("nothing shows {fix}"));
        }
        for test in &own {
            let name = match *test {
                FOREVER => FOREVER.to_owned(),
                _ => format!("`{test}`"),
            };
            let outcomes @ [without, with, with_all] =
                [before, tree, all].map(|it| it.outcome(test));
            shown.push(table::cells([fix, &name].into_iter().chain(outcomes)));
            if matches!(without, PASSES | ABSENT) {
                faults.push(format!("{test} {without} without {fix}"));
            }
            for (outcome, fixes) in [(with, fix), (with_all, "all fixes")] {
                if outcome != PASSES {
                    faults.push(format!("{test} {outcome} with {fixes}"));
                }
            }
        }

        let names = before.tests.keys().chain(tree.tests.keys());
        let others: BTreeSet<_> = names.filter(|name| !own.contains(&&***name)).collect();
        let count = others.len().to_string();
        let differ = |name: &&&String| tree.outcome(name) != before.outcome(name);
        let differ: Vec<_> = others.iter().filter(differ).collect();
        rest.push(table::cells([
            fix,
            "build",
            &count,
            &differ.len().to_string(),
        ]));
        let differ = differ.into_iter();
        faults.extend(differ.map(|name| format!("{name} {} with {fix}", tree.outcome(name))));
    }

    let last = all.tests.iter();
    let wrong = last.filter(|(_, outcome)| !matches!(&***outcome, PASSES | "is skipped"));
    faults.extend(wrong.map(|(name, outcome)| format!("{name} {outcome} with all fixes")));
    let tables = format!("{}\n{}", table::text(&shown), table::text(&rest));
    Ok((tables, faults))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All trees, with the outcomes that are expected, and one more test.
    fn trees() -> Vec<Tree> {
        let names = FIXES.iter().map(|fix| fix.number);
        let names = ["as it is"].into_iter().chain(names).chain(["all"]);
        let tree = |name: &'static str| {
            let has = |number: &str| name == number || name == "all";
            let mut tree = Tree::new(name, Version(7, 3, 4), has(TRY_FROM));
            for fix in &FIXES {
                for test in fix.shown_by {
                    let outcome = if has(fix.number) { PASSES } else { "fails" };
                    tree.tests.insert((*test).to_owned(), outcome.to_owned());
                }
            }
            tree.tests.insert("other".to_owned(), PASSES.to_owned());
            tree
        };
        names.map(tree).collect()
    }

    #[test]
    fn a_fix_changes_the_outcome_of_its_tests() {
        let (text, faults) = compare(&trees()).unwrap();
        assert_eq!(faults, [""; 0]);
        for row in [
            "| P1  | `rust_devres.access_after_rebind`            | fails       | passes ",
            "| P8  | `forever()` must not compile                 | compiles    | passes ",
        ] {
            assert!(text.contains(row), "{row}:\n{text}");
        }
    }

    #[test]
    fn another_outcome_is_seen() {
        const ACCESS: &str = "rust_devres.access_after_rebind";
        for (place, test, outcome, fault) in [
            (0, ACCESS, PASSES, "passes without P1"),
            (1, ACCESS, "fails", "fails with P1"),
            (1, "other", "fails", "fails with P1"),
            (2, ACCESS, PASSES, "passes with P8"),
            (8, "other", "fails", "fails with all fixes"),
            (8, FOREVER, "compiles", "compiles with all fixes"),
        ] {
            let mut trees = trees();
            let tests = &mut trees[place].tests;
            tests.insert(test.to_owned(), outcome.to_owned());
            let (_, faults) = compare(&trees).unwrap();
            assert!(faults.contains(&format!("{test} {fault}")), "{faults:?}");
        }
        let mut trees = trees();
        trees[3].tests.remove("other");
        let (_, faults) = compare(&trees).unwrap();
        assert_eq!(faults, ["other is not there with P6"]);
    }
}
