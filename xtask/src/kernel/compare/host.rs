// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The outcomes on the host: those of the suites, which are tests of the runtime. For the control,
//! those of the suite of the contract over the object by hand.

use super::{
    super::{
        job::{self, Job},
        spinner,
    },
    table::{add, is_ours, Column, Mark},
};
use anyhow::{ensure, Result};
use std::{path::Path, process::Command};
use xshell::Shell;

/// The prefix of the suites' lines.
const LINE: &str = "# kunit: ";

/// The suites: those of the library, and the one of the sample, which is another crate.
pub(super) fn suites(shell: &Shell, logs: &Path) -> Result<Column> {
    let library = ["--package", "devres-lazy", "--lib", "kunit"];
    let mut column = run(shell, &library, &logs.join("host-suites.log"))?;

    let sample = ["--test", "sample"];
    for (name, mark) in run(shell, &sample, &logs.join("host-sample.log"))? {
        add(&mut column, &name, mark)?;
    }
    Ok(column)
}

/// The suite of the contract, over the object by hand.
pub(super) fn by_hand(shell: &Shell, logs: &Path) -> Result<Column> {
    let tests = ["--test", "mutants", "contract::"];

    run(shell, &tests, &logs.join("host-by-hand.log"))
}

/// Runs tests, and returns the outcomes that they print. A test that fails is one of them.
fn run(shell: &Shell, tests: &[&str], log: &Path) -> Result<Column> {
    let arguments = [&["test"], tests, &["--", "--show-output"]].concat();
    let spinner = spinner(format!("cargo {}", arguments.join(" ")));
    let mut cargo = Command::new("cargo");
    cargo.current_dir(shell.current_dir()).args(&arguments);
    let mut text = String::new();
    Job::start(&mut cargo, log)?.read(|line| text += &(line + "\n"))?;
    spinner.finish_and_clear();

    outcomes(&text, log)
}

/// Reads what tests have printed.
fn outcomes(text: &str, log: &Path) -> Result<Column> {
    let mut column = Column::default();
    for (name, mark) in text.lines().filter_map(outcome) {
        add(&mut column, &name, mark)?;
    }

    ensure!(
        !column.is_empty(),
        "nothing was tested on the host, see {}:\n{}",
        log.display(),
        job::tail(log, 20)
    );
    Ok(column)
}

/// Reads `# kunit: suite.test ok`, of our suites.
fn outcome(line: &str) -> Option<(String, Mark)> {
    let (name, verdict) = line.strip_prefix(LINE)?.split_once(' ')?;
    if !is_ours(name) {
        return None;
    }
    let mark = match verdict {
        "ok" => Mark::Ok,
        "not ok" => Mark::Fail,
        _ => Mark::Skip(verdict.strip_prefix("ok # SKIP ")?.to_owned()),
    };

    Some((name.to_owned(), mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Column> {
        outcomes(text, Path::new("log"))
    }

    #[test]
    fn what_suites_print_is_read() {
        let text = "\
running 3 tests
test devres::lazy_kunit::tests::unbind ... ok

---- devres::lazy_kunit::tests::unbind stdout ----
# kunit: rust_lazy_slot.unbind ok
# kunit: another.unbind ok
# kunit: rust_lazy_slot.rebind not ok
# kunit: rust_lazy_lockdep.recursion ok # SKIP needs lockdep
";
        assert_eq!(
            read(text).unwrap().into_iter().collect::<Vec<_>>(),
            [
                (
                    "rust_lazy_lockdep.recursion".to_owned(),
                    Mark::Skip("needs lockdep".to_owned())
                ),
                ("rust_lazy_slot.rebind".to_owned(), Mark::Fail),
                ("rust_lazy_slot.unbind".to_owned(), Mark::Ok),
            ]
        );
    }

    #[test]
    fn nothing_is_not_enough() {
        assert!(read("error: could not compile\n").is_err());
        assert!(read("# kunit: rust_lazy_a.b ok\n# kunit: rust_lazy_a.b ok\n").is_err());
    }
}
