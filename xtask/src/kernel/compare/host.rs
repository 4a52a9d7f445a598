// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The outcomes on the host: those of the suites, which are tests of the runtime, and for the
//! control those of the example.

use super::{
    super::{
        job::{
            self,
            Job,
            Next, //
        },
        spinner,
    },
    table::{
        Column,
        Mark, //
    },
    CONTRACT,
};
use anyhow::{
    bail,
    Result, //
};
use std::{
    path::Path,
    process::Command,
    time::Duration, //
};
use xshell::Shell;

/// What a line of the suites begins with.
const LINE: &str = "# kunit: ";

/// The suites: those of the library, and the one of the sample, which is another crate.
pub(super) fn suites(shell: &Shell, logs: &Path) -> Result<Column> {
    let log = logs.join("host-suites.log");
    let library = ["test", "--package", "devres-lazy", "--lib", "kunit"];
    let mut column = of_suites(shell, &library, &log)?;

    let log = logs.join("host-sample.log");
    let sample = ["test", "--test", "sample"];
    for (name, mark) in of_suites(shell, &sample, &log)? {
        super::add(&mut column, &name, mark)?;
    }
    Ok(column)
}

/// Runs tests, and returns the outcomes of the suites among them.
fn of_suites(shell: &Shell, tests: &[&str], log: &Path) -> Result<Column> {
    let text = run(shell, &[tests, &["--", "--show-output"]].concat(), log)?;

    outcomes(text.lines().filter_map(of_suite), log)
}

/// The rows of the example with the object by hand. They stand for the tests of the contract.
pub(super) fn by_hand(shell: &Shell, logs: &Path) -> Result<Column> {
    let log = logs.join("host-by-hand.log");
    let example = [
        "run",
        "--example",
        "shmem_sgt",
        "--",
        "--terse",
        "--by-hand",
    ];
    let text = run(shell, &example, &log)?;

    outcomes(text.lines().filter_map(of_example), &log)
}

/// Runs cargo, and returns what it prints. That something fails is to be seen there.
fn run(shell: &Shell, arguments: &[&str], log: &Path) -> Result<String> {
    let spinner = spinner(format!("cargo {}", arguments.join(" ")));
    let mut cargo = Command::new("cargo");
    cargo.current_dir(shell.current_dir()).args(arguments);
    let mut job = Job::start(&mut cargo, log)?;
    let mut text = String::new();
    loop {
        match job.next(Duration::MAX)? {
            Next::Line(line) => text += &(line + "\n"),
            Next::Silence => (),
            Next::End(_) => break,
        }
    }
    spinner.finish_and_clear();

    Ok(text)
}

fn outcomes(found: impl Iterator<Item = (String, Mark)>, log: &Path) -> Result<Column> {
    let mut column = Column::default();
    for (name, mark) in found {
        super::add(&mut column, &name, mark)?;
    }

    if column.is_empty() {
        bail!(
            "nothing was tested on the host, see {}:\n{}",
            log.display(),
            job::tail(log, 20)
        );
    }
    Ok(column)
}

/// Reads `# kunit: suite.test ok`, of our suites.
fn of_suite(line: &str) -> Option<(String, Mark)> {
    let (name, verdict) = line.strip_prefix(LINE)?.split_once(' ')?;
    if !super::is_ours(name) {
        return None;
    }
    let mark = match verdict {
        "ok" => Mark::Ok,
        "not ok" => Mark::Fail,
        _ => Mark::Skip(verdict.strip_prefix("ok # SKIP ")?.to_owned()),
    };

    Some((name.to_owned(), mark))
}

/// Reads `test name ... ok`.
fn of_example(line: &str) -> Option<(String, Mark)> {
    let (name, verdict) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let mark = match verdict {
        "ok" => Mark::Ok,
        "FAILED" => Mark::Fail,
        _ => {
            let why = verdict.strip_prefix("ignored")?;
            Mark::Skip(why.trim_start_matches(", ").to_owned())
        }
    };

    Some((format!("{CONTRACT}.{name}"), mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, of: fn(&str) -> Option<(String, Mark)>) -> Result<Column> {
        outcomes(text.lines().filter_map(of), Path::new("log"))
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
            read(text, of_suite)
                .unwrap()
                .into_iter()
                .collect::<Vec<_>>(),
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
    fn what_the_example_prints_is_read() {
        let text = "\
   Compiling devres-lazy v0.1.0
test rebind ... ok
test unbind ... FAILED
test peek ... ignored, no such function
";
        assert_eq!(
            read(text, of_example)
                .unwrap()
                .into_iter()
                .collect::<Vec<_>>(),
            [
                (
                    format!("{CONTRACT}.peek"),
                    Mark::Skip("no such function".to_owned())
                ),
                (format!("{CONTRACT}.rebind"), Mark::Ok),
                (format!("{CONTRACT}.unbind"), Mark::Fail),
            ]
        );
    }

    #[test]
    fn nothing_is_not_enough() {
        assert!(read("error: could not compile\n", of_suite).is_err());
        assert!(read(
            "# kunit: rust_lazy_a.b ok\n# kunit: rust_lazy_a.b ok\n",
            of_suite
        )
        .is_err());
    }
}
