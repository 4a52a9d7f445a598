// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The KUnit suites catch mutants: copies of the protocol, of the macro and of the driver core that
//! are broken in one way each. The suite of the contract also runs over the two objects of the
//! example, and catches the one by hand where Linux 7.3 falls short.
//!
//! The sources are copied, each place that a mutant changes becomes a choice, and the suites are
//! built once over that. Then the tests named in the table run for each mutant, in a process of its
//! own, and have to fail; without a mutant they have to pass.

mod contract;
mod copy;
mod table;

use anyhow::{ensure, Context, Result};
use std::{
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use table::{Mutant, MUTANTS};

/// The environment variable with the name of a process's mutant.
const CHOICE: &str = "DEVRES_LAZY_MUTANT";

/// The time limit of a test. A mutant may make a test wait forever.
const LIMIT: Duration = Duration::from_secs(10);

/// The number of attempts at a test that ends in the wrong outcome. On a busy machine, a fault may
/// show after the test has looked for it.
const CHANCES: usize = 5;

/// The outcome of a test.
#[derive(Debug, PartialEq)]
enum End {
    Passed,
    Failed,
    /// The test was killed at the time limit.
    Hangs,
}

#[test]
fn mutants_are_caught() -> Result<()> {
    let suites = copy::suites()?;

    let mut tests: Vec<_> = MUTANTS.iter().flat_map(|mutant| mutant.caught_by).collect();
    tests.sort_unstable();
    tests.dedup();
    for test in tests {
        let (end, _) = run(suites, test, None)?;
        ensure!(end == End::Passed, "without a mutant, {test}: {end:?}");
    }

    let mut missed = Vec::new();
    for mutant in MUTANTS {
        for test in mutant.caught_by {
            let (end, _) = run_until(suites, test, Some(mutant), |end| *end != End::Passed)?;
            println!("{}: {test}: {end:?}", mutant.name);
            if end == End::Passed {
                missed.push(format!("{} ({}): {test}", mutant.name, mutant.what));
            }
        }
    }
    ensure!(missed.is_empty(), "not caught:\n{}", missed.join("\n"));
    println!("{} mutants are caught", MUTANTS.len());
    Ok(())
}

/// Runs a test of the suites until it ends as wanted, but at most [`CHANCES`] times. Returns the
/// last outcome.
fn run_until(
    suites: &Path,
    test: &str,
    mutant: Option<&Mutant>,
    is_wanted: impl Fn(&End) -> bool,
) -> Result<(End, String)> {
    let mut outcome = run(suites, test, mutant)?;
    for _ in 1..CHANCES {
        if is_wanted(&outcome.0) {
            break;
        }
        outcome = run(suites, test, mutant)?;
    }

    Ok(outcome)
}

/// Runs a test of the suites. Returns its outcome and its output.
fn run(suites: &Path, test: &str, mutant: Option<&Mutant>) -> Result<(End, String)> {
    let mut child = Command::new(suites)
        .args(["--exact", test])
        .env(CHOICE, mutant.map_or("", |mutant| mutant.name))
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;

    let begin = Instant::now();
    while child.try_wait()?.is_none() {
        if begin.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            return Ok((End::Hangs, String::new()));
        }
        thread::sleep(Duration::from_millis(5));
    }

    let output = child.wait_with_output()?;
    let text = String::from_utf8(output.stdout).context("the test prints no text")?;
    if !output.status.success() {
        return Ok((End::Failed, text));
    }
    ensure!(
        text.contains("1 passed"),
        "there is no test {test}:\n{text}"
    );
    Ok((End::Passed, text))
}
