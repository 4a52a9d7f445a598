// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `cargo xtask fuzz`: the fuzz targets of `verify/fuzz`, over the saved corpus and beyond.
//!
//! The compiler is told to accept an option that is not stable: AddressSanitizer, for the target
//! that runs code with `unsafe` in it. The others run safe code, and run faster without.

use crate::{
    cargo,
    kernel::{
        self, group,
        job::{
            self,
            Job, //
        },
    },
};
use anyhow::{
    bail,
    ensure,
    Result, //
};
use clap::{
    Parser,
    ValueEnum, //
};
use std::{
    fs,
    path::{
        Path,
        PathBuf, //
    },
    process::Command,
    time::{
        SystemTime,
        UNIX_EPOCH, //
    },
};
use xshell::Shell;

const HELP: &str = "\
Inputs that are found are kept in target/fuzz, and used the next time. The saved corpus in
verify/fuzz/corpus is not changed, unless --save says so.

Exit status:
  0  nothing was found
  1  something was found, or the build has failed
  2  wrong usage
  3  skipped: something cannot be downloaded, which says nothing about the code";

/// What to run.
#[derive(Parser)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    /// One target; all of them, one after the other, without this.
    target: Option<Target>,

    /// How long each runs. 1 without this and without --runs.
    #[arg(long, conflicts_with = "runs", value_parser = clap::value_parser!(u64).range(1..))]
    minutes: Option<u64>,

    /// How many executions each does.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    runs: Option<u64>,

    /// What the choices of the fuzzer begin with; the time without this.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    seed: Option<u32>,

    /// Makes the smallest corpus that covers what was found so far, and saves that.
    #[arg(long)]
    save: bool,

    /// Installs a C++ compiler on this machine with apt-get, as root, if there is none.
    #[arg(long)]
    install: bool,
}

/// A target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Target {
    /// Annotated items, through the macro's expander.
    Annotation,
    /// Whole files, through the printer.
    File,
    /// Histories of objects and devices, against a model.
    History,
}

/// Where they are.
const FOLDER: &str = "verify/fuzz";

/// Where all is kept that is not saved.
const OUT: &str = "target/fuzz";

/// How a target is run.
struct Setup {
    /// The feature that it takes.
    feature: &'static str,
    sanitizer: &'static str,
    /// How long an input may be.
    max_len: usize,
    /// Folders of the project with inputs, beside those that are its own.
    seeds: &'static [&'static str],
}

impl Target {
    const ALL: [Self; 3] = [Self::Annotation, Self::File, Self::History];

    /// Its name, and how it is run.
    fn setup(self) -> (&'static str, &'static Setup) {
        const EXPANDER: Setup = Setup {
            feature: "expander",
            sanitizer: "none",
            max_len: 512,
            seeds: &[],
        };
        const FILE: Setup = Setup {
            max_len: 2048,
            seeds: &[
                "tests/expand",
                "tests/ui/pass",
                "examples",
                "cli/tests/files",
            ],
            ..EXPANDER
        };
        const HISTORY: Setup = Setup {
            feature: "runtime",
            sanitizer: "address",
            max_len: 300,
            seeds: &[],
        };

        match self {
            Self::Annotation => ("annotation", &EXPANDER),
            Self::File => ("file", &FILE),
            Self::History => ("history", &HISTORY),
        }
    }

    fn name(self) -> &'static str {
        self.setup().0
    }

    fn folder(self, root: &Path, name: &str) -> PathBuf {
        root.join(name).join(self.name())
    }
}

/// Builds and runs the targets.
pub(crate) fn run(shell: &Shell, options: &Options) -> Result<()> {
    group::end_with_us()?;
    let cargo_fuzz = kernel::cargo_fuzz(shell, options.install)?;
    let host = cargo::host(shell)?;
    let root = shell.current_dir().canonicalize()?;
    fs::create_dir_all(root.join(OUT).join("logs"))?;

    let all = Target::ALL.as_slice();
    let chosen = options.target.as_ref();
    for &target in chosen.map_or(all, std::slice::from_ref) {
        let fuzzer = Fuzzer {
            program: build(&root, &cargo_fuzz, &host, target)?,
            root: root.clone(),
            target,
        };
        if options.save {
            fuzzer.save()?;
        } else {
            fuzzer.run(options)?;
        }
    }

    Ok(())
}

