// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask tsan`: the protocol under ThreadSanitizer, and mutants that it has to report.
//!
//! The standard library is built with it, too. Otherwise ThreadSanitizer would not see, for
//! example, the mutexes of the library, and would report races that a mutex prevents. The sources
//! of the library are fetched as for a kernel build. The compiler is told to accept unstable
//! options.

use crate::{
    cargo,
    exit::Exit,
    kernel::{
        self,
        job::{self, Job},
    },
};
use anyhow::{bail, ensure, Context, Result};
use clap::Parser;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};
use xshell::Shell;

const HELP: &str = "\
Exit status:
  0  nothing was reported that should not be, and all that should
  1  something else, or the build has failed
  2  wrong usage
  3  skipped: something cannot be downloaded, which says nothing about the code";

/// The time to run for.
#[derive(Parser)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    /// How long the slot is under stress, and each mutant at most.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
}

/// The exit status of a program that ThreadSanitizer has ended.
const REPORTED: i32 = 66;

/// How long a program may take that is not told how long.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// How long a program may take to end, when the time is up that it was told.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often a mutant is run that crashes.
const CHANCES: usize = 4;

/// The tests beside the stress: their names for `cargo test`, and those that are printed.
const TESTS: [(&str, &str); 6] = [
    ("kernel", "runtime"),
    ("protocol", "tests/protocol"),
    ("field", "tests/field"),
    ("field_shmem", "tests/field_shmem"),
    ("grace_periods", "tests/grace_periods"),
    ("locks", "tests/locks"),
];

/// The name of the stress test and of its program.
const STRESS: &str = "stress";

/// How a program has ended.
enum End {
    /// Well, and it has printed this.
    Held(String),
    /// With a report of ThreadSanitizer.
    Reported(String),
    /// With a test that has failed.
    Failed(String),
    /// With a signal.
    Crashed,
    /// Not at all, or otherwise.
    Other(String),
}

impl End {
    /// The reason that is printed for a program that does not hold.
    fn what(self) -> String {
        match self {
            Self::Held(_) => "nothing is reported".to_owned(),
            Self::Reported(what) | Self::Failed(what) | Self::Other(what) => what,
            Self::Crashed => "killed by a signal".to_owned(),
        }
    }
}

/// Builds the programs, runs the tests that have to hold, and then those that have to be reported.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    kernel::group::end_with_us()?;
    let library = kernel::rust_library(shell)?;
    // A folder apart from builds without ThreadSanitizer.
    let target = cargo::target_folder(shell)?.join("tsan");
    fs::create_dir_all(&target)?;
    let programs = build(shell, &library, &target)?;
    let mut wrong = 0;

    let program = |name: &str, log: &str, limit| -> Result<Program<'_>> {
        let file = programs
            .get(name)
            .with_context(|| format!("cargo did not say which program the tests of {name} are"))?;
        Ok(Program {
            file,
            log: target.join(format!("{log}.log")),
            limit,
            seconds: options.seconds,
        })
    };
    let limit = Duration::from_secs(options.seconds) + PATIENCE;
    let stress = |log| program(STRESS, &format!("{STRESS}-{log}"), limit);

    for (name, title) in TESTS {
        wrong += u32::from(!holds(&program(name, name, LIMIT)?, title, &[])?);
    }
    for test in ["slot", "copy"] {
        wrong += u32::from(!holds(&stress(test)?, test, &["--exact", test])?);
    }

    for mutant in &mutants(&stress(STRESS)?)? {
        let name = mutant.rsplit("::").next().unwrap_or(mutant);
        wrong += u32::from(!is_caught(&stress(name)?, name, mutant)?);
    }

    println!("logs: {}", target.join("*.log").display());
    ensure!(
        wrong == 0,
        "{wrong} of the above are not as they have to be"
    );
    Ok(())
}

