// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask tsan`: the protocol under ThreadSanitizer, and mutants that it has to report.
//!
//! The standard library is built with it, too. Otherwise ThreadSanitizer would not see, for
//! example, the mutexes of the library, and would report races that a mutex prevents. The sources
//! of the library are fetched as for a kernel build. The compiler is told to accept unstable
//! options.

use crate::{
    cargo, exit,
    kernel::{
        self,
        job::{self, Job},
        pattern::pattern,
    },
};
use anyhow::{bail, ensure, Result};
use clap::Parser;
use regex_lite::Regex;
use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::LazyLock,
    time::{Duration, Instant},
};
use xshell::Shell;

/// The time to run for.
#[derive(Parser)]
#[command(after_help = exit::HELP)]
pub(crate) struct Options {
    /// How long the slot is under stress, and each mutant at most.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
}

/// The exit status of a program that ThreadSanitizer has ended.
const REPORTED: i32 = 66;

/// The exit status of a program that `timeout` has killed.
const TIMEOUT: i32 = 137;

/// How long a program may take that is not told how long.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// How long a program may take to end, when the time is up that it was told.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often a mutant is run that crashes.
const CHANCES: usize = 4;

/// All packages with tests to run. They are always named, so that they are built with one set of
/// features.
const PACKAGES: [&str; 3] = ["devres-lazy", "devres-lazy-stress", "devres-lazy-workspace"];

/// The stress, and the tests beside it.
const STRESS: &[&str] = &["--test=stress"];
const TESTS: &[&str] = &[
    "--lib",
    "--test=protocol",
    "--test=field",
    "--test=field_shmem",
    "--test=grace_periods",
    "--test=locks",
];

/// Builds the tests, runs those that have to hold, and then those that have to be reported.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    job::end_with_us()?;
    let runner = Runner {
        shell,
        host: cargo::rustc(shell, "host")?,
        library: kernel::rust_library(shell)?,
        // A folder apart from builds without ThreadSanitizer.
        folder: cargo::target_folder(shell)?.join("tsan"),
        seconds: options.seconds,
    };
    fs::create_dir_all(&runner.folder)?;
    runner.build()?;

    let mut wrong = u32::from(!runner.holds("tests", TESTS, &[])?);
    for test in ["slot", "copy"] {
        wrong += u32::from(!runner.holds(test, STRESS, &["--exact", test])?);
    }
    for mutant in &runner.mutants()? {
        wrong += u32::from(!runner.is_caught(mutant)?);
    }

    println!("logs: {}", runner.log("*").display());
    ensure!(
        wrong == 0,
        "{wrong} of the above are not as they have to be"
    );
    Ok(())
}

struct Runner<'a> {
    shell: &'a Shell,
    host: String,
    library: PathBuf,
    folder: PathBuf,
    /// How long the stress takes.
    seconds: u64,
}