/// Builds a target.
fn build(root: &Path, cargo_fuzz: &Path, host: &str, target: Target) -> Result<PathBuf> {
    let (
        name,
        Setup {
            feature, sanitizer, ..
        },
    ) = target.setup();
    let out = root.join(OUT).join(sanitizer);
    let log = root.join(OUT).join(format!("logs/{name}-build.log"));
    let features = format!("fuzzer,{feature}");

    let spinner = kernel::spinner(format!("building {name}"));
    let job = Job::start(
        Command::new(cargo_fuzz)
            .current_dir(root)
            .args(["build", "--release", "--fuzz-dir", FOLDER, "--target", host])
            .args([
                "--sanitizer",
                sanitizer,
                "--no-default-features",
                "--features",
                &features,
            ])
            // With it, proc-macro2 has no spans.
            .arg("--no-cfg-fuzzing")
            // Choices are not compared with anything, and this halves the speed.
            .arg("--no-trace-compares")
            .arg("--target-dir")
            .arg(&out)
            .arg(name)
            .env("RUSTC_BOOTSTRAP", "1"),
        &log,
    )?;
    let is_built = job.finish()?;
    spinner.finish_and_clear();
    if !is_built {
        bail!(
            "`{name}` cannot be built, see {}:\n{}",
            log.display(),
            job::tail(&log, 20)
        );
    }

    Ok(out.join(host).join("release").join(name))
}

/// A target that is built.
struct Fuzzer {
    root: PathBuf,
    target: Target,
    program: PathBuf,
}

