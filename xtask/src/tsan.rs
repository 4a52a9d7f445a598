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

/// Builds the programs, runs the tests that have to hold, and then those that have to be reported.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    kernel::group::end_with_us()?;
    let library = kernel::rust_library(shell)?;
    // A folder apart from builds without ThreadSanitizer.
    let logs = cargo::target_folder(shell)?.join("tsan");
    fs::create_dir_all(&logs)?;
    let runner = Runner {
        programs: build(shell, &library, &logs)?,
        logs,
        seconds: options.seconds,
    };
    let mut wrong = 0;

    for (name, title) in TESTS {
        wrong += u32::from(!runner.holds(name, title, &[])?);
    }
    for test in ["slot", "copy"] {
        wrong += u32::from(!runner.holds(STRESS, test, &["--exact", test])?);
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

/// Runs programs of tests.
struct Runner {
    programs: BTreeMap<String, PathBuf>,
    logs: PathBuf,
    /// How long the stress takes.
    seconds: u64,
}

impl Runner {
    fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }

    /// Runs a program, with a log of this name.
    fn run(&self, program: &str, log: &Path, arguments: &[&str]) -> Result<End> {
        let file = self.programs.get(program);
        let file = file.with_context(|| {
            format!("cargo did not say which program the tests of {program} are")
        })?;
        let limit = match program {
            STRESS => Duration::from_secs(self.seconds) + PATIENCE,
            _ => LIMIT,
        };
        let mut command = Command::new("timeout");
        command
            .args(["--signal=KILL", &limit.as_secs().to_string()])
            .arg(file)
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
        let status = Job::start(&mut command, log)?.read(|line| text += &(line + "\n"))?;
        if begin.elapsed() > limit {
            let limit = kernel::seconds(limit);
            return Ok(End::Other(format!("hangs: it was given {limit}")));
        }
        Ok(End::new(status.code(), text))
    }

    /// Runs tests that have to hold, and returns whether they do.
    fn holds(&self, program: &str, title: &str, arguments: &[&str]) -> Result<bool> {
        let begin = Instant::now();
        let log = match program {
            STRESS => self.log(&format!("{STRESS}-{title}")),
            _ => self.log(program),
        };
        let arguments = [arguments, &["--nocapture"]].concat();
        let text = match self.run(program, &log, &arguments)? {
            End::Held(text) => text,
            end => {
                println!("FAILS    {title}: {}, see {}", end.what(), log.display());
                return Ok(false);
            }
        };
        println!("holds    {title}, {}", kernel::seconds(begin.elapsed()));
        for line in text.lines().filter(|line| is_count(line)) {
            println!("{line}");
        }
        Ok(true)
    }

    /// The tests of the stress that are ignored, which are the mutants.
    fn mutants(&self) -> Result<Vec<String>> {
        let log = self.log(&format!("{STRESS}-{STRESS}"));
        let End::Held(text) = self.run(STRESS, &log, &["--list", "--ignored"])? else {
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
        let log = self.log(&format!("{STRESS}-{name}"));
        let arguments = ["--exact", mutant, "--ignored", "--nocapture"];
        let begin = Instant::now();
        let mut end = End::Crashed;
        for _ in 0..CHANCES {
            if matches!(end, End::Crashed) {
                end = self.run(STRESS, &log, &arguments)?;
            }
        }

        let is_caught = matches!(end, End::Reported(_));
        let mark = if is_caught { "caught" } else { "MISSED" };
        let time = kernel::seconds(begin.elapsed());
        println!("{mark:8} {name}, {time}: {}", end.what());
        Ok(is_caught)
    }
}

/// How a program has ended.
#[derive(Debug, PartialEq)]
enum End {
    /// Well, and it has printed this.
    Held(String),
    /// With a report of ThreadSanitizer, or with a test that has failed.
    Reported(String),
    /// With a signal.
    Crashed,
    /// Not at all, or otherwise.
    Other(String),
}

impl End {
    /// The end of a program that has printed this.
    fn new(status: Option<i32>, text: String) -> Self {
        let mut lines = text.lines();
        let summary = lines.find_map(|line| line.strip_prefix("SUMMARY: ThreadSanitizer: "));
        let mut panic = text
            .lines()
            .skip_while(|line| !line.contains("panicked at"));

        match (status, summary, panic.nth(1)) {
            (Some(0), ..) => Self::Held(text),
            (Some(REPORTED), Some(summary), _) => Self::Reported(without_path(summary)),
            (Some(101), _, Some(panic)) => Self::Reported(panic.to_owned()),
            (Some(status), ..) => Self::Other(format!("exit status {status}")),
            (None, ..) => Self::Crashed,
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

/// `data race <file>:<line> in <function>`, with the name of the file only.
fn without_path(summary: &str) -> String {
    let words = summary.split(' ').map(|word| match word.rsplit_once('/') {
        Some((path, name)) if path.starts_with('/') || path.starts_with('.') => name,
        _ => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Whether the stress has printed a count in this line.
fn is_count(line: &str) -> bool {
    let word = line.split_whitespace().next();
    line.starts_with(' ') && word.is_some_and(|word| word.parse::<u64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_told_from_a_crash_and_from_other_ends() {
        let race = "WARNING: ThreadSanitizer: data race (pid=1)\n\
                    SUMMARY: ThreadSanitizer: data race /a/b/slot.rs:7:1 in <a::B>::c\n";
        let panic = "thread '<unnamed>' (1) panicked at /a/b.rs:1:2:\n\
                     assertion failed: left on the device\n";
        let reported = |text: &str| End::Reported(text.to_owned());
        let other = |status| End::Other(format!("exit status {status}"));
        for (status, text, end) in [
            (Some(0), "fine", End::Held("fine".to_owned())),
            (
                Some(66),
                race,
                reported("data race slot.rs:7:1 in <a::B>::c"),
            ),
            // The report comes first, whatever the test makes of it.
            (
                Some(66),
                &format!("{panic}{race}"),
                reported("data race slot.rs:7:1 in <a::B>::c"),
            ),
            (
                Some(101),
                panic,
                reported("assertion failed: left on the device"),
            ),
            // ThreadSanitizer itself, a program that does not start, a signal.
            (
                Some(66),
                "FATAL: ThreadSanitizer: unexpected memory mapping\n",
                other(66),
            ),
            (Some(101), "no such test", other(101)),
            (Some(127), "", other(127)),
            (None, panic, End::Crashed),
        ] {
            assert_eq!(End::new(status, text.to_owned()), end, "{text}");
        }
    }

    #[test]
    fn counts_are_found() {
        assert!(is_count("      8581 bindings"));
        assert!(!is_count("running 1 test") && !is_count("    at main.rs"));
    }
}
