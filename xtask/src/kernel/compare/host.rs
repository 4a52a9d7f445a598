// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The outcomes on the host: those of the tests of the protocol, and of the example.

use super::{
    super::{
        job::{
            self,
            Job,
            Next, //
        },
        spinner,
    },
    add,
    table::{
        Column,
        Mark, //
    },
};
use anyhow::{
    bail,
    ensure,
    Result, //
};
use std::{
    path::Path,
    process::Command,
    time::Duration, //
};
use xshell::Shell;

/// Tests of this module go through random histories, and are no scenarios.
const HISTORIES: &str = "model";

/// The tests in this file or folder of `tests/`.
pub(super) fn tests(shell: &Shell, logs: &Path, name: &str) -> Result<Column> {
    let log = logs.join(format!("host-{name}.log"));
    let text = run(shell, &["test", "--test", name], &log)?;
    ensure!(
        text.lines().any(|line| line.starts_with("test result: ")),
        "the tests on the host have not ended, see {}:\n{}",
        log.display(),
        job::tail(&log, 20)
    );

    outcomes(&text, &log)
}

/// The rows of the example, which are about the shmem object.
pub(super) fn shmem(shell: &Shell, logs: &Path, by_hand: bool) -> Result<Column> {
    let log = logs.join("host-shmem.log");
    let mut arguments = vec!["run", "--example", "shmem_sgt", "--", "--terse"];
    if by_hand {
        arguments.push("--by-hand");
    }

    outcomes(&run(shell, &arguments, &log)?, &log)
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

/// Reads `test name ... ok`.
fn outcomes(text: &str, log: &Path) -> Result<Column> {
    let mut column = Column::default();
    for (name, mark) in text.lines().filter_map(outcome) {
        match name.rsplit_once("::") {
            Some((HISTORIES, _)) => (),
            Some((_, name)) => add(&mut column, name, mark)?,
            None => add(&mut column, name, mark)?,
        }
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

fn outcome(line: &str) -> Option<(&str, Mark)> {
    let (name, verdict) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let name = name.strip_suffix(" - should panic").unwrap_or(name);
    let mark = match verdict {
        "ok" => Mark::Ok,
        "FAILED" => Mark::Fail,
        _ => {
            let why = verdict.strip_prefix("ignored")?;
            Mark::Skip(why.trim_start_matches(", ").to_owned())
        }
    };

    Some((name, mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libtest_prints_is_read() {
        let text = "\
   Compiling devres-lazy v0.1.0
running 5 tests
test rebind ... ok
test unbind ... FAILED
test fields::own_destructor - should panic ... ok
test model::histories ... FAILED
test peek ... ignored, no such function
test result: FAILED. 2 passed; 2 failed
";
        let column = outcomes(text, Path::new("log")).unwrap();

        assert_eq!(
            column.into_iter().collect::<Vec<_>>(),
            [
                ("own_destructor".to_owned(), Mark::Ok),
                ("peek".to_owned(), Mark::Skip("no such function".to_owned())),
                ("rebind".to_owned(), Mark::Ok),
                ("unbind".to_owned(), Mark::Fail),
            ]
        );
    }

    #[test]
    fn nothing_is_not_enough() {
        assert!(outcomes("error: could not compile\n", Path::new("log")).is_err());
        assert!(outcomes("test a ... ok\ntest b::a ... ok\n", Path::new("log")).is_err());
    }
}