impl Fuzzer {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(&self.root)
            .arg(format!("-max_len={}", self.target.setup().1.max_len))
            // Takes longer than the target.
            .env("RUST_BACKTRACE", "0");
        command
    }

    fn log(&self, what: &str) -> PathBuf {
        let name = self.target.name();
        self.root.join(OUT).join(format!("logs/{name}{what}.log"))
    }

    /// Runs it.
    fn run(&self, options: &Options) -> Result<()> {
        let name = self.target.name();
        let found = self.target.folder(&self.root, &format!("{OUT}/found"));
        let corpus = self.target.folder(&self.root, &format!("{OUT}/corpus"));
        for folder in [&found, &corpus] {
            fs::create_dir_all(folder)?;
        }
        let seed = options.seed.map_or_else(time, Ok)?;
        let log = self.log("");

        let mut command = self.command();
        command
            .arg(format!("-seed={seed}"))
            .arg(format!("-artifact_prefix={}/", found.display()))
            // Those that take long are chosen less often.
            .arg("-entropic_scale_per_exec_time=1")
            .arg("-print_final_stats=1");
        match options.runs {
            Some(runs) => command.arg(format!("-runs={runs}")),
            None => {
                let minutes = options.minutes.unwrap_or(1);
                command.arg(format!("-max_total_time={}", minutes * 60))
            }
        };
        // What is new goes to the first.
        command.arg(corpus);
        for saved in ["corpus", "regressions"] {
            let saved = self.target.folder(&self.root.join(FOLDER), saved);
            if saved.is_dir() {
                command.arg(saved);
            }
        }
        command.args(self.target.setup().1.seeds);

        println!("{name}: -seed={seed}, see {}", log.display());
        let spinner = kernel::spinner(format!("{name}: reads the saved corpus"));
        let mut executions = 0;
        let mut artifact = None;
        let status = Job::start(&mut command, &log)?.read(|line| {
            if let Some((done, rate)) = progress(&line) {
                executions = done;
                spinner.set_message(format!("{name}: {done} executions, {rate} a second"));
            }
            let written = line.split("Test unit written to ").nth(1);
            artifact = written.map(PathBuf::from).or(artifact.take());
        })?;
        spinner.finish_and_clear();

        if let Some(artifact) = artifact {
            bail!(
                "`{name}` has found something after {executions} executions: {}\n{}\n\
                 Keep it as `{FOLDER}/regressions/{name}/<what it is>`; `cargo test --manifest-path \
                 {FOLDER}/Cargo.toml` replays it.",
                artifact.display(),
                finding(&log)
            );
        }
        ensure!(
            status.success(),
            "`{name}` has ended with {status}, see {}:\n{}",
            log.display(),
            job::tail(&log, 20)
        );
        println!("{name}: {executions} executions, and nothing was found");
        Ok(())
    }

    /// Saves the smallest corpus that covers what all inputs cover.
    fn save(&self) -> Result<()> {
        let name = self.target.name();
        let corpus = self.target.folder(&self.root, &format!("{OUT}/corpus"));
        let saved = self.target.folder(&self.root.join(FOLDER), "corpus");
        let smallest = tempfile::Builder::new()
            .prefix("corpus-")
            .tempdir_in(self.root.join(OUT))?;
        let log = self.log("-save");

        let spinner = kernel::spinner(format!("{name}: looks for the smallest corpus"));
        let job = Job::start(
            self.command()
                .arg("-set_cover_merge=1")
                // What is covered counts, and not how often.
                .arg("-use_counters=0")
                .args([smallest.path(), &saved, &corpus]),
            &log,
        )?;
        let is_done = job.finish()?;
        spinner.finish_and_clear();
        ensure!(
            is_done,
            "the inputs of `{name}` cannot be merged, see {}:\n{}",
            log.display(),
            job::tail(&log, 20)
        );

        fs::remove_dir_all(&saved)?;
        fs::create_dir_all(&saved)?;
        let (mut count, mut bytes) = (0, 0);
        for entry in fs::read_dir(smallest.path())? {
            let entry = entry?;
            bytes += fs::copy(entry.path(), saved.join(entry.file_name()))?;
            count += 1;
        }
        println!("{name}: {count} inputs of {bytes} bytes are the saved corpus");
        Ok(())
    }
}

/// A seed.
fn time() -> Result<u32> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();

    Ok(u32::try_from(seconds % u64::from(u32::MAX))?)
}

/// The executions so far and those of a second, if libFuzzer says so in this line.
fn progress(line: &str) -> Option<(u64, u64)> {
    let mut words = line.strip_prefix('#')?.split_whitespace();
    let executions = words.next()?.parse().ok()?;
    let rate = words.skip_while(|word| *word != "exec/s:").nth(1)?;

    Some((executions, rate.parse().ok()?))
}

/// What a log says of a finding: the panic, or the report of AddressSanitizer.
fn finding(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let is_first = |line: &&str| line.contains("panicked at") || line.contains("ERROR: ");
    let lines: Vec<_> = text
        .lines()
        .skip_while(|line| !is_first(line))
        .take_while(|line| !line.starts_with("note: run with"))
        .take(60)
        .collect();

    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read() {
        let line = "#2048\tpulse  cov: 16793 ft: 74342 corp: 1775/116Kb exec/s: 170 rss: 39Mb";
        assert_eq!(progress(line), Some((2048, 170)));
        assert_eq!(progress("INFO: Seed: 1"), None);
        assert_eq!(progress("#![allow(dead_code)]"), None);
    }

    #[test]
    fn a_finding_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let text = "#1\tINITED\n\nthread '<unnamed>' panicked at src/file.rs:1:2:\nstruct A;\n\
                    -- not refused\nnote: run with `RUST_BACKTRACE=1`\n==1== ERROR: libFuzzer";
        fs::write(&log, text).unwrap();

        assert_eq!(
            finding(&log),
            "thread '<unnamed>' panicked at src/file.rs:1:2:\nstruct A;\n-- not refused"
        );
    }
}
