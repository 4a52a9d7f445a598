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
use anyhow::{bail, ensure, Context, Result};
use std::collections::BTreeMap;

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
        self.tests.get(test).map_or("is not there", String::as_str)
    }
}

const PASSES: &str = "passes";

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

/// The first tree, those with one fix, and the last, which has all.
fn parts(trees: &[Tree]) -> Result<(&Tree, &[Tree], &Tree)> {
    match trees {
        [first, alone @ .., last] => Ok((first, alone, last)),
        _ => bail!("there are too few trees"),
    }
}

/// The tests that show no fix in a tree, and those of them that end differently than in another.
fn others<'a>(tree: &'a Tree, before: &Tree) -> (usize, Vec<&'a str>) {
    let own = shown_by(tree.name);
    let names = tree.tests.keys().map(String::as_str);
    let names: Vec<&str> = names.filter(|name| !own.contains(name)).collect();
    let count = names.len();
    let differ = names
        .into_iter()
        .filter(|name| tree.outcome(name) != before.outcome(name));
    (count, differ.collect())
}

/// The tables.
pub(super) fn text(trees: &[Tree]) -> Result<String> {
    let (before, alone, all) = parts(trees)?;
    let linux = format!("Linux {}", before.linux);
    let mut shown = vec![table::cells([
        "fix",
        "test",
        &linux,
        "with this fix",
        "with all",
    ])];
    for tree in alone {
        for test in shown_by(tree.name) {
            let name = match test {
                FOREVER => test.to_owned(),
                _ => format!("`{test}`"),
            };
            let [before, own, all] = [before, tree, all].map(|tree| tree.outcome(test));
            shown.push(table::cells([tree.name, &name, before, own, all]));
        }
    }

    let mut rest = vec![table::cells([
        "fix",
        "Tyr and Nova",
        "other tests",
        "end differently",
    ])];
    for tree in alone {
        let (count, differ) = others(tree, before);
        let (count, differ) = (count.to_string(), differ.len().to_string());
        rest.push(table::cells([tree.name, "build", &count, &differ]));
    }
    Ok(format!("{}\n{}", table::text(&shown), table::text(&rest)))
}

/// Fails unless each fix changes the outcomes of its tests and no others.
pub(super) fn judge(trees: &[Tree]) -> Result<()> {
    let (before, alone, all) = parts(trees)?;
    for tree in alone {
        let own = shown_by(tree.name);
        ensure!(!own.is_empty(), "nothing shows {}", tree.name);
        for test in own {
            let known = before.tests.get(test);
            let known = known.with_context(|| format!("{test} is not there"))?;
            ensure!(known != PASSES, "{test} passes without {}", tree.name);
            for tree in [tree, all] {
                let outcome = tree.outcome(test);
                ensure!(outcome == PASSES, "{}: {test} {outcome}", tree.name);
            }
        }
        let (_, differ) = others(tree, before);
        ensure!(
            differ.is_empty() && tree.tests.len() == before.tests.len(),
            "{} changes what others come to: {}",
            tree.name,
            differ.join(", ")
        );
    }

    let wrong = |name: &&String| !matches!(all.outcome(name), PASSES | "is skipped");
    let wrong: Vec<_> = all.tests.keys().filter(wrong).cloned().collect();
    ensure!(
        wrong.is_empty(),
        "with all: {} do not pass",
        wrong.join(", ")
    );
    Ok(())
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
        let trees = trees();
        judge(&trees).unwrap();

        let text = text(&trees).unwrap();
        for row in [
            "| P1  | `rust_devres.access_after_rebind`            | fails       | passes ",
            "| P8  | `forever()` must not compile                 | compiles    | passes ",
        ] {
            assert!(text.contains(row), "{row}:\n{text}");
        }
    }

    #[test]
    fn another_outcome_is_seen() {
        for (place, test, outcome) in [
            (0, "rust_devres.access_after_rebind", PASSES),
            (1, "rust_devres.access_after_rebind", "fails"),
            (1, "other", "fails"),
            (2, "rust_devres.access_after_rebind", PASSES),
            (8, "other", "fails"),
            (8, FOREVER, "compiles"),
        ] {
            let mut trees = trees();
            trees[place]
                .tests
                .insert(test.to_owned(), outcome.to_owned());
            judge(&trees).unwrap_err();
        }
        let mut trees = trees();
        trees[3].tests.remove("other");
        judge(&trees).unwrap_err();
    }
}