/// Builds all tests. Returns their programs, by name.
fn build(shell: &Shell, library: &Path, target: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let host = cargo::host(shell)?;
    let log = target.join("build.log");
    let begin = Instant::now();

    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(shell.current_dir())
        .args(["test", "--no-run", "-Zbuild-std", "--target", &host])
        .arg("--target-dir")
        .arg(target)
        .args(["--message-format", "json-render-diagnostics"])
        .args(["--package", "devres-lazy", "--lib"])
        .args(["--package", "devres-lazy-stress"])
        .args(["--package", "devres-lazy-workspace"]);
    for test in TESTS[1..].iter().map(|(test, _)| *test).chain([STRESS]) {
        cargo.args(["--test", test]);
    }
    cargo
        .env("CARGO_ENCODED_RUSTFLAGS", "-Zsanitizer=thread")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("__CARGO_TESTS_ONLY_SRC_ROOT", library);

    let spinner = kernel::spinner("building with ThreadSanitizer".to_owned());
    let mut programs = BTreeMap::new();
    let status =
        Job::start(&mut cargo, &log)?.read(|line| programs.extend(cargo::program(&line)))?;
    spinner.finish_and_clear();

    if !status.success() {
        let said = job::tail(&log, 20);
        if kernel::tools::is_cargo_offline(&said) {
            bail!(Exit::Skipped(format!(
                "what Rust's library is built of cannot be downloaded, see {}",
                log.display()
            )));
        }
        bail!("the build failed, see {}:\n{said}", log.display());
    }
    println!("built    {}", kernel::seconds(begin.elapsed()));
    Ok(programs)
}

/// A program of tests.
struct Program<'a> {
    file: &'a Path,
    log: PathBuf,
    limit: Duration,
    /// How long the stress takes.
    seconds: u64,
}

impl Program<'_> {
    fn run(&self, arguments: &[&str]) -> Result<End> {
        let limit = self.limit.as_secs().to_string();
        let mut command = Command::new("timeout");
        command
            .args(["--signal=KILL", &limit])
            .arg(self.file)
            .args(arguments)
            .env(
                "TSAN_OPTIONS",
                format!("halt_on_error=1 exitcode={REPORTED}"),
            )
            // Takes longer than the test.
            .env("RUST_BACKTRACE", "0")
            .env("DEVRES_LAZY_STRESS_SECONDS", self.seconds.to_string());

        let begin = Instant::now();
        let mut text = String::new();
        let status = Job::start(&mut command, &self.log)?.read(|line| text += &(line + "\n"))?;
        Ok(match begin.elapsed() > self.limit {
            true => End::Other(format!(
                "hangs: it was given {}",
                kernel::seconds(self.limit)
            )),
            false => end(status.code(), text),
        })
    }
}

/// How a program has ended that has printed this.
fn end(status: Option<i32>, text: String) -> End {
    let summary = text
        .lines()
        .find_map(|line| line.strip_prefix("SUMMARY: ThreadSanitizer: "));
    let panic = text
        .lines()
        .skip_while(|line| !line.contains("panicked at"))
        .nth(1);

    match (status, summary, panic) {
        (Some(0), ..) => End::Held(text),
        (Some(REPORTED), Some(summary), _) => End::Reported(without_path(summary)),
        (Some(101), _, Some(panic)) => End::Failed(panic.to_owned()),
        (Some(status), ..) => End::Other(format!("exit status {status}")),
        (None, ..) => End::Crashed,
    }
}

/// `data race <file>:<line> in <function>`, with the name of the file only.
fn without_path(summary: &str) -> String {
    let words = summary.split(' ').map(|word| match word.rsplit_once('/') {
        Some((path, name)) if path.starts_with('/') || path.starts_with('.') => name,
        _ => word,
    });

    words.collect::<Vec<_>>().join(" ")
}