impl Runner<'_> {
    fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }

    /// A command that tests with ThreadSanitizer.
    fn cargo(&self, tests: &[&str]) -> Command {
        let mut cargo = Command::new("cargo");
        cargo
            .current_dir(self.shell.current_dir())
            .args(["test", "-Zbuild-std", "--target", &self.host])
            .arg("--target-dir")
            .arg(&self.folder)
            .args(PACKAGES.map(|package| format!("--package={package}")))
            .args(tests)
            .env("CARGO_ENCODED_RUSTFLAGS", "-Zsanitizer=thread")
            .env("RUSTC_BOOTSTRAP", "1")
            .env("__CARGO_TESTS_ONLY_SRC_ROOT", &self.library);
        cargo
    }

    fn build(&self) -> Result<()> {
        let log = self.log("build");
        let begin = Instant::now();
        let spinner = kernel::spinner("building with ThreadSanitizer".to_owned());
        let mut cargo = self.cargo(&[TESTS, STRESS, &["--no-run"]].concat());
        kernel::tools::run_cargo(&mut cargo, &log, "the build with ThreadSanitizer")?;
        spinner.finish_and_clear();
        println!("built    {}", kernel::seconds(begin.elapsed()));
        Ok(())
    }

    /// Runs tests that are built, and keeps the output as the log of this name. Each program has a
    /// limit.
    fn run(&self, tests: &[&str], name: &str, arguments: &[&str]) -> Result<End> {
        let limit = match tests == STRESS {
            true => Duration::from_secs(self.seconds) + PATIENCE,
            false => LIMIT,
        };
        let runner = self.host.to_uppercase().replace('-', "_");
        let mut cargo = self.cargo(tests);
        cargo
            .arg("--")
            .args(arguments)
            .env(
                format!("CARGO_TARGET_{runner}_RUNNER"),
                format!("timeout --foreground --signal=KILL {}", limit.as_secs()),
            )
            .env(
                "TSAN_OPTIONS",
                format!("halt_on_error=1 exitcode={REPORTED}"),
            )
            // Takes longer than the test.
            .env("RUST_BACKTRACE", "0")
            .env("DEVRES_LAZY_STRESS_SECONDS", self.seconds.to_string());

        let log = self.log(name);
        let status = Job::start(&mut cargo, &log)?.read(|_| Ok(true))?;
        Ok(End::new(status.code(), job::text(&log)?))
    }

    /// Runs tests that have to hold, and returns whether they do.
    fn holds(&self, title: &str, tests: &[&str], arguments: &[&str]) -> Result<bool> {
        let begin = Instant::now();
        let arguments = [arguments, &["--nocapture"]].concat();
        match self.run(tests, title, &arguments)? {
            End::Held(text) => {
                println!("holds    {title}, {}", kernel::seconds(begin.elapsed()));
                for count in COUNT.find_iter(&text) {
                    println!("{}", count.as_str());
                }
                Ok(true)
            }
            end => {
                let log = self.log(title);
                println!("FAILS    {title}: {}, see {}", end.what(), log.display());
                Ok(false)
            }
        }
    }

    /// The tests of the stress that are ignored, which are the mutants.
    fn mutants(&self) -> Result<Vec<String>> {
        let End::Held(text) = self.run(STRESS, "mutants", &["--list", "--ignored"])? else {
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
    fn is_caught(&self, mutant: &str) -> Result<bool> {
        let name = mutant.rsplit("::").next().unwrap_or(mutant);
        let arguments = ["--exact", mutant, "--ignored", "--nocapture"];
        let begin = Instant::now();
        let mut end = End::Crashed;
        for _ in 0..CHANCES {
            if matches!(end, End::Crashed) {
                end = self.run(STRESS, name, &arguments)?;
            }
        }

        let is_caught = matches!(end, End::Reported(_));
        let mark = if is_caught { "caught" } else { "MISSED" };
        let time = kernel::seconds(begin.elapsed());
        println!("{mark:8} {name}, {time}: {}", end.what());
        Ok(is_caught)
    }
}

/// A report.
static SUMMARY: LazyLock<Regex> = pattern!(r"(?m)^SUMMARY: ThreadSanitizer: (.*)$");

/// The folder of a file in a report.
static FOLDER: LazyLock<Regex> = pattern!(r" [./]\S*/");

/// The message of a test that has failed.
static PANIC: LazyLock<Regex> = pattern!(r"panicked at .*\n(.*)");

/// A count that the stress prints.
static COUNT: LazyLock<Regex> = pattern!(r"(?m)^ +[0-9]+( .*)?$");

/// How tests have ended.
#[derive(Debug, PartialEq)]
enum End {
    /// Well, and they have printed this.
    Held(String),
    /// With a report of ThreadSanitizer, or with a test that has failed.
    Reported(String),
    /// With a signal.
    Crashed,
    /// Not at all, or otherwise.
    Other(String),
}

impl End {
    /// The end of `cargo test` with this text and status, which is that of the program. After a
    /// signal, cargo's own status is 101.
    fn new(status: Option<i32>, text: String) -> Self {
        match (status, SUMMARY.captures(&text), PANIC.captures(&text)) {
            (Some(0), ..) => Self::Held(text),
            (Some(REPORTED), Some(report), _) => {
                Self::Reported(FOLDER.replace(&report[1], " ").into_owned())
            }
            (Some(TIMEOUT), ..) => Self::Other("hangs, and was killed".to_owned()),
            (Some(101), ..) if text.contains("(signal: ") => Self::Crashed,
            (Some(101), _, Some(panic)) => Self::Reported(panic[1].to_owned()),
            (Some(status), ..) => Self::Other(format!("exit status {status}")),
            (None, ..) => Self::Other("cargo was killed".to_owned()),
        }
    }

    /// The reason that is printed.
    fn what(self) -> String {
        match self {
            Self::Held(_) => "nothing is reported".to_owned(),
            Self::Reported(what) | Self::Other(what) => what,
            Self::Crashed => "killed by a signal".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_told_from_a_crash_and_from_other_ends() {
        let race = "SUMMARY: ThreadSanitizer: data race /a/b/slot.rs:7:1 in <a::B>::c\n";
        let panic = "thread '<unnamed>' (1) panicked at /a/b.rs:1:2:\n\
                     assertion failed: left on the device\n";
        let signal = "process didn't exit successfully: `a` (signal: 11, SIGSEGV: invalid)\n";
        let of_race = "data race slot.rs:7:1 in <a::B>::c";
        let reported = |text: &str| End::Reported(text.to_owned());
        let other = |text: &str| End::Other(text.to_owned());
        for (status, text, end) in [
            (0, "fine", End::Held("fine".to_owned())),
            (66, race, reported(of_race)),
            // The report comes first, whatever the test makes of it.
            (66, &format!("{panic}{race}"), reported(of_race)),
            (101, panic, reported("assertion failed: left on the device")),
            (101, &format!("{panic}{signal}"), End::Crashed),
            (137, panic, other("hangs, and was killed")),
            // ThreadSanitizer itself, and a program that does not start.
            (66, "FATAL: ThreadSanitizer: x\n", other("exit status 66")),
            (101, "no such test", other("exit status 101")),
            (127, "", other("exit status 127")),
        ] {
            assert_eq!(End::new(Some(status), text.to_owned()), end, "{text}");
        }
    }

    #[test]
    fn counts_are_found() {
        assert!(COUNT.is_match("a\n      8581 bindings\n"));
        assert!(!COUNT.is_match("running 1 test\n    at main.rs"));
    }
}