/// Runs a test that has to hold, and returns whether it does.
fn holds(program: &Program<'_>, title: &str, arguments: &[&str]) -> Result<bool> {
    let begin = Instant::now();
    let arguments = [arguments, &["--nocapture"]].concat();
    let end = program.run(&arguments)?;
    if let End::Held(text) = end {
        println!("holds    {title}, {}", kernel::seconds(begin.elapsed()));
        for line in text.lines().filter(|line| is_count(line)) {
            println!("{line}");
        }
        return Ok(true);
    }

    println!(
        "FAILS    {title}: {}, see {}",
        end.what(),
        program.log.display()
    );
    Ok(false)
}

/// Is this a count that the stress has printed?
fn is_count(line: &str) -> bool {
    line.starts_with(' ')
        && line
            .split_whitespace()
            .next()
            .is_some_and(|word| word.parse::<u64>().is_ok())
}

/// The tests that are ignored, which are the mutants.
fn mutants(program: &Program<'_>) -> Result<Vec<String>> {
    let End::Held(text) = program.run(&["--list", "--ignored"])? else {
        bail!("the stress does not say which mutants there are");
    };
    let tests = text.lines().filter_map(|line| line.strip_suffix(": test"));
    let mutants: Vec<String> = tests.map(str::to_owned).collect();

    ensure!(!mutants.is_empty(), "there are no mutants");
    Ok(mutants)
}

/// Runs a test that has to be reported, and returns whether it is.
///
/// A mutant may corrupt memory and crash before it is reported. A crash proves nothing, so the
/// mutant gets another chance.
fn is_caught(program: &Program<'_>, name: &str, test: &str) -> Result<bool> {
    let begin = Instant::now();
    let mut end = End::Crashed;
    for _ in 0..CHANCES {
        end = program.run(&["--exact", test, "--ignored", "--nocapture"])?;
        if !matches!(end, End::Crashed) {
            break;
        }
    }

    let is_caught = matches!(end, End::Reported(_) | End::Failed(_));
    let mark = if is_caught { "caught" } else { "MISSED" };
    let time = kernel::seconds(begin.elapsed());
    println!("{mark:8} {name}, {time}: {}", end.what());
    Ok(is_caught)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RACE: &str = "WARNING: ThreadSanitizer: data race (pid=1)\n\
                        SUMMARY: ThreadSanitizer: data race /a/b/slot.rs:7:1 in <a::B>::c\n";
    const PANIC: &str = "thread '<unnamed>' (1) panicked at /a/b.rs:1:2:\n\
                         assertion failed: left on the device\n";

    fn what(end: End) -> (&'static str, String) {
        match end {
            End::Held(text) => ("held", text),
            End::Reported(what) => ("reported", what),
            End::Failed(what) => ("failed", what),
            End::Crashed => ("crashed", String::new()),
            End::Other(what) => ("other", what),
        }
    }

    #[test]
    fn a_report_is_told_from_a_failure_and_from_a_crash() {
        let of = |status, text: &str| what(end(status, text.to_owned()));

        assert_eq!(of(Some(0), "fine").0, "held");
        let reported = ("reported", "data race slot.rs:7:1 in <a::B>::c".to_owned());
        assert_eq!(of(Some(66), RACE), reported);
        // The report comes first, whatever the test makes of it.
        assert_eq!(of(Some(66), &format!("{PANIC}{RACE}")), reported);
        let failed = ("failed", "assertion failed: left on the device".to_owned());
        assert_eq!(of(Some(101), PANIC), failed);

        // ThreadSanitizer itself, a program that does not start, a signal.
        let fatal = "FATAL: ThreadSanitizer: unexpected memory mapping\n";
        assert_eq!(of(Some(66), fatal).0, "other");
        assert_eq!(of(Some(101), "no such test").0, "other");
        assert_eq!(of(Some(127), "").0, "other");
        assert_eq!(of(None, PANIC).0, "crashed");
    }

    #[test]
    fn counts_are_found() {
        assert!(is_count("      8581 bindings"));
        assert!(!is_count("running 1 test") && !is_count("    at main.rs"));
    }
}
